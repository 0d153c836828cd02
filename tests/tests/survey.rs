//! Surveys: both kinds of keys of a server, side by side on a virtual clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tlsfinger_core::Survey;
use tlsfinger_core::cert::{Certificate, KeyKind};
use tlsfinger_core::config::{Config, Level, ServerKeys};
use tlsfinger_core::report::{Report, Session};
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::peer::{Act, Answer, Host, MailServer, Peer, Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, World};

/// One round trip of the usual link.
const TRIP: u64 = 20;

/// Surveys the usual host.
fn survey(config: &Config, host: impl Host + 'static) -> Run<Survey> {
    let survey = || Survey::new(config.clone(), setting::SEED, setting::WALL_TIME);
    let world = World::new(survey()).host(setting::HOST, ["192.0.2.1"]);
    let run = world.listen(setting::place(config), Link::default(), host).run();
    assert_eq!(run.replay(survey()), Ok(()));
    run
}

fn identity(keys: ServerKeys) -> TlsSetup {
    TlsSetup::default().identity(certs::server(match keys {
        ServerKeys::Rsa => KeyType::Rsa2048,
        ServerKeys::Ecdsa => KeyType::P256,
    }))
}

fn with_both() -> Script {
    Script::smtp().tls(identity(ServerKeys::Ecdsa).or_identity(certs::server(KeyType::Rsa2048)))
}

/// The kinds of keys that sessions were shown, with the kind that was asked for.
fn keys(report: &Report) -> Vec<(Option<ServerKeys>, ServerKeys)> {
    let shown = |session: &Session| {
        let own = session.observation.tls.as_ref().unwrap().chain[0].clone();
        match Certificate::parse(own).unwrap().public_key().kind {
            KeyKind::Rsa { .. } => ServerKeys::Rsa,
            _ => ServerKeys::Ecdsa,
        }
    };
    let asked = |session: &Session| session.observation.offer.as_ref().unwrap().keys;
    report.sessions.iter().map(|session| (asked(session), shown(session))).collect()
}

/// The round trips until the report.
fn trips(run: &Run<Survey>) -> u64 {
    let micros = run.report().ended.as_micros();
    assert_eq!(micros % (TRIP * 1000), 0);
    micros / (TRIP * 1000)
}

#[test]
fn second_key_takes_one_round_trip_more() {
    use ServerKeys::{Ecdsa, Rsa};
    for (config, wrapper, alone) in
        [(setting::config(), false, 6), (Config { wrapper: true, ..setting::config() }, true, 5)]
    {
        let fit = |script: Script| if wrapper { script.wrapper() } else { script };
        let script = fit(with_both());
        let run = survey(&config, script.clone());
        assert_eq!(keys(run.report()), [(None, Ecdsa), (Some(Rsa), Rsa)]);
        assert_eq!(trips(&run), alone + 1);
        assert_eq!(connections(&script), 2);

        // A server with one key has one session, and is not met more often or later.
        for only in [Ecdsa, Rsa] {
            let script = fit(Script::smtp().tls(identity(only)));
            let run = survey(&config, script.clone());
            assert_eq!(keys(run.report()), [(None, only)]);
            assert_eq!((trips(&run), connections(&script)), (alone, 2));
        }
    }
}

fn connections(script: &Script) -> usize {
    script.journal().lines().iter().filter(|line| *line == "open").count()
}

/// A host whose servers have so many connections at once, and turn others away.
struct Strict {
    script: Script,
    most: usize,
    open: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
}

impl Strict {
    fn new(script: Script, most: usize) -> Self {
        Self { script, most, open: Arc::default(), peak: Arc::default() }
    }
}

impl Host for Strict {
    fn accept(&self) -> Box<dyn Peer> {
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.peak.fetch_max(open, Ordering::SeqCst);
        let refusal = Answer::from("421 too many connections\r\n").end();
        let server = match open > self.most {
            true => MailServer::new(&self.script.clone().greeting(refusal)),
            false => MailServer::new(&self.script),
        };
        Box::new(Counted { server, open: self.open.clone(), ended: false })
    }
}

/// A server that is counted as long as its connection lives.
struct Counted {
    server: MailServer,
    open: Arc<AtomicUsize>,
    ended: bool,
}

