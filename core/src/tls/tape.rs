//! What a trace says that the TLS of one connection did, to be played again without the library.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::limits;
use crate::report::{ClientSignature, TunnelCall, TunnelEffect};

use super::sessions::Sessions;
use super::tunnel::Flow;

/// The TLS of one recorded connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tape {
    steps: VecDeque<TapedStep>,
    /// The octets of TLS that were sent, one call after the other.
    sent: Bytes,
    session_left: bool,
}

/// A recorded call, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TapedStep {
    pub(crate) call: TunnelCall,
    pub(crate) sent: usize,
    pub(crate) effect: TunnelEffect,
    pub(crate) signed: Vec<ClientSignature>,
}

impl Tape {
    pub(crate) fn new(steps: Vec<TapedStep>, sent: Bytes) -> Self {
        Self { steps: steps.into(), sent, session_left: false }
    }

    /// Does what was recorded for the next call if it is of the same kind, else nothing.
    pub(super) fn play(&mut self, call: &TunnelCall) -> Flow {
        let same =
            |step: &TapedStep| std::mem::discriminant(&step.call) == std::mem::discriminant(call);
        if !self.steps.front().is_some_and(same) {
            return Flow::default();
        }
        let Some(TapedStep { sent, effect, signed, .. }) = self.steps.pop_front() else {
            return Flow::default();
        };
        self.session_left = effect.session_left;
        let mut to_peer = Vec::from(self.sent.split_to(sent.min(self.sent.len())));
        // What the transport was too dead to take is not in the trace.
        to_peer.resize(sent.min(limits::HANDSHAKE), 0);
        Flow { to_peer, effect, signed, secrets: Vec::new() }
    }

    /// Tells how many of the last `octets` received wait for the next call, in which they are read.
    pub(super) fn waiting(&self, octets: usize) -> usize {
        let calls = self.steps.iter().map(|step| &step.call);
        let mut next = calls.take_while(|call| !matches!(call, TunnelCall::Receive));
        let waiting = next.find_map(|call| match call {
            TunnelCall::GoOn(waiting) => Some(*waiting),
            TunnelCall::Start | TunnelCall::Receive | TunnelCall::Send(_) | TunnelCall::Close => {
                None
            }
        });
        waiting.filter(|waiting| *waiting < octets).unwrap_or(0)
    }

    /// Gives a stand-in for the sessions that there were.
    pub(super) fn into_sessions(self) -> Sessions {
        Sessions::stand_in(self.session_left)
    }
}
