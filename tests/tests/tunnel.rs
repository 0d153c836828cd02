//! TLS as it is seen from outside: what comes of a server's ways, and what the wire shows.

use std::sync::Arc;
use std::time::Duration;

use rustls::NamedGroup;
use tlsfinger_core::config::{Config, Policy, Reuse, ServerNameChoice};
use tlsfinger_core::report::{
    Alert, Event, Group, HandshakeError, Observation, Reconnect, StreamEnd, TlsError, TlsFacts,
    TlsVersion,
};
use tlsfinger_core::{Output, Probe};
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::peer::{Answer, ClientAuth, Script, Tickets, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run};

fn run(tls: TlsSetup) -> Run<Probe> {
    setting::run(&setting::config(), Script::smtp().tls(tls), Link::default())
}

fn observation(run: &Run<Probe>) -> &Observation {
    &run.report().sessions[0].observation
}

#[track_caller]
fn facts(run: &Run<Probe>) -> Arc<TlsFacts> {
    let observation = observation(run);
    assert_eq!(observation.problems, [], "{:#?}", run.transcript());
    observation.tls.clone().expect("there was TLS")
}

const BOTH: [fn() -> TlsSetup; 2] = [TlsSetup::only_12, TlsSetup::only_13];

#[test]
fn every_kind_of_key() {
    let table = [
        (KeyType::P256, 0x0403),
        (KeyType::P384, 0x0503),
        (KeyType::P521, 0x0603),
        (KeyType::Ed25519, 0x0807),
        (KeyType::Rsa2048, 0x0804),
    ];
    for (key, scheme) in table {
        for setup in BOTH {
            let identity = certs::server(key);
            let facts = facts(&run(setup().identity(identity.clone())));
            let signature = facts.server_signature.expect("the handshake was a full one").0;
            let rsa_pss_or =
                |scheme| key == KeyType::Rsa2048 && (0x0804..=0x0806).contains(&scheme);
            assert!(signature == scheme || rsa_pss_or(signature), "{key:?}: {signature:#06x}");
            assert!(facts.chain.iter().eq(identity.chain.iter().map(|der| der.as_ref())));
        }
    }
}

#[test]
fn every_group_first_or_after_a_retry() {
    let table = [
        (NamedGroup::X25519, Group::X25519, false),
        (NamedGroup::secp256r1, Group::Secp256r1, true),
        (NamedGroup::secp384r1, Group::Secp384r1, true),
    ];
    for (name, group, retry) in table {
        for (setup, version) in BOTH.into_iter().zip([TlsVersion::Tls12, TlsVersion::Tls13]) {
            let facts = facts(&run(setup().groups([name])));
            assert_eq!((facts.version, facts.group), (version, Some(group)));
            assert_eq!(facts.hello_retry, retry && version == TlsVersion::Tls13, "{group}");
        }
    }
    let config = Config { policy: Policy::default(), ..setting::config() };
    let hybrid = setting::run(&config, Script::smtp(), Link::default());
    assert_eq!(facts(&hybrid).group, Some(Group::X25519MlKem768));
}

#[test]
fn client_certificates_are_asked_for() {
    for setup in BOTH {
        assert!(!facts(&run(setup())).client_certificate_requested);
        let requested = run(setup().client_auth(ClientAuth::Requested));
        assert!(facts(&requested).client_certificate_requested);
    }
    let required = run(TlsSetup::only_12().client_auth(ClientAuth::Required));
    let refused = HandshakeError::Tls(TlsError::AlertReceived(Alert(116)));
    assert_eq!(observation(&required).handshake_error, Some(refused));
    // In TLS 1.3 the server says so after the handshake (RFC 8446 section 4.4.2.4).
    let required = run(TlsSetup::only_13().client_auth(ClientAuth::Required));
    let refused = TlsError::AlertReceived(Alert(116));
    assert_eq!(observation(&required).tls_broke, Some(Box::new(refused)));
    assert!(observation(&required).tls.is_some());
    let told = required.transcript();
    let last = ["HelloAgain lost", "> QUIT", "Quit lost"].map(String::from);
    assert!(told.ends_with(&last), "{told:#?}");
}

