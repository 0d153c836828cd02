//! Cipher suites: the names that people know them by, what they are made of, and what they are worth.
//!
//! `table` is made by `.ci/suites` from OpenSSL's list and what the IANA registry has; it says from where.

mod table;

use std::fmt;

use super::scout::Protocol;

pub use table::{OPENSSL, OTHERS};

/// A cipher suite.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suite {
    /// The IANA number.
    pub number: u16,
    /// The IANA name.
    pub iana: &'static str,
    /// OpenSSL's name, which the reference prints; the IANA name if it never had one.
    pub openssl: &'static str,
    /// How keys are exchanged.
    pub exchange: Exchange,
    /// How the server proves who it is.
    pub authentication: Authentication,
    /// How data are encrypted.
    pub encryption: Encryption,
    /// The key bits that are used, as OpenSSL counts them.
    pub bits: u16,
    /// The key bits that the algorithm has.
    pub algorithm_bits: u16,
    /// How data are authenticated.
    pub mac: Mac,
    /// The first protocol version that has the suite.
    pub since: Since,
    /// What the IANA registry says of it.
    pub registered: Registered,
}

/// The column "Recommended" of the IANA registry (RFC 9847 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Registered {
    /// Y: the IETF has consensus that it is recommended.
    Yes,
    /// N: nothing is said.
    No,
    /// D: discouraged.
    Discouraged,
    /// It was never registered.
    Unregistered,
}

impl Registered {
    /// Tells the letter in the registry.
    pub const fn letter(self) -> Option<&'static str> {
        match self {
            Self::Yes => Some("Y"),
            Self::No => Some("N"),
            Self::Discouraged => Some("D"),
            Self::Unregistered => None,
        }
    }
}

/// What identifies a suite is enough to see.
impl fmt::Debug for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, iana, openssl, bits, .. } = self;
        let mut suite = f.debug_struct("Suite");
        suite.field("number", number).field("iana", iana).field("openssl", openssl);
        suite.field("bits", bits).finish()
    }
}

/// How keys are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Exchange {
    /// Encrypted by the server's RSA key: no forward secrecy.
    Rsa,
    /// Diffie-Hellman by a key in the server's certificate.
    Dh,
    /// Ephemeral finite-field Diffie-Hellman.
    Dhe,
    /// Elliptic-curve Diffie-Hellman by the key of the server's certificate.
    Ecdh,
    /// Ephemeral elliptic-curve Diffie-Hellman.
    Ecdhe,
    /// A key shared before.
    Psk,
    /// A key shared before, and RSA.
    RsaPsk,
    /// A key shared before, and ephemeral Diffie-Hellman.
    DhePsk,
    /// A key shared before, and ephemeral elliptic-curve Diffie-Hellman.
    EcdhePsk,
    /// A password (RFC 5054).
    Srp,
    /// Kerberos (RFC 2712).
    Krb5,
    /// A password (RFC 8492), or J-PAKE.
    Pake,
    /// By the GOST key in the server's certificate (RFC 9189): no forward secrecy.
    Gost,
    /// Whatever group TLS 1.3 agrees on.
    Tls13,
}

/// How the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Authentication {
    /// Not at all.
    None,
    /// By an RSA key.
    Rsa,
    /// By a DSA key.
    Dss,
    /// By an ECDSA or EdDSA key.
    Ecdsa,
    /// By a key shared before.
    Psk,
    /// By a password.
    Srp,
    /// By Kerberos.
    Krb5,
    /// By a GOST key.
    Gost,
    /// By whatever key TLS 1.3 agrees on.
    Any,
}

/// How data are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Encryption {
    Null,
    Rc2,
    Rc4,
    Des,
    TripleDes,
    Idea,
    Seed,
    AesCbc,
    AesGcm,
    AesCcm,
    AesCcm8,
    AriaCbc,
    AriaGcm,
    CamelliaCbc,
    CamelliaGcm,
    ChaCha20,
    Aegis,
    Sm4Gcm,
    Sm4Ccm,
    Gost28147Cnt,
    KuznyechikCtr,
    KuznyechikMgm,
    MagmaCtr,
    MagmaMgm,
}

/// How data are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Mac {
    Aead,
    Md5,
    Sha1,
    Sha256,
    Sha384,
    GostImit,
    Gost3411,
    Omac,
}

/// A protocol version that brought suites.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "their names say it")]
pub enum Since {
    Ssl3,
    Tls10,
    Tls12,
    Tls13,
}

/// What RFC 9325 (BCP 195) says of a suite, and RFC 5246 of anonymous ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SuiteStatus {
    /// Recommended (section 4.2), or of TLS 1.3, whose suites it leaves as they are.
    Recommended,
    /// Nothing is said against it.
    Allowed,
    /// SHOULD NOT be negotiated.
    ShouldNot,
    /// MUST NOT be negotiated.
    MustNot,
}

