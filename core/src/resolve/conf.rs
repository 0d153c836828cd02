//! Which name servers to ask and how: resolv.conf(5), and the option that replaces it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV6};
use std::time::Duration;

use super::tls::ResolverTls;
use crate::destination::check_host;
use crate::limits;
use crate::machine::Remote;

/// What resolv.conf(5) says, as far as it matters where no name is ever searched for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolvConf {
    /// The name servers in the order in which they are asked; never empty.
    pub servers: Vec<Remote>,
    /// How long one name server has for its answer.
    pub timeout: Duration,
    /// How many times all name servers are asked; at least 1.
    pub attempts: u32,
    /// Begin each question with another name server.
    pub rotate: bool,
    /// Ask over TCP only.
    pub use_vc: bool,
    /// The name servers and the way to them can be trusted with the AD bit.
    pub trust_ad: bool,
    /// Ask over TLS (RFC 7858); the AD bit counts only if that shows who answers.
    pub tls: Option<ResolverTls>,
}

impl Default for ResolvConf {
    /// What holds without a file: the name server of this host.
    fn default() -> Self {
        Self {
            servers: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, DNS_PORT)).into()],
            timeout: Duration::from_secs(5),
            attempts: 2,
            rotate: false,
            use_vc: false,
            trust_ad: false,
            tls: None,
        }
    }
}

impl ResolvConf {
    /// Reads the text of a resolv.conf as the C library does: what it does not know is ignored, and
    /// of repeated options the last one counts.
    pub fn parse(text: &[u8]) -> Self {
        let mut conf = Self::default();
        let mut servers = Vec::new();
        for line in text.split(|byte| *byte == b'\n') {
            let line = String::from_utf8_lossy(line);
            // A keyword starts its line; `#` and `;` make comments only there.
            if line.starts_with([' ', '\t', '#', ';']) {
                continue;
            }
            let mut words = line.split_ascii_whitespace();
            match words.next() {
                Some("nameserver") => {
                    let server = words.next().and_then(|text| scoped_address(text, DNS_PORT));
                    servers.extend(server.filter(|_| servers.len() < limits::NAME_SERVERS));
                }
                Some("options") => words.for_each(|option| conf.set_option(option)),
                Some(_) | None => {}
            }
        }
        if !servers.is_empty() {
            conf.servers = servers;
        }
        conf
    }

    /// Replaces the name servers by one, which is asked in plain text.
    #[must_use]
    pub fn with_server(self, server: Remote) -> Self {
        Self { servers: vec![server], tls: None, ..self }
    }

    /// Replaces the name servers by one that is asked over TLS.
    #[must_use]
    pub fn with_tls_server(self, server: Remote, tls: ResolverTls) -> Self {
        Self { servers: vec![server], tls: Some(tls), ..self }
    }

    fn set_option(&mut self, option: &str) {
        // The C library's bounds (RES_MAXRETRANS, RES_MAXRETRY).
        let number = |text: &str, most: u32| {
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            text[..digits]
                .parse::<u32>()
                .unwrap_or(if digits > 0 { most } else { 0 })
                .clamp(1, most)
        };
        match option.split_once(':') {
            Some(("timeout", seconds)) => {
                self.timeout = Duration::from_secs(number(seconds, 30).into());
            }
            Some(("attempts", times)) => self.attempts = number(times, 5),
            Some(_) => {}
            None => match option {
                "rotate" => self.rotate = true,
                "use-vc" => self.use_vc = true,
                "trust-ad" => self.trust_ad = true,
                _ => {}
            },
        }
    }
}

const DNS_PORT: u16 = 53;

/// The port of DNS over TLS (RFC 7858 section 3.1).
const DNS_TLS_PORT: u16 = 853;

/// A name server, and how to ask it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its address.
    pub remote: Remote,
    /// Over TLS: the name that its certificate must have, or an address as text.
    pub tls: Option<String>,
}

impl NameServer {
    /// Reads `address`, as [`parse_resolver`] does, or `tls://address#name`. Without a name the
    /// certificate must be for the address. The port is 53, and 853 over TLS.
    ///
    /// # Errors
    /// If the text is neither.
    pub fn parse(text: &str) -> Result<Self, NotAResolver> {
        let Some(text) = text.strip_prefix("tls://") else {
            return Ok(Self { remote: parse_resolver(text)?, tls: None });
        };
        let (address, name) = match text.split_once('#') {
            Some((address, name)) => (address, Some(name)),
            None => (text, None),
        };
        let remote = parse_address(address, DNS_TLS_PORT)?;
        let name = match name {
            Some(name) if check_host(name).is_ok() || name.parse::<IpAddr>().is_ok() => {
                name.to_ascii_lowercase()
            }
            Some(_) => return Err(NotAResolver),
            None => remote.address.ip().to_string(),
        };
        Ok(Self { remote, tls: Some(name) })
    }
}

/// Reads the address of a name server: `address`, `v4:port`, `[address]:port`; the address may be
/// IPv6 with a zone.
pub fn parse_resolver(text: &str) -> Result<Remote, NotAResolver> {
    parse_address(text, DNS_PORT)
}

