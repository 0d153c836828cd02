//! The scenes that are recorded as `tests/traces/*.trace`, each a test by its name.

mod named;
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
use tlsfinger_core::{Machine, Probe};

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
        named::dane(),
        named::dane_records(),
        named::lookups(),
        named::answers(),
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
