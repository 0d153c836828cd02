//! What the SMTP around TLS is like, as JSON.

use serde_json::{Value, json};
use tlsfinger_core::hygiene::{Extension, Finding, Hygiene, Injection, OtherClient, OtherName};
use tlsfinger_core::resolve::ReverseFacts;

use super::session::reply;
use super::{lookup_error, text};
use crate::text::hygiene::words;

/// Tells what was found out.
pub(super) fn hygiene(hygiene: &Hygiene) -> Value {
    json!({
        "extensions": hygiene.extensions.iter().map(extension).collect::<Value>(),
        "reverse": match &hygiene.reverse {
            ReverseFacts::Unknown => Value::Null,
            ReverseFacts::Failed(error) => json!({ "names": [], "error": lookup_error(error) }),
            ReverseFacts::Found(names) => json!({
                "names": names.iter().map(|it| {
                    json!({ "name": it.name, "confirmed": it.confirmed })
                }).collect::<Value>(),
                "error": null,
            }),
        },
        "findings": hygiene.findings.iter().map(finding).collect::<Value>(),
    })
}

fn extension(extension: &Extension) -> Value {
    let words = |parameters: &[u8]| {
        let parameters = text(parameters);
        let words = parameters.split([' ', '\t', '=']).filter(|word| !word.is_empty());
        words.map(Value::from).collect::<Value>()
    };
    json!({
        "keyword": extension.keyword,
        "outside": extension.outside.as_deref().map(words),
        "inside": extension.inside.as_deref().map(words),
        "source": extension.source(),
    })
}

fn finding(finding: &Finding) -> Value {
    let mut value = json!({
        "finding": finding.word(),
        "grade": finding.grade().to_string(),
        "source": finding.source(),
        "text": words(finding),
    });
    let detail = match finding {
        Finding::Injection(injection) => Some(match injection {
            Injection::Answered(answer) => json!({ "answered": true, "reply": reply(answer) }),
            Injection::AnsweredOutside | Injection::Dropped => {
                json!({ "answered": false, "reply": null })
            }
            Injection::Refused(refusal) => json!({ "answered": false, "reply": reply(refusal) }),
            Injection::NoHandshake | Injection::Unknown => {
                json!({ "answered": null, "reply": null })
            }
        }),
        Finding::TextBeforeTls(octets) => Some(json!({ "octets": octets })),
        Finding::CapabilitiesChange { lost, gained } => {
            Some(json!({ "lost": lost, "gained": gained }))
        }
        Finding::AuthInPlain { mechanisms, reveals } => {
            Some(json!({ "mechanisms": mechanisms, "reveals": reveals }))
        }
        Finding::HelloName { name, valid } => Some(json!({ "name": text(name), "valid": valid })),
        Finding::NamesDiffer { greeting, outside, inside } => Some(json!({
            "greeting": greeting.as_deref().map(text),
            "outside": outside.as_deref().map(text),
            "inside": inside.as_deref().map(text),
        })),
        Finding::HelloNameInCertificate(fits) => Some(json!({ "fits": fits })),
        Finding::NoReverseName => Some(json!({ "confirmed": null, "is_hello_name": false })),
        Finding::ReverseUnconfirmed => Some(json!({ "confirmed": false, "is_hello_name": false })),
        Finding::ReverseConfirmed { is_hello_name } => {
            Some(json!({ "confirmed": true, "is_hello_name": is_hello_name }))
        }
        Finding::OtherName(other) => Some(json!({ "certificate": match other {
            OtherName::SameCertificate => Some("same"),
            OtherName::OtherCertificate { fits: true } => Some("fits"),
            OtherName::OtherCertificate { fits: false } => Some("other"),
            OtherName::NoHandshake => Some("refused"),
            OtherName::Unknown => None,
        } })),
        Finding::OtherClient(other) => Some(json!({
            "starttls": match other {
                OtherClient::SameCertificate | OtherClient::OtherCertificate => Some(true),
                OtherClient::NoStartTls | OtherClient::Refused(_) | OtherClient::NoHandshake => {
                    Some(false)
                }
                OtherClient::Unknown => None,
            },
            "certificate": match other {
                OtherClient::SameCertificate => Some("same"),
                OtherClient::OtherCertificate => Some("other"),
                _ => None,
            },
            "reply": match other {
                OtherClient::Refused(refusal) => reply(refusal),
                _ => Value::Null,
            },
        })),
        Finding::StartTlsInside
        | Finding::AuthInside
        | Finding::SmtpUtf8Without8BitMime
        | Finding::RequireTlsOutside => None,
    };
    value["detail"] = detail.unwrap_or_default();
    value
}
