//! Zone keys, what names them, and what they signed (RFC 4034 sections 2 and 5, RFC 4035 5.3).

use aws_lc_rs::digest;
use aws_lc_rs::signature::{self as lc, RsaPublicKeyComponents, UnparsedPublicKey};
use bytes::Bytes;
use domain::base::ToName;

use super::proof::Flaw;
use super::records::{RrSet, Rrsig};
use crate::limits;
use crate::resolve::name::Name;

/// A DNSKEY record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Key {
    flags: u16,
    protocol: u8,
    pub(crate) algorithm: u8,
    pub(crate) tag: u16,
    data: Bytes,
}

/// A DS record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ds {
    pub(crate) tag: u16,
    pub(crate) algorithm: u8,
    pub(crate) digest_type: u8,
    data: Bytes,
}

/// Which signature made an RRset good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Signed {
    pub(crate) tag: u16,
    pub(crate) algorithm: u8,
    pub(crate) inception: u32,
    pub(crate) expiration: u32,
    /// Labels of the owner that stand in the zone; fewer than the owner has if it comes from a
    /// wildcard.
    pub(crate) labels: u8,
    pub(crate) wildcard: bool,
}

/// The work that one answer may cost (KeyTrap, CVE-2023-50387; CVE-2023-50868).
#[derive(Clone, Debug)]
pub(crate) struct Budget {
    signatures: usize,
    digests: usize,
    hashes: usize,
}

impl Default for Budget {
    fn default() -> Self {
        Self {
            signatures: limits::DNSSEC_SIGNATURES,
            digests: limits::DNSSEC_DIGESTS,
            hashes: limits::NSEC3_HASHES,
        }
    }
}

impl Budget {
    fn signature(&mut self) -> Result<(), Flaw> {
        take(&mut self.signatures)
    }

    fn digest(&mut self) -> Result<(), Flaw> {
        take(&mut self.digests)
    }

    pub(super) fn hash(&mut self) -> Result<(), Flaw> {
        take(&mut self.hashes)
    }
}

fn take(left: &mut usize) -> Result<(), Flaw> {
    *left = left.checked_sub(1).ok_or(Flaw::TooMuchWork)?;
    Ok(())
}

/// Tells whether signatures of an algorithm are verified. RFC 9905 section 2 wants operators to
/// take 5 and 7 (with SHA-1) as unknown; 16 (Ed448) has no implementation here.
pub(crate) fn is_known_algorithm(algorithm: u8) -> bool {
    matches!(algorithm, 8 | 10 | 13 | 14 | 15)
}

/// Tells whether a digest of a DS record is verified. RFC 9905 section 2 also gives up SHA-1.
pub(crate) fn is_known_digest(digest_type: u8) -> bool {
    matches!(digest_type, 2 | 4)
}

impl Key {
    /// Reads record data.
    pub(crate) fn parse(data: &Bytes) -> Option<Self> {
        let [f0, f1, protocol, algorithm] = *data.first_chunk()?;
        let flags = u16::from_be_bytes([f0, f1]);
        Some(Self { flags, protocol, algorithm, tag: key_tag(data), data: data.clone() })
    }

    /// The record data.
    pub(super) fn data(&self) -> &Bytes {
        &self.data
    }

    /// Tells whether it may sign a zone's data: RFC 4034 section 2.1, and RFC 5011 section 2.1 for
    /// the flag that revokes it.
    pub(crate) fn signs_zones(&self) -> bool {
        self.flags & 0x0100 != 0 && self.flags & 0x0080 == 0 && self.protocol == 3
    }

