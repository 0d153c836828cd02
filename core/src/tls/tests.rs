//! The tunnel against rustls's own server, in memory.

use std::sync::Arc;

use bytes::Bytes;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, ServerConnection};
use rustls_pki_types::PrivatePkcs8KeyDer;

use super::{Channel, Passage, SessionCache, SessionKey, Sessions, Setup};
use crate::config::{Groups, Offer, ServerCertificates, Versions, Watch};
use crate::limits;
use crate::machine::TransportId;
use crate::random::Random;
use crate::report::{
    Alert, Group, KeyProof, Peer, PeerAddress, TlsError, TlsFacts, TlsVersion, TunnelEffect,
};
use crate::time::WallTime;

const NOW: WallTime = WallTime(1_800_000_000);

/// A tunnel and its server.
struct Pair {
    tunnel: Channel,
    server: ServerConnection,
    /// What the client wants to send and the server has not read.
    to_server: Vec<u8>,
    facts: Option<Arc<TlsFacts>>,
    heard: Vec<u8>,
    ended: bool,
    error: Option<TlsError>,
}

impl Pair {
    fn new(setup: &Arc<Setup>, server: &Arc<ServerConfig>, seed: u8) -> Self {
        Self::reusing(setup, server, seed, Sessions::default())
    }

    fn reusing(
        setup: &Arc<Setup>,
        server: &Arc<ServerConfig>,
        seed: u8,
        sessions: Sessions,
    ) -> Self {
        let random = Random::from_seed([seed; 32]);
        let (id, watch) = (TransportId(0), Watch::default());
        let (tunnel, passage) = Channel::start(id, setup, random, NOW, sessions, watch, None);
        let server = ServerConnection::new(server.clone()).expect("can begin");
        let mut pair = Self {
            tunnel,
            server,
            to_server: vec![],
            facts: None,
            heard: vec![],
            ended: false,
            error: None,
        };
        pair.follow(passage);
        pair
    }

    fn follow(&mut self, passage: Passage) {
        let TunnelEffect { text, facts, ended, error, .. } = passage.effect;
        self.to_server.extend(passage.to_peer);
        self.heard.extend(text);
        self.ended |= ended;
        self.facts = self.facts.take().or(facts);
        self.error = self.error.take().or(error);
    }

    /// Lets the server read everything and returns what it answers.
    fn serve(&mut self) -> Vec<u8> {
        let sent = std::mem::take(&mut self.to_server);
        let mut rest = &sent[..];
        while !rest.is_empty() && self.server.read_tls(&mut rest).is_ok() {
            let _ = self.server.process_new_packets();
        }
        let mut answer = Vec::new();
        while self.server.wants_write() {
            self.server.write_tls(&mut answer).expect("memory takes all");
        }
        answer
    }

    fn receive(&mut self, bytes: &[u8]) {
        let mut passage = Some(self.tunnel.receive(NOW, &Bytes::copy_from_slice(bytes)));
        while let Some(next) = passage {
            self.follow(next);
            passage = self.tunnel.go_on(NOW);
        }
    }

    /// Goes back and forth in pieces of `size` octets until nothing moves.
    fn settle(&mut self, size: usize) {
        loop {
            let answer = self.serve();
            if answer.is_empty() {
                return;
            }
            answer.chunks(size).for_each(|piece| self.receive(piece));
        }
    }

    fn send(&mut self, text: &[u8]) {
        let passage = self.tunnel.send(NOW, Bytes::copy_from_slice(text));
        self.follow(passage);
    }

    fn server_says(&mut self, text: &[u8]) {
        std::io::Write::write_all(&mut self.server.writer(), text).expect("memory takes all");
    }

    fn server_heard(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let _ = std::io::Read::read_to_end(&mut self.server.reader(), &mut text);
        text
    }
}

fn setup(version: TlsVersion, groups: &[Group]) -> Arc<Setup> {
    let versions =
        Versions { tls12: version == TlsVersion::Tls12, tls13: version == TlsVersion::Tls13 };
    let offer = Offer { versions, groups: Groups(groups.to_vec()), ..Offer::default() };
    Arc::new(Setup::new(Arc::new(offer), false).expect("offers something"))
}

fn server() -> Arc<ServerConfig> {
    server_with(|_| {})
}

fn server_with(change: impl FnOnce(&mut ServerConfig)) -> Arc<ServerConfig> {
    let made = rcgen::generate_simple_self_signed(["mx.example.org".to_owned()]).expect("works");
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key.into())
        .expect("key and certificate fit");
    config.ticketer = rustls::crypto::aws_lc_rs::Ticketer::new().expect("works");
    change(&mut config);
    Arc::new(config)
}

const VERSIONS: [TlsVersion; 2] = [TlsVersion::Tls12, TlsVersion::Tls13];

