//! Whose turn it is: nobody is starved, and the order is that of the seed.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use tlsfinger_core::config::{ScanConfig, ScanLimits};
use tlsfinger_core::{Instant, Scan, Seed};
use tlsfinger_tests::peer::{Answer, Script};
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, World};
use tlsfinger_tests::zones::Zones;

use super::{connections, domains, hasty, millis, name_server, probe, scan};

#[test]
fn a_slow_address_that_most_of_a_list_leads_to() {
    // 192.0.2.1 takes five seconds for a visit, and 190 domains in front lead there; 50 others do not.
    let slow = 190;
    let run = |from: u64| {
        let mx = |number| if number < slow { 1 } else { number % 5 + 2 };
        let zones: String = (0..240)
            .map(|number| format!("d{number}.test MX 10 mx{}.test\n", mx(number)))
            .chain((1..7).map(|number| format!("mx{number}.test A 192.0.2.{number}\n")))
            .collect();
        let limits = ScanLimits { share: None, connections: 20, ..hasty() };
        let greeting = Answer::silence().pause(Duration::from_secs(5)).say("220 mx.test\r\n");
        let mut world = World::new(scan(limits))
            .name_server(name_server(), Link::latency(1), Zones::parse(&zones))
            .listen(tcp("192.0.2.1:25"), Link::latency(10), Script::smtp().greeting(greeting));
        for number in 2..7 {
            let place = tcp(&format!("192.0.2.{number}:25"));
            world = world.listen(place, Link::latency(10), Script::smtp());
        }
        world.jobs(domains(240).into_iter().skip(from as usize)).run()
    };
    let others_end = |run: &Run<Scan>| -> Instant {
        let others = run.reports().into_iter().filter(|report| report.number >= slow);
        others.map(|report| report.ended).max().unwrap()
    };
    let (mixed, alone) = (run(0), run(slow));
    assert_eq!((mixed.reports().len(), alone.reports().len()), (240, 50));
    // Two at a time, for 5.1 seconds each.
    assert!(mixed.ended_at() > millis(480_000));
    let (with, without) = (others_end(&mixed), others_end(&alone));
    assert!(with <= without + Duration::from_millis(100), "{with:?} {without:?}");
}

/// The addresses of the connections of a scan, one at a time, of domains that lead to ten servers.
fn order(seed: Seed) -> Vec<IpAddr> {
    let mut zones: String =
        (0..60).map(|number| format!("d{number}.test MX 10 mx{}.test\n", number / 6)).collect();
    for number in 0..10 {
        zones += &format!("mx{number}.test A 192.0.2.{}\n", number + 1);
    }
    let limits = ScanLimits { share: None, connections: 1, per_address: 1, ..hasty() };
    let config = ScanConfig { probe: probe(), limits, ..ScanConfig::default() };
    let machine = Scan::new(config, seed, setting::WALL_TIME);
    let mut world =
        World::new(machine).name_server(name_server(), Link::latency(0), Zones::parse(&zones));
    for number in 1..=10 {
        let place = tcp(&format!("192.0.2.{number}:25"));
        world = world.listen(place, Link::latency(10), Script::smtp());
    }
    let run = world.jobs(domains(60)).run();
    connections(&run).into_iter().map(|(.., address)| address.ip()).collect()
}

#[test]
fn every_server_has_its_turn_in_an_order_by_the_seed() {
    let first = order([1; 32]);
    assert_eq!(first.len(), 60);
    // All names are known from the start. Nobody has a second turn before all had their first.
    for round in first.chunks(10) {
        assert_eq!(round.iter().collect::<BTreeSet<_>>().len(), 10, "{first:?}");
    }
    assert_eq!(first, order([1; 32]));
    let others: BTreeSet<_> = (2..8).map(|seed| order([seed; 32])).collect();
    assert!(others.len() > 3 && !others.contains(&first));
    assert!(!first[..10].is_sorted(), "{first:?}");
}
