//! The smol driver: runs a machine as a future, on whatever executor polls it.
//!
//! ```no_run
//! use tlsfinger_core::{Input, Notice, Probe, config::Config, machine::Stop};
//! use tlsfinger_smol::{Inbox, run_with, seed, wall_time};
//!
//! async fn probe(config: Config, executor: &smol::Executor<'_>) -> std::io::Result<()> {
//!     let inbox = Inbox::new();
//!     let handle = inbox.handle(); // for another task, such as one that waits for Ctrl-C
//!     executor.spawn(async move { handle.give(Input::Stop(Stop::Now)) }).detach();
//!     run_with(&mut Probe::new(config, seed()?, wall_time()), inbox, |notice| match notice {
//!         Notice::Event(event) => println!("{event:?}"),
//!         Notice::Report(report) => println!("{report:?}"),
//!         Notice::Want(_) => {}
//!     })
//!     .await;
//!     Ok(())
//! }
//! ```
//!
//! The future is `Send` if the machine and the closure are. It owns everything it began: dropping
//! it closes all sockets at once.
#![warn(missing_docs)]

mod inbox;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use smol::future::or;
use smol::{Async, Executor, Task, Timer, unblock};
use tlsfinger_core::machine::{Endpoint, HostName, LookupId, TransportId};
use tlsfinger_core::{Input, Instant, IoError, Machine, Notice, Output};
use tlsfinger_transport::{Clock, Interest, Socket, Transport, find_host, is_last_word};

use inbox::News;
pub use inbox::{Handle, Inbox};
pub use tlsfinger_transport::{raise_descriptor_limit, seed, wall_time};

/// Runs a machine to its end and passes on what it tells.
///
/// Everything that happens to a transport or a lookup is the machine's business.
///
/// # Panics
///
/// Panics if this is the first use of async-io in the process and the system has no descriptors
/// left for its reactor.
pub async fn run<M: Machine>(machine: &mut M, tell: impl FnMut(Notice)) {
    run_with(machine, Inbox::new(), tell).await;
}

/// Does what [`run`] does, while inputs may be given from outside through the inbox's handles.
///
/// # Panics
///
/// As [`run`].
pub async fn run_with<M: Machine>(machine: &mut M, inbox: Inbox, mut tell: impl FnMut(Notice)) {
    let executor = Executor::new();
    let mut driver = Driver::new(inbox, &executor);
    let drive = async {
        loop {
            match machine.poll_output() {
                Output::Open(id, endpoint) => driver.open(id, &endpoint),
                Output::Send(id, bytes) => driver.with(id, |transport| transport.send(bytes)),
                Output::Close(id) => driver.with(id, Transport::close),
                Output::Pass { socket, over } => driver.pass(socket, over),
                Output::FindHost(id, host) => driver.find_host(id, host),
                Output::Tell(event) => tell(Notice::Event(event)),
                Output::Finished(report) => tell(Notice::Report(report)),
                Output::Want(count) => tell(Notice::Want(count)),
                Output::Wait(until, _) => {
                    let input = driver.wait(until).await;
                    machine.handle_input(driver.clock.now(), input);
                }
                Output::Done => return,
            }
        }
    };
    or(drive, async {
        loop {
            executor.tick().await;
        }
    })
    .await;
}

struct Driver<'a> {
    clock: Clock,
    inbox: Inbox,
    transports: BTreeMap<TransportId, Watched>,
    timer: Timer,
    /// What the timer is set to.
    deadline: Option<Instant>,
    /// Whose input the machine has.
    heard: Option<TransportId>,
    /// Runs what waits for sockets and for lookups; it says so to the inbox and does nothing else.
    executor: &'a Executor<'static>,
}

struct Watched {
    transport: Transport,
    socket: Arc<Async<Arc<Socket>>>,
    /// Waits for this interest, until it is dropped.
    watch: Option<(Interest, Task<()>)>,
}

