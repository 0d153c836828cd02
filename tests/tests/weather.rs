//! Whatever the network does to a probe of a domain with one server: either there is no session, or
//! the verdict is what it would have been in fair weather.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tlsfinger_core::Probe;
use tlsfinger_core::config::{Config, DnssecTrust, HostLookup, Level, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::report::{Report, Verdict};
use tlsfinger_tests::certs::{self, Identity, KeyType};
use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::world::{How, Link, Run, World};
use tlsfinger_tests::zones::Zones;
use tlsfinger_tests::{playbook, setting};

const NAME_SERVER: ([u8; 4], u16) = ([192, 0, 2, 53], 53);

/// What the domain's TLSA record says of its server.
#[derive(Clone, Copy, Debug)]
enum Record {
    Right,
    Wrong,
    Missing,
}

fn run(
    level: Level,
    record: Record,
    identity: &Arc<Identity>,
    [dns, mail]: [Link; 2],
) -> Run<Probe> {
    let name_server = SocketAddr::from(NAME_SERVER);
    let resolvers = Lookup::default().resolvers.with_server(name_server.into());
    let hosts = HostLookup { dns: true, native: false };
    let place = Place::Inet { host: "d.test".to_owned(), literal: false, service: None, port: 25 };
    let config = Config {
        destination: Destination { text: "d.test".to_owned(), place },
        level,
        lookup: Lookup { hosts, resolvers, dnssec: DnssecTrust::Trust, ..Lookup::default() },
        ..setting::config()
    };
    let tlsa = match record {
        Record::Right => format!("_25._tcp.mx.d.test TLSA {}", certs::tlsa(KeyType::P256)),
        Record::Wrong => format!("_25._tcp.mx.d.test TLSA 3 1 1 {}", "00".repeat(32)),
        Record::Missing => String::new(),
    };
    let zones = format!("@secure .\nd.test MX 10 mx.d.test\nmx.d.test A 192.0.2.1\n{tlsa}");
    let script = Script::smtp().tls(TlsSetup::default().identity(identity.clone()));
    World::new(setting::probe(&config))
        .name_server(name_server, dns, Zones::parse(&zones))
        .listen(playbook::tcp("192.0.2.1:25"), mail, script)
        .run()
}

fn verdicts(report: &Report) -> Vec<&Verdict> {
    report.sessions.iter().filter_map(|session| session.verdict.as_deref()).collect()
}

/// What may happen to datagrams.
fn dns_weather() -> impl Strategy<Value = Link> {
    let numbers = || prop::collection::vec(0_u64..8, 0..4);
    let late = prop::collection::vec((0_u64..8, 0_u64..12_000), 0..3);
    (0_u64..3_000, numbers(), numbers(), late).prop_map(|(latency, lost_in, lost_out, late)| {
        // Those that are late come out of order.
        let link = Link::latency(latency).lose_in(lost_in).lose_out(lost_out);
        late.into_iter().fold(link, |link, (number, millis)| {
            link.delay_in(number, Duration::from_millis(millis))
        })
    })
}

/// What may happen to a stream.
fn mail_weather() -> impl Strategy<Value = Link> {
    let pieces = prop::collection::vec(1_usize..2_000, 1..4);
    let how = prop_oneof![Just(How::End), Just(How::Reset), Just(How::BlackHole)];
    let cut = || prop::option::weighted(0.3, (0_u64..3_000, how.clone()));
    (0_u64..9_000, pieces, 0_u64..500, cut(), cut()).prop_map(
        |(latency, pieces, gap, cut_in, cut_out)| {
            let gap = Duration::from_millis(gap);
            let link = Link::latency(latency).pieces_in(pieces).gap_in(gap);
            let link = cut_in.into_iter().fold(link, |link, (at, how)| link.cut_in(at, how));
            cut_out.into_iter().fold(link, |link, (at, how)| link.cut_out(at, how))
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_weather_never_changes_a_verdict(
        dns in dns_weather(),
        mail in mail_weather(),
        level in prop_oneof![Just(Level::Dane), Just(Level::DaneOnly), Just(Level::Secure), Just(Level::May)],
        record in prop_oneof![Just(Record::Right), Just(Record::Wrong), Just(Record::Missing)],
    ) {
        let identity = certs::server(KeyType::P256);
        let fair = run(level, record, &identity, [Link::default(), Link::default()]);
        let foul = run(level, record, &identity, [dns, mail]);
        let expected = verdicts(fair.report());
        prop_assert_eq!(expected.len(), 1);
        for verdict in verdicts(foul.report()) {
            prop_assert_eq!(verdict, expected[0]);
        }
    }
}
