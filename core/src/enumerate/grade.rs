//! What was found, held against RFC 9325 (BCP 195) and RFC 8996.

use crate::cert::{Certificate, KeyKind, Seconds};
use crate::time::WallTime;
use crate::tls::scout::{Protocol, group_bits};
use crate::tls::{Suite, SuiteStatus};

use super::Enumeration;

/// How bad something is, in the words of RFC 2119.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It should not be.
    ShouldNot,
    /// It must not be.
    MustNot,
}

/// What a finding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A protocol version that is spoken.
    Spoken(Protocol),
    /// A protocol version that is missing.
    Missing(Protocol),
    /// Cipher suites by IANA number, in the order in which they were found; each once.
    Suites(Vec<u16>),
    /// The size of the prime of finite-field Diffie-Hellman.
    DhBits(usize),
    /// Groups by IANA number.
    Groups(Vec<u16>),
    /// Signature schemes by IANA number.
    Schemes(Vec<u16>),
    /// TLS compression.
    Compression,
    /// No secure renegotiation.
    NoSecureRenegotiation,
    /// No extended master secret.
    NoExtendedMasterSecret,
    /// No suite with forward secrecy.
    NoForwardSecrecy,
    /// The bits of an RSA key in a certificate.
    RsaKey(usize),
    /// A certificate that has expired.
    Expired,
}

/// Something that is not as the standards want it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What it is about.
    pub subject: Subject,
    /// The sentence that applies, and where it stands.
    pub sentence: &'static str,
}

/// Grades what was found; the worst first.
pub fn grade(found: &Enumeration, now: WallTime) -> Vec<Finding> {
    use Severity::{MustNot, ShouldNot};
    let mut findings = Vec::new();
    let mut add = |severity, subject, sentence| {
        findings.push(Finding { severity, subject, sentence });
    };
    let speaks = |version| found.version(version).is_some_and(|facts| !facts.suites.is_empty());
    let old = [
        (Protocol::SSL3, "Implementations MUST NOT negotiate SSL version 3 (RFC 9325, 3.1.1)"),
        (Protocol::TLS10, "TLS 1.0 MUST NOT be used (RFC 8996, 4)"),
        (Protocol::TLS11, "TLS 1.1 MUST NOT be used (RFC 8996, 5)"),
    ];
    for (version, sentence) in old {
        if speaks(version) {
            add(MustNot, Subject::Spoken(version), sentence);
        }
    }
    if !speaks(Protocol::TLS12) && found.versions.iter().any(|facts| !facts.suites.is_empty()) {
        let sentence = "Implementations MUST support TLS 1.2 (RFC 9325, 3.1.1)";
        add(MustNot, Subject::Missing(Protocol::TLS12), sentence);
    }
    if speaks(Protocol::TLS12) && !speaks(Protocol::TLS13) {
        let sentence = "Implementations SHOULD support TLS 1.3 (RFC 9325, 3.1.1)";
        add(ShouldNot, Subject::Missing(Protocol::TLS13), sentence);
    }
    let mut suites: Vec<&'static Suite> = Vec::new();
    for number in found.versions.iter().flat_map(|facts| &facts.suites) {
        if let Some(suite) = Suite::by_number(*number).filter(|suite| !suites.contains(suite)) {
            suites.push(suite);
        }
    }
    let mut sentences: Vec<(SuiteStatus, &'static str)> =
        suites.iter().map(|suite| suite.status()).collect();
    sentences.sort_unstable();
    sentences.dedup();
    for (status, sentence) in sentences.into_iter().rev() {
        let severity = match status {
            SuiteStatus::MustNot => MustNot,
            SuiteStatus::ShouldNot => ShouldNot,
            SuiteStatus::Recommended | SuiteStatus::Allowed => continue,
        };
        let such = suites.iter().filter(|suite| suite.status().1 == sentence);
        add(severity, Subject::Suites(such.map(|suite| suite.number).collect()), sentence);
    }
    if !suites.is_empty() && !suites.iter().any(|suite| suite.is_forward_secret()) {
        let sentence =
            "MUST support and prefer to negotiate suites offering forward secrecy (RFC 9325, 4.1)";
        add(MustNot, Subject::NoForwardSecrecy, sentence);
    }
    if let Some(bits) = found.versions.iter().filter_map(|facts| facts.dh_bits).min()
        && bits < 2048
    {
        let sentence = "DH key lengths of at least 2048 bits are REQUIRED (RFC 9325, 4.5)";
        add(MustNot, Subject::DhBits(bits), sentence);
    }
    let small = |group: &&u16| group_bits(**group).is_some_and(|bits| bits < 224);
    let mut groups: Vec<u16> =
        found.versions.iter().flat_map(|facts| &facts.groups).filter(small).copied().collect();
    groups.dedup();
    if !groups.is_empty() {
        let sentence = "Curves of less than 224 bits MUST NOT be used (RFC 9325, 4.5)";
        add(MustNot, Subject::Groups(groups), sentence);
    }
    // By the hash of the pair (RFC 5246 section 7.4.1.4.1).
    let weak = |scheme: &&u16| matches!(**scheme >> 8, 1 | 2);
    let schemes: Vec<u16> =
        found.versions.iter().flat_map(|facts| &facts.schemes).filter(weak).copied().collect();
    if !schemes.is_empty() {
        let sentence = "SHA-1 or MD5 MUST NOT be used (RFC 9155, 5; RFC 9325, 4.5)";
        add(MustNot, Subject::Schemes(schemes), sentence);
    }
    let accepted = &found.accepted;
    if accepted.compression == Some(true) {
        let sentence = "SHOULD NOT support TLS-level compression (RFC 9325, 3.3)";
        add(ShouldNot, Subject::Compression, sentence);
    }
    if accepted.secure_renegotiation == Some(false) {
        let sentence = "MUST implement the renegotiation_info extension (RFC 9325, 3.5)";
        add(MustNot, Subject::NoSecureRenegotiation, sentence);
    }
    if accepted.extended_master_secret == Some(false) {
        let sentence = "MUST support the extended_master_secret extension (RFC 9325, 3.5)";
        add(MustNot, Subject::NoExtendedMasterSecret, sentence);
    }
    for own in found.chains.iter().filter_map(|chain| chain.first()) {
        let Ok(certificate) = Certificate::parse(own.clone()) else { continue };
        if let KeyKind::Rsa { bits } = certificate.public_key().kind
            && bits < 2048
        {
            let sentence = "certificates with at least a 2048-bit modulus (RFC 9325, 4.5)";
            add(MustNot, Subject::RsaKey(bits), sentence);
        }
        if certificate.validity().not_after.is_some_and(|end| end < Seconds::from(now)) {
            add(MustNot, Subject::Expired, "MUST be valid at the time (RFC 5280, 6.1.3)");
        }
    }
    findings.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    findings
}
