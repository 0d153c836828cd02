//! All that a server accepts (`--enumerate`): versions, suites, groups, signatures, certificates and
//! what else its hello says, by scouts that ask again and again without what was accepted.
//!
//! `tracks` and `lists` hold the questions as plain state machines, `grade` holds the findings against
//! RFC 9325 and RFC 8996, `visits` makes whole sessions, and this file makes the connections.

mod grade;
mod lists;
mod tracks;
mod visits;

pub use grade::{Finding, Severity, Subject, grade};
pub use tracks::{Accepted, Order, VersionFacts, WithoutSni};
pub use visits::SessionFacts;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{Config, Level, OfferFlaw, Watch};
use crate::context::Cx;
use crate::limits;
use crate::machine::{Input, Machine, Output, Stop, TransportId};
use crate::random::Seed;
use crate::report::{Event, Outcome, Peer, Report, Scope};
use crate::resolve::{NextTarget, Resolver, Route, Target};
use crate::session::{Approach, Approached, Plan};
use crate::time::{Instant, WallTime};
use crate::tls::scout::{Flight, FlightEnd, Protocol, ScoutHello};
use crate::tls::{SessionCache, Tape};

use self::tracks::Tracks;
use self::visits::{Visited, Visits};

/// What a server accepts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Enumeration {
    /// Who it is.
    pub peer: Option<Arc<Peer>>,
    /// What it accepts in each protocol version, the newest first; versions that it does not speak
    /// are there without suites.
    pub versions: Vec<VersionFacts>,
    /// The certificates that it showed, each chain once, leaf first.
    pub chains: Vec<Vec<Bytes>>,
    /// What its hellos of TLS 1.2 and below announced.
    pub accepted: Accepted,
    /// What complete handshakes showed, of the versions that are spoken here too.
    pub sessions: Vec<SessionFacts>,
    /// How many connections were made.
    pub connections: usize,
    /// How many of them came to nothing: no connection, or no dialogue up to TLS.
    pub failures: usize,
    /// A bound was reached, of connections, failures or certificates: there may be more.
    pub is_cut: bool,
    /// What is worth a remark.
    pub findings: Vec<Finding>,
}

impl Enumeration {
    /// Finds what is known of a version.
    pub fn version(&self, version: Protocol) -> Option<&VersionFacts> {
        self.versions.iter().find(|facts| facts.version == version)
    }

    /// Keeps a chain that was not seen before.
    fn keep_chain(&mut self, chain: &Vec<Bytes>) {
        if chain.is_empty() || self.chains.contains(chain) {
        } else if self.chains.len() < limits::ENUMERATED_CHAINS {
            self.chains.push(chain.clone());
        } else {
            self.is_cut = true;
        }
    }

    /// Takes what whole sessions showed.
    fn take_visits(&mut self, visits: &mut Visits) {
        self.sessions = std::mem::take(&mut visits.facts);
        for chain in std::mem::take(&mut visits.chains) {
            self.keep_chain(&chain);
        }
        let nameless = &mut self.accepted.without_sni;
        *nameless = nameless.or(visits.nameless.take());
        self.accepted.alpn = self.accepted.alpn.take().or(visits.protocol.take());
        self.accepted.raw_public_key = self.accepted.raw_public_key.or(visits.raw_key);
        for facts in self.versions.iter_mut().filter(|it| it.version == Protocol::TLS13) {
            facts.schemes = std::mem::take(&mut visits.schemes);
        }
    }
}

/// How an enumeration is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Enumerating {
    /// What lies before each connection but the first.
    pub pause: Duration,
    /// Every address of every mail host is looked at, up to [`limits::SURVEYED`], one after the other;
    /// otherwise the first that answers.
    pub every: bool,
}

/// How many pauses follow a connection that came to nothing, and how long they are at least.
const FAILED: u32 = 10;
const REST: Duration = Duration::from_secs(1);

