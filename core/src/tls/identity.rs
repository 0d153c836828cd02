//! Who we say we are if a server asks: client keys with their certificates.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::sign::{CertifiedKey, Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};
use rustls_pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer,
    SubjectPublicKeyInfoDer,
};
use sha2::{Digest as _, Sha256};

use crate::cert::{Certificate, Curve, KeyKind, PemBlock, PemError, read_pem};
use crate::report::ClientSignature;

use super::loan;

/// Client keys of different kinds, each with its certificates, the key's own first.
///
/// Cheap to clone. Its debug form shows certificates only.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity(Arc<Vec<ClientChain>>);

/// A client key with its certificates.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct ClientChain {
    key: ClientKey,
    certificates: Vec<Bytes>,
}

/// A private key in one of its encodings.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum ClientKey {
    /// RFC 8017 appendix A.1.2.
    Pkcs1(Vec<u8>),
    /// RFC 5915 section 3.
    Sec1(Vec<u8>),
    /// RFC 5958.
    Pkcs8(Vec<u8>),
    /// Only what it once signed is known.
    Recorded(Vec<ClientSignature>),
}

impl Identity {
    /// Adds the chains of a PEM text: each is a key with its certificates behind it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong; then nothing is added.
    pub fn add_chains(&mut self, text: &[u8]) -> Result<(), IdentityError> {
        let mut chains: Vec<(usize, ClientChain)> = Vec::new();
        for (index, object) in objects(text)?.into_iter().enumerate() {
            match (object, chains.last_mut()) {
                (Object::Key(key), _) => {
                    chains.push((index, ClientChain { key, certificates: Vec::new() }));
                }
                (Object::Certificate(certificate), Some((_, chain))) => {
                    chain.certificates.push(certificate);
                }
                (Object::Certificate(_), None) => return Err(IdentityError::KeyNotFirst),
            }
        }
        self.add(chains)
    }

    /// Adds the chain of a PEM text that has one key, wherever that stands among its certificates.
    /// Returns whether other keys were passed over.
    ///
    /// # Errors
    ///
    /// As [`add_chains`](Self::add_chains).
    pub fn add_file(&mut self, text: &[u8]) -> Result<bool, IdentityError> {
        let (keys, certificates) = split(objects(text)?);
        let mut keys = keys.into_iter();
        let key = keys.next().ok_or(IdentityError::NoKey)?;
        let passed_over = keys.next().is_some();
        self.add(vec![(0, ClientChain { key, certificates })])?;
        Ok(passed_over)
    }

    /// Adds a chain whose certificates stand in one PEM text and whose key stands in another.
    ///
    /// # Errors
    ///
    /// [`IdentityError::NoCertificate`] and [`IdentityError::NoKey`] tell which text is of no use,
    /// [`IdentityError::Mismatch`] that they do not belong together.
    pub fn add_pair(&mut self, certificates: &[u8], key: &[u8]) -> Result<(), IdentityError> {
        let (_, certificates) =
            split(objects(certificates).map_err(|_| IdentityError::NoCertificate(0))?);
        let (keys, _) = split(objects(key).map_err(|_| IdentityError::NoKey)?);
        let key = keys.into_iter().next().ok_or(IdentityError::NoKey)?;
        self.add(vec![(0, ClientChain { key, certificates })])
    }

    /// Makes the identity of a recorded run: certificates, and the signatures that were made there
    /// instead of keys.
    pub(crate) fn recorded(chains: Vec<Vec<Bytes>>, signatures: &[ClientSignature]) -> Self {
        let chain = |certificates| {
            let key = ClientKey::Recorded(signatures.to_vec());
            ClientChain { key, certificates }
        };
        Self(Arc::new(chains.into_iter().map(chain).collect()))
    }

    /// Goes through the certificates of each key, the key's own first.
    pub fn chains(&self) -> impl Iterator<Item = &[Bytes]> {
        self.0.iter().map(|chain| chain.certificates.as_slice())
    }

