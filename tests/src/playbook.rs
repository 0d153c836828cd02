//! Playbooks: this input in, exactly these outputs out, and nothing else.
//!
//! ```no_run
//! # use tlsfinger_tests::playbook::*;
//! # fn greeter() -> impl tlsfinger_core::Machine { tlsfinger_tests::toy::Toy::default() }
//! Playbook::new(greeter())
//!     .start([open(0, tcp("192.0.2.1:25")), wait(30_000)])
//!     .at(20, opened(0), [tell("connected to mx.example.org[192.0.2.1]:25"), wait(30_020)])
//!     .at(40, received(0, "220 ready\r\n"), [
//!         tell("< 220 ready"),
//!         tell("> EHLO client.example"),
//!         send(0, "EHLO client.example\r\n"),
//!         wait(30_040),
//!     ])
//!     .at(50, ended(0), [tell("Hello lost"), finished(), done()])
//!     .finish();
//! ```

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use tlsfinger_core::machine::{Endpoint, HostName, LookupId, Stop, TransportId};
use tlsfinger_core::report::{Event, Report};
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Machine, Output};

use crate::concise;
use crate::referee::Referee;

/// A machine that plays a dialogue line by line. One that is dropped before
/// [`finish`](Self::finish) fails.
#[derive(Debug)]
pub struct Playbook<M: Machine> {
    machine: Referee<M>,
    /// What was played, for the diff's context.
    played: Vec<String>,
    last: Option<Output>,
    finished: bool,
}

impl<M: Machine> Playbook<M> {
    /// Opens the book; the first line must be [`start`](Self::start).
    pub fn new(machine: M) -> Self {
        Self { machine: Referee::new(machine), played: vec![], last: None, finished: false }
    }

    /// Expects what the machine wants before anything happened.
    #[track_caller]
    pub fn start<const N: usize>(mut self, expected: [Expect; N]) -> Self {
        assert!(self.played.is_empty(), "start is the first line of a playbook");
        self.play("start".to_owned(), expected.into());
        self
    }

    /// Gives an input `millis` milliseconds after the start, and expects what comes of it.
    #[track_caller]
    pub fn at<const N: usize>(mut self, millis: u64, input: Input, expected: [Expect; N]) -> Self {
        assert!(!self.played.is_empty(), "start is the first line of a playbook");
        let line = format!("{millis:5} {}", input);
        self.machine.handle_input(Instant::from_micros(millis * 1000), input);
        self.play(line, expected.into());
        self
    }

    /// Ends the book; the machine must be done.
    #[track_caller]
    pub fn finish(mut self) {
        self.finished = true;
        assert_eq!(self.last, Some(Output::Done), "the machine is not done\n{}", self.context());
    }

    #[track_caller]
    fn play(&mut self, line: String, expected: Vec<Expect>) {
        self.played.push(line);
        let mut actual = vec![];
        loop {
            let output = self.machine.poll_output();
            let rests = matches!(output, Output::Wait(..) | Output::Done);
            actual.push(output);
            if rests {
                break;
            }
        }
        if let Some(diff) = diff(&expected, &actual) {
            self.finished = true;
            panic!("the machine left the playbook\n{}{diff}", self.context());
        }
        self.played
            .extend(actual.iter().map(|output| format!("      {}", concise::output(output))));
        self.last = actual.pop();
    }

    fn context(&self) -> String {
        self.played.iter().map(|line| format!("{line}\n")).collect()
    }
}

impl<M: Machine> Drop for Playbook<M> {
    fn drop(&mut self) {
        if !self.finished && !std::thread::panicking() {
            panic!("the playbook was not finished\n{}", self.context());
        }
    }
}

/// One output that is expected.
pub struct Expect {
    text: String,
    matches: Box<dyn Fn(&Output) -> bool>,
}

impl Expect {
    fn exactly(output: Output) -> Self {
        Self { text: concise::output(&output), matches: Box::new(move |actual| *actual == output) }
    }

    fn when(text: String, matches: impl Fn(&Output) -> bool + 'static) -> Self {
        Self { text, matches: Box::new(matches) }
    }
}

