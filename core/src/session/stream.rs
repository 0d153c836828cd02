//! The byte stream of a session: plain at first or for ever, TLS from the upgrade on.
//!
//! This is the one place where the layer changes.

use std::sync::Arc;

use bytes::Bytes;

use crate::config::Watch;
use crate::context::Cx;
use crate::machine::{Endpoint, Input, IoError, TransportId};
use crate::report::{StreamEnd, TlsError, TlsFacts, TlsNote};
use crate::tls::{Flow, Sessions, Setup, Tunnel};

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
    Tls(Box<Tunnel>),
}

/// What came of an input or of the upgrade.
#[derive(Debug, Default)]
pub(super) struct Arrival {
    pub(super) opened: bool,
    /// Text of the server, decrypted.
    pub(super) text: Bytes,
    /// The TLS handshake became complete.
    pub(super) secured: Option<TlsFacts>,
    pub(super) error: Option<TlsError>,
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
        match input {
            Input::Opened(id) if *id == self.transport => {
                Some(Arrival { opened: true, ..Arrival::default() })
            }
            Input::Received(id, bytes) if *id == self.transport => Some(match &mut self.layer {
                Layer::Plain => Arrival { text: bytes.clone(), ..Arrival::default() },
                Layer::Tls(tunnel) => {
                    let flow = tunnel.receive(cx.wall_time(), bytes);
                    self.follow(cx, flow)
                }
            }),
            Input::Ended(id) if *id == self.transport => {
                let end = match &self.layer {
                    Layer::Tls(tunnel) if tunnel.is_open() => StreamEnd::Truncated,
                    Layer::Tls(_) | Layer::Plain => StreamEnd::Clean,
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

    /// Sends text through whatever layer there is.
    pub(super) fn send(&mut self, cx: &mut Cx, text: &[u8]) -> Arrival {
        match &mut self.layer {
            Layer::Plain => {
                cx.send(self.transport, text);
                Arrival::default()
            }
            Layer::Tls(tunnel) => {
                let flow = tunnel.send(cx.wall_time(), text);
                self.follow(cx, flow)
            }
        }
    }

    /// Changes the layer: the ClientHello is on its way, and every later byte is TLS.
    ///
    /// # Errors
    ///
    /// The TLS library could not begin; the stream stays plain.
    pub(super) fn start_tls(
        &mut self,
        cx: &mut Cx,
        setup: &Arc<Setup>,
        sessions: Sessions,
        watch: Watch,
    ) -> Result<Arrival, TlsError> {
        let random = cx.random_of(self.transport);
        let (tunnel, flow) = Tunnel::start(setup, random, cx.wall_time(), sessions, watch)?;
        self.layer = Layer::Tls(Box::new(tunnel));
        Ok(self.follow(cx, flow))
    }

    /// Says close_notify inside TLS and hangs up.
    pub(super) fn close(&mut self, cx: &mut Cx) {
        if let Layer::Tls(tunnel) = &mut self.layer {
            let flow = tunnel.close(cx.wall_time());
            self.follow(cx, flow);
        }
        cx.close(self.transport);
    }

    /// Ends the stream's life here and gives the TLS sessions back.
    pub(super) fn into_sessions(self) -> Option<Sessions> {
        match self.layer {
            Layer::Plain => None,
            Layer::Tls(tunnel) => Some(tunnel.into_sessions()),
        }
    }

    fn follow(&mut self, cx: &mut Cx, flow: Flow) -> Arrival {
        cx.send(self.transport, &flow.to_peer);
        if flow.ended {
            self.end.get_or_insert((StreamEnd::Clean, None));
        }
        let facts = match &self.layer {
            Layer::Tls(tunnel) if flow.complete => tunnel.facts(),
            Layer::Tls(_) | Layer::Plain => None,
        };
        Arrival {
            opened: false,
            text: flow.from_peer.into(),
            secured: facts,
            error: flow.error,
            session_stored: flow.session_stored,
            notes: flow.notes,
        }
    }
}
