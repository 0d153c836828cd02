//! One destination: find its servers, try them in order, judge the first that answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Level};
use crate::context::Cx;
use crate::machine::{Input, Machine, Output, TransportId};
use crate::random::Seed;
use crate::resolve::{Resolver, Route};
use crate::time::{Instant, WallTime};
use crate::tls::Tape;
use crate::visit::{Visit, Way};

/// The machine that probes one destination.
#[derive(Debug)]
pub struct Probe {
    cx: Cx,
    resolver: Resolver,
    visit: Visit,
}

impl Probe {
    /// Begins a probe; its first outputs are queued already.
    ///
    /// `seed` must come from the system's generator: TLS secrets grow from it. `wall_time` is the
    /// time at [`Instant::START`]; certificates are judged by it.
    pub fn new(config: Config, seed: Seed, wall_time: WallTime) -> Self {
        Self::with_tapes(config, seed, wall_time, None)
    }

    /// Counts the octets that were received and are held until more of them come: text, TLS and
    /// streams of DNS. What was read of them is not counted. At most
    /// [`BUFFERED`](crate::limits::BUFFERED) for each open transport, whoever is at its other end.
    pub fn buffered(&self) -> usize {
        self.resolver.buffered() + self.visit.buffered()
    }

    /// Begins a probe whose TLS is played from tapes, if there are any.
    pub(crate) fn with_tapes(
        config: Config,
        seed: Seed,
        wall_time: WallTime,
        tapes: Option<BTreeMap<TransportId, Tape>>,
    ) -> Self {
        let mut cx = Cx::new(seed, wall_time).with_tapes(tapes);
        let dane = matches!(config.level, Level::Dane | Level::DaneOnly);
        let resolver = Resolver::new(&config.lookup, dane, config.repeatable);
        let config = Arc::new(config);
        let route = Route::start(&mut cx, &config, &config.destination);
        let keys = config.policy.keys;
        let visit = Visit::start(&mut cx, config, keys, Way::Search(Box::new(route)));
        let mut probe = Self { cx, resolver, visit };
        probe.settle();
        probe
    }

    /// Brings answers to those who asked and expires what is due, until nothing changes.
    fn settle(&mut self) {
        while !self.visit.is_over() {
            let answered = self.resolver.serve(&mut self.cx);
            let due = self.visit.deadline().0 <= self.cx.now();
            if answered || due {
                self.visit.handle(&mut self.cx, &Input::Tick);
            } else if self.visit.wants_turn() {
                // Nobody else wants one.
                self.visit.take_turn(&mut self.cx);
            } else if !self.cx.has_questions() {
                break;
            }
        }
        if let Some(report) = self.visit.take_report() {
            self.cx.put(Output::Finished(report));
            self.cx.close_all();
        }
        self.cx.end();
    }
}

impl Machine for Probe {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        // Probes share the resolver: it looks at inputs first.
        if self.cx.admit(&input) && !self.resolver.handle(&mut self.cx, &input) {
            self.visit.handle(&mut self.cx, &input);
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if self.visit.is_over() {
            return self.cx.ending();
        }
        let (visit, resolver) = (self.visit.deadline(), self.resolver.deadline());
        let (until, why) = if resolver.0 < visit.0 { resolver } else { visit };
        Output::Wait(until, why)
    }
}
