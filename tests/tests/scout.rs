//! Servers that speak what this program does not: what is told of them, and what they hear.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tlsfinger_core::Probe;
use tlsfinger_core::config::{Config, Level, Pin, Protocols, Reuse, WiderOffer};
use tlsfinger_core::judge::{Conclusion, VerifyError};
use tlsfinger_core::report::{Alert, ScoutCause, Scouted, Status};
use tlsfinger_core::tls::Suite;
use tlsfinger_core::tls::scout::{FlightEnd, KeyExchange, Proof, Scout};
use tlsfinger_tests::certs;
use tlsfinger_tests::peer::{Host, Legacy, Peer, Refusal, Script, TlsSetup};
use tlsfinger_tests::playbook::*;
use tlsfinger_tests::setting::{self, PEER};
use tlsfinger_tests::world::{How, Link, Run};

/// What Postfix 3.11's grade medium selects, of other versions.
fn wider(protocols: &str, level: Level) -> WiderOffer {
    let versions = Protocols::parse(protocols).unwrap().all;
    WiderOffer { versions, ..setting::wider(level) }
}

fn config(level: Level) -> Config {
    Config { level, scout: Some(wider(">=TLSv1", level)), ..setting::config() }
}

fn run(config: &Config, server: &Legacy) -> Run<Probe> {
    let run = setting::world(config)
        .listen(setting::place(config), Link::default(), server.clone())
        .run();
    assert_eq!(run.replay(setting::probe(config)), Ok(()));
    run
}

fn scouted(run: &Run<Probe>) -> &Scouted {
    run.report().sessions[0].scouted.as_deref().expect("a scout was sent")
}

const FAILED: &str = "handshake with mx.example.org[192.0.2.1]:25 failed: Tls(AlertReceived(Alert(";

#[test]
fn what_old_servers_offer() {
    let table: [(u16, &[u16], &str, &str); 16] = [
        (0x301, &[0x35], "70", "TLSv1 AES256-SHA, Untrusted"),
        (0x302, &[0x2f, 0x35], "70", "TLSv1.1 AES128-SHA, Untrusted"),
        (0x303, &[0x9f], "40", "TLSv1.2 DHE-RSA-AES256-GCM-SHA384, Untrusted"),
        (0x303, &[0xc028], "40", "TLSv1.2 ECDHE-RSA-AES256-SHA384, Untrusted"),
        (0x303, &[0x2f], "40", "TLSv1.2 AES128-SHA, Untrusted"),
        (0x303, &[0x34], "40", "TLSv1.2 ADH-AES128-SHA, Anonymous"),
        (0x301, &[0xc018], "70", "TLSv1 AECDH-AES128-SHA, Anonymous"),
        // It goes below what it was offered.
        (0x300, &[0x35], "70", "SSLv3 AES256-SHA, Untrusted"),
        // What nobody selects any more is asked for last.
        (0x303, &[0x05], "40", "TLSv1.2 RC4-SHA, Untrusted"),
        (0x301, &[0x0a], "70", "TLSv1 DES-CBC3-SHA, Untrusted"),
        (0x300, &[0x04], "70", "SSLv3 RC4-MD5, Untrusted"),
        (0x301, &[0x03], "70", "TLSv1 EXP-RC4-MD5, Untrusted"),
        (0x303, &[0x3b], "40", "TLSv1.2 NULL-SHA256, Untrusted"),
        (0x303, &[0xa2], "40", "TLSv1.2 DHE-DSS-AES128-GCM-SHA256, Untrusted"),
        (0x301, &[0x1b], "70", "TLSv1 ADH-DES-CBC3-SHA, Anonymous"),
        // A secret that was shared before is nothing to ask for.
        (0x303, &[0x8c], "40", ""),
    ];
    for (version, suites, alert, offered) in table {
        let config = config(Level::May);
        let server = Legacy::new(version, suites);
        let run = run(&config, &server);
        let told = run.transcript();
        let failed = format!("{FAILED}{alert})))");
        let offered = match offered {
            "" => format!("{PEER} offers nothing to a scout"),
            offered => format!("{PEER} offers {offered}"),
        };
        // One connection each; nothing of the other dialogues is told again.
        let last = scouted(&run).cause == ScoutCause::NothingSelected;
        let scouts = vec![format!("scouting {PEER}"); 1 + usize::from(last)];
        assert_eq!(told[told.len() - scouts.len() - 2], failed);
        assert_eq!(told[told.len() - scouts.len() - 1..], [&scouts[..], &[offered]].concat());
        let selected = wider(">=TLSv1", Level::May).suites;
        assert_eq!(last, suites.iter().all(|suite| !selected.contains(suite) || *suite == 0x8c));
        assert_eq!(server.hellos(), 1 + scouts.len());
        assert_eq!(told.iter().filter(|line| line.starts_with("> ")).count(), 2);
        let report = run.report();
        assert_eq!((report.sessions.len(), report.conclusion()), (1, Conclusion::HandshakeFailed));
        let scouted = scouted(&run);
        let verified = scouted.verdict.as_ref().map(|it| (it.status, it.satisfied));
        assert!(verified.is_none_or(|(status, satisfied)| status < Status::Verified && !satisfied));
    }
}

