//! Turns an Offer into a rustls configuration.

use std::collections::VecDeque;
use std::sync::{Arc, LazyLock};

use rustls::client::{ClientConfig, Resumption, Tls12Resumption};
use rustls::crypto::{GetRandomFailed, SecureRandom, aws_lc_rs};
use rustls::time_provider::TimeProvider;
use rustls::version::{TLS12, TLS13};
use rustls_pki_types::{ServerName, UnixTime};

use crate::config::{Offer, OfferFlaw, ServerKeys, Versions};
use crate::limits;
use crate::report::Group;

use super::identity::ReadyIdentity;
use super::key_log::LentKeyLog;
use super::sessions::LentSessions;
use super::suites::Suite;
use super::{groups, loan, witness};

/// The version of rustls: the octets that it sends depend on it.
pub(crate) const RUSTLS: &str = "0.23.46";

/// What a connection needs to begin: one for each Offer, shared by all its connections.
#[derive(Clone, Debug)]
pub struct Setup {
    /// What is offered.
    pub(super) offer: Arc<Offer>,
    pub(super) config: Arc<ClientConfig>,
    /// The name in the SNI extension, or a stand-in that is not sent.
    pub(super) server_name: ServerName<'static>,
    pub(super) identity: ReadyIdentity,
    /// All that happens is told, for a trace.
    pub(super) repeatable: bool,
}

impl Setup {
    /// Prepares connections that make this offer. All their randomness is that of the run if they
    /// are to be `repeatable`; else the secrets of ML-KEM come from the system.
    ///
    /// # Errors
    ///
    /// [`OfferFlaw::NoVersion`], [`OfferFlaw::NoGroup`] or [`OfferFlaw::NoSuite`].
    pub fn new(offer: Arc<Offer>, repeatable: bool) -> Result<Self, OfferFlaw> {
        let config = Arc::new(client_config(&offer, repeatable)?);
        Ok(Self::with(offer, config, repeatable))
    }

    fn with(offer: Arc<Offer>, config: Arc<ClientConfig>, repeatable: bool) -> Self {
        let server_name = match sni(&offer) {
            Some(name) => name,
            // Stands in where no name is sent; an address is never put into SNI.
            None => std::net::Ipv4Addr::UNSPECIFIED.into(),
        };
        let identity = offer.identity.ready();
        Self { offer, config, server_name, identity, repeatable }
    }

    /// Prepares connections that ask for no tickets of TLS 1.2, so that sessions are resumed by their
    /// ids (RFC 5246 section 7.3).
    pub(crate) fn without_tickets(self) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.resumption =
            Resumption::store(SESSIONS.clone()).tls12_resumption(Tls12Resumption::SessionIdOnly);
        Self { config: Arc::new(config), ..self }
    }

    /// Prepares connections that ask for these schemes of server signatures.
    pub(crate) fn with_schemes(self, schemes: Vec<u16>) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.dangerous().set_certificate_verifier(witness::verifier_of(schemes));
        Self { config: Arc::new(config), ..self }
    }

    /// Prepares connections that offer these application protocols (RFC 7301).
    pub(crate) fn with_protocols(self, names: &[&str]) -> Self {
        let mut config = ClientConfig::clone(&self.config);
        config.alpn_protocols = names.iter().map(|name| name.as_bytes().to_vec()).collect();
        Self { config: Arc::new(config), ..self }
    }

    /// Tells what is offered.
    pub fn offer(&self) -> &Arc<Offer> {
        &self.offer
    }

    /// Tells the name that the SNI extension carries. It lacks a name of the Offer that the
    /// extension cannot carry: an address, or no host name at all (RFC 6066 section 3).
    pub fn server_name(&self) -> Option<String> {
        self.config.enable_sni.then(|| self.server_name.to_str().into_owned())
    }
}

/// What was made for earlier offers. Those that differ in names and keys only share what is large.
#[derive(Debug, Default)]
pub(crate) struct Setups(VecDeque<(Shape, Arc<ClientConfig>)>);

/// An offer whose server name and identity do not count, and whether a name is sent.
type Shape = (Arc<Offer>, bool);

/// Tells whether offers differ in server name and identity at most.
fn is_alike(one: &Offer, other: &Offer) -> bool {
    let Offer { server_name: _, versions, suites, groups, sha1, certificates, keys, identity: _ } =
        one;
    (versions, suites, groups) == (&other.versions, &other.suites, &other.groups)
        && (sha1, certificates, keys) == (&other.sha1, &other.certificates, &other.keys)
}

