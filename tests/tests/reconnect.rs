//! Reconnecting to see TLS sessions reused: the cache, what is concluded from it, and servers that
//! are not the same the next time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tlsfinger_core::Probe;
use tlsfinger_core::config::{Config, Reuse};
use tlsfinger_core::report::{CacheStep, Event, Outcome, Reconnect, TlsError};
use tlsfinger_tests::certs::{self, Identity, KeyType};
use tlsfinger_tests::peer::{Host, Peer, Script, Tickets, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run};

/// Servers behind one address: each connection gets the next, the last stays.
struct Nodes {
    scripts: Vec<Script>,
    next: AtomicUsize,
}

impl Nodes {
    fn new(scripts: impl Into<Vec<Script>>) -> Self {
        Self { scripts: scripts.into(), next: AtomicUsize::new(0) }
    }
}

impl Host for Nodes {
    fn accept(&self) -> Box<dyn Peer> {
        let at = self.next.fetch_add(1, Ordering::Relaxed);
        self.scripts[at.min(self.scripts.len() - 1)].accept()
    }
}

fn config(limit: u32) -> Config {
    let reuse = Some(Reuse { delay: Duration::from_secs(1), limit });
    Config { reuse, ..setting::config() }
}

fn run(limit: u32, nodes: impl Into<Vec<Script>>) -> Run<Probe> {
    let config = config(limit);
    let nodes = Nodes::new(nodes);
    setting::world(&config).listen(setting::place(&config), Link::default(), nodes).run()
}

/// A server that calls itself `name`.
fn named(name: &str, tls: &TlsSetup) -> Script {
    let hello = format!("250-{name}\r\n250 STARTTLS\r\n");
    Script::smtp().tls(tls.clone()).on("EHLO", hello)
}

/// What is told of the cache and of reconnecting, a word each.
fn story(run: &Run<Probe>) -> Vec<&'static str> {
    let word = |event: &&Event| {
        Some(match event {
            Event::Cache(CacheStep::Looking, _) => "looking",
            Event::Cache(CacheStep::Reloaded, _) => "reloaded",
            Event::Cache(CacheStep::Saved, _) => "saved",
            Event::Cache(CacheStep::Removed, _) => "removed",
            Event::Reused(_) => "reused",
            Event::Judged(..) => "judged",
            Event::Reconnect(Reconnect::Declined) => "declined",
            Event::Reconnect(Reconnect::Found) => "found",
            Event::Reconnect(Reconnect::Exhausted) => "exhausted",
            Event::Reconnect(Reconnect::After(_)) => "again",
            Event::ConnectFailed(..) => "unreachable",
            Event::HandshakeFailed(..) => "failed",
            Event::TlsBroke(..) => "broke",
            _ => return None,
        })
    };
    run.events().iter().filter_map(word).collect()
}

/// Whether each session was a resumed one.
fn resumed(run: &Run<Probe>) -> Vec<bool> {
    let tls = run.report().sessions.iter().map(|session| session.observation.tls.as_ref());
    tls.map(|tls| tls.is_some_and(|facts| facts.resumed)).collect()
}

const FRESH: [&str; 3] = ["looking", "judged", "saved"];
const REUSED: [&str; 5] = ["looking", "reloaded", "reused", "judged", "saved"];
const REFUSED: [&str; 4] = ["looking", "reloaded", "judged", "saved"];

#[test]
fn conclusions() {
    let tls13 = |tickets| Script::smtp().tls(TlsSetup::only_13().tickets(tickets));
    let again = |first: &[&'static str], second: &[&'static str], end| {
        [first, &["again"], second, &[end]].concat()
    };
    let table = [
        (5, tls13(Tickets::None), vec!["looking", "judged", "declined"]),
        (5, tls13(Tickets::Stored(2)), again(&FRESH, &REUSED, "found")),
        (0, tls13(Tickets::Stored(2)), [&FRESH[..], &["exhausted"]].concat()),
        // Found is what was stored, whatever the server makes of it.
        (5, tls13(Tickets::Useless(100)), again(&FRESH, &REFUSED, "found")),
        // No TLS, nothing stored.
        (5, Script::smtp().on("EHLO", "250 mx\r\n"), vec!["declined"]),
        // An error ends it without a word.
        (5, Script::smtp().on("STARTTLS", "454 no\r\n"), vec![]),
        (5, Script::smtp().tls(TlsSetup::instead("no\r\n")), vec!["looking", "failed", "removed"]),
    ];
    for (limit, script, expected) in table {
        assert_eq!(story(&run(limit, [script.clone()])), expected, "{script:?}");
    }
    // The session of TLS 1.2 comes within the handshake, and when resumed it is the one of before.
    let tls12 = TlsSetup::only_12().tickets(Tickets::Sealed(1));
    let expected =
        ["looking", "saved", "judged", "again", "looking", "reloaded", "reused", "judged", "found"];
    let run = run(5, [Script::smtp().tls(tls12)]);
    assert_eq!(story(&run), expected);
    assert_eq!(run.replay(setting::probe(&config(5))), Ok(()));
}

#[test]
fn without_a_pause_sessions_are_stored_but_nothing_follows() {
    let reuse = Some(Reuse { delay: Duration::ZERO, limit: 5 });
    let config = Config { reuse, ..setting::config() };
    let run = setting::run(&config, Script::smtp(), Link::default());
    assert_eq!(story(&run), FRESH);
}

