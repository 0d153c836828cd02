//! Raw public keys (RFC 7250): asked for alone, then X.509 in a second session, told as one.

use tlsfinger_core::config::{Config, ServerCertificates};
use tlsfinger_core::report::{Session, TlsVersion};
use tlsfinger_tests::peer::{Answer, Script, TlsSetup};
use tlsfinger_tests::setting;
use tlsfinger_tests::world::Link;

fn config() -> Config {
    let mut config = setting::config();
    config.policy.raw_public_keys = true;
    config
}

fn offered(session: &Session) -> ServerCertificates {
    session.observation.offer.as_ref().expect("TLS was wanted").certificates
}

#[test]
fn a_server_of_certificates_is_asked_again_and_told_of_once() {
    for script in [Script::smtp(), Script::smtp().tls(TlsSetup::only_12())] {
        for wrapper in [false, true] {
            let script = || if wrapper { script.clone().wrapper() } else { script.clone() };
            let with = |config: Config| {
                setting::run(&Config { wrapper, ..config }, script(), Link::default())
            };
            let (raw, plain) = (with(config()), with(setting::config()));
            assert_eq!(raw.transcript(), plain.transcript());
            let sessions = &raw.report().sessions;
            let asked: Vec<_> = sessions.iter().map(offered).collect();
            assert_eq!(asked, [ServerCertificates::RawPublicKey, ServerCertificates::X509]);
            assert!(sessions[0].observation.handshake_error.is_some());
            assert!(sessions[1].verdict.is_some());
        }
    }
}

#[test]
fn without_tls_there_is_no_second_session() {
    for script in [
        Script::smtp().on("EHLO", "250 mx.example.org\r\n"),
        Script::smtp().on("STARTTLS", "454 4.7.0 not now\r\n"),
        Script::smtp().greeting("554 no\r\n"),
    ] {
        let run = setting::run(&config(), script, Link::default());
        assert_eq!(run.report().sessions.len(), 1);
    }
}

#[test]
fn a_server_that_fails_both_is_told_once() {
    let broken = TlsSetup::instead(Answer::silence().say("no TLS here\r\n"));
    let run = setting::run(&config(), Script::smtp().tls(broken), Link::default());
    assert_eq!(run.report().sessions.len(), 2);
    let failures = run.transcript().iter().filter(|line| line.contains("failed: ")).count();
    assert_eq!(failures, 1, "{:?}", run.transcript());
    let mut tls12 = config();
    tls12.policy.versions.tls13 = false;
    let run = setting::run(&tls12, Script::smtp(), Link::default());
    let [session] = &run.report().sessions[..] else { panic!("one session") };
    assert_eq!(offered(session), ServerCertificates::X509);
    assert_eq!(session.observation.tls.as_ref().expect("TLS").version, TlsVersion::Tls12);
}