impl fmt::Debug for Expect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Expects a descriptor to be handed over.
pub fn pass(socket: u64, over: u64) -> Expect {
    Expect::exactly(Output::Pass { socket: TransportId(socket), over: TransportId(over) })
}

/// Expects a transport to be opened.
pub fn open(id: u64, to: Endpoint) -> Expect {
    Expect::exactly(Output::Open(TransportId(id), to))
}

/// Expects exactly these bytes in one piece.
pub fn send(id: u64, bytes: impl AsRef<[u8]>) -> Expect {
    Expect::exactly(Output::Send(TransportId(id), Bytes::copy_from_slice(bytes.as_ref())))
}

/// Expects bytes that satisfy a condition; `what` names them in a diff.
pub fn send_if(id: u64, what: &str, holds: impl Fn(&[u8]) -> bool + 'static) -> Expect {
    let id = TransportId(id);
    Expect::when(
        format!("send {id} {what}"),
        move |output| matches!(output, Output::Send(to, bytes) if *to == id && holds(bytes)),
    )
}

/// Expects a transport to be closed.
pub fn close(id: u64) -> Expect {
    Expect::exactly(Output::Close(TransportId(id)))
}

/// Expects a host to be looked up.
pub fn find(id: u64, name: &str) -> Expect {
    Expect::exactly(Output::FindHost(LookupId(id), HostName::new(name).expect("a host name")))
}

/// Expects an event by its line in [`concise::event`].
pub fn tell(line: &str) -> Expect {
    let line = line.to_owned();
    Expect::when(
        format!("tell {line}"),
        move |output| matches!(output, Output::Tell(event) if concise::event(event) == line),
    )
}

/// Expects an event that satisfies a condition; `what` names it in a diff.
pub fn tell_if(what: &str, holds: impl Fn(&Event) -> bool + 'static) -> Expect {
    Expect::when(
        format!("tell {what}"),
        move |output| matches!(output, Output::Tell(event) if holds(event)),
    )
}

/// Expects a report.
pub fn finished() -> Expect {
    Expect::when("finished".to_owned(), |output| matches!(output, Output::Finished(_)))
}

/// Expects a report that satisfies a condition; `what` names it in a diff.
pub fn finished_if(what: &str, holds: impl Fn(&Report) -> bool + 'static) -> Expect {
    Expect::when(
        format!("finished {what}"),
        move |output| matches!(output, Output::Finished(report) if holds(report)),
    )
}

/// Expects the machine to wait until `millis` milliseconds after the start.
pub fn wait(millis: u64) -> Expect {
    Expect::when(
        format!("wait {millis}"),
        move |output| matches!(output, Output::Wait(until, _) if until.as_micros() == millis * 1000),
    )
}

/// Expects the machine to wait for an input alone.
pub fn wait_for_ever() -> Expect {
    Expect::when("wait never".to_owned(), |output| {
        matches!(output, Output::Wait(Instant::NEVER, _))
    })
}

/// Expects the end.
pub fn done() -> Expect {
    Expect::exactly(Output::Done)
}

/// The input that time has passed.
pub fn tick() -> Input {
    Input::Tick
}

/// The input that a transport is open.
pub fn opened(id: u64) -> Input {
    Input::Opened(TransportId(id))
}

/// The input that bytes arrived.
pub fn received(id: u64, bytes: impl AsRef<[u8]>) -> Input {
    Input::Received(TransportId(id), Bytes::copy_from_slice(bytes.as_ref()))
}

/// The input that a stream has ended.
pub fn ended(id: u64) -> Input {
    Input::Ended(TransportId(id))
}

/// The input that a transport could not be opened or broke.
pub fn failed(id: u64, error: IoError) -> Input {
    Input::Failed(TransportId(id), error)
}

/// The input that a host lookup found addresses.
pub fn found<const N: usize>(id: u64, addresses: [&str; N]) -> Input {
    let parse = |address: &str| address.parse::<IpAddr>().expect("an address");
    Input::HostFound(LookupId(id), Ok(addresses.map(parse).into()))
}

