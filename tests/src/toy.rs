//! A machine so small that it can be seen to be right, to test the harness itself.

use std::collections::VecDeque;
use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::machine::{Endpoint, TransportId};
use tlsfinger_core::{Input, Instant, Machine, Output, limits};

/// Connects to one place, says `hello`, waits for a line, says `bye` and closes.
///
/// Gives up when nothing was heard for 30 seconds. Its flaws are for tests of the referee.
#[derive(Debug)]
pub struct Toy {
    queue: VecDeque<Output>,
    now: Instant,
    deadline: Instant,
    gone: bool,
    closing: bool,
    flaw: Flaw,
}

/// A break of the contract that [`Toy`] can commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// None.
    None,
    /// Waits until an instant that has passed.
    WaitsForThePast,
    /// Sends after its `Close`.
    SendsAfterClose,
    /// Opens a transport under an id that was given before.
    ReusesIds,
    /// Answers a last word that comes twice.
    HearsGhosts,
    /// Wakes up after `Done`.
    RisesAgain,
    /// Is done before its transport is.
    LeavesEarly,
    /// Says much at once.
    Babbles,
    /// Waits again and again.
    NeverEnds,
    /// Says something else when asked again.
    ChangesItsMind,
}

const PATIENCE: Duration = Duration::from_secs(30);
const ONLY: TransportId = TransportId(0);

impl Default for Toy {
    fn default() -> Self {
        Self::new(
            Endpoint::Tcp(
                "192.0.2.1:25".parse::<std::net::SocketAddr>().expect("it is one").into(),
            ),
            Flaw::None,
        )
    }
}

impl Toy {
    /// Makes a toy that connects to `endpoint`.
    pub fn new(endpoint: Endpoint, flaw: Flaw) -> Self {
        Self {
            queue: [Output::Open(ONLY, endpoint)].into(),
            now: Instant::START,
            deadline: Instant::START + PATIENCE,
            gone: false,
            closing: false,
            flaw,
        }
    }

    fn close(&mut self) {
        if !self.closing {
            self.closing = true;
            self.deadline = self.now + limits::LINGER;
            self.queue.push_back(Output::Close(ONLY));
        }
    }

    fn send(&mut self, text: &'static str) {
        self.queue.push_back(Output::Send(ONLY, Bytes::from_static(text.as_bytes())));
    }
}

impl Machine for Toy {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        match input {
            Input::Opened(ONLY) if !self.gone && !self.closing => {
                self.deadline = self.now + PATIENCE;
                self.send("hello\r\n");
                if self.flaw == Flaw::ReusesIds {
                    let endpoint = Endpoint::Unix("/again".into());
                    self.queue.push_back(Output::Open(ONLY, endpoint));
                }
                if self.flaw == Flaw::Babbles {
                    (0..1000).for_each(|_| self.send("more"));
                }
            }
            Input::Received(ONLY, bytes)
                if !self.gone && !self.closing && bytes.ends_with(b"\n") =>
            {
                self.send("bye\r\n");
                self.close();
                if self.flaw == Flaw::SendsAfterClose {
                    self.send("wait\r\n");
                }
                self.gone = self.flaw == Flaw::LeavesEarly;
            }
            Input::Ended(ONLY) | Input::Failed(ONLY, _) => {
                if self.gone && self.flaw == Flaw::HearsGhosts {
                    self.send("boo\r\n");
                }
                self.gone = true;
            }
            Input::Tick if self.gone && self.flaw == Flaw::RisesAgain => {
                self.gone = false;
            }
            _ => {}
        }
        if self.flaw == Flaw::NeverEnds {
            self.deadline = self.now + Duration::from_micros(1);
        }
        if self.now >= self.deadline && !self.gone {
            if self.closing {
                self.gone = true;
            } else {
                self.close();
            }
        }
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.queue.pop_front() {
            return output;
        }
        if self.flaw == Flaw::ChangesItsMind {
            self.deadline = self.deadline + PATIENCE;
        }
        match (self.gone, self.flaw) {
            (true, _) => Output::Done,
            (false, Flaw::WaitsForThePast) => Output::Wait(Instant::START, "the past"),
            (false, _) => Output::Wait(self.deadline, "hello"),
        }
    }
}