fn parse_address(text: &str, default: u16) -> Result<Remote, NotAResolver> {
    if let Some(server) = scoped_address(text, default) {
        return Ok(server);
    }
    let (address, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']').ok_or(NotAResolver)? {
            (address, "") => (address, default),
            (address, port) => {
                (address, port.strip_prefix(':').and_then(port_number).ok_or(NotAResolver)?)
            }
        },
        None => {
            let (address, port) = text.split_once(':').ok_or(NotAResolver)?;
            (address, port_number(port).ok_or(NotAResolver)?)
        }
    };
    scoped_address(address, port).ok_or(NotAResolver)
}

/// The text is not the address of a name server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAResolver;

impl fmt::Display for NotAResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "expected an address with an optional port, such as 127.0.0.1:53 or [::1]:53, or the same \
             with a name for DNS over TLS, such as tls://192.0.2.1#dns.example",
        )
    }
}

impl std::error::Error for NotAResolver {}

fn port_number(text: &str) -> Option<u16> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten().filter(|port| *port != 0)
}

/// Reads an address that may have a zone (RFC 4007 section 11): an interface by number or name.
pub(crate) fn scoped_address(text: &str, port: u16) -> Option<Remote> {
    let Some((address, zone)) = text.split_once('%') else {
        let address: IpAddr = text.parse().ok()?;
        return Some(SocketAddr::new(address, port).into());
    };
    let address = address.parse().ok()?;
    let number: Option<u32> = zone.parse().ok();
    let named = !zone.is_empty()
        && zone.len() <= 64
        && zone.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:@".contains(&byte));
    if !named {
        return None;
    }
    Some(Remote {
        address: SocketAddrV6::new(address, port, 0, number.unwrap_or(0)).into(),
        interface: number.is_none().then(|| zone.to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Remote {
        text.parse::<SocketAddr>().unwrap().into()
    }

    #[test]
    fn file_without_servers_means_this_host() {
        for text in
            [&b""[..], b"# nothing\n", b"nameserver\nnameserver example.org\n", b"\xff\xfe\0"]
        {
            assert_eq!(ResolvConf::parse(text), ResolvConf::default());
        }
        assert_eq!(ResolvConf::default().servers, [plain("127.0.0.1:53")]);
    }

    #[test]
    fn file_is_read_as_the_c_library_does() {
        let conf = ResolvConf::parse(
            b"; comment\n nameserver 192.0.2.9\n\
              nameserver 192.0.2.1   trailing\r\n\
              nameserver\tfe80::1%eth0\n\
              nameserver fe80::2%3\n\
              nameserver 192.0.2.4\n\
              search example.org\n\
              options timeout:99 attempts:1 ndots:3 edns0 rotate trust-ad\n\
              options attempts:3 use-vc timeout:2",
        );
        assert_eq!(conf.servers[0], plain("192.0.2.1:53"));
        assert_eq!(conf.servers[1].interface.as_deref(), Some("eth0"));
        assert_eq!(conf.servers[1].address, "[fe80::1]:53".parse().unwrap());
        assert_eq!(conf.servers[2], plain("[fe80::2%3]:53"));
        assert_eq!(conf.servers.len(), 3);
        assert_eq!((conf.timeout, conf.attempts), (Duration::from_secs(2), 3));
        assert!(conf.rotate && conf.trust_ad && conf.use_vc);
    }

    #[test]
    fn numbers_have_bounds() {
        for (options, timeout, attempts) in [
            ("timeout:0 attempts:0", 1, 1),
            ("timeout:31 attempts:6", 30, 5),
            ("timeout:99999999999 attempts:x", 30, 1),
            ("timeout:7s attempts:-1", 7, 1),
        ] {
            let conf = ResolvConf::parse(format!("options {options}\n").as_bytes());
            assert_eq!((conf.timeout.as_secs(), conf.attempts), (timeout, attempts), "{options}");
        }
    }

    #[test]
    fn resolver_option() {
        for (text, wanted) in [
            ("192.0.2.1", Some("192.0.2.1:53")),
            ("192.0.2.1:5300", Some("192.0.2.1:5300")),
            ("2001:db8::1", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]", Some("[2001:db8::1]:53")),
            ("[2001:db8::1]:5300", Some("[2001:db8::1]:5300")),
            ("[fe80::1%4]:5300", Some("[fe80::1%4]:5300")),
            ("", None),
            ("dns.example", None),
            ("192.0.2.1:", None),
            ("192.0.2.1:0", None),
            ("192.0.2.1:+5", None),
            ("192.0.2.1:65536", None),
            ("[::1]x", None),
            ("[::1", None),
            ("fe80::1%", None),
            ("192.0.2.1%eth0", None),
        ] {
            assert_eq!(parse_resolver(text).ok(), wanted.map(plain), "{text}");
        }
        let zone = parse_resolver("[fe80::1%eth0]:53").unwrap();
        assert_eq!(zone.interface.as_deref(), Some("eth0"));
    }
}
