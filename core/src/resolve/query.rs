//! Queries under way to the name servers: UDP, retry, next server, TCP on truncation.
//!
//! Order and waiting times are the C library's: every server in turn, `attempts` times over. Unlike
//! there, the answer to an earlier attempt still counts while a later one runs, and a server that
//! kept silent is not the first to be asked again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::conf::ResolvConf;
use super::error::{DnsProblem, Trouble};
use super::message::{self, Flags, Received, Reply};
use super::name::Question;
use super::note::LookupNote;
use super::outcome::{Came, judge, weight};
use super::stream::{Arrived, Stream};
use super::tls::Demand;
use crate::context::Cx;
use crate::judge::VerifyError;
use crate::machine::{Endpoint, Input, IoError, Remote, TransportId};
use crate::report::{Event, TlsFacts};
use crate::time::Instant;

/// The queries under way and the sockets that they use.
#[derive(Debug)]
pub(crate) struct Client {
    conf: ResolvConf,
    servers: Vec<Server>,
    /// What they must show, if they are asked over TLS.
    demand: Option<Demand>,
    queries: BTreeMap<QueryId, Query>,
    /// The deadlines of the queries, in order.
    due: BTreeSet<(Instant, QueryId)>,
    /// Which query a datagram transport belongs to.
    datagrams: BTreeMap<TransportId, QueryId>,
    finished: VecDeque<(QueryId, Heard)>,
    next_id: u64,
    /// The server that the next query asks first.
    first: usize,
    tell_repetitions: bool,
}

/// Names one query.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QueryId(pub(super) u64);

/// How to ask.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manner {
    /// Over TCP from the start.
    pub(crate) tcp: bool,
    /// Never without EDNS.
    pub(crate) edns_only: bool,
    /// With the CD bit.
    pub(crate) checking_disabled: bool,
}

/// How a query ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Heard {
    /// A readable answer with NOERROR or NXDOMAIN, or why there is none.
    pub(crate) result: Result<Reply, Trouble>,
    /// Whoever said anything last.
    pub(crate) from: Option<Source>,
    /// An answer over UDP did not fit.
    pub(crate) truncated: bool,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The server by its number.
    pub(crate) server: usize,
    /// It set the AD bit.
    pub(crate) authentic: bool,
    /// Over TLS: it proved to be the one that was asked for.
    pub(crate) authenticated: Option<bool>,
}

#[derive(Debug)]
struct Server {
    remote: Remote,
    /// It is asked not to validate, because that happens here.
    unchecked: bool,
    /// The same, once it is authenticated over TLS.
    unchecked_over_tls: bool,
    /// What spoke against it over TLS the last time, if that was told.
    told: Option<Result<(), VerifyError>>,
    /// No answer shows that it does not speak EDNS.
    edns: bool,
    /// The last attempt there ended without a word.
    silent: bool,
    stream: Option<Stream>,
}

#[derive(Debug)]
struct Query {
    question: Question,
    manner: Manner,
    /// The server of the first attempt.
    first: usize,
    /// How many servers had their turn.
    turns: usize,
    /// What was sent; a turn takes more than one when TCP or plain DNS is needed.
    attempts: Vec<Attempt>,
    /// When the latest attempt is given up.
    deadline: Instant,
    /// What says most about why there is no answer.
    trouble: Trouble,
    from: Option<Source>,
    truncated: bool,
    ended: bool,
}

#[derive(Clone, Copy, Debug)]
struct Attempt {
    server: usize,
    id: u16,
    edns: bool,
    via: Via,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Via {
    Datagram(TransportId),
    Stream,
    /// Nothing more comes of it.
    Over,
}

impl Client {
    /// All randomness of TLS is that of the run if it is to be `repeatable`.
    pub(crate) fn new(conf: ResolvConf, tell_repetitions: bool, repeatable: bool) -> Self {
        let server = |remote: &Remote| Server {
            remote: remote.clone(),
            unchecked: false,
            unchecked_over_tls: false,
            told: None,
            edns: true,
            silent: false,
            stream: None,
        };
        Self {
            servers: conf.servers.iter().map(server).collect(),
            demand: conf.tls.as_ref().map(|tls| Demand::new(tls, repeatable)),
            conf,
            queries: BTreeMap::new(),
            due: BTreeSet::new(),
            datagrams: BTreeMap::new(),
            finished: VecDeque::new(),
            next_id: 0,
            first: 0,
            tell_repetitions,
        }
    }

