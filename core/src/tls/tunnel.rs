//! TLS on rustls's unbuffered API: bytes in, all consequences out.
//!
//! This is the only file that names rustls's connection type.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rustls::client::UnbufferedClientConnection;
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncryptError, UnbufferedStatus, WriteTraffic,
};
use rustls::{Error, HandshakeKind, InvalidMessage, ProtocolVersion};

use crate::config::Watch;
use crate::limits;
use crate::random::Random;
use crate::report::{
    Alert, ClientSignature, Disclosure, TlsError, TlsFacts, TlsVersion, TunnelEffect,
};
use crate::time::WallTime;

use super::groups;
use super::key_log::Secret;
use super::loan::{Loan, Untold, lend};
use super::provider::Setup;
use super::records::Records;
use super::sessions::Sessions;
use super::suites::Suite;

/// A TLS client connection. Whoever calls it knows whether it is open, closing or broken.
pub(super) struct Tunnel {
    conn: UnbufferedClientConnection,
    buffers: Box<Buffers>,
    closing: bool,
    open: bool,
    handshake_octets: usize,
    loan: Option<Box<Loan>>,
    setup: Arc<Setup>,
}

/// What waits on its way. It is apart from the rest because thousands of connections wait at once,
/// and allocators have sizes of their own.
#[derive(Default)]
struct Buffers {
    /// What arrived and was not consumed. rustls keeps offsets into it between calls: it always
    /// gets this very buffer, shortened only at the front and only as it says.
    incoming: Vec<u8>,
    records: Records,
    /// Plain text that waits for the handshake.
    unsent: Vec<u8>,
}

/// Everything that follows from one call.
#[derive(Debug, Default)]
pub(super) struct Flow {
    /// Bytes for the peer.
    pub(super) to_peer: Vec<u8>,
    pub(super) effect: TunnelEffect,
    /// Handshake signatures by client keys.
    pub(super) signed: Vec<ClientSignature>,
    /// If they are wanted.
    pub(super) secrets: Vec<Secret>,
}

impl Tunnel {
    /// Begins a connection; the flow holds the ClientHello.
    pub(super) fn start(
        setup: &Arc<Setup>,
        random: Random,
        wall_time: WallTime,
        sessions: Sessions,
        watch: Watch,
    ) -> Result<(Self, Flow), TlsError> {
        let identity = setup.identity.clone();
        let loan = Loan::new(&random, wall_time, sessions, identity, watch);
        let mut loan = Some(Box::new(loan));
        let conn = lend(&mut loan, || {
            UnbufferedClientConnection::new(setup.config.clone(), setup.server_name.clone())
        })
        .map_err(|error| explain(&error, None))?;
        let mut tunnel = Self {
            conn,
            buffers: Box::default(),
            closing: false,
            open: false,
            handshake_octets: 0,
            loan,
            setup: setup.clone(),
        };
        let mut flow = Flow::default();
        tunnel.process(wall_time, &mut flow);
        Ok((tunnel, flow))
    }

    /// Takes bytes from the peer, record by record, up to the first record that whoever calls may
    /// want to answer; the others stay in `bytes`.
    pub(super) fn receive(&mut self, wall_time: WallTime, bytes: &mut Bytes) -> Flow {
        let mut flow = Flow::default();
        while let Some(piece) = self.buffers.records.cut(bytes) {
            if !self.open {
                self.handshake_octets += piece.len();
            }
            let too_much = self.buffers.incoming.len() + piece.len() > limits::TLS_INPUT;
            if too_much || self.handshake_octets > limits::HANDSHAKE {
                flow.effect.error = Some(TlsError::Limit);
                break;
            }
            self.buffers.incoming.extend_from_slice(&piece);
            self.process(wall_time, &mut flow);
            let TunnelEffect { text, facts, ended, error, .. } = &flow.effect;
            if facts.is_some() || !text.is_empty() || *ended || error.is_some() {
                break;
            }
        }
        flow
    }

    /// Encrypts plain text, or keeps it until the handshake allows that.
    pub(super) fn send(&mut self, wall_time: WallTime, plain: &[u8]) -> Flow {
        self.buffers.unsent.extend_from_slice(plain);
        let mut flow = Flow::default();
        self.process(wall_time, &mut flow);
        flow
    }

