//! The SMTP around TLS: good servers and bad ones, a finding each.

use std::cell::Cell;

use tlsfinger_core::config::{Config, Lookup};
use tlsfinger_core::hygiene::{Finding, Grade, Hygiene, Injection, OtherClient, OtherName};
use tlsfinger_core::machine::{Endpoint, Output};
use tlsfinger_core::resolve::{ResolvConf, ReverseFacts};
use tlsfinger_core::{Probe, Survey};
use tlsfinger_tests::certs::{self, Flaw, KeyType};
use tlsfinger_tests::peer::{Answer, Behind, Host, Script, TlsSetup};
use tlsfinger_tests::playbook;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{How, Link, Run, World};
use tlsfinger_tests::zones::Zones;

fn config() -> Config {
    let resolvers = ResolvConf::parse(b"nameserver 127.0.0.1");
    let lookup = Lookup { resolvers, ..Lookup::default() };
    Config { hygiene: true, lookup, ..setting::config() }
}

/// The zones of a host whose address has its name.
const NAMED: &str = "mx.example.org A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR mx.example.org";

/// A server that does everything right.
fn good() -> Script {
    let hello = "250-mx.example.org\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n";
    Script::smtp()
        .behind_starttls(Behind::Dropped)
        .on("NOOP", "250 ok\r\n")
        .on("EHLO", format!("{hello}250 STARTTLS\r\n").as_str())
        .inside("EHLO", format!("{hello}250-AUTH PLAIN LOGIN\r\n250 REQUIRETLS\r\n").as_str())
}

fn run(config: &Config, script: &Script, zones: &str) -> Run<Probe> {
    let run = World::new(setting::probe(config))
        .name_server("127.0.0.1:53".parse().unwrap(), Link::default(), Zones::parse(zones))
        .listen(setting::place(config), Link::default(), script.clone())
        .run();
    assert_eq!(run.replay(setting::probe(config)), Ok(()));
    run
}

fn inspect(script: &Script) -> Hygiene {
    inspect_in(script, NAMED)
}

fn inspect_in(script: &Script, zones: &str) -> Hygiene {
    let run = run(&config(), script, zones);
    let session = &run.report().sessions[0];
    Hygiene::clone(session.hygiene.as_ref().unwrap())
}

fn worst(hygiene: &Hygiene) -> Grade {
    hygiene.findings.iter().map(Finding::grade).max().unwrap()
}

fn injection(script: &Script) -> Injection {
    let hygiene = inspect(script);
    let find = |finding: &Finding| match finding {
        Finding::Injection(injection) => Some(injection.clone()),
        _ => None,
    };
    hygiene.findings.iter().find_map(find).unwrap()
}

#[test]
fn clean_server() {
    let script = good();
    let run = run(&config(), &script, NAMED);
    let session = &run.report().sessions[0];
    let hygiene = session.hygiene.as_ref().unwrap();
    let words: Vec<_> = hygiene.findings.iter().map(|it| (it.word(), it.grade())).collect();
    assert_eq!(
        words,
        [
            ("starttls-injection", Grade::Good),
            ("capabilities-change", Grade::Note),
            ("auth-inside-tls", Grade::Good),
            ("hello-name", Grade::Good),
            ("hello-name-in-certificate", Grade::Good),
            ("reverse-name", Grade::Good),
            ("own-name-as-sni", Grade::Good),
            ("other-client-name", Grade::Good),
        ]
    );
    assert_eq!(hygiene.findings[0], Finding::Injection(Injection::Dropped));
    let offered: Vec<_> = hygiene
        .extensions
        .iter()
        .map(|it| (&it.keyword[..], it.outside.is_some(), it.inside.as_deref()))
        .collect();
    assert_eq!(
        offered,
        [
            ("8BITMIME", true, Some(&b""[..])),
            ("AUTH", false, Some(b"PLAIN LOGIN")),
            ("REQUIRETLS", false, Some(b"")),
            ("SMTPUTF8", true, Some(b"")),
            ("STARTTLS", true, None),
        ]
    );
    // The report has one session, and nothing of the others is told but what was found.
    assert_eq!(run.report().sessions.len(), 1);
    let told = run.transcript();
    assert_eq!(told.iter().filter(|line| line.starts_with("connected to")).count(), 1);
    assert!(told.last().unwrap().starts_with("inspected mx.example.org[192.0.2.1]:25: good"));
}

