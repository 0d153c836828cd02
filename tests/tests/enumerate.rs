//! `--enumerate`: everything that a server accepts is found, with few connections and not all at once.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::time::Duration;

use tlsfinger_core::config::Config;
use tlsfinger_core::enumerate::{
    Enumerating, Enumeration, Order, SessionFacts, Severity, Subject, WithoutSni,
};
use tlsfinger_core::machine::{Input, Stop};
use tlsfinger_core::report::{Outcome, Scope};
use tlsfinger_core::tls::scout::Protocol;
use tlsfinger_core::trace::{Fidelity, Header, Recorded, Trace};
use tlsfinger_core::{Enumerator, Output, limits};
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::peer::{Answer, Host, Legacy, Refusal, Script, Tickets, TlsSetup};
use tlsfinger_tests::world::{How, Link, Run, World};
use tlsfinger_tests::{playbook, setting};

const PAUSE: Duration = Duration::from_millis(100);

fn enumerator(config: &Config) -> Enumerator {
    let how = Enumerating { pause: PAUSE, every: false };
    Enumerator::new(config.clone(), how, setting::SEED, setting::WALL_TIME)
}

fn run(config: &Config, server: impl tlsfinger_tests::peer::Host + 'static) -> Run<Enumerator> {
    let world = World::new(enumerator(config)).host(setting::HOST, ["192.0.2.1"]);
    let run = world.listen(setting::place(config), Link::default(), server).run();
    assert_eq!(run.replay(enumerator(config)), Ok(()));
    run
}

fn found(run: &Run<Enumerator>) -> &Enumeration {
    match &run.report().outcome {
        Outcome::Enumerated(found) => &found[0],
        other => panic!("{other:?}"),
    }
}

/// A server of four versions with suites of all kinds, in an order of its own.
fn server() -> Legacy {
    Legacy {
        versions: vec![0x301, 0x302, 0x303, 0x304],
        groups: vec![24, 29, 0x11ec, 23, 19],
        ..Legacy::new(0x303, &[0x1303, 0xc02f, 0x1301, 0x009f, 0x0035, 0xc013, 0x0005, 0x000a])
    }
}

/// A server of TLS 1.2 that has CBC suites only, so that scouts find all that there is.
fn both() -> Legacy {
    Legacy {
        versions: vec![0x302, 0x303],
        groups: vec![24, 29, 23],
        ..Legacy::new(0x303, &[0xc014, 0x009f, 0x0035, 0xc013, 0x0005, 0x000a])
    }
}

#[test]
fn everything_is_found_in_the_servers_order() {
    let server = server();
    let run = run(&setting::config(), server.clone());
    let found = found(&run);
    let suites = |version| found.version(version).unwrap().suites.clone();
    assert_eq!(suites(Protocol::TLS13), [0x1303, 0x1301]);
    assert_eq!(suites(Protocol::TLS12), [0xc02f, 0x009f, 0x0035, 0xc013, 0x0005, 0x000a]);
    for old in [Protocol::TLS11, Protocol::TLS10] {
        assert_eq!(suites(old), [0x0035, 0xc013, 0x0005, 0x000a]);
    }
    assert_eq!(suites(Protocol::SSL3), []);
    for facts in found.versions.iter().filter(|facts| facts.version != Protocol::SSL3) {
        assert_eq!(facts.order, Order::Server, "{}", facts.version);
    }
    for version in [Protocol::TLS13, Protocol::TLS12] {
        assert_eq!(found.version(version).unwrap().groups_order, Order::Server, "{version}");
    }
    let tls12 = found.version(Protocol::TLS12).unwrap();
    assert_eq!(tls12.groups, server.groups);
    assert_eq!((&tls12.schemes[..], tls12.dh_bits), (&[0x0401][..], Some(1024)));
    assert_eq!(found.version(Protocol::TLS13).unwrap().groups, server.groups);
    assert_eq!(found.chains, std::slice::from_ref(&server.chain));
    let accepted = &found.accepted;
    assert_eq!(accepted.secure_renegotiation, Some(false));
    assert_eq!((accepted.compression, accepted.fallback_scsv), (Some(false), Some(false)));
    assert_eq!(accepted.without_sni, Some(WithoutSni::Same));
    // Every suite once, a last question for each list, and one for each of the extras.
    assert!(found.connections <= server.hellos());
    assert!((30..40).contains(&found.connections), "{}", found.connections);
    assert_eq!((found.failures, found.is_cut), (0, false));
}