#[test]
fn a_scout_step_by_step() {
    let config = Config {
        wrapper: true,
        scout: Some(wider("TLSv1", Level::Secure)),
        ..config(Level::Secure)
    };
    let hello = [1, 3, 1];
    let is_hello = move |bytes: &[u8]| bytes[..3] == [22, 3, 1] && bytes[5] == hello[0];
    let alert = [21, 3, 1, 0, 2, 2, 40];
    let suite = [0, 0x2f];
    let server_hello = [&[2, 0, 0, 38, 3, 1][..], &[9; 32], &[0], &suite, &[0]].concat();
    let certificate = [11, 0, 0, 7, 0, 0, 4, 0, 0, 1, 1];
    let flight = [&server_hello[..], &certificate, &[14, 0, 0, 0]].concat();
    let record = [&[22, 3, 1, 0, flight.len() as u8][..], &flight].concat();
    let farewell = [21, 3, 1, 0, 2, 2, 90];
    Playbook::new(setting::probe(&config))
        .start([find(0, "mx.example.org"), wait_for_ever()])
        .at(5, found(0, ["192.0.2.1"]), [open(0, tcp("192.0.2.1:25")), wait(30_005)])
        .at(
            20,
            opened(0),
            [
                tell(&format!("connected to {PEER}")),
                tell(&format!("negotiating with {PEER}")),
                send_if(0, "a ClientHello", is_hello),
                wait(30_020),
            ],
        )
        .at(
            30,
            received(0, alert),
            [
                tell(&format!("{FAILED}40)))")),
                close(0),
                tell(&format!("scouting {PEER}")),
                open(1, tcp("192.0.2.1:25")),
                wait(30_030),
            ],
        )
        .at(31, ended(0), [wait(30_030)])
        .at(
            40,
            opened(1),
            [
                send_if(1, "a ClientHello of TLS 1.0", move |bytes| {
                    is_hello(bytes) && bytes[9..11] == hello[1..]
                }),
                wait(30_040),
            ],
        )
        .at(50, received(1, &record[..60]), [wait(30_040)])
        .at(
            60,
            received(1, &record[60..]),
            [
                send(1, farewell),
                close(1),
                tell(&format!("{PEER} offers TLSv1 AES128-SHA, Untrusted")),
                finished_if("with what was scouted", |report| {
                    let scouted = report.sessions[0].scouted.as_ref().unwrap();
                    scouted.flight.as_ref().unwrap().end == FlightEnd::Done
                }),
                wait(2060),
            ],
        )
        .at(70, ended(1), [done()])
        .finish();
}

#[test]
fn servers_turn_down_in_their_own_ways() {
    let refusals = [Refusal::Alert, Refusal::End, Refusal::Reset];
    for refusal in refusals {
        let server = Legacy { refusal, ..Legacy::new(0x301, &[0x35]) };
        let run = run(&config(Level::May), &server);
        assert!(scouted(&run).agreed().is_some(), "{:?}", server.refusal);
    }
    // Whoever says something else is not asked again.
    for alert in [10, 42, 112, 116] {
        let octets = vec![21, 3, 1, 0, 2, 2, alert];
        let server = Legacy { refusal: Refusal::Say(octets.into()), ..Legacy::new(0x301, &[0x35]) };
        let run = run(&config(Level::May), &server);
        assert_eq!((server.hellos(), &run.report().sessions[0].scouted), (1, &None));
    }
}

