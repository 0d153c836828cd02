//! Why a lookup found nothing.

use std::fmt;
use std::sync::Arc;

use domain::base::iana::Rtype;

use super::dnssec::Proof;
use super::extended::ExtendedError;
use crate::machine::IoError;
use crate::report::TlsError;

/// Why a lookup found nothing. Shows itself in the reference's words, which scripts look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupError {
    /// DNS has no answer.
    Dns {
        /// The name that was asked for, or the end of its alias chain.
        name: String,
        /// What was asked for.
        record: RecordType,
        /// Why there is none.
        problem: DnsProblem,
        /// What the name server said besides.
        extended: Vec<ExtendedError>,
    },
    /// DNS cannot hold the name, or the answer names something that cannot be a host.
    InvalidName {
        /// The name that was asked for.
        name: String,
    },
    /// The aliases of a name never end.
    AliasLoop {
        /// Where the chain was left.
        name: String,
    },
    /// The domain says that it accepts no mail (RFC 7505).
    NullMx {
        /// The domain.
        domain: String,
    },
    /// The domain says that the service does not exist there (RFC 2782: a target of `.`).
    NoService {
        /// The name that was asked for, such as `_smtp._tcp.example.org`.
        query: String,
    },
    /// The system's lookup failed.
    Native {
        /// The name that was looked up.
        host: String,
        /// What the system said.
        error: IoError,
    },
    /// The system's lookup found nothing.
    NativeNotFound {
        /// The name that was looked up.
        host: String,
    },
    /// The caller allows no kind of host lookup.
    Disabled {
        /// The host.
        host: String,
    },
}

/// Why DNS has no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DnsProblem {
    /// The name does not exist (NXDOMAIN).
    NoSuchName,
    /// The name has no records of this type.
    NoData,
    /// No name server could find out (SERVFAIL).
    ServFail,
    /// The name servers do not want to answer (REFUSED, NOTIMP).
    Refused,
    /// The name servers answer with another error, told by number.
    Rcode(u16),
    /// The answers make no sense.
    Malformed,
    /// The answer failed validation.
    Bogus(Arc<Proof>),
    /// No answer came in time.
    TimedOut,
    /// The name servers cannot be reached.
    Unreachable(IoError),
    /// There is no TLS with the name servers.
    Tls(TlsError),
}

/// A problem, and what a name server said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) problem: DnsProblem,
    pub(crate) extended: Vec<ExtendedError>,
}

impl From<DnsProblem> for Trouble {
    fn from(problem: DnsProblem) -> Self {
        Self { problem, extended: Vec::new() }
    }
}

impl LookupError {
    /// What the name server said about the failure in extended errors (RFC 8914).
    pub fn extended(&self) -> &[ExtendedError] {
        match self {
            Self::Dns { extended, .. } => extended,
            Self::InvalidName { .. }
            | Self::AliasLoop { .. }
            | Self::NullMx { .. }
            | Self::NoService { .. }
            | Self::Native { .. }
            | Self::NativeNotFound { .. }
            | Self::Disabled { .. } => &[],
        }
    }

    /// Tells which of two errors says more: not found, hard failure, invalid name, try again.
    pub(crate) fn rank(&self) -> u8 {
        match self {
            Self::Dns { problem, .. } => match problem {
                DnsProblem::NoSuchName | DnsProblem::NoData => 0,
                DnsProblem::Rcode(_) | DnsProblem::Malformed => 1,
                DnsProblem::ServFail
                | DnsProblem::Bogus(_)
                | DnsProblem::Refused
                | DnsProblem::TimedOut
                | DnsProblem::Unreachable(_)
                | DnsProblem::Tls(_) => 3,
            },
            Self::AliasLoop { .. } | Self::NativeNotFound { .. } => 0,
            Self::NullMx { .. }
            | Self::NoService { .. }
            | Self::Native { .. }
            | Self::Disabled { .. } => 1,
            Self::InvalidName { .. } => 2,
        }
    }

    /// Tells whether the world is sure that there is nothing.
    pub fn is_not_found(&self) -> bool {
        self.rank() == 0
    }
}

impl fmt::Display for LookupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dns { name, record, problem: DnsProblem::Malformed, .. } => write!(
                f,
                "Name service error for name={name} type={record}: \
                 Malformed or unexpected name server reply"
            ),
            Self::Dns { name, record, problem, .. } => write!(
                f,
                "Host or domain name not found. \
                 Name service error for name={name} type={record}: {problem}"
            ),
            Self::InvalidName { name } => {
                write!(f, "Name service error for {name}: invalid host or domain name")
            }
            Self::AliasLoop { name } => write!(f, "Name server loop for {name}"),
            Self::NullMx { domain } => write!(f, "Domain {domain} does not accept mail (nullMX)"),
            Self::NoService { query } => {
                write!(f, "Domain {query} does not support SRV requests")
            }
            Self::Native { host, error } => write!(f, "unable to look up host {host}: {error}"),
            Self::NativeNotFound { host } => write!(f, "{host}: host not found"),
            Self::Disabled { host } => write!(f, "{host}: host lookups are disabled"),
        }
    }
}

impl std::error::Error for LookupError {}

