//! A virtual world on a virtual clock: hosts, links and peers around one machine.
//!
//! The world jumps from wake-up to wake-up, so a timeout of minutes takes no time. It is a
//! well-behaved driver, its machine is under a strict [`Referee`], and a cap on steps makes a
//! live-lock fail instead of hang.

mod link;
mod run;
mod wire;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::machine::{Endpoint, Job, LookupId, Stop, TransportId};
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Machine, Output};

use crate::peer::{Act, Host, NameServer, Peer};
use crate::playbook;
use crate::referee::Referee;
use crate::zones::Zones;

pub use link::{Connect, How, Link};
pub use run::{Run, Word};
use wire::{Happening, Heard, State, Wire};

/// The world around one machine.
pub struct World<M> {
    machine: Referee<M>,
    now: Instant,
    places: BTreeMap<Endpoint, (Link, Box<dyn Host>)>,
    elsewhere: Box<Elsewhere>,
    hosts: BTreeMap<String, (Duration, Result<Vec<IpAddr>, IoError>)>,
    /// What will happen, by time and then in the order in which it was decided.
    future: BTreeMap<(Instant, u64), Happening>,
    decided: u64,
    wires: BTreeMap<TransportId, Wire>,
    /// How many datagrams went to each endpoint, and came from it.
    datagrams: BTreeMap<Endpoint, (u64, u64)>,
    log: Vec<(Instant, Word)>,
    steps: usize,
    ghosts: bool,
    done: bool,
    /// What the machine gets when it has room.
    jobs: Option<Jobs>,
}

type Jobs = Box<dyn Iterator<Item = Job>>;

type Elsewhere = dyn Fn(&Endpoint) -> Option<(Link, Box<dyn Peer>)>;

/// Steps after which a run counts as a live-lock.
const STEPS: usize = 400_000;

/// Octets that a peer may have under way to the machine; then it waits, as TCP would.
const WINDOW: usize = 64 * 1024;

impl<M: Machine> World<M> {
    /// Puts a machine into an empty world, where every connection is refused and no host is
    /// known.
    pub fn new(machine: M) -> Self {
        Self {
            machine: Referee::strict(machine),
            now: Instant::START,
            places: BTreeMap::new(),
            elsewhere: Box::new(|_| None),
            hosts: BTreeMap::new(),
            future: BTreeMap::new(),
            decided: 0,
            wires: BTreeMap::new(),
            datagrams: BTreeMap::new(),
            log: vec![],
            steps: 0,
            ghosts: false,
            done: false,
            jobs: None,
        }
    }

    /// Gives these destinations, as many as the machine has room for, and then says that there are
    /// no more.
    pub fn jobs(mut self, jobs: impl IntoIterator<Item = Job, IntoIter: 'static>) -> Self {
        self.jobs = Some(Box::new(jobs.into_iter()));
        self
    }

    /// Lets a host listen at the end of a link.
    pub fn listen(mut self, at: Endpoint, link: Link, host: impl Host + 'static) -> Self {
        self.places.insert(at, (link, Box::new(host)));
        self
    }

    /// Decides who is where nobody [listens](Self::listen).
    pub fn elsewhere(
        mut self,
        elsewhere: impl Fn(&Endpoint) -> Option<(Link, Box<dyn Peer>)> + 'static,
    ) -> Self {
        self.elsewhere = Box::new(elsewhere);
        self
    }

    /// Lets a name server listen, for UDP and for TCP.
    pub fn name_server(self, at: SocketAddr, link: Link, zones: Zones) -> Self {
        let zones = Arc::new(Mutex::new(zones));
        let side = |tcp| NameServer::new(zones.clone(), at.ip(), tcp);
        self.listen(Endpoint::Udp(at.into()), link.clone(), side(false)).listen(
            Endpoint::Tcp(at.into()),
            link,
            side(true),
        )
    }

    /// Makes a host known to native lookups.
    pub fn host<const N: usize>(self, name: &str, addresses: [&str; N]) -> Self {
        let addresses = addresses.map(|address| address.parse().expect("an address"));
        self.lookup(name, Duration::ZERO, Ok(addresses.into()))
    }

    /// Decides what the native lookup of a name gives, and when.
    pub fn lookup(
        mut self,
        name: &str,
        after: Duration,
        result: Result<Vec<IpAddr>, IoError>,
    ) -> Self {
        self.hosts.insert(name.to_owned(), (after, result));
        self
    }

    /// Lets something happen to the machine from outside, such as a `Stop`.
    pub fn at(mut self, millis: u64, input: Input) -> Self {
        self.decide(Instant::from_micros(millis * 1000), Happening::Tell(input));
        self
    }

    /// Lets inputs for transports that had their last word, and for ids that were never given,
    /// come again and again. The machine must not move at all.
    pub fn with_ghosts(mut self) -> Self {
        self.ghosts = true;
        self.machine = self.machine.lenient();
        self
    }