#[test]
fn only_what_was_wished_for_is_asked() {
    let server = || Legacy::new(0x303, &[0xc02f]);
    // This program could have agreed, so nothing is left to ask.
    let spoken = WiderOffer { suites: vec![0xc02f], ..wider("TLSv1.2", Level::May) };
    let other_groups = Config { scout: Some(spoken), ..config(Level::May) };
    let picky = Legacy { groups: vec![30], ..server() };
    let run_of_it = run(&other_groups, &picky);
    assert_eq!(run_of_it.report().sessions[0].scouted, None);
    // Nobody sends a scout where it is not configured.
    let old = Legacy::new(0x301, &[0x35]);
    let plain = setting::config();
    let run_of_it = run(&plain, &old);
    assert_eq!((old.hellos(), &run_of_it.report().sessions[0].scouted), (1, &None));
    // SSL 3 only if -p says so.
    let ancient = Legacy::new(0x300, &[0x35]);
    let ssl3 = Config { scout: Some(wider("", Level::May)), ..config(Level::May) };
    let run_of_it = run(&ssl3, &ancient);
    let flight = scouted(&run_of_it).agreed().unwrap();
    assert_eq!(flight.version.unwrap().to_string(), "SSLv3");
    // Anonymous suites only where nothing is verified.
    let anonymous = Legacy::new(0x303, &[0x34, 0xc018]);
    let run_of_it = run(&config(Level::Secure), &anonymous);
    assert!(scouted(&run_of_it).agreed().is_none());
}

#[test]
fn a_server_of_tls_13_alone_is_asked_once_more() {
    // Only a group that is not spoken here.
    let server = Legacy { groups: vec![24], ..Legacy::new(0x304, &[0x1302]) };
    let mut config = config(Level::May);
    config.policy.groups.0.truncate(2);
    let run = run(&config, &server);
    let flight = scouted(&run).agreed().unwrap();
    assert_eq!((flight.end, flight.group), (FlightEnd::Retry, Some(24)));
    // Its certificate is encrypted: there is nothing to judge.
    assert_eq!(scouted(&run).verdict, None);
    assert_eq!(server.hellos(), 3);
}

#[test]
fn signatures_prove_or_do_not() {
    let good = Legacy::new(0x303, &[0xc028]);
    let bad = Legacy { spoils_signatures: true, ..good.clone() };
    for (server, proof) in [(good, Proof::Right), (bad, Proof::Wrong)] {
        let run = run(&config(Level::May), &server);
        let flight = scouted(&run).agreed().unwrap();
        assert_eq!(flight.signature.unwrap().proof, proof);
        assert_eq!(flight.key_exchange, Some(KeyExchange::Ecdhe(29)));
    }
}

/// The certificates of a flight that OpenSSL sent: an Ed448 key's, and its issuer's.
fn ed448() -> Vec<Bytes> {
    let text = include_str!("../../core/src/tls/scout/testdata/tls12-ed448.hex");
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    let octets: Vec<u8> = digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect();
    let mut scout = Scout::start(Arc::default(), [7; 32]).0;
    scout.receive(&octets);
    scout.flight().chain.clone()
}

#[test]
fn keys_that_cannot_be_used_are_told_and_judged() {
    let chain = ed448();
    for (version, suite) in [(0x303, 0xc02c), (0x302, 0xc00a)] {
        let mut config = config(Level::Fingerprint);
        config.policy.pins = vec![Pin(Sha256::digest(&chain[0]).to_vec().into())];
        let scheme = (version == 0x303).then_some(0x0808);
        let chain = chain.clone();
        let server = Legacy { scheme, chain, ..Legacy::new(version, &[suite]) };
        let run = run(&config, &server);
        let told = run.transcript();
        let alert = if version == 0x303 { 40 } else { 70 };
        assert!(told.contains(&format!("{FAILED}{alert})))")), "{told:#?}");
        let verdict = scouted(&run).verdict.clone().unwrap();
        // The certificate is the one that is wanted; nothing proves that this is its owner.
        assert_eq!((verdict.status, verdict.satisfied), (Status::Untrusted, false));
        let reason = verdict.reason.as_ref().unwrap();
        assert_eq!((reason.error, reason.depth), (VerifyError::UnsupportedSignature, 0));
        assert_eq!(verdict.peer.as_ref().unwrap().subject, "mx.example.org");
        let flight = scouted(&run).agreed().unwrap();
        assert_eq!(flight.signature.unwrap().proof, Proof::Unverifiable);
        assert_eq!((flight.is_spoken(), server.hellos()), (version == 0x303, 2));
        assert_eq!(run.report().conclusion(), Conclusion::HandshakeFailed);
    }
}

