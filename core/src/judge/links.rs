//! Signatures that were verified before, and how many more may be.

use std::collections::{BTreeSet, VecDeque};

use aws_lc_rs::digest::{Context, SHA256};

use crate::cert::{Certificate, SignatureError};
use crate::limits;

/// Remembers which key signed which certificate, because many servers share few intermediates.
///
/// Only right signatures are remembered, by the digest of key and certificate.
#[derive(Clone, Debug, Default)]
pub struct LinkCache {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
}

impl LinkCache {
    /// Tells how many links are remembered.
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Tells whether no link is remembered.
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    fn remember(&mut self, link: [u8; 32]) {
        if self.known.insert(link) {
            self.order.push_back(link);
        }
        if self.order.len() > limits::LINKS
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
    }
}

/// Verifies the signatures of one verdict.
#[derive(Debug)]
pub(super) struct Signatures<'a> {
    cache: &'a mut LinkCache,
    left: usize,
}

impl<'a> Signatures<'a> {
    pub(super) const fn new(cache: &'a mut LinkCache) -> Self {
        Self { cache, left: limits::SIGNATURES }
    }

    /// Tells whether the key of `spki` signed the certificate; `None` if no more signatures may be
    /// verified.
    pub(super) fn verify(
        &mut self,
        spki: &[u8],
        certificate: &Certificate,
    ) -> Option<Result<(), SignatureError>> {
        let mut digest = Context::new(&SHA256);
        digest.update(&(spki.len() as u64).to_be_bytes());
        digest.update(spki);
        digest.update(certificate.der());
        let link = <[u8; 32]>::try_from(digest.finish().as_ref()).ok()?;
        if self.cache.known.contains(&link) {
            return Some(Ok(()));
        }
        self.left = self.left.checked_sub(1)?;
        // The two places must agree (RFC 5280 section 4.1.1.2).
        if !certificate.algorithms_agree() {
            return Some(Err(SignatureError::BadSignature));
        }
        let algorithm = certificate.signature_algorithm();
        let result = algorithm.verify(spki, certificate.tbs(), certificate.signature());
        if result.is_ok() {
            self.cache.remember(link);
        }
        Some(result)
    }
}
