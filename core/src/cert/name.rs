//! Distinguished names: attributes, and OpenSSL's one-line form.

use std::fmt;

use bytes::Bytes;

use super::der::{Reader, oid_text, tag};

/// Octets of the one-line form; the reference's buffer holds no more.
const ONE_LINE: usize = 255;

/// The DER of a Name (RFC 5280 section 4.1.2.4), undecoded.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Name(Bytes);

/// One attribute of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute<'a> {
    /// The number of the relative distinguished name that holds it.
    pub rdn: usize,
    /// The contents of its type's OBJECT IDENTIFIER.
    pub oid: &'a [u8],
    /// The tag of its value.
    pub tag: u8,
    /// The contents of its value.
    pub value: &'a [u8],
}

impl Name {
    /// Takes the DER of a Name.
    pub(crate) const fn new(der: Bytes) -> Self {
        Self(der)
    }

    /// Tells the DER.
    pub const fn der(&self) -> &Bytes {
        &self.0
    }

    /// Tells whether the name has no attributes.
    pub fn is_empty(&self) -> bool {
        self.attributes().next().is_none()
    }

    /// Tells the attributes in order, up to the first that is broken.
    pub fn attributes(&self) -> impl Iterator<Item = Attribute<'_>> {
        let rdns = Reader::enter(&self.0, tag::SEQUENCE).unwrap_or(Reader::new(&[]));
        rdns.enumerate().flat_map(|(rdn, set)| {
            Reader::new(set.value).map_while(move |attribute| {
                let mut fields = Reader::new(attribute.value);
                let oid = fields.expect(tag::OID).ok()?.value;
                let value = Reader::next(&mut fields).ok()?;
                Some(Attribute { rdn, oid, tag: value.tag, value: value.value })
            })
        })
    }
}

/// OpenSSL's one-line form: `/` before each relative distinguished name, `+` between its
/// attributes, octets outside of 0x20 to 0x7e as `\xHH`, `/` and `+` in values escaped. It ends
/// before the first attribute that would make it longer than 255 octets.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut length = 0;
        let mut last = None;
        for attribute in self.attributes() {
            let text = attribute.to_string();
            length += 1 + text.len();
            if length > ONE_LINE {
                break;
            }
            f.write_str(if last == Some(attribute.rdn) { "+" } else { "/" })?;
            f.write_str(&text)?;
            last = Some(attribute.rdn);
        }
        Ok(())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// `name=value`, as in the one-line form of a name.
impl fmt::Display for Attribute<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match SHORT_NAMES.iter().find(|(oid, _)| *oid == self.oid) {
            Some((_, name)) => f.write_str(name)?,
            None => f.write_str(&oid_text(self.oid))?,
        }
        f.write_str("=")?;
        for &octet in self.value {
            match octet {
                b'/' | b'+' => write!(f, "\\{}", char::from(octet))?,
                b' '..=b'~' => write!(f, "{}", char::from(octet))?,
                _ => write!(f, "\\x{octet:02X}")?,
            }
        }
        Ok(())
    }
}

/// The OBJECT IDENTIFIER of commonName (RFC 5280 appendix A.1).
pub(crate) const COMMON_NAME: &[u8] = &[0x55, 4, 3];

/// The OBJECT IDENTIFIER of organizationName (RFC 5280 appendix A.1).
pub(crate) const ORGANIZATION: &[u8] = &[0x55, 4, 10];

/// OpenSSL's short names of the attribute types that occur.
const SHORT_NAMES: &[(&[u8], &str)] = &[
    (COMMON_NAME, "CN"),
    (&[0x55, 4, 4], "SN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (ORGANIZATION, "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 12], "title"),
    (&[0x55, 4, 13], "description"),
    (&[0x55, 4, 15], "businessCategory"),
    (&[0x55, 4, 16], "postalAddress"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x55, 4, 18], "postOfficeBox"),
    (&[0x55, 4, 20], "telephoneNumber"),
    (&[0x55, 4, 41], "name"),
    (&[0x55, 4, 42], "GN"),
    (&[0x55, 4, 43], "initials"),
    (&[0x55, 4, 44], "generationQualifier"),
    (&[0x55, 4, 45], "x500UniqueIdentifier"),
    (&[0x55, 4, 46], "dnQualifier"),
    (&[0x55, 4, 65], "pseudonym"),
    (&[0x55, 4, 97], "organizationIdentifier"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 1], "UID"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2], "unstructuredName"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 8], "unstructuredAddress"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 1], "jurisdictionL"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 2], "jurisdictionST"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 3], "jurisdictionC"),
];
