//! How clean a server's SMTP is: what it says of itself, and what it does with odd but harmless
//! input.
//!
//! ```text
//! Observation of the session ──▶ Inspection: PTR lookup, three more connections ──▶ findings ──▶ Hygiene
//! ```
//!
//! `inspection` is a machine that makes the connections, one after the other; nothing is said there
//! but EHLO, STARTTLS, NOOP and QUIT. `findings` are pure functions over what was seen.

mod extensions;
mod findings;
mod inspection;

use std::fmt;

use bytes::Bytes;

pub use extensions::Extension;
pub(crate) use inspection::{Errands, Inspected, Inspection};

use crate::report::Observation;
use crate::resolve::ReverseFacts;
use crate::session::Reply;

/// What was found out about the SMTP of a server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hygiene {
    /// What it offers, outside TLS and inside, by keyword.
    pub extensions: Vec<Extension>,
    /// The names of its address.
    pub reverse: ReverseFacts,
    /// A session in which a command stood behind STARTTLS, in the same segment.
    pub pipelined: Option<Box<Observation>>,
    /// A session in which the server's own name went out in the SNI extension.
    pub named: Option<Box<Observation>>,
    /// A session in which the client gave itself another name.
    pub renamed: Option<Box<Observation>>,
    /// What to think of all that, in a fixed order.
    pub findings: Vec<Finding>,
}

/// One thing that is good to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// What became of the command behind STARTTLS.
    Injection(Injection),
    /// Plain text came behind the reply to STARTTLS, so many octets of it.
    TextBeforeTls(usize),
    /// STARTTLS is offered inside TLS.
    StartTlsInside,
    /// What is offered changes with TLS; STARTTLS itself aside.
    CapabilitiesChange {
        /// Only outside TLS.
        lost: Vec<String>,
        /// Only inside TLS.
        gained: Vec<String>,
    },
    /// AUTH is offered outside TLS, with these mechanisms.
    AuthInPlain {
        /// In upper case.
        mechanisms: Vec<String>,
        /// One of them gives the password away to whoever listens.
        reveals: bool,
    },
    /// AUTH is offered inside TLS only.
    AuthInside,
    /// The name in the reply to EHLO, and whether it can be a host's.
    HelloName {
        /// The name.
        name: Bytes,
        /// It is a fully qualified host name or an address literal.
        valid: bool,
    },
    /// The server gives itself several names.
    NamesDiffer {
        /// In its greeting.
        greeting: Option<Bytes>,
        /// In its reply to EHLO outside TLS.
        outside: Option<Bytes>,
        /// In its reply to EHLO inside TLS.
        inside: Option<Bytes>,
    },
    /// Whether the certificate is for the name in the reply to EHLO.
    HelloNameInCertificate(bool),
    /// The address has no name.
    NoReverseName,
    /// The address has names, and none leads back to it.
    ReverseUnconfirmed,
    /// The address has a name that leads back to it; whether that is the one in the reply to EHLO.
    ReverseConfirmed {
        /// It is.
        is_hello_name: bool,
    },
    /// SMTPUTF8 is offered without 8BITMIME.
    SmtpUtf8Without8BitMime,
    /// REQUIRETLS is offered outside TLS.
    RequireTlsOutside,
    /// What the server does if its own name is in the SNI extension.
    OtherName(OtherName),
    /// What becomes of STARTTLS if the client gives itself another name.
    OtherClient(OtherClient),
}

/// What became of a command that stood behind STARTTLS, in the same segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Injection {
    /// It was answered inside TLS: whoever is on the way can put commands into a session.
    Answered(Reply),
    /// It was answered outside TLS, behind the reply to STARTTLS.
    AnsweredOutside,
    /// It was dropped.
    Dropped,
    /// STARTTLS was refused with it.
    Refused(Reply),
    /// There was no TLS with it.
    NoHandshake,
    /// There was no session.
    Unknown,
}

/// What a server does if its own name is in the SNI extension (RFC 6066 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OtherName {
    /// It shows the same certificate.
    SameCertificate,
    /// It shows another one; whether that is for the name.
    OtherCertificate {
        /// It is.
        fits: bool,
    },
    /// The handshake fails.
    NoHandshake,
    /// There was no session.
    Unknown,
}

/// What becomes of STARTTLS under a hello with another name of the client. Servers do not refuse mail
/// for that name alone (RFC 5321 section 4.1.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OtherClient {
    /// The server shows the same certificate.
    SameCertificate,
    /// It shows another one.
    OtherCertificate,
    /// It does not offer STARTTLS then.
    NoStartTls,
    /// The hello or STARTTLS is refused.
    Refused(Reply),
    /// The handshake fails.
    NoHandshake,
    /// There was no session.
    Unknown,
}

