//! TLS done by tlsproxy(8): the connection handed over, and daemons that do not play along.

use std::sync::{Arc, Mutex};

use tlsfinger_core::Probe;
use tlsfinger_core::config::{Config, Level, MatchRule, Policy, Proxy, ProxyForm};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{HandshakeError, ProxyError, Status};
use tlsfinger_tests::peer::{Act, Answer, Peer, Script};
use tlsfinger_tests::playbook::*;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, World};

const SOCKET: &str = "/run/private/tlsproxy";

fn config(forms: &[ProxyForm]) -> Config {
    let values = [
        ("config_file", "default".to_owned()),
        ("tls_daemon_random_bytes", "32".to_owned()),
        ("log_level", "summary".to_owned()),
        ("mdalg", "sha256".to_owned()),
        ("cipher_grade", "medium".to_owned()),
    ];
    let values = values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    let proxy = Some(Proxy { socket: SOCKET.into(), forms: forms.to_vec(), values });
    Config { proxy, ..setting::config() }
}

/// Attributes as they are on the wire.
fn group(attributes: &[(&str, &str)]) -> String {
    let words = attributes.iter().map(|(name, value)| format!("{name}\0{value}\0"));
    words.chain(["\0".to_owned()]).collect()
}

fn greeting() -> String {
    group(&[("protocol", "tlsproxy_protocol")])
}

/// What TLS came to.
fn result(more: &[(&str, &str)]) -> String {
    let mut attributes = vec![
        ("peer_CN", "mx.example.org"),
        ("issuer_CN", "Test Root"),
        ("peer_fingerprint", "AA:BB"),
        ("peer_pubkey_fingerprint", "CC:DD"),
        ("level", "1"),
        ("peer_status", "5"),
        ("cipher_protocol", "TLSv1.3"),
        ("cipher_name", "TLS_AES_256_GCM_SHA384"),
        ("cipher_usebits", "256"),
        ("cipher_algbits", "256"),
        ("key_exchange", "X25519"),
        ("key_exchange_curve", ""),
        ("key_exchange_bits", "253"),
    ];
    attributes.extend(more);
    for name in [
        "clnt_signature",
        "clnt_signature_curve",
        "clnt_signature_bits",
        "clnt_signature_digest",
        "srvr_signature",
        "srvr_signature_curve",
        "srvr_signature_bits",
        "srvr_signature_digest",
    ] {
        attributes.push((name, if name.ends_with("bits") { "0" } else { "" }));
    }
    attributes.push(("namaddr", "mx.example.org[192.0.2.1]:25"));
    group(&attributes)
}

/// Says these things one after the other, each when something was heard; the first at once.
struct Daemon {
    says: Vec<Answers>,
    heard: Arc<Mutex<Vec<u8>>>,
    now: Vec<Act>,
}

#[derive(Clone)]
enum Answers {
    Bytes(String),
    /// Whatever comes next is the server's socket, of which nothing is heard here.
    Then(String),
    End,
}

impl Daemon {
    fn next(&mut self) {
        while !self.says.is_empty() {
            match self.says.remove(0) {
                Answers::Bytes(text) => {
                    self.now.push(Act::Send(text.into()));
                    if !matches!(self.says.first(), Some(Answers::Then(_))) {
                        break;
                    }
                }
                Answers::Then(text) => {
                    self.now.push(Act::Send(text.into()));
                    if !matches!(self.says.first(), Some(Answers::End)) {
                        break;
                    }
                }
                Answers::End => self.now.push(Act::End),
            }
        }
    }
}

impl Peer for Daemon {
    fn opened(&mut self) {
        self.next();
    }

    fn received(&mut self, bytes: &[u8]) {
        self.heard.lock().expect("nobody panics").extend_from_slice(bytes);
        self.next();
    }

    fn act(&mut self) -> Option<Act> {
        (!self.now.is_empty()).then(|| self.now.remove(0))
    }
}

