//! What was asked: `[inet:]host[:service]`, `[host][:service]`, `unix:path`.

mod host;
mod services;

use std::fmt;

use crate::config::Dialect;

pub use host::{HostError, check_host, host_to_ascii};
pub use services::{KnownPorts, KnownPortsError, tcp_port};

/// A destination as a person writes it, taken apart.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Destination {
    /// As typed, without `inet:`; lookup failures name it so.
    pub text: String,
    /// Where that is.
    pub place: Place,
}

/// Where a destination is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Place {
    /// A domain or host on the Internet.
    Inet {
        /// Domain, host name or address literal, without brackets; a U-label stays one.
        host: String,
        /// The brackets were there: no MX lookup.
        literal: bool,
        /// The service as typed, if any; SRV lookups want the word.
        service: Option<String>,
        /// The port.
        port: u16,
    },
    /// A socket in the file system.
    Unix(std::path::PathBuf),
}

impl Destination {
    /// Stands where somebody else knows the destination.
    pub(crate) const fn unsaid() -> Self {
        let host = String::new();
        let place = Place::Inet { host, literal: false, service: None, port: 0 };
        Self { text: String::new(), place }
    }

    /// Takes a destination apart.
    ///
    /// `inet:` and `unix:` are known with LMTP only. `port_of` finds the TCP port of a service
    /// that is named; without a service the port is 25, or 24 for LMTP.
    pub fn parse(
        text: &str,
        dialect: Dialect,
        port_of: impl FnOnce(&str) -> Option<u16>,
    ) -> Result<Self, DestinationError> {
        let mut text = text;
        if dialect == Dialect::Lmtp {
            if let Some(path) = text.strip_prefix("unix:") {
                return Ok(Self { text: text.to_owned(), place: Place::Unix(path.into()) });
            }
            text = text.strip_prefix("inet:").unwrap_or(text);
        }
        let malformed = |flaw| DestinationError::Malformed(flaw, text.to_owned());
        let Pieces { host, literal, service } = split(text).map_err(malformed)?;
        if let Some(service) = service
            && service.starts_with(|first: char| first.is_ascii_digit())
            && !is_number(service)
        {
            return Err(malformed(Flaw::GarbageAfterService));
        }
        let port = match service {
            None => match dialect {
                Dialect::Smtp => 25,
                Dialect::Lmtp => 24,
            },
            Some(number) if is_number(number) => number
                .parse()
                .ok()
                .filter(|port| *port > 0)
                .ok_or_else(|| DestinationError::BadPort(number.to_owned(), text.to_owned()))?,
            Some(name) => {
                port_of(name).ok_or_else(|| DestinationError::UnknownService(name.to_owned()))?
            }
        };
        let place = Place::Inet {
            host: host.to_owned(),
            literal,
            service: service.map(ToOwned::to_owned),
            port,
        };
        Ok(Self { text: text.to_owned(), place })
    }
}

/// The pieces of a destination on the Internet; an empty service counts as none.
struct Pieces<'a> {
    host: &'a str,
    literal: bool,
    service: Option<&'a str>,
}

fn split(text: &str) -> Result<Pieces<'_>, Flaw> {
    let (host, literal, service) = if let Some(inner) = text.strip_prefix('[') {
        let (host, rest) = inner.split_once(']').ok_or(Flaw::MissingBracket)?;
        let service = match rest.strip_prefix(':') {
            Some(service) => service,
            None if rest.is_empty() => "",
            None => return Err(Flaw::GarbageAfterBracket),
        };
        (host, true, service)
    } else {
        let (host, service) = text.rsplit_once(':').unwrap_or((text, ""));
        (host, false, service)
    };
    let host = match without_ipv6_prefix(host) {
        Some(address) if literal => {
            if !host::is_ipv6(address) {
                return Err(Flaw::MalformedIpv6);
            }
            address
        }
        _ => host,
    };
    if host.is_empty() {
        return Err(Flaw::MissingHost);
    }
    if !host::is_address(host) && check_host(host).is_err() {
        return Err(Flaw::InvalidHost);
    }
    Ok(Pieces { host, literal, service: Some(service).filter(|service| !service.is_empty()) })
}

/// Cuts the `IPv6:` off an address literal (RFC 5321 section 4.1.3).
fn without_ipv6_prefix(host: &str) -> Option<&str> {
    let prefix = host.get(..5)?;
    prefix.eq_ignore_ascii_case("ipv6:").then(|| &host[5..])
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Why a text is not a destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationError {
    /// The text, which comes second, breaks the syntax.
    Malformed(Flaw, String),
    /// The port is a number, but none of a port. The destination comes second.
    BadPort(String, String),
    /// Nobody knows a service of this name.
    UnknownService(String),
}

impl fmt::Display for DestinationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(flaw, text) => write!(f, "{flaw} in server description: {text}"),
            Self::BadPort(port, text) => {
                write!(f, "bad network port: {port} for destination: {text}")
            }
            Self::UnknownService(name) => write!(f, "unknown service: {name}/tcp"),
        }
    }
}

impl std::error::Error for DestinationError {}

