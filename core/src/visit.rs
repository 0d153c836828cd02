//! The servers of one route in order, until one answers; that one is judged.

mod beside;
mod inspect;
mod scouting;
mod way;

pub(crate) use scouting::judge_scouted;
pub(crate) use way::Way;

use std::borrow::Cow;
use std::mem;
use std::sync::Arc;

use crate::config::{Config, Level, MatchRule, Offer, Policy, ServerCertificates, ServerKeys};
use crate::context::Cx;
use crate::hygiene::{Inspected, Inspection};
use crate::judge::{ReferenceNames, anchor_records, judge, pin_records};
use crate::machine::{Input, IoError, Stop};
use crate::report::{
    Event, Grounds, LookupError, Observation, Outcome, Peer, Reconnect, Report, Scope, Session,
    TlsFacts, Verdict,
};
use crate::resolve::{NextTarget, Target, Tlsa};
use crate::session::{Approach, Approached, Farewell, Over, Plan, ProxyRequest};
use crate::time::Instant;
use crate::tls::SessionCache;

/// One destination from lookup to report.
#[derive(Debug)]
pub(crate) struct Visit {
    config: Arc<Config>,
    way: Way,
    state: State,
    unreachable: Vec<(Arc<Peer>, IoError)>,
    sessions: Vec<Session>,
    started: Instant,
    /// When the latest connection was begun.
    began: Instant,
    /// What it came to, until somebody takes it.
    report: Option<Box<Report>>,
    /// A session has come to its end: later ones are with the same server.
    visited: bool,
    /// The caller wants nothing new to begin.
    draining: bool,
    /// Lent to each session while it lives.
    cache: SessionCache,
    /// How many reconnections are still allowed.
    reconnects: u32,
    /// Ask for a raw public key as long as no server has failed that.
    raw_keys: RawKeys,
    /// Which keys a server may show, if not any.
    keys: Option<ServerKeys>,
    /// Sessions wait before the handshake until somebody chooses the keys to ask for.
    held: bool,
    /// What the session under way is to ask as a scout.
    scout: Option<scouting::Errand>,
}

/// What became of the wish for raw public keys (RFC 7250). The library can ask for them or for
/// X.509, not for both, so it takes two sessions to have either.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum RawKeys {
    /// Nobody asked.
    Unwanted,
    /// They are asked for.
    Wanted,
    /// The server failed: X.509 follows.
    Failed,
}

#[derive(Debug)]
enum State {
    /// Waits for a target to connect to.
    Routing,
    Approaching(Approach, Arc<Target>),
    Leaving(Farewell, Arc<Target>, Option<Judgement>),
    /// Between two sessions with the same server.
    Pausing(Instant, Arc<Target>),
    /// Waits to be allowed another connection to the same server.
    Turning(Arc<Target>),
    /// Looks at the SMTP of the server that was visited.
    Inspecting(Box<Inspection>),
    Over,
}

/// A verdict and what it rests on.
pub(crate) type Judgement = (Arc<Verdict>, Arc<Grounds>);

impl Visit {
    /// Begins; `keys` tells which keys a server may show, if not any.
    pub(crate) fn start(
        cx: &mut Cx,
        config: Arc<Config>,
        keys: Option<ServerKeys>,
        way: Way,
    ) -> Self {
        Self::begin(cx, config, keys, way, false)
    }

    /// Begins as [`start`](Self::start) does, but holds the session before its handshake until
    /// [`choose_keys`](Self::choose_keys).
    pub(crate) fn start_held(cx: &mut Cx, config: Arc<Config>, way: Way) -> Self {
        Self::begin(cx, config, None, way, true)
    }

