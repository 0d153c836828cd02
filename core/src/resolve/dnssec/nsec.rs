//! Denial by NSEC records (RFC 4034 section 4, RFC 4035 section 5.4, RFC 6840 section 4).

use bytes::Bytes;
use domain::base::{Rtype, ToName};
use domain::rdata::dnssec::RtypeBitmap;

use super::denial::Denied;
use super::records::{RrSet, name_at};
use crate::resolve::RecordType;
use crate::resolve::name::Name;

/// An NSEC record that was verified.
#[derive(Debug)]
pub(super) struct Nsec {
    owner: Name,
    next: Name,
    types: Types,
}

/// The types that a name has.
#[derive(Debug)]
pub(super) struct Types(RtypeBitmap<Bytes>);

impl Types {
    pub(super) fn parse(data: Bytes) -> Option<Self> {
        RtypeBitmap::from_octets(data).ok().map(Self)
    }

    pub(super) fn has(&self, record: RecordType) -> bool {
        self.0.contains(Rtype::from_int(record.0))
    }

    /// Tells whether they are those of the parent's side of a zone cut.
    pub(super) fn delegate(&self) -> bool {
        self.has(RecordType::NS) && !self.has(RecordType::SOA)
    }

    /// Tells whether the name may say that it lacks a type: the parent's side of a zone cut knows
    /// only about DS, and the child's does not know about it (RFC 6840 section 4.1).
    pub(super) fn deny(&self, name: &Name, record: RecordType) -> bool {
        let right_side = if record == RecordType::DS {
            !self.has(RecordType::SOA) || name.is_root()
        } else {
            !self.delegate()
        };
        right_side && !self.has(record) && !self.has(RecordType::CNAME)
    }
}

impl Nsec {
    pub(super) fn parse(set: &RrSet) -> Option<Self> {
        let data = set.data.first()?;
        let (next, end) = name_at(data, 0)?;
        Some(Self { owner: set.owner.clone(), next, types: Types::parse(data.slice(end..))? })
    }

    /// Tells whether the record proves that a name of `zone` does not exist.
    fn covers(&self, zone: &Name, name: &Name) -> bool {
        // RFC 6840 section 4.1: the far side of a cut or of DNAME belongs to somebody else.
        let elsewhere = name.ends_with(&self.owner)
            && (self.types.delegate() || self.types.has(RecordType::DNAME));
        let last = self.next == *zone;
        self.owner < *name && (last || *name < self.next) && !elsewhere
    }

    /// Finds the closest ancestor of a covered name that exists.
    fn closest_encloser(&self, name: &Name) -> Name {
        let ancestors = name.iter_suffixes().map(|suffix| suffix.to_name());
        let exists =
            |ancestor: &Name| self.owner.ends_with(ancestor) || self.next.ends_with(ancestor);
        ancestors.skip(1).find(exists).unwrap_or_else(Name::root_bytes)
    }
}

/// Tells what records prove about a question.
pub(super) fn denied(
    zone: &Name,
    records: &[Nsec],
    name: &Name,
    record: RecordType,
) -> Option<Denied> {
    if let Some(at_name) = records.iter().find(|nsec| nsec.owner == *name) {
        let denied = at_name.types.deny(name, record);
        return denied.then(|| Denied::NoData { delegates: at_name.types.delegate() });
    }
    let covering = records.iter().find(|nsec| nsec.covers(zone, name))?;
    if covering.next.ends_with(name) {
        // An empty non-terminal.
        return Some(Denied::NoData { delegates: false });
    }
    let wildcard = wildcard(&covering.closest_encloser(name))?;
    if let Some(at_wildcard) = records.iter().find(|nsec| nsec.owner == wildcard) {
        let denied = at_wildcard.types.deny(&wildcard, record);
        return denied.then_some(Denied::NoData { delegates: false });
    }
    let no_wildcard = records.iter().any(|nsec| nsec.covers(zone, &wildcard));
    no_wildcard.then_some(Denied::NoName)
}

/// Tells whether it is proven that nothing matches `name` better than the wildcard below
/// `encloser` (RFC 4035 section 5.3.4).
pub(super) fn wildcard_applies(
    zone: &Name,
    records: &[Nsec],
    name: &Name,
    encloser: &Name,
) -> bool {
    records.iter().any(|nsec| {
        nsec.covers(zone, name)
            && !nsec.next.ends_with(name)
            && nsec.closest_encloser(name) == *encloser
    })
}

/// The wildcard below a name.
pub(super) fn wildcard(encloser: &Name) -> Option<Name> {
    let octets = [b"\x01*", encloser.as_slice()].concat();
    Name::from_octets(Bytes::from(octets)).ok()
}
