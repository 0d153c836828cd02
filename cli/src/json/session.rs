//! One session as JSON.

use bytes::Bytes;
use serde_json::{Value, json};
use tlsfinger_core::Instant;
use tlsfinger_core::cert::Digest;
use tlsfinger_core::config::{ServerCertificates, ServerKeys};
use tlsfinger_core::judge::{Match, NameProblem};
use tlsfinger_core::report::{
    Alert, Direction, HandshakeError, KeyProof, Report, Session, SignatureScheme, Step,
    StepProblem, StreamEnd, TlsError, TlsFacts, Verdict,
};
use tlsfinger_core::resolve::Tlsa;
use tlsfinger_core::session::{Capabilities, Reply};

use super::certificate::raw_key;
use super::hygiene::hygiene;
use super::lookup::tlsa_set;
use super::scouted::{scheme, scouted};
use super::{hex, io_error, milliseconds, peer, text};
use crate::status::exit_status;

/// Tells a session; `certificate` tells a certificate.
pub(super) fn session(
    session: &Session,
    report: &Report,
    digest: Digest,
    certificate: &mut dyn FnMut(&Bytes) -> Value,
) -> Value {
    let Session { target, observation, verdict, .. } = session;
    let verdict = verdict.as_deref();
    json!({
        "peer": peer(&target.peer),
        "address_secure": target.address_secure,
        "shared": session.shared,
        "level": target.level.word(),
        "reference_names": target.match_names,
        "tlsa": target.tlsa.as_deref().map(|set| tlsa_set(set, verdict.and_then(matched_record))),
        "exit_status": exit_status(session.conclusion(report.level)),
        "result_type": session.result_type(report.level).map(|result| result.to_string()),
        "dialogue": observation.dialogue.iter().map(|utterance| json!({
            "from": match utterance.direction {
                Direction::Sent => "client",
                Direction::Received => "server",
            },
            "secured": utterance.secured,
            "line": text(&utterance.line),
        })).collect::<Value>(),
        "greeting": observation.greeting.as_ref().map(reply),
        "hello": observation.hello.as_ref().map(capabilities),
        "starttls": observation.starttls.as_ref().map(reply),
        "text_before_tls": observation.text_before_tls,
        "offer": observation.offer.as_deref().map(|offer| json!({
            "server_name": offer.server_name,
            "keys": offer.keys.map(|keys| match keys {
                ServerKeys::Rsa => "rsa",
                ServerKeys::Ecdsa => "ecdsa",
            }),
            "groups": offer.groups.0.iter().map(|group| group.to_string()).collect::<Value>(),
            "versions": versions(offer.versions.tls12, offer.versions.tls13),
        })),
        "tls": observation.tls.as_deref().map(tls),
        "tlsproxy": observation.proxied.as_deref().map(|facts| json!({
            "status": facts.verdict().to_string(),
            "version": facts.protocol,
            "cipher": facts.cipher,
            "peer_name": facts.peer_name,
            "issuer_name": facts.issuer_name,
        })),
        "handshake_error": observation.handshake_error.as_ref().map(handshake_error),
        "tls_error": observation.tls_broke.as_deref().map(tls_error),
        "chain": observation.tls.as_deref().map(|facts| chain(facts, digest, certificate)),
        "hello_again": observation.hello_again.as_deref().map(capabilities),
        "quit": observation.quit.as_ref().map(reply),
        "problems": observation.problems.iter().map(|(step, problem)| json!({
            "step": step_word(*step),
            "problem": step_problem(problem),
        })).collect::<Value>(),
        "end": match observation.end {
            StreamEnd::Ours => "ours",
            StreamEnd::Clean => "clean",
            StreamEnd::Truncated => "truncated",
            StreamEnd::Broken => "broken",
        },
        "verdict": verdict.map(judged),
        "scouted": session.scouted.as_deref().map(|it| scouted(it, digest, certificate)),
        "hygiene": session.hygiene.as_deref().map(hygiene),
        "timings": timings(report.started, session.began, &observation.times),
    })
}