/// The machine that finds out what one server accepts, the first of a destination that answers, or
/// what each of its servers does, one after the other.
///
/// Of one server at most [`limits::SURVEYS_OF_ONE`] connections are under way at once, with a pause before each, and
/// no more than [`limits::ENUMERATION`] are made.
#[derive(Debug)]
pub struct Enumerator {
    cx: Cx,
    resolver: Resolver,
    config: Arc<Config>,
    route: Route,
    pause: Duration,
    target: Option<Arc<Target>>,
    tracks: Tracks,
    running: Vec<(usize, Approach)>,
    /// Sessions with the library's own TLS, which come last; `None` before that.
    visits: Option<Visits>,
    /// Tracks whose last answer broke off, so that their question is asked once more.
    doubted: BTreeSet<usize>,
    /// Every server is wanted.
    every: bool,
    /// Servers that were found so far.
    servers: usize,
    /// What they accept, of those that are done with.
    done: Vec<Enumeration>,
    /// When the next connection may begin.
    next: Instant,
    unreachable: Vec<(Arc<Peer>, crate::IoError)>,
    connections: usize,
    failures: usize,
    over: bool,
}

impl Enumerator {
    /// Begins. The other arguments are those of [`Probe::new`](crate::Probe::new).
    pub fn new(config: Config, how: Enumerating, seed: Seed, wall_time: WallTime) -> Self {
        Self::with_tapes(config, how, seed, wall_time, None)
    }

    /// Begins with TLS that is played from tapes, if there are any.
    pub(crate) fn with_tapes(
        config: Config,
        Enumerating { pause, every }: Enumerating,
        seed: Seed,
        wall_time: WallTime,
        tapes: Option<BTreeMap<TransportId, Tape>>,
    ) -> Self {
        let mut cx = Cx::new(seed, wall_time).with_tapes(tapes);
        let dane = matches!(config.level, Level::Dane | Level::DaneOnly);
        let resolver = Resolver::new(&config.lookup, dane, config.repeatable);
        let config = Arc::new(config);
        let route = Route::start(&mut cx, &config, &config.destination);
        let mut this = Self {
            next: cx.now(),
            cx,
            resolver,
            config,
            route,
            pause,
            target: None,
            tracks: Tracks::default(),
            running: Vec::new(),
            visits: None,
            doubted: BTreeSet::new(),
            every,
            servers: 0,
            done: Vec::new(),
            unreachable: Vec::new(),
            connections: 0,
            failures: 0,
            over: false,
        };
        this.settle();
        this
    }

    fn settle(&mut self) {
        while !self.over {
            let answered = self.resolver.serve(&mut self.cx);
            self.route.handle(&mut self.cx, &Input::Tick);
            let mut changed = self.find_target() | self.begin() | answered;
            changed |= self.advance(&Input::Tick);
            if !changed && !self.cx.has_questions() {
                break;
            }
        }
        self.cx.end();
    }

    /// Takes the next target, if one is wanted; `true` if something came of it.
    fn find_target(&mut self) -> bool {
        if self.target.is_some() {
            return false;
        }
        match self.route.next_target(&mut self.cx) {
            NextTarget::Ready(target) => {
                self.servers += 1;
                self.target = Some(target).filter(|_| self.servers <= limits::SURVEYED);
                true
            }
            NextTarget::Wait => false,
            NextTarget::Exhausted(Some(error)) => {
                self.cx.tell(Event::LookupFailed(error.clone()));
                self.finish(Outcome::LookupFailed(error));
                true
            }
            NextTarget::Exhausted(None) => {
                self.finish(Outcome::Unreachable);
                true
            }
        }
    }