#[test]
fn the_clients_order_is_told_from_the_servers() {
    let table = [
        // Offered the worst first, this order must be the server's.
        (vec![0xc02f, 0x002f], false, Order::Server),
        // This one could be the client's, and is not.
        (vec![0x002f, 0xc02f], false, Order::Server),
        (vec![0xc02f, 0x002f], true, Order::Client),
        (vec![0xc02f], true, Order::Unknown),
    ];
    for (suites, follows_client, order) in table {
        let server = Legacy { follows_client, ..Legacy::new(0x303, &suites) };
        let run = run(&setting::config(), server);
        let facts = found(&run).version(Protocol::TLS12).unwrap().clone();
        assert_eq!(facts.suites.iter().collect::<BTreeSet<_>>(), suites.iter().collect());
        assert_eq!(facts.order, order, "{suites:?} {follows_client}");
    }
}

#[test]
fn the_order_of_groups_is_told_too() {
    let table = [
        // The order in which they are asked for could be anybody's.
        (vec![29, 23, 24], false, Order::Server),
        (vec![24, 23, 29], true, Order::Client),
        (vec![23], true, Order::Unknown),
    ];
    for (groups, follows_client, order) in table {
        let suites = [0x1302, 0x1301, 0xc02f];
        let server = Legacy {
            versions: vec![0x303, 0x304],
            groups: groups.clone(),
            follows_client,
            ..Legacy::new(0x303, &suites)
        };
        let run = run(&setting::config(), server);
        for version in [Protocol::TLS13, Protocol::TLS12] {
            let facts = found(&run).version(version).unwrap();
            assert_eq!(facts.groups_order, order, "{groups:?} {version}");
            assert_eq!(facts.groups.iter().collect::<BTreeSet<_>>(), groups.iter().collect());
        }
        let suites_order = if follows_client { Order::Client } else { Order::Server };
        assert_eq!(found(&run).version(Protocol::TLS13).unwrap().order, suites_order);
    }
}

#[test]
fn the_curve_of_a_certificate_hides_no_group() {
    // It goes with every question, and this server likes it best.
    let chain = certs::server(KeyType::P256).chain.iter().map(|der| der.to_vec().into()).collect();
    let server = Legacy { groups: vec![23, 29, 24], chain, ..Legacy::new(0x303, &[0xc02b]) };
    let run = run(&setting::config(), server);
    let facts = found(&run).version(Protocol::TLS12).unwrap();
    assert_eq!((&facts.groups[..], facts.groups_order), (&[23, 29, 24][..], Order::Server));
}

#[test]
fn finite_fields_are_signed_too() {
    let run = run(&setting::config(), Legacy::new(0x303, &[0x009f]));
    let facts = found(&run).version(Protocol::TLS12).unwrap();
    assert_eq!((&facts.schemes[..], &facts.groups[..]), (&[0x0401][..], &[][..]));
}

#[test]
fn findings_name_what_the_standards_say() {
    let run = run(&setting::config(), server());
    let findings = &found(&run).findings;
    let has = |severity, subject: &Subject| {
        findings.iter().any(|it| it.severity == severity && it.subject == *subject)
    };
    assert!(has(Severity::MustNot, &Subject::Spoken(Protocol::TLS10)));
    assert!(has(Severity::MustNot, &Subject::Spoken(Protocol::TLS11)));
    assert!(!has(Severity::MustNot, &Subject::Spoken(Protocol::SSL3)));
    assert!(has(Severity::MustNot, &Subject::Suites(vec![0x0005])));
    assert!(
        has(Severity::ShouldNot, &Subject::Suites(vec![0x000a]))
            || has(Severity::ShouldNot, &Subject::Suites(vec![0x0035, 0x000a]))
    );
    assert!(has(Severity::ShouldNot, &Subject::Suites(vec![0x009f])));
    assert!(has(Severity::MustNot, &Subject::DhBits(1024)));
    assert!(has(Severity::MustNot, &Subject::Groups(vec![19])));
    assert!(has(Severity::MustNot, &Subject::NoSecureRenegotiation));
    assert!(findings.is_sorted_by_key(|finding| std::cmp::Reverse(finding.severity)));
    assert!(findings.iter().all(|finding| finding.sentence.contains("RFC ")));
    let modern = Legacy { versions: vec![0x304], ..Legacy::new(0x304, &[0x1301]) };
    let run = self::run(&setting::config(), modern);
    // It lacks what it must have, and that is all.
    let subjects: Vec<_> = found(&run).findings.iter().map(|it| it.subject.clone()).collect();
    assert_eq!(subjects, [Subject::Missing(Protocol::TLS12)]);
}