/// Probes by way of daemons that say these things, one for each connection.
fn run(config: &Config, daemons: Vec<Vec<Answers>>) -> (Run<Probe>, Vec<Vec<String>>) {
    let heard: Vec<_> = daemons.iter().map(|_| Arc::new(Mutex::new(vec![]))).collect();
    let (queue, ears) = (Mutex::new(daemons.into_iter()), Mutex::new(heard.clone().into_iter()));
    let world: World<Probe> = setting::world(config);
    let run = world
        .listen(setting::place(config), Link::default(), Script::smtp())
        .elsewhere(move |at| {
            (*at == Endpoint::Unix(SOCKET.into())).then_some(())?;
            let says = queue.lock().expect("nobody panics").next()?;
            let heard = ears.lock().expect("nobody panics").next()?;
            Some((Link::default(), Box::new(Daemon { says, heard, now: vec![] }) as Box<dyn Peer>))
        })
        .run();
    let words = |heard: &Arc<Mutex<Vec<u8>>>| {
        let heard = heard.lock().expect("nobody panics");
        heard.split(|octet| *octet == 0).map(|it| String::from_utf8_lossy(it).into()).collect()
    };
    (run, heard.iter().map(words).collect())
}

fn error(run: &Run<Probe>) -> Option<HandshakeError> {
    run.report().sessions[0].observation.handshake_error.clone()
}

use Answers::{Bytes as Say, End, Then};

/// A daemon that does all that is asked of it.
fn willing() -> Vec<Answers> {
    let replies = "250 mx.example.org\r\n";
    vec![
        Say(greeting()),
        Say(group(&[("status", "1")])),
        Then(result(&[])),
        Say(replies.to_owned()),
        Say("221 bye\r\n".to_owned()),
        End,
    ]
}

#[test]
fn a_session_by_proxy() {
    for form in [ProxyForm::V3_7, ProxyForm::V3_11] {
        let config = config(&[form]);
        let (run, heard) = run(&config, vec![willing()]);
        assert_eq!(
            run.transcript()[6..],
            [
                "< 220 go ahead",
                "negotiating with mx.example.org[192.0.2.1]:25",
                "Trusted mx.example.org[192.0.2.1]:25 TLSv1.3 TLS_AES_256_GCM_SHA384 by proxy",
                "> EHLO client.example",
                "< 250 mx.example.org",
                "> QUIT",
                "< 221 bye",
            ]
            .map(|line| line.to_owned())[..],
            "{:#?}",
            run.transcript()
        );
        assert_eq!(run.replay(setting::probe(&config)), Ok(()));
        let observation = &run.report().sessions[0].observation;
        let facts = observation.proxied.as_ref().expect("TLS by proxy");
        assert_eq!((facts.verdict(), &facts.peer_name[..]), (Status::Trusted, "mx.example.org"));
        let [names, ..] = &heard[..] else { panic!() };
        let expected: &[&str] = match form {
            ProxyForm::V3_7 => SAID_TO_3_7,
            ProxyForm::V3_11 => SAID_TO_3_11,
        };
        assert_eq!(names[..expected.len()], *expected);
    }
}

/// What the daemon hears of the server, then of the parameters, and so on: names and values.
#[rustfmt::skip]
const SAID_TO_3_7: &[&str] = &[
    "remote_endpoint", "[192.0.2.1]:25", "flags", "6", "timeout", "30", "timeout", "30",
    "serverid", "[192.0.2.1]:25", "",
    "config_file", "default", "config_name", "", "tls_high_cipherlist", "",
    "tls_medium_cipherlist", "", "tls_low_cipherlist", "", "tls_export_cipherlist", "",
    "tls_null_cipherlist", "", "tls_eecdh_auto_curves", "", "tls_eecdh_strong_curve", "",
    "tls_eecdh_ultra_curve", "", "tls_disable_workarounds", "", "tls_ssl_options", "",
    "tls_dane_digests", "", "tlsmgr_service_name", "", "tls_session_ticket_cipher", "",
    "tls_daemon_random_bytes", "32", "tls_append_default_CA", "",
    "tls_legacy_public_key_fingerprints", "", "tls_preempt_cipherlist", "",
    "tls_wildcard_matches_multiple_labels", "",
    "log_param", "", "log_level", "summary", "verifydepth", "", "cache_type", "",
    "chain_files", "", "cert_file", "", "key_file", "", "dcert_file", "", "dkey_file", "",
    "eccert_file", "", "eckey_file", "", "CAfile", "", "CApath", "", "mdalg", "sha256",
    "timeout", "30", "tls_level", "1", "nexthop", "mx.example.org", "host", "mx.example.org",
    "namaddr", "mx.example.org[192.0.2.1]:25", "sni", "", "serverid", "[192.0.2.1]:25",
    "helo", "mx.example.org", "protocols", "", "cipher_grade", "medium", "cipher_exclusions", "",
    "argv_size", "0", "mdalg", "sha256", "dane", "0", "",
];

