//! DNS over TLS: who is asked, who is believed, and what happens when the connection breaks.

use std::sync::Arc;
use std::time::Duration;

use tlsfinger_core::config::{DnssecTrust, Lookup, TrustStore};
use tlsfinger_core::judge::VerifyError;
use tlsfinger_core::report::{Event, TlsVersion};
use tlsfinger_core::resolve::{
    Inquiry, LookupNote, NameServer as Named, RecordType, ResolvConf, ResolverTls, TrustAnchors,
};
use tlsfinger_core::{Input, Output};
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{NameServer, Peer, Script, Silence, TlsSetup};
use tlsfinger_tests::playbook;
use tlsfinger_tests::program;
use tlsfinger_tests::setting::{SEED, WALL_TIME};
use tlsfinger_tests::world::{How, Link, Run, Word, World};
use tlsfinger_tests::zones::Zones;

const SERVER: &str = "192.0.2.53:853";

/// Zones of which the AD bit says that they are signed, as their signatures do.
const SIGNED: &str =
    "@sign . 13\n@sign test 13\n@sign d.test 15\nd.test MX 10 a.test\na.test A 192.0.2.1\n";

/// Zones that are only said to be signed.
const PRETENDED: &str = "@secure .\nd.test MX 10 a.test\na.test A 192.0.2.1\n";

fn lookup(zones: &Zones, dnssec: DnssecTrust, name: &str, roots: bool) -> Lookup {
    let mut trust = TrustStore::default();
    if roots {
        trust.add_pem(certs::root_pem().as_bytes()).unwrap();
    }
    let tls = ResolverTls { name: name.to_owned(), trust };
    let resolvers = ResolvConf { attempts: 2, ..ResolvConf::default() };
    let anchors = TrustAnchors::parse(zones.anchor().as_bytes()).unwrap();
    Lookup {
        resolvers: resolvers
            .with_tls_server(SERVER.parse::<std::net::SocketAddr>().unwrap().into(), tls),
        dnssec,
        trust_anchors: Arc::new(anchors),
        dnssec_probe: None,
        ..Lookup::default()
    }
}

fn inquiry(lookup: &Lookup) -> Inquiry {
    Inquiry::new(lookup, "d.test", RecordType::MX, SEED, WALL_TIME)
}

fn ask(lookup: &Lookup, server: &NameServer, link: Link) -> Run<Inquiry> {
    World::new(inquiry(lookup)).listen(playbook::tcp(SERVER), link, server.clone()).run()
}

/// What was found out about the name server.
fn secured(run: &Run<Inquiry>) -> Vec<Result<(), VerifyError>> {
    run.events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Lookup(LookupNote::ResolverSecured { found, .. }) => Some(*found),
            _ => None,
        })
        .collect()
}

/// What was found out about the answer, if that was validated here.
fn proven(run: &Run<Inquiry>) -> Vec<bool> {
    run.events()
        .into_iter()
        .filter_map(|event| match event {
            Event::Lookup(LookupNote::Validated(proof)) => Some(proof.is_secure()),
            _ => None,
        })
        .collect()
}

fn failure(run: &Run<Inquiry>) -> Option<String> {
    run.events().into_iter().find_map(|event| match event {
        Event::LookupFailed(error) => Some(error.to_string()),
        _ => None,
    })
}

fn connections(run: &Run<Inquiry>) -> usize {
    let mut count = 0;
    for (_, output) in run.outputs() {
        if let Output::Open(_, endpoint) = output {
            assert_eq!(*endpoint, playbook::tcp(SERVER), "nothing else is ever asked");
            count += 1;
        }
    }
    count
}

/// Whether every query that came has the CD bit.
fn unchecked(server: &NameServer) -> Vec<bool> {
    server.heard().iter().map(|query| query[3] & 0x10 != 0).collect()
}

