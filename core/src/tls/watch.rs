//! Looks over the shoulder of a TLS connection: records and what can be told of them from outside.

use bytes::Bytes;

use super::handshake::Chosen;
use crate::config::Watch;
use crate::report::{
    Alert, Direction, HandshakeContent, HandshakeMessage, RecordHeader, TlsMessage, TlsNote,
};

/// Takes both directions of a connection apart into records (RFC 8446 section 5.1).
#[derive(Debug)]
pub(crate) struct Watcher {
    watch: Watch,
    complete: bool,
    sent: Side,
    received: Side,
}

/// One direction.
#[derive(Debug, Default)]
struct Side {
    /// The record under way; at most a header and 64 KiB.
    record: Vec<u8>,
    /// The handshake message under way, with its header; bounded as the handshake is.
    message: Vec<u8>,
    encrypted: bool,
    /// What the server chose in its hello.
    chosen: Option<Chosen>,
    /// The stream is no TLS: nothing more can be told.
    lost: bool,
}

const HEADER: usize = 5;
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

impl Watcher {
    /// Makes one if anything is to be watched.
    pub(crate) fn new(watch: Watch) -> Option<Self> {
        let wanted = watch.messages || watch.handshake_bytes || watch.session_bytes;
        wanted.then(|| Self {
            watch,
            complete: false,
            sent: Side::default(),
            received: Side::default(),
        })
    }

    /// Sees bytes that cross the wire.
    pub(crate) fn see(&mut self, from: Direction, mut bytes: &[u8], notes: &mut Vec<TlsNote>) {
        let side = match from {
            Direction::Sent => &mut self.sent,
            Direction::Received => &mut self.received,
        };
        let wire =
            if self.complete { self.watch.session_bytes } else { self.watch.handshake_bytes };
        while !bytes.is_empty() && !side.lost {
            let size = match *side.record {
                [_, _, _, high, low, ..] => HEADER + usize::from(u16::from_be_bytes([high, low])),
                _ => HEADER,
            };
            let (piece, rest) = bytes.split_at(bytes.len().min(size - side.record.len()));
            side.record.extend_from_slice(piece);
            bytes = rest;
            if side.record.len() < size {
                continue;
            }
            match *side.record {
                [kind, 3, ..] if (CHANGE_CIPHER_SPEC..=APPLICATION_DATA).contains(&kind) => {}
                _ => side.lost = true,
            }
            if self.watch.messages && size == HEADER {
                notes.extend(header(&side.record).map(|header| TlsNote::Record(from, header)));
            }
            if wire {
                // As OpenSSL reads them: the header, then the body.
                let piece = if size == HEADER { &side.record[..] } else { &side.record[HEADER..] };
                notes.push(TlsNote::Wire(from, Bytes::copy_from_slice(piece)));
            }
            if size > HEADER {
                if self.watch.messages {
                    side.read_record(from, self.complete, notes);
                }
                side.record.clear();
            } else if matches!(*side.record, [_, _, _, 0, 0]) {
                side.record.clear();
            }
        }
    }

    /// Counts the octets of the server that are held.
    pub(crate) fn buffered(&self) -> usize {
        self.received.record.len() + self.received.message.len()
    }

    /// Sees the handshake become complete.
    pub(super) fn complete(&mut self, notes: &mut Vec<TlsNote>) {
        self.complete = true;
        if self.watch.messages {
            notes.push(TlsNote::Message(Direction::Sent, TlsMessage::Complete));
        }
    }
}

/// Tells whether a record's body is exactly one ClientHello or ServerHello.
fn is_hello(body: &[u8]) -> bool {
    match *body {
        [1 | 2, high, middle, low, ref hello @ ..] => {
            usize::try_from(u32::from_be_bytes([0, high, middle, low])) == Ok(hello.len())
        }
        _ => false,
    }
}

impl Side {
    /// Reads a complete record.
    fn read_record(&mut self, from: Direction, complete: bool, notes: &mut Vec<TlsNote>) {
        let (Some(kind), Some(body)) = (self.record.first(), self.record.get(HEADER..)) else {
            return;
        };
        match (*kind, self.encrypted) {
            (CHANGE_CIPHER_SPEC, _) => {
                notes.push(TlsNote::Message(from, TlsMessage::ChangeCipherSpec));
                // In TLS 1.2 everything behind it is encrypted; in TLS 1.3 it means nothing, and
                // encrypted records call themselves application data.
                self.encrypted = true;
            }
            (ALERT, false) => {
                if let [_, alert] = *body {
                    notes.push(TlsNote::Alert(from, Alert(alert)));
                }
            }
            // Behind a HelloRetryRequest the second hellos are plain although a ChangeCipherSpec
            // went before (RFC 8446 appendix D.4).
            (HANDSHAKE, encrypted) if !encrypted || is_hello(body) => {
                self.message.extend_from_slice(body);
                self.read_messages(from, notes);
            }
            (APPLICATION_DATA | HANDSHAKE, _) if !complete => {
                notes.push(TlsNote::Message(from, TlsMessage::Encrypted));
            }
            _ => {}
        }
    }

    /// Takes complete handshake messages out of what came.
    fn read_messages(&mut self, from: Direction, notes: &mut Vec<TlsNote>) {
        while let [kind, high, middle, low, rest @ ..] = &*self.message {
            let size = u32::from_be_bytes([0, *high, *middle, *low]);
            let Some(body) = usize::try_from(size).ok().and_then(|size| rest.get(..size)) else {
                break;
            };
            let message = HandshakeMessage::read(*kind, body, self.chosen);
            let chosen = message.content.as_ref().and_then(HandshakeContent::chosen);
            let size = body.len();
            notes.push(TlsNote::Message(from, TlsMessage::Plain(message)));
            self.message.drain(..4 + size);
            self.chosen = chosen.or(self.chosen);
        }
    }
}

fn header(record: &[u8]) -> Option<RecordHeader> {
    match *record {
        [kind, major, minor, high, low] => Some(RecordHeader {
            kind,
            version: u16::from_be_bytes([major, minor]),
            octets: u16::from_be_bytes([high, low]),
        }),
        _ => None,
    }
}
