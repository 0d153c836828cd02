//! What to think of what was seen. Pure functions.

use bytes::Bytes;

use super::{Extension, Finding, Hygiene, Injection, OtherClient, OtherName};
use crate::cert::{Certificate, Examined};
use crate::destination::check_host;
use crate::judge::covers;
use crate::report::{HandshakeError, Observation, StepProblem, TlsError};
use crate::resolve::ReverseFacts;
use crate::session::Reply;

/// Mechanisms that hand the password, or what is as good, to whoever listens.
const REVEALING: &[&str] = &["PLAIN", "LOGIN", "XOAUTH2", "OAUTHBEARER"];

impl Hygiene {
    /// Draws conclusions from a session and from what was found out besides.
    pub(super) fn new(
        session: &Observation,
        reverse: ReverseFacts,
        pipelined: Option<Box<Observation>>,
        named: Option<Box<Observation>>,
        renamed: Option<Box<Observation>>,
    ) -> Self {
        let (outside, inside) = (session.hello.as_ref(), session.hello_again.as_deref());
        let extensions = Extension::all(outside, inside);
        let mut findings = Vec::new();
        if let Some(pipelined) = &pipelined {
            findings.push(Finding::Injection(injection(session, pipelined)));
        }
        if let octets @ 1.. = session.text_before_tls {
            findings.push(Finding::TextBeforeTls(octets));
        }
        if outside.is_some() && inside.is_some() {
            findings.extend(changes(&extensions));
        }
        findings.extend(auth(&extensions));
        findings.extend(names(session, &reverse));
        findings.extend(promises(&extensions));
        if let Some(named) = &named {
            findings.push(Finding::OtherName(other_name(session, named)));
        }
        if let Some(renamed) = &renamed {
            findings.push(Finding::OtherClient(other_client(session, renamed)));
        }
        Self { extensions, reverse, pipelined, named, renamed, findings }
    }
}

/// Tells what became of the command behind STARTTLS: QUIT is all that was said inside TLS, so the
/// first reply there is to QUIT if the other command was dropped.
fn injection(session: &Observation, pipelined: &Observation) -> Injection {
    let refusal = refusal(pipelined);
    let Some(starttls) = &pipelined.starttls else { return Injection::Unknown };
    if let Some(reply) = refusal.filter(|_| !starttls.is_positive()) {
        return Injection::Refused(reply.clone());
    }
    // The answer comes with the reply to STARTTLS, or where TLS is expected.
    let not_tls = HandshakeError::Tls(TlsError::NotTls);
    let is_outside = pipelined.text_before_tls > session.text_before_tls
        || pipelined.handshake_error == Some(not_tls);
    if pipelined.tls.is_none() {
        return if is_outside { Injection::AnsweredOutside } else { Injection::NoHandshake };
    }
    let usual = session.quit.as_ref().map_or(221, |reply| reply.code);
    match &pipelined.quit {
        Some(reply) if reply.code == usual && is_outside => Injection::AnsweredOutside,
        Some(reply) if reply.code == usual => Injection::Dropped,
        Some(reply) => Injection::Answered(reply.clone()),
        // Whoever does not answer QUIT can do without.
        None if session.quit.is_none() => Injection::Dropped,
        None => Injection::Unknown,
    }
}

fn changes(extensions: &[Extension]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let others = || extensions.iter().filter(|it| it.keyword != "STARTTLS");
    if extensions.iter().any(|it| it.keyword == "STARTTLS" && it.inside.is_some()) {
        findings.push(Finding::StartTlsInside);
    }
    let keyword = |extension: &Extension| extension.keyword.clone();
    let lost: Vec<_> = others().filter(|it| it.inside.is_none()).map(keyword).collect();
    let gained: Vec<_> = others().filter(|it| it.outside.is_none()).map(keyword).collect();
    if !lost.is_empty() || !gained.is_empty() {
        findings.push(Finding::CapabilitiesChange { lost, gained });
    }
    findings
}

fn auth(extensions: &[Extension]) -> Option<Finding> {
    let auth = extensions.iter().find(|it| it.keyword == "AUTH")?;
    let Some(outside) = &auth.outside else { return Some(Finding::AuthInside) };
    let text = String::from_utf8_lossy(outside).to_ascii_uppercase();
    let mechanisms: Vec<_> = text.split_ascii_whitespace().map(str::to_owned).collect();
    let reveals = mechanisms.iter().any(|mechanism| REVEALING.contains(&&mechanism[..]));
    Some(Finding::AuthInPlain { mechanisms, reveals })
}

/// The first word of a greeting, if it has one.
fn first_word(text: &Bytes) -> Option<Bytes> {
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.slice(..end))
}

