//! One destination: find its servers, try them in order, judge the first that answers.

use std::collections::VecDeque;
use std::mem;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::config::{Config, Family, Level, Offer, Policy, ServerNameChoice};
use crate::context::Cx;
use crate::destination::Place;
use crate::judge::{LinkCache, ReferenceNames};
use crate::limits;
use crate::machine::{Endpoint, HostName, Input, IoError, LookupId, Machine, Output, Stop};
use crate::random::Seed;
use crate::report::{
    Event, LookupError, Outcome, Peer, PeerAddress, Reconnect, Report, Session, TlsFacts, Verdict,
};
use crate::session::{Approach, Approached, Farewell, Over, Plan};
use crate::time::{Instant, WallTime};
use crate::tls::{SessionCache, Setup};

/// The machine that probes one destination.
#[derive(Debug)]
pub struct Probe {
    cx: Cx,
    visit: Visit,
}

impl Probe {
    /// Begins a probe; its first outputs are queued already.
    ///
    /// `seed` must come from the system's generator: TLS secrets grow from it. `wall_time` is the
    /// time at [`Instant::START`]; certificates are judged by it.
    pub fn new(config: Config, seed: Seed, wall_time: WallTime) -> Self {
        let mut cx = Cx::new(seed, wall_time);
        let visit = Visit::start(&mut cx, config);
        let mut probe = Self { cx, visit };
        probe.settle();
        probe
    }

    /// Expires what is due and ends the handling of an input.
    fn settle(&mut self) {
        if self.visit.is_over() {
            self.cx.close_all();
        }
        self.cx.end();
    }
}

impl Machine for Probe {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) {
            self.visit.handle(&mut self.cx, &input);
        }
        // Whatever is due now expires in the same call, so the next `Wait` lies in the future.
        while self.visit.deadline().0 <= self.cx.now() && !self.visit.is_over() {
            self.visit.handle(&mut self.cx, &Input::Tick);
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        match self.visit.is_over() {
            false => {
                let (until, why) = self.visit.deadline();
                Output::Wait(until, why)
            }
            true => match self.cx.lingers_until() {
                Some(until) => Output::Wait(until, "for the last words of transports"),
                None => Output::Done,
            },
        }
    }
}

/// One destination from lookup to report.
#[derive(Debug)]
struct Visit {
    config: Arc<Config>,
    state: State,
    targets: VecDeque<Target>,
    unreachable: Vec<(Arc<Peer>, IoError)>,
    sessions: Vec<Session>,
    /// Lent to each session while it lives.
    cache: SessionCache,
    /// How many reconnections are still allowed.
    reconnects: u32,
}

/// An address to connect to.
#[derive(Clone, Debug)]
struct Target {
    peer: Arc<Peer>,
    endpoint: Endpoint,
    /// The name that the host is known by.
    hostname: String,
}

#[derive(Debug)]
enum State {
    Looking(LookupId),
    Approaching(Approach, Target),
    Leaving(Farewell, Target, Option<Arc<Verdict>>),
    /// Between two sessions with the same server.
    Pausing(Instant, Target),
    Over,
}

impl Visit {
    fn start(cx: &mut Cx, config: Config) -> Self {
        let mut visit = Self {
            state: State::Over,
            targets: VecDeque::new(),
            unreachable: Vec::new(),
            sessions: Vec::new(),
            cache: SessionCache::new(config.reuse.is_some()),
            reconnects: config.reuse.map_or(0, |reuse| reuse.limit),
            config: Arc::new(config),
        };
        match visit.config.destination.place.clone() {
            Place::Unix(path) => {
                let hostname = visit.config.helo_name.clone();
                let peer =
                    Peer { name: hostname.clone(), address: PeerAddress::Unix(path.clone()) };
                let endpoint = Endpoint::Unix(path);
                visit.targets.push_back(Target { peer: Arc::new(peer), endpoint, hostname });
                visit.try_next(cx);
            }
            Place::Inet { host, port, .. } => {
                match (host.parse::<IpAddr>(), HostName::new(&host)) {
                    (Ok(ip), _) => {
                        visit.add_target(&host, ip, port);
                        visit.try_next(cx);
                    }
                    (Err(_), Some(name)) => visit.state = State::Looking(cx.find_host(name)),
                    (Err(_), None) => visit.fail_lookup(cx, LookupError::NativeNotFound { host }),
                }
            }
        }
        visit
    }

