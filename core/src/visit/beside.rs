//! Two visits side by side: how far the first is, and what the second, which is held, asks for.

use std::sync::Arc;

use super::{State, Visit};
use crate::config::ServerKeys;
use crate::context::Cx;
use crate::report::TlsFacts;

impl Visit {
    /// Goes on with a session that is held, and asks for keys of this kind.
    pub(crate) fn choose_keys(&mut self, cx: &mut Cx, keys: ServerKeys) {
        self.keys = Some(keys);
        self.held = false;
        let plan = match &self.state {
            State::Approaching(_, target) => self.plan(cx, target),
            State::Routing
            | State::Leaving(..)
            | State::Pausing(..)
            | State::Turning(_)
            | State::Inspecting(_)
            | State::Over => return,
        };
        if let State::Approaching(approach, _) = &mut self.state {
            approach.release(cx, Arc::new(plan));
        }
    }

    /// Tells whether nothing is missing for the handshake but [`choose_keys`](Self::choose_keys).
    pub(crate) fn is_held(&self) -> bool {
        matches!(&self.state, State::Approaching(approach, _) if approach.is_held())
    }

    /// Tells whether a connection is there whose server has not shown who it is.
    pub(crate) fn is_connected(&self) -> bool {
        let is_scout = self.scout.is_some();
        matches!(&self.state, State::Approaching(it, _) if it.is_connected() && !is_scout)
    }

    /// Tells the TLS connection of a server that was judged and is being left.
    pub(crate) fn tls(&self) -> Option<&TlsFacts> {
        match &self.state {
            State::Leaving(farewell, ..) => farewell.tls(),
            State::Routing
            | State::Approaching(..)
            | State::Pausing(..)
            | State::Turning(_)
            | State::Inspecting(_)
            | State::Over => None,
        }
    }
}
