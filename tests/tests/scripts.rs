//! The script lines of README.md do what they say, and the program keeps its side files.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{Script, TlsSetup};
use tlsfinger_tests::program;

/// The shell lines under a heading.
fn section(heading: &str) -> String {
    let readme = include_str!("../../README.md");
    let (_, section) = readme.split_once(&format!("## {heading}\n")).expect("the heading is there");
    let (_, code) = section.split_once("```sh\n").expect("there is code");
    code.split_once("```\n").expect("the code ends").0.to_owned()
}

#[test]
fn script_lines() {
    let scratch = Scratch::new().expect("a folder");
    let script = || Script::smtp().tls(TlsSetup::only_13().identity(certs::server(KeyType::P256)));
    let server = Loopback::tcp(script()).expect("a port");
    let closed = Loopback::tcp(Script::smtp()).expect("a port").port();
    fs::write(scratch.file("main.cf"), "compatibility_level = 3.11\n").expect("it is ours");
    fs::write(scratch.file("roots.pem"), certs::root_pem()).expect("it is ours");
    let folder = program::path().parent().expect("it is in a folder").to_owned();
    let path = format!("{}:/usr/bin:/bin", folder.display());
    let trace = "set -eu; trap 'echo \"line $LINENO\" >&2' EXIT\n";
    let code = format!("{trace}{}\ntrap - EXIT\ncat \"$chain\"", section("In scripts"));
    let output = Command::new("sh")
        .args(["-c", &code])
        .env_clear()
        .env("PATH", path)
        .env("MAIL_CONFIG", scratch.path())
        .env("roots", scratch.file("roots.pem"))
        .env("chain", scratch.file("chain.pem"))
        .env("server", format!("[127.0.0.1]:{}", server.port()))
        .env("nowhere", format!("[127.0.0.1]:{closed}"))
        .env("name", "mx.example.org")
        .output()
        .expect("there is a shell");
    let (printed, errors) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{errors}\n{printed}");
    let mut lines = printed.lines();
    assert_eq!(lines.next(), Some("TLSv1.3"));
    let why = lines.next().unwrap_or_default();
    assert!(why.contains("untrusted issuer /CN=Test Root"), "{why}");
    assert_eq!(lines.next(), Some("-----BEGIN CERTIFICATE-----"));
    assert_eq!(lines.filter(|line| line.contains("END CERTIFICATE")).count(), 2);
}

/// Everything that can be asked for at once, and the file of secrets beside it.
#[test]
fn the_program_looks_inside() {
    let scratch = Scratch::new().expect("a folder");
    fs::write(scratch.file("main.cf"), "compatibility_level = 3.11\n").expect("it is ours");
    let server = Loopback::tcp(Script::smtp().tls(TlsSetup::only_13())).expect("a port");
    let secrets = scratch.file("secrets");
    let run = |secrets: &std::path::Path| {
        let output = Command::new(program::path())
            .args(["-L4", "-vv", "-lmay", &format!("[127.0.0.1]:{}", server.port())])
            .env("MAIL_CONFIG", scratch.path())
            .env("SSLKEYLOGFILE", secrets)
            .output()
            .expect("it can be run");
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]));
        String::from_utf8(output.stdout).expect("it prints text")
    };
    let printed = run(&secrets);
    for expected in [
        "tlsfinger: waiting for the greeting, 30 seconds at most\n",
        "\nSent Record\nHeader:\n",
        "\n    ClientHello, Length=",
        "\n    ServerHello, Length=",
        "\n            TLS 1.3 (772)\n",
        "tlsfinger: SSL_connect:SSLv3/TLS read server hello\n",
        "\n    Certificate\n        ASN.1Cert, length=",
        "\n          subject=/CN=mx.example.org\n",
        "tlsfinger: SSL_connect:TLSv1.3 read server certificate verify\n",
        "tlsfinger: Read 20 chars: 250 mx.example.org??\n",
    ] {
        assert!(printed.contains(expected), "{expected:?} is missing in\n{printed}");
    }
    let read = || fs::read_to_string(&secrets).expect("it is there");
    let mode = fs::metadata(&secrets).expect("it is there").permissions().mode();
    assert_eq!((read().lines().count(), mode & 0o777), (5, 0o600));
    assert!(read().starts_with("CLIENT_HANDSHAKE_TRAFFIC_SECRET "));
    // What is there stays.
    run(&secrets);
    assert_eq!(read().lines().count(), 10);
    let printed = run(&scratch.file("none/secrets"));
    assert!(printed.contains("tlsfinger: warning: SSLKEYLOGFILE: open "), "{printed}");
    assert!(printed.contains("established to"), "{printed}");
}