    fn is_over(&self) -> bool {
        matches!(self.state, State::Over)
    }

    fn deadline(&self) -> (Instant, &'static str) {
        match &self.state {
            State::Looking(_) => (Instant::NEVER, "for the system's host lookup"),
            State::Approaching(approach, _) => approach.deadline(),
            State::Leaving(farewell, ..) => farewell.deadline(),
            State::Pausing(until, _) => (*until, "before reconnecting"),
            State::Over => (Instant::NEVER, "for nothing"),
        }
    }

    /// Takes an input. When a child ends, what comes next starts here and sees a tick, until
    /// nothing ends any more.
    fn handle(&mut self, cx: &mut Cx, input: &Input) {
        match input {
            // A probe has one destination from the start.
            Input::Add(_) => return,
            Input::Stop(Stop::Now) => return self.stop(cx),
            // What runs is all there is: a probe drains by going on.
            Input::Stop(Stop::Drain) => return,
            Input::Tick
            | Input::Opened(_)
            | Input::Received(..)
            | Input::Ended(_)
            | Input::Failed(..)
            | Input::HostFound(..) => {}
        }
        let mut input = input;
        while self.advance(cx, input) {
            input = &Input::Tick;
        }
    }

    /// Lets the present child take an input; `true` if it ended and something else began.
    fn advance(&mut self, cx: &mut Cx, input: &Input) -> bool {
        match &mut self.state {
            State::Looking(lookup) => match input {
                Input::HostFound(id, found) if id == lookup => {
                    self.host_found(cx, found);
                    true
                }
                _ => false,
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
            State::Pausing(..) | State::Over => false,
        }
    }

    fn host_found(&mut self, cx: &mut Cx, found: &Result<Vec<IpAddr>, IoError>) {
        let Place::Inet { host, port, .. } = self.config.destination.place.clone() else { return };
        match found {
            Err(error) => {
                self.fail_lookup(cx, LookupError::Native { host, error: error.clone() });
            }
            Ok(addresses) if addresses.is_empty() => {
                self.fail_lookup(cx, LookupError::NativeNotFound { host });
            }
            Ok(addresses) => {
                let mut addresses: Vec<_> = addresses.iter().take(limits::ADDRESSES).collect();
                cx.random().shuffle(&mut addresses);
                match self.config.family {
                    Family::Any => {}
                    Family::V4 => addresses.sort_by_key(|ip| ip.is_ipv6()),
                    Family::V6 => addresses.sort_by_key(|ip| ip.is_ipv4()),
                }
                for ip in addresses {
                    self.add_target(&host, *ip, port);
                }
                self.try_next(cx);
            }
        }
    }

    fn add_target(&mut self, host: &str, ip: IpAddr, port: u16) {
        self.targets.push_back(Target {
            peer: Arc::new(Peer { name: host.to_owned(), address: PeerAddress::Inet(ip, port) }),
            endpoint: Endpoint::Tcp(SocketAddr::new(ip, port).into()),
            hostname: host.to_owned(),
        });
    }

    /// Connects to the next target, or ends without one.
    fn try_next(&mut self, cx: &mut Cx) {
        match self.targets.pop_front() {
            Some(target) => self.connect(cx, target),
            None => self.finish(cx, Outcome::Unreachable),
        }
    }

    fn connect(&mut self, cx: &mut Cx, target: Target) {
        let plan = Arc::new(plan(&self.config, &target, !self.sessions.is_empty()));
        let (peer, endpoint) = (target.peer.clone(), target.endpoint.clone());
        let approach = Approach::start(cx, peer, endpoint, plan, mem::take(&mut self.cache));
        self.state = State::Approaching(approach, target);
    }

    fn approached(&mut self, cx: &mut Cx, end: Approached) {
        let State::Approaching(approach, target) = mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        match end {
            Approached::Secured(facts) => {
                let verdict = Arc::new(judge(&self.config, &target, &facts, cx.wall_time()));
                cx.tell(Event::Judged(target.peer.clone(), facts, verdict.clone()));
                let farewell = Farewell::start(cx, approach);
                self.state = State::Leaving(farewell, target, Some(verdict));
            }
            Approached::Plain => {
                self.state = State::Leaving(Farewell::start(cx, approach), target, None);
            }
            Approached::Over => {
                let (observation, _) = approach.finish();
                self.sessions.push(Session { observation, verdict: None });
                self.finish(cx, Outcome::Session);
            }
            Approached::Unreachable(error) => {
                cx.tell(Event::ConnectFailed(target.peer.clone(), error.clone()));
                self.unreachable.push((target.peer, error));
                self.cache = approach.finish().1;
                match self.sessions.is_empty() {
                    true => self.try_next(cx),
                    false => self.finish(cx, Outcome::Session),
                }
            }
        }
    }

    fn left(&mut self, cx: &mut Cx) {
        let State::Leaving(farewell, target, verdict) = mem::replace(&mut self.state, State::Over)
        else {
            return;
        };
        let (observation, cache) = farewell.finish();
        self.sessions.push(Session { observation, verdict });
        self.cache = cache;
        match self.reconnect() {
            None => self.finish(cx, Outcome::Session),
            Some(next) => {
                cx.tell(Event::Reconnect(next));
                match next {
                    Reconnect::After(delay) => {
                        self.reconnects -= 1;
                        self.state = State::Pausing(cx.now() + delay, target);
                    }
                    Reconnect::Declined | Reconnect::Found | Reconnect::Exhausted => {
                        self.finish(cx, Outcome::Session);
                    }
                }
            }
        }
    }

    /// Decides what follows a session that ended well; `None` if reconnecting is not wanted.
    fn reconnect(&self) -> Option<Reconnect> {
        let delay = self.config.reuse?.delay;
        if delay.is_zero() {
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

    fn stop(&mut self, cx: &mut Cx) {
        let (observation, verdict) = match mem::replace(&mut self.state, State::Over) {
            State::Approaching(mut approach, _) => {
                approach.abort(cx);
                (approach.finish().0, None)
            }
            State::Leaving(mut farewell, _, verdict) => {
                farewell.abort(cx);
                (farewell.finish().0, verdict)
            }
            State::Looking(_) | State::Pausing(..) => return self.finish(cx, Outcome::Stopped),
            State::Over => return,
        };
        self.sessions.push(Session { observation, verdict });
        self.finish(cx, Outcome::Stopped);
    }

    fn finish(&mut self, cx: &mut Cx, outcome: Outcome) {
        self.state = State::Over;
        let report = Report {
            destination: self.config.destination.clone(),
            outcome,
            unreachable: mem::take(&mut self.unreachable),
            sessions: mem::take(&mut self.sessions),
        };
        cx.put(Output::Finished(Box::new(report)));
    }
}

/// Decides what a session with `target` is to do.
fn plan(config: &Config, target: &Target, again: bool) -> Plan {
    let server_name = match &config.server_name {
        None => None,
        Some(ServerNameChoice::Hostname) => Some(target.hostname.clone()),
        Some(ServerNameChoice::Nexthop) => Some(match &config.destination.place {
            Place::Inet { host, .. } => host.clone(),
            Place::Unix(_) => target.hostname.clone(),
        }),
        Some(ServerNameChoice::Name(name)) => Some(name.clone()),
    };
    let offer = Offer { server_name, sha1: config.level <= Level::Encrypt, ..Offer::default() };
    Plan {
        dialect: config.dialect,
        wrapper: config.wrapper,
        again,
        helo_name: config.helo_name.clone(),
        connect_timeout: config.connect_timeout,
        command_timeout: config.command_timeout,
        tls: (config.level != Level::None).then(|| Setup::new(Arc::new(offer)).map(Arc::new)),
        demands: format!("{:?}", config.level),
        watch: config.watch,
    }
}

/// Judges by the level alone until the configuration has a policy: nothing is trusted.
fn judge(config: &Config, target: &Target, facts: &TlsFacts, time: WallTime) -> Verdict {
    let names = ReferenceNames { hostname: target.hostname.clone(), ..ReferenceNames::default() };
    let links = &mut LinkCache::default();
    crate::judge::judge(facts, &Policy::default(), config.level, &[], &names, time, links)
}
