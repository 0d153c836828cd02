//! What a scan comes to: counted as records are written, told as a table and as metrics.

use std::collections::BTreeMap;
use std::fmt::Write;

use tlsfinger_core::config::Level;
use tlsfinger_core::judge::{Conclusion, Match};
use tlsfinger_core::report::{Outcome, Report, Session, Step};

use crate::json::step_word;
use crate::table::{has_failed_tlsa, verdict_words};

/// Numbers of a scan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// What became of lines that have no record of their own.
    pub(crate) lines: BTreeMap<&'static str, u64>,
    /// Destinations by what they came to.
    destinations: BTreeMap<&'static str, u64>,
    sessions: u64,
    shared: u64,
    versions: BTreeMap<String, u64>,
    groups: BTreeMap<String, u64>,
    verdicts: BTreeMap<String, u64>,
    dane: BTreeMap<&'static str, u64>,
    failures: BTreeMap<&'static str, u64>,
}

/// Counts one.
fn count<K: Ord>(counts: &mut BTreeMap<K, u64>, key: K) {
    *counts.entry(key).or_default() += 1;
}

impl Tally {
    /// Counts a record.
    pub(crate) fn add(&mut self, report: &Report) {
        count(&mut self.destinations, word(report));
        for host in &report.route.hosts {
            if host.error.is_some() {
                count(&mut self.failures, "lookup");
            }
            if has_failed_tlsa(host) {
                count(&mut self.dane, "lookup failed");
            }
        }
        if report.route.hosts.is_empty() && report.conclusion() == Conclusion::LookupFailed {
            count(&mut self.failures, "lookup");
        }
        for _ in &report.unreachable {
            count(&mut self.failures, step_word(Step::Connect));
        }
        for session in report.counting_sessions() {
            self.add_session(session, report.level);
        }
    }

    fn add_session(&mut self, session: &Session, level: Level) {
        self.sessions += 1;
        self.shared += u64::from(session.shared);
        let observation = &session.observation;
        if let Some(facts) = &observation.tls {
            count(&mut self.versions, facts.version.to_string());
            let group = facts.group.map_or_else(|| "none".to_owned(), |group| group.to_string());
            count(&mut self.groups, group);
        }
        let verdict = session.verdict.as_deref();
        if let Some(verdict) = verdict {
            count(&mut self.verdicts, verdict.status.to_string());
        }
        let has_tlsa = session.target.tlsa.is_some();
        count(
            &mut self.dane,
            match (has_tlsa, verdict) {
                (false, _) => "no records",
                (true, None) => "not judged",
                (true, Some(verdict)) if verdict.all_unusable => "unusable",
                (true, Some(verdict)) => match verdict.matched {
                    Some(
                        Match::DaneEe(_)
                        | Match::DaneTa(..)
                        | Match::DaneTaKey(..)
                        | Match::RawKey(_),
                    ) => "matched",
                    Some(Match::Fingerprint(_) | Match::Anchor(_)) | None => "not matched",
                },
            },
        );
        if observation.handshake_error.is_some() {
            count(&mut self.failures, step_word(Step::Handshake));
        } else if let Some((step, _)) = observation.problems.first() {
            count(&mut self.failures, step_word(*step));
        } else if session.conclusion(level) == Conclusion::NoStartTls {
            count(&mut self.failures, step_word(Step::StartTls));
        }
    }

    /// Tells how many destinations have a record.
    pub(crate) fn done(&self) -> u64 {
        self.destinations.values().sum()
    }

    /// Tells how many of them failed in whatever way.
    pub(crate) fn failed(&self) -> u64 {
        self.done() - self.destinations.get(verdict_words(Conclusion::Satisfied)).unwrap_or(&0)
    }

    /// Makes the lines of the table.
    pub(crate) fn table(&self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut group = |title: &str, counts: &mut dyn Iterator<Item = (&str, u64)>| {
            for (at, (word, number)) in counts.enumerate() {
                let title = if at == 0 { title } else { "" };
                lines.push(format!("{title:<14}{word:<20}{number:>10}"));
            }
        };
        fn told<K: AsRef<str>>(counts: &BTreeMap<K, u64>) -> impl Iterator<Item = (&str, u64)> {
            counts.iter().map(|(word, number)| (word.as_ref(), *number))
        }
        group("destinations", &mut told(&self.destinations));
        group("lines", &mut told(&self.lines));
        group(
            "sessions",
            &mut [("own", self.sessions - self.shared), ("shared", self.shared)].into_iter(),
        );
        group("TLS version", &mut told(&self.versions));
        group("group", &mut told(&self.groups));
        group("verdict", &mut told(&self.verdicts));
        group("DANE", &mut told(&self.dane));
        group("failed at", &mut told(&self.failures));
        lines
    }

    /// Writes the numbers in Prometheus's text format.
    pub(crate) fn metrics(&self, text: &mut String) {
        let mut family = |name: &str, help: &str, label: &str, counts: Vec<(&str, u64)>| {
            let _ = writeln!(text, "# HELP tlsfinger_scan_{name}_total {help}");
            let _ = writeln!(text, "# TYPE tlsfinger_scan_{name}_total counter");
            for (word, number) in counts {
                let word = word.replace('\\', "\\\\").replace('"', "\\\"");
                let _ =
                    writeln!(text, "tlsfinger_scan_{name}_total{{{label}=\"{word}\"}} {number}");
            }
        };
        fn told<K: AsRef<str>>(counts: &BTreeMap<K, u64>) -> Vec<(&str, u64)> {
            counts.iter().map(|(word, number)| (word.as_ref(), *number)).collect()
        }
        let sessions = vec![("no", self.sessions - self.shared), ("yes", self.shared)];
        family(
            "destinations",
            "Destinations that have a record.",
            "conclusion",
            told(&self.destinations),
        );
        family(
            "lines",
            "Lines of the list that have no record of their own.",
            "kind",
            told(&self.lines),
        );
        family("sessions", "Sessions in the records.", "shared", sessions);
        family("tls_versions", "Sessions with TLS by version.", "version", told(&self.versions));
        family("groups", "Sessions with TLS by key exchange group.", "group", told(&self.groups));
        family("verdicts", "Sessions with TLS by verdict.", "status", told(&self.verdicts));
        family("dane", "Sessions by their TLSA records.", "state", told(&self.dane));
        family("failures", "Failures by stage.", "stage", told(&self.failures));
    }
}

/// Tells what a destination came to.
fn word(report: &Report) -> &'static str {
    match report.outcome {
        Outcome::Blocked => "blocked",
        Outcome::TimedOut => "timed out",
        Outcome::Refused => "refused for now",
        Outcome::Session
        | Outcome::LookupFailed(_)
        | Outcome::Unreachable
        | Outcome::Enumerated(_)
        | Outcome::Stopped => verdict_words(report.conclusion()),
    }
}