    /// Runs to the end.
    ///
    /// # Panics
    ///
    /// When the contract is broken, or when there is no end.
    #[track_caller]
    pub fn run(mut self) -> Run<M> {
        while self.step() {}
        // The peers hear what is still under way.
        while let Some(((at, _), happening)) = self.future.pop_first() {
            self.steps += 1;
            assert!(self.steps < STEPS, "the peers go on without end");
            self.now = at;
            self.happen(happening);
        }
        self.machine.handle_input(self.now, Input::Tick);
        assert_eq!(self.machine.poll_output(), Output::Done);
        Run { machine: self.machine.into_inner(), log: self.log }
    }

    /// Takes one step: one input for the machine and all that comes of it; `false` at the end.
    #[track_caller]
    pub fn step(&mut self) -> bool {
        self.steps += 1;
        assert!(self.steps < STEPS, "no end after {STEPS} steps; the last were {:#?}", self.tail());
        let Some(deadline) = self.carry_out() else { return false };
        loop {
            let next = self.future.keys().next().map_or(Instant::NEVER, |(at, _)| *at);
            if next > deadline || next == Instant::NEVER {
                assert_ne!(deadline, Instant::NEVER, "waits for ever after {:#?}", self.tail());
                self.now = deadline;
                self.tell(Input::Tick);
                return true;
            }
            self.now = next;
            let (_, happening) = self.future.pop_first().expect("there is one");
            if let Some(input) = self.happen(happening) {
                self.tell(input);
                return true;
            }
        }
    }

    fn tail(&self) -> &[(Instant, Word)] {
        &self.log[self.log.len().saturating_sub(10)..]
    }

    /// Carries outputs out until the machine waits; `None` when it is done.
    fn carry_out(&mut self) -> Option<Instant> {
        loop {
            let output = self.machine.poll_output();
            let done = self.done;
            if !done {
                self.log.push((self.now, Word::Out(output.clone())));
            }
            match output {
                Output::Open(id, endpoint) => self.open(id, &endpoint),
                Output::Send(id, bytes) => self.send(id, bytes),
                Output::Close(id) => self.close(id),
                Output::Pass { socket, .. } => self.close(socket),
                Output::FindHost(id, name) => self.find(id, name.as_str()),
                Output::Want(count) => self.feed(count),
                Output::Tell(_) | Output::Finished(_) => {}
                Output::Wait(until, _) => return Some(until),
                Output::Done => {
                    self.done = true;
                    return None;
                }
            }
        }
    }

    /// Gives the machine so many destinations.
    fn feed(&mut self, count: usize) {
        for _ in 0..count {
            let Some(jobs) = &mut self.jobs else { return };
            let input = match jobs.next() {
                Some(job) => Input::Add(Box::new(job)),
                None => {
                    self.jobs = None;
                    Input::Stop(Stop::End)
                }
            };
            self.decide(self.now, Happening::Tell(input));
        }
    }

    fn tell(&mut self, input: Input) {
        let last_word = match &input {
            Input::Ended(id) | Input::Failed(id, _) => Some(*id),
            _ => None,
        };
        self.log.push((self.now, Word::In(input.clone())));
        self.machine.handle_input(self.now, input);
        if let Some(id) = last_word.filter(|_| self.ghosts) {
            self.haunt(id);
        }
    }

    /// Says everything there is to say for a dead transport and for one that never was.
    fn haunt(&mut self, dead: TransportId) {
        for id in [dead, TransportId(u64::MAX)] {
            let ghosts = [
                Input::Opened(id),
                Input::Received(id, Bytes::from_static(b"250 boo\r\n")),
                Input::Ended(id),
                Input::Failed(id, playbook::reset()),
                Input::HostFound(LookupId(u64::MAX), Ok(vec![])),
            ];
            for ghost in ghosts {
                self.carry_out();
                self.log.push((self.now, Word::In(ghost.clone())));
                self.machine.handle_input(self.now, ghost);
            }
        }
    }

    fn decide(&mut self, at: Instant, happening: Happening) {
        self.decided += 1;
        self.future.insert((at, self.decided), happening);
    }

