//! The blocking driver: runs a machine on the calling thread, which waits in epoll(7).
//!
//! ```no_run
//! use tlsfinger_blocking::{Inbox, run_with, seed, wall_time};
//! use tlsfinger_core::{Input, Notice, Probe, config::Config, machine::Stop};
//!
//! fn probe(config: Config) -> std::io::Result<()> {
//!     let inbox = Inbox::new()?;
//!     let handle = inbox.handle(); // for another thread, such as one that waits for Ctrl-C
//!     std::thread::spawn(move || handle.give(Input::Stop(Stop::Now)));
//!     run_with(&mut Probe::new(config, seed()?, wall_time()), inbox, |notice| match notice {
//!         Notice::Event(event) => println!("{event:?}"),
//!         Notice::Report(report) => println!("{report:?}"),
//!         Notice::Want(_) => {}
//!     })
//! }
//! ```
//!
//! The only other threads are those that look a host up, because getaddrinfo(3) cannot be
//! interrupted; nothing waits for them at the end.
#![warn(missing_docs)]

mod inbox;
mod poll;

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::thread;

use tlsfinger_core::machine::{Endpoint, HostName, LookupId, TransportId};
use tlsfinger_core::{Input, Instant, IoError, Machine, Notice, Output};
use tlsfinger_transport::{Clock, Interest, Transport, find_host, is_last_word};

use inbox::ALARM;
pub use inbox::{Handle, Inbox};
pub use tlsfinger_transport::{raise_descriptor_limit, seed, wall_time};

/// Runs a machine to its end and passes on what it tells.
///
/// # Errors
///
/// Fails if the driver itself cannot get the descriptors or the memory that it needs to wait.
/// Everything that happens to a transport or a lookup is the machine's business.
pub fn run<M: Machine>(machine: &mut M, tell: impl FnMut(Notice)) -> io::Result<()> {
    run_with(machine, Inbox::new()?, tell)
}

/// Does what [`run`] does, while inputs may be given from outside through the inbox's handles.
///
/// # Errors
///
/// As [`run`].
pub fn run_with<M: Machine>(
    machine: &mut M,
    inbox: Inbox,
    mut tell: impl FnMut(Notice),
) -> io::Result<()> {
    let mut driver = Driver::new(inbox);
    loop {
        match machine.poll_output() {
            Output::Open(id, endpoint) => driver.open(id, &endpoint),
            Output::Send(id, bytes) => driver.with(id, |transport| transport.send(bytes)),
            Output::Close(id) => driver.close(id),
            Output::Pass { socket, over } => driver.pass(socket, over),
            Output::FindHost(id, host) => driver.find_host(id, host),
            Output::Tell(event) => tell(Notice::Event(event)),
            Output::Finished(report) => tell(Notice::Report(report)),
            Output::Want(count) => tell(Notice::Want(count)),
            Output::Wait(until, _) => {
                let input = driver.wait(until)?;
                machine.handle_input(driver.clock.now(), input);
            }
            Output::Done => return Ok(()),
        }
    }
}

struct Driver {
    clock: Clock,
    inbox: Inbox,
    transports: BTreeMap<TransportId, Box<Watched>>,
    /// Those that can advance.
    ready: VecDeque<TransportId>,
    /// Last words of those that were closed at once.
    last_words: VecDeque<Input>,
    /// Whose input the machine has.
    heard: Option<TransportId>,
}

struct Watched {
    transport: Transport,
    /// What is awaited of it, once anything was.
    interest: Option<Interest>,
}

impl Driver {
    fn new(inbox: Inbox) -> Self {
        let (transports, ready, last_words) = Default::default();
        Self { clock: Clock::start(), inbox, transports, ready, last_words, heard: None }
    }

