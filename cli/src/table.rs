//! Every server of a destination as a table (`--all`), within 80 columns.

use tlsfinger_core::cert::{Certificate, KeyKind};
use tlsfinger_core::config::ServerCertificates;
use tlsfinger_core::judge::{Conclusion, Match};
use tlsfinger_core::report::{Report, Scope, Session, TlsFacts};
use tlsfinger_core::resolve::{HostFacts, TlsaFacts};

use crate::explain::{WIDTH, wrap};
use crate::line::{Message, Tone};
use crate::nagios::not_after;
use crate::status::exit_status;

/// Makes the table of a report: servers with a line for each kind of certificate, then the rest.
pub(crate) fn table(report: &Report) -> Vec<Message> {
    let mut lines = Vec::new();
    let mut row = |tone, text: String| {
        let (indent, text) = match text.strip_prefix("  ") {
            Some(text) => ("  ", text),
            None => ("", text.as_str()),
        };
        for line in wrap(text.trim_end(), WIDTH - indent.len()) {
            lines.push(Message::bare(format!("{indent}{line}")).toned(tone));
        }
    };
    row(Tone::Plain, cells(["protocol", "cipher", "group", "key", "expires", "DANE", "verdict"]));
    let mut server = None;
    for session in report.counting_sessions() {
        let peer = session.target.peer.to_string();
        if server.as_ref() != Some(&peer) {
            row(Tone::Plain, peer.clone());
            server = Some(peer);
        }
        let conclusion = session.conclusion(report.level);
        row(tone(conclusion), session_cells(session, conclusion));
    }
    for (peer, error) in &report.unreachable {
        row(Tone::Plain, peer.to_string());
        row(Tone::Bad, format!("  no connection: {error}"));
    }
    for host in &report.route.hosts {
        if let Some(error) = &host.error {
            row(Tone::Plain, format!("{}:{}", host.name, host.port));
            row(Tone::Bad, format!("  {error}"));
        } else if has_failed_tlsa(host) {
            row(Tone::Plain, format!("{}:{}", host.name, host.port));
            row(Tone::Bad, "  the TLSA records could not be looked up".to_owned());
        }
    }
    let worst = report.conclusion();
    let result = report.result_type().map(|result| format!(" ({result})")).unwrap_or_default();
    let (status, words) = (exit_status(worst), verdict_words(worst));
    row(tone(worst), format!("worst: {status} {words}{result}"));
    if let Scope::Every { left_out: left_out @ 1.. } = report.scope {
        row(Tone::Doubtful, format!("{left_out} more addresses were left out"));
    }
    lines
}

fn session_cells(session: &Session, conclusion: Conclusion) -> String {
    let verdict = session.verdict.as_deref();
    let word = match (conclusion, verdict) {
        (Conclusion::Satisfied | Conclusion::NotSatisfied, Some(verdict)) => {
            verdict.status.to_string()
        }
        _ => verdict_words(conclusion).to_owned(),
    };
    let Some(facts) = session.observation.tls.as_deref() else {
        return cells(["-", "-", "-", "-", "-", "-", &word]);
    };
    let expiry = not_after(facts).map(|end| end.to_string().chars().take(10).collect());
    let matched = match verdict.and_then(|verdict| verdict.matched.as_ref()) {
        Some(Match::DaneEe(tlsa) | Match::DaneTa(_, tlsa) | Match::DaneTaKey(_, tlsa)) => {
            format!("{} {} {}", tlsa.usage, tlsa.selector, tlsa.matching)
        }
        _ if session.target.tlsa.is_some() => "no".to_owned(),
        _ => "-".to_owned(),
    };
    cells([
        &facts.version.to_string(),
        cipher(facts.suite.iana),
        &facts.group.map(|group| group.to_string()).unwrap_or_default(),
        key(facts),
        &expiry.unwrap_or_else(|| "-".to_owned()),
        &matched,
        &word,
    ])
}

/// Lays out one line. The widest words that exist fit, the verdict's are the last.
fn cells([protocol, cipher, group, key, expires, dane, verdict]: [&str; 7]) -> String {
    format!("  {protocol:8} {cipher:17} {group:14} {key:5} {expires:10} {dane:5} {verdict}")
}

/// Tells the cipher of a suite without what stands in other columns.
fn cipher(iana: &'static str) -> &'static str {
    match iana {
        name if name.contains("AES_256_GCM") => "AES-256-GCM",
        name if name.contains("AES_128_GCM") => "AES-128-GCM",
        name if name.contains("CHACHA20") => "CHACHA20-POLY1305",
        name => name,
    }
}

fn key(facts: &TlsFacts) -> &'static str {
    let own = facts.chain.first().filter(|_| facts.certificates == ServerCertificates::X509);
    match own.map(|der| Certificate::parse(der.clone())) {
        None => "raw",
        Some(Err(_)) => "?",
        Some(Ok(certificate)) => match certificate.public_key().kind {
            KeyKind::Rsa { .. } | KeyKind::RsaPss { .. } => "RSA",
            KeyKind::Ec(_) => "ECDSA",
            KeyKind::Ed25519 | KeyKind::Ed448 => "EdDSA",
            KeyKind::Dsa { .. } => "DSA",
            KeyKind::Other(_) => "?",
        },
    }
}

/// Tells whether TLSA records of a host could not be looked up.
pub(crate) fn has_failed_tlsa(host: &HostFacts) -> bool {
    host.addresses.iter().any(|address| matches!(address.tlsa, TlsaFacts::Failed(_)))
}

/// Tells a conclusion in a word or two.
pub(crate) const fn verdict_words(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Satisfied => "satisfied",
        Conclusion::NotSatisfied => "not satisfied",
        Conclusion::NoStartTls => "no STARTTLS",
        Conclusion::HandshakeFailed => "no handshake",
        Conclusion::NoDialogue => "no dialogue",
        Conclusion::LookupFailed => "lookup failed",
    }
}

const fn tone(conclusion: Conclusion) -> Tone {
    match conclusion {
        Conclusion::Satisfied => Tone::Good,
        _ => Tone::Bad,
    }
}