#[test]
fn nothing_is_said_but_harmless_commands() {
    let script = good();
    run(&config(), &script, NAMED);
    let lines = script.journal().lines();
    let said = lines.iter().map(|line| line.trim_start_matches("* "));
    let said = said.filter(|line| !["open", "end", "close_notify"].contains(line));
    let verbs = said.filter_map(|line| line.split(' ').next()).filter(|it| !it.starts_with("TLS"));
    let verbs: std::collections::BTreeSet<_> = verbs.collect();
    // The NOOP behind STARTTLS is dropped, so that the journal does not know it.
    assert_eq!(verbs, ["EHLO", "QUIT", "STARTTLS"].into());
    assert_eq!(lines.iter().filter(|line| *line == "open").count(), 4);
    let hellos = lines.iter().filter(|line| line.ends_with("EHLO client.invalid")).count();
    assert_eq!(hellos, 1, "{lines:#?}");

    // Nothing of it without being asked for.
    let (plain, script) = (Config { hygiene: false, ..config() }, good());
    assert_eq!(run(&plain, &script, NAMED).report().sessions[0].hygiene, None);
    assert_eq!(script.journal().lines().iter().filter(|line| *line == "open").count(), 1);
}

#[test]
fn command_behind_starttls() {
    let answered = good().behind_starttls(Behind::AnsweredInside);
    match injection(&answered) {
        Injection::Answered(reply) => assert_eq!((reply.code, &reply.text[..]), (250, &b"ok"[..])),
        other => panic!("{other:?}"),
    }
    assert_eq!(worst(&inspect(&answered)), Grade::Bad);
    // A reply that refuses the command is a reply all the same.
    let puzzled = answered.on("NOOP", "502 what?\r\n");
    assert!(matches!(injection(&puzzled), Injection::Answered(reply) if reply.code == 502));
    assert_eq!(injection(&good().behind_starttls(Behind::Tls)), Injection::NoHandshake);
    // A server whose usual answer to QUIT is another one is not suspected.
    let odd = good().on("QUIT", Answer::from("250 so long\r\n").close_notify().end());
    assert_eq!(injection(&odd), Injection::Dropped);
    // Nor is one that hangs up on QUIT.
    let mute = good().on("QUIT", Answer::silence().close_notify().end());
    assert_eq!(injection(&mute), Injection::Dropped);
    // TLS first: there is no STARTTLS to put anything behind.
    let wrapper = Config { wrapper: true, ..config() };
    let run = run(&wrapper, &good().wrapper(), NAMED);
    assert_eq!(run.report().sessions[0].hygiene.as_ref().unwrap().pipelined, None);
}

#[test]
fn refusal_of_what_comes_with_starttls() {
    // One that counts what comes in a piece, and ends the session.
    let strict = good().behind_starttls(Behind::Refused);
    let Injection::Refused(reply) = injection(&strict) else { panic!("not refused") };
    assert_eq!(reply.code, 554);
    assert_eq!(worst(&inspect(&strict)), Grade::Note);
}

#[test]
fn answers_before_tls() {
    let outside = good().behind_starttls(Behind::AnsweredOutside);
    assert_eq!(injection(&outside), Injection::AnsweredOutside);
    assert_eq!(worst(&inspect(&outside)), Grade::Weak);
    // A server that says something behind its reply to STARTTLS by itself.
    let chatty = good().on("STARTTLS", Answer::from("220 go\r\n250 ok\r\n").start_tls());
    assert_eq!(news(&chatty, NAMED), [Finding::TextBeforeTls(8)]);
}

/// Finds what differs from the findings about the good server.
fn news(script: &Script, zones: &str) -> Vec<Finding> {
    let (usual, here) = (inspect(&good()), inspect_in(script, zones));
    here.findings.into_iter().filter(|it| !usual.findings.contains(it)).collect()
}