#[test]
fn the_server_name_is_sent_when_asked_for() {
    let table = [
        (None, "TLSv1_3"),
        (Some(ServerNameChoice::Hostname), "TLSv1_3 for mx.example.org"),
        (Some(ServerNameChoice::Nexthop), "TLSv1_3 for mx.example.org"),
        (Some(ServerNameChoice::Name("other.example".to_owned())), "TLSv1_3 for other.example"),
        (Some(ServerNameChoice::Name("192.0.2.1".to_owned())), "TLSv1_3"),
        (Some(ServerNameChoice::Name("not a name".to_owned())), "TLSv1_3"),
    ];
    for (server_name, heard) in table {
        let mut config = setting::config();
        config.policy.server_name.clone_from(&server_name);
        let script = Script::smtp();
        setting::run(&config, script.clone(), Link::default());
        assert_eq!(script.journal().lines()[3], heard, "{server_name:?}");
    }
}

#[test]
fn text_may_come_in_one_read_with_the_last_of_the_handshake() {
    let config = Config { wrapper: true, ..setting::config() };
    let setups = [
        TlsSetup::only_12().tickets(Tickets::WithData(1)),
        TlsSetup::only_13().tickets(Tickets::WithData(2)),
        TlsSetup::only_13().half_rtt(),
    ];
    for setup in setups {
        let script = Script::smtp().wrapper().tls(setup);
        for link in [Link::default(), Link::default().pieces_of(1)] {
            let run = setting::run(&config, script.clone(), link);
            let greeting = &run.transcript()[3];
            assert_eq!(greeting, "< 220 mx.example.org ESMTP");
            assert_eq!(facts(&run).version, observation(&run).tls.as_ref().unwrap().version);
        }
    }
    // The greeting was there before the client's Finished: one round trip less.
    let greeted_at = |setup| {
        let run = setting::run(&config, Script::smtp().wrapper().tls(setup), Link::default());
        run.timeline()[3].0
    };
    assert_eq!(greeted_at(TlsSetup::only_13()), 60);
    assert_eq!(greeted_at(TlsSetup::only_13().half_rtt()), 40);
}

#[test]
fn each_flight_is_one_write_and_each_step_one_round_trip() {
    // EHLO, STARTTLS, ClientHello, Finished with EHLO, QUIT, close_notify. The round trips: the
    // connection (with the greeting), EHLO, STARTTLS, TLS, EHLO, QUIT.
    let whole = run(TlsSetup::only_13());
    assert_eq!((whole.writes(0), whole.ended_at().as_micros()), (6, 6 * 20_000));
    // TLS 1.2 takes one more, and its EHLO has to wait for the server's Finished.
    let whole = run(TlsSetup::only_12());
    assert_eq!((whole.writes(0), whole.ended_at().as_micros()), (7, 7 * 20_000));
}

#[test]
fn tickets_of_all_kinds_and_their_use() {
    let reuse = Some(Reuse { delay: Duration::from_secs(1), limit: 1 });
    let config = Config { reuse, ..setting::config() };
    let table = [
        (TlsSetup::only_12().tickets(Tickets::None), false),
        (TlsSetup::only_13().tickets(Tickets::None), false),
        (TlsSetup::only_12().tickets(Tickets::Stored(1)), true),
        (TlsSetup::only_12().tickets(Tickets::Sealed(1)), true),
        (TlsSetup::only_13().tickets(Tickets::Stored(1)), true),
        (TlsSetup::only_13().tickets(Tickets::Stored(20)), true),
        (TlsSetup::only_13().tickets(Tickets::Sealed(2)), true),
        // They come after the handshake, with the first reply.
        (TlsSetup::only_13().tickets(Tickets::WithData(2)), true),
    ];
    for (tls, reused) in table {
        for link in [Link::default(), Link::default().pieces_of(1)] {
            let script = Script::smtp().tls(tls.clone());
            let run = setting::run(&config, script.clone(), link);
            let heard = script.journal().lines();
            assert_eq!(heard.iter().any(|it| it.ends_with("resumed")), reused, "{heard:#?}");
            let sessions = &run.report().sessions;
            assert_eq!(sessions.len(), if reused { 2 } else { 1 });
            if reused {
                let facts = |at: usize| sessions[at].observation.tls.clone().unwrap();
                assert_eq!((facts(0).resumed, facts(1).resumed), (false, true));
                assert_eq!(facts(0).chain, facts(1).chain, "it is kept in the session");
                assert_eq!(facts(1).server_signature, None);
            } else {
                let declined = Event::Reconnect(Reconnect::Declined);
                assert_eq!(run.events().last(), Some(&&declined));
            }
        }
    }
}

