//! `--record` and `tlsfinger replay`, by the program itself against a server on loopback.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use tlsfinger_tests::certs;
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{ClientAuth, Legacy, Script, TlsSetup};
use tlsfinger_tests::program;

/// What a run printed, and its exit status.
fn printed(output: &Output) -> (String, Option<i32>) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("it prints text");
    (text(&output.stdout) + &text(&output.stderr), output.status.code())
}

/// Records a run with post-quantum key exchange and a client certificate.
fn record(scratch: &Scratch, file: &str, runtime: &str) -> (String, String) {
    let tls = TlsSetup::only_13().client_auth(ClientAuth::Requested);
    let server = Loopback::tcp(Script::smtp().tls(tls)).expect("there are ports");
    let client = scratch.file("client.pem");
    std::fs::write(&client, certs::client_pem()).expect("the folder can be written");
    let file = scratch.file(file);
    let file = file.to_str().expect("a name");
    let destination = format!("[127.0.0.1]:{}", server.port());
    let arguments = [
        "--record",
        file,
        &format!("--runtime={runtime}"),
        "-lsecure",
        "-Lsummary,untrusted",
        "-k",
        client.to_str().expect("a name"),
        "-omyhostname=client.example",
        &destination,
    ];
    let (told, status) = printed(&program::run(scratch.path(), &arguments));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("key-exchange X25519MLKEM768"), "{told}");
    assert!(told.contains("client-signature ECDSA"), "{told}");
    (told, file.to_owned())
}

fn replay(scratch: &Path, arguments: &[&str]) -> (String, Option<i32>) {
    printed(&program::run(scratch, &[&["replay"], arguments].concat()))
}

#[test]
fn an_enumeration_is_told_again_too() {
    let scratch = Scratch::new().expect("a folder");
    let file = scratch.file("enumerate.trace");
    let file = file.to_str().expect("a name");
    let server = Loopback::tcp(Script::smtp().tls(TlsSetup::default())).expect("there are ports");
    let destination = format!("[127.0.0.1]:{}", server.port());
    let arguments = ["--record", file, "--enumerate", "--all", "--pause=0", "-lmay", &destination];
    let (told, status) = printed(&program::run(scratch.path(), &arguments));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("TLSv1.3: resumed by ticket: yes"), "{told}");
    assert_eq!(replay(scratch.path(), &[file]), (format!("{told}{file}: {BY_OCTETS}\n"), Some(0)));
    let (refused, status) = replay(scratch.path(), &["-lsecure", file]);
    assert!(refused.contains("nothing in an enumeration is judged by a policy"), "{refused}");
    assert_eq!(status, Some(1));
}

const BY_OCTETS: &str = "replayed by the octets of TLS";

#[test]
fn a_recorded_run_is_told_again_without_a_network() {
    let scratch = Scratch::new().expect("a folder");
    for runtime in ["blocking", "smol"] {
        let (told, file) = record(&scratch, &format!("{runtime}.trace"), runtime);
        let mode = std::fs::metadata(&file).expect("it is there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let text = std::fs::read_to_string(&file).expect("it is text");
        assert!(text.lines().next().expect("a line").contains("can decrypt"));
        // Neither the key nor the place where it was read.
        let secret = certs::client_pem().lines().nth(1).expect("a line").to_owned();
        assert!(!text.contains(&secret) && !text.contains("client.pem"));
        let again = program::run(scratch.path(), &["replay", &file]);
        assert_eq!(String::from_utf8_lossy(&again.stdout), told);
        assert_eq!(
            String::from_utf8_lossy(&again.stderr),
            format!("{file}: replayed by the octets of TLS\n")
        );
        assert_eq!(again.status.code(), Some(0));
        // With another TLS library; and whatever its octets were, the text is in the trace.
        assert!(text.contains("> tell tunnel t0 send \"EHLO client.example\\r\\n\" sent "));
        std::fs::write(&file, text.replacen("rustls \"", "rustls \"0.0.", 1)).expect("it is there");
        let again = program::run(scratch.path(), &["replay", &file]);
        assert_eq!(String::from_utf8_lossy(&again.stdout), told);
        let said = String::from_utf8_lossy(&again.stderr).into_owned();
        let expected =
            "replayed by the plain text and facts of TLS, because recorded with rustls 0.0.";
        assert!(said.starts_with(&format!("{file}: {expected}")), "{said}");
    }
}

#[test]
fn all_that_verbosity_tells_is_told_again() {
    let scratch = Scratch::new().expect("a folder");
    let server = Loopback::tcp(Script::smtp()).expect("there are ports");
    let file = scratch.file("a.trace");
    let file = file.to_str().expect("a name");
    let destination = format!("[127.0.0.1]:{}", server.port());
    let arguments = ["--record", file, "-vv", "-L", "all", "-lmay", &destination];
    let (told, status) = printed(&program::run(scratch.path(), &arguments));
    assert_eq!(status, Some(0), "{told}");
    assert!(told.contains("waiting for the greeting"), "{told}");
    let again = program::run(scratch.path(), &["replay", file]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), told);
    let text = std::fs::read_to_string(file).expect("it is text");
    // What was read of files is in it.
    assert!(text.contains("\ncaller \"main.cf\" \"compatibility_level = 3.11\\n\"\n"), "{text}");
    // The words of a wait are a remark.
    std::fs::write(file, text.replace("for the greeting", "for a word")).expect("it is there");
    assert_eq!(replay(scratch.path(), &[file]).1, Some(0));
}

