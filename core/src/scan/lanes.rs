//! How fast, and how much at once: a lane for each address, a limit for each host, a rate for all.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::config::ScanLimits;
use crate::limits;
use crate::machine::Endpoint;
use crate::random::Random;
use crate::time::Instant;

/// Decides which of the errands that wait for a connection is next.
///
/// The lane that could have gone on for the longest time is; among equals chance decides.
#[derive(Debug)]
pub(super) struct Lanes {
    per_address: usize,
    per_host: usize,
    pause: Duration,
    /// How often the pause after a refusal doubles.
    doublings: u32,
    rate: Rate,
    lanes: BTreeMap<Address, Lane>,
    /// Those in which something waits and may begin from this time on.
    open: BTreeSet<Turn>,
    /// Those in which nothing waits, until they can be forgotten.
    idle: BTreeSet<(Instant, Address)>,
    hosts: BTreeMap<Arc<str>, Host>,
}

/// What is polite to connect to only so often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Address {
    Ip(IpAddr),
    Unix(PathBuf),
}

/// Names an errand.
pub(super) type ErrandId = u64;

type Turn = (Instant, u32, Address);

#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<Waiting>,
    running: usize,
    /// When the next one may begin.
    free_at: Instant,
    /// The server refused for now, so often one after the other.
    refusals: u32,
    /// Its place among the open ones.
    turn: Option<(Instant, u32)>,
    /// Its host has too many connections; it opens again when one of them ends.
    parked: bool,
}

#[derive(Clone, Debug)]
struct Waiting {
    id: ErrandId,
    host: Arc<str>,
}

#[derive(Debug, Default)]
struct Host {
    running: usize,
    parked: Vec<Address>,
}

impl Address {
    pub(super) fn of(endpoint: &Endpoint) -> Self {
        match endpoint {
            Endpoint::Tcp(remote) | Endpoint::Udp(remote) => {
                Self::Ip(remote.address.ip().to_canonical())
            }
            Endpoint::Unix(path) => Self::Unix(path.clone()),
        }
    }
}

impl Lanes {
    pub(super) fn new(limits: &ScanLimits) -> Self {
        Self {
            per_address: limits.per_address.max(1),
            per_host: limits.per_host.max(1),
            pause: limits.pause,
            doublings: limits.retries.min(16),
            rate: Rate::new(limits.rate),
            lanes: BTreeMap::new(),
            open: BTreeSet::new(),
            idle: BTreeSet::new(),
            hosts: BTreeMap::new(),
        }
    }

    /// Puts an errand at the end of its lane.
    pub(super) fn push(
        &mut self,
        random: &mut Random,
        address: &Address,
        id: ErrandId,
        host: Arc<str>,
    ) {
        self.change(random, address, |lane| lane.waiting.push_back(Waiting { id, host }));
    }

    /// Puts an errand at the front of its lane.
    pub(super) fn push_first(
        &mut self,
        random: &mut Random,
        address: &Address,
        id: ErrandId,
        host: Arc<str>,
    ) {
        self.change(random, address, |lane| lane.waiting.push_front(Waiting { id, host }));
    }

    /// Takes an errand out that is not wanted any more.
    pub(super) fn remove(&mut self, random: &mut Random, address: &Address, id: ErrandId) {
        self.change(random, address, |lane| lane.waiting.retain(|waiting| waiting.id != id));
    }

    /// Hands out the next errand that may begin at `now`; it counts as running from then on.
    pub(super) fn next(&mut self, random: &mut Random, now: Instant) -> Option<ErrandId> {
        while let Some((until, _)) = self.idle.first()
            && *until <= now
        {
            if let Some((_, address)) = self.idle.pop_first() {
                self.lanes.remove(&address);
            }
        }
        while self.rate.allows(now) {
            let address = match self.open.first() {
                Some((from, _, address)) if *from <= now => address.clone(),
                Some(_) | None => return None,
            };
            let lane = self.lanes.get_mut(&address)?;
            let host = self.hosts.entry(lane.waiting.front()?.host.clone()).or_default();
            if host.running >= self.per_host {
                host.parked.push(address.clone());
                self.change(random, &address, |lane| lane.parked = true);
                continue;
            }
            host.running += 1;
            let id = lane.waiting.pop_front()?.id;
            if lane.waiting.is_empty() {
                lane.waiting = VecDeque::new();
            }
            self.rate.take(now);
            self.change(random, &address, |lane| lane.running += 1);
            return Some(id);
        }
        None
    }

