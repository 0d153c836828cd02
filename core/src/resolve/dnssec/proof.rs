//! Why an answer is secure, insecure or bogus, as data.

use std::fmt;

use domain::base::iana::ExtendedErrorCode;

use crate::resolve::RecordType;
use crate::resolve::error::DnsProblem;
use crate::resolve::extended::ExtendedError;

/// What validation found out about the answer to one question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The name that was asked for.
    pub name: String,
    /// What was asked for.
    pub record: RecordType,
    /// What the answer is worth.
    pub security: Security,
    /// The way from the trust anchor to the answer. The last step of a way that ended too early
    /// is what the security was decided by.
    pub steps: Vec<ChainStep>,
}

/// What an answer is worth (RFC 4033 section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Security {
    /// An unbroken chain of signatures leads to it.
    Secure,
    /// It is proven that no such chain can be expected.
    Insecure(Insecurity),
    /// There should be a chain, but it is broken.
    Bogus(Flaw),
}

/// Why no chain of trust can be expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Insecurity {
    /// No trust anchor is at or above the name.
    NoAnchor,
    /// The zone that delegates to this one says that it has no keys.
    Unsigned {
        /// The zone, or the name that may belong to a zone of its own (opt-out).
        zone: String,
    },
    /// The zone signs with nothing but algorithms that are unknown or given up.
    UnknownAlgorithms {
        /// The zone.
        zone: String,
    },
    /// The parent names keys of known algorithms, but only by digests that are unknown or given up.
    UnknownDigests {
        /// The zone.
        zone: String,
    },
    /// The denial comes from an NSEC3 record that leaves out unsigned zones (RFC 5155 section 9.2).
    OptOut {
        /// The zone.
        zone: String,
    },
    /// The zone hashes names more often than [`limits::NSEC3_ITERATIONS`](
    /// crate::limits::NSEC3_ITERATIONS) times (RFC 9276 section 3.2).
    Iterations {
        /// The zone.
        zone: String,
    },
    /// The name server leaves out DNSSEC records.
    Stripped,
}

/// What broke a chain of trust.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The records should be signed.
    NoSignature,
    /// The zone has no such key.
    NoKey {
        /// The key tag that the signature names.
        tag: u16,
        /// Its algorithm.
        algorithm: u8,
    },
    /// The signature is wrong.
    BadSignature {
        /// The key tag.
        tag: u16,
        /// The algorithm.
        algorithm: u8,
    },
    /// The signature is right, but it was valid only earlier, if this host's clock is right.
    Expired {
        /// The key tag.
        tag: u16,
        /// Until when, in seconds since 1970 modulo 2^32.
        expiration: u32,
    },
    /// The signature is right, but will be valid only later, if this host's clock is right.
    NotYetValid {
        /// The key tag.
        tag: u16,
        /// Since when, in seconds since 1970 modulo 2^32.
        inception: u32,
    },
    /// No key of the zone is one that its parent or the trust anchor names.
    NoMatchingKey {
        /// The zone.
        zone: String,
    },
    /// The signature names a signer that is no zone.
    NoSuchZone {
        /// The signer.
        signer: String,
    },
    /// It is not proven that there is no such record.
    NoDenial,
    /// It is not proven that the wildcard was the best match.
    NoWildcardProof,
    /// The alias is not the one that the DNAME record makes.
    WrongAlias,
    /// Records cannot be read.
    Malformed,
    /// A record that the chain needs could not be had.
    Unavailable {
        /// The name that was asked for.
        name: String,
        /// What was asked for.
        record: RecordType,
        /// Why there is none.
        problem: Box<DnsProblem>,
        /// What the name server said besides.
        extended: Vec<ExtendedError>,
    },
    /// Checking would take more work than an honest zone needs.
    TooMuchWork,
}

/// One step from a trust anchor towards an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainStep {
    /// Trust begins here.
    Anchor {
        /// The zone.
        zone: String,
    },
    /// The parent names a key of the zone.
    Ds {
        /// The zone.
        zone: String,
        /// The key tag.
        tag: u16,
        /// The key's algorithm.
        algorithm: u8,
        /// The digest's type.
        digest_type: u8,
        /// What makes it believed.
        by: SignedBy,
    },
    /// A zone's keys are known.
    Keys {
        /// The zone.
        zone: String,
        /// What makes them believed.
        by: SignedBy,
    },
    /// Records are signed.
    Records {
        /// Their owner.
        name: String,
        /// Their type.
        record: RecordType,
        /// What makes them believed.
        by: SignedBy,
    },
    /// That there are no such records is signed.
    Denial {
        /// The name.
        name: String,
        /// The type.
        record: RecordType,
        /// The zone that says so.
        zone: String,
    },
    /// Something about these records decides that the answer is not secure.
    Insecure {
        /// Their owner.
        name: String,
        /// Their type.
        record: RecordType,
        /// What.
        why: Insecurity,
    },
    /// The chain broke at these records.
    Broken {
        /// Their owner.
        name: String,
        /// Their type.
        record: RecordType,
        /// How.
        flaw: Flaw,
    },
}