#[rustfmt::skip]
const SAID_TO_3_11: &[&str] = &[
    "remote_endpoint", "[192.0.2.1]:25", "flags", "6", "timeout", "30", "timeout", "30",
    "serverid", "[192.0.2.1]:25", "",
    "config_file", "default", "config_name", "", "tls_high_cipherlist", "",
    "tls_medium_cipherlist", "", "tls_null_cipherlist", "", "tls_eecdh_auto_curves", "",
    "tls_eecdh_strong_curve", "", "tls_eecdh_ultra_curve", "", "tls_ffdhe_auto_groups", "",
    "tls_disable_workarounds", "", "tls_ssl_options", "", "tls_dane_digests", "",
    "tlsmgr_service_name", "", "tls_session_ticket_cipher", "", "tls_daemon_random_bytes", "32",
    "tls_append_default_CA", "", "tls_preempt_cipherlist", "",
    "tls_wildcard_matches_multiple_labels", "", "tls_fast_shutdown_enable", "",
    "log_param", "", "log_level", "summary", "verifydepth", "", "cache_type", "",
    "chain_files", "", "cert_file", "", "key_file", "", "dcert_file", "", "dkey_file", "",
    "eccert_file", "", "eckey_file", "", "CAfile", "", "CApath", "", "mdalg", "sha256",
    "timeout", "30", "enable_rpk", "0", "tls_level", "1", "nexthop", "mx.example.org",
    "host", "mx.example.org", "namaddr", "mx.example.org[192.0.2.1]:25", "sni", "",
    "serverid", "[192.0.2.1]:25", "helo", "mx.example.org", "protocols", "",
    "cipher_grade", "medium", "cipher_exclusions", "", "argv_size", "0", "mdalg", "sha256",
    "dane", "0", "forced_failure_type", "", "",
];

#[test]
fn names_and_records_to_judge_by() {
    let tail = |config: &Config| {
        let (_, heard) = run(config, vec![willing()]);
        let at = heard[0].iter().position(|word| word == "tls_level").expect("it is there");
        let words = heard[0][at..].join(" ");
        words.split(" EHLO").next().unwrap_or_default().trim().to_owned()
    };
    let secure = Config { level: Level::Secure, ..config(&[ProxyForm::V3_7]) };
    let told = tail(&secure);
    assert!(told.starts_with("tls_level 8"), "{told}");
    assert!(told.contains(" argv_size 2 argv_value nexthop argv_value dot-nexthop "), "{told}");
    let matches = vec![MatchRule::from("Hostname"), MatchRule::from(".example.org")];
    let policy = Policy { matches, ..secure.policy.clone() };
    let told = tail(&Config { policy, ..secure });
    assert!(told.contains(" argv_size 2 argv_value hostname argv_value .example.org "), "{told}");
    let pins = vec!["AABB".parse().expect("it is hexadecimal")];
    let base = config(&[ProxyForm::V3_7]);
    let policy = Policy { pins, ..base.policy.clone() };
    let told = tail(&Config { level: Level::Fingerprint, policy, ..base });
    assert!(
        told.contains(
            " dane 1 domain  count 2 usage 3 selector 0 mtype 255 data qrs= usage 3 selector 1 \
             mtype 255 data qrs="
        ),
        "{told}"
    );
}

/// A daemon that does not know a form hangs up, and still has not seen the server's socket.
#[test]
fn the_form_that_the_daemon_knows() {
    let config = config(&[ProxyForm::V3_11, ProxyForm::V3_7]);
    let refusing = || vec![Say(greeting()), End];
    let (met, heard) = run(&config, vec![refusing(), willing()]);
    assert_eq!(error(&met), None);
    assert!(heard[0].contains(&"tls_ffdhe_auto_groups".to_owned()));
    assert!(heard[1].contains(&"tls_export_cipherlist".to_owned()));
    let (unmet, _) = run(&config, vec![refusing(), refusing()]);
    assert_eq!(error(&unmet), Some(HandshakeError::Proxy(ProxyError::Unavailable)));
}

