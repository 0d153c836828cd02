//! A virtual world that has nothing but name servers: deterministic, on a virtual clock.

use std::collections::{BTreeMap, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tlsfinger_core::machine::{Endpoint, LookupId, TransportId};
use tlsfinger_core::report::Event;
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Machine, Output};

use crate::zones::Zones;

/// Name servers at a distance, and a machine's view of them.
#[derive(Debug)]
pub struct World {
    /// What the name servers answer from.
    pub zones: Zones,
    /// How long a packet takes each way.
    pub latency: Duration,
    /// What the system's own lookup knows.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// What the machine told, and when.
    pub told: Vec<(Instant, Event)>,
    /// The queries that were sent, as `server name type`, and when.
    pub asked: Vec<(Instant, String)>,
    now: Instant,
    coming: BTreeMap<(Instant, u64), Input>,
    number: u64,
    transports: BTreeMap<TransportId, Transport>,
    /// The most transports that were open at once.
    pub most_open: usize,
}

#[derive(Debug)]
struct Transport {
    server: SocketAddr,
    tcp: bool,
    /// When what is sent can leave.
    ready: Instant,
    unread: VecDeque<u8>,
}

/// A machine that does this many things is not going to end.
const STEPS: usize = 100_000;

impl World {
    /// Makes a world of zones; packets take 10 ms each way.
    pub fn new(zones: &str) -> Self {
        Self {
            zones: Zones::parse(zones),
            latency: Duration::from_millis(10),
            hosts: BTreeMap::new(),
            told: Vec::new(),
            asked: Vec::new(),
            now: Instant::START,
            coming: BTreeMap::new(),
            number: 0,
            transports: BTreeMap::new(),
            most_open: 0,
        }
    }

    /// Runs a machine to its end and returns the time.
    ///
    /// # Panics
    /// If the machine breaks the contract or does not end.
    pub fn run(&mut self, machine: &mut dyn Machine) -> Instant {
        for _ in 0..STEPS {
            match machine.poll_output() {
                Output::Done => return self.now,
                Output::Wait(until, why) => {
                    let next = self.coming.first_key_value().map(|((at, _), _)| *at);
                    if next.is_some_and(|at| at <= until) {
                        let Some(((at, _), input)) = self.coming.pop_first() else {
                            return self.now;
                        };
                        self.now = self.now.max(at);
                        machine.handle_input(self.now, input);
                    } else {
                        assert!(until < Instant::NEVER, "waits for ever: {why}");
                        assert!(until > self.now, "waits for the past: {why}");
                        self.now = until;
                        machine.handle_input(self.now, Input::Tick);
                    }
                }
                output => self.carry_out(output),
            }
        }
        panic!("the machine does not end; it told {:#?}", self.told);
    }

    fn carry_out(&mut self, output: Output) {
        match output {
            Output::Open(id, endpoint) => self.open(id, endpoint),
            Output::Send(id, bytes) => self.send(id, &bytes),
            Output::Close(id) => {
                self.transports.remove(&id);
                self.bring(self.now, Input::Ended(id));
            }
            Output::FindHost(id, name) => self.find_host(id, name.as_str()),
            Output::Tell(event) => self.told.push((self.now, event)),
            Output::Pass { .. } | Output::Finished(_) | Output::Wait(..) | Output::Done => {}
        }
    }

    fn open(&mut self, id: TransportId, endpoint: Endpoint) {
        let (server, tcp) = match endpoint {
            Endpoint::Udp(remote) => (remote.address, false),
            Endpoint::Tcp(remote) => (remote.address, true),
            Endpoint::Unix(path) => panic!("no UNIX sockets in this world: {}", path.display()),
        };
        let round_trip = self.latency * 2;
        let ready = if tcp { self.now + round_trip } else { self.now };
        if tcp && (server.port() != 53 || self.zones.is_dead(server.ip(), true)) {
            let refused = io_error(IoErrorKind::Refused, 111, "Connection refused");
            return self.bring(ready, Input::Failed(id, refused));
        }
        self.bring(ready, Input::Opened(id));
        self.transports.insert(id, Transport { server, tcp, ready, unread: VecDeque::new() });
        self.most_open = self.most_open.max(self.transports.len());
    }

    fn send(&mut self, id: TransportId, bytes: &[u8]) {
        let Some(transport) = self.transports.get_mut(&id) else { return };
        let (server, tcp, leaves) =
            (transport.server, transport.tcp, self.now.max(transport.ready));
        if !tcp {
            return self.query(id, server, tcp, leaves, bytes);
        }
        transport.unread.extend(bytes);
        while let Some(message) = self.transports.get_mut(&id).and_then(take_message) {
            self.query(id, server, tcp, leaves, &message);
        }
    }

    fn query(&mut self, id: TransportId, server: SocketAddr, tcp: bool, at: Instant, query: &[u8]) {
        let back = at + self.latency * 2;
        self.asked.push((self.now, format!("{} {}", server.ip(), question_text(query))));
        if self.zones.is_dead(server.ip(), tcp) {
            let refused = io_error(IoErrorKind::Refused, 111, "Connection refused");
            self.transports.remove(&id);
            return self.bring(back, Input::Failed(id, refused));
        }
        for reply in self.zones.answer(server.ip(), query, tcp) {
            let mut message = reply.message;
            if tcp {
                let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
                message.splice(0..0, length.to_be_bytes());
            }
            self.bring(back + reply.after, Input::Received(id, message.into()));
        }
    }

    fn find_host(&mut self, id: LookupId, name: &str) {
        let not_found = || io_error(IoErrorKind::NotFound, -2, "Name or service not known");
        let found = self.hosts.get(name).cloned().ok_or_else(not_found);
        self.bring(self.now, Input::HostFound(id, found));
    }

    fn bring(&mut self, at: Instant, input: Input) {
        self.number += 1;
        self.coming.insert((at, self.number), input);
    }
}

/// Makes an error of the operating system.
pub fn io_error(kind: IoErrorKind, code: i32, message: &str) -> IoError {
    IoError { kind, code, message: message.to_owned() }
}

fn take_message(transport: &mut Transport) -> Option<Vec<u8>> {
    let [high, low] = [*transport.unread.front()?, *transport.unread.get(1)?];
    let length = usize::from(u16::from_be_bytes([high, low]));
    if transport.unread.len() < 2 + length {
        return None;
    }
    Some(transport.unread.drain(..2 + length).skip(2).collect())
}

/// The question of a query as text.
fn question_text(query: &[u8]) -> String {
    let message = domain::base::Message::from_octets(query).ok();
    let question = message.as_ref().and_then(|message| message.sole_question().ok());
    question.map_or_else(String::new, |asked| format!("{} {}", asked.qname(), asked.qtype()))
}
