//! The program against real mail servers, beside Postfix's own posttls-finger.
//!
//! `tests/interop/servers run cargo test -p tlsfinger-tests --test interop` starts the servers and
//! says where they are by `TLSFINGER_INTEROP`. Without that the tests are skipped, except in CI,
//! where a skipped test is a failure.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

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
            "Untrusted TLS connection established to postfix.test[192.0.2.1]:25: TLSv1.3 with \
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
            "Untrusted TLS connection established to exim.test[192.0.2.20]:25: TLSv1.3 with \
             cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519 server-signature \
             ECDSA (prime256v1) server-digest SHA256",
            "< 221 exim.test closing connection",
        ],
    );
    servers.agree(
        "[sendmail.test]",
        &[
            "Untrusted TLS connection established to sendmail.test[192.0.2.30]:25: TLSv1.3 with \
             cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange secp256r1 server-signature \
             RSA-PSS (2048 bits) server-digest SHA256",
            "< 221 2.0.0 sendmail.test closing connection",
        ],
    );
    servers.agree("[2001:db8::1]", &["Connected to 2001:db8::1[2001:db8::1]:25"]);
    servers.agree("-c [postfix-ec.test]", &[]);
    servers.agree(
        "[plain.test]",
        &["Connected to plain.test[192.0.2.8]:25", "> EHLO client.test", "> QUIT"],
    );
}

#[test]
fn tls_from_the_first_octet() {
    let Some(servers) = Servers::find() else { return };
    for (server, farewell) in [
        ("[postfix.test]:465", "< 221 2.0.0 Bye"),
        ("[exim.test]:465", "< 221 exim.test closing connection"),
    ] {
        servers.agree(&format!("-w {server}"), &["> EHLO client.test", "> QUIT", farewell]);
    }
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
    let overtcp = servers.probe("-S [dovecot.test]");
    assert_eq!(replies(&lines), replies(&overtcp));
}

#[test]
fn one_protocol_version_only() {
    let Some(servers) = Servers::find() else { return };
    for (host, peer, tls) in [
        (
            "tls12.test",
            "tls12.test[192.0.2.3]:25",
            "TLSv1.2 with cipher ECDHE-RSA-AES256-GCM-SHA384",
        ),
        (
            "tls12-ec.test",
            "tls12-ec.test[192.0.2.4]:25",
            "TLSv1.2 with cipher ECDHE-ECDSA-AES256-GCM-SHA384",
        ),
    ] {
        let summary =
            format!("Untrusted TLS connection established to {peer}: {tls} (256/256 bits)");
        servers.agree(&format!("[{host}]"), &[&summary, "> EHLO client.test", "< 221 2.0.0 Bye"]);
    }
    servers.agree(
        "[tls13.test]",
        &["Untrusted TLS connection established to tls13.test[192.0.2.5]:25: TLSv1.3 with cipher \
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

/// The running servers and the program under test.
struct Servers {
    folder: PathBuf,
    program: PathBuf,
}

impl Servers {
    /// Finds the servers that `tests/interop/servers` has started.
    #[expect(clippy::print_stderr, reason = "whoever runs the tests should know")]
    fn find() -> Option<Self> {
        let Some(folder) = env::var_os("TLSFINGER_INTEROP") else {
            assert!(env::var_os("CI").is_none(), "CI has to start tests/interop/servers");
            eprintln!("skipped: no servers; see tests/interop/servers");
            return None;
        };
        // The test is target/PROFILE/deps/interop-HASH.
        let test = env::current_exe().expect("the test's own path");
        let program = test.ancestors().nth(2).expect("a target folder").join("tlsfinger");
        assert!(program.exists(), "{} has to be built first", program.display());
        Some(Self { folder: folder.into(), program })
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Probes a server under both drivers, which have to say the same, and gives the lines.
    fn probe(&self, arguments: &str) -> Vec<String> {
        let [blocking, smol] = ["blocking", "smol"].map(|runtime| {
            run(&self.program, &format!("--runtime {runtime} {OPTIONS} {arguments}"))
        });
        assert_eq!(blocking, smol, "the drivers differ on {arguments}");
        blocking
    }

    /// Probes a server and wants these lines in this order, and all in all what posttls-finger says.
    fn agree(&self, arguments: &str, expected: &[&str]) {
        let lines = self.probe(arguments);
        contains(&lines, expected);
        let reference = run(
            Path::new("/usr/sbin/posttls-finger"),
            &format!("{REFERENCE} {OPTIONS} {arguments}"),
        );
        let reference: Vec<_> = reference.iter().filter_map(|line| modernised(line)).collect();
        assert_eq!(lines, reference, "tlsfinger, then posttls-finger on {arguments}");
    }
}

/// Options for both programs.
const OPTIONS: &str = "-a ipv4 -o myhostname=client.test -L summary";

/// Options for posttls-finger, so that it looks up and judges no more than tlsfinger does.
const REFERENCE: &str = "-h native -l secure";

/// Runs a program and gives the lines of its output without its name in front.
fn run(program: &Path, arguments: &str) -> Vec<String> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{program:?} {arguments}: {text}");
    let prefix = format!("{}: ", program.file_name().expect("a name").to_string_lossy());
    text.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned()).collect()
}

/// Wants lines in this order, with any others between them.
fn contains(lines: &[String], expected: &[&str]) {
    let mut rest = lines.iter();
    for line in expected {
        assert!(rest.any(|other| other == line), "no line {line:?} in its place among {lines:#?}");
    }
}

fn replies(lines: &[String]) -> Vec<&String> {
    lines.iter().filter(|line| line.starts_with("< ")).collect()
}

/// Puts a line of posttls-finger 3.7 into the words of 3.11; none is left of a line that tells what
/// tlsfinger does not judge yet.
fn modernised(line: &str) -> Option<String> {
    if line.contains("certificate verification failed for ") {
        return None;
    }
    let line = line
        .replace("key-exchange X25519", "key-exchange x25519")
        .replace("key-exchange ECDHE (prime256v1)", "key-exchange secp256r1");
    // The port of the host that could not be connected to.
    if let Some((front, reason)) = line.split_once(": connect to ")
        && let Some((_, port)) = reason.split_once(": ").unwrap_or((reason, "")).0.rsplit_once(':')
    {
        return Some(format!("{front}:{port}: connect to {reason}"));
    }
    // OpenSSL names the source file and line of an error.
    if let Some((front, place)) = line.split_once(":../ssl/") {
        let behind = place.splitn(3, ':').nth(2).unwrap_or_default();
        return Some(format!("{front}:{behind}"));
    }
    Some(line)
}
