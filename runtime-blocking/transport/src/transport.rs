//! One transport: a socket that never blocks, and what waits to be written to it.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use bytes::{Buf, Bytes};
use rustix::io::Errno;
use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::{Input, IoError};

use crate::socket::{Progress, Socket};

/// A transport from its `Open` to its last word, as the core's contract wants it.
///
/// It never waits. After each call the driver waits for what [`interest`](Self::interest) names,
/// calls [`advance`](Self::advance), and hands the input that it returns to the machine; after
/// the last word it drops the transport, which closes the socket.
///
/// The queue holds what the machine sent and nothing else; each input holds at most one read.
#[derive(Debug)]
pub struct Transport {
    id: TransportId,
    socket: Arc<Socket>,
    state: State,
    queue: VecDeque<Item>,
    /// The latest that was received had no answer.
    unanswered: bool,
}

/// What a transport waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interest {
    /// Nothing: it can advance at once.
    Nothing,
    /// Something to read.
    Read,
    /// Room to write.
    Write,
    /// Whichever comes first.
    ReadOrWrite,
}

#[derive(Debug)]
enum State {
    Connecting,
    /// Connected; the machine does not know yet.
    Connected,
    Open,
    /// A write failed; what the peer had said before is still worth hearing.
    Broken(IoError),
    /// What is queued still goes out; what comes in is dropped until the peer falls `silent`.
    Closing {
        silent: bool,
    },
    /// Closed while it was connecting.
    Abandoned,
}

#[derive(Debug)]
enum Item {
    Bytes(Bytes),
    Descriptor(Arc<Socket>),
}

impl Transport {
    /// Opens a socket and begins to connect it.
    ///
    /// # Errors
    ///
    /// Fails if the system has no socket left, refuses the address or knows no such interface.
    pub fn open(id: TransportId, endpoint: &Endpoint) -> Result<Self, IoError> {
        let (socket, progress) =
            Socket::connect(endpoint).map_err(|error| IoError::from(&error))?;
        let state = match progress {
            Progress::Connected => State::Connected,
            Progress::Connecting => State::Connecting,
        };
        // Seldom does more than one item wait.
        let queue = VecDeque::with_capacity(1);
        Ok(Self { id, socket: Arc::new(socket), state, queue, unanswered: false })
    }

    /// Lends the socket, to wait for it.
    pub fn socket(&self) -> &Arc<Socket> {
        &self.socket
    }

    /// Writes bytes now or as soon as there is room.
    pub fn send(&mut self, bytes: Bytes) {
        self.enqueue(Item::Bytes(bytes));
    }

    /// Hands this transport's descriptor to the peer of `over`, behind what is queued there, and
    /// returns the last word of this one. What was queued here is lost.
    pub fn pass(self, over: Option<&mut Self>) -> Input {
        match over {
            Some(carrier) => {
                carrier.enqueue(Item::Descriptor(self.socket));
                Input::Ended(self.id)
            }
            None => self.failed(IoError::from(&Errno::NOTCONN.into())),
        }
    }

    /// Hangs up once everything queued is written; abandons an attempt to connect.
    pub fn close(&mut self) {
        match self.state {
            State::Connecting => self.state = State::Abandoned,
            State::Connected | State::Open => self.state = State::Closing { silent: false },
            State::Broken(_) | State::Closing { .. } | State::Abandoned => {}
        }
    }

    /// Tells what to wait for.
    pub fn interest(&self) -> Interest {
        match self.state {
            State::Connecting => Interest::Write,
            State::Connected | State::Broken(_) | State::Abandoned => Interest::Nothing,
            State::Open if self.queue.is_empty() => Interest::Read,
            State::Closing { .. } if self.queue.is_empty() => Interest::Nothing,
            State::Closing { silent: true } => Interest::Write,
            State::Open | State::Closing { silent: false } => Interest::ReadOrWrite,
        }
    }

    /// Does what can be done without waiting; tells what the machine should know of it.
    ///
    /// Harmless when nothing is ready.
    pub fn advance(&mut self) -> Option<Input> {
        match self.step() {
            Ok(input) => input,
            Err(error) if is_not_now(&error) => None,
            Err(error) => Some(self.failed(IoError::from(&error))),
        }
    }