#[test]
fn offers_that_change_or_should_not_be() {
    let hello = |lines: &str| good().on("EHLO", format!("250-mx.example.org\r\n{lines}").as_str());
    let found = news(&hello("250-SMTPUTF8\r\n250-8BITMIME\r\n250-ETRN\r\n250 STARTTLS\r\n"), NAMED);
    let list = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (lost, gained) = (list(&["ETRN"]), list(&["AUTH", "REQUIRETLS"]));
    assert_eq!(found, [Finding::CapabilitiesChange { lost, gained }]);

    let found = news(&hello("250-AUTH LOGIN cram-md5\r\n250 STARTTLS\r\n"), NAMED);
    let mechanisms = list(&["LOGIN", "CRAM-MD5"]);
    let auth = Finding::AuthInPlain { mechanisms, reveals: true };
    assert!(found.contains(&auth), "{found:?}");
    assert_eq!((auth.grade(), auth.source()), (Grade::Weak, "RFC 4954 section 4"));
    let found = news(&hello("250-AUTH CRAM-MD5\r\n250 STARTTLS\r\n"), NAMED);
    let auth = Finding::AuthInPlain { mechanisms: list(&["CRAM-MD5"]), reveals: false };
    assert!(found.contains(&auth) && auth.grade() == Grade::Note, "{found:?}");

    let found = news(&hello("250-REQUIRETLS\r\n250 STARTTLS\r\n"), NAMED);
    assert!(found.contains(&Finding::RequireTlsOutside), "{found:?}");
    let found = news(&hello("250-SMTPUTF8\r\n250 STARTTLS\r\n"), NAMED);
    assert!(found.contains(&Finding::SmtpUtf8Without8BitMime), "{found:?}");

    let again = good().inside("EHLO", "250-mx.example.org\r\n250 STARTTLS\r\n");
    assert!(news(&again, NAMED).contains(&Finding::StartTlsInside));
}

#[test]
fn names() {
    let other = "250-other.test\r\n250 STARTTLS\r\n";
    let called = |name: &str| {
        let hello = format!("250-{name}\r\n250 STARTTLS\r\n");
        let inside = format!("250 {name}\r\n");
        let greeting = format!("220 {name} ESMTP\r\n");
        good()
            .greeting(greeting.as_str())
            .on("EHLO", hello.as_str())
            .inside("EHLO", inside.as_str())
    };
    let found = news(&called("other.test"), NAMED);
    assert!(found.contains(&Finding::HelloNameInCertificate(false)), "{found:?}");
    assert!(found.contains(&Finding::ReverseConfirmed { is_hello_name: false }), "{found:?}");
    for name in ["localhost", "bad..test", "[300.1.1.1]"] {
        let found = news(&called(name), NAMED);
        let bad = Finding::HelloName { name: name.to_owned().into(), valid: false };
        assert!(found.contains(&bad), "{name}: {found:?}");
    }
    for name in ["[192.0.2.1]", "[IPv6:2001:db8::1]"] {
        let found = news(&called(name), NAMED);
        let good = Finding::HelloName { name: name.to_owned().into(), valid: true };
        assert!(found.contains(&good), "{name}: {found:?}");
    }
    let found = news(&good().on("EHLO", other), NAMED);
    assert!(found.iter().any(|it| it.word() == "names-differ"), "{found:?}");
}

#[test]
fn reverse_names() {
    let none = "mx.example.org A 192.0.2.1";
    assert_eq!(news(&good(), none), [Finding::NoReverseName]);
    let astray = "mx.example.org A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR host.test\n\
                  host.test A 192.0.2.9";
    assert_eq!(news(&good(), astray), [Finding::ReverseUnconfirmed]);
    let dangling = "mx.example.org A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR host.test";
    assert_eq!(news(&good(), dangling), [Finding::ReverseUnconfirmed]);
    let second = "mx.example.org A 192.0.2.1\n1.2.0.192.in-addr.arpa PTR host.test\n\
                  1.2.0.192.in-addr.arpa PTR mx.example.org\nhost.test A 192.0.2.9";
    assert_eq!(news(&good(), second), []);
    // What cannot be found out is not held against anybody.
    let broken = "mx.example.org A 192.0.2.1\n@fault 1.2.0.192.in-addr.arpa PTR servfail";
    let hygiene = inspect_in(&good(), broken);
    assert!(matches!(hygiene.reverse, ReverseFacts::Failed(_)));
    assert!(hygiene.findings.iter().all(|it| it.word() != "reverse-name"));
    let crowd = (0..9).map(|n| format!("1.2.0.192.in-addr.arpa PTR h{n}.test\n"));
    let hygiene = inspect_in(&good(), &format!("{none}\n{}", crowd.collect::<String>()));
    assert!(matches!(hygiene.reverse, ReverseFacts::Found(names) if names.len() == 4));
}

