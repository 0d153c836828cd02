//! Denial by NSEC3 records (RFC 5155 section 8, RFC 9276 section 3.2).

use aws_lc_rs::digest;
use bytes::Bytes;
use domain::base::ToName;

use super::denial::Denied;
use super::key::Budget;
use super::nsec::{Types, wildcard};
use super::proof::Flaw;
use super::records::RrSet;
use crate::limits;
use crate::resolve::RecordType;
use crate::resolve::name::Name;

/// An NSEC3 record that was verified.
#[derive(Debug)]
pub(super) struct Nsec3 {
    /// The hash in the owner's name.
    owner: [u8; HASH],
    next: [u8; HASH],
    opt_out: bool,
    pub(super) iterations: u16,
    salt: Bytes,
    types: Types,
}

/// Octets of a SHA-1 hash.
const HASH: usize = 20;

/// What is known of the way up from a name that does not exist.
struct Encloser<'a> {
    name: Name,
    /// Covers the name one label longer.
    next_closer: &'a Nsec3,
}

impl Nsec3 {
    /// Reads a record; `None` also for hash algorithms and flags that nobody knows, which RFC 5155
    /// section 8.2 wants ignored.
    pub(super) fn parse(zone: &Name, set: &RrSet) -> Option<Self> {
        let data = set.data.first()?;
        let [1, flags @ (0 | 1), i0, i1, salt_length] = *data.first_chunk()? else { return None };
        let salt_end = 5 + usize::from(salt_length);
        let next_start = salt_end + 1;
        let next_end = next_start + usize::from(*data.get(salt_end)?);
        let next = <[u8; HASH]>::try_from(data.get(next_start..next_end)?).ok()?;
        // The hash stands directly below the zone.
        let parent = set.owner.parent()?;
        if parent != *zone {
            return None;
        }
        Some(Self {
            owner: base32hex(set.owner.first().as_slice())?,
            next,
            opt_out: flags == 1,
            iterations: u16::from_be_bytes([i0, i1]),
            salt: data.slice(5..salt_end),
            types: Types::parse(data.slice(next_end..))?,
        })
    }

    fn covers(&self, hash: &[u8; HASH]) -> bool {
        if self.owner < self.next {
            self.owner < *hash && *hash < self.next
        } else {
            // The last of the zone.
            *hash > self.owner || *hash < self.next
        }
    }

    fn hash(&self, name: &Name, budget: &mut Budget) -> Result<[u8; HASH], Flaw> {
        budget.hash()?;
        let name: Name = name.to_canonical_name();
        let mut hash = sha1(&[name.as_slice(), &self.salt]);
        for _ in 0..self.iterations.min(limits::NSEC3_ITERATIONS) {
            hash = sha1(&[&hash, &self.salt]);
        }
        Ok(hash)
    }
}

fn sha1(parts: &[&[u8]]) -> [u8; HASH] {
    let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
    parts.iter().for_each(|part| context.update(part));
    // SHA-1 gives 20 octets.
    context.finish().as_ref().try_into().unwrap_or([0; HASH])
}

/// Decodes base32hex without padding (RFC 4648 section 7) of a hash.
fn base32hex(text: &[u8]) -> Option<[u8; HASH]> {
    let text: &[u8; 32] = text.try_into().ok()?;
    let mut octets = [0; HASH];
    for (octets, digits) in octets.chunks_mut(5).zip(text.chunks(8)) {
        let mut group = 0_u64;
        for digit in digits {
            let value = match digit.to_ascii_uppercase() {
                digit @ b'0'..=b'9' => digit - b'0',
                digit @ b'A'..=b'V' => digit - b'A' + 10,
                _ => return None,
            };
            group = group << 5 | u64::from(value);
        }
        octets.copy_from_slice(group.to_be_bytes().get(3..)?);
    }
    Some(octets)
}

/// Records of one zone with the same salt and iterations.
#[derive(Debug)]
pub(super) struct Nsec3Set(Vec<Nsec3>);

impl Nsec3Set {
    /// Takes those records that go together with the first one (RFC 5155 section 8.2).
    pub(super) fn new(mut records: Vec<Nsec3>) -> Self {
        if let Some((salt, iterations)) =
            records.first().map(|first| (first.salt.clone(), first.iterations))
        {
            records.retain(|record| record.salt == salt && record.iterations == iterations);
        }
        Self(records)
    }

    fn hash(&self, name: &Name, budget: &mut Budget) -> Result<[u8; HASH], Flaw> {
        self.0.first().ok_or(Flaw::NoDenial)?.hash(name, budget)
    }

    fn matching(&self, name: &Name, budget: &mut Budget) -> Result<Option<&Nsec3>, Flaw> {
        let hash = self.hash(name, budget)?;
        Ok(self.0.iter().find(|record| record.owner == hash))
    }

