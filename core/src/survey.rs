//! Every server of one destination: all addresses of all mail hosts, with both kinds of keys.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::cert::Certificate;
use crate::config::{Config, Level, ServerCertificates, ServerKeys};
use crate::context::Cx;
use crate::limits;
use crate::machine::{Endpoint, Input, Machine, Output, Stop};
use crate::random::Seed;
use crate::report::{Event, LookupError, Outcome, Report, Scope, TlsFacts};
use crate::resolve::{NextTarget, Resolver, Route, RouteFacts, Target};
use crate::time::{Instant, WallTime};
use crate::visit::Visit;

/// The machine that probes every address of every mail host of a destination.
///
/// Servers are probed at once, within [`limits::SURVEYS`] and [`limits::SURVEYS_OF_ONE`]. One that
/// shows an RSA key is probed once more for an ECDSA key, and the other way round; it counts if
/// there is one. Sessions are not resumed.
#[derive(Debug)]
pub struct Survey {
    cx: Cx,
    resolver: Resolver,
    config: Config,
    route: Route,
    /// Why the route came to its end, once it did.
    routed: Option<Option<LookupError>>,
    waiting: VecDeque<Call>,
    running: Vec<(Call, Visit)>,
    found: Vec<(Call, Box<Report>)>,
    /// Addresses that were found, those that are left out too.
    targets: usize,
    over: bool,
}

/// A server to probe.
#[derive(Clone, Debug)]
struct Call {
    /// The place of the server in the order of the route.
    number: usize,
    target: Box<Target>,
    /// Which keys it may show, if not any.
    keys: Option<ServerKeys>,
}

impl Call {
    fn ip(&self) -> Option<IpAddr> {
        match &self.target.endpoint {
            Endpoint::Tcp(remote) | Endpoint::Udp(remote) => Some(remote.address.ip()),
            Endpoint::Unix(_) => None,
        }
    }
}

impl Survey {
    /// Begins a survey; its first outputs are queued already. The arguments are those of
    /// [`Probe::new`](crate::Probe::new).
    pub fn new(config: Config, seed: Seed, wall_time: WallTime) -> Self {
        let config = Config { reuse: None, ..config };
        let mut cx = Cx::new(seed, wall_time);
        let dane = matches!(config.level, Level::Dane | Level::DaneOnly);
        let mut survey = Self {
            resolver: Resolver::new(&config.lookup, dane),
            route: Route::start(&mut cx, &config),
            cx,
            config,
            routed: None,
            waiting: VecDeque::new(),
            running: Vec::new(),
            found: Vec::new(),
            targets: 0,
            over: false,
        };
        survey.settle();
        survey
    }

    /// Goes on until nothing changes.
    fn settle(&mut self) {
        while !self.over {
            let answered = self.resolver.serve(&mut self.cx);
            self.follow_route();
            let mut changed = self.call() | answered;
            for (_, visit) in &mut self.running {
                if answered || visit.deadline().0 <= self.cx.now() {
                    visit.handle(&mut self.cx, &Input::Tick);
                    changed = true;
                }
            }
            changed |= self.collect();
            let is_idle = self.waiting.is_empty() && self.running.is_empty();
            if let (Some(error), true) = (&self.routed, is_idle) {
                let error = error.clone();
                self.finish(error);
            } else if !changed && !self.cx.has_questions() {
                break;
            }
        }
        self.cx.end();
    }

    /// Takes all targets that are known.
    fn follow_route(&mut self) {
        self.route.handle(&mut self.cx, &Input::Tick);
        while self.routed.is_none() {
            match self.route.next_target(&mut self.cx) {
                NextTarget::Ready(target) => {
                    if self.targets < limits::SURVEYED {
                        let number = self.targets;
                        self.waiting.push_back(Call { number, target, keys: None });
                    }
                    self.targets += 1;
                }
                NextTarget::Wait => break,
                NextTarget::Exhausted(error) => self.routed = Some(error),
            }
        }
    }

