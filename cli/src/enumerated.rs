//! What a server accepts as a table (`--enumerate`), within 80 columns.

use std::io::Write;

use tlsfinger_core::cert::{Certificate, KeyKind, Seconds};
use tlsfinger_core::enumerate::{
    Accepted, Enumeration, Finding, Order, SessionFacts, Severity, Subject, VersionFacts,
    WithoutSni,
};
use tlsfinger_core::report::{Outcome, Report};
use tlsfinger_core::tls::scout::{Protocol, group_name, scheme_name};
use tlsfinger_core::tls::{Suite, SuiteStatus};

use crate::explain::{WIDTH, wrap};
use crate::line::{Message, Tone};
use crate::printer::Printer;

/// Tells what was found out about each server.
pub(crate) fn tables<W: Write>(report: &Report, printer: &mut Printer<W>) {
    if let Outcome::Enumerated(found) = &report.outcome {
        found.iter().flat_map(table).for_each(|message| printer.say(&message));
    }
}

/// Makes the table of one server.
fn table(found: &Enumeration) -> Vec<Message> {
    let mut page = Page::default();
    if let Some(peer) = &found.peer {
        page.line(Tone::Plain, &peer.to_string());
    }
    for facts in &found.versions {
        version(facts, &mut page);
    }
    if !found.chains.is_empty() {
        page.line(Tone::Plain, "Certificates");
        for own in found.chains.iter().filter_map(|chain| chain.first()) {
            page.line(Tone::Plain, &format!("  {}", certificate(own)));
        }
    }
    if found.accepted != Accepted::default() {
        page.line(Tone::Plain, "Announced");
        announced(&found.accepted, &mut page);
    }
    if !found.sessions.is_empty() {
        page.line(Tone::Plain, "Sessions");
        for facts in &found.sessions {
            page.line(Tone::Plain, &format!("  {}", session(facts)));
        }
    }
    if !found.findings.is_empty() {
        page.line(Tone::Plain, "Remarks");
        for finding in &found.findings {
            let (word, tone) = match finding.severity {
                Severity::MustNot => ("must", Tone::Bad),
                Severity::ShouldNot => ("should", Tone::Doubtful),
            };
            page.line(tone, &format!("  {word}: {}", finding.sentence));
            page.line(tone, &format!("    {}", subject(finding)));
        }
    }
    let failed = match found.failures {
        0 => String::new(),
        failures => format!(", {failures} of them failed"),
    };
    page.line(Tone::Plain, &format!("{} connections{failed}", found.connections));
    if found.is_cut {
        page.line(Tone::Doubtful, "The work was cut short: there may be more.");
    }
    page.0
}

fn version(facts: &VersionFacts, page: &mut Page) {
    let VersionFacts { version, suites, order, groups, groups_order, schemes, dh_bits } = facts;
    if suites.is_empty() {
        return page.line(Tone::Plain, &format!("{version}: not accepted"));
    }
    let order_words = |order: &Order| match order {
        Order::Unknown => "",
        Order::Server => ", in the server's order",
        Order::Client => ", in the client's order",
    };
    let count = match suites.len() {
        1 => "1 suite".to_owned(),
        count => format!("{count} suites"),
    };
    let header = format!("{version}: {count}{}", order_words(order));
    page.line(Tone::Plain, &format!("{header:58} IANA, RFC 9325"));
    for number in suites {
        let Some(suite) = Suite::by_number(*number) else {
            page.line(Tone::Plain, &format!("  0x{number:04x}"));
            continue;
        };
        let (word, tone) = match suite.status().0 {
            SuiteStatus::Recommended => ("recommended", Tone::Good),
            SuiteStatus::Allowed => ("", Tone::Plain),
            SuiteStatus::ShouldNot => ("should not be", Tone::Doubtful),
            SuiteStatus::MustNot => ("must not be", Tone::Bad),
        };
        let (name, bits) = (suite.openssl, suite.bits);
        let letter = suite.registered.letter().unwrap_or("-");
        page.line(tone, &format!("  {name:44} {bits:3} bits  {letter}  {word}"));
    }
    let mut list = |label: &str, names: Vec<String>| {
        if !names.is_empty() {
            page.line(Tone::Plain, &format!("  {label}: {}", names.join(", ")));
        }
    };
    let label = format!("groups{}", order_words(groups_order));
    list(&label, groups.iter().map(|group| self::group(*group)).collect());
    list("signatures", schemes.iter().map(|scheme| self::scheme(*scheme)).collect());
    list("finite field", dh_bits.iter().map(|bits| format!("{bits} bits")).collect());
}

