//! The scout: asks a server by a hand-made ClientHello what it would do, and reads its answer.
//!
//! It speaks what the TLS library does not: SSL 3 to TLS 1.3, any suite, group or signature. It never
//! completes a handshake: no secret is made, and the connection ends by an alert after the server's
//! flight. Plain calls from bytes to bytes.

mod flight;
mod hello;
mod names;
mod proof;
#[cfg(test)]
mod tests;

pub use flight::{Flight, FlightEnd, KeyExchange, ServerSignature};
pub use hello::{Protocol, ScoutHello};
pub(crate) use names::{all_groups, all_schemes, tls13_schemes};
pub use names::{group_bits, group_name, group_number, scheme_name};
pub use proof::Proof;

use std::sync::Arc;

use bytes::Bytes;

/// A question to a server, and what came of it so far.
#[derive(Clone, Debug)]
pub struct Scout {
    hello: Arc<ScoutHello>,
    reader: flight::FlightReader,
}

impl Scout {
    /// Counts the octets received and held.
    pub fn buffered(&self) -> usize {
        self.reader.buffered()
    }

    /// Begins; the octets are what goes to the server first.
    pub fn start(hello: Arc<ScoutHello>, random: [u8; 32]) -> (Self, Bytes) {
        let octets = hello.encode(&random);
        (Self { hello, reader: flight::FlightReader::new(random) }, octets)
    }

    /// Takes what the server sent. Once its flight is over this hands out the alert that ends the
    /// connection, and takes nothing more.
    pub fn receive(&mut self, octets: &[u8]) -> Option<Bytes> {
        self.reader.receive(octets).then(|| self.alert())
    }

    /// Tells whether the flight is over.
    pub fn is_over(&self) -> bool {
        self.reader.flight().end != FlightEnd::Cut
    }

    /// Tells what was asked.
    pub fn hello(&self) -> &Arc<ScoutHello> {
        &self.hello
    }

    /// Tells what was answered, as far as it came.
    pub fn flight(&self) -> &Flight {
        self.reader.flight()
    }

    /// The alert of somebody who goes away in the middle of a handshake (RFC 8446 section 6.1):
    /// user_canceled. Before TLS 1.0 there was none of that (RFC 6101 section 5.4.2).
    fn alert(&self) -> Bytes {
        let version = self.flight().version.unwrap_or(Protocol::TLS10);
        let (alert, wire) = match version {
            Protocol::SSL3 => (40, Protocol::SSL3),
            // The version field stopped at TLS 1.2, whatever a server calls its own.
            other => (90, other.clamp(Protocol::TLS10, Protocol::TLS12)),
        };
        let [major, minor] = wire.0.to_be_bytes();
        Bytes::copy_from_slice(&[21, major, minor, 0, 2, 2, alert])
    }
}