/// A connection that breaks leaves no half-known facts behind.
#[test]
fn wherever_the_scout_is_cut_off_nothing_is_agreed() {
    let small = &certs::small().chain[0];
    let chain = vec![Bytes::copy_from_slice(small)];
    let server = || Legacy { chain: chain.clone(), ..Legacy::new(0x303, &[0x9f]) };
    let whole = run(&config(Level::May), &server());
    let (first, second) = (whole.received_octets(0), whole.received_octets(1));
    assert!(scouted(&whole).agreed().is_some() && first + 700 < second);
    for how in [How::End, How::Reset] {
        for cut in (0..second).filter(|cut| how == How::End || cut % 5 == 0) {
            let config = config(Level::May);
            let link = Link::default().cut_in(cut as u64, how);
            let world = setting::world(&config).listen(setting::place(&config), link, server());
            let run = world.run();
            let sessions = &run.report().sessions;
            assert_eq!(sessions.len(), 1, "{cut}");
            let scouted = sessions[0].scouted.as_ref();
            assert!(scouted.is_some() || cut < first, "{cut}");
            let found = scouted.is_some_and(|it| it.agreed().is_some() || it.verdict.is_some());
            assert!(!found, "{cut}");
        }
    }
}

/// A server may not answer what was not asked.
#[test]
fn answers_to_other_questions_are_none() {
    let flight = |version: u8, suite: [u8; 2]| {
        let hello = [&[2, 0, 0, 38, 3, version][..], &[9; 32], &[0], &suite, &[0]].concat();
        let flight = [&hello[..], &[11, 0, 0, 7, 0, 0, 4, 0, 0, 1, 9, 14, 0, 0, 0]].concat();
        [&[22, 3, version, 0, flight.len() as u8][..], &flight].concat()
    };
    for (version, suite, agrees) in
        [(1, [0, 0x2f], true), (1, [0, 0x05], false), (4, [0, 0x2f], false), (9, [0, 0x2f], false)]
    {
        // As if that was the only thing it can say; the real handshake fails before.
        let answers = vec![vec![21, 3, 1, 0, 2, 2, 40], flight(version, suite)];
        let answers = Mutex::new(answers.into_iter());
        let host = move || -> Box<dyn Peer> {
            let answer = answers.lock().unwrap().next().unwrap_or_default();
            let refusal = Refusal::Say(answer.into());
            Legacy { refusal, ..Legacy::new(0x200, &[]) }.accept()
        };
        let config = config(Level::May);
        let place = setting::place(&config);
        let run = setting::world(&config).listen(place, Link::default(), host).run();
        let found = scouted(&run);
        assert_eq!(found.flight.as_ref().unwrap().suite, Some(u16::from_be_bytes(suite)));
        assert_eq!(found.agreed().is_some(), agrees, "{version} {suite:?}");
        assert_eq!(found.verdict.is_some(), agrees, "{version} {suite:?}");
    }
}

#[test]
fn a_policy_that_fits_is_still_not_satisfied() {
    let mut config = config(Level::Secure);
    config.policy.trust.add_pem(certs::root_pem().as_bytes()).unwrap();
    config.policy.matches = vec!["mx.example.org".into()];
    let run = run(&config, &Legacy::new(0x301, &[0x35]));
    let verdict = scouted(&run).verdict.clone().unwrap();
    assert_eq!(
        (verdict.status, verdict.satisfied, &verdict.reason),
        (Status::Trusted, false, &None)
    );
    assert_eq!(verdict.peername.as_deref(), Some("mx.example.org"));
    assert_eq!(run.report().conclusion(), Conclusion::HandshakeFailed);
}

/// A server with certificates that rather does without, where clients let it.
fn rather_anonymous(setup: TlsSetup) -> (Script, Legacy) {
    let anonymous = Legacy::new(0x303, &[0xa6, 0x34]);
    (Script::smtp().tls(setup.rather(anonymous.clone())), anonymous)
}

