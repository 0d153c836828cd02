//! Lookups through real name servers: unbound, which validates, and nsd with a private signed root.
//!
//! `tests/interop/servers run cargo test -p tlsfinger-tests --test names` starts the servers. Without
//! that the tests are skipped, except in CI, where a skipped test is a failure.

use std::env;

use tlsfinger_core::config::{Config, DnssecTrust, Family, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::resolve::{RecordType, ResolvConf, ResolverTest, RouteFinder, TestNames};
use tlsfinger_core::{Machine, Notice, WallTime};
use tlsfinger_tests::told::text;

const ADDRESS: &str = "192.0.2.1";
const NOT_FOUND: &str = "Host or domain name not found. Name service error for";

#[test]
fn secure() {
    if !servers_run() {
        return;
    }
    let told = find("secure.test");
    assert!(told[0].starts_with("tlsa: _25._tcp.postfix.test usable 3 1 1 "), "{told:?}");
    let behind = "mx-secure secure Dane postfix.test,secure.test";
    assert_eq!(
        told[1..],
        [
            format!("postfix.test[{ADDRESS}]:25 {behind}"),
            format!("postfix.test[2001:db8::1]:25 {behind}"),
        ]
    );
    // An alias: the records of the name at its end.
    let told = find("[alias.test]");
    assert!(told[0].starts_with("tlsa: _25._tcp.postfix.test usable 3 1 1 "), "{told:?}");
    assert_eq!(told[1], format!("alias.test[{ADDRESS}]:25 secure Dane postfix.test"));
    // NSEC3, and a denial that it proves.
    let told = find("nsec3.test");
    assert_eq!(
        told[1],
        format!("mail.nsec3.test[{ADDRESS}]:25 mx-secure secure Dane mail.nsec3.test,nsec3.test")
    );
    let none = ["no tlsa".to_owned(), format!("notlsa.nsec3.test[{ADDRESS}]:25 secure Secure")];
    assert_eq!(find("[notlsa.nsec3.test]"), none);
}

#[test]
fn insecure() {
    if !servers_run() {
        return;
    }
    let told = find("insecure.test");
    assert_eq!(told[1], "mx insecure: Dane");
    let behind = "mx-insecure secure HalfDane postfix.test,insecure.test";
    assert_eq!(told[2], format!("postfix.test[{ADDRESS}]:25 {behind}"));
    let none = ["no tlsa".to_owned(), format!("mail.insecure.test[{ADDRESS}]:25 Secure")];
    assert_eq!(find("[mail.insecure.test]"), none);
    // A signed alias into an unsigned zone has records of its own.
    let told = find("[leaving.test]");
    assert!(told[0].starts_with("tlsa: _25._tcp.leaving.test usable 3 1 1 "), "{told:?}");
    assert_eq!(told[1], format!("leaving.test[{ADDRESS}]:25 Dane leaving.test"));
}

#[test]
fn broken() {
    if !servers_run() {
        return;
    }
    for (destination, wanted) in [
        ("null.test", "failed: Domain null.test does not accept mail (nullMX)".to_owned()),
        (
            "bogus.test",
            format!("failed: {NOT_FOUND} name=mail.bogus.test type=A: Host not found, try again"),
        ),
        (
            "[mail.lame.test]",
            format!("failed: {NOT_FOUND} name=mail.lame.test type=AAAA: Host not found, try again"),
        ),
        (
            "nothing.test",
            format!("failed: {NOT_FOUND} name=nothing.test type=AAAA: Host not found"),
        ),
        ("[nolookup.test]", "skipped nolookup.test:25".to_owned()),
    ] {
        assert_eq!(find(destination).last(), Some(&wanted), "{destination}");
    }
}

#[test]
fn answer_that_does_not_fit() {
    if !servers_run() {
        return;
    }
    let told = find("[large.test]");
    let records = told.iter().filter(|line| line.starts_with("tlsa: _25._tcp.large.test usable"));
    assert_eq!(records.count(), 41);
    assert_eq!(told[41..], [format!("large.test[{ADDRESS}]:25 secure Dane large.test")]);
}

#[test]
fn resolver_seen_from_afar() {
    if !servers_run() {
        return;
    }
    let mut lookup = lookup();
    lookup.resolvers = ResolvConf::parse(b"nameserver 198.51.100.54");
    let told = find_with("[postfix.test]", lookup.clone());
    // These zones are not below the Internet's root.
    let last = told.last().expect("told something");
    assert!(last.ends_with("DNSSEC: bogus: no key of . is the one that is trusted"), "{told:?}");
    lookup.dnssec = DnssecTrust::Trust;
    let told = find_with("[postfix.test]", lookup);
    assert_eq!(told[1], format!("postfix.test[{ADDRESS}]:25 secure Dane postfix.test"));
}

#[test]
fn test_of_the_resolver() {
    if !servers_run() {
        return;
    }
    let names = TestNames {
        unsigned: ("mail.insecure.test".to_owned(), RecordType::A),
        bogus: ("mail.bogus.test".to_owned(), RecordType::A),
        ..TestNames::default()
    };
    let report = |conf: &[u8]| {
        let lookup = Lookup { resolvers: ResolvConf::parse(conf), ..Lookup::default() };
        run(|| ResolverTest::new(&lookup, &names, [1; 32], WallTime(0)))
    };
    let good = "udp yes tcp yes edns yes ad yes signatures yes validates yes ad-without-cause no";
    assert_eq!(report(b"nameserver 127.0.0.1"), [good]);
    // An authoritative server is no resolver.
    let authoritative = report(b"nameserver 198.51.100.53");
    assert!(authoritative[0].starts_with("udp yes tcp yes edns yes ad no signatures yes"));
}

fn find(destination: &str) -> Vec<String> {
    find_with(destination, lookup())
}

fn find_with(destination: &str, lookup: Lookup) -> Vec<String> {
    let host = destination.trim_matches(['[', ']']).to_owned();
    let literal = destination.starts_with('[');
    let place = Place::Inet { host, literal, service: None, port: 25 };
    let destination = Destination { text: destination.to_owned(), place };
    let config = Config { destination, lookup, family: Family::V4, ..Config::default() };
    run(|| RouteFinder::new(&config, [1; 32], WallTime(0)))
}

fn lookup() -> Lookup {
    Lookup { dnssec: DnssecTrust::Auto, ..Lookup::default() }
}

/// Runs a machine under both drivers, which have to tell the same.
fn run<M: Machine + Send>(new: impl Fn() -> M) -> Vec<String> {
    let mut blocking = Vec::new();
    let mut smol = Vec::new();
    let line = |notice: Notice| match notice {
        Notice::Event(event) => text(&event),
        Notice::Report(report) => format!("{report:?}"),
        Notice::Want(count) => format!("{count}"),
    };
    tlsfinger_blocking::run(&mut new(), |notice| blocking.push(line(notice))).expect("runs");
    smol::block_on(tlsfinger_smol::run(&mut new(), |notice| smol.push(line(notice))));
    assert_eq!(blocking, smol, "the drivers differ");
    blocking
}

#[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
fn servers_run() -> bool {
    let found = env::var_os("TLSFINGER_INTEROP").is_some();
    if !found {
        assert!(env::var_os("CI").is_none(), "CI has to start tests/interop/servers");
        eprintln!("skipped: no servers; see tests/interop/servers");
    }
    found
}
