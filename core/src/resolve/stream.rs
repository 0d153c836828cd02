//! One TCP or TLS connection to a name server, shared by several queries (RFC 7766, RFC 7858).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::{Buf, Bytes, BytesMut};

use super::error::DnsProblem;
use super::query::QueryId;
use super::tls::{CLOSED, Decrypted, Demand, Layer};
use crate::context::Cx;
use crate::limits;
use crate::machine::{Endpoint, Remote, TransportId};
use crate::report::{TlsError, TlsFacts};
use crate::time::Instant;

#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) transport: TransportId,
    /// What arrived of the next message; less than one message, so at most 64 KiB.
    unread: BytesMut,
    /// Whose answer has which id.
    waiting: BTreeMap<u16, QueryId>,
    /// When somebody last waited.
    used: Instant,
    tls: Option<Layer>,
    /// Over TLS: the name server proved to be the one that was asked for.
    authenticated: bool,
}

/// What came of bytes of the name server.
#[derive(Debug, Default)]
pub(crate) struct Arrived {
    /// The messages that became complete, with who waits for them.
    pub(crate) messages: Vec<(QueryId, Bytes)>,
    /// TLS came about: questions can be [written](Stream::write) from now on.
    pub(crate) secured: Option<Arc<TlsFacts>>,
    /// Nothing more comes.
    pub(crate) over: Option<DnsProblem>,
}

impl Stream {
    /// Opens a connection, over TLS if that is demanded.
    ///
    /// # Errors
    /// TLS cannot begin.
    pub(crate) fn open(
        cx: &mut Cx,
        server: Remote,
        demand: Option<&Demand>,
    ) -> Result<Self, TlsError> {
        let transport = cx.open(Endpoint::Tcp(server));
        let tls = demand.map(|demand| Layer::start(cx, transport, demand)).transpose();
        let tls = tls.inspect_err(|_| cx.close(transport))?;
        Ok(Self {
            transport,
            unread: BytesMut::new(),
            waiting: BTreeMap::new(),
            used: cx.now(),
            tls,
            authenticated: false,
        })
    }

    /// Tells whether questions can be written.
    pub(crate) fn is_ready(&self) -> bool {
        self.tls.as_ref().is_none_or(Layer::is_open)
    }

    /// Over TLS: whether the name server is known to be the one that was asked for.
    pub(crate) fn authenticated(&self) -> Option<bool> {
        self.tls.as_ref().map(|_| self.authenticated)
    }

    pub(crate) fn set_authenticated(&mut self, authenticated: bool) {
        self.authenticated = authenticated;
    }

    /// Finds an id for a query, which waits from now on.
    pub(crate) fn expect(&mut self, cx: &mut Cx, query: QueryId) -> u16 {
        let mut id = cx.random().u16();
        while self.waiting.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        self.waiting.insert(id, query);
        id
    }

    /// Writes a message.
    pub(crate) fn write(&mut self, cx: &mut Cx, message: &[u8]) {
        // A query has one question, so its length fits.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX).to_be_bytes();
        let message = Bytes::from([&length, message].concat());
        match &mut self.tls {
            Some(tls) => tls.send(cx, message),
            None => cx.send(self.transport, message),
        }
    }

    /// Takes bytes; what they lead to may have to be followed before [`go_on`](Self::go_on) takes
    /// the others.
    pub(crate) fn receive(&mut self, cx: &mut Cx, bytes: &Bytes) -> Arrived {
        let Some(tls) = &mut self.tls else {
            return Arrived { messages: self.messages(bytes), ..Arrived::default() };
        };
        let decrypted = tls.receive(cx, bytes);
        self.arrived(decrypted)
    }

    /// Takes more of what was received; `None` if nothing waits.
    pub(crate) fn go_on(&mut self, cx: &mut Cx) -> Option<Arrived> {
        let decrypted = self.tls.as_mut()?.go_on(cx)?;
        Some(self.arrived(decrypted))
    }