#[test]
fn traces_are_not_written_over() {
    let scratch = Scratch::new().expect("a folder");
    let file = scratch.file("there");
    std::fs::write(&file, "precious").expect("the folder can be written");
    let name = file.to_str().expect("a name");
    let output = program::run(scratch.path(), &["--record", name, "[127.0.0.1]"]);
    let expected = format!("tlsfinger: fatal: cannot record to {name}: File exists\n");
    assert_eq!(printed(&output), (expected, Some(1)));
    assert_eq!(std::fs::read(&file).expect("it is there"), b"precious");
}

#[test]
fn differences_are_shown_until_they_are_blessed() {
    let scratch = Scratch::new().expect("a folder");
    let (_, file) = record(&scratch, "a.trace", "blocking");
    let before = std::fs::read_to_string(&file).expect("it is text");
    // As if the program had said something else.
    let number = before.lines().position(|line| line.ends_with("\"QUIT\")")).expect("a QUIT") + 1;
    let changed = before.replace("\"QUIT\")", "\"QUIT NOW\")");
    std::fs::write(&file, &changed).expect("it can be written");
    let (told, status) = replay(scratch.path(), &[&file]);
    assert_eq!(status, Some(1));
    let shown: Vec<_> = told.lines().rev().take(3).collect();
    assert!(shown[2].ends_with(&format!("line {number} differs")), "{told}");
    assert!(shown[1].starts_with("- ") && shown[1].ends_with("\"QUIT NOW\")"), "{told}");
    assert!(shown[0].starts_with("+ ") && shown[0].ends_with("\"QUIT\")"), "{told}");
    std::fs::write(&file, &changed).expect("it can be written");
    assert_eq!(replay(scratch.path(), &["--bless", &file]).1, Some(0));
    assert_eq!(std::fs::read_to_string(&file).expect("it is text"), before);
    // What is no trace is said to be none.
    std::fs::write(&file, "# nothing\n220 hello\n").expect("it can be written");
    let expected = format!("tlsfinger: fatal: {file}: line 2 is not of the trace format\n");
    assert_eq!(replay(scratch.path(), &[&file]), (expected, Some(1)));
}

/// What a scout saw is judged again, too, and is never more than Trusted.
#[test]
fn what_a_scout_saw_is_judged_again() {
    let scratch = Scratch::new().expect("a folder");
    let server = Loopback::tcp(Legacy::new(0x301, &[0x35])).expect("there are ports");
    let destination = format!("[127.0.0.1]:{}", server.port());
    let file = scratch.file("a.trace");
    let file = file.to_str().expect("a name");
    let arguments = ["--record", file, "-lmay", "-c", &destination];
    let (told, status) = printed(&program::run(scratch.path(), &arguments));
    let peer = format!("127.0.0.1{destination}");
    let offered = format!("tlsfinger: TLS offered by {peer}: TLSv1 with cipher AES256-SHA ");
    assert!(status == Some(0) && told.contains(&offered), "{told}");
    // The whole run, both connections, without a network; and by another TLS library.
    let again = program::run(scratch.path(), &["replay", file]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), told);
    let text = std::fs::read_to_string(file).expect("it is text");
    assert!(text.contains(" > open t1 tcp ") && text.contains(" > tell Scouting("), "{text}");
    std::fs::write(file, text.replacen("rustls \"", "rustls \"0.0.", 1)).expect("it is there");
    let again = program::run(scratch.path(), &["replay", file]);
    assert_eq!(String::from_utf8_lossy(&again.stdout), told);
    let roots = scratch.file("roots.pem");
    std::fs::write(&roots, certs::root_pem()).expect("the folder can be written");
    let roots = roots.to_str().expect("a name");
    let secure = ["-lsecure", "-F", roots, "--match", "mx.example.org", file];
    let (told, exit) = replay(scratch.path(), &secure);
    let matched = format!("tlsfinger: {peer}: matched peername: mx.example.org");
    let worth = "judged again at level secure, not exact: something else would have been offered";
    for words in [&matched, &offered, worth] {
        assert!(told.contains(words), "{words}: {told}");
    }
    assert!(exit == Some(0) && !told.contains("Verified"), "{told}");
    let (told, _) = replay(scratch.path(), &["-lencrypt", file]);
    let worth = "judged again at level encrypt, exact: the same would have been offered";
    assert!(told.contains(worth) && !told.contains("matched peername"), "{told}");
}

#[test]
fn observations_are_judged_again() {
    let scratch = Scratch::new().expect("a folder");
    let (told, file) = record(&scratch, "a.trace", "blocking");
    assert!(told.contains("Untrusted TLS connection"), "{told}");
    let port = told.split("[127.0.0.1]:").nth(1).expect("a port").split([' ', ':', '\n']).next();
    let peer = format!("127.0.0.1[127.0.0.1]:{}", port.expect("a port"));
    let roots = scratch.file("roots.pem");
    std::fs::write(&roots, certs::root_pem()).expect("the folder can be written");
    let roots = roots.to_str().expect("a name");
    let table: &[(&[&str], &str, &str)] = &[
        (&["-F", roots, "--match", "mx.example.org"], "Verified", "secure, exact: the same"),
        (&["-lmay"], "Untrusted", "may, not exact: something else"),
        (&["-ldane"], "Untrusted", "dane, not exact: no TLSA records were looked up"),
    ];
    for (options, status, worth) in table {
        let (told, exit) = replay(scratch.path(), &[*options, &[&file]].concat());
        assert_eq!(exit, Some(0), "{told}");
        assert!(told.contains(&format!("{status} TLS connection established to {peer}")), "{told}");
        let last = format!("tlsfinger: {peer}: judged again at level {worth}");
        assert!(told.lines().any(|line| line.starts_with(&last)), "{told}");
    }
}
