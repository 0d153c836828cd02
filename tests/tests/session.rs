//! Sessions: what a probe says, tells and hears on, step by step.

use std::time::Duration;

use tlsfinger_core::config::{Config, Level};
use tlsfinger_core::report::{Outcome, Step, StreamEnd};
use tlsfinger_tests::peer::{Answer, Script, TlsSetup};
use tlsfinger_tests::playbook::*;
use tlsfinger_tests::setting::{self, PEER};
use tlsfinger_tests::world::{Connect, Link};

/// A server's behaviour, what is told of it, and what the server hears.
struct Row<'a> {
    script: Script,
    told: &'a [&'a str],
    heard: &'a [&'a str],
}

impl Row<'_> {
    /// Holds whole, byte by byte with inputs for dead transports in between, and replayed.
    #[track_caller]
    fn check(&self, config: &Config) {
        let plain = setting::run(config, self.script.clone(), Link::default());
        assert_eq!(plain.transcript(), self.told);
        assert_eq!(self.script.journal().lines(), self.heard);
        assert_eq!(plain.replay(setting::probe(config)), Ok(()));
        let script = self.script.clone();
        let bytewise = setting::world(config)
            .listen(setting::place(config), Link::default().pieces_of(1), script)
            .with_ghosts()
            .run();
        assert_eq!(bytewise.transcript(), self.told, "byte by byte");
        assert_eq!(bytewise.sent(0).len(), plain.sent(0).len(), "byte by byte");
    }
}

const CONNECTED: &str = "connected to mx.example.org[192.0.2.1]:25";
const NEGOTIATING: &str = "negotiating with mx.example.org[192.0.2.1]:25";
const TLS_12: &str = "Untrusted mx.example.org[192.0.2.1]:25 TLSv1.2 ECDHE-ECDSA-AES256-GCM-SHA384";
const TLS_13: &str = "Untrusted mx.example.org[192.0.2.1]:25 TLSv1.3 TLS_AES_256_GCM_SHA384";
const GREETED: &str = "< 220 mx.example.org ESMTP";
const EHLO: &str = "> EHLO client.example";

#[test]
fn a_plain_dialogue_to_the_last_output() {
    let config = Config { level: Level::None, ..setting::config() };
    Playbook::new(setting::probe(&config))
        .start([find(0, "mx.example.org"), wait_for_ever()])
        .at(5, found(0, ["192.0.2.1"]), [open(0, tcp("192.0.2.1:25")), wait(30_005)])
        .at(25, opened(0), [tell(CONNECTED), wait(30_025)])
        .at(
            30,
            received(0, "220-mx.example.org\r\n220 he"),
            [tell("< 220-mx.example.org"), wait(30_025)],
        )
        .at(
            40,
            received(0, "llo\r\n"),
            [tell("< 220 hello"), tell(EHLO), send(0, "EHLO client.example\r\n"), wait(30_040)],
        )
        .at(
            60,
            received(0, "250-mx.example.org\n250-STARTTLS\r\r\n250 SIZE 1000\r\n"),
            [
                tell("< 250-mx.example.org"),
                tell("< 250-STARTTLS"),
                tell("< 250 SIZE 1000"),
                tell("> QUIT"),
                send(0, "QUIT\r\n"),
                wait(30_060),
            ],
        )
        .at(
            80,
            received(0, "221 bye\r\n"),
            [
                tell("< 221 bye"),
                close(0),
                finished_if("with a session", |report| {
                    let observation = &report.sessions[0].observation;
                    report.outcome == Outcome::Session
                        && observation.end == StreamEnd::Ours
                        && observation.problems.is_empty()
                        && observation.hello.as_ref().unwrap().starttls
                        && observation.times.iter().map(|(step, _)| *step).eq([
                            Step::Connect,
                            Step::Greeting,
                            Step::Hello,
                            Step::Quit,
                        ])
                }),
                wait(2_080),
            ],
        )
        .at(80, ended(0), [done()])
        .finish();
}

#[test]
fn starttls_to_the_end() {
    for (tls, version, established) in
        [(TlsSetup::only_12(), "TLSv1_2", TLS_12), (TlsSetup::only_13(), "TLSv1_3", TLS_13)]
    {
        Row {
            script: Script::smtp().tls(tls),
            told: &[
                CONNECTED,
                GREETED,
                EHLO,
                "< 250-mx.example.org",
                "< 250 STARTTLS",
                "> STARTTLS",
                "< 220 go ahead",
                NEGOTIATING,
                established,
                EHLO,
                "< 250 mx.example.org",
                "> QUIT",
                "< 221 bye",
            ],
            heard: &[
                "open",
                "EHLO client.example",
                "STARTTLS",
                version,
                "* EHLO client.example",
                "* QUIT",
                "close_notify",
                "end",
            ],
        }
        .check(&setting::config());
    }
}

