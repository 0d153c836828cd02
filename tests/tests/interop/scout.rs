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
    for (port, version) in ports.into_iter().chain([(2506, "TLSv1.2 ")]) {
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

#[test]
fn suites_without_encryption_are_asked_for_by_grade() {
    let Some(servers) = Servers::find() else { return };
    let ours = servers.probe("-l secure -g null [legacy.test]:2507");
    let offered = "TLS offered by legacy.test[192.0.2.9]:2507: TLSv1.2 with cipher ";
    let line = ours.iter().find_map(|line| line.strip_prefix(offered)).expect("a summary");
    assert!(line.contains("-NULL-SHA") && line.contains(" (0/0 bits) "), "{line}");
}
