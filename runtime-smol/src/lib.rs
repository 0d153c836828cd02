//! The smol driver: runs a machine as a future, on whatever executor polls it.
//!
//! ```no_run
//! use tlsfinger_core::{Input, Machine, Notice, machine::Stop};
//! use tlsfinger_smol::{Inbox, run_with};
//!
//! fn probe<M: Machine + Send + 'static>(mut machine: M, executor: &smol::Executor<'_>) {
//!     let inbox = Inbox::new();
//!     let handle = inbox.handle(); // for another task, such as one that waits for Ctrl-C
//!     executor.spawn(async move { handle.give(Input::Stop(Stop::Now)) }).detach();
//!     let tell = |notice| match notice {
//!         Notice::Event(event) => println!("{event:?}"),
//!         Notice::Report(report) => println!("{report:?}"),
//!     };
//!     executor.spawn(async move { run_with(&mut machine, inbox, tell).await }).detach();
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
use tlsfinger_runtime::{Clock, Interest, Socket, Transport, find_host, is_last_word};

use inbox::News;
pub use inbox::{Handle, Inbox};
pub use tlsfinger_runtime::{seed, wall_time};

/// Runs a machine to its end and passes on what it tells.
///
/// Everything that happens to a transport or a lookup is the machine's business; the driver
/// itself cannot fail.
pub async fn run<M: Machine>(machine: &mut M, tell: impl FnMut(Notice)) {
    run_with(machine, Inbox::new(), tell).await;
}

/// Does what [`run`] does, while inputs may be given from outside through the inbox's handles.
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
    alarm: Alarm,
    /// Runs what waits for sockets and lookups. It tells news, nothing else.
    executor: &'a Executor<'static>,
}

struct Watched {
    transport: Transport,
    socket: Arc<Async<Arc<Socket>>>,
    /// Waits for the interest; dropped when there is another.
    watch: Option<(Interest, Task<()>)>,
}
