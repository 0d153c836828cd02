//! How much at once, how fast, how often: on the exact virtual clock.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tlsfinger_core::config::{Blocklist, DnssecTrust, ScanConfig, ScanLimits};
use tlsfinger_core::destination::Place;
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{Outcome, Step, StepProblem, Untested};
use tlsfinger_core::resolve::TrustAnchors;
use tlsfinger_core::{Input, Instant, Output, Scan};
use tlsfinger_tests::certs;
use tlsfinger_tests::peer::{Answer, Host, Script};
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, Word, World};
use tlsfinger_tests::zones::Zones;

use super::{Servers, connections, domain, domains, hasty, millis, name_server, probe, scan};

/// A world in which domain `dN.test` has the servers `192.0.2.1` up to the count.
fn world(limits: ScanLimits, addresses: u64, domains: u64, script: &Script) -> World<Scan> {
    let mut zones = "@secure .\n".to_owned();
    for number in 0..domains {
        zones += &format!("d{number}.test MX 10 mx{}.test\n", number % addresses);
    }
    for number in 0..addresses {
        zones += &format!("mx{number}.test A 192.0.2.{}\n", number + 1);
    }
    let world = World::new(scan(limits));
    let mut world = world.name_server(name_server(), Link::latency(0), Zones::parse(&zones));
    for number in 1..=addresses {
        let place = tcp(&format!("192.0.2.{number}:25"));
        world = world.listen(place, Link::latency(10), script.clone());
    }
    world
}

/// How long a visit takes here.
const VISIT: u64 = 100;

#[test]
fn an_address_has_its_peace() {
    let limits = ScanLimits {
        share: None,
        per_address: 2,
        pause: Duration::from_secs(1),
        ..ScanLimits::default()
    };
    let run = world(limits, 2, 12, &Script::smtp()).jobs(domains(12)).run();
    let mut begun: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (from, to, address) in connections(&run) {
        assert_eq!(to, from + Duration::from_millis(VISIT));
        begun.entry(address).or_default().push(from);
    }
    // Two at a time, and the next two a second after.
    let wave = |number: u64| millis(number * (VISIT + 1000));
    let expected = vec![wave(0), wave(0), wave(1), wave(1), wave(2), wave(2)];
    assert_eq!(begun.into_values().collect::<Vec<_>>(), [expected.clone(), expected]);
}

#[test]
fn a_host_and_the_whole_scan_have_their_limits() {
    let most = |limits: ScanLimits| {
        let run = world(limits, 6, 24, &Script::smtp()).jobs(domains(24)).run();
        assert!(run.reports().iter().all(|report| report.outcome == Outcome::Session));
        let connections = connections(&run);
        assert_eq!(connections.len(), 24);
        let at_once =
            |at| connections.iter().filter(move |(from, to, _)| (*from..*to).contains(&at));
        connections.iter().map(|(from, ..)| at_once(*from).count()).max().unwrap()
    };
    let limits = || ScanLimits { share: None, ..hasty() };
    assert_eq!(most(limits()), 12);
    assert_eq!(most(ScanLimits { connections: 5, ..limits() }), 5);
    assert_eq!(most(ScanLimits { per_host: 1, ..limits() }), 6);
    assert_eq!(most(ScanLimits { per_address: 4, ..limits() }), 24);
    assert_eq!(most(ScanLimits { destinations: 3, ..limits() }), 3);
    // DNS has its part: two attempts at one question at a time, and a stream.
    assert_eq!(most(ScanLimits { transports: 10, ..limits() }), 7);
}

/// The most transports that were open at once.
fn most_open(run: &Run<Scan>) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for (_, word) in &run.log {
        match word {
            Word::Out(Output::Open(..)) => open += 1,
            Word::In(Input::Ended(_) | Input::Failed(..)) => open -= 1,
            Word::Out(_) | Word::In(_) => {}
        }
        most = most.max(open);
    }
    most
}

#[test]
fn transports_are_never_more_than_allowed() {
    for transports in [3, 10, 40] {
        let servers = Servers::new();
        let limits = ScanLimits { transports, share: None, ..hasty() };
        let run = servers.world(scan(limits), 40).jobs(domains(40)).run();
        let most = most_open(&run);
        assert!(most <= transports && most * 2 > transports, "{most} of {transports}");
    }
}

