//! Certificates for tests: one little PKI, made once per process, valid from 2020 to 2100.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CustomExtension, DnType,
    ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    NameConstraints, PublicKeyData, SignatureAlgorithm, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};

/// The kind of a certificate's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// NIST P-256.
    P256,
    /// NIST P-384.
    P384,
    /// NIST P-521.
    P521,
    /// Ed25519.
    Ed25519,
    /// RSA with 2048 bits.
    Rsa2048,
}

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::P256, Self::P384, Self::P521, Self::Ed25519, Self::Rsa2048];

    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Self::P256 => &rcgen::PKCS_ECDSA_P256_SHA256,
            Self::P384 => &rcgen::PKCS_ECDSA_P384_SHA384,
            Self::P521 => &rcgen::PKCS_ECDSA_P521_SHA512,
            Self::Ed25519 => &rcgen::PKCS_ED25519,
            Self::Rsa2048 => &rcgen::PKCS_RSA_SHA256,
        }
    }

    /// Tells this type's key pair; each is made once per process.
    fn key(self) -> &'static KeyPair {
        static KEYS: [OnceLock<KeyPair>; 5] = [const { OnceLock::new() }; 5];
        KEYS[self as usize].get_or_init(|| new_key(self))
    }
}

/// A certificate chain, leaf first, with the leaf's key.
#[derive(Debug)]
pub struct Identity {
    /// The chain as a server sends it.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the first certificate.
    pub key: PrivateKeyDer<'static>,
}

/// Makes a server's identity: a leaf for `mx.example.org` and its issuer, which is the root.
pub fn server(key: KeyType) -> Arc<Identity> {
    Arc::new(issue("mx.example.org", key, vec![]))
}

/// Makes a server's identity for another name or address.
pub fn named(name: &str) -> Arc<Identity> {
    Arc::new(issue(name, KeyType::P256, vec![]))
}

/// Makes a server's identity that ended with the year 2020.
pub fn expired(key: KeyType) -> Arc<Identity> {
    let mut params = params("mx.example.org");
    params.not_after = date_time_ymd(2021, 1, 1);
    Arc::new(issue_as(params, key))
}

/// What is wrong with a chain whose root is the [`root`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The leaf ended with the year 2020.
    Expired,
    /// The leaf begins with the year 2090.
    Early,
    /// The leaf is for another host.
    OtherName,
    /// The root was not sent, and is none that anybody knows.
    NoIssuer,
    /// The leaf was signed by another key than the root's.
    Signature,
    /// The leaf is for clients only.
    Purpose,
    /// The leaf has a critical extension that nobody knows.
    CriticalExtension,
    /// The certificate between leaf and root is no CA's.
    NoCa,
    /// The first of two certificates between leaf and root allows no other below it.
    PathLength,
    /// The certificate between leaf and root permits other names.
    NameConstraint,
    /// The certificate between leaf and root ended with the year 2020, and so did the leaf.
    ExpiredTwice,
}

/// Makes a server's identity with a flaw.
pub fn flawed(flaw: Flaw) -> Arc<Identity> {
    let mut leaf = params("mx.example.org");
    let mut between = Vec::new();
    let mut issuer = ca("Test CA");
    let mut signer = authority_key();
    match flaw {
        Flaw::Expired => leaf.not_after = date_time_ymd(2021, 1, 1),
        Flaw::Early => leaf.not_before = date_time_ymd(2090, 1, 1),
        Flaw::OtherName => leaf = params("mx.example.net"),
        Flaw::Signature => signer = KeyType::P521.key(),
        Flaw::Purpose => leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth],
        Flaw::CriticalExtension => {
            let mut odd =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 32473, 2], vec![5, 0]);
            odd.set_criticality(true);
            leaf.custom_extensions = vec![odd];
        }
        Flaw::NoIssuer => {}
        Flaw::NoCa => {
            issuer.is_ca = IsCa::ExplicitNoCa;
            between = vec![issuer];
        }
        Flaw::PathLength => {
            issuer.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
            between = vec![issuer, ca("Another Test CA")];
        }
        Flaw::NameConstraint => {
            issuer.name_constraints = Some(NameConstraints {
                permitted_subtrees: vec![GeneralSubtree::DnsName("example.net".to_owned())],
                excluded_subtrees: vec![],
            });
            between = vec![issuer];
        }
        Flaw::ExpiredTwice => {
            leaf.not_after = date_time_ymd(2021, 1, 1);
            issuer.not_after = date_time_ymd(2021, 1, 1);
            between = vec![issuer];
        }
    }
    let (root, root_params) = authority();
    let (mut issued_by, mut chain) = (root_params.clone(), Vec::new());
    for params in between {
        let issuer = Issuer::from_params(&issued_by, signer);
        signer = KeyType::P384.key();
        let made = params.signed_by(signer, &issuer).expect("parameters are complete");
        chain.insert(0, made.der().clone());
        issued_by = params;
    }
    let key = KeyType::P256.key();
    let made = leaf.signed_by(key, &Issuer::from_params(&issued_by, signer));
    chain.insert(0, made.expect("parameters are complete").der().clone());
    if flaw != Flaw::NoIssuer {
        chain.push(root.der().clone());
    }
    Arc::new(Identity { chain, key: private_key(key) })
}

fn ca(name: &str) -> CertificateParams {
    let mut params = params(name);
    params.subject_alt_names.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params
}

