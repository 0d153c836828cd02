//! The byte stream of a session: plain at first or for ever, TLS from the upgrade on.
//!
//! This is the one place where the layer changes.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::Watch;
use crate::context::Cx;
use crate::machine::{Endpoint, Input, IoError, TransportId};
use crate::report::{
    Direction, Event, Peer, ProxyError, ProxyFacts, StreamEnd, TlsError, TlsFacts, TlsNote,
};
use crate::tls::scout::{Flight, Scout, ScoutHello};
use crate::tls::{Channel, Passage, Sessions, Setup, Watcher};

use super::tlsproxy::{Handed, Handover, Request};

/// A stream over one transport.
#[derive(Debug)]
pub(super) struct Stream {
    transport: TransportId,
    layer: Layer,
    end: Option<(StreamEnd, Option<IoError>)>,
}

#[derive(Debug)]
enum Layer {
    Plain,
    Tls(Box<Channel>),
    /// A hand-made ClientHello went out; only the server's flight is read.
    Scout(Box<Scout>, Option<Box<Watcher>>),
    /// On the way to tlsproxy(8); plain again from then on, over the daemon's transport.
    Handover(Box<Handover>),
}

/// What came of an input or of the upgrade.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    pub(super) opened: bool,
    /// Text of the server, decrypted.
    pub(super) text: Bytes,
    /// The TLS handshake became complete.
    pub(super) secured: Option<Arc<TlsFacts>>,
    pub(super) error: Option<TlsError>,
    /// tlsproxy(8) made the TLS connection, or did not.
    pub(super) proxied: Option<Result<Box<ProxyFacts>, ProxyError>>,
    /// The server gave a TLS session to be reused later.
    pub(super) session_stored: bool,
    pub(super) notes: Vec<TlsNote>,
}

impl Stream {
    /// Opens a plain stream.
    pub(super) fn open(cx: &mut Cx, endpoint: Endpoint) -> Self {
        Self { transport: cx.open(endpoint), layer: Layer::Plain, end: None }
    }

    /// Tells how the stream ended, if it did: no more text will come.
    pub(super) fn end(&self) -> Option<&(StreamEnd, Option<IoError>)> {
        self.end.as_ref()
    }

    /// Takes an input if it is for this stream.
    pub(super) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Arrival> {
        if let Layer::Handover(handover) = &mut self.layer
            && let Some(handed) = handover.handle(cx, self.transport, input)
        {
            return Some(self.handed(cx, handed));
        }
        match input {
            Input::Opened(id) if *id == self.transport => {
                Some(Arrival { opened: true, ..Arrival::default() })
            }
            Input::Received(id, bytes) if *id == self.transport => Some(match &mut self.layer {
                Layer::Plain => Arrival { text: bytes.clone(), ..Arrival::default() },
                Layer::Scout(scout, watcher) => {
                    let mut notes = Vec::new();
                    let mut see = |from, bytes: &[u8]| {
                        if let Some(watcher) = watcher {
                            watcher.see(from, bytes, &mut notes);
                        }
                    };
                    let before = scout.flight().octets;
                    let alert = scout.receive(bytes);
                    let taken = scout.flight().octets.saturating_sub(before);
                    see(Direction::Received, bytes.get(..taken).unwrap_or_default());
                    if let Some(alert) = alert {
                        see(Direction::Sent, &alert);
                        cx.send(self.transport, alert);
                    }
                    Arrival { notes, ..Arrival::default() }
                }
                // Plain text that has no place here: the daemon was to hear it first.
                Layer::Handover(_) => Arrival::default(),
                Layer::Tls(channel) => {
                    let passage = channel.receive(cx.wall_time(), bytes);
                    self.follow(cx, passage)
                }
            }),
            Input::Ended(id) if *id == self.transport => {
                let end = match &self.layer {
                    Layer::Tls(channel) if channel.is_open() => StreamEnd::Truncated,
                    Layer::Tls(_) | Layer::Plain | Layer::Scout(..) | Layer::Handover(_) => {
                        StreamEnd::Clean
                    }
                };
                self.end.get_or_insert((end, None));
                Some(Arrival::default())
            }
            Input::Failed(id, error) if *id == self.transport => {
                self.end.get_or_insert((StreamEnd::Broken, Some(error.clone())));
                Some(Arrival::default())
            }
            Input::Tick
            | Input::Opened(_)
            | Input::Received(..)
            | Input::Ended(_)
            | Input::Failed(..)
            | Input::HostFound(..)
            | Input::Add(_)
            | Input::Stop(_) => None,
        }
    }

    /// Takes more of what arrived with the last input; `None` if nothing waits.
    pub(super) fn go_on(&mut self, cx: &mut Cx) -> Option<Arrival> {
        let Layer::Tls(channel) = &mut self.layer else { return None };
        let passage = channel.go_on(cx.wall_time())?;
        Some(self.follow(cx, passage))
    }

    /// Tells whether something that arrived waits for [`go_on`](Self::go_on).
    pub(super) fn waits(&self) -> bool {
        matches!(&self.layer, Layer::Tls(channel) if channel.waits())
    }

