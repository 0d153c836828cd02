//! One connection to a mail server of a farm: bytes in, bytes out.

use std::io::{Read, Write};

use rustls::ServerConnection;

use super::{Host, Kind, World};

/// The server's side of a connection.
pub(super) struct Connection {
    host: Host,
    refuses: bool,
    layer: Layer,
    /// What came of a line that is not complete yet.
    line: Vec<u8>,
}

enum Layer {
    Text,
    Tls(Box<ServerConnection>),
    /// Whatever comes is dropped.
    Deaf,
    /// Whatever comes is the end: read, so that the system says goodbye and does not reset.
    Leaving,
}

/// What a server does next.
pub(super) struct Reaction {
    pub(super) bytes: Vec<u8>,
    /// Then it hangs up.
    pub(super) ends: bool,
    /// The handshake came to its end.
    pub(super) secured: bool,
}

/// The most octets of a line; nobody says more here.
const LINE: usize = 4096;

impl Connection {
    /// Begins a connection, which has some before it.
    pub(super) fn new(world: &World, host: Host, earlier: u64) -> Self {
        let refuses = host.kind == Kind::Busy || host.kind == Kind::Once && earlier == 0;
        let layer = match host.kind {
            Kind::Mute => Layer::Deaf,
            Kind::Wrapped => tls(world, host),
            _ => Layer::Text,
        };
        Self { host, refuses, layer, line: Vec::new() }
    }

    /// Tells the host that this is a connection to.
    pub(super) fn host(&self) -> Host {
        self.host
    }

    /// Says the greeting.
    pub(super) fn greet(&self) -> Reaction {
        let name = self.host.name();
        let bytes = match self.host.kind {
            Kind::Mute | Kind::Gone | Kind::Wrapped => Vec::new(),
            _ if self.refuses => format!("421 {name} too busy\r\n").into_bytes(),
            _ => self.greeting(),
        };
        let ends = self.refuses || self.host.kind == Kind::Gone;
        Reaction { bytes, ends, secured: false }
    }

    fn greeting(&self) -> Vec<u8> {
        format!("220 {} ESMTP\r\n", self.host.name()).into_bytes()
    }

    /// Takes bytes of the client.
    pub(super) fn receive(&mut self, world: &World, bytes: &[u8]) -> Reaction {
        let mut reaction = Reaction { bytes: Vec::new(), ends: false, secured: false };
        match &mut self.layer {
            Layer::Deaf => {}
            Layer::Leaving => reaction.ends = true,
            Layer::Text => self.read_text(world, bytes, &mut reaction),
            Layer::Tls(_) => self.read_tls(bytes, &mut reaction),
        }
        reaction
    }

    fn read_text(&mut self, world: &World, bytes: &[u8], reaction: &mut Reaction) {
        self.line.extend_from_slice(bytes);
        while let Some(line) = self.next_line() {
            match self.verb(&line) {
                Verb::Hello => {
                    let name = self.host.name();
                    let last = if self.host.kind == Kind::Bare { "8BITMIME" } else { "STARTTLS" };
                    let reply = format!(
                        "250-{name}\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 {last}\r\n"
                    );
                    reaction.bytes.extend(reply.into_bytes());
                }
                Verb::StartTls if self.host.kind != Kind::Bare => {
                    reaction.bytes.extend_from_slice(b"220 ready\r\n");
                    match self.host.kind {
                        Kind::Silent => self.layer = Layer::Deaf,
                        Kind::Lost => self.layer = Layer::Leaving,
                        _ => {
                            self.layer = tls(world, self.host);
                            let rest = std::mem::take(&mut self.line);
                            self.read_tls(&rest, reaction);
                        }
                    }
                    return;
                }
                Verb::Quit => {
                    reaction.bytes.extend_from_slice(b"221 bye\r\n");
                    reaction.ends = true;
                }
                Verb::StartTls | Verb::Other => reaction.bytes.extend_from_slice(b"502 what?\r\n"),
            }
        }
        reaction.ends |= self.line.len() > LINE;
    }

    fn read_tls(&mut self, mut bytes: &[u8], reaction: &mut Reaction) {
        let mut answers = Vec::new();
        let Layer::Tls(mut tls) = std::mem::replace(&mut self.layer, Layer::Deaf) else { return };
        let handshaking = tls.is_handshaking();
        while !bytes.is_empty() && !reaction.ends {
            reaction.ends |= tls.read_tls(&mut bytes).is_err();
            match tls.process_new_packets() {
                Ok(state) => reaction.ends |= state.peer_has_closed(),
                Err(_) => reaction.ends = true,
            }
            // There is no more than what has come: that is no error here.
            let _ = tls.reader().read_to_end(&mut self.line);
        }
        reaction.secured = handshaking && !tls.is_handshaking();
        if reaction.secured && self.host.kind == Kind::Wrapped {
            answers.extend(self.greeting());
        }
        while let Some(line) = self.next_line() {
            match self.verb(&line) {
                Verb::Hello => {
                    let name = self.host.name();
                    let reply = format!("250-{name}\r\n250-PIPELINING\r\n250 SIZE 10240000\r\n");
                    answers.extend(reply.into_bytes());
                }
                Verb::Quit => {
                    answers.extend_from_slice(b"221 bye\r\n");
                    reaction.ends = true;
                }
                Verb::StartTls | Verb::Other => answers.extend_from_slice(b"502 what?\r\n"),
            }
        }
        reaction.ends |= self.line.len() > LINE;
        // Memory takes everything.
        let _ = tls.writer().write_all(&answers);
        if reaction.ends {
            tls.send_close_notify();
        }
        while tls.wants_write() {
            let _ = tls.write_tls(&mut reaction.bytes);
        }
        self.layer = Layer::Tls(tls);
    }

    fn next_line(&mut self) -> Option<Vec<u8>> {
        let end = self.line.iter().position(|byte| *byte == b'\n')?;
        Some(self.line.drain(..=end).collect())
    }

    fn verb(&self, line: &[u8]) -> Verb {
        let is = |verb: &str| {
            line.get(..verb.len()).is_some_and(|w| w.eq_ignore_ascii_case(verb.as_bytes()))
        };
        match () {
            () if is("EHLO") || is("LHLO") => Verb::Hello,
            () if is("STARTTLS") => Verb::StartTls,
            () if is("QUIT") => Verb::Quit,
            () => Verb::Other,
        }
    }
}

/// Begins TLS.
fn tls(world: &World, host: Host) -> Layer {
    let connection = ServerConnection::new(world.pki.config(host));
    Layer::Tls(Box::new(connection.expect("the configuration is complete")))
}

enum Verb {
    Hello,
    StartTls,
    Quit,
    Other,
}