    fn arrived(&mut self, decrypted: Decrypted) -> Arrived {
        let over = decrypted.over.map(DnsProblem::Tls);
        Arrived { messages: self.messages(&decrypted.text), secured: decrypted.secured, over }
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.unread.len() + self.tls.as_ref().map_or(0, Layer::buffered)
    }

    fn messages(&mut self, bytes: &[u8]) -> Vec<(QueryId, Bytes)> {
        self.unread.extend_from_slice(bytes);
        let mut messages = Vec::new();
        while let Some(length) = self.unread.first_chunk().copied().map(u16::from_be_bytes) {
            let length = usize::from(length);
            if self.unread.len() < 2 + length {
                break;
            }
            self.unread.advance(2);
            let message = self.unread.split_to(length).freeze();
            let id = message.first_chunk().copied().map(u16::from_be_bytes);
            if let Some(query) = id.and_then(|id| self.waiting.get(&id)) {
                messages.push((*query, message));
            }
        }
        messages
    }

    /// Notes that nobody waits for the answer with this id any more.
    pub(crate) fn forget(&mut self, now: Instant, id: u16) {
        self.waiting.remove(&id);
        self.used = now;
    }

    /// Tells who waits, and for which id.
    pub(crate) fn waiting(&self) -> Vec<(u16, QueryId)> {
        self.waiting.iter().map(|(id, query)| (*id, *query)).collect()
    }

    /// Tells when the connection has been without use for long enough.
    pub(crate) fn idle_until(&self) -> Instant {
        if self.waiting.is_empty() { self.used + limits::DNS_IDLE } else { Instant::NEVER }
    }

    /// Tells what it means for who waits that the connection is over.
    pub(crate) fn end(&self) -> DnsProblem {
        match &self.tls {
            Some(_) => DnsProblem::Tls(TlsError::Misbehaved(CLOSED.to_owned())),
            None => DnsProblem::TimedOut,
        }
    }

    /// Hangs up.
    pub(crate) fn close(mut self, cx: &mut Cx) {
        if let Some(tls) = &mut self.tls {
            tls.close(cx);
        }
        cx.close(self.transport);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WallTime;
    use std::net::SocketAddr;

    #[test]
    fn messages_find_who_waits_for_them() {
        let mut cx = Cx::new([1; 32], WallTime(0));
        let server = SocketAddr::from(([192, 0, 2, 1], 53)).into();
        let mut stream = Stream::open(&mut cx, server, None).unwrap();
        assert_eq!(stream.idle_until(), Instant::START + limits::DNS_IDLE);
        let ids = [0, 1].map(|query| stream.expect(&mut cx, QueryId(query)));
        assert_eq!(stream.idle_until(), Instant::NEVER);

        let message = |id: u16, text: &[u8]| {
            let length = u16::try_from(2 + text.len()).unwrap();
            [&length.to_be_bytes()[..], &id.to_be_bytes(), text].concat()
        };
        let stranger = (0..).find(|id| !ids.contains(id)).unwrap();
        // The first is shorter than an id, the second is for nobody.
        let bytes = [
            vec![0, 1, 0],
            message(stranger, b"x"),
            message(ids[1], b"second"),
            message(ids[0], b"first"),
        ]
        .concat();
        let mut whole = stream.messages(&bytes);
        let pieces: Vec<_> = bytes.iter().flat_map(|byte| stream.messages(&[*byte])).collect();
        assert_eq!(whole, pieces);
        let (query, first) = whole.pop().unwrap();
        assert_eq!((query, &first[2..]), (QueryId(0), &b"first"[..]));
        assert_eq!(whole.len(), 1);

        let later = Instant::from_micros(7);
        ids.iter().for_each(|id| stream.forget(later, *id));
        assert_eq!(stream.idle_until(), later + limits::DNS_IDLE);
        assert!(stream.messages(&bytes).is_empty());
        assert!(stream.messages(&[0, 9, 1]).is_empty());
        assert_eq!(stream.buffered(), 3);
    }
}