    fn step(&mut self) -> io::Result<Option<Input>> {
        match &self.state {
            State::Connecting if self.socket.progress()? == Progress::Connecting => Ok(None),
            State::Connecting | State::Connected => {
                self.state = State::Open;
                self.flush();
                Ok(Some(Input::Opened(self.id)))
            }
            State::Open => {
                self.flush();
                self.receive().map(Some)
            }
            State::Broken(write_error) => {
                let write_error = write_error.clone();
                match self.receive() {
                    Err(error) if is_not_now(&error) => Ok(Some(self.failed(write_error))),
                    heard => heard.map(Some),
                }
            }
            State::Closing { silent } => {
                let heard_out = *silent;
                let written = self.write();
                self.state = State::Closing { silent: heard_out || self.hear_out() };
                written?;
                Ok(self.queue.is_empty().then_some(Input::Ended(self.id)))
            }
            State::Abandoned => Ok(Some(self.failed(IoError::from(&Errno::CANCELED.into())))),
        }
    }

    /// Acknowledges what was received if the machine, which has taken it by now, had no answer to it:
    /// an acknowledgement that is held back keeps a server with small writes waiting (Nagle). With an
    /// answer it travels along.
    pub fn acknowledge(&mut self) {
        if std::mem::take(&mut self.unanswered) {
            self.socket.acknowledge();
        }
    }

    fn receive(&mut self) -> io::Result<Input> {
        Ok(match self.socket.receive()? {
            Some(bytes) => {
                self.unanswered = true;
                Input::Received(self.id, bytes)
            }
            None => Input::Ended(self.id),
        })
    }

    /// Drops what has arrived; tells whether nothing more can come.
    ///
    /// A peer that waits for us to read would never read what is queued for it; and the kernel
    /// that closes a socket with unread data resets the connection, unsent data and all.
    fn hear_out(&self) -> bool {
        const READS: usize = 16;
        for _ in 0..READS {
            match self.socket.receive() {
                Ok(Some(_)) => {}
                Ok(None) => return true,
                Err(error) => return !is_not_now(&error),
            }
        }
        false
    }

    fn enqueue(&mut self, item: Item) {
        self.unanswered = false;
        match self.state {
            State::Connecting | State::Connected => self.queue.push_back(item),
            State::Open => {
                self.queue.push_back(item);
                // Otherwise it is known that there is no room.
                if self.queue.len() == 1 {
                    self.flush();
                }
            }
            State::Broken(_) | State::Closing { .. } | State::Abandoned => {}
        }
    }

    fn flush(&mut self) {
        match self.write() {
            Err(error) if !is_not_now(&error) => {
                self.state = State::Broken(IoError::from(&error));
            }
            _ => {}
        }
    }

    fn write(&mut self) -> io::Result<()> {
        while let Some(item) = self.queue.front_mut() {
            match item {
                Item::Bytes(bytes) => {
                    let written = self.socket.send(bytes)?;
                    bytes.advance(written.min(bytes.len()));
                    if !bytes.is_empty() {
                        continue;
                    }
                }
                Item::Descriptor(socket) => self.socket.pass(socket)?,
            }
            self.queue.pop_front();
        }
        Ok(())
    }

    fn failed(&self, error: IoError) -> Input {
        Input::Failed(self.id, error)
    }
}

fn is_not_now(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted)
}

/// Tells whether an input is the last word of its transport.
pub fn is_last_word(input: &Input) -> bool {
    matches!(input, Input::Ended(_) | Input::Failed(..))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use rustix::net::sockopt;

    use super::*;

    #[test]
    fn what_has_no_answer_is_acknowledged_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap().into());
        let mut transport = Transport::open(TransportId(1), &endpoint).unwrap();
        let (mut server, _) = listener.accept().unwrap();
        let next = |transport: &mut Transport| {
            std::iter::repeat_with(|| transport.advance()).flatten().next().unwrap()
        };
        assert_eq!(next(&mut transport), Input::Opened(TransportId(1)));
        for answers in [true, false] {
            sockopt::set_tcp_quickack(transport.socket(), false).unwrap();
            server.write_all(b"220 ready\r\n").unwrap();
            assert!(matches!(next(&mut transport), Input::Received(..)));
            if answers {
                transport.send(Bytes::from_static(b"QUIT\r\n"));
            }
            transport.acknowledge();
            assert_eq!(sockopt::tcp_quickack(transport.socket()).unwrap(), !answers);
        }
    }
}