impl Peer for Counted {
    fn opened(&mut self) {
        self.server.opened();
    }

    fn received(&mut self, bytes: &[u8]) {
        self.server.received(bytes);
    }

    fn ended(&mut self) {
        self.server.ended();
    }

    fn act(&mut self) -> Option<Act> {
        let act = self.server.act();
        if act == Some(Act::End) && !std::mem::replace(&mut self.ended, true) {
            self.open.fetch_sub(1, Ordering::SeqCst);
        }
        act
    }
}

#[test]
fn server_that_minds_two_connections_is_asked_twice_in_turn() {
    let host = Strict::new(with_both(), 1);
    let run = survey(&setting::config(), host);
    let wanted = [(None, ServerKeys::Ecdsa), (Some(ServerKeys::Rsa), ServerKeys::Rsa)];
    assert_eq!(keys(run.report()), wanted);
    assert_eq!(trips(&run), 12);
    assert!(run.report().sessions.iter().all(|session| session.observation.problems.is_empty()));

    let host = Strict::new(with_both(), 2);
    let peak = host.peak.clone();
    assert_eq!(keys(survey(&setting::config(), host).report()), wanted);
    assert_eq!(peak.load(Ordering::SeqCst), 2);
}

#[test]
fn failures_are_told_once() {
    let no_tls = Script::smtp().on("EHLO", "250 mx.example.org\r\n");
    let quits =
        |script: &Script| script.journal().lines().iter().filter(|line| *line == "QUIT").count();
    let run = survey(&setting::config(), no_tls.clone());
    assert_eq!((run.report().sessions.len(), trips(&run)), (1, 4));
    // The second connection takes its leave as well.
    assert_eq!((connections(&no_tls), quits(&no_tls)), (2, 2));

    for script in [
        Script::smtp().greeting("554 no\r\n"),
        Script::smtp().on("EHLO", "502 what?\r\n"),
        Script::smtp().on("STARTTLS", "454 not now\r\n"),
        Script::smtp().on("STARTTLS", Answer::silence().end()),
        Script::smtp().on("STARTTLS", Answer::silence()),
        Script::smtp().tls(TlsSetup::instead("hello\r\n")),
        Script::smtp().tls(TlsSetup::instead(Answer::silence())),
        Script::smtp().tls(TlsSetup::instead(Answer::silence().end())),
    ] {
        let run = survey(&setting::config(), script.clone());
        assert_eq!(run.report().sessions.len(), 1, "{:#?}", run.transcript());
        assert_eq!(run.report().sessions[0].observation.offer.as_ref().unwrap().keys, None);
        assert!(connections(&script) <= 2);
    }
}

#[test]
fn nothing_is_asked_that_has_no_answer() {
    let none = Config { level: Level::None, ..setting::config() };
    let script = with_both();
    assert_eq!(survey(&none, script.clone()).report().sessions.len(), 1);
    assert_eq!(connections(&script), 1);
    // Nobody listens: there is no second attempt.
    let run = World::new(Survey::new(setting::config(), setting::SEED, setting::WALL_TIME))
        .host(setting::HOST, ["192.0.2.1"])
        .run();
    assert_eq!(run.report().unreachable.len(), 1);
}

#[test]
fn text_that_comes_while_the_handshake_is_held_is_dropped() {
    // The first connection is held up by nothing; what the second hears too much is told as its.
    let go = Answer::from("220 go ahead\r\n250 evil\r\n").start_tls();
    let run = survey(&setting::config(), with_both().on("STARTTLS", go));
    let sessions = &run.report().sessions;
    assert_eq!(sessions.len(), 2);
    for session in sessions {
        assert_eq!(session.observation.text_before_tls, 10);
        assert_eq!(
            &session.observation.hello_again.as_ref().unwrap().reply.text[..],
            b"mx.example.org"
        );
    }
}

#[test]
fn a_server_that_fails_before_the_second_visit_is_held() {
    let config = Config { wrapper: true, ..setting::config() };
    let script = Script::smtp();
    let run = survey(&config, script.clone());
    assert_eq!(run.report().sessions.len(), 1);
    assert!(run.report().sessions[0].observation.handshake_error.is_some());
    assert_eq!((trips(&run), connections(&script)), (2, 2));
}
