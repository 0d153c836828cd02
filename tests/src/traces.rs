//! The scenes that are recorded as `tests/traces/*.trace`, each a test by its name.

mod scouted;
mod validated;

use std::sync::Arc;
use std::time::Duration;

use rustls::NamedGroup;
use sha2::{Digest as _, Sha256};
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{Config, DnssecTrust, HostLookup, Level, Lookup, Pin, Policy, Reuse};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::tls::Identity as ClientIdentity;
use tlsfinger_core::trace::Header;
use tlsfinger_core::{IoError, IoErrorKind, Machine, Probe};

use crate::certs::{self, Flaw, Identity, KeyType};
use crate::peer::{Answer, Behind, ClientAuth, Script, Tickets, TlsSetup};
use crate::playbook;
use crate::setting;
use crate::world::{How, Link, Run, World};
use crate::zones::Zones;

/// A scene: who is probed how, in what world.
#[derive(Debug)]
pub struct Scene {
    /// The name of its trace.
    pub name: &'static str,
    /// What the probe is to do.
    pub config: Config,
    /// What it meets.
    pub world: World<Probe>,
}

/// Writes a run down, with its header.
pub fn write<M: Machine>(program: &str, config: &Config, run: &Run<M>) -> String {
    let header = Header::new(program, config.clone(), setting::SEED, setting::WALL_TIME);
    format!("{header}\n{}", run.trace())
}

