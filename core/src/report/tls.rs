//! What is found out about TLS.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{OfferFlaw, ServerCertificates};
use crate::judge::Status;
use crate::machine::{IoError, IoErrorKind, TransportId};
pub use crate::tls::{
    Extension, ExtensionContent, HandshakeContent, HandshakeMessage, Hello, KeyShare, Secret,
};
use crate::tls::{Suite, TicketFacts};

/// A protocol version that this program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

impl fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// A key exchange group that this program speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    /// X25519MLKEM768 (draft-ietf-tls-ecdhe-mlkem).
    X25519MlKem768,
    /// X25519 (RFC 7748).
    X25519,
    /// NIST P-256.
    Secp256r1,
    /// NIST P-384.
    Secp384r1,
    /// NIST P-521.
    Secp521r1,
}

impl Group {
    /// All of them, the strongest against tomorrow's computers first.
    pub const ALL: [Self; 5] =
        [Self::X25519MlKem768, Self::X25519, Self::Secp256r1, Self::Secp384r1, Self::Secp521r1];
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::X25519MlKem768 => "X25519MLKEM768",
            Self::X25519 => "x25519",
            Self::Secp256r1 => "secp256r1",
            Self::Secp384r1 => "secp384r1",
            Self::Secp521r1 => "secp521r1",
        })
    }
}

/// A TLS SignatureScheme by its IANA number (RFC 8446 section 4.2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureScheme(pub u16);

/// What is known of a TLS connection once its handshake is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// Protocol version.
    pub version: TlsVersion,
    /// Cipher suite.
    pub suite: &'static Suite,
    /// Key exchange group; unknown when a TLS 1.2 session was resumed.
    pub group: Option<Group>,
    /// The scheme of the server's handshake signature; none when a session was resumed.
    pub server_signature: Option<SignatureScheme>,
    /// Whether the server proved that it owns the key it showed.
    pub key_proof: KeyProof,
    /// The scheme of our own handshake signature, if a client certificate was sent.
    pub client_signature: Option<SignatureScheme>,
    /// The server asked for a client certificate.
    pub client_certificate_requested: bool,
    /// The certificates as sent, leaf first, or one SubjectPublicKeyInfo (RFC 7250). On a resumed
    /// session they are those of the session's first connection.
    pub chain: Vec<Bytes>,
    /// What `chain` holds.
    pub certificates: ServerCertificates,
    /// The stapled OCSP response, unverified.
    pub ocsp: Option<Bytes>,
    /// A session was resumed.
    pub resumed: bool,
    /// The server asked for another key share (HelloRetryRequest).
    pub hello_retry: bool,
}

impl TlsFacts {
    /// Finds the server's own certificate; raw public keys are none.
    pub fn certificate(&self) -> Option<&Bytes> {
        self.chain.first().filter(|_| self.certificates == ServerCertificates::X509)
    }
}

/// Whether a server proved in the handshake that it owns the key it showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeyProof {
    /// The session was resumed: the proof is the session's first connection.
    #[default]
    Earlier,
    /// The handshake signature is right.
    Proved,
    /// The key is of a kind whose signatures cannot be verified here.
    Unverifiable,
}

/// Who sent something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// This program to the server.
    Sent,
    /// The server to this program.
    Received,
}

/// A TLS alert (RFC 8446 section 6) by its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Alert(pub u8);

/// A look inside TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsNote {
    /// A record crossed the wire (RFC 8446 section 5.1); what is in it follows.
    Record(Direction, RecordHeader),
    /// A handshake message, or the end of the handshake.
    Message(Direction, TlsMessage),
    /// An alert, as far as it could be read.
    Alert(Direction, Alert),
    /// A record or a piece of one, as it crossed the wire.
    Wire(Direction, Bytes),
    /// Text inside TLS.
    Text {
        /// Who sent it.
        direction: Direction,
        /// How much it is.
        octets: usize,
        /// Its first octets.
        beginning: Bytes,
    },
    /// A secret of the connection.
    Secret(Secret),
    /// A handshake signature by a client key; told always, because traces repeat it without the key.
    Signed(ClientSignature),
    /// What came of one call of the TLS layer; told in runs that are
    /// [`repeatable`](crate::config::Config::repeatable), because traces repeat it without the
    /// library.
    Tunnel(Box<TunnelStep>),
}

