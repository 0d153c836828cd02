//! Names: what the server should be called, and whether a certificate says so.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use crate::cert::{Examined, GeneralName};
use crate::config::{Level, MatchRule};
use crate::resolve::Target;

/// The names by which a server was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceNames {
    /// The host that is connected to.
    pub hostname: Arc<str>,
    /// The destination's domain, without brackets and port.
    pub nexthop: Arc<str>,
    /// With TLSA records: their base domain (RFC 7672 section 2.2.2), then the names of the MX
    /// record's owner (section 3.2.2).
    pub dane: Vec<String>,
}

impl From<&Target> for ReferenceNames {
    fn from(target: &Target) -> Self {
        Self {
            hostname: target.host.clone(),
            nexthop: target.nexthop.clone(),
            dane: target.match_names.clone(),
        }
    }
}

/// What a certificate is asked for: one of the names, and the address if there is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) names: Vec<String>,
    pub(super) address: Option<IpAddr>,
    pub(super) problems: Vec<NameProblem>,
}

/// Why a match rule cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameProblem {
    /// It is only a dot, or cannot be written in ASCII.
    Invalid(String),
    /// It is the second address; only one can be asked for.
    SecondAddress(IpAddr),
}

impl Wanted {
    /// Asks for the names of DANE, in their order.
    pub(super) fn dane(names: &ReferenceNames) -> Self {
        let mut this = Self::default();
        names.dane.iter().for_each(|name| this.add_name(name));
        this
    }

    /// Asks for what the rules say, or the level's own strategy if there are none.
    pub(super) fn by_rules(rules: &[MatchRule], level: Level, names: &ReferenceNames) -> Self {
        let default: &[MatchRule] = if level == Level::Verify {
            &[MatchRule::Hostname]
        } else {
            &[MatchRule::Nexthop, MatchRule::DotNexthop]
        };
        let mut this = Self::default();
        for rule in if rules.is_empty() { default } else { rules } {
            match rule {
                MatchRule::Hostname => this.add(&names.hostname),
                MatchRule::Nexthop => this.add(&names.nexthop),
                MatchRule::DotNexthop => this.add_name(&format!(".{}", names.nexthop)),
                MatchRule::Name(name) => this.add_name(name),
                MatchRule::Address(address) => this.add_address(*address),
            }
        }
        this
    }

    /// Tells whether there is nothing to ask for.
    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty() && self.address.is_none()
    }

    fn add(&mut self, name: &str) {
        match name.parse() {
            Ok(address) => self.add_address(address),
            Err(_) => self.add_name(name),
        }
    }

    fn add_address(&mut self, address: IpAddr) {
        match self.address {
            None => self.address = Some(address),
            Some(_) => self.problems.push(NameProblem::SecondAddress(address)),
        }
    }

    fn add_name(&mut self, name: &str) {
        match to_ascii(name) {
            Some(ascii) if !ascii.is_empty() && ascii != "." && !ascii.contains('\0') => {
                self.names.push(ascii.into_owned());
            }
            _ => self.problems.push(NameProblem::Invalid(name.to_owned())),
        }
    }

    /// Finds the name in the certificate that one of the wanted names matches; the certificate's
    /// own spelling is told.
    pub(super) fn find_name(&self, certificate: &Examined) -> Option<String> {
        self.names.iter().find_map(|name| find_name(certificate, name))
    }

    /// Tells whether the wanted address is in the certificate.
    pub(super) fn has_address(&self, certificate: &Examined, address: IpAddr) -> bool {
        certificate.extensions().names().iter().any(|name| name.address() == Some(address))
    }
}

/// Converts labels that are not ASCII (UTS 46, not transitional); the ideographic full stops are
/// dots then, a leading one too.
fn to_ascii(name: &str) -> Option<Cow<'_, str>> {
    if name.is_ascii() {
        return Some(Cow::Borrowed(name));
    }
    let dots = ['.', '\u{3002}', '\u{ff0e}', '\u{ff61}'];
    let (dot, domain) = match name.strip_prefix(dots) {
        Some(domain) => (".", domain),
        None => ("", name),
    };
    let domain = idna::domain_to_ascii_cow(domain.as_bytes(), idna::AsciiDenyList::EMPTY).ok()?;
    Some(Cow::Owned(format!("{dot}{domain}")))
}

/// Finds the dNSName that `reference` matches; without any dNSName, the common name (RFC 6125
/// section 6.4.4).
/// Tells whether a certificate is for a host name.
pub(crate) fn covers(certificate: &Examined, name: &str) -> bool {
    to_ascii(name).is_some_and(|name| find_name(certificate, &name).is_some())
}

