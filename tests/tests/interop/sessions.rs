//! Sessions: STARTTLS, TLS from the first octet, LMTP, protocol versions, client certificates.

use crate::servers::{Servers, contains};

/// Sessions with STARTTLS: three mail servers, OpenSSL and GnuTLS, RSA and ECDSA, one of them with
/// another group than the one whose key share is sent.
#[test]
fn starttls() {
    let Some(servers) = Servers::find() else { return };
    servers.agree(
        "[postfix.test]",
        &[
            "Connected to postfix.test[192.0.2.1]:25",
            "< 220 postfix.test ESMTP Postfix",
            "> EHLO client.test",
            "< 250 CHUNKING",
            "> STARTTLS",
            "< 220 2.0.0 Ready to start TLS",
            "Verified TLS connection established to postfix.test[192.0.2.1]:25: TLSv1.3 with \
             cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature \
             RSA-PSS (2048 bits) server-digest SHA256",
            "> EHLO client.test",
            "< 250 CHUNKING",
            "> QUIT",
            "< 221 2.0.0 Bye",
        ],
    );
    servers.agree(
        "[exim.test]",
        &[
            "< 220 exim.test ESMTP Exim 4.96",
            "Verified TLS connection established to exim.test[192.0.2.20]:25: TLSv1.3 with \
             cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature \
             ECDSA (prime256v1) server-digest SHA256",
            "< 221 exim.test closing connection",
        ],
    );
    servers.agree(
        "[sendmail.test]",
        &[
            "Verified TLS connection established to sendmail.test[192.0.2.30]:25: TLSv1.3 with \
             cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange secp256r1 server-signature \
             RSA-PSS (2048 bits) server-digest SHA256",
            "< 221 2.0.0 sendmail.test closing connection",
        ],
    );
    servers.agree("-l may [2001:db8::1]", &["Connected to 2001:db8::1[2001:db8::1]:25"]);
    servers.agree("-c [postfix-ec.test]", &[]);
    servers.agree(
        "[plain.test]",
        &["Connected to plain.test[192.0.2.8]:25", "> EHLO client.test", "> QUIT"],
    );
}

#[test]
fn tls_from_the_first_octet() {
    let Some(servers) = Servers::find() else { return };
    servers.agree("-w [postfix.test]:465", &["> EHLO client.test", "< 221 2.0.0 Bye"]);
    servers
        .agree("-w [exim.test]:465", &["> EHLO client.test", "< 221 exim.test closing connection"]);
    servers
        .agree("-w -S [dovecot.test]:2424", &["> LHLO client.test", "> QUIT", "< 221 2.0.0 Bye"]);
}

#[test]
fn lmtp() {
    let Some(servers) = Servers::find() else { return };
    servers.agree(
        "-S [dovecot.test]",
        &[
            "Connected to dovecot.test[192.0.2.40]:24",
            "> LHLO client.test",
            "> STARTTLS",
            "< 220 2.0.0 Begin TLS negotiation now.",
            "> LHLO client.test",
            "< 221 2.0.0 Bye",
        ],
    );
}

/// The reference of Debian 12 connects to a UNIX socket and says no more.
#[test]
fn lmtp_over_a_unix_socket() {
    let Some(servers) = Servers::find() else { return };
    let socket = servers.file("lmtp.sock");
    let lines = servers.probe(&format!("-S unix:{socket}"));
    contains(
        &lines,
        &[
            &format!("Connected to client.test[{socket}]"),
            "< 220 dovecot.test Dovecot (Debian) ready.",
            "> LHLO client.test",
            "> STARTTLS",
            &format!(
                "Untrusted TLS connection established to client.test[{socket}]: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 \
                 server-signature ECDSA (prime256v1) server-digest SHA256"
            ),
            "> LHLO client.test",
            "> QUIT",
            "< 221 2.0.0 Bye",
        ],
    );
}