    fn open(&mut self, id: TransportId, endpoint: &Endpoint) {
        let datagrams = matches!(endpoint, Endpoint::Udp(_));
        let listens = self.places.get(endpoint).map(|(link, host)| (link.clone(), host.accept()));
        let Some((link, peer)) = listens.or_else(|| (self.elsewhere)(endpoint)) else {
            let failure =
                if datagrams { Input::Opened(id) } else { Input::Failed(id, playbook::refused()) };
            return self.decide(self.now, Happening::Tell(failure));
        };
        let round_trip = link.latency_out + link.latency_in;
        let (there, back) = match &link.connect {
            Connect::Accept if datagrams => (Duration::ZERO, Ok(Duration::ZERO)),
            Connect::Accept => (link.latency_out, Ok(round_trip)),
            Connect::AcceptAfter(pause) => (link.latency_out + *pause, Ok(round_trip + *pause)),
            Connect::Refuse(error) => (Duration::ZERO, Err(Some((round_trip, error.clone())))),
            Connect::BlackHole => (Duration::ZERO, Err(None)),
        };
        let wire = Wire {
            link,
            peer,
            endpoint: endpoint.clone(),
            datagrams,
            state: State::Opening,
            queued: vec![],
            unheard: VecDeque::new(),
            pausing: false,
            silent: false,
            deaf: false,
            hung_up: false,
            over: false,
            in_flight: 0,
            free_in: Instant::START,
            count_in: 0,
            count_out: 0,
        };
        self.wires.insert(id, wire);
        match back {
            Ok(back) => {
                self.decide(self.now + there, Happening::PeerOpened(id));
                self.decide(self.now + back, Happening::Tell(Input::Opened(id)));
            }
            Err(Some((after, error))) => {
                self.decide(self.now + after, Happening::Tell(Input::Failed(id, error)));
            }
            Err(None) => {}
        }
    }

    fn find(&mut self, id: LookupId, name: &str) {
        let unknown = || {
            let message = "Name or service not known".to_owned();
            (Duration::ZERO, Err(IoError { kind: IoErrorKind::NotFound, code: -2, message }))
        };
        let (after, result) = self.hosts.get(name).cloned().unwrap_or_else(unknown);
        self.decide(self.now + after, Happening::Tell(Input::HostFound(id, result)));
    }

