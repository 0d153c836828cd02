//! Servers that mean harm: each run ends in time, with one clear word, and holds little.

use std::time::Duration;

use tlsfinger_core::config::Config;
use tlsfinger_core::report::{HandshakeError, Observation, Step, StepProblem, TlsError};
use tlsfinger_core::{Probe, limits};
use tlsfinger_tests::peer::{Answer, Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run};

const GIGABYTE: u64 = 1 << 30;

/// A link fast enough for some 40 MB before the deadline.
fn link() -> Link {
    Link::latency(50)
}

fn observation(run: &Run<Probe>) -> &Observation {
    &run.report().sessions[0].observation
}

#[test]
fn a_line_that_ends_is_told_up_to_its_limit() {
    let line = format!("220 {}\r\n", "x".repeat(1 << 20));
    let run = setting::run(&setting::config(), Script::smtp().greeting(line), Link::default());
    let told = run.transcript();
    assert_eq!(told[1].len(), "< ".len() + limits::REPLY_LINE);
    assert_eq!(told.last().unwrap(), "< 221 bye");
}

#[test]
fn endless_replies_end() {
    for line in ["220-more\r\n", "220-\n", "250-STARTTLS\n"] {
        let endless = || Answer::silence().repeat(line.repeat(1000), GIGABYTE);
        let table = [
            (Step::Greeting, Script::smtp().greeting(endless())),
            (Step::Hello, Script::smtp().on("EHLO", endless())),
            (Step::StartTls, Script::smtp().on("STARTTLS", endless())),
            (Step::HelloAgain, Script::smtp().inside("EHLO", endless())),
            (Step::Quit, Script::smtp().on("QUIT", endless())),
        ];
        for (step, script) in table {
            let run = setting::run(&setting::config(), script, link());
            assert_eq!(observation(&run).problems[0], (step, StepProblem::ReplyTooLong));
            assert!(run.ended_at().as_micros() < 10_000_000);
            let lines = run.transcript().iter().filter(|it| it.starts_with("< ")).count();
            assert!((limits::REPLY_LINES..3 * limits::REPLY_LINES).contains(&lines), "{lines}");
        }
    }
}

#[test]
fn servers_of_other_protocols() {
    let table = [
        ("SSH-2.0-OpenSSH_9.2\r\n", "Greeting refused: 0 SSH-2.0-OpenSSH_9.2"),
        ("* OK IMAP4rev1\r\n", "Greeting refused: 0 * OK IMAP4rev1"),
        ("+OK POP3\r\n", "Greeting refused: 0 +OK POP3"),
        ("\u{1b}[2J\u{7f}\0\r\n", "Greeting refused: 0 \\x1b[2J\\x7f\\x00"),
        ("\0\0\0\0", "Greeting timed out"),
        ("", "Greeting timed out"),
    ];
    for (greeting, told) in table {
        let run = setting::run(&setting::config(), Script::smtp().greeting(greeting), link());
        assert_eq!(run.transcript().last().unwrap(), told);
    }
}

#[test]
fn floods_of_tls_records_end() {
    let handshake = |message: &[u8]| {
        let length = u16::try_from(message.len()).unwrap().to_be_bytes();
        [&[22, 3, 3], &length[..], message].concat()
    };
    let huge = [&[11, 0xff, 0xff, 0xff][..], &[0; 16_000]].concat();
    let table = [
        ("ChangeCipherSpec", vec![20, 3, 3, 0, 1, 1]),
        ("warnings", vec![21, 3, 3, 0, 2, 1, 90]),
        ("HelloRequest", handshake(&[0, 0, 0, 0])),
        ("empty fragments", vec![22, 3, 3, 0, 0]),
        ("a message of 16 MB", handshake(&huge)),
        ("a certificate without end", handshake(&[0; 16_000])),
        ("application data", [&[23, 3, 3, 0x40, 0][..], &[0; 0x4000]].concat()),
        ("heartbeats", vec![24, 3, 3, 0, 1, 1]),
        ("zeros", vec![0; 1000]),
    ];
    for (what, record) in table {
        let times = 64 * 1024 / record.len() + 1;
        let flood = Answer::silence().repeat(record.repeat(times), GIGABYTE);
        let script = Script::smtp().tls(TlsSetup::instead(flood));
        let run = setting::run(&setting::config(), script, link());
        let error = observation(&run).handshake_error.clone();
        assert!(matches!(&error, Some(HandshakeError::Tls(_))), "{what}: {error:?}");
        assert!(run.ended_at().as_micros() < 5_000_000, "{what}");
    }
    // A ServerHello that never gets to its end: there is a bound, and it is ours.
    let drops = Answer::silence().repeat(handshake(&[2, 0, 0xff, 0xfe]), GIGABYTE);
    let script = Script::smtp().tls(TlsSetup::instead(drops));
    let run = setting::run(&setting::config(), script, link());
    assert!(matches!(observation(&run).handshake_error, Some(HandshakeError::Tls(_))));
}

#[test]
fn records_that_trickle_in_end_at_the_deadline() {
    let config = Config { command_timeout: Duration::from_secs(11), ..setting::config() };
    let answer =
        Answer::silence().drip([22, 3, 3, 0x10, 0, 2, 0, 0xf, 0xf0, 3, 3], Duration::from_secs(2));
    let script = Script::smtp().tls(TlsSetup::instead(answer));
    let run = setting::run(&config, script, Link::default());
    assert_eq!(observation(&run).handshake_error, Some(HandshakeError::TimedOut));
}

#[test]
fn the_bound_on_a_handshake_is_ours() {
    // A chain of 600 kB in messages that are each small enough cannot be made; a flood of
    // fragments of one allowed message can.
    let fragment = [&[22, 3, 3, 0, 1][..], &[2]].concat();
    let flood = Answer::silence().repeat(fragment.repeat(1000), GIGABYTE);
    let script = Script::smtp().tls(TlsSetup::instead(flood));
    let run = setting::run(&setting::config(), script, link());
    let error = observation(&run).handshake_error.clone().unwrap();
    assert!(
        matches!(error, HandshakeError::Tls(TlsError::Limit | TlsError::Misbehaved(_))),
        "{error:?}"
    );
}