#[test]
fn wrapper_to_the_end() {
    let config = Config { wrapper: true, ..setting::config() };
    for (tls, version, established) in
        [(TlsSetup::only_12(), "TLSv1_2", TLS_12), (TlsSetup::only_13(), "TLSv1_3", TLS_13)]
    {
        Row {
            script: Script::smtp().wrapper().tls(tls),
            told: &[
                CONNECTED,
                NEGOTIATING,
                established,
                GREETED,
                EHLO,
                "< 250 mx.example.org",
                "> QUIT",
                "< 221 bye",
            ],
            heard: &["open", version, "* EHLO client.example", "* QUIT", "close_notify", "end"],
        }
        .check(&config);
    }
}

#[test]
fn lmtp_to_the_end() {
    Row {
        script: Script::lmtp(),
        told: &[
            "connected to client.example[/run/lmtp]",
            "< 220 mx.example.org LMTP",
            "> LHLO client.example",
            "< 250-mx.example.org",
            "< 250 STARTTLS",
            "> STARTTLS",
            "< 220 go ahead",
            "negotiating with client.example[/run/lmtp]",
            "Untrusted client.example[/run/lmtp] TLSv1.3 TLS_AES_256_GCM_SHA384",
            "> LHLO client.example",
            "< 250 mx.example.org",
            "> QUIT",
            "< 221 bye",
        ],
        heard: &[
            "open",
            "LHLO client.example",
            "STARTTLS",
            "TLSv1_3",
            "* LHLO client.example",
            "* QUIT",
            "close_notify",
            "end",
        ],
    }
    .check(&setting::lmtp());
}

#[test]
fn greetings() {
    let refusals = [
        ("554-go away\r\n554 now\r\n", &["< 554-go away", "< 554 now"][..], "554 go away\\nnow"),
        ("421 later\r\n", &["< 421 later"], "421 later"),
        ("354 go on\r\n", &["< 354 go on"], "354 go on"),
        ("199 x\r\n", &["< 199 x"], "199 x"),
        ("300 x\r\n", &["< 300 x"], "300 x"),
        ("hello\r\n", &["< hello"], "0 hello"),
        ("\r\n", &["< "], "0 "),
        ("22 short\r\n", &["< 22 short"], "0 short"),
        ("2200 long\r\n", &["< 2200 long"], "0 long"),
        ("220-yes\r\n554 no\r\n", &["< 220-yes", "< 554 no"], "554 yes\\nno"),
    ];
    for (greeting, lines, refused) in refusals {
        let refused = format!("Greeting refused: {refused}");
        let told = [&[CONNECTED], lines, &[&refused]].concat();
        let script = Script::smtp().greeting(greeting);
        Row { script, told: &told, heard: &["open", "end"] }.check(&setting::config());
    }
    for greeting in
        ["220\n", "220 a\r\r\r\n", "299-x\r\n220\n", "554-no\r\n220 yes\r\n", "220yes\n"]
    {
        let script = Script::smtp().greeting(greeting).on("EHLO", "500 no\r\n");
        let run = setting::run(&setting::config(), script, Link::default());
        assert!(
            run.transcript().contains(&EHLO.to_owned()),
            "{greeting:?}: {:?}",
            run.transcript()
        );
    }
}

#[test]
fn hellos() {
    let config = setting::config();
    Row {
        script: Script::smtp().on("EHLO", "502-5.5.1 not\r\n502 here\r\n"),
        told: &[
            CONNECTED,
            GREETED,
            EHLO,
            "< 502-5.5.1 not",
            "< 502 here",
            "Hello refused: 502 5.5.1 not\\nhere",
        ],
        heard: &["open", "EHLO client.example", "end"],
    }
    .check(&config);
    // Whether STARTTLS follows.
    let table = [
        ("250-mx\r\n250 STARTTLS\r\n", true),
        ("250-mx\n250 starttls\n", true),
        ("250-mx\r\n250-StartTLS REQUIRED\r\n250 HELP\r\n", true),
        ("250-mx\r\n250 STARTTLS=x\r\n", true),
        ("250 STARTTLS\r\n", true),
        ("502-STARTTLS\r\n250 mx\r\n", true),
        ("250 mx\r\n", false),
        ("250-mx\r\n250 SIZE=3 STARTTLS\r\n", false),
        ("250-mx\r\n250 XSTARTTLS\r\n", false),
        ("250 mx hello STARTTLS\r\n", false),
    ];
    for (reply, follows) in table {
        let script = Script::smtp().on("EHLO", reply).on("STARTTLS", "454 no\r\n");
        let journal = script.journal();
        setting::run(&config, script, Link::default());
        let then = journal.lines().swap_remove(2);
        assert_eq!(then, if follows { "STARTTLS" } else { "QUIT" }, "{reply:?}");
    }
}