    fn open(&mut self, id: TransportId, endpoint: &Endpoint) {
        match Transport::open(id, endpoint) {
            Ok(transport) => {
                self.transports.insert(id, Box::new(Watched { transport, interest: None }));
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

    /// Closes a transport. If nothing is left to be written that is done before another is opened, so
    /// that no server sees more connections at once than the machine wants.
    fn close(&mut self, id: TransportId) {
        let Some(watched) = self.transports.get_mut(&id) else { return };
        let transport = &mut watched.transport;
        transport.close();
        match transport.interest() {
            Interest::Nothing => {
                let input = self.advance(id);
                self.last_words.extend(input);
            }
            Interest::Read | Interest::Write | Interest::ReadOrWrite => self.watch(id),
        }
    }

    fn pass(&mut self, socket: TransportId, over: TransportId) {
        let Some(passed) = self.transports.remove(&socket) else { return };
        self.inbox.poll.remove(passed.transport.socket());
        let carrier = self.transports.get_mut(&over).map(|watched| &mut watched.transport);
        self.inbox.give(passed.transport.pass(carrier));
        self.watch(over);
    }

    fn find_host(&mut self, id: LookupId, host: HostName) {
        let handle = self.inbox.handle();
        let look_up = move || handle.give(Input::HostFound(id, find_host(&host)));
        if let Err(error) = thread::Builder::new().name("lookup".into()).spawn(look_up) {
            self.inbox.give(Input::HostFound(id, Err(IoError::from(&error))));
        }
    }

    /// Sees to it that the transport advances when it can.
    fn watch(&mut self, id: TransportId) {
        let Some(watched) = self.transports.get_mut(&id) else { return };
        let Watched { transport, interest } = &mut **watched;
        let wanted = transport.interest();
        if wanted == Interest::Nothing {
            return self.ready.push_back(id);
        }
        let poll = &self.inbox.poll;
        let watched = match interest.replace(wanted) {
            None => poll.add(transport.socket(), id.0, wanted),
            Some(before) if before == wanted => Ok(()),
            Some(_) => poll.change(transport.socket(), id.0, wanted),
        };
        if let Err(error) = watched {
            self.transports.remove(&id);
            self.inbox.give(Input::Failed(id, IoError::from(&error)));
        }
    }

    fn advance(&mut self, id: TransportId) -> Option<Input> {
        let input = self.transports.get_mut(&id)?.transport.advance();
        if input.as_ref().is_some_and(is_last_word) {
            self.transports.remove(&id);
        }
        self.watch(id);
        input
    }

    /// Waits until something happens, at most until the deadline.
    fn wait(&mut self, until: Instant) -> io::Result<Input> {
        if let Some(watched) = self.heard.take().and_then(|id| self.transports.get_mut(&id)) {
            watched.transport.acknowledge();
        }
        if let Some(input) = self.last_words.pop_front() {
            return Ok(input);
        }
        loop {
            while let Some(id) = self.ready.pop_front() {
                if let Some(input) = self.advance(id) {
                    self.heard = Some(id);
                    return Ok(input);
                }
            }
            if let Some(input) = self.inbox.take() {
                return Ok(input);
            }
            let Some(rest) = self.clock.time_until(until) else { return Ok(Input::Tick) };
            let mut rings = false;
            self.inbox.poll.wait(rest, |number| match number {
                ALARM => rings = true,
                number => self.ready.push_back(TransportId(number)),
            })?;
            if rings {
                self.inbox.silence();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use rustix::net::sockopt;

    use super::*;

    /// Whatever else the machine did meanwhile, such as to hang up elsewhere.
    #[test]
    fn what_the_machine_does_not_answer_is_acknowledged_at_once() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::Tcp(listener.local_addr().unwrap().into());
        let mut driver = Driver::new(Inbox::new().unwrap());
        let [first, second] = [1, 2].map(TransportId);
        let mut servers = [first, second].map(|id| {
            driver.open(id, &endpoint);
            assert_eq!(driver.wait(Instant::NEVER).unwrap(), Input::Opened(id));
            listener.accept().unwrap().0
        });
        let socket = driver.transports[&first].transport.socket().clone();
        sockopt::set_tcp_quickack(&socket, false).unwrap();
        servers[0].write_all(b"220-wait\r\n").unwrap();
        assert!(
            matches!(driver.wait(Instant::NEVER).unwrap(), Input::Received(id, _) if id == first)
        );
        driver.close(second);
        assert_eq!(driver.wait(Instant::NEVER).unwrap(), Input::Ended(second));
        assert!(sockopt::tcp_quickack(&socket).unwrap());
    }
}
