//! The same session in the virtual world and on real sockets under both drivers: the same is told,
//! the same is found out, and the server hears the same.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tlsfinger_core::config::{Config, Level, Lookup, Reuse};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{Observation, Report, StreamEnd};
use tlsfinger_core::{Instant, Notice};
use tlsfinger_tests::certs::{self, Identity, KeyType};
use tlsfinger_tests::concise;
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{Answer, ClientAuth, Script, TlsSetup};
use tlsfinger_tests::program;
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
        found.ended = Instant::START;
        for session in &mut found.sessions {
            session.observation.times.clear();
            session.began = Instant::START;
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
            Notice::Want(_) => {}
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
fn large() -> Arc<Identity> {
    static LARGE: OnceLock<Arc<Identity>> = OnceLock::new();
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

/// A domain whose mail host pins its key by a TLSA record: one P-256 key on TLS 1.3.
struct Dane {
    zones: String,
    names: DnsServer,
    mail: Endpoint,
    port: u16,
    pin: String,
    identity: Arc<Identity>,
}

impl Dane {
    fn new() -> Self {
        let mail = free_port();
        let Endpoint::Tcp(at) = &mail else { panic!("it is TCP") };
        let (port, pin) = (at.address.port(), certs::tlsa(KeyType::P256));
        let zones = format!(
            "@secure .
             example.org                 MX 10 mx.example.org
             mx.example.org              A 127.0.0.1
             _{port}._tcp.mx.example.org TLSA {pin}"
        );
        let names = DnsServer::start(&zones).expect("there are ports");
        Self { zones, names, mail, port, pin, identity: certs::server(KeyType::P256) }
    }

    fn script(&self) -> Script {
        Script::smtp().tls(TlsSetup::only_13().identity(self.identity.clone()))
    }

    fn config(&self) -> Config {
        let resolvers = Lookup::default().resolvers.with_server(self.names.address().into());
        let (host, port) = ("example.org".to_owned(), self.port);
        let place = Place::Inet { host, literal: false, service: None, port };
        Config {
            destination: Destination { text: format!("example.org:{port}"), place },
            level: Level::Dane,
            lookup: Lookup { resolvers, ..Lookup::default() },
            ..setting::config()
        }
    }

    fn peer(&self) -> String {
        format!("mx.example.org[127.0.0.1]:{}", self.port)
    }
}

#[test]
fn a_dane_probe_tells_its_lines_in_order() {
    let dane = Dane::new();
    let (config, there) = (dane.config(), dane.script());
    let run = World::new(setting::probe(&config))
        .name_server(dane.names.address(), Link::latency(1), Zones::parse(&dane.zones))
        .listen(dane.mail.clone(), Link::default(), there.clone())
        .run();
    let world = Outcome::new(run.transcript(), run.report().clone(), &there);
    for real in drive(&config, &|| dane.script(), &dane.mail) {
        real.assert_same(&world);
    }
    let (peer, port, pin) = (dane.peer(), dane.port, &dane.pin);
    let expected = format!(
        "tlsa: _{port}._tcp.mx.example.org usable {pin}
         connected to {peer}
         < 220 mx.example.org ESMTP
         > EHLO client.example
         < 250-mx.example.org
         < 250 STARTTLS
         > STARTTLS
         < 220 go ahead
         negotiating with {peer}
         Verified {peer} TLSv1.3 TLS_AES_256_GCM_SHA384
         > EHLO client.example
         < 250 mx.example.org
         > QUIT
         < 221 bye"
    );
    assert_eq!(world.told, expected.lines().map(str::trim).collect::<Vec<_>>());
    // The TLSA base domain is the server name (RFC 7672 section 8.1).
    assert_eq!(world.heard[3], "TLSv1_3 for mx.example.org");
}

#[test]
fn the_program_prints_the_lines_of_a_dane_probe_in_order() {
    let dane = Dane::new();
    let scratch = Scratch::new().expect("a folder");
    let Endpoint::Tcp(mail) = &dane.mail else { panic!("it is TCP") };
    let _server = Loopback::tcp_at(mail.address, dane.script()).expect("the port is free");
    let (peer, pin) = (dane.peer(), &dane.pin);
    let expected = format!(
        "Connected to {peer}
         < 220 mx.example.org ESMTP
         > EHLO client.example
         < 250-mx.example.org
         < 250 STARTTLS
         > STARTTLS
         < 220 go ahead
         {peer}: Matched DANE EE certificate at depth 0: {pin}
         {peer}: subject_CN=mx.example.org, issuer=Test Root, cert fingerprint=CERT, pkey fingerprint=PKEY
         Verified TLS connection established to {peer}: TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 \
         (256/256 bits) key-exchange X25519MLKEM768 server-signature ECDSA (prime256v1) server-digest \
         SHA256
         > EHLO client.example
         < 250 mx.example.org
         > QUIT
         < 221 bye"
    );
    let colons = |digest: &str| {
        digest
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).into_owned())
            .collect::<Vec<_>>()
            .join(":")
    };
    let pkey = colons(pin.strip_prefix("3 1 1 ").expect("it is a digest"));
    let expected: Vec<_> = expected
        .replace("PKEY", &pkey)
        .lines()
        .map(|line| format!("tlsfinger: {}", line.trim()))
        .collect();
    let resolver = format!("--resolver={}", dane.names.address());
    for runtime in ["blocking", "smol"] {
        let destination = format!("example.org:{}", dane.port);
        let runtime = format!("--runtime={runtime}");
        let arguments = [&runtime, &resolver, "-omyhostname=client.example", &destination];
        let output = program::run(scratch.path(), &arguments);
        let text = String::from_utf8(output.stdout).expect("it prints text");
        let printed: Vec<_> = text
            .lines()
            .map(|line| match line.split_once("cert fingerprint=") {
                // The certificate is a new one each time.
                Some((before, after)) => {
                    let (_, after) = after.split_once(',').expect("a list");
                    format!("{before}cert fingerprint=CERT,{after}")
                }
                None => line.to_owned(),
            })
            .collect();
        assert_eq!(printed, expected);
        assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &[][..]));
    }
}