impl Suite {
    /// Finds a suite by its IANA number.
    pub fn by_number(number: u16) -> Option<&'static Self> {
        OPENSSL.iter().chain(OTHERS).find(|suite| suite.number == number)
    }

    /// Finds a suite that OpenSSL has by the name that it has there.
    pub fn by_openssl_name(name: &str) -> Option<&'static Self> {
        OPENSSL.iter().find(|suite| suite.openssl == name)
    }

    /// Tells whether this program can complete a handshake with it.
    pub fn is_spoken(&self) -> bool {
        SUITES.contains(self)
    }

    /// Tells whether client and server need nothing in common beforehand.
    pub const fn needs_no_secret(&self) -> bool {
        use Exchange::{DhePsk, EcdhePsk, Krb5, Pake, Psk, RsaPsk, Srp};
        !matches!(self.exchange, Psk | RsaPsk | DhePsk | EcdhePsk | Srp | Krb5 | Pake)
    }

    /// Tells whether a protocol version has the suite.
    pub fn exists_in(&self, version: Protocol) -> bool {
        let since = match self.since {
            Since::Ssl3 => Protocol::SSL3,
            Since::Tls10 => Protocol::TLS10,
            Since::Tls12 => Protocol::TLS12,
            Since::Tls13 => return version == Protocol::TLS13,
        };
        since <= version && version < Protocol::TLS13
    }

    /// Tells whether the session's keys stay safe when the server's key is lost.
    pub const fn is_forward_secret(&self) -> bool {
        use Exchange::{Dhe, DhePsk, Ecdhe, EcdhePsk, Pake, Srp, Tls13};
        matches!(self.exchange, Dhe | DhePsk | Ecdhe | EcdhePsk | Srp | Pake | Tls13)
    }

    /// Tells whether it encrypts blocks in CBC mode.
    pub const fn is_cbc(&self) -> bool {
        use Encryption::{AesCbc, AriaCbc, CamelliaCbc, Des, Idea, Rc2, Seed, TripleDes};
        matches!(
            self.encryption,
            AesCbc | AriaCbc | CamelliaCbc | Des | Idea | Rc2 | Seed | TripleDes
        )
    }

    /// Tells whether it is one of the weakened suites for export (RFC 2246 appendix D).
    pub fn is_export(&self) -> bool {
        self.iana.contains("_EXPORT")
    }

    /// Tells what RFC 9325 says of it, with the sentence.
    pub fn status(&self) -> (SuiteStatus, &'static str) {
        use SuiteStatus::{Allowed, MustNot, Recommended, ShouldNot};
        if self.encryption == Encryption::Null {
            (MustNot, "MUST NOT negotiate the cipher suites with NULL encryption (RFC 9325, 4.1)")
        } else if self.encryption == Encryption::Rc4 {
            (MustNot, "MUST NOT negotiate RC4 cipher suites (RFC 9325, 4.1)")
        } else if self.bits < 112 {
            (
                MustNot,
                "MUST NOT negotiate cipher suites offering less than 112 bits (RFC 9325, 4.1)",
            )
        } else if self.authentication == Authentication::None {
            (ShouldNot, "open to whoever is in the middle; only on request (RFC 5246, A.5)")
        } else if self.exchange == Exchange::Rsa {
            (
                ShouldNot,
                "SHOULD NOT negotiate cipher suites based on RSA key transport (RFC 9325, 4.1)",
            )
        } else if matches!(self.exchange, Exchange::Dh | Exchange::Ecdh) {
            (
                ShouldNot,
                "SHOULD NOT negotiate non-ephemeral (static) Diffie-Hellman (RFC 9325, 4.1)",
            )
        } else if self.bits < 128 {
            (
                ShouldNot,
                "SHOULD NOT negotiate algorithms offering less than 128 bits (RFC 9325, 4.1)",
            )
        } else if self.exchange == Exchange::Dhe {
            (
                ShouldNot,
                "SHOULD NOT negotiate ephemeral finite-field Diffie-Hellman (RFC 9325, 4.1)",
            )
        } else if self.exchange == Exchange::Gost {
            (
                ShouldNot,
                "MUST support and prefer to negotiate suites offering forward secrecy (RFC 9325, 4.1)",
            )
        } else if self.number >> 8 == 0x13
            || self.exchange == Exchange::Ecdhe && self.encryption == Encryption::AesGcm
        {
            (Recommended, "")
        } else {
            (Allowed, "")
        }
    }

    const fn known(number: u16) -> Self {
        let mut at = 0;
        while OPENSSL[at].number != number {
            at += 1;
        }
        OPENSSL[at]
    }
}