fn find_name(certificate: &Examined, reference: &str) -> Option<String> {
    let mut has_dns = false;
    for name in certificate.extensions().names() {
        if let GeneralName::Dns(pattern) = name {
            has_dns = true;
            if matches(pattern, reference.as_bytes()) {
                return Some(String::from_utf8_lossy(pattern).into_owned());
            }
        }
    }
    if has_dns {
        return None;
    }
    let mut names = certificate.certificate().subject().common_names();
    names.find(|name| matches(name.as_bytes(), reference.as_bytes()))
}

/// Tells whether the name `pattern` of a certificate stands for `reference`.
fn matches(pattern: &[u8], reference: &[u8]) -> bool {
    if reference.len() > 1 && reference.first() == Some(&b'.') {
        // Any sub-domain will do; a wildcard in the pattern is part of the sub-domain then.
        let Some(more) = pattern.len().checked_sub(reference.len()) else { return false };
        let (prefix, suffix) = pattern.split_at(more);
        return !prefix.contains(&0) && same(suffix, reference);
    }
    match pattern.strip_prefix(b"*") {
        Some(suffix) if may_have_wildcard(suffix) => {
            let Some(length) = reference.len().checked_sub(suffix.len()) else { return false };
            let (label, rest) = reference.split_at(length);
            let one_label =
                label.iter().all(|&octet| octet.is_ascii_alphanumeric() || octet == b'-');
            length > 0 && same(suffix, rest) && (one_label || label == b"*")
        }
        _ => same(pattern, reference),
    }
}

/// Tells whether `*` may stand before this: at least two labels of letters, digits and hyphens.
fn may_have_wildcard(suffix: &[u8]) -> bool {
    let Some(labels) = suffix.strip_prefix(b".") else { return false };
    let is_label = |label: &[u8]| {
        label.iter().all(|&octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && label.first().is_some_and(|&first| first != b'-')
            && label.last() != Some(&b'-')
    };
    let mut labels = labels.split(|&octet| octet == b'.');
    labels.clone().count() >= 2 && labels.all(is_label)
}

fn same(pattern: &[u8], reference: &[u8]) -> bool {
    !pattern.contains(&0) && pattern.eq_ignore_ascii_case(reference)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_as_in_openssl() {
        for (pattern, reference, expected) in [
            ("mx.example.org", "MX.Example.ORG", true),
            ("mx.example.org", "mx.example.org.", false),
            ("mx.example.org.", "mx.example.org", false),
            ("*.example.org", "mx.example.org", true),
            ("*.example.org", "a.mx.example.org", false),
            ("*.example.org", ".example.org", true),
            ("*.example.org", "example.org", false),
            ("*.example.org", "_mx.example.org", false),
            ("*.example.org", "*.example.org", true),
            ("*.example.org", "xn--bcher-kva.example.org", true),
            ("*.example_x.org", "mx.example_x.org", false),
            ("*.-x.org", "mx.-x.org", false),
            ("*.x-.org", "mx.x-.org", false),
            ("*.x..org", "mx.x..org", false),
            ("*.org", "example.org", false),
            ("*", "org", false),
            ("*.", "a.", false),
            ("mx*.example.org", "mx1.example.org", false),
            ("mx.*.org", "mx.example.org", false),
            ("**.example.org", "mx.example.org", false),
            ("a.b.example.org", ".example.org", true),
            ("example.org", ".example.org", false),
            ("xexample.org", ".example.org", false),
            (".example.org", ".example.org", true),
            ("mx.example.org\0", "mx.example.org", false),
            ("mx.example.org\0.evil.org", "mx.example.org", false),
            ("\0.example.org", ".example.org", false),
            ("", "", true),
            (".", ".", true),
        ] {
            let found = matches(pattern.as_bytes(), reference.as_bytes());
            assert_eq!(found, expected, "{pattern:?} {reference:?}");
        }
    }

    #[test]
    fn rules_become_names() {
        let names = ReferenceNames {
            hostname: "mx.example.org".into(),
            nexthop: "b\u{fc}cher.example".into(),
            dane: Vec::new(),
        };
        let wanted = |rules: &[&str], level| {
            let rules: Vec<MatchRule> = rules.iter().map(|rule| MatchRule::from(*rule)).collect();
            Wanted::by_rules(&rules, level, &names)
        };
        let list = |rules: &[&str], level| wanted(rules, level).names.join(" ");
        assert_eq!(list(&[], Level::Verify), "mx.example.org");
        assert_eq!(list(&[], Level::Secure), "xn--bcher-kva.example .xn--bcher-kva.example");
        assert_eq!(
            list(&["\u{ff0e}b\u{fc}cher.test", "a b"], Level::Secure),
            ".xn--bcher-kva.test a b"
        );
        let odd = wanted(&[".", "192.0.2.1", "::1"], Level::Secure);
        assert_eq!(odd.address, Some("192.0.2.1".parse().unwrap()));
        assert_eq!(
            odd.problems,
            [
                NameProblem::Invalid(".".to_owned()),
                NameProblem::SecondAddress("::1".parse().unwrap())
            ]
        );
    }
}
