//! The TLS side of a virtual mail server, by rustls.

use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};

use rustls::crypto::aws_lc_rs as provider;
use rustls::server::{
    ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert, WebPkiClientVerifier,
};
use rustls::sign::CertifiedKey;
use rustls::{
    NamedGroup, RootCertStore, ServerConfig, ServerConnection, SupportedProtocolVersion, version,
};

use super::legacy::Legacy;
use super::script::Answer;
use crate::certs::{self, Identity, KeyType};

/// How a virtual server does TLS. Connections that are made from clones of one setup share their
/// sessions.
#[derive(Clone, Debug)]
pub struct TlsSetup {
    identity: Option<Arc<Identity>>,
    other_identity: Option<Arc<Identity>>,
    /// What there is for clients that ask for a name; the handshake fails if that is nothing.
    for_sni: Option<Option<Arc<Identity>>>,
    versions: &'static [&'static SupportedProtocolVersion],
    groups: Option<Vec<NamedGroup>>,
    client_auth: ClientAuth,
    tickets: Tickets,
    protocols: Vec<Vec<u8>>,
    pub(super) half_rtt: bool,
    pub(super) instead: Option<Answer>,
    pub(super) rather: Option<Box<Legacy>>,
    pub(super) after_flight: Option<(usize, Answer)>,
    config: Arc<OnceLock<Arc<ServerConfig>>>,
}

static ONLY_12: &[&SupportedProtocolVersion] = &[&version::TLS12];
static ONLY_13: &[&SupportedProtocolVersion] = &[&version::TLS13];

/// Whether a server asks for a client certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ClientAuth {
    /// No.
    #[default]
    None,
    /// It does, and goes on without one.
    Requested,
    /// It does, and gives up without one.
    Required,
}

/// How a server hands out sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tickets {
    /// It does not.
    None,
    /// Sessions are kept by the server: so many TLS 1.3 tickets right after the handshake, session
    /// ids with TLS 1.2.
    Stored(usize),
    /// As `Stored`, but in one write with the first data after the handshake.
    WithData(usize),
    /// Sessions travel inside the tickets, with TLS 1.2 too (RFC 5077).
    Sealed(usize),
    /// One ticket of so many octets, which the server knows nothing of when it sees it again.
    Useless(usize),
}

/// The tickets of [`Tickets::Useless`].
#[derive(Debug)]
struct UselessTickets(usize);

impl ProducesTickets for UselessTickets {
    fn enabled(&self) -> bool {
        true
    }

    fn lifetime(&self) -> u32 {
        7200
    }

    fn encrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        Some(vec![7; self.0])
    }

    fn decrypt(&self, _: &[u8]) -> Option<Vec<u8>> {
        None
    }
}

impl Default for TlsSetup {
    /// TLS 1.2 and 1.3, all groups, a P-256 certificate with its issuer, two tickets.
    fn default() -> Self {
        Self {
            identity: None,
            other_identity: None,
            for_sni: None,
            versions: rustls::ALL_VERSIONS,
            groups: None,
            client_auth: ClientAuth::None,
            tickets: Tickets::Stored(2),
            protocols: Vec::new(),
            half_rtt: false,
            instead: None,
            rather: None,
            after_flight: None,
            config: Arc::default(),
        }
    }
}

impl TlsSetup {
    /// A setup that speaks TLS 1.2 only.
    pub fn only_12() -> Self {
        Self { versions: ONLY_12, ..Self::default() }
    }

    /// A setup that speaks TLS 1.3 only.
    pub fn only_13() -> Self {
        Self { versions: ONLY_13, ..Self::default() }
    }

    /// A setup that sends an answer in place of its side of the handshake, and hears nothing more.
    pub fn instead(answer: impl Into<Answer>) -> Self {
        Self { instead: Some(answer.into()), ..Self::default() }
    }

