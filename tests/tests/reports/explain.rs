//! `--explain`.

use tlsfinger_tests::certs::{self, KeyType};

use crate::outcomes::{cause, causes};

/// Runs the program without the dialogue, and keeps what follows the reference's lines.
fn explanation(name: &str) -> String {
    let output = cause(name).run(&["-c", "--explain"]);
    let text = String::from_utf8(output.stdout).unwrap();
    let ours = text.lines().filter(|line| !line.starts_with("tlsfinger: "));
    ours.map(|line| line.to_owned() + "\n").collect()
}

fn field<'a>(text: &'a str, label: &str) -> &'a str {
    let start = format!("  {label:10}");
    text.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default()
}

#[test]
fn names_dates_and_the_record_that_dane_needs() {
    let text = explanation("wrong name");
    assert_eq!(field(&text, "Verdict"), "Trusted, level verify: the policy is not satisfied");
    assert_eq!(field(&text, "Reason"), "hostname mismatch (the server's certificate)");
    assert_eq!(field(&text, "With names"), "other.test");
    assert_eq!(field(&text, "With trust"), "1 trusted CA certificates");
    assert_eq!(field(&text, "Names"), "mx.example.org");
    assert_eq!(field(&text, "Issuer"), "/CN=Test Root");
    assert!(field(&text, "Valid").starts_with("2020-01-01 to 2100-01-01, "), "{text}");
    assert_eq!(field(&text, "Type"), "certificate-host-mismatch (RFC 8460)");
    assert!(field(&text, "To do").starts_with("get a certificate for the names above"));

    // What DANE would need is told at other levels too.
    let record = certs::tlsa(KeyType::P256);
    let record = record.rsplit(' ').next().unwrap();
    let needed = format!("._tcp.HOST. IN TLSA 3 1 1 (\n            {record} )\n");
    assert!(text.contains(&needed), "{text}");
    assert!(field(&text, "DANE").starts_with("only for names"), "{text}");

    let text = explanation("DANE");
    assert!(text.contains(&format!("\n            {record} )\n")), "{text}");
    assert!(text.contains("._tcp.mx.example.org. IN TLSA 3 1 1 (\n"), "{text}");
    assert!(field(&text, "Compared").starts_with("matches: TLSA 3 1 1"), "{text}");
    assert_eq!(field(&text, "To do"), "");

    let text = explanation("encrypt, by name");
    assert!(field(&text, "DANE").starts_with("not looked at by this level"), "{text}");
    assert!(text.contains("._tcp.mx.example.org. IN TLSA 3 1 1 (\n"), "{text}");
}

#[test]
fn resolver_is_tested_where_dnssec_is_missing() {
    let text = explanation("DANE, MX insecure");
    assert!(text.contains("\nname server 127.0.0.1:"), "{text}");
    assert_eq!(field(&text, "Reached"), "UDP answers, TCP answers");
    assert!(!explanation("DANE").contains("name server"));
}

#[test]
fn every_outcome_is_explained_within_80_columns() {
    for cause in causes() {
        let text = explanation(cause.name);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{}: {text}", cause.name);
        let (text, _) = text.split_once("\nname server").unwrap_or((&text, ""));
        assert_eq!(field(text, "To do").is_empty(), cause.status == 0, "{}: {text}", cause.name);
        assert!(!field(text, "Verdict").is_empty(), "{}: {text}", cause.name);
    }
}

#[test]
fn chain_of_trust_is_explained() {
    let text = explanation("validated");
    let (_, chain) = text.split_once("\nDNSSEC, from the trust anchor down\n").unwrap();
    assert_eq!(field(chain, "Anchor"), ". trust anchor");
    assert!(field(chain, "Delegated").starts_with("test DS: key "), "{chain}");
    assert!(chain.contains("(RSASHA256), digest type 2; signed by key"), "{chain}");
    // What two answers have in common stands there once.
    assert_eq!(chain.matches("  Keys").count(), 4, "{chain}");
    let secure: Vec<_> =
        chain.lines().filter_map(|line| line.strip_prefix("  Secure    ")).collect();
    assert_eq!(secure.len(), 3, "{chain}");
    assert!(secure[0].starts_with("d.test MX: signed by key "), "{chain}");
    assert!(
        chain.contains("(ED25519) of d.test from\n            20200101000000 to 2040"),
        "{chain}"
    );

    let text = explanation("validated, expired");
    let (_, chain) = text.split_once("\nDNSSEC, from the trust anchor down\n").unwrap();
    assert!(field(chain, "Bogus").starts_with("d.test MX: bogus: signature by key "), "{chain}");
    assert!(chain.ends_with("  d.test MX: error 7 of RFC 8914, Signature Expired\n"), "{chain}");

    let text = explanation("validated, unsigned");
    assert!(text.contains("  Insecure  d.test DS: insecure: d.test is not signed\n"), "{text}");
}

#[test]
fn name_server_gives_its_reason() {
    let text = explanation("SERVFAIL, with a reason");
    assert_eq!(field(&text, "Resolver"), "says: Signature Expired (7): ?[31mno??? key");
    let output = cause("SERVFAIL, with a reason").run(&[]);
    let text = String::from_utf8(output.stdout).unwrap();
    let line = "tlsfinger: the name server says: Signature Expired (7): ?[31mno??? key\n";
    assert!(text.ends_with(line), "{text}");
}
