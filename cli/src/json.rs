//! The report as a JSON document (`--json`), which `cli/schema.json` describes.

mod certificate;
mod dnssec;
mod enumeration;
mod hygiene;
mod lookup;
mod scouted;
mod session;

use std::io;
use std::net::IpAddr;

use bytes::Bytes;
use serde_json::ser::{CompactFormatter, Formatter, Serializer};
use serde_json::{Value, json};
use tlsfinger_core::IoError;
use tlsfinger_core::cert::{Digest, Seconds};
use tlsfinger_core::config::{Config, Dialect};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::report::{LookupError, Outcome, Peer, PeerAddress, Report, Scope, Untested};
use tlsfinger_core::resolve::DnsProblem;

use crate::status::exit_status;

use certificate::certificate;
pub(crate) use certificate::sha256;
pub(crate) use session::step_word;

/// The version of the schema; a change that breaks readers raises it.
const SCHEMA: u32 = 1;

/// What stands in the document besides the report.
#[derive(Clone, Debug)]
pub(crate) struct Frame {
    dialect: Dialect,
    wrapper: bool,
    digest: Digest,
}

impl Frame {
    pub(crate) fn new(config: &Config) -> Self {
        let Config { dialect, wrapper, .. } = *config;
        Self { dialect, wrapper, digest: config.policy.digest }
    }

    /// Makes the document of a destination.
    pub(crate) fn document(&self, report: &Report) -> Value {
        self.document_with(report, &mut |der| certificate(der, self.digest))
    }

    /// Tells a certificate as documents do.
    pub(crate) fn certificate(&self, der: &Bytes) -> Value {
        certificate(der, self.digest)
    }

    /// Makes the document of a destination; certificates in it are told by the caller.
    pub(crate) fn document_with(
        &self,
        report: &Report,
        certificate: &mut dyn FnMut(&Bytes) -> Value,
    ) -> Value {
        let conclusion = report.conclusion();
        let mut document = json!({
            "schema": SCHEMA,
            "program": { "name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION") },
            "began": Seconds::from(report.began.at(report.started)).to_string(),
            "ended": Seconds::from(report.began.at(report.ended)).to_string(),
            "milliseconds": milliseconds(report.ended.since(report.started)),
            "destination": destination(&report.destination),
            "dialect": match self.dialect { Dialect::Smtp => "smtp", Dialect::Lmtp => "lmtp" },
            "wrapper": self.wrapper,
            "level": report.level.word(),
            "outcome": match report.outcome {
                Outcome::Session => "session",
                Outcome::LookupFailed(_) => "lookup-failed",
                Outcome::Unreachable => "unreachable",
                Outcome::Stopped => "stopped",
                Outcome::Enumerated(_) => "enumerated",
                Outcome::Blocked => "blocked",
                Outcome::TimedOut => "timed-out",
                Outcome::Refused => "refused",
            },
            "scope": match report.scope { Scope::First => "first", Scope::Every { .. } => "every" },
            "left_out": match report.scope { Scope::First => 0, Scope::Every { left_out } => left_out },
            "exit_status": exit_status(conclusion),
            "result_type": report.result_type().map(|result| result.to_string()),
            "error": match &report.outcome {
                Outcome::LookupFailed(error) => lookup_error(error),
                Outcome::Session
                | Outcome::Unreachable
                | Outcome::Stopped
                | Outcome::Enumerated(_)
                | Outcome::Blocked
                | Outcome::TimedOut
                | Outcome::Refused => Value::Null,
            },
            "lookup": lookup::route(&report.route),
            "unreachable": report.unreachable.iter().map(|(at, error)| {
                json!({ "peer": peer(at), "error": io_error(error) })
            }).collect::<Value>(),
            "untested": report.untested.iter().map(|(at, why)| {
                let why = match why {
                    Untested::Blocked => "blocked",
                    Untested::Stopped => "stopped",
                    Untested::TimedOut => "timed-out",
                    Untested::Refused => "refused",
                };
                json!({ "peer": peer(at), "why": why })
            }).collect::<Value>(),
            "sessions": report.sessions.iter().map(|session| {
                session::session(session, report, self.digest, certificate)
            }).collect::<Value>(),
        });
        if let Outcome::Enumerated(found) = &report.outcome {
            let mut found = found.iter().map(|it| enumeration::enumeration(it, self.digest));
            match report.scope {
                Scope::First => document["enumeration"] = found.next().unwrap_or_default(),
                Scope::Every { .. } => document["enumerations"] = found.collect(),
            }
        }
        document
    }
}