/// A good signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedBy {
    /// The zone whose key made it.
    pub zone: String,
    /// The key tag.
    pub tag: u16,
    /// The algorithm.
    pub algorithm: u8,
    /// Since when it is valid, in seconds since 1970 modulo 2^32.
    pub inception: u32,
    /// Until when it is valid.
    pub expiration: u32,
}

impl Flaw {
    /// Tells which of several flaws says most.
    pub(super) fn weight(&self) -> u8 {
        match self {
            Self::NoSignature => 0,
            Self::NoKey { .. } => 1,
            Self::BadSignature { .. } => 2,
            Self::Expired { .. } | Self::NotYetValid { .. } => 3,
            Self::NoMatchingKey { .. }
            | Self::NoSuchZone { .. }
            | Self::NoDenial
            | Self::NoWildcardProof
            | Self::WrongAlias
            | Self::Malformed
            | Self::Unavailable { .. }
            | Self::TooMuchWork => 4,
        }
    }
}

impl Flaw {
    /// Tells the code that a resolver would send for it (RFC 8914 section 4).
    pub const fn code(&self) -> u16 {
        match self {
            Self::NoSignature => ExtendedErrorCode::RRSIGS_MISSING,
            Self::NoKey { .. } | Self::NoMatchingKey { .. } => ExtendedErrorCode::DNSKEY_MISSING,
            Self::Expired { .. } => ExtendedErrorCode::SIGNATURE_EXPIRED,
            Self::NotYetValid { .. } => ExtendedErrorCode::SIGNATURE_NOT_YET_VALID,
            Self::NoDenial | Self::NoWildcardProof => ExtendedErrorCode::NSEC_MISSING,
            // RFC 4035 section 4.3: records that the chain needs cannot be had.
            Self::Unavailable { .. } => ExtendedErrorCode::DNSSEC_INDETERMINATE,
            Self::BadSignature { .. }
            | Self::NoSuchZone { .. }
            | Self::WrongAlias
            | Self::Malformed
            | Self::TooMuchWork => ExtendedErrorCode::DNSSEC_BOGUS,
        }
        .to_int()
    }
}

impl Insecurity {
    /// Tells the code that a resolver would send for it (RFC 8914 section 4); `None` where there
    /// is nothing to complain about.
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::UnknownAlgorithms { .. } => {
                Some(ExtendedErrorCode::UNSUPPORTED_DNSKEY_ALGORITHM.to_int())
            }
            Self::UnknownDigests { .. } => {
                Some(ExtendedErrorCode::UNSUPPORTED_DS_DIGEST_TYPE.to_int())
            }
            Self::Iterations { .. } => {
                Some(ExtendedErrorCode::UNSUPPORTED_NSEC3_ITERATIONS_VALUE.to_int())
            }
            Self::NoAnchor | Self::Unsigned { .. } | Self::OptOut { .. } | Self::Stripped => None,
        }
    }
}

impl Proof {
    /// Tells in the words of RFC 8914 why the answer is not secure; `None` if it is, or if nothing
    /// is wrong with that.
    pub fn extended_error(&self) -> Option<ExtendedError> {
        let (code, text) = match &self.security {
            Security::Secure => return None,
            Security::Insecure(why) => (why.code()?, why.to_string()),
            Security::Bogus(flaw) => (flaw.code(), flaw.to_string()),
        };
        Some(ExtendedError { code, text })
    }

    /// Tells whether an unbroken chain of signatures leads to the answer.
    pub fn is_secure(&self) -> bool {
        self.security == Security::Secure
    }
}

impl Security {
    /// Tells whether the chain of trust is broken.
    pub fn is_bogus(&self) -> bool {
        matches!(self, Self::Bogus(_))
    }
}

