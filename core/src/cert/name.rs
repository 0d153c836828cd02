//! Distinguished names: attributes, and OpenSSL's one-line form.

use std::fmt;

use bytes::Bytes;

use super::der::{Reader, oid_text, put_tlv, tag, tlv};
use super::digest::Digest;

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

impl Name {
    /// Decodes the first attribute of this type for people; `None` if there is none.
    ///
    /// # Errors
    /// What keeps it from being shown.
    pub fn first_text(&self, oid: &[u8]) -> Option<Result<String, TextProblem>> {
        self.attributes().find(|attribute| attribute.oid == oid).map(|found| found.text())
    }

    /// Tells the common names as UTF-8, without those that cannot be decoded.
    pub fn common_names(&self) -> impl Iterator<Item = String> {
        self.attributes()
            .filter(|attribute| attribute.oid == COMMON_NAME)
            .filter_map(|attribute| utf8(attribute.tag, attribute.value))
    }

    /// Computes the form by which OpenSSL compares names: values as UTF-8, ASCII in lower case,
    /// white space trimmed and collapsed.
    pub fn canonical(&self) -> CanonicalName {
        let mut bytes = Vec::with_capacity(self.0.len());
        let mut attributes = self.attributes().peekable();
        while let Some(first) = attributes.next() {
            let element = first.canonical();
            let mut others = Vec::new();
            while let Some(other) = attributes.next_if(|other| other.rdn == first.rdn) {
                others.push(other.canonical());
            }
            if others.is_empty() {
                put_tlv(&mut bytes, tag::SET, &[&element]);
                continue;
            }
            others.push(element);
            others.sort();
            let parts: Vec<&[u8]> = others.iter().map(Vec::as_slice).collect();
            put_tlv(&mut bytes, tag::SET, &parts);
        }
        CanonicalName(bytes)
    }
}

/// The form of a [`Name`] by which OpenSSL compares names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CanonicalName(Vec<u8>);

impl CanonicalName {
    /// Tells the encoded relative distinguished names.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Computes the number that names files in a directory made by c_rehash: `{:08x}.0` and so on.
    pub fn hash_number(&self) -> u32 {
        match *Digest::Sha1.of(&[&self.0]) {
            [a, b, c, d, ..] => u32::from_le_bytes([a, b, c, d]),
            _ => 0,
        }
    }
}

/// Why an attribute of a name cannot be shown to people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextProblem {
    /// It is longer than 255 octets of UTF-8; this is how long.
    TooLong(usize),
    /// It holds the character NUL.
    Nul,
    /// It holds an ASCII control character.
    NotPrintable,
    /// It is not the string that its tag says.
    NotText,
}

impl Attribute<'_> {
    /// Encodes type and value by the rules of [`Name::canonical`].
    fn canonical(&self) -> Vec<u8> {
        let is_text = matches!(
            self.tag,
            tag::UTF8_STRING
                | tag::PRINTABLE_STRING
                | tag::TELETEX_STRING
                | tag::IA5_STRING
                | tag::VISIBLE_STRING
                | tag::UNIVERSAL_STRING
                | tag::BMP_STRING
        );
        let text = if is_text { utf8(self.tag, self.value) } else { None };
        let folded = text.as_deref().map(fold);
        let (tag, value) = match &folded {
            Some(folded) => (tag::UTF8_STRING, folded.as_slice()),
            None => (self.tag, self.value),
        };
        let mut contents = Vec::with_capacity(self.oid.len() + value.len() + 8);
        put_tlv(&mut contents, tag::OID, &[self.oid]);
        put_tlv(&mut contents, tag, &[value]);
        tlv(tag::SEQUENCE, &[&contents])
    }

    /// Decodes the value for people, as the reference does.
    fn text(&self) -> Result<String, TextProblem> {
        let text = utf8(self.tag, self.value).ok_or(TextProblem::NotText)?;
        let text = text.trim_end_matches('\0');
        if text.len() > ONE_LINE {
            Err(TextProblem::TooLong(text.len()))
        } else if text.contains('\0') {
            Err(TextProblem::Nul)
        } else if text.contains(|c: char| c.is_ascii_control()) {
            Err(TextProblem::NotPrintable)
        } else {
            Ok(text.to_owned())
        }
    }
}

/// Decodes a string by its tag; strings of one octet per character count as Latin-1.
fn utf8(tag: u8, value: &[u8]) -> Option<String> {
    match tag {
        tag::UTF8_STRING => std::str::from_utf8(value).ok().map(str::to_owned),
        tag::BMP_STRING => {
            let (pairs, rest) = value.as_chunks::<2>();
            let units = pairs.iter().map(|pair| char::from_u32(u16::from_be_bytes(*pair).into()));
            if rest.is_empty() { units.collect() } else { None }
        }
        tag::UNIVERSAL_STRING => {
            let (fours, rest) = value.as_chunks::<4>();
            let chars = fours.iter().map(|four| char::from_u32(u32::from_be_bytes(*four)));
            if rest.is_empty() { chars.collect() } else { None }
        }
        // NumericString to VisibleString, the times among them.
        0x12..=0x14
        | tag::IA5_STRING
        | tag::UTC_TIME
        | tag::GENERALIZED_TIME
        | tag::VISIBLE_STRING => Some(value.iter().copied().map(char::from).collect()),
        _ => None,
    }
}

/// Folds ASCII to lower case, trims white space and collapses it inside.
fn fold(text: &str) -> Vec<u8> {
    let mut folded = Vec::with_capacity(text.len());
    for word in text.split(|c: char| c.is_ascii_whitespace() || c == '\x0b') {
        if !word.is_empty() {
            if !folded.is_empty() {
                folded.push(b' ');
            }
            folded.extend(word.bytes().map(|octet| octet.to_ascii_lowercase()));
        }
    }
    folded
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

/// The OBJECT IDENTIFIER of emailAddress (RFC 5280 appendix A.1).
pub(crate) const EMAIL_ADDRESS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1];

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
    (EMAIL_ADDRESS, "emailAddress"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 2], "unstructuredName"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 8], "unstructuredAddress"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 1], "jurisdictionL"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 2], "jurisdictionST"),
    (&[0x2b, 6, 1, 4, 1, 0x82, 0x37, 60, 2, 1, 3], "jurisdictionC"),
];