    /// Begins as many visits as may run; `true` if there was one.
    fn call(&mut self) -> bool {
        let mut began = false;
        while self.running.len() < limits::SURVEYS {
            let running = &self.running;
            let may_run = |call: &Call| {
                let same = running.iter().filter(|(other, _)| other.ip() == call.ip());
                same.count() < limits::SURVEYS_OF_ONE
            };
            let Some(at) = self.waiting.iter().position(may_run) else { break };
            let Some(call) = self.waiting.remove(at) else { break };
            let mut config = self.config.clone();
            config.policy.keys = call.keys;
            let route = Route::to(&config, call.target.clone());
            let visit = Visit::start(&mut self.cx, config, route);
            self.running.push((call, visit));
            began = true;
        }
        began
    }

    /// Takes the reports of visits that are over; `true` if there was one.
    fn collect(&mut self) -> bool {
        let mut ended = Vec::new();
        self.running.retain_mut(|(call, visit)| match visit.take_report() {
            Some(report) => {
                ended.push((call.clone(), report));
                false
            }
            None => true,
        });
        let any = !ended.is_empty();
        for (call, report) in ended {
            let facts = report.sessions.last().and_then(|last| last.observation.tls.as_deref());
            let shown = facts.and_then(shown_keys);
            match call.keys {
                None => {
                    if let Some(shown) = shown {
                        let keys = Some(shown.other());
                        self.waiting.push_front(Call { keys, ..call.clone() });
                    }
                    self.found.push((call, report));
                }
                // Whatever else happened: the server has no such key to show.
                Some(_) if shown != call.keys => {}
                Some(_) => self.found.push((call, report)),
            }
        }
        any
    }

    fn stop(&mut self) {
        self.waiting.clear();
        for (_, visit) in &mut self.running {
            visit.handle(&mut self.cx, &Input::Stop(Stop::Now));
        }
        self.collect();
        self.finish(None);
    }

    fn finish(&mut self, error: Option<LookupError>) {
        self.over = true;
        let route = self.route.facts();
        self.route.stop(&mut self.cx);
        let report = self.report(route, error);
        if let Outcome::LookupFailed(error) = &report.outcome {
            self.cx.tell(Event::LookupFailed(error.clone()));
        }
        self.cx.put(Output::Finished(Box::new(report)));
        self.cx.close_all();
    }

    /// Puts the reports of all servers into one, in the order of the route.
    fn report(&mut self, route: RouteFacts, error: Option<LookupError>) -> Report {
        self.found.sort_by_key(|(call, _)| (call.number, call.keys));
        let (mut unreachable, mut sessions) = (Vec::new(), Vec::new());
        let mut is_stopped = self.routed.is_none();
        for (_, report) in self.found.drain(..) {
            is_stopped |= report.outcome == Outcome::Stopped;
            unreachable.extend(report.unreachable);
            sessions.extend(report.sessions);
        }
        let outcome = match error {
            Some(error) => Outcome::LookupFailed(error),
            None if is_stopped => Outcome::Stopped,
            None if sessions.is_empty() => Outcome::Unreachable,
            None => Outcome::Session,
        };
        Report {
            destination: self.config.destination.clone(),
            level: self.config.level,
            began: self.cx.began(),
            ended: self.cx.now(),
            outcome,
            scope: Scope::Every { left_out: self.targets.saturating_sub(limits::SURVEYED) },
            route,
            unreachable,
            sessions,
        }
    }
}

impl Machine for Survey {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) && !self.over {
            if input == Input::Stop(Stop::Now) {
                self.stop();
            } else if !self.resolver.handle(&mut self.cx, &input) {
                self.route.handle(&mut self.cx, &input);
                for (_, visit) in &mut self.running {
                    visit.handle(&mut self.cx, &input);
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
            return match self.cx.lingers_until() {
                Some(until) => Output::Wait(until, "for the last words of transports"),
                None => Output::Done,
            };
        }
        let visits = self.running.iter().map(|(_, visit)| visit.deadline());
        let own = self.resolver.deadline().min(self.route.deadline());
        let (until, why) = visits.fold(own, Ord::min);
        Output::Wait(until, why)
    }
}

/// Tells which kind of keys a server showed in a certificate.
fn shown_keys(facts: &TlsFacts) -> Option<ServerKeys> {
    let own = facts.chain.first().filter(|_| facts.certificates == ServerCertificates::X509)?;
    ServerKeys::of(&Certificate::parse(own.clone()).ok()?.public_key().kind)
}