#[test]
fn daemons_that_do_not_play_along() {
    let status = || Say(group(&[("status", "1")]));
    let table = [
        (vec![Say(greeting()), Say(group(&[("status", "0")]))], ProxyError::Unavailable),
        (vec![Say(greeting()), Say(group(&[]))], ProxyError::Unavailable),
        (vec![End], ProxyError::Unavailable),
        (vec![Say("220 hello\r\n\0".to_owned())], ProxyError::Misbehaved),
        (vec![Say(group(&[("protocol", "other")]))], ProxyError::Misbehaved),
        (vec![Say("a".repeat(100_000))], ProxyError::Misbehaved),
        (vec![], ProxyError::TimedOut),
        (vec![Say(greeting())], ProxyError::TimedOut),
        (vec![Say(greeting()), status()], ProxyError::TimedOut),
        (vec![Say(greeting()), status(), Then(group(&[("peer_CN", "x")]))], ProxyError::NoResult),
        (vec![Say(greeting()), status(), Then("x".repeat(100_000))], ProxyError::Misbehaved),
        (vec![Say(greeting()), status(), Then(String::new()), End], ProxyError::NoResult),
    ];
    for (index, (daemon, expected)) in table.into_iter().enumerate() {
        let config = config(&[ProxyForm::V3_7]);
        let (run, _) = run(&config, vec![daemon]);
        let told = run.transcript();
        assert_eq!(error(&run), Some(HandshakeError::Proxy(expected)), "{index}: {told:#?}");
        assert!(!told.iter().any(|line| line == "> QUIT"), "{told:#?}");
    }
    // Nobody there.
    let (run, _) = run(&config(&[ProxyForm::V3_7]), vec![]);
    let Some(HandshakeError::Proxy(ProxyError::Unreachable(refused))) = error(&run) else {
        panic!("{:?}", error(&run));
    };
    assert_eq!(refused.message, "Connection refused");
}

/// Every output on the way: the server's socket goes over with the daemon's word, and not before.
#[test]
fn the_handover_to_the_last_output() {
    let config = Config { wrapper: true, ..config(&[ProxyForm::V3_7]) };
    let proxy = unix(SOCKET);
    Playbook::new(setting::probe(&config))
        .start([find(0, "mx.example.org"), wait_for_ever()])
        .at(0, found(0, ["192.0.2.1"]), [open(0, tcp("192.0.2.1:25")), wait(30_000)])
        .at(
            10,
            opened(0),
            [
                tell("connected to mx.example.org[192.0.2.1]:25"),
                tell("negotiating with mx.example.org[192.0.2.1]:25"),
                open(1, proxy),
                wait(30_010),
            ],
        )
        .at(20, opened(1), [wait(30_010)])
        .at(
            30,
            received(1, greeting()),
            [
                send_if(1, "the request", |bytes| bytes.starts_with(b"remote_endpoint\0")),
                wait(30_010),
            ],
        )
        .at(40, received(1, "status\x001\0"), [wait(30_010)])
        .at(50, received(1, "\0"), [pass(0, 1), wait(30_010)])
        .at(50, ended(0), [wait(30_010)])
        .at(
            90,
            received(1, format!("{}220 mx", result(&[("ctos_rpk", "0")]))),
            [
                tell(
                    "Trusted mx.example.org[192.0.2.1]:25 TLSv1.3 TLS_AES_256_GCM_SHA384 by proxy",
                ),
                wait(30_090),
            ],
        )
        .at(
            95,
            received(1, "\r\n"),
            [
                tell("< 220 mx"),
                tell("> EHLO client.example"),
                send(1, "EHLO client.example\r\n"),
                wait(30_095),
            ],
        )
        .at(
            99,
            ended(1),
            [tell("HelloAgain lost"), tell("> QUIT"), tell("Quit lost"), finished(), done()],
        )
        .finish();
}

/// A real daemon's answer may come in pieces of any size.
#[test]
fn answers_in_pieces() {
    let config = config(&[ProxyForm::V3_7]);
    let heard = Arc::new(Mutex::new(vec![]));
    let daemon = move || -> Box<dyn Peer> {
        Box::new(Daemon { says: willing(), heard: heard.clone(), now: vec![] })
    };
    let run = setting::world(&config)
        .listen(
            setting::place(&config),
            Link::default(),
            Script::smtp().on("NOOP", Answer::silence()),
        )
        .listen(Endpoint::Unix(SOCKET.into()), Link::default().pieces_of(1), daemon)
        .run();
    let told = run.transcript();
    assert!(told.contains(&"< 221 bye".to_owned()), "{told:#?}");
}