    /// Tells whether a DS record of `zone` names this key.
    pub(crate) fn matches(&self, zone: &Name, ds: &Ds, budget: &mut Budget) -> Result<bool, Flaw> {
        if self.tag != ds.tag || self.algorithm != ds.algorithm || !self.signs_zones() {
            return Ok(false);
        }
        budget.digest()?;
        Ok(ds_digest(zone, &self.data, ds.digest_type).is_some_and(|found| found == ds.digest()))
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let Some(key) = self.data.get(4..) else { return false };
        let point = || [&[4], key].concat();
        match self.algorithm {
            8 | 10 => {
                let parameters = match self.algorithm {
                    8 => &lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                    _ => &lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
                };
                let Some((e, n)) = rsa_parts(key) else { return false };
                RsaPublicKeyComponents { n, e }.verify(parameters, message, signature).is_ok()
            }
            13 => UnparsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, point())
                .verify(message, signature)
                .is_ok(),
            14 => UnparsedPublicKey::new(&lc::ECDSA_P384_SHA384_FIXED, point())
                .verify(message, signature)
                .is_ok(),
            15 => UnparsedPublicKey::new(&lc::ED25519, key).verify(message, signature).is_ok(),
            _ => false,
        }
    }
}

impl Ds {
    /// Reads record data.
    pub(crate) fn parse(data: &Bytes) -> Option<Self> {
        let [t0, t1, algorithm, digest_type] = *data.first_chunk()?;
        let tag = u16::from_be_bytes([t0, t1]);
        Some(Self { tag, algorithm, digest_type, data: data.clone() })
    }

    /// The record data.
    pub(super) fn data(&self) -> &Bytes {
        &self.data
    }

    fn digest(&self) -> &[u8] {
        self.data.get(4..).unwrap_or_default()
    }

    /// Tells whether it can be followed.
    pub(crate) fn is_known(&self) -> bool {
        is_known_algorithm(self.algorithm) && is_known_digest(self.digest_type)
    }
}

/// Computes the key tag of DNSKEY record data (RFC 4034 appendix B).
fn key_tag(data: &[u8]) -> u16 {
    // At most 64 KiB of record data, so the sum fits.
    let sum = data.iter().enumerate().fold(0_u32, |sum, (at, octet)| {
        sum + if at % 2 == 0 { u32::from(*octet) << 8 } else { u32::from(*octet) }
    });
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap_or(0)
}

/// Computes the digest of a key for a DS record (RFC 4034 section 5.1.4).
fn ds_digest(zone: &Name, key: &[u8], digest_type: u8) -> Option<Vec<u8>> {
    let algorithm = match digest_type {
        2 => &digest::SHA256,
        4 => &digest::SHA384,
        _ => return None,
    };
    let mut context = digest::Context::new(algorithm);
    let owner: Name = zone.to_canonical_name();
    context.update(owner.as_slice());
    context.update(key);
    Some(context.finish().as_ref().to_vec())
}

