//! DANE from the name server to the verdict: every kind of TLSA record, right and wrong, in the
//! virtual world (RFC 6698 section 2.1).

use std::net::SocketAddr;
use std::sync::Arc;

use tlsfinger_core::cert::{Certificate, Digest};
use tlsfinger_core::config::{Config, Level, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::judge::{Match, Status, Verdict};
use tlsfinger_tests::certs::{self, Identity, KeyType};
use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::playbook;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, World};
use tlsfinger_tests::zones::Zones;

/// Probes a domain whose only mail host has these TLSA records.
fn verdict(identity: &Arc<Identity>, records: &[String]) -> Arc<Verdict> {
    let name_server = SocketAddr::from(([192, 0, 2, 53], 53));
    let resolvers = Lookup::default().resolvers.with_server(name_server.into());
    let place = Place::Inet { host: "example.org".into(), literal: false, service: None, port: 25 };
    let config = Config {
        destination: Destination { text: "example.org".into(), place },
        level: Level::Dane,
        lookup: Lookup { resolvers, ..Lookup::default() },
        ..setting::config()
    };
    let mut zones = "@secure .
        example.org    MX 10 mx.example.org
        mx.example.org A 192.0.2.1\n"
        .to_owned();
    for record in records {
        zones += &format!("_25._tcp.mx.example.org TLSA {record}\n");
    }
    let tls = TlsSetup::only_13().identity(identity.clone());
    let run = World::new(setting::probe(&config))
        .name_server(name_server, Link::latency(1), Zones::parse(&zones))
        .listen(playbook::tcp("192.0.2.1:25"), Link::latency(1), Script::smtp().tls(tls))
        .run();
    run.report().sessions[0].verdict.clone().expect("there was TLS")
}

/// Writes the record of a certificate.
fn record(usage: u8, selector: u8, matching: u8, der: &[u8]) -> String {
    let certificate = Certificate::parse(der.to_vec().into()).expect("is a certificate");
    let data = if selector == 0 { certificate.der() } else { certificate.spki() };
    let data = match matching {
        0 => data.to_vec(),
        1 => Digest::Sha256.of(&[data]),
        _ => Digest::Sha512.of(&[data]),
    };
    let hex: String = data.iter().map(|octet| format!("{octet:02X}")).collect();
    format!("{usage} {selector} {matching} {hex}")
}

#[test]
fn every_kind_of_record_right_and_wrong() {
    let (server, stranger) = (certs::server(KeyType::P256), certs::small());
    for usage in [2, 3] {
        for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let vouching = if usage == 2 { &server.chain[1] } else { &server.chain[0] };
            let right = record(usage, selector, matching, vouching);
            let verdict_of = |record: &str| verdict(&server, &[record.to_owned()]);
            let good = verdict_of(&right);
            assert_eq!((good.status, &good.reason), (Status::Verified, &None), "{right}");
            let matched = match (usage, &good.matched) {
                (2, Some(Match::DaneTa(1, tlsa) | Match::DaneTaKey(0, tlsa))) => tlsa,
                (3, Some(Match::DaneEe(tlsa))) => tlsa,
                other => panic!("{right}: {other:?}"),
            };
            assert_eq!(
                (matched.usage, matched.selector, matched.matching),
                (usage, selector, matching)
            );
            // Names count below a trust anchor only (RFC 7672 section 3.1.1).
            assert_eq!(good.peername.is_some(), usage == 2, "{right}");
            let wrong = record(usage, selector, matching, &stranger.chain[0]);
            let bad = verdict_of(&wrong);
            assert_eq!((bad.status, &bad.matched), (Status::Untrusted, &None), "{wrong}");
            assert_eq!(
                bad.reason.as_ref().map(|reason| reason.error.number()),
                Some(65),
                "{wrong}"
            );
            // A wrong record beside the right one changes nothing.
            assert_eq!(verdict(&server, &[wrong, right]).status, Status::Verified);
        }
    }
}
