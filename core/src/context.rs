//! The context in which machines run: the one queue of effects, ids, time and randomness.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use bytes::{Bytes, BytesMut};

use crate::limits;
use crate::machine::{Endpoint, HostName, Input, LookupId, Output, TransportId};
use crate::random::{Random, Seed};
use crate::report::Event;
use crate::resolve::{Answered, Question};
use crate::time::{Instant, WallTime};

/// What a machine may touch besides its own fields.
///
/// Its verbs are the only way for effects to get out: `open`, `send`, `close`, `pass`,
/// `find_host`, `ask`, `tell`.
#[derive(Debug)]
pub(crate) struct Cx {
    now: Instant,
    began: WallTime,
    random: Random,
    queue: VecDeque<Output>,
    transports: BTreeMap<TransportId, Transport>,
    lookups: BTreeSet<LookupId>,
    /// Questions for the resolver.
    questions: VecDeque<(AskId, Question)>,
    /// Answers that nobody took yet.
    answers: BTreeMap<AskId, Answered>,
    /// Questions whose answers nobody wants any more.
    withdrawn: VecDeque<AskId>,
    settling: bool,
    next_transport: u64,
    next_lookup: u64,
    next_ask: u64,
    last_close: Instant,
}

/// Names one question to the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AskId(u64);

/// A transport that has not had its last word.
#[derive(Debug)]
struct Transport {
    datagrams: bool,
    closed: bool,
    /// What was sent on a stream while the present input is handled; it leaves as one `Send`.
    sending: BytesMut,
}

impl Cx {
    pub(crate) fn new(seed: Seed, began: WallTime) -> Self {
        Self {
            now: Instant::START,
            began,
            random: Random::from_seed(seed),
            queue: VecDeque::new(),
            transports: BTreeMap::new(),
            lookups: BTreeSet::new(),
            questions: VecDeque::new(),
            answers: BTreeMap::new(),
            withdrawn: VecDeque::new(),
            settling: false,
            next_transport: 0,
            next_lookup: 0,
            next_ask: 0,
            last_close: Instant::START,
        }
    }

    /// Tells the time of the input that is being handled.
    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Tells the wall-clock time at which the run began.
    pub(crate) fn began(&self) -> WallTime {
        self.began
    }

    /// Tells the wall-clock time of the input that is being handled.
    pub(crate) fn wall_time(&self) -> WallTime {
        self.began.at(self.now)
    }

    pub(crate) fn random(&mut self) -> &mut Random {
        &mut self.random
    }

    /// Makes the generator of what happens inside one transport. What is drawn elsewhere never
    /// shifts it.
    pub(crate) fn random_of(&self, transport: TransportId) -> Random {
        self.random.of_connection(transport.0)
    }

    /// Opens a transport; it accepts [`send`](Self::send) at once.
    pub(crate) fn open(&mut self, endpoint: Endpoint) -> TransportId {
        let id = TransportId(self.next_transport);
        self.next_transport += 1;
        let datagrams = matches!(endpoint, Endpoint::Udp(_));
        let transport = Transport { datagrams, closed: false, sending: BytesMut::new() };
        self.transports.insert(id, transport);
        self.queue.push_back(Output::Open(id, endpoint));
        id
    }

    /// Sends bytes of a stream, or one datagram. Nothing happens once the transport had its last
    /// word or was closed.
    pub(crate) fn send(&mut self, id: TransportId, bytes: &[u8]) {
        match self.transports.get_mut(&id) {
            Some(transport) if transport.closed || bytes.is_empty() => {}
            Some(transport) if transport.datagrams => {
                self.queue.push_back(Output::Send(id, Bytes::copy_from_slice(bytes)));
            }
            Some(transport) => transport.sending.extend_from_slice(bytes),
            None => {}
        }
    }

    /// Closes a transport after what was sent; its later inputs are ignored.
    pub(crate) fn close(&mut self, id: TransportId) {
        let Some(transport) = self.transports.get_mut(&id) else { return };
        if transport.closed {
            return;
        }
        transport.closed = true;
        if !transport.sending.is_empty() {
            self.queue.push_back(Output::Send(id, transport.sending.split().freeze()));
        }
        self.last_close = self.now;
        self.queue.push_back(Output::Close(id));
    }