/// The input that a host lookup failed.
pub fn not_found(id: u64, error: IoError) -> Input {
    Input::HostFound(LookupId(id), Err(error))
}

/// The input that everything shall end at once.
pub fn stop() -> Input {
    Input::Stop(Stop::Now)
}

/// A TCP endpoint.
pub fn tcp(address: &str) -> Endpoint {
    Endpoint::Tcp(socket_address(address).into())
}

/// A UDP endpoint.
pub fn udp(address: &str) -> Endpoint {
    Endpoint::Udp(socket_address(address).into())
}

/// A UNIX socket.
pub fn unix(path: &str) -> Endpoint {
    Endpoint::Unix(path.into())
}

fn socket_address(address: &str) -> std::net::SocketAddr {
    address.parse().expect("an address with a port")
}

/// The error of a connection that nobody accepts.
pub fn refused() -> IoError {
    IoError { kind: IoErrorKind::Refused, code: 111, message: "Connection refused".to_owned() }
}

/// The error of a connection that the peer broke off.
pub fn reset() -> IoError {
    IoError { kind: IoErrorKind::Reset, code: 104, message: "Connection reset by peer".to_owned() }
}

/// Lines both sides up by their longest common part; `None` if all is as expected.
fn diff(expected: &[Expect], actual: &[Output]) -> Option<String> {
    let same = |e: usize, a: usize| (expected[e].matches)(&actual[a]);
    if expected.len() == actual.len() && (0..actual.len()).all(|at| same(at, at)) {
        return None;
    }
    let (rows, columns) = (expected.len(), actual.len());
    let mut longest = vec![vec![0_usize; columns + 1]; rows + 1];
    for e in (0..rows).rev() {
        for a in (0..columns).rev() {
            longest[e][a] = if same(e, a) {
                longest[e + 1][a + 1] + 1
            } else {
                longest[e + 1][a].max(longest[e][a + 1])
            };
        }
    }
    let (mut e, mut a, mut text) = (0, 0, String::new());
    while e < rows || a < columns {
        let (sign, line) = if e < rows && a < columns && same(e, a) {
            (e, a) = (e + 1, a + 1);
            (' ', expected[e - 1].text.clone())
        } else if e < rows && (a == columns || longest[e + 1][a] >= longest[e][a + 1]) {
            e += 1;
            ('-', expected[e - 1].text.clone())
        } else {
            a += 1;
            ('+', concise::output(&actual[a - 1]))
        };
        text.push_str(&format!("{sign}     {line}\n"));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toy::Toy;

    fn opening() -> Playbook<Toy> {
        Playbook::new(Toy::default()).start([open(0, tcp("192.0.2.1:25")), wait(30_000)])
    }

    #[test]
    fn a_whole_dialogue() {
        opening()
            .at(20, opened(0), [send(0, "hello\r\n"), wait(30_020)])
            .at(30, received(0, "hi"), [wait(30_020)])
            .at(30, tick(), [wait(30_020)])
            .at(
                40,
                received(0, "\r\n"),
                [send_if(0, "bye", |it| it == b"bye\r\n"), close(0), wait(2_040)],
            )
            .at(50, ended(0), [done()])
            .at(60, ended(0), [done()])
            .finish();
    }

    #[test]
    #[should_panic(expected = "the playbook was not finished")]
    fn an_unfinished_playbook_fails() {
        opening();
    }

    #[test]
    #[should_panic(expected = "the machine is not done")]
    fn a_playbook_ends_with_the_machine() {
        opening().finish();
    }

    #[test]
    fn a_wrong_playbook_shows_the_whole_difference() {
        let failure = std::panic::catch_unwind(|| {
            opening().at(20, opened(0), [send(0, "hello"), close(0), wait(30_020)]).finish();
        });
        let text = *failure.unwrap_err().downcast::<String>().unwrap();
        let expected = "\
the machine left the playbook
start
      open t0 tcp 192.0.2.1:25
      wait 30000 hello
   20 opened t0
-     send t0 \"hello\"
-     close t0
+     send t0 \"hello\\r\\n\"
      wait 30020
";
        assert_eq!(text, expected);
    }
}