    /// Begins a connection if one may begin, or ends the work if there is nothing left to ask.
    fn begin(&mut self) -> bool {
        let Some(target) = self.target.clone().filter(|_| !self.over) else { return false };
        // Nobody knows yet whether there is a server at all.
        let most = if self.connections == 0 { 1 } else { limits::SURVEYS_OF_ONE };
        let is_cut = self.connections >= limits::ENUMERATION;
        if self.next > self.cx.now()
            || self.running.len() >= most
            || self.connections == 1 && !self.running.is_empty()
        {
            return false;
        }
        let busy: Vec<usize> = self.running.iter().map(|(track, _)| *track).collect();
        let question = if is_cut { None } else { self.tracks.next(&busy) };
        let Some((track, mut hello)) = question else {
            return self.running.is_empty() && self.visit(&target, is_cut);
        };
        if hello.server_name.as_deref() == Some("") {
            hello.server_name = Some(target.host.to_string()).filter(|name| is_host_name(name));
        }
        let plan = plan(&self.config, Some(hello));
        let (peer, endpoint) = (target.peer.clone(), target.endpoint.clone());
        let (plan, cache) = (Arc::new(plan), SessionCache::new(false));
        let approach = Approach::start(&mut self.cx, peer, endpoint, plan, cache);
        self.connections += 1;
        self.next = self.cx.now() + self.pause;
        self.running.push((track, approach));
        true
    }

    /// Begins a session with the library's own TLS, or ends the work if there is none left.
    fn visit(&mut self, target: &Target, is_cut: bool) -> bool {
        let tracks = &self.tracks;
        let visits = self.visits.get_or_insert_with(|| tracks.visits());
        if visits.is_busy() {
            return false;
        }
        // Their dialogues are nobody's business.
        let config = &self.config;
        if is_cut || !self.cx.quietly(|cx| visits.begin(cx, config, target)) {
            self.conclude(is_cut);
            return true;
        }
        self.connections += 1;
        self.next = self.cx.now() + self.pause;
        true
    }

    fn advance_visit(&mut self, input: &Input) -> bool {
        let Some(visits) = &mut self.visits else { return false };
        match self.cx.quietly(|cx| visits.handle(cx, input)) {
            None => return false,
            Some(Visited::Well) => {}
            Some(Visited::Early) => self.fail(),
        }
        true
    }

    /// Lets the connections take an input; `true` if one ended.
    fn advance(&mut self, input: &Input) -> bool {
        let visited = self.advance_visit(input);
        self.advance_scouts(input) | visited
    }

    fn advance_scouts(&mut self, input: &Input) -> bool {
        let (mut ended, mut at) = (Vec::new(), 0);
        while let Some((_, approach)) = self.running.get_mut(at) {
            match approach.handle(&mut self.cx, input) {
                Some(end) => {
                    let (track, approach) = self.running.remove(at);
                    ended.push((track, approach, end));
                }
                None => at += 1,
            }
        }
        let any = !ended.is_empty();
        for (track, mut approach, end) in ended {
            let flight = approach.flight().cloned();
            approach.abort(&mut self.cx);
            // The server was done with in the meantime.
            if self.target.is_none() {
                continue;
            }
            match end {
                Approached::Unreachable(error) if self.connections == 1 => {
                    if let Some(target) = self.target.take() {
                        self.cx.tell(Event::ConnectFailed(target.peer.clone(), error.clone()));
                        self.unreachable.push((target.peer.clone(), error));
                    }
                    self.connections = 0;
                    self.next = self.cx.now();
                }
                Approached::Unreachable(_)
                | Approached::Secured(_)
                | Approached::Proxied(_)
                | Approached::Plain
                | Approached::Over => self.take(track, flight),
            }
        }
        any
    }

    fn take(&mut self, track: usize, flight: Option<Flight>) {
        let is_early = flight.is_none();
        // Some servers refuse by hanging up, and some connections just break: twice is an answer.
        let is_cut = flight.as_ref().is_some_and(|flight| flight.end == FlightEnd::Cut);
        let is_doubtful = is_cut && self.doubted.insert(track);
        if !is_cut && !is_early {
            self.doubted.remove(&track);
        }
        self.tracks.take(track, flight.filter(|_| !is_doubtful));
        if is_early {
            self.fail();
        }
    }

    /// Counts a connection that came to nothing. A server that lets nobody through any more is left
    /// alone.
    fn fail(&mut self) {
        self.failures += 1;
        // Whoever counts connections may forget some of them.
        self.next = self.next.max(self.cx.now() + (self.pause * FAILED).max(REST));
        if self.failures >= limits::ENUMERATION_FAILURES {
            self.conclude(true);
        }
    }