    /// Tells whether there is nothing to show.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells the kinds of the keys.
    pub fn key_kinds(&self) -> impl Iterator<Item = KeyKind> {
        self.0.iter().filter_map(ClientChain::kind)
    }

    fn add(&mut self, chains: Vec<(usize, ClientChain)>) -> Result<(), IdentityError> {
        let mut all: Vec<ClientChain> = self.0.to_vec();
        for (index, chain) in chains {
            let leaf = chain.certificates.first().ok_or(IdentityError::NoCertificate(index))?;
            let leaf = Certificate::parse(leaf.clone())
                .map_err(|_| IdentityError::NoCertificate(index))?;
            let key = chain.load().ok_or(IdentityError::UnsupportedKey(index))?;
            let public = key.public_key().ok_or(IdentityError::UnsupportedKey(index))?;
            if !is_same_key(&public, leaf.spki()) {
                return Err(IdentityError::Mismatch(index));
            }
            let algorithm = key.algorithm();
            let same_kind = |other: &ClientChain| {
                other.load().is_some_and(|other| other.algorithm() == algorithm)
            };
            if all.iter().any(same_kind) {
                return Err(IdentityError::SameKind(index));
            }
            all.push(chain);
        }
        self.0 = Arc::new(all);
        Ok(())
    }

    /// Makes the keys ready to sign.
    pub(super) fn ready(&self) -> ReadyIdentity {
        ReadyIdentity(self.0.iter().filter_map(ClientChain::ready).collect())
    }
}

/// Shows the certificates, by size: a key is nobody's business.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let chains = self
            .0
            .iter()
            .map(|chain| chain.certificates.iter().map(Bytes::len).collect::<Vec<_>>());
        f.write_str("Identity")?;
        f.debug_list().entries(chains).finish()
    }
}

impl ClientChain {
    fn kind(&self) -> Option<KeyKind> {
        let leaf = Certificate::parse(self.certificates.first()?.clone()).ok()?;
        Some(leaf.public_key().kind)
    }

    fn ready(&self) -> Option<Arc<CertifiedKey>> {
        let certificates =
            self.certificates.iter().map(|der| CertificateDer::from(der.to_vec())).collect();
        Some(Arc::new(CertifiedKey::new(certificates, Arc::new(NotedKey(self.load()?)))))
    }

    fn load(&self) -> Option<Arc<dyn SigningKey>> {
        let der = match &self.key {
            ClientKey::Pkcs1(der) => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(der.as_slice())),
            ClientKey::Sec1(der) => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(der.as_slice())),
            ClientKey::Pkcs8(der) => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(der.as_slice())),
            ClientKey::Recorded(signatures) => {
                return Some(Arc::new(RecordedKey::new(self.kind()?, signatures)?));
            }
        };
        any_supported_type(&der).ok()
    }
}

/// What a PEM text for an identity holds.
enum Object {
    Key(ClientKey),
    Certificate(Bytes),
}

/// Reads a PEM text; blocks that are neither keys nor certificates are passed over.
fn objects(text: &[u8]) -> Result<Vec<Object>, IdentityError> {
    let mut objects = Vec::new();
    for block in read_pem(text).map_err(IdentityError::Pem)? {
        let PemBlock { label, line, der, encrypted } = block;
        if encrypted {
            return Err(IdentityError::Encrypted { line });
        }
        objects.push(match label.as_str() {
            "PRIVATE KEY" => Object::Key(ClientKey::Pkcs8(der)),
            "RSA PRIVATE KEY" => Object::Key(ClientKey::Pkcs1(der)),
            "EC PRIVATE KEY" => Object::Key(ClientKey::Sec1(der)),
            "CERTIFICATE" | "X509 CERTIFICATE" => Object::Certificate(der.into()),
            _ => continue,
        });
    }
    if objects.is_empty() { Err(IdentityError::Pem(PemError::NoBlock)) } else { Ok(objects) }
}

fn split(objects: Vec<Object>) -> (Vec<ClientKey>, Vec<Bytes>) {
    let (mut keys, mut certificates) = (Vec::new(), Vec::new());
    for object in objects {
        match object {
            Object::Key(key) => keys.push(key),
            Object::Certificate(certificate) => certificates.push(certificate),
        }
    }
    (keys, certificates)
}

