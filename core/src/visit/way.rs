//! Where a visit finds its servers.

use std::sync::Arc;

use crate::config::{Config, Offer};
use crate::context::Cx;
use crate::destination::Destination;
use crate::resolve::{NextTarget, Route, RouteFacts, Target};
use crate::time::Instant;

/// Where servers come from.
#[derive(Debug)]
pub(crate) enum Way {
    /// They are looked up.
    Search(Box<Route>),
    /// There is one, and somebody else keeps what is known of the way there.
    Known {
        /// It is taken out.
        target: Option<Arc<Target>>,
        /// What it is offered, if somebody has decided that before.
        offer: Option<Arc<Offer>>,
    },
}

impl Way {
    pub(super) fn next_target(&mut self, cx: &mut Cx) -> NextTarget {
        match self {
            Self::Search(route) => route.next_target(cx),
            Self::Known { target, .. } => {
                target.take().map_or(NextTarget::Exhausted(None), NextTarget::Ready)
            }
        }
    }

    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        match self {
            Self::Search(route) => route.deadline(),
            Self::Known { .. } => (Instant::NEVER, "for nothing"),
        }
    }

    pub(super) fn facts(&self) -> RouteFacts {
        match self {
            Self::Search(route) => route.facts(),
            Self::Known { .. } => RouteFacts::default(),
        }
    }

    /// Tells whose servers they are; that too is kept by somebody else where one server is known.
    pub(super) fn destination(&self, config: &Config) -> Destination {
        match self {
            Self::Search(_) => config.destination.clone(),
            Self::Known { .. } => Destination::unsaid(),
        }
    }

    pub(super) fn stop(&mut self, cx: &mut Cx) {
        match self {
            Self::Search(route) => route.stop(cx),
            Self::Known { target, .. } => *target = None,
        }
    }
}
