//! Signatures of certificates and of TLS handshakes, verified over raw keys.

use std::fmt;

use aws_lc_rs::signature::{self as lc, RsaParameters, RsaPssSaltLength, VerificationAlgorithm};

use super::der::{Reader, oid_text, tag};
use super::key::{Curve, KeyKind, PublicKey};
use super::weak_rsa;
use crate::report::TlsVersion;

/// The algorithm of a signature on a certificate (RFC 5280 section 4.1.1.2).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureAlgorithm {
    /// RSASSA-PKCS1-v1_5 (RFC 8017 section 8.2).
    RsaPkcs1(Hash),
    /// RSASSA-PSS (RFC 8017 section 8.1) with MGF1 over the same hash.
    RsaPss {
        /// The hash.
        hash: Hash,
        /// Octets of salt.
        salt: u16,
    },
    /// ECDSA (RFC 5758 section 3.2), on whatever curve the key has.
    Ecdsa(Hash),
    /// Ed25519 (RFC 8410).
    Ed25519,
    /// Ed448 (RFC 8410).
    Ed448,
    /// Another algorithm, or unusual parameters, by its object identifier.
    Other(String),
}

/// Hash functions that signatures use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hash {
    /// MD5; broken.
    Md5,
    /// SHA-1; broken.
    Sha1,
    /// SHA-224.
    Sha224,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
}

impl Hash {
    /// Tells the length of its output.
    pub const fn octets(self) -> u16 {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha224 => 28,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Tells the strength in bits against collisions as OpenSSL's security levels count it.
    pub const fn security_bits(self) -> u32 {
        match self {
            Self::Md5 => 39,
            Self::Sha1 => 63,
            Self::Sha224 => 112,
            Self::Sha256 => 128,
            Self::Sha384 => 192,
            Self::Sha512 => 256,
        }
    }
}

/// OpenSSL's name.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Md5 => "MD5",
            Self::Sha1 => "SHA1",
            Self::Sha224 => "SHA224",
            Self::Sha256 => "SHA256",
            Self::Sha384 => "SHA384",
            Self::Sha512 => "SHA512",
        })
    }
}

/// Why a signature was not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureError {
    /// The signature is wrong, or the key itself is malformed.
    BadSignature,
    /// The key is of a kind or size that cannot be used here.
    UnsupportedKey,
    /// The algorithm or scheme is not known here, or not allowed in this protocol version.
    UnsupportedScheme,
    /// The key cannot make signatures of this algorithm.
    WrongKeyType,
}

impl fmt::Display for SignatureError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BadSignature => "bad signature",
            Self::UnsupportedKey => "unsupported key",
            Self::UnsupportedScheme => "unsupported signature algorithm",
            Self::WrongKeyType => "key does not fit the signature algorithm",
        })
    }
}

impl std::error::Error for SignatureError {}

