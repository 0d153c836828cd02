//! What is known of certificates from before: those that were decoded, and signatures that were
//! verified.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;

use crate::cert::{Certificate, Examined, SignatureError};
use crate::limits;

/// Remembers certificates that were decoded, and which key signed which, because many servers share
/// few intermediates, and the hosts and addresses of one provider a certificate.
///
/// Only right signatures are remembered, by the digest of key and certificate.
#[derive(Clone, Debug, Default)]
pub struct LinkCache {
    known: BTreeSet<[u8; 32]>,
    order: VecDeque<[u8; 32]>,
    /// By the last octets, which belong to a signature: hardly two certificates have the same.
    decoded: BTreeMap<u64, Arc<Examined>>,
    decoded_order: VecDeque<u64>,
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

    /// Decodes a certificate that others may have sent too; `None` if it cannot be read.
    pub(super) fn examine(&mut self, der: &Bytes) -> Option<Arc<Examined>> {
        let end = der.last_chunk().map_or(0, |end| u64::from_be_bytes(*end));
        if let Some(known) = self.decoded.get(&end)
            && known.certificate().der() == der
        {
            return Some(Arc::clone(known));
        }
        let is_kept = der.len() <= limits::CERTIFICATE;
        // What is kept must not keep the rest of what a peer sent with it.
        let der = if is_kept { Bytes::copy_from_slice(der) } else { der.clone() };
        let examined = Arc::new(Examined::new(Certificate::parse(der.clone()).ok()?));
        if is_kept {
            if self.decoded.insert(end, Arc::clone(&examined)).is_none() {
                self.decoded_order.push_back(end);
            }
            if self.decoded_order.len() > limits::CERTIFICATES
                && let Some(oldest) = self.decoded_order.pop_front()
            {
                self.decoded.remove(&oldest);
            }
        }
        Some(examined)
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

#[cfg(test)]
mod tests {
    use super::*;

    fn certificate(name: &str) -> Vec<u8> {
        let key = rcgen::KeyPair::generate().unwrap();
        let parameters = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        parameters.self_signed(&key).unwrap().der().to_vec()
    }

    #[test]
    fn certificates_are_decoded_once_and_keep_nothing_else() {
        let mut links = LinkCache::default();
        let flight = Bytes::from([certificate("ca.test"), vec![0; 100_000]].concat());
        let der = flight.slice(..flight.len() - 100_000);
        let first = links.examine(&der).unwrap();
        assert!(Arc::ptr_eq(&first, &links.examine(&der).unwrap()));
        drop(der);
        assert!(flight.is_unique(), "the flight can be forgotten");
    }

    #[test]
    fn decoded_certificates_are_bounded() {
        let mut links = LinkCache::default();
        let der = certificate("ca.test");
        for number in 0..=limits::CERTIFICATES {
            // What stands behind a certificate makes it another one.
            let der = [&der[..], &(number as u64).to_be_bytes()].concat();
            links.examine(&der.into()).unwrap();
        }
        let long = [&der[..], &[0; limits::CERTIFICATE]].concat();
        links.examine(&long.into()).unwrap();
        assert_eq!(
            (links.decoded.len(), links.decoded_order.len()),
            (limits::CERTIFICATES, limits::CERTIFICATES)
        );
        assert!(!links.decoded.contains_key(&0), "the first one went");
        // Another with the same end takes its place.
        let other = [&certificate("ca.test")[..], &1_u64.to_be_bytes()].concat().into();
        assert_eq!(links.examine(&other).unwrap().certificate().der(), &other);
        assert_eq!(links.decoded.len(), links.decoded_order.len());
    }
}
