//! The digests that TLSA records may have (`tls_dane_digests`).

use std::fmt;

use crate::cert::Digest;

/// Digests by TLSA matching type, the strongest first (RFC 7671 section 9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaneDigests(Vec<(u8, Option<Digest>)>);

impl Default for DaneDigests {
    /// SHA-512, then SHA-256.
    fn default() -> Self {
        Self(vec![(2, Some(Digest::Sha512)), (1, Some(Digest::Sha256))])
    }
}

impl DaneDigests {
    /// Reads a list of `name` and `name=number`, the strongest first, separated by white space or
    /// commas; `=number` disables a matching type. What cannot be used is left out and told.
    pub fn parse(list: &str) -> (Self, Vec<DaneDigestProblem>) {
        let mut this = Self(Vec::new());
        let words = list.split([' ', '\t', '\r', '\n', ',']).filter(|word| !word.is_empty());
        let problems = words.filter_map(|word| this.push(word).err()).collect();
        (this, problems)
    }

    fn push(&mut self, word: &str) -> Result<(), DaneDigestProblem> {
        let (name, number) = word.split_once('=').unwrap_or((word, ""));
        let is = |known| name.eq_ignore_ascii_case(known);
        let matching = match number.parse() {
            Ok(0) => return Err(DaneDigestProblem::Reserved(word.to_owned())),
            Ok(number @ 1..=254) => number,
            Ok(255) | Err(_) if !number.is_empty() => {
                return Err(DaneDigestProblem::Invalid(word.to_owned()));
            }
            _ if is("sha256") => 1,
            _ if is("sha512") => 2,
            _ => return Err(DaneDigestProblem::NeedsNumber(name.to_owned())),
        };
        if self.0.iter().any(|(known, _)| *known == matching) {
            return Err(DaneDigestProblem::Repeated(matching));
        }
        // RFC 7218 section 2.3 gives 1 and 2 their meaning.
        let fixed = match matching {
            1 => Some(Digest::Sha256),
            2 => Some(Digest::Sha512),
            _ => None,
        };
        let digest = match Digest::by_name(name) {
            None if name.is_empty() => None,
            None => return Err(DaneDigestProblem::Unknown(name.to_owned(), matching)),
            digest if fixed.is_some() && digest != fixed => {
                return Err(DaneDigestProblem::OnlyOne(matching));
            }
            digest => digest,
        };
        self.0.push((matching, digest));
        Ok(())
    }

    /// Finds the digest of a matching type, with its rank: the higher, the stronger.
    pub(crate) fn find(&self, matching: u8) -> Option<(Digest, usize)> {
        let place = self.0.iter().position(|(known, _)| *known == matching)?;
        let (_, digest) = self.0.get(place)?;
        digest.map(|digest| (digest, self.0.len() - place))
    }
}

/// The list as it is configured.
impl fmt::Display for DaneDigests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, (matching, digest)) in self.0.iter().enumerate() {
            let digest = digest.map(|digest| digest.to_string()).unwrap_or_default();
            let blank = if place == 0 { "" } else { " " };
            write!(f, "{blank}{digest}={matching}")?;
        }
        Ok(())
    }
}

/// Why an entry of the list cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DaneDigestProblem {
    /// The number is none, or not from 1 to 254; the entry.
    Invalid(String),
    /// The number stands for the data itself; the entry.
    Reserved(String),
    /// Only sha256 and sha512 go without a number; the name.
    NeedsNumber(String),
    /// Matching type 1 can only be sha256, and 2 only sha512.
    OnlyOne(u8),
    /// The matching type was given before.
    Repeated(u8),
    /// No digest has this name; the name and its number.
    Unknown(String, u8),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_reference_does() {
        use DaneDigestProblem::{Invalid, NeedsNumber, OnlyOne, Repeated, Reserved, Unknown};
        let text = str::to_owned;
        for (list, types, problem) in [
            ("sha512 sha256", &[2, 1][..], None),
            ("sha256,sha512", &[1, 2], None),
            ("SHA512", &[2], None),
            ("sha256=", &[1], None),
            ("sha1=3", &[3], None),
            ("=2 sha256", &[2, 1], None),
            ("sha256 sha256", &[1], Some(Repeated(1))),
            ("sha256=2", &[], Some(OnlyOne(2))),
            ("sha512=1", &[], Some(OnlyOne(1))),
            ("sha384", &[], Some(NeedsNumber(text("sha384")))),
            ("sha384=300", &[], Some(Invalid(text("sha384=300")))),
            ("sha384=255", &[], Some(Invalid(text("sha384=255")))),
            ("sha384=3=4", &[], Some(Invalid(text("sha384=3=4")))),
            ("sha1=0", &[], Some(Reserved(text("sha1=0")))),
            ("foo=4", &[], Some(Unknown(text("foo"), 4))),
        ] {
            let (digests, problems) = DaneDigests::parse(list);
            let found: Vec<u8> = digests.0.iter().map(|(matching, _)| *matching).collect();
            assert_eq!((found.as_slice(), problems.first()), (types, problem.as_ref()), "{list}");
        }
        let (digests, _) = DaneDigests::parse("=2 sha256");
        assert_eq!((digests.find(2), digests.find(1)), (None, Some((Digest::Sha256, 1))));
        assert!(DaneDigests::default().find(2) > DaneDigests::default().find(1));
    }
}
