//! Root certificates and trust anchors, read from PEM.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use rustls_pki_types::TrustAnchor;

use crate::cert::der::{tag, tlv};
use crate::cert::{
    CanonicalName, Certificate, CertificateError, Examined, KeyKind, PemError, PublicKey, read_pem,
};

/// Root certificates by subject, in the order in which they were added.
///
/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustStore(Arc<BTreeMap<CanonicalName, Vec<Arc<Examined>>>>);

impl TrustStore {
    /// Adds a certificate. One that is not self-signed vouches for nothing by itself.
    pub fn add(&mut self, certificate: Certificate) {
        let root = Examined::new(certificate);
        let same_subject = Arc::make_mut(&mut self.0).entry(root.subject().clone()).or_default();
        if !same_subject.iter().any(|known| known.certificate().der() == root.certificate().der()) {
            same_subject.push(Arc::new(root));
        }
    }

    /// Adds the certificates of a PEM text and tells how many there were. Other blocks are skipped.
    ///
    /// # Errors
    /// Nothing is added if a block is broken or no certificate is there.
    pub fn add_pem(&mut self, text: &[u8]) -> Result<usize, TrustError> {
        let certificates: Vec<_> = read_trust(text)?
            .into_iter()
            .filter_map(|anchor| match anchor {
                Anchor::Certificate(certificate) => Some(*certificate),
                Anchor::Key(_) => None,
            })
            .collect();
        if certificates.is_empty() {
            return Err(TrustError::NoCertificate);
        }
        let count = certificates.len();
        certificates.into_iter().for_each(|certificate| self.add(certificate));
        Ok(count)
    }

    /// Adds the first certificate of a file in a directory made by c_rehash, if the file's name is
    /// that of its subject.
    ///
    /// # Errors
    /// As [`add_pem`](Self::add_pem).
    pub fn add_hashed(&mut self, file_name: &str, text: &[u8]) -> Result<bool, TrustError> {
        let Some((hash, number)) = file_name.split_once('.') else { return Ok(false) };
        if number.is_empty() || !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Ok(false);
        }
        let mut fits = false;
        for anchor in read_trust(text)? {
            if let Anchor::Certificate(certificate) = anchor {
                let subject = certificate.subject().canonical();
                if format!("{:08x}", subject.hash_number()) == hash {
                    self.add(*certificate);
                    fits = true;
                }
            }
        }
        Ok(fits)
    }

    /// Adds a root that is known by name, key and constraints only, as lists of Web roots hold it.
    /// It counts as a certificate without other restrictions and without an end.
    pub fn add_anchor(&mut self, anchor: &TrustAnchor<'_>) {
        let subject = tlv(tag::SEQUENCE, &[&anchor.subject]);
        let spki = tlv(tag::SEQUENCE, &[&anchor.subject_public_key_info]);
        // Nobody verifies the signature of a root; its algorithm only has to fit the key.
        let algorithm = match PublicKey::parse(&spki).kind {
            KeyKind::Rsa { .. } | KeyKind::RsaPss { .. } => SHA256_WITH_RSA,
            KeyKind::Ed25519 => ED25519,
            KeyKind::Ec(_) | KeyKind::Ed448 | KeyKind::Dsa { .. } | KeyKind::Other(_) => {
                ECDSA_WITH_SHA256
            }
        };
        let extension = |oid: &[u8], value: &[u8]| {
            let value = tlv(tag::OCTET_STRING, &[value]);
            tlv(tag::SEQUENCE, &[&tlv(tag::OID, &[oid]), &tlv(tag::BOOLEAN, &[&[0xff]]), &value])
        };
        let is_ca = tlv(tag::SEQUENCE, &[&tlv(tag::BOOLEAN, &[&[0xff]])]);
        let mut extensions = extension(BASIC_CONSTRAINTS, &is_ca);
        if let Some(constraints) = &anchor.name_constraints {
            let constraints = tlv(tag::SEQUENCE, &[constraints]);
            extensions.extend(extension(NAME_CONSTRAINTS, &constraints));
        }
        let time = |text: &[u8]| tlv(tag::GENERALIZED_TIME, &[text]);
        let tbs = tlv(
            tag::SEQUENCE,
            &[
                &tlv(tag::constructed(0), &[&tlv(tag::INTEGER, &[&[2]])]),
                &tlv(tag::INTEGER, &[&[1]]),
                algorithm,
                &subject,
                // RFC 5280 section 4.1.2.5: a date without meaning, and no end.
                &tlv(tag::SEQUENCE, &[&time(b"19700101000000Z"), &time(b"99991231235959Z")]),
                &subject,
                &spki,
                &tlv(tag::constructed(3), &[&tlv(tag::SEQUENCE, &[&extensions])]),
            ],
        );
        let der = tlv(tag::SEQUENCE, &[&tbs, algorithm, &tlv(tag::BIT_STRING, &[&[0]])]);
        if let Ok(certificate) = Certificate::parse(der.into()) {
            self.add(certificate);
        }
    }

    /// Goes through the certificates, by subject and then in the order in which they were added.
    pub fn certificates(&self) -> impl Iterator<Item = &Certificate> {
        self.0.values().flatten().map(|root| root.certificate())
    }

    /// Tells whether nothing is trusted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Tells how many certificates there are.
    pub fn len(&self) -> usize {
        self.0.values().map(Vec::len).sum()
    }

    /// Finds the certificates of a subject.
    pub(crate) fn of(&self, subject: &CanonicalName) -> &[Arc<Examined>] {
        self.0.get(subject).map_or(&[], Vec::as_slice)
    }
}