    /// Lets a hand-built server answer clients that offer something it accepts.
    pub fn rather(mut self, legacy: Legacy) -> Self {
        self.rather = Some(Box::new(legacy));
        self
    }

    /// Chooses one of these application protocols, the first that is offered.
    pub fn protocols(mut self, names: &[&str]) -> Self {
        self.protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        self.fresh()
    }

    /// Changes the certificate.
    pub fn identity(mut self, identity: Arc<Identity>) -> Self {
        self.identity = Some(identity);
        self.fresh()
    }

    /// Adds a certificate with a key of another kind, for clients that cannot use the first.
    pub fn or_identity(mut self, identity: Arc<Identity>) -> Self {
        self.other_identity = Some(identity);
        self.fresh()
    }

    /// Shows this certificate to clients that ask for a name, or fails.
    pub fn for_sni(mut self, identity: Option<Arc<Identity>>) -> Self {
        self.for_sni = Some(identity);
        self.fresh()
    }

    /// Changes the key exchange groups; a client whose first share is for none of them is asked
    /// again (HelloRetryRequest).
    pub fn groups(mut self, groups: impl Into<Vec<NamedGroup>>) -> Self {
        self.groups = Some(groups.into());
        self.fresh()
    }

    /// Asks for a client certificate.
    pub fn client_auth(mut self, client_auth: ClientAuth) -> Self {
        self.client_auth = client_auth;
        self.fresh()
    }

    /// Changes how sessions are handed out.
    pub fn tickets(mut self, tickets: Tickets) -> Self {
        self.tickets = tickets;
        self.fresh()
    }

    /// Sends data before the client's Finished, in one write with the server's (RFC 8446 section
    /// 4.4.4). Makes a difference in wrapper mode only.
    pub fn half_rtt(mut self) -> Self {
        self.half_rtt = true;
        self.fresh()
    }

    /// Does something else once so many flights of the handshake are out, and hears nothing more.
    pub fn after_flight(mut self, flights: usize, answer: impl Into<Answer>) -> Self {
        self.after_flight = Some((flights, answer.into()));
        self
    }

    fn fresh(mut self) -> Self {
        self.config = Arc::default();
        self
    }

    pub(super) fn accept(&self) -> TlsServer {
        let config = self.config.get_or_init(|| Arc::new(self.build())).clone();
        let connection = ServerConnection::new(config).expect("the configuration is complete");
        let holds = matches!(self.tickets, Tickets::WithData(_));
        TlsServer { connection, holds, flights: 0 }
    }

    fn build(&self) -> ServerConfig {
        let mut provider = provider::default_provider();
        if let Some(groups) = &self.groups {
            provider.kx_groups = provider::ALL_KX_GROUPS.to_vec();
            provider.kx_groups.retain(|group| groups.contains(&group.name()));
        }
        let provider = Arc::new(provider);
        let mut roots = RootCertStore::empty();
        roots.add(certs::root()).expect("it is a certificate");
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider.clone());
        let verifier = match self.client_auth {
            ClientAuth::None => WebPkiClientVerifier::no_client_auth(),
            ClientAuth::Requested => {
                verifier.allow_unauthenticated().build().expect("there is a root")
            }
            ClientAuth::Required => verifier.build().expect("there is a root"),
        };
        let identity = self.identity.clone().unwrap_or_else(|| certs::server(KeyType::P256));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(self.versions)
            .expect("the provider speaks them")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(FirstThatFits {
                usual: [Some(identity), self.other_identity.clone()]
                    .into_iter()
                    .flatten()
                    .map(certified)
                    .collect(),
                for_sni: self.for_sni.clone().map(|identity| identity.map(certified)),
            }));
        config.send_half_rtt_data = self.half_rtt;
        config.alpn_protocols.clone_from(&self.protocols);
        match self.tickets {
            Tickets::None => {
                config.send_tls13_tickets = 0;
                config.session_storage = Arc::new(NoServerSessionStorage {});
            }
            Tickets::Stored(number) | Tickets::WithData(number) => {
                config.send_tls13_tickets = number;
            }
            Tickets::Sealed(number) => {
                config.send_tls13_tickets = number;
                config.ticketer = provider::Ticketer::new().expect("there is randomness");
            }
            Tickets::Useless(octets) => {
                config.send_tls13_tickets = 1;
                config.ticketer = Arc::new(UselessTickets(octets));
            }
        }
        config
    }
}