impl SignatureAlgorithm {
    /// Decodes an AlgorithmIdentifier.
    pub fn parse(algorithm: &[u8]) -> Self {
        let Ok(mut fields) = Reader::enter(algorithm, tag::SEQUENCE) else {
            return Self::Other(String::new());
        };
        let Ok(oid) = fields.expect(tag::OID) else { return Self::Other(String::new()) };
        match oid.value {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 4] => Self::RsaPkcs1(Hash::Md5),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 5] => Self::RsaPkcs1(Hash::Sha1),
            // sha1WithRSASignature of the OSI Implementers' Workshop.
            [0x2b, 0x0e, 3, 2, 29] => Self::RsaPkcs1(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11] => Self::RsaPkcs1(Hash::Sha256),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12] => Self::RsaPkcs1(Hash::Sha384),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13] => Self::RsaPkcs1(Hash::Sha512),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 14] => Self::RsaPkcs1(Hash::Sha224),
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10] => {
                Self::pss(fields.rest()).unwrap_or_else(|| Self::Other(oid_text(oid.value)))
            }
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1] => Self::Ecdsa(Hash::Sha1),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 1] => Self::Ecdsa(Hash::Sha224),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2] => Self::Ecdsa(Hash::Sha256),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3] => Self::Ecdsa(Hash::Sha384),
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 4] => Self::Ecdsa(Hash::Sha512),
            [0x2b, 0x65, 112] => Self::Ed25519,
            [0x2b, 0x65, 113] => Self::Ed448,
            other => Self::Other(oid_text(other)),
        }
    }

    /// Decodes RSASSA-PSS-params (RFC 4055 section 3.1), whose defaults are SHA-1 and 20.
    fn pss(parameters: &[u8]) -> Option<Self> {
        let mut hash = Hash::Sha1;
        let mut mask_hash = Hash::Sha1;
        let mut salt = 20;
        if !parameters.is_empty() {
            for field in Reader::enter(parameters, tag::SEQUENCE).ok()? {
                match field.tag {
                    0xa0 => hash = hash_of(field.value)?,
                    0xa1 => {
                        let mut mask = Reader::enter(field.value, tag::SEQUENCE).ok()?;
                        if mask.expect(tag::OID).ok()?.value != MGF1 {
                            return None;
                        }
                        mask_hash = hash_of(mask.rest())?;
                    }
                    0xa2 => {
                        let integer = Reader::enter(field.value, tag::INTEGER).ok()?;
                        salt = match *integer.rest() {
                            [low] => u16::from(low),
                            [high, low] => u16::from_be_bytes([high, low]),
                            _ => return None,
                        };
                    }
                    _ => {}
                }
            }
        }
        (hash == mask_hash).then_some(Self::RsaPss { hash, salt })
    }

    /// Tells whether a key of this kind can make such signatures at all.
    pub fn fits(&self, key: &KeyKind) -> bool {
        match (self, key) {
            (Self::RsaPkcs1(_), KeyKind::Rsa { .. })
            | (Self::RsaPss { .. }, KeyKind::Rsa { .. } | KeyKind::RsaPss { .. })
            | (Self::Ecdsa(_), KeyKind::Ec(_))
            | (Self::Ed25519, KeyKind::Ed25519)
            | (Self::Ed448, KeyKind::Ed448) => true,
            // Algorithms known by OpenSSL: others of PKCS #1, DSA, and all with SHA-3.
            (Self::Other(oid), KeyKind::Rsa { .. } | KeyKind::RsaPss { .. }) => {
                oid.starts_with("1.2.840.113549.1.1.") || oid.starts_with("2.16.840.1.101.3.4.3.")
            }
            (Self::Other(oid), KeyKind::Dsa { .. } | KeyKind::Ec(_)) => {
                oid.starts_with("1.2.840.10040.4.") || oid.starts_with("2.16.840.1.101.3.4.3.")
            }
            _ => false,
        }
    }

    /// Tells the strength in bits of the hash; `None` if nothing is known of the algorithm.
    pub const fn security_bits(&self) -> Option<u32> {
        match self {
            Self::RsaPkcs1(hash) | Self::Ecdsa(hash) | Self::RsaPss { hash, .. } => {
                Some(hash.security_bits())
            }
            Self::Ed25519 => Some(128),
            Self::Ed448 => Some(224),
            Self::Other(_) => None,
        }
    }

    /// Verifies a signature over `message` by the key of `spki`.
    ///
    /// # Errors
    /// See [`SignatureError`].
    pub fn verify(
        &self,
        spki: &[u8],
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        self.verify_by(&PublicKey::parse(spki), message, signature)
    }

    fn verify_by(
        &self,
        key: &PublicKey<'_>,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        use Hash::{Md5, Sha1, Sha224, Sha256, Sha384, Sha512};
        let rsa = |algorithm: &RsaParameters| accept(algorithm, key, message, signature);
        match (self, &key.kind) {
            (Self::RsaPkcs1(hash), &KeyKind::Rsa { bits }) => match (hash, bits) {
                (_, 8193..) => Err(SignatureError::UnsupportedKey),
                (Sha1, 1024..) => rsa(&lc::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY),
                (Sha256, 1024..) => rsa(&lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
                (Sha384, 2048..) => rsa(&lc::RSA_PKCS1_2048_8192_SHA384),
                (Sha512, 1024..) => rsa(&lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
                (hash, _) => weak_rsa::verify_pkcs1(*hash, key.bits, message, signature),
            },
            (Self::RsaPss { hash, salt }, &KeyKind::Rsa { bits } | &KeyKind::RsaPss { bits }) => {
                let salted = |algorithm: RsaParameters| {
                    rsa(&algorithm.with_pss_salt_length(RsaPssSaltLength::Custom(*salt)))
                };
                match (hash, bits) {
                    (_, 8193..) => Err(SignatureError::UnsupportedKey),
                    (Sha256, 2048..) => salted(lc::RSA_PSS_2048_8192_SHA256),
                    (Sha384, 2048..) => salted(lc::RSA_PSS_2048_8192_SHA384),
                    (Sha512, 2048..) => salted(lc::RSA_PSS_2048_8192_SHA512),
                    (hash, _) => weak_rsa::verify_pss(*hash, *salt, key.bits, message, signature),
                }
            }
            (Self::Ecdsa(hash), KeyKind::Ec(curve)) => {
                let algorithm = match (curve, hash) {
                    (Curve::P256, Sha1) => &lc::ECDSA_P256_SHA1_ASN1,
                    (Curve::P256, Sha256) => &lc::ECDSA_P256_SHA256_ASN1,
                    (Curve::P256, Sha384) => &lc::ECDSA_P256_SHA384_ASN1,
                    (Curve::P256, Sha512) => &lc::ECDSA_P256_SHA512_ASN1,
                    (Curve::P384, Sha256) => &lc::ECDSA_P384_SHA256_ASN1,
                    (Curve::P384, Sha384) => &lc::ECDSA_P384_SHA384_ASN1,
                    (Curve::P384, Sha512) => &lc::ECDSA_P384_SHA512_ASN1,
                    (Curve::P521, Sha1) => &lc::ECDSA_P521_SHA1_ASN1,
                    (Curve::P521, Sha224) => &lc::ECDSA_P521_SHA224_ASN1,
                    (Curve::P521, Sha256) => &lc::ECDSA_P521_SHA256_ASN1,
                    (Curve::P521, Sha384) => &lc::ECDSA_P521_SHA384_ASN1,
                    (Curve::P521, Sha512) => &lc::ECDSA_P521_SHA512_ASN1,
                    (Curve::Other(_), _) => return Err(SignatureError::UnsupportedKey),
                    (_, Md5 | Sha1 | Sha224) => return Err(SignatureError::UnsupportedScheme),
                };
                accept(algorithm, key, message, signature)
            }
            (Self::Ed25519, KeyKind::Ed25519) => accept(&lc::ED25519, key, message, signature),
            (Self::Ed448, KeyKind::Ed448) => Err(SignatureError::UnsupportedKey),
            (Self::Other(_), _) => Err(SignatureError::UnsupportedScheme),
            _ => Err(SignatureError::WrongKeyType),
        }
    }
}

fn accept(
    algorithm: &dyn VerificationAlgorithm,
    key: &PublicKey<'_>,
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    algorithm.verify_sig(key.bits, message, signature).map_err(|_| SignatureError::BadSignature)
}

/// The OBJECT IDENTIFIER of id-mgf1 (RFC 8017 appendix B.2.1).
const MGF1: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 8];