    /// Tells by their number which name servers are asked not to validate, because that happens
    /// here: they would hide what they hold for bogus. That may depend on whether TLS shows that
    /// they are who they should be.
    pub(crate) fn set_unchecked(&mut self, is_unchecked: impl Fn(usize, bool) -> bool) {
        for (at, server) in self.servers.iter_mut().enumerate() {
            server.unchecked = is_unchecked(at, false);
            server.unchecked_over_tls = is_unchecked(at, true);
        }
    }

    /// Begins to ask the name servers.
    pub(crate) fn ask(&mut self, cx: &mut Cx, question: Question, manner: Manner) -> QueryId {
        let id = QueryId(self.next_id);
        self.next_id += 1;
        let mut query = Query {
            question,
            manner,
            first: self.first,
            turns: 0,
            attempts: Vec::new(),
            deadline: Instant::NEVER,
            trouble: DnsProblem::TimedOut.into(),
            from: None,
            truncated: false,
            ended: false,
        };
        if self.conf.rotate {
            self.first = (self.first + 1) % self.servers.len().max(1);
        }
        self.next_turn(cx, id, &mut query);
        self.put_back(cx, id, query);
        id
    }

    /// Gives a query up.
    pub(crate) fn cancel(&mut self, cx: &mut Cx, id: QueryId) {
        if let Some(mut query) = self.take(id) {
            query.ended = true;
            self.put_back(cx, id, query);
        }
        self.finished.retain(|(finished, _)| *finished != id);
    }

    /// Hands out a query that ended.
    pub(crate) fn finished(&mut self) -> Option<(QueryId, Heard)> {
        self.finished.pop_front()
    }

    /// Takes an input; `false` if it is for somebody else.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> bool {
        let (transport, news) = match input {
            Input::Opened(id) => (*id, News::Nothing),
            Input::Received(id, bytes) => (*id, News::Bytes(bytes)),
            Input::Ended(id) => (*id, News::Over(None)),
            Input::Failed(id, error) => (*id, News::Over(Some(error))),
            Input::Tick | Input::HostFound(..) | Input::Add(_) | Input::Stop(_) => return false,
        };
        if let Some(&id) = self.datagrams.get(&transport) {
            let Some(mut query) = self.take(id) else { return true };
            let part = match news {
                News::Nothing => None,
                News::Bytes(bytes) => Some(Part::Message(bytes)),
                News::Over(None) => Some(Part::Over(DnsProblem::TimedOut)),
                News::Over(Some(error)) => Some(Part::Over(DnsProblem::Unreachable(error.clone()))),
            };
            if let Some(part) = part {
                self.handle_attempt(cx, id, &mut query, Via::Datagram(transport), None, part);
            }
            self.put_back(cx, id, query);
            return true;
        }
        let owns = |server: &Server| {
            server.stream.as_ref().is_some_and(|stream| stream.transport == transport)
        };
        let Some(server) = self.servers.iter().position(owns) else { return false };
        self.handle_stream(cx, server, &news);
        true
    }

