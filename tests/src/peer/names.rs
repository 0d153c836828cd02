//! A virtual name server that answers from [`Zones`].

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::tls::{TlsServer, TlsSetup};
use super::{Act, Host, Peer};
use crate::zones::Zones;

/// The side of a name server that listens for UDP or for TCP.
#[derive(Clone, Debug)]
pub struct NameServer {
    zones: Arc<Mutex<Zones>>,
    address: IpAddr,
    tcp: bool,
    tls: Option<TlsSetup>,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl NameServer {
    /// Makes one side of the name server at this address.
    pub fn new(zones: Arc<Mutex<Zones>>, address: IpAddr, tcp: bool) -> Self {
        Self { zones, address, tcp, tls: None, heard: Arc::default() }
    }

    /// Makes a name server that speaks DNS over TLS (RFC 7858).
    pub fn over_tls(zones: Zones, tls: TlsSetup) -> Self {
        let zones = Arc::new(Mutex::new(zones));
        Self { tls: Some(tls), ..Self::new(zones, IpAddr::from([192, 0, 2, 53]), true) }
    }

    /// The queries that came so far, to this and to its clones.
    pub fn heard(&self) -> Vec<Vec<u8>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Host for NameServer {
    fn accept(&self) -> Box<dyn Peer> {
        let tls = self.tls.as_ref().map(TlsSetup::accept);
        let (unread, acts) = (vec![], VecDeque::new());
        Box::new(Conversation { server: self.clone(), tls, unread, acts })
    }
}

#[derive(Debug)]
struct Conversation {
    server: NameServer,
    tls: Option<TlsServer>,
    /// Of a stream: the beginning of a message.
    unread: Vec<u8>,
    acts: VecDeque<Act>,
}

impl Conversation {
    fn answer(&mut self, query: &[u8]) {
        let NameServer { zones, address, tcp, heard, .. } = &self.server;
        heard.lock().unwrap_or_else(PoisonError::into_inner).push(query.to_vec());
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
            let message = [prefix, &reply.message].concat();
            self.acts.push_back(match &mut self.tls {
                None => Act::Send(message.into()),
                Some(tls) => {
                    tls.say(&message);
                    Act::Send(tls.output().into())
                }
            });
        }
    }
}

impl Peer for Conversation {
    fn received(&mut self, bytes: &[u8]) {
        if !self.server.tcp {
            return self.answer(bytes);
        }
        let Some(tls) = &mut self.tls else {
            self.unread.extend_from_slice(bytes);
            return self.answer_unread();
        };
        let (plain, error) = tls.receive(bytes);
        let (output, closed) = (tls.output(), tls.closed_by_client());
        if !output.is_empty() {
            self.acts.push_back(Act::Send(output.into()));
        }
        self.unread.extend_from_slice(&plain);
        self.answer_unread();
        if error.is_some() || closed {
            self.acts.push_back(Act::End);
        }
    }

    fn act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }
}

impl Conversation {
    fn answer_unread(&mut self) {
        for query in take_messages(&mut self.unread) {
            self.answer(&query);
        }
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
