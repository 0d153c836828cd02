//! The one line of a monitoring plugin (`--nagios`), and its status.
//!
//! The line has the form of the Monitoring Plugins guidelines: `SERVICE STATE: text | data`.

use tlsfinger_core::cert::{Certificate, Seconds};
use tlsfinger_core::config::ServerCertificates;
use tlsfinger_core::enumerate::Severity;
use tlsfinger_core::judge::Conclusion;
use tlsfinger_core::report::{Outcome, Report, TlsFacts};
use tlsfinger_core::tls::scout::Protocol;

use crate::text::version_and_cipher;

/// The status of a check that could not be made.
pub(crate) const UNKNOWN: u8 = 3;

/// How many days before its end a certificate is worth a warning or more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Thresholds {
    pub(crate) warn: u32,
    pub(crate) critical: u32,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { warn: 14, critical: 7 }
    }
}

/// How a service is, in the words of the guidelines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum State {
    Ok,
    Warning,
    Critical,
    Unknown,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Critical => "CRITICAL",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// Tells that the check could not be made.
pub(crate) fn unknown(why: &str) -> String {
    line(State::Unknown, why)
}

/// Makes the line of a report, and the status that goes with it.
pub(crate) fn check(report: &Report, thresholds: Thresholds) -> (String, u8) {
    let Thresholds { warn, critical } = thresholds;
    let conclusion = report.conclusion();
    let days = days_to_expiry(report);
    let expiry = match days {
        Some(days) if days < i64::from(critical) => State::Critical,
        Some(days) if days < i64::from(warn) => State::Warning,
        Some(_) | None => State::Ok,
    };
    let state = match conclusion {
        Conclusion::Satisfied if remarks(report, Severity::ShouldNot) > 0 => {
            expiry.max(State::Warning)
        }
        Conclusion::Satisfied => expiry,
        Conclusion::LookupFailed => State::Unknown,
        Conclusion::NotSatisfied
        | Conclusion::NoStartTls
        | Conclusion::HandshakeFailed
        | Conclusion::NoDialogue => State::Critical,
    };
    let mut text = format!("{}: {}", report.destination.text, summary(report, conclusion));
    if let Some(days) = days {
        text += &match days {
            0.. => format!(", certificate expires in {days} days"),
            _ => format!(", certificate expired {} days ago", days.unsigned_abs()),
        };
    }
    text = text.replace('|', "/");
    text += &format!(" | time={:.6}s", report.ended.elapsed().as_secs_f64());
    if let Some(days) = days {
        text += &format!(" days={days};{warn}:;{critical}:");
    }
    (line(state, &text), state as u8)
}

fn line(state: State, text: &str) -> String {
    format!("TLSFINGER {}: {text}", state.word())
}

fn summary(report: &Report, conclusion: Conclusion) -> String {
    let worst = report.counting_sessions().max_by_key(|session| session.conclusion(report.level));
    let verdict = worst.and_then(|session| session.verdict.as_deref());
    match (conclusion, verdict, &report.outcome) {
        (Conclusion::Satisfied | Conclusion::NotSatisfied, _, Outcome::Enumerated(found)) => {
            let spoken = |version: &Protocol| {
                let facts = found.iter().filter_map(|it| it.version(*version));
                facts.into_iter().any(|facts| !facts.suites.is_empty())
            };
            let versions = Protocol::ALL.into_iter().rev().filter(spoken);
            let versions: Vec<_> = versions.map(|version| version.to_string()).collect();
            let [must, should] =
                [Severity::MustNot, Severity::ShouldNot].map(|of| remarks(report, of));
            format!("{}, {must} remarks with MUST, {should} with SHOULD", versions.join(" "))
        }
        (Conclusion::Satisfied | Conclusion::NotSatisfied, Some(verdict), _) => {
            let tls = worst.and_then(|session| session.observation.tls.as_deref());
            let version = tls.map(|tls| format!(", {}", tls.version)).unwrap_or_default();
            let reason = verdict.reason.as_ref().filter(|_| conclusion != Conclusion::Satisfied);
            let reason = reason.map(|reason| format!(", {}", reason.error)).unwrap_or_default();
            format!("{}{version}{reason}", verdict.status)
        }
        (Conclusion::Satisfied | Conclusion::NotSatisfied, None, _) => "no TLS".to_owned(),
        (Conclusion::NoStartTls, ..) => "STARTTLS not offered or refused".to_owned(),
        (Conclusion::HandshakeFailed, ..) => {
            let scouted = worst.and_then(|session| session.scouted.as_deref()?.agreed());
            let offered = scouted.map(|it| format!(", server offers {}", version_and_cipher(it)));
            format!("TLS handshake failed{}", offered.unwrap_or_default())
        }
        (Conclusion::NoDialogue, ..) => "no connection or no dialogue".to_owned(),
        (Conclusion::LookupFailed, _, Outcome::LookupFailed(error)) => error.to_string(),
        (Conclusion::LookupFailed, ..) => "lookup failed".to_owned(),
    }
}

/// Counts what an enumeration remarks.
fn remarks(report: &Report, severity: Severity) -> usize {
    let Outcome::Enumerated(found) = &report.outcome else { return 0 };
    let findings = found.iter().flat_map(|it| &it.findings);
    findings.filter(|finding| finding.severity == severity).count()
}

/// Tells in how many days the first of the servers' certificates ends.
fn days_to_expiry(report: &Report) -> Option<i64> {
    let now = Seconds::from(report.began.at(report.ended)).0;
    let facts = report.sessions.iter().filter_map(|session| session.observation.tls.as_deref());
    let enumerated = match &report.outcome {
        Outcome::Enumerated(found) => &found[..],
        _ => &[],
    };
    let chains = enumerated.iter().flat_map(|it| &it.chains);
    let own = chains.filter_map(|chain| Certificate::parse(chain.first()?.clone()).ok());
    let ends = own.filter_map(|certificate| certificate.validity().not_after);
    facts.filter_map(not_after).chain(ends).map(|end| (end.0 - now).div_euclid(86_400)).min()
}

/// Tells the last second of the server's own certificate.
pub(crate) fn not_after(facts: &TlsFacts) -> Option<Seconds> {
    let own = facts.chain.first().filter(|_| facts.certificates == ServerCertificates::X509)?;
    Certificate::parse(own.clone()).ok()?.validity().not_after
}
