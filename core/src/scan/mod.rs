//! Many destinations: one resolver, a bounded set of visits, a report for each.
//!
//! ```text
//!  Add ─▶ Tour: Route ──targets──▶ Desk: waiting ─Lanes─▶ Visit ──report──▶ every Tour that asked ─▶ Finished
//! ```
//!
//! A tour finds the servers of one destination and puts its report together. The desk sees to it
//! that each server is visited once, whoever asks for it. The lanes say which visit may begin.
//! Inputs go to whom their transport belongs; deadlines stand in an agenda: the cost of an input
//! does not depend on how much is under way.

mod agenda;
mod desk;
mod lanes;
mod tour;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::config::{Config, Level, ScanConfig};
use crate::context::{Cx, Owner};
use crate::limits;
use crate::machine::{Input, Job, Machine, Output, Stop};
use crate::random::Seed;
use crate::report::{Outcome, Report, Scope, Untested};
use crate::resolve::{Resolver, RouteFacts};
use crate::time::{Instant, WallTime};

use agenda::Agenda;
use desk::{Client, Desk, Told};
use tour::{Manner, Tour, is_blocked_destination};

/// The machine that probes many destinations, which are given while it runs.
///
/// It says by [`Output::Want`] how many more it has room for. Each that is given by [`Input::Add`]
/// comes to one [`Output::Finished`], in the order in which they end. [`Stop::End`] says that no
/// more will come: it is [done](Output::Done) when all are finished. With [`Stop::Drain`]
/// connections come to their end, and with [`Stop::Now`] nothing does; destinations that are not
/// finished then are reported with [`Outcome::Stopped`], as are those that come later.
///
/// No events are told: everything is in the reports.
#[derive(Debug)]
pub struct Scan {
    cx: Cx,
    resolver: Resolver,
    settings: ScanConfig,
    config: Arc<Config>,
    manner: Manner,
    desk: Desk,
    tours: BTreeMap<u64, Box<Tour>>,
    next: u64,
    agenda: Agenda,
    /// Destinations that were asked for and not given.
    wanted: usize,
    stop: Option<Stop>,
    over: bool,
}

impl Scan {
    /// Counts the octets that were received and are held, as
    /// [`Probe::buffered`](crate::Probe::buffered) does.
    pub fn buffered(&self) -> usize {
        self.resolver.buffered() + self.desk.buffered()
    }

    /// Begins a scan; its first outputs are queued already. Seed and wall time are those of
    /// [`Probe::new`](crate::Probe::new).
    pub fn new(mut settings: ScanConfig, seed: Seed, wall_time: WallTime) -> Self {
        settings.probe.await_quit = false;
        let mut scan = Self::begin(settings, seed, wall_time);
        scan.cx.mute();
        scan.settle();
        scan
    }

    /// Begins a scan that tells events and waits for every reply, as a probe does.
    pub(crate) fn begin(mut settings: ScanConfig, seed: Seed, wall_time: WallTime) -> Self {
        settings.probe.reuse = None;
        let limits = &settings.limits;
        let dane = matches!(settings.probe.level, Level::Dane | Level::DaneOnly);
        let mut resolver = Resolver::new(&settings.probe.lookup, dane, settings.probe.repeatable);
        let (names, connections) = share_transports(&settings);
        resolver.allow(names);
        Self {
            cx: Cx::new(seed, wall_time),
            resolver,
            config: Arc::new(settings.probe.clone()),
            manner: Manner {
                first_only: limits.first_only,
                both_keys: limits.both_keys,
                total: limits.total,
            },
            desk: Desk::new(limits, connections),
            settings,
            tours: BTreeMap::new(),
            next: 0,
            agenda: Agenda::default(),
            wanted: 0,
            stop: None,
            over: false,
        }
    }