fn run_script(config: &Config, script: &Script) -> Run<Probe> {
    let run = setting::run(config, script.clone(), Link::default());
    assert_eq!(run.replay(setting::probe(config)), Ok(()));
    run
}

#[test]
fn who_would_rather_be_anonymous_is_asked_once_more() {
    for level in [Level::May, Level::Encrypt] {
        let (script, anonymous) = rather_anonymous(TlsSetup::only_12());
        let run = run_script(&config(level), &script);
        let told = run.transcript();
        // The session is whole before, and what it came to stays.
        let last = [
            "> QUIT".to_owned(),
            "< 221 bye".to_owned(),
            format!("scouting {PEER}"),
            format!("{PEER} offers TLSv1.2 ADH-AES128-GCM-SHA256, Anonymous"),
        ];
        assert_eq!(told[told.len() - 4..], last);
        let report = run.report();
        assert_eq!((report.sessions.len(), report.conclusion()), (1, Conclusion::Satisfied));
        assert_eq!(report.sessions[0].verdict.as_ref().unwrap().status, Status::Untrusted);
        assert_eq!(scouted(&run).cause, ScoutCause::MaybeAnonymous);
        assert!(scouted(&run).is_anonymous());
        assert_eq!(anonymous.hellos(), 2);
        // All that the reference offers, so that the choice is the one that it gets.
        let asked = anonymous.heard.lock().unwrap().pop().unwrap().1;
        let mut all = wider(">=TLSv1", level).suites;
        all.retain(|suite| Suite::by_number(*suite).unwrap().needs_no_secret());
        assert_eq!(asked, [&all[..], &[0x00ff]].concat());
    }
}

#[test]
fn who_cannot_be_anonymous_is_left_alone() {
    let asked = |config: &Config, setup: TlsSetup| {
        let (script, anonymous) = rather_anonymous(setup);
        let run = run_script(config, &script);
        let report = run.report();
        assert!(report.sessions.iter().any(|session| session.verdict.is_some()));
        let found = report.sessions.iter().filter(|session| session.scouted.is_some()).count();
        assert_eq!(found + report.sessions.len(), anonymous.hellos());
        found
    };
    let may = || config(Level::May);
    assert_eq!(asked(&may(), TlsSetup::only_12()), 1);
    // TLS 1.3 has no anonymous suites, and levels that verify want none.
    assert_eq!(asked(&may(), TlsSetup::default()), 0);
    assert_eq!(asked(&config(Level::Fingerprint), TlsSetup::only_12()), 0);
    assert_eq!(asked(&Config { scout: None, ..may() }, TlsSetup::only_12()), 0);
    let named = WiderOffer { suites: vec![0xc02f, 0x9f], ..wider("", Level::May) };
    assert_eq!(asked(&Config { scout: Some(named), ..may() }, TlsSetup::only_12()), 0);
    // Once, however often the session is resumed.
    let reuse = Some(Reuse { delay: Duration::from_secs(1), limit: 3 });
    assert_eq!(asked(&Config { reuse, ..may() }, TlsSetup::only_12()), 1);
}

#[test]
fn whose_choice_is_another_is_not_anonymous() {
    let script = Script::smtp().tls(TlsSetup::only_12());
    let run = run_script(&config(Level::May), &script);
    let found = scouted(&run);
    assert!(found.agreed().is_some_and(|flight| flight.is_spoken()) && !found.is_anonymous());
    assert_eq!(found.verdict.as_ref().unwrap().status, Status::Untrusted);
}

#[test]
fn the_second_session_may_fail_too() {
    let old = |octets: Vec<u8>| Legacy {
        refusal: Refusal::Say(octets.into()),
        ..Legacy::new(0x200, &[])
    };
    let config = config(Level::May);
    for (octets, end) in
        [(vec![21, 3, 1, 0, 2, 2, 40], FlightEnd::Refused(Alert(40))), (vec![], FlightEnd::Cut)]
    {
        let run = run(&config, &old(octets));
        let flight = scouted(&run).flight.as_ref().unwrap();
        assert_eq!((flight.end, scouted(&run).agreed()), (end, None));
        assert_eq!(run.transcript().last().unwrap(), &format!("{PEER} offers nothing to a scout"));
    }
    // Text instead of TLS is nothing to ask about.
    let run = run(&config, &old(b"nothing here\r\n".to_vec()));
    assert_eq!(run.report().sessions[0].scouted, None);
}