/// Compares the keys themselves: parameters of equal meaning have several encodings.
fn is_same_key(one: &SubjectPublicKeyInfoDer<'_>, other: &[u8]) -> bool {
    let bits = |spki: &[u8]| crate::cert::PublicKey::parse(spki).bits.to_vec();
    let (one, other) = (bits(one), bits(other));
    !one.is_empty() && one == other
}

/// Why a text gives no identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IdentityError {
    /// The text is not PEM, or has neither keys nor certificates.
    Pem(PemError),
    /// There is no key.
    NoKey,
    /// A certificate stands before the first key.
    KeyNotFirst,
    /// The key at this place has no certificate, or one that cannot be read.
    NoCertificate(usize),
    /// The key at this place is not that of the certificate behind it.
    Mismatch(usize),
    /// The key at this place is not one that can sign here.
    UnsupportedKey(usize),
    /// The key at this place is of the same kind as an earlier one.
    SameKind(usize),
    /// A key is protected by a password.
    Encrypted {
        /// The line of its beginning.
        line: usize,
    },
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => error.fmt(f),
            Self::NoKey => f.write_str("no private key"),
            Self::KeyNotFirst => f.write_str("key not first"),
            Self::NoCertificate(index) => write!(f, "no certificate for the key at index {index}"),
            Self::Mismatch(index) => {
                write!(f, "key at index {index} does not match its certificate")
            }
            Self::UnsupportedKey(index) => write!(f, "unsupported key at index {index}"),
            Self::SameKind(index) => write!(f, "second key of its kind at index {index}"),
            Self::Encrypted { line } => write!(f, "line {line}: encrypted key"),
        }
    }
}

impl std::error::Error for IdentityError {}

/// An identity whose keys can sign.
#[derive(Clone, Debug, Default)]
pub(super) struct ReadyIdentity(Arc<[Arc<CertifiedKey>]>);

impl ReadyIdentity {
    /// Chooses the key for the first of the server's schemes that any key can do.
    pub(super) fn choose(&self, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        schemes.iter().find_map(|scheme| {
            self.0.iter().find(|key| key.key.choose_scheme(&[*scheme]).is_some()).cloned()
        })
    }
}

/// A key that notes which scheme it signs with: the first of the server's that it can do.
#[derive(Debug)]
struct NotedKey(Arc<dyn SigningKey>);

impl SigningKey for NotedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let signer = offered.iter().find_map(|scheme| self.0.choose_scheme(&[*scheme]))?;
        let scheme = crate::report::SignatureScheme(signer.scheme().into());
        loan::borrow(|loan| loan.record.client_signature = Some(scheme));
        Some(Box::new(NotedSigner(signer)))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        self.0.public_key()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }
}

/// A signer that tells what it signed.
#[derive(Debug)]
struct NotedSigner(Box<dyn Signer>);

impl Signer for NotedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let signature = self.0.sign(message)?;
        let signed = ClientSignature {
            scheme: crate::report::SignatureScheme(self.scheme().into()),
            message: Sha256::digest(message).into(),
            signature: Bytes::copy_from_slice(&signature),
        };
        loan::borrow(|loan| loan.record.untold().signed.push(signed));
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.0.scheme()
    }
}

/// A key that nobody has: it repeats what it once signed.
#[derive(Debug)]
struct RecordedKey {
    algorithm: SignatureAlgorithm,
    schemes: &'static [SignatureScheme],
    signatures: Arc<[ClientSignature]>,
}