#[test]
fn handshake_messages_up_to_64_kib() {
    for setup in BOTH {
        let identity = certs::bulky(60_000);
        for link in [Link::default(), Link::default().pieces_in([1, 4000, 5, 1500])] {
            let script = Script::smtp().tls(setup().identity(identity.clone()));
            let run = setting::run(&setting::config(), script, link);
            let octets: usize = facts(&run).chain.iter().map(|it| it.len()).sum();
            assert!((61_000..65_536).contains(&octets), "{octets}");
        }
        let failed = run(setup().identity(certs::bulky(66_000)));
        let error = observation(&failed).handshake_error.clone().unwrap();
        assert!(matches!(error, HandshakeError::Tls(TlsError::Misbehaved(_))), "{error:?}");
    }
}

#[test]
fn large_handshake_messages_in_single_octets_take_no_quadratic_time() {
    let script = Script::smtp().tls(TlsSetup::only_13().identity(certs::bulky(30_000)));
    let run = setting::run(&setting::config(), script, Link::default().pieces_in([1]));
    assert_eq!(facts(&run).chain.len(), 6);
}

#[test]
fn nothing_counts_behind_close_notify() {
    let late = [
        Answer::from("250-mx\r\n").close_notify().say("250 late\r\n"),
        Answer::from("250-mx\r\n").close_notify().say_bare("250 late\r\n"),
        Answer::from("250-mx\r\n").close_notify().end(),
        Answer::from("250-mx\r\n").close_notify(),
    ];
    for setup in BOTH {
        for answer in &late {
            let script = Script::smtp().tls(setup()).inside("EHLO", answer.clone());
            let run = setting::run(&setting::config(), script, Link::default());
            let told = run.transcript();
            let last = ["< 250-mx", "HelloAgain lost", "> QUIT", "Quit lost"].map(String::from);
            assert!(told.ends_with(&last), "{told:#?}");
            assert_eq!(observation(&run).end, StreamEnd::Clean);
        }
    }
}

#[test]
fn an_end_without_close_notify_is_told() {
    for setup in BOTH {
        let script = Script::smtp().tls(setup()).inside("EHLO", Answer::from("250-mx\r\n").end());
        let run = setting::run(&setting::config(), script, Link::default());
        let told = run.transcript();
        let last = [
            "< 250-mx",
            "HelloAgain lost",
            "> QUIT",
            "Quit lost",
            "mx.example.org[192.0.2.1]:25 ended without close_notify",
        ];
        assert!(told.ends_with(&last.map(String::from)), "{told:#?}");
        assert_eq!(observation(&run).end, StreamEnd::Truncated);
    }
}

/// The alert at the end of what was sent, if it went out in plain text.
fn last_alert(run: &Run<Probe>) -> Option<u8> {
    let last = run.outputs().filter_map(|(_, output)| match output {
        Output::Send(_, bytes) => Some(bytes.clone()),
        _ => None,
    });
    match last.last()?[..] {
        [21, 3, _, 0, 2, 2, alert] => Some(alert),
        _ => None,
    }
}

#[test]
fn each_side_waits_for_tls_or_speaks_it() {
    let config = Config { wrapper: true, ..setting::config() };
    let plain = setting::run(&config, Script::smtp(), Link::default());
    let not_tls = HandshakeError::Tls(TlsError::NotTls);
    assert_eq!(observation(&plain).handshake_error, Some(not_tls));
    let wrapped = setting::run(&setting::config(), Script::smtp().wrapper(), Link::default());
    assert_eq!(wrapped.transcript().last().unwrap(), "Greeting timed out");
}

