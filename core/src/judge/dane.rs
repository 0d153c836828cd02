//! TLSA records: which can be used, and which certificate or key they match.

use std::sync::Arc;

use bytes::Bytes;

use crate::cert::{Certificate, Digest, Examined, Oddity, PublicKey};
use crate::resolve::Tlsa;

/// Usable records in the order in which they are tried, and the unusable ones.
#[derive(Debug, Default)]
pub(super) struct Records {
    usable: Vec<Record>,
    /// The last one first.
    pub(super) unusable: Vec<Tlsa>,
}

/// A usable record.
#[derive(Debug)]
struct Record {
    tlsa: Tlsa,
    /// How to digest what is compared; `None` compares the data itself.
    digest: Option<Digest>,
    /// The strength of the digest among those allowed; 0 for the data itself.
    rank: usize,
    /// The certificate of `2 0 0`, which can complete a chain.
    certificate: Option<Arc<Examined>>,
}

impl Records {
    /// Sorts records out. `digest` knows the matching types and how strong each is.
    pub(super) fn new(
        records: impl IntoIterator<Item = Tlsa>,
        digest: impl Fn(u8) -> Option<(Digest, usize)>,
    ) -> Self {
        let mut this = Self::default();
        for tlsa in records {
            match Record::new(&tlsa, &digest) {
                Some(record) => this.usable.push(record),
                None => this.unusable.push(tlsa),
            }
        }
        // The reference tells them so.
        this.unusable.reverse();
        // Usage DANE-EE before DANE-TA, keys before certificates, strong digests before weak ones.
        this.usable.sort_by_key(|record| {
            std::cmp::Reverse((record.tlsa.usage, record.tlsa.selector, record.rank))
        });
        this
    }

    /// Tells whether nothing can match.
    pub(super) fn is_empty(&self) -> bool {
        self.usable.is_empty()
    }

    /// Tells whether a trust anchor is among them.
    pub(super) fn has_anchor(&self) -> bool {
        self.usable.iter().any(|record| record.tlsa.usage == Tlsa::DANE_TA)
    }

    /// Tells the certificates that can complete a chain.
    pub(super) fn certificates(&self) -> impl Iterator<Item = &Arc<Examined>> {
        self.usable.iter().filter_map(|record| record.certificate.as_ref())
    }

    /// Tells the bare keys that are trust anchors.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Tlsa> {
        self.usable.iter().map(|record| &record.tlsa).filter(|tlsa| {
            (tlsa.usage, tlsa.selector, tlsa.matching) == (Tlsa::DANE_TA, Tlsa::SPKI, Tlsa::FULL)
        })
    }

    /// Finds the record that matches the certificate: the server's own, or one above it.
    pub(super) fn find(&self, certificate: &Certificate, is_server: bool) -> Option<&Tlsa> {
        let usage = if is_server { Tlsa::DANE_EE } else { Tlsa::DANE_TA };
        self.find_data(usage, Tlsa::SPKI, certificate.spki())
            .or_else(|| self.find_data(usage, Tlsa::CERT, certificate.der()))
    }

    /// Finds the record that matches the server's raw public key (RFC 7671 section 5.1).
    pub(super) fn find_raw_key(&self, spki: &[u8]) -> Option<&Tlsa> {
        self.find_data(Tlsa::DANE_EE, Tlsa::SPKI, spki)
    }

    fn find_data(&self, usage: u8, selector: u8, data: &[u8]) -> Option<&Tlsa> {
        let mut strongest = None;
        let mut digested: Option<(Digest, Vec<u8>)> = None;
        for record in &self.usable {
            if (record.tlsa.usage, record.tlsa.selector) != (usage, selector) {
                continue;
            }
            let Some(digest) = record.digest else {
                if record.tlsa.data == data {
                    return Some(&record.tlsa);
                }
                continue;
            };
            // Digest agility: weaker digests than the strongest one here do not count (RFC 7671
            // section 9).
            if *strongest.get_or_insert(record.rank) > record.rank {
                continue;
            }
            let (_, value) = match &digested {
                Some(known) if known.0 == digest => known,
                _ => digested.insert((digest, digest.of(&[data]))),
            };
            if record.tlsa.data == *value {
                return Some(&record.tlsa);
            }
        }
        None
    }
}

impl Record {
    fn new(tlsa: &Tlsa, digest: impl Fn(u8) -> Option<(Digest, usize)>) -> Option<Self> {
        let known_usage = matches!(tlsa.usage, Tlsa::DANE_TA | Tlsa::DANE_EE);
        if !known_usage || tlsa.data.is_empty() {
            return None;
        }
        let mut this = Self { tlsa: tlsa.clone(), digest: None, rank: 0, certificate: None };
        match (tlsa.matching, tlsa.selector) {
            (Tlsa::FULL, Tlsa::CERT) => {
                let certificate = exact_certificate(&tlsa.data)?;
                if tlsa.usage == Tlsa::DANE_TA {
                    this.certificate = Some(Arc::new(Examined::new(certificate)));
                }
            }
            (Tlsa::FULL, Tlsa::SPKI) => exact_key(&tlsa.data)?,
            (matching, Tlsa::CERT | Tlsa::SPKI) => {
                let (digest, rank) = digest(matching)?;
                if tlsa.data.len() != digest.octets() {
                    return None;
                }
                (this.digest, this.rank) = (Some(digest), rank);
            }
            _ => return None,
        }
        Some(this)
    }
}

/// Takes a certificate with nothing behind it and with a key of a known kind.
fn exact_certificate(data: &Bytes) -> Option<Certificate> {
    let certificate = Certificate::parse(data.clone()).ok()?;
    exact_key(certificate.spki())?;
    (!certificate.oddities().contains(&Oddity::TrailingData)).then_some(certificate)
}

fn exact_key(spki: &[u8]) -> Option<()> {
    (PublicKey::parse(spki).is_known() && PublicKey::is_exact(spki)).then_some(())
}