    /// Sends text through whatever layer there is.
    pub(super) fn send(&mut self, cx: &mut Cx, text: Bytes) -> Arrival {
        match &mut self.layer {
            Layer::Scout(..) | Layer::Handover(_) => Arrival::default(),
            Layer::Plain => {
                cx.send(self.transport, text);
                Arrival::default()
            }
            Layer::Tls(channel) => {
                let passage = channel.send(cx.wall_time(), text);
                self.follow(cx, passage)
            }
        }
    }

    /// Changes the layer: the ClientHello is on its way, and every later byte is TLS.
    pub(super) fn start_tls(
        &mut self,
        cx: &mut Cx,
        setup: &Arc<Setup>,
        sessions: Sessions,
        watch: Watch,
    ) -> Arrival {
        let (random, tape) = (cx.random_of(self.transport), cx.tape_of(self.transport));
        let wall_time = cx.wall_time();
        let (channel, passage) =
            Channel::start(self.transport, setup, random, wall_time, sessions, watch, tape);
        self.layer = Layer::Tls(Box::new(channel));
        self.follow(cx, passage)
    }

    /// Changes the layer: a hand-made ClientHello is on its way.
    pub(super) fn start_scout(
        &mut self,
        cx: &mut Cx,
        hello: &Arc<ScoutHello>,
        watch: Watch,
    ) -> Arrival {
        let mut random = [0; 32];
        cx.random_of(self.transport).fill(&mut random);
        let (scout, octets) = Scout::start(hello.clone(), random);
        let (mut watcher, mut notes) = (Watcher::new(watch).map(Box::new), Vec::new());
        if let Some(watcher) = &mut watcher {
            watcher.see(Direction::Sent, &octets, &mut notes);
        }
        cx.send(self.transport, octets);
        self.layer = Layer::Scout(Box::new(scout), watcher);
        Arrival { notes, ..Arrival::default() }
    }

    /// Tells what the server answered to a hand-made ClientHello.
    pub(super) fn flight(&self) -> Option<&Flight> {
        match &self.layer {
            Layer::Scout(scout, _) => Some(scout.flight()),
            Layer::Plain | Layer::Tls(_) | Layer::Handover(_) => None,
        }
    }

    /// Begins to hand the connection to tlsproxy(8).
    pub(super) fn hand_over(
        &mut self,
        cx: &mut Cx,
        request: &Arc<Request>,
        peer: &Arc<Peer>,
        helo: Bytes,
    ) {
        let handover = Handover::start(cx, request.clone(), peer.clone(), helo);
        self.layer = Layer::Handover(Box::new(handover));
    }

    fn handed(&mut self, cx: &mut Cx, handed: Handed) -> Arrival {
        let Layer::Handover(handover) = std::mem::replace(&mut self.layer, Layer::Plain) else {
            return Arrival::default();
        };
        match handed {
            Handed::Over(facts, text) => {
                self.transport = handover.daemon();
                Arrival { text, proxied: Some(Ok(facts)), ..Arrival::default() }
            }
            Handed::Failed(error) => {
                cx.close(handover.daemon());
                Arrival { proxied: Some(Err(error)), ..Arrival::default() }
            }
        }
    }

    /// Says close_notify inside TLS and hangs up.
    pub(super) fn close(&mut self, cx: &mut Cx) {
        match &mut self.layer {
            Layer::Tls(channel) => {
                let passage = channel.close(cx.wall_time());
                let arrival = self.follow(cx, passage);
                let step = |note: &TlsNote| matches!(note, TlsNote::Tunnel(_));
                for note in arrival.notes.into_iter().filter(step) {
                    cx.tell(Event::Tls(note));
                }
            }
            Layer::Handover(handover) => cx.close(handover.daemon()),
            Layer::Plain | Layer::Scout(..) => {}
        }
        cx.close(self.transport);
    }

    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        match &self.layer {
            Layer::Plain => 0,
            Layer::Tls(channel) => channel.buffered(),
            Layer::Scout(scout, watcher) => {
                scout.buffered() + watcher.as_ref().map_or(0, |watcher| watcher.buffered())
            }
            Layer::Handover(handover) => handover.buffered(),
        }
    }

    /// Ends the stream's life here and gives the TLS sessions back.
    pub(super) fn into_sessions(self) -> Option<Sessions> {
        match self.layer {
            Layer::Plain | Layer::Scout(..) | Layer::Handover(_) => None,
            Layer::Tls(channel) => Some(channel.into_sessions()),
        }
    }

    fn follow(&mut self, cx: &mut Cx, passage: Passage) -> Arrival {
        let Passage { to_peer, effect, notes } = passage;
        cx.send(self.transport, to_peer);
        if effect.ended {
            self.end.get_or_insert((StreamEnd::Clean, None));
        }
        Arrival {
            opened: false,
            text: effect.text,
            secured: effect.facts,
            error: effect.error,
            proxied: None,
            session_stored: effect.session_stored,
            notes,
        }
    }
}