impl TlsNote {
    /// Tells of a ticket that the server gave.
    pub(crate) fn ticket(&self) -> Option<TicketFacts> {
        let Self::Message(Direction::Received, message) = self else { return None };
        match message {
            TlsMessage::Disclosed(Disclosure::Ticket(facts)) => Some(*facts),
            TlsMessage::Plain(message) => message.ticket(),
            TlsMessage::Disclosed(_)
            | TlsMessage::ChangeCipherSpec
            | TlsMessage::Encrypted
            | TlsMessage::Complete => None,
        }
    }

    /// Tells of an application protocol that the server chose in TLS 1.3.
    pub(crate) fn protocol(&self) -> Option<&Bytes> {
        if let Self::Message(_, TlsMessage::Disclosed(Disclosure::Protocol(name))) = self {
            Some(name)
        } else {
            None
        }
    }
}

/// One call of a connection's TLS layer, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelStep {
    /// The connection.
    pub transport: TransportId,
    /// What was asked of TLS.
    pub call: TunnelCall,
    /// How many octets of TLS went out.
    pub sent: usize,
    /// What else came of it.
    pub effect: TunnelEffect,
}

/// What is asked of a connection's TLS layer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TunnelCall {
    /// Begin the handshake.
    Start,
    /// Take what the server sent, up to what the session may want to answer first.
    Receive,
    /// Take more of it: so many octets wait.
    GoOn(usize),
    /// Send this text.
    Send(Bytes),
    /// Say close_notify (RFC 8446 section 6.1).
    Close,
}

/// What comes of a call of the TLS layer besides octets for the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TunnelEffect {
    /// Plain text from the server.
    pub text: Bytes,
    /// The handshake became complete.
    pub facts: Option<Arc<TlsFacts>>,
    /// The server said close_notify: no more plain text will come.
    pub ended: bool,
    /// TLS failed. What went out ends with the alert that tells the server so.
    pub error: Option<TlsError>,
    /// The server gave a session to be reused later.
    pub session_stored: bool,
    /// A session is there to be reused later.
    pub session_left: bool,
    /// What encrypted messages said, if [`Watch`](crate::config::Watch) asks for messages.
    pub disclosures: Vec<Disclosure>,
}

/// The header of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHeader {
    /// The content type.
    pub kind: u8,
    /// The version field, which means nothing since TLS 1.3.
    pub version: u16,
    /// Octets of the body.
    pub octets: u16,
}

/// A handshake signature that a client key made.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSignature {
    /// How it was made.
    pub scheme: SignatureScheme,
    /// The SHA-256 digest of what was signed.
    pub message: [u8; 32],
    /// The signature.
    pub signature: Bytes,
}

/// What a handshake message is, as far as it can be told from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsMessage {
    /// A message that was in plain text.
    Plain(HandshakeMessage),
    /// ChangeCipherSpec.
    ChangeCipherSpec,
    /// An encrypted record of the handshake.
    Encrypted,
    /// What an encrypted message of TLS 1.3 said to those who work with it.
    Disclosed(Disclosure),
    /// The handshake is complete.
    Complete,
}

/// What an encrypted handshake message of TLS 1.3 said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disclosure {
    /// The server's certificates, leaf first, or its key (RFC 8446 section 4.4.2); at most
    /// [`limits::CHAIN`](crate::limits::CHAIN).
    Certificate(Vec<Bytes>),
    /// The server's signature (RFC 8446 section 4.4.3), by its scheme.
    Signature(SignatureScheme),
    /// The server asks for a client certificate (RFC 8446 section 4.3.2); these are the schemes
    /// that it can verify.
    CertificateRequest(Vec<SignatureScheme>),
    /// A ticket for resumption (RFC 8446 section 4.6.1).
    Ticket(TicketFacts),
    /// The application protocol that the server chose among its encrypted extensions (RFC 7301
    /// section 3.1).
    Protocol(Bytes),
}

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The policy left nothing to offer.
    NothingToOffer(OfferFlaw),
    /// The server closed the connection.
    Lost,
    /// The connection broke.
    Broke(IoError),
    /// The deadline passed.
    TimedOut,
    /// TLS itself failed.
    Tls(TlsError),
    /// It was tlsproxy(8) that was to do the TLS, and did not.
    Proxy(ProxyError),
}

