//! Fuzz targets as plain functions: a fuzzer calls them, and so do the tests that replay the
//! committed corpus.

mod dialogue;
mod dnssec;
mod message;
mod names;
mod scan;
mod scout;
mod settings;
mod traces;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{Config, Dialect, Level, Proxy, ProxyForm, WiderOffer};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{LookupId, Stop, TransportId};
use tlsfinger_core::report::Report;
use tlsfinger_core::tls::scout::Protocol;
use tlsfinger_core::trace::Trace;
use tlsfinger_core::{
    Input, Instant, IoError, IoErrorKind, Machine, Output, Probe, Scan, WallTime, limits,
};

pub use dialogue::{reply, session, tunnel};
pub use dnssec::dnssec;
pub use message::{message, tlsa};
pub use names::names;
pub use scan::scan;
pub use scout::scout;
pub use settings::{ciphers, destination, main_cf, settings};
pub use traces::{mutant, pieces};
pub use verdict::verdict;

/// A target: takes one case, panics if it shows a fault.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also its corpus folder's.
pub const TARGETS: &[(&str, Target)] = &[
    ("certificate", certificate),
    ("ciphers", ciphers),
    ("destination", destination),
    ("dnssec", dnssec),
    ("main_cf", main_cf),
    ("message", message),
    ("mutant", mutant),
    ("names", names),
    ("pieces", pieces),
    ("probe", probe),
    ("reply", reply),
    ("scan", scan),
    ("scout", scout),
    ("session", session),
    ("settings", settings),
    ("tlsa", tlsa),
    ("trace", trace),
    ("tunnel", tunnel),
    ("verdict", verdict),
];

/// Cuts a certificate and decodes every part of it.
pub fn certificate(data: &[u8]) {
    let Ok(certificate) = Certificate::parse(Bytes::copy_from_slice(data)) else { return };
    let key = certificate.public_key();
    let _ = (key.kind.security_bits(), certificate.validity(), certificate.algorithms_agree());
    let _ = certificate.signature_algorithm().verify(certificate.spki(), data, data);
    let _ = (certificate.subject().to_string(), certificate.issuer().to_string());
}

/// Reads lines of the trace format; what can be read must come out again as it was. A whole trace is
/// played.
pub fn trace(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(trace) = Trace::parse(&text) {
        let played = trace.play(|_| {});
        let again = Trace::parse(&played.text).expect("it was a trace").play(|_| {});
        assert_eq!((&again.text, again.difference), (&played.text, None));
    }
    for line in text.lines() {
        if let Ok(input) = line.parse::<Input>() {
            assert_eq!(input.to_string().parse(), Ok(input));
        }
    }
}

/// Plays the world for a probe, step by step: the first octets choose the configuration, then each
/// step is an opcode with its arguments. However the world behaves, the contract must hold, and
/// in the end time alone must bring the machine to its end.
pub fn probe(data: &[u8]) {
    let mut steps = Steps(data);
    let choice = steps.octet();
    let mut config = Config {
        wrapper: choice & 1 != 0,
        dialect: if choice & 2 != 0 { Dialect::Lmtp } else { Dialect::Smtp },
        level: if choice & 4 != 0 { Level::None } else { Level::May },
        ..Config::default()
    };
    config.hygiene = choice & 128 != 0;
    config.scout = (choice & 64 == 0).then(wider);
    config.watch.messages = choice & 8 != 0;
    config.watch.handshake_bytes = choice & 16 != 0;
    config.watch.session_bytes = choice & 16 != 0;
    if choice & 64 != 0 {
        config.proxy = Some(Proxy {
            socket: "/tlsproxy".into(),
            forms: vec![ProxyForm::V3_11, ProxyForm::V3_7],
            values: BTreeMap::new(),
        });
    }
    if choice & 32 != 0 {
        let host = "192.0.2.1".to_owned();
        let place = Place::Inet { host, literal: true, service: None, port: 25 };
        config.destination = Destination { text: "[192.0.2.1]".to_owned(), place };
    }
    let mut world = World::new(Probe::new(config, [choice; 32], WallTime(1_800_000_000)));
    world.drain(0);
    while !steps.0.is_empty() {
        let input = steps.input(&world);
        world.step(&mut steps, input);
    }
    world.end();
}

/// What scouts ask for.
fn wider() -> WiderOffer {
    let versions = vec![Protocol::TLS10, Protocol::TLS12, Protocol::TLS13];
    WiderOffer { versions, suites: vec![0x34, 0xc02f, 0x2f], groups: vec![29] }
}

/// The bytes of a fuzz case, read as steps.
struct Steps<'a>(&'a [u8]);

impl Steps<'_> {
    fn octet(&mut self) -> u8 {
        match self.0 {
            [first, rest @ ..] => {
                self.0 = rest;
                *first
            }
            [] => 0,
        }
    }

    fn input<M>(&mut self, world: &World<M>) -> Input {
        let opcode = self.octet();
        // Mostly something alive; ids from nowhere and from the past as well.
        let id = match opcode >> 4 {
            0..=11 => world.open.last().copied().unwrap_or(TransportId(0)),
            other => TransportId(u64::from(other)),
        };
        let error = IoError { kind: IoErrorKind::Reset, code: 104, message: "reset".to_owned() };
        match opcode & 15 {
            0 => Input::Tick,
            1 | 2 => Input::Opened(id),
            3 => Input::Ended(id),
            4 => Input::Failed(id, error),
            5 => Input::HostFound(LookupId(0), Ok(vec![[192, 0, 2, 1].into(); 3])),
            6 => Input::HostFound(LookupId(0), Err(error)),
            7 => Input::Stop(if opcode > 127 { Stop::Now } else { Stop::Drain }),
            _ => {
                let size = usize::from(self.octet()).min(self.0.len());
                let (bytes, rest) = self.0.split_at(size);
                self.0 = rest;
                Input::Received(id, Bytes::copy_from_slice(bytes))
            }
        }
    }
}