    pub(crate) fn add(&mut self, job: Job) {
        self.wanted = self.wanted.saturating_sub(1);
        let refusal = match self.stop {
            Some(Stop::Drain | Stop::Now) => Some(Outcome::Stopped),
            None | Some(Stop::End) => {
                is_blocked_destination(&self.settings.blocklist, &job.destination)
                    .then_some(Outcome::Blocked)
            }
        };
        if let Some(outcome) = refusal {
            let report = self.unbegun(job, outcome);
            return self.cx.put(Output::Finished(Box::new(report)));
        }
        let id = self.next;
        self.next += 1;
        let tour = Tour::start(&mut self.cx, id, job, &self.config, self.manner);
        self.tours.insert(id, Box::new(tour));
        self.cx.wake(Owner::Tour(id));
    }

    /// Makes the report of a destination that nothing is done about.
    fn unbegun(&self, job: Job, outcome: Outcome) -> Report {
        Report {
            number: job.number,
            destination: job.destination,
            level: self.config.level,
            began: self.cx.began(),
            started: self.cx.now(),
            ended: self.cx.now(),
            outcome,
            scope: match self.manner.first_only {
                true => Scope::First,
                false => Scope::Every { left_out: 0 },
            },
            route: RouteFacts::default(),
            unreachable: Vec::new(),
            untested: Vec::new(),
            sessions: Vec::new(),
        }
    }

    pub(crate) fn stop(&mut self, stop: Stop) {
        for (id, tour) in &mut self.tours {
            match stop {
                Stop::End => continue,
                Stop::Drain => tour.drain(&mut self.cx, &mut self.desk),
                Stop::Now => tour.give_up(&mut self.cx, &mut self.desk, Untested::Stopped),
            }
            self.cx.wake(Owner::Tour(*id));
        }
        self.stop = Some(self.stop.map_or(stop, |before| before.max(stop)));
    }

    /// Lets a child take an input.
    fn step(&mut self, owner: Owner, input: &Input) {
        match owner {
            Owner::Root => {}
            Owner::Tour(id) => {
                let Some(tour) = self.tours.get_mut(&id) else { return };
                let blocklist = &self.settings.blocklist;
                match tour.handle(&mut self.cx, &mut self.desk, blocklist, input) {
                    false => self.agenda.set(owner, tour.deadline()),
                    true => {
                        self.agenda.remove(owner);
                        if let Some(tour) = self.tours.remove(&id) {
                            let report = tour.report(&mut self.cx);
                            self.cx.put(Output::Finished(report));
                        }
                    }
                }
            }
            Owner::Visit(id) => match self.desk.handle(&mut self.cx, id, input) {
                None => {
                    match self.desk.deadline_of(id) {
                        Some(deadline) => self.agenda.set(owner, deadline),
                        None => self.agenda.remove(owner),
                    }
                    if self.manner.both_keys
                        && let Some((client, progress)) = self.desk.progress(id)
                        && let Some(tour) = self.tours.get_mut(&client.tour)
                    {
                        tour.learn(&mut self.cx, &mut self.desk, client.call, progress);
                        // That may have been its last call.
                        self.cx.wake(Owner::Tour(client.tour));
                    }
                }
                Some(Told { report, mut clients, visited_for }) => {
                    self.agenda.remove(owner);
                    let last = clients.pop();
                    for client in clients {
                        self.tell(client, Arc::clone(&report), client != visited_for);
                    }
                    // If nobody else keeps it, it need not be copied.
                    if let Some(client) = last {
                        self.tell(client, report, client != visited_for);
                    }
                }
            },
        }
        for errand in self.desk.take_hopeless() {
            for client in self.desk.clients(errand) {
                if let Some(tour) = self.tours.get_mut(&client.tour) {
                    tour.forgo(&mut self.cx, &mut self.desk, errand);
                    self.cx.wake(Owner::Tour(client.tour));
                }
            }
        }
    }

