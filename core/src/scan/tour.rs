//! One destination: its servers, what came of each, the report.

use std::sync::Arc;
use std::time::Duration;

use crate::config::{Blocklist, Config, Level, ServerKeys};
use crate::context::{Cx, Owner};
use crate::destination::{Destination, Place};
use crate::limits;
use crate::machine::{Endpoint, Input, Job};
use crate::random::Random;
use crate::report::{
    Event, HandshakeError, LookupError, Observation, Outcome, Peer, Report, Scope, Session,
    Untested,
};
use crate::resolve::{NextTarget, Route, RouteFacts, Target};
use crate::time::Instant;
use crate::visit::{judge_scouted, judged};

use super::desk::{Client, Desk, Progress, Requested};
use super::lanes::ErrandId;

/// A destination under way.
#[derive(Debug)]
pub(super) struct Tour {
    id: u64,
    number: u64,
    destination: Destination,
    config: Arc<Config>,
    manner: Manner,
    started: Instant,
    /// How much longer there may be connections for it.
    left: Duration,
    /// Since when there is one without a break.
    busy_since: Option<Instant>,
    way: Way,
    calls: Vec<Call>,
    /// Addresses that were found, those that are left out too.
    targets: usize,
    untested: Vec<(Arc<Peer>, Untested)>,
    stopped: bool,
    timed_out: bool,
}

/// The way to the servers. It takes far more memory than what is left of it.
#[derive(Debug)]
enum Way {
    /// More servers may be found, with randomness of their own.
    Open(Box<(Route, Random)>),
    /// All that was found, and why there never was an address.
    Closed(Box<(RouteFacts, Option<LookupError>)>),
}

/// How to go about a destination.
#[derive(Clone, Copy, Debug)]
pub(super) struct Manner {
    pub(super) first_only: bool,
    pub(super) both_keys: bool,
    pub(super) total: Duration,
}

/// A server to visit.
#[derive(Debug)]
struct Call {
    /// The place of the server in the order of the route.
    number: usize,
    target: Arc<Target>,
    /// Which keys it may show, if not any.
    keys: Option<ServerKeys>,
    /// The call for the other kind of keys that was begun beside this one.
    beside: Option<usize>,
    state: Calling,
}

#[derive(Debug)]
enum Calling {
    Waiting(ErrandId),
    /// What came of it, as far as it counts.
    Over(Option<Box<Report>>),
}

impl Tour {
    /// Begins to find the servers of a destination.
    pub(super) fn start(
        cx: &mut Cx,
        id: u64,
        job: Job,
        config: &Arc<Config>,
        manner: Manner,
    ) -> Self {
        let Job { number, destination, matches, pins } = job;
        let mut config = Arc::clone(config);
        if !matches.is_empty() {
            Arc::make_mut(&mut config).policy.matches = matches;
        }
        if !pins.is_empty() {
            Arc::make_mut(&mut config).policy.pins = pins;
        }
        let mut random = cx.random().of_name(&destination.text);
        let route = in_turn(cx, id, &mut random, |cx| Route::start(cx, &config, &destination));
        Self {
            id,
            number,
            destination,
            config,
            manner,
            started: cx.now(),
            left: manner.total,
            busy_since: None,
            way: Way::Open(Box::new((route, random))),
            calls: Vec::new(),
            targets: 0,
            untested: Vec::new(),
            stopped: false,
            timed_out: false,
        }
    }