#[test]
fn one_protocol_version_only() {
    let Some(servers) = Servers::find() else { return };
    for (host, summary) in [
        (
            "tls12.test",
            "Verified TLS connection established to tls12.test[192.0.2.3]:25: TLSv1.2 with cipher \
             ECDHE-RSA-AES256-GCM-SHA384 (256/256 bits)",
        ),
        (
            "tls12-ec.test",
            "Untrusted TLS connection established to tls12-ec.test[192.0.2.4]:25: TLSv1.2 with \
             cipher ECDHE-ECDSA-AES256-GCM-SHA384 (256/256 bits)",
        ),
    ] {
        servers.agree(&format!("[{host}]"), &[summary, "> EHLO client.test", "< 221 2.0.0 Bye"]);
    }
    servers.agree(
        "[tls13.test]",
        &["Verified TLS connection established to tls13.test[192.0.2.5]:25: TLSv1.3 with cipher \
           TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature ECDSA \
           (prime256v1) server-digest SHA256"],
    );
}

/// A client certificate asked for, missed after the handshake by SMTP or by an alert (TLS 1.3), and
/// missed within the handshake (TLS 1.2).
#[test]
fn client_certificate_asked_for() {
    let Some(servers) = Servers::find() else { return };
    servers.agree("[asks.test]", &["> QUIT", "< 221 2.0.0 Bye"]);
    servers.agree(
        "[requires.test]",
        &[
            "EHLO rejected: 421 4.7.1 requires.test Error: No client certificate presented",
            "> QUIT",
        ],
    );
    servers.agree("[exim.test]:587", &["lost connection while sending EHLO"]);
    servers.agree("[exim.test]:588", &["SSL_connect error to exim.test[192.0.2.20]:588: -1"]);
}

/// Sessions resumed on a second connection, by tickets of TLS 1.3 and TLS 1.2. Exim gives none, and
/// each process of Dovecot knows its own only.
#[test]
fn session_reuse() {
    let Some(servers) = Servers::find() else { return };
    for (destination, peer) in [
        ("[postfix.test]", "postfix.test[192.0.2.1]:25"),
        ("[tls12.test]", "tls12.test[192.0.2.3]:25"),
        ("[sendmail.test]", "sendmail.test[192.0.2.30]:25"),
    ] {
        contains(
            &servers.probe(&format!("-c -r 1 {destination}")),
            &[
                "Reconnecting after 1 seconds",
                &format!("{peer}: Reusing old session"),
                "Found a previously used server.  Done reconnecting.",
            ],
        );
    }
    servers.agree("-c -r 1 [exim.test]", &["Server declined session caching. Done reconnecting."]);
}

/// TLS by the daemon, asked for in the form that this version of it knows: found out, and told.
#[test]
fn tlsproxy() {
    let Some(servers) = Servers::find() else { return };
    let proxy = format!("-X -o queue_directory={}", servers.file("postfix/queue"));
    for option in ["", "-o mail_version=3.7.11"] {
        contains(
            &servers.probe(&format!("{proxy} {option} [postfix.test]")),
            &[
                "< 220 2.0.0 Ready to start TLS",
                "Verified TLS connection established to postfix.test[192.0.2.1]:25: TLSv1.3 with \
                 cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 \
                 server-signature RSA-PSS (2048 bits) server-digest SHA256",
                "> EHLO client.test",
                "< 221 2.0.0 Bye",
            ],
        );
    }
    let quietly = |options: &str| servers.probe(&format!("{proxy} -c {options}"));
    contains(
        &quietly("-o mail_version=3.11.0 [postfix.test]"),
        &["warning: private/tlsproxy service role \"client\" is not available"],
    );
    contains(
        &servers.probe("-X -c [postfix.test]"),
        &["warning: connect to private/tlsproxy service: No such file or directory"],
    );
    // The server answers the daemon's TLS with an alert.
    contains(&quietly("[exim.test]:588"), &["warning: error receiving TLS proxy context"]);
}

#[test]
fn no_session() {
    let Some(servers) = Servers::find() else { return };
    servers.agree(
        "[203.0.113.1]",
        &["Failed to establish session to [203.0.113.1] via 203.0.113.1:25: connect to \
           203.0.113.1[203.0.113.1]:25: Connection refused"],
    );
    // A mail server where TLS is expected, and the other way round.
    servers.agree("-w [postfix.test]:25", &[]);
    servers.agree("-t 2 [postfix.test]:465", &["timeout while reading server greeting"]);
}
