//! The connection breaks at every octet of every flight, in both directions.

use std::time::Duration;

use tlsfinger_core::config::Config;
use tlsfinger_core::report::{Observation, Step, StreamEnd};
use tlsfinger_core::{Input, Probe};
use tlsfinger_tests::certs;
use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{How, Link, Run, Word};

/// A way through a session whose every octet is a place to break.
#[derive(Clone)]
struct Course {
    config: Config,
    script: Script,
}

impl Course {
    fn run(&self, link: Link) -> Run<Probe> {
        setting::run(&self.config, self.script.clone(), link)
    }
}

fn starttls(tls: TlsSetup) -> Course {
    let tls = tls.identity(certs::small());
    Course { config: setting::config(), script: Script::smtp().tls(tls) }
}

fn wrapper(tls: TlsSetup) -> Course {
    let Course { config, script } = starttls(tls);
    Course { config: Config { wrapper: true, ..config }, script: script.wrapper() }
}

fn lmtp(tls: TlsSetup) -> Course {
    let script = Script::lmtp().tls(tls.identity(certs::small()));
    Course { config: setting::lmtp(), script }
}

/// The steps of a whole run, each with the octets that had come in and gone out at its end.
fn milestones(run: &Run<Probe>) -> Vec<(Step, u64, u64)> {
    let steps = &run.report().sessions[0].observation.times;
    let octets_until = |end, incoming| {
        let mut octets = 0;
        for (at, word) in &run.log {
            match word {
                Word::In(Input::Received(_, bytes)) if incoming && *at <= end => {
                    octets += bytes.len()
                }
                Word::Out(tlsfinger_core::Output::Send(_, bytes)) if !incoming && *at < end => {
                    octets += bytes.len();
                }
                _ => {}
            }
        }
        octets as u64
    };
    steps
        .iter()
        .map(|(step, at)| (*step, octets_until(*at, true), octets_until(*at, false)))
        .collect()
}

/// The first step that a cut breaks: the one that still needed what was cut off.
fn broken_step(milestones: &[(Step, u64, u64)], octets: u64, incoming: bool) -> Option<Step> {
    let end = |milestone: &(Step, u64, u64)| if incoming { milestone.1 } else { milestone.2 };
    milestones.iter().find(|it| it.0 != Step::Connect && end(it) > octets).map(|it| it.0)
}

/// What the observation says went wrong first.
fn first_problem(observation: &Observation) -> Option<Step> {
    let problem = observation.problems.first().map(|(step, _)| *step);
    let handshake = observation.handshake_error.as_ref().map(|_| Step::Handshake);
    handshake.or(problem)
}

/// Breaks a course at every octet of one direction. The world holds the contract on the way.
fn cut_everywhere(course: &Course, incoming: bool, how: How) {
    let link = match incoming {
        // An octet each microsecond: times tell octets.
        true => Link::default().pieces_in([1]).gap_in(Duration::from_micros(1)),
        false => Link::default(),
    };
    let whole = course.run(link);
    let milestones = milestones(&whole);
    assert_eq!(milestones.last().unwrap().0, Step::Quit);
    let octets = if incoming { whole.received(0) } else { whole.sent(0) }.len() as u64;
    assert!(octets > 300, "there is something to cut");
    for at in 0..octets {
        let link = match incoming {
            true => Link::default().cut_in(at, how),
            false => Link::default().cut_out(at, how),
        };
        let run = course.run(link);
        let observation = &run.report().sessions[0].observation;
        let what = || format!("{how:?} at octet {at}: {:#?}", run.transcript());
        let problem = first_problem(observation);
        assert_eq!(problem, broken_step(&milestones, at, incoming), "{}", what());
        if problem.is_none() {
            continue;
        }
        let ended = match how {
            How::Reset => observation.end == StreamEnd::Broken,
            How::BlackHole => observation.end == StreamEnd::Ours,
            How::End if observation.tls.is_some() => observation.end == StreamEnd::Truncated,
            How::End => observation.end == StreamEnd::Clean,
        };
        assert!(ended, "{:?} {}", observation.end, what());
    }
}

macro_rules! cuts {
    ($($name:ident: $course:expr;)*) => {
        $(#[test]
        fn $name() {
            for how in [How::End, How::Reset, How::BlackHole] {
                cut_everywhere(&$course, true, how);
                cut_everywhere(&$course, false, how);
            }
        })*
    };
}

cuts! {
    starttls_12: starttls(TlsSetup::only_12());
    starttls_13: starttls(TlsSetup::only_13());
    wrapper_12: wrapper(TlsSetup::only_12());
    wrapper_13: wrapper(TlsSetup::only_13());
    lmtp_12: lmtp(TlsSetup::only_12());
    lmtp_13: lmtp(TlsSetup::only_13());
}