/// The C library's words for the problem.
impl fmt::Display for DnsProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchName => "Host not found",
            Self::NoData => "Host found but no data record of requested type",
            Self::ServFail | Self::Refused | Self::TimedOut | Self::Unreachable(_) => {
                "Host not found, try again"
            }
            Self::Tls(error) => return write!(f, "DNS over TLS: {}", words(error)),
            Self::Bogus(proof) => return write!(f, "DNSSEC: {}", proof.security),
            Self::Rcode(_) | Self::Malformed => "Non-recoverable error",
        })
    }
}

fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) => format!("the name server sent alert {}", alert.0),
        TlsError::NotTls => "the name server does not speak TLS".to_owned(),
        TlsError::BadSignature => "the name server does not own its key".to_owned(),
        TlsError::UnsupportedKey => "the name server's key is of an unsupported kind".to_owned(),
        TlsError::Limit => "the name server sends too much".to_owned(),
        TlsError::Misbehaved(text) | TlsError::Incompatible(text) | TlsError::Other(text) => {
            text.clone()
        }
    }
}

/// The type of a DNS record by its IANA number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(pub u16);

impl RecordType {
    /// An IPv4 address (RFC 1035).
    pub const A: Self = Self(1);
    /// A name server (RFC 1035).
    pub const NS: Self = Self(2);
    /// An alias (RFC 1035).
    pub const CNAME: Self = Self(5);
    /// A mail exchanger (RFC 1035).
    pub const MX: Self = Self(15);
    /// An IPv6 address (RFC 3596).
    pub const AAAA: Self = Self(28);
    /// The start of a zone (RFC 1035).
    pub const SOA: Self = Self(6);
    /// A pointer to a name (RFC 1035).
    pub const PTR: Self = Self(12);
    /// A service (RFC 2782).
    pub const SRV: Self = Self(33);
    /// An alias of everything below a name (RFC 6672).
    pub const DNAME: Self = Self(39);
    /// A key of a delegated zone (RFC 4034).
    pub const DS: Self = Self(43);
    /// A signature (RFC 4034).
    pub const RRSIG: Self = Self(46);
    /// A denial (RFC 4034).
    pub const NSEC: Self = Self(47);
    /// A key of a zone (RFC 4034).
    pub const DNSKEY: Self = Self(48);
    /// A denial by hash (RFC 5155).
    pub const NSEC3: Self = Self(50);
    /// A certificate association (RFC 6698).
    pub const TLSA: Self = Self(52);

    /// Finds a type by its mnemonic in any case, or by `TYPE` and a number (RFC 3597).
    pub fn from_text(text: &str) -> Option<Self> {
        text.parse::<Rtype>().ok().map(|rtype| Self(rtype.to_int()))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Rtype::from_int(self.0).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::IoErrorKind;

    #[test]
    fn errors_speak_as_the_reference_does() {
        let dns = |problem| LookupError::Dns {
            name: "d.test".to_owned(),
            record: RecordType::TLSA,
            problem,
            extended: Vec::new(),
        };
        let io = IoError { kind: IoErrorKind::Other, code: -2, message: "Name unknown".to_owned() };
        let start = "Host or domain name not found. Name service error for name=d.test type=TLSA: ";
        for (error, wanted) in [
            (dns(DnsProblem::NoSuchName), format!("{start}Host not found")),
            (
                dns(DnsProblem::NoData),
                format!("{start}Host found but no data record of requested type"),
            ),
            (dns(DnsProblem::ServFail), format!("{start}Host not found, try again")),
            (dns(DnsProblem::Refused), format!("{start}Host not found, try again")),
            (dns(DnsProblem::TimedOut), format!("{start}Host not found, try again")),
            (dns(DnsProblem::Unreachable(io.clone())), format!("{start}Host not found, try again")),
            (dns(DnsProblem::Rcode(1)), format!("{start}Non-recoverable error")),
            (
                dns(DnsProblem::Malformed),
                "Name service error for name=d.test type=TLSA: Malformed or unexpected name server reply"
                    .to_owned(),
            ),
            (
                LookupError::InvalidName { name: "a b".to_owned() },
                "Name service error for a b: invalid host or domain name".to_owned(),
            ),
            (
                LookupError::NullMx { domain: "d.test".to_owned() },
                "Domain d.test does not accept mail (nullMX)".to_owned(),
            ),
            (
                LookupError::NoService { query: "_smtp._tcp.d.test".to_owned() },
                "Domain _smtp._tcp.d.test does not support SRV requests".to_owned(),
            ),
            (
                LookupError::AliasLoop { name: "d.test".to_owned() },
                "Name server loop for d.test".to_owned(),
            ),
            (
                LookupError::Native { host: "h".to_owned(), error: io },
                "unable to look up host h: Name unknown".to_owned(),
            ),
            (LookupError::NativeNotFound { host: "h".to_owned() }, "h: host not found".to_owned()),
        ] {
            assert_eq!(error.to_string(), wanted);
        }
    }

    #[test]
    fn record_types_have_names() {
        assert_eq!(RecordType::from_text("tlsa"), Some(RecordType::TLSA));
        assert_eq!(RecordType::from_text("nothing"), None);
        assert_eq!(RecordType(65_280).to_string(), "TYPE65280");
    }
}