/// Makes all scenes that need no other program.
pub fn scenes() -> Vec<Scene> {
    [
        dialogue(),
        injections(),
        tls(),
        reconnects(),
        certificates(),
        pins(),
        dane(),
        dane_records(),
        lookups(),
        answers(),
        hygiene(),
        scouted::scenes(),
        validated::scenes(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn scene(
    name: &'static str,
    config: Config,
    world: impl Fn(World<Probe>) -> World<Probe>,
) -> Scene {
    let config = Config { repeatable: true, ..config };
    let world = world(World::new(setting::probe(&config)).host(setting::HOST, ["192.0.2.1"]));
    Scene { name, config, world }
}

/// A probe of one server, at level `may`.
fn smtp(name: &'static str, script: Script) -> Scene {
    linked(name, Link::latency(10), script)
}

fn linked(name: &'static str, link: Link, script: Script) -> Scene {
    configured(name, setting::config(), link, script)
}

fn configured(name: &'static str, config: Config, link: Link, script: Script) -> Scene {
    let place = setting::place(&config);
    scene(name, config, |world| world.listen(place.clone(), link.clone(), script.clone()))
}

/// Each refusal and each loss of the dialogue.
fn dialogue() -> Vec<Scene> {
    let script = Script::smtp;
    let lost = || Answer::silence().end();
    let broken = || Answer::silence().reset();
    let small = || script().tls(TlsSetup::default().identity(certs::small()));
    let level = |level| Config { level, ..setting::config() };
    vec![
        linked("connect-refused", Link::refused(), script()),
        linked("connect-timeout", Link::black_hole(), script()),
        smtp("greeting-refused", script().greeting("554-go\r\n554 away\r\n")),
        smtp("greeting-lost", script().greeting(lost())),
        smtp("greeting-broken", script().greeting(broken())),
        smtp("greeting-timeout", script().greeting(Answer::silence())),
        smtp("greeting-garbled", script().greeting("hello\r\n220\x1b[31m mx\r\n")),
        smtp("hello-refused", script().on("EHLO", "502 no EHLO here\r\n")),
        smtp("hello-lost", script().on("EHLO", lost())),
        smtp("hello-timeout", script().on("EHLO", "250-mx.example.org\r\n")),
        smtp("hello-without-starttls", script().on("EHLO", "250-mx\r\n250 SIZE\r\n")),
        smtp("starttls-refused", script().on("STARTTLS", "454 not now\r\n")),
        smtp("starttls-lost", script().on("STARTTLS", lost())),
        smtp("starttls-timeout", script().on("STARTTLS", Answer::silence())),
        smtp("hello-again-refused", small().inside("EHLO", "554 not you\r\n")),
        smtp("hello-again-lost", small().inside("EHLO", lost())),
        smtp("hello-again-broken", small().inside("EHLO", broken())),
        smtp("hello-again-timeout", small().inside("EHLO", Answer::silence())),
        smtp("quit-refused", small().inside("QUIT", "500 stay\r\n")),
        smtp("quit-lost", small().inside("QUIT", lost())),
        smtp("quit-timeout", small().inside("QUIT", Answer::silence())),
        smtp(
            "quit-close-notify",
            small().inside("QUIT", Answer::from("221 bye\r\n").close_notify()),
        ),
        configured("level-none", level(Level::None), Link::latency(10), script()),
        configured("lmtp", setting::lmtp(), Link::latency(1), Script::lmtp()),
    ]
}

/// Plain text behind the reply to STARTTLS (CVE-2011-0411), in all its forms.
fn injections() -> Vec<Scene> {
    let small = || Script::smtp().tls(TlsSetup::default().identity(certs::small()));
    let with = |reply: &[u8]| small().on("STARTTLS", Answer::from(reply).start_tls());
    let behind = Answer::from("220 go ahead\r\n").say("250 evil\r\n").start_tls();
    vec![
        smtp("injected-reply", with(b"220 go ahead\r\n250 evil\r\n")),
        smtp("injected-replies", with(b"220 go ahead\r\n250-evil\r\n250 twice\r\n221 bye\r\n")),
        smtp("injected-part", with(b"220 go ahead\r\n250-ev")),
        smtp("injected-tls", with(b"220 go ahead\r\n\x16\x03\x03\x00\x04\x02\x00\x00\x00")),
        smtp("injected-in-its-own-read", small().on("STARTTLS", behind)),
        smtp("injected-behind-refusal", with(b"454 not now\r\n250 evil\r\n")),
    ]
}

/// Handshakes that end well, and others.
fn tls() -> Vec<Scene> {
    let with = |tls: TlsSetup| Script::smtp().tls(tls);
    let small = || TlsSetup::default().identity(certs::small());
    let wrapper = Config { wrapper: true, ..setting::config() };
    let mut client = setting::config();
    client.policy.identity = {
        let mut identity = ClientIdentity::default();
        identity.add_chains(certs::client_pem().as_bytes()).expect("it is complete");
        identity
    };
    let asked = |tls: TlsSetup| with(tls.client_auth(ClientAuth::Required));
    let raw = Config {
        policy: Policy { raw_public_keys: true, ..setting::config().policy },
        ..setting::config()
    };
    let pieces = Link::latency(10).pieces_of(100);
    let link = Link::latency(10);
    vec![
        smtp("tls12", with(TlsSetup::only_12().identity(certs::small()))),
        smtp("tls12-rsa", with(TlsSetup::only_12().identity(certs::server(KeyType::Rsa2048)))),
        smtp("tls13-p384", with(TlsSetup::only_13().identity(certs::server(KeyType::P384)))),
        smtp("tls13-hello-retry", with(small().groups([NamedGroup::secp384r1]))),
        linked("tls13-in-pieces", pieces, with(small())),
        smtp("tls12-client-certificate", asked(TlsSetup::only_12().identity(certs::small()))),
        configured("tls12-signed", client.clone(), link.clone(), asked(TlsSetup::only_12())),
        configured("tls13-signed", client, link.clone(), asked(TlsSetup::only_13())),
        smtp("tls13-client-certificate", asked(TlsSetup::only_13().identity(certs::small()))),
        configured("raw-key-refused", raw, link.clone(), with(small())),
        configured("wrapper", wrapper.clone(), link.clone(), with(small()).wrapper()),
        configured("wrapper-in-plain", wrapper, link, with(small())),
        smtp("handshake-alert", with(TlsSetup::instead([21, 3, 3, 0, 2, 2, 40]))),
        smtp("handshake-not-tls", with(TlsSetup::instead("500 what?\r\n"))),
        smtp("handshake-lost", with(TlsSetup::instead(Answer::silence().end()))),
        smtp("handshake-broken", with(TlsSetup::instead(Answer::silence().reset()))),
        smtp("handshake-timeout", with(TlsSetup::instead(Answer::silence()))),
        linked("handshake-cut", Link::latency(10).cut_in(400, How::Reset), with(small())),
        smtp(
            "tls-garbled",
            with(small()).inside("EHLO", Answer::silence().say_bare([23, 3, 3, 0, 4, 1, 2, 3, 4])),
        ),
    ]
}

/// Sessions that are resumed, or not.
fn reconnects() -> Vec<Scene> {
    let reuse = Reuse { delay: Duration::from_secs(1), limit: 2 };
    let config = Config { reuse: Some(reuse), ..setting::config() };
    let hybrid = {
        let policy = Policy::default();
        Config { policy, ..config.clone() }
    };
    let with = |tls: TlsSetup| Script::smtp().tls(tls.identity(certs::small()));
    let link = Link::latency(10);
    let declined = with(TlsSetup::default().tickets(Tickets::None));
    vec![
        configured("reconnect-tls12", config.clone(), link.clone(), with(TlsSetup::only_12())),
        configured("reconnect-tls13", config.clone(), link.clone(), with(TlsSetup::only_13())),
        configured("reconnect-ml-kem", hybrid, link.clone(), with(TlsSetup::only_13())),
        configured(
            "wrapper-reconnect",
            Config { wrapper: true, ..config.clone() },
            link.clone(),
            with(TlsSetup::only_13()).wrapper(),
        ),
        configured("reconnect-declined", config, link, declined),
    ]
}

/// What is wrong with certificates, and what is not, for somebody who trusts the root.
fn certificates() -> Vec<Scene> {
    let config = |level, trust: &[u8]| {
        let mut config = Config { level, ..setting::config() };
        config.policy.trust.add_pem(trust).expect("it is a certificate");
        config
    };
    let root = certs::root_pem();
    let with = |name, level, identity: Arc<Identity>| {
        let script = Script::smtp().tls(TlsSetup::only_13().identity(identity));
        configured(name, config(level, root.as_bytes()), Link::latency(10), script)
    };
    let flawed = |name, flaw| with(name, Level::Secure, certs::flawed(flaw));
    let elsewhere = certs::client_pem();
    let script = || Script::smtp().tls(TlsSetup::only_13());
    vec![
        with("certificate-verified", Level::Secure, certs::server(KeyType::P256)),
        with("certificate-trusted", Level::Encrypt, certs::flawed(Flaw::OtherName)),
        with("certificate-self-signed", Level::Verify, certs::small()),
        flawed("certificate-of-another-name", Flaw::OtherName),
        flawed("certificate-expired", Flaw::Expired),
        flawed("certificate-expired-twice", Flaw::ExpiredTwice),
        flawed("certificate-not-yet-valid", Flaw::Early),
        flawed("certificate-signed-by-another", Flaw::Signature),
        flawed("certificate-for-clients", Flaw::Purpose),
        flawed("certificate-critical-extension", Flaw::CriticalExtension),
        flawed("certificate-of-no-ca", Flaw::NoCa),
        flawed("certificate-path-too-long", Flaw::PathLength),
        flawed("certificate-name-not-permitted", Flaw::NameConstraint),
        configured(
            "certificate-untrusted-root",
            config(Level::Secure, elsewhere.as_bytes()),
            Link::latency(10),
            script(),
        ),
        configured(
            "certificate-without-issuer",
            config(Level::Secure, elsewhere.as_bytes()),
            Link::latency(10),
            script().tls(TlsSetup::only_13().identity(certs::flawed(Flaw::NoIssuer))),
        ),
    ]
}

/// Level fingerprint.
fn pins() -> Vec<Scene> {
    let identity = certs::server(KeyType::P256);
    let with = |name, pin: Option<&[u8]>| {
        let mut config = Config { level: Level::Fingerprint, ..setting::config() };
        // No pin never verifies, although a trusted CA vouches for the server.
        config.policy.trust.add_pem(certs::root_pem().as_bytes()).expect("it is a certificate");
        config.policy.pins =
            pin.map(|pin| Pin(Sha256::digest(pin).to_vec().into())).into_iter().collect();
        let script = Script::smtp().tls(TlsSetup::only_13().identity(identity.clone()));
        configured(name, config, Link::latency(10), script)
    };
    let leaf = &identity.chain[0];
    let parsed = Certificate::parse(leaf.to_vec().into()).expect("it is a certificate");
    vec![
        with("pin-of-certificate", Some(leaf)),
        with("pin-of-key", Some(parsed.spki())),
        with("pin-of-issuer", Some(&identity.chain[1])),
        with("pin-of-nothing", None),
    ]
}

/// A configuration that asks the name server 192.0.2.53 for `example.org`, at level `dane`.
fn dns() -> Config {
    let resolvers = Lookup::default()
        .resolvers
        .with_server(std::net::SocketAddr::from(([192, 0, 2, 53], 53)).into());
    let hosts = HostLookup { dns: true, native: false };
    let place =
        Place::Inet { host: "example.org".to_owned(), literal: false, service: None, port: 25 };
    Config {
        destination: Destination { text: "example.org".to_owned(), place },
        level: Level::Dane,
        lookup: Lookup { hosts, resolvers, dnssec: DnssecTrust::Trust, ..Lookup::default() },
        ..setting::config()
    }
}

fn zoned(name: &'static str, config: Config, zones: &str) -> Scene {
    zoned_with(name, config, zones, TlsSetup::only_13())
}

fn zoned_with(name: &'static str, config: Config, zones: &str, tls: TlsSetup) -> Scene {
    let script = Script::smtp().tls(tls);
    let at = std::net::SocketAddr::from(([192, 0, 2, 53], 53));
    scene(name, config, |world| {
        world.name_server(at, Link::latency(2), Zones::parse(zones)).listen(
            playbook::tcp("192.0.2.1:25"),
            Link::latency(10),
            script.clone(),
        )
    })
}

/// The SMTP around TLS of a good server and of a bad one.
fn hygiene() -> Vec<Scene> {
    let good = Script::smtp().tls(TlsSetup::only_13()).on("NOOP", "250 ok\r\n");
    let bad = good.clone().on("EHLO", "250-localhost\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n");
    [
        ("hygiene-good", good.behind_starttls(Behind::Dropped)),
        ("hygiene-bad", bad.behind_starttls(Behind::AnsweredInside)),
    ]
    .map(|(name, script)| {
        let zones = "1.2.0.192.in-addr.arpa PTR mx.example.org\nmx.example.org A 192.0.2.1";
        let at = std::net::SocketAddr::from(([192, 0, 2, 53], 53));
        let config = Config { hygiene: true, level: Level::May, ..dns() };
        let place =
            Place::Inet { host: setting::HOST.to_owned(), literal: true, service: None, port: 25 };
        let destination = Destination { text: setting::HOST.to_owned(), place };
        scene(name, Config { destination, ..config }, |world| {
            world.name_server(at, Link::latency(2), Zones::parse(zones)).listen(
                playbook::tcp("192.0.2.1:25"),
                Link::latency(10),
                script.clone(),
            )
        })
    })
    .into()
}

/// What TLSA records lead to.
fn dane() -> Vec<Scene> {
    let pin = certs::tlsa(KeyType::P256);
    let zone = |tlsa: &str| {
        format!(
            "@secure .
             example.org MX 10 mx.example.org
             mx.example.org A 192.0.2.1
             {tlsa}"
        )
    };
    let with = |tlsa: &str| zone(&format!("_25._tcp.mx.example.org TLSA {tlsa}"));
    let wrong = format!("3 1 1 {}", "00".repeat(32));
    let insecure = |zone: String| zone.replace("@secure .", "@secure .\n@insecure example.org");
    let half = format!(
        "@secure .
         @insecure example.org
         example.org MX 10 mx.signed.test
         mx.signed.test A 192.0.2.1
         _25._tcp.mx.signed.test TLSA {pin}"
    );
    let only = Config { level: Level::DaneOnly, ..dns() };
    vec![
        zoned("dane-verified", dns(), &with(&pin)),
        zoned("dane-mismatch", dns(), &with(&wrong)),
        zoned(
            "dane-two-records",
            dns(),
            &with(&format!("{wrong}\n_25._tcp.mx.example.org TLSA {pin}")),
        ),
        zoned("dane-unusable", dns(), &with(&pin.replacen("3 1 1", "1 1 1", 1))),
        zoned("dane-only-unusable", only.clone(), &with(&pin.replacen("3 1 1", "3 1 255", 1))),
        zoned("dane-only-without-records", only, &zone("")),
        zoned("dane-without-records", dns(), &zone("")),
        zoned("dane-insecure-zone", dns(), &insecure(with(&pin))),
        zoned("dane-half", dns(), &half),
        zoned("dane-tlsa-servfail", dns(), &zone("@fault _25._tcp.mx.example.org TLSA servfail")),
    ]
}

/// What each kind of TLSA record leads to.
fn dane_records() -> Vec<Scene> {
    let identity = certs::server(KeyType::P256);
    let (leaf, root) = (&identity.chain[0], &identity.chain[1]);
    let zone = |records: &[String]| {
        let records = records.iter().map(|it| format!("_25._tcp.mx.example.org TLSA {it}\n"));
        let records: String = records.collect();
        format!(
            "@secure .\nexample.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n{records}"
        )
    };
    let records = |name, records: &[String]| {
        let tls = TlsSetup::only_13().identity(identity.clone());
        zoned_with(name, dns(), &zone(records), tls)
    };
    let flawed = |name, flaw, usage, selector| {
        let identity = certs::flawed(flaw);
        let meant = if usage == 3 { &identity.chain[0] } else { root };
        let record = certs::record(usage, selector, 1, meant);
        zoned_with(name, dns(), &zone(&[record]), TlsSetup::only_13().identity(identity))
    };
    let bare = Arc::new(Identity { chain: vec![leaf.clone()], key: identity.key.clone_key() });
    let short = |usage, selector, matching, of: &[u8]| {
        let mut record = certs::record(usage, selector, matching, of);
        record.truncate(record.len() - 2);
        record
    };
    let wrong = |matching| certs::record(3, 1, matching, root);
    vec![
        records("dane-ee-key-sha512", &[certs::record(3, 1, 2, leaf)]),
        records("dane-ee-key", &[certs::record(3, 1, 0, leaf)]),
        records("dane-ee-certificate-sha256", &[certs::record(3, 0, 1, leaf)]),
        records("dane-ee-certificate", &[certs::record(3, 0, 0, leaf)]),
        records("dane-ta-key-sha256", &[certs::record(2, 1, 1, root)]),
        records("dane-ta-certificate-sha256", &[certs::record(2, 0, 1, root)]),
        zoned_with(
            "dane-ta-key-not-sent",
            dns(),
            &zone(&[certs::record(2, 1, 0, root)]),
            TlsSetup::only_13().identity(bare.clone()),
        ),
        zoned_with(
            "dane-ta-certificate-not-sent",
            dns(),
            &zone(&[certs::record(2, 0, 0, root)]),
            TlsSetup::only_13().identity(bare),
        ),
        records("dane-ta-of-the-leaf", &[certs::record(2, 0, 1, leaf)]),
        records("dane-ee-of-the-issuer", &[certs::record(3, 0, 1, root)]),
        records("dane-weaker-digest", &[certs::record(3, 1, 1, leaf), wrong(2)]),
        records("dane-full-beside-digest", &[wrong(2), certs::record(3, 1, 0, leaf)]),
        records("dane-short-digest", &[short(3, 1, 1, leaf)]),
        records("dane-certificate-and-more", &[certs::record(3, 0, 0, leaf) + "00"]),
        records("dane-ta-beside-wrong-ee", &[wrong(1), certs::record(2, 0, 1, root)]),
        zoned_with(
            "dane-only-short-digest",
            Config { level: Level::DaneOnly, ..dns() },
            &zone(&[short(3, 1, 1, leaf)]),
            TlsSetup::only_13().identity(identity.clone()),
        ),
        records("dane-cut-key", &[short(3, 1, 0, leaf)]),
        records("dane-cut-certificate", &[short(3, 0, 0, leaf)]),
        records("dane-selector-2", &[certs::record(3, 1, 1, leaf).replacen("3 1", "3 2", 1)]),
        records(
            "dane-several-unusable",
            &[
                certs::record(0, 1, 1, leaf),
                certs::record(1, 1, 1, leaf),
                certs::record(3, 1, 1, leaf).replacen("3 1 1", "3 1 9", 1),
                short(3, 1, 1, leaf),
                short(3, 0, 1, leaf),
                certs::record(3, 1, 1, leaf),
            ],
        ),
        records(
            "dane-order-of-records",
            &[
                certs::record(2, 0, 1, root),
                certs::record(3, 0, 1, leaf),
                certs::record(3, 1, 1, leaf),
                certs::record(3, 1, 2, leaf),
            ],
        ),
        flawed("dane-ee-expired", Flaw::Expired, 3, 1),
        flawed("dane-ee-of-another-name", Flaw::OtherName, 3, 1),
        flawed("dane-ta-expired", Flaw::Expired, 2, 0),
        flawed("dane-ta-of-another-name", Flaw::OtherName, 2, 0),
        flawed("dane-ta-signed-by-another", Flaw::Signature, 2, 1),
    ]
}

/// What goes wrong on the way to the hosts, and what does not.
fn lookups() -> Vec<Scene> {
    let may = Config { level: Level::May, ..dns() };
    let zone = |rest: &str| format!("@secure .\n{rest}");
    let host = "example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n";
    let unknown = IoError { kind: IoErrorKind::Other, code: -2, message: "unknown".to_owned() };
    let native = scene("native-unknown", setting::config(), |world| {
        let answer = Err(unknown.clone());
        world.lookup(setting::HOST, Duration::from_millis(5), answer)
    });
    vec![
        native,
        zoned("mx-nxdomain", may.clone(), &zone("")),
        zoned("mx-servfail", may.clone(), &zone("@fault example.org MX servfail")),
        zoned("mx-silent", may.clone(), &zone("@fault example.org MX silent")),
        zoned("mx-null", may.clone(), &zone("example.org MX 0 .")),
        zoned("mx-missing", may.clone(), &zone("example.org A 192.0.2.1")),
        zoned(
            "mx-truncated",
            may.clone(),
            &zone(&format!("{host}@fault example.org MX truncated")),
        ),
        zoned("mx-spoofed", may.clone(), &zone(&format!("{host}@fault example.org MX spoof"))),
        zoned(
            "mx-alias",
            may.clone(),
            &zone(
                "example.org CNAME d.test
                 d.test MX 10 mx.example.org
                 mx.example.org A 192.0.2.1",
            ),
        ),
        zoned(
            "mx-second",
            may.clone(),
            &zone(
                "example.org MX 5 down.example.org
                 example.org MX 10 mx.example.org
                 down.example.org A 192.0.2.9
                 mx.example.org A 192.0.2.1",
            ),
        ),
        zoned(
            "address-missing",
            may.clone(),
            &zone(
                "example.org MX 10 mx.example.org
                 mx.example.org TYPE16 0161",
            ),
        ),
        zoned("address-servfail", may, &zone(&format!("{host}@fault mx.example.org A servfail"))),
    ]
}

/// What name servers answer, and where that leads.
fn answers() -> Vec<Scene> {
    let may = Config { level: Level::May, ..dns() };
    let zone = |rest: &str| format!("@secure .\n{rest}");
    let host = "example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n";
    let plain = |name, rest: &str| zoned(name, may.clone(), &zone(rest));
    let faulty = |name, fault: &str| plain(name, &format!("{host}@fault {fault}"));
    let secure = |name, rest: &str| zoned(name, dns(), &zone(rest));
    let pin = certs::tlsa(KeyType::P256);
    vec![
        faulty("mx-refused", "example.org MX refused"),
        faulty("mx-not-implemented", "example.org MX notimp"),
        faulty("mx-without-edns", "example.org MX noedns"),
        faulty("mx-cut", "example.org MX cut"),
        faulty("mx-junk", "example.org MX junk"),
        faulty("mx-late", "example.org MX late 6000"),
        faulty("mx-lossy", "example.org MX lossy"),
        faulty("mx-no-tcp", "example.org MX notcp"),
        faulty("address-silent", "mx.example.org A silent"),
        faulty("address-servfail-for-aaaa", "mx.example.org AAAA servfail"),
        plain("mx-alias-loop", "example.org CNAME b.test\nb.test CNAME example.org"),
        plain(
            "mx-aliases-one-by-one",
            "example.org CNAME b.test\nb.test CNAME c.test\nc.test MX 10 mx.example.org
             mx.example.org A 192.0.2.1
             @fault example.org * shallow\n@fault b.test * shallow",
        ),
        plain(
            "mx-aliases-in-a-ring",
            "example.org CNAME b.test\nb.test CNAME example.org
             @fault example.org * shallow\n@fault b.test * shallow",
        ),
        plain("mx-aliases-without-end", &{
            let names: Vec<_> = (0..=12).map(|number| format!("n{number}.test")).collect();
            let alias = |pair: &[String]| {
                format!("{0} CNAME {1}\n@fault {0} * shallow\n", pair[0], pair[1])
            };
            let aliases: String = names.windows(2).map(alias).collect();
            format!("example.org CNAME n0.test\n@fault example.org * shallow\n{aliases}")
        }),
        plain("mx-alias-of-no-host", "example.org CNAME *.b.test"),
        plain("mx-alias-to-nothing", "example.org CNAME b.test"),
        plain("mx-alias-without-mx", "example.org CNAME b.test\nb.test A 192.0.2.1"),
        plain(
            "mx-three-one-of-no-use",
            "example.org MX 20 c.example.org\nexample.org MX 5 nowhere.test
             example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\nc.example.org A 192.0.2.2",
        ),
        plain("address-alias", "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1"),
        secure(
            "dane-behind-alias",
            &format!(
                "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.mx.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-before-alias",
            &format!(
                "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.a.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-record-behind-alias",
            &format!("{host}_25._tcp.mx.example.org CNAME pin.test\npin.test TLSA {pin}"),
        ),
        secure(
            "dane-alias-insecure",
            &format!(
                "@insecure a.test
                 example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.mx.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-insecure-alias-secure-record",
            &format!(
                "@insecure a.test\n@secure _tcp.a.test
                 example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.a.test TLSA {pin}"
            ),
        ),
        secure("dane-record-without-data", &format!("{host}_25._tcp.mx.example.org TYPE52 030101")),
        plain(
            "address-alias-to-nothing",
            "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test TYPE16 0161",
        ),
        secure(
            "dane-records-insecure",
            &format!(
                "@insecure pin.test
                 {host}_25._tcp.mx.example.org CNAME pin.test\npin.test TLSA {pin}"
            ),
        ),
    ]
}