/// Tells when a session began, counted from the destination's beginning, and how long each step took,
/// in order.
fn timings(started: Instant, began: Instant, times: &[(Step, Instant)]) -> Value {
    let mut since = began;
    let steps = times.iter().map(|(step, at)| {
        let took = milliseconds(at.since(since));
        since = *at;
        json!({ "step": step_word(*step), "milliseconds": took })
    });
    let steps: Value = steps.collect();
    json!({ "began": milliseconds(began.since(started)), "steps": steps })
}

pub(super) fn reply(reply: &Reply) -> Value {
    json!({ "code": reply.code, "text": text(&reply.text) })
}

/// Tells what a server can do: keyword and parameters of each line (RFC 5321 section 4.1.1.1).
fn capabilities(hello: &Capabilities) -> Value {
    json!({
        "code": hello.reply.code,
        "server_name": text(&hello.server_name),
        "starttls": hello.starttls,
        "capabilities": hello.keywords.iter().map(|line| {
            let line = text(line);
            let mut words = line.split([' ', '\t', '=']).filter(|word| !word.is_empty());
            json!({
                "keyword": words.next().unwrap_or_default().to_ascii_uppercase(),
                "parameters": words.collect::<Value>(),
            })
        }).collect::<Value>(),
    })
}

fn tls(facts: &TlsFacts) -> Value {
    let scheme = |number: Option<SignatureScheme>| number.map(scheme);
    json!({
        "version": facts.version.to_string(),
        "cipher": { "iana": facts.suite.iana, "openssl": facts.suite.openssl, "bits": facts.suite.bits },
        "group": facts.group.map(|group| group.to_string()),
        "server_signature": scheme(facts.server_signature),
        "key_proof": match facts.key_proof {
            KeyProof::Earlier => "earlier",
            KeyProof::Proved => "proved",
            KeyProof::Unverifiable => "unverifiable",
        },
        "client_signature": scheme(facts.client_signature),
        "client_certificate_requested": facts.client_certificate_requested,
        "ocsp": facts.ocsp.as_deref().map(hex),
        "resumed": facts.resumed,
        "hello_retry": facts.hello_retry,
    })
}

fn versions(tls12: bool, tls13: bool) -> Vec<&'static str> {
    let all = [(tls12, "TLSv1.2"), (tls13, "TLSv1.3")];
    all.into_iter().filter_map(|(offered, name)| offered.then_some(name)).collect()
}

fn chain(facts: &TlsFacts, digest: Digest, certificate: &mut dyn FnMut(&Bytes) -> Value) -> Value {
    match facts.certificates {
        ServerCertificates::X509 => {
            let certificates = facts.chain.iter().map(certificate);
            json!({ "kind": "x509", "certificates": certificates.collect::<Value>() })
        }
        ServerCertificates::RawPublicKey => {
            let key = facts.chain.first().map(|spki| raw_key(spki, digest));
            json!({ "kind": "raw-public-key", "raw_key": key })
        }
    }
}

fn handshake_error(error: &HandshakeError) -> Value {
    match error {
        HandshakeError::NothingToOffer(_) => json!({ "kind": "nothing-to-offer" }),
        HandshakeError::Lost => json!({ "kind": "lost" }),
        HandshakeError::Broke(error) => json!({ "kind": "broke", "detail": error.message }),
        HandshakeError::Proxy(_) => json!({ "kind": "tlsproxy" }),
        HandshakeError::TimedOut => json!({ "kind": "timed-out" }),
        HandshakeError::Tls(error) => tls_error(error),
    }
}

fn tls_error(error: &TlsError) -> Value {
    match error {
        TlsError::AlertReceived(Alert(number)) => json!({ "kind": "alert", "alert": number }),
        TlsError::NotTls => json!({ "kind": "not-tls" }),
        TlsError::Misbehaved(detail) => json!({ "kind": "misbehaved", "detail": detail }),
        TlsError::Incompatible(detail) => json!({ "kind": "incompatible", "detail": detail }),
        TlsError::BadSignature => json!({ "kind": "bad-signature" }),
        TlsError::UnsupportedKey => json!({ "kind": "unsupported-key" }),
        TlsError::Limit => json!({ "kind": "limit" }),
        TlsError::Other(detail) => json!({ "kind": "other", "detail": detail }),
    }
}

