//! Which mail hosts a record set names, and in which order they and their addresses are tried.

use std::net::IpAddr;
use std::sync::Arc;

use super::error::{LookupError, RecordType};
use super::lookup::Found;
use super::message::Data;
use super::name::{HostText, Name, host_text};
use super::note::LookupNote;
use crate::config::Family;
use crate::random::Random;

/// A mail host that a record names, with its place in the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// A host name or an address.
    pub(crate) host: Arc<str>,
    /// The same in wire form; `None` for the address that a record names, and if DNS cannot hold it.
    pub(crate) name: Option<Name>,
    pub(crate) port: u16,
    /// MX preference or SRV priority: hosts of a lower one come first.
    pub(crate) preference: u16,
    /// The order among hosts of equal preference; the same for all if it does not matter.
    pub(crate) turn: u16,
}

/// The hosts of an MX answer for `domain` in order of preference (RFC 5321 section 5.1), with what
/// there is to tell of the records.
pub(crate) fn mx_hosts(
    domain: &str,
    port: u16,
    found: &Found,
) -> (Vec<LookupNote>, Result<Vec<Candidate>, LookupError>) {
    let mut names = Vec::new();
    for data in &found.data {
        if let Data::Mx { preference, exchange } = data {
            names.push((*preference, port, exchange));
        }
    }
    let null = || LookupError::NullMx { domain: domain.to_owned() };
    let (mut notes, hosts) = hosts(domain, RecordType::MX, &names, null);
    notes.splice(0..0, excess(domain, RecordType::MX, found.excess));
    let hosts = hosts.map(|mut hosts| {
        hosts.sort_by_key(|host| host.preference);
        hosts
    });
    (notes, hosts)
}

/// The hosts of an SRV answer for `query` in the order of RFC 2782, with what there is to tell of
/// the records.
pub(crate) fn srv_hosts(
    query: &str,
    found: &Found,
    random: &mut Random,
) -> (Vec<LookupNote>, Result<Vec<Candidate>, LookupError>) {
    let mut records = Vec::new();
    for data in &found.data {
        if let Data::Srv { priority, weight, port, target } = data {
            records.push((*priority, *weight, (*port, target)));
        }
    }
    let ordered = order_by_weight(records, random);
    let names: Vec<_> = ordered.into_iter().map(|(p, (port, target))| (p, port, target)).collect();
    let none = || LookupError::NoService { query: query.to_owned() };
    let (mut notes, hosts) = hosts(query, RecordType::SRV, &names, none);
    notes.splice(0..0, excess(query, RecordType::SRV, found.excess));
    let hosts = hosts.map(|mut hosts| {
        for (turn, host) in (0..).zip(&mut hosts) {
            host.turn = turn;
        }
        hosts
    });
    (notes, hosts)
}

fn excess(name: &str, record: RecordType, excess: bool) -> Option<LookupNote> {
    excess.then(|| LookupNote::ExcessRecords { name: name.to_owned(), record })
}

fn hosts(
    query: &str,
    record: RecordType,
    names: &[(u16, u16, &Name)],
    refused: impl FnOnce() -> LookupError,
) -> (Vec<LookupNote>, Result<Vec<Candidate>, LookupError>) {
    let mut notes = Vec::new();
    let mut hosts = Vec::new();
    let asked = || query.to_owned();
    for (preference, port, target) in names {
        let (host, name) = match host_text(target) {
            HostText::Host(host) => (host, Some((*target).clone())),
            // RFC 7505 and RFC 2782: no service here.
            HostText::Root => return (notes, Err(refused())),
            HostText::Address(address) => {
                notes.push(LookupNote::NumericTarget { record, name: asked(), address });
                (address.to_string(), None)
            }
            HostText::Bad(target, problem) => {
                notes.push(LookupNote::MalformedTarget { record, name: asked(), target, problem });
                continue;
            }
        };
        let (host, port, preference) = (host.into(), *port, *preference);
        hosts.push(Candidate { host, name, port, preference, turn: 0 });
    }
    if hosts.is_empty() {
        return (notes, Err(LookupError::InvalidName { name: asked() }));
    }
    (notes, Ok(hosts))
}

/// Orders records by priority, and at random by weight among equal ones (RFC 2782, "Weight").
fn order_by_weight<T>(mut records: Vec<(u16, u16, T)>, random: &mut Random) -> Vec<(u16, T)> {
    // Records without weight stand first, so that they have a small chance of coming first.
    records.sort_by_key(|(priority, weight, _)| (*priority, *weight));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(&(priority, ..)) = records.first() {
        let equal = records.iter().take_while(|(other, ..)| *other == priority);
        let sum: u32 = equal.map(|(_, weight, _)| u32::from(*weight)).sum();
        let drawn = random.below(sum + 1);
        let mut running = 0;
        let chosen = records.iter().position(|(_, weight, _)| {
            running += u32::from(*weight);
            running >= drawn
        });
        let (priority, _, record) = records.remove(chosen.unwrap_or(0));
        ordered.push((priority, record));
    }
    ordered
}

/// The place of an address among all addresses of a destination: the least is tried first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) preference: u16,
    turn: u16,
    /// The address is not of the family that comes first.
    other_family: bool,
    /// Random numbers make a shuffle.
    draw: u64,
}

