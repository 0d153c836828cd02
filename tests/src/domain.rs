//! A domain to survey: three mail hosts at six addresses, with keys of both kinds, one certificate
//! that has expired, and one host whose TLSA record is wrong.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use crate::certs::{self, KeyType};
use crate::dns_server::DnsServer;
use crate::loopback::Loopback;
use crate::peer::{Journal, Script, TlsSetup};

/// The mail servers of `d.test` and its name server, until they are dropped.
#[derive(Debug)]
pub struct Domain {
    /// The port that all mail servers listen at.
    pub port: u16,
    /// The name server; its answers are secure.
    pub names: DnsServer,
    /// What each mail server hears.
    pub journals: Vec<Journal>,
    _servers: Vec<Loopback>,
}

impl Domain {
    /// Starts the mail servers at six addresses from `first` on, two for each host, and the name
    /// server at another.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn start(first: Ipv4Addr, names: SocketAddr) -> io::Result<Self> {
        let ecdsa = || TlsSetup::default().identity(certs::server(KeyType::P256));
        let rsa = || TlsSetup::default().identity(certs::server(KeyType::Rsa2048));
        let setups = [
            // Both kinds of keys on the first host; the second matches no record.
            ecdsa().or_identity(certs::server(KeyType::Rsa2048)),
            TlsSetup::only_12().or_identity(certs::server(KeyType::Rsa2048)),
            ecdsa(),
            TlsSetup::default().identity(certs::expired(KeyType::P256)),
            rsa(),
            rsa(),
        ];
        let scripts: Vec<_> = setups.map(|setup| Script::smtp().tls(setup)).into();
        let journals = scripts.iter().map(Script::journal).collect();
        let (port, servers) = listen(first, &scripts)?;
        let at = |number: u32| Ipv4Addr::from(u32::from(first) + number);
        let (good, wrong) = (certs::tlsa(KeyType::P256), "3 1 1 ".to_owned() + &"00".repeat(32));
        let hosts = (1..=3).map(|host: u32| {
            let (one, other) = (at(2 * host - 2), at(2 * host - 1));
            let record = if host == 3 { &wrong } else { &good };
            format!(
                "d.test MX {host}0 mx{host}.d.test\n\
                 mx{host}.d.test A {one}\nmx{host}.d.test A {other}\n\
                 _{port}._tcp.mx{host}.d.test TLSA {record}\n"
            )
        });
        let zones = "@secure .\n".to_owned() + &hosts.collect::<String>();
        let names = DnsServer::start_at(names, &zones)?;
        Ok(Self { port, names, journals, _servers: servers })
    }
}

/// Listens on one port of as many addresses as there are scripts.
///
/// # Errors
///
/// The system's.
pub fn listen(first: Ipv4Addr, scripts: &[Script]) -> io::Result<(u16, Vec<Loopback>)> {
    loop {
        let mut port = 0;
        let servers: io::Result<Vec<_>> = (u32::from(first)..)
            .zip(scripts)
            .map(|(address, script)| {
                let address = SocketAddr::from((Ipv4Addr::from(address), port));
                let server = Loopback::tcp_at(address, script.clone());
                port = server.as_ref().map_or(port, Loopback::port);
                server
            })
            .collect();
        match servers {
            Ok(servers) => return Ok((port, servers)),
            // Another program may have the port on one of the addresses.
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => {}
            Err(error) => return Err(error),
        }
    }
}
