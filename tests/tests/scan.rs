//! `Scan`: many destinations in the virtual world.

use tlsfinger_core::Scan;
use tlsfinger_core::config::ScanConfig;
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::Job;
use tlsfinger_core::report::Outcome;
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, World};

/// Makes a job for a host name that the system knows.
fn host(number: u64, name: &str) -> Job {
    let place = Place::Inet { host: name.to_owned(), literal: true, service: None, port: 25 };
    Job { number, destination: Destination { text: name.to_owned(), place }, matches: vec![] }
}

#[test]
fn one_visit_for_all_names_of_a_server() {
    let script = Script::smtp();
    let config = ScanConfig { probe: setting::config(), ..ScanConfig::default() };
    let mut world = World::new(Scan::new(config, setting::SEED, setting::WALL_TIME))
        .listen(tcp("192.0.2.1:25"), Link::latency(10), script.clone())
        .jobs((0..10).map(|number| host(number, &format!("mx{number}.test"))));
    for number in 0..10 {
        world = world.host(&format!("mx{number}.test"), ["192.0.2.1"]);
    }
    let run = world.run();
    let reports = run.reports();
    assert_eq!(reports.len(), 10);
    let hellos = script.journal().lines().iter().filter(|line| line.contains("STARTTLS")).count();
    assert_eq!(hellos, 1);
    for report in reports {
        assert_eq!((&report.outcome, report.sessions.len()), (&Outcome::Session, 1));
        assert_eq!(report.sessions[0].observation.peer.name, format!("mx{}.test", report.number));
    }
}