impl Place {
    pub(crate) fn new(host: &Candidate, ip: IpAddr, family: Family, random: &mut Random) -> Self {
        let other_family = match family {
            Family::Any => false,
            Family::V4 => ip.is_ipv6(),
            Family::V6 => ip.is_ipv4(),
        };
        let mut draw = [0; 8];
        random.fill(&mut draw);
        let draw = u64::from_be_bytes(draw);
        Self { preference: host.preference, turn: host.turn, other_family, draw }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::HostError;
    use crate::resolve::name::from_text;

    fn found(data: Vec<Data>) -> Found {
        Found { owner: from_text("d.test").unwrap(), data, excess: false, secure: true }
    }

    fn mx(preference: u16, exchange: &str) -> Data {
        let exchange =
            if exchange == "." { Name::root_bytes() } else { from_text(exchange).unwrap() };
        Data::Mx { preference, exchange }
    }

    fn names(hosts: &[Candidate]) -> Vec<(u16, &str)> {
        hosts.iter().map(|host| (host.preference, &host.host[..])).collect()
    }

    #[test]
    fn mx_records_in_order_of_preference() {
        let found =
            found(vec![mx(20, "b.test"), mx(10, "Z.test"), mx(20, "a.test"), mx(0, "m.test")]);
        let (notes, hosts) = mx_hosts("d.test", 25, &found);
        let hosts = hosts.unwrap();
        assert_eq!(notes, []);
        let order = [(0, "m.test"), (10, "Z.test"), (20, "b.test"), (20, "a.test")];
        assert_eq!(names(&hosts), order);
    }

    #[test]
    fn null_mx_refuses_whatever_stands_beside_it() {
        for data in [vec![mx(0, ".")], vec![mx(10, "a.test"), mx(0, ".")]] {
            let (_, hosts) = mx_hosts("d.test", 25, &found(data));
            assert_eq!(hosts, Err(LookupError::NullMx { domain: "d.test".to_owned() }));
        }
    }

    #[test]
    fn odd_mx_targets() {
        let bad = Name::bytes_from_str(r"a\032b.test").unwrap();
        let bad = Data::Mx { preference: 5, exchange: bad };
        let answer = found(vec![mx(20, "a.test"), bad.clone(), mx(10, "192.0.2.1")]);
        let (notes, hosts) = mx_hosts("d.test", 25, &answer);
        assert_eq!(names(&hosts.unwrap()), [(10, "192.0.2.1"), (20, "a.test")]);
        assert_eq!(
            notes,
            [
                LookupNote::MalformedTarget {
                    record: RecordType::MX,
                    name: "d.test".to_owned(),
                    target: r"a\ b.test".to_owned(),
                    problem: HostError::Octet(b'\\'),
                },
                LookupNote::NumericTarget {
                    record: RecordType::MX,
                    name: "d.test".to_owned(),
                    address: "192.0.2.1".parse().unwrap(),
                },
            ]
        );
        let (_, hosts) = mx_hosts("d.test", 25, &found(vec![bad]));
        assert_eq!(hosts, Err(LookupError::InvalidName { name: "d.test".to_owned() }));
    }

    #[test]
    fn excess_is_told() {
        let answer = Found { excess: true, ..found(vec![mx(1, "a.test")]) };
        let note = LookupNote::ExcessRecords { name: "d.test".to_owned(), record: RecordType::MX };
        assert_eq!(mx_hosts("d.test", 25, &answer).0, [note]);
    }

    #[test]
    fn srv_records_by_priority_and_weight() {
        let srv = |priority, weight, port, target: &str| {
            let target = from_text(target).unwrap();
            Data::Srv { priority, weight, port, target }
        };
        let answer = found(vec![
            srv(20, 0, 1, "last.test"),
            srv(10, 0, 2, "rare.test"),
            srv(10, 30, 3, "often.test"),
            srv(10, 10, 4, "seldom.test"),
        ]);
        let mut random = Random::from_seed([9; 32]);
        let mut first = [0; 5];
        for _ in 0..4000 {
            let (_, hosts) = srv_hosts("_smtp._tcp.d.test", &answer, &mut random);
            let hosts = hosts.unwrap();
            assert_eq!(names(&hosts)[3], (20, "last.test"));
            assert!(hosts.iter().map(|host| host.turn).eq(0..4));
            first[usize::from(hosts[0].port)] += 1;
        }
        // Of 41 numbers, 1 draws the record without weight, 10 and 30 the others.
        assert!((50..150).contains(&first[2]), "{first:?}");
        assert!((2700..3150).contains(&first[3]), "{first:?}");
        assert!((830..1120).contains(&first[4]), "{first:?}");
    }

    #[test]
    fn srv_target_may_refuse() {
        let root = Data::Srv { priority: 0, weight: 0, port: 0, target: Name::root_bytes() };
        let (_, hosts) =
            srv_hosts("_smtp._tcp.d.test", &found(vec![root]), &mut Random::from_seed([0; 32]));
        assert_eq!(hosts, Err(LookupError::NoService { query: "_smtp._tcp.d.test".to_owned() }));
    }

    #[test]
    fn family_counts_only_among_equal_preferences() {
        let host =
            |preference| Candidate { host: "".into(), name: None, port: 25, preference, turn: 0 };
        let (v4, v6) = ("192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap());
        let mut random = Random::from_seed([3; 32]);
        let mut firsts = [0; 2];
        for _ in 0..200 {
            let mut place =
                |preference, ip, family| Place::new(&host(preference), ip, family, &mut random);
            assert!(place(10, v4, Family::V4) < place(10, v6, Family::V4));
            assert!(place(10, v6, Family::V6) < place(10, v4, Family::V6));
            assert!(place(10, v6, Family::V4) < place(20, v4, Family::V4));
            let first = place(10, v4, Family::Any) < place(10, v6, Family::Any);
            firsts[usize::from(first)] += 1;
        }
        assert!(firsts[0] > 70 && firsts[1] > 70, "{firsts:?}");
    }
}
