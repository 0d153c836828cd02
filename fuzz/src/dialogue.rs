//! The targets `reply`, `session` and `tunnel`: a server that says anything, cut anywhere.
//!
//! How a stream is cut into reads, and how late outputs are taken, changes nothing of what is sent,
//! told and reported.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use tlsfinger_core::config::{Config, Dialect, Level};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::TransportId;
use tlsfinger_core::report::{Event, TlsFacts};
use tlsfinger_core::trace::Trace;
use tlsfinger_core::{Input, Instant, Machine, Output, Probe, WallTime};

use crate::traces::{Outcome, play};
use crate::{Steps, World, wider};

/// A server that speaks plain text: an octet for the dialect, one that decides how late outputs are
/// taken and how long the pieces are, then all that it says, at once or in pieces.
pub fn reply(data: &[u8]) {
    let [dialect, size, text @ ..] = data else { return };
    let dialect = if dialect & 1 == 0 { Dialect::Smtp } else { Dialect::Lmtp };
    let config = Config { dialect, no_tls: true, ..address() };
    let probe = || Probe::new(config.clone(), [1; 32], WallTime(1_800_000_000));
    let id = TransportId(0);
    let text = Bytes::copy_from_slice(text);
    let inputs = [Input::Opened(id), Input::Received(id, text), Input::Ended(id)];
    let inputs: Vec<_> = inputs.map(|input| (Instant::START, input)).into();
    same(probe, &inputs, *size);
}

/// A session with a server that offers STARTTLS or begins with TLS, step by step; see
/// [`probe`](crate::probe) for the steps. What happened happens again in pieces.
pub fn session(data: &[u8]) {
    let mut steps = Steps(data);
    let (choice, size) = (steps.octet(), steps.octet());
    let config = Config {
        wrapper: choice & 1 != 0,
        dialect: if choice & 2 != 0 { Dialect::Lmtp } else { Dialect::Smtp },
        scout: (choice & 4 != 0).then(wider),
        ..address()
    };
    let probe = || Probe::new(config.clone(), [choice; 32], WallTime(1_800_000_000));
    let mut world = World::new(probe());
    let mut inputs = Vec::new();
    world.drain(0);
    while !steps.0.is_empty() {
        let input = steps.input(&world);
        let octets = if let Input::Received(_, bytes) = &input { bytes.len() } else { 0 };
        let at = world.now + Duration::from_micros(u64::from(steps.octet()).pow(3));
        // What comes late is cut by the deadline before it, wherever that is.
        while let Some(until) = world.waits_until.filter(|until| *until <= at) {
            world.now = until;
            inputs.push((until, Input::Tick));
            world.machine.handle_input(until, Input::Tick);
            world.drain(0);
        }
        world.now = at;
        inputs.push((world.now, input.clone()));
        world.machine.handle_input(world.now, input);
        world.drain(octets);
    }
    world.end();
    same(probe, &inputs, size);
}

/// Insists that the inputs lead to the same in pieces of a size, with outputs taken late if it is
/// odd, as they do whole.
fn same(probe: impl Fn() -> Probe, inputs: &[(Instant, Input)], size: u8) {
    let whole = play(probe(), inputs, &[], false);
    // Whether text behind the reply to STARTTLS came in the same read decides whether it is dropped
    // or is bad TLS; tests pin both, and neither lets it into TLS.
    if whole.told.iter().any(|event| matches!(event, Event::TextBeforeTls { .. })) {
        return;
    }
    let cut = play(probe(), inputs, &[usize::from(size / 2) + 1], size & 1 != 0);
    assert_same(&cut, &whole);
}

fn assert_same(one: &Outcome, other: &Outcome) {
    // One by one, since the whole is more than anybody can read.
    assert_eq!(one.told, other.told);
    assert_eq!(one.sent, other.sent);
    assert_eq!(one.reports, other.reports);
    assert_eq!(one.closed, other.closed);
}

