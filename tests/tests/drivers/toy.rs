//! A machine that does what a scenario says and keeps a list of what it was told.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::machine::{Endpoint, HostName, LookupId, TransportId};
use tlsfinger_core::{Input, Instant, Machine, Output};

/// The transport of a scenario that has one.
pub(crate) const T0: TransportId = TransportId(0);
/// The second transport.
pub(crate) const T1: TransportId = TransportId(1);

/// What a scenario does about an input.
type React = Box<dyn FnMut(&Input, &mut VecDeque<Output>) + Send>;

/// A machine that ends once every transport had its last word, every lookup its answer and every
/// tick has come.
pub(crate) struct Toy {
    outputs: VecDeque<Output>,
    react: React,
    ticks: VecDeque<Instant>,
    datagrams: BTreeSet<TransportId>,
    pending: usize,
    done: bool,
    events: Vec<Happened>,
}

/// One event of a run, in the form in which runs are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Happened {
    Input(Input),
    /// A piece of a stream that is too large to show.
    Octets(TransportId, usize),
    TickTooEarly,
    GaveUp,
}

/// Far beyond what any scenario needs; the only reason why a broken driver's test ends.
const GIVE_UP: Duration = Duration::from_secs(30);

impl Toy {
    pub(crate) fn new(outputs: impl IntoIterator<Item = Output>) -> Self {
        Self {
            outputs: outputs.into_iter().collect(),
            react: Box::new(|_, _| {}),
            ticks: VecDeque::new(),
            datagrams: BTreeSet::new(),
            pending: 0,
            done: false,
            events: Vec::new(),
        }
    }

    /// Ticks after so many microseconds.
    pub(crate) fn ticks(mut self, micros: impl IntoIterator<Item = u64>) -> Self {
        self.ticks = micros.into_iter().map(Instant::from_micros).collect();
        self
    }

    pub(crate) fn react(
        mut self,
        react: impl FnMut(&Input, &mut VecDeque<Output>) + Send + 'static,
    ) -> Self {
        self.react = Box::new(react);
        self
    }

    pub(crate) fn into_events(self) -> Vec<Happened> {
        self.events
    }

    fn note(&mut self, input: &Input) {
        const SHOWN: usize = 100;
        // How a stream is cut into pieces is the system's business.
        if let Input::Received(id, piece) = input
            && !self.datagrams.contains(id)
        {
            match self.events.last_mut() {
                Some(Happened::Octets(last, octets)) if last == id => {
                    *octets += piece.len();
                    return;
                }
                Some(Happened::Input(Input::Received(last, text))) if last == id => {
                    let joined = [&text[..], piece].concat();
                    let octets = joined.len();
                    *text = joined.into();
                    if octets > SHOWN {
                        self.events.pop();
                        self.events.push(Happened::Octets(*id, octets));
                    }
                    return;
                }
                _ if piece.len() > SHOWN => {
                    self.events.push(Happened::Octets(*id, piece.len()));
                    return;
                }
                _ => {}
            }
        }
        self.events.push(Happened::Input(input.clone()));
    }
}

impl Machine for Toy {
    fn handle_input(&mut self, now: Instant, input: Input) {
        match &input {
            Input::Ended(_) | Input::Failed(..) | Input::HostFound(..) => self.pending -= 1,
            Input::Tick => match self.ticks.pop_front() {
                Some(due) if now < due => self.events.push(Happened::TickTooEarly),
                Some(_) => {}
                None => {
                    self.events.push(Happened::GaveUp);
                    self.done = true;
                }
            },
            _ => {}
        }
        self.note(&input);
        (self.react)(&input, &mut self.outputs);
    }

    fn poll_output(&mut self) -> Output {
        let output = self.outputs.pop_front();
        match &output {
            _ if self.done => return Output::Done,
            Some(Output::Done) => self.done = true,
            Some(Output::Open(id, endpoint)) => {
                self.pending += 1;
                if matches!(endpoint, Endpoint::Udp(_)) {
                    self.datagrams.insert(*id);
                }
            }
            Some(Output::FindHost(..)) => self.pending += 1,
            _ => {}
        }
        match (output, self.ticks.front()) {
            (Some(output), _) => output,
            (None, Some(&tick)) => Output::Wait(tick, "tick"),
            (None, None) if self.pending == 0 => Output::Done,
            (None, None) => Output::Wait(Instant::START + GIVE_UP, "the scenario hangs"),
        }
    }
}

pub(crate) fn send(id: TransportId, bytes: &'static [u8]) -> Output {
    Output::Send(id, Bytes::from_static(bytes))
}

pub(crate) fn find(id: u64, host: &str) -> Output {
    Output::FindHost(LookupId(id), HostName::new(host).expect("a host name"))
}

pub(crate) fn opened(id: TransportId) -> Happened {
    Happened::Input(Input::Opened(id))
}

pub(crate) fn received(id: TransportId, bytes: &'static [u8]) -> Happened {
    Happened::Input(Input::Received(id, Bytes::from_static(bytes)))
}

pub(crate) fn ended(id: TransportId) -> Happened {
    Happened::Input(Input::Ended(id))
}

pub(crate) fn failed(id: TransportId, errno: rustix::io::Errno) -> Happened {
    let error = std::io::Error::from(errno);
    Happened::Input(Input::Failed(id, (&error).into()))
}

pub(crate) fn tick() -> Happened {
    Happened::Input(Input::Tick)
}
