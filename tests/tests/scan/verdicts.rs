//! What a scan finds out is what separate probes find out.

use std::collections::BTreeMap;
use std::time::Duration;

use tlsfinger_core::config::{Config, MatchRule, ScanConfig, ScanLimits};
use tlsfinger_core::judge::Status;
use tlsfinger_core::machine::Job;
use tlsfinger_core::report::{Outcome, Report, Step};
use tlsfinger_core::{Input, Probe, Scan, Survey};
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, World};

use super::{Servers, domain, domains, hasty, probe, scan};

/// What counts of a report, whenever and by whatever connection it was made.
fn essence(report: &Report) -> String {
    let mut sessions: Vec<_> = report
        .sessions
        .iter()
        .map(|session| {
            let seen = &session.observation;
            // The reply to QUIT is not waited for.
            let problems = seen.problems.iter().filter(|(step, _)| *step != Step::Quit);
            format!(
                "{} {:?} {:?} {:?} {:?} {:?} {:?}",
                seen.peer,
                seen.hello,
                seen.tls,
                problems.collect::<Vec<_>>(),
                seen.handshake_error,
                session.verdict,
                session.target,
            )
        })
        .collect();
    sessions.sort();
    let mut unreachable: Vec<_> =
        report.unreachable.iter().map(|(peer, error)| format!("{peer} {error}")).collect();
    unreachable.sort();
    format!("{:?} {sessions:#?} {unreachable:?}", report.outcome)
}

const COUNT: u64 = 40;

fn alone<M: tlsfinger_core::Machine>(make: impl Fn(Config) -> M) -> BTreeMap<u64, String> {
    let servers = Servers::new();
    let jobs = domains(COUNT).into_iter().chain([domain(COUNT, "null.test")]);
    jobs.map(|Job { number, destination, .. }| {
        let config = Config { destination, ..probe() };
        (number, essence(servers.world(make(config), COUNT).run().report()))
    })
    .collect()
}

fn together(limits: ScanLimits) -> (BTreeMap<u64, String>, Vec<usize>) {
    let servers = Servers::new();
    let jobs = domains(COUNT).into_iter().chain([domain(COUNT, "null.test")]);
    let run = servers.world(scan(limits), COUNT).jobs(jobs).run();
    let found: BTreeMap<_, _> =
        run.reports().iter().map(|report| (report.number, essence(report))).collect();
    assert_eq!(found.len(), run.reports().len(), "each is reported once");
    (found, servers.visits())
}

#[test]
fn the_same_verdicts_whatever_the_concurrency() {
    let expected = alone(|config| Survey::new(config, setting::SEED, setting::WALL_TIME));
    for share in [None, Some(Duration::from_secs(3600))] {
        for at_once in [1, 3, 100] {
            let limits = ScanLimits {
                destinations: 2 * at_once,
                connections: at_once,
                share,
                both_keys: true,
                ..hasty()
            };
            let (found, visits) = together(limits);
            for (number, expected) in &expected {
                assert_eq!(found.get(number), Some(expected), "{number}, {at_once} at once");
            }
            match share {
                // Of one server with TLSA records and without: SNI and SHA-1 differ. A server with
                // TLS is asked for its other key too.
                Some(_) => assert!(visits.iter().all(|visits| *visits <= 8), "{visits:?}"),
                None => assert!(visits.iter().max() > Some(&10), "{visits:?}"),
            }
        }
    }
}

#[test]
fn the_first_server_that_can_be_reached() {
    let expected = alone(|config| Probe::new(config, setting::SEED, setting::WALL_TIME));
    let (found, _) = together(ScanLimits { first_only: true, ..hasty() });
    assert_eq!(found, expected);
}

