//! The target `names`: name servers that say anything.

use std::collections::BTreeMap;
use std::mem;
use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::config::{Config, HostLookup, InsecureMx, Level};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{LookupNote, MxSecurity, RouteFinder, Target};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

/// Plays the name servers for a [`RouteFinder`]: the first octets choose the configuration, then
/// each step answers a query that is open. Id and question are right, the rest is the fuzzer's.
///
/// Whatever they say, the search ends in bounded time, and without an AD bit nothing is secure.
pub fn names(data: &[u8]) {
    let mut data = Reader(data);
    let mut servers = Servers::new(RouteFinder::new(&config(&mut data), [3; 32], WallTime(0)));
    servers.drain();
    while !data.0.is_empty() && !servers.done {
        servers.step(&mut data);
        servers.drain();
    }
    for _ in 0..10_000 {
        if servers.done {
            return;
        }
        assert!(servers.until > servers.now, "waits for the past");
        servers.now = servers.until;
        servers.machine.handle_input(servers.now, Input::Tick);
        servers.drain();
    }
    panic!("time alone must bring the search to its end");
}

fn config(data: &mut Reader<'_>) -> Config {
    let choice = data.octet();
    let level = if choice & 1 != 0 { Level::May } else { Level::Dane };
    let mut config = Config { level, ..Config::default() };
    config.lookup.force_tlsa = choice & 2 != 0;
    config.lookup.srv = choice & 4 != 0;
    config.lookup.hosts = HostLookup { dns: true, native: false };
    config.lookup.insecure_mx = match choice >> 6 {
        0 => InsecureMx::May,
        1 => InsecureMx::Encrypt,
        _ => InsecureMx::Dane,
    };
    config.lookup.resolvers.timeout = Duration::from_secs(1);
    config.lookup.resolvers.use_vc = choice & 16 != 0;
    let literal = choice & 32 != 0;
    let place = Place::Inet { host: "d.test".to_owned(), literal, service: None, port: 25 };
    config.destination = Destination { text: "d.test".to_owned(), place };
    config
}

struct Servers {
    machine: RouteFinder,
    now: Instant,
    until: Instant,
    done: bool,
    streams: BTreeMap<TransportId, bool>,
    /// Queries that were not answered yet.
    open: Vec<(TransportId, Vec<u8>)>,
    said_ad: bool,
}

impl Servers {
    fn new(machine: RouteFinder) -> Self {
        Self {
            machine,
            now: Instant::START,
            until: Instant::NEVER,
            done: false,
            streams: BTreeMap::new(),
            open: Vec::new(),
            said_ad: false,
        }
    }

    /// One octet chooses the query, two are flags, one holds the counts of answer and authority,
    /// one the length of the records, which follow.
    fn step(&mut self, data: &mut Reader<'_>) {
        let choice = data.octet();
        self.now = self.now + Duration::from_millis(u64::from(choice >> 4));
        if self.open.is_empty() {
            self.machine.handle_input(self.now, Input::Tick);
            return;
        }
        let (id, query) = self.open[usize::from(choice & 15) % self.open.len()].clone();
        let flags = [data.octet(), data.octet()];
        let counts = data.octet();
        let length = data.octet();
        let question_end = query
            .iter()
            .skip(12)
            .position(|octet| *octet == 0)
            .map_or(query.len(), |at| 12 + at + 5);
        let mut message = query[..2].to_vec();
        message.extend(flags);
        message.extend([0, 1, 0, counts >> 4, 0, counts & 15, 0, 0]);
        message.extend(&query[12..question_end.min(query.len())]);
        message.extend(data.octets(usize::from(length)));
        self.said_ad |= flags[1] & 0x20 != 0;
        if self.streams.get(&id) == Some(&true) {
            let length = u16::try_from(message.len()).expect("it is short");
            message.splice(0..0, length.to_be_bytes());
        }
        self.machine.handle_input(self.now, Input::Received(id, Bytes::from(message)));
    }

    fn drain(&mut self) {
        for _ in 0..100_000 {
            match self.machine.poll_output() {
                Output::Open(id, endpoint) => {
                    self.streams.insert(id, matches!(endpoint, Endpoint::Tcp(_)));
                }
                Output::Send(id, bytes) => self.sent(id, &bytes),
                Output::Close(id) => {
                    self.open.retain(|(open, _)| *open != id);
                    self.streams.remove(&id);
                }
                Output::Tell(Event::Lookup(LookupNote::Target(target))) => self.check(&target),
                Output::Tell(_) | Output::FindHost(..) | Output::Finished(_) | Output::Want(_) => {}
                Output::Pass { .. } => panic!("nothing to pass"),
                Output::Wait(until, _) => {
                    self.until = until;
                    return;
                }
                Output::Done => {
                    self.done = true;
                    return;
                }
            }
        }
        panic!("too many outputs for one input");
    }

    fn sent(&mut self, id: TransportId, bytes: &[u8]) {
        let mut bytes = bytes.to_vec();
        if self.streams.get(&id) != Some(&true) {
            return self.open.push((id, bytes));
        }
        while bytes.len() > 2 {
            let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
            let rest = bytes.split_off(2 + length);
            self.open.push((id, mem::replace(&mut bytes, rest).split_off(2)));
        }
    }

    fn check(&self, target: &Target) {
        if !self.said_ad {
            assert!(target.mx != MxSecurity::Secure && !target.address_secure);
            assert!(target.tlsa.is_none());
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn octet(&mut self) -> u8 {
        self.octets(1).first().copied().unwrap_or(0)
    }

    fn octets(&mut self, count: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken.to_vec()
    }
}