fn session(facts: &SessionFacts) -> String {
    let word = |resumed: Option<bool>| match resumed {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    let mut words = format!("{}: resumed", facts.version);
    if facts.version < Protocol::TLS13 {
        words += &format!(" by id: {},", word(facts.resumed_by_id));
    }
    words += &format!(" by ticket: {}", word(facts.resumed_by_ticket));
    if let Some(scheme) = facts.signature {
        words += &format!(", signature {}", self::scheme(scheme.0));
    }
    if facts.ocsp {
        words += ", OCSP response stapled";
    }
    if let Some(ticket) = facts.tickets.last() {
        let count = match facts.tickets.len() {
            1 => "1 ticket".to_owned(),
            count => format!("{count} tickets"),
        };
        let lifetime = ticket.lifetime.map(|seconds| format!(" for {seconds} s"));
        let lifetime = lifetime.unwrap_or_default();
        words += &format!(", {count}{lifetime}");
        words += &match ticket.early_data {
            _ if facts.version < Protocol::TLS13 => String::new(),
            0 => ", no early data".to_owned(),
            octets => format!(", early data up to {octets} octets"),
        };
    }
    words
}

fn group(number: u16) -> String {
    group_name(number).map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

fn scheme(number: u16) -> String {
    scheme_name(number).map_or_else(|| format!("0x{number:04x}"), str::to_owned)
}

fn certificate(der: &bytes::Bytes) -> String {
    let Ok(certificate) = Certificate::parse(der.clone()) else {
        return "cannot be read".to_owned();
    };
    let key = match certificate.public_key().kind {
        KeyKind::Rsa { bits } => format!("RSA {bits} bits"),
        KeyKind::RsaPss { bits } => format!("RSA-PSS {bits} bits"),
        KeyKind::Dsa { bits } => format!("DSA {bits} bits"),
        KeyKind::Ec(curve) => format!("ECDSA {curve}"),
        KeyKind::Ed25519 => "Ed25519".to_owned(),
        KeyKind::Ed448 => "Ed448".to_owned(),
        KeyKind::Other(oid) => oid,
    };
    let until = certificate.validity().not_after.map(|end: Seconds| end.to_string());
    let until = until.map(|end| end.chars().take(10).collect::<String>()).unwrap_or_default();
    format!("{key}, {} until {until}", certificate.subject())
}

fn announced(accepted: &Accepted, page: &mut Page) {
    let Accepted {
        secure_renegotiation,
        extended_master_secret,
        encrypt_then_mac,
        compression,
        session_id,
        session_ticket,
        ocsp,
        fallback_scsv,
        alpn,
        without_sni,
        raw_public_key,
        record_size_limit,
        client_certificate,
    } = accepted;
    let yes_or_no = [
        ("secure renegotiation", secure_renegotiation),
        ("extended master secret", extended_master_secret),
        ("MAC after encryption", encrypt_then_mac),
        ("compression", compression),
        ("session ids", session_id),
        ("session tickets", session_ticket),
        ("OCSP response stapled", ocsp),
        ("fallback signal heeded", fallback_scsv),
        ("raw public keys", raw_public_key),
        ("client certificate asked for", client_certificate),
    ];
    for (label, value) in yes_or_no {
        let word = match value {
            Some(true) => "yes",
            Some(false) => "no",
            None => "unknown",
        };
        page.line(Tone::Plain, &format!("  {label:30} {word}"));
    }
    let mut row = |label: &str, word: &str| {
        page.line(Tone::Plain, &format!("  {label:30} {word}"));
    };
    // Protocols are asked for together with raw keys, and limits of TLS 1.3 are encrypted.
    let none = raw_public_key.map_or("unknown", |_| "none");
    let no = session_id.map_or("unknown", |_| "no");
    row("application protocol", alpn.as_deref().unwrap_or(none));
    row("record size limit", &record_size_limit.map_or(no.to_owned(), |limit| limit.to_string()));
    row(
        "without a server name",
        match without_sni {
            Some(WithoutSni::Same) => "the same certificate",
            Some(WithoutSni::Other) => "another certificate",
            Some(WithoutSni::Refused) => "refused",
            None => "unknown",
        },
    );
}

/// Tells what a finding is about.
pub(crate) fn subject(finding: &Finding) -> String {
    let names = |numbers: &[u16], name: fn(u16) -> String| {
        let names: Vec<String> = numbers.iter().map(|number| name(*number)).collect();
        names.join(", ")
    };
    match &finding.subject {
        Subject::Spoken(version) => format!("{version} is accepted"),
        Subject::Missing(version) => format!("{version} is missing"),
        Subject::Suites(suites) => names(suites, suite),
        Subject::DhBits(bits) => format!("finite-field Diffie-Hellman with {bits} bits"),
        Subject::Groups(groups) => names(groups, group),
        Subject::Schemes(schemes) => names(schemes, scheme),
        Subject::Compression => "compression".to_owned(),
        Subject::NoSecureRenegotiation => "no secure renegotiation".to_owned(),
        Subject::NoExtendedMasterSecret => "no extended master secret".to_owned(),
        Subject::NoForwardSecrecy => "no forward secrecy".to_owned(),
        Subject::RsaKey(bits) => format!("an RSA key of {bits} bits"),
        Subject::Expired => "a certificate has expired".to_owned(),
    }
}

fn suite(number: u16) -> String {
    Suite::by_number(number).map_or_else(|| format!("0x{number:04x}"), |it| it.openssl.to_owned())
}

#[derive(Debug, Default)]
struct Page(Vec<Message>);

impl Page {
    /// Says a line; what does not fit goes on below, as far in as it began.
    fn line(&mut self, tone: Tone, text: &str) {
        let text = text.trim_end();
        let rest = text.trim_start();
        let indent = text.len() - rest.len();
        // Columns are made by blanks, which only short lines have.
        if text.chars().count() <= WIDTH {
            return self.0.push(Message::bare(text.to_owned()).toned(tone));
        }
        for line in wrap(rest, WIDTH - indent) {
            self.0.push(Message::bare(format!("{:indent$}{line}", "")).toned(tone));
        }
    }
}
