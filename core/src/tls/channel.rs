//! The TLS layer of one connection as its session sees it: the library, or what a trace says that
//! the library did.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::Watch;
use crate::limits;
use crate::machine::TransportId;
use crate::random::Random;
use crate::report::{
    Direction, TlsError, TlsMessage, TlsNote, TunnelCall, TunnelEffect, TunnelStep,
};
use crate::time::WallTime;

use super::provider::Setup;
use super::sessions::Sessions;
use super::tape::Tape;
use super::tunnel::{Flow, Tunnel};
use super::watch::Watcher;

/// A TLS client connection: bytes in, all consequences out.
#[derive(Debug)]
pub(crate) struct Channel {
    transport: TransportId,
    engine: Engine,
    state: State,
    watch: Watch,
    watcher: Option<Box<Watcher>>,
    /// What arrived in one read behind something that the session may want to answer first.
    waiting: Bytes,
    /// Each step is told, for a trace.
    recorded: bool,
}

#[derive(Debug)]
enum Engine {
    Library(Box<Tunnel>),
    Tape(Tape),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Handshaking,
    Open,
    /// We have sent close_notify.
    Closing,
    /// Something failed: nothing goes in any more.
    Broken,
}

/// What came of a call.
#[derive(Debug, Default)]
pub(crate) struct Passage {
    /// Bytes for the peer.
    pub(crate) to_peer: Vec<u8>,
    pub(crate) effect: TunnelEffect,
    /// What was seen on the way.
    pub(crate) notes: Vec<TlsNote>,
}

impl Channel {
    /// Begins a connection; what comes of it holds the ClientHello. A tape stands in for the
    /// library.
    pub(crate) fn start(
        transport: TransportId,
        setup: &Arc<Setup>,
        random: Random,
        wall_time: WallTime,
        sessions: Sessions,
        watch: Watch,
        tape: Option<Tape>,
    ) -> (Self, Passage) {
        let (engine, flow) = match tape {
            Some(mut tape) => {
                let flow = tape.play(&TunnelCall::Start);
                (Engine::Tape(tape), flow)
            }
            None => match Tunnel::start(setup, random, wall_time, sessions, watch) {
                Ok((tunnel, flow)) => (Engine::Library(Box::new(tunnel)), flow),
                Err(error) => (Engine::Tape(Tape::default()), Flow::failed(error)),
            },
        };
        let mut channel = Self {
            transport,
            engine,
            state: State::Handshaking,
            watch,
            watcher: Watcher::new(watch).map(Box::new),
            waiting: Bytes::new(),
            recorded: setup.repeatable,
        };
        let passage = channel.pass(TunnelCall::Start, flow, Vec::new());
        (channel, passage)
    }

    /// Takes bytes from the peer, up to the first record that the session may want to answer: it
    /// completes the handshake, holds text or says close_notify. [`go_on`](Self::go_on) takes the
    /// others, so that it makes no difference whether they came in one read.
    pub(crate) fn receive(&mut self, wall_time: WallTime, bytes: &Bytes) -> Passage {
        if self.state == State::Broken {
            return Passage::default();
        }
        self.waiting = match self.waiting.is_empty() {
            true => bytes.clone(),
            false => [&self.waiting[..], bytes].concat().into(),
        };
        if self.waiting.len() > bytes.len().max(limits::TLS_INPUT) {
            return self.pass(TunnelCall::Receive, Flow::failed(TlsError::Limit), Vec::new());
        }
        self.read(wall_time, TunnelCall::Receive)
    }

    /// Takes more of what was received; `None` if nothing waits.
    pub(crate) fn go_on(&mut self, wall_time: WallTime) -> Option<Passage> {
        self.waits().then(|| self.read(wall_time, TunnelCall::GoOn(self.waiting.len())))
    }

    /// Tells whether something received waits for [`go_on`](Self::go_on).
    pub(crate) fn waits(&self) -> bool {
        !self.waiting.is_empty()
    }

