//! A virtual world that has nothing but name servers, each of which answers from the same zones.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::report::Event;
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Machine, Output};

use crate::peer::{Host as _, NameServer, names};
use crate::world::{self, Link, Run, Word};
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
    /// The most transports that were open at once.
    pub most_open: usize,
}

impl World {
    /// Makes a world of zones; packets take 10 ms each way.
    pub fn new(zones: &str) -> Self {
        Self {
            zones: Zones::parse(zones),
            latency: Duration::from_millis(10),
            hosts: BTreeMap::new(),
            told: Vec::new(),
            asked: Vec::new(),
            most_open: 0,
        }
    }

    /// Runs a machine to its end and returns the time.
    ///
    /// # Panics
    /// If the machine breaks the contract or does not end.
    pub fn run(&mut self, machine: &mut dyn Machine) -> Instant {
        let zones = Arc::new(Mutex::new(self.zones.clone()));
        let (link, shared) = (Link::symmetric(self.latency), Arc::clone(&zones));
        let mut world = world::World::new(machine).elsewhere(move |endpoint| {
            let zones = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let (at, tcp) = match endpoint {
                Endpoint::Udp(remote) => (remote.address, false),
                Endpoint::Tcp(remote) => (remote.address, true),
                Endpoint::Unix(_) => return None,
            };
            let listens = !tcp || (at.port() == 53 && !zones.is_dead(at.ip(), true));
            let server = NameServer::new(Arc::clone(&shared), at.ip(), tcp);
            listens.then(|| (link.clone(), server.accept()))
        });
        for (name, addresses) in &self.hosts {
            world = world.lookup(name, Duration::ZERO, Ok(addresses.clone()));
        }
        let run = world.run();
        self.zones = zones.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.look_back(&run);
        run.ended_at()
    }

    /// Takes from a run what tests want to see.
    fn look_back<M: Machine>(&mut self, run: &Run<M>) {
        let mut opened: BTreeMap<TransportId, Opened> = BTreeMap::new();
        for (now, word) in &run.log {
            match word {
                Word::Out(Output::Open(id, endpoint)) => {
                    let (Endpoint::Udp(remote) | Endpoint::Tcp(remote)) = endpoint else {
                        continue;
                    };
                    let tcp = matches!(endpoint, Endpoint::Tcp(_));
                    opened.insert(*id, Opened { server: remote.address, tcp, unread: vec![] });
                    self.most_open = self.most_open.max(opened.len());
                }
                Word::Out(Output::Send(id, bytes)) => {
                    let Some(opened) = opened.get_mut(id) else { continue };
                    for query in opened.queries(bytes) {
                        let server = opened.server.ip();
                        self.asked.push((*now, format!("{server} {}", question_text(&query))));
                    }
                }
                Word::Out(Output::Tell(event)) => self.told.push((*now, event.clone())),
                Word::Out(Output::Close(id))
                | Word::In(Input::Ended(id) | Input::Failed(id, _)) => {
                    opened.remove(id);
                }
                _ => {}
            }
        }
    }
}

/// A transport that the machine has open.
struct Opened {
    server: SocketAddr,
    tcp: bool,
    /// Of a stream: the beginning of a message.
    unread: Vec<u8>,
}

impl Opened {
    fn queries(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        if !self.tcp {
            return vec![bytes.to_vec()];
        }
        self.unread.extend_from_slice(bytes);
        names::take_messages(&mut self.unread)
    }
}

/// Makes an error of the operating system.
pub fn io_error(kind: IoErrorKind, code: i32, message: &str) -> IoError {
    IoError { kind, code, message: message.to_owned() }
}

/// The question of a query as text.
fn question_text(query: &[u8]) -> String {
    let message = domain::base::Message::from_octets(query).ok();
    let question = message.as_ref().and_then(|message| message.sole_question().ok());
    question.map_or_else(String::new, |asked| format!("{} {}", asked.qname(), asked.qtype()))
}