#[test]
fn without_tls_the_session_goes_straight_to_quit() {
    let not_offered = Script::smtp().on("EHLO", "250 mx.example.org\r\n");
    Row {
        script: not_offered,
        told: &[CONNECTED, GREETED, EHLO, "< 250 mx.example.org", "> QUIT", "< 221 bye"],
        heard: &["open", "EHLO client.example", "QUIT", "end"],
    }
    .check(&setting::config());
    let not_wanted = Config { level: Level::None, ..setting::config() };
    Row {
        script: Script::smtp(),
        told: &[
            CONNECTED,
            GREETED,
            EHLO,
            "< 250-mx.example.org",
            "< 250 STARTTLS",
            "> QUIT",
            "< 221 bye",
        ],
        heard: &["open", "EHLO client.example", "QUIT", "end"],
    }
    .check(&not_wanted);
}

#[test]
fn starttls_refused() {
    Row {
        script: Script::smtp().on("STARTTLS", "454 4.7.0 TLS not available\r\n"),
        told: &[
            CONNECTED,
            GREETED,
            EHLO,
            "< 250-mx.example.org",
            "< 250 STARTTLS",
            "> STARTTLS",
            "< 454 4.7.0 TLS not available",
            "StartTls refused: 454 4.7.0 TLS not available",
        ],
        heard: &["open", "EHLO client.example", "STARTTLS", "end"],
    }
    .check(&setting::config());
}

#[test]
fn refusals_inside_tls_are_told_and_change_nothing() {
    let script = Script::smtp()
        .inside("EHLO", "550 not again\r\n")
        .on("QUIT", Answer::from("500 what?\r\n").end());
    let run = setting::run(&setting::config(), script.clone(), Link::default());
    let expected =
        [EHLO, "< 550 not again", "HelloAgain refused: 550 not again", "> QUIT", "< 500 what?"];
    assert!(run.transcript().ends_with(&expected.map(String::from)), "{:#?}", run.transcript());
    let heard = script.journal().lines();
    assert!(heard.ends_with(&["* QUIT", "close_notify", "end"].map(String::from)), "{heard:?}");

    let config = Config { wrapper: true, ..setting::config() };
    let script = Script::smtp().wrapper().greeting("554 no\r\n");
    let run = setting::run(&config, script.clone(), Link::default());
    assert!(
        run.transcript().ends_with(&["< 554 no", "Greeting refused: 554 no"].map(String::from))
    );
    assert_eq!(script.journal().lines(), ["open", "TLSv1_3", "close_notify", "end"]);
}

/// How the server goes on at one step, for SMTP with STARTTLS over TLS 1.3.
fn script_with(step: Step, answer: Answer) -> Script {
    let script = Script::smtp();
    match step {
        Step::Greeting => script.greeting(answer),
        Step::Hello => script.on("EHLO", answer),
        Step::StartTls => script.on("STARTTLS", answer),
        Step::Handshake => script.tls(TlsSetup::instead(answer)),
        Step::HelloAgain => script.inside("EHLO", answer),
        Step::Quit => script.on("QUIT", answer),
        Step::Connect => unreachable!("is no matter of the script"),
    }
}

const STEPS: [Step; 6] =
    [Step::Greeting, Step::Hello, Step::StartTls, Step::Handshake, Step::HelloAgain, Step::Quit];

fn last_lines(step: Step, problem: &str, handshake: &str) -> Vec<String> {
    match step {
        Step::Handshake => vec![format!("handshake with {PEER} failed: {handshake}")],
        Step::HelloAgain if problem.starts_with("lost") => {
            vec![format!("HelloAgain {problem}"), "> QUIT".to_owned(), format!("Quit {problem}")]
        }
        step => vec![format!("{step:?} {problem}")],
    }
}

