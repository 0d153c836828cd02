//! A lenient walk over DER: raw slices out, no copies, no recursion, no panic.
//!
//! Certificates of the real world hold BER booleans, long-form lengths and worse. What can be cut
//! into tag, length and value is cut; only indefinite lengths and lengths beyond the end are not.

use std::fmt;

/// ASN.1 tags (X.690) as their first identifier octet.
pub(crate) mod tag {
    pub(crate) const BOOLEAN: u8 = 0x01;
    pub(crate) const INTEGER: u8 = 0x02;
    pub(crate) const BIT_STRING: u8 = 0x03;
    pub(crate) const OCTET_STRING: u8 = 0x04;
    pub(crate) const OID: u8 = 0x06;
    pub(crate) const UTF8_STRING: u8 = 0x0c;
    pub(crate) const PRINTABLE_STRING: u8 = 0x13;
    pub(crate) const TELETEX_STRING: u8 = 0x14;
    pub(crate) const IA5_STRING: u8 = 0x16;
    pub(crate) const UTC_TIME: u8 = 0x17;
    pub(crate) const GENERALIZED_TIME: u8 = 0x18;
    pub(crate) const VISIBLE_STRING: u8 = 0x1a;
    pub(crate) const UNIVERSAL_STRING: u8 = 0x1c;
    pub(crate) const BMP_STRING: u8 = 0x1e;
    pub(crate) const SEQUENCE: u8 = 0x30;
    pub(crate) const SET: u8 = 0x31;

    /// A context-specific tag of primitive form.
    pub(crate) const fn context(number: u8) -> u8 {
        0x80 | number
    }

    /// A context-specific tag of constructed form.
    pub(crate) const fn constructed(number: u8) -> u8 {
        0xa0 | number
    }
}

/// Writes one element: a tag and the contents, in parts (X.690 section 8.1).
pub(crate) fn tlv(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    // A tag, and a length that fits into four octets more.
    let mut element = Vec::with_capacity(length + 6);
    put_tlv(&mut element, tag, contents);
    element
}

/// Writes one element behind others.
pub(crate) fn put_tlv(elements: &mut Vec<u8>, tag: u8, contents: &[&[u8]]) {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    elements.push(tag);
    let octets = length.to_be_bytes();
    let zeros = octets.iter().take_while(|octet| **octet == 0).count();
    match octets.get(zeros..) {
        Some([short @ 0..=0x7f]) => elements.push(*short),
        Some([]) | None => elements.push(0),
        Some(long) => {
            elements.push(0x80 | u8::try_from(long.len()).unwrap_or(0x7f));
            elements.extend(long);
        }
    }
    contents.iter().for_each(|part| elements.extend_from_slice(part));
}

/// Reads one element after the other from a slice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

/// One element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tlv<'a> {
    /// The first identifier octet.
    pub(crate) tag: u8,
    /// The contents.
    pub(crate) value: &'a [u8],
    /// Identifier, length and contents.
    pub(crate) whole: &'a [u8],
}

/// Why bytes could not be walked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerError {
    /// An element reaches beyond the end of what holds it.
    Truncated,
    /// A length is indefinite or takes more than four octets.
    Length,
    /// Another element than expected.
    Unexpected,
}

impl fmt::Display for DerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Truncated => "truncated",
            Self::Length => "unusable length",
            Self::Unexpected => "unexpected element",
        })
    }
}

impl std::error::Error for DerError {}

impl<'a> Reader<'a> {
    pub(crate) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    /// Enters the one element that `bytes` begin with, which must have this tag.
    pub(crate) fn enter(bytes: &'a [u8], tag: u8) -> Result<Self, DerError> {
        Ok(Self::new(Self::new(bytes).expect(tag)?.value))
    }

    /// Tells what was not read yet.
    pub(crate) const fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Tells the tag of the next element, if there is one.
    pub(crate) fn peek(&self) -> Option<u8> {
        self.rest.first().copied()
    }