#[test]
fn two_connections_at_once_and_a_pause_before_each() {
    let config = setting::config();
    let world = World::new(enumerator(&config)).host(setting::HOST, ["192.0.2.1"]);
    let run = world.listen(setting::place(&config), Link::latency(50), server()).run();
    let (mut open, mut most, mut last) = (0, 0, None);
    for (at, output) in run.outputs() {
        match output {
            Output::Open(..) => {
                open += 1;
                most = most.max(open);
                let pause = last.map(|last| at.since(last));
                assert!(pause.is_none_or(|pause| pause >= PAUSE), "{pause:?}");
                last = Some(at);
            }
            Output::Close(_) => open -= 1,
            _ => {}
        }
    }
    assert_eq!(most, limits::SURVEYS_OF_ONE);
}

#[test]
fn servers_that_have_had_enough_are_left_alone() {
    // Nobody gets up to TLS.
    let closed = Script::smtp().greeting(Answer::from("421 too many connections\r\n").end());
    let run_of_it = run(&setting::config(), closed);
    let closed = found(&run_of_it);
    assert_eq!((closed.failures, closed.is_cut), (limits::ENUMERATION_FAILURES, true));
    assert!(closed.versions.iter().all(|facts| facts.suites.is_empty()));
    // One that answers everything with the same suite.
    let flight = [22, 3, 3, 0, 57, 2, 0, 0, 38, 3, 3].to_vec();
    let rest = vec![11, 0, 0, 7, 0, 0, 4, 0, 0, 1, 9, 14, 0, 0, 0];
    let flight = [flight, vec![9; 32], vec![0, 0, 0x2f, 0], rest].concat();
    let stubborn = Legacy { refusal: Refusal::Say(flight.into()), ..Legacy::new(0x200, &[]) };
    let run = run(&setting::config(), stubborn);
    assert_eq!(found(&run).version(Protocol::TLS12).unwrap().suites, [0x2f]);
    assert!(found(&run).connections < 20, "{}", found(&run).connections);
}

#[test]
fn sessions_are_resumed_and_tickets_read() {
    let (yes, no) = (Some(true), Some(false));
    // How sessions are given; of TLS 1.2 by id and by ticket, of TLS 1.3 by ticket; lifetimes of the
    // ticket of TLS 1.2 and of those of TLS 1.3, which are in the library's debug text alone.
    let table = [
        (Tickets::Stored(2), (yes, no, None), (yes, vec![86_400; 2])),
        (Tickets::Sealed(1), (yes, yes, Some(43_200)), (yes, vec![43_200])),
        (Tickets::Useless(9), (yes, no, Some(7200)), (no, vec![7200])),
        (Tickets::None, (no, no, None), (no, vec![])),
    ];
    for (tickets, (by_id, by_ticket, lifetime), (resumed, lifetimes)) in table {
        let tls = TlsSetup::default().tickets(tickets);
        let run = run(&setting::config(), Script::smtp().tls(tls));
        let found = found(&run);
        let [tls13, tls12] = &found.sessions[..] else { panic!("{:?}", found.sessions) };
        assert_eq!((tls13.version, tls12.version), (Protocol::TLS13, Protocol::TLS12));
        assert_eq!(
            (tls12.resumed_by_id, tls12.resumed_by_ticket),
            (by_id, by_ticket),
            "{tickets:?}"
        );
        assert_eq!(tls12.tickets.iter().map(|it| it.lifetime).collect::<Vec<_>>(), {
            lifetime.map(Some).into_iter().collect::<Vec<_>>()
        });
        assert_eq!((tls13.resumed_by_id, tls13.resumed_by_ticket), (None, resumed), "{tickets:?}");
        let told: Vec<_> = tls13.tickets.iter().map(|it| it.lifetime).collect();
        assert_eq!(told, lifetimes.into_iter().map(Some).collect::<Vec<_>>());
        assert!(tls13.tickets.iter().all(|it| it.early_data == 0));
        assert_eq!(found.chains.len(), 1);
        // Nothing of these dialogues is told.
        assert_eq!(run.transcript(), [""; 0]);
    }
}

#[test]
fn signatures_and_certificates_of_tls_13() {
    let identity = certs::server(KeyType::Rsa2048);
    let tls = TlsSetup::only_13().or_identity(identity);
    let run_of_it = run(&setting::config(), Script::smtp().tls(tls));
    let both = found(&run_of_it);
    let tls13 = both.version(Protocol::TLS13).unwrap();
    // The library of the virtual server likes the longest hash best.
    assert_eq!(tls13.schemes, [0x0403, 0x0806, 0x0805, 0x0804]);
    assert_eq!(both.chains.len(), 2);
    assert_eq!((both.failures, both.sessions.len()), (0, 1));
    let tls = TlsSetup::only_13().tickets(Tickets::None);
    let run = run(&setting::config(), Script::smtp().tls(tls));
    assert_eq!(found(&run).version(Protocol::TLS13).unwrap().schemes, [0x0403]);
}

