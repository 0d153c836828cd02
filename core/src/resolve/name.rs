//! Domain names: from text to wire form, and what a name in a record stands for.

use std::cmp::Ordering;
use std::net::IpAddr;

use bytes::Bytes;

use super::RecordType;
use crate::destination::{HostError, check_host};

/// A domain name in wire form. Compares without regard to case; shows itself without final dot.
pub(crate) type Name = domain::base::Name<Bytes>;

/// Turns text such as a host name into a name; `None` if DNS cannot hold it.
pub(crate) fn from_text(text: &str) -> Option<Name> {
    // Backslashes would be taken for escapes.
    let plain = !text.is_empty() && !text.contains('\\');
    plain.then(|| Name::bytes_from_str(text).ok()).flatten()
}

/// Makes the name that holds the TLSA records of a TCP service (RFC 6698 section 3); `None` if it
/// would exceed 255 octets.
pub(crate) fn tlsa_name(port: u16, base: &Name) -> Option<Name> {
    from_text(&format!("_{port}._tcp.{base}"))
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
    Bad(String, HostError),
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
#[derive(Clone, Debug)]
pub(crate) struct Question {
    pub(crate) name: Name,
    pub(crate) record: RecordType,
}

/// The shorter name comes first. Octets of the wire form are compared, which is much quicker than
/// label by label; those of lengths are no letters.
impl Ord for Question {
    fn cmp(&self, other: &Self) -> Ordering {
        let (ours, theirs) = (self.name.as_slice(), other.name.as_slice());
        let lengths = ours.len().cmp(&theirs.len());
        let names = || match ours == theirs {
            true => Ordering::Equal,
            false => {
                let lower = u8::to_ascii_lowercase;
                ours.iter().map(lower).cmp(theirs.iter().map(lower))
            }
        };
        lengths.then_with(names).then_with(|| self.record.cmp(&other.record))
    }
}

impl PartialOrd for Question {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Question {
    fn eq(&self, other: &Self) -> bool {
        self.record == other.record
            && self.name.as_slice().eq_ignore_ascii_case(other.name.as_slice())
    }
}

impl Eq for Question {}

impl Question {
    pub(crate) fn new(name: Name, record: RecordType) -> Self {
        Self { name, record }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