#[test]
fn whoever_is_authenticated_is_believed() {
    for (setup, version) in
        [(TlsSetup::only_13(), TlsVersion::Tls13), (TlsSetup::only_12(), TlsVersion::Tls12)]
    {
        let zones = Zones::parse(SIGNED);
        let lookup = lookup(&zones, DnssecTrust::Auto, "mx.example.org", true);
        let server = NameServer::over_tls(zones, setup);
        let run = ask(&lookup, &server, Link::latency(10));
        assert_eq!(secured(&run), [Ok(())]);
        let note = run.events().into_iter().find_map(|event| match event {
            Event::Lookup(LookupNote::ResolverSecured { name, version, .. }) => {
                Some((name, version))
            }
            _ => None,
        });
        assert_eq!(note, Some((&"mx.example.org".to_owned(), &version)));
        // Its AD bit is enough, and it is asked to validate.
        assert_eq!((proven(&run).len(), unchecked(&server), failure(&run)), (0, vec![false], None));
        assert_eq!(connections(&run), 1);
        run.replay(inquiry(&lookup)).unwrap();
    }
}

#[test]
fn certificates_of_addresses_count() {
    let zones = Zones::parse(SIGNED);
    let lookup = lookup(&zones, DnssecTrust::Auto, "192.0.2.53", true);
    let setup = TlsSetup::only_13().identity(certs::named("192.0.2.53"));
    let run = ask(&lookup, &NameServer::over_tls(zones.clone(), setup), Link::latency(10));
    assert_eq!(secured(&run), [Ok(())]);
    let run = ask(&lookup, &NameServer::over_tls(zones, TlsSetup::only_13()), Link::latency(10));
    assert_eq!(secured(&run), [Err(VerifyError::AddressMismatch)]);
}

#[test]
fn strangers_are_asked_but_not_believed() {
    let expired = TlsSetup::only_13().identity(certs::expired(KeyType::P256));
    for (name, roots, setup, error) in [
        ("dns.example", true, TlsSetup::only_13(), VerifyError::HostnameMismatch),
        ("mx.example.org", false, TlsSetup::only_13(), VerifyError::SelfSignedInChain),
        ("mx.example.org", true, expired, VerifyError::Expired),
    ] {
        let zones = Zones::parse(SIGNED);
        let asking = lookup(&zones, DnssecTrust::Auto, name, roots);
        let server = NameServer::over_tls(zones, setup.clone());
        let run = ask(&asking, &server, Link::latency(10));
        assert_eq!(secured(&run), [Err(error)]);
        // What it says is validated here, so it must not hide anything.
        assert_eq!(proven(&run), [true]);
        assert!(unchecked(&server).iter().all(|unchecked| *unchecked));
        // All questions for keys went over the same connection, several at once.
        assert_eq!(connections(&run), 1);
        assert!(server.heard().len() >= 6);
        run.replay(inquiry(&asking)).unwrap();

        // A forged AD bit is worth nothing, whoever is to be trusted.
        let pretended = NameServer::over_tls(Zones::parse(PRETENDED), setup);
        let run = ask(&asking, &pretended, Link::latency(10));
        assert!(proven(&run).iter().all(|secure| !secure), "{:?}", run.transcript());
        let trusting = Lookup { dnssec: DnssecTrust::Trust, ..asking };
        let run = ask(&trusting, &pretended, Link::latency(10));
        assert_eq!((secured(&run), proven(&run).len()), (vec![Err(error)], 0));
    }
}

/// Level `dane` needs every step to be secure: the MX record is not if a stranger told it.
#[test]
fn word_of_a_stranger_gives_no_dane() {
    use tlsfinger_core::config::{Config, Level};
    use tlsfinger_core::destination::{Destination, Place};
    use tlsfinger_core::resolve::{MxSecurity, RouteFinder};
    for (name, security) in
        [("mx.example.org", MxSecurity::Secure), ("dns.example", MxSecurity::Insecure)]
    {
        let signed = Zones::parse(SIGNED);
        let lookup = lookup(&signed, DnssecTrust::Trust, name, true);
        let place =
            Place::Inet { host: "d.test".to_owned(), literal: false, service: None, port: 25 };
        let destination = Destination { text: "d.test".to_owned(), place };
        let config = Config { destination, level: Level::Dane, lookup, ..Config::default() };
        let finder = RouteFinder::new(&config, SEED, WALL_TIME);
        let server = NameServer::over_tls(Zones::parse(PRETENDED), TlsSetup::only_13());
        let run = World::new(finder).listen(playbook::tcp(SERVER), Link::latency(10), server).run();
        assert_eq!(run.machine.facts().security, security, "{name}");
    }
}

