//! The words of `-L`: what is told of TLS.

use std::ops::{BitOr, BitOrAssign};

/// What is told of TLS, as a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Log(u16);

impl Log {
    pub(crate) const NONE: Self = Self(0);
    /// The line that tells status, protocol and cipher.
    pub(crate) const SUMMARY: Self = Self(1);
    /// Why a certificate is not trusted.
    pub(crate) const UNTRUSTED: Self = Self(1 << 1);
    /// Names and fingerprints of the peer's certificate.
    pub(crate) const PEERCERT: Self = Self(1 << 2);
    /// Means the same as [`PEERCERT`](Self::PEERCERT) nowadays.
    pub(crate) const CERTMATCH: Self = Self(1 << 3);
    /// What is about to be done, and each step of the verification.
    pub(crate) const VERBOSE: Self = Self(1 << 4);
    /// Use of the session cache.
    pub(crate) const CACHE: Self = Self(1 << 5);
    /// TLSA records.
    pub(crate) const DANE: Self = Self(1 << 6);
    /// Handshake messages and alerts.
    pub(crate) const SSL_DEBUG: Self = Self(1 << 7);
    /// The octets of the handshake.
    pub(crate) const HANDSHAKE_DUMP: Self = Self(1 << 8);
    /// All octets; comes with [`HANDSHAKE_DUMP`](Self::HANDSHAKE_DUMP).
    pub(crate) const SESSION_DUMP: Self = Self(1 << 9 | 1 << 8);

    const DEBUG: Self = Self(Self::SUMMARY.0 | Self::VERBOSE.0 | Self::CACHE.0 | Self::SSL_DEBUG.0);
    const EXPERT: Self = Self(Self::DEBUG.0 | Self::HANDSHAKE_DUMP.0);
    const DEVELOPER: Self = Self(Self::EXPERT.0 | Self::SESSION_DUMP.0);

    /// What is told without `-L`.
    pub(crate) const DEFAULT: Self = Self(Self::SUMMARY.0 | Self::CERTMATCH.0);

    /// Tells the set as a number.
    pub(crate) const fn bits(self) -> u16 {
        self.0
    }

    /// Finds the set of a number.
    pub(crate) const fn from_bits(bits: u16) -> Self {
        Self(bits)
    }

    /// Every word and what it stands for.
    pub(crate) const WORDS: &[(&str, Self)] = &[
        ("none", Self::NONE),
        ("summary", Self::SUMMARY),
        ("routine", Self::SUMMARY),
        ("debug", Self::DEBUG),
        ("ssl-expert", Self::EXPERT),
        ("ssl-developer", Self::DEVELOPER),
        ("untrusted", Self::UNTRUSTED),
        ("peercert", Self::PEERCERT),
        ("certmatch", Self::CERTMATCH),
        ("verbose", Self::VERBOSE),
        ("cache", Self::CACHE),
        ("dane", Self::DANE),
        ("ssl-debug", Self::SSL_DEBUG),
        ("ssl-handshake-packet-dump", Self::HANDSHAKE_DUMP),
        ("ssl-session-packet-dump", Self::SESSION_DUMP),
        ("0", Self::NONE),
        ("1", Self::SUMMARY),
        ("2", Self::DEBUG),
        ("3", Self::EXPERT),
        ("4", Self::DEVELOPER),
        ("5", Self::DEVELOPER),
        ("6", Self::DEVELOPER),
        ("7", Self::DEVELOPER),
        ("8", Self::DEVELOPER),
        ("9", Self::DEVELOPER),
    ];

    /// Unites the words of a list, in any case. Returns the first word that is unknown, if any.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let mut log = Self::NONE;
        for word in list.split([',', ' ', '\t', '\r', '\n']).filter(|word| !word.is_empty()) {
            let known = Self::WORDS.iter().find(|(known, _)| known.eq_ignore_ascii_case(word));
            log |= known.ok_or_else(|| word.to_owned())?.1;
        }
        Ok(log)
    }

    /// Takes `unwanted` out.
    pub(crate) const fn without(self, unwanted: Self) -> Self {
        Self(self.0 & !unwanted.0)
    }

    /// Tells whether all of `wanted` is told.
    pub(crate) const fn has(self, wanted: Self) -> bool {
        self.0 & wanted.0 == wanted.0
    }
}

impl BitOr for Log {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl BitOrAssign for Log {
    fn bitor_assign(&mut self, other: Self) {
        *self = *self | other;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_unions() {
        let debug = Log::SUMMARY | Log::VERBOSE | Log::CACHE | Log::SSL_DEBUG;
        let table = [
            ("", Log::NONE),
            ("none", Log::NONE),
            ("0", Log::NONE),
            ("none,summary", Log::SUMMARY),
            ("ROUTINE", Log::SUMMARY),
            ("certmatch, peercert", Log::CERTMATCH | Log::PEERCERT),
            ("debug", debug),
            ("2", debug),
            ("3", debug | Log::HANDSHAKE_DUMP),
            ("ssl-expert", debug | Log::HANDSHAKE_DUMP),
            ("7", debug | Log::HANDSHAKE_DUMP | Log::SESSION_DUMP),
            ("ssl-session-packet-dump", Log::HANDSHAKE_DUMP | Log::SESSION_DUMP),
        ];
        for (list, log) in table {
            assert_eq!(Log::parse(list), Ok(log), "{list}");
        }
        assert_eq!(Log::parse("summary,nosuch,worse"), Err("nosuch".to_owned()));
        assert_eq!(Log::parse("10"), Err("10".to_owned()));
    }
}
