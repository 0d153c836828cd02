//! However a scan ends, nothing is lost; and whatever comes, the contract holds.

use std::collections::BTreeSet;
use std::time::Duration;

use tlsfinger_core::config::ScanLimits;
use tlsfinger_core::machine::{Stop, TransportId};
use tlsfinger_core::report::Outcome;
use tlsfinger_core::{Input, Instant, Machine, Output, Random, Scan, limits};
use tlsfinger_tests::playbook;
use tlsfinger_tests::referee::Referee;
use tlsfinger_tests::world::{Run, Word};

use super::{Servers, connections, domain, domains, hasty, millis, scan};

const COUNT: u64 = 30;

fn run(stop: Stop, at: u64, share: bool) -> Run<Scan> {
    let share = share.then_some(Duration::from_secs(3600));
    let limits = ScanLimits { destinations: 12, connections: 4, share, ..hasty() };
    let servers = Servers::new();
    servers.world(scan(limits), COUNT).jobs(domains(COUNT)).at(at, Input::Stop(stop)).run()
}

/// Tells the numbers of all that was given, and holds them against what was reported.
fn given(run: &Run<Scan>) -> BTreeSet<u64> {
    let number = |word: &Word| match word {
        Word::In(Input::Add(job)) => Some(job.number),
        _ => None,
    };
    let given: BTreeSet<_> = run.log.iter().filter_map(|(_, word)| number(word)).collect();
    let reports = run.reports();
    let reported: BTreeSet<_> = reports.iter().map(|report| report.number).collect();
    assert_eq!((reports.len(), &reported), (reported.len(), &given), "each comes to one report");
    given
}

#[test]
fn a_drained_scan_ends_what_runs() {
    for at in [0, 1, 5, 12, 20, 33, 47, 60, 75, 90, 105, 120, 200, 300, 1_000, 31_000] {
        let run = run(Stop::Drain, at, at % 2 == 0);
        given(&run);
        let stopped = millis(at);
        for (from, to, _) in connections(&run) {
            assert!(from <= stopped, "nothing begins after a stop at {at}");
            // What ran went on to its own end.
            assert!(to == Instant::NEVER || to > stopped || from < stopped);
        }
        let sessions = run.reports().iter().filter(|it| it.outcome == Outcome::Session).count();
        assert!(at < 150 || sessions > 0, "{at}");
    }
}

#[test]
fn a_stopped_scan_ends_at_once() {
    for at in [0, 1, 5, 12, 20, 33, 47, 60, 75, 90, 105, 120, 200, 300, 1_000, 31_000] {
        let run = run(Stop::Now, at, at % 2 == 0);
        given(&run);
        assert!(run.ended_at() <= millis(at) + limits::LINGER, "{at}");
        assert!(run.reports().iter().all(|report| report.ended <= millis(at)), "{at}");
    }
}

#[test]
fn a_scan_without_work_waits_and_ends() {
    let mut machine = scan(ScanLimits { destinations: 7, ..hasty() });
    assert_eq!(machine.poll_output(), Output::Want(7));
    assert_eq!(machine.poll_output(), Output::Wait(Instant::NEVER, "for destinations"));
    machine.handle_input(Instant::START, Input::Stop(Stop::End));
    assert_eq!(machine.poll_output(), Output::Done);
    machine.handle_input(Instant::START, Input::Add(Box::new(domain(1, "d1.test"))));
    assert_eq!(machine.poll_output(), Output::Done);
}

#[test]
fn whatever_comes_in_any_order() {
    let mut random = Random::from_seed([3; 32]);
    for round in 0..200 {
        let limits = ScanLimits { destinations: 5, connections: 3, transports: 9, ..hasty() };
        let mut machine = Referee::new(scan(limits));
        let (mut open, mut given, mut reported, mut now) = (vec![], 0_u64, 0_u64, 0_u64);
        let mut stopped = false;
        loop {
            let done = loop {
                match machine.poll_output() {
                    Output::Open(id, _) => open.push(id),
                    Output::Finished(_) => reported += 1,
                    Output::Wait(..) => break false,
                    Output::Done => break true,
                    _ => {}
                }
            };
            if done {
                break;
            }
            now += u64::from(random.below(3_000_000));
            let id = match open.len() {
                0 => TransportId(0),
                count => open[random.below(count as u32) as usize],
            };
            let input = match random.below(14) {
                0 | 1 => playbook::tick(),
                2..=4 => Input::Opened(id),
                5 => playbook::received(id.0, "220 hi\r\n"),
                6 => playbook::received(id.0, "250-mx\r\n250 STARTTLS\r\n"),
                7 => playbook::received(id.0, "421 later\r\n"),
                8 => Input::Ended(id),
                9 => playbook::failed(id.0, playbook::reset()),
                10 if given > 40 && round % 2 == 0 => {
                    stopped = true;
                    Input::Stop(Stop::Drain)
                }
                _ if given < 60 => {
                    given += 1;
                    // An address needs no answer of a name server.
                    let name = format!("192.0.2.{}", random.below(4) + 1);
                    let mut job = domain(given, &name);
                    if given % 5 == 0 {
                        job = domain(given, "d1.test");
                    }
                    Input::Add(Box::new(job))
                }
                _ if !stopped => {
                    stopped = true;
                    Input::Stop(Stop::End)
                }
                _ => playbook::tick(),
            };
            machine.handle_input(Instant::from_micros(now), input);
        }
        assert_eq!(reported, given);
    }
}
