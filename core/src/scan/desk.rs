//! The errands of all destinations: each server is visited once, and what it did is told to all who
//! asked.

use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, Offer, ScanLimits, ServerKeys};
use crate::context::{Cx, Owner};
use crate::limits;
use crate::machine::{Endpoint, Input, Stop};
use crate::report::{Report, Step, StepProblem};
use crate::resolve::Target;
use crate::time::Instant;
use crate::visit::{Visit, Way, offer};

use super::lanes::{Address, ErrandId, Lanes};

/// Servers that wait for a visit, that are being visited, and that were.
#[derive(Debug)]
pub(super) struct Desk {
    connections: usize,
    share: Option<Duration>,
    retries: u32,
    retry_after: Duration,
    errands: BTreeMap<ErrandId, Box<Errand>>,
    running: usize,
    /// What waits for addresses that refuse everything.
    hopeless: Vec<ErrandId>,
    next: ErrandId,
    lanes: Lanes,
    known: BTreeMap<Key, Known>,
    /// What was seen, the oldest first.
    seen: VecDeque<(Instant, Key)>,
}

/// What makes two errands one.
type Key = Arc<(Endpoint, Option<Arc<Offer>>)>;

#[derive(Debug)]
enum Known {
    /// This errand will tell.
    Asked(ErrandId),
    /// It was told; counts until then.
    Seen(Instant, Arc<Report>),
}

/// One server to visit.
#[derive(Debug)]
struct Errand {
    /// Under which it is shared.
    key: Option<Key>,
    address: Address,
    config: Arc<Config>,
    keys: Option<ServerKeys>,
    /// Which keys to ask for will be [chosen](Desk::choose).
    held: bool,
    /// What was told of its progress.
    progress: Option<Progress>,
    target: Arc<Target>,
    clients: Vec<Client>,
    /// Whose target this is.
    visited_for: Client,
    state: State,
    /// How often the server refused for now.
    refusals: u32,
}

#[derive(Debug)]
enum State {
    /// Of a server that refused, what it said is kept.
    Waiting(Option<Box<Report>>),
    Running(Box<Visit>),
    /// One connection of the visit is over, and it waits for its turn to make another.
    Between(Box<Visit>),
}

/// How far a visit has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// There is a connection.
    Connected,
    /// The server showed its key; `None` is one that has no other kind.
    Shown(Option<ServerKeys>),
    /// Nothing is missing for the handshake but the choice of keys.
    Held,
}

/// Who wants to know: a call of a tour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) tour: u64,
    pub(super) call: usize,
}

/// What came of a request.
#[derive(Debug)]
pub(super) enum Requested {
    /// The server was visited before.
    Seen(Arc<Report>),
    /// Its visit will be told of.
    Asked(ErrandId),
}

/// What an errand came to.
#[derive(Debug)]
pub(super) struct Told {
    pub(super) report: Arc<Report>,
    pub(super) clients: Vec<Client>,
    pub(super) visited_for: Client,
}

