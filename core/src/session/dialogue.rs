//! The steps of a session: how each is made, waited for and told.

use std::sync::Arc;

use bytes::{Buf as _, Bytes};

use crate::config::{Dialect, Offer, OfferFlaw, Watch};
use crate::context::Cx;
use crate::limits;
use crate::machine::{Endpoint, Input, IoError};
use crate::report::{
    CacheStep, Direction, Event, HandshakeError, Observation, Peer, ProxyError, Step, StepProblem,
    StreamEnd, TlsError, TlsVersion, Utterance,
};
use crate::time::Instant;
use crate::tls::scout::{Flight, FlightEnd, ScoutHello};
use crate::tls::{SessionCache, SessionKey, Sessions, Setup};

use super::ehlo::{Capabilities, EhloReader};
use super::order::{self, Ending, Mode, Next};
use super::reply::{Reply, ReplyReader};
use super::stream::{Arrival, Stream};
use super::tlsproxy::Request;

/// What a session is to do. Pure data; shared by the passes of a probe.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) dialect: Dialect,
    pub(crate) wrapper: bool,
    /// Not the first session with this server.
    pub(crate) again: bool,
    /// Another session follows if this one's handshake fails, so that is not told.
    pub(crate) tentative: bool,
    /// A tentative session went before: what precedes TLS was told.
    pub(crate) retried: bool,
    pub(crate) helo_name: Arc<str>,
    pub(crate) connect_timeout: std::time::Duration,
    pub(crate) command_timeout: std::time::Duration,
    /// Wait for the reply to QUIT.
    pub(crate) await_quit: bool,
    /// What to offer; `None` wants no TLS.
    pub(crate) tls: Option<Result<Arc<Setup>, OfferFlaw>>,
    /// Ask this instead of making TLS: the session ends with the server's flight, and what it says
    /// before was told.
    pub(crate) scout: Option<Arc<ScoutHello>>,
    /// Let tlsproxy(8) do the TLS.
    pub(crate) proxy: Option<Arc<Request>>,
    /// Wait before the handshake for another plan.
    pub(crate) held: bool,
    /// Put a command behind STARTTLS that is not to be answered (CVE-2011-0411).
    pub(crate) pipelined: bool,
    /// What is demanded of the server besides the Offer; sessions are shared only under the same.
    pub(crate) demands: String,
    pub(crate) watch: Watch,
}

impl Plan {
    fn offer(&self) -> Option<Arc<Offer>> {
        match &self.tls {
            Some(Ok(setup)) => Some(setup.offer().clone()),
            Some(Err(_)) | None => None,
        }
    }
}

/// A session under way.
#[derive(Debug)]
pub(super) struct Dialogue {
    plan: Arc<Plan>,
    stream: Stream,
    reader: ReplyReader,
    ehlo: EhloReader,
    step: Step,
    deadline: Instant,
    opened: bool,
    secured: bool,
    tls_error: Option<Box<TlsError>>,
    proxy_error: Option<Box<ProxyError>>,
    cache: SessionCache,
    session_key: Option<SessionKey>,
    session_saved: bool,
    /// Octets of text that came while the dialogue was held.
    unheard: usize,
    /// Octets of the dialogue so far.
    said: usize,
    observation: Observation,
}

/// As many lines as nearly all dialogues have.
const USUAL_LINES: usize = 16;

/// As many steps as a whole session has.
const USUAL_STEPS: usize = 7;

/// Octets that a line of the dialogue counts for besides its own, so that empty lines count.
const UTTERANCE: usize = std::mem::size_of::<Utterance>();

/// Where a dialogue has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// The handshake is complete, the server waits to be judged.
    Secured,
    /// There is no TLS.
    Plain,
    /// The session is over and its transport closed.
    Over,
}

impl Dialogue {
    /// Opens the connection.
    pub(super) fn start(
        cx: &mut Cx,
        peer: Arc<Peer>,
        endpoint: Endpoint,
        plan: Arc<Plan>,
        cache: SessionCache,
    ) -> Self {
        let mut observation = Observation::new(peer, plan.offer());
        observation.dialogue.reserve_exact(USUAL_LINES);
        observation.times.reserve_exact(USUAL_STEPS);
        Self {
            stream: Stream::open(cx, endpoint),
            reader: ReplyReader::default(),
            ehlo: EhloReader::default(),
            step: Step::Connect,
            deadline: cx.now() + plan.connect_timeout,
            opened: false,
            secured: false,
            tls_error: None,
            proxy_error: None,
            cache,
            session_key: None,
            session_saved: false,
            unheard: 0,
            said: 0,
            observation,
            plan,
        }
    }