fn hash_of(algorithm: &[u8]) -> Option<Hash> {
    let oid = Reader::enter(algorithm, tag::SEQUENCE).ok()?.expect(tag::OID).ok()?;
    match oid.value {
        [0x2b, 0x0e, 3, 2, 26] => Some(Hash::Sha1),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1] => Some(Hash::Sha256),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2] => Some(Hash::Sha384),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3] => Some(Hash::Sha512),
        [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 4] => Some(Hash::Sha224),
        _ => None,
    }
}

/// The SignatureSchemes (RFC 8446 section 4.2.3) that [`verify_handshake`] knows for TLS 1.2, the
/// strongest first and those with SHA-1 last.
pub const TLS12_SCHEMES: &[u16] = &[
    0x0403, 0x0503, 0x0603, 0x0807, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806, 0x0401, 0x0501,
    0x0601, 0x0203, 0x0201,
];

/// The SignatureSchemes that [`verify_handshake`] knows for TLS 1.3, which has neither PKCS #1
/// version 1.5 nor SHA-1 in handshakes (RFC 8446 section 4.2.3).
pub const TLS13_SCHEMES: &[u16] =
    &[0x0403, 0x0503, 0x0603, 0x0807, 0x0809, 0x080a, 0x080b, 0x0804, 0x0805, 0x0806];

