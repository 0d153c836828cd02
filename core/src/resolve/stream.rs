//! One TCP connection to a name server, shared by several queries (RFC 7766).

use std::collections::BTreeMap;

use bytes::{Buf, Bytes, BytesMut};

use super::query::QueryId;
use crate::context::Cx;
use crate::limits;
use crate::machine::{Endpoint, Remote, TransportId};
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
}

impl Stream {
    pub(crate) fn open(cx: &mut Cx, server: Remote) -> Self {
        Self {
            transport: cx.open(Endpoint::Tcp(server)),
            unread: BytesMut::new(),
            waiting: BTreeMap::new(),
            used: cx.now(),
        }
    }

    /// Sends the message that `write` makes for an id, and returns that id.
    pub(crate) fn send(
        &mut self,
        cx: &mut Cx,
        query: QueryId,
        write: impl FnOnce(u16) -> Vec<u8>,
    ) -> u16 {
        let mut id = cx.random().u16();
        while self.waiting.contains_key(&id) {
            id = id.wrapping_add(1);
        }
        let message = write(id);
        // A query has one question, so its length fits.
        let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
        cx.send(self.transport, &length.to_be_bytes());
        cx.send(self.transport, &message);
        self.waiting.insert(id, query);
        id
    }

    /// Takes bytes and hands out the messages that became complete, with who waits for them.
    pub(crate) fn receive(&mut self, bytes: &[u8]) -> Vec<(QueryId, Bytes)> {
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

    /// Tells who waits.
    pub(crate) fn waiting(&self) -> Vec<QueryId> {
        self.waiting.values().copied().collect()
    }

    /// Tells when the connection has been without use for long enough.
    pub(crate) fn idle_until(&self) -> Instant {
        if self.waiting.is_empty() { self.used + limits::DNS_IDLE } else { Instant::NEVER }
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
        let mut stream = Stream::open(&mut cx, server);
        assert_eq!(stream.idle_until(), Instant::START + limits::DNS_IDLE);
        let ids = [0, 1]
            .map(|query| stream.send(&mut cx, QueryId(query), |id| id.to_be_bytes().to_vec()));
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
        let mut whole = stream.receive(&bytes);
        let pieces: Vec<_> = bytes.iter().flat_map(|byte| stream.receive(&[*byte])).collect();
        assert_eq!(whole, pieces);
        let (query, first) = whole.pop().unwrap();
        assert_eq!((query, &first[2..]), (QueryId(0), &b"first"[..]));
        assert_eq!(whole.len(), 1);

        let later = Instant::from_micros(7);
        ids.iter().for_each(|id| stream.forget(later, *id));
        assert_eq!(stream.idle_until(), later + limits::DNS_IDLE);
        assert!(stream.receive(&bytes).is_empty());
    }
}
