//! From the connection to the handshake: the part of a session before its judgement.

use std::sync::Arc;

use crate::context::Cx;
use crate::machine::{Endpoint, Input, IoError};
use crate::report::{Observation, Peer, ProxyFacts, TlsFacts};
use crate::time::Instant;
use crate::tls::SessionCache;
use crate::tls::scout::Flight;

use super::dialogue::{Dialogue, Plan, Stage};

/// A session up to the point where the server can be judged.
#[derive(Debug)]
pub(crate) struct Approach(pub(super) Dialogue);

/// How an [`Approach`] ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Approached {
    /// TLS is there: the server can be judged, then a farewell follows.
    Secured(Arc<TlsFacts>),
    /// TLS is there, and tlsproxy(8) judged the server; a farewell follows.
    Proxied(Arc<ProxyFacts>),
    /// The server was met, but there is no TLS; a farewell follows.
    Plain,
    /// The session is over before there was TLS.
    Over,
    /// No connection came about.
    Unreachable(IoError),
}

impl Approach {
    /// Opens the connection.
    pub(crate) fn start(
        cx: &mut Cx,
        peer: Arc<Peer>,
        endpoint: Endpoint,
        plan: Arc<Plan>,
        cache: SessionCache,
    ) -> Self {
        Self(Dialogue::start(cx, peer, endpoint, plan, cache))
    }

    /// Tells when to give up waiting, and for what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        self.0.deadline()
    }

    /// Takes an input; speaks once, at its end.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Approached> {
        let stage = self.0.handle(cx, input)?;
        let Observation { tls, proxied, .. } = self.0.observation();
        Some(match (stage, tls, proxied) {
            (Stage::Secured, Some(facts), _) => Approached::Secured(facts.clone()),
            (Stage::Secured, None, Some(facts)) => Approached::Proxied(facts.clone()),
            (Stage::Plain, ..) => Approached::Plain,
            (Stage::Secured | Stage::Over, ..) => match self.0.connect_error() {
                Some(error) => Approached::Unreachable(error),
                None => Approached::Over,
            },
        })
    }

    /// Goes on with a session that its plan [holds](Plan::held), by another plan.
    pub(crate) fn release(&mut self, cx: &mut Cx, plan: Arc<Plan>) {
        self.0.release(cx, plan);
    }

    /// Tells whether nothing is missing for the handshake but [`release`](Self::release).
    pub(crate) fn is_held(&self) -> bool {
        self.0.is_held()
    }

    /// Tells whether the connection is there.
    pub(crate) fn is_connected(&self) -> bool {
        self.0.is_connected()
    }

    /// Tells whether the connection is not there any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.0.is_lost()
    }

    /// Hangs up at once.
    pub(crate) fn abort(&mut self, cx: &mut Cx) {
        self.0.abort(cx);
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Tells what the server answered to the question of a scout.
    pub(crate) fn flight(&self) -> Option<&Flight> {
        self.0.flight()
    }

    /// Gives back what was found out, and the TLS sessions.
    pub(crate) fn finish(self) -> (Observation, SessionCache) {
        self.0.finish()
    }
}