#[test]
fn own_name_as_sni() {
    let other = |hygiene: &Hygiene| {
        let find = |finding: &Finding| match finding {
            Finding::OtherName(other) => Some(*other),
            _ => None,
        };
        hygiene.findings.iter().find_map(find)
    };
    let hygiene = inspect(&good());
    assert_eq!(other(&hygiene), Some(OtherName::SameCertificate));
    let offer = hygiene.named.as_ref().unwrap().offer.clone().unwrap();
    assert_eq!(offer.server_name.as_deref(), Some("mx.example.org"));
    // A server that knows the name has another certificate for it.
    let setup = || TlsSetup::default().identity(certs::server(KeyType::P384));
    let sni = |identity| inspect(&good().tls(setup().for_sni(identity)));
    let named = Some(certs::server(KeyType::P256));
    assert_eq!(other(&sni(named)), Some(OtherName::OtherCertificate { fits: true }));
    let wrong = Some(certs::flawed(Flaw::OtherName));
    assert_eq!(other(&sni(wrong)), Some(OtherName::OtherCertificate { fits: false }));
    assert_eq!(other(&sni(None)), Some(OtherName::NoHandshake));
    // Where that name went out before, nobody asks again.
    let mut config = config();
    config.policy.server_name =
        Some(tlsfinger_core::config::ServerNameChoice::Name("mx.example.org".to_owned()));
    let run = run(&config, &good(), NAMED);
    assert_eq!(other(run.report().sessions[0].hygiene.as_ref().unwrap()), None);
}

/// Lets each connection, counted from 0, meet its own server.
fn in_turn(of: impl Fn(usize) -> (Link, Script) + 'static) -> Run<Probe> {
    let config = config();
    let count = Cell::new(0);
    World::new(setting::probe(&config))
        .name_server("127.0.0.1:53".parse().unwrap(), Link::default(), Zones::parse(NAMED))
        .elsewhere(move |endpoint| {
            matches!(endpoint, Endpoint::Tcp(_)).then(|| {
                let (link, script) = of(count.replace(count.get() + 1));
                (link, script.accept())
            })
        })
        .run()
}

fn hygiene_of(run: &Run<Probe>) -> &Hygiene {
    run.report().sessions[0].hygiene.as_ref().unwrap()
}

#[test]
fn other_name_of_the_client() {
    let usual = good();
    let other = |script: Script| {
        let usual = usual.clone();
        let run = in_turn(move |number| {
            (Link::default(), if number == 3 { script.clone() } else { usual.clone() })
        });
        match hygiene_of(&run).findings.last() {
            Some(Finding::OtherClient(other)) => other.clone(),
            last => panic!("{last:?}"),
        }
    };
    assert_eq!(other(usual.clone()), OtherClient::SameCertificate);
    let shows = good().tls(TlsSetup::default().identity(certs::server(KeyType::P384)));
    assert_eq!(other(shows), OtherClient::OtherCertificate);
    assert_eq!(other(good().on("EHLO", "250 mx.example.org\r\n")), OtherClient::NoStartTls);
    for script in [good().on("EHLO", "550 who?\r\n"), good().on("STARTTLS", "550 who?\r\n")] {
        assert!(matches!(other(script), OtherClient::Refused(reply) if reply.code == 550));
    }
    assert_eq!(other(good().tls(TlsSetup::instead("hello\r\n"))), OtherClient::NoHandshake);
    // Whoever greets by 421 has had enough of connections, not of names.
    assert_eq!(other(good().greeting("421 later\r\n")), OtherClient::Unknown);
}

