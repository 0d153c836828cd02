//! The name server of a farm: it makes its answers up from the question.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, ToName, Ttl, UnknownRecordData};
use domain::rdata::dnssec::RtypeBitmap;
use rustix::net::sockopt;

use super::{Host, Kind, World};
use crate::signer::{Signer, Validity};

/// Octets of questions that may wait.
const RECEIVE_BUFFER: usize = 4 << 20;

/// Makes the key that signs all names: they are all in the root zone.
pub(super) fn signer() -> Signer {
    // ECDSA with P-256.
    Signer::new(Name::root_vec(), 13)
}

/// A name server over UDP, until dropped.
#[derive(Debug)]
pub struct Names {
    address: SocketAddr,
    stopping: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Names {
    /// Starts it on 127.0.0.1.
    pub(super) fn start(world: &Arc<World>) -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, world.size.names_port))?;
        // A scan asks much at once; the system gives as much of it as it allows.
        sockopt::set_socket_recv_buffer_size(&socket, RECEIVE_BUFFER)?;
        let address = socket.local_addr()?;
        let stopping = Arc::new(AtomicBool::new(false));
        let (world, stopped) = (Arc::clone(world), Arc::clone(&stopping));
        let serve = move || {
            let mut buffer = [0; 4096];
            while let Ok((size, peer)) = socket.recv_from(&mut buffer) {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                world.counts().questions += 1;
                if let Some(answer) = answer(&world, &buffer[..size]) {
                    // A lost answer is asked for again.
                    let _ = socket.send_to(&answer, peer);
                }
            }
        };
        let thread = Some(thread::Builder::new().name("names".to_owned()).spawn(serve)?);
        Ok(Self { address, stopping, thread })
    }

    /// Tells where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Names {
    fn drop(&mut self) {
        self.stopping.store(true, Ordering::SeqCst);
        let wake = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?.send_to(b"stop", self.address);
        if wake().is_ok()
            && let Some(thread) = self.thread.take()
        {
            let _ = thread.join();
        }
    }
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Owner {
    Domain(Kind, u32),
    Mail(Host),
    Tlsa(Host),
    /// A name above others.
    Above,
    Root,
}

fn answer(world: &World, query: &[u8]) -> Option<Vec<u8>> {
    let query = Message::from_octets(query).ok()?;
    let question = query.sole_question().ok()?;
    let name: Name<Vec<u8>> = question.qname().to_name();
    let rtype = question.qtype();
    let owner = owner(world, &name.to_string().to_ascii_lowercase());
    let records = owner.map(|owner| records(world, owner, rtype)).unwrap_or_default();
    let opt = query.opt();
    let signs = opt.as_ref().is_some_and(|opt| opt.dnssec_ok());

    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_id(query.header().id());
    header.set_qr(true);
    header.set_rd(true);
    header.set_ra(true);
    header.set_ad(true);
    // Signed denial is that of RFC 9824, where every name exists.
    let exists = owner.is_some() || signs;
    header.set_rcode(if exists { Rcode::NOERROR } else { Rcode::NXDOMAIN });
    let mut builder = builder.question();
    builder.push((&name, rtype)).ok()?;
    let mut builder = builder.answer();
    for record in world.set(&name, rtype, TTL, &records, signs) {
        builder.push(record).ok()?;
    }
    let mut builder = builder.authority();
    if records.is_empty() {
        let root = Name::root_vec();
        for record in world.set(&root, Rtype::SOA, DENIED_TTL, &[soa()], signs) {
            builder.push(record).ok()?;
        }
        if signs {
            for record in world.set(&name, Rtype::NSEC, DENIED_TTL, &[nsec(&name, owner)?], true) {
                builder.push(record).ok()?;
            }
        }
    }
    let mut builder = builder.additional();
    if opt.is_some() {
        let opt = builder.opt(|opt| {
            opt.set_udp_payload_size(1232);
            opt.set_dnssec_ok(signs);
            Ok(())
        });
        opt.ok()?;
    }
    Some(builder.finish())
}

/// Seconds that answers may be kept.
const TTL: u32 = 3600;

/// Seconds that it may be kept that something does not exist.
const DENIED_TTL: u32 = 300;

type Record = domain::base::Record<Name<Vec<u8>>, UnknownRecordData<Vec<u8>>>;

impl World {
    /// Makes the records of one owner and type, and their signature if there are any.
    fn set(
        &self,
        owner: &Name<Vec<u8>>,
        rtype: Rtype,
        ttl: u32,
        records: &[Vec<u8>],
        signs: bool,
    ) -> Vec<Record> {
        let record = |rtype, data: Vec<u8>| {
            let data = UnknownRecordData::from_octets(rtype, data).expect("it is short");
            Record::new(owner.clone(), Class::IN, Ttl::from_secs(ttl), data)
        };
        let mut set: Vec<_> = records.iter().map(|data| record(rtype, data.clone())).collect();
        if signs && !set.is_empty() {
            let signature = self.signer.rrsig(owner, rtype, ttl, records, Validity::default());
            set.push(record(Rtype::RRSIG, signature));
        }
        set
    }
}

