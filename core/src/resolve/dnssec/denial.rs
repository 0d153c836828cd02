//! That something does not exist, proven by either kind of record.

use super::key::{self, Budget, Key};
use super::nsec::{self, Nsec};
use super::nsec3::{Nsec3, Nsec3Set};
use super::proof::Flaw;
use super::records::Section;
use crate::limits;
use crate::resolve::RecordType;
use crate::resolve::name::Name;

/// What was proven about a name and type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Denied {
    /// The name does not exist.
    NoName,
    /// The name exists without this type.
    NoData {
        /// The name is delegated to another zone.
        delegates: bool,
    },
    /// The name does not exist in the signed part of the zone.
    OptOut,
    /// The zone hashes too often for anybody to look.
    Iterations,
}

/// The verified records of one zone that deny something.
#[derive(Debug)]
pub(super) struct Denial {
    zone: Name,
    nsec: Vec<Nsec>,
    nsec3: Nsec3Set,
    iterations: bool,
    /// Why some record did not count.
    flaw: Option<Flaw>,
}

impl Denial {
    /// Takes the records of the authority section that the zone's keys signed.
    pub(super) fn new(
        authority: &Section,
        zone: &Name,
        keys: &[Key],
        now: u32,
        budget: &mut Budget,
    ) -> Result<Self, Flaw> {
        let (mut nsec, mut nsec3) = (Vec::new(), Vec::new());
        let mut flaw = None;
        let denies = |record| matches!(record, RecordType::NSEC | RecordType::NSEC3);
        let sets = authority.values().filter(|set| denies(set.record));
        for set in sets.take(limits::DENIALS) {
            if !set.owner.ends_with(zone) {
                continue;
            }
            match key::verify(set, zone, keys, now, budget) {
                // RFC 4035 section 5.4: a record that came from a wildcard says nothing.
                Ok(by) if by.wildcard => flaw = Some(Flaw::NoDenial),
                Ok(_) if set.record == RecordType::NSEC => nsec.extend(Nsec::parse(set)),
                Ok(_) => nsec3.extend(Nsec3::parse(zone, set)),
                Err(Flaw::TooMuchWork) => return Err(Flaw::TooMuchWork),
                Err(new) => flaw = Some(new),
            }
        }
        // Who denies something does so in the name of a zone (RFC 4035 section 3.2.3: all of the
        // authority section has to be authentic).
        if let Some(soa) = authority.get(&(zone.clone(), RecordType::SOA)) {
            key::verify(soa, zone, keys, now, budget)?;
        }
        let iterations = nsec3.iter().any(|nsec3| nsec3.iterations > limits::NSEC3_ITERATIONS);
        Ok(Self { zone: zone.clone(), nsec, nsec3: Nsec3Set::new(nsec3), iterations, flaw })
    }

    /// Tells what is proven about a question.
    pub(super) fn of(
        &self,
        name: &Name,
        record: RecordType,
        budget: &mut Budget,
    ) -> Result<Denied, Flaw> {
        if let Some(denied) = nsec::denied(&self.zone, &self.nsec, name, record) {
            return Ok(denied);
        }
        if self.iterations {
            return Ok(Denied::Iterations);
        }
        match self.nsec3.denied(&self.zone, name, record, budget) {
            Ok(Some(denied)) => Ok(denied),
            Err(Flaw::TooMuchWork) => Err(Flaw::TooMuchWork),
            Ok(None) | Err(_) => Err(self.flaw.clone().unwrap_or(Flaw::NoDenial)),
        }
    }

    /// Tells whether the wildcard below the ancestor of `name` with this many labels is what
    /// answers for `name`; `None` stands for a plain proof.
    pub(super) fn of_better_match(
        &self,
        name: &Name,
        labels: u8,
        budget: &mut Budget,
    ) -> Result<Option<Denied>, Flaw> {
        let ancestor = |labels: usize| -> Option<Name> {
            let skipped = name.label_count().checked_sub(labels + 1)?;
            name.iter_suffixes().nth(skipped).map(|suffix| domain::base::ToName::to_name(&suffix))
        };
        let flaw = || self.flaw.clone().unwrap_or(Flaw::NoWildcardProof);
        let labels = usize::from(labels);
        let encloser = ancestor(labels).ok_or(Flaw::NoWildcardProof)?;
        if nsec::wildcard_applies(&self.zone, &self.nsec, name, &encloser) {
            return Ok(None);
        }
        if self.iterations {
            return Ok(Some(Denied::Iterations));
        }
        let next_closer = ancestor(labels + 1).ok_or(Flaw::NoWildcardProof)?;
        match self.nsec3.wildcard_applies(&next_closer, budget)? {
            Some(false) => Ok(None),
            Some(true) => Ok(Some(Denied::OptOut)),
            None => Err(flaw()),
        }
    }
}
