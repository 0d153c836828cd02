//! Extended DNS errors (RFC 8914): what name servers say about why there is no answer.

use std::fmt;

use bytes::Bytes;
use domain::base::iana::ExtendedErrorCode;
use domain::base::opt::{AllOptData, OptRecord};

use crate::limits;

/// What a name server says besides its response code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedError {
    /// IANA's number of it.
    pub code: u16,
    /// The server's own words; at most [`limits::EXTENDED_TEXT`] octets, not fit for terminals.
    pub text: String,
}

impl ExtendedError {
    /// Tells what the code stands for; `None` if it is registered for nothing.
    pub fn purpose(&self) -> Option<&'static str> {
        ExtendedErrorCode::from_int(self.code).to_mnemonic_str()
    }

    /// Reads those of a message; at most [`limits::EXTENDED_ERRORS`]. What cannot be read is not
    /// there: they decide nothing (RFC 8914 section 6).
    pub(super) fn read(opt: &OptRecord<Bytes>) -> Vec<Self> {
        let options = opt.opt().iter::<AllOptData<_, _>>();
        let errors = options.filter_map(|option| match option {
            Ok(AllOptData::ExtendedError(error)) => Some(Self {
                code: error.code().to_int(),
                text: shortened(error.text_slice().unwrap_or_default()),
            }),
            _ => None,
        });
        errors.take(limits::EXTENDED_ERRORS).collect()
    }
}

/// `purpose (code)`, and the server's words if there are any.
impl fmt::Display for ExtendedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let purpose = self.purpose().unwrap_or("unregistered error");
        write!(f, "{purpose} ({})", self.code)?;
        if self.text.is_empty() { Ok(()) } else { write!(f, ": {}", self.text) }
    }
}

/// Takes the beginning of a text, without a character that was cut through and without the NUL
/// that RFC 8914 section 2 lets stand at its end.
fn shortened(text: &[u8]) -> String {
    let text = text.strip_suffix(b"\0").unwrap_or(text);
    let mut text = String::from_utf8_lossy(text).into_owned();
    let end = (0..=limits::EXTENDED_TEXT).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_cut_between_characters() {
        assert_eq!(shortened(b"why\0"), "why");
        assert_eq!(shortened(b"a\xff"), "a\u{fffd}");
        let long = "\u{e9}".repeat(limits::EXTENDED_TEXT);
        assert_eq!(shortened(&long.as_bytes()[1..]).len(), limits::EXTENDED_TEXT - 1);
    }

    #[test]
    fn codes_have_names() {
        let error = |code, text: &str| ExtendedError { code, text: text.to_owned() }.to_string();
        assert_eq!(error(7, ""), "Signature Expired (7)");
        assert_eq!(error(6, "no keys"), "DNSSEC Bogus (6): no keys");
        assert_eq!(error(49_152, "x"), "unregistered error (49152): x");
    }
}