#[test]
fn validation_takes_no_more_transports_either() {
    // A zone with keys for each domain below another, hosts that are aliases, questions that are lost,
    // and two name servers, one of which has to be asked over TCP.
    let count = 16;
    let mut zones = "@sign . 13\n@sign test 13\n@server 192.0.2.54 truncated\n".to_owned();
    for number in 0..count {
        zones += &format!(
            "@sign d{number}.test 13\n\
             d{number}.test MX 10 mx.d{number}.test\n\
             mx.d{number}.test CNAME host.d{number}.test\n\
             host.d{number}.test A 192.0.2.1\n"
        );
        if number % 3 == 0 {
            zones += &format!("@fault d{number}.test * lossy\n");
        }
    }
    let zones = Zones::parse(&zones);
    for transports in [7, 30, 120] {
        let anchors = TrustAnchors::parse(zones.anchor().as_bytes()).unwrap();
        let mut probe = probe();
        probe.lookup.dnssec = DnssecTrust::Local;
        probe.lookup.trust_anchors = Arc::new(anchors);
        let second = SocketAddr::from(([192, 0, 2, 54], 53));
        probe.lookup.resolvers.servers.push(second.into());
        probe.lookup.resolvers.rotate = true;
        let limits = ScanLimits { transports, ..hasty() };
        let config = ScanConfig { probe, limits, ..ScanConfig::default() };
        let run = World::new(Scan::new(config, setting::SEED, setting::WALL_TIME))
            .name_server(name_server(), Link::latency(20), zones.clone())
            .name_server(second, Link::latency(20), zones.clone())
            .listen(tcp("192.0.2.1:25"), Link::latency(10), Script::smtp())
            .jobs(domains(count))
            .run();
        for report in run.reports() {
            assert_eq!(report.outcome, Outcome::Session, "{report:?}");
            assert!(report.route.hosts[0].addresses[0].secure, "{report:?}");
        }
        let most = most_open(&run);
        assert!(most <= transports, "{most} of {transports}");
    }
}

#[test]
fn connections_are_spread_over_time() {
    let limits = ScanLimits { share: None, rate: Some(5), ..hasty() };
    let run = world(limits, 30, 30, &Script::smtp()).jobs(domains(30)).run();
    let begun: Vec<_> = connections(&run).iter().map(|(from, ..)| *from).collect();
    let expected: Vec<_> = (0..30).map(|number| millis(number * 200)).collect();
    assert_eq!(begun, expected);
}

/// Accepts connections by one script so many times, then by another.
struct First(Mutex<usize>, Script, Script);

impl Host for First {
    fn accept(&self) -> Box<dyn tlsfinger_tests::peer::Peer> {
        let mut left = self.0.lock().unwrap();
        match left.checked_sub(1) {
            Some(less) => {
                *left = less;
                self.1.accept()
            }
            None => self.2.accept(),
        }
    }
}

#[test]
fn who_refuses_for_now_is_asked_later() {
    let run = |refusals: usize, busy: Script| {
        let limits = ScanLimits { retries: 2, retry_after: Duration::from_secs(30), ..hasty() };
        let place: Endpoint = tcp("192.0.2.1:25");
        world(limits, 1, 3, &Script::smtp())
            .listen(place, Link::latency(10), First(Mutex::new(refusals), busy, Script::smtp()))
            .jobs(domains(3))
            .run()
    };
    let busy = || Script::smtp().greeting("421 too busy\r\n");
    let begun = |run: &tlsfinger_tests::world::Run<Scan>| -> Vec<u64> {
        connections(run).iter().map(|(from, ..)| from.as_micros() / 1000).collect()
    };
    // The refusal comes 20 ms after the beginning of a connection. Each pause is twice as long.
    let patient = run(2, busy());
    assert_eq!(begun(&patient), [0, 30_020, 90_040]);
    assert!(patient.reports().iter().all(|report| report.sessions[0].verdict.is_some()));
    // So often and no more; what was said is data.
    let hopeless = run(9, busy());
    assert_eq!(begun(&hopeless), [0, 30_020, 90_040]);
    for report in hopeless.reports() {
        let problems = &report.sessions[0].observation.problems;
        assert!(
            matches!(&problems[..], [(Step::Greeting, StepProblem::Refused(reply))] if reply.code == 421),
            "{problems:?}"
        );
    }
    // Later refusals count too, permanent ones do not.
    let tls_later = Script::smtp().on("STARTTLS", "454 not now\r\n");
    assert_eq!(begun(&run(1, tls_later)).len(), 2);
    assert_eq!(begun(&run(1, Script::smtp().greeting("554 never\r\n"))).len(), 1);
}

