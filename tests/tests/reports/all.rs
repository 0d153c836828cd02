//! `--all`.

use std::net::Ipv4Addr;

use serde_json::Value;
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::domain::{self, Domain};
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::program;

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

fn domain() -> Domain {
    Domain::start(FIRST, (Ipv4Addr::LOCALHOST, 0).into()).unwrap()
}

fn run(domain: &Domain, options: &[&str]) -> (String, Option<i32>) {
    let scratch = Scratch::new().unwrap();
    let (resolver, destination) =
        (domain.names.address().to_string(), format!("d.test:{}", domain.port));
    let words = [&["--resolver", &resolver, "--all", "--exit-code"], options, &[&destination]];
    let output = program::run(scratch.path(), &words.concat());
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

fn listen(scripts: &[Script]) -> (u16, Vec<Loopback>) {
    domain::listen(FIRST, scripts).unwrap()
}

#[test]
fn table_roll_up_and_json_agree() {
    let domain = domain();
    let (text, status) = run(&domain, &[]);
    assert_eq!(status, Some(2), "{text}");
    assert!(text.lines().all(|line| line.len() <= 80), "{text}");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("  TLSv1")).collect();
    let cells = |row: &str| {
        let words: Vec<_> = row.split_whitespace().collect();
        let last = words[words.len() - 1];
        (words[0].to_owned(), words[3].to_owned(), last.to_owned())
    };
    let found: Vec<_> = rows.iter().map(|row| cells(row)).collect();
    let row = |version: &str, key: &str, status: &str| {
        (version.to_owned(), key.to_owned(), status.to_owned())
    };
    let (v12, v13) = ("TLSv1.2", "TLSv1.3");
    // Addresses of one host come in any order, so they are compared as sets.
    let sorted = |mut rows: Vec<_>| {
        rows.sort();
        rows
    };
    let expected = [
        row(v13, "ECDSA", "Verified"),
        row(v13, "RSA", "Untrusted"),
        row(v12, "ECDSA", "Verified"),
        row(v12, "RSA", "Untrusted"),
        row(v13, "ECDSA", "Verified"),
        // DANE-EE pays no heed to dates.
        row(v13, "ECDSA", "Verified"),
        row(v13, "RSA", "Untrusted"),
        row(v13, "RSA", "Untrusted"),
    ];
    assert_eq!(sorted(found), sorted(expected.into()), "{text}");
    assert_eq!(text.matches(" 2021-01-01 ").count(), 1, "{text}");
    assert_eq!(text.lines().last(), Some("worst: 2 not satisfied (tlsa-invalid)"), "{text}");

    let (json, status) = run(&domain, &["--json"]);
    let document: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((status, &document["exit_status"]), (Some(2), &2.into()));
    assert_eq!(document["scope"], "every");
    let sessions = document["sessions"].as_array().unwrap();
    let statuses = sessions.iter().map(|session| {
        let tls = &session["tls"]["version"];
        let key = &session["chain"]["certificates"][0]["fields"]["key"]["algorithm"];
        let key = if key == "EC" { "ECDSA" } else { key.as_str().unwrap() };
        row(tls.as_str().unwrap(), key, session["verdict"]["status"].as_str().unwrap())
    });
    assert_eq!(sorted(statuses.collect()), sorted(rows.iter().map(|row| cells(row)).collect()));
    // Two runs, each with two connections to every server, one for each kind of key.
    for journal in &domain.journals {
        assert_eq!(journal.lines().iter().filter(|line| *line == "open").count(), 4);
    }
}

#[test]
fn hosts_without_address_and_unreachable_ones_count() {
    let (port, servers) = listen(&[Script::smtp()]);
    let zones = "d.test MX 10 mx1.d.test\nd.test MX 20 mx2.d.test\nd.test MX 30 mx3.d.test\n\
                 mx1.d.test A 127.0.0.2\nmx2.d.test A 127.0.0.3\n";
    let names = DnsServer::start(zones).unwrap();
    let scratch = Scratch::new().unwrap();
    let (resolver, destination) = (names.address().to_string(), format!("d.test:{port}"));
    let words = ["--resolver", &resolver, "--all", "--exit-code", "-lmay", &destination];
    let output = program::run(scratch.path(), &words);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("  no connection: Connection refused\n"), "{text}");
    assert!(text.contains(&format!("mx3.d.test:{port}\n  Host or domain name not found.")));
    assert_eq!(output.status.code(), Some(6), "{text}");
    drop(servers);
}

#[test]
fn a_hundred_mail_hosts_are_too_many() {
    let (port, servers) = listen(&[Script::smtp()]);
    let zones = (0..100).map(|n| format!("d.test MX 10 h{n}.d.test\nh{n}.d.test A 127.0.0.2\n"));
    let names = DnsServer::start(&zones.collect::<String>()).unwrap();
    let scratch = Scratch::new().unwrap();
    let (resolver, destination) = (names.address().to_string(), format!("d.test:{port}"));
    let words = ["--resolver", &resolver, "--all", "-lmay", &destination];
    let output = program::run(scratch.path(), &words);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(text.matches("  TLSv1.3 ").count(), 64, "{text}");
    assert_eq!(text.lines().last(), Some("36 more addresses were left out"));
    drop(servers);
}
