//! Inputs and outputs as text.

use std::fmt;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use super::words::{Failure, Hex, Quoted, Target, Words};
use crate::config::{MatchRule, Pin};
use crate::machine::{Endpoint, Input, Job, Output, Remote, Stop};
use crate::report::{ClientSignature, Event, TlsNote};

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
            Self::Add(job) => {
                write!(f, "add {} {}", job.number, Target(&job.destination))?;
                write!(f, " {}", job.pins.len())?;
                job.pins.iter().try_for_each(|pin| write!(f, " {}", Hex(&pin.0)))?;
                let mut rules = job.matches.iter();
                rules.try_for_each(|rule| write!(f, " {}", Quoted(rule.to_string().as_bytes())))
            }
            Self::Stop(Stop::End) => f.write_str("stop end"),
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
                let (number, destination) = (words.parse()?, words.destination()?);
                let mut pins = Vec::new();
                for _ in 0..words.parse::<usize>()? {
                    pins.push(Pin(words.octets()?.into()));
                }
                let mut matches = Vec::new();
                while !words.0.is_empty() {
                    matches.push(MatchRule::from(&words.string()?[..]));
                }
                Self::Add(Box::new(Job { number, destination, matches, pins }))
            }
            "stop" => Self::Stop(match words.next()? {
                "end" => Stop::End,
                "drain" => Stop::Drain,
                "now" => Stop::Now,
                _ => return Err(NotAnInput),
            }),
            _ => return Err(NotAnInput),
        };
        words.end()?;
        Ok(input)
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
            // Read back by replays, so it must not change its form.
            Self::Tell(Event::Tls(TlsNote::Signed(signed))) => {
                let ClientSignature { scheme, message, signature } = signed;
                write!(f, "tell signed {} {} {}", scheme.0, Hex(message), Hex(signature))
            }
            Self::Tell(Event::Tls(TlsNote::Tunnel(step))) => write!(f, "tell tunnel {step}"),
            Self::Tell(event) => write!(f, "tell {}", Brief(event)),
            Self::Finished(report) => write!(f, "finished {}", Brief(report)),
            Self::Want(count) => write!(f, "want {count}"),
            Self::Wait(until, why) => write!(f, "wait {until} {why}"),
            Self::Done => f.write_str("done"),
        }
    }
}

/// A value's debug form, with a digest in place of long octets.
struct Brief<'a, T>(&'a T);

impl<T: fmt::Debug> fmt::Display for Brief<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Longer literals are shortened: no line of a dialogue is.
        const LONG: usize = 600;
        let text = format!("{:?}", self.0);
        let mut rest = text.as_str();
        while let Some((before, literal)) = rest.split_once("b\"") {
            let mut escaped = false;
            let end = literal.find(|char| match char {
                '"' if !escaped => true,
                char => {
                    escaped = char == '\\' && !escaped;
                    false
                }
            });
            let (octets, after) = literal.split_at(end.unwrap_or(literal.len()));
            f.write_str(before)?;
            if octets.len() > LONG {
                let digest: [u8; 32] = Sha256::digest(octets).into();
                write!(f, "sha256:{}", Hex(&digest))?;
                rest = after.strip_prefix('"').unwrap_or(after);
            } else {
                write!(f, "b\"{octets}\"")?;
                rest = after.strip_prefix('"').unwrap_or(after);
            }
        }
        f.write_str(rest)
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::destination::{Destination, Place};
    use crate::machine::{IoError, IoErrorKind, LookupId, TransportId};

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
            Input::Add(Box::new(Job {
                number: 7,
                destination: Destination { text: "bücher.example:smtp".to_owned(), place: domain },
                matches: vec![],
                pins: vec![Pin(Bytes::from_static(&[7; 32])), Pin(Bytes::new())],
            })),
            Input::Add(Box::new(Job {
                number: u64::MAX,
                destination: Destination {
                    text: "unix:/run/l mtp".to_owned(),
                    place: Place::Unix("/run/l mtp".into()),
                },
                matches: vec![MatchRule::DotNexthop, MatchRule::Name("*.ü.test".to_owned())],
                pins: vec![],
            })),
            Input::Stop(Stop::End),
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
            "add 1 \"x\" place",
            "add \"x\" unix \"/x\"",
            "add 1 \"x\" unix \"/x\" rule",
        ] {
            assert_eq!(line.parse::<Input>(), Err(NotAnInput), "{line}");
        }
    }
}