/// Writes a document as one line of ASCII, fit for a terminal whatever servers put into it.
pub(crate) fn line(document: &Value) -> String {
    let mut line = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut line, Ascii);
    // Writing into memory cannot fail, and neither can values that hold nothing odd.
    let _ = serde::Serialize::serialize(document, &mut serializer);
    String::from_utf8(line).unwrap_or_default()
}

/// Escapes everything in strings that a terminal could take for more than text.
#[derive(Debug)]
struct Ascii;

impl Formatter for Ascii {
    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            if c.is_ascii() && !c.is_ascii_control() {
                CompactFormatter.write_string_fragment(writer, c.encode_utf8(&mut [0; 4]))?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }
}

fn destination(destination: &Destination) -> Value {
    let text = &destination.text;
    match &destination.place {
        Place::Inet { host, literal, service, port } => json!({
            "text": text,
            "kind": if *literal { "host" } else { "domain" },
            "host": host,
            "service": service,
            "port": port,
        }),
        Place::Unix(path) => {
            json!({ "text": text, "kind": "unix", "path": path.to_string_lossy() })
        }
    }
}

fn peer(peer: &Peer) -> Value {
    match &peer.address {
        PeerAddress::Inet(address, port) => {
            json!({ "host": &*peer.name, "address": ip(*address), "port": port })
        }
        PeerAddress::Unix(path) => json!({ "host": &*peer.name, "path": path.to_string_lossy() }),
    }
}

fn ip(address: IpAddr) -> String {
    address.to_string()
}

fn io_error(error: &IoError) -> Value {
    json!({ "code": error.code, "message": error.message })
}

fn lookup_error(error: &LookupError) -> Value {
    let kind = match error {
        LookupError::Dns { problem, .. } => match problem {
            DnsProblem::NoSuchName => "no-such-name",
            DnsProblem::NoData => "no-data",
            DnsProblem::ServFail => "servfail",
            DnsProblem::Refused => "refused",
            DnsProblem::Rcode(_) => "rcode",
            DnsProblem::Malformed => "malformed",
            DnsProblem::TimedOut => "timed-out",
            DnsProblem::Unreachable(_) => "unreachable",
            DnsProblem::Tls(_) => "tls",
            DnsProblem::Bogus(_) => "bogus",
        },
        LookupError::InvalidName { .. } => "invalid-name",
        LookupError::AliasLoop { .. } => "alias-loop",
        LookupError::NullMx { .. } => "null-mx",
        LookupError::NoService { .. } => "no-service",
        LookupError::Native { .. } => "native",
        LookupError::NativeNotFound { .. } => "native-not-found",
        LookupError::Disabled { .. } => "disabled",
    };
    json!({
        "kind": kind,
        "message": error.to_string(),
        "extended_errors": error.extended().iter().map(dnssec::extended_error).collect::<Value>(),
    })
}

/// Text of a server: what is no UTF-8 becomes the replacement character.
fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Counts milliseconds, with the microseconds as decimals.
fn milliseconds(time: std::time::Duration) -> f64 {
    time.as_micros() as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_ascii_and_mean_the_same() {
        let document =
            json!({ "b\u{fc}": "\u{1b}[31m\u{9b}\u{7f}\u{202e}\u{1f600}\"\\\n", "a": 1.5 });
        let line = line(&document);
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line}");
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), document);
    }
}