    /// Reads the next element, whatever it is.
    pub(crate) fn next(&mut self) -> Result<Tlv<'a>, DerError> {
        let all = self.rest;
        let tag = self.octet()?;
        if tag & 0x1f == 0x1f {
            while self.octet()? & 0x80 != 0 {}
        }
        let length = self.length()?;
        let (value, rest) = self.rest.split_at_checked(length).ok_or(DerError::Truncated)?;
        self.rest = rest;
        let whole = all.get(..all.len() - rest.len()).ok_or(DerError::Truncated)?;
        Ok(Tlv { tag, value, whole })
    }

    /// Reads the next element, which must have this tag.
    pub(crate) fn expect(&mut self, tag: u8) -> Result<Tlv<'a>, DerError> {
        match self.peek() {
            None => Err(DerError::Truncated),
            Some(found) if found == tag => self.next(),
            Some(_) => Err(DerError::Unexpected),
        }
    }

    /// Reads the next element if it has this tag.
    pub(crate) fn optional(&mut self, tag: u8) -> Result<Option<Tlv<'a>>, DerError> {
        if self.peek() == Some(tag) { self.next().map(Some) } else { Ok(None) }
    }

    fn octet(&mut self) -> Result<u8, DerError> {
        let (&first, rest) = self.rest.split_first().ok_or(DerError::Truncated)?;
        self.rest = rest;
        Ok(first)
    }

    fn length(&mut self) -> Result<usize, DerError> {
        let first = self.octet()?;
        match first {
            0..=0x7f => Ok(usize::from(first)),
            0x81..=0x84 => {
                let mut length = 0;
                for _ in 0..first & 0x7f {
                    length = length << 8 | u32::from(self.octet()?);
                }
                usize::try_from(length).map_err(|_| DerError::Length)
            }
            _ => Err(DerError::Length),
        }
    }
}

/// Iterates until the end or the first error.
impl<'a> Iterator for Reader<'a> {
    type Item = Tlv<'a>;

    fn next(&mut self) -> Option<Tlv<'a>> {
        match Self::next(self) {
            Ok(tlv) => Some(tlv),
            Err(_) => {
                self.rest = &[];
                None
            }
        }
    }
}

/// Takes the bits of a BIT STRING's contents; unused bits are not cut off.
pub(crate) fn bits(contents: &[u8]) -> Option<&[u8]> {
    match contents.split_first() {
        Some((0..=7, bits)) => Some(bits),
        _ => None,
    }
}

/// Writes an object identifier with dots; arcs beyond 64 bits end the text with `...`.
pub(crate) fn oid_text(contents: &[u8]) -> String {
    let mut text = String::new();
    let mut arc = 0_u64;
    for &octet in contents {
        if arc > u64::MAX >> 7 {
            text.push_str("...");
            return text;
        }
        arc = arc << 7 | u64::from(octet & 0x7f);
        if octet & 0x80 == 0 {
            if text.is_empty() {
                let root = (arc / 40).min(2);
                text = format!("{root}.{}", arc - root * 40);
            } else {
                text.push_str(&format!(".{arc}"));
            }
            arc = 0;
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_what_can_be_cut() {
        // A non-minimal length and a high tag number are accepted.
        let mut reader = Reader::new(b"\x04\x82\x00\x01a\x1f\x81\x02\x01b\x05\x00");
        assert_eq!(reader.expect(tag::OCTET_STRING).unwrap().value, b"a");
        let odd = Reader::next(&mut reader).unwrap();
        assert_eq!((odd.tag, odd.value, odd.whole), (0x1f, &b"b"[..], &b"\x1f\x81\x02\x01b"[..]));
        assert_eq!(reader.expect(0x05).unwrap().value, b"");
        assert!(reader.is_empty());
    }

    #[test]
    fn refuses_what_cannot() {
        let first = |bytes| Reader::next(&mut Reader::new(bytes)).map(|tlv| tlv.tag);
        for (bytes, error) in [
            (&b""[..], DerError::Truncated),
            (b"\x30", DerError::Truncated),
            (b"\x30\x02a", DerError::Truncated),
            (b"\x30\x80\x00\x00", DerError::Length),
            (b"\x30\x85\x00\x00\x00\x00\x01a", DerError::Length),
            (b"\x30\x84\xff\xff\xff\xff", DerError::Truncated),
            (b"\x1f\xff\xff", DerError::Truncated),
        ] {
            assert_eq!(first(bytes), Err(error), "{bytes:02x?}");
        }
        assert_eq!(Reader::enter(b"\x31\x00", tag::SEQUENCE).unwrap_err(), DerError::Unexpected);
    }

    #[test]
    fn oids_have_dots() {
        assert_eq!(oid_text(b"\x2a\x86\x48\x86\xf7\x0d\x01\x01\x0b"), "1.2.840.113549.1.1.11");
        assert_eq!(oid_text(b"\x88\x37"), "2.999");
        assert_eq!(oid_text(&[0xff; 40]), "...");
        assert_eq!(oid_text(b""), "");
    }
}