    /// Tells when to look again, and for what.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        let until = (self.until(), "for the servers of a destination");
        match &self.way {
            Way::Open(open) if self.wants_target() => until.min(open.0.deadline()),
            Way::Open(_) | Way::Closed(..) => until,
        }
    }

    /// Goes on as far as it leads; `true` at the end.
    pub(super) fn handle(
        &mut self,
        cx: &mut Cx,
        desk: &mut Desk,
        blocklist: &Blocklist,
        input: &Input,
    ) -> bool {
        self.on_route(cx, |cx, route| route.handle(cx, input));
        while self.wants_target()
            && let Some(next) = self.on_route(cx, |cx, route| route.next_target(cx))
        {
            match next {
                NextTarget::Ready(target) => self.take(cx, desk, blocklist, target),
                NextTarget::Wait => break,
                NextTarget::Exhausted(error) => self.end_route(cx, error),
            }
        }
        self.keep_time(cx.now(), desk);
        if self.until() <= cx.now() {
            self.timed_out = true;
            self.give_up(cx, desk, Untested::TimedOut);
        }
        !self.is_open() && self.calls.iter().all(|call| call.is_over())
    }

    /// Ends what did not begin yet.
    pub(super) fn drain(&mut self, cx: &mut Cx, desk: &mut Desk) {
        self.stopped |= self.is_open();
        self.abandon(cx, desk, Untested::Stopped, |desk, errand| !desk.is_running(errand));
        self.end_route(cx, None);
    }

    /// Ends everything.
    pub(super) fn give_up(&mut self, cx: &mut Cx, desk: &mut Desk, why: Untested) {
        self.stopped |= why == Untested::Stopped && self.is_open();
        self.abandon(cx, desk, why, |_, _| true);
        self.end_route(cx, None);
    }

    /// Tells when it is given up, if it goes on as it does.
    fn until(&self) -> Instant {
        self.busy_since.map_or(Instant::NEVER, |since| since + self.left)
    }

    /// Counts the time in which there are connections. When they begin is not for it to decide.
    fn keep_time(&mut self, now: Instant, desk: &Desk) {
        let is_running = |call: &Call| match call.state {
            Calling::Waiting(errand) => desk.is_running(errand),
            Calling::Over(_) => false,
        };
        match (self.busy_since, self.calls.iter().any(is_running)) {
            (None, true) => self.busy_since = Some(now),
            (Some(since), false) => {
                self.left = self.left.saturating_sub(now.since(since));
                self.busy_since = None;
            }
            (None, false) | (Some(_), true) => {}
        }
    }

    /// Gives a server up that refuses everybody for now.
    pub(super) fn forgo(&mut self, cx: &mut Cx, desk: &mut Desk, hopeless: ErrandId) {
        self.abandon(cx, desk, Untested::Refused, |_, errand| errand == hopeless);
    }

    /// Takes the progress of a visit, so that the second visit to a server with keys of both kinds
    /// runs beside the first.
    ///
    /// The first makes the plain Offer. Which other kind there is to ask for is known only when the
    /// server has shown a key. So the second begins as soon as the first is connected, runs one
    /// round trip behind it, and is held before its ClientHello until then. That takes one round
    /// trip more than the first alone and never a third connection, and the first is what it would
    /// be without the second: should the server mind two connections, it is the later that it
    /// refuses. Then, or where there is no room for two, the second follows the first.
    pub(super) fn learn(&mut self, cx: &mut Cx, desk: &mut Desk, at: usize, progress: Progress) {
        let Some(call) = self.calls.get(at) else { return };
        match progress {
            Progress::Connected if self.manner.both_keys && self.may_ask_beside(call) => {
                let (number, target) = (call.number, call.target.clone());
                let client = Client { tour: self.id, call: self.calls.len() };
                let errand = desk.request_held(cx, client, &target, &self.config);
                let state = Calling::Waiting(errand);
                self.calls[at].beside = Some(self.calls.len());
                self.calls.push(Call { number, target, keys: None, beside: None, state });
            }
            Progress::Connected => {}
            Progress::Shown(shown) => self.choose(cx, desk, at, shown),
            Progress::Held => {
                if let Some(first) = self.first_of(at)
                    && self.calls[first].is_over()
                {
                    self.choose(cx, desk, first, None);
                }
            }
        }
    }

    /// Tells beside which call this one was begun.
    fn first_of(&self, at: usize) -> Option<usize> {
        self.calls.iter().position(|call| call.beside == Some(at))
    }

    /// Tells whether a second visit beside this one would be of use.
    fn may_ask_beside(&self, call: &Call) -> bool {
        let config = &self.config;
        !config.no_tls
            && config.flaw.is_none()
            && config.proxy.is_none()
            && !config.policy.raw_public_keys
            && call.target.level > Level::None
            && call.beside.is_none()
    }

    /// Lets the visit beside a call go on, now that the call was shown a key or never will be.
    fn choose(&mut self, cx: &mut Cx, desk: &mut Desk, at: usize, shown: Option<ServerKeys>) {
        let Some(beside) = self.calls[at].beside else { return };
        let Call { keys: None, state: Calling::Waiting(errand), .. } = self.calls[beside] else {
            return;
        };
        match shown {
            Some(shown) => {
                self.calls[beside].keys = Some(shown.other());
                desk.choose(cx, errand, shown.other());
            }
            // It may still take its leave by itself, without TLS.
            None if desk.is_running(errand) && !desk.is_held(errand) => {}
            None => {
                self.calls[beside].state = Calling::Over(None);
                desk.leave(cx, errand, Client { tour: self.id, call: beside });
            }
        }
    }

    /// Takes what came of a visit.
    pub(super) fn told(
        &mut self,
        cx: &mut Cx,
        desk: &mut Desk,
        at: usize,
        report: Arc<Report>,
        shared: bool,
    ) {
        let Some(call) = self.calls.get(at) else { return };
        if call.is_over() {
            return;
        }
        let report = call.own(cx, &self.config, report, shared);
        let observation = report.sessions.last().map(|last| &last.observation);
        let facts = observation.and_then(|it| it.tls.as_deref());
        // Only who asks for both kinds of keys wants to know.
        let shown = facts.filter(|_| self.manner.both_keys).and_then(ServerKeys::shown_by);
        let first = self.first_of(at);
        // Whatever else went wrong may be due to the connection beside it.
        let refused = observation.and_then(|it| it.handshake_error.as_ref());
        let is_answer = shown.is_some() || matches!(refused, Some(HandshakeError::Tls(_)));
        let reached = !report.sessions.is_empty();
        // Whatever else happened: a server without such a key has none to show.
        let counts = match first {
            Some(_) => call.keys.is_some() && shown == call.keys,
            None => call.keys.is_none() || shown == call.keys,
        };
        let wants_other = first.is_none() && call.keys.is_none() && self.manner.both_keys;
        let call = &mut self.calls[at];
        call.state = Calling::Over(counts.then(|| Box::new(report)));
        if let Some(first) = first {
            self.calls[first].beside = (call.keys.is_some() && is_answer).then_some(at);
            self.ask_behind(cx, desk, first);
        } else if wants_other {
            self.choose(cx, desk, at, shown);
            self.ask_behind(cx, desk, at);
        }
        if self.manner.first_only && reached {
            self.end_route(cx, None);
        }
    }

    /// Asks for the other kind of keys after a call, if nothing beside it did or still does.
    fn ask_behind(&mut self, cx: &mut Cx, desk: &mut Desk, at: usize) {
        let call = &self.calls[at];
        let Calling::Over(Some(report)) = &call.state else { return };
        let facts = report.sessions.last().and_then(|last| last.observation.tls.as_deref());
        if let (None, Some(shown)) = (call.beside, facts.and_then(ServerKeys::shown_by)) {
            let (number, target) = (call.number, call.target.clone());
            self.call(cx, desk, number, target, Some(shown.other()));
        }
    }

    /// Makes the report.
    pub(super) fn report(mut self, cx: &mut Cx) -> Box<Report> {
        self.calls.sort_by_key(|call| (call.number, call.keys));
        let (mut unreachable, mut sessions) = (Vec::new(), Vec::new());
        for call in self.calls {
            if let Calling::Over(Some(report)) = call.state {
                unreachable.extend(report.unreachable);
                sessions.extend(report.sessions);
            }
        }
        let untested = |why| self.untested.iter().any(|it| it.1 == why);
        let blocked = unreachable.is_empty() && untested(Untested::Blocked);
        let refused = unreachable.is_empty() && untested(Untested::Refused);
        let (route, error) = match self.way {
            Way::Open(open) => (open.0.facts(), None),
            Way::Closed(closed) => *closed,
        };
        let outcome = match error {
            _ if self.stopped => Outcome::Stopped,
            Some(error) => Outcome::LookupFailed(error),
            None if !sessions.is_empty() => Outcome::Session,
            None if self.timed_out => Outcome::TimedOut,
            None if refused => Outcome::Refused,
            None if blocked => Outcome::Blocked,
            None => Outcome::Unreachable,
        };
        if let Outcome::LookupFailed(error) = &outcome {
            cx.tell(Event::LookupFailed(error.clone()));
        }
        let left_out = self.targets.saturating_sub(limits::SURVEYED);
        Box::new(Report {
            number: self.number,
            destination: self.destination,
            level: self.config.level,
            began: cx.began(),
            started: self.started,
            ended: cx.now(),
            outcome,
            scope: match self.manner.first_only {
                true => Scope::First,
                false => Scope::Every { left_out },
            },
            route,
            unreachable,
            untested: self.untested,
            sessions,
        })
    }

    /// Tells whether another server may be called.
    fn wants_target(&self) -> bool {
        !self.manner.first_only || self.calls.iter().all(Call::is_over)
    }

    fn take(&mut self, cx: &mut Cx, desk: &mut Desk, blocklist: &Blocklist, target: Arc<Target>) {
        if self.targets < limits::SURVEYED {
            match is_blocked(blocklist, &target) {
                true => self.untested.push((target.peer.clone(), Untested::Blocked)),
                false => self.call(cx, desk, self.targets, target, None),
            }
        }
        self.targets += 1;
    }

    fn call(
        &mut self,
        cx: &mut Cx,
        desk: &mut Desk,
        number: usize,
        target: Arc<Target>,
        keys: Option<ServerKeys>,
    ) {
        let at = self.calls.len();
        let client = Client { tour: self.id, call: at };
        match desk.request(cx, client, &target, &self.config, keys) {
            Requested::Asked(errand) => {
                let state = Calling::Waiting(errand);
                if self.calls.is_empty() {
                    // Most destinations have one server.
                    self.calls.reserve_exact(1);
                }
                self.calls.push(Call { number, target, keys, beside: None, state });
            }
            Requested::Seen(report) => {
                let state = Calling::Waiting(0);
                self.calls.push(Call { number, target, keys, beside: None, state });
                self.told(cx, desk, at, report, true);
            }
        }
    }

    /// Takes back calls that nothing came of yet.
    fn abandon(
        &mut self,
        cx: &mut Cx,
        desk: &mut Desk,
        why: Untested,
        which: impl Fn(&Desk, ErrandId) -> bool,
    ) {
        // Calls may be added on the way.
        let mut next = 0;
        while next < self.calls.len() {
            let at = next;
            next += 1;
            let Calling::Waiting(errand) = self.calls[at].state else { continue };
            let is_second = self.calls[at].keys.is_some() || self.first_of(at).is_some();
            if !which(desk, errand) {
                continue;
            }
            let client = Client { tour: self.id, call: at };
            let left = desk.leave(cx, errand, client);
            // A server that refused before was tested, as far as it goes.
            let is_tested = left.as_ref().is_some_and(|(it, _)| it.outcome != Outcome::Stopped);
            if !is_tested && !is_second {
                self.untested.push((self.calls[at].target.peer.clone(), why));
                self.stopped |= why == Untested::Stopped;
            }
            match left {
                Some((report, visited_for)) => {
                    self.told(cx, desk, at, report, client != visited_for);
                }
                None => self.calls[at].state = Calling::Over(None),
            }
        }
    }

    /// Tells whether more servers may be found.
    const fn is_open(&self) -> bool {
        matches!(self.way, Way::Open(_))
    }

    /// Works with the route, if it is not at its end; what it asks is this tour's.
    fn on_route<T>(
        &mut self,
        cx: &mut Cx,
        work: impl FnOnce(&mut Cx, &mut Route) -> T,
    ) -> Option<T> {
        let Way::Open(open) = &mut self.way else { return None };
        let (route, random) = &mut **open;
        Some(in_turn(cx, self.id, random, |cx| work(cx, route)))
    }

    fn end_route(&mut self, cx: &mut Cx, error: Option<LookupError>) {
        if let Way::Open(open) = &mut self.way {
            let facts = open.0.facts();
            open.0.stop(cx);
            self.way = Way::Closed(Box::new((facts, error)));
        }
    }
}