    /// Notes that a connection is over. If the server refused for now, its address is left alone
    /// for `refused`, twice as long after the next refusal, and so on. After too many what waits for it
    /// is handed out: nothing will come of that.
    pub(super) fn ended(
        &mut self,
        random: &mut Random,
        (address, host): (&Address, &str),
        now: Instant,
        refused: Option<Duration>,
    ) -> Vec<ErrandId> {
        let (pause, doublings) = (self.pause, self.doublings);
        let mut hopeless = Vec::new();
        self.change(random, address, |lane| {
            lane.running = lane.running.saturating_sub(1);
            let rest = match refused {
                None => pause,
                Some(first) => pause.max(first.saturating_mul(1 << lane.refusals.min(doublings))),
            };
            lane.refusals = refused.map_or(0, |_| lane.refusals.saturating_add(1));
            lane.free_at = lane.free_at.max(now + rest);
            if lane.refusals >= limits::REFUSALS {
                hopeless.extend(lane.waiting.iter().map(|waiting| waiting.id));
            }
        });
        let Some(known) = self.hosts.get_mut(host) else { return hopeless };
        known.running = known.running.saturating_sub(1);
        let parked = std::mem::take(&mut known.parked);
        if known.running == 0 {
            self.hosts.remove(host);
        }
        for address in parked {
            self.change(random, &address, |lane| lane.parked = false);
        }
        hopeless
    }

    /// Tells when [`next`](Self::next) may have another answer.
    pub(super) fn deadline(&self) -> Instant {
        self.open.first().map_or(Instant::NEVER, |(from, ..)| self.rate.next.max(*from))
    }

    /// Changes a lane, and its place among the others.
    fn change(&mut self, random: &mut Random, address: &Address, work: impl FnOnce(&mut Lane)) {
        let lane = self.lanes.entry(address.clone()).or_default();
        self.idle.remove(&(lane.free_at, address.clone()));
        work(lane);
        let most = if lane.refusals > 0 { 1 } else { self.per_address };
        let opens = !lane.waiting.is_empty() && lane.running < most && !lane.parked;
        let keeps = lane.turn.is_some_and(|(from, _)| opens && from == lane.free_at);
        if !keeps {
            if let Some((from, chance)) = lane.turn.take() {
                self.open.remove(&(from, chance, address.clone()));
            }
            if opens {
                let (from, chance) = (lane.free_at, random.below(u32::MAX));
                self.open.insert((from, chance, address.clone()));
                lane.turn = Some((from, chance));
            }
        }
        if lane.waiting.is_empty() && lane.running == 0 {
            self.idle.insert((lane.free_at, address.clone()));
        }
    }
}

/// Spreads connections over time.
#[derive(Debug)]
struct Rate {
    /// How far they are apart.
    interval: Duration,
    next: Instant,
}

/// How much lateness can be made up for.
const LATENESS: Duration = Duration::from_millis(10);

impl Rate {
    fn new(per_second: Option<u32>) -> Self {
        let (interval, next) = match per_second {
            None => (Duration::ZERO, Instant::START),
            Some(0) => (Duration::MAX, Instant::NEVER),
            Some(rate) => (Duration::from_secs(1) / rate, Instant::START),
        };
        Self { interval, next }
    }

    fn allows(&self, now: Instant) -> bool {
        self.next <= now
    }

    fn take(&mut self, now: Instant) {
        let base = match now.since(self.next) > LATENESS {
            true => Instant::from_elapsed(now.elapsed().saturating_sub(LATENESS)),
            false => self.next,
        };
        self.next = base + self.interval;
    }
}
