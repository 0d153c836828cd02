//! What DNS said, as JSON.

use serde_json::{Value, json};
use tlsfinger_core::report::LookupNote;
use tlsfinger_core::resolve::{
    AddressFacts, HostFacts, MxSecurity, RouteFacts, Tlsa, TlsaFacts, TlsaRecord, TlsaSet,
};

use super::{dnssec, hex, ip, lookup_error};

/// Tells the way to the servers.
pub(super) fn route(route: &RouteFacts) -> Value {
    json!({
        "record": route.record.map(|record| record.to_string()),
        "secure": match route.security {
            MxSecurity::None => None,
            MxSecurity::Insecure => Some(false),
            MxSecurity::Secure => Some(true),
        },
        "hosts": route.hosts.iter().map(host).collect::<Value>(),
        "validation": route.proofs.iter().map(|proof| dnssec::proof(proof)).collect::<Value>(),
    })
}

fn host(host: &HostFacts) -> Value {
    json!({
        "name": &*host.name,
        "port": host.port,
        "preference": host.preference,
        "complete": host.complete,
        "error": host.error.as_deref().map(lookup_error),
        "addresses": host.addresses.iter().map(address).collect::<Value>(),
    })
}

fn address(address: &AddressFacts) -> Value {
    let tlsa = match &address.tlsa {
        TlsaFacts::Unknown => json!({ "state": "unknown" }),
        TlsaFacts::None => json!({ "state": "none" }),
        TlsaFacts::Found(set) => json!({
            "state": "found",
            "query": set.query,
            "owner": set.owner,
            "records": set.records.iter().map(record).collect::<Value>(),
        }),
        TlsaFacts::Failed(note) => {
            let error = match &**note {
                LookupNote::TlsaFailed(error) => Some(error),
                LookupNote::AliasStatusFailed { error, .. } => error.as_ref(),
                _ => None,
            };
            json!({ "state": "failed", "error": error.map(lookup_error) })
        }
    };
    json!({ "address": ip(address.ip), "secure": address.secure, "tlsa": tlsa })
}

/// Tells a set of TLSA records, and which of them matched.
pub(super) fn tlsa_set(set: &TlsaSet, matched: Option<&Tlsa>) -> Value {
    json!({
        "base": set.base,
        "query": set.query,
        "owner": set.owner,
        "excess": set.excess,
        "records": set.records.iter().map(|record| {
            let mut value = self::record(record);
            value["matched"] = matched.is_some_and(|tlsa| *record == TlsaRecord::Usable(tlsa.clone())).into();
            value
        }).collect::<Value>(),
    })
}

fn record(record: &TlsaRecord) -> Value {
    let (tlsa, dropped) = match record {
        TlsaRecord::Usable(tlsa) => (Some(tlsa), None),
        TlsaRecord::Usage(tlsa) => (Some(tlsa), Some("usage")),
        TlsaRecord::PrivateMatching(tlsa) => (Some(tlsa), Some("matching-type")),
        TlsaRecord::Short(_) => (None, Some("short")),
    };
    json!({
        "usage": tlsa.map(|tlsa| tlsa.usage),
        "selector": tlsa.map(|tlsa| tlsa.selector),
        "matching_type": tlsa.map(|tlsa| tlsa.matching),
        "data": tlsa.map(|tlsa| hex(&tlsa.data)),
        "dropped": dropped,
    })
}
