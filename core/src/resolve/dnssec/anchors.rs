//! Trust anchors: the root's, or what a file says.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use domain::base::iana::{Class, Rtype};
use domain::base::name::FlattenInto;
use domain::base::rdata::ComposeRecordData;
use domain::base::{Record, ToName};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry, Zonefile};

use super::key::{Budget, Ds, Key, is_known_algorithm};
use super::proof::Flaw;
use crate::resolve::RecordType;
use crate::resolve::name::Name;

/// The keys that trust begins with, by zone. Closer ones come first for names below them.
#[derive(Clone, PartialEq, Eq)]
pub struct TrustAnchors {
    zones: BTreeMap<Name, Vec<Anchor>>,
}

/// What tells the key of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Ds(Ds),
    Key(Key),
}

/// The root's key-signing keys of 2017 and 2024, as IANA publishes their digests
/// (<https://data.iana.org/root-anchors/root-anchors.xml>).
const ROOT: &[u8] = b"\
. 3600 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n\
. 3600 IN DS 38696 8 2 683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

impl Default for TrustAnchors {
    /// IANA's anchors of the root.
    fn default() -> Self {
        Self::parse(ROOT).unwrap_or_else(|_| Self { zones: BTreeMap::new() })
    }
}

impl TrustAnchors {
    /// Reads DS and DNSKEY records in the form of a zone file (RFC 1035 section 5); names are
    /// absolute, TTL and class may be left out.
    ///
    /// # Errors
    /// If the text is something else, has other records, or has none.
    pub fn parse(text: &[u8]) -> Result<Self, BadTrustAnchors> {
        let mut file = Zonefile::new();
        file.set_origin(Name::root_bytes());
        file.set_default_class(Class::IN);
        file.extend_from_slice(b"$TTL 3600\n");
        file.extend_from_slice(text);
        file.extend_from_slice(b"\n");
        let mut zones = BTreeMap::<Name, Vec<Anchor>>::new();
        while let Some(entry) = file.next_entry().map_err(|_| BadTrustAnchors::Malformed)? {
            let Entry::Record(record) = entry else { return Err(BadTrustAnchors::OtherRecord) };
            let record: Record<Name, ZoneRecordData<Bytes, Name>> = record.flatten_into();
            let mut octets = Vec::new();
            // A vector never lacks room.
            let _ = record.data().compose_rdata(&mut octets);
            let octets = Bytes::from(octets);
            let anchor = match record.rtype() {
                Rtype::DS => Ds::parse(&octets).map(Anchor::Ds),
                Rtype::DNSKEY => Key::parse(&octets).map(Anchor::Key),
                _ => return Err(BadTrustAnchors::OtherRecord),
            };
            zones
                .entry(record.owner().clone())
                .or_default()
                .push(anchor.ok_or(BadTrustAnchors::Malformed)?);
        }
        if zones.is_empty() {
            return Err(BadTrustAnchors::Empty);
        }
        Ok(Self { zones })
    }

    /// Finds the closest zone at or above a name that has anchors.
    pub(super) fn closest(&self, name: &Name) -> Option<Name> {
        let suffixes = name.iter_suffixes().map(|suffix| suffix.to_name());
        suffixes.into_iter().find(|suffix: &Name| self.zones.contains_key(suffix))
    }

    /// The anchors of a zone that can be followed.
    pub(super) fn of(&self, zone: &Name) -> Vec<Anchor> {
        let anchors = self.zones.get(zone).into_iter().flatten();
        anchors.filter(|anchor| anchor.is_known()).cloned().collect()
    }
}

/// By zone and key tag.
impl fmt::Debug for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tags = self.zones.iter().map(|(zone, anchors)| {
            let tags: Vec<_> = anchors.iter().map(Anchor::tag).collect();
            (zone.fmt_with_dot().to_string(), tags)
        });
        f.debug_map().entries(tags).finish()
    }
}

/// In the form of a zone file that [`parse`](TrustAnchors::parse) reads (RFC 3597 section 5).
impl fmt::Display for TrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (zone, anchors) in &self.zones {
            for anchor in anchors {
                let (record, data) = match anchor {
                    Anchor::Ds(ds) => (RecordType::DS, ds.data()),
                    Anchor::Key(key) => (RecordType::DNSKEY, key.data()),
                };
                write!(f, "{} IN TYPE{} \\# {} ", zone.fmt_with_dot(), record.0, data.len())?;
                data.iter().try_for_each(|octet| write!(f, "{octet:02x}"))?;
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

impl Anchor {
    fn tag(&self) -> u16 {
        match self {
            Self::Ds(ds) => ds.tag,
            Self::Key(key) => key.tag,
        }
    }

    fn is_known(&self) -> bool {
        match self {
            Self::Ds(ds) => ds.is_known(),
            Self::Key(key) => is_known_algorithm(key.algorithm),
        }
    }

    /// Tells whether it names this key of `zone`.
    pub(super) fn names(&self, zone: &Name, key: &Key, budget: &mut Budget) -> Result<bool, Flaw> {
        match self {
            Self::Ds(ds) => key.matches(zone, ds, budget),
            Self::Key(anchor) => Ok(anchor == key && key.signs_zones()),
        }
    }
}

/// Why a text is no list of trust anchors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadTrustAnchors {
    /// It is no zone file.
    Malformed,
    /// It has records other than DS and DNSKEY.
    OtherRecord,
    /// It has no records.
    Empty,
}

impl fmt::Display for BadTrustAnchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not in zone file format",
            Self::OtherRecord => "has something other than DS and DNSKEY records",
            Self::Empty => "has no DS or DNSKEY record",
        })
    }
}