    fn begin(
        cx: &mut Cx,
        config: Arc<Config>,
        keys: Option<ServerKeys>,
        way: Way,
        held: bool,
    ) -> Self {
        let mut visit = Self {
            way,
            state: State::Routing,
            unreachable: Vec::new(),
            sessions: Vec::new(),
            started: cx.now(),
            began: cx.now(),
            report: None,
            visited: false,
            draining: false,
            cache: SessionCache::new(config.reuse.is_some()),
            reconnects: config.reuse.map_or(0, |reuse| reuse.limit),
            raw_keys: match config.policy.raw_public_keys {
                true => RawKeys::Wanted,
                false => RawKeys::Unwanted,
            },
            scout: None,
            keys,
            held,
            config,
        };
        visit.handle(cx, &Input::Tick);
        visit
    }

    pub(crate) fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        match &self.state {
            State::Approaching(approach, _) => approach.buffered(),
            State::Leaving(farewell, ..) => farewell.buffered(),
            State::Inspecting(inspection) => inspection.buffered(),
            State::Routing | State::Pausing(..) | State::Turning(_) | State::Over => 0,
        }
    }

    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        match &self.state {
            State::Routing => self.way.deadline(),
            State::Approaching(approach, _) => approach.deadline(),
            State::Leaving(farewell, ..) => farewell.deadline(),
            State::Pausing(until, _) => (*until, "before reconnecting"),
            State::Inspecting(inspection) => inspection.deadline(),
            State::Turning(_) | State::Over => (Instant::NEVER, "for nothing"),
        }
    }

    /// Takes an input. When a child ends, what comes next starts here and sees a tick, until
    /// nothing ends any more.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) {
        match input {
            // A probe has one destination from the start.
            Input::Add(_) => return,
            Input::Stop(Stop::Now) => return self.stop(cx),
            Input::Stop(Stop::Drain) => return self.drain(cx),
            Input::Stop(Stop::End)
            | Input::Tick
            | Input::Opened(_)
            | Input::Received(..)
            | Input::Ended(_)
            | Input::Failed(..)
            | Input::HostFound(..) => {}
        }
        if let Way::Search(route) = &mut self.way {
            route.handle(cx, input);
        }
        let mut input = input;
        while self.advance(cx, input) {
            input = &Input::Tick;
        }
    }

    /// Lets the present child take an input; `true` if it ended and something else began.
    fn advance(&mut self, cx: &mut Cx, input: &Input) -> bool {
        match &mut self.state {
            State::Routing => match self.way.next_target(cx) {
                NextTarget::Ready(target) => {
                    self.connect(cx, target);
                    true
                }
                NextTarget::Wait => false,
                NextTarget::Exhausted(error) => {
                    match error {
                        Some(error) => self.fail_lookup(cx, error),
                        None => self.finish(cx, Outcome::Unreachable),
                    }
                    true
                }
            },
            State::Approaching(approach, _) => match approach.handle(cx, input) {
                Some(end) => {
                    self.approached(cx, end);
                    true
                }
                None => false,
            },
            State::Leaving(farewell, ..) => match farewell.handle(cx, input) {
                Some(Over) => {
                    self.left(cx);
                    true
                }
                None => false,
            },
            State::Pausing(until, target) if *until <= cx.now() => {
                let target = target.clone();
                self.connect(cx, target);
                true
            }
            State::Inspecting(inspection) => match inspection.handle(cx, input) {
                Some(Inspected) => {
                    self.inspected(cx);
                    true
                }
                None => false,
            },
            State::Pausing(..) | State::Turning(_) | State::Over => false,
        }
    }

    fn connect(&mut self, cx: &mut Cx, target: Arc<Target>) {
        let plan = Arc::new(self.plan(cx, &target));
        let (peer, endpoint) = (target.peer.clone(), target.endpoint.clone());
        let approach = Approach::start(cx, peer, endpoint, plan, mem::take(&mut self.cache));
        self.began = cx.now();
        self.state = State::Approaching(approach, target);
    }

    fn approached(&mut self, cx: &mut Cx, end: Approached) {
        let State::Approaching(approach, target) = mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        if !matches!(end, Approached::Unreachable(_)) {
            // Nothing after the connection leads to another host.
            self.way.stop(cx);
        }
        if let Some(errand) = self.scout.take() {
            return self.scouted(cx, approach, target, errand);
        }
        match end {
            Approached::Secured(facts) => {
                let (verdict, grounds) = judged(cx, &self.config, &target, &facts);
                cx.tell(Event::Judged(target.peer.clone(), facts, verdict.clone()));
                let farewell = Farewell::start(cx, approach);
                self.state = State::Leaving(farewell, target, Some((verdict, grounds)));
            }
            Approached::Proxied(facts) => {
                cx.tell(Event::Proxied(target.peer.clone(), facts));
                self.state = State::Leaving(Farewell::start(cx, approach), target, None);
            }
            Approached::Plain => {
                self.state = State::Leaving(Farewell::start(cx, approach), target, None);
            }
            Approached::Over => {
                let (observation, cache) = approach.finish();
                let raw =
                    |offer: &Arc<Offer>| offer.certificates == ServerCertificates::RawPublicKey;
                let raw_failed =
                    observation.handshake_error.is_some() && observation.offer.iter().any(raw);
                let errand = self.errand_after_failure(&observation);
                self.keep(target.clone(), observation, None);
                self.cache = cache;
                match errand {
                    _ if raw_failed => {
                        self.raw_keys = RawKeys::Failed;
                        self.connect(cx, target);
                    }
                    Some(errand) => self.send_scout(errand, target),
                    None => self.finish(cx, Outcome::Session),
                }
            }
            Approached::Unreachable(error) => {
                cx.tell(Event::ConnectFailed(target.peer.clone(), error.clone()));
                self.unreachable.push((target.peer.clone(), error));
                self.cache = approach.finish().1;
                match (self.sessions.is_empty(), self.draining) {
                    (true, false) => self.state = State::Routing,
                    (true, true) => self.finish(cx, Outcome::Stopped),
                    (false, _) => self.finish(cx, Outcome::Session),
                }
            }
        }
    }

    /// Decides what a session with `target` is to do.
    fn plan(&self, cx: &mut Cx, target: &Target) -> Plan {
        let config = &self.config;
        let offer = match &self.way {
            Way::Known { offer: Some(offer), .. } if self.raw_keys != RawKeys::Failed => {
                Some(Arc::clone(offer))
            }
            Way::Known { .. } | Way::Search(_) => {
                offer(config, self.keys, self.raw_keys == RawKeys::Wanted, target).map(Arc::new)
            }
        };
        let raw = |offer: &Arc<Offer>| offer.certificates == ServerCertificates::RawPublicKey;
        let proxy = offer.as_ref().and_then(|offer| self.proxy_request(target, offer));
        Plan {
            dialect: config.dialect,
            wrapper: config.wrapper,
            again: self.visited,
            tentative: offer.as_ref().is_some_and(raw),
            retried: self.raw_keys == RawKeys::Failed,
            helo_name: config.helo_name.clone(),
            connect_timeout: config.connect_timeout,
            command_timeout: config.command_timeout,
            await_quit: config.await_quit,
            tls: offer.map(|offer| match &config.flaw {
                Some(flaw) => Err(flaw.clone()),
                None => cx.setups().prepare(offer, config.repeatable).map(Arc::new),
            }),
            scout: self.scout.as_ref().map(scouting::Errand::hello),
            proxy: proxy.map(Arc::new),
            held: self.held && self.scout.is_none(),
            pipelined: false,
            demands: match config.reuse {
                Some(_) => format!("{:?} {:?}", target.level, target.tlsa),
                None => String::new(),
            },
            watch: config.watch,
        }
    }

    /// Decides what tlsproxy(8) is to do for a session with `target`.
    fn proxy_request(&self, target: &Target, offer: &Offer) -> Option<ProxyRequest> {
        let (config, policy) = (&self.config, &self.config.policy);
        let proxy = config.proxy.clone()?;
        let records = proxy_records(policy, target);
        let dane = matches!(target.level, Level::HalfDane | Level::Dane | Level::DaneOnly);
        let named = |name: &String| MatchRule::Name(name.clone());
        let matches = if dane {
            target.match_names.iter().map(named).collect()
        } else if !policy.matches.is_empty() {
            policy.matches.clone()
        } else if target.level == Level::Verify {
            vec![MatchRule::Hostname]
        } else if target.level == Level::Secure {
            vec![MatchRule::Nexthop, MatchRule::DotNexthop]
        } else {
            Vec::new()
        };
        Some(ProxyRequest {
            proxy,
            timeout: config.command_timeout,
            level: target.level,
            nexthop: target.nexthop.to_string(),
            host: target.host.to_string(),
            server_name: offer.server_name.clone().unwrap_or_default(),
            raw_public_keys: policy.raw_public_keys,
            matches,
            base: target.match_names.first().filter(|_| dane).cloned().unwrap_or_default(),
            tlsa: records,
        })
    }

    /// Keeps a session that is over.
    fn keep(
        &mut self,
        target: Arc<Target>,
        observation: Observation,
        judgement: Option<Judgement>,
    ) {
        let (verdict, grounds) = judgement.unzip();
        let began = self.began;
        let (shared, scouted) = (false, None);
        self.sessions.push(Session {
            target,
            began,
            shared,
            observation,
            verdict,
            grounds,
            scouted,
            hygiene: None,
        });
    }

    fn left(&mut self, cx: &mut Cx) {
        let State::Leaving(farewell, target, judgement) =
            mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        let (observation, cache) = farewell.finish();
        self.keep(target.clone(), observation, judgement);
        self.cache = cache;
        self.visited = true;
        match self.reconnect() {
            None => self.conclude(cx),
            Some(next) => {
                cx.tell(Event::Reconnect(next));
                match next {
                    Reconnect::After(delay) => {
                        self.reconnects -= 1;
                        self.state = State::Pausing(cx.now() + delay, target);
                    }
                    Reconnect::Declined | Reconnect::Found | Reconnect::Exhausted => {
                        self.conclude(cx);
                    }
                }
            }
        }
    }

    /// Decides what follows a session that ended well; `None` if reconnecting is not wanted.
    fn reconnect(&self) -> Option<Reconnect> {
        let delay = self.config.reuse?.delay;
        if delay.is_zero() || self.draining {
            return None;
        }
        Some(if self.cache.was_found() {
            Reconnect::Found
        } else if self.cache.is_empty() {
            Reconnect::Declined
        } else if self.reconnects == 0 {
            Reconnect::Exhausted
        } else {
            Reconnect::After(delay)
        })
    }

    fn fail_lookup(&mut self, cx: &mut Cx, error: LookupError) {
        cx.tell(Event::LookupFailed(error.clone()));
        self.finish(cx, Outcome::LookupFailed(error));
    }

    /// Lets a session that runs come to its end; nothing follows it.
    fn drain(&mut self, cx: &mut Cx) {
        self.draining = true;
        if let State::Routing | State::Pausing(..) | State::Turning(_) = self.state {
            self.stop(cx);
        }
    }

    fn stop(&mut self, cx: &mut Cx) {
        match mem::replace(&mut self.state, State::Over) {
            // What a scout finds out comes on top of sessions that are whole.
            State::Approaching(approach, target) if self.scout.is_some() => {
                if let Some(errand) = self.scout.take() {
                    self.recall(cx, approach, &target, errand);
                }
                return self.finish(cx, Outcome::Session);
            }
            State::Turning(_) => return self.finish(cx, Outcome::Session),
            State::Approaching(mut approach, target) => {
                approach.abort(cx);
                self.keep(target, approach.finish().0, None);
            }
            State::Leaving(mut farewell, target, judgement) => {
                farewell.abort(cx);
                self.keep(target, farewell.finish().0, judgement);
            }
            State::Inspecting(inspection) => {
                let hygiene = inspection.stop(cx);
                self.keep_hygiene(cx, hygiene);
                return self.finish(cx, Outcome::Session);
            }
            State::Routing | State::Pausing(..) => return self.finish(cx, Outcome::Stopped),
            State::Over => return,
        }
        self.finish(cx, Outcome::Stopped);
    }

    fn finish(&mut self, cx: &mut Cx, outcome: Outcome) {
        self.state = State::Over;
        let (unreachable, sessions) =
            (mem::take(&mut self.unreachable), mem::take(&mut self.sessions));
        self.report = Some(Box::new(self.report(cx, outcome, unreachable, sessions)));
        self.way.stop(cx);
    }

    fn report(
        &self,
        cx: &Cx,
        outcome: Outcome,
        unreachable: Vec<(Arc<Peer>, IoError)>,
        sessions: Vec<Session>,
    ) -> Report {
        Report {
            number: 0,
            destination: self.way.destination(&self.config),
            level: self.config.level,
            began: cx.began(),
            started: self.started,
            ended: cx.now(),
            outcome,
            scope: Scope::First,
            route: self.way.facts(),
            unreachable,
            untested: Vec::new(),
            sessions,
        }
    }

    /// Tells what the visit comes to for somebody who does not wait for its scout.
    pub(crate) fn so_far(&self, cx: &Cx) -> Option<Box<Report>> {
        self.scout.as_ref()?;
        let (unreachable, sessions) = (self.unreachable.clone(), self.sessions.clone());
        Some(Box::new(self.report(cx, Outcome::Session, unreachable, sessions)))
    }

    /// Hands out the report, once there is one.
    pub(crate) fn take_report(&mut self) -> Option<Box<Report>> {
        self.report.take()
    }
}

