//! TLSA records as data (RFC 6698 section 2.1).

use std::fmt;

use bytes::Bytes;

/// A certificate association.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tlsa {
    /// Certificate usage (RFC 6698 section 2.1.1).
    pub usage: u8,
    /// Selector (RFC 6698 section 2.1.2).
    pub selector: u8,
    /// Matching type (RFC 6698 section 2.1.3).
    pub matching: u8,
    /// Certificate association data (RFC 6698 section 2.1.4).
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
    /// The matching type for private use; the reference takes it for fingerprints.
    pub const PRIVATE: u8 = 255;
}

/// `U S M HEX` in upper case; of more than 64 octets of data only the first and last 32.
impl fmt::Display for Tlsa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        let (head, tail) = match self.data.len() {
            0 => return f.write_str("..."),
            1..=64 => (&self.data[..], None),
            long => (&self.data[..32], Some(&self.data[long - 32..])),
        };
        head.iter().try_for_each(|octet| write!(f, "{octet:02X}"))?;
        let Some(tail) = tail else { return Ok(()) };
        f.write_str("...")?;
        tail.iter().try_for_each(|octet| write!(f, "{octet:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_shortens_long_data() {
        let text = |data: Vec<u8>| {
            Tlsa { usage: 3, selector: 1, matching: 255, data: data.into() }.to_string()
        };
        assert_eq!(text(vec![]), "3 1 255 ...");
        assert_eq!(text(vec![0xab, 0x01]), "3 1 255 AB01");
        assert_eq!(text(vec![0xcd; 64]), format!("3 1 255 {}", "CD".repeat(64)));
        let long: Vec<u8> = (0..65).collect();
        let hex = |octets: &[u8]| octets.iter().map(|o| format!("{o:02X}")).collect::<String>();
        assert_eq!(
            text(long.clone()),
            format!("3 1 255 {}...{}", hex(&long[..32]), hex(&long[33..]))
        );
    }
}