/// The AlgorithmIdentifier of sha256WithRSAEncryption (RFC 5754 section 3.2).
const SHA256_WITH_RSA: &[u8] =
    &[0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11, 5, 0];
/// The AlgorithmIdentifier of ecdsa-with-SHA256 (RFC 5754 section 3.3).
const ECDSA_WITH_SHA256: &[u8] = &[0x30, 10, 6, 8, 0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
/// The AlgorithmIdentifier of Ed25519 (RFC 8410 section 3).
const ED25519: &[u8] = &[0x30, 5, 6, 3, 0x2b, 0x65, 0x70];
/// The identifier of the extension basicConstraints (RFC 5280 section 4.2.1.9).
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
/// The identifier of the extension nameConstraints (RFC 5280 section 4.2.1.10).
const NAME_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 30];

/// A trust anchor: what it is, it vouches for all below it, and the server's own certificate or
/// key may be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// A certificate, of whatever kind.
    Certificate(Box<Certificate>),
    /// The DER of a SubjectPublicKeyInfo.
    Key(Bytes),
}

/// Reads the trust anchors of a PEM text: certificates and public keys. Other blocks are skipped,
/// so the list may be empty.
///
/// # Errors
/// The first block that is broken, or that there is no block at all.
pub fn read_trust(text: &[u8]) -> Result<Vec<Anchor>, TrustError> {
    let mut anchors = Vec::new();
    for block in read_pem(text).map_err(TrustError::Pem)? {
        let line = block.line;
        match block.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" => {
                let certificate = Certificate::parse(block.der.into())
                    .map_err(|error| TrustError::Certificate { line, error })?;
                anchors.push(Anchor::Certificate(Box::new(certificate)));
            }
            "PUBLIC KEY" if PublicKey::parse(&block.der).is_known() => {
                anchors.push(Anchor::Key(block.der.into()));
            }
            "PUBLIC KEY" => return Err(TrustError::Key { line }),
            _ => {}
        }
    }
    Ok(anchors)
}

/// Why a file of root certificates or trust anchors cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TrustError {
    /// The text is not PEM.
    Pem(PemError),
    /// A certificate is broken.
    Certificate {
        /// The line of its block.
        line: usize,
        /// What is wrong.
        error: CertificateError,
    },
    /// A public key is broken or of an unknown kind.
    Key {
        /// The line of its block.
        line: usize,
    },
    /// There are blocks, but no certificate among them.
    NoCertificate,
}

impl fmt::Display for TrustError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pem(error) => error.fmt(f),
            Self::Certificate { line, error } => write!(f, "line {line}: {error}"),
            Self::Key { line } => write!(f, "line {line}: unusable public key"),
            Self::NoCertificate => f.write_str("no certificate"),
        }
    }
}

impl std::error::Error for TrustError {}
