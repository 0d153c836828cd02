//! The targets `mutant` and `pieces`: recorded runs with something changed.
//!
//! A case is the name of a trace, a line end, and octets that say what is changed. A name that no
//! trace has stands for one all the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::LazyLock;

use bytes::Bytes;
use tlsfinger_core::config::Level;
use tlsfinger_core::machine::{Endpoint, Stop, TransportId};
use tlsfinger_core::report::{Event, Report, Status, TlsNote};
use tlsfinger_core::trace::{Header, Trace};
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Machine, Output, Probe, limits};

use crate::{Steps, World};

/// A recorded run: its name, what decides it, and its inputs.
pub(crate) struct Recorded {
    pub(crate) name: String,
    header: Header,
    inputs: Vec<(Instant, Input)>,
}

static TRACES: LazyLock<Vec<Recorded>> = LazyLock::new(|| {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/traces");
    let read = |path: std::path::PathBuf| {
        let text = std::fs::read_to_string(&path).expect("it is text");
        let trace = Trace::parse(&text).expect("it is a trace");
        let (header, inputs) = (trace.header().clone(), trace.inputs().collect());
        let name = path.file_stem().expect("it has a name").to_string_lossy().into_owned();
        Recorded { name, header, inputs }
    };
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .expect("there are traces")
        .map(|entry| entry.expect("it can be read").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "trace"))
        .map(read)
        .collect();
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
});

/// Takes a case apart.
fn recorded(data: &[u8]) -> (&'static Recorded, Steps<'_>) {
    let end = data.iter().position(|octet| *octet == b'\n').unwrap_or(data.len());
    let (name, rest) = data.split_at(end);
    let any = || {
        let sum: usize = name.iter().map(|octet| usize::from(*octet)).sum();
        &TRACES[sum % TRACES.len()]
    };
    let same = |trace: &&Recorded| trace.name.as_bytes() == name;
    (TRACES.iter().find(same).unwrap_or_else(any), Steps(rest.get(1..).unwrap_or_default()))
}

/// Tells all recorded runs.
#[cfg(test)]
pub(crate) fn all() -> &'static [Recorded] {
    &TRACES
}

impl Recorded {
    #[cfg(test)]
    pub(crate) fn inputs(&self) -> &[(Instant, Input)] {
        &self.inputs
    }

    fn probe(&self) -> Probe {
        Probe::new(self.header.config.clone(), self.header.seed, self.header.wall_time)
    }
}

/// Gives a probe what it was once given, with some of it changed on the way: octets altered, inputs
/// left out, doubled, cut in two, out of order, late, or in place of others. Each step is an octet
/// that says what becomes of the next input, and what that needs.
///
/// The contract holds, time alone brings the end, and nothing is verified without evidence.
pub fn mutant(data: &[u8]) {
    let (recorded, mut steps) = recorded(data);
    let mut inputs: Vec<_> = recorded.inputs.iter().cloned().rev().collect();
    let mut world = World::new(recorded.probe());
    let mut evidence = Evidence::default();
    let mut delay = 0;
    world.drain(0);
    while let Some((at, input)) = inputs.pop() {
        let mut given = vec![input];
        // What is left when the steps are used up comes as it was.
        match steps.octet() {
            1 => given = alter(given, &mut steps),
            2 => given.clear(),
            3 => given.push(given[0].clone()),
            4 => given = cut(given, &mut steps),
            5 => {
                if let Some((_, next)) = inputs.pop() {
                    inputs.extend(given.drain(..).map(|late| (at, late)));
                    given.push(next);
                }
            }
            6 => delay += u64::from(steps.octet()).pow(3),
            7 => given = end(&world),
            8 => given.push(Input::Tick),
            9 => given = vec![Input::Stop(Stop::Now)],
            10 => given.insert(0, Input::Opened(TransportId(u64::from(steps.octet())))),
            _ => {}
        }
        world.now = world.now.max(Instant::from_micros(at.as_micros().saturating_add(delay)));
        for input in given {
            evidence.see(&input);
            let size = match &input {
                Input::Received(_, bytes) => bytes.len(),
                _ => 0,
            };
            world.machine.handle_input(world.now, input);
            world.drain(size);
        }
    }
    world.end();
    for report in &world.reported {
        evidence.check(&recorded.header, report);
    }
}

