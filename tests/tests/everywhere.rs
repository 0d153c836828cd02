//! The same session in the virtual world and on real sockets under both drivers: the same is told,
//! the same is found out, and the server hears the same.

use std::time::Duration;

use tlsfinger_core::Notice;
use tlsfinger_core::config::{Config, Level, Lookup, Reuse};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{Observation, Report, StreamEnd};
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::concise;
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{Answer, ClientAuth, Script, TlsSetup};
use tlsfinger_tests::referee::Referee;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, World};
use tlsfinger_tests::zones::Zones;

/// What came of a probe.
#[derive(Debug)]
struct Outcome {
    told: Vec<String>,
    /// The report without times and chance.
    found: Report,
    heard: Vec<String>,
}

impl Outcome {
    fn new(told: Vec<String>, mut found: Report, script: &Script) -> Self {
        for session in &mut found.sessions {
            session.observation.times.clear();
            if session.observation.quit.is_some() {
                // Whether close_notify comes in one read with that reply is chance.
                session.observation.end = StreamEnd::default();
            }
        }
        Self { told, found, heard: script.journal().lines() }
    }

    #[track_caller]
    fn assert_same(&self, other: &Self) {
        assert_eq!(self.told, other.told);
        assert_eq!(self.heard, other.heard);
        assert_eq!(self.found, other.found);
    }

    fn observation(&self) -> &Observation {
        &self.found.sessions[0].observation
    }
}

fn address_of(endpoint: &Endpoint) -> Place {
    match endpoint {
        Endpoint::Tcp(at) | Endpoint::Udp(at) => Place::Inet {
            host: at.address.ip().to_string(),
            literal: true,
            service: None,
            port: at.address.port(),
        },
        Endpoint::Unix(path) => Place::Unix(path.clone()),
    }
}

/// Probes under both drivers; the referee watches them.
fn drive(config: &Config, script: &dyn Fn() -> Script, at: &Endpoint) -> [Outcome; 2] {
    let listen = |script: Script| match at {
        Endpoint::Tcp(at) | Endpoint::Udp(at) => Loopback::tcp_at(at.address, script),
        Endpoint::Unix(path) => Loopback::unix(path, script),
    };
    [false, true].map(|smol| {
        let script = script();
        let server = listen(script.clone()).expect("the address is free");
        let (mut told, mut report) = (vec![], None);
        let mut machine = Referee::strict(setting::probe(config));
        let tell = |notice| match notice {
            Notice::Event(event) => told.push(concise::event(&event)),
            Notice::Report(finished) => report = Some(*finished),
        };
        match smol {
            false => tlsfinger_blocking::run(&mut machine, tell).expect("there are descriptors"),
            true => smol::block_on(tlsfinger_smol::run(&mut machine, tell)),
        }
        // Now the server has heard everything.
        drop(server);
        Outcome::new(told, report.expect("there is a report"), &script)
    })
}

/// Probes everywhere, and insists on the same result.
#[track_caller]
fn everywhere(config: &Config, script: impl Fn() -> Script) -> Outcome {
    let scratch = Scratch::new().expect("a folder");
    let at = match &config.destination.place {
        Place::Unix(_) => Endpoint::Unix(scratch.file("socket")),
        Place::Inet { .. } => free_port(),
    };
    let text = setting::HOST.to_owned();
    let destination = Destination { text, place: address_of(&at) };
    let config = Config { destination, ..config.clone() };
    let script_there = script();
    let run = World::new(setting::probe(&config))
        .listen(at.clone(), Link::default(), script_there.clone())
        .run();
    let world = Outcome::new(run.transcript(), run.report().clone(), &script_there);
    for real in drive(&config, &script, &at) {
        real.assert_same(&world);
    }
    world
}

/// Finds a port that can be listened at again and again.
fn free_port() -> Endpoint {
    Loopback::tcp(Script::smtp()).expect("there are ports").endpoint()
}

#[test]
fn sessions_with_tls() {
    // A signature's length would not be the same everywhere.
    let fixed = |tls: TlsSetup| tls.identity(certs::small());
    for tls in [TlsSetup::only_12, TlsSetup::only_13] {
        let smtp = everywhere(&setting::config(), || Script::smtp().tls(fixed(tls())));
        assert_eq!(smtp.heard.last().unwrap(), "end");
        assert!(smtp.heard.contains(&"close_notify".to_owned()));
        let config = Config { wrapper: true, ..setting::config() };
        everywhere(&config, || Script::smtp().wrapper().tls(fixed(tls())));
        // Over a UNIX socket whatever the server still writes when the probe hangs up takes what
        // the probe wrote with it: this one writes nothing behind its reply.
        let quit = || Answer::from("221 bye\r\n").end();
        everywhere(&setting::lmtp(), || Script::lmtp().tls(fixed(tls())).on("QUIT", quit()));
        let reuse = Some(Reuse { delay: Duration::from_millis(1), limit: 1 });
        let config = Config { reuse, ..setting::config() };
        let twice = everywhere(&config, || Script::smtp().tls(fixed(tls())));
        assert!(twice.heard.iter().any(|line| line.ends_with("resumed")));
    }
    let required = || TlsSetup::only_13().client_auth(ClientAuth::Required);
    everywhere(&setting::config(), || {
        Script::smtp().tls(fixed(required())).on("EHLO", "250 STARTTLS\r\n")
    });
    let chain = everywhere(&setting::config(), || {
        Script::smtp().tls(TlsSetup::only_13().identity(large()))
    });
    assert!(chain.observation().tls.as_ref().unwrap().chain.len() > 5);
}