#[test]
fn loss_at_each_step() {
    for step in STEPS {
        for partial in ["", "220-x\r\n2"] {
            let script = script_with(step, Answer::silence().say(partial).end());
            let heard = script.journal();
            let run = setting::run(&setting::config(), script, Link::default());
            let mut told = run.transcript();
            // Inside TLS there was no close_notify.
            if step >= Step::HelloAgain {
                assert_eq!(told.pop().unwrap(), format!("{PEER} ended without close_notify"));
            }
            let expected = last_lines(step, "lost", "Lost");
            if partial.is_empty() || step != Step::Handshake {
                assert!(told.ends_with(&expected), "{step:?} {partial:?}: {told:#?}");
            }
            assert_eq!(heard.lines().last().unwrap(), "end", "{step:?}");
        }
        let script = script_with(step, Answer::silence().reset());
        let told = setting::run(&setting::config(), script, Link::default()).transcript();
        let reset = "lost: Connection reset by peer";
        let broke =
            "Broke(IoError { kind: Reset, code: 104, message: \"Connection reset by peer\" })";
        assert!(told.ends_with(&last_lines(step, reset, broke)), "{step:?}: {told:#?}");
    }
}

#[test]
fn deadlines_are_for_whole_replies() {
    let config = Config {
        connect_timeout: Duration::from_secs(7),
        command_timeout: Duration::from_secs(11),
        ..setting::config()
    };
    let second = Duration::from_secs(1);
    let answers = [
        Answer::silence(),
        // Every octet comes well before the deadline, and every line too.
        Answer::silence().drip("220 this takes far too long\r\n", second),
        (0..100).fold(Answer::silence(), |answer, _| answer.pause(second).say("220-more\r\n")),
    ];
    for step in STEPS {
        // Of a handshake see the suite `tunnel`.
        let answers = if step == Step::Handshake { &answers[..1] } else { &answers };
        for answer in answers {
            let script = script_with(step, answer.clone());
            let run = setting::run(&config, script, Link::default());
            let expected = last_lines(step, "timed out", "TimedOut");
            assert!(run.transcript().contains(&expected[0]), "{step:?}: {:#?}", run.transcript());
            let times = &run.report().sessions[0].observation.times;
            let index = times.iter().position(|(it, _)| *it == step).expect("it ended");
            let limit = if step == Step::Greeting { 7 } else { 11 };
            let took = times[index].1.since(times[index - 1].1);
            assert_eq!(took, Duration::from_secs(limit), "{step:?}");
        }
    }
}

#[test]
fn connections_that_do_not_come_about() {
    let config = Config { connect_timeout: Duration::from_secs(7), ..setting::config() };
    let table = [
        (Link::refused(), 20, "Connection refused"),
        (Link::black_hole(), 7_000, "Connection timed out"),
        (
            Link::default().connect(Connect::AcceptAfter(Duration::from_secs(8))),
            7_000,
            "Connection timed out",
        ),
    ];
    for (link, at, error) in table {
        let script = Script::smtp();
        let run = setting::run(&config, script, link);
        assert_eq!(run.timeline(), [(at, format!("no connection to {PEER}: {error}"))]);
        assert_eq!(run.report().outcome, Outcome::Unreachable);
    }
}

#[test]
fn addresses_are_tried_in_turn_until_one_connects() {
    let config = Config { family: tlsfinger_core::config::Family::V6, ..setting::config() };
    let refused = Script::smtp().greeting("554 no\r\n");
    let run = setting::world(&config)
        .host(setting::HOST, ["192.0.2.1", "2001:db8::1"])
        .listen(tcp("[2001:db8::1]:25"), Link::refused(), Script::smtp())
        .listen(tcp("192.0.2.1:25"), Link::default(), refused)
        .run();
    assert_eq!(
        run.transcript(),
        [
            "no connection to mx.example.org[2001:db8::1]:25: Connection refused",
            CONNECTED,
            "< 554 no",
            "Greeting refused: 554 no",
        ]
    );
    assert_eq!(run.report().outcome, Outcome::Session);
    assert_eq!(run.report().unreachable.len(), 1);
}

#[test]
fn unknown_hosts() {
    let config = setting::config();
    let unknown = tlsfinger_tests::world::World::new(setting::probe(&config)).run();
    assert_eq!(
        unknown.transcript(),
        ["failed: unable to look up host mx.example.org: Name or service not known"]
    );
    let empty = setting::world(&config).host(setting::HOST, []).run();
    assert_eq!(empty.transcript().len(), 1);
    assert!(matches!(empty.report().outcome, Outcome::LookupFailed(_)));
}
