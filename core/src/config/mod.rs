//! What the caller decided, validated.

mod ciphers;
mod curves;
mod dane_digests;
mod lookup;
mod maincf;
mod offer;
mod policy;
mod protocols;
mod proxy;
mod scan;
mod trust;

pub use ciphers::{CipherListError, cipher_list, whole_cipher_list};
pub use curves::GroupLists;
pub use dane_digests::{DaneDigestProblem, DaneDigests};
pub use lookup::{
    AddressFamilies, BadDnssecProbe, DnssecProbe, DnssecTrust, HostLookup, InsecureMx, Lookup,
};
pub use maincf::{CompatibilityLevel, MacroError, MainCf, Overridden, Problem, SyntaxError};
pub use offer::{Groups, Offer, OfferFlaw, ServerCertificates, ServerKeys, Versions, WiderOffer};
pub use policy::{MalformedPin, MatchRule, Pin, Policy};
pub use protocols::{InvalidProtocols, Protocols};
pub use proxy::{Proxy, ProxyForm};
pub use scan::{BadBlock, Blocklist, ScanConfig, ScanLimits};
pub use trust::{Anchor, TrustError, TrustStore, read_trust};

use std::sync::Arc;
use std::time::Duration;

use crate::destination::Destination;

/// Everything that decides a probe besides seed, time and what the world does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// What to probe.
    pub destination: Destination,
    /// SMTP or LMTP.
    pub dialect: Dialect,
    /// TLS comes first, before any reply (`-w`).
    pub wrapper: bool,
    /// The name in EHLO or LHLO (RFC 5321 section 4.1.1.1).
    pub helo_name: Arc<str>,
    /// Limit for the connection, and again for the server's greeting (`-t`).
    pub connect_timeout: Duration,
    /// Limit for each later reply, the TLS handshake and the last words (`-T`).
    pub command_timeout: Duration,
    /// Wait for the reply to QUIT. Nothing depends on it.
    pub await_quit: bool,
    /// Which address family comes first (`-a`).
    pub family: Family,
    /// How mail hosts are found.
    pub lookup: Lookup,
    /// How much TLS is wanted and how it is judged (`-l`).
    pub level: Level,
    /// TLS could not be set up as it was asked for: there is none, whatever the level.
    pub no_tls: bool,
    /// What decides the Offer and the Verdict besides the level.
    pub policy: Policy,
    /// Why the caller's wishes about these cannot be granted; each connection then ends where TLS
    /// would begin.
    pub flaw: Option<OfferFlaw>,
    /// What a scout asks a server for that fails the handshake, or that might be anonymous; `None`
    /// sends none.
    pub scout: Option<WiderOffer>,
    /// Keep TLS sessions and reconnect to reuse them (`-r`, `-m`).
    pub reuse: Option<Reuse>,
    /// Let tlsproxy(8) do the TLS (`-X`).
    pub proxy: Option<Proxy>,
    /// Tell what happens inside TLS: handshake messages and records.
    pub watch: Watch,
    /// Look at the SMTP around TLS too, with up to three more connections to each server.
    pub hygiene: bool,
    /// All randomness comes from the seed, that of ML-KEM included, so that the run can be repeated
    /// from its inputs. Otherwise its secrets come from the system: safer, and faster.
    pub repeatable: bool,
}

/// The protocol that the server speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dialect {
    /// ESMTP (RFC 5321).
    #[default]
    Smtp,
    /// LMTP (RFC 2033).
    Lmtp,
}

impl Dialect {
    /// Tells the command that opens the session.
    pub const fn hello(self) -> &'static str {
        match self {
            Self::Smtp => "EHLO",
            Self::Lmtp => "LHLO",
        }
    }
}

/// Which address family comes first among addresses of equal preference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Family {
    /// None: random order.
    #[default]
    Any,
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

/// How much TLS is wanted, and what a server must show. In rising order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// No TLS.
    None,
    /// TLS if offered; no check.
    May,
    /// TLS; no check.
    Encrypt,
    /// The certificate or its key is pinned by digest.
    Fingerprint,
    /// As `Dane` but for a host whose MX record was not secure. Chosen by the program only.
    HalfDane,
    /// TLSA records decide (RFC 7672) where there are any; otherwise as `Secure`.
    #[default]
    Dane,
    /// As `Dane`; told apart from it where records are missing or unusable.
    DaneOnly,
    /// Trusted chain, and the MX host's name in the certificate.
    Verify,
    /// Trusted chain, and the destination's name in the certificate.
    Secure,
}

impl Level {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::None,
        Self::May,
        Self::Encrypt,
        Self::Fingerprint,
        Self::HalfDane,
        Self::Dane,
        Self::DaneOnly,
        Self::Verify,
        Self::Secure,
    ];

    /// Tells the word for this level on a command line; `HalfDane` is never chosen there.
    pub const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::May => "may",
            Self::Encrypt => "encrypt",
            Self::Fingerprint => "fingerprint",
            Self::HalfDane => "half-dane",
            Self::Dane => "dane",
            Self::DaneOnly => "dane-only",
            Self::Verify => "verify",
            Self::Secure => "secure",
        }
    }
}

/// A server name that a caller asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerNameChoice {
    /// The name of the host that is connected to.
    Hostname,
    /// The destination's domain.
    Nexthop,
    /// This name.
    Name(String),
}

/// How TLS sessions are kept and reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// The pause before each reconnection; zero keeps sessions but does not reconnect.
    pub delay: Duration,
    /// How many reconnections at most.
    pub limit: u32,
}

/// What is told of the inside of TLS. Costs copies, so it is off by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Watch {
    /// Handshake messages and alerts, decoded as far as they are plain.
    pub messages: bool,
    /// Records of the handshake as bytes.
    pub handshake_bytes: bool,
    /// Records after the handshake as bytes, and the beginning of the text inside.
    pub session_bytes: bool,
    /// The secrets of each connection.
    pub secrets: bool,
}

impl Default for Config {
    /// The reference's defaults, for the destination `localhost`.
    fn default() -> Self {
        Self {
            destination: Destination {
                text: "localhost".to_owned(),
                place: crate::destination::Place::Inet {
                    host: "localhost".to_owned(),
                    literal: false,
                    service: None,
                    port: 25,
                },
            },
            dialect: Dialect::Smtp,
            wrapper: false,
            helo_name: "localhost".into(),
            connect_timeout: Duration::from_secs(30),
            command_timeout: Duration::from_secs(30),
            await_quit: true,
            family: Family::Any,
            lookup: Lookup::default(),
            level: Level::Dane,
            no_tls: false,
            policy: Policy::default(),
            flaw: None,
            scout: None,
            reuse: None,
            proxy: None,
            watch: Watch::default(),
            hygiene: false,
            repeatable: false,
        }
    }
}