    /// Says close_notify (RFC 8446 section 6.1).
    pub(super) fn close(&mut self, wall_time: WallTime) -> Flow {
        self.closing = true;
        let mut flow = Flow::default();
        self.process(wall_time, &mut flow);
        flow
    }

    /// Tells what is known of the connection; `None` before its handshake is complete.
    fn facts(&self) -> Option<TlsFacts> {
        let version = match self.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_2) => TlsVersion::Tls12,
            Some(ProtocolVersion::TLSv1_3) => TlsVersion::Tls13,
            None | Some(_) => return None,
        };
        let suite = self.conn.negotiated_cipher_suite()?.suite();
        let kind = self.conn.handshake_kind()?;
        let group = self.conn.negotiated_key_exchange_group();
        let chain = self.conn.peer_certificates().unwrap_or_default().iter();
        let record = &self.loan.as_ref()?.record;
        Some(TlsFacts {
            version,
            suite: Suite::by_number(suite.into())?,
            group: group.and_then(|group| groups::by_name(group.name())),
            server_signature: record.server_signature,
            key_proof: record.key_proof,
            client_signature: record.client_signature,
            client_certificate_requested: record.client_certificate_requested,
            chain: chain.map(|der| Bytes::copy_from_slice(der)).take(limits::CHAIN).collect(),
            certificates: self.setup.offer.certificates,
            ocsp: record.ocsp.clone(),
            resumed: kind == HandshakeKind::Resumed,
            hello_retry: kind == HandshakeKind::FullWithHelloRetryRequest,
        })
    }

    /// Ends the connection's life here and gives the sessions back.
    pub(super) fn into_sessions(self) -> Sessions {
        self.loan.map(|loan| loan.sessions).unwrap_or_default()
    }

    fn sessions_stored(&self) -> u64 {
        self.loan.as_ref().map_or(0, |loan| loan.sessions.stored())
    }

    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        self.buffers.incoming.len()
    }

    /// Turns rustls's crank until it wants something from the peer.
    fn process(&mut self, wall_time: WallTime, flow: &mut Flow) {
        let mut text = Vec::new();
        if let Some(loan) = &mut self.loan {
            loan.wall_time = wall_time;
        }
        let stored = self.sessions_stored();
        while self.turn(flow, &mut text) {}
        flow.effect.session_stored |= self.sessions_stored() > stored;
        if !self.open && !self.conn.is_handshaking() {
            // Also if what came behind it in the same record is an error.
            self.open = true;
            flow.effect.facts = self.facts().map(Arc::new);
            if let (Some(name), Some(loan)) = (self.conn.alpn_protocol(), &mut self.loan) {
                let name = Bytes::copy_from_slice(name);
                loan.record.disclose(|| Disclosure::Protocol(name));
            }
        }
        if flow.effect.error.is_some() {
            self.flush_alert(flow, &mut text);
        }
        self.disclose(flow);
        flow.effect.text = text.into();
    }

    /// Takes out what was noted while rustls ran. In TLS 1.2 all of it was on the wire too.
    fn disclose(&mut self, flow: &mut Flow) {
        let Some(Loan { record, sessions, .. }) = self.loan.as_deref_mut() else { return };
        let Untold { signed, disclosures, secrets } =
            record.untold.take().map(|untold| *untold).unwrap_or_default();
        flow.secrets.extend(secrets);
        flow.signed.extend(signed);
        if self.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            flow.effect.disclosures.extend(disclosures);
        }
        flow.effect.session_left = !sessions.is_empty();
    }

    /// Takes one step; `false` when rustls has nothing more to do.
    fn turn(&mut self, flow: &mut Flow, text: &mut Vec<u8>) -> bool {
        let Self { conn, buffers, closing, loan, .. } = self;
        let Buffers { incoming, unsent, .. } = &mut **buffers;
        let effect = &mut flow.effect;
        let UnbufferedStatus { mut discard, state: status } =
            lend(loan, || conn.process_tls_records(incoming));
        let go_on = match status {
            Ok(ConnectionState::EncodeTlsData(mut data)) => {
                append(&mut flow.to_peer, |room| match data.encode(room) {
                    Err(EncodeError::InsufficientSize(error)) => {
                        Written::Needs(error.required_size)
                    }
                    Err(EncodeError::AlreadyEncoded) => Written::Octets(0),
                    Ok(octets) => Written::Octets(octets),
                })
            }
            Ok(ConnectionState::TransmitTlsData(mut data)) => {
                // Finished and the first command after it leave in one segment.
                if let Some(mut traffic) = data.may_encrypt_app_data() {
                    encrypt(&mut traffic, unsent, &mut flow.to_peer);
                }
                data.done();
                true
            }
            Ok(ConnectionState::ReadTraffic(mut data)) => {
                while let Some(Ok(record)) = data.next_record() {
                    discard += record.discard;
                    text.extend_from_slice(record.payload);
                }
                true
            }
            Ok(ConnectionState::WriteTraffic(mut traffic)) => {
                encrypt(&mut traffic, unsent, &mut flow.to_peer);
                if *closing {
                    append(&mut flow.to_peer, |room| written(traffic.queue_close_notify(room)));
                }
                false
            }
            Ok(ConnectionState::PeerClosed) => {
                effect.ended = true;
                true
            }
            Ok(_) => false,
            Err(error) => {
                let refusal = loan.as_mut().and_then(|loan| loan.record.refusal.take());
                effect.error = Some(explain(&error, refusal));
                false
            }
        };
        incoming.drain(..discard.min(incoming.len()));
        go_on
    }

    /// Brings out the alert that rustls queued together with its error, and not a turn more: that
    /// would look at the bad bytes again.
    fn flush_alert(&mut self, flow: &mut Flow, text: &mut Vec<u8>) {
        let error = flow.effect.error.take();
        while self.conn.wants_write() && self.turn(flow, text) {}
        flow.effect.error = error;
    }
}

