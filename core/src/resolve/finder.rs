//! A machine of its own that finds out where mail for a destination goes.

use std::sync::Arc;

use super::{LookupNote, NextTarget, Resolver, Route, RouteFacts};
use crate::config::{Config, Level};
use crate::context::Cx;
use crate::machine::{Input, Machine, Output, Stop};
use crate::random::Seed;
use crate::report::Event;
use crate::time::{Instant, WallTime};

/// Finds where mail for a destination goes, without connecting there.
///
/// It tells each server as [`LookupNote::Target`], in the order in which they would be tried and as
/// soon as each is known, or [`Event::LookupFailed`] if there is none. Of the configuration it uses
/// destination, dialect, level, family and lookup.
#[derive(Debug)]
pub struct RouteFinder {
    cx: Cx,
    resolver: Resolver,
    route: Route,
    ended: bool,
}

impl RouteFinder {
    /// Begins; the first outputs are queued already.
    pub fn new(config: &Config, seed: Seed, began: WallTime) -> Self {
        let mut cx = Cx::new(seed, began);
        let matters = matches!(config.level, Level::Dane | Level::DaneOnly);
        let resolver = Resolver::new(&config.lookup, matters, config.repeatable);
        let route = Route::start(&mut cx, &Arc::new(config.clone()), &config.destination);
        let mut finder = Self { cx, resolver, route, ended: false };
        finder.advance();
        finder.cx.end();
        finder
    }

    /// Tells what was found so far.
    pub fn facts(&self) -> RouteFacts {
        self.route.facts()
    }

    /// Goes on until nothing changes.
    fn advance(&mut self) {
        while !self.ended {
            let answered = self.resolver.serve(&mut self.cx);
            self.route.handle(&mut self.cx, &Input::Tick);
            loop {
                match self.route.next_target(&mut self.cx) {
                    NextTarget::Ready(target) => {
                        self.cx.tell(Event::Lookup(LookupNote::Target(target)));
                    }
                    NextTarget::Wait => break,
                    NextTarget::Exhausted(error) => {
                        if let Some(error) = error {
                            self.cx.tell(Event::LookupFailed(error));
                        }
                        return self.stop();
                    }
                }
            }
            if !answered && !self.cx.has_questions() {
                return;
            }
        }
    }

    fn stop(&mut self) {
        self.ended = true;
        self.route.stop(&mut self.cx);
        self.cx.close_all();
    }
}

impl Machine for RouteFinder {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.cx.begin(now);
        if self.cx.admit(&input) && !self.ended {
            if let Input::Stop(Stop::Drain | Stop::Now) = input {
                self.stop();
            } else if !self.resolver.handle(&mut self.cx, &input) {
                self.route.handle(&mut self.cx, &input);
            }
        }
        self.advance();
        self.cx.end();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if self.ended {
            return self.cx.ending();
        }
        let (until, why) = self.resolver.deadline().min(self.route.deadline());
        Output::Wait(until, why)
    }
}
