//! What a judge says.

use std::fmt;

use bytes::Bytes;

use super::error::VerifyError;
use super::names::NameProblem;
use crate::cert::{Name, TextProblem};
use crate::config::Level;
use crate::resolve::Tlsa;

/// Whether a server satisfies a policy, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The word of the summary line.
    pub status: Status,
    /// The level that was applied. It is lower than the one asked for if all TLSA records are
    /// unusable (RFC 7672 section 2.2).
    pub level: Level,
    /// The policy is satisfied; at level half-dane too, where the status is only Trusted.
    pub satisfied: bool,
    /// What is wrong with the certificates; of several things the one that the reference reports.
    pub reason: Option<Reason>,
    /// The name in the certificate that fits, in its own spelling.
    pub peername: Option<String>,
    /// The record, fingerprint or trust anchor that matched.
    pub matched: Option<Match>,
    /// TLSA records, or fingerprints and anchors as such, that cannot be used, the last one first
    /// as the reference tells them.
    pub unusable: Vec<Tlsa>,
    /// There were some, and none can be used.
    pub all_unusable: bool,
    /// Match rules that cannot be used.
    pub name_problems: Vec<NameProblem>,
    /// There were match rules, and none can be used: the policy cannot be satisfied.
    pub no_names: bool,
    /// The steps of verification in order.
    pub steps: Vec<Step>,
    /// Who the server says it is; `None` if it showed no certificate.
    pub peer: Option<PeerIdentity>,
}

impl Verdict {
    /// Makes a verdict without particulars.
    pub const fn new(status: Status, level: Level) -> Self {
        Self {
            status,
            level,
            satisfied: false,
            reason: None,
            peername: None,
            matched: None,
            unusable: Vec::new(),
            all_unusable: false,
            name_problems: Vec::new(),
            no_names: false,
            steps: Vec::new(),
            peer: None,
        }
    }
}

/// The status words of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// The server showed no certificate and no key.
    Anonymous,
    /// Nothing vouches for the server.
    Untrusted,
    /// The chain is trusted, the policy is not satisfied by that alone.
    Trusted,
    /// The server satisfies the policy.
    Verified,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "Anonymous",
            Self::Untrusted => "Untrusted",
            Self::Trusted => "Trusted",
            Self::Verified => "Verified",
        })
    }
}

/// What is wrong with a certificate of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// What.
    pub error: VerifyError,
    /// Which certificate: 0 is the server's own.
    pub depth: usize,
    /// Who issued that certificate; `None` for a raw public key.
    pub issuer: Option<Name>,
}

/// What matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// A TLSA record of usage DANE-EE: the server's certificate or its key.
    DaneEe(Tlsa),
    /// A TLSA record of usage DANE-TA: the certificate at this depth.
    DaneTa(usize, Tlsa),
    /// A TLSA record `2 1 0`: its key signed the certificate at this depth.
    DaneTaKey(usize, Tlsa),
    /// A TLSA record `3 1 x`: the server's raw public key (RFC 7250).
    RawKey(Tlsa),
    /// A fingerprint of the server's certificate or key.
    Fingerprint(Bytes),
    /// A trust anchor: the certificate at this depth, or the key that signed it.
    Anchor(usize),
}

/// A step of verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Which certificate.
    pub depth: usize,
    /// What is wrong with it, or that all about it was looked at.
    pub result: Result<(), VerifyError>,
    /// Its subject; `None` for a raw public key.
    pub subject: Option<Name>,
}

/// Who a server says it is, with the fingerprints of that.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerIdentity {
    /// The first common name of the subject, else the name that fits, else nothing.
    pub subject: String,
    /// The first common name of the issuer, else its organization, else nothing.
    pub issuer: String,
    /// Why names that are there are not told.
    pub problems: Vec<(PeerName, TextProblem)>,
    /// The digest of the certificate; `None` for a raw public key.
    pub certificate: Option<Vec<u8>>,
    /// The digest of the SubjectPublicKeyInfo.
    pub key: Vec<u8>,
}

/// A name of a [`PeerIdentity`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerName {
    /// The common name of the subject.
    SubjectCommonName,
    /// The common name of the issuer.
    IssuerCommonName,
    /// The organization of the issuer.
    IssuerOrganization,
}
