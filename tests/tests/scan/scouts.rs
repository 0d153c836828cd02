//! Connections of scouts wait for their turn in a scan as all others do.

use std::collections::BTreeMap;
use std::time::Duration;

use tlsfinger_core::config::{Config, Level, ScanConfig, ScanLimits, WiderOffer};
use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::Outcome;
use tlsfinger_core::tls::scout::Protocol;
use tlsfinger_core::{Input, Scan};
use tlsfinger_tests::peer::{Legacy, Script, TlsSetup};
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, World};
use tlsfinger_tests::zones::Zones;

use super::{connections, domains, hasty, millis, name_server, probe};

/// A world of servers that are all visited twice: every other speaks TLS 1.0 only, and the rest
/// would rather be anonymous. Domain `dN.test` has the server `192.0.2.1` up to the count.
fn world(limits: ScanLimits, addresses: u64, domains: u64) -> World<Scan> {
    let mut zones = "@secure .\n".to_owned();
    for number in 0..domains {
        zones += &format!("d{number}.test MX 10 mx{}.test\n", number % addresses);
    }
    for number in 0..addresses {
        zones += &format!("mx{number}.test A 192.0.2.{}\n", number + 1);
    }
    let wider = WiderOffer {
        versions: vec![Protocol::TLS10, Protocol::TLS12],
        suites: vec![0xa6, 0xc02b, 0x2f],
        groups: vec![29],
    };
    let probe = Config { level: Level::May, scout: Some(wider), ..probe() };
    let scan = ScanConfig { probe, limits, ..ScanConfig::default() };
    let scan = Scan::new(scan, setting::SEED, setting::WALL_TIME);
    let zones = Zones::parse(&zones);
    let mut world = World::new(scan).name_server(name_server(), Link::latency(0), zones);
    let old = Script::smtp().legacy(Legacy::new(0x301, &[0x2f]));
    let anonymous = TlsSetup::only_12().rather(Legacy::new(0x303, &[0xa6]));
    let anonymous = Script::smtp().tls(anonymous);
    for number in 1..=addresses {
        let place = tcp(&format!("192.0.2.{number}:25"));
        let script = if number % 2 == 0 { &old } else { &anonymous };
        world = world.listen(place, Link::latency(10), script.clone());
    }
    world
}

#[test]
fn each_takes_its_part_of_the_rate() {
    let run = world(ScanLimits { rate: Some(5), ..hasty() }, 10, 10).jobs(domains(10)).run();
    let begun: Vec<_> = connections(&run).iter().map(|(from, ..)| *from).collect();
    let expected: Vec<_> = (0..20).map(|number| millis(number * 200)).collect();
    assert_eq!(begun, expected);
    for report in run.reports() {
        assert!(report.sessions[0].scouted.as_ref().is_some_and(|it| it.agreed().is_some()));
    }
}

#[test]
fn an_address_and_a_host_have_their_peace() {
    let pause = Duration::from_secs(1);
    let limits = ScanLimits { share: None, per_address: 1, pause, ..ScanLimits::default() };
    let run = world(limits, 2, 8).jobs(domains(8)).run();
    let mut of_each: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (from, to, address) in connections(&run) {
        of_each.entry(address).or_default().push((from, to));
    }
    for (address, visits) in of_each {
        assert_eq!(visits.len(), 8, "{address}");
        for pair in visits.windows(2) {
            assert!(pair[1].0 >= pair[0].1 + pause, "{address}: {pair:?}");
        }
    }
    // What was begun is finished first: one report for two connections.
    let ended: Vec<_> = run.reports().iter().map(|report| report.ended).collect();
    assert!(ended[0] < ended[2] && ended[2] + pause < ended[4], "{ended:?}");
    let limits = ScanLimits { share: None, per_host: 1, ..hasty() };
    let run = world(limits, 1, 6).jobs(domains(6)).run();
    let found = connections(&run);
    assert_eq!(found.len(), 12);
    assert!(found.windows(2).all(|pair| pair[1].0 >= pair[0].1), "{found:?}");
}

#[test]
fn who_is_stopped_before_its_scout_has_its_session() {
    let pause = Duration::from_secs(60);
    for (stop, share) in [
        (Stop::Drain, Some(Duration::from_secs(3600))),
        (Stop::Drain, None),
        (Stop::Now, Some(Duration::from_secs(3600))),
    ] {
        let limits = ScanLimits { share, pause, ..ScanLimits::default() };
        // With the sharing, three domains wait for one server.
        let domains_of_all = if share.is_some() { 6 } else { 2 };
        let run = world(limits, 2, domains_of_all)
            .jobs(domains(domains_of_all))
            .at(5_000, Input::Stop(stop))
            .run();
        assert_eq!(connections(&run).len(), 2);
        let reports = run.reports();
        assert_eq!(reports.len() as u64, domains_of_all);
        for report in reports {
            assert_eq!((&report.outcome, report.untested.len()), (&Outcome::Session, 0));
            assert_eq!((report.sessions.len(), &report.sessions[0].scouted), (1, &None));
        }
    }
}

/// The time for one destination does not cut off what is known already.
#[test]
fn who_has_no_time_for_its_scout_has_its_session() {
    // Waiting for its turn takes none of it.
    let (pause, total) = (Duration::from_secs(60), Duration::from_secs(1));
    let limits = ScanLimits { pause, total, ..ScanLimits::default() };
    for report in world(limits, 2, 6).jobs(domains(6)).run().reports() {
        assert!(report.sessions[0].scouted.as_ref().is_some_and(|it| it.agreed().is_some()));
    }
    // Enough for the first connection, and not for the second.
    let total = Duration::from_millis(130);
    let limits = ScanLimits { total, ..ScanLimits::default() };
    let run = world(limits, 2, 6).jobs(domains(6)).run();
    assert_eq!((connections(&run).len(), run.reports().len()), (4, 6));
    for report in run.reports() {
        assert_eq!((&report.outcome, report.sessions.len()), (&Outcome::Session, 1));
        let scouted = report.sessions[0].scouted.as_ref();
        assert!(scouted.is_none_or(|it| it.flight.is_none()), "{scouted:?}");
    }
}