/// Shows the first certificate whose key the client can verify signatures of.
#[derive(Debug)]
struct FirstThatFits {
    usual: Vec<Arc<CertifiedKey>>,
    for_sni: Option<Option<Arc<CertifiedKey>>>,
}

fn certified(identity: Arc<Identity>) -> Arc<CertifiedKey> {
    let key = provider::sign::any_supported_type(&identity.key);
    let key = key.expect("the provider knows such keys");
    Arc::new(CertifiedKey::new(identity.chain.clone(), key))
}

impl ResolvesServerCert for FirstThatFits {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let fits =
            |key: &&Arc<CertifiedKey>| key.key.choose_scheme(hello.signature_schemes()).is_some();
        match (&self.for_sni, hello.server_name()) {
            (Some(named), Some(_)) => named.clone(),
            (Some(_), None) | (None, _) => self.usual.iter().find(fits).cloned(),
        }
    }
}

/// One connection's server side.
#[derive(Debug)]
pub(super) struct TlsServer {
    connection: ServerConnection,
    /// Output is held back until there is data.
    holds: bool,
    /// How often there was output while the handshake ran.
    pub(super) flights: usize,
}

impl TlsServer {
    /// Takes bytes of the transport; returns what was inside, and the error that ended it.
    pub(super) fn receive(&mut self, mut bytes: &[u8]) -> (Vec<u8>, Option<rustls::Error>) {
        let mut plain = vec![];
        let mut error = None;
        while !bytes.is_empty() && error.is_none() {
            let taken = self.connection.read_tls(&mut bytes);
            error = self.connection.process_new_packets().err();
            // The end of the stream shows as an error of `read_to_end`, behind all data.
            let _ = self.connection.reader().read_to_end(&mut plain);
            if taken.is_err() {
                break;
            }
        }
        (plain, error)
    }

    /// Encrypts; before the handshake is done, keeps for later.
    pub(super) fn say(&mut self, plain: &[u8]) {
        self.holds = false;
        self.connection.set_buffer_limit(None);
        self.connection.writer().write_all(plain).expect("the buffer has no limit");
    }

    pub(super) fn close_notify(&mut self) {
        self.holds = false;
        self.connection.send_close_notify();
    }

    /// Takes out what shall be written to the transport.
    pub(super) fn output(&mut self) -> Vec<u8> {
        let handshaking = self.connection.is_handshaking();
        if self.holds && !handshaking {
            return vec![];
        }
        let mut bytes = vec![];
        while self.connection.wants_write() {
            self.connection.write_tls(&mut bytes).expect("memory takes everything");
        }
        self.flights += usize::from(handshaking && !bytes.is_empty());
        bytes
    }

    /// Tells what came about, once the handshake is done: version, then whether a session was
    /// resumed, the server name that was asked for, and whether there is a client certificate.
    pub(super) fn summary(&self) -> Option<String> {
        if self.connection.is_handshaking() {
            return None;
        }
        let mut text = format!("{:?}", self.connection.protocol_version()?);
        if self.connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed) {
            text.push_str(" resumed");
        }
        if let Some(name) = self.connection.server_name() {
            text.push_str(&format!(" for {name}"));
        }
        if self.connection.peer_certificates().is_some() {
            text.push_str(" with client certificate");
        }
        Some(text)
    }

    /// Tells whether the client sent close_notify.
    pub(super) fn closed_by_client(&mut self) -> bool {
        self.connection.process_new_packets().is_ok_and(|state| state.peer_has_closed())
    }
}