impl Desk {
    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        let of = |state: &State| match state {
            State::Running(visit) => visit.buffered(),
            State::Waiting(_) | State::Between(_) => 0,
        };
        self.errands.values().map(|errand| of(&errand.state)).sum()
    }

    pub(super) fn new(limits: &ScanLimits, connections: usize) -> Self {
        Self {
            connections,
            share: limits.share,
            retries: limits.retries,
            retry_after: limits.retry_after,
            errands: BTreeMap::new(),
            running: 0,
            hopeless: Vec::new(),
            next: 0,
            lanes: Lanes::new(limits),
            known: BTreeMap::new(),
            seen: VecDeque::new(),
        }
    }

    /// Takes the wish for a visit.
    pub(super) fn request(
        &mut self,
        cx: &mut Cx,
        client: Client,
        target: &Arc<Target>,
        config: &Arc<Config>,
        keys: Option<ServerKeys>,
    ) -> Requested {
        // tlsproxy(8) judges by the target's own demands.
        let key =
            self.share.filter(|_| config.proxy.is_none()).map(|_| key_of(config, keys, target));
        match key.as_ref().and_then(|key| self.known.get(key)) {
            Some(Known::Seen(until, report)) if *until > cx.now() => {
                return Requested::Seen(Arc::clone(report));
            }
            Some(Known::Asked(id)) => {
                if let Some(errand) = self.errands.get_mut(id) {
                    errand.clients.push(client);
                    return Requested::Asked(*id);
                }
            }
            Some(Known::Seen(..)) | None => {}
        }
        let errand = Errand::new(client, target, config, key, keys);
        Requested::Asked(self.take(cx, errand))
    }

    /// Takes the wish for a visit that is held before its handshake until the keys to ask for are
    /// [chosen](Self::choose).
    pub(super) fn request_held(
        &mut self,
        cx: &mut Cx,
        client: Client,
        target: &Arc<Target>,
        config: &Arc<Config>,
    ) -> ErrandId {
        let errand = Errand::new(client, target, config, None, None);
        self.take(cx, Errand { held: true, ..errand })
    }

    fn take(&mut self, cx: &mut Cx, errand: Errand) -> ErrandId {
        let id = self.next;
        self.next += 1;
        if let Some(key) = &errand.key {
            self.known.insert(Arc::clone(key), Known::Asked(id));
        }
        self.lanes.push(cx.random(), &errand.address, id, errand.target.host.clone());
        self.errands.insert(id, Box::new(errand));
        id
    }

    /// Chooses the keys that a held visit asks for; from then on others may share it.
    pub(super) fn choose(&mut self, cx: &mut Cx, id: ErrandId, keys: ServerKeys) {
        let Some(errand) = self.errands.get_mut(&id) else { return };
        errand.held = false;
        errand.keys = Some(keys);
        if self.share.is_some() {
            let key = key_of(&errand.config, errand.keys, &errand.target);
            if !self.known.contains_key(&key) {
                self.known.insert(Arc::clone(&key), Known::Asked(id));
                errand.key = Some(key);
            }
        }
        if let State::Running(visit) = &mut errand.state {
            cx.for_owner(Owner::Visit(id), |cx| visit.choose_keys(cx, keys));
            cx.wake(Owner::Visit(id));
        }
    }

    /// Tells whether a visit waits for its keys to be chosen, and for nothing else.
    pub(super) fn is_held(&self, id: ErrandId) -> bool {
        self.errands.get(&id).is_some_and(|errand| match &errand.state {
            State::Running(visit) => visit.is_held(),
            State::Waiting(_) => errand.held,
            State::Between(_) => false,
        })
    }

    /// Tells how far a visit that asks for no kind of keys has come, once for each step, and whose it
    /// is.
    pub(super) fn progress(&mut self, id: ErrandId) -> Option<(Client, Progress)> {
        let errand = self.errands.get_mut(&id)?;
        let State::Running(visit) = &errand.state else { return None };
        let progress = match visit.tls() {
            _ if errand.keys.is_some() => return None,
            _ if errand.held => visit.is_held().then_some(Progress::Held)?,
            Some(facts) => Progress::Shown(ServerKeys::shown_by(facts)),
            None => visit.is_connected().then_some(Progress::Connected)?,
        };
        let news = errand.progress.replace(progress) != Some(progress);
        news.then_some((errand.visited_for, progress))
    }

    /// Begins the next visit, or lets one go on that wants another connection, if the limits allow
    /// that now.
    pub(super) fn begin(&mut self, cx: &mut Cx) -> Option<ErrandId> {
        if self.running >= self.connections || cx.to_servers() >= self.connections {
            return None;
        }
        let now = cx.now();
        let id = self.lanes.next(cx.random(), now)?;
        let errand = self.errands.get_mut(&id)?;
        let state = mem::replace(&mut errand.state, State::Waiting(None));
        let visit = cx.for_owner(Owner::Visit(id), |cx| match state {
            State::Between(mut visit) => {
                visit.take_turn(cx);
                visit
            }
            State::Waiting(_) | State::Running(_) => {
                let way = Way::Known {
                    target: Some(errand.target.clone()),
                    offer: errand.key.as_ref().and_then(|key| key.1.clone()),
                };
                let (config, keys) = (Arc::clone(&errand.config), errand.keys);
                Box::new(match errand.held {
                    true => Visit::start_held(cx, config, way),
                    false => Visit::start(cx, config, keys, way),
                })
            }
        });
        errand.state = State::Running(visit);
        errand.clients.iter().for_each(|client| cx.wake(Owner::Tour(client.tour)));
        self.running += 1;
        Some(id)
    }

    /// Hands out what waits for addresses that have refused too often.
    pub(super) fn take_hopeless(&mut self) -> Vec<ErrandId> {
        mem::take(&mut self.hopeless)
    }

    /// Tells who waits for an errand.
    pub(super) fn clients(&self, id: ErrandId) -> Vec<Client> {
        self.errands.get(&id).map(|errand| errand.clients.clone()).unwrap_or_default()
    }

    /// Gives an input to a visit; tells what came of it if that was its end.
    pub(super) fn handle(&mut self, cx: &mut Cx, id: ErrandId, input: &Input) -> Option<Told> {
        let errand = self.errands.get_mut(&id)?;
        let State::Running(visit) = &mut errand.state else { return None };
        cx.for_owner(Owner::Visit(id), |cx| visit.handle(cx, input));
        if visit.wants_turn() {
            self.line_up(cx, id);
            return None;
        }
        let report = visit.take_report()?;
        let refused = is_refusal(&report).then_some(self.retry_after);
        self.freed(cx, id, refused);
        let errand = self.errands.get_mut(&id)?;
        if refused.is_some() && errand.refusals < self.retries {
            errand.refusals += 1;
            errand.state = State::Waiting(Some(report));
            errand.clients.iter().for_each(|client| cx.wake(Owner::Tour(client.tour)));
            let host = errand.target.host.clone();
            self.lanes.push(cx.random(), &errand.address, id, host);
            return None;
        }
        self.close(cx.now(), id, report)
    }

    /// Lets a visit that wants another connection wait for its turn as every connection does. It is
    /// the next in its lane, so that what was begun comes to its end.
    fn line_up(&mut self, cx: &mut Cx, id: ErrandId) {
        self.freed(cx, id, None);
        let Some(errand) = self.errands.get_mut(&id) else { return };
        errand.state = match mem::replace(&mut errand.state, State::Waiting(None)) {
            State::Running(visit) => State::Between(visit),
            state @ (State::Waiting(_) | State::Between(_)) => state,
        };
        errand.clients.iter().for_each(|client| cx.wake(Owner::Tour(client.tour)));
        let host = errand.target.host.clone();
        self.lanes.push_first(cx.random(), &errand.address, id, host);
    }

    /// Tells when a visit that is under way is due, and for what.
    pub(super) fn deadline_of(&self, id: ErrandId) -> Option<(Instant, &'static str)> {
        match &self.errands.get(&id)?.state {
            State::Running(visit) => Some(visit.deadline()),
            State::Waiting(_) | State::Between(_) => None,
        }
    }

    /// Tells when a visit that waits may begin.
    pub(super) fn deadline(&self, cx: &Cx) -> Instant {
        let room = self.running < self.connections && cx.to_servers() < self.connections;
        if room { self.lanes.deadline() } else { Instant::NEVER }
    }

    /// Tells whether a visit is under way.
    pub(super) fn is_running(&self, id: ErrandId) -> bool {
        let state = self.errands.get(&id).map(|errand| &errand.state);
        matches!(state, Some(State::Running(_)))
    }

    /// Takes a wish back. If it was the last, the visit ends; what there is of it is handed out, and
    /// whose target was visited.
    pub(super) fn leave(
        &mut self,
        cx: &mut Cx,
        id: ErrandId,
        client: Client,
    ) -> Option<(Arc<Report>, Client)> {
        let errand = self.errands.get_mut(&id)?;
        let visited_for = errand.visited_for;
        errand.clients.retain(|known| *known != client);
        let is_last = errand.clients.is_empty();
        let report = match &mut errand.state {
            State::Waiting(report) if !is_last => report.clone(),
            State::Running(visit) | State::Between(visit) if !is_last => visit.so_far(cx),
            State::Waiting(report) => {
                let report = report.take();
                self.lanes.remove(cx.random(), &errand.address, id);
                self.forget(id);
                report
            }
            State::Between(visit) => {
                let stop = Input::Stop(Stop::Now);
                cx.for_owner(Owner::Visit(id), |cx| visit.handle(cx, &stop));
                let report = visit.take_report();
                self.lanes.remove(cx.random(), &errand.address, id);
                self.forget(id);
                report
            }
            State::Running(visit) => {
                let stop = Input::Stop(Stop::Now);
                cx.for_owner(Owner::Visit(id), |cx| visit.handle(cx, &stop));
                // It has its turn at the end of this input, to be forgotten.
                cx.wake(Owner::Visit(id));
                let report = visit.take_report();
                self.freed(cx, id, None);
                self.forget(id);
                report
            }
        };
        Some((Arc::from(report?), visited_for))
    }

    /// Notes that a visit came to its end.
    fn freed(&mut self, cx: &mut Cx, id: ErrandId, refused: Option<Duration>) {
        let Some(errand) = self.errands.get(&id) else { return };
        let place = (&errand.address, &errand.target.host[..]);
        let now = cx.now();
        let hopeless = self.lanes.ended(cx.random(), place, now, refused);
        self.hopeless.extend(hopeless);
        self.running -= 1;
    }

    fn forget(&mut self, id: ErrandId) -> Option<Box<Errand>> {
        let errand = self.errands.remove(&id)?;
        if let Some(key) = &errand.key
            && matches!(self.known.get(key), Some(Known::Asked(asked)) if *asked == id)
        {
            self.known.remove(key);
        }
        Some(errand)
    }

    /// Ends an errand, and keeps what came of it for others.
    fn close(&mut self, now: Instant, id: ErrandId, report: Box<Report>) -> Option<Told> {
        let Errand { key, clients, visited_for, .. } = *self.forget(id)?;
        let report = Arc::from(report);
        if let (Some(key), Some(lifetime)) = (key, self.share) {
            let until = now + lifetime;
            self.known.insert(Arc::clone(&key), Known::Seen(until, Arc::clone(&report)));
            self.seen.push_back((until, key));
            self.forget_old(now);
        }
        Some(Told { report, clients, visited_for })
    }

    fn forget_old(&mut self, now: Instant) {
        while let Some((until, key)) = self.seen.front()
            && (*until <= now || self.seen.len() > limits::SHARED)
        {
            if matches!(self.known.get(key), Some(Known::Seen(known, _)) if known == until) {
                self.known.remove(key);
            }
            self.seen.pop_front();
        }
    }
}

impl Errand {
    fn new(
        client: Client,
        target: &Arc<Target>,
        config: &Arc<Config>,
        key: Option<Key>,
        keys: Option<ServerKeys>,
    ) -> Self {
        Self {
            key,
            address: Address::of(&target.endpoint),
            config: Arc::clone(config),
            keys,
            held: false,
            progress: None,
            target: Arc::clone(target),
            clients: vec![client],
            visited_for: client,
            state: State::Waiting(None),
            refusals: 0,
        }
    }
}

/// Tells under what a visit to a target is shared.
fn key_of(config: &Config, keys: Option<ServerKeys>, target: &Target) -> Key {
    let offer = offer(config, keys, true, target).map(Arc::new);
    Arc::new((target.endpoint.clone(), offer))
}

/// Tells whether the server wants to be asked again later (RFC 5321 section 4.2.1: 4yz).
fn is_refusal(report: &Report) -> bool {
    let last = report.sessions.last().and_then(|session| session.observation.problems.last());
    matches!(
        last,
        Some((Step::Greeting | Step::Hello | Step::StartTls, StepProblem::Refused(reply)))
            if reply.code / 100 == 4
    )
}