impl RecordedKey {
    fn new(kind: KeyKind, signatures: &[ClientSignature]) -> Option<Self> {
        use SignatureScheme as Scheme;
        // What the library signs with for each kind of key.
        let (algorithm, schemes): (_, &[Scheme]) = match kind {
            KeyKind::Rsa { .. } => (
                SignatureAlgorithm::RSA,
                &[
                    Scheme::RSA_PSS_SHA512,
                    Scheme::RSA_PSS_SHA384,
                    Scheme::RSA_PSS_SHA256,
                    Scheme::RSA_PKCS1_SHA512,
                    Scheme::RSA_PKCS1_SHA384,
                    Scheme::RSA_PKCS1_SHA256,
                ],
            ),
            KeyKind::Ec(Curve::P256) => {
                (SignatureAlgorithm::ECDSA, &[Scheme::ECDSA_NISTP256_SHA256])
            }
            KeyKind::Ec(Curve::P384) => {
                (SignatureAlgorithm::ECDSA, &[Scheme::ECDSA_NISTP384_SHA384])
            }
            KeyKind::Ec(Curve::P521) => {
                (SignatureAlgorithm::ECDSA, &[Scheme::ECDSA_NISTP521_SHA512])
            }
            KeyKind::Ed25519 => (SignatureAlgorithm::ED25519, &[Scheme::ED25519]),
            KeyKind::Ec(_)
            | KeyKind::RsaPss { .. }
            | KeyKind::Ed448
            | KeyKind::Dsa { .. }
            | KeyKind::Other(_) => return None,
        };
        Some(Self { algorithm, schemes, signatures: signatures.into() })
    }
}

impl SigningKey for RecordedKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = *self.schemes.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(RecordedSigner { scheme, signatures: self.signatures.clone() }))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }
}

/// Finds what was signed among the signatures of a recorded run.
#[derive(Debug)]
struct RecordedSigner {
    scheme: SignatureScheme,
    signatures: Arc<[ClientSignature]>,
}