/// Lets each connection meet the same server, one of them over a link that breaks after so many octets.
fn run_in_turn(server: impl Host + 'static, broken: Option<(usize, u64, How)>) -> Run<Enumerator> {
    let count = Cell::new(0);
    World::new(enumerator(&setting::config()))
        .host(setting::HOST, ["192.0.2.1"])
        .elsewhere(move |_| {
            let number = count.replace(count.get() + 1);
            let link = match broken {
                Some((at, octets, how)) if at == number => Link::default().cut_in(octets, how),
                Some(_) | None => Link::default(),
            };
            Some((link, server.accept()))
        })
        .run()
}

#[test]
fn a_connection_that_breaks_loses_nothing() {
    let server = both();
    let in_turn = |broken| run_in_turn(server.clone(), broken);
    let whole = in_turn(None);
    let usual = found(&whole);
    assert!(usual.connections > 15 && usual.failures == 0);
    let ids = whole.outputs().filter_map(|(_, output)| match output {
        Output::Open(id, _) => Some(id.0),
        _ => None,
    });
    for (number, id) in ids.enumerate().skip(1) {
        let octets = whole.received(id).len() as u64;
        // At once, in the greeting, in the dialogue, and wherever else it gets to.
        for at in [0, 5, octets / 3, octets / 2, octets - 1] {
            let how = [How::End, How::Reset][number % 2];
            let run = in_turn(Some((number, at, how)));
            let found = found(&run);
            let what = || format!("connection {number} at octet {at} of {octets}");
            assert_eq!(found.versions, usual.versions, "{}", what());
            assert_eq!(found.chains, usual.chains, "{}", what());
            assert_eq!(found.accepted, usual.accepted, "{}", what());
            assert!(found.connections <= usual.connections + 1 && !found.is_cut, "{}", what());
        }
    }
}

#[test]
fn a_session_that_breaks_makes_nothing_up() {
    let script = Script::smtp().tls(TlsSetup::default().tickets(Tickets::Sealed(2)));
    let in_turn = |broken| run_in_turn(script.clone(), broken);
    let whole = in_turn(None);
    let usual = found(&whole);
    let ids: Vec<_> = whole
        .outputs()
        .filter_map(|(_, output)| match output {
            Output::Open(id, _) => Some(id.0),
            _ => None,
        })
        .collect();
    let fair = |seen: Option<bool>, usual: Option<bool>| seen.is_none() || seen == usual;
    for (number, id) in ids.iter().enumerate().skip(ids.len() - 8) {
        let octets = whole.received(*id).len() as u64;
        for at in (0..octets).step_by(131) {
            for how in [How::End, How::Reset, How::BlackHole] {
                let run = in_turn(Some((number, at, how)));
                let found = found(&run);
                let what = || format!("connection {number} at octet {at} of {octets} by {how:?}");
                let lists = |found: &Enumeration| {
                    let versions = found.versions.iter();
                    versions.map(|it| (it.suites.clone(), it.groups.clone())).collect::<Vec<_>>()
                };
                assert_eq!(lists(found), lists(usual), "{}", what());
                assert_eq!(found.chains, usual.chains, "{}", what());
                assert!(!found.is_cut && found.connections <= usual.connections + 1, "{}", what());
                for facts in &found.sessions {
                    let same = |it: &&SessionFacts| it.version == facts.version;
                    let usual = usual.sessions.iter().find(same).unwrap();
                    assert!(fair(facts.resumed_by_id, usual.resumed_by_id), "{}", what());
                    assert!(fair(facts.resumed_by_ticket, usual.resumed_by_ticket), "{}", what());
                }
            }
        }
    }
}

#[test]
fn no_server_fills_the_memory() {
    // Another certificate for each connection.
    let config = setting::config();
    let count = Cell::new(0_u32);
    let world = World::new(enumerator(&config)).host(setting::HOST, ["192.0.2.1"]);
    let run = world
        .elsewhere(move |_| {
            let number = count.replace(count.get() + 1);
            let chain = vec![number.to_be_bytes().to_vec().into()];
            let suites = [0xc02f, 0x009f, 0x0035, 0xc013, 0x0005, 0x000a, 0x002f, 0x003c, 0x003d];
            let server = Legacy { chain, ..Legacy::new(0x303, &suites) };
            Some((Link::default(), server.accept()))
        })
        .run();
    let found = found(&run);
    assert_eq!((found.chains.len(), found.is_cut), (limits::ENUMERATED_CHAINS, true));
}