    /// Goes on by another plan with a dialogue that was held. Whatever the server said since its
    /// reply to STARTTLS is plain text before TLS as ever.
    pub(super) fn release(&mut self, cx: &mut Cx, plan: Arc<Plan>) {
        let waits = self.is_held();
        self.observation.offer = plan.offer();
        self.plan = plan;
        if waits {
            self.begin(cx, Step::Handshake);
        }
    }

    /// Tells whether nothing is missing for the handshake but [`release`](Self::release).
    pub(super) fn is_held(&self) -> bool {
        self.plan.held && self.step == Step::Handshake
    }

    pub(super) fn is_lost(&self) -> bool {
        self.stream.end().is_some()
    }

    pub(super) fn is_connected(&self) -> bool {
        self.opened
    }

    /// Tells when to give up waiting, and for what.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        let what = match self.step {
            Step::Connect => "for the connection",
            Step::Greeting => "for the greeting",
            Step::Hello | Step::HelloAgain => "for the reply to the hello",
            Step::StartTls => "for the reply to STARTTLS",
            Step::Handshake => "for the TLS handshake",
            Step::Quit => "for the reply to QUIT",
        };
        (self.deadline, what)
    }

    /// Takes an input and goes on as far as it leads.
    pub(super) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Stage> {
        if let Some(arrival) = self.stream.handle(cx, input) {
            self.take(cx, arrival);
        }
        loop {
            while let Some(ending) = self.ending(cx) {
                self.observation.times.push((self.step, cx.now()));
                if let Some(stage) = self.go(cx, order::after(self.step, ending, self.mode())) {
                    return Some(stage);
                }
            }
            // What came in one read is taken as if it had come in many.
            let arrival = self.stream.go_on(cx)?;
            self.take(cx, arrival);
        }
    }

    /// Goes on after the server was judged, or after it was found to have no TLS.
    pub(super) fn begin_farewell(&mut self, cx: &mut Cx) {
        let next = match self.secured {
            true => order::after_judgement(self.mode()),
            false => order::after_parting(),
        };
        self.go(cx, next);
    }

    /// Ends the session at once.
    pub(super) fn abort(&mut self, cx: &mut Cx) {
        self.stream.close(cx);
    }

    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        self.reader.buffered() + self.ehlo.buffered() + self.stream.buffered()
    }

    pub(super) fn observation(&self) -> &Observation {
        &self.observation
    }

    /// Ends the dialogue's life and gives back what it found out, and the TLS sessions.
    pub(super) fn finish(self) -> (Observation, SessionCache) {
        let mut cache = self.cache;
        if let (Some(key), Some(sessions)) = (self.session_key, self.stream.into_sessions()) {
            cache.put(key, sessions);
        }
        (self.observation, cache)
    }

    fn mode(&self) -> Mode {
        Mode { wrapper: self.plan.wrapper, again: self.plan.again }
    }

    fn go(&mut self, cx: &mut Cx, next: Next) -> Option<Stage> {
        match next {
            Next::Go(step) => {
                self.begin(cx, step);
                None
            }
            Next::Judge => Some(Stage::Secured),
            Next::Part => Some(Stage::Plain),
            Next::Close => {
                if let Some((end, _)) = self.stream.end() {
                    self.observation.end = *end;
                }
                if self.observation.end == StreamEnd::Truncated {
                    cx.tell(Event::Truncated(self.observation.peer.clone()));
                }
                self.stream.close(cx);
                Some(Stage::Over)
            }
        }
    }

    /// Makes a step. Its deadline is for the whole of it, however many reads that takes.
    fn begin(&mut self, cx: &mut Cx, step: Step) {
        let plan = self.plan.clone();
        self.step = step;
        let limit = match step {
            Step::Connect | Step::Greeting => plan.connect_timeout,
            Step::Hello | Step::StartTls | Step::Handshake | Step::HelloAgain | Step::Quit => {
                plan.command_timeout
            }
        };
        self.deadline = cx.now() + limit;
        match step {
            Step::Hello | Step::HelloAgain => {
                self.ehlo = EhloReader::default();
                let hello = [plan.dialect.hello(), " ", &plan.helo_name, "\r\n"].concat();
                self.commands(cx, hello.into());
            }
            Step::StartTls if plan.pipelined => {
                self.commands(cx, Bytes::from_static(b"STARTTLS\r\nNOOP\r\n"));
            }
            Step::StartTls => self.commands(cx, Bytes::from_static(b"STARTTLS\r\n")),
            Step::Quit => self.commands(cx, Bytes::from_static(b"QUIT\r\n")),
            Step::Handshake if plan.held => {}
            Step::Handshake => self.start_tls(cx),
            Step::Connect | Step::Greeting => {}
        }
    }

    /// Sends whole lines in one piece.
    fn commands(&mut self, cx: &mut Cx, lines: Bytes) {
        let mut rest = lines.clone();
        while let Some(end) = rest.windows(2).position(|pair| pair == b"\r\n") {
            let command = rest.split_to(end);
            rest.advance(2);
            if self.shows(self.step) {
                cx.tell_of(|| Event::Command(String::from_utf8_lossy(&command).into_owned()));
            }
            self.note(Direction::Sent, command);
        }
        let arrival = self.stream.send(cx, lines);
        self.take(cx, arrival);
    }

    fn start_tls(&mut self, cx: &mut Cx) {
        // Whatever came behind the reply to STARTTLS, unfinished lines included, was not said
        // under TLS and must never be taken for it (RFC 3207 section 4.2, CVE-2011-0411).
        let octets = self.reader.discard().saturating_add(self.unheard);
        if octets > 0 {
            self.observation.text_before_tls = octets;
            if self.plan.scout.is_none() {
                cx.tell(Event::TextBeforeTls { octets });
            }
        }
        if let Some(hello) = &self.plan.scout {
            let arrival = self.stream.start_scout(cx, hello, self.plan.watch);
            return self.take(cx, arrival);
        }
        let Some(Ok(setup)) = &self.plan.tls else { return };
        let (setup, watch) = (setup.clone(), self.plan.watch);
        if !self.plan.retried {
            cx.tell(Event::Negotiating(self.observation.peer.clone(), setup.offer().clone()));
        }
        if let Some(wanted) = setup.offer().server_name.as_ref().filter(|_| !self.plan.retried) {
            match setup.server_name() {
                Some(name) if watch.messages => cx.tell(Event::ServerName(name)),
                Some(_) => {}
                None => cx.tell(Event::ServerNameNotSent(wanted.clone())),
            }
        }
        if let Some(request) = &self.plan.proxy {
            let hello = self.observation.hello.as_ref();
            let helo = hello.map(|hello| hello.server_name.clone()).unwrap_or_default();
            return self.stream.hand_over(cx, request, &self.observation.peer, helo);
        }
        let sessions = self.find_sessions(cx, setup.offer());
        let arrival = self.stream.start_tls(cx, &setup, sessions, watch);
        self.take(cx, arrival);
    }

    /// Takes out of the cache what this server gave us under the same conditions.
    fn find_sessions(&mut self, cx: &mut Cx, offer: &Offer) -> Sessions {
        if !self.cache.is_enabled() {
            return Sessions::default();
        }
        let hello = self.observation.hello.as_ref();
        let server_name = hello.map(|hello| &hello.server_name[..]).unwrap_or_default();
        let peer = &self.observation.peer;
        let key = SessionKey::new(peer, server_name, offer, &self.plan.demands);
        cx.tell(Event::Cache(CacheStep::Looking, key.clone()));
        let sessions = self.cache.take(&key);
        if !sessions.is_empty() {
            cx.tell(Event::Cache(CacheStep::Reloaded, key.clone()));
        }
        self.session_key = Some(key);
        sessions
    }

    /// Puts what arrived where the steps look for it.
    fn take(&mut self, cx: &mut Cx, arrival: Arrival) {
        self.opened |= arrival.opened;
        if self.is_held() {
            // Nobody will read it: only how much it is counts.
            self.unheard = self.unheard.saturating_add(arrival.text.len());
        } else {
            self.reader.push(arrival.text);
        }
        if let Some(facts) = arrival.secured {
            self.secured = true;
            if facts.resumed {
                cx.tell(Event::Reused(self.observation.peer.clone()));
            }
            self.observation.tls = Some(facts);
        }
        match arrival.proxied {
            Some(Ok(facts)) => {
                self.secured = true;
                self.observation.proxied = Some(Arc::from(facts));
            }
            Some(Err(error)) => self.proxy_error = Some(Box::new(error)),
            None => {}
        }
        for note in arrival.notes {
            if let Some(name) = note.protocol() {
                self.cache.note_protocol(name);
            }
            if let Some(facts) = note.ticket() {
                self.cache.note_ticket(facts);
            }
            cx.tell(Event::Tls(note));
        }
        if arrival.session_stored && !self.session_saved && !self.resumed_tls12() {
            self.session_saved = true;
            self.tell_cache(cx, CacheStep::Saved);
        }
        if let Some(error) = arrival.error {
            if self.secured {
                cx.tell(Event::TlsBroke(self.observation.peer.clone(), error.clone()));
                self.observation.tls_broke = Some(Box::new(error.clone()));
            }
            self.tls_error = Some(Box::new(error));
        }
    }

    /// Tells whether a session of TLS 1.2 was resumed: it is the one that is in the cache already.
    fn resumed_tls12(&self) -> bool {
        let facts = self.observation.tls.as_ref();
        facts.is_some_and(|facts| facts.resumed && facts.version == TlsVersion::Tls12)
    }

    fn tell_cache(&self, cx: &mut Cx, step: CacheStep) {
        if let Some(key) = &self.session_key {
            cx.tell(Event::Cache(step, key.clone()));
        }
    }

    /// Tells whether the present step has ended, and how. Everything that arrived is looked at
    /// before the deadline is.
    fn ending(&mut self, cx: &mut Cx) -> Option<Ending> {
        match self.step {
            Step::Connect => self.connect_ending(cx),
            Step::Handshake => self.handshake_ending(cx),
            Step::Quit if !self.plan.await_quit => Some(Ending::Well),
            Step::Greeting | Step::Hello | Step::StartTls | Step::HelloAgain | Step::Quit => {
                self.reply_ending(cx)
            }
        }
    }

    fn connect_ending(&mut self, cx: &mut Cx) -> Option<Ending> {
        if self.opened {
            if self.shows(Step::Connect) {
                cx.tell(Event::Connected(self.observation.peer.clone()));
            }
            return Some(Ending::Well);
        }
        let problem = self.loss(cx)?;
        // Told by whoever tries the next address.
        self.observation.problems.push((Step::Connect, problem));
        Some(Ending::Badly)
    }

    fn handshake_ending(&mut self, cx: &mut Cx) -> Option<Ending> {
        if self.secured {
            return Some(Ending::Well);
        }
        if self.plan.scout.is_some() {
            let is_over = self.stream.flight().is_some_and(|it| it.end != FlightEnd::Cut);
            return (is_over || self.loss(cx).is_some()).then_some(Ending::Badly);
        }
        let error = match &self.plan.tls {
            Some(Err(flaw)) => HandshakeError::NothingToOffer(flaw.clone()),
            None => HandshakeError::NothingToOffer(OfferFlaw::NoVersion),
            Some(Ok(_)) => match (self.proxy_error.take(), self.tls_error.take()) {
                (Some(error), _) => HandshakeError::Proxy(*error),
                (None, Some(error)) => HandshakeError::Tls(*error),
                (None, None) => match self.loss(cx)? {
                    StepProblem::TimedOut if self.plan.proxy.is_some() => {
                        HandshakeError::Proxy(ProxyError::TimedOut)
                    }
                    StepProblem::Lost(Some(error)) => HandshakeError::Broke(error),
                    StepProblem::TimedOut => HandshakeError::TimedOut,
                    StepProblem::Lost(None)
                    | StepProblem::Refused(_)
                    | StepProblem::ReplyTooLong => HandshakeError::Lost,
                },
            },
        };
        if !self.plan.tentative {
            cx.tell(Event::HandshakeFailed(self.observation.peer.clone(), error.clone()));
        }
        self.observation.handshake_error = Some(error);
        self.tell_cache(cx, CacheStep::Removed);
        self.session_key = None;
        Some(Ending::Badly)
    }

    fn reply_ending(&mut self, cx: &mut Cx) -> Option<Ending> {
        loop {
            let line = match self.reader.next() {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(_) => return Some(self.fail(cx, StepProblem::ReplyTooLong)),
            };
            self.note(Direction::Received, line.raw.clone());
            if self.shows(self.step) {
                cx.tell(Event::ReplyLine(line.raw));
            }
            if matches!(self.step, Step::Hello | Step::HelloAgain) {
                self.ehlo.push(&line.text);
            }
            if let Some(reply) = line.reply {
                return Some(self.replied(cx, reply));
            }
        }
        let problem = self.loss(cx)?;
        Some(self.fail(cx, problem))
    }

    /// Takes the complete reply of the present step.
    fn replied(&mut self, cx: &mut Cx, reply: Reply) -> Ending {
        let positive = reply.is_positive();
        let refusal = (!positive).then(|| reply.clone());
        let mut tls_offered = false;
        match self.step {
            Step::Greeting => self.observation.greeting = Some(reply),
            Step::StartTls => self.observation.starttls = Some(reply),
            Step::Hello => {
                let capabilities = self.capabilities(reply);
                tls_offered = capabilities.starttls && self.plan.tls.is_some();
                self.observation.hello = Some(capabilities);
            }
            Step::HelloAgain => {
                let capabilities = self.capabilities(reply);
                self.observation.hello_again = Some(Box::new(capabilities));
            }
            Step::Quit => {
                // Whatever the server says: the session is over.
                self.observation.quit = Some(reply);
                return Ending::Well;
            }
            Step::Connect | Step::Handshake => {}
        }
        match (refusal, tls_offered) {
            (None, true) => Ending::TlsOffered,
            (None, false) => Ending::Well,
            (Some(refusal), _) => self.fail(cx, StepProblem::Refused(refusal)),
        }
    }

    fn capabilities(&mut self, reply: Reply) -> Capabilities {
        std::mem::take(&mut self.ehlo).finish(reply)
    }

    fn fail(&mut self, cx: &mut Cx, problem: StepProblem) -> Ending {
        self.observation.problems.push((self.step, problem.clone()));
        if self.plan.scout.is_none() {
            cx.tell(Event::StepFailed(self.step, problem));
        }
        Ending::Badly
    }

    /// Tells whether there is nothing more to wait for.
    fn loss(&self, cx: &Cx) -> Option<StepProblem> {
        match self.stream.end() {
            Some((_, error)) => Some(StepProblem::Lost(error.clone())),
            None if self.tls_error.is_some() => Some(StepProblem::Lost(None)),
            None if self.stream.waits() => None,
            None => (cx.now() >= self.deadline).then_some(StepProblem::TimedOut),
        }
    }

    /// Keeps a line for the report.
    fn note(&mut self, direction: Direction, line: Bytes) {
        let room = limits::DIALOGUE.saturating_sub(self.said);
        if line.len() < room {
            self.said += line.len() + UTTERANCE;
            let secured = self.secured;
            self.observation.dialogue.push(Utterance { direction, secured, line });
        } else {
            self.said = limits::DIALOGUE;
        }
    }

    /// Tells whether a step is worth telling, or would only repeat what was told.
    fn shows(&self, step: Step) -> bool {
        match (self.plan.again, self.plan.retried) {
            _ if self.plan.scout.is_some() => false,
            (true, _) => matches!(step, Step::Greeting | Step::Quit),
            (false, true) => self.secured,
            (false, false) => true,
        }
    }

    /// Tells whether the server gave a TLS session to be reused.
    pub(super) fn has_saved(&self) -> bool {
        self.session_saved
    }

    /// Tells what the server answered to a hand-made ClientHello, if it was asked.
    pub(super) fn flight(&self) -> Option<&Flight> {
        self.stream.flight()
    }

    /// Tells why the connection did not come about.
    pub(super) fn connect_error(&self) -> Option<IoError> {
        self.observation.problems.iter().find_map(|(step, problem)| match (step, problem) {
            (Step::Connect, StepProblem::Lost(Some(error))) => Some(error.clone()),
            (Step::Connect, StepProblem::Lost(None)) => Some(IoError::lost()),
            (Step::Connect, _) => Some(IoError::timed_out()),
            _ => None,
        })
    }
}