/// The suites that exist here, in the order of the library's preference.
pub const SUITES: &[Suite] = &[
    Suite::known(0x1302),
    Suite::known(0x1303),
    Suite::known(0x1301),
    Suite::known(0xc02c),
    Suite::known(0xc030),
    Suite::known(0xcca9),
    Suite::known(0xcca8),
    Suite::known(0xc02b),
    Suite::known(0xc02f),
];

macro_rules! suites {
    ($(#[$doc:meta])* $list:ident $($number:literal $iana:literal $openssl:literal $exchange:ident
        $authentication:ident $encryption:ident $bits:literal $algorithm:literal $mac:ident
        $since:ident $registered:ident)*) => {
        $(#[$doc])*
        pub const $list: &[Suite] = &[$(Suite {
            number: $number,
            iana: $iana,
            openssl: $openssl,
            exchange: Exchange::$exchange,
            authentication: Authentication::$authentication,
            encryption: Encryption::$encryption,
            bits: $bits,
            algorithm_bits: $algorithm,
            mac: Mac::$mac,
            since: Since::$since,
            registered: Registered::$registered,
        },)*];
    };
}
use suites;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_names_are_unique_and_fit() {
        let all: Vec<_> = OPENSSL.iter().chain(OTHERS).collect();
        for (at, suite) in all.iter().enumerate() {
            let same = |other: &&&Suite| {
                other.number == suite.number
                    || other.iana == suite.iana
                    || other.openssl == suite.openssl
            };
            assert_eq!(all.iter().skip(at + 1).find(same), None, "{suite:?}");
            let Suite { iana, encryption, bits, algorithm_bits, .. } = **suite;
            assert!(bits <= algorithm_bits, "{iana}");
            // RFC 9150 has two that only authenticate.
            let is_null = iana.contains("_NULL") || suite.number >> 1 == 0xc0b4 >> 1;
            assert_eq!(is_null, encryption == Encryption::Null, "{iana}");
            assert_eq!(
                iana.contains("_GCM_"),
                format!("{encryption:?}").ends_with("Gcm"),
                "{iana}"
            );
            let is_anonymous = suite.authentication == Authentication::None;
            assert_eq!(iana.contains("_anon_"), is_anonymous, "{iana}");
            // Suites of TLS 1.3 leave the key exchange open; those of RFC 9367 kept an old name.
            let is_open = !iana.contains("_WITH_") || iana.contains("_MGM_");
            assert_eq!(is_open, suite.since == Since::Tls13, "{iana}");
            assert_eq!(suite.exchange == Exchange::Tls13, suite.since == Since::Tls13, "{iana}");
        }
        assert!(all.len() > 350);
    }

    #[test]
    fn the_registry_beside_rfc_9325() {
        use Registered::{Discouraged, No, Unregistered, Yes};
        let table = [
            (0x1301, Yes, SuiteStatus::Recommended),
            (0x1305, No, SuiteStatus::Recommended),
            (0xc02f, Yes, SuiteStatus::Recommended),
            (0xcca8, Yes, SuiteStatus::Allowed),
            // They do not agree on everything.
            (0x009e, Yes, SuiteStatus::ShouldNot),
            (0x002f, No, SuiteStatus::ShouldNot),
            (0xc011, Discouraged, SuiteStatus::MustNot),
            (0xc0b4, Discouraged, SuiteStatus::MustNot),
            // SM4 (RFC 8998), GOST (RFC 9189, RFC 9367, and what was before them).
            (0x00c6, No, SuiteStatus::Allowed),
            (0xc103, No, SuiteStatus::Allowed),
            (0xc100, No, SuiteStatus::ShouldNot),
            (0x0081, Unregistered, SuiteStatus::ShouldNot),
        ];
        for (number, registered, status) in table {
            let suite = Suite::by_number(number).unwrap();
            assert_eq!((suite.registered, suite.status().0), (registered, status), "{suite:?}");
        }
    }

    #[test]
    fn statuses() {
        use SuiteStatus::{Allowed, MustNot, Recommended, ShouldNot};
        let table = [
            (0x1301, Recommended),
            (0xc02f, Recommended),
            (0xcca8, Allowed),
            (0xc027, Allowed),
            (0x009f, ShouldNot),
            (0x002f, ShouldNot),
            (0xc012, ShouldNot),
            (0x0005, MustNot),
            (0x0003, MustNot),
            (0x003b, MustNot),
            (0x0034, ShouldNot),
        ];
        for (number, status) in table {
            let suite = Suite::by_number(number).unwrap();
            assert_eq!(suite.status().0, status, "{suite:?}");
        }
    }
}