/// One large chain for all.
fn large() -> std::sync::Arc<certs::Identity> {
    static LARGE: std::sync::OnceLock<std::sync::Arc<certs::Identity>> = std::sync::OnceLock::new();
    LARGE.get_or_init(|| certs::bulky(50_000)).clone()
}

#[test]
fn sessions_without_tls() {
    let scripts: [fn() -> Script; 10] = [
        || Script::smtp().on("EHLO", "250 mx.example.org\r\n"),
        || Script::smtp().greeting("554-no\r\n554 way\r\n"),
        || Script::smtp().greeting(Answer::from("220").end()),
        || Script::smtp().on("EHLO", "502 no\r\n"),
        || Script::smtp().on("EHLO", Answer::silence().end()),
        || Script::smtp().on("EHLO", "250 mx\r\n").on("QUIT", Answer::silence().end()),
        || Script::smtp().on("STARTTLS", "454 no\r\n"),
        || Script::smtp().on("STARTTLS", Answer::silence().end()),
        || Script::smtp().tls(TlsSetup::instead("no TLS here\r\n")),
        || Script::smtp().tls(TlsSetup::instead(Answer::silence().end())),
    ];
    for script in scripts {
        let result = everywhere(&setting::config(), script);
        assert_eq!(result.observation().tls, None);
    }
    let none = Config { level: Level::None, ..setting::config() };
    everywhere(&none, Script::smtp);
}

#[test]
fn resets_and_silence() {
    everywhere(&setting::config(), || Script::smtp().on("EHLO", Answer::silence().reset()));
    let config = Config { connect_timeout: Duration::from_millis(500), ..setting::config() };
    let result = everywhere(&config, || Script::smtp().greeting(Answer::silence()));
    assert_eq!(result.told.last().unwrap(), "Greeting timed out");
    let slow = Answer::silence().drip("220 hi\r\n", Duration::from_millis(2));
    everywhere(&setting::config(), || {
        Script::smtp().greeting(slow.clone()).on("EHLO", "500 x\r\n")
    });
}

#[test]
fn a_dane_probe_tells_its_lines_in_order() {
    let Endpoint::Tcp(at) = free_port() else { panic!("it is TCP") };
    let port = at.address.port();
    let pin = certs::tlsa(KeyType::P256);
    let zones = format!(
        "@secure .
         example.org              MX 10 mx.example.org
         mx.example.org           A 127.0.0.1
         _{port}._tcp.mx.example.org TLSA {pin}"
    );
    let server = DnsServer::start(&zones).expect("there are ports");
    let resolvers = Lookup::default().resolvers.with_server(server.address().into());
    let place = Place::Inet { host: "example.org".to_owned(), literal: false, service: None, port };
    let config = Config {
        destination: Destination { text: format!("example.org:{port}"), place },
        level: Level::Dane,
        lookup: Lookup { resolvers, ..Lookup::default() },
        ..setting::config()
    };
    let identity = certs::server(KeyType::P256);
    let script = || Script::smtp().tls(TlsSetup::only_13().identity(identity.clone()));

    let there = script();
    let run = World::new(setting::probe(&config))
        .name_server(server.address(), Link::latency(1), Zones::parse(&zones))
        .listen(Endpoint::Tcp(at.clone()), Link::default(), there.clone())
        .run();
    let world = Outcome::new(run.transcript(), run.report().clone(), &there);
    for real in drive(&config, &script, &Endpoint::Tcp(at)) {
        real.assert_same(&world);
    }

    let peer = format!("mx.example.org[127.0.0.1]:{port}");
    let mut told = world.told;
    // The judgement stands between the handshake and the EHLO inside TLS.
    let judged = told.remove(9);
    assert!(judged.ends_with(&format!("{peer} TLSv1.3 TLS_AES_256_GCM_SHA384")), "{judged}");
    assert_eq!(
        told,
        [
            format!("TLSA _{port}._tcp.mx.example.org {pin}"),
            format!("connected to {peer}"),
            "< 220 mx.example.org ESMTP".to_owned(),
            "> EHLO client.example".to_owned(),
            "< 250-mx.example.org".to_owned(),
            "< 250 STARTTLS".to_owned(),
            "> STARTTLS".to_owned(),
            "< 220 go ahead".to_owned(),
            format!("negotiating with {peer}"),
            "> EHLO client.example".to_owned(),
            "< 250 mx.example.org".to_owned(),
            "> QUIT".to_owned(),
            "< 221 bye".to_owned(),
        ]
    );
    // The TLSA base domain is the server name (RFC 7672 section 8.1).
    assert_eq!(world.heard[3], "TLSv1_3 for mx.example.org");
}
