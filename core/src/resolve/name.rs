//! Domain names: from text to wire form, and which of them may name a host.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use super::RecordType;

/// A domain name in wire form. Compares without regard to case; shows itself without final dot.
pub(crate) type Name = domain::base::Name<Bytes>;

/// Turns text such as a host name into a name; `None` if DNS cannot hold it.
pub(crate) fn from_text(text: &str) -> Option<Name> {
    // Backslashes would be taken for escapes.
    let plain = !text.is_empty() && !text.contains('\\');
    plain.then(|| Name::bytes_from_str(text).ok()).flatten()
}

/// Converts the U-labels of a domain to A-labels (UTS 46, non-transitional); a domain in ASCII stays
/// as it is. `None` if there is no such domain.
pub fn to_ascii(domain: &str) -> Option<String> {
    if domain.is_ascii() {
        return Some(domain.to_owned());
    }
    // The underscore is no letter of STD 3, but host names have it.
    Uts46::new()
        .to_ascii(domain.as_bytes(), AsciiDenyList::EMPTY, Hyphens::Allow, DnsLength::Verify)
        .ok()
        .map(std::borrow::Cow::into_owned)
}

/// Makes the name that holds the TLSA records of a TCP service (RFC 6698 section 3); `None` if it
/// would exceed 255 octets.
pub(crate) fn tlsa_name(port: u16, base: &Name) -> Option<Name> {
    from_text(&format!("_{port}._tcp.{base}"))
}

/// Why a name cannot be the name of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NameProblem {
    /// There is nothing.
    Empty,
    /// A character besides letters, digits, hyphen and underscore.
    Character(char),
    /// A dot at the beginning or end, or two in a row.
    Delimiter,
    /// A label of more than 63 octets or a name of more than 255.
    Length,
    /// A hyphen at the beginning or end of a label.
    Hyphen,
    /// Nothing but digits and dots.
    Numeric,
}

impl fmt::Display for NameProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("empty hostname"),
            Self::Character(c) => write!(f, "invalid character {}(decimal)", u32::from(*c)),
            Self::Delimiter => f.write_str("misplaced delimiter"),
            Self::Length => f.write_str("bad label or name length"),
            Self::Hyphen => f.write_str("misplaced hyphen"),
            Self::Numeric => f.write_str("numeric hostname"),
        }
    }
}

impl std::error::Error for NameProblem {}

/// Checks that a name can be the name of a host (RFC 1123 section 2.1, and the underscore).
pub fn check_host(name: &str) -> Result<(), NameProblem> {
    if name.is_empty() {
        return Err(NameProblem::Empty);
    }
    if name.len() > 255 {
        return Err(NameProblem::Length);
    }
    for label in name.split('.') {
        if let Some(bad) = label.chars().find(|c| !(c.is_ascii_alphanumeric() || "-_".contains(*c)))
        {
            return Err(NameProblem::Character(bad));
        }
        match label.len() {
            0 => return Err(NameProblem::Delimiter),
            1..=63 => {}
            _ => return Err(NameProblem::Length),
        }
        if label.starts_with('-') || label.ends_with('-') {
            return Err(NameProblem::Hyphen);
        }
    }
    if name.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
        return Err(NameProblem::Numeric);
    }
    Ok(())
}

/// What a name in a record stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HostText {
    /// A host.
    Host(String),
    /// An address in place of a name, which RFC 1035 section 3.3.9 does not allow.
    Address(IpAddr),
    /// The root: there is no host.
    Root,
    /// Nothing that could be a host.
    Bad(String, NameProblem),
}

/// Tells what a name in a record stands for.
pub(crate) fn host_text(name: &Name) -> HostText {
    let text = name.to_string();
    if name.is_root() {
        return HostText::Root;
    }
    if let Ok(address) = text.parse() {
        return HostText::Address(address);
    }
    match check_host(&text) {
        Ok(()) => HostText::Host(text),
        Err(problem) => HostText::Bad(text, problem),
    }
}

/// A DNS question; equal questions differ at most in case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) record: RecordType,
}

impl Question {
    pub(crate) fn new(name: Name, record: RecordType) -> Self {
        Self { name, record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_names() {
        let long = format!("{}.example", "a".repeat(64));
        let whole = vec!["abcdefg"; 33].join(".");
        for (name, wanted) in [
            ("mx1.example.org", Ok(())),
            ("under_score.test", Ok(())),
            ("_25._tcp.example", Ok(())),
            ("1.example", Ok(())),
            ("localhost", Ok(())),
            ("", Err(NameProblem::Empty)),
            ("a..b", Err(NameProblem::Delimiter)),
            ("a.b.", Err(NameProblem::Delimiter)),
            ("-a.b", Err(NameProblem::Hyphen)),
            ("a.b-.c", Err(NameProblem::Hyphen)),
            ("192.0.2.1", Err(NameProblem::Numeric)),
            ("12", Err(NameProblem::Numeric)),
            ("a b.c", Err(NameProblem::Character(' '))),
            (r"a\046b.c", Err(NameProblem::Character('\\'))),
            (&long, Err(NameProblem::Length)),
            (&whole, Err(NameProblem::Length)),
        ] {
            assert_eq!(check_host(name), wanted, "{name}");
        }
    }

    #[test]
    fn labels_are_converted() {
        for (domain, wanted) in [
            ("EXAMPLE.org", Some("EXAMPLE.org")),
            ("bücher.test", Some("xn--bcher-kva.test")),
            ("BÜCHER.test", Some("xn--bcher-kva.test")),
            ("faß.test", Some("xn--fa-hia.test")),
            ("bücher_1.test", Some("xn--bcher_1-n2a.test")),
            ("a\u{ad}.é\u{200e}", None),
        ] {
            assert_eq!(to_ascii(domain).as_deref(), wanted, "{domain}");
        }
    }

    #[test]
    fn names_that_dns_cannot_hold() {
        assert_eq!(from_text(""), None);
        assert_eq!(from_text("a..b"), None);
        assert_eq!(from_text(&"a".repeat(64)), None);
        let long = vec!["abcdefg"; 31].join(".");
        let base = from_text(&long).unwrap();
        assert!(tlsa_name(25, &base).is_none_or(|name| name.len() <= 255));
        assert_eq!(tlsa_name(25, &from_text(&format!("{long}.abcde")).unwrap()), None);
        assert_eq!(
            tlsa_name(587, &from_text("Mx.test").unwrap()).unwrap().to_string(),
            "_587._tcp.Mx.test"
        );
    }
}