    fn read(&mut self, wall_time: WallTime, call: TunnelCall) -> Passage {
        let waiting = std::mem::take(&mut self.waiting);
        let mut rest = waiting.clone();
        let flow = match &mut self.engine {
            Engine::Library(tunnel) => tunnel.receive(wall_time, &mut rest),
            Engine::Tape(tape) => {
                let flow = tape.play(&call);
                rest = rest.split_off(rest.len() - tape.waiting(rest.len()));
                flow
            }
        };
        let mut notes = Vec::new();
        if let Some(watcher) = &mut self.watcher {
            let taken = &waiting[..waiting.len() - rest.len()];
            watcher.see(Direction::Received, taken, &mut notes);
        }
        self.waiting = rest;
        self.pass(call, flow, notes)
    }

    /// Encrypts plain text, or keeps it until the handshake allows that.
    pub(crate) fn send(&mut self, wall_time: WallTime, plain: Bytes) -> Passage {
        if matches!(self.state, State::Broken | State::Closing) {
            return Passage::default();
        }
        let notes = self.text_note(Direction::Sent, &plain).into_iter().collect();
        let call = TunnelCall::Send(plain.clone());
        let flow = match &mut self.engine {
            Engine::Library(tunnel) => tunnel.send(wall_time, &plain),
            Engine::Tape(tape) => tape.play(&call),
        };
        self.pass(call, flow, notes)
    }

    /// Says close_notify (RFC 8446 section 6.1). Before the handshake is complete there is no way
    /// to say it, and no need.
    pub(crate) fn close(&mut self, wall_time: WallTime) -> Passage {
        if self.state != State::Open {
            return Passage::default();
        }
        self.state = State::Closing;
        self.waiting = Bytes::new();
        let flow = match &mut self.engine {
            Engine::Library(tunnel) => tunnel.close(wall_time),
            Engine::Tape(tape) => tape.play(&TunnelCall::Close),
        };
        self.pass(TunnelCall::Close, flow, Vec::new())
    }

    /// Tells whether text can pass: not before the handshake is complete, nor after a failure.
    pub(crate) fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Ends the connection's life here and gives the sessions back.
    pub(crate) fn into_sessions(self) -> Sessions {
        match self.engine {
            Engine::Library(tunnel) => tunnel.into_sessions(),
            Engine::Tape(tape) => tape.into_sessions(),
        }
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        let incoming = match &self.engine {
            Engine::Library(tunnel) => tunnel.buffered(),
            Engine::Tape(_) => 0,
        };
        incoming
            + self.waiting.len()
            + self.watcher.as_ref().map_or(0, |watcher| watcher.buffered())
    }

    /// Passes on what came of a call, with what there is to note behind what was noted before it.
    fn pass(&mut self, call: TunnelCall, flow: Flow, mut notes: Vec<TlsNote>) -> Passage {
        let Flow { to_peer, effect, signed, secrets } = flow;
        if effect.error.is_some() {
            self.state = State::Broken;
            self.waiting = Bytes::new();
        } else if effect.facts.is_some() {
            self.state = State::Open;
        }
        notes.extend(secrets.into_iter().map(TlsNote::Secret));
        notes.extend(signed.into_iter().map(TlsNote::Signed));
        notes.extend(effect.disclosures.iter().cloned().map(|disclosure| {
            TlsNote::Message(Direction::Received, TlsMessage::Disclosed(disclosure))
        }));
        if let Some(watcher) = &mut self.watcher {
            watcher.see(Direction::Sent, &to_peer, &mut notes);
            if effect.facts.is_some() {
                watcher.complete(&mut notes);
            }
        }
        notes.extend(self.text_note(Direction::Received, &effect.text));
        if self.recorded {
            let (transport, sent, effect) = (self.transport, to_peer.len(), effect.clone());
            notes.push(TlsNote::Tunnel(Box::new(TunnelStep { transport, call, sent, effect })));
        }
        Passage { to_peer, effect, notes }
    }

    /// Tells of plain text, if somebody wants to know.
    fn text_note(&self, direction: Direction, text: &[u8]) -> Option<TlsNote> {
        let beginning = || Bytes::copy_from_slice(text.get(..TEXT_SHOWN).unwrap_or(text));
        (self.watch.session_bytes && !text.is_empty()).then(|| TlsNote::Text {
            direction,
            octets: text.len(),
            beginning: beginning(),
        })
    }
}

/// Octets of plain text that a note shows; the reference's number.
const TEXT_SHOWN: usize = 40;

impl Flow {
    fn failed(error: TlsError) -> Self {
        let effect = TunnelEffect { error: Some(error), ..TunnelEffect::default() };
        Self { effect, ..Self::default() }
    }
}
