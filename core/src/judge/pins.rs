//! Fingerprints and trust anchors, expressed as TLSA records as the reference does.

use crate::config::{Anchor, Pin};
use crate::resolve::Tlsa;

/// Expresses a fingerprint: of the certificate, or of the key.
pub fn pin_records(pin: &Pin) -> [Tlsa; 2] {
    [Tlsa::CERT, Tlsa::SPKI].map(|selector| Tlsa {
        usage: Tlsa::DANE_EE,
        selector,
        matching: Tlsa::PRIVATE,
        data: pin.0.clone(),
    })
}

/// Expresses a trust anchor: above the server's certificate, or that itself.
pub fn anchor_records(anchor: &Anchor) -> [Tlsa; 2] {
    let (selector, data) = match anchor {
        Anchor::Certificate(certificate) => (Tlsa::CERT, certificate.der()),
        Anchor::Key(spki) => (Tlsa::SPKI, spki),
    };
    [Tlsa::DANE_TA, Tlsa::DANE_EE].map(|usage| Tlsa {
        usage,
        selector,
        matching: Tlsa::FULL,
        data: data.clone(),
    })
}