#[test]
fn text_and_facts_come_through_in_pieces_of_any_size() {
    for version in VERSIONS {
        for group in Group::ALL {
            // TLS 1.2 has no hybrid groups, and this server no P-521.
            let groups = [group, Group::X25519];
            let groups = if version == TlsVersion::Tls12 { &groups[1..] } else { &groups[..] };
            let retried = groups[0] == Group::Secp521r1;
            for size in [1, 7, usize::MAX] {
                let mut pair = Pair::new(&setup(version, groups), &server(), 1);
                pair.send(b"EHLO client\r\n");
                pair.settle(size);
                assert_eq!(pair.server_heard(), b"EHLO client\r\n");
                pair.server_says(b"250 mx\r\n");
                pair.settle(size);
                let facts = pair.facts.expect("complete");
                assert_eq!((facts.version, pair.heard), (version, b"250 mx\r\n".to_vec()));
                assert_eq!(facts.key_proof, KeyProof::Proved);
                assert_eq!(facts.chain.len(), 1);
                assert_eq!(facts.hello_retry, retried);
                let expected = if retried { Group::X25519 } else { groups[0] };
                assert_eq!(facts.group, Some(expected));
            }
        }
    }
}

#[test]
fn connections_on_one_thread_never_mix() {
    let (setup13, setup12) =
        (setup(TlsVersion::Tls13, &[Group::X25519]), setup(TlsVersion::Tls12, &[Group::Secp256r1]));
    let server = server();
    let alone = |setup: &Arc<Setup>, seed| Pair::new(setup, &server, seed).to_server;
    let (hello13, hello12) = (alone(&setup13, 1), alone(&setup12, 2));

    let mut pairs = [Pair::new(&setup13, &server, 1), Pair::new(&setup12, &server, 2)];
    assert_eq!([&pairs[0].to_server, &pairs[1].to_server], [&hello13, &hello12]);
    let mut answers = [vec![], vec![]];
    for _ in 0..20_000 {
        for (pair, answer) in pairs.iter_mut().zip(&mut answers) {
            if answer.is_empty() {
                *answer = pair.serve();
            }
            if !answer.is_empty() {
                pair.receive(&[answer.remove(0)]);
            }
        }
    }
    let versions = pairs.map(|pair| pair.facts.expect("complete").version);
    assert_eq!(versions, [TlsVersion::Tls13, TlsVersion::Tls12]);
}

#[test]
fn same_seed_makes_the_same_connection() {
    for group in [Group::X25519, Group::Secp256r1, Group::Secp384r1, Group::Secp521r1] {
        let setup = setup(TlsVersion::Tls13, &[group]);
        let hello = |seed| Pair::new(&setup, &server(), seed).to_server;
        assert_eq!(hello(3), hello(3), "{group}");
        assert_ne!(hello(3), hello(4), "{group}");
    }
}

#[test]
fn finished_and_the_text_that_waited_leave_together() {
    for version in VERSIONS {
        let mut pair = Pair::new(&setup(version, &[Group::X25519]), &server(), 1);
        pair.send(b"QUIT\r\n");
        loop {
            let answer = pair.serve();
            let passage = pair.tunnel.receive(NOW, &answer.into());
            let done = passage.effect.facts.is_some();
            pair.follow(passage);
            if done {
                break;
            }
        }
        pair.serve();
        assert_eq!(pair.server_heard(), b"QUIT\r\n");
    }
}

#[test]
fn text_in_the_read_that_completes_the_handshake_is_not_lost() {
    let mut pair = Pair::new(&setup(TlsVersion::Tls12, &[Group::X25519]), &server(), 1);
    let flight = pair.serve();
    pair.receive(&flight);
    let mut last = pair.serve();
    pair.server_says(b"220 mx\r\n");
    last.extend(pair.serve());
    assert!(pair.facts.is_none());
    pair.receive(&last);
    assert!(pair.facts.is_some());
    assert_eq!(pair.heard, b"220 mx\r\n");
}