/// Makes the NSEC record that says which types a name has, and that the next name follows at once
/// (RFC 9824 section 3).
fn nsec(name: &Name<Vec<u8>>, owner: Option<Owner>) -> Option<Vec<u8>> {
    let types: &[Rtype] = match owner {
        None => &[],
        Some(Owner::Root) => &[Rtype::SOA, Rtype::DNSKEY],
        Some(Owner::Above) => &[],
        Some(Owner::Domain(..)) => &[Rtype::MX],
        Some(Owner::Mail(Host { kind: Kind::Dual, .. })) => &[Rtype::A, Rtype::AAAA],
        Some(Owner::Mail(_)) => &[Rtype::A],
        Some(Owner::Tlsa(_)) => &[Rtype::TLSA],
    };
    let mut bitmap = RtypeBitmap::<Vec<u8>>::builder();
    for rtype in types.iter().chain(&[Rtype::RRSIG, Rtype::NSEC]) {
        bitmap.add(*rtype).ok()?;
    }
    Some([&[1, 0][..], name.as_slice(), bitmap.finalize().as_octets()].concat())
}

fn owner(world: &World, name: &str) -> Option<Owner> {
    let Some(rest) = name.strip_suffix("farm.test") else {
        return match name {
            "." => Some(Owner::Root),
            "test" => Some(Owner::Above),
            _ => None,
        };
    };
    let mut labels = rest.trim_end_matches('.').rsplit('.').filter(|label| !label.is_empty());
    let Some(kind) = labels.next() else { return Some(Owner::Above) };
    let kind = Kind::from_word(kind)?;
    let Some(label) = labels.next() else { return Some(Owner::Above) };
    let number = label.strip_prefix("mx").and_then(|number| number.parse().ok());
    let host = number.filter(|number| *number < world.size.servers);
    let host = host.map(|number| Host { kind, number });
    let port = format!("_{}", world.size.port);
    match (host, labels.next(), labels.next()) {
        (Some(host), None, None) => Some(Owner::Mail(host)),
        (None, None, None) => Some(Owner::Domain(kind, number_of(label))),
        (Some(_), Some("_tcp"), None) => Some(Owner::Above),
        (Some(host), Some("_tcp"), Some(label)) if label == port => match host.kind {
            Kind::Unpinned => None,
            _ => Some(Owner::Tlsa(host)),
        },
        _ => None,
    }
}

/// Tells which domain a label means: `d5` is the fifth, and other labels have a number too.
fn number_of(label: &str) -> u32 {
    let number = label.strip_prefix('d').and_then(|number| number.parse().ok());
    let mixed =
        || label.bytes().fold(7_u32, |mixed, byte| mixed.wrapping_mul(31) ^ u32::from(byte));
    number.unwrap_or_else(mixed)
}

fn records(world: &World, owner: Owner, rtype: Rtype) -> Vec<Vec<u8>> {
    let size = world.size;
    match (owner, rtype) {
        (Owner::Domain(kind, number), Rtype::MX) => {
            let mail = |at: u32| {
                let number = match kind {
                    Kind::Dual => 0,
                    _ => number.wrapping_add(at) % size.servers,
                };
                let host = Host { kind, number };
                let preference = u16::try_from(10 * (at + 1)).unwrap_or(u16::MAX);
                let exchange = Name::vec_from_str(&host.name()).expect("it is a name");
                [&preference.to_be_bytes()[..], exchange.as_slice()].concat()
            };
            (0..size.hosts).map(mail).collect()
        }
        (Owner::Root, Rtype::DNSKEY) => vec![world.signer.dnskey()],
        (Owner::Mail(host), Rtype::A) => vec![host.address().octets().to_vec()],
        (Owner::Mail(Host { kind: Kind::Dual, .. }), Rtype::AAAA) => {
            vec![Ipv6Addr::LOCALHOST.octets().to_vec()]
        }
        (Owner::Tlsa(host), Rtype::TLSA) => {
            let pinned = match host.kind {
                Kind::Mismatch => Host { kind: Kind::Good, number: host.number },
                _ => host,
            };
            vec![[&[3, 1, 1][..], &world.pki.spki(pinned)].concat()]
        }
        _ => Vec::new(),
    }
}

fn soa() -> Vec<u8> {
    let mut data = vec![0, 0];
    for number in [1_u32, 86_400, 3_600, 2_419_200, 60] {
        data.extend(number.to_be_bytes());
    }
    data
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::farm::{Farm, Size};

    #[test]
    fn names_lead_to_servers() {
        let size = Size { servers: 10, port: 2525, ..Size::default() };
        let world = World::new(size);
        let host = |kind, number| Host { kind, number };
        let table = [
            ("d25.good.farm.test", Some(Owner::Domain(Kind::Good, 25))),
            ("mx3.silent.farm.test", Some(Owner::Mail(host(Kind::Silent, 3)))),
            ("_2525._tcp.mx3.good.farm.test", Some(Owner::Tlsa(host(Kind::Good, 3)))),
            ("_2525._tcp.mx3.unpinned.farm.test", None),
            ("_25._tcp.mx3.good.farm.test", None),
            ("_tcp.mx3.good.farm.test", Some(Owner::Above)),
            ("farm.test", Some(Owner::Above)),
            ("d1.nosuch.farm.test", None),
            ("example.org", None),
        ];
        for (name, expected) in table {
            assert_eq!(owner(&world, name), expected, "{name}");
        }
        for kind in Kind::ALL {
            let host = host(kind, 0x1234);
            assert_eq!(Host::at(host.address().into()), Some(host));
        }
    }

    #[test]
    fn a_farm_stops() {
        let farm = Farm::start(Size { threads: 2, ..Size::default() }).unwrap();
        assert_eq!((farm.threads(), farm.counts().connections), (2, 0));
        drop(farm);
    }
}