/// The connection ends or breaks behind every octet of either direction: the answer is there, or
/// there is none, and nobody else is ever asked.
#[test]
fn cuts_anywhere_give_no_answer_or_the_right_one() {
    for (dnssec, name) in
        [(DnssecTrust::Auto, "mx.example.org"), (DnssecTrust::Local, "dns.example")]
    {
        let zones = Zones::parse(SIGNED);
        let lookup = lookup(&zones, dnssec, name, true);
        let setup = TlsSetup::only_13().identity(certs::small());
        let server = NameServer::over_tls(zones, setup);
        let whole = ask(&lookup, &server, Link::default());
        let octets_in = whole.received_octets(0) as u64;
        let octets_out = whole.sent(0).len() as u64;
        let (mut failed, mut answered) = (0, 0);
        for how in [How::End, How::Reset] {
            let cuts_in = (0..octets_in).map(|at| Link::default().cut_in(at, how));
            let cuts_out = (0..octets_out).map(|at| Link::default().cut_out(at, how));
            for link in cuts_in.chain(cuts_out).step_by(13) {
                let run = ask(&lookup, &server, link);
                assert!(connections(&run) <= 4, "it never stops asking");
                match failure(&run) {
                    Some(_) => failed += 1,
                    None => answered += 1,
                }
                assert!(proven(&run).len() <= 1);
            }
        }
        assert!(failed > 40 && answered > 0, "{failed} {answered}");
    }
}

#[test]
fn silent_handshakes_and_plain_text_end_in_time() {
    let zones = Zones::parse(SIGNED);
    let lookup = lookup(&zones, DnssecTrust::Auto, "mx.example.org", true);
    let run = World::new(inquiry(&lookup))
        .listen(playbook::tcp(SERVER), Link::latency(10), || -> Box<dyn Peer> { Box::new(Silence) })
        .run();
    let text = failure(&run).expect("no answer");
    assert!(text.ends_with("Host not found, try again"), "{text}");
    assert_eq!((run.ended_at().elapsed().as_secs(), connections(&run)), (10, 2));

    let run = World::new(inquiry(&lookup))
        .listen(playbook::tcp(SERVER), Link::latency(10), Script::smtp())
        .run();
    let text = failure(&run).expect("no answer");
    assert!(text.ends_with("DNS over TLS: the name server does not speak TLS"), "{text}");
}

/// A connection without use is closed as TLS wants it, and a new one made when it is needed.
#[test]
fn idle_connections_are_closed() {
    use tlsfinger_core::config::{Config, Level};
    let zones = Zones::parse(&format!("{SIGNED}d.test A 192.0.2.1\n"));
    let lookup = lookup(&zones, DnssecTrust::Auto, "mx.example.org", true);
    let config = Config { lookup, level: Level::May, ..tlsfinger_tests::setting::config() };
    let config = Config {
        destination: tlsfinger_core::destination::Destination {
            text: "[d.test]".to_owned(),
            place: tlsfinger_core::destination::Place::Inet {
                host: "d.test".to_owned(),
                literal: true,
                service: None,
                port: 25,
            },
        },
        ..config
    };
    let server = NameServer::over_tls(zones, TlsSetup::only_13());
    // A mail server that takes its time.
    let late = Script::smtp().greeting(
        tlsfinger_tests::peer::Answer::from("")
            .pause(Duration::from_secs(8))
            .say("220 mx ESMTP\r\n"),
    );
    let run = World::new(tlsfinger_core::Probe::new(config, SEED, WALL_TIME))
        .listen(playbook::tcp(SERVER), Link::latency(10), server)
        .listen(playbook::tcp("192.0.2.1:25"), Link::latency(10), late)
        .run();
    let closed = run.log.iter().find_map(|(at, word)| match word {
        Word::Out(Output::Close(id)) if id.0 == 0 => Some(at.elapsed().as_secs()),
        _ => None,
    });
    assert_eq!(closed, Some(5));
    let ended = |word: &Word| matches!(word, Word::In(Input::Ended(id)) if id.0 == 0);
    assert!(run.log.iter().any(|(_, word)| ended(word)));
}

