//! The server's certificates as text (`-C`).

use bytes::Bytes;
use pem_rfc7468::{LineEnding, encode_string};
use tlsfinger_core::cert::{Certificate, Digest};

use super::verdict::colons;

/// Writes the chain as it was sent, the server's own certificate first.
pub(super) fn lines(chain: &[Bytes], digest: Digest) -> Vec<String> {
    let mut lines = vec![String::new(), "---".to_owned(), "Certificate chain".to_owned()];
    for (depth, der) in chain.iter().enumerate() {
        let Ok(certificate) = Certificate::parse(der.clone()) else {
            lines.push(format!("{depth:2} (no certificate)"));
            lines.extend(pem(der));
            continue;
        };
        lines.push(format!("{depth:2} subject: {}", certificate.subject()));
        lines.push(format!("    issuer: {}", certificate.issuer()));
        lines.push(format!("   cert digest={}", colons(&digest.of(&[der]))));
        lines.push(format!("   pkey digest={}", colons(&digest.of(&[certificate.spki()]))));
        lines.extend(pem(der));
    }
    lines
}

fn pem(der: &[u8]) -> Vec<String> {
    let text = encode_string("CERTIFICATE", LineEnding::LF, der).unwrap_or_default();
    text.lines().map(str::to_owned).collect()
}