    fn send(&mut self, id: TransportId, bytes: Bytes) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        if wire.state == State::Opening {
            return wire.queued.push(bytes);
        }
        self.transmit(id, bytes);
    }

    /// Puts bytes of the machine on the wire.
    fn transmit(&mut self, id: TransportId, bytes: Bytes) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = self.now + wire.link.latency_out;
        if wire.datagrams {
            let (count, _) = self.datagrams.entry(wire.endpoint.clone()).or_default();
            let number = *count;
            *count += 1;
            for after in wire.link.fate_out.of(number) {
                self.decide(at + after, Happening::PeerReceives(id, bytes.clone()));
            }
            return;
        }
        if wire.deaf {
            return;
        }
        let (bytes, cut) = wire.link.cut_out.take(&mut wire.count_out, bytes);
        for piece in wire.link.pieces_out.split(bytes) {
            self.decide(at, Happening::PeerReceives(id, piece));
        }
        if let Some(how) = cut {
            self.cut_out(id, how);
        }
    }

    /// Lets the connection break where the machine's bytes have come to a cut. What the peer says
    /// to those before it is still heard.
    fn cut_out(&mut self, id: TransportId, how: How) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.deaf = true;
        let at = self.now + wire.link.latency_out;
        self.decide(at, Happening::Break(id, how));
    }

    fn close(&mut self, id: TransportId) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        match wire.state {
            State::Gone => {}
            State::Opening => {
                let message = "Operation canceled".to_owned();
                let error = IoError { kind: IoErrorKind::Other, code: 125, message };
                self.decide(self.now, Happening::Tell(Input::Failed(id, error)));
            }
            State::Open => {
                let there = self.now + wire.link.latency_out;
                if !std::mem::replace(&mut wire.deaf, true) {
                    self.decide(there, Happening::PeerEnds(id));
                }
                self.decide(self.now, Happening::Tell(Input::Ended(id)));
            }
        }
    }

    /// Lets something happen; tells what the machine hears of it.
    fn happen(&mut self, happening: Happening) -> Option<Input> {
        match happening {
            Happening::Tell(input) => self.deliver(input),
            Happening::PeerOpened(id) => self.hear(id, Heard::Opened),
            Happening::PeerReceives(id, bytes) => self.hear(id, Heard::Bytes(bytes)),
            Happening::PeerEnds(id) => self.hear(id, Heard::End),
            Happening::Break(id, how) => {
                let latency = self.wires.get(&id).map_or(Duration::ZERO, |it| it.link.latency_in);
                if how != How::BlackHole {
                    self.cut_in(id, how, self.now + latency);
                    self.hear(id, Heard::End);
                }
                None
            }
            Happening::PeerGoesOn(id) => {
                if let Some(wire) = self.wires.get_mut(&id) {
                    wire.pausing = false;
                }
                self.pump(id);
                None
            }
        }
    }

    /// Tells whether the input is still news, and keeps the books.
    fn deliver(&mut self, input: Input) -> Option<Input> {
        let id = match &input {
            Input::Opened(id)
            | Input::Received(id, _)
            | Input::Ended(id)
            | Input::Failed(id, _) => *id,
            Input::Tick | Input::HostFound(..) | Input::Add(_) | Input::Stop(_) => {
                return Some(input);
            }
        };
        let Some(wire) = self.wires.get_mut(&id) else { return Some(input) };
        if wire.state == State::Gone {
            return None;
        }
        match &input {
            Input::Opened(_) => {
                wire.state = State::Open;
                let queued = std::mem::take(&mut wire.queued);
                let cuts = (wire.link.cut_out.at_start(), wire.link.cut_in.at_start());
                for bytes in queued {
                    self.transmit(id, bytes);
                }
                if let Some(how) = cuts.0 {
                    self.cut_out(id, how);
                }
                if let Some(how) = cuts.1 {
                    self.cut_in(id, how, self.now);
                }
            }
            Input::Received(_, bytes) => {
                wire.in_flight -= bytes.len();
                self.pump(id);
            }
            Input::Ended(_) | Input::Failed(..) => {
                wire.state = State::Gone;
                wire.silent = true;
                // The driver hangs up as well.
                if !std::mem::replace(&mut wire.deaf, true) {
                    let there = self.now + wire.link.latency_out;
                    self.decide(there, Happening::PeerEnds(id));
                }
            }
            _ => {}
        }
        Some(input)
    }

    fn hear(&mut self, id: TransportId, heard: Heard) -> Option<Input> {
        let wire = self.wires.get_mut(&id)?;
        wire.hung_up |= matches!(heard, Heard::End);
        wire.unheard.push_back(heard);
        self.pump(id);
        None
    }

    /// Lets the peer act, and hear on when it has nothing more to do.
    fn pump(&mut self, id: TransportId) {
        loop {
            let Some(wire) = self.wires.get_mut(&id) else { return };
            // What a peer writes to somebody who hung up goes nowhere, and tells it so.
            let void = wire.hung_up || wire.silent;
            if wire.over || wire.pausing || (wire.in_flight >= WINDOW && !void) {
                return;
            }
            match wire.peer.act() {
                Some(Act::Send(_)) if void => wire.end(),
                Some(Act::Pause(_)) if void => {}
                Some(act) => self.perform(id, act),
                None => match wire.unheard.pop_front() {
                    Some(Heard::Opened) => wire.peer.opened(),
                    Some(Heard::Bytes(bytes)) => wire.peer.received(&bytes),
                    Some(Heard::End) => wire.end(),
                    None => return,
                },
            }
        }
    }

    fn perform(&mut self, id: TransportId, act: Act) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        let at = self.now + wire.link.latency_in;
        match act {
            Act::Pause(pause) => {
                wire.pausing = true;
                self.decide(self.now + pause, Happening::PeerGoesOn(id));
            }
            Act::Send(bytes) if wire.datagrams => {
                let (_, count) = self.datagrams.entry(wire.endpoint.clone()).or_default();
                let number = *count;
                *count += 1;
                for after in wire.link.fate_in.of(number) {
                    let wire = self.wires.get_mut(&id).expect("it was there");
                    wire.in_flight += bytes.len();
                    let input = Input::Received(id, bytes.clone());
                    self.decide(at + after, Happening::Tell(input));
                }
            }
            Act::Send(bytes) => {
                let (bytes, cut) = wire.link.cut_in.take(&mut wire.count_in, bytes);
                wire.in_flight += bytes.len();
                let gap = wire.link.pieces_in.gap;
                for piece in wire.link.pieces_in.split(bytes) {
                    let wire = self.wires.get_mut(&id).expect("it was there");
                    let at = at.max(wire.free_in);
                    wire.free_in = at + gap;
                    self.decide(at, Happening::Tell(Input::Received(id, piece)));
                }
                if let Some(how) = cut {
                    self.cut_in(id, how, at);
                }
            }
            Act::End | Act::Reset if wire.silent => {}
            Act::Reset if wire.datagrams => {
                wire.silent = true;
                self.decide(at, Happening::Tell(Input::Failed(id, playbook::refused())));
            }
            Act::End => self.cut_in(id, How::End, at),
            Act::Reset => self.cut_in(id, How::Reset, at),
        }
    }

    /// Lets nothing more come from the peer.
    fn cut_in(&mut self, id: TransportId, how: How, at: Instant) {
        let Some(wire) = self.wires.get_mut(&id) else { return };
        wire.silent = true;
        let at = at.max(wire.free_in);
        let word = match how {
            How::End => Input::Ended(id),
            How::Reset => Input::Failed(id, playbook::reset()),
            How::BlackHole => return,
        };
        self.decide(at, Happening::Tell(word));
    }
}

impl<M> fmt::Debug for World<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World").field("now", &self.now).field("future", &self.future).finish()
    }
}
