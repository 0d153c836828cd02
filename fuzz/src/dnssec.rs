//! The target `dnssec`: recorded zones whose answers somebody changes on the way.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64ct::{Base64Unpadded, Encoding as _};
use tlsfinger_core::config::{Config, DnssecTrust, HostLookup, Level, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::report::{Event, PeerAddress};
use tlsfinger_core::resolve::{
    LookupNote, RecordType, ResolvConf, RouteFinder, Target, TrustAnchors,
};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

/// Changes the answers that a [`RouteFinder`] gets which validates them itself.
///
/// The first octet chooses a zone. Every four octets after it change one answer: which, where (two
/// octets), and what to flip there; where nothing is flipped, another recorded answer takes its
/// place under the question of this one.
///
/// Whatever is changed, an address is secure only if it is the one that the zone's owner signed, in
/// a zone that a real validator found secure, and no TLSA record is, because there is none. That
/// says more than to follow the chain a second time: it needs no code that could err likewise.
pub fn dnssec(data: &[u8]) {
    let Some((choice, changes)) = data.split_first() else { return };
    let zones = &*ZONES;
    let (zone, is_secure) = &zones.names[usize::from(*choice) % zones.names.len()];
    let mut finder = RouteFinder::new(&config(zone), [3; 32], WallTime(1_780_272_000));
    let mut now = Instant::START;
    let mut answered = 0;
    for _ in 0..100_000 {
        match finder.poll_output() {
            Output::Send(id, query) => {
                let answer = zones.answer(&query, answered, changes);
                answered += 1;
                finder.handle_input(now, Input::Received(id, answer.into()));
            }
            Output::Tell(Event::Lookup(LookupNote::Target(target))) => check(&target, *is_secure),
            Output::Open(..) | Output::Close(_) | Output::Tell(_) => {}
            Output::FindHost(..) | Output::Pass { .. } | Output::Finished(_) | Output::Want(_) => {
                panic!("nobody asked for that")
            }
            Output::Wait(until, _) => {
                assert!(until > now, "waits for the past");
                now = until;
                finder.handle_input(now, Input::Tick);
            }
            Output::Done => return,
        }
    }
    panic!("never ends");
}

fn check(target: &Target, is_secure: bool) {
    assert!(target.tlsa.is_none(), "a TLSA record that nobody signed");
    if target.address_secure {
        assert!(is_secure, "secure in a zone that is not");
        let signed = PeerAddress::Inet(IpAddr::from([192, 0, 2, 1]), 25);
        assert_eq!(target.peer.address, signed, "nobody signed that");
    }
}

fn config(zone: &str) -> Config {
    let host = format!("a.{zone}");
    let place = Place::Inet { host: host.clone(), literal: true, service: None, port: 25 };
    let mut resolvers = ResolvConf::parse(b"nameserver 192.0.2.53");
    resolvers.timeout = Duration::from_secs(1);
    let lookup = Lookup {
        hosts: HostLookup { dns: true, native: false },
        resolvers,
        dnssec: DnssecTrust::Local,
        trust_anchors: Arc::clone(&ZONES.anchors),
        ..Lookup::default()
    };
    let destination = Destination { text: host, place };
    Config { destination, level: Level::Dane, lookup, ..Config::default() }
}

/// The zones of `tests/dnssec`.
struct Zones {
    /// Zones, and whether a real validator found their addresses secure.
    names: Vec<(String, bool)>,
    answers: BTreeMap<(String, u16), Vec<u8>>,
    all: Vec<Vec<u8>>,
    anchors: Arc<TrustAnchors>,
}

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let names = include_str!("../../tests/dnssec/names.txt").lines().filter_map(|line| {
        let (zone, worth) = line.strip_prefix("a.")?.split_once(" A ")?;
        Some((zone.to_owned(), worth == "secure"))
    });
    let answers = include_str!("../../tests/dnssec/answers.txt").lines().map(|line| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("three words");
        let name = word().trim_end_matches('.').to_owned();
        let record = RecordType::from_text(word()).expect("a type");
        ((name, record.0), Base64Unpadded::decode_vec(word()).expect("Base64"))
    });
    let answers: BTreeMap<_, _> = answers.collect();
    let anchors = include_bytes!("../../tests/dnssec/anchor.txt");
    Zones {
        names: names.collect(),
        all: answers.values().cloned().collect(),
        answers,
        anchors: Arc::new(TrustAnchors::parse(anchors).expect("anchors")),
    }
});

impl Zones {
    /// Answers a query with what was recorded, or says NOERROR without any record.
    fn answer(&self, query: &[u8], number: usize, changes: &[u8]) -> Vec<u8> {
        let (name, record, end) = question(query);
        let found = self.answers.get(&(name.to_ascii_lowercase(), record));
        let empty = || [&[0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], &query[12..end]].concat();
        let mut answer = found.cloned().unwrap_or_else(empty);
        for change in changes.chunks_exact(4) {
            let [which, high, low, flip] = *change else { continue };
            let place = usize::from(u16::from_be_bytes([high, low]));
            if usize::from(which) != number {
                continue;
            }
            if flip == 0 {
                let other = &self.all[place % self.all.len()];
                let (_, _, other_end) = question(other);
                answer = [&other[..12], &query[12..end], &other[other_end..]].concat();
            } else {
                let place = 2 + place % (answer.len() - 2);
                answer[place] ^= flip;
            }
        }
        answer[..2].copy_from_slice(&query[..2]);
        answer
    }
}

/// Reads the question of a well-formed message: name, type, and where it ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut at = 12;
    let mut labels = Vec::new();
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}