    fn conclude(&mut self, is_cut: bool) {
        let mut found = self.tracks.found();
        found.peer = self.target.as_ref().map(|target| target.peer.clone());
        found.connections = self.connections;
        if let Some(visits) = &mut self.visits {
            found.take_visits(visits);
        }
        found.failures = self.failures;
        found.is_cut |= is_cut;
        found.findings = grade(&found, self.cx.wall_time());
        self.done.push(found);
        self.hang_up();
        if !self.every {
            return self.finish(Outcome::Unreachable);
        }
        self.target = None;
        self.tracks = Tracks::default();
        self.visits = None;
        self.doubted.clear();
        (self.connections, self.failures) = (0, 0);
    }

    /// Closes what is open.
    fn hang_up(&mut self) {
        for (_, mut approach) in self.running.drain(..) {
            approach.abort(&mut self.cx);
        }
        if let Some(visits) = &mut self.visits {
            self.cx.quietly(|cx| visits.abort(cx));
        }
    }

    /// Ends the work; `otherwise` is how if no server was met.
    fn finish(&mut self, otherwise: Outcome) {
        if self.over {
            return;
        }
        self.over = true;
        self.hang_up();
        let outcome = match std::mem::take(&mut self.done) {
            done if done.is_empty() => otherwise,
            done => Outcome::Enumerated(done),
        };
        let left_out = self.servers.saturating_sub(limits::SURVEYED);
        let route = self.route.facts();
        self.route.stop(&mut self.cx);
        let report = Report {
            number: 0,
            destination: self.config.destination.clone(),
            level: self.config.level,
            began: self.cx.began(),
            started: Instant::START,
            ended: self.cx.now(),
            outcome,
            scope: if self.every { Scope::Every { left_out } } else { Scope::First },
            untested: Vec::new(),
            route,
            unreachable: std::mem::take(&mut self.unreachable),
            sessions: Vec::new(),
        };
        self.cx.put(Output::Finished(Box::new(report)));
        self.cx.close_all();
    }
}

impl Machine for Enumerator {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) && !self.over {
            match &input {
                Input::Stop(Stop::Now | Stop::Drain) => {
                    if self.connections > 0 {
                        self.conclude(true);
                    }
                    self.finish(Outcome::Stopped);
                }
                Input::Stop(Stop::End) => {}
                _ if self.resolver.handle(&mut self.cx, &input) => {}
                Input::Tick
                | Input::Opened(_)
                | Input::Received(..)
                | Input::Ended(_)
                | Input::Failed(..)
                | Input::HostFound(..)
                | Input::Add(_) => {
                    self.route.handle(&mut self.cx, &input);
                    self.advance(&input);
                }
            }
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if self.over {
            return self.cx.ending();
        }
        let mut first = self.resolver.deadline().min(self.route.deadline());
        for (_, approach) in &self.running {
            first = first.min(approach.deadline());
        }
        if let Some(visits) = &self.visits {
            first = first.min(visits.deadline());
        }
        let may_begin = self.target.is_some() && self.running.len() < limits::SURVEYS_OF_ONE;
        if may_begin && self.next > self.cx.now() {
            first = first.min((self.next, "before another connection"));
        }
        Output::Wait(first.0, first.1)
    }
}

/// Plans a session that nothing is told of.
fn plan(config: &Config, question: Option<ScoutHello>) -> Plan {
    Plan {
        dialect: config.dialect,
        wrapper: config.wrapper,
        again: false,
        tentative: true,
        retried: true,
        helo_name: config.helo_name.clone(),
        connect_timeout: config.connect_timeout,
        command_timeout: config.command_timeout,
        tls: Some(Err(OfferFlaw::NoVersion)),
        scout: question.map(Arc::new),
        proxy: None,
        held: false,
        await_quit: false,
        pipelined: false,
        demands: String::new(),
        watch: Watch::default(),
    }
}

/// Tells whether the SNI extension can carry a name (RFC 6066 section 3).
fn is_host_name(name: &str) -> bool {
    let name = rustls_pki_types::ServerName::try_from(name);
    matches!(name, Ok(rustls_pki_types::ServerName::DnsName(_)))
}