fn names(session: &Observation, reverse: &ReverseFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    let name = |hello: Option<&crate::session::Capabilities>| {
        hello.map(|hello| hello.server_name.clone()).filter(|name| !name.is_empty())
    };
    let greeting = session.greeting.as_ref().and_then(|reply| first_word(&reply.text));
    let (outside, inside) = (name(session.hello.as_ref()), name(session.hello_again.as_deref()));
    let own = inside.clone().or_else(|| outside.clone());
    if let Some(own) = &own {
        findings.push(Finding::HelloName { name: own.clone(), valid: is_host(own) });
    }
    let all: Vec<_> = [&greeting, &outside, &inside].into_iter().flatten().collect();
    if all.windows(2).any(|pair| !pair[0].eq_ignore_ascii_case(pair[1])) {
        findings.push(Finding::NamesDiffer { greeting, outside, inside });
    }
    let text = own.as_deref().and_then(|own| std::str::from_utf8(own).ok());
    if let (Some(text), Some(certificate)) = (text, certificate(session)) {
        findings.push(Finding::HelloNameInCertificate(covers(&certificate, text)));
    }
    match reverse {
        ReverseFacts::Unknown => {}
        ReverseFacts::Failed(error) if error.is_not_found() => {
            findings.push(Finding::NoReverseName);
        }
        ReverseFacts::Failed(_) => {}
        ReverseFacts::Found(names) => {
            let mut confirmed = names.iter().filter(|name| name.confirmed == Some(true)).peekable();
            if confirmed.peek().is_some() {
                let is_own = |name: &str| text.is_some_and(|own| own.eq_ignore_ascii_case(name));
                let is_hello_name = confirmed.any(|name| is_own(&name.name));
                findings.push(Finding::ReverseConfirmed { is_hello_name });
            } else if names.iter().all(|name| name.confirmed.is_some()) {
                findings.push(Finding::ReverseUnconfirmed);
            }
        }
    }
    findings
}

/// Tells whether something can be the name of a host that has several labels, or is an address
/// literal (RFC 5321 section 4.1.3).
fn is_host(name: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(name) else { return false };
    if let Some(literal) = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')) {
        return literal
            .strip_prefix("IPv6:")
            .unwrap_or(literal)
            .parse::<std::net::IpAddr>()
            .is_ok();
    }
    text.trim_end_matches('.').contains('.') && check_host(text).is_ok()
}

fn promises(extensions: &[Extension]) -> Vec<Finding> {
    let find = |keyword: &str| extensions.iter().find(|it| it.keyword == keyword);
    let (utf8, eight) = (find("SMTPUTF8"), find("8BITMIME"));
    let lacks = |of: fn(&Extension) -> bool| utf8.is_some_and(of) && !eight.is_some_and(of);
    let mut findings = Vec::new();
    if lacks(|it| it.outside.is_some()) || lacks(|it| it.inside.is_some()) {
        findings.push(Finding::SmtpUtf8Without8BitMime);
    }
    if find("REQUIRETLS").is_some_and(|it| it.outside.is_some()) {
        findings.push(Finding::RequireTlsOutside);
    }
    findings
}

fn refusal(session: &Observation) -> Option<&Reply> {
    session.problems.iter().find_map(|(_, problem)| match problem {
        StepProblem::Refused(reply) => Some(reply),
        StepProblem::Lost(_) | StepProblem::TimedOut | StepProblem::ReplyTooLong => None,
    })
}

/// The certificate that the server showed.
fn shown(session: &Observation) -> Option<&Bytes> {
    session.tls.as_ref().and_then(|tls| tls.chain.first())
}

fn other_client(session: &Observation, renamed: &Observation) -> OtherClient {
    if let Some(shown) = shown(renamed) {
        return match self::shown(session) == Some(shown) {
            true => OtherClient::SameCertificate,
            false => OtherClient::OtherCertificate,
        };
    }
    // Without a hello nobody has heard the name.
    match (&renamed.hello, refusal(renamed)) {
        (None, _) => OtherClient::Unknown,
        (Some(_), Some(reply)) => OtherClient::Refused(reply.clone()),
        (Some(hello), None) if !hello.starttls => OtherClient::NoStartTls,
        (Some(_), None) if renamed.handshake_error.is_some() => OtherClient::NoHandshake,
        (Some(_), None) => OtherClient::Unknown,
    }
}

fn other_name(session: &Observation, named: &Observation) -> OtherName {
    match (shown(session), shown(named)) {
        (Some(usual), Some(shown)) if usual == shown => OtherName::SameCertificate,
        (_, Some(_)) => {
            let name = named.offer.as_ref().and_then(|offer| offer.server_name.as_deref());
            let certificate = certificate(named);
            let fits = certificate.zip(name).is_some_and(|(it, name)| covers(&it, name));
            OtherName::OtherCertificate { fits }
        }
        (_, None) if named.handshake_error.is_some() => OtherName::NoHandshake,
        (_, None) => OtherName::Unknown,
    }
}

fn certificate(session: &Observation) -> Option<Examined> {
    let tls = session.tls.as_ref()?;
    let own = tls.certificate()?;
    Some(Examined::new(Certificate::parse(own.clone()).ok()?))
}