impl<'a> Driver<'a> {
    fn new(inbox: Inbox, executor: &'a Executor<'static>) -> Self {
        let (transports, timer) = (BTreeMap::new(), Timer::never());
        let clock = Clock::start();
        Self { clock, inbox, transports, timer, deadline: None, heard: None, executor }
    }

    fn open(&mut self, id: TransportId, endpoint: &Endpoint) {
        let opened = Transport::open(id, endpoint).and_then(|transport| {
            let socket = Async::new_nonblocking(transport.socket().clone());
            Ok((transport, socket.map_err(|error| IoError::from(&error))?))
        });
        match opened {
            Ok((transport, socket)) => {
                let watched = Watched { transport, socket: Arc::new(socket), watch: None };
                self.transports.insert(id, watched);
                self.watch(id);
            }
            Err(error) => self.inbox.give(Input::Failed(id, error)),
        }
    }

    fn with(&mut self, id: TransportId, act: impl FnOnce(&mut Transport)) {
        if let Some(watched) = self.transports.get_mut(&id) {
            act(&mut watched.transport);
            self.watch(id);
        }
    }

    fn pass(&mut self, socket: TransportId, over: TransportId) {
        let Some(passed) = self.transports.remove(&socket) else { return };
        let carrier = self.transports.get_mut(&over).map(|watched| &mut watched.transport);
        self.inbox.give(passed.transport.pass(carrier));
        self.watch(over);
    }

    fn find_host(&mut self, id: LookupId, host: HostName) {
        let handle = self.inbox.handle();
        let look_up = async move {
            let found = unblock(move || find_host(&host)).await;
            handle.give(Input::HostFound(id, found));
        };
        self.executor.spawn(look_up).detach();
    }

    /// Sees to it that the transport advances when it can.
    fn watch(&mut self, id: TransportId) {
        let Some(Watched { transport, socket, watch }) = self.transports.get_mut(&id) else {
            return;
        };
        let interest = transport.interest();
        if watch.as_ref().is_some_and(|(watched, _)| *watched == interest) {
            return;
        }
        let (socket, handle) = (socket.clone(), self.inbox.handle());
        let wait = async move { handle.tell(News::Ready(id, ready(socket, interest).await)) };
        *watch = Some((interest, self.executor.spawn(wait)));
    }

    fn advance(&mut self, id: TransportId, ready: io::Result<()>) -> Option<Input> {
        let watched = self.transports.get_mut(&id)?;
        watched.watch = None;
        let input = match ready {
            Ok(()) => watched.transport.advance(),
            Err(error) => Some(Input::Failed(id, IoError::from(&error))),
        };
        if input.as_ref().is_some_and(is_last_word) {
            self.transports.remove(&id);
        }
        self.watch(id);
        input
    }

    /// Waits until something happens, at most until the deadline.
    async fn wait(&mut self, until: Instant) -> Input {
        if let Some(watched) = self.heard.take().and_then(|id| self.transports.get_mut(&id)) {
            watched.transport.acknowledge();
        }
        if self.deadline.replace(until) != Some(until) {
            // A time beyond what the system can count is no deadline.
            match self.clock.at(until) {
                Some(at) => self.timer.set_at(at),
                None => self.timer = Timer::never(),
            }
        }
        loop {
            let news = or(async { Some(self.inbox.next().await) }, async {
                (&mut self.timer).await;
                None
            });
            match news.await {
                Some(News::Given(input)) => return input,
                Some(News::Ready(id, ready)) => {
                    if let Some(input) = self.advance(id, ready) {
                        self.heard = Some(id);
                        return input;
                    }
                }
                None => {
                    self.deadline = None;
                    return Input::Tick;
                }
            }
        }
    }
}

async fn ready(socket: Arc<Async<Arc<Socket>>>, interest: Interest) -> io::Result<()> {
    match interest {
        Interest::Nothing => Ok(()),
        Interest::Read => socket.readable().await,
        Interest::Write => socket.writable().await,
        Interest::ReadOrWrite => or(socket.readable(), socket.writable()).await,
    }
}
