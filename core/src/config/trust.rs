//! Root certificates and trust anchors, read from PEM.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::cert::{
    CanonicalName, Certificate, CertificateError, Examined, PemError, PublicKey, read_pem,
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
