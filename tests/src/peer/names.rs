//! A virtual name server that answers from [`Zones`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::{Act, Host, Peer};
use crate::zones::Zones;

/// The side of a name server that listens for UDP or for TCP.
#[derive(Clone, Debug)]
pub struct NameServer {
    zones: Arc<Mutex<Zones>>,
    address: IpAddr,
    tcp: bool,
}

impl NameServer {
    /// Makes both sides of a name server: for UDP and for TCP.
    pub fn both(zones: Zones, address: IpAddr) -> (Self, Self) {
        let udp = Self { zones: Arc::new(Mutex::new(zones)), address, tcp: false };
        let tcp = Self { tcp: true, ..udp.clone() };
        (udp, tcp)
    }
}

impl Host for NameServer {
    fn accept(&self) -> Box<dyn Peer> {
        Box::new(Conversation { server: self.clone(), unread: vec![], acts: VecDeque::new() })
    }
}

#[derive(Debug)]
struct Conversation {
    server: NameServer,
    /// Of a stream: the beginning of a message.
    unread: Vec<u8>,
    acts: VecDeque<Act>,
}

impl Conversation {
    fn answer(&mut self, query: &[u8]) {
        let NameServer { zones, address, tcp } = &self.server;
        let mut zones = zones.lock().unwrap_or_else(PoisonError::into_inner);
        for reply in zones.answer(*address, query, *tcp) {
            if !reply.after.is_zero() {
                self.acts.push_back(Act::Pause(reply.after));
            }
            let length = u16::try_from(reply.message.len()).unwrap_or(u16::MAX).to_be_bytes();
            let prefix = if *tcp { &length[..] } else { &[] };
            self.acts.push_back(Act::Send([prefix, &reply.message].concat().into()));
        }
    }
}

impl Peer for Conversation {
    fn received(&mut self, bytes: &[u8]) {
        if !self.server.tcp {
            return self.answer(bytes);
        }
        self.unread.extend_from_slice(bytes);
        // RFC 1035 section 4.2.2: each message goes behind its length.
        while let [high, low, rest @ ..] = &self.unread[..] {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            let Some(query) = rest.get(..length) else { break };
            let query = query.to_vec();
            self.unread.drain(..2 + length);
            self.answer(&query);
        }
    }

    fn act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }
}
