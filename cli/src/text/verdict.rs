//! What a verdict means, line by line.

use std::fmt::Write as _;

use tlsfinger_core::cert::{Name, TextProblem};
use tlsfinger_core::config::Level;
use tlsfinger_core::judge::{
    Match, NameProblem, PeerIdentity, PeerName, Reason, Verdict, VerifyError,
};
use tlsfinger_core::report::{Peer, TlsFacts};

use super::{Narrator, lower, summary};
use crate::line::Message;
use crate::log::Log;

impl Narrator {
    /// Says what a verdict means, in the order of the reference.
    pub(super) fn judged(
        &self,
        peer: &Peer,
        facts: &TlsFacts,
        verdict: &Verdict,
        say: &mut dyn FnMut(Message),
    ) {
        let log = self.show.log;
        let nap = lower(peer);
        unusable(&nap, verdict, say);
        if log.has(Log::VERBOSE) && !facts.resumed {
            for step in &verdict.steps {
                let (depth, ok) = (step.depth, u8::from(step.result.is_ok()));
                say(Message::info(match &step.subject {
                    Some(subject) => {
                        let subject = OneLine(subject);
                        format!("{nap}: depth={depth} verify={ok} subject={subject}")
                    }
                    None => format!("{nap}: verify={ok} raw public key"),
                }));
            }
        }
        let shows_peer = log.has(Log::CERTMATCH) || log.has(Log::PEERCERT) || log.has(Log::VERBOSE);
        let raw_key = verdict.peer.as_ref().filter(|peer| peer.certificate.is_none());
        if let (true, Some(raw)) = (shows_peer, raw_key) {
            let key = colons(&raw.key);
            say(Message::info(format!("{peer}: raw public key fingerprint={key}")));
        }
        if let Some(identity) = &verdict.peer {
            name_problems(peer, identity, say);
        }
        if shows_peer {
            matched(&nap, verdict, say);
        }
        // Where a server was to be authenticated, `-L none` does not hide why it is not.
        let was_to_be = verdict.level >= Level::Fingerprint || verdict.all_unusable;
        let shows_failure = log.has(Log::UNTRUSTED) || was_to_be;
        if !verdict.satisfied && verdict.peer.is_some() && shows_failure {
            match &verdict.reason {
                _ if facts.resumed => say(Message::info(format!(
                    "{peer}: re-using session with untrusted peer credential, look for details \
                     earlier in the log"
                ))),
                Some(reason) => say(Message::info(failure(&nap, reason))),
                None => {}
            }
        }
        if let (true, Some(identity)) = (shows_peer, &verdict.peer)
            && let Some(certificate) = &identity.certificate
        {
            let PeerIdentity { subject, issuer, .. } = identity;
            let (certificate, key) = (colons(certificate), colons(&identity.key));
            say(Message::info(format!(
                "{nap}: subject_CN={subject}, issuer={issuer}, cert fingerprint={certificate}, \
                     pkey fingerprint={key}"
            )));
        }
        if log.has(Log::SUMMARY) {
            let (status, tls) = (verdict.status, summary::connection(facts, &self.client_keys));
            say(Message::info(format!("{status} TLS connection established to {nap}: {tls}")));
        }
    }
}

/// Tells which parts of the policy cannot be used.
fn unusable(nap: &str, verdict: &Verdict, say: &mut dyn FnMut(Message)) {
    for record in &verdict.unusable {
        say(Message::warning(format!("{nap}: unusable TLSA RR: {record}")));
    }
    if verdict.all_unusable {
        say(Message::warning(match verdict.level {
            Level::DaneOnly => format!("{nap}: all TLSA records unusable"),
            Level::Fingerprint => format!("{nap}: all fingerprints unusable"),
            Level::Verify | Level::Secure => format!("{nap}: all trust anchors unusable"),
            Level::None | Level::May | Level::Encrypt | Level::HalfDane | Level::Dane => {
                format!("{nap}: all TLSA records unusable, fallback to unauthenticated TLS")
            }
        }));
    }
    for problem in &verdict.name_problems {
        say(Message::warning(match problem {
            NameProblem::Invalid(name) => format!("{nap}: ignoring invalid match name: \"{name}\""),
            NameProblem::SecondAddress(address) => {
                format!("{nap}: error loading match name: \"{address}\"")
            }
        }));
    }
    if verdict.no_names {
        say(Message::warning(format!("{nap}: could not configure peer name checks")));
    }
}