impl std::error::Error for BadTrustAnchors {}

#[cfg(test)]
mod tests {
    use super::*;

    /// The keys themselves, as the root publishes them.
    const KEYS: &str = "\
        . IN DNSKEY 257 3 8 ( \
         AwEAAaz/tAm8yTn4Mfeh5eyI96WSVexTBAvkMgJzkKTOiW1vkIbzxeF3+/4RgWOq7HrxRixHlFlExOLA \
         Jr5emLvN7SWXgnLh4+B5xQlNVz8Og8kvArMtNROxVQuCaSnIDdD5LKyWbRd2n9WGe2R8PzgCmr3EgVLr \
         jyBxWezF0jLHwVN8efS3rCj/EWgvIWgb9tarpVUDK/b58Da+sqqls3eNbuv7pr+eoZG+SrDK6nWeL3c6 \
         H5Apxz7LjVc1uTIdsIXxuOLYA4/ilBmSVIzuDWfdRUfhHdY6+cn8HFRm+2hM8AnXGXws9555KrUB5qih \
         ylGa8subX2Nn6UwNR1AkUTV74bU= ) ; KSK-2017\n\
        . 172800 IN DNSKEY 257 3 8 ( \
         AwEAAa96jeuknZlaeSrvyAJj6ZHv28hhOKkx3rLGXVaC6rXTsDc449/cidltpkyGwCJNnOAlFNKF2jBo \
         sZBU5eeHspaQWOmOElZsjICMQMC3aeHbGiShvZsx4wMYSjH8e7Vrhbu6irwCzVBApESjbUdpWWmEnhat \
         hWu1jo+siFUiRAAxm9qyJNg/wOZqqzL/dL/q8PkcRU5oUKEpUge71M3ej2/7CPqpdVwuMoTvoB+ZOT4Y \
         eGyxMvHmbrxlFzGOHOijtzN+u1TQNatX2XBuzZNQ1K+s2CXkPIZo7s6JgZyvaBevYtxPvYLw4z9mR7K2 \
         vaF18UYH9Z9GNUUeayffKC73PYc= )\n";

    #[test]
    fn built_in_digests_are_those_of_the_published_keys() {
        let root = Name::root_bytes();
        let keys = TrustAnchors::parse(KEYS.as_bytes()).unwrap().of(&root);
        let digests = TrustAnchors::default().of(&root);
        assert_eq!((keys.len(), digests.len()), (2, 2));
        for (key, digest) in keys.iter().zip(&digests) {
            let Anchor::Key(key) = key else { panic!() };
            assert_eq!(digest.names(&root, key, &mut Budget::default()), Ok(true), "{digest:?}");
        }
        let Anchor::Key(key) = &keys[0] else { panic!() };
        assert_eq!(digests[1].names(&root, key, &mut Budget::default()), Ok(false));
        assert_eq!(format!("{:?}", TrustAnchors::default()), r#"{".": [20326, 38696]}"#);
    }

    #[test]
    fn anchors_of_several_zones() {
        let text = "; two zones\nA.test IN DS 1 13 2 00ff\n\nb.a.test. 60 DS 2 13 2 ( 00 ff )\n\
                    c.test. DS 3 5 1 00\n";
        let anchors = TrustAnchors::parse(text.as_bytes()).unwrap();
        let closest = |name: &str| {
            let name = crate::resolve::name::from_text(name).unwrap();
            anchors.closest(&name).map(|zone| zone.to_string().to_ascii_lowercase())
        };
        assert_eq!(closest("x.y.a.test").as_deref(), Some("a.test"));
        assert_eq!(closest("X.B.A.TEST").as_deref(), Some("b.a.test"));
        assert_eq!(closest("test"), None);
        let c = crate::resolve::name::from_text("c.test").unwrap();
        assert!(anchors.of(&c).is_empty(), "nobody follows SHA-1");
        for (bad, why) in [
            ("", BadTrustAnchors::Empty),
            ("; nothing", BadTrustAnchors::Empty),
            (". A 192.0.2.1", BadTrustAnchors::OtherRecord),
            ("$INCLUDE file", BadTrustAnchors::OtherRecord),
            (". DS 1 13", BadTrustAnchors::Malformed),
            ("-----BEGIN CERTIFICATE-----", BadTrustAnchors::Malformed),
        ] {
            assert_eq!(TrustAnchors::parse(bad.as_bytes()), Err(why), "{bad}");
        }
    }
}
