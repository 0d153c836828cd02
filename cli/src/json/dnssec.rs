//! Why answers are secure, insecure or bogus, and what name servers say about failures, as JSON.

use serde_json::{Value, json};
use tlsfinger_core::cert::Seconds;
use tlsfinger_core::resolve::{ChainStep, ExtendedError, Proof, Security, SignedBy};

/// Tells what an answer is worth, step by step.
pub(super) fn proof(proof: &Proof) -> Value {
    let (security, reason) = match &proof.security {
        Security::Secure => ("secure", None),
        Security::Insecure(why) => ("insecure", Some(why.to_string())),
        Security::Bogus(flaw) => ("bogus", Some(flaw.to_string())),
    };
    json!({
        "name": proof.name,
        "record": proof.record.to_string(),
        "security": security,
        "reason": reason,
        "extended_error": proof.extended_error().as_ref().map(extended_error),
        "chain": proof.steps.iter().map(step).collect::<Value>(),
    })
}

fn step(step: &ChainStep) -> Value {
    let mut value = match step {
        ChainStep::Anchor { zone } => json!({ "step": "anchor", "name": zone }),
        ChainStep::Ds { zone, tag, algorithm, digest_type, by } => json!({
            "step": "ds",
            "name": zone,
            "record": "DS",
            "key_tag": tag,
            "algorithm": algorithm,
            "digest_type": digest_type,
            "signature": signature(by),
        }),
        ChainStep::Keys { zone, by } => json!({
            "step": "keys",
            "name": zone,
            "record": "DNSKEY",
            "signature": signature(by),
        }),
        ChainStep::Records { name, record, by } => json!({
            "step": "records",
            "name": name,
            "record": record.to_string(),
            "signature": signature(by),
        }),
        ChainStep::Denial { name, record, zone } => json!({
            "step": "denial",
            "name": name,
            "record": record.to_string(),
            "zone": zone,
        }),
        ChainStep::Insecure { name, record, why } => json!({
            "step": "insecure",
            "name": name,
            "record": record.to_string(),
            "reason": why.to_string(),
        }),
        ChainStep::Broken { name, record, flaw } => json!({
            "step": "broken",
            "name": name,
            "record": record.to_string(),
            "reason": flaw.to_string(),
        }),
    };
    value["text"] = step.to_string().into();
    value
}

fn signature(by: &SignedBy) -> Value {
    let time = |seconds: u32| Seconds(seconds.into()).to_string();
    json!({
        "zone": by.zone,
        "key_tag": by.tag,
        "algorithm": by.algorithm,
        "inception": time(by.inception),
        "expiration": time(by.expiration),
    })
}

/// Tells an extended DNS error (RFC 8914).
pub(super) fn extended_error(error: &ExtendedError) -> Value {
    json!({ "code": error.code, "purpose": error.purpose(), "text": error.text })
}