    /// Lets time pass: what is due is given up.
    pub(crate) fn expire(&mut self, cx: &mut Cx) {
        let now = cx.now();
        let due: Vec<_> =
            self.due.iter().take_while(|(at, _)| *at <= now).map(|(_, id)| *id).collect();
        for id in due {
            let Some(mut query) = self.take(id) else { continue };
            let latest = query.attempts.last().copied();
            if let Some(latest) = latest {
                self.servers[latest.server].silent = true;
            }
            // A handshake that hangs will hang for the next question too.
            let stream = latest.and_then(|latest| self.servers[latest.server].stream.as_ref());
            let stuck = latest.filter(|_| stream.is_some_and(|stream| !stream.is_ready()));
            if let Some(Attempt { server, via: Via::Stream, .. }) = stuck {
                self.put_back(cx, id, query);
                self.hang_up(cx, server, &DnsProblem::TimedOut);
                continue;
            }
            self.next_turn(cx, id, &mut query);
            self.put_back(cx, id, query);
        }
        for server in &mut self.servers {
            if let Some(stream) = server.stream.take_if(|stream| stream.idle_until() <= now) {
                stream.close(cx);
            }
        }
    }

    /// Tells when to [`expire`](Self::expire).
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        let queries = self.due.first().map(|(at, _)| (*at, "for a DNS answer"));
        let streams = self.servers.iter().filter_map(|server| server.stream.as_ref());
        let streams =
            streams.map(|stream| (stream.idle_until(), "to close an idle DNS connection"));
        queries.into_iter().chain(streams).min().unwrap_or((Instant::NEVER, "for a DNS answer"))
    }

    /// Counts the streams to name servers.
    pub(crate) fn streams(&self) -> usize {
        self.servers.iter().filter(|server| server.stream.is_some()).count()
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.servers.iter().filter_map(|it| it.stream.as_ref()).map(Stream::buffered).sum()
    }

    fn handle_stream(&mut self, cx: &mut Cx, server: usize, news: &News<'_>) {
        let Some(stream) = self.servers[server].stream.as_mut() else { return };
        match news {
            News::Nothing => {}
            News::Bytes(bytes) => {
                let mut arrived = Some(stream.receive(cx, bytes));
                while let Some(Arrived { messages, secured, over }) = arrived {
                    if let Some(facts) = secured {
                        self.secured(cx, server, facts);
                    }
                    for (id, message) in messages {
                        self.handle_part(cx, id, server, Part::Message(&message));
                    }
                    if let Some(problem) = over {
                        self.hang_up(cx, server, &problem);
                    }
                    arrived = self.servers[server].stream.as_mut().and_then(|it| it.go_on(cx));
                }
            }
            News::Over(error) => {
                let unreachable = |error: &&IoError| DnsProblem::Unreachable((*error).clone());
                let problem = error.as_ref().map_or_else(|| stream.end(), unreachable);
                self.hang_up(cx, server, &problem);
            }
        }
    }

    /// Lets go of a stream, and of what waits for it.
    fn hang_up(&mut self, cx: &mut Cx, server: usize, problem: &DnsProblem) {
        let Some(stream) = self.servers[server].stream.take() else { return };
        let waiting = stream.waiting();
        stream.close(cx);
        for (_, id) in waiting {
            self.handle_part(cx, id, server, Part::Over(problem.clone()));
        }
    }

    /// Judges a name server whose TLS handshake is complete, and asks it what waited for that.
    fn secured(&mut self, cx: &mut Cx, server: usize, facts: Arc<TlsFacts>) {
        let Some(demand) = &mut self.demand else { return };
        let found = demand.judge(&facts, cx.wall_time());
        let Server { remote, stream, told, unchecked, unchecked_over_tls, .. } =
            &mut self.servers[server];
        let Some(stream) = stream else { return };
        stream.set_authenticated(found.is_ok());
        let unchecked = if found.is_ok() { *unchecked_over_tls } else { *unchecked };
        for (message_id, id) in stream.waiting() {
            let Some(query) = self.queries.get(&id) else { continue };
            let ours = |attempt: &&Attempt| {
                (attempt.server, attempt.id, attempt.via) == (server, message_id, Via::Stream)
            };
            let Some(attempt) = query.attempts.iter().rfind(ours) else { continue };
            let checking_disabled = query.manner.checking_disabled || unchecked;
            let flags = Flags { edns: attempt.edns, checking_disabled };
            stream.write(cx, &message::query(message_id, &query.question, flags));
        }
        if *told != Some(found) {
            *told = Some(found);
            let (name, server) = (demand.name().to_owned(), remote.clone());
            let version = facts.version;
            cx.tell(Event::Lookup(LookupNote::ResolverSecured { server, name, version, found }));
        }
    }

    fn handle_part(&mut self, cx: &mut Cx, id: QueryId, server: usize, part: Part<'_>) {
        let Some(mut query) = self.take(id) else { return };
        self.handle_attempt(cx, id, &mut query, Via::Stream, Some(server), part);
        self.put_back(cx, id, query);
    }

    /// Takes news of the attempt that went over `via`.
    fn handle_attempt(
        &mut self,
        cx: &mut Cx,
        id: QueryId,
        query: &mut Query,
        via: Via,
        server: Option<usize>,
        part: Part<'_>,
    ) {
        let ours = |attempt: &Attempt| {
            attempt.via == via && server.is_none_or(|server| server == attempt.server)
        };
        let Some(at) = query.attempts.iter().rposition(ours) else { return };
        let attempt = query.attempts[at];
        let bytes = match part {
            Part::Message(bytes) => bytes,
            Part::Over(problem) => {
                self.servers[attempt.server].silent = true;
                return self.attempt_failed(cx, id, query, at, problem.into());
            }
        };
        let received = message::read(bytes, attempt.id, &query.question);
        if let Received::Reply(reply) = &received {
            let stream = self.servers[attempt.server].stream.as_ref();
            let stream = stream.filter(|_| attempt.via == Via::Stream);
            query.from = Some(Source {
                server: attempt.server,
                authentic: reply.authentic,
                authenticated: stream.and_then(Stream::authenticated),
            });
        }
        query.truncated |= received == Received::Truncated;
        let tcp = attempt.via == Via::Stream;
        match judge(received, tcp, attempt.edns, !query.manner.edns_only) {
            Came::Nothing => {}
            Came::Trouble(trouble) => {
                self.servers[attempt.server].silent = false;
                self.attempt_failed(cx, id, query, at, trouble);
            }
            Came::Again { tcp, edns } => {
                self.retire(cx, query, at);
                self.send(cx, id, query, attempt.server, tcp, edns);
            }
            Came::Answer(reply) => {
                self.servers[attempt.server].silent = false;
                // What makes sense only without EDNS was said by a server that has none.
                self.servers[attempt.server].edns &= attempt.edns;
                if !self.conf.rotate && self.servers[self.first].silent {
                    self.first = attempt.server;
                }
                self.end(id, query, Ok(reply));
            }
        }
    }

    /// Notes that nothing more comes of an attempt; if it was the latest, the next server has its
    /// turn.
    fn attempt_failed(
        &mut self,
        cx: &mut Cx,
        id: QueryId,
        query: &mut Query,
        at: usize,
        trouble: Trouble,
    ) {
        if weight(&trouble.problem) >= weight(&query.trouble.problem) {
            query.trouble = trouble;
        }
        self.retire(cx, query, at);
        if at + 1 == query.attempts.len() {
            self.next_turn(cx, id, query);
        }
    }

    fn next_turn(&mut self, cx: &mut Cx, id: QueryId, query: &mut Query) {
        let servers = self.servers.len();
        if query.turns >= servers.saturating_mul(self.conf.attempts as usize) {
            let trouble = query.trouble.clone();
            return self.end(id, query, Err(trouble));
        }
        let server = (query.first + query.turns) % servers;
        query.turns += 1;
        let edns = self.servers[server].edns || query.manner.edns_only;
        let tcp = self.conf.use_vc || query.manner.tcp || self.demand.is_some();
        self.send(cx, id, query, server, tcp, edns);
    }

    fn send(
        &mut self,
        cx: &mut Cx,
        id: QueryId,
        query: &mut Query,
        server: usize,
        tcp: bool,
        edns: bool,
    ) {
        query.deadline = cx.now() + self.patience(query.turns);
        let remote = self.servers[server].remote.clone();
        if self.tell_repetitions && !query.attempts.is_empty() {
            let Question { name, record, .. } = &query.question;
            let (name, record, server) = (name.to_string(), *record, remote.clone());
            cx.tell(Event::Lookup(LookupNote::AskedAgain { name, record, server, tcp }));
        }
        let Self { demand, servers, .. } = self;
        let Server { stream, unchecked, unchecked_over_tls, .. } = &mut servers[server];
        let authenticated = stream.as_ref().and_then(Stream::authenticated) == Some(true);
        let unchecked = if authenticated { *unchecked_over_tls } else { *unchecked };
        let checking_disabled = query.manner.checking_disabled || unchecked;
        let flags = Flags { edns, checking_disabled };
        let write = |id| message::query(id, &query.question, flags);
        let (message_id, via) = if tcp {
            if stream.is_none() {
                match Stream::open(cx, remote, demand.as_ref()) {
                    Ok(new) => *stream = Some(new),
                    Err(error) => return self.end(id, query, Err(DnsProblem::Tls(error).into())),
                }
            }
            let Some(stream) = stream else { return };
            let message_id = stream.expect(cx, id);
            // What is asked before TLS is up waits for that.
            if stream.is_ready() {
                stream.write(cx, &write(message_id));
            }
            (message_id, Via::Stream)
        } else {
            // A socket of its own, so that port and id must both be guessed (RFC 5452).
            let transport = cx.open(Endpoint::Udp(remote));
            let message_id = cx.random().u16();
            cx.send(transport, write(message_id));
            self.datagrams.insert(transport, id);
            (message_id, Via::Datagram(transport))
        };
        query.attempts.push(Attempt { server, id: message_id, edns, via });
    }

    /// Tells how long the attempt of a turn may take.
    fn patience(&self, turns: usize) -> Duration {
        let servers = self.servers.len().max(1);
        let place = turns.saturating_sub(1) % servers;
        if place == 0 {
            return self.conf.timeout;
        }
        let doubled = self.conf.timeout.saturating_mul(1 << place.min(4));
        let shared = doubled / u32::try_from(servers).unwrap_or(1);
        shared.max(Duration::from_secs(1))
    }

    fn end(&mut self, id: QueryId, query: &mut Query, result: Result<Reply, Trouble>) {
        query.ended = true;
        self.finished
            .push_back((id, Heard { result, from: query.from, truncated: query.truncated }));
    }

    /// Keeps a query that goes on; lets go of everything that one that ended holds.
    fn put_back(&mut self, cx: &mut Cx, id: QueryId, mut query: Query) {
        if query.ended {
            for at in 0..query.attempts.len() {
                self.retire(cx, &mut query, at);
            }
        } else {
            self.due.insert((query.deadline, id));
            self.queries.insert(id, query);
        }
    }

    /// Takes a query out to change it.
    fn take(&mut self, id: QueryId) -> Option<Query> {
        let query = self.queries.remove(&id)?;
        self.due.remove(&(query.deadline, id));
        Some(query)
    }

    /// Lets go of what an attempt holds.
    fn retire(&mut self, cx: &mut Cx, query: &mut Query, at: usize) {
        let attempt = &mut query.attempts[at];
        match std::mem::replace(&mut attempt.via, Via::Over) {
            Via::Datagram(transport) => {
                self.datagrams.remove(&transport);
                cx.close(transport);
            }
            Via::Stream => {
                if let Some(stream) = &mut self.servers[attempt.server].stream {
                    stream.forget(cx.now(), attempt.id);
                }
            }
            Via::Over => {}
        }
    }
}

/// What happened on a transport.
enum News<'a> {
    Nothing,
    Bytes(&'a Bytes),
    Over(Option<&'a IoError>),
}

/// What of that concerns one attempt.
enum Part<'a> {
    Message(&'a Bytes),
    Over(DnsProblem),
}
