//! The connections that are made to look at a server's SMTP, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use super::Hygiene;
use crate::config::Lookup;
use crate::context::Cx;
use crate::machine::{Endpoint, Input};
use crate::report::Observation;
use crate::resolve::{Reverse, ReverseFacts, Target};
use crate::session::{Approach, Approached, Farewell, Plan};
use crate::time::Instant;
use crate::tls::SessionCache;

/// Looks at a server that was visited.
#[derive(Debug)]
pub(crate) struct Inspection {
    target: Arc<Target>,
    /// The session that everything is compared with.
    session: Box<Observation>,
    errands: VecDeque<(Errand, Arc<Plan>)>,
    stage: Stage,
    reverse: Option<Reverse>,
    reverse_facts: ReverseFacts,
    pipelined: Option<Box<Observation>>,
    named: Option<Box<Observation>>,
    renamed: Option<Box<Observation>>,
}

/// The connections that make sense with a server; what makes none has no plan.
#[derive(Debug, Default)]
pub(crate) struct Errands {
    /// A command stands behind STARTTLS.
    pub(crate) pipelined: Option<Plan>,
    /// The server's own name is in the SNI extension.
    pub(crate) named: Option<Plan>,
    /// The client gives itself another name.
    pub(crate) renamed: Option<Plan>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    /// A command stands behind STARTTLS.
    Pipelined,
    /// The server's own name is in the SNI extension.
    Named,
    /// The client gives itself another name.
    Renamed,
}

#[derive(Debug)]
enum Stage {
    Idle,
    Approaching(Errand, Approach),
    Leaving(Errand, Farewell),
}

/// The inspection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Inspected;

impl Inspection {
    /// Begins. Each plan is for one connection.
    pub(crate) fn start(
        cx: &mut Cx,
        lookup: &Lookup,
        target: Arc<Target>,
        session: Box<Observation>,
        errands: Errands,
    ) -> Self {
        let address = match &target.endpoint {
            Endpoint::Tcp(remote) | Endpoint::Udp(remote) => Some(remote.address.ip()),
            Endpoint::Unix(_) => None,
        };
        let Errands { pipelined, named, renamed } = errands;
        let errands =
            [(Errand::Pipelined, pipelined), (Errand::Named, named), (Errand::Renamed, renamed)];
        let planned = errands.into_iter().filter_map(|(it, plan)| Some((it, Arc::new(plan?))));
        Self {
            errands: planned.collect(),
            reverse: Reverse::start(cx, lookup, address),
            target,
            session,
            stage: Stage::Idle,
            reverse_facts: ReverseFacts::Unknown,
            pipelined: None,
            named: None,
            renamed: None,
        }
    }

    /// Tells when to give up waiting, and for what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        match &self.stage {
            Stage::Idle => (Instant::NEVER, "for the names of an address"),
            Stage::Approaching(_, approach) => approach.deadline(),
            Stage::Leaving(_, farewell) => farewell.deadline(),
        }
    }

    /// Takes an input; speaks once, at its end.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Inspected> {
        if self.reverse.as_mut().is_some_and(|reverse| reverse.advance(cx)) {
            self.end_reverse(cx);
        }
        let mut input = input;
        while self.advance(cx, input) {
            input = &Input::Tick;
        }
        let is_over = matches!(self.stage, Stage::Idle) && self.reverse.is_none();
        is_over.then_some(Inspected)
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        match &self.stage {
            Stage::Idle => 0,
            Stage::Approaching(_, approach) => approach.buffered(),
            Stage::Leaving(_, farewell) => farewell.buffered(),
        }
    }

    /// Lets the present connection take an input; `true` if something else begins.
    fn advance(&mut self, cx: &mut Cx, input: &Input) -> bool {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => {
                let Some((errand, plan)) = self.errands.pop_front() else { return false };
                let (peer, endpoint) = (self.target.peer.clone(), self.target.endpoint.clone());
                let cache = SessionCache::new(false);
                let start = |cx: &mut Cx| Approach::start(cx, peer, endpoint, plan, cache);
                self.stage = Stage::Approaching(errand, cx.quietly(start));
                true
            }
            Stage::Approaching(errand, mut approach) => {
                match cx.quietly(|cx| approach.handle(cx, input)) {
                    None => {
                        self.stage = Stage::Approaching(errand, approach);
                        false
                    }
                    Some(Approached::Over | Approached::Unreachable(_)) => {
                        self.keep(errand, approach.finish().0);
                        true
                    }
                    Some(Approached::Secured(_) | Approached::Proxied(_) | Approached::Plain) => {
                        let farewell = cx.quietly(|cx| Farewell::start(cx, approach));
                        self.stage = Stage::Leaving(errand, farewell);
                        true
                    }
                }
            }
            Stage::Leaving(errand, mut farewell) => {
                match cx.quietly(|cx| farewell.handle(cx, input)) {
                    None => {
                        self.stage = Stage::Leaving(errand, farewell);
                        false
                    }
                    Some(_) => {
                        self.keep(errand, farewell.finish().0);
                        true
                    }
                }
            }
        }
    }

    fn keep(&mut self, errand: Errand, observation: Observation) {
        let place = match errand {
            Errand::Pipelined => &mut self.pipelined,
            Errand::Named => &mut self.named,
            Errand::Renamed => &mut self.renamed,
        };
        *place = Some(Box::new(observation));
    }

    fn end_reverse(&mut self, cx: &mut Cx) {
        if let Some(reverse) = self.reverse.take() {
            self.reverse_facts = reverse.finish(cx);
        }
    }

    /// Ends at once, and gives back what there is; nothing new begins.
    pub(crate) fn stop(mut self, cx: &mut Cx) -> Hygiene {
        match std::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => {}
            Stage::Approaching(_, mut approach) => cx.quietly(|cx| approach.abort(cx)),
            Stage::Leaving(_, mut farewell) => cx.quietly(|cx| farewell.abort(cx)),
        }
        self.end_reverse(cx);
        self.finish()
    }

    /// Draws the conclusions.
    pub(crate) fn finish(self) -> Hygiene {
        let Self { session, reverse_facts, pipelined, named, renamed, .. } = self;
        Hygiene::new(&session, reverse_facts, pipelined, named, renamed)
    }
}
