//! Message digests for fingerprints, by the names that OpenSSL knows.

use std::fmt;

use blake2::{Blake2b512, Blake2s256};
use md5::Md5;
use sha1::Sha1;
use sha2::{Sha224, Sha256, Sha384, Sha512, Sha512_224, Sha512_256};
use sha3::{Sha3_224, Sha3_256, Sha3_384, Sha3_512};

macro_rules! digests {
    ($($(#[doc = $doc:literal])+ $digest:ident = $hasher:ty, $octets:literal,
        $name:literal $(| $alias:literal)*;)*) => {
        /// A message digest algorithm.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Digest {
            $($(#[doc = $doc])+ $digest,)*
        }

        impl Digest {
            /// Finds a digest by any name that OpenSSL knows for it, in any case.
            pub fn by_name(name: &str) -> Option<Self> {
                const NAMES: &[(Digest, &[&str])] =
                    &[$((Digest::$digest, &[$name $(, $alias)*]),)*];
                NAMES
                    .iter()
                    .find(|(_, names)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
                    .map(|(digest, _)| *digest)
            }

            /// Tells how many octets it gives.
            pub const fn octets(self) -> usize {
                match self {
                    $(Self::$digest => $octets,)*
                }
            }

            /// Computes the digest of the concatenation of `parts`.
            pub fn of(self, parts: &[&[u8]]) -> Vec<u8> {
                match self {
                    $(Self::$digest => hash::<$hasher>(parts),)*
                }
            }
        }

        /// The name that is shortest to type.
        impl fmt::Display for Digest {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$digest => $name,)*
                })
            }
        }
    };
}

digests! {
    /// MD5 (RFC 1321); broken.
    Md5 = Md5, 16, "md5" | "ssl3-md5" | "rsa-md5" | "md5withrsaencryption";
    /// SHA-1 (FIPS 180-4); broken.
    Sha1 = Sha1, 20,
        "sha1" | "sha-1" | "ssl3-sha1" | "rsa-sha1" | "rsa-sha1-2" | "sha1withrsaencryption";
    /// SHA-224 (FIPS 180-4).
    Sha224 = Sha224, 28,
        "sha224" | "sha-224" | "sha2-224" | "rsa-sha224" | "sha224withrsaencryption";
    /// SHA-256 (FIPS 180-4).
    Sha256 = Sha256, 32,
        "sha256" | "sha-256" | "sha2-256" | "rsa-sha256" | "sha256withrsaencryption";
    /// SHA-384 (FIPS 180-4).
    Sha384 = Sha384, 48,
        "sha384" | "sha-384" | "sha2-384" | "rsa-sha384" | "sha384withrsaencryption";
    /// SHA-512 (FIPS 180-4).
    Sha512 = Sha512, 64,
        "sha512" | "sha-512" | "sha2-512" | "rsa-sha512" | "sha512withrsaencryption";
    /// SHA-512/224 (FIPS 180-4).
    Sha512t224 = Sha512_224, 28,
        "sha512-224" | "sha-512/224" | "sha2-512/224" | "rsa-sha512/224"
        | "sha512-224withrsaencryption";
    /// SHA-512/256 (FIPS 180-4).
    Sha512t256 = Sha512_256, 32,
        "sha512-256" | "sha-512/256" | "sha2-512/256" | "rsa-sha512/256"
        | "sha512-256withrsaencryption";
    /// SHA3-224 (FIPS 202).
    Sha3t224 = Sha3_224, 28, "sha3-224" | "rsa-sha3-224";
    /// SHA3-256 (FIPS 202).
    Sha3t256 = Sha3_256, 32, "sha3-256" | "rsa-sha3-256";
    /// SHA3-384 (FIPS 202).
    Sha3t384 = Sha3_384, 48, "sha3-384" | "rsa-sha3-384";
    /// SHA3-512 (FIPS 202).
    Sha3t512 = Sha3_512, 64, "sha3-512" | "rsa-sha3-512";
    /// BLAKE2b with 64 octets (RFC 7693).
    Blake2b512 = Blake2b512, 64, "blake2b512" | "blake2b-512";
    /// BLAKE2s with 32 octets (RFC 7693).
    Blake2s256 = Blake2s256, 32, "blake2s256" | "blake2s-256";
}

fn hash<H: sha2::Digest>(parts: &[&[u8]]) -> Vec<u8> {
    let mut hasher = H::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first octets that `printf abc | openssl dgst -NAME` gives.
    #[test]
    fn agrees_with_openssl() {
        for (name, octets, first) in [
            ("MD5", 16, 0x9001_5098_u32),
            ("sha1", 20, 0xa999_3e36),
            ("SHA2-224", 28, 0x2309_7d22),
            ("SHA256", 32, 0xba78_16bf),
            ("sha384", 48, 0xcb00_753f),
            ("RSA-SHA512", 64, 0xddaf_35a1),
            ("sha512-224", 28, 0x4634_270f),
            ("SHA-512/256", 32, 0x5304_8e26),
            ("sha3-224", 28, 0xe642_824c),
            ("sha3-256", 32, 0x3a98_5da7),
            ("SHA3-384", 48, 0xec01_4982),
            ("sha3-512", 64, 0xb751_850b),
            ("BLAKE2b512", 64, 0xba80_a53f),
            ("blake2s-256", 32, 0x508c_5e8c),
        ] {
            let digest = Digest::by_name(name).unwrap();
            let value = digest.of(&[b"a", b"bc"]);
            assert_eq!((value.len(), digest.octets()), (octets, octets), "{name}");
            assert_eq!(value[..4], first.to_be_bytes(), "{name}");
        }
        assert_eq!(Digest::by_name("sha257"), None);
    }
}
