//! The sections of a message as RRsets in canonical form (RFC 4034 section 6).

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::wire::ParseError;
use domain::base::{Message, ParseRecordData, ParsedName, RecordData, RecordSection, ToName};
use domain::dep::octseq::Parser;

use crate::limits;
use crate::resolve::RecordType;
use crate::resolve::name::Name;

/// Records with the same owner and type, and the signatures over them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RrSet {
    pub(crate) owner: Name,
    pub(crate) record: RecordType,
    /// The lowest TTL of its records, in seconds.
    pub(crate) ttl: u32,
    /// Record data in canonical form and order, without repetition.
    pub(crate) data: Vec<Bytes>,
    /// At most [`limits::RRSIGS`].
    pub(crate) signatures: Vec<Rrsig>,
}

/// A signature (RFC 4034 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rrsig {
    pub(crate) covered: RecordType,
    pub(crate) algorithm: u8,
    pub(crate) labels: u8,
    pub(crate) original_ttl: u32,
    pub(crate) expiration: u32,
    pub(crate) inception: u32,
    pub(crate) key_tag: u16,
    pub(crate) signer: Name,
    /// The record data before the signature, in canonical form.
    pub(crate) head: Bytes,
    pub(crate) signature: Bytes,
}

/// The RRsets of one section by owner and type.
pub(crate) type Section = BTreeMap<(Name, RecordType), RrSet>;

/// What a message says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sections {
    pub(crate) answer: Section,
    pub(crate) authority: Section,
}

impl Sections {
    /// Reads a message; `None` if it is malformed.
    pub(crate) fn read(message: &Bytes) -> Option<Self> {
        let message = Message::from_octets(message.clone()).ok()?;
        Some(Self {
            answer: read_section(message.answer().ok()?)?,
            authority: read_section(message.authority().ok()?)?,
        })
    }
}

fn read_section(records: RecordSection<'_, Bytes>) -> Option<Section> {
    let mut section = Section::new();
    let mut signatures = Vec::new();
    for record in records {
        let record = record.ok()?;
        if record.class() != Class::IN {
            continue;
        }
        let owner: Name = record.owner().to_name();
        let ttl = record.ttl().as_secs();
        let record_type = RecordType(record.rtype().to_int());
        let data = record.to_record::<Canonical>().ok()??.into_data().data;
        if record_type == RecordType::RRSIG {
            signatures.push((owner, Rrsig::parse(data)?));
            continue;
        }
        let set = section.entry((owner.clone(), record_type)).or_insert_with(|| RrSet {
            owner,
            record: record_type,
            ttl,
            data: Vec::new(),
            signatures: Vec::new(),
        });
        set.ttl = set.ttl.min(ttl);
        set.data.push(data);
    }
    for set in section.values_mut() {
        // RFC 4034 section 6.3: left-justified octets in order, duplicates dropped.
        set.data.sort_unstable();
        set.data.dedup();
    }
    for (owner, signature) in signatures {
        if let Some(set) = section.get_mut(&(owner, signature.covered))
            && set.signatures.len() < limits::RRSIGS
        {
            set.signatures.push(signature);
        }
    }
    Some(section)
}

impl Rrsig {
    fn parse(data: Bytes) -> Option<Self> {
        let fixed: [u8; 18] = *data.first_chunk()?;
        let [c0, c1, algorithm, labels, rest @ ..] = fixed;
        let [o0, o1, o2, o3, e0, e1, e2, e3, i0, i1, i2, i3, k0, k1] = rest;
        let (signer, end) = name_at(&data, fixed.len())?;
        Some(Self {
            covered: RecordType(u16::from_be_bytes([c0, c1])),
            algorithm,
            labels,
            original_ttl: u32::from_be_bytes([o0, o1, o2, o3]),
            expiration: u32::from_be_bytes([e0, e1, e2, e3]),
            inception: u32::from_be_bytes([i0, i1, i2, i3]),
            key_tag: u16::from_be_bytes([k0, k1]),
            signer,
            head: data.slice(..end),
            signature: data.slice(end..),
        })
    }
}

/// Reads the name that begins at an octet of canonical record data; tells where it ends.
pub(super) fn name_at(data: &Bytes, start: usize) -> Option<(Name, usize)> {
    let mut parser = Parser::from_ref(data);
    parser.advance(start).ok()?;
    let name = Name::parse(&mut parser).ok()?;
    Some((name, parser.pos()))
}

/// Record data in canonical form, which has its names decompressed and in lower case.
struct Canonical {
    rtype: Rtype,
    data: Bytes,
}

impl RecordData for Canonical {
    fn rtype(&self) -> Rtype {
        self.rtype
    }
}

impl<'a> ParseRecordData<'a, Bytes> for Canonical {
    fn parse_rdata(
        rtype: Rtype,
        parser: &mut Parser<'a, Bytes>,
    ) -> Result<Option<Self>, ParseError> {
        // RFC 4034 section 6.2 (3) as changed by RFC 6840 section 5.1: the case of NSEC's next
        // name stays. Other types than these are never asked for or have no names.
        let (before, names) = match RecordType(rtype.to_int()) {
            RecordType::NS | RecordType::CNAME | RecordType::DNAME | RecordType::PTR => (0, 1),
            RecordType::MX => (2, 1),
            RecordType::SRV => (6, 1),
            RecordType::SOA => (0, 2),
            RecordType::RRSIG => (18, 1),
            RecordType(_) => (0, 0),
        };
        let mut data = Vec::with_capacity(parser.remaining());
        data.extend_from_slice(&parser.parse_octets(before)?);
        for _ in 0..names {
            let name = ParsedName::parse(parser)?;
            let name: Name = name.to_canonical_name();
            data.extend_from_slice(name.as_slice());
        }
        let rest = parser.remaining();
        data.extend_from_slice(&parser.parse_octets(rest)?);
        Ok(Some(Self { rtype, data: data.into() }))
    }
}
