//! What a session or a whole run comes to, in one word.

use std::fmt;

use super::{Status, Verdict, VerifyError};
use crate::config::{Level, ServerCertificates};
use crate::enumerate::{Enumeration, Finding, Severity};
use crate::report::{Outcome, Report, Scope, Session, Step, StepProblem};
use crate::resolve::{DnsProblem, HostFacts, LookupError, TlsaFacts};

/// What a session or a run comes to, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Conclusion {
    /// The server does what the policy demands.
    Satisfied,
    /// There was a session, and the server does not do what the policy demands.
    NotSatisfied,
    /// TLS was wanted, and the server does not offer it or refuses it.
    NoStartTls,
    /// The TLS handshake failed.
    HandshakeFailed,
    /// There was no connection, or no dialogue up to its end.
    NoDialogue,
    /// The servers could not be found, or what is demanded of them.
    LookupFailed,
}

/// The result types of TLS reports (RFC 8460 section 4.3) that a probe can find.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResultType {
    /// The server does not support STARTTLS.
    StartTlsNotSupported,
    /// No name in the certificate fits.
    CertificateHostMismatch,
    /// A certificate has expired.
    CertificateExpired,
    /// Nothing vouches for the certificate.
    CertificateNotTrusted,
    /// A failure of another kind.
    ValidationFailure,
    /// None of the TLSA records matches, or none is of use.
    TlsaInvalid,
    /// The resolver returned no valid records.
    DnssecInvalid,
    /// DANE is demanded, and there are no TLSA records that DNSSEC secures.
    DaneRequired,
}

impl fmt::Display for ResultType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::StartTlsNotSupported => "starttls-not-supported",
            Self::CertificateHostMismatch => "certificate-host-mismatch",
            Self::CertificateExpired => "certificate-expired",
            Self::CertificateNotTrusted => "certificate-not-trusted",
            Self::ValidationFailure => "validation-failure",
            Self::TlsaInvalid => "tlsa-invalid",
            Self::DnssecInvalid => "dnssec-invalid",
            Self::DaneRequired => "dane-required",
        })
    }
}

impl Enumeration {
    /// Tells what it comes to: a MUST that is not kept does not satisfy.
    fn conclusion(&self) -> Conclusion {
        let severe = |finding: &Finding| finding.severity == Severity::MustNot;
        if self.versions.iter().all(|it| it.suites.is_empty()) {
            Conclusion::NoDialogue
        } else if self.findings.iter().any(severe) {
            Conclusion::NotSatisfied
        } else {
            Conclusion::Satisfied
        }
    }
}

impl Report {
    /// Tells what the run comes to: the worst of its sessions.
    pub fn conclusion(&self) -> Conclusion {
        let sessions = self.counting_sessions().map(|session| session.conclusion(self.level));
        let none = || match &self.outcome {
            Outcome::LookupFailed(_) => Conclusion::LookupFailed,
            Outcome::Enumerated(found) => {
                let worst = found.iter().map(Enumeration::conclusion).max();
                worst.unwrap_or(Conclusion::NoDialogue)
            }
            Outcome::Unreachable if self.unreachable.is_empty() => Conclusion::LookupFailed,
            Outcome::Unreachable
            | Outcome::Session
            | Outcome::Stopped
            | Outcome::Blocked
            | Outcome::TimedOut
            | Outcome::Refused => Conclusion::NoDialogue,
        };
        let worst = sessions.max().unwrap_or_else(none);
        match self.scope {
            Scope::First => worst,
            Scope::Every { .. } if self.lookups_failed() => Conclusion::LookupFailed,
            Scope::Every { .. } if !self.unreachable.is_empty() => {
                Conclusion::NoDialogue.max(worst)
            }
            Scope::Every { .. } => worst,
        }
    }

    /// Tells the result type of the run (RFC 8460 section 4.3): that of its worst session. `None` if
    /// nothing failed, or nothing that has to do with TLS.
    pub fn result_type(&self) -> Option<ResultType> {
        let worst = self.counting_sessions().max_by_key(|session| session.conclusion(self.level));
        match (worst, &self.outcome) {
            (Some(session), _) => session.result_type(self.level),
            (None, Outcome::LookupFailed(LookupError::Dns { problem, .. })) => {
                let invalid = matches!(problem, DnsProblem::ServFail | DnsProblem::Bogus(_));
                invalid.then_some(ResultType::DnssecInvalid)
            }
            (None, Outcome::Unreachable) if self.unreachable.is_empty() => {
                let mut addresses = self.route.hosts.iter().flat_map(|host| &host.addresses);
                let failed = addresses.any(|at| matches!(at.tlsa, TlsaFacts::Failed(_)));
                failed.then_some(ResultType::DnssecInvalid)
            }
            (None, _) => None,
        }
    }