/// What is offered to a target; `raw_keys` tells whether raw public keys are still asked for where
/// the policy wants them.
pub(crate) fn offer(
    config: &Config,
    keys: Option<ServerKeys>,
    raw_keys: bool,
    target: &Target,
) -> Option<Offer> {
    let mut policy = Cow::Borrowed(&config.policy);
    // tlsproxy(8) can ask for both kinds at once.
    let raw_keys = policy.raw_public_keys && raw_keys && config.proxy.is_none();
    if (raw_keys, keys) != (policy.raw_public_keys, policy.keys) {
        let policy = policy.to_mut();
        (policy.raw_public_keys, policy.keys) = (raw_keys, keys);
    }
    Offer::of(&policy, target.level, &target.into()).filter(|_| !config.no_tls)
}

/// Judges what a target showed.
pub(crate) fn judged(cx: &mut Cx, config: &Config, target: &Target, facts: &TlsFacts) -> Judgement {
    let (level, tlsa) = (target.level, usable(target));
    let names = ReferenceNames::from(target);
    let (policy, time) = (&config.policy, cx.wall_time());
    let verdict = judge(facts, policy, level, &tlsa, &names, time, cx.links());
    (Arc::new(verdict), Arc::new(Grounds { level, tlsa, names, time }))
}

/// The TLSA records of a target that DNS lets count.
fn usable(target: &Target) -> Vec<Tlsa> {
    target.tlsa.iter().flat_map(|set| set.usable()).cloned().collect()
}

/// The records by which tlsproxy(8) is to judge a target: pins and anchors are records there too.
fn proxy_records(policy: &Policy, target: &Target) -> Vec<Tlsa> {
    match target.level {
        Level::HalfDane | Level::Dane | Level::DaneOnly => usable(target),
        Level::Fingerprint => policy.pins.iter().flat_map(pin_records).collect(),
        Level::Verify | Level::Secure => policy.anchors.iter().flat_map(anchor_records).collect(),
        Level::None | Level::May | Level::Encrypt => Vec::new(),
    }
}
