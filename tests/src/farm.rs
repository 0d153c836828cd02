//! A load farm: thousands of mail servers on loopback in one process, and the names that lead to
//! them.
//!
//! | name | what it has |
//! | --- | --- |
//! | `dN.KIND.farm.test` | MX `mxK.KIND.farm.test`, K being N modulo the number of servers; any other label does as well |
//! | `mxK.KIND.farm.test` | an address of its own, 127.16.0.0 and above; of kind `dual` ::1 besides |
//! | `_PORT._tcp.mxK.KIND.farm.test` | a TLSA record `3 1 1`, for kinds that have one |
//!
//! A [`Kind`] says how its servers behave. Each has its own key and certificate, issued by one
//! intermediate. All names are signed, in one zone: answers have the AD bit, and signatures for those
//! who ask for them; [`Farm::trust_anchor`] tells the key.

mod connection;
mod names;
mod pki;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::signer::Signer;
pub use names::Names;
pub use pki::Pki;
pub use server::{Servers, has_ipv6};

/// A mail farm and its name server, until dropped.
#[derive(Debug)]
pub struct Farm {
    world: Arc<World>,
    servers: Servers,
    names: Option<Names>,
}

/// How large a farm is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    /// Servers of each kind, at most 65,536.
    pub servers: u32,
    /// Mail hosts of each domain.
    pub hosts: u32,
    /// Threads that serve mail.
    pub threads: usize,
    /// The port of all mail servers; 0 is any that is free.
    pub port: u16,
    /// The port of the name server, as above.
    pub names_port: u16,
}

impl Default for Size {
    /// A hundred servers, one mail host for each domain, one thread.
    fn default() -> Self {
        Self { servers: 100, hosts: 1, threads: 1, port: 0, names_port: 0 }
    }
}

impl Farm {
    /// Starts mail servers and a name server.
    ///
    /// # Errors
    ///
    /// The system's.
    pub fn start(size: Size) -> io::Result<Self> {
        let listeners = server::listen(size)?;
        let port = listeners[0].local_addr()?.port();
        let world = Arc::new(World::new(Size { port, ..size }));
        let servers = Servers::start(listeners, &world)?;
        let names = Some(Names::start(&world)?);
        Ok(Self { world, servers, names })
    }

    /// Tells the port of all mail servers.
    pub fn port(&self) -> u16 {
        self.world.size.port
    }

    /// Tells the address of the name server.
    ///
    /// # Panics
    ///
    /// If it was stopped.
    pub fn resolver(&self) -> SocketAddr {
        self.names.as_ref().expect("the name server runs").address()
    }

    /// Stops the name server: nobody answers any more.
    pub fn stop_names(&mut self) {
        self.names = None;
    }

    /// Makes the keys and certificates of all servers of a kind, which else are made when they are
    /// first needed.
    pub fn prepare(&self, kind: Kind) {
        for number in 0..self.world.size.servers {
            self.world.pki.config(Host { kind, number });
        }
    }

    /// Tells the root certificate in PEM form.
    pub fn root_pem(&self) -> String {
        self.world.pki.root_pem()
    }

    /// Tells the DS record that names the key of all names, as a line of a zone file.
    pub fn trust_anchor(&self) -> String {
        let ds = self.world.signer.ds();
        let tag = u16::from_be_bytes([ds[0], ds[1]]);
        let digest: String = ds[4..].iter().map(|octet| format!("{octet:02X}")).collect();
        format!(". IN DS {tag} {} {} {digest}\n", ds[2], ds[3])
    }

    /// Tells what came about so far.
    pub fn counts(&self) -> Counts {
        self.world.counts().clone()
    }

    /// Forgets what came about.
    pub fn reset_counts(&self) {
        *self.world.counts() = Counts::default();
    }

    /// Tells how many threads serve mail.
    pub fn threads(&self) -> usize {
        self.servers.threads()
    }
}

/// What all threads share.
#[derive(Debug)]
struct World {
    size: Size,
    pki: Pki,
    signer: Signer,
    counts: Mutex<Counts>,
}

