//! Trust: by TLSA record, by certificate authority, by name.

use crate::servers::{Servers, contains};

/// Every certificate usage, selector and matching type that the servers' TLSA records have, and one
/// record that matches nothing.
#[test]
fn tlsa_records_decide() {
    let Some(servers) = Servers::find() else { return };
    for (destination, matched) in [
        ("postfix.test", "Matched DANE EE certificate at depth 0: 3 1 1 "),
        ("tls12.test", "Matched DANE EE certificate at depth 0: 3 0 1 "),
        ("exim.test", "Matched DANE EE certificate at depth 0: 3 1 2 "),
        ("-S dovecot.test", "Matched DANE EE certificate at depth 0: 3 1 0 "),
        ("postfix-ec.test", "Matched DANE TA certificate at depth 1: 2 1 1 "),
        ("tls13.test", "Matched DANE TA certificate at depth 1: 2 0 1 "),
        ("sendmail.test", "Matched DANE TA certificate at depth 1: 2 0 0 "),
        ("mismatch.test", "num=65:no matching DANE TLSA records"),
    ] {
        let lines = servers.agree(&format!("-c {destination}"), &[]);
        assert!(lines.iter().any(|line| line.contains(matched)), "{destination}: {lines:#?}");
    }
}

/// Every certificate usage, selector and matching type, right and wrong, on the same server.
#[test]
fn all_kinds_of_tlsa_records() {
    let Some(servers) = Servers::find() else { return };
    for usage in [2, 3] {
        for (selector, matching) in [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)] {
            let record = format!("{usage}{selector}{matching}");
            let verified = |name: &str| {
                let lines = servers.agree(&format!("-c {name}{record}.postfix.test"), &[]);
                lines.last().is_some_and(|line| line.contains("Verified TLS connection"))
            };
            assert!(verified("d"), "{record}");
            assert!(!verified("x"), "{record}");
        }
    }
}

#[test]
fn certificate_authorities_and_names_decide() {
    let Some(servers) = Servers::find() else { return };
    let ca = servers.file("pki/ca.pem");
    servers.agree(
        &format!("-l secure -F {ca} [postfix.test]"),
        &["postfix.test[192.0.2.1]:25: matched peername: postfix.test"],
    );
    servers.agree(&format!("-l verify -F {ca} secure.test"), &[]);
    servers.agree("-l secure [postfix.test]", &[]);
    // A wrong name alone: Postfix 3.7 does not call that trusted.
    let lines = servers.probe(&format!("-c -l secure -F {ca} secure.test"));
    contains(
        &lines,
        &[
            "server certificate verification failed for postfix.test[192.0.2.1]:25: num=62:hostname \
             mismatch",
            "Trusted TLS connection established to postfix.test[192.0.2.1]:25: TLSv1.3 with cipher \
             TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature RSA-PSS \
             (2048 bits) server-digest SHA256",
        ],
    );
}

#[test]
fn the_chain_as_sent() {
    let Some(servers) = Servers::find() else { return };
    servers.agree("-c -C -L none -l may [postfix.test]", &["-----END CERTIFICATE-----"; 2]);
}