/// Makes a server's identity that ends so many days and an hour from now.
pub fn expiring(key: KeyType, days: u64) -> Arc<Identity> {
    let mut params = params("mx.example.org");
    let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
    let left = Duration::from_secs(days * 86_400 + 3600);
    params.not_after = date_time_ymd(1970, 1, 1) + now + left;
    Arc::new(issue_as(params, key))
}

/// Makes an identity with nothing but a small self-signed Ed25519 certificate, whose signatures all
/// have the same length, for tests that count octets.
pub fn small() -> Arc<Identity> {
    static SMALL: OnceLock<Arc<Identity>> = OnceLock::new();
    let make = || {
        let key = KeyType::Ed25519.key();
        let params = params("mx.example.org");
        let leaf = params.self_signed(key).expect("parameters are complete");
        Arc::new(Identity { chain: vec![leaf.der().clone()], key: private_key(key) })
    };
    SMALL.get_or_init(make).clone()
}

/// Makes a client's identity, issued by the [`root`].
pub fn client() -> Arc<Identity> {
    Arc::new(issue("client.example", KeyType::P256, vec![]))
}

/// Makes a client's key with its certificate behind it, both in PEM form.
pub fn client_pem() -> String {
    let (_, root_params) = authority();
    let issuer = Issuer::from_params(root_params, authority_key());
    let key = KeyType::P256.key();
    let leaf = params("client.example").signed_by(key, &issuer).expect("parameters are complete");
    key.serialize_pem() + &leaf.pem()
}

/// Makes a server's identity whose chain comes to somewhat more than so many octets.
pub fn bulky(octets: usize) -> Arc<Identity> {
    let mut identity = issue("mx.example.org", KeyType::P256, vec![]);
    let filling = |octets| {
        let oid = [1, 3, 6, 1, 4, 1, 32473, 1];
        let filling = CustomExtension::from_oid_content(&oid, vec![0; octets]);
        issue("filling", KeyType::P256, vec![filling]).chain.swap_remove(0)
    };
    identity.chain.extend((0..octets / 10_000).map(|_| filling(10_000)));
    identity.chain.push(filling(octets % 10_000));
    Arc::new(identity)
}

/// Makes the TLSA record that pins the public key of [`server`]'s certificate: `3 1 1` (RFC 6698).
pub fn tlsa(key: KeyType) -> String {
    let digest = Sha256::digest(key.key().subject_public_key_info());
    digest.iter().fold("3 1 1 ".to_owned(), |text, octet| text + &format!("{octet:02X}"))
}

/// Makes a TLSA record of any kind, of a certificate; the selector says whether its key is meant.
///
/// # Panics
/// For matching types other than 0 to 2, or for what is no certificate.
pub fn record(usage: u8, selector: u8, matching: u8, certificate: &[u8]) -> String {
    let parsed = tlsfinger_core::cert::Certificate::parse(certificate.to_vec().into());
    let parsed = parsed.expect("it is a certificate");
    let data = if selector == 0 { parsed.der() } else { parsed.spki() };
    let data = match matching {
        0 => data.to_vec(),
        1 => Sha256::digest(data).to_vec(),
        2 => sha2::Sha512::digest(data).to_vec(),
        other => panic!("matching type {other}"),
    };
    let hex: String = data.iter().map(|octet| format!("{octet:02X}")).collect();
    format!("{usage} {selector} {matching} {hex}")
}

/// Makes the TLSA record that names the [`root`] by its digest: `2 0 1`.
pub fn root_tlsa() -> String {
    let digest = Sha256::digest(root());
    digest.iter().fold("2 0 1 ".to_owned(), |text, octet| text + &format!("{octet:02X}"))
}

/// Tells the root certificate, which issues all others directly.
pub fn root() -> CertificateDer<'static> {
    authority().0.der().clone()
}

/// Tells the root certificate in PEM form.
pub fn root_pem() -> String {
    authority().0.pem()
}

fn authority() -> &'static (Certificate, CertificateParams) {
    static ROOT: OnceLock<(Certificate, CertificateParams)> = OnceLock::new();
    ROOT.get_or_init(|| {
        let params = ca("Test Root");
        let root = params.self_signed(authority_key()).expect("parameters are complete");
        (root, params)
    })
}

fn authority_key() -> &'static KeyPair {
    static KEY: OnceLock<KeyPair> = OnceLock::new();
    KEY.get_or_init(|| new_key(KeyType::P256))
}

fn issue(name: &str, key: KeyType, extensions: Vec<CustomExtension>) -> Identity {
    let mut params = params(name);
    params.custom_extensions = extensions;
    issue_as(params, key)
}

fn issue_as(params: CertificateParams, key: KeyType) -> Identity {
    let (root, root_params) = authority();
    let issuer = Issuer::from_params(root_params, authority_key());
    let leaf = params.signed_by(key.key(), &issuer).expect("parameters are complete");
    Identity { chain: vec![leaf.der().clone(), root.der().clone()], key: private_key(key.key()) }
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("it is a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
    params
}

fn new_key(key: KeyType) -> KeyPair {
    KeyPair::generate_for(key.algorithm()).expect("the provider makes such keys")
}

fn private_key(key: &KeyPair) -> PrivateKeyDer<'static> {
    PrivatePkcs8KeyDer::from(key.serialize_der()).into()
}