/// Tells the word for a step.
pub(crate) fn step_word(step: Step) -> &'static str {
    match step {
        Step::Connect => "connect",
        Step::Greeting => "greeting",
        Step::Hello => "hello",
        Step::StartTls => "starttls",
        Step::Handshake => "handshake",
        Step::HelloAgain => "hello-again",
        Step::Quit => "quit",
    }
}

fn step_problem(problem: &StepProblem) -> Value {
    match problem {
        StepProblem::Refused(refusal) => json!({ "kind": "refused", "reply": reply(refusal) }),
        StepProblem::Lost(error) => {
            json!({ "kind": "lost", "error": error.as_ref().map(io_error) })
        }
        StepProblem::TimedOut => json!({ "kind": "timed-out" }),
        StepProblem::ReplyTooLong => json!({ "kind": "reply-too-long" }),
    }
}

pub(super) fn judged(verdict: &Verdict) -> Value {
    json!({
        "status": verdict.status.to_string(),
        "satisfied": verdict.satisfied,
        "level": verdict.level.word(),
        "reason": verdict.reason.as_ref().map(|reason| json!({
            "number": reason.error.number(),
            "text": reason.error.to_string(),
            "depth": reason.depth,
            "issuer": reason.issuer.as_ref().map(|issuer| issuer.to_string()),
        })),
        "peername": verdict.peername,
        "matched": verdict.matched.as_ref().map(matched),
        "unusable": verdict.unusable.iter().map(Tlsa::to_string).collect::<Value>(),
        "all_unusable": verdict.all_unusable,
        "name_problems": verdict.name_problems.iter().map(|problem| match problem {
            NameProblem::Invalid(name) => name.clone(),
            NameProblem::SecondAddress(address) => address.to_string(),
        }).collect::<Value>(),
        "steps": verdict.steps.iter().map(|step| json!({
            "depth": step.depth,
            "error": step.result.err().map(|error| error.to_string()),
            "subject": step.subject.as_ref().map(|subject| subject.to_string()),
        })).collect::<Value>(),
    })
}

fn matched(matched: &Match) -> Value {
    match matched {
        Match::DaneEe(tlsa) => json!({ "kind": "dane-ee", "depth": 0, "record": tlsa.to_string() }),
        Match::DaneTa(depth, tlsa) => {
            json!({ "kind": "dane-ta", "depth": depth, "record": tlsa.to_string() })
        }
        Match::DaneTaKey(depth, tlsa) => {
            json!({ "kind": "dane-ta-key", "depth": depth, "record": tlsa.to_string() })
        }
        Match::RawKey(tlsa) => json!({ "kind": "raw-key", "depth": 0, "record": tlsa.to_string() }),
        Match::Fingerprint(digest) => {
            json!({ "kind": "fingerprint", "depth": 0, "fingerprint": hex(digest) })
        }
        Match::Anchor(depth) => json!({ "kind": "trust-anchor", "depth": depth }),
    }
}

/// The TLSA record that matched, if one did.
fn matched_record(verdict: &Verdict) -> Option<&Tlsa> {
    match verdict.matched.as_ref()? {
        Match::DaneEe(tlsa) | Match::DaneTa(_, tlsa) | Match::DaneTaKey(_, tlsa) => Some(tlsa),
        Match::RawKey(tlsa) => Some(tlsa),
        Match::Fingerprint(_) | Match::Anchor(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_of_a_scan_begin_with_their_destination() {
        let at = |seconds| Instant::from_elapsed(std::time::Duration::from_secs(seconds));
        let told = timings(at(60), at(62), &[(Step::Connect, at(63)), (Step::Greeting, at(66))]);
        assert_eq!(told["began"], 2000.0);
        assert_eq!(told["steps"][0]["milliseconds"], 1000.0);
        assert_eq!(told["steps"][1]["milliseconds"], 3000.0);
        // A shared one was made before.
        assert_eq!(timings(at(60), at(5), &[])["began"], 0.0);
    }
}
