//! What a server accepts, as JSON.

use serde_json::{Value, json};
use tlsfinger_core::cert::Digest;
use tlsfinger_core::enumerate::{Enumeration, Order, Severity, VersionFacts, WithoutSni};
use tlsfinger_core::report::SignatureScheme;
use tlsfinger_core::tls::{Suite, SuiteStatus};

use super::certificate::certificate;
use super::peer;
use super::scouted::{group_word, scheme, suite};
use crate::enumerated::subject;

/// Tells what was found.
pub(super) fn enumeration(found: &Enumeration, digest: Digest) -> Value {
    let accepted = &found.accepted;
    json!({
        "peer": found.peer.as_deref().map(peer),
        "connections": found.connections,
        "failures": found.failures,
        "cut": found.is_cut,
        "versions": found.versions.iter().map(version).collect::<Value>(),
        "chains": found.chains.iter().map(|chain| {
            chain.iter().map(|der| certificate(der, digest)).collect::<Value>()
        }).collect::<Value>(),
        "tls12": {
            "secure_renegotiation": accepted.secure_renegotiation,
            "extended_master_secret": accepted.extended_master_secret,
            "encrypt_then_mac": accepted.encrypt_then_mac,
            "compression": accepted.compression,
            "session_id": accepted.session_id,
            "session_ticket": accepted.session_ticket,
            "ocsp": accepted.ocsp,
            "fallback_scsv": accepted.fallback_scsv,
            "alpn": accepted.alpn,
            "raw_public_key": accepted.raw_public_key,
            "record_size_limit": accepted.record_size_limit,
            "client_certificate": accepted.client_certificate,
            "without_sni": accepted.without_sni.map(|what| match what {
                WithoutSni::Same => "same",
                WithoutSni::Other => "other",
                WithoutSni::Refused => "refused",
            }),
        },
        "sessions": found.sessions.iter().map(|facts| json!({
            "version": facts.version.to_string(),
            "resumed": facts.resumed(),
            "resumed_by_id": facts.resumed_by_id,
            "resumed_by_ticket": facts.resumed_by_ticket,
            "signature": facts.signature.map(scheme),
            "group": facts.group.map(|group| group.to_string()),
            "ocsp": facts.ocsp,
            "tickets": facts.tickets.iter().map(|ticket| json!({
                "lifetime": ticket.lifetime,
                "early_data": ticket.early_data,
            })).collect::<Value>(),
        })).collect::<Value>(),
        "findings": found.findings.iter().map(|finding| json!({
            "severity": match finding.severity {
                Severity::MustNot => "must-not",
                Severity::ShouldNot => "should-not",
            },
            "subject": subject(finding),
            "sentence": finding.sentence,
        })).collect::<Value>(),
    })
}

fn version(facts: &VersionFacts) -> Value {
    let VersionFacts { version, suites, order, groups, groups_order, schemes, dh_bits } = facts;
    let order_word = |order: &Order| match order {
        Order::Unknown => Value::Null,
        Order::Server => "server".into(),
        Order::Client => "client".into(),
    };
    json!({
        "version": version.to_string(),
        "suites": suites.iter().map(|number| {
            let status = Suite::by_number(*number).map(|suite| match suite.status().0 {
                SuiteStatus::Recommended => "recommended",
                SuiteStatus::Allowed => "allowed",
                SuiteStatus::ShouldNot => "should-not",
                SuiteStatus::MustNot => "must-not",
            });
            let iana = Suite::by_number(*number).and_then(|suite| suite.registered.letter());
            json!({ "cipher": suite(*number), "status": status, "iana": iana })
        }).collect::<Value>(),
        "order": order_word(order),
        "groups": groups.iter().map(|group| group_word(*group)).collect::<Value>(),
        "groups_order": order_word(groups_order),
        "signatures": schemes.iter().map(|it| scheme(SignatureScheme(*it))).collect::<Value>(),
        "dh_bits": dh_bits,
    })
}
