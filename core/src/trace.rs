//! The border written down: one line for each input and output, and back.
//!
//! ```text
//! 0.000000 > open t0 tcp 192.0.2.1:25
//! 0.000000 > wait 30.000000 for the connection
//! 0.021400 < opened t0
//! 0.021400 > tell Connected(..)
//! 0.040017 < received t0 "220 mx.example.org ESMTP\r\n"
//! 0.040017 > send t0 "EHLO client.example.org\r\n"
//! ```
//!
//! `<` is an input, `>` an output, the number before it the time in seconds. Octets stand in
//! quotes when all of them are printable or line ends, else as `x` and hexadecimal digits.
//! Outputs are only ever compared as text; inputs are also read back. Lines that begin with `#`
//! and empty ones mean nothing.

use std::fmt::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use crate::destination::{Destination, Place};
use crate::machine::{
    Endpoint, Input, IoError, IoErrorKind, LookupId, Machine, Output, Remote, Stop, TransportId,
};
use crate::time::Instant;

/// A machine whose border is written down as it runs.
#[derive(Debug)]
pub struct Recorder<M, W> {
    machine: M,
    write: W,
    now: Instant,
}

impl<M: Machine, W: FnMut(&str)> Recorder<M, W> {
    /// Wraps a machine; `write` gets one line at a time, without its end.
    pub fn new(machine: M, write: W) -> Self {
        Self { machine, write, now: Instant::START }
    }
}

impl<M: Machine, W: FnMut(&str)> Machine for Recorder<M, W> {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        (self.write)(&format!("{} < {input}", self.now));
        self.machine.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        let output = self.machine.poll_output();
        (self.write)(&format!("{} > {output}", self.now));
        output
    }
}

/// Runs a machine against a trace: gives it the inputs and compares each output.
///
/// # Errors
///
/// The first line that cannot be read, or whose output differs.
pub fn replay(machine: &mut impl Machine, trace: &str) -> Result<(), ReplayError> {
    for (index, line) in trace.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let unreadable = || ReplayError::Unreadable { line: number };
        let (time, rest) = line.split_once(' ').ok_or_else(unreadable)?;
        let now: Instant = time.parse().map_err(|_| unreadable())?;
        if let Some(input) = rest.strip_prefix("< ") {
            machine.handle_input(now, input.parse().map_err(|_| unreadable())?);
        } else if let Some(expected) = rest.strip_prefix("> ") {
            let got = machine.poll_output().to_string();
            if got != expected {
                let expected = expected.to_owned();
                return Err(ReplayError::Differs { line: number, expected, got });
            }
        } else {
            return Err(unreadable());
        }
    }
    Ok(())
}

/// Why a replay ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// A line is not of the trace format.
    Unreadable {
        /// The line's number, from 1.
        line: usize,
    },
    /// The machine gave another output.
    Differs {
        /// The line's number, from 1.
        line: usize,
        /// What the trace says.
        expected: String,
        /// What the machine gave.
        got: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { line } => write!(f, "line {line} is not of the trace format"),
            Self::Differs { line, expected, got } => {
                write!(f, "line {line} differs\nexpected {expected}\n     got {got}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tick => f.write_str("tick"),
            Self::Opened(id) => write!(f, "opened {id}"),
            Self::Received(id, bytes) => write!(f, "received {id} {}", Quoted(bytes)),
            Self::Ended(id) => write!(f, "ended {id}"),
            Self::Failed(id, error) => write!(f, "failed {id} {}", Failure(error)),
            Self::HostFound(id, Ok(addresses)) => {
                write!(f, "found {id}")?;
                addresses.iter().try_for_each(|address| write!(f, " {address}"))
            }
            Self::HostFound(id, Err(error)) => write!(f, "not-found {id} {}", Failure(error)),
            Self::Add(destination) => {
                write!(f, "add {}", Quoted(destination.text.as_bytes()))?;
                match &destination.place {
                    Place::Unix(path) => write!(f, " unix {}", Quoted(path.as_os_str().as_bytes())),
                    Place::Inet { host, literal, service, port } => {
                        let kind = if *literal { "literal" } else { "domain" };
                        let service = service.as_deref().unwrap_or_default();
                        let (host, service) = (Quoted(host.as_bytes()), Quoted(service.as_bytes()));
                        write!(f, " {kind} {host} {service} {port}")
                    }
                }
            }
            Self::Stop(Stop::Drain) => f.write_str("stop drain"),
            Self::Stop(Stop::Now) => f.write_str("stop now"),
        }
    }
}