#[test]
fn a_destination_has_its_time() {
    // One of two servers is silent; the other is known by then.
    let zones = "@secure .
        d0.test MX 10 mx0.test
        d0.test MX 10 mx1.test
        d1.test MX 10 mx1.test
        mx0.test A 192.0.2.1
        mx1.test A 192.0.2.2\n";
    let limits = ScanLimits { total: Duration::from_secs(10), ..hasty() };
    let silent = Script::smtp().greeting(Answer::silence());
    let run = World::new(scan(limits))
        .name_server(name_server(), Link::latency(0), Zones::parse(zones))
        .listen(tcp("192.0.2.1:25"), Link::latency(10), Script::smtp())
        .listen(tcp("192.0.2.2:25"), Link::latency(10), silent)
        .jobs(domains(2))
        .run();
    assert_eq!(connections(&run).len(), 2);
    for report in run.reports() {
        assert_eq!(report.ended, millis(10_000), "{report:?}");
        let (outcome, sessions) = match report.number {
            0 => (Outcome::Session, 2),
            _ => (Outcome::TimedOut, 1),
        };
        let untested: Vec<_> =
            report.untested.iter().map(|(peer, why)| (&*peer.name, *why)).collect();
        assert_eq!(untested, [("mx1.test", Untested::TimedOut)]);
        assert!(report.outcome == outcome || sessions == report.sessions.len(), "{report:?}");
    }
}

#[test]
fn who_is_blocked_is_left_alone() {
    let zones = "@secure .
        d0.test MX 10 mx0.test
        d0.test MX 20 mx1.test
        d1.test MX 10 mx1.test
        d2.test MX 10 mx.closed.test
        d3.test MX 10 mx0.test
        mx0.test A 192.0.2.1
        mx1.test A 198.51.100.1
        mx.closed.test A 192.0.2.1\n";
    let mut blocklist = Blocklist::default();
    for entry in ["198.51.100.0/24", "closed.test", "d3.test"] {
        blocklist.add(entry).unwrap();
    }
    let config = ScanConfig { probe: probe(), limits: hasty(), blocklist };
    let run = World::new(Scan::new(config, setting::SEED, setting::WALL_TIME))
        .name_server(name_server(), Link::latency(0), Zones::parse(zones))
        .listen(tcp("192.0.2.1:25"), Link::latency(10), Script::smtp())
        .jobs(domains(4).into_iter().chain([domain(4, "www.closed.test")]))
        .run();
    assert_eq!(connections(&run).len(), 1);
    let found: BTreeMap<_, _> = run
        .reports()
        .iter()
        .map(|report| {
            let blocked = report.untested.iter().filter(|(_, why)| *why == Untested::Blocked);
            (report.number, (report.outcome.clone(), blocked.count(), report.sessions.len()))
        })
        .collect();
    assert_eq!(found[&0], (Outcome::Session, 1, 1));
    assert_eq!(found[&1], (Outcome::Blocked, 1, 0));
    assert_eq!(found[&2], (Outcome::Blocked, 1, 0));
    assert_eq!(found[&3], (Outcome::Blocked, 0, 0));
    assert_eq!(found[&4], (Outcome::Blocked, 0, 0));
}

#[test]
fn waiting_for_its_turn_takes_no_time_of_a_destination() {
    let total = Duration::from_secs(5);
    let zones = |domains: u64| -> String {
        let of = |number| format!("d{number}.test MX 10 mx1.test\nd{number}.test MX 20 mx2.test\n");
        let hosts = "mx1.test A 192.0.2.1\nmx2.test A 192.0.2.2\n";
        "@secure .\n".to_owned() + hosts + &(0..domains).map(of).collect::<String>()
    };
    let run = |limits: ScanLimits, script: Script| {
        World::new(scan(ScanLimits { total, share: None, ..limits }))
            .name_server(name_server(), Link::latency(0), Zones::parse(&zones(30)))
            .listen(tcp("192.0.2.1:25"), Link::latency(10), script)
            .listen(tcp("192.0.2.2:25"), Link::latency(10), Script::smtp())
            .jobs(domains(30))
            .run()
    };
    // All 60 connections take a minute by the rate, and far longer by the pauses.
    for limits in [
        ScanLimits { rate: Some(1), ..hasty() },
        ScanLimits { pause: Duration::from_secs(20), per_address: 1, ..hasty() },
    ] {
        let run = run(limits, Script::smtp());
        assert!(run.ended_at() > millis(59_000));
        for report in run.reports() {
            assert_eq!((report.sessions.len(), &report.untested[..]), (2, &[][..]));
        }
    }
    // What counts is the time of its connections, also of several one after the other.
    let slow =
        Script::smtp().greeting(Answer::silence().pause(Duration::from_secs(3)).say("220 \r\n"));
    let limits = ScanLimits { connections: 1, ..hasty() };
    let slower = slow.clone().on("EHLO", Answer::silence().pause(Duration::from_secs(3)));
    for (script, sessions, times_out) in [(slow, 2, false), (slower, 1, true)] {
        let run = run(limits.clone(), script);
        for report in run.reports() {
            let untested: Vec<_> = report.untested.iter().map(|it| it.1).collect();
            assert_eq!(untested.contains(&Untested::TimedOut), times_out, "{report:?}");
            assert!(report.sessions.len() >= sessions, "{report:?}");
        }
    }
}

