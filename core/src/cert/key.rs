//! Public keys: what kind they are and how large.

use std::fmt;

use super::der::{Reader, bits, oid_text, tag};

/// A SubjectPublicKeyInfo (RFC 5280 section 4.1.2.7), decoded as far as it can be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey<'a> {
    /// Which algorithm, and how large.
    pub kind: KeyKind,
    /// The bits of the key itself; empty if there are none.
    pub bits: &'a [u8],
}

/// The kinds of public keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyKind {
    /// RSA (RFC 3279 section 2.3.1).
    Rsa {
        /// The size of its modulus.
        bits: usize,
    },
    /// RSA for PSS signatures only (RFC 4055 section 3.1).
    RsaPss {
        /// The size of its modulus.
        bits: usize,
    },
    /// A point on a curve for ECDSA (RFC 5480).
    Ec(Curve),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// DSA (RFC 3279 section 2.3.2).
    Dsa {
        /// The size of its modulus; 0 if the parameters are inherited.
        bits: usize,
    },
    /// Another algorithm, by its object identifier; empty if that is broken.
    Other(String),
}

/// Curves, by OpenSSL's names.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Curve {
    /// `prime256v1`.
    P256,
    /// `secp384r1`.
    P384,
    /// `secp521r1`.
    P521,
    /// Another curve, by its name or object identifier; empty if its parameters are spelled out.
    Other(String),
}

impl<'a> PublicKey<'a> {
    /// Decodes a SubjectPublicKeyInfo; what cannot be decoded is [`KeyKind::Other`].
    pub fn parse(spki: &'a [u8]) -> Self {
        Self::decode(spki).unwrap_or(Self { kind: KeyKind::Other(String::new()), bits: &[] })
    }

    /// Tells whether the algorithm is known and the key is there.
    pub fn is_known(&self) -> bool {
        !matches!(self.kind, KeyKind::Other(_))
    }

    /// Tells whether a SubjectPublicKeyInfo is followed by nothing.
    pub(crate) fn is_exact(spki: &[u8]) -> bool {
        let mut reader = Reader::new(spki);
        reader.expect(tag::SEQUENCE).is_ok() && reader.is_empty()
    }

    fn decode(spki: &'a [u8]) -> Option<Self> {
        let mut fields = Reader::enter(spki, tag::SEQUENCE).ok()?;
        let mut algorithm = Reader::new(fields.expect(tag::SEQUENCE).ok()?.value);
        let bits = bits(fields.expect(tag::BIT_STRING).ok()?.value).unwrap_or_default();
        let oid = algorithm.expect(tag::OID).ok()?.value;
        let parameters = algorithm.rest();
        let kind = match oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1] => {
                KeyKind::Rsa { bits: modulus(bits).map_or(0, bit_length) }
            }
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => {
                KeyKind::RsaPss { bits: modulus(bits).map_or(0, bit_length) }
            }
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1] => KeyKind::Ec(Curve::parse(parameters)),
            [0x2b, 0x65, 112] => KeyKind::Ed25519,
            [0x2b, 0x65, 113] => KeyKind::Ed448,
            [0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1] => {
                // Dss-Parms are a SEQUENCE that begins with the modulus, like an RSA key.
                KeyKind::Dsa { bits: modulus(parameters).map_or(0, bit_length) }
            }
            other => KeyKind::Other(oid_text(other)),
        };
        Some(Self { kind, bits })
    }
}

impl KeyKind {
    /// Tells the strength in bits against the best known attack (NIST SP 800-57 part 1) as
    /// OpenSSL's security levels count it; `None` if nothing is known of the key.
    pub fn security_bits(&self) -> Option<u32> {
        match self {
            Self::Rsa { bits } | Self::RsaPss { bits } | Self::Dsa { bits } => Some(match bits {
                // OpenSSL rounds: 80 bits begin well below 1024.
                0..920 => 0,
                920..2048 => 80,
                2048..3072 => 112,
                3072..7680 => 128,
                7680..15360 => 192,
                _ => 256,
            }),
            Self::Ec(Curve::P256) | Self::Ed25519 => Some(128),
            Self::Ec(Curve::P384) => Some(192),
            Self::Ec(Curve::P521) => Some(256),
            Self::Ed448 => Some(224),
            // The least of the other curves that anybody certifies.
            Self::Ec(Curve::Other(_)) => Some(80),
            Self::Other(_) => None,
        }
    }
}

impl Curve {
    fn parse(parameters: &[u8]) -> Self {
        let Ok(oid) = Reader::new(parameters).expect(tag::OID) else {
            return Self::Other(String::new());
        };
        match oid.value {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7] => Self::P256,
            [0x2b, 0x81, 4, 0, 34] => Self::P384,
            [0x2b, 0x81, 4, 0, 35] => Self::P521,
            [0x2b, 0x81, 4, 0, 10] => Self::Other("secp256k1".to_owned()),
            [0x2b, 0x24, 3, 3, 2, 8, 1, 1, 7] => Self::Other("brainpoolP256r1".to_owned()),
            [0x2b, 0x24, 3, 3, 2, 8, 1, 1, 11] => Self::Other("brainpoolP384r1".to_owned()),
            [0x2b, 0x24, 3, 3, 2, 8, 1, 1, 13] => Self::Other("brainpoolP512r1".to_owned()),
            other => Self::Other(oid_text(other)),
        }
    }
}

/// OpenSSL's name of the curve.
impl fmt::Display for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::P256 => "prime256v1",
            Self::P384 => "secp384r1",
            Self::P521 => "secp521r1",
            Self::Other(name) => name,
        })
    }
}

/// Finds the INTEGER that a SEQUENCE begins with, without its leading zeros.
pub(super) fn modulus(key: &[u8]) -> Option<&[u8]> {
    let integer = Reader::enter(key, tag::SEQUENCE).ok()?.expect(tag::INTEGER).ok()?.value;
    let zeros = integer.iter().take_while(|&&octet| octet == 0).count();
    integer.get(zeros..)
}

fn bit_length(number: &[u8]) -> usize {
    number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize)
}

/// The signature algorithm name and size that the reference prints for a key.
///
/// An RSA key counts as RSA-PSS, because only TLS 1.3 signatures are printed.
impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-PSS ({bits} bits)"),
            Self::RsaPss { .. } => f.write_str("RSASSA-PSS"),
            Self::Ec(curve) => write!(f, "ECDSA ({curve})"),
            Self::Ed25519 => f.write_str("ED25519"),
            Self::Ed448 => f.write_str("ED448"),
            Self::Dsa { bits } => write!(f, "DSA ({bits} bits)"),
            Self::Other(oid) => f.write_str(oid),
        }
    }
}