/// Nodes that name themselves each have their own entry, whoever can read their tickets.
#[test]
fn nodes_with_names() {
    let shared = TlsSetup::only_13().tickets(Tickets::Sealed(2));
    let own = || TlsSetup::only_13().tickets(Tickets::Sealed(2));
    let (one, other) = (own(), own());
    for (first, second) in [(&shared, &shared), (&one, &other)] {
        let (a, b) = (named("a.test", first), named("b.test", second));
        let run = run(5, [a.clone(), b, a]);
        let expected = [&FRESH[..], &["again"], &FRESH, &["again"], &REUSED, &["found"]].concat();
        assert_eq!(story(&run), expected);
        assert_eq!(resumed(&run), [false, false, true]);
    }
    // A server that has another name each time is never met again.
    let nodes: Vec<_> = (0..4).map(|node| named(&format!("{node}.test"), &shared)).collect();
    let run = run(3, nodes);
    assert_eq!(resumed(&run), [false; 4]);
    assert_eq!(story(&run).last(), Some(&"exhausted"));
}

/// Nodes behind one name look the same until one of them cannot read the other's ticket.
#[test]
fn nodes_behind_one_name() {
    let own = || named("mx.test", &TlsSetup::only_13().tickets(Tickets::Sealed(2)));
    let private = run(5, [own(), own()]);
    assert_eq!(story(&private), [&FRESH[..], &["again"], &REFUSED, &["found"]].concat());
    assert_eq!(resumed(&private), [false, false]);
    let shared = own();
    assert_eq!(resumed(&run(5, [shared.clone(), shared])), [false, true]);
}

#[test]
fn a_certificate_that_changes() {
    let (old, new) = (certs::server(KeyType::P256), certs::server(KeyType::Ed25519));
    let with = |identity: &Arc<Identity>, tickets| {
        Script::smtp().tls(TlsSetup::only_13().identity(identity.clone()).tickets(tickets))
    };
    // The new one shows in the full handshake.
    let chains = |run: &Run<Probe>| -> Vec<_> {
        let sessions = run.report().sessions.iter();
        sessions
            .map(|session| session.observation.tls.clone().expect("TLS").chain.clone())
            .collect()
    };
    let first = with(&old, Tickets::Useless(64));
    let changed = run(5, [first, with(&new, Tickets::Stored(2))]);
    assert_eq!(resumed(&changed), [false, false]);
    let shown = chains(&changed);
    assert_ne!(shown[0], shown[1]);
    assert_eq!(shown[1][0], new.chain[0].as_ref());
    // A resumed session is worth what its first connection was.
    let same = run(5, [with(&old, Tickets::Stored(2))]);
    assert_eq!(resumed(&same), [false, true]);
    let (shown, verdicts) = (chains(&same), same.report().sessions.iter().map(|it| &it.verdict));
    assert_eq!(shown[0], shown[1]);
    let statuses: Vec<_> = verdicts.map(|verdict| verdict.as_ref().expect("TLS").status).collect();
    assert_eq!(statuses[0], statuses[1]);
}

#[test]
fn many_tickets_and_large_ones() {
    let many = run(5, [Script::smtp().tls(TlsSetup::only_13().tickets(Tickets::Stored(1000)))]);
    assert_eq!(story(&many), [&FRESH[..], &["again"], &REUSED, &["found"]].concat());
    // Offered again whole, although it takes a ClientHello of several records.
    for setup in [TlsSetup::only_12, TlsSetup::only_13] {
        let large = Script::smtp().tls(setup().tickets(Tickets::Useless(60_000)));
        let run = run(5, [large]);
        assert_eq!(resumed(&run), [false, false], "{:#?}", run.transcript());
        assert!(run.sent(1).len() > 60_000);
    }
    // Beyond what a handshake message may hold.
    let huge = || Tickets::Useless(0xffff);
    let after = run(5, [Script::smtp().tls(TlsSetup::only_13().tickets(huge()))]);
    assert_eq!(story(&after), ["looking", "judged", "broke", "declined"]);
    let broke = after.report().sessions[0].observation.tls_broke.clone();
    assert!(matches!(broke.as_deref(), Some(TlsError::Misbehaved(_))), "{broke:?}");
    let within = run(5, [Script::smtp().tls(TlsSetup::only_12().tickets(huge()))]);
    assert_eq!(story(&within), ["looking", "failed", "removed"]);
}

#[test]
fn a_server_that_is_gone() {
    let config = config(5);
    let place = setting::place(&config);
    let script = Script::smtp();
    let met = Mutex::new(0);
    let run = setting::world(&config)
        .elsewhere(move |at| {
            let mut met = met.lock().expect("nobody panics");
            *met += 1;
            (*at == place && *met == 1).then(|| (Link::default(), script.accept()))
        })
        .run();
    assert_eq!(story(&run), [&FRESH[..], &["again", "unreachable"]].concat());
    assert_eq!((run.report().sessions.len(), &run.report().outcome), (1, &Outcome::Session));
    assert_eq!(run.report().unreachable.len(), 1);
}

#[test]
fn the_pause() {
    let run = run(1, [Script::smtp().tls(TlsSetup::only_13())]);
    let when = |wanted: &str| {
        let timeline = run.timeline();
        timeline
            .iter()
            .filter(|(_, line)| line.contains(wanted))
            .map(|(at, _)| *at)
            .collect::<Vec<_>>()
    };
    let [said, second] = [when("After")[0], when("< 220 mx")[1]];
    // One round trip for the connection.
    assert_eq!(second - said, 1000 + 20);
}
