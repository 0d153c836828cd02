//! The context in which machines run: the one queue of effects, ids, time and randomness.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::mem;

use bytes::Bytes;

use crate::judge::LinkCache;
use crate::limits;
use crate::machine::{Endpoint, HostName, Input, LookupId, Output, TransportId};
use crate::random::{Random, Seed};
use crate::report::{Event, TlsNote};
use crate::resolve::{Answered, Question};
use crate::time::{Instant, WallTime};
use crate::tls::{Setups, Tape};

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
    /// Streams that something is to be sent on at the end of the present input.
    sending: BTreeSet<TransportId>,
    /// How many transports belong to visits.
    to_servers: usize,
    /// How many others were closed and have not had their last word.
    closing: usize,
    lookups: BTreeMap<LookupId, Owner>,
    /// Questions for the resolver.
    questions: VecDeque<(AskId, Question)>,
    /// Who asked.
    askers: BTreeMap<AskId, Owner>,
    /// Answers that nobody took yet.
    answers: BTreeMap<AskId, Answered>,
    /// Questions whose answers nobody wants any more.
    withdrawn: VecDeque<AskId>,
    settling: bool,
    /// Whose turn it is.
    owner: Owner,
    /// Who has something to look at.
    woken: BTreeSet<Owner>,
    /// Events are nobody's business.
    muted: bool,
    /// So are most events, for a while.
    quiet: bool,
    links: LinkCache,
    setups: Setups,
    next_transport: u64,
    next_lookup: u64,
    next_ask: u64,
    last_close: Instant,
    /// What stands in for TLS where a trace is played without the library.
    tapes: Option<BTreeMap<TransportId, Tape>>,
}

/// Names one question to the resolver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct AskId(u64);

/// Which child of a root machine with many of them something belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Owner {
    /// The root itself, or what all share.
    #[default]
    Root,
    /// The one that goes round the servers of a destination.
    Tour(u64),
    /// The one that visits a server.
    Visit(u64),
}

/// A transport that has not had its last word.
#[derive(Debug)]
struct Transport {
    owner: Owner,
    datagrams: bool,
    closed: bool,
    /// What was sent on a stream while the present input is handled; it leaves as one `Send`.
    sending: Bytes,
}

impl Cx {
    pub(crate) fn new(seed: Seed, began: WallTime) -> Self {
        Self {
            now: Instant::START,
            began,
            random: Random::from_seed(seed),
            queue: VecDeque::new(),
            transports: BTreeMap::new(),
            sending: BTreeSet::new(),
            to_servers: 0,
            closing: 0,
            lookups: BTreeMap::new(),
            questions: VecDeque::new(),
            askers: BTreeMap::new(),
            answers: BTreeMap::new(),
            withdrawn: VecDeque::new(),
            settling: false,
            owner: Owner::Root,
            woken: BTreeSet::new(),
            muted: false,
            quiet: false,
            links: LinkCache::default(),
            setups: Setups::default(),
            next_transport: 0,
            next_lookup: 0,
            next_ask: 0,
            last_close: Instant::START,
            tapes: None,
        }
    }