#[test]
fn peers_that_do_not_speak_tls() {
    let bad_record = [22, 3, 3, 0, 5, 0, 0, 0, 1, 0];
    type Case<'a> = (&'a [u8], fn(&TlsError) -> bool);
    let table: [Case<'_>; 6] = [
        (b"220 hello\r\n", |error| *error == TlsError::NotTls),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", |error| *error == TlsError::NotTls),
        (&[0; 100], |error| *error == TlsError::NotTls),
        (&[0xff; 20_000], |error| *error == TlsError::NotTls),
        (&bad_record, |error| matches!(error, TlsError::Misbehaved(_) | TlsError::Other(_))),
        (&[22, 3, 3, 0xff, 0xff, 1], |error| !matches!(error, TlsError::AlertReceived(_))),
    ];
    for (garbage, expected) in table {
        for link in [Link::default(), Link::default().pieces_of(1)] {
            let tls = TlsSetup::instead(garbage);
            let run = setting::run(&setting::config(), Script::smtp().tls(tls), link);
            let error = observation(&run).handshake_error.clone().unwrap();
            assert!(matches!(&error, HandshakeError::Tls(it) if expected(it)), "{error:?}");
            assert!(last_alert(&run).is_some(), "the server is told: {:?}", run.sent(0));
            assert!(run.ended_at().as_micros() < 1_000_000, "at once");
        }
    }
}

#[test]
fn fatal_alerts_at_every_stage() {
    for alert in [10, 40, 42, 47, 70, 80, 86, 112, 255] {
        let record = [21, 3, 3, 0, 2, 2, alert];
        let expected = HandshakeError::Tls(TlsError::AlertReceived(Alert(alert)));
        let at_once = run(TlsSetup::instead(record));
        assert_eq!(observation(&at_once).handshake_error, Some(expected.clone()));
        // TLS 1.2: behind the server's first flight, whose messages are complete.
        let later = run(TlsSetup::only_12().after_flight(1, record));
        assert_eq!(
            observation(&later).handshake_error,
            Some(expected),
            "{:#?}",
            later.transcript()
        );
    }
    // Plain text after the handshake is no alert but a breach (RFC 8446 section 5).
    for setup in BOTH {
        let answer = Answer::silence().say_bare([21, 3, 3, 0, 2, 2, 40]);
        let script = Script::smtp().tls(setup()).inside("EHLO", answer);
        let run = setting::run(&setting::config(), script, Link::default());
        assert_eq!(
            observation(&run).tls_broke,
            Some(Box::new(TlsError::Misbehaved("cannot decrypt peer's message".to_owned())))
        );
        assert_eq!(observation(&run).end, StreamEnd::Ours);
    }
}

#[test]
fn plain_text_behind_the_starttls_reply_never_reaches_tls() {
    // CVE-2011-0411 and its kin: a whole reply, the beginning of one, TLS-like octets.
    let table: [(&[u8], usize); 5] = [
        (b"250 evil\r\n", 10),
        (b"250-evil\r\n250 twice\r\n", 21),
        (b"250-ev", 6),
        (b"\r", 1),
        (&[22, 3, 3, 0, 4, 2, 0, 0, 0], 9),
    ];
    for (injected, octets) in table {
        for setup in BOTH {
            let reply = [b"220 go ahead\r\n", injected].concat();
            let script =
                Script::smtp().tls(setup()).on("STARTTLS", Answer::from(reply).start_tls());
            let run = setting::run(&setting::config(), script, Link::default());
            let told = run.transcript();
            assert_eq!(
                told[6..8],
                [
                    "< 220 go ahead".to_owned(),
                    format!("dropped {octets} octets of text before TLS"),
                ]
            );
            assert_eq!(observation(&run).text_before_tls, octets);
            assert_eq!(
                told[10..],
                ["> EHLO client.example", "< 250 mx.example.org", "> QUIT", "< 221 bye"]
            );
            facts(&run);
        }
        // What comes in a read of its own is TLS already, and bad.
        let answer = Answer::from("220 go ahead\r\n").say(injected).start_tls();
        let script = Script::smtp().on("STARTTLS", answer);
        let run = setting::run(&setting::config(), script, Link::default());
        assert_eq!(observation(&run).tls, None);
        assert_eq!(observation(&run).text_before_tls, 0);
        assert!(observation(&run).handshake_error.is_some(), "{:#?}", run.transcript());
    }
}

#[test]
fn the_handshake_has_one_deadline() {
    let config = Config { command_timeout: Duration::from_secs(11), ..setting::config() };
    let slow = Link::default().pieces_in([60]).gap_in(Duration::from_secs(1));
    let run = setting::run(&config, Script::smtp(), slow);
    assert_eq!(observation(&run).handshake_error, Some(HandshakeError::TimedOut));
    let times = &observation(&run).times;
    let [.., (_, began), (_, ended)] = times[..] else { panic!("{times:?}") };
    assert_eq!(ended.since(began), Duration::from_secs(11));
}