impl HandshakeError {
    /// Tells whether the reason may be that the two sides have too little in common: whoever speaks
    /// more could have agreed.
    pub fn may_be_for_want(&self) -> bool {
        use OfferFlaw::{NoGroup, NoSuite, NoVersion};
        match self {
            Self::NothingToOffer(flaw) => matches!(flaw, NoVersion | NoSuite | NoGroup),
            // Old servers just hang up.
            Self::Lost => true,
            Self::Broke(error) => error.kind == IoErrorKind::Reset,
            Self::TimedOut | Self::Proxy(_) => false,
            Self::Tls(error) => match error {
                TlsError::AlertReceived(alert) => alert.may_be_for_want(),
                TlsError::Incompatible(_) | TlsError::UnsupportedKey => true,
                TlsError::NotTls
                | TlsError::Misbehaved(_)
                | TlsError::BadSignature
                | TlsError::Limit
                | TlsError::Other(_) => false,
            },
        }
    }
}

impl Alert {
    /// The server speaks no version that it was offered (RFC 8446 section 6.2).
    pub const PROTOCOL_VERSION: Self = Self(70);

    /// The server speaks a higher version than a client fell back to (RFC 7507 section 3).
    pub const INAPPROPRIATE_FALLBACK: Self = Self(86);

    /// Tells whether it may mean that the two sides have too little in common: handshake_failure,
    /// protocol_version and insufficient_security say so; illegal_parameter and internal_error are
    /// what some servers say instead.
    pub const fn may_be_for_want(self) -> bool {
        matches!(self.0, 40 | 47 | 70 | 71 | 80)
    }
}

/// Why tlsproxy(8) did no TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyError {
    /// Its socket cannot be reached.
    Unreachable(IoError),
    /// It does no TLS for clients, or knows none of the forms of its protocol that were tried.
    Unavailable,
    /// What it says is not of its protocol.
    Misbehaved,
    /// It says nothing.
    TimedOut,
    /// It took the server's socket and told of no TLS: the handshake failed.
    NoResult,
}

/// What tlsproxy(8) tells of a TLS connection, in its own words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyFacts {
    /// A name of the server's certificate.
    pub peer_name: String,
    /// The name of who issued it.
    pub issuer_name: String,
    /// The digest of the certificate.
    pub certificate_fingerprint: String,
    /// The digest of its key.
    pub key_fingerprint: String,
    /// Its verdict, as bits.
    pub status: u32,
    /// Protocol version.
    pub protocol: String,
    /// Cipher suite.
    pub cipher: String,
    /// The key bits that are used.
    pub used_bits: u32,
    /// The key bits that the algorithm has.
    pub algorithm_bits: u32,
    /// The key exchange; it has no digest.
    pub key_exchange: ProxyAlgorithm,
    /// This client's signature; nameless if there was none.
    pub client_signature: ProxyAlgorithm,
    /// The server's signature.
    pub server_signature: ProxyAlgorithm,
}

/// The algorithm of a signature or of the key exchange in [`ProxyFacts`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxyAlgorithm {
    /// The algorithm.
    pub name: String,
    /// The curve, if it has one.
    pub curve: String,
    /// The key's bits, if they matter.
    pub bits: u32,
    /// The digest, if there is one.
    pub digest: String,
}

impl ProxyFacts {
    /// Tells the verdict.
    pub const fn verdict(&self) -> Status {
        const PRESENT: u32 = 1;
        const TRUSTED: u32 = 4;
        const SECURED: u32 = 16;
        match self.status {
            status if status & PRESENT == 0 => Status::Anonymous,
            status if status & SECURED != 0 => Status::Verified,
            status if status & TRUSTED != 0 => Status::Trusted,
            _ => Status::Untrusted,
        }
    }
}

/// What went wrong in TLS, and whose fault it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsError {
    /// The server sent a fatal alert.
    AlertReceived(Alert),
    /// The server does not speak TLS.
    NotTls,
    /// The server broke the protocol; the detail is the library's.
    Misbehaved(String),
    /// The server wants what this program does not offer; the detail is the library's.
    Incompatible(String),
    /// The server's handshake signature is wrong: it does not own the key it showed.
    BadSignature,
    /// The server's key is of a kind that cannot be verified here.
    UnsupportedKey,
    /// The server exceeded a bound of [`limits`](crate::limits).
    Limit,
    /// Anything else; the detail is the library's.
    Other(String),
}
