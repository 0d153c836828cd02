//! Lists of protocol versions, as `-p` and main.cf have them.

use std::fmt;

use crate::report::TlsVersion;
use crate::tls::scout;

use super::Versions;

/// A list of protocol versions, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protocols {
    /// What of it can be offered here; may be nothing.
    pub versions: Versions,
    /// All that it allows, those too that do not exist here, the oldest first.
    pub all: Vec<scout::Protocol>,
    /// The lowest version that the list asks for, if it is a number that no protocol has. Such a
    /// bound bounds nothing.
    pub odd_floor: Option<u32>,
    /// The same for the highest version.
    pub odd_ceiling: Option<u32>,
}

impl Protocols {
    /// Reads a list of `NAME`, `!NAME`, `>=VERSION` and `<=VERSION`, separated by commas, colons or
    /// white space.
    ///
    /// If any name is included, all others are excluded. Exclusions and bounds combine. An empty
    /// list is everything.
    pub fn parse(list: &str) -> Result<Self, InvalidProtocols> {
        let invalid = || InvalidProtocols(list.to_owned());
        let mut included: Vec<&Protocol> = Vec::new();
        let mut excluded: Vec<&Protocol> = Vec::new();
        let (mut floor, mut ceiling) = (0, 0);
        let separator = |c: char| c == ',' || c == ':' || c.is_ascii_whitespace();
        for token in list.split(separator).filter(|token| !token.is_empty()) {
            if let Some(bound) = token.strip_prefix(">=") {
                floor = version(bound).ok_or_else(invalid)?;
            } else if let Some(bound) = token.strip_prefix("<=") {
                ceiling = version(bound).ok_or_else(invalid)?;
            } else if let Some(name) = token.strip_prefix('!') {
                excluded.push(Protocol::named(name).ok_or_else(invalid)?);
            } else {
                included.push(Protocol::named(token).ok_or_else(invalid)?);
            }
        }
        let odd = |bound: u32| Some(bound).filter(|bound| !is_version_or_none(*bound));
        let (odd_floor, odd_ceiling) = (odd(floor), odd(ceiling));
        let offers = |number: u32| {
            let is_it = |protocol: &&Protocol| protocol.number == Some(number);
            let above = floor == 0 || odd_floor.is_some() || number >= floor;
            let below = ceiling == 0 || odd_ceiling.is_some() || number <= ceiling;
            (included.is_empty() || included.iter().any(is_it))
                && !excluded.iter().any(is_it)
                && above
                && below
        };
        let here = |version| offers(number(version));
        let versions = Versions { tls12: here(TlsVersion::Tls12), tls13: here(TlsVersion::Tls13) };
        let all = scout::Protocol::ALL.into_iter().filter(|version| offers(version.0.into()));
        Ok(Self { versions, all: all.collect(), odd_floor, odd_ceiling })
    }
}

/// A list names a protocol or a version that nobody knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidProtocols(pub String);

impl fmt::Display for InvalidProtocols {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Invalid TLS protocol list \"{}\"", self.0)
    }
}

impl std::error::Error for InvalidProtocols {}

/// A protocol by its name.
struct Protocol {
    name: &'static str,
    /// Its number on the wire; SSL 2 cannot be a bound.
    number: Option<u32>,
}

impl Protocol {
    fn named(name: &str) -> Option<&'static Self> {
        PROTOCOLS.iter().find(|protocol| protocol.name.eq_ignore_ascii_case(name))
    }
}

const PROTOCOLS: &[Protocol] = &[
    Protocol { name: "SSLv2", number: None },
    Protocol { name: "SSLv3", number: Some(0x300) },
    Protocol { name: "TLSv1", number: Some(0x301) },
    Protocol { name: "TLSv1.1", number: Some(0x302) },
    Protocol { name: "TLSv1.2", number: Some(0x303) },
    Protocol { name: "TLSv1.3", number: Some(0x304) },
];

/// Reads a bound: the name of a protocol, `None`, or a hexadecimal number; 0 is no bound.
fn version(text: &str) -> Option<u32> {
    if text.is_empty() || text.eq_ignore_ascii_case("none") {
        return Some(0);
    }
    if let Some(protocol) = Protocol::named(text) {
        return protocol.number;
    }
    let digits = text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text);
    u32::from_str_radix(digits, 16).ok()
}

fn is_version_or_none(bound: u32) -> bool {
    bound == 0 || PROTOCOLS.iter().any(|protocol| protocol.number == Some(bound))
}

fn number(version: TlsVersion) -> u32 {
    match version {
        TlsVersion::Tls12 => 0x303,
        TlsVersion::Tls13 => 0x304,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists() {
        let (both, only12, only13, neither) =
            ((true, true), (true, false), (false, true), (false, false));
        let table = [
            ("", both),
            (">=TLSv1", both),
            ("!SSLv2", both),
            ("!SSLv2:!SSLv3,!TLSv1 !tlsv1.1", both),
            ("TLSv1.2,TLSv1.3", both),
            ("tlsv1.3", only13),
            (">=TLSv1.3", only13),
            (">=TLSv1.2", both),
            (">=0303", both),
            (">=0x304", only13),
            ("<=TLSv1.2", only12),
            (">=TLSv1.2,<=TLSv1.2", only12),
            ("<=None", both),
            (">=", both),
            ("!TLSv1.3", only12),
            ("!TLSv1.2", only13),
            ("!TLSv1.2,!TLSv1.3", neither),
            ("SSLv3", neither),
            ("TLSv1.2 !TLSv1.2", neither),
            ("TLSv1.2 >=TLSv1.3", neither),
            ("<=TLSv1.1", neither),
            // No blank may follow the operator: this is no floor, and a name.
            (">= TLSv1.2", only12),
        ];
        for (list, (tls12, tls13)) in table {
            let read = Protocols::parse(list).unwrap();
            assert_eq!(read.versions, Versions { tls12, tls13 }, "{list}");
            assert_eq!((read.odd_floor, read.odd_ceiling), (None, None), "{list}");
        }
        for bad in ["TLSv1.4", "!nosuch", ">=SSLv2", ">=nosuch", "!", "<=0x", "=TLSv1.2", ">=-1"] {
            assert_eq!(Protocols::parse(bad), Err(InvalidProtocols(bad.to_owned())));
        }
    }

    #[test]
    fn bounds_that_no_protocol_has_bound_nothing() {
        let read = Protocols::parse(">=9999 <=305").unwrap();
        assert_eq!(read.versions, Versions { tls12: true, tls13: true });
        assert_eq!((read.odd_floor, read.odd_ceiling), (Some(0x9999), Some(0x305)));
    }

    #[test]
    fn all_protocols_that_a_list_allows() {
        use scout::Protocol;
        let all = |list| Protocols::parse(list).unwrap().all;
        assert_eq!(all(""), Protocol::ALL);
        assert_eq!(all(">=TLSv1"), Protocol::ALL[1..]);
        assert_eq!(all("SSLv3 TLSv1.2"), [Protocol::SSL3, Protocol::TLS12]);
        assert_eq!(all("!TLSv1 !TLSv1.2 <=TLSv1.2"), [Protocol::SSL3, Protocol::TLS11]);
        assert_eq!(all("SSLv2"), []);
    }
}
