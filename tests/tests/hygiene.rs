//! The SMTP around TLS: good servers and bad ones, a finding each.

use tlsfinger_core::config::{Config, Lookup};
use tlsfinger_core::hygiene::{Finding, Grade, Hygiene, Injection, OtherName};
use tlsfinger_core::resolve::{ResolvConf, ReverseFacts};
use tlsfinger_core::{Probe, Survey};
use tlsfinger_tests::certs::{self, Flaw, KeyType};
use tlsfinger_tests::peer::{Answer, Behind, Script, TlsSetup};
use tlsfinger_tests::playbook;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, World};
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
    assert_eq!(lines.iter().filter(|line| *line == "open").count(), 3);

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

#[test]
fn servers_without_tls_and_servers_that_fail() {
    let plain = good().on("EHLO", "250-mx.example.org\r\n250 AUTH PLAIN\r\n");
    let hygiene = inspect(&plain);
    assert_eq!((&hygiene.pipelined, &hygiene.named), (&None, &None));
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
    assert_eq!(script.journal().lines().iter().filter(|line| *line == "open").count(), 4);
}
