//! What follows the judgement: EHLO inside TLS, QUIT, and the close.

use crate::context::Cx;
use crate::machine::Input;
use crate::report::{Observation, TlsFacts};
use crate::time::Instant;
use crate::tls::SessionCache;

use super::approach::Approach;
use super::dialogue::Dialogue;

/// The rest of a session.
#[derive(Debug)]
pub(crate) struct Farewell(Dialogue);

/// A [`Farewell`] is over, and so is the session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Over;

impl Farewell {
    /// Goes on where the approach ended.
    pub(crate) fn start(cx: &mut Cx, Approach(mut dialogue): Approach) -> Self {
        dialogue.begin_farewell(cx);
        Self(dialogue)
    }

    /// Tells when to give up waiting, and for what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        self.0.deadline()
    }

    /// Takes an input; speaks once, at its end.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Over> {
        self.0.handle(cx, input).map(|_| Over)
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.0.buffered()
    }

    /// Tells the TLS connection.
    pub(crate) fn tls(&self) -> Option<&TlsFacts> {
        self.0.observation().tls.as_deref()
    }

    /// Tells whether the server gave a TLS session to be reused.
    pub(crate) fn has_saved(&self) -> bool {
        self.0.has_saved()
    }

    /// Hangs up at once.
    pub(crate) fn abort(&mut self, cx: &mut Cx) {
        self.0.abort(cx);
    }

    /// Gives back what was found out, and the TLS sessions.
    pub(crate) fn finish(self) -> (Observation, SessionCache) {
        self.0.finish()
    }
}