/// How the syntax of a destination is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// `[host`
    MissingBracket,
    /// `[host]x`
    GarbageAfterBracket,
    /// `[ipv6:host]`
    MalformedIpv6,
    /// `:25`
    MissingHost,
    /// Neither a host name nor an address.
    InvalidHost,
    /// `host:25x`
    GarbageAfterService,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MissingBracket => "missing \"]\"",
            Self::GarbageAfterBracket => "garbage after \"]\"",
            Self::MalformedIpv6 => "malformed IPv6 address",
            Self::MissingHost => "missing host information",
            Self::InvalidHost => "valid hostname or network address required",
            Self::GarbageAfterService => "garbage after numerical service",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, dialect: Dialect) -> Result<Destination, DestinationError> {
        Destination::parse(text, dialect, |name| KnownPorts::default().port(name))
    }

    #[test]
    fn destinations_of_smtp() {
        let table = [
            ("example.org", "example.org", false, None, 25),
            ("example.org:", "example.org", false, None, 25),
            ("example.org:587", "example.org", false, Some("587"), 587),
            ("example.org:submission", "example.org", false, Some("submission"), 587),
            ("example.org:smtps", "example.org", false, Some("smtps"), 465),
            ("[example.org]", "example.org", true, None, 25),
            ("[example.org]:", "example.org", true, None, 25),
            ("[example.org]:0465", "example.org", true, Some("0465"), 465),
            ("under_score.test", "under_score.test", false, None, 25),
            ("[192.0.2.1]", "192.0.2.1", true, None, 25),
            ("192.0.2.1:65535", "192.0.2.1", false, Some("65535"), 65535),
            ("[::1]", "::1", true, None, 25),
            ("[ipv6:::1]:26", "::1", true, Some("26"), 26),
            ("[IPv6:FD53::1:1]", "FD53::1:1", true, None, 25),
            ("[fe80::1%eth0]", "fe80::1%eth0", true, None, 25),
            // The last colon separates the service, so this is fd53::1 at port 1.
            ("fd53::1:1", "fd53::1", false, Some("1"), 1),
            ("bücher.test", "bücher.test", false, None, 25),
        ];
        for (text, host, literal, service, port) in table {
            let (host, service) = (host.to_owned(), service.map(ToOwned::to_owned));
            let place = Place::Inet { host, literal, service, port };
            assert_eq!(parse(text, Dialect::Smtp), Ok(Destination { text: text.into(), place }));
        }
    }

    #[test]
    fn prefixes_exist_with_lmtp_only() {
        let lmtp = |text| parse(text, Dialect::Lmtp).unwrap();
        let inet =
            |port| Place::Inet { host: "example.org".into(), literal: false, service: None, port };
        assert_eq!(lmtp("example.org").place, inet(24));
        assert_eq!(lmtp("inet:example.org").place, inet(24));
        assert_eq!(lmtp("inet:example.org").text, "example.org");
        assert_eq!(lmtp("unix:/run/x").place, Place::Unix("/run/x".into()));
        assert_eq!(lmtp("unix:/run/x").text, "unix:/run/x");
        assert_eq!(lmtp("unix:").place, Place::Unix("".into()));
        let unknown = parse("UNIX:/run/x", Dialect::Lmtp).unwrap_err();
        assert_eq!(unknown, DestinationError::UnknownService("/run/x".into()));
    }

    #[test]
    fn errors_in_the_words_of_the_reference() {
        let long_label = format!("{}.test", "a".repeat(64));
        let table = [
            ("[pf.test", "missing \"]\" in server description: [pf.test"),
            ("[pf.test]junk", "garbage after \"]\" in server description: [pf.test]junk"),
            ("[ipv6:fd53::zz]", "malformed IPv6 address in server description: [ipv6:fd53::zz]"),
            ("[ipv6:192.0.2.1]", "malformed IPv6 address in server description: [ipv6:192.0.2.1]"),
            (":25", "missing host information in server description: :25"),
            ("", "missing host information in server description: "),
            ("[]", "missing host information in server description: []"),
            ("pf.test:25x", "garbage after numerical service in server description: pf.test:25x"),
            ("pf.test:99999", "bad network port: 99999 for destination: pf.test:99999"),
            ("pf.test:0", "bad network port: 0 for destination: pf.test:0"),
            ("pf.test:nosuch", "unknown service: nosuch/tcp"),
            ("inet:basic.test", "unknown service: basic.test/tcp"),
            ("unix:/run/lmtp", "unknown service: /run/lmtp/tcp"),
            ("smtp://basic.test", "unknown service: //basic.test/tcp"),
        ];
        for (text, error) in table {
            assert_eq!(parse(text, Dialect::Smtp).unwrap_err().to_string(), error);
        }
        let invalid = [
            "basic.test.",
            "basic.test ",
            "a.test, b.test",
            "*.test",
            "-a.test",
            "a-.test",
            "a..b",
            "1.2.3",
            "12",
            "2001:db8::",
            "300.1.1.1",
            "[::1",
            &long_label,
            "b\u{fffd}cher.test",
        ];
        for text in invalid {
            let error = parse(text, Dialect::Smtp).unwrap_err();
            let wanted =
                if text.starts_with('[') { Flaw::MissingBracket } else { Flaw::InvalidHost };
            assert_eq!(error, DestinationError::Malformed(wanted, text.to_owned()));
        }
    }
}
