//! Names: what is looked up, which answers are secure, which TLSA records are found.

use crate::servers::{Servers, contains};

#[test]
fn mail_exchangers() {
    let Some(servers) = Servers::find() else { return };
    servers.agree("secure.test", &["Connected to postfix.test[192.0.2.1]:25", "< 221 2.0.0 Bye"]);
    servers.agree(
        "second.test",
        &[
            "Failed to establish session to second.test via refuses.test:25: connect to \
             refuses.test[203.0.113.1]:25: Connection refused",
            "Connected to postfix.test[192.0.2.1]:25",
        ],
    );
    servers.agree(
        "null.test",
        &["Destination address lookup failed: Domain null.test does not accept mail (nullMX)"],
    );
    servers.agree(
        "nothere.test",
        &["Destination address lookup failed: Host or domain name not found. Name service error \
           for name=nothere.test type=AAAA: Host not found"],
    );
    servers.agree(
        "lame.test",
        &["Destination address lookup failed: Host or domain name not found. Name service error \
           for name=lame.test type=MX: Host not found, try again"],
    );
    servers.agree("bogus.test", &["warning: no MX host for bogus.test has a valid address record"]);
}

/// TLSA records behind secure answers: beside the host and behind aliases of it, in a zone with
/// NSEC3, and so many that the answer comes over TCP.
#[test]
fn tlsa_records() {
    let Some(servers) = Servers::find() else { return };
    for destination in ["secure.test", "nsec3.test", "alias.test", "leaving.test", "large.test"] {
        servers.agree(&format!("-c {destination}"), &[]);
    }
    let tlsa = |arguments: &str| {
        let lines = servers.probe(&format!("-c {arguments}"));
        lines.iter().filter(|line| line.starts_with("DNSSEC-signed TLSA record: ")).count()
    };
    assert_eq!(
        ["secure.test", "nsec3.test", "leaving.test", "large.test"].map(tlsa),
        [1, 1, 1, 41]
    );
    assert_eq!(["exim.test", "sendmail.test", "-S dovecot.test"].map(tlsa), [1; 3]);
}

#[test]
fn no_tlsa_records() {
    let Some(servers) = Servers::find() else { return };
    // Denied by NSEC3, by NSEC, and there but not signed.
    for destination in ["notlsa.nsec3.test", "asks.test", "mail.insecure.test"] {
        servers.agree(
            &format!("-c -l dane-only {destination}"),
            &["no TLSA records found, resorting to \"secure\""],
        );
    }
    servers.agree("-c insecure.test", &["MX RRset insecure: log verified as trusted"]);
    servers.agree(
        "-c nolookup.test",
        &[
            "warning: DANE TLSA lookup problem: Host or domain name not found. Name service error \
             for name=_25._tcp.nolookup.test type=TLSA: Host not found, try again",
            "Failed to establish session to nolookup.test via nolookup.test:25: TLSA lookup error \
             for nolookup.test:25",
        ],
    );
}

/// The same resolver, seen from afar.
#[test]
fn a_resolver_elsewhere_is_not_trusted_unless_told() {
    let Some(servers) = Servers::find() else { return };
    let here = servers.probe("-c secure.test");
    let trusted = servers.probe("-c --resolver 198.51.100.54 --dnssec trust secure.test");
    assert_eq!(here, trusted);
    // It need not be trusted where the anchor is known.
    let anchor = servers.file("dns/trust-anchor.ds");
    let arguments = format!("-c --resolver 198.51.100.54 --trust-anchor {anchor} secure.test");
    assert_eq!(here, servers.probe(&arguments));
    contains(&here, &[VERIFIED]);
    let lines = servers.probe("-c --resolver 198.51.100.54 secure.test");
    // These zones are not below the Internet's root.
    assert!(
        lines[0].ends_with("DNSSEC: bogus: no key of . is the one that is trusted"),
        "{lines:#?}"
    );
}

/// The same resolver by DNS over TLS: believed if its certificate is right, else validated behind.
#[test]
fn a_resolver_elsewhere_over_tls() {
    let Some(servers) = Servers::find() else { return };
    let ca = servers.file("pki/ca.pem");
    let here = servers.probe(&format!("-c -F {ca} secure.test"));
    contains(&here, &[VERIFIED]);
    let over_tls = |options: &str| {
        servers.probe(&format!("-c -F {ca} --resolver tls://198.51.100.54{options} secure.test"))
    };
    assert_eq!(over_tls("#resolver.test"), here);
    assert_eq!(over_tls(":853#resolver.test --dnssec trust"), here);

    let anchor = servers.file("dns/trust-anchor.ds");
    let warning = "warning: the name server 198.51.100.54:853 is not known to be other.test: \
                   hostname mismatch; its word on DNSSEC does not count";
    let lines = over_tls(&format!("#other.test --trust-anchor {anchor}"));
    assert_eq!((lines[0].as_str(), &lines[1..]), (warning, &here[..]));
    // Without the anchor there is nothing left to rest on.
    let lines = over_tls("#other.test");
    assert!(
        lines[1].ends_with("DNSSEC: bogus: no key of . is the one that is trusted"),
        "{lines:#?}"
    );
    let lines = over_tls("#other.test --dnssec trust");
    contains(&lines, &[warning]);
    assert!(!lines.contains(&VERIFIED.to_owned()), "{lines:#?}");
}

const VERIFIED: &str = "Verified TLS connection established to postfix.test[192.0.2.1]:25: TLSv1.3 \
     with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature \
     RSA-PSS (2048 bits) server-digest SHA256";