/// The other name of the client, which is nobody's (RFC 6761 section 6.4).
pub(crate) const OTHER_CLIENT: &str = "client.invalid";

/// How good something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// As it should be.
    Good,
    /// Good to know.
    Note,
    /// Could not be found out.
    Unknown,
    /// Against a standard, or bad practice.
    Weak,
    /// A hole.
    Bad,
}

impl fmt::Display for Grade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Good => "good",
            Self::Note => "note",
            Self::Unknown => "unknown",
            Self::Weak => "weak",
            Self::Bad => "bad",
        })
    }
}

impl Finding {
    /// Tells how good it is.
    pub const fn grade(&self) -> Grade {
        match self {
            Self::Injection(Injection::Answered(_)) => Grade::Bad,
            Self::Injection(Injection::Dropped | Injection::Refused(_))
            | Self::AuthInside
            | Self::HelloName { valid: true, .. }
            | Self::HelloNameInCertificate(true)
            | Self::ReverseConfirmed { is_hello_name: true }
            | Self::OtherName(
                OtherName::SameCertificate | OtherName::OtherCertificate { fits: true },
            )
            | Self::OtherClient(OtherClient::SameCertificate) => Grade::Good,
            Self::Injection(Injection::NoHandshake)
            | Self::CapabilitiesChange { .. }
            | Self::AuthInPlain { reveals: false, .. }
            | Self::NamesDiffer { .. }
            | Self::HelloNameInCertificate(false)
            | Self::ReverseConfirmed { is_hello_name: false }
            | Self::OtherName(OtherName::OtherCertificate { fits: false })
            | Self::OtherClient(OtherClient::OtherCertificate | OtherClient::Refused(_)) => {
                Grade::Note
            }
            Self::Injection(Injection::Unknown)
            | Self::OtherName(OtherName::Unknown)
            | Self::OtherClient(OtherClient::Unknown) => Grade::Unknown,
            Self::Injection(Injection::AnsweredOutside)
            | Self::TextBeforeTls(_)
            | Self::StartTlsInside
            | Self::AuthInPlain { reveals: true, .. }
            | Self::HelloName { valid: false, .. }
            | Self::NoReverseName
            | Self::ReverseUnconfirmed
            | Self::SmtpUtf8Without8BitMime
            | Self::RequireTlsOutside
            | Self::OtherName(OtherName::NoHandshake)
            | Self::OtherClient(OtherClient::NoStartTls | OtherClient::NoHandshake) => Grade::Weak,
        }
    }

    /// Names the standard or the vulnerability that it rests on.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Injection(_) | Self::TextBeforeTls(_) => "CVE-2011-0411",
            Self::StartTlsInside | Self::CapabilitiesChange { .. } => "RFC 3207 section 4.2",
            Self::AuthInPlain { .. } | Self::AuthInside => "RFC 4954 section 4",
            Self::HelloName { .. } => "RFC 5321 section 4.1.1.1",
            Self::NamesDiffer { .. } => "RFC 5321 section 4.2",
            Self::HelloNameInCertificate(_) => "RFC 9525",
            Self::NoReverseName | Self::ReverseUnconfirmed | Self::ReverseConfirmed { .. } => {
                "RFC 1912 section 2.1"
            }
            Self::SmtpUtf8Without8BitMime => "RFC 6531 section 3.1",
            Self::RequireTlsOutside => "RFC 8689",
            Self::OtherName(_) => "RFC 6066 section 3",
            Self::OtherClient(_) => "RFC 5321 section 4.1.4",
        }
    }

    /// Tells the word for it in documents.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Injection(_) => "starttls-injection",
            Self::TextBeforeTls(_) => "text-before-tls",
            Self::StartTlsInside => "starttls-inside-tls",
            Self::CapabilitiesChange { .. } => "capabilities-change",
            Self::AuthInPlain { .. } => "auth-in-plain",
            Self::AuthInside => "auth-inside-tls",
            Self::HelloName { .. } => "hello-name",
            Self::NamesDiffer { .. } => "names-differ",
            Self::HelloNameInCertificate(_) => "hello-name-in-certificate",
            Self::NoReverseName | Self::ReverseUnconfirmed | Self::ReverseConfirmed { .. } => {
                "reverse-name"
            }
            Self::SmtpUtf8Without8BitMime => "smtputf8-without-8bitmime",
            Self::RequireTlsOutside => "requiretls-outside-tls",
            Self::OtherName(_) => "own-name-as-sni",
            Self::OtherClient(_) => "other-client-name",
        }
    }
}