/// A probe of `[192.0.2.1]` at level `may`.
fn address() -> Config {
    let host = "192.0.2.1".to_owned();
    let place = Place::Inet { host, literal: true, service: None, port: 25 };
    Config {
        destination: Destination { text: "[192.0.2.1]".to_owned(), place },
        level: Level::May,
        repeatable: true,
        ..Config::default()
    }
}

/// A recorded handshake: everything before the server's first octets of TLS, and those.
pub(crate) struct Handshake {
    pub(crate) name: &'static str,
    config: Config,
    seed: [u8; 32],
    wall_time: WallTime,
    before: Vec<(Instant, Input)>,
    transport: TransportId,
    pub(crate) octets: Vec<u8>,
    facts: TlsFacts,
    /// What the server said inside.
    lines: Vec<Bytes>,
}

macro_rules! handshakes {
    ($($name:literal)*) => {
        [$(($name, include_str!(concat!("../../tests/traces/", $name, ".trace")))),*]
    };
}

pub(crate) static HANDSHAKES: LazyLock<Vec<Handshake>> = LazyLock::new(|| {
    let traces = handshakes![
        "tls12" "tls12-rsa" "tls12-signed" "tls13-p384" "tls13-hello-retry"
        "tls13-signed" "wrapper" "openssl-tls12" "openssl-tls13" "postfix"
    ];
    traces.into_iter().map(|(name, text)| Handshake::read(name, text)).collect()
});

impl Handshake {
    fn read(name: &'static str, text: &str) -> Self {
        let trace = Trace::parse(text).expect("it is a trace");
        let header = trace.header();
        let mut this = Self {
            name,
            config: header.config.clone(),
            seed: header.seed,
            wall_time: header.wall_time,
            before: Vec::new(),
            transport: TransportId(0),
            octets: Vec::new(),
            facts: {
                let outcome = play(
                    Probe::new(header.config.clone(), header.seed, header.wall_time),
                    &trace.inputs().collect::<Vec<_>>(),
                    &[],
                    false,
                );
                let tls = outcome.reports[0].sessions[0].observation.tls.clone();
                TlsFacts::clone(&tls.expect("there was TLS"))
            },
            lines: Vec::new(),
        };
        let mut probe = this.probe();
        let mut started = hello(&mut probe);
        for (at, input) in trace.inputs() {
            if let (Some(id), Input::Received(from, bytes)) = (started, &input)
                && id == *from
            {
                this.octets.extend_from_slice(bytes);
            } else if started.is_none() {
                this.before.push((at, input.clone()));
                probe.handle_input(at, input);
                started = hello(&mut probe);
            }
            // A second connection is another handshake.
        }
        this.transport = started.expect("there was TLS");
        this.lines = said(&this.play(&this.octets, &[], false));
        this
    }

    fn probe(&self) -> Probe {
        Probe::new(self.config.clone(), self.seed, self.wall_time)
    }

    fn play(&self, octets: &[u8], sizes: &[usize], late: bool) -> Outcome {
        let at = self.before.last().map_or(Instant::START, |(at, _)| *at);
        let octets = Bytes::copy_from_slice(octets);
        let after = [Input::Received(self.transport, octets), Input::Ended(self.transport)];
        let inputs = self.before.iter().cloned().chain(after.map(|input| (at, input)));
        play(self.probe(), &inputs.collect::<Vec<_>>(), sizes, late)
    }
}

/// Tells over which transport a ClientHello went, if one did.
fn hello(probe: &mut Probe) -> Option<TransportId> {
    let mut found = None;
    loop {
        match probe.poll_output() {
            Output::Send(id, bytes) if bytes.starts_with(&[22, 3, 1]) => found = Some(id),
            Output::Wait(..) | Output::Done => return found,
            _ => {}
        }
    }
}

/// The lines that came inside TLS.
fn said(outcome: &Outcome) -> Vec<Bytes> {
    let after = outcome.told.iter().skip_while(|event| !matches!(event, Event::Judged(..)));
    after
        .filter_map(|event| if let Event::ReplyLine(line) = event { Some(line) } else { None })
        .cloned()
        .collect()
}