/// What breaks TLS right behind the handshake or behind text comes after what the session says to
/// that, also in one read.
#[test]
fn a_read_stops_where_the_session_may_answer() {
    for version in VERSIONS {
        let mut pair = Pair::new(&setup(version, &[Group::X25519]), &server(), 1);
        let mut flight = pair.serve();
        if version == TlsVersion::Tls12 {
            pair.receive(&flight);
            flight = pair.serve();
        }
        flight.extend(b"no TLS");
        let passage = pair.tunnel.receive(NOW, &flight.into());
        assert_eq!((passage.effect.facts.is_some(), &passage.effect.error), (true, &None));
        pair.follow(passage);
        pair.send(b"EHLO x\r\n");
        pair.serve();
        assert_eq!(pair.server_heard(), b"EHLO x\r\n");
        let passage = pair.tunnel.go_on(NOW).expect("something waits");
        assert_eq!(passage.effect.error, Some(TlsError::NotTls));
        assert!(pair.tunnel.go_on(NOW).is_none() && !pair.tunnel.waits());

        let mut pair = Pair::new(&setup(version, &[Group::X25519]), &server(), 1);
        pair.settle(usize::MAX);
        pair.server_says(b"250 x\r\n");
        pair.server.send_close_notify();
        let last = pair.serve().into();
        let passage = pair.tunnel.receive(NOW, &last);
        assert_eq!((&passage.effect.text[..], passage.effect.ended), (&b"250 x\r\n"[..], false));
        assert!(pair.tunnel.go_on(NOW).is_some_and(|passage| passage.effect.ended));
    }
}

#[test]
fn close_notify_goes_both_ways_and_nothing_counts_after_it() {
    for version in VERSIONS {
        let mut pair = Pair::new(&setup(version, &[Group::X25519]), &server(), 1);
        pair.settle(usize::MAX);
        pair.server_says(b"221 bye\r\n");
        pair.server.send_close_notify();
        pair.settle(1);
        assert!(pair.ended);
        pair.receive(b"\x17\x03\x03\x00\x05hello");
        pair.receive(b"and no TLS at all");
        assert_eq!((&pair.heard[..], &pair.error), (&b"221 bye\r\n"[..], &None));
        let passage = pair.tunnel.close(NOW);
        assert!(!passage.to_peer.is_empty());
        pair.follow(passage);
        pair.serve();
        let mut text = [0];
        assert_eq!(std::io::Read::read(&mut pair.server.reader(), &mut text).ok(), Some(0));
        assert!(pair.tunnel.send(NOW, Bytes::from_static(b"more")).to_peer.is_empty());
        assert!(pair.tunnel.close(NOW).to_peer.is_empty());
    }
}

#[test]
fn an_error_sends_its_alert_once_and_ends_everything() {
    let mut pair = Pair::new(&setup(TlsVersion::Tls13, &[Group::X25519]), &server(), 1);
    pair.to_server.clear();
    pair.receive(b"220 no TLS here\r\n");
    assert_eq!(pair.error, Some(TlsError::NotTls));
    assert_eq!(pair.to_server.first(), Some(&21), "an alert record");
    assert_eq!(pair.to_server.len(), 7);
    pair.receive(b"220 no TLS here\r\n");
    assert_eq!(pair.to_server.len(), 7);

    // In the middle of the encrypted part of a handshake, byte by byte.
    let mut pair = Pair::new(&setup(TlsVersion::Tls13, &[Group::X25519]), &server(), 1);
    let mut flight = pair.serve();
    *flight.last_mut().expect("is not empty") ^= 1;
    flight.iter().for_each(|byte| pair.receive(&[*byte]));
    assert!(matches!(pair.error, Some(TlsError::Misbehaved(_))), "{:?}", pair.error);
    assert!(!pair.to_server.is_empty());
}

#[test]
fn alerts_of_the_server_are_told() {
    let mut pair = Pair::new(&setup(TlsVersion::Tls13, &[Group::X25519]), &server(), 1);
    pair.receive(&[21, 3, 3, 0, 2, 2, 40]);
    assert_eq!(pair.error, Some(TlsError::AlertReceived(Alert(40))));
}

#[test]
fn endless_input_is_bounded() {
    let mut pair = Pair::new(&setup(TlsVersion::Tls13, &[Group::X25519]), &server(), 1);
    // A handshake message that claims 64 KiB and never ends, in full records.
    let mut record = vec![22, 3, 3, 0x40, 0];
    record.resize(5 + 0x4000, 0);
    record[5..9].copy_from_slice(&[2, 0, 0xff, 0xff]);
    for _ in 0..100 {
        pair.receive(&record);
        record[5..9].fill(0);
        assert!(pair.tunnel.buffered() <= limits::TLS_INPUT);
    }
    assert!(pair.error.is_some());
}