impl Call {
    const fn is_over(&self) -> bool {
        matches!(self.state, Calling::Over(_))
    }

    /// Turns what a server did into a report about this call's target.
    fn own(&self, cx: &mut Cx, config: &Config, report: Arc<Report>, shared: bool) -> Report {
        let mut own = Arc::unwrap_or_clone(report);
        if !shared {
            return own;
        }
        for (peer, _) in &mut own.unreachable {
            peer.clone_from(&self.target.peer);
        }
        for session in &mut own.sessions {
            let facts = session.observation.tls.clone();
            let (verdict, grounds) =
                facts.map(|facts| judged(cx, config, &self.target, &facts)).unzip();
            let observation =
                Observation { peer: Arc::clone(&self.target.peer), ..session.observation.clone() };
            let (began, hygiene) = (session.began, session.hygiene.clone());
            let scouted = session.scouted.take().map(|it| {
                let (hello, flight) = (it.hello.clone(), it.flight.clone());
                Arc::new(judge_scouted(cx, config, &self.target, it.cause, hello, flight))
            });
            *session = Session {
                target: self.target.clone(),
                began,
                shared,
                observation,
                verdict,
                grounds,
                scouted,
                hygiene,
            };
        }
        own
    }
}

/// Lets a tour work: what it asks is its own, and so is its randomness.
fn in_turn<T>(cx: &mut Cx, id: u64, random: &mut Random, work: impl FnOnce(&mut Cx) -> T) -> T {
    cx.swap_random(random);
    let result = cx.for_owner(Owner::Tour(id), work);
    cx.swap_random(random);
    result
}

fn is_blocked(blocklist: &Blocklist, target: &Target) -> bool {
    let address = match &target.endpoint {
        Endpoint::Tcp(remote) | Endpoint::Udp(remote) => Some(remote.address.ip()),
        Endpoint::Unix(_) => None,
    };
    blocklist.blocks_name(&target.host)
        || address.is_some_and(|address| blocklist.blocks_address(address))
}

/// Tells whether a destination as such is left alone.
pub(super) fn is_blocked_destination(blocklist: &Blocklist, destination: &Destination) -> bool {
    match &destination.place {
        Place::Inet { host, .. } => blocklist.blocks_name(host),
        Place::Unix(_) => false,
    }
}
