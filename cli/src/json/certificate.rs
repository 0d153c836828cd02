//! Certificates as JSON.

use bytes::Bytes;
use pem_rfc7468::{LineEnding, encode_string};
use serde_json::{Value, json};
use tlsfinger_core::cert::{
    Certificate, Curve, Digest, Examined, GeneralName, Hash, KeyKind, PublicKey, SignatureAlgorithm,
};

use super::{hex, text};

/// Tells a certificate, as far as it can be read.
pub(crate) fn certificate(der: &Bytes, digest: Digest) -> Value {
    let Ok(certificate) = Certificate::parse(der.clone()) else {
        return json!({ "sha256": sha256(der), "pem": pem("CERTIFICATE", der), "fields": null });
    };
    let examined = Examined::new(certificate);
    let certificate = examined.certificate();
    let validity = examined.validity();
    let extensions = examined.extensions();
    json!({
        "sha256": sha256(der),
        "pem": pem("CERTIFICATE", der),
        "fields": {
            "version": certificate.version().0,
            "serial": hex(certificate.serial()),
            "subject": certificate.subject().to_string(),
            "issuer": certificate.issuer().to_string(),
            "self_signed": examined.is_self_signed(),
            "not_before": validity.not_before.map(|time| time.to_string()),
            "not_after": validity.not_after.map(|time| time.to_string()),
            "names": extensions.names().iter().map(name).collect::<Value>(),
            "common_names": certificate.subject().common_names().collect::<Value>(),
            "ca": extensions.is_ca(),
            "key": key(examined.key()),
            "signature": signature(examined.algorithm()),
            "digest": digest.to_string(),
            "fingerprint": hex(&digest.of(&[der])),
            "key_fingerprint": hex(&digest.of(&[certificate.spki()])),
        },
    })
}

/// Tells what a certificate is known by.
pub(crate) fn sha256(der: &[u8]) -> String {
    hex(&Digest::Sha256.of(&[der]))
}

/// Tells a raw public key (RFC 7250).
pub(super) fn raw_key(spki: &Bytes, digest: Digest) -> Value {
    json!({
        "pem": pem("PUBLIC KEY", spki),
        "key": key(&PublicKey::parse(spki).kind),
        "digest": digest.to_string(),
        "key_fingerprint": hex(&digest.of(&[spki])),
    })
}

fn pem(label: &str, der: &[u8]) -> String {
    encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

fn name(name: &GeneralName) -> Value {
    let (kind, value) = match name {
        GeneralName::Dns(name) => ("dns", text(name)),
        GeneralName::Ip(octets) => {
            ("ip", name.address().map_or_else(|| hex(octets), |ip| ip.to_string()))
        }
        GeneralName::Email(address) => ("email", text(address)),
        GeneralName::Uri(uri) => ("uri", text(uri)),
        GeneralName::Directory(name) => ("directory", name.to_string()),
        GeneralName::Other { value, .. } => ("other", hex(value)),
        GeneralName::Rare(_, value) => ("rare", hex(value)),
    };
    json!({ "kind": kind, "value": value })
}

fn key(kind: &KeyKind) -> Value {
    let (algorithm, bits, curve) = match kind {
        KeyKind::Rsa { bits } => ("RSA", Some(*bits), None),
        KeyKind::RsaPss { bits } => ("RSA-PSS", Some(*bits), None),
        KeyKind::Ec(curve) => ("EC", curve_bits(curve), Some(curve.to_string())),
        KeyKind::Ed25519 => ("Ed25519", Some(256), None),
        KeyKind::Ed448 => ("Ed448", Some(456), None),
        KeyKind::Dsa { bits } => ("DSA", Some(*bits), None),
        KeyKind::Other(oid) => (oid.as_str(), None, None),
    };
    json!({ "algorithm": algorithm, "bits": bits, "curve": curve })
}

fn curve_bits(curve: &Curve) -> Option<usize> {
    match curve {
        Curve::P256 => Some(256),
        Curve::P384 => Some(384),
        Curve::P521 => Some(521),
        Curve::Other(_) => None,
    }
}

fn signature(algorithm: &SignatureAlgorithm) -> String {
    let with = |name: &str, hash: &Hash| format!("{name} with {hash}");
    match algorithm {
        SignatureAlgorithm::RsaPkcs1(hash) => with("RSA", hash),
        SignatureAlgorithm::RsaPss { hash, .. } => with("RSA-PSS", hash),
        SignatureAlgorithm::Ecdsa(hash) => with("ECDSA", hash),
        SignatureAlgorithm::Ed25519 => "Ed25519".to_owned(),
        SignatureAlgorithm::Ed448 => "Ed448".to_owned(),
        SignatureAlgorithm::Other(oid) => oid.clone(),
    }
}