/// Tells the hash of a SignatureScheme; `None` for Ed25519, Ed448 and unknown ones.
pub const fn scheme_hash(scheme: u16) -> Option<Hash> {
    match scheme {
        0x0201 | 0x0203 => Some(Hash::Sha1),
        0x0401 | 0x0403 | 0x0804 | 0x0809 => Some(Hash::Sha256),
        0x0501 | 0x0503 | 0x0805 | 0x080a => Some(Hash::Sha384),
        0x0601 | 0x0603 | 0x0806 | 0x080b => Some(Hash::Sha512),
        _ => None,
    }
}

/// Verifies the signature of a TLS handshake by the key of `spki`; `scheme` is the number of the
/// SignatureScheme that the peer chose.
///
/// # Errors
/// See [`SignatureError`].
pub fn verify_handshake(
    scheme: u16,
    version: TlsVersion,
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let schemes = match version {
        TlsVersion::Tls12 => TLS12_SCHEMES,
        TlsVersion::Tls13 => TLS13_SCHEMES,
    };
    if !schemes.contains(&scheme) {
        return Err(SignatureError::UnsupportedScheme);
    }
    let key = PublicKey::parse(spki);
    let (algorithm, fits) = match (scheme, scheme_hash(scheme)) {
        (0x0201 | 0x0401 | 0x0501 | 0x0601, Some(hash)) => {
            (SignatureAlgorithm::RsaPkcs1(hash), matches!(key.kind, KeyKind::Rsa { .. }))
        }
        // The salt is as long as the hash (RFC 8446 section 4.2.3).
        (0x0804..=0x0806, Some(hash)) => (
            SignatureAlgorithm::RsaPss { hash, salt: hash.octets() },
            matches!(key.kind, KeyKind::Rsa { .. }),
        ),
        (0x0809..=0x080b, Some(hash)) => (
            SignatureAlgorithm::RsaPss { hash, salt: hash.octets() },
            matches!(key.kind, KeyKind::RsaPss { .. }),
        ),
        // TLS 1.3 binds the curve to the scheme, TLS 1.2 does not (RFC 8446 section 4.2.3).
        (_, Some(hash)) => {
            let bound = match hash {
                Hash::Sha256 => Some(Curve::P256),
                Hash::Sha384 => Some(Curve::P384),
                Hash::Sha512 => Some(Curve::P521),
                Hash::Md5 | Hash::Sha1 | Hash::Sha224 => None,
            };
            let fits = match (&key.kind, version) {
                (KeyKind::Ec(_), TlsVersion::Tls12) => true,
                (KeyKind::Ec(curve), TlsVersion::Tls13) => bound.as_ref() == Some(curve),
                _ => false,
            };
            (SignatureAlgorithm::Ecdsa(hash), fits)
        }
        (_, None) => (SignatureAlgorithm::Ed25519, key.kind == KeyKind::Ed25519),
    };
    if !fits {
        return Err(SignatureError::WrongKeyType);
    }
    algorithm.verify_by(&key, message, signature)
}

/// Verifies the signature of a ServerKeyExchange by the key of `spki`, as old as it may be.
/// `scheme` is that of TLS 1.2, where pairs with MD5 and SHA-224 count too; before that there was none,
/// and the key says how it signs (RFC 4346 section 7.4.3).
///
/// # Errors
/// See [`SignatureError`].
pub(crate) fn verify_key_exchange(
    scheme: Option<u16>,
    spki: &[u8],
    message: &[u8],
    signature: &[u8],
) -> Result<(), SignatureError> {
    let key = PublicKey::parse(spki);
    let algorithm = match (scheme, &key.kind) {
        (None, KeyKind::Rsa { .. }) => {
            return weak_rsa::verify_md5_sha1(key.bits, message, signature);
        }
        (None, KeyKind::Ec(_)) => SignatureAlgorithm::Ecdsa(Hash::Sha1),
        (None, _) => return Err(SignatureError::UnsupportedKey),
        (Some(0x0101), _) => SignatureAlgorithm::RsaPkcs1(Hash::Md5),
        (Some(0x0301), _) => SignatureAlgorithm::RsaPkcs1(Hash::Sha224),
        (Some(0x0303), _) => SignatureAlgorithm::Ecdsa(Hash::Sha224),
        (Some(scheme), _) => {
            return verify_handshake(scheme, TlsVersion::Tls12, spki, message, signature);
        }
    };
    algorithm.verify_by(&key, message, signature)
}