#[test]
fn name_servers_as_text() {
    let parsed = |text: &str| {
        Named::parse(text)
            .ok()
            .map(|server| (server.remote.address.to_string(), server.tls.unwrap_or_default()))
    };
    for (text, address, name) in [
        ("192.0.2.1", "192.0.2.1:53", ""),
        ("tls://192.0.2.1#dns.example", "192.0.2.1:853", "dns.example"),
        ("tls://192.0.2.1:8853#DNS.example", "192.0.2.1:8853", "dns.example"),
        ("tls://[2001:db8::1]:853#dns.example", "[2001:db8::1]:853", "dns.example"),
        ("tls://2001:db8::1", "[2001:db8::1]:853", "2001:db8::1"),
        ("tls://192.0.2.1#192.0.2.2", "192.0.2.1:853", "192.0.2.2"),
    ] {
        assert_eq!(parsed(text), Some((address.to_owned(), name.to_owned())), "{text}");
    }
    for bad in [
        "tls://",
        "tls://dns.example",
        "tls://192.0.2.1#",
        "tls://192.0.2.1#a b",
        "tls:192.0.2.1",
        "192.0.2.1#dns.example",
        "https://192.0.2.1",
    ] {
        assert_eq!(parsed(bad), None, "{bad}");
    }
}

/// The program itself, by both drivers, recorded and played again.
#[test]
fn program_asks_over_tls() {
    let scratch = Scratch::new().unwrap();
    let ca = scratch.file("ca.pem");
    std::fs::write(&ca, certs::root_pem()).unwrap();
    let mail = Loopback::tcp(Script::smtp()).unwrap();
    let zones = "@secure .\nd.test MX 10 mx.example.org\nmx.example.org A 127.0.0.1\n\
                 _PORT._tcp.mx.example.org TLSA EE";
    let zones =
        zones.replace("PORT", &mail.port().to_string()).replace("EE", &certs::tlsa(KeyType::P256));
    let server = NameServer::over_tls(Zones::parse(&zones), TlsSetup::default());
    let dns = Loopback::tcp(server).unwrap();
    for runtime in ["blocking", "smol"] {
        let trace = scratch.file(&format!("{runtime}.trace"));
        let words = [
            "-c",
            "--record",
            trace.to_str().unwrap(),
            &format!("--runtime={runtime}"),
            "--resolver",
            &format!("tls://127.0.0.1:{}#mx.example.org", dns.port()),
            &format!("-F{}", ca.display()),
            &format!("d.test:{}", mail.port()),
        ];
        let output = program::run(scratch.path(), &words);
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.contains("Verified TLS connection established"), "{told}");
        let again = program::run(scratch.path(), &["replay", trace.to_str().unwrap()]);
        assert_eq!(String::from_utf8(again.stdout).unwrap(), told);

        let words = [
            "-c",
            "--resolver",
            &format!("tls://127.0.0.1:{}#dns.example", dns.port()),
            &format!("-F{}", ca.display()),
            &format!("d.test:{}", mail.port()),
        ];
        let output = program::run(scratch.path(), &words);
        let told = String::from_utf8(output.stdout).unwrap();
        let warning = format!(
            "warning: the name server 127.0.0.1:{} is not known to be dns.example: hostname mismatch; \
             its word on DNSSEC does not count\n",
            dns.port()
        );
        assert!(told.contains(&warning) && !told.contains("Verified"), "{told}");
        assert_eq!(told.matches("does not count").count(), 1, "{told}");
    }
}