    /// Lets tapes stand in for TLS.
    pub(crate) fn with_tapes(self, tapes: Option<BTreeMap<TransportId, Tape>>) -> Self {
        Self { tapes, ..self }
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

    /// Lends the memory of verified signatures.
    pub(crate) fn links(&mut self) -> &mut LinkCache {
        &mut self.links
    }

    /// Makes the generator of what happens inside one transport. What is drawn elsewhere never
    /// shifts it.
    pub(crate) fn random_of(&self, transport: TransportId) -> Random {
        self.random.of_connection(transport.0)
    }

    /// Takes what stands in for the TLS of a transport, if something does.
    pub(crate) fn tape_of(&mut self, transport: TransportId) -> Option<Tape> {
        self.tapes.as_mut().map(|tapes| tapes.remove(&transport).unwrap_or_default())
    }

    /// Lends the memory of what connections need to begin.
    pub(crate) fn setups(&mut self) -> &mut Setups {
        &mut self.setups
    }

    /// Opens a transport; it accepts [`send`](Self::send) at once.
    pub(crate) fn open(&mut self, endpoint: Endpoint) -> TransportId {
        let id = TransportId(self.next_transport);
        self.next_transport += 1;
        let datagrams = matches!(endpoint, Endpoint::Udp(_));
        let owner = self.owner;
        let transport = Transport { owner, datagrams, closed: false, sending: Bytes::new() };
        self.to_servers += usize::from(matches!(owner, Owner::Visit(_)));
        self.transports.insert(id, transport);
        self.queue.push_back(Output::Open(id, endpoint));
        id
    }

    /// Sends bytes of a stream, or one datagram. Nothing happens once the transport had its last
    /// word or was closed.
    pub(crate) fn send(&mut self, id: TransportId, bytes: impl Into<Bytes>) {
        let bytes = bytes.into();
        match self.transports.get_mut(&id) {
            Some(transport) if transport.closed || bytes.is_empty() => {}
            Some(transport) if transport.datagrams => self.queue.push_back(Output::Send(id, bytes)),
            Some(transport) => {
                transport.sending = match transport.sending.is_empty() {
                    true => bytes,
                    false => [&transport.sending[..], &bytes].concat().into(),
                };
                self.sending.insert(id);
            }
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
        self.closing += usize::from(!matches!(transport.owner, Owner::Visit(_)));
        if !transport.sending.is_empty() {
            self.queue.push_back(Output::Send(id, mem::take(&mut transport.sending)));
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
            self.queue.push_back(Output::Send(over, mem::take(&mut carrier.sending)));
        }
        if let Some(passed) = self.transports.get_mut(&socket) {
            passed.closed = true;
            self.closing += usize::from(!matches!(passed.owner, Owner::Visit(_)));
        }
        self.last_close = self.now;
        self.queue.push_back(Output::Pass { socket, over });
    }

    /// Asks the system's resolver for the addresses of a host.
    pub(crate) fn find_host(&mut self, name: HostName) -> LookupId {
        let id = LookupId(self.next_lookup);
        self.next_lookup += 1;
        self.lookups.insert(id, self.owner);
        self.queue.push_back(Output::FindHost(id, name));
        id
    }

    /// Asks the DNS. The answer may be there within the same input.
    pub(crate) fn ask(&mut self, question: Question) -> AskId {
        let id = AskId(self.next_ask);
        self.next_ask += 1;
        self.questions.push_back((id, question));
        if self.owner != Owner::Root {
            self.askers.insert(id, self.owner);
        }
        id
    }

    /// Takes the answer to a question, if it is there.
    pub(crate) fn answer(&mut self, id: AskId) -> Option<Answered> {
        self.answers.remove(&id)
    }

    /// Tells that the answer to a question is not wanted any more.
    pub(crate) fn withdraw(&mut self, id: AskId) {
        self.askers.remove(&id);
        if self.answers.remove(&id).is_none() {
            self.withdrawn.push_back(id);
        }
    }

    /// Tells whether the resolver will soon have something to tell that belongs before the end of
    /// a failed lookup.
    pub(crate) fn is_settling(&self) -> bool {
        self.settling
    }

    /// Lets what is told during `work` go unheard, except for what replays TLS.
    pub(crate) fn quietly<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = mem::replace(&mut self.quiet, true);
        let result = work(self);
        self.quiet = before;
        result
    }

    /// Tells people something, now.
    pub(crate) fn tell(&mut self, event: Event) {
        self.tell_of(|| event);
    }

    /// Does the same with an event that is made only if somebody might hear it.
    pub(crate) fn tell_of(&mut self, event: impl FnOnce() -> Event) {
        if self.muted {
            return;
        }
        let event = event();
        let is_heard = !self.quiet || matches!(event, Event::Tls(TlsNote::Tunnel(_)));
        if is_heard {
            self.queue.push_back(Output::Tell(event));
        }
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
        if let Some(owner) = self.askers.remove(&id) {
            self.wake(owner);
        }
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
                let Some(transport) = self.transports.remove(id) else { return false };
                match transport.owner {
                    Owner::Visit(_) => self.to_servers -= 1,
                    Owner::Root | Owner::Tour(_) => self.closing -= usize::from(transport.closed),
                }
                !transport.closed
            }
            Input::HostFound(id, _) => self.lookups.remove(id).is_some(),
        }
    }

    /// For root machines with many children: tells whom an input is for, before it is admitted.
    pub(crate) fn owner_of(&self, input: &Input) -> Owner {
        match input {
            Input::Tick | Input::Add(_) | Input::Stop(_) => Owner::Root,
            Input::Opened(id)
            | Input::Received(id, _)
            | Input::Ended(id)
            | Input::Failed(id, _) => {
                self.transports.get(id).map(|it| it.owner).unwrap_or_default()
            }
            Input::HostFound(id, _) => self.lookups.get(id).copied().unwrap_or_default(),
        }
    }

    /// For root machines with many children: what `work` opens and asks is that one's.
    pub(crate) fn for_owner<T>(&mut self, owner: Owner, work: impl FnOnce(&mut Self) -> T) -> T {
        let before = mem::replace(&mut self.owner, owner);
        let result = work(self);
        self.owner = before;
        result
    }

    /// For root machines with many children: lends them a generator of their own while they work.
    pub(crate) fn swap_random(&mut self, random: &mut Random) {
        std::mem::swap(&mut self.random, random);
    }

    /// Makes a child look at what there is, within the present input.
    pub(crate) fn wake(&mut self, owner: Owner) {
        self.woken.insert(owner);
    }

    /// For root machines with many children: hands out the next one that has something to look at.
    pub(crate) fn next_woken(&mut self) -> Option<Owner> {
        self.woken.pop_first()
    }

    /// For root machines with many children: tells how many transports to servers have not had
    /// their last word.
    pub(crate) fn to_servers(&self) -> usize {
        self.to_servers
    }

    /// For the resolver: tells how many transports were closed and have not had their last word,
    /// besides those to servers.
    pub(crate) fn closing(&self) -> usize {
        self.closing
    }

    /// For root machines: lets no event out from now on.
    pub(crate) fn mute(&mut self) {
        self.muted = true;
    }

    /// For root machines: ends the handling of an input; what was sent on each stream leaves.
    pub(crate) fn end(&mut self) {
        while let Some(id) = self.sending.pop_first() {
            if let Some(transport) = self.transports.get_mut(&id)
                && !transport.sending.is_empty()
            {
                self.queue.push_back(Output::Send(id, mem::take(&mut transport.sending)));
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

    /// For root machines at their end, when the queue is empty: the wait for last words, then the end.
    pub(crate) fn ending(&self) -> Output {
        match self.lingers_until() {
            Some(until) => Output::Wait(until, "for the last words of transports"),
            None => Output::Done,
        }
    }

    /// Pops the next output; `None` when the queue is empty.
    pub(crate) fn pop(&mut self) -> Option<Output> {
        self.queue.pop_front()
    }
}
