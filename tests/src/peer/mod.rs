//! Peers: the far end of a transport, sans-IO, so that the virtual world and real sockets run the
//! very same ones.

mod legacy;
mod mail;
pub(crate) mod names;
mod script;
mod tls;

use std::time::Duration;

use bytes::Bytes;

pub use legacy::{Heard, Legacy, Refusal};
pub use mail::{Journal, MailServer};
pub use names::NameServer;
pub use script::{Answer, Behind, Script};
pub use tls::{ClientAuth, Tickets, TlsSetup};

/// The far end of one transport.
///
/// After each of the calls that tell it something, [`act`](Self::act) is called until it has
/// nothing more to do. Only then, and after the pauses it asked for, it hears more.
pub trait Peer: Send {
    /// The transport is open.
    fn opened(&mut self) {}

    /// A piece of the stream, or one datagram, arrived.
    fn received(&mut self, bytes: &[u8]);

    /// The other side hung up.
    fn ended(&mut self) {}

    /// Decides what to do next.
    fn act(&mut self) -> Option<Act>;
}

/// Something that accepts transports.
pub trait Host: Send + Sync {
    /// Makes the peer for one more transport.
    fn accept(&self) -> Box<dyn Peer>;
}

impl<F: Fn() -> Box<dyn Peer> + Send + Sync> Host for F {
    fn accept(&self) -> Box<dyn Peer> {
        self()
    }
}

/// What a peer does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// Writes a piece of the stream, or one datagram.
    Send(Bytes),
    /// Does nothing for a while.
    Pause(Duration),
    /// Hangs up after what was sent; the other side sees an end of stream.
    End,
    /// Breaks the connection off. Of datagrams: tells that nobody is there.
    Reset,
}

/// A peer that never says anything.
#[derive(Clone, Copy, Debug)]
pub struct Silence;

impl Peer for Silence {
    fn received(&mut self, _: &[u8]) {}

    fn act(&mut self) -> Option<Act> {
        None
    }
}
