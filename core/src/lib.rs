//! The sans-IO core of tlsfinger: what posttls-finger(1) does, as a pure state machine.
//!
//! The core probes mail servers without ever touching the world. It opens no socket, reads no
//! clock, starts no thread, draws no randomness of its own and reads no file. A *driver* tells it
//! what happened ([`Input`]) and does what it decides ([`Output`]). That makes every run
//! repeatable: same configuration, seed, start and inputs, same outputs, byte for byte.
//!
//! # The run loop
//!
//! 1. Make a machine. Its first outputs are queued already.
//! 2. Pop outputs and carry them out, until one is [`Output::Wait`] or [`Output::Done`].
//! 3. On `Wait`, sleep until something happens or the instant is reached, say which by
//!    [`handle_input`](Machine::handle_input), and go back to 2. On `Done`, leave.
//!
//! This is a complete driver for TCP, as plain as it can be. The packages `tlsfinger-blocking` and
//! `tlsfinger-smol` are the real ones.
//!
//! ```no_run
//! use std::collections::BTreeMap;
//! use std::io::{ErrorKind, Read as _, Write as _};
//! use std::net::TcpStream;
//! use std::time::{Duration, SystemTime};
//!
//! use tlsfinger_core::config::Config;
//! use tlsfinger_core::machine::Endpoint;
//! use tlsfinger_core::{Input, Instant, Machine, Output, Probe, WallTime};
//!
//! # fn seed_from_the_system() -> tlsfinger_core::Seed { [0; 32] }
//! let wall_time = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
//! let mut probe = Probe::new(Config::default(), seed_from_the_system(), WallTime(wall_time));
//! let began = std::time::Instant::now();
//! let mut sockets = BTreeMap::new();
//! let mut buffer = [0; tlsfinger_core::limits::READ];
//! loop {
//!     let input = match probe.poll_output() {
//!         Output::Open(id, Endpoint::Tcp(remote)) => match TcpStream::connect(remote.address) {
//!             Ok(socket) => {
//!                 sockets.insert(id, socket);
//!                 Input::Opened(id)
//!             }
//!             Err(error) => Input::Failed(id, (&error).into()),
//!         },
//!         Output::Open(id, Endpoint::Udp(_) | Endpoint::Unix(_)) => Input::Ended(id),
//!         Output::Send(id, bytes) => match sockets.get_mut(&id).map(|s| s.write_all(&bytes)) {
//!             Some(Err(error)) => Input::Failed(id, (&error).into()),
//!             Some(Ok(())) | None => continue,
//!         },
//!         Output::Close(id) => {
//!             sockets.remove(&id);
//!             Input::Ended(id)
//!         }
//!         Output::Pass { socket, .. } => Input::Ended(socket),
//!         Output::FindHost(id, _) => Input::HostFound(id, Ok(vec![[127, 0, 0, 1].into()])),
//!         Output::Tell(event) => {
//!             println!("{event:?}");
//!             continue;
//!         }
//!         Output::Finished(report) => {
//!             println!("{:?}", report.outcome);
//!             continue;
//!         }
//!         Output::Want(_) => continue,
//!         Output::Wait(until, _why) => {
//!             let pause = until.since(Instant::from_elapsed(began.elapsed()));
//!             match sockets.iter_mut().next() {
//!                 None => {
//!                     std::thread::sleep(pause);
//!                     Input::Tick
//!                 }
//!                 Some((id, socket)) => {
//!                     // Zero would mean to wait for ever.
//!                     let pause = pause.max(Duration::from_millis(1));
//!                     socket.set_read_timeout(Some(pause)).expect("is not zero");
//!                     match socket.read(&mut buffer) {
//!                         Ok(0) => Input::Ended(*id),
//!                         Ok(size) => Input::Received(*id, buffer[..size].to_vec().into()),
//!                         Err(error) if error.kind() == ErrorKind::WouldBlock => Input::Tick,
//!                         Err(error) => Input::Failed(*id, (&error).into()),
//!                     }
//!                 }
//!             }
//!         }
//!         Output::Done => break,
//!     };
//!     probe.handle_input(Instant::from_elapsed(began.elapsed()), input);
//! }
//! ```
//!
//! # The contract
//!
//! 1. An input is handled completely before `handle_input` returns, then everything that is due
//!    at its time expires. [`poll_output`](Machine::poll_output) only hands out what was decided;
//!    `Wait` comes when the queue is empty.
//! 2. Ids are given by the core, in order, and never reused. Inputs for an id that had its last
//!    word are ignored, because races are normal.
//! 3. A transport accepts [`Output::Send`] as soon as [`Output::Open`] was handed out: drivers
//!    queue. [`Output::Close`] means: write what is queued, then hang up, then say so. A driver
//!    that drops the socket on `Close` loses the QUIT and the TLS alert.
//! 4. Drivers report [`Input::Opened`] before the first [`Input::Received`], and exactly one
//!    [`Input::Ended`] or [`Input::Failed`] as the last word, also after `Close`. For a `Close` on
//!    a transport that is still opening they may report `Failed` at once and abandon the attempt.
//!    `Done` comes when every transport had its last word, or [`limits::LINGER`] after the last
//!    `Close`.
//! 5. The core is the only timekeeper. Drivers set no protocol timeouts; giving up is a `Close`.
//! 6. After `handle_input(t, Input::Tick)` the next `Wait` is later than `t`. A time earlier than
//!    the latest seen counts as that one.
//! 7. Randomness and wall time enter once, in `new`. Same configuration, seed, start and inputs:
//!    same outputs, byte for byte. Ids, nonces, shuffles and the secrets of elliptic-curve key
//!    shares always come from the core's generator; those of ML-KEM do so in runs that are
//!    [`repeatable`](config::Config::repeatable), and come from the system otherwise.
//! 8. A machine that takes many destinations says by [`Output::Want`] for how many more it has
//!    room. Each that is given by [`Input::Add`] before [`Output::Done`] comes to exactly one
//!    [`Output::Finished`], however the run ends.
//!
//! # The rooms
//!
//! ```text
//! Destination ──resolve──▶ Target + Offer ──session──▶ Observation ──judge──▶ Verdict ──▶ Report
//! ```
//!
//! - [`machine`] is the border, [`trace`] writes it down, [`limits`] bounds what may cross it.
//! - [`destination`] and [`config`] say what was asked; an [`Offer`](config::Offer) is all that
//!   the policy decides before connecting.
//! - [`resolve`] finds the servers, their addresses and TLSA records, and which answers were secure.
//! - [`session`] is one connection: approach, judgement, farewell. [`tls`] turns its bytes.
//! - [`cert`] reads certificates as data, [`judge`] holds them against the policy.
//! - [`hygiene`] looks at the SMTP around TLS, and [`enumerate`] at all that a server accepts, if that
//!   is asked for.
//! - [`report`] holds what is found out: events as they happen, and the report at the end.
//! - [`Probe`] puts them together for one destination, [`Survey`] for every server of one, [`Scan`]
//!   for many destinations, [`Enumerator`] for all that servers accept, by many connections to each.
//!
//! Inside, inputs go down as calls, results come up as return values, and effects go out through
//! one queue. A child machine speaks to its parent once, at its end; then its parent starts what
//! comes next in the same call.
#![warn(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

pub mod cert;
pub mod config;
mod context;
pub mod destination;
pub mod enumerate;
pub mod hygiene;
pub mod judge;
pub mod limits;
pub mod machine;
mod probe;
mod random;
pub mod report;
pub mod resolve;
mod scan;
pub mod session;
mod survey;
mod time;
pub mod tls;
pub mod trace;
mod visit;

pub use enumerate::Enumerator;
pub use machine::{Input, IoError, IoErrorKind, Machine, Notice, Output};
pub use probe::Probe;
pub use random::{Random, Seed};
pub use scan::Scan;
pub use survey::Survey;
pub use time::{Instant, NotAnInstant, WallTime};