#[test]
fn one_visit_for_all_names_of_a_server() {
    let script = Script::smtp();
    let config = ScanConfig { probe: setting::config(), ..ScanConfig::default() };
    let literal = |number: u64| {
        let mut job = domain(number, &format!("mx{number}.test"));
        if let tlsfinger_core::destination::Place::Inet { literal, .. } = &mut job.destination.place
        {
            *literal = true;
        }
        job
    };
    let mut world = World::new(Scan::new(config, setting::SEED, setting::WALL_TIME))
        .listen(tcp("192.0.2.1:25"), Link::latency(10), script.clone())
        .jobs((0..10).map(literal));
    for number in 0..10 {
        world = world.host(&format!("mx{number}.test"), ["192.0.2.1"]);
    }
    let run = world.run();
    let heard = script.journal().lines();
    assert_eq!(heard.iter().filter(|line| *line == "STARTTLS").count(), 1, "{heard:?}");
    assert_eq!(heard.last().map(String::as_str), Some("end"), "{heard:?}");
    for report in run.reports() {
        assert_eq!((&report.outcome, report.sessions.len()), (&Outcome::Session, 1));
        let session = &report.sessions[0];
        assert_eq!(session.shared, report.number > 0);
        assert_eq!(*session.observation.peer.name, *format!("mx{}.test", report.number));
        // QUIT was said, and its reply not waited for: round trips for connection with greeting, EHLO,
        // STARTTLS, handshake and EHLO.
        assert_eq!(session.observation.quit, None);
        assert_eq!(report.ended.elapsed(), Duration::from_millis(5 * 20));
    }
}

#[test]
fn each_destination_has_its_own_rules() {
    let servers = Servers::new();
    let mut jobs = domains(30);
    let rule = |name: &str| vec![MatchRule::Name(name.to_owned())];
    // Domains 20 and 10 lead to the first server, 20 without TLSA records.
    jobs.retain(|job| [0, 20].contains(&job.number));
    jobs.push(Job { number: 100, matches: rule("mx.example.org"), ..jobs[1].clone() });
    jobs.push(Job { number: 101, matches: rule("other.test"), ..jobs[1].clone() });
    let mut config = ScanConfig { probe: probe(), limits: hasty(), ..ScanConfig::default() };
    let root = tlsfinger_core::cert::Certificate::parse(certs_root()).unwrap();
    config.probe.policy.trust.add(root);
    let machine = Scan::new(config, setting::SEED, setting::WALL_TIME);
    let run = servers.world(machine, 30).jobs(jobs).run();
    let status = |number: u64| {
        let report = run.reports().into_iter().find(|report| report.number == number).unwrap();
        (report.sessions[0].verdict.as_ref().unwrap().status, report.sessions[0].shared)
    };
    assert_eq!(status(0), (Status::Verified, false));
    assert_eq!(status(20), (Status::Trusted, false));
    assert_eq!(status(100), (Status::Verified, true));
    assert_eq!(status(101), (Status::Trusted, true));
}

fn certs_root() -> bytes::Bytes {
    bytes::Bytes::copy_from_slice(&tlsfinger_tests::certs::root())
}

#[test]
fn observations_grow_old() {
    let servers = Servers::new();
    let limits = ScanLimits { share: Some(Duration::from_secs(60)), ..hasty() };
    let add = |number| Input::Add(Box::new(domain(number, "d0.test")));
    let run = servers
        .world(scan(limits), 1)
        .at(0, add(0))
        .at(30_000, add(1))
        .at(70_000, add(2))
        .at(70_000, Input::Stop(tlsfinger_core::machine::Stop::End))
        .run();
    let shared: Vec<_> = run.reports().iter().map(|report| report.sessions[0].shared).collect();
    assert_eq!(shared, [false, true, false]);
    let (first, second) = (run.reports()[0], run.reports()[1]);
    assert_eq!(first.sessions[0].began, second.sessions[0].began, "when the observation was made");
    assert_eq!(second.started.elapsed(), Duration::from_secs(30));
}

#[test]
fn the_same_inputs_give_the_same_outputs() {
    let servers = Servers::new();
    let run = servers.world(scan(hasty()), 20).jobs(domains(20)).with_ghosts().run();
    assert_eq!(run.replay(scan(hasty())), Ok(()));
}