impl fmt::Display for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secure => f.write_str("secure"),
            Self::Insecure(why) => write!(f, "insecure: {why}"),
            Self::Bogus(flaw) => write!(f, "bogus: {flaw}"),
        }
    }
}

impl fmt::Display for Insecurity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoAnchor => f.write_str("no trust anchor"),
            Self::Unsigned { zone } => write!(f, "{} is not signed", zone),
            Self::UnknownAlgorithms { zone } => {
                write!(f, "{} is signed only with unsupported algorithms", zone)
            }
            Self::UnknownDigests { zone } => {
                write!(f, "the keys of {zone} are named only by unsupported digests")
            }
            Self::OptOut { zone } => {
                write!(f, "denied by an opt-out NSEC3 record of {}", zone)
            }
            Self::Iterations { zone } => write!(f, "too many NSEC3 iterations in {}", zone),
            Self::Stripped => f.write_str("the name server leaves out DNSSEC records"),
        }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSignature => f.write_str("no signature"),
            Self::NoKey { tag, algorithm } => {
                write!(
                    f,
                    "signed by key {tag} ({}), which the zone does not have",
                    name(*algorithm)
                )
            }
            Self::BadSignature { tag, algorithm } => {
                write!(f, "bad signature by key {tag} ({})", name(*algorithm))
            }
            Self::Expired { tag, expiration } => {
                write!(f, "signature by key {tag} expired at {}", Time(*expiration))
            }
            Self::NotYetValid { tag, inception } => {
                write!(f, "signature by key {tag} is not valid before {}", Time(*inception))
            }
            Self::NoMatchingKey { zone } => {
                write!(f, "no key of {} is the one that is trusted", zone)
            }
            Self::NoSuchZone { signer } => {
                write!(f, "signed by {}, which is no zone", signer)
            }
            Self::NoDenial => f.write_str("no proof that the record does not exist"),
            Self::NoWildcardProof => f.write_str("no proof that the wildcard applies"),
            Self::WrongAlias => f.write_str("the alias is not what the DNAME record makes"),
            Self::Malformed => f.write_str("malformed records"),
            Self::Unavailable { name, record, problem, extended } => {
                write!(f, "cannot look up {record} of {name}: {problem}")?;
                extended.iter().try_for_each(|error| write!(f, "; {error}"))
            }
            Self::TooMuchWork => f.write_str("too many keys, signatures or hashes to check"),
        }
    }
}

impl fmt::Display for ChainStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Anchor { zone } => write!(f, "{} trust anchor", zone),
            Self::Ds { zone, tag, algorithm, digest_type, by } => write!(
                f,
                "{} DS: key {tag} ({}), digest type {digest_type}; {by}",
                zone,
                self::name(*algorithm),
            ),
            Self::Keys { zone, by } => write!(f, "{} DNSKEY: {by}", zone),
            Self::Records { name, record, by } => write!(f, "{} {record}: {by}", name),
            Self::Denial { name, record, zone } => {
                write!(f, "{} {record}: does not exist, says {}", name, zone)
            }
            Self::Insecure { name, record, why } => {
                write!(f, "{} {record}: insecure: {why}", name)
            }
            Self::Broken { name, record, flaw } => {
                write!(f, "{} {record}: bogus: {flaw}", name)
            }
        }
    }
}

impl fmt::Display for SignedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "signed by key {} ({}) of {} from {} to {}",
            self.tag,
            name(self.algorithm),
            self.zone,
            Time(self.inception),
            Time(self.expiration)
        )
    }
}

/// IANA's mnemonic of an algorithm.
fn name(algorithm: u8) -> &'static str {
    match algorithm {
        5 => "RSASHA1",
        7 => "RSASHA1-NSEC3-SHA1",
        8 => "RSASHA256",
        10 => "RSASHA512",
        13 => "ECDSAP256SHA256",
        14 => "ECDSAP384SHA384",
        15 => "ED25519",
        16 => "ED448",
        _ => "unknown algorithm",
    }
}

/// A time of RRSIG records in the form of zone files (RFC 4034 section 3.2).
struct Time(u32);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Days to a date after Howard Hinnant's civil_from_days; years 1970 to 2106.
        let (days, second) = (self.0 / 86_400, self.0 % 86_400);
        let days = days + 719_468;
        let (era, day_of_era) = (days / 146_097, days % 146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
        let month = (month_from_march + 2) % 12 + 1;
        let year = era * 400 + year_of_era + u32::from(month <= 2);
        let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
        write!(f, "{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
    }
}
