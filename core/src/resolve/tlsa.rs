//! TLSA records.

use std::fmt;

use bytes::Bytes;

/// A TLSA record (RFC 6698 section 2.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    /// Certificate usage.
    pub usage: u8,
    /// Selector.
    pub selector: u8,
    /// Matching type.
    pub matching: u8,
    /// Certificate association data.
    pub data: Bytes,
}

impl Tlsa {
    /// Usage DANE-TA: a trust anchor (RFC 7218 section 2.1).
    pub const DANE_TA: u8 = 2;
    /// Usage DANE-EE: the server's own certificate or key.
    pub const DANE_EE: u8 = 3;
    /// Selector Cert: the whole certificate (RFC 7218 section 2.2).
    pub const CERT: u8 = 0;
    /// Selector SPKI: the SubjectPublicKeyInfo.
    pub const SPKI: u8 = 1;
    /// Matching type Full: the data itself (RFC 7218 section 2.3).
    pub const FULL: u8 = 0;
    /// Matching type reserved for private use; here for fingerprints.
    pub const PRIVATE: u8 = 255;
}

/// `U S M HEX`; data of more than 64 octets are shown by the first and last 32.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        let hex = |f: &mut fmt::Formatter<'_>, octets: &[u8]| {
            octets.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
        };
        match (self.data.first_chunk::<32>(), self.data.last_chunk::<32>()) {
            (Some(first), Some(last)) if self.data.len() > 64 => {
                hex(f, first)?;
                f.write_str("...")?;
                hex(f, last)
            }
            _ if self.data.is_empty() => f.write_str("..."),
            _ => hex(f, &self.data),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_data_are_cut() {
        let show = |data: Vec<u8>| {
            Tlsa { usage: 3, selector: 1, matching: 1, data: data.into() }.to_string()
        };
        assert_eq!(show(vec![0xab, 1]), "3 1 1 AB01");
        assert_eq!(show(vec![]), "3 1 1 ...");
        assert_eq!(show(vec![2; 64]).len(), 6 + 128);
        assert_eq!(show(vec![2; 65]), format!("3 1 1 {0}...{0}", "02".repeat(32)));
    }
}