impl World {
    fn new(size: Size) -> Self {
        Self { size, pki: Pki::default(), signer: names::signer(), counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What servers saw.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Connections.
    pub connections: u64,
    /// Handshakes that came to their end.
    pub handshakes: u64,
    /// Questions to the name server.
    pub questions: u64,
    /// Connections that are open.
    pub open: u64,
    /// The most that were open at once.
    pub most_open: u64,
    /// The same for each server.
    pub of_host: BTreeMap<Host, HostCounts>,
}

/// What one server saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HostCounts {
    /// Connections.
    pub connections: u64,
    /// Connections that are open.
    pub open: u64,
    /// The most that were open at once.
    pub most_open: u64,
}

impl Counts {
    /// Counts a connection; tells how many this server had before.
    fn opened(&mut self, host: Host) -> u64 {
        self.connections += 1;
        self.open += 1;
        self.most_open = self.most_open.max(self.open);
        let of_host = self.of_host.entry(host).or_default();
        of_host.connections += 1;
        of_host.open += 1;
        of_host.most_open = of_host.most_open.max(of_host.open);
        of_host.connections - 1
    }

    fn closed(&mut self, host: Host) {
        self.open = self.open.saturating_sub(1);
        let of_host = self.of_host.entry(host).or_default();
        of_host.open = of_host.open.saturating_sub(1);
    }
}

/// How a server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// As it should, with a TLSA record.
    Good,
    /// As it should, without a TLSA record.
    Unpinned,
    /// The TLSA record is another server's.
    Mismatch,
    /// Says nothing after the ClientHello.
    Silent,
    /// Says nothing at all.
    Mute,
    /// Refuses every connection with 421.
    Busy,
    /// Refuses the first connection with 421.
    Once,
    /// Does not offer STARTTLS.
    Bare,
    /// Hangs up at the ClientHello.
    Lost,
    /// Hangs up at once.
    Gone,
    /// Begins with TLS.
    Wrapped,
    /// As it should; has an IPv6 address, too. There is only one of them.
    Dual,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Self; 12] = [
        Self::Good,
        Self::Unpinned,
        Self::Mismatch,
        Self::Silent,
        Self::Mute,
        Self::Busy,
        Self::Once,
        Self::Bare,
        Self::Lost,
        Self::Gone,
        Self::Wrapped,
        Self::Dual,
    ];

    /// Tells the label of the kind.
    pub fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Unpinned => "unpinned",
            Self::Mismatch => "mismatch",
            Self::Silent => "silent",
            Self::Mute => "mute",
            Self::Busy => "busy",
            Self::Once => "once",
            Self::Bare => "bare",
            Self::Lost => "lost",
            Self::Gone => "gone",
            Self::Wrapped => "wrapped",
            Self::Dual => "dual",
        }
    }

    /// Finds the kind of a label.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// One mail server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Host {
    /// How it behaves.
    pub kind: Kind,
    /// Which of its kind.
    pub number: u32,
}

/// Where the addresses of the first kind begin: 127.16.0.0. Each kind has 2^16.
const FIRST: u32 = 0x7f10_0000;

impl Host {
    /// Tells the server's name.
    pub fn name(self) -> String {
        format!("mx{}.{}.farm.test", self.number, self.kind.word())
    }

    /// Tells the server's address.
    pub fn address(self) -> Ipv4Addr {
        let kind = Kind::ALL.iter().position(|kind| *kind == self.kind).unwrap_or_default();
        Ipv4Addr::from(FIRST + ((kind as u32) << 16) + (self.number & 0xffff))
    }

    /// Finds the server at an address.
    pub fn at(address: IpAddr) -> Option<Self> {
        let address = match address.to_canonical() {
            IpAddr::V4(address) => address,
            IpAddr::V6(address) => {
                let dual = Self { kind: Kind::Dual, number: 0 };
                return (address == Ipv6Addr::LOCALHOST).then_some(dual);
            }
        };
        let place = u32::from(address).checked_sub(FIRST)?;
        let kind = *Kind::ALL.get((place >> 16) as usize)?;
        Some(Self { kind, number: place & 0xffff })
    }
}
