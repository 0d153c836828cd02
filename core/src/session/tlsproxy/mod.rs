//! Handing a connection to tlsproxy(8), which does the TLS and passes plain text on.
//!
//! ```text
//! daemon                                     here
//!   ── protocol ────────────────────────────▶
//!   ◀──────── endpoint, flags, time limits ──
//!   ◀─── settings, policy, TLSA records ─────
//!   ── status ──────────────────────────────▶
//!   ◀──────────────── the server's socket ───
//!   ── what TLS came to ────────────────────▶
//!   ◀───────────── plain text ──────────────▶
//! ```

mod attributes;
mod request;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use self::attributes::Group;
pub(crate) use self::request::Request;
use crate::context::Cx;
use crate::machine::{Endpoint, Input, IoError, TransportId};
use crate::report::{Peer, ProxyAlgorithm, ProxyError, ProxyFacts};

/// A connection that is being handed over.
#[derive(Debug)]
pub(super) struct Handover {
    request: Arc<Request>,
    peer: Arc<Peer>,
    helo: Bytes,
    /// Which of the forms is tried.
    form: usize,
    daemon: TransportId,
    state: State,
    input: BytesMut,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For the daemon to say what it speaks.
    Greeting,
    /// For its word that TLS is to be had.
    Status,
    /// For what TLS came to; the daemon has the server's socket.
    Result,
}

/// How a handover ended.
#[derive(Debug)]
pub(super) enum Handed {
    /// The daemon's socket is the stream now; some text may have come already.
    Over(Box<ProxyFacts>, Bytes),
    Failed(ProxyError),
}

impl Handover {
    /// Connects to the daemon on behalf of the connection to `peer`, whose EHLO name is `helo`.
    pub(super) fn start(cx: &mut Cx, request: Arc<Request>, peer: Arc<Peer>, helo: Bytes) -> Self {
        let daemon = cx.open(Endpoint::Unix(request.socket().to_owned()));
        let (state, input) = (State::Greeting, BytesMut::new());
        Self { request, peer, helo, form: 0, daemon, state, input }
    }

    /// Tells the daemon's transport.
    pub(super) fn daemon(&self) -> TransportId {
        self.daemon
    }

    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        self.input.len()
    }

    /// Takes an input; `server` is the transport to be handed over.
    pub(super) fn handle(
        &mut self,
        cx: &mut Cx,
        server: TransportId,
        input: &Input,
    ) -> Option<Handed> {
        match input {
            Input::Received(id, bytes) if *id == self.daemon => {
                self.input.extend_from_slice(bytes);
                self.read(cx, server)
            }
            Input::Ended(id) if *id == self.daemon => self.lost(cx, None),
            Input::Failed(id, error) if *id == self.daemon => self.lost(cx, Some(error)),
            Input::Tick
            | Input::Opened(_)
            | Input::Received(..)
            | Input::Ended(_)
            | Input::Failed(..)
            | Input::HostFound(..)
            | Input::Add(_)
            | Input::Stop(_) => None,
        }
    }

    /// Takes what came, group by group.
    fn read(&mut self, cx: &mut Cx, server: TransportId) -> Option<Handed> {
        loop {
            let group = match Group::take(&mut self.input) {
                Ok(Some(group)) => group,
                Ok(None) => return None,
                Err(_) => return Some(Handed::Failed(ProxyError::Misbehaved)),
            };
            match self.state {
                State::Greeting => {
                    if group.text("protocol") != Some("tlsproxy_protocol") {
                        return Some(Handed::Failed(ProxyError::Misbehaved));
                    }
                    let bytes = self.request.write(self.form, &self.peer, &self.helo);
                    cx.send(self.daemon, bytes);
                    self.state = State::Status;
                }
                State::Status => match group.number("status") {
                    Some(0) | None => return Some(Handed::Failed(ProxyError::Unavailable)),
                    Some(_) => {
                        cx.pass(server, self.daemon);
                        self.state = State::Result;
                    }
                },
                State::Result => {
                    let text = std::mem::take(&mut self.input).freeze();
                    return Some(match facts(&group) {
                        Some(facts) => Handed::Over(Box::new(facts), text),
                        None => Handed::Failed(ProxyError::NoResult),
                    });
                }
            }
        }
    }

    /// The daemon hung up: it may know another form of the protocol.
    fn lost(&mut self, cx: &mut Cx, error: Option<&IoError>) -> Option<Handed> {
        let failure = match (self.state, error) {
            (State::Greeting, Some(error)) => ProxyError::Unreachable(error.clone()),
            (State::Greeting, None) => ProxyError::Unavailable,
            (State::Status, _) if self.form + 1 < self.request.forms() => {
                let (request, peer) = (self.request.clone(), self.peer.clone());
                let form = self.form + 1;
                *self = Self { form, ..Self::start(cx, request, peer, self.helo.clone()) };
                return None;
            }
            (State::Status, _) => ProxyError::Unavailable,
            (State::Result, _) => ProxyError::NoResult,
        };
        Some(Handed::Failed(failure))
    }
}

/// Reads what TLS came to. Forms of the protocol add items, and none of these was ever taken away.
fn facts(group: &Group) -> Option<ProxyFacts> {
    let text = |name: &str| group.text(name).map(str::to_owned);
    let signature = |side: &str| {
        Some(ProxyAlgorithm {
            name: text(&format!("{side}_signature"))?,
            curve: text(&format!("{side}_signature_curve"))?,
            bits: group.number(&format!("{side}_signature_bits"))?,
            digest: text(&format!("{side}_signature_digest"))?,
        })
    };
    Some(ProxyFacts {
        peer_name: text("peer_CN")?,
        issuer_name: text("issuer_CN")?,
        certificate_fingerprint: text("peer_fingerprint")?,
        key_fingerprint: text("peer_pubkey_fingerprint")?,
        status: group.number("peer_status")?,
        protocol: text("cipher_protocol")?,
        cipher: text("cipher_name")?,
        used_bits: group.number("cipher_usebits")?,
        algorithm_bits: group.number("cipher_algbits")?,
        key_exchange: ProxyAlgorithm {
            name: text("key_exchange")?,
            curve: text("key_exchange_curve")?,
            bits: group.number("key_exchange_bits")?,
            digest: String::new(),
        },
        client_signature: signature("clnt")?,
        server_signature: signature("srvr")?,
    })
}
