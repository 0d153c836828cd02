//! Names of services: `known_tcp_ports`, then services(5).

use std::collections::BTreeMap;
use std::fmt;

/// The TCP ports of services by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Services(BTreeMap<String, u16>);

impl Services {
    /// The reference's default for `known_tcp_ports`.
    pub const KNOWN: &str = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";

    /// Reads `known_tcp_ports` and the text of services(5); the former wins.
    pub fn parse(known_tcp_ports: &str, services: &[u8]) -> Result<Self, BadKnownPort> {
        let mut ports = read_known(known_tcp_ports)?;
        for (name, port) in read_services(services) {
            // The first line with a name counts.
            ports.entry(name).or_insert(port);
        }
        Ok(Self(ports))
    }

    /// Tells the port of a service. `smtp` always has one.
    pub fn port(&self, service: &str) -> Option<u16> {
        self.0.get(service).copied().or((service == "smtp").then_some(25))
    }
}

/// An entry of `known_tcp_ports` that is not `name=port` or `name=name=port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadKnownPort {
    /// The entry as written.
    pub entry: String,
}

impl fmt::Display for BadKnownPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "known_tcp_ports: expected name=port in \"{}\"", self.entry)
    }
}

impl std::error::Error for BadKnownPort {}

fn read_known(text: &str) -> Result<BTreeMap<String, u16>, BadKnownPort> {
    let mut ports = BTreeMap::new();
    for entry in text.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
        let bad = || BadKnownPort { entry: entry.to_owned() };
        let (names, port) = entry.rsplit_once('=').ok_or_else(bad)?;
        let port = port.trim().parse().ok().filter(|port| *port != 0).ok_or_else(bad)?;
        for name in names.split('=').map(str::trim) {
            let numeric = name.bytes().all(|byte| byte.is_ascii_digit());
            if name.is_empty() || numeric {
                return Err(bad());
            }
            ports.insert(name.to_owned(), port);
        }
    }
    Ok(ports)
}

fn read_services(text: &[u8]) -> Vec<(String, u16)> {
    let mut found = Vec::new();
    for line in text.split(|byte| *byte == b'\n') {
        let line = String::from_utf8_lossy(line);
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_ascii_whitespace();
        let (Some(name), Some(place)) = (words.next(), words.next()) else { continue };
        let Some((port, "tcp")) = place.split_once('/') else { continue };
        let Ok(port) = port.parse() else { continue };
        found.extend(std::iter::once(name).chain(words).map(|name| (name.to_owned(), port)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_ports_come_first() {
        let file = b"# file\nsmtp 26/tcp mail # comment\nsmtp 1/udp\nurd 465/tcp ssmtp smtps\n\
                     bad x/tcp\nfinger\nmail 99/tcp\n\xff 7/tcp";
        let services = Services::parse(Services::KNOWN, file).unwrap();
        for (name, port) in [
            ("smtp", Some(25)),
            ("mail", Some(26)),
            ("submissions", Some(465)),
            ("ssmtp", Some(465)),
            ("lmtp", Some(24)),
            ("finger", None),
            ("bad", None),
            ("SMTP", None),
        ] {
            assert_eq!(services.port(name), port, "{name}");
        }
        assert_eq!(Services::parse("", b"").unwrap().port("smtp"), Some(25));
        assert_eq!(Services::parse("", b"smtp 26/tcp").unwrap().port("smtp"), Some(26));
    }

    #[test]
    fn known_ports_are_checked() {
        for bad in ["smtp", "smtp=", "smtp=x", "=25", "25=25", "smtp=0", "smtp=65536", "a==5"] {
            let entry = bad.to_owned();
            assert_eq!(Services::parse(bad, b""), Err(BadKnownPort { entry }), "{bad}");
        }
        assert_eq!(Services::parse(" , a = b = 5 ,", b"").unwrap().port("b"), Some(5));
    }
}