impl fmt::Debug for Tunnel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tunnel").field("open", &self.open).finish_non_exhaustive()
    }
}

/// What a write into a buffer came to.
enum Written {
    Octets(usize),
    Needs(usize),
}

/// Lets `write` append to `out`, with as much room as it asks for; `false` if it wrote nothing.
fn append(out: &mut Vec<u8>, mut write: impl FnMut(&mut [u8]) -> Written) -> bool {
    let end = out.len();
    loop {
        match write(out.get_mut(end..).unwrap_or_default()) {
            Written::Octets(octets) => {
                out.truncate(end + octets);
                return octets > 0;
            }
            // A second request for as much room would never end.
            Written::Needs(size) if size <= out.len() - end => {
                out.truncate(end);
                return false;
            }
            Written::Needs(size) => out.resize(end + size, 0),
        }
    }
}

fn written(result: Result<usize, EncryptError>) -> Written {
    match result {
        Ok(octets) => Written::Octets(octets),
        Err(EncryptError::InsufficientSize(error)) => Written::Needs(error.required_size),
        Err(EncryptError::EncryptExhausted) => Written::Octets(0),
    }
}

fn encrypt<Data>(traffic: &mut WriteTraffic<'_, Data>, unsent: &mut Vec<u8>, out: &mut Vec<u8>) {
    if !unsent.is_empty() {
        append(out, |room| written(traffic.encrypt(unsent, room)));
        unsent.clear();
    }
}

/// Says in our words what rustls says, and whose fault it was.
fn explain(error: &Error, refusal: Option<TlsError>) -> TlsError {
    if let Some(refusal) = refusal {
        return refusal;
    }
    #[expect(clippy::wildcard_enum_match_arm, reason = "rustls's error is open-ended")]
    match error {
        Error::AlertReceived(alert) => TlsError::AlertReceived(Alert(u8::from(*alert))),
        Error::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => TlsError::NotTls,
        Error::InvalidMessage(_)
        | Error::PeerMisbehaved(_)
        | Error::InappropriateMessage { .. }
        | Error::InappropriateHandshakeMessage { .. }
        | Error::InvalidCertificate(_)
        | Error::NoCertificatesPresented
        | Error::DecryptError
        | Error::PeerSentOversizedRecord => TlsError::Misbehaved(error.to_string()),
        Error::PeerIncompatible(_) | Error::UnsupportedNameType => {
            TlsError::Incompatible(error.to_string())
        }
        _ => TlsError::Other(error.to_string()),
    }
}
