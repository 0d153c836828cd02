//! What the SMTP around TLS is like (`--hygiene`), a line for each finding.

use std::borrow::Cow;

use tlsfinger_core::hygiene::{
    Extension, Finding, Grade, Hygiene, Injection, OtherClient, OtherName,
};
use tlsfinger_core::report::Peer;
use tlsfinger_core::resolve::ReverseFacts;

use crate::line::{Message, Tone};

/// Tells what was found out about a server.
pub(crate) fn hygiene(peer: &Peer, hygiene: &Hygiene) -> Vec<Message> {
    let mut lines = Vec::new();
    let list = |keep: fn(&Extension) -> bool| {
        let kept = hygiene.extensions.iter().filter(|it| keep(it));
        kept.map(|it| it.keyword.clone()).collect::<Vec<_>>()
    };
    let mut offered = |when: &str, keywords: Vec<String>| {
        if !keywords.is_empty() {
            lines.push(Message::info(format!("{peer}: {when}: {}", keywords.join(" "))));
        }
    };
    offered("offered outside TLS", list(|it| it.outside.is_some()));
    offered("offered inside TLS", list(|it| it.inside.is_some()));
    if let ReverseFacts::Found(names) = &hygiene.reverse {
        let names: Vec<_> = names.iter().map(|it| it.name.clone()).collect();
        lines.push(Message::info(format!("{peer}: names of the address: {}", names.join(" "))));
    }
    for finding in &hygiene.findings {
        let (grade, source) = (finding.grade(), finding.source());
        let text = format!("{peer}: {grade}: {} ({source})", words(finding));
        lines.push(Message::info(text).toned(match grade {
            Grade::Good => Tone::Good,
            Grade::Note | Grade::Unknown => Tone::Plain,
            Grade::Weak => Tone::Doubtful,
            Grade::Bad => Tone::Bad,
        }));
    }
    lines
}

/// Tells a finding in words.
pub(crate) fn words(finding: &Finding) -> String {
    let list = |keywords: &[String]| match keywords.is_empty() {
        true => "nothing".to_owned(),
        false => keywords.join(" "),
    };
    match finding {
        Finding::Injection(injection) => self::injection(injection),
        Finding::TextBeforeTls(octets) => {
            format!("{octets} octets of plain text came behind the reply to STARTTLS")
        }
        Finding::StartTlsInside => "STARTTLS is offered again inside TLS".to_owned(),
        Finding::CapabilitiesChange { lost, gained } => {
            format!("only outside TLS there is {}; only inside, {}", list(lost), list(gained))
        }
        Finding::AuthInPlain { mechanisms, reveals } => {
            let how = match reveals {
                true => "in plain text, so that passwords can be read",
                false => "outside TLS, with mechanisms that reveal no password",
            };
            format!("AUTH is offered {how}: {}", list(mechanisms))
        }
        Finding::AuthInside => "AUTH is offered inside TLS only".to_owned(),
        Finding::HelloName { name, valid: true } => {
            format!("the server calls itself {}", text(name))
        }
        Finding::HelloName { name, valid: false } => {
            format!("the server calls itself {}, which is no full host name", text(name))
        }
        Finding::NamesDiffer { greeting, outside, inside } => {
            let said = [
                (greeting, "in its greeting"),
                (outside, "in reply to EHLO"),
                (inside, "in reply to EHLO inside TLS"),
            ];
            let said = said.into_iter().filter_map(|(name, when)| Some((name.as_ref()?, when)));
            let said: Vec<_> = said.map(|(name, when)| format!("{} {when}", text(name))).collect();
            format!("the server calls itself {}", said.join(", "))
        }
        Finding::HelloNameInCertificate(true) => "the certificate is for that name".to_owned(),
        Finding::HelloNameInCertificate(false) => "the certificate is not for that name".to_owned(),
        Finding::NoReverseName => "the address has no name".to_owned(),
        Finding::ReverseUnconfirmed => "no name of the address leads back to it".to_owned(),
        Finding::ReverseConfirmed { is_hello_name: true } => {
            "the address has that name, which leads back to it".to_owned()
        }
        Finding::ReverseConfirmed { is_hello_name: false } => {
            "the address has a name that leads back to it, but not that one".to_owned()
        }
        Finding::SmtpUtf8Without8BitMime => "SMTPUTF8 is offered without 8BITMIME".to_owned(),
        Finding::RequireTlsOutside => "REQUIRETLS is offered outside TLS".to_owned(),
        Finding::OtherName(other) => match other {
            OtherName::SameCertificate => "asked for by that name, it shows the same certificate",
            OtherName::OtherCertificate { fits: true } => {
                "asked for by that name, it shows another certificate, which is for the name"
            }
            OtherName::OtherCertificate { fits: false } => {
                "asked for by that name, it shows another certificate, which is not for the name"
            }
            OtherName::NoHandshake => "asked for by that name, it refuses the handshake",
            OtherName::Unknown => "what it does if asked for by that name could not be found out",
        }
        .to_owned(),
        Finding::OtherClient(other) => other_client(other),
    }
}

fn other_client(other: &OtherClient) -> String {
    match other {
        OtherClient::SameCertificate => {
            "to a client of another name it shows the same certificate".to_owned()
        }
        OtherClient::OtherCertificate => {
            "to a client of another name it shows another certificate".to_owned()
        }
        OtherClient::NoStartTls => "to a client of another name STARTTLS is not offered".to_owned(),
        OtherClient::Refused(reply) => {
            format!("a client of another name is refused: {} {}", reply.code, text(&reply.text))
        }
        OtherClient::NoHandshake => {
            "with a client of another name it refuses the handshake".to_owned()
        }
        OtherClient::Unknown => {
            "what becomes of a client of another name could not be found out".to_owned()
        }
    }
}

fn injection(injection: &Injection) -> String {
    match injection {
        Injection::Answered(reply) => {
            let reply = format!("{} {}", reply.code, text(&reply.text));
            format!("a command that comes with STARTTLS is answered inside TLS: {reply}")
        }
        Injection::AnsweredOutside => {
            "a command that comes with STARTTLS is answered outside TLS".to_owned()
        }
        Injection::Dropped => "a command that comes with STARTTLS is dropped".to_owned(),
        Injection::Refused(reply) => {
            let reply = format!("{} {}", reply.code, text(&reply.text));
            format!("STARTTLS is refused if a command comes with it: {reply}")
        }
        Injection::NoHandshake => "no TLS comes about if a command comes with STARTTLS".to_owned(),
        Injection::Unknown => {
            "what becomes of a command that comes with STARTTLS could not be found out".to_owned()
        }
    }
}

/// Text of a server; what is not fit for a terminal is dealt with by the printer.
fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