    fn covering(&self, name: &Name, budget: &mut Budget) -> Result<Option<&Nsec3>, Flaw> {
        let hash = self.hash(name, budget)?;
        Ok(self.0.iter().find(|record| record.covers(&hash)))
    }

    /// Proves the closest encloser of a name that does not exist (RFC 5155 section 8.3).
    fn encloser(
        &self,
        zone: &Name,
        name: &Name,
        budget: &mut Budget,
    ) -> Result<Option<Encloser<'_>>, Flaw> {
        let mut next_closer: Name = name.clone();
        for suffix in name.iter_suffixes().skip(1) {
            let suffix: Name = suffix.to_name();
            if !suffix.ends_with(zone) {
                break;
            }
            if let Some(record) = self.matching(&suffix, budget)? {
                // The far side of a cut or of DNAME belongs to somebody else.
                if record.types.delegate() || record.types.has(RecordType::DNAME) {
                    return Ok(None);
                }
                let covering = self.covering(&next_closer, budget)?;
                return Ok(covering.map(|next_closer| Encloser { name: suffix, next_closer }));
            }
            next_closer = suffix;
        }
        Ok(None)
    }

    /// Tells what the records prove about a question (RFC 5155 sections 8.4 to 8.7).
    pub(super) fn denied(
        &self,
        zone: &Name,
        name: &Name,
        record: RecordType,
        budget: &mut Budget,
    ) -> Result<Option<Denied>, Flaw> {
        if let Some(at_name) = self.matching(name, budget)? {
            let denied = at_name.types.deny(name, record);
            return Ok(denied.then(|| Denied::NoData { delegates: at_name.types.delegate() }));
        }
        let Some(encloser) = self.encloser(zone, name, budget)? else { return Ok(None) };
        // Section 9.2: whatever is left out of the chain may exist.
        let opt_out = encloser.next_closer.opt_out;
        if opt_out && record == RecordType::DS {
            return Ok(Some(Denied::OptOut));
        }
        let Some(wildcard) = wildcard(&encloser.name) else { return Ok(None) };
        if let Some(at_wildcard) = self.matching(&wildcard, budget)? {
            let denied = at_wildcard.types.deny(&wildcard, record);
            let what = if opt_out { Denied::OptOut } else { Denied::NoData { delegates: false } };
            return Ok(denied.then_some(what));
        }
        let no_wildcard = self.covering(&wildcard, budget)?.is_some();
        let what = if opt_out { Denied::OptOut } else { Denied::NoName };
        Ok(no_wildcard.then_some(what))
    }

    /// Tells whether it is proven that nothing matches a name better than the wildcard that gave
    /// its records (RFC 5155 section 8.8), and whether that leaves out unsigned zones.
    pub(super) fn wildcard_applies(
        &self,
        next_closer: &Name,
        budget: &mut Budget,
    ) -> Result<Option<bool>, Flaw> {
        if self.0.is_empty() {
            return Ok(None);
        }
        Ok(self.covering(next_closer, budget)?.map(|record| record.opt_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::name::from_text;

    /// The hashes of RFC 5155 appendix A.
    #[test]
    fn hashes() {
        let record = Nsec3 {
            owner: [0; HASH],
            next: [0; HASH],
            opt_out: false,
            iterations: 12,
            salt: Bytes::from_static(b"\xaa\xbb\xcc\xdd"),
            types: Types::parse(Bytes::new()).unwrap(),
        };
        for (name, hash) in [
            ("Example", "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom"),
            ("ns1.example", "2T7B4G4VSA5SMI47K61MV5BV1A22BOJR"),
            ("*.w.example", "r53bq7cc2uvmubfu5ocmm6pers9tk9en"),
        ] {
            let found = record.hash(&from_text(name).unwrap(), &mut Budget::default());
            assert_eq!(found.unwrap(), base32hex(hash.as_bytes()).unwrap(), "{name}");
        }
        assert_eq!(base32hex(b"0p9mhaveqvm6t7vbl5lop2u3t2rp3tow"), None, "w is no digit");
        assert_eq!(base32hex(b"0p9m"), None);
    }

    /// A deep name below a zone that hashes takes no more than its share (CVE-2023-50868).
    #[test]
    fn deep_names_take_bounded_work() {
        let record = Nsec3 {
            owner: [1; HASH],
            next: [1; HASH],
            opt_out: false,
            iterations: limits::NSEC3_ITERATIONS,
            salt: Bytes::from_static(&[7; 255]),
            types: Types::parse(Bytes::new()).unwrap(),
        };
        let deep = from_text(&format!("{}test", "a.".repeat(120))).unwrap();
        let zone = from_text("test").unwrap();
        let denied =
            Nsec3Set::new(vec![record]).denied(&zone, &deep, RecordType::A, &mut Budget::default());
        assert_eq!(denied, Err(Flaw::TooMuchWork));
    }
}