impl FromStr for Input {
    type Err = NotAnInput;

    fn from_str(line: &str) -> Result<Self, NotAnInput> {
        let mut words = Words(line);
        let input = match words.next()? {
            "tick" => Self::Tick,
            "opened" => Self::Opened(words.transport()?),
            "received" => Self::Received(words.transport()?, words.octets()?.into()),
            "ended" => Self::Ended(words.transport()?),
            "failed" => Self::Failed(words.transport()?, words.failure()?),
            "found" => {
                let (id, mut addresses) = (words.lookup()?, Vec::new());
                while !words.0.is_empty() {
                    addresses.push(words.parse()?);
                }
                Self::HostFound(id, Ok(addresses))
            }
            "not-found" => Self::HostFound(words.lookup()?, Err(words.failure()?)),
            "add" => {
                let text = words.string()?;
                let place = match words.next()? {
                    "unix" => {
                        let path = words.octets()?;
                        Place::Unix(std::ffi::OsStr::from_bytes(&path).into())
                    }
                    kind @ ("literal" | "domain") => Place::Inet {
                        literal: kind == "literal",
                        host: words.string()?,
                        service: Some(words.string()?).filter(|service| !service.is_empty()),
                        port: words.parse()?,
                    },
                    _ => return Err(NotAnInput),
                };
                Self::Add(Destination { text, place })
            }
            "stop" => Self::Stop(match words.next()? {
                "drain" => Stop::Drain,
                "now" => Stop::Now,
                _ => return Err(NotAnInput),
            }),
            _ => return Err(NotAnInput),
        };
        if words.0.is_empty() { Ok(input) } else { Err(NotAnInput) }
    }
}

/// The text is no input of the trace format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnInput;

impl fmt::Display for NotAnInput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not an input of the trace format")
    }
}

impl std::error::Error for NotAnInput {}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(id, endpoint) => write!(f, "open {id} {endpoint}"),
            Self::Send(id, bytes) => write!(f, "send {id} {}", Quoted(bytes)),
            Self::Close(id) => write!(f, "close {id}"),
            Self::Pass { socket, over } => write!(f, "pass {socket} over {over}"),
            Self::FindHost(id, name) => write!(f, "find {id} {name}"),
            Self::Tell(event) => write!(f, "tell {event:?}"),
            Self::Finished(report) => write!(f, "finished {report:?}"),
            Self::Wait(until, why) => write!(f, "wait {until} {why}"),
            Self::Done => f.write_str("done"),
        }
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp(remote) => write!(f, "udp {remote}"),
            Self::Tcp(remote) => write!(f, "tcp {remote}"),
            Self::Unix(path) => write!(f, "unix {}", Quoted(path.as_os_str().as_bytes())),
        }
    }
}

impl fmt::Display for Remote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.interface, self.address) {
            (Some(interface), SocketAddr::V6(address)) => {
                write!(f, "[{}%{interface}]:{}", address.ip(), address.port())
            }
            (_, address) => write!(f, "{address}"),
        }
    }
}

/// Octets as text.
struct Quoted<'a>(&'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        if !self.0.iter().all(plain) {
            f.write_char('x')?;
            return self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        }
        f.write_char('"')?;
        for byte in self.0 {
            match byte {
                b'\r' => f.write_str("\\r")?,
                b'\n' => f.write_str("\\n")?,
                b'\t' => f.write_str("\\t")?,
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                byte => f.write_char(char::from(*byte))?,
            }
        }
        f.write_char('"')
    }
}

struct Failure<'a>(&'a IoError);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IoError { kind, code, message } = self.0;
        write!(f, "{} {code} {}", kind.word(), Quoted(message.as_bytes()))
    }
}

/// The rest of a line, word by word.
struct Words<'a>(&'a str);