#[test]
fn an_address_that_refuses_everybody_is_given_up() {
    // Each domain has a host of its own at one address, and TLSA records, so that no two share.
    let count = 30;
    let pin = certs::tlsa(certs::KeyType::P256);
    let host = |number| {
        format!(
            "d{number}.test MX 10 mx{number}.test\n\
             mx{number}.test A 192.0.2.1\n\
             _25._tcp.mx{number}.test TLSA {pin}\n"
        )
    };
    let zones = "@secure .\n".to_owned() + &(0..count).map(host).collect::<String>();
    let limits = ScanLimits { retries: 2, retry_after: Duration::from_secs(30), ..hasty() };
    let run = |accepts: bool| {
        let busy = Script::smtp().greeting("421 not you\r\n");
        let refusals = if accepts { 3 } else { usize::MAX };
        World::new(scan(limits.clone()))
            .name_server(name_server(), Link::latency(0), Zones::parse(&zones))
            .listen(
                tcp("192.0.2.1:25"),
                Link::latency(10),
                First(Mutex::new(refusals), busy, Script::smtp()),
            )
            .jobs(domains(count))
            .run()
    };
    // Somebody who comes to his senses is asked everything.
    let patient = run(true);
    assert!(patient.reports().iter().all(|it| it.sessions[0].verdict.is_some()));
    let hopeless = run(false);
    let mut told = [0, 0];
    for report in hopeless.reports() {
        match &report.outcome {
            Outcome::Refused => {
                assert_eq!(report.untested[0].1, Untested::Refused);
                assert_eq!((report.untested.len(), report.sessions.len()), (1, 0));
                told[0] += 1;
            }
            Outcome::Session => {
                let problems = &report.sessions[0].observation.problems;
                assert!(matches!(problems[..], [(Step::Greeting, StepProblem::Refused(_))]));
                told[1] += 1;
            }
            outcome => panic!("{outcome:?}"),
        }
    }
    // Who was asked at all has what the server said; minutes, not hours.
    assert_eq!(told.iter().sum::<usize>(), count as usize);
    assert!(told[1] >= 1 && told[1] <= 9, "{told:?}");
    assert!(hopeless.ended_at() <= Instant::from_elapsed(Duration::from_secs(1800)));
}

#[test]
fn ports_are_visited_apart_and_their_address_has_its_peace() {
    let zones = "@secure .
        d0.test MX 10 mx.test
        mx.test A 192.0.2.1
        mx.test AAAA 2001:db8::1\n";
    let pause = Duration::from_secs(1);
    let limits = ScanLimits { per_address: 1, pause, ..ScanLimits::default() };
    let mut world =
        World::new(scan(limits)).name_server(name_server(), Link::latency(0), Zones::parse(zones));
    let mut jobs = Vec::new();
    for (number, port) in [(0, 25), (1, 587), (2, 2525), (3, 587)] {
        for host in ["192.0.2.1", "[2001:db8::1]"] {
            let place = tcp(&format!("{host}:{port}"));
            world = world.listen(place, Link::latency(10), Script::smtp());
        }
        let mut job = domain(number, "d0.test");
        if let Place::Inet { port: of_job, .. } = &mut job.destination.place {
            *of_job = port;
        }
        jobs.push(job);
    }
    let run = world.jobs(jobs).run();
    for report in run.reports() {
        let peers = report.sessions.iter().map(|session| session.observation.peer.to_string());
        let port = [25, 587, 2525, 587][report.number as usize];
        let expected =
            [format!("mx.test[192.0.2.1]:{port}"), format!("mx.test[2001:db8::1]:{port}")];
        assert_eq!(peers.collect::<BTreeSet<_>>(), expected.into());
    }
    let mut of_each: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (from, to, address) in connections(&run) {
        of_each.entry(address.ip()).or_default().push((from, to, address.port()));
    }
    assert_eq!(of_each.len(), 2);
    for visits in of_each.into_values() {
        // Port 587 is shared.
        let ports: BTreeSet<_> = visits.iter().map(|(.., port)| *port).collect();
        assert_eq!((visits.len(), ports), (3, [25, 587, 2525].into()));
        assert!(visits.windows(2).all(|pair| pair[1].0 >= pair[0].1 + pause), "{visits:?}");
    }
}
