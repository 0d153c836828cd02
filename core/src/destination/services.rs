//! From a service's name to its TCP port: a configured list, and the text of services(5).

use std::collections::BTreeMap;
use std::fmt;

/// Ports of services whose names the system need not know (Postfix's `known_tcp_ports`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPorts(BTreeMap<String, u16>);

impl KnownPorts {
    /// Reads a list such as `lmtp=24, smtps=submissions=465`; names are case-sensitive.
    pub fn parse(list: &str) -> Result<Self, KnownPortsError> {
        let mut ports = BTreeMap::new();
        let separator = |c: char| c == ',' || c.is_ascii_whitespace();
        // Blanks around an equal sign belong to the item.
        let list = list.split('=').map(str::trim).collect::<Vec<_>>().join("=");
        for item in list.split(separator).filter(|item| !item.is_empty()) {
            let error = || KnownPortsError(item.to_owned());
            let (names, port) = item.rsplit_once('=').ok_or_else(error)?;
            let port = port.parse().ok().filter(|port| *port > 0).ok_or_else(error)?;
            for name in names.split('=') {
                if name.is_empty() {
                    return Err(error());
                }
                ports.insert(name.to_owned(), port);
            }
        }
        Ok(Self(ports))
    }

    /// Finds the port of a service.
    pub fn port(&self, name: &str) -> Option<u16> {
        self.0.get(name).copied()
    }
}

impl Default for KnownPorts {
    /// The reference's list.
    fn default() -> Self {
        let ports =
            [("lmtp", 24), ("smtp", 25), ("smtps", 465), ("submissions", 465), ("submission", 587)];
        Self(ports.map(|(name, port)| (name.to_owned(), port)).into())
    }
}

/// An item of a port list is not `name=[name=]port`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownPortsError(pub String);

impl fmt::Display for KnownPortsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed port list item: {}", self.0)
    }
}

impl std::error::Error for KnownPortsError {}

/// Finds the TCP port of a service, by name or alias, in the text of services(5).
///
/// Lines that are malformed are passed over, as the system's own lookup does.
pub fn tcp_port(services: &[u8], name: &str) -> Option<u16> {
    services.split(|byte| *byte == b'\n').find_map(|line| {
        let line = line.split(|byte| *byte == b'#').next()?;
        let mut words = str::from_utf8(line).ok()?.split_ascii_whitespace();
        let official = words.next()?;
        let (port, protocol) = words.next()?.split_once('/')?;
        let named = official == name || words.any(|alias| alias == name);
        (protocol == "tcp" && named).then(|| port.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn port_lists() {
        let list = "lmtp=24, smtp=25,smtps=submissions = 465 submission=587";
        assert_eq!(KnownPorts::parse(list), Ok(KnownPorts::default()));
        assert_eq!(KnownPorts::parse(" \t"), Ok(KnownPorts(BTreeMap::new())));
        for bad in ["smtp", "smtp=", "=25", "smtp=0", "smtp=65536", "smtp=x", "a==25"] {
            assert!(KnownPorts::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn services() {
        let text = b"# comment\n\
            smtp\t\t25/tcp\t\tmail\n\
            domain 53/udp\ndomain\t53/tcp # smtp2\n\
            bad\nworse 99\nodd x/tcp\nbig 70000/tcp\n\xff\xfe 1/tcp\n\
            submission 587/tcp# last\nlast 7/tcp";
        let table = [
            ("smtp", Some(25)),
            ("mail", Some(25)),
            ("domain", Some(53)),
            ("submission", Some(587)),
            ("last", Some(7)),
            ("SMTP", None),
            ("smtp2", None),
            ("comment", None),
            ("bad", None),
            ("worse", None),
            ("odd", None),
            ("big", None),
        ];
        for (name, port) in table {
            assert_eq!(tcp_port(text, name), port, "{name}");
        }
    }
}