#[test]
fn server_names_of_tls_13() {
    let tls = || TlsSetup::only_13().identity(certs::server(KeyType::P384));
    let named = |identity| Script::smtp().tls(tls().for_sni(identity));
    let table = [
        (Script::smtp().tls(tls()), WithoutSni::Same, 1),
        (named(Some(certs::server(KeyType::P256))), WithoutSni::Other, 2),
    ];
    for (script, expected, chains) in table {
        let run = run(&setting::config(), script);
        let found = found(&run);
        assert_eq!((found.accepted.without_sni, found.chains.len()), (Some(expected), chains));
    }
}

#[test]
fn encrypted_extensions_of_tls_13() {
    let table = [
        (TlsSetup::only_13(), None),
        (TlsSetup::only_13().protocols(&["lmtp", "smtp"]), Some("smtp")),
        // Such a server refuses all that were offered.
        (TlsSetup::only_13().protocols(&["lmtp"]), None),
    ];
    for (tls, protocol) in table {
        let run = run(&setting::config(), Script::smtp().tls(tls));
        let accepted = &found(&run).accepted;
        assert_eq!(accepted.alpn.as_deref(), protocol);
        assert_eq!((accepted.raw_public_key, accepted.session_id), (Some(false), None));
    }
}

#[test]
fn every_server_one_after_the_other() {
    let config = setting::config();
    let how = Enumerating { pause: PAUSE, every: true };
    let header = Header::new("test", config.clone(), setting::SEED, setting::WALL_TIME);
    let header = Header { enumerating: Some(how), ..header };
    let at = |number: u8| playbook::tcp(&format!("192.0.2.{number}:25"));
    let run = World::new(Recorded::begin(&header))
        .host(setting::HOST, ["192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4"])
        .listen(at(1), Link::latency(5), server())
        .listen(at(2), Link::latency(5), Script::smtp().tls(TlsSetup::default()))
        .listen(at(3), Link::refused(), Script::smtp())
        .listen(at(4), Link::latency(5), Script::smtp().greeting(Answer::from("554 no\r\n").end()))
        .run();
    let Outcome::Enumerated(found) = &run.report().outcome else { panic!() };
    let spoken = |found: &Enumeration| {
        let versions = found.versions.iter().filter(|facts| !facts.suites.is_empty());
        versions.map(|facts| facts.version.0).collect::<Vec<_>>()
    };
    let spoken: BTreeSet<_> = found.iter().map(spoken).collect();
    let expected = [vec![0x304, 0x303, 0x302, 0x301], vec![0x304, 0x303], vec![]];
    assert_eq!(spoken, BTreeSet::from(expected));
    assert_eq!(run.report().unreachable.len(), 1);
    assert_eq!(run.report().scope, Scope::Every { left_out: 0 });
    assert!(found.iter().all(|it| it.is_cut == (it.failures > 0)));
    // Whole sessions are among them, so that each way to replay has something to do.
    let text = format!("{header}{}", run.trace());
    let trace = Trace::parse(&text).unwrap();
    for fidelity in [Fidelity::Wire, Fidelity::Tunnel] {
        let played = trace.play_with(fidelity, |machine| machine, |_| {});
        assert_eq!(played.difference, None, "{fidelity:?}");
    }
}

#[test]
fn what_was_found_is_told_when_it_is_stopped() {
    let config = setting::config();
    for every in [false, true] {
        let how = Enumerating { pause: PAUSE, every };
        let machine = Enumerator::new(config.clone(), how, setting::SEED, setting::WALL_TIME);
        let world = World::new(machine).host(setting::HOST, ["192.0.2.1"]);
        let world = world.listen(setting::place(&config), Link::latency(5), server());
        let run = world.at(1000, Input::Stop(Stop::Drain)).run();
        let found = found(&run);
        assert!(found.is_cut && !found.version(Protocol::TLS12).unwrap().suites.is_empty());
        assert!(found.connections < 15, "{}", found.connections);
    }
}

#[test]
fn nobody_there() {
    let config = setting::config();
    let world = World::new(enumerator(&config)).host(setting::HOST, ["192.0.2.1"]);
    let run = world.run();
    assert_eq!(run.report().outcome, Outcome::Unreachable);
}
