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
    /// Makes one side of the name server at this address.
    pub fn new(zones: Arc<Mutex<Zones>>, address: IpAddr, tcp: bool) -> Self {
        Self { zones, address, tcp }
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
        if zones.is_dead(*address, *tcp) {
            return self.acts.push_back(Act::Reset);
        }
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
        for query in take_messages(&mut self.unread) {
            self.answer(&query);
        }
    }

    fn act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }
}

/// Takes all complete messages from a stream, where each goes behind its length (RFC 1035 section
/// 4.2.2).
pub(crate) fn take_messages(stream: &mut Vec<u8>) -> Vec<Vec<u8>> {
    let mut messages = vec![];
    while let [high, low, rest @ ..] = &stream[..] {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(message) = rest.get(..length) else { break };
        messages.push(message.to_vec());
        stream.drain(..2 + length);
    }
    messages
}