impl Setups {
    /// Does what [`Setup::new`] does.
    pub(crate) fn prepare(
        &mut self,
        offer: Arc<Offer>,
        repeatable: bool,
    ) -> Result<Setup, OfferFlaw> {
        let named = sni(&offer).is_some();
        let fits = |(known, has_name): &Shape| *has_name == named && is_alike(known, &offer);
        if let Some((_, config)) = self.0.iter().find(|(shape, _)| fits(shape)) {
            return Ok(Setup::with(offer, Arc::clone(config), repeatable));
        }
        let shape = (Arc::clone(&offer), named);
        let setup = Setup::new(offer, repeatable)?;
        if self.0.len() == limits::CLIENT_CONFIGS {
            self.0.pop_front();
        }
        self.0.push_back((shape, Arc::clone(&setup.config)));
        Ok(setup)
    }
}

/// Makes what rustls wants to know of all connections with an offer.
fn client_config(offer: &Offer, repeatable: bool) -> Result<ClientConfig, OfferFlaw> {
    if offer.versions == (Versions { tls12: false, tls13: false }) {
        return Err(OfferFlaw::NoVersion);
    }
    if offer.groups.0.is_empty() {
        return Err(OfferFlaw::NoGroup);
    }
    let mut provider = aws_lc_rs::default_provider();
    provider.secure_random = &LentRandom;
    let implementation = |group: &Group| groups::implementation(*group, repeatable);
    provider.kx_groups = offer.groups.0.iter().map(implementation).collect();
    if let Some(suites) = &offer.suites {
        let all = std::mem::take(&mut provider.cipher_suites);
        let known = |number: &u16| all.iter().find(|suite| u16::from(suite.suite()) == *number);
        provider.cipher_suites = suites.iter().filter_map(known).copied().collect();
    }
    if let Some(keys) = offer.keys {
        // Of TLS 1.2 the suite decides what the server signs with, of 1.3 the scheme alone.
        let other = match keys.other() {
            ServerKeys::Rsa => "_RSA_",
            ServerKeys::Ecdsa => "_ECDSA_",
        };
        let name = |number| Suite::by_number(number).map_or("", |suite| suite.iana);
        provider.cipher_suites.retain(|suite| !name(suite.suite().into()).contains(other));
    }
    let versions: Vec<_> = [(offer.versions.tls13, &TLS13), (offer.versions.tls12, &TLS12)]
        .into_iter()
        .filter_map(|(wanted, version)| wanted.then_some(version))
        .collect();
    let mut config = ClientConfig::builder_with_details(Arc::new(provider), CLOCK.clone())
        .with_protocol_versions(&versions)
        .map_err(|_| OfferFlaw::NoSuite)?
        .dangerous()
        .with_custom_certificate_verifier(witness::verifier(offer))
        .with_client_cert_resolver(witness::resolver());
    config.enable_sni = sni(offer).is_some();
    config.resumption = Resumption::store(SESSIONS.clone());
    config.key_log = KEY_LOG.clone();
    Ok(config)
}

/// Tells the name for the SNI extension, if it can carry the one of the Offer.
fn sni(offer: &Offer) -> Option<ServerName<'static>> {
    let name = ServerName::try_from(offer.server_name.as_ref()?.to_ascii_lowercase()).ok()?;
    matches!(name, ServerName::DnsName(_)).then_some(name)
}

/// The same as text.
pub(crate) fn sni_of(offer: &Offer) -> Option<String> {
    sni(offer).map(|name| name.to_str().into_owned())
}

static CLOCK: LazyLock<Arc<dyn TimeProvider>> = LazyLock::new(|| Arc::new(LentClock));
static SESSIONS: LazyLock<Arc<LentSessions>> = LazyLock::new(|| Arc::new(LentSessions));
static KEY_LOG: LazyLock<Arc<LentKeyLog>> = LazyLock::new(|| Arc::new(LentKeyLog));

/// The randomness of whichever connection is at work.
#[derive(Debug)]
struct LentRandom;

impl SecureRandom for LentRandom {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), GetRandomFailed> {
        loan::borrow(|loan| loan.fill(bytes)).ok_or(GetRandomFailed)
    }
}

/// The wall time of whichever connection is at work.
#[derive(Debug)]
struct LentClock;

impl TimeProvider for LentClock {
    fn current_time(&self) -> Option<UnixTime> {
        loan::borrow(|loan| {
            UnixTime::since_unix_epoch(std::time::Duration::from_secs(loan.wall_time.0))
        })
    }
}
