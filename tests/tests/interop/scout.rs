//! Servers that speak what this program does not: what it tells of them is what the reference gets.

use crate::servers::{Servers, contains};

/// The words of a summary from the protocol to the bits of the cipher.
fn negotiated(line: &str) -> &str {
    let start = line.find(": TLSv").expect("a summary") + 2;
    let end = line.find(" bits)").expect("a summary") + " bits)".len();
    &line[start..end]
}

#[test]
fn what_the_reference_gets_is_offered() {
    let Some(servers) = Servers::find() else { return };
    let ports = [
        (25, "TLSv1 "),
        (2501, "TLSv1.1 "),
        (2502, "TLSv1.2 "),
        (2503, "TLSv1.2 "),
        (2505, "TLSv1.2 "),
    ];
    for (port, version) in ports.into_iter().chain([(2506, "TLSv1.2 "), (2508, "TLSv1.1 ")]) {
        let arguments = format!("-l may [legacy.test]:{port}");
        let theirs = servers.reference(&arguments);
        let established = " TLS connection established to legacy.test[192.0.2.9]:";
        let summary = theirs.iter().find(|line| line.contains(established));
        let expected = negotiated(summary.unwrap_or_else(|| panic!("{theirs:#?}")));
        let ours = servers.probe(&arguments);
        let offered = format!("TLS offered by legacy.test[192.0.2.9]:{port}: ");
        let line = ours.iter().find_map(|line| line.strip_prefix(&offered));
        let line = line.unwrap_or_else(|| panic!("{ours:#?}"));
        assert!(line.starts_with(expected) && line.starts_with(version), "{line}: {expected}");
        assert!(line.ends_with(", not spoken by this program"), "{line}");
        // The same certificate, judged in the same words.
        let peer = |line: &&String| line.contains(": subject_CN=");
        assert_eq!(ours.iter().find(peer), theirs.iter().find(peer), "{ours:#?}");
    }
}

#[test]
fn anonymous_servers_are_known_as_such() {
    let Some(servers) = Servers::find() else { return };
    let arguments = "-l may [legacy.test]:2504";
    let theirs = servers.reference(arguments);
    contains(&theirs, &["Server is anonymous"]);
    let summary = theirs.iter().find(|line| line.starts_with("Anonymous TLS connection"));
    let offered = "TLS offered by legacy.test[192.0.2.9]:2504: ";
    let ours = servers.probe(arguments);
    let line = ours.iter().find_map(|line| line.strip_prefix(offered)).expect("a summary");
    assert!(line.starts_with(negotiated(summary.expect("a summary"))), "{line}");
    contains(&ours, &["Server is anonymous"]);
    // Nobody who verifies asks for that.
    let ours = servers.probe("-l secure [legacy.test]:2504");
    assert!(!ours.iter().any(|line| line.starts_with(offered)), "{ours:#?}");
}

/// Servers that have a certificate, and do without it where clients let them.
#[test]
fn who_would_rather_be_anonymous_is_known_as_such() {
    let Some(servers) = Servers::find() else { return };
    for (name, port) in [("tls12.test[192.0.2.3]", 25), ("legacy.test[192.0.2.9]", 2509)] {
        let host = name.split('[').next().expect("a name");
        for level in ["may", "encrypt"] {
            let arguments = format!("-l {level} [{host}]:{port}");
            let theirs = servers.reference(&arguments);
            contains(&theirs, &["Server is anonymous"]);
            let summary = theirs.iter().find(|line| line.starts_with("Anonymous TLS connection"));
            let ours = servers.probe(&arguments);
            let established = format!("Untrusted TLS connection established to {name}:{port}: ");
            let real = ours.iter().position(|line| line.starts_with(&established));
            let offered = format!("TLS offered by {name}:{port}: ");
            let rather = ours.iter().position(|line| line.starts_with(&offered));
            assert!(real.is_some() && real < rather, "{ours:#?}");
            let line = &ours[rather.expect("was found")][offered.len()..];
            assert!(line.starts_with(negotiated(summary.expect("a summary"))), "{line}");
            assert_eq!(ours.last().expect("a line"), "Server is anonymous");
            // The verdict is that of the certificate.
            assert_eq!(servers.status(&format!("--exit-code {arguments}")), Some(0));
        }
        let ours = servers.probe(&format!("-l secure [{host}]:{port}"));
        assert!(!ours.iter().any(|line| line.contains("nonymous")), "{ours:#?}");
    }
    // A server of TLS 1.3, and one that prefers its certificate: nothing is told, as there.
    for place in ["[postfix.test]", "[legacy.test]:2510"] {
        let theirs = servers.reference(&format!("-l may {place}"));
        assert!(!theirs.iter().any(|line| line.contains("nonymous")), "{theirs:#?}");
        let ours = servers.probe(&format!("-l may {place}"));
        assert!(!ours.iter().any(|line| line.contains("nonymous") || line.contains("offered")));
    }
}

#[test]
fn suites_without_encryption_are_asked_for_by_grade() {
    let Some(servers) = Servers::find() else { return };
    let ours = servers.probe("-l secure -g null [legacy.test]:2507");
    let offered = "TLS offered by legacy.test[192.0.2.9]:2507: TLSv1.2 with cipher ";
    let line = ours.iter().find_map(|line| line.strip_prefix(offered)).expect("a summary");
    assert!(line.contains("-NULL-SHA") && line.contains(" (0/0 bits) "), "{line}");
}
