//! One transport between the machine and a peer.

use std::collections::VecDeque;

use bytes::Bytes;
use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::{Input, Instant};

use super::{How, Link};
use crate::peer::Peer;

#[derive(Debug)]
pub(super) enum Happening {
    /// The machine hears this.
    Tell(Input),
    /// The peer hears this.
    PeerOpened(TransportId),
    PeerReceives(TransportId, Bytes),
    PeerEnds(TransportId),
    /// The peer's pause is over.
    PeerGoesOn(TransportId),
    /// The connection breaks at the peer's side.
    Break(TransportId, How),
}

/// One transport of the machine with the peer at its other end.
pub(super) struct Wire {
    pub(super) link: Link,
    pub(super) peer: Box<dyn Peer>,
    pub(super) endpoint: Endpoint,
    pub(super) datagrams: bool,
    pub(super) state: State,
    /// What the machine sent before the transport was open.
    pub(super) queued: Vec<Bytes>,
    /// What the peer heard while it paused.
    pub(super) unheard: VecDeque<Heard>,
    pub(super) pausing: bool,
    /// The peer has hung up or was cut off: nothing comes from it any more.
    pub(super) silent: bool,
    /// The peer has hung up, was cut off or was hung up on: nothing reaches it any more.
    pub(super) deaf: bool,
    /// The machine hung up: what the peer still writes goes nowhere.
    pub(super) hung_up: bool,
    /// The peer knows that it is alone.
    pub(super) over: bool,
    pub(super) in_flight: usize,
    /// When the next piece for the machine can arrive.
    pub(super) free_in: Instant,
    /// Octets of a stream so far, to the machine and to the peer.
    pub(super) count_in: u64,
    pub(super) count_out: u64,
}

impl Wire {
    pub(super) fn end(&mut self) {
        self.over = true;
        self.unheard.clear();
        self.peer.ended();
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Opening,
    Open,
    Gone,
}

#[derive(Debug)]
pub(super) enum Heard {
    Opened,
    Bytes(Bytes),
    End,
}