    /// Tells whether a host has no address, or TLSA records that could not be looked up.
    fn lookups_failed(&self) -> bool {
        let failed = |host: &HostFacts| {
            let mut addresses = host.addresses.iter();
            host.error.is_some() || addresses.any(|at| matches!(at.tlsa, TlsaFacts::Failed(_)))
        };
        self.route.hosts.iter().any(failed)
    }

    /// Goes through the sessions without attempts at raw public keys that another one made up for.
    pub fn counting_sessions(&self) -> impl Iterator<Item = &Session> {
        let later = self.sessions.iter().skip(1).map(Some).chain([None]);
        let pairs = self.sessions.iter().zip(later);
        pairs.filter(|(session, later)| later.is_none() || !session.failed_raw_key()).map(|p| p.0)
    }
}

impl Session {
    /// Tells what the session comes to if this level was asked for.
    pub fn conclusion(&self, level: Level) -> Conclusion {
        let observation = &self.observation;
        if observation.handshake_error.is_some() {
            return Conclusion::HandshakeFailed;
        }
        for (step, problem) in &observation.problems {
            match (step, problem) {
                (Step::Quit, _) => {}
                (Step::StartTls, StepProblem::Refused(_)) => return Conclusion::NoStartTls,
                _ => return Conclusion::NoDialogue,
            }
        }
        match &self.verdict {
            // These levels demand TLS at most, and there it is.
            Some(verdict) if verdict.satisfied || verdict.level <= Level::Encrypt => {
                Conclusion::Satisfied
            }
            Some(_) => Conclusion::NotSatisfied,
            None if observation.proxied.is_some() => self.proxied_conclusion(),
            None if observation.hello.is_none() => Conclusion::NoDialogue,
            None if level == Level::None => Conclusion::Satisfied,
            // It was cut off before its end.
            None if observation.hello.as_ref().is_some_and(|hello| hello.starttls) => {
                Conclusion::NoDialogue
            }
            None if observation.offer.is_some() => Conclusion::NoStartTls,
            None => Conclusion::NotSatisfied,
        }
    }

    /// Tells the result type of a session (RFC 8460 section 4.3) if this level was asked for; `None`
    /// if nothing failed, or nothing that has to do with TLS.
    pub fn result_type(&self, level: Level) -> Option<ResultType> {
        match (self.conclusion(level), &self.verdict) {
            (Conclusion::Satisfied | Conclusion::NoDialogue | Conclusion::LookupFailed, _) => None,
            (Conclusion::NoStartTls, _) => Some(ResultType::StartTlsNotSupported),
            (Conclusion::NotSatisfied, Some(verdict)) => {
                let without_dane = level == Level::DaneOnly && verdict.level == Level::Secure;
                Some(if without_dane { ResultType::DaneRequired } else { verdict.result_type() })
            }
            (Conclusion::HandshakeFailed | Conclusion::NotSatisfied, _) => {
                Some(ResultType::ValidationFailure)
            }
        }
    }

    /// Tells what a session comes to whose TLS was done by tlsproxy(8), by its word.
    fn proxied_conclusion(&self) -> Conclusion {
        let status = self.observation.proxied.as_ref().map(|facts| facts.verdict());
        let demanded = match self.target.level {
            Level::None | Level::May | Level::Encrypt => Status::Anonymous,
            Level::HalfDane => Status::Trusted,
            Level::Fingerprint | Level::Dane | Level::DaneOnly | Level::Verify | Level::Secure => {
                Status::Verified
            }
        };
        match status >= Some(demanded) {
            true => Conclusion::Satisfied,
            false => Conclusion::NotSatisfied,
        }
    }

    fn failed_raw_key(&self) -> bool {
        let raw = |certificates| certificates == ServerCertificates::RawPublicKey;
        let offer = self.observation.offer.as_ref();
        self.observation.handshake_error.is_some() && offer.is_some_and(|o| raw(o.certificates))
    }
}

impl Verdict {
    /// Tells the result type of a verdict that does not satisfy (RFC 8460 section 4.3).
    fn result_type(&self) -> ResultType {
        let dane = matches!(self.level, Level::HalfDane | Level::Dane | Level::DaneOnly);
        let error = self.reason.as_ref().map(|reason| reason.error);
        let is = |errors: &[VerifyError]| error.is_some_and(|error| errors.contains(&error));
        if dane && (self.all_unusable || is(&[VerifyError::NoDaneMatch])) {
            ResultType::TlsaInvalid
        } else if is(&[VerifyError::HostnameMismatch, VerifyError::AddressMismatch]) {
            ResultType::CertificateHostMismatch
        } else if is(&[VerifyError::Expired]) {
            ResultType::CertificateExpired
        } else if is(&[VerifyError::Unspecified]) {
            ResultType::ValidationFailure
        } else {
            ResultType::CertificateNotTrusted
        }
    }
}