/// Changes an octet of what was received.
fn alter(given: Vec<Input>, steps: &mut Steps<'_>) -> Vec<Input> {
    let (high, low, value) = (steps.octet(), steps.octet(), steps.octet());
    let change = |input| match input {
        Input::Received(id, bytes) if !bytes.is_empty() => {
            let mut bytes = bytes.to_vec();
            let place = usize::from(u16::from_be_bytes([high, low])) % bytes.len();
            bytes[place] ^= value;
            Input::Received(id, bytes.into())
        }
        other => other,
    };
    given.into_iter().map(change).collect()
}

/// Cuts what was received in two.
fn cut(given: Vec<Input>, steps: &mut Steps<'_>) -> Vec<Input> {
    let place = usize::from(u16::from_be_bytes([steps.octet(), steps.octet()]));
    match &given[..] {
        [Input::Received(id, bytes)] if bytes.len() > 1 => {
            let place = 1 + place % (bytes.len() - 1);
            vec![
                Input::Received(*id, bytes.slice(..place)),
                Input::Received(*id, bytes.slice(place..)),
            ]
        }
        _ => given,
    }
}

/// Breaks what was opened last.
fn end<M>(world: &World<M>) -> Vec<Input> {
    let error = IoError { kind: IoErrorKind::Reset, code: 104, message: "reset".to_owned() };
    world.open.last().map(|id| Input::Failed(*id, error)).into_iter().collect()
}

/// What a verdict may rest on.
#[derive(Default)]
struct Evidence {
    /// Something arrived that could be an answer with the AD bit.
    authentic: bool,
}

impl Evidence {
    fn see(&mut self, input: &Input) {
        if let Input::Received(_, bytes) = input {
            // In a datagram, or behind the length in a stream, which may be cut anywhere.
            let ad = |at: usize| bytes.get(at).is_some_and(|octet| octet & 0x20 != 0);
            self.authentic |= ad(3) || ad(5) || bytes.len() < 6;
        }
    }

    fn check(&self, header: &Header, report: &Report) {
        for session in &report.sessions {
            let Some(verdict) = &session.verdict else { continue };
            let facts = session.observation.tls.as_ref().expect("a verdict is about TLS");
            if verdict.status != Status::Verified {
                continue;
            }
            assert!(!facts.chain.is_empty());
            let grounds = session.grounds.as_ref().expect("they come with the verdict");
            match grounds.level {
                Level::Dane | Level::DaneOnly => {
                    assert!(self.authentic && !grounds.tlsa.is_empty());
                }
                Level::Fingerprint => assert!(!header.config.policy.pins.is_empty()),
                Level::Verify | Level::Secure => {
                    let policy = &header.config.policy;
                    assert!(!policy.trust.is_empty() || !policy.anchors.is_empty());
                }
                Level::None | Level::May | Level::Encrypt | Level::HalfDane => {
                    panic!("this level never verifies")
                }
            }
        }
    }
}