/// A machine and what is known of it from outside.
struct World<M> {
    machine: M,
    now: Instant,
    open: BTreeSet<TransportId>,
    closed: BTreeSet<TransportId>,
    /// How many destinations there are.
    given: usize,
    reported: Vec<Report>,
    waits_until: Option<Instant>,
}

/// A machine that tells how much it holds.
trait Buffers: Machine {
    fn buffered(&self) -> usize;
}

impl Buffers for Probe {
    fn buffered(&self) -> usize {
        self.buffered()
    }
}

impl Buffers for Scan {
    fn buffered(&self) -> usize {
        self.buffered()
    }
}

impl<M: Buffers> World<M> {
    fn new(machine: M) -> Self {
        Self {
            machine,
            now: Instant::START,
            open: BTreeSet::new(),
            closed: BTreeSet::new(),
            given: 1,
            reported: Vec::new(),
            waits_until: None,
        }
    }

    /// Gives an input after a pause.
    fn step(&mut self, steps: &mut Steps<'_>, input: Input) {
        let size = match &input {
            Input::Received(_, bytes) => bytes.len(),
            _ => 0,
        };
        let pause = u64::from(steps.octet());
        self.now = Instant::from_micros(self.now.as_micros() + (pause * pause * pause));
        self.machine.handle_input(self.now, input);
        self.drain(size);
    }

    /// Lets nothing but time pass until the end.
    fn end(&mut self) {
        for _ in 0..2000 {
            match self.waits_until {
                None => return,
                Some(until) => self.now = until.min(Instant::from_micros(u64::MAX / 2)),
            }
            if self.now == Instant::from_micros(u64::MAX / 2) {
                // Native lookups have no deadline: the system answers or the caller stops.
                self.machine.handle_input(self.now, Input::Stop(Stop::Now));
            } else {
                self.machine.handle_input(self.now, Input::Tick);
            }
            self.drain(0);
            let late = self.waits_until.is_none_or(|until| until > self.now);
            assert!(late, "after a tick the next wait is in the future");
        }
        panic!("time alone must bring the machine to its end");
    }

    /// Takes all outputs that an input with `size` octets caused, and holds them to the contract.
    fn drain(&mut self, size: usize) {
        self.take(size);
        let open = self.open.difference(&self.closed).count();
        assert!(self.machine.buffered() <= open * limits::BUFFERED, "buffers are bounded");
    }

    fn take(&mut self, size: usize) {
        for _ in 0..size + 512 {
            match self.machine.poll_output() {
                Output::Open(id, _) => assert!(self.open.insert(id), "ids are never reused"),
                Output::Send(id, bytes) => {
                    assert!(self.open.contains(&id) && !self.closed.contains(&id));
                    assert!(!bytes.is_empty());
                }
                Output::Close(id) => {
                    assert!(self.open.contains(&id) && self.closed.insert(id), "closed once");
                }
                Output::Finished(report) => self.reported.push(*report),
                Output::Wait(until, _) => {
                    self.waits_until = Some(until);
                    return;
                }
                Output::Done => {
                    assert_eq!(self.reported.len(), self.given, "one report for one destination");
                    self.waits_until = None;
                    return;
                }
                Output::FindHost(..) | Output::Tell(_) | Output::Pass { .. } | Output::Want(_) => {}
            }
        }
        panic!("too many outputs for one input");
    }
}

/// Plays a seed that was made from a trace. `TLSFINGER_SEEDS=FOLDER` keeps it for a fuzzer.
#[cfg(test)]
fn seed(target: &str, name: &str, data: &[u8]) {
    let (_, play) = TARGETS.iter().find(|(known, _)| *known == target).expect("there is one");
    play(data);
    if let Some(folder) = std::env::var_os("TLSFINGER_SEEDS") {
        let folder = std::path::Path::new(&folder).join(target).join("corpus");
        std::fs::create_dir_all(&folder).expect("it can be made");
        std::fs::write(folder.join(name), data).expect("it can be written");
    }
}

#[cfg(test)]
mod tests {
    use super::TARGETS;

    /// Replays the committed corpus: every file of every target.
    #[test]
    fn corpus() {
        for (name, target) in TARGETS {
            let folder = format!("{}/corpus/{name}", env!("CARGO_MANIFEST_DIR"));
            let mut files: Vec<_> = std::fs::read_dir(&folder)
                .unwrap_or_else(|error| panic!("{folder}: {error}"))
                .map(|entry| entry.expect("is readable").path())
                .collect();
            files.sort();
            assert!(!files.is_empty(), "{folder} is empty");
            for file in files {
                println!("{}", file.display());
                target(&std::fs::read(&file).expect("is readable"));
            }
        }
    }
}