impl Signer for RecordedSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let message: [u8; 32] = Sha256::digest(message).into();
        let scheme = u16::from(self.scheme);
        let same = |it: &&ClientSignature| it.scheme.0 == scheme && it.message == message;
        match self.signatures.iter().find(same) {
            Some(known) => Ok(known.signature.to_vec()),
            None => Err(Error::General("nothing like this was signed in the recording".into())),
        }
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key and its certificate.
    type Pair = (&'static [u8], &'static [u8]);

    const RSA: Pair = (include_bytes!("testdata/rsa.key"), include_bytes!("testdata/rsa.crt"));
    const EC: Pair = (include_bytes!("testdata/ec.key"), include_bytes!("testdata/ec.crt"));
    const ED: Pair = (include_bytes!("testdata/ed.key"), include_bytes!("testdata/ed.crt"));
    const RSA_PKCS1: &[u8] = include_bytes!("testdata/rsa1.key");
    /// Begins with a block of parameters.
    const EC_SEC1: &[u8] = include_bytes!("testdata/ec1.key");
    const LOCKED: &[u8] = include_bytes!("testdata/locked.key");

    fn chains(parts: &[&[u8]]) -> Result<Identity, IdentityError> {
        let mut identity = Identity::default();
        identity.add_chains(&parts.concat()).map(|()| identity)
    }

    #[test]
    fn every_encoding_of_a_key_is_read() {
        let p256 = KeyKind::Ec(crate::cert::Curve::P256);
        let table: &[(&[u8], Pair, KeyKind)] = &[
            (RSA.0, RSA, KeyKind::Rsa { bits: 2048 }),
            (RSA_PKCS1, RSA, KeyKind::Rsa { bits: 2048 }),
            (EC.0, EC, p256.clone()),
            (EC_SEC1, EC, p256),
            (ED.0, ED, KeyKind::Ed25519),
        ];
        for (key, (_, certificate), kind) in table {
            let identity = chains(&[key, certificate]).unwrap();
            assert_eq!(identity.key_kinds().collect::<Vec<_>>(), std::slice::from_ref(kind));
            assert_eq!(identity.ready().0.len(), 1);
        }
    }

    #[test]
    fn chains_are_keys_with_certificates_behind_them() {
        use IdentityError::{KeyNotFirst, Mismatch, NoCertificate, SameKind};
        let both = chains(&[RSA.0, RSA.1, ED.1, EC.0, EC.1]).unwrap();
        assert_eq!(format!("{both:?}").matches(',').count(), 2);
        assert_eq!(both.key_kinds().count(), 2);
        let table: &[(&[&[u8]], IdentityError)] = &[
            (&[RSA.1, RSA.0], KeyNotFirst),
            (&[RSA.0], NoCertificate(0)),
            (&[RSA.0, EC.0, EC.1], NoCertificate(0)),
            (&[EC.0, EC.1, RSA.0], NoCertificate(2)),
            (&[EC.0, RSA.1], Mismatch(0)),
            (&[EC.0, EC.1, RSA.0, EC.1], Mismatch(2)),
            (&[EC.0, EC.1, EC_SEC1, EC.1], SameKind(2)),
            (&[b"nothing"], IdentityError::Pem(PemError::NoBlock)),
            (&[LOCKED, EC.1], IdentityError::Encrypted { line: 1 }),
        ];
        for (parts, error) in table {
            assert_eq!(chains(parts).as_ref(), Err(error));
        }
        let garbage = b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        assert_eq!(chains(&[garbage, EC.1]), Err(IdentityError::UnsupportedKey(0)));
    }

    #[test]
    fn what_failed_leaves_the_identity_as_it_was() {
        let mut identity = chains(&[EC.0, EC.1]).unwrap();
        let before = identity.clone();
        assert!(identity.add_chains(&[RSA.0, RSA.1, ED.0].concat()).is_err());
        assert_eq!(identity, before);
        identity.add_chains(&[ED.0, ED.1].concat()).unwrap();
        assert_eq!(identity.key_kinds().count(), 2);
    }

    #[test]
    fn files_with_one_key_and_pairs_of_files() {
        let mut identity = Identity::default();
        assert_eq!(identity.add_file(&[EC.1, RSA.1, EC.0].concat()), Ok(false));
        assert_eq!(identity.add_file(&[RSA.0, EC.0, RSA.1].concat()), Ok(true));
        assert_eq!(identity.add_file(ED.1), Err(IdentityError::NoKey));
        assert_eq!(identity.add_pair(ED.1, ED.0), Ok(()));
        let mut pair = Identity::default();
        assert_eq!(pair.add_pair(EC.1, RSA.0), Err(IdentityError::Mismatch(0)));
        assert_eq!(pair.add_pair(EC.0, EC.0), Err(IdentityError::NoCertificate(0)));
        assert_eq!(pair.add_pair(b"", EC.0), Err(IdentityError::NoCertificate(0)));
        assert_eq!(pair.add_pair(EC.1, EC.1), Err(IdentityError::NoKey));
        assert!(pair.is_empty());
    }

    #[test]
    fn the_server_chooses_by_the_order_of_its_schemes() {
        let ready = chains(&[RSA.0, RSA.1, EC.0, EC.1, ED.0, ED.1]).unwrap().ready();
        let chosen = |schemes: &[SignatureScheme]| {
            ready.choose(schemes).map(|certified| certified.key.algorithm())
        };
        let (rsa, ec, ed, nobody) = (
            SignatureScheme::RSA_PSS_SHA384,
            SignatureScheme::ECDSA_NISTP256_SHA256,
            SignatureScheme::ED25519,
            SignatureScheme::ECDSA_NISTP384_SHA384,
        );
        assert_eq!(chosen(&[nobody, ed, rsa]), Some(SignatureAlgorithm::ED25519));
        assert_eq!(chosen(&[rsa, ec]), Some(SignatureAlgorithm::RSA));
        assert_eq!(chosen(&[ec, rsa]), Some(SignatureAlgorithm::ECDSA));
        assert!(chosen(&[nobody]).is_none() && chosen(&[]).is_none());
        let key = ready.choose(&[rsa]).unwrap();
        let signer = key.key.choose_scheme(&[SignatureScheme::RSA_PSS_SHA256, rsa]).unwrap();
        assert_eq!(signer.scheme(), SignatureScheme::RSA_PSS_SHA256);
    }

    #[test]
    fn debug_form_tells_no_key() {
        let identity = chains(&[EC.0, EC.1]).unwrap();
        assert!(format!("{identity:?}").len() < 20);
    }
}