/// Tells which names of the certificate cannot be told.
fn name_problems(peer: &Peer, identity: &PeerIdentity, say: &mut dyn FnMut(Message)) {
    for (name, problem) in &identity.problems {
        let name = match name {
            PeerName::SubjectCommonName => "subject CN",
            PeerName::IssuerCommonName => "issuer CN",
            PeerName::IssuerOrganization => "issuer Organization",
        };
        let nap = lower(peer);
        say(Message::warning(match problem {
            TextProblem::TooLong(octets) => {
                format!("tls_text_name: {nap}: peer {name} too long: {octets}")
            }
            TextProblem::Nul => format!("tls_text_name: {nap}: NULL character in peer {name}"),
            TextProblem::NotPrintable | TextProblem::NotText => {
                format!("tls_text_name: {nap}: non-printable content in peer {name}")
            }
        }));
    }
}

/// Tells what matched.
fn matched(nap: &str, verdict: &Verdict, say: &mut dyn FnMut(Message)) {
    if let Some(name) = &verdict.peername {
        say(Message::info(format!("{nap}: matched peername: {name}")));
    }
    let what = match &verdict.matched {
        None => return,
        Some(Match::DaneEe(record)) => {
            format!("Matched DANE EE certificate at depth 0: {record}")
        }
        Some(Match::DaneTa(depth, record)) => {
            format!("Matched DANE TA certificate at depth {depth}: {record}")
        }
        Some(Match::DaneTaKey(depth, record)) => {
            format!("Matched DANE TA public key verified certificate at depth {depth}: {record}")
        }
        Some(Match::RawKey(record)) => format!("Matched DANE raw public key: {record}"),
        Some(Match::Fingerprint(digest)) => {
            let digest = digest.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
            format!("Matched fingerprint: {digest}")
        }
        Some(Match::Anchor(depth)) => format!("Matched trust anchor at depth {depth}"),
    };
    say(Message::info(format!("{nap}: {what}")));
}

/// Tells why the certificates do not satisfy the policy.
fn failure(nap: &str, reason: &Reason) -> String {
    let Reason { error, depth, issuer } = reason;
    let whose = if *depth == 0 { "server" } else { "CA" };
    let failed = "certificate verification failed for";
    match error {
        VerifyError::Untrusted => format!("{failed} {nap}: not trusted by local or TLSA policy"),
        VerifyError::SelfSigned => format!("{failed} {nap}: self-signed certificate"),
        VerifyError::UnableToGetIssuerLocally | VerifyError::SelfSignedInChain => {
            let issuer = issuer.as_ref().map(|name| OneLine(name).to_string()).unwrap_or_default();
            format!("{failed} {nap}: untrusted issuer {issuer}")
        }
        VerifyError::NotYetValid | VerifyError::BadNotBefore => {
            format!("{whose} {failed} {nap}: certificate not yet valid")
        }
        VerifyError::Expired | VerifyError::BadNotAfter => {
            format!("{whose} {failed} {nap}: certificate has expired")
        }
        VerifyError::InvalidPurpose => {
            format!("{failed} {nap}: not designated for use as a {}", purpose(*depth))
        }
        VerifyError::ChainTooLong => {
            format!("{failed} {nap}: certificate chain longer than limit(10)")
        }
        error => format!("{whose} {failed} {nap}: num={}:{error}", error.number()),
    }
}

const fn purpose(depth: usize) -> &'static str {
    if depth == 0 { "server certificate" } else { "CA certificate" }
}

/// Writes a digest the way people compare it.
pub(super) fn colons(digest: &[u8]) -> String {
    let mut text = String::with_capacity(digest.len() * 3);
    for byte in digest {
        if !text.is_empty() {
            text.push(':');
        }
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// Octets of a distinguished name in a message; it is cut between its parts.
const DISTINGUISHED_NAME: usize = 255;

/// A distinguished name, cut to the length that messages have room for.
struct OneLine<'a>(&'a Name);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        match text.get(..DISTINGUISHED_NAME) {
            Some(start) => f.write_str(start.rsplit_once('/').map_or(start, |(whole, _)| whole)),
            None => f.write_str(&text),
        }
    }
}
