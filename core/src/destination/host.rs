//! Which texts are host names or addresses, and the ASCII form of names that are not ASCII.

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use idna::AsciiDenyList;
use idna::uts46::{DnsLength, Hyphens, Uts46};

/// Octets of a host name (RFC 1035 section 2.3.4).
const NAME: usize = 255;

/// Octets of a label (RFC 1035 section 2.3.4).
const LABEL: usize = 63;

/// Converts a name to its ASCII form: UTS 46, non-transitional, without the rules of STD 3.
///
/// Returns the name itself if it is ASCII already.
pub fn host_to_ascii(name: &str) -> Result<Cow<'_, str>, HostError> {
    if name.is_ascii() {
        return Ok(Cow::Borrowed(name));
    }
    Uts46::new()
        .to_ascii(name.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Ignore)
        .map_err(|_| HostError::NotIdna)
}

/// Checks that a name can be a host name, after conversion to ASCII.
///
/// Letters, digits, `-` and `_` in labels of at most 63 octets; no label starts or ends with a
/// hyphen; no dot at the end; not only digits and dots, since those would be an address.
pub fn check_host(name: &str) -> Result<(), HostError> {
    let name = host_to_ascii(name)?;
    if name.is_empty() {
        return Err(HostError::Empty);
    }
    if name.len() > NAME {
        return Err(HostError::TooLong);
    }
    for label in name.split('.') {
        if let Some(bad) = label.bytes().find(|byte| !is_label_octet(*byte)) {
            return Err(HostError::Octet(bad));
        }
        if label.is_empty() {
            return Err(HostError::Delimiter);
        }
        if label.len() > LABEL {
            return Err(HostError::LabelTooLong);
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(HostError::Hyphen);
        }
    }
    if name.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit()) {
        return Err(HostError::Numeric);
    }
    Ok(())
}

fn is_label_octet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Tells whether `text` is an IPv4 or IPv6 address, the latter with or without a zone.
pub(super) fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok() || is_ipv6(text)
}

/// Tells whether `text` is an IPv6 address, with or without a zone (RFC 4007 section 11).
pub(super) fn is_ipv6(text: &str) -> bool {
    let (address, zone) = text.split_once('%').unwrap_or((text, "none"));
    let zone_is_fit =
        zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte));
    address.parse::<Ipv6Addr>().is_ok() && zone_is_fit && !zone.is_empty()
}

/// Why a text cannot be a host name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostError {
    /// There is nothing.
    Empty,
    /// Over 255 octets.
    TooLong,
    /// A label has over 63 octets.
    LabelTooLong,
    /// An octet that host names do not have.
    Octet(u8),
    /// A dot at an end, or two in a row.
    Delimiter,
    /// A hyphen at the end of a label.
    Hyphen,
    /// Only digits and dots.
    Numeric,
    /// No ASCII form exists (UTS 46 section 4).
    NotIdna,
}

impl fmt::Display for HostError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty hostname"),
            Self::TooLong => f.write_str("hostname too long"),
            Self::LabelTooLong => f.write_str("hostname label too long"),
            Self::Octet(octet) => write!(f, "invalid character {octet}(decimal)"),
            Self::Delimiter => f.write_str("misplaced delimiter"),
            Self::Hyphen => f.write_str("misplaced hyphen"),
            Self::Numeric => f.write_str("numeric hostname"),
            Self::NotIdna => f.write_str("no ASCII form"),
        }
    }
}

impl std::error::Error for HostError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_forms() {
        let table = [
            ("example.org", "example.org"),
            ("EXAMPLE.org", "EXAMPLE.org"),
            ("bücher.test", "xn--bcher-kva.test"),
            // Non-transitional: sharp s keeps its own A-label.
            ("straße.test", "xn--strae-oqa.test"),
            ("bücher。test", "xn--bcher-kva.test"),
            ("_dmarc.bücher.test", "_dmarc.xn--bcher-kva.test"),
        ];
        for (name, ascii) in table {
            assert_eq!(host_to_ascii(name).as_deref(), Ok(ascii));
        }
        assert_eq!(host_to_ascii("b\u{fffd}cher.test"), Err(HostError::NotIdna));
    }

    #[test]
    fn host_names() {
        let long = format!("{}a", "a.".repeat(127));
        let table = [
            (long.as_str(), Ok(())),
            (&format!("{long}a"), Err(HostError::TooLong)),
            (&"a".repeat(63), Ok(())),
            (&"a".repeat(64), Err(HostError::LabelTooLong)),
            ("a--b._x.3", Ok(())),
            ("1.2.3.x4", Ok(())),
            ("", Err(HostError::Empty)),
            (".", Err(HostError::Delimiter)),
            (".a", Err(HostError::Delimiter)),
            ("a.", Err(HostError::Delimiter)),
            ("a..b", Err(HostError::Delimiter)),
            ("-bad-.example", Err(HostError::Hyphen)),
            ("a.b-", Err(HostError::Hyphen)),
            ("a b", Err(HostError::Octet(b' '))),
            ("*.a", Err(HostError::Octet(b'*'))),
            ("1.2.3", Err(HostError::Numeric)),
            ("bücher.test", Ok(())),
        ];
        for (name, result) in table {
            assert_eq!(check_host(name), result, "{name}");
        }
    }

    #[test]
    fn addresses() {
        for yes in ["192.0.2.1", "::1", "FD53::1", "fe80::1%eth0", "::ffff:192.0.2.1"] {
            assert!(is_address(yes), "{yes}");
        }
        for no in ["192.0.2", "192.0.2.256", "fe80::1%", "fe80::1%a b", "192.0.2.1%eth0", ":", ""] {
            assert!(!is_address(no), "{no}");
        }
    }
}