#[test]
fn cuts_lose_nothing_else_and_accuse_nobody() {
    let script = good();
    let whole = in_turn({
        let script = script.clone();
        move |_| (Link::default(), script.clone())
    });
    let usual = hygiene_of(&whole);
    let words = ["starttls-injection", "own-name-as-sni", "other-client-name"];
    for (number, word) in (1..).zip(words) {
        // The name servers' transports have numbers too.
        let opened = whole.outputs().filter_map(|(_, output)| match output {
            Output::Open(id, Endpoint::Tcp(at)) if at.address.port() == 25 => Some(id.0),
            _ => None,
        });
        let id = opened.collect::<Vec<_>>()[number];
        let octets = whole.received(id).len() as u64;
        assert!(octets > 500, "there is something to cut");
        // Closer in text than in the handshake's records.
        let is_text = |at: &u64| *at < 150 || *at + 150 > octets;
        for at in (0..octets).filter(|at| at % if is_text(at) { 3 } else { 31 } == 0) {
            let how = [How::End, How::Reset, How::BlackHole][at as usize / 3 % 3];
            let link = move |count| match count == number {
                true => Link::default().cut_in(at, how),
                false => Link::default(),
            };
            let script = script.clone();
            let run = in_turn(move |count| (link(count), script.clone()));
            let hygiene = hygiene_of(&run);
            assert_eq!(hygiene.extensions, usual.extensions);
            for (before, after) in usual.findings.iter().zip(&hygiene.findings) {
                assert_eq!(before.word(), after.word());
                if after.word() != word {
                    assert_eq!(before, after, "{word} cut at {at} by {how:?}");
                    continue;
                }
                let fair = before == after
                    || after.grade() == Grade::Unknown
                    || matches!(
                        after,
                        Finding::Injection(Injection::NoHandshake)
                            | Finding::OtherName(OtherName::NoHandshake)
                            | Finding::OtherClient(OtherClient::NoHandshake)
                    );
                assert!(fair, "{word} cut at {at} by {how:?}: {after:?}");
            }
        }
    }
}

#[test]
fn servers_without_tls_and_servers_that_fail() {
    let plain = good().on("EHLO", "250-mx.example.org\r\n250 AUTH PLAIN\r\n");
    let hygiene = inspect(&plain);
    assert_eq!((&hygiene.pipelined, &hygiene.named, &hygiene.renamed), (&None, &None, &None));
    assert!(hygiene.findings.iter().any(|it| it.word() == "auth-in-plain"));
    for script in [
        good().greeting("554 no\r\n"),
        good().tls(TlsSetup::instead("hello\r\n")),
        good().on("STARTTLS", Answer::silence().end()),
    ] {
        let run = run(&config(), &script, NAMED);
        assert_eq!(run.report().sessions[0].hygiene, None);
    }
}

#[test]
fn stopping_keeps_what_is_there() {
    let config = config();
    let world = || {
        World::new(setting::probe(&config))
            .name_server("127.0.0.1:53".parse().unwrap(), Link::default(), Zones::parse(NAMED))
            .listen(setting::place(&config), Link::default(), good())
    };
    let end = world().run().ended_at().as_micros() / 1000;
    let is_inspected = |at| {
        let run = world().at(at, playbook::stop()).run();
        run.report().sessions.iter().any(|session| session.hygiene.is_some())
    };
    let found: Vec<_> = (0..end).step_by(10).map(is_inspected).collect();
    assert!(found.is_sorted() && !found[0] && found[found.len() - 1], "{found:?}");
}

#[test]
fn every_server_of_a_survey_is_inspected_once() {
    let config = config();
    let script = good();
    let survey = Survey::new(config.clone(), setting::SEED, setting::WALL_TIME);
    let run = World::new(survey)
        .name_server("127.0.0.1:53".parse().unwrap(), Link::default(), Zones::parse(NAMED))
        .listen(setting::place(&config), Link::default(), script.clone())
        .run();
    assert_eq!(run.report().sessions.len(), 1);
    assert_eq!(worst(run.report().sessions[0].hygiene.as_ref().unwrap()), Grade::Note);
    assert_eq!(script.journal().lines().iter().filter(|line| *line == "open").count(), 5);
}