    /// Tells a tour what came of one of its calls.
    fn tell(&mut self, client: Client, report: Arc<Report>, shared: bool) {
        if let Some(tour) = self.tours.get_mut(&client.tour) {
            tour.told(&mut self.cx, &mut self.desk, client.call, report, shared);
            self.cx.wake(Owner::Tour(client.tour));
        }
    }

    /// Goes on until nothing changes.
    pub(crate) fn settle(&mut self) {
        loop {
            let settling = self.cx.is_settling();
            let mut changed = self.resolver.serve(&mut self.cx);
            if settling && !self.cx.is_settling() {
                self.tours.keys().for_each(|id| self.cx.wake(Owner::Tour(*id)));
            }
            while let Some(owner) = self.cx.next_woken() {
                self.step(owner, &Input::Tick);
                changed = true;
            }
            while let Some((owner, (at, _))) = self.agenda.first()
                && at <= self.cx.now()
            {
                self.step(owner, &Input::Tick);
                changed = true;
            }
            while let Some(id) = self.desk.begin(&mut self.cx) {
                self.step(Owner::Visit(id), &Input::Tick);
                changed = true;
            }
            if !changed && !self.cx.has_questions() {
                break;
            }
        }
        if self.stop.is_some() && self.tours.is_empty() {
            self.over = true;
            self.stop = Some(Stop::Now);
            self.cx.close_all();
        }
        if self.stop.is_none() {
            let room = self.settings.limits.destinations.max(1);
            let room = room.saturating_sub(self.tours.len() + self.wanted);
            if room > 0 {
                self.wanted += room;
                self.cx.put(Output::Want(room));
            }
        }
        self.cx.end();
    }
}

impl Machine for Scan {
    fn handle_input(&mut self, now: Instant, input: Input) {
        let is_done = self.over && self.cx.lingers_until().is_none();
        self.cx.begin(now);
        let owner = self.cx.owner_of(&input);
        let admitted = self.cx.admit(&input);
        if self.over {
            // Until the very end, nothing that is given is lost.
            if let (Input::Add(job), false) = (input, is_done) {
                self.add(*job);
            }
            return;
        }
        if admitted {
            match input {
                Input::Add(job) => self.add(*job),
                Input::Stop(stop) => self.stop(stop),
                Input::Tick => {}
                Input::Opened(_)
                | Input::Received(..)
                | Input::Ended(_)
                | Input::Failed(..)
                | Input::HostFound(..) => match owner {
                    Owner::Root => _ = self.resolver.handle(&mut self.cx, &input),
                    Owner::Tour(_) | Owner::Visit(_) => self.step(owner, &input),
                },
            }
        }
        self.settle();
    }

    fn poll_output(&mut self) -> Output {
        if let Some(output) = self.cx.pop() {
            return output;
        }
        if self.over {
            return self.cx.ending();
        }
        let (resolver, desk) = (self.resolver.deadline(), self.desk.deadline(&self.cx));
        let first = self.agenda.first().map(|(_, deadline)| deadline);
        let idle = (Instant::NEVER, "for destinations");
        let deadlines = [resolver, (desk, "for its turn"), first.unwrap_or(idle)];
        let (until, why) = deadlines.into_iter().min().filter(|it| it.0 < idle.0).unwrap_or(idle);
        Output::Wait(until, why)
    }
}

/// Shares the transports out: how many there may be to name servers, and how many to mail servers.
fn share_transports(settings: &ScanConfig) -> (usize, usize) {
    let resolvers = &settings.probe.lookup.resolvers;
    // A question keeps the socket of each attempt until it is answered; a stream to a name server
    // stays for a while.
    let servers = resolvers.servers.len().max(1);
    let attempts = servers * resolvers.attempts.max(1) as usize;
    let all = settings.limits.transports;
    let names = (all / 4).clamp(attempts + servers, limits::SCAN_QUESTIONS * attempts + servers);
    let rest = all.saturating_sub(names).max(1);
    (names, settings.limits.connections.clamp(1, rest))
}