impl<'a> Words<'a> {
    fn next(&mut self) -> Result<&'a str, NotAnInput> {
        let (word, rest) = match self.0.split_once(' ') {
            // Single blanks between words, none at the end.
            Some(("", _) | (_, "")) => return Err(NotAnInput),
            Some(split) => split,
            None if self.0.is_empty() => return Err(NotAnInput),
            None => (self.0, ""),
        };
        self.0 = rest;
        Ok(word)
    }

    fn parse<T: FromStr>(&mut self) -> Result<T, NotAnInput> {
        self.next()?.parse().map_err(|_| NotAnInput)
    }

    fn transport(&mut self) -> Result<TransportId, NotAnInput> {
        let number = self.next()?.strip_prefix('t').ok_or(NotAnInput)?;
        number.parse().map(TransportId).map_err(|_| NotAnInput)
    }

    fn lookup(&mut self) -> Result<LookupId, NotAnInput> {
        let number = self.next()?.strip_prefix('l').ok_or(NotAnInput)?;
        number.parse().map(LookupId).map_err(|_| NotAnInput)
    }

    fn failure(&mut self) -> Result<IoError, NotAnInput> {
        Ok(IoError {
            kind: IoErrorKind::from_word(self.next()?).ok_or(NotAnInput)?,
            code: self.parse()?,
            message: self.string()?,
        })
    }

    fn string(&mut self) -> Result<String, NotAnInput> {
        String::from_utf8(self.octets()?).map_err(|_| NotAnInput)
    }

    fn octets(&mut self) -> Result<Vec<u8>, NotAnInput> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            let digits = self.next()?.strip_prefix('x').ok_or(NotAnInput)?;
            return unhex(digits.as_bytes()).ok_or(NotAnInput);
        };
        let (mut octets, mut bytes) = (Vec::new(), quoted.bytes().enumerate());
        loop {
            let (at, byte) = bytes.next().ok_or(NotAnInput)?;
            octets.push(match byte {
                b'"' => {
                    let rest = quoted.get(at + 1..).unwrap_or_default();
                    self.0 = match rest.strip_prefix(' ') {
                        Some(rest) if !rest.is_empty() => rest,
                        None if rest.is_empty() => rest,
                        _ => return Err(NotAnInput),
                    };
                    return Ok(octets);
                }
                b'\\' => match bytes.next() {
                    Some((_, b'r')) => b'\r',
                    Some((_, b'n')) => b'\n',
                    Some((_, b't')) => b'\t',
                    Some((_, escaped @ (b'"' | b'\\'))) => escaped,
                    _ => return Err(NotAnInput),
                },
                byte => byte,
            });
        }
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn inputs_round_trip() {
        let refused = IoError {
            kind: IoErrorKind::Refused,
            code: 111,
            message: "Connection \"refused\" \\ ü".to_owned(),
        };
        let domain = Place::Inet {
            host: "bücher.example".to_owned(),
            literal: false,
            service: Some("smtp".to_owned()),
            port: 25,
        };
        let inputs = [
            Input::Tick,
            Input::Opened(TransportId(0)),
            Input::Received(TransportId(7), Bytes::from_static(b"220 \"hi\"\\ there\t\r\n")),
            Input::Received(TransportId(7), Bytes::from_static(b"")),
            Input::Received(TransportId(7), Bytes::from_static(b"\x16\x03\x01\xff")),
            Input::Ended(TransportId(u64::MAX)),
            Input::Failed(TransportId(1), refused.clone()),
            Input::HostFound(LookupId(1), Ok(vec![])),
            Input::HostFound(
                LookupId(1),
                Ok(vec!["192.0.2.1".parse().unwrap(), "::1".parse().unwrap()]),
            ),
            Input::HostFound(LookupId(2), Err(refused)),
            Input::Add(Destination { text: "bücher.example:smtp".to_owned(), place: domain }),
            Input::Add(Destination {
                text: "unix:/run/l mtp".to_owned(),
                place: Place::Unix("/run/l mtp".into()),
            }),
            Input::Stop(Stop::Drain),
            Input::Stop(Stop::Now),
        ];
        for input in inputs {
            assert_eq!(input.to_string().parse(), Ok(input.clone()), "{input}");
        }
    }

    #[test]
    fn other_text_is_refused() {
        for line in [
            "",
            "tock",
            "tick ",
            "tick x",
            "opened",
            "opened 1",
            "opened tx",
            "opened t1 t2",
            "received t1",
            "received t1 abc",
            "received t1 \"abc",
            "received t1 \"a\\z\"",
            "received t1 \"a\"b",
            "received t1 x1",
            "received t1 xzz",
            "failed t1 refused x \"\"",
            "failed t1 what 1 \"\"",
            "found l1 300.0.0.1",
            "stop",
            "stop never",
            "add \"x\" place",
        ] {
            assert_eq!(line.parse::<Input>(), Err(NotAnInput), "{line}");
        }
    }
}
