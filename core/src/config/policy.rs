//! What a server must show.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;

use super::offer::{Groups, Versions};
use super::trust::{Anchor, TrustStore};
use super::{DaneDigests, Offer, ServerNameChoice};
use crate::cert::Digest;
use crate::tls::Identity;

/// What decides the Offer and the Verdict besides the level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Names that may be in the certificate; empty stands for the level's own strategy.
    pub matches: Vec<MatchRule>,
    /// Digests of certificates or keys, one of which a server must have at level fingerprint.
    pub pins: Vec<Pin>,
    /// Root certificates (`-F`, `-P`, `--webpki-roots`); nothing is trusted by default.
    pub trust: TrustStore,
    /// Trust anchors (`-A`), which replace the root certificates at levels verify and secure.
    pub anchors: Vec<Anchor>,
    /// The digest of fingerprints (`-d`).
    pub digest: Digest,
    /// The digests that TLSA records may have, the strongest first.
    pub dane_digests: DaneDigests,
    /// SNI for servers without DANE (`-s`).
    pub server_name: Option<ServerNameChoice>,
    /// Ask for raw public keys (RFC 7250) at levels up to fingerprint, where pins are of keys only
    /// then (`-x`).
    pub raw_public_keys: bool,
    /// Protocol versions to offer.
    pub versions: Versions,
    /// Cipher suites to offer; `None` offers all.
    pub suites: Option<Vec<u16>>,
    /// Key exchange groups to offer.
    pub groups: Groups,
    /// Client keys and certificates, shown if a server asks (`-H`, `-k`, `-K`).
    pub identity: Identity,
}

impl Default for Policy {
    /// No names, no pins, nothing trusted, SHA-256, everything offered.
    fn default() -> Self {
        let Offer { versions, suites, groups, .. } = Offer::default();
        Self {
            matches: Vec::new(),
            pins: Vec::new(),
            trust: TrustStore::default(),
            anchors: Vec::new(),
            digest: Digest::Sha256,
            dane_digests: DaneDigests::default(),
            server_name: None,
            raw_public_keys: false,
            versions,
            suites,
            groups,
            identity: Identity::default(),
        }
    }
}

/// A rule for the names in a certificate.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MatchRule {
    /// The name of the host that is connected to.
    Hostname,
    /// The destination's domain.
    Nexthop,
    /// Any sub-domain of the destination's domain.
    DotNexthop,
    /// This name; with a leading dot, any of its sub-domains.
    Name(String),
    /// This address.
    Address(IpAddr),
}

/// As it is written on the command line.
impl fmt::Display for MatchRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hostname => f.write_str("hostname"),
            Self::Nexthop => f.write_str("nexthop"),
            Self::DotNexthop => f.write_str("dot-nexthop"),
            Self::Name(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl From<&str> for MatchRule {
    /// Takes a match argument of the command line.
    fn from(text: &str) -> Self {
        if text.eq_ignore_ascii_case("hostname") {
            Self::Hostname
        } else if text.eq_ignore_ascii_case("nexthop") {
            Self::Nexthop
        } else if text.eq_ignore_ascii_case("dot-nexthop") {
            Self::DotNexthop
        } else if let Ok(address) = text.parse() {
            Self::Address(address)
        } else {
            Self::Name(text.to_owned())
        }
    }
}

/// A digest that a server's certificate or key must have. It may have the wrong length for the
/// digest algorithm; then it is unusable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pin(pub Bytes);

impl std::str::FromStr for Pin {
    type Err = MalformedPin;

    /// Reads hexadecimal octets, with or without colons between them.
    fn from_str(text: &str) -> Result<Self, MalformedPin> {
        let mut octets = Vec::new();
        let mut rest = text.as_bytes();
        while let [high, low, after @ ..] = rest {
            let digit = |digit: u8| char::from(digit).to_digit(16).and_then(|n| n.try_into().ok());
            let (high, low): (u8, u8) = digit(*high).zip(digit(*low)).ok_or(MalformedPin)?;
            octets.push(high << 4 | low);
            rest = match after {
                [b':', next @ ..] if !next.is_empty() => next,
                after => after,
            };
        }
        if octets.is_empty() || !rest.is_empty() {
            return Err(MalformedPin);
        }
        Ok(Self(octets.into()))
    }
}

/// The text is not hexadecimal octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MalformedPin;

impl fmt::Display for MalformedPin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("malformed fingerprint")
    }
}

impl std::error::Error for MalformedPin {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_hexadecimal_octets() {
        let pin = |text: &str| text.parse::<Pin>().map(|pin| pin.0.to_vec());
        assert_eq!(pin("00:aB:ff"), Ok(vec![0, 0xab, 0xff]));
        assert_eq!(pin("00abFF"), Ok(vec![0, 0xab, 0xff]));
        for bad in ["", ":", "0", "00:", "00:1", ":00", "00::11", "0g", "00 11", "\u{fc}\u{fc}"] {
            assert_eq!(pin(bad), Err(MalformedPin), "{bad}");
        }
    }

    #[test]
    fn match_arguments_are_words_addresses_or_names() {
        let address = |text: &str| MatchRule::Address(text.parse().unwrap());
        assert_eq!(MatchRule::from("Dot-Nexthop"), MatchRule::DotNexthop);
        assert_eq!(MatchRule::from("HOSTNAME"), MatchRule::Hostname);
        assert_eq!(MatchRule::from("192.0.2.1"), address("192.0.2.1"));
        assert_eq!(MatchRule::from("2001:db8::1"), address("2001:db8::1"));
        assert_eq!(MatchRule::from(".example"), MatchRule::Name(".example".to_owned()));
    }
}