    /// Hands a stream's descriptor to the peer of another, behind what was sent there. That is its
    /// end here: its later inputs are ignored.
    pub(crate) fn pass(&mut self, socket: TransportId, over: TransportId) {
        let both = [socket, over].map(|id| self.transports.get(&id).is_some_and(|it| !it.closed));
        if both != [true, true] {
            return;
        }
        if let Some(carrier) = self.transports.get_mut(&over)
            && !carrier.sending.is_empty()
        {
            self.queue.push_back(Output::Send(over, carrier.sending.split().freeze()));
        }
        if let Some(passed) = self.transports.get_mut(&socket) {
            passed.closed = true;
        }
        self.last_close = self.now;
        self.queue.push_back(Output::Pass { socket, over });
    }

    /// Asks the system's resolver for the addresses of a host.
    pub(crate) fn find_host(&mut self, name: HostName) -> LookupId {
        let id = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.lookups.insert(id);
        self.queue.push_back(Output::FindHost(id, name));
        id
    }

    /// Asks the DNS. The answer may be there within the same input.
    pub(crate) fn ask(&mut self, question: Question) -> AskId {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        self.questions.push_back((id, question));
        id
    }

    /// Takes the answer to a question, if it is there.
    pub(crate) fn answer(&mut self, id: AskId) -> Option<Answered> {
        self.answers.remove(&id)
    }

    /// Tells that the answer to a question is not wanted any more.
    pub(crate) fn withdraw(&mut self, id: AskId) {
        if self.answers.remove(&id).is_none() {
            self.withdrawn.push_back(id);
        }
    }

    /// Tells whether the resolver will soon have something to tell that belongs before the end of
    /// a failed lookup.
    pub(crate) fn is_settling(&self) -> bool {
        self.settling
    }

    /// Tells people something, now.
    pub(crate) fn tell(&mut self, event: Event) {
        self.queue.push_back(Output::Tell(event));
    }

    /// For the resolver: hands out the next question.
    pub(crate) fn next_question(&mut self) -> Option<(AskId, Question)> {
        self.questions.pop_front()
    }

    /// For the resolver: hands out the next question that needs no answer any more.
    pub(crate) fn next_withdrawal(&mut self) -> Option<AskId> {
        let id = self.withdrawn.pop_front()?;
        self.questions.retain(|(asked, _)| *asked != id);
        Some(id)
    }

    /// For the resolver: gives an answer.
    pub(crate) fn put_answer(&mut self, id: AskId, answer: Answered) {
        self.answers.insert(id, answer);
    }

    /// For the resolver: see [`is_settling`](Self::is_settling).
    pub(crate) fn set_settling(&mut self, settling: bool) {
        self.settling = settling;
    }

    /// For root machines: tells whether the resolver has questions or withdrawals to take.
    pub(crate) fn has_questions(&self) -> bool {
        !self.questions.is_empty() || !self.withdrawn.is_empty()
    }

    /// For root machines: puts an output other than those of the verbs above in its place.
    pub(crate) fn put(&mut self, output: Output) {
        self.queue.push_back(output);
    }

    /// For root machines: begins to handle an input at `now`. Time never runs backwards.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.now = self.now.max(now);
    }

    /// For root machines: tells whether `input` is for something alive that still has a listener,
    /// and keeps the books on last words.
    pub(crate) fn admit(&mut self, input: &Input) -> bool {
        match input {
            Input::Tick | Input::Add(_) | Input::Stop(_) => true,
            Input::Opened(id) | Input::Received(id, _) => {
                self.transports.get(id).is_some_and(|transport| !transport.closed)
            }
            Input::Ended(id) | Input::Failed(id, _) => {
                self.transports.remove(id).is_some_and(|transport| !transport.closed)
            }
            Input::HostFound(id, _) => self.lookups.remove(id),
        }
    }

    /// For root machines: ends the handling of an input; what was sent on each stream leaves.
    pub(crate) fn end(&mut self) {
        for (id, transport) in &mut self.transports {
            if !transport.sending.is_empty() {
                self.queue.push_back(Output::Send(*id, transport.sending.split().freeze()));
            }
        }
    }

    /// For root machines at their end: closes every transport that is still open.
    pub(crate) fn close_all(&mut self) {
        let open: Vec<_> = self.transports.keys().copied().collect();
        for id in open {
            self.close(id);
        }
    }

    /// For root machines at their end: until when to wait for last words; `None` if all came or
    /// the wait is over.
    pub(crate) fn lingers_until(&self) -> Option<Instant> {
        let until = self.last_close + limits::LINGER;
        (!self.transports.is_empty() && until > self.now).then_some(until)
    }

    /// Pops the next output; `None` when the queue is empty.
    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