#[test]
fn sessions_are_reused_once_each() {
    let peer = Peer { name: "mx".into(), address: PeerAddress::Inet([192, 0, 2, 1].into(), 25) };
    for version in VERSIONS {
        let (setup, server) = (setup(version, &[Group::X25519]), server());
        let key = SessionKey::new(&peer, b"mx", setup.offer(), "");
        let mut cache = SessionCache::new(true);
        let mut resumed = Vec::new();
        for seed in 1..4 {
            let sessions = cache.take(&key);
            let mut pair = Pair::reusing(&setup, &server, seed, sessions);
            // Tickets of TLS 1.3 come behind the handshake, with the first reply or later.
            pair.settle(usize::MAX);
            pair.server_says(b"250 mx\r\n");
            pair.settle(1);
            let facts = pair.facts.expect("complete");
            assert_eq!(facts.chain.len(), 1, "the chain stays known");
            assert_eq!(facts.server_signature.is_none(), facts.resumed);
            resumed.push(facts.resumed);
            cache.put(key.clone(), pair.tunnel.into_sessions());
        }
        assert_eq!(resumed, [false, true, true], "{version}");
        assert!(cache.was_found());

        let other = SessionKey::new(&peer, b"other name", setup.offer(), "");
        assert!(cache.take(&other).is_empty());
        let mut disabled = SessionCache::new(false);
        let mut pair = Pair::reusing(&setup, &server, 9, disabled.take(&key));
        pair.settle(usize::MAX);
        assert!(pair.tunnel.into_sessions().is_empty());
    }
}

/// Shows one server's certificate and signs with another's key.
#[derive(Debug)]
struct Impostor(Arc<CertifiedKey>);

impl ResolvesServerCert for Impostor {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.clone())
    }
}

#[test]
fn a_server_must_own_the_key_it_shows() {
    let made = |name: &str| rcgen::generate_simple_self_signed([name.to_owned()]).expect("works");
    let (shown, owned) = (made("shown.example"), made("owned.example"));
    let key = PrivatePkcs8KeyDer::from(owned.signing_key.serialize_der()).into();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("is supported");
    let impostor = Impostor(Arc::new(CertifiedKey::new(vec![shown.cert.der().clone()], key)));
    for version in VERSIONS {
        let impostor = Impostor(impostor.0.clone());
        let server = server_with(|config| config.cert_resolver = Arc::new(impostor));
        let mut pair = Pair::new(&setup(version, &[Group::X25519]), &server, 1);
        pair.settle(usize::MAX);
        assert_eq!(pair.error, Some(TlsError::BadSignature), "{version}");
        assert!(pair.facts.is_none());
    }
}

#[test]
fn an_offer_of_nothing_is_refused() {
    let nothing = Offer { suites: Some(vec![]), ..Offer::default() };
    assert!(Setup::new(Arc::new(nothing), false).is_err());
    let versions = Versions { tls12: false, tls13: false };
    assert!(Setup::new(Arc::new(Offer { versions, ..Offer::default() }), false).is_err());
}

#[test]
fn server_names_are_sent_only_where_they_can_be() {
    let name = |name: &str| {
        let server_name = Some(name.to_owned());
        Setup::new(Arc::new(Offer { server_name, ..Offer::default() }), false).ok()?.server_name()
    };
    assert_eq!(name("MX.example.org"), Some("mx.example.org".to_owned()));
    assert_eq!(name("_odd.example.org"), Some("_odd.example.org".to_owned()));
    for unfit in ["192.0.2.1", "::1", "bad name!", "", "-x.example"] {
        assert_eq!(name(unfit), None, "{unfit}");
    }
}

#[test]
fn raw_public_keys_prove_themselves() {
    let pair = rcgen::KeyPair::generate().expect("works");
    let key = PrivatePkcs8KeyDer::from(pair.serialize_der()).into();
    let key = rustls::crypto::aws_lc_rs::sign::any_supported_type(&key).expect("is supported");
    let spki = key.public_key().expect("is known").to_vec();
    let shown = CertifiedKey::new(vec![spki.clone().into()], key);
    let resolver = rustls::server::AlwaysResolvesServerRawPublicKeys::new(Arc::new(shown));
    let raw = server_with(|config| config.cert_resolver = Arc::new(resolver));
    let offer = Offer {
        versions: Versions { tls12: false, tls13: true },
        certificates: ServerCertificates::RawPublicKey,
        ..Offer::default()
    };
    let setup = Arc::new(Setup::new(Arc::new(offer), false).expect("offers something"));
    let mut pair = Pair::new(&setup, &raw, 1);
    pair.settle(usize::MAX);
    let facts = pair.facts.expect("complete");
    assert_eq!(facts.certificates, ServerCertificates::RawPublicKey);
    assert_eq!((&facts.chain[..], facts.key_proof), (&[spki.into()][..], KeyProof::Proved));

    // A server of certificates has nothing to show, and one of the two says so.
    let mut pair = Pair::new(&setup, &server(), 1);
    pair.settle(usize::MAX);
    assert!(pair.error.is_some() && pair.facts.is_none());
}

#[test]
fn the_version_of_the_library_is_told_as_it_is() {
    let lock = include_str!("../../../Cargo.lock");
    let version = lock.split("name = \"rustls\"\nversion = \"").nth(1).unwrap();
    assert!(version.starts_with(&format!("{}\"", super::RUSTLS)));
}
