//! What a scout found out, as JSON.

use bytes::Bytes;
use serde_json::{Value, json};
use tlsfinger_core::cert::Digest;
use tlsfinger_core::report::{ScoutCause, Scouted, SignatureScheme};
use tlsfinger_core::tls::scout::{
    Flight, FlightEnd, KeyExchange, Proof, Protocol, ScoutHello, group_name, scheme_name,
};
use tlsfinger_core::tls::{Exchange, Suite};

use super::certificate::raw_key;
use super::hex;
use super::session::judged;

/// Tells what was asked and what was answered; `certificate` tells a certificate.
pub(super) fn scouted(
    scouted: &Scouted,
    digest: Digest,
    certificate: &mut dyn FnMut(&Bytes) -> Value,
) -> Value {
    let Scouted { cause, hello, flight, verdict, .. } = scouted;
    let ScoutHello { versions, server_name, .. } = &**hello;
    json!({
        "cause": match cause {
            ScoutCause::HandshakeFailed => "handshake-failed",
            ScoutCause::NothingSelected => "nothing-selected",
            ScoutCause::MaybeAnonymous => "maybe-anonymous",
        },
        "asked": {
            "versions": versions.iter().map(Protocol::to_string).collect::<Value>(),
            "server_name": server_name,
        },
        "agreed": scouted.agreed().is_some(),
        "spoken": scouted.agreed().map(Flight::is_spoken),
        "anonymous": scouted.agreed().map(Flight::is_anonymous),
        "flight": flight.as_ref().map(|it| self::flight(it, digest, certificate)),
        "verdict": verdict.as_deref().map(judged),
    })
}

/// Tells what a server answered to a ClientHello.
fn flight(flight: &Flight, digest: Digest, certificate: &mut dyn FnMut(&Bytes) -> Value) -> Value {
    let suite = flight.suite.map(suite);
    json!({
        "end": end(flight.end),
        "alert": match flight.end {
            FlightEnd::Refused(alert) => Some(alert.0),
            _ => None,
        },
        "version": flight.version.map(|version| version.to_string()),
        "cipher": suite,
        "key_exchange": key_exchange(flight),
        "server_signature": flight.signature.map(|it| it.scheme.map_or_else(String::new, scheme)),
        "signature_proof": flight.signature.map(|it| proof(it.proof)),
        "client_certificate_requested": flight.client_certificate_requested,
        "ocsp": flight.ocsp.as_deref().map(hex),
        "chain": chain(flight, digest, certificate),
    })
}

/// Tells a suite by its names.
pub(super) fn suite(number: u16) -> Value {
    match Suite::by_number(number) {
        Some(suite) => json!({
            "number": number, "iana": suite.iana, "openssl": suite.openssl, "bits": suite.bits,
        }),
        None => json!({ "number": number, "iana": null, "openssl": null, "bits": null }),
    }
}

fn chain(flight: &Flight, digest: Digest, certificate: &mut dyn FnMut(&Bytes) -> Value) -> Value {
    match flight.chain.first() {
        None => Value::Null,
        Some(key) if flight.raw_key => {
            json!({ "kind": "raw-public-key", "raw_key": raw_key(key, digest) })
        }
        Some(_) => {
            let certificates = flight.chain.iter().map(certificate);
            json!({ "kind": "x509", "certificates": certificates.collect::<Value>() })
        }
    }
}

fn key_exchange(flight: &Flight) -> Value {
    let exchange = flight.known_suite().map(|suite| suite.exchange);
    let (kind, bits, group) = match (flight.key_exchange, exchange) {
        (Some(KeyExchange::Ecdhe(number)), _) => ("ecdhe", None, Some(number)),
        (Some(KeyExchange::ExplicitCurve), _) => ("ecdhe", None, None),
        (Some(KeyExchange::Dhe { bits, group }), _) => ("dhe", Some(bits), group),
        (Some(KeyExchange::ExportRsa { bits }), _) => ("rsa-export", Some(bits), None),
        (None, Some(Exchange::Rsa)) => ("rsa", None, None),
        (None, Some(Exchange::Dh)) => ("dh", None, None),
        (None, Some(Exchange::Ecdh)) => ("ecdh", None, None),
        (None, Some(Exchange::Tls13)) => ("tls13", None, flight.group),
        (None, _) => return Value::Null,
    };
    json!({ "kind": kind, "bits": bits, "group": group.map(group_word) })
}

/// The IANA name of a group, or its number.
pub(super) fn group_word(number: u16) -> String {
    group_name(number).map_or_else(|| format!("{number:#06x}"), str::to_owned)
}

/// The IANA name of a signature scheme, or its number.
pub(super) fn scheme(SignatureScheme(number): SignatureScheme) -> String {
    scheme_name(number).map_or_else(|| format!("{number:#06x}"), str::to_owned)
}

fn proof(proof: Proof) -> &'static str {
    match proof {
        Proof::Right => "right",
        Proof::Wrong => "wrong",
        Proof::Unverifiable => "unverifiable",
    }
}

fn end(end: FlightEnd) -> &'static str {
    match end {
        FlightEnd::Cut => "cut",
        FlightEnd::Done => "done",
        FlightEnd::Retry => "retry",
        FlightEnd::Encrypted => "encrypted",
        FlightEnd::Resumed => "resumed",
        FlightEnd::Refused(_) => "alert",
        FlightEnd::NotTls => "not-tls",
        FlightEnd::Malformed => "malformed",
        FlightEnd::TooMuch => "limit",
    }
}