/// Splits an RSA key into exponent and modulus (RFC 3110 section 2).
fn rsa_parts(key: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *key {
        [0, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        [length, ref rest @ ..] => (usize::from(length), rest),
        [] => return None,
    };
    let (e, n) = rest.split_at_checked(length)?;
    // aws-lc refuses numbers with leading zeros, which RFC 3110 forbids too.
    Some((e, n))
}

/// Verifies an RRset of `zone` by the zone's keys: one good signature is enough.
pub(crate) fn verify(
    set: &RrSet,
    zone: &Name,
    keys: &[Key],
    now: u32,
    budget: &mut Budget,
) -> Result<Signed, Flaw> {
    let mut flaw = Flaw::NoSignature;
    let mut note = |new: Flaw| {
        if new.weight() >= flaw.weight() {
            flaw = new;
        }
    };
    let owner_labels = set.owner.rrsig_label_count();
    for signature in &set.signatures {
        if signature.signer != *zone || signature.labels > owner_labels {
            continue;
        }
        let (tag, algorithm) = (signature.key_tag, signature.algorithm);
        if !is_known_algorithm(algorithm) {
            continue;
        }
        let fits = |key: &&Key| key.tag == tag && key.algorithm == algorithm && key.signs_zones();
        let mut found = false;
        for key in keys.iter().filter(fits).take(limits::SAME_TAG) {
            found = true;
            budget.signature()?;
            if !key.verify(&signed_data(set, signature), &signature.signature) {
                note(Flaw::BadSignature { tag, algorithm });
                continue;
            }
            // RFC 4035 section 5.3.1 with the arithmetic of RFC 4034 section 3.1.5.
            if serial_less(now, signature.inception) {
                note(Flaw::NotYetValid { tag, inception: signature.inception });
            } else if serial_less(signature.expiration, now) {
                note(Flaw::Expired { tag, expiration: signature.expiration });
            } else {
                return Ok(Signed {
                    tag,
                    algorithm,
                    inception: signature.inception,
                    expiration: signature.expiration,
                    labels: signature.labels,
                    wildcard: signature.labels < owner_labels,
                });
            }
        }
        if !found {
            note(Flaw::NoKey { tag, algorithm });
        }
    }
    Err(flaw)
}

/// Puts together what a signature is over (RFC 4034 section 3.1.8.1).
fn signed_data(set: &RrSet, signature: &Rrsig) -> Vec<u8> {
    let owner: Name = set.owner.to_canonical_name();
    let mut name = Vec::with_capacity(owner.len());
    let kept = usize::from(signature.labels);
    if signature.labels < set.owner.rrsig_label_count() {
        // RFC 4035 section 5.3.2: the wildcard that it was made from.
        name.extend_from_slice(b"\x01*");
        let skipped = owner.label_count().saturating_sub(kept + 1);
        if let Some(rest) = owner.iter_suffixes().nth(skipped) {
            name.extend_from_slice(rest.as_slice());
        }
    } else {
        name.extend_from_slice(owner.as_slice());
    }
    let mut message = signature.head.to_vec();
    for data in &set.data {
        message.extend_from_slice(&name);
        message.extend_from_slice(&set.record.0.to_be_bytes());
        message.extend_from_slice(&1_u16.to_be_bytes());
        message.extend_from_slice(&signature.original_ttl.to_be_bytes());
        message.extend_from_slice(&u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes());
        message.extend_from_slice(data);
    }
    message
}

/// Compares serial numbers (RFC 1982).
fn serial_less(one: u32, other: u32) -> bool {
    one != other && other.wrapping_sub(one) < 1 << 31
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::RecordType;
    use crate::resolve::name::from_text;

    /// KeyTrap (CVE-2023-50387): many keys with one tag, many signatures that name it.
    #[test]
    fn colliding_keys_take_bounded_work() {
        let zone = from_text("test").unwrap();
        let mut data = vec![1, 0, 3, 13];
        data.extend([9; 64]);
        let key = Key::parse(&data.into()).unwrap();
        let signature = Rrsig {
            covered: RecordType::A,
            algorithm: 13,
            labels: 1,
            original_ttl: 60,
            expiration: 2,
            inception: 0,
            key_tag: key.tag,
            signer: zone.clone(),
            head: Bytes::new(),
            signature: Bytes::from_static(&[1; 64]),
        };
        let set = RrSet {
            owner: zone.clone(),
            record: RecordType::A,
            ttl: 60,
            data: vec![Bytes::from_static(&[192, 0, 2, 1])],
            signatures: vec![signature.clone(); limits::RRSIGS],
        };
        let keys = vec![key.clone(); 600];
        let mut budget = Budget::default();
        let flaw = Flaw::BadSignature { tag: key.tag, algorithm: 13 };
        assert_eq!(verify(&set, &zone, &keys, 1, &mut budget), Err(flaw));
        assert_eq!(
            budget.signatures,
            limits::DNSSEC_SIGNATURES - limits::RRSIGS * limits::SAME_TAG
        );
        assert_eq!(verify(&set, &zone, &keys, 1, &mut budget), Err(Flaw::TooMuchWork));
    }

    #[test]
    fn times_are_serial_numbers() {
        for (one, other, less) in
            [(1, 2, true), (2, 1, false), (1, 1, false), (u32::MAX, 0, true), (0, u32::MAX, false)]
        {
            assert_eq!(serial_less(one, other), less, "{one} {other}");
        }
    }
}