/// Cuts the streams of a recorded run into pieces of the sizes that the octets say, again and again,
/// and takes the outputs late if the first is odd: the same must be told, sent and reported.
///
/// Text behind the reply to STARTTLS is left out: whether it came in the same read decides whether
/// it is dropped or is bad TLS, and tests pin both.
pub fn pieces(data: &[u8]) {
    let (recorded, mut steps) = recorded(data);
    if recorded.name.starts_with("injected-") {
        return;
    }
    let late = steps.octet() & 1 != 0;
    let sizes: Vec<_> = steps.0.iter().map(|octet| usize::from(*octet) + 1).collect();
    let play = |sizes: &[usize], late| play(recorded.probe(), &recorded.inputs, sizes, late);
    let (whole, cut) = (play(&[], false), play(&sizes, late));
    // One by one, since the whole is more than anybody can read.
    assert_eq!(cut.sent, whole.sent, "{}", recorded.name);
    assert_eq!(cut.told, whole.told, "{}", recorded.name);
    assert_eq!(cut.reports, whole.reports, "{}", recorded.name);
    assert_eq!(cut.closed, whole.closed, "{}", recorded.name);
}

/// What came of a run: what was sent over each transport, what was told, and the report.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) sent: BTreeMap<TransportId, Vec<u8>>,
    pub(crate) told: Vec<Event>,
    pub(crate) reports: Vec<Report>,
    streams: Vec<TransportId>,
    pub(crate) closed: Vec<TransportId>,
}

/// Gives inputs to a probe, what arrives on streams in pieces of these sizes, again and again;
/// outputs are taken late or after each piece.
pub(crate) fn play(
    mut probe: Probe,
    inputs: &[(Instant, Input)],
    sizes: &[usize],
    late: bool,
) -> Outcome {
    let mut outcome = Outcome::default();
    let mut sizes = sizes.iter().cycle();
    drain(&mut probe, &mut outcome);
    for (at, input) in inputs {
        match input {
            Input::Received(id, bytes) if outcome.streams.contains(id) => {
                let mut rest = bytes.clone();
                while !rest.is_empty() {
                    let size = sizes.next().copied().unwrap_or(rest.len()).min(rest.len());
                    let piece: Bytes = rest.split_to(size);
                    probe.handle_input(*at, Input::Received(*id, piece));
                    if !late {
                        drain(&mut probe, &mut outcome);
                    }
                }
            }
            input => probe.handle_input(*at, input.clone()),
        }
        drain(&mut probe, &mut outcome);
        let closed = |id: &&TransportId| outcome.closed.contains(id);
        let open = outcome.streams.len() - outcome.streams.iter().filter(closed).count();
        assert!(probe.buffered() <= open * limits::BUFFERED, "buffers are bounded");
    }
    outcome
}

fn drain(probe: &mut Probe, outcome: &mut Outcome) {
    loop {
        match probe.poll_output() {
            Output::Open(id, Endpoint::Tcp(_) | Endpoint::Unix(_)) => outcome.streams.push(id),
            Output::Open(_, Endpoint::Udp(_))
            | Output::FindHost(..)
            | Output::Pass { .. }
            | Output::Want(_) => {}
            Output::Send(id, bytes) => outcome.sent.entry(id).or_default().extend(bytes),
            Output::Close(id) => outcome.closed.push(id),
            // Each piece is a step of its own.
            Output::Tell(Event::Tls(TlsNote::Tunnel(_))) => {}
            Output::Tell(event) => outcome.told.push(event),
            Output::Finished(report) => outcome.reports.push(*report),
            Output::Wait(..) | Output::Done => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each trace is a seed; with it, what a fuzzer would try first.
    #[test]
    fn seeds() {
        for Recorded { name, inputs, .. } in &*TRACES {
            let seed = |steps: &[u8]| [name.as_bytes(), b"\n", steps].concat();
            crate::seed("pieces", name, &seed(&[0, 0]));
            pieces(&seed(&[1, 2, 0, 60]));
            crate::seed("mutant", name, &seed(&[]));
            // One change at each place, another one at the next.
            let changes: [&[u8]; 8] =
                [&[2], &[3], &[5], &[7], &[8], &[9], &[1, 0, 7, 1], &[6, 255]];
            for (place, change) in (0..inputs.len()).zip(changes.into_iter().cycle()) {
                mutant(&seed(&[&vec![0; place], change].concat()));
            }
        }
    }
}