/// A TLS server that says anything in answer to a recorded ClientHello: an octet chooses which, one
/// cuts, then come the octets. The client repeats its secrets, so that a recorded flight is
/// understood to its end.
///
/// Pieces make no difference. Whoever changes an octet of a handshake cannot complete it with other
/// facts, nor put words into the server's mouth.
pub fn tunnel(data: &[u8]) {
    let [choice, size, octets @ ..] = data else { return };
    let handshake = &HANDSHAKES[usize::from(*choice) % HANDSHAKES.len()];
    let whole = handshake.play(octets, &[], false);
    let cut = handshake.play(octets, &[usize::from(size / 2) + 1], size & 1 != 0);
    assert_same(&cut, &whole);
    let said = said(&whole);
    for session in whole.reports.iter().flat_map(|report| &report.sessions) {
        let Some(facts) = &session.observation.tls else {
            assert!(session.verdict.is_none() && said.is_empty());
            continue;
        };
        // Traces with the same ClientHello understand each other's flights.
        let mut recorded = HANDSHAKES.iter().filter(|it| it.facts == **facts);
        let known = recorded.any(|it| it.lines.starts_with(&said));
        assert!(known, "{}: {said:?} {facts:?}", handshake.name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each recorded flight is a seed: it is understood, and not once an octet is changed.
    #[test]
    fn seeds() {
        for (number, handshake) in (0_u8..).zip(&*HANDSHAKES) {
            assert!(!handshake.lines.is_empty(), "{}", handshake.name);
            for size in [0, 1, 7, 254] {
                let data = [&[number, size][..], &handshake.octets].concat();
                crate::seed("tunnel", &format!("{}-{size}", handshake.name), &data);
            }
            for place in (0..handshake.octets.len()).step_by(61) {
                let mut octets = handshake.octets.clone();
                octets[place] ^= 1;
                tunnel(&[&[number, 254][..], &octets].concat());
            }
        }
    }

    /// Whatever comes between two records of a recorded flight, the last of the handshake and the
    /// first of the text among them, breaks TLS at the same place in one read and in many.
    #[test]
    fn seeds_of_broken_flights() {
        let strangers: [(&str, &[u8]); 3] = [
            ("record", b"\x17\x03\x03\x00\x05hello"),
            ("alert", b"\x15\x03\x03\x00\x02\x02\x28"),
            ("text", b"250 no TLS\r\n"),
        ];
        let mut broken = 0;
        for (number, handshake) in (0_u8..).zip(&*HANDSHAKES) {
            let mut at = 0;
            while let Some([high, low]) = handshake.octets.get(at + 3..at + 5) {
                at += 5 + usize::from(u16::from_be_bytes([*high, *low]));
                for (name, stranger) in strangers {
                    let (before, after) = handshake.octets.split_at(at);
                    let octets = [before, stranger, after].concat();
                    let whole = handshake.play(&octets, &[], false);
                    let broke = |event: &Event| matches!(event, Event::TlsBroke(..));
                    let name = format!("{}-{name}-{at}", handshake.name);
                    for size in [1, 254] {
                        tunnel(&[&[number, size][..], &octets].concat());
                    }
                    if whole.told.iter().any(broke) {
                        broken += 1;
                        crate::seed("tunnel", &name, &[&[number, 7][..], &octets].concat());
                    }
                }
            }
        }
        assert!(broken > 0);
    }

    /// The plain dialogues of all traces are seeds.
    #[test]
    fn seeds_of_dialogues() {
        for recorded in crate::traces::all() {
            for size in [0, 1, 6, 255] {
                let mut text = vec![0, size];
                let mut steps = vec![0, size];
                for (_, input) in recorded.inputs() {
                    if let Input::Received(_, bytes) = input
                        && bytes.len() < 256
                    {
                        text.extend_from_slice(bytes);
                        let length = u8::try_from(bytes.len()).expect("it is short");
                        steps.extend([8, length]);
                        steps.extend_from_slice(bytes);
                        steps.push(1);
                    }
                }
                let name = format!("{}-{size}", recorded.name);
                crate::seed("reply", &name, &text);
                crate::seed("session", &name, &[&steps[..2], &[1, 0], &steps[2..]].concat());
            }
        }
    }
}
