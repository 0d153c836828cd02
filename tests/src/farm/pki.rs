//! Keys and certificates of a farm, each made when it is first needed.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PublicKeyData, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::NoServerSessionStorage;
use sha2::{Digest, Sha256};

use super::Host;

/// A root, an intermediate, and a leaf for each server.
pub struct Pki {
    root_pem: String,
    intermediate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    hosts: Mutex<HashMap<Host, Credentials>>,
}

/// What a server shows and what pins it.
#[derive(Clone)]
struct Credentials {
    config: Arc<ServerConfig>,
    spki: [u8; 32],
}

impl Default for Pki {
    fn default() -> Self {
        let (root_key, root_params) = (key(), authority("Farm Root"));
        let root = root_params.self_signed(&root_key).expect("parameters are complete");
        let root_issuer = Issuer::new(root_params, root_key);
        let (key, params) = (key(), authority("Farm Intermediate"));
        let intermediate = params.signed_by(&key, &root_issuer).expect("parameters are complete");
        Self {
            root_pem: root.pem(),
            intermediate: intermediate.der().clone(),
            issuer: Issuer::new(params, key),
            hosts: Mutex::default(),
        }
    }
}

impl Pki {
    /// Tells the root certificate in PEM form.
    pub fn root_pem(&self) -> String {
        self.root_pem.clone()
    }

    /// Tells how a server does TLS: no tickets, nothing kept.
    pub fn config(&self, host: Host) -> Arc<ServerConfig> {
        self.credentials(host).config
    }

    /// Tells the SHA-256 of a server's public key.
    pub(super) fn spki(&self, host: Host) -> [u8; 32] {
        self.credentials(host).spki
    }

    fn credentials(&self, host: Host) -> Credentials {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        hosts.entry(host).or_insert_with(|| self.issue(host)).clone()
    }

    fn issue(&self, host: Host) -> Credentials {
        let key = key();
        let leaf = params(&host.name()).signed_by(&key, &self.issuer);
        let leaf = leaf.expect("parameters are complete").der().clone();
        let spki = Sha256::digest(key.subject_public_key_info()).into();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der()).into();
        let mut config = ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![leaf, self.intermediate.clone()], key)
            .expect("the key is the certificate's");
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Credentials { config: Arc::new(config), spki }
    }
}

impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pki")
    }
}

fn key() -> KeyPair {
    KeyPair::generate().expect("the provider makes P-256 keys")
}

fn authority(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.subject_alt_names.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}
