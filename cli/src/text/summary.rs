//! The summary's words about a TLS connection.

use tlsfinger_core::report::{SignatureScheme, TlsFacts, TlsVersion};

/// Tells protocol, cipher and, for TLS 1.3, key exchange and signatures.
pub(super) fn connection(facts: &TlsFacts) -> String {
    let TlsFacts { version, suite, .. } = facts;
    let (name, bits) = (suite.openssl, suite.bits);
    let mut words = format!("{version} with cipher {name} ({bits}/{bits} bits)");
    if *version == TlsVersion::Tls12 {
        return words;
    }
    if let Some(group) = facts.group {
        words += &format!(" key-exchange {group}");
    }
    if let Some(scheme) = facts.server_signature {
        words += &signature("server", scheme);
    }
    if let Some(scheme) = facts.client_signature {
        words += &signature("client", scheme);
    }
    words
}

fn signature(side: &str, scheme: SignatureScheme) -> String {
    let (key, digest) = match scheme.0 {
        0x0403 => ("ECDSA (prime256v1)", "SHA256"),
        0x0503 => ("ECDSA (secp384r1)", "SHA384"),
        0x0603 => ("ECDSA (secp521r1)", "SHA512"),
        0x0804 | 0x0809 => ("RSA-PSS", "SHA256"),
        0x0805 | 0x080a => ("RSA-PSS", "SHA384"),
        0x0806 | 0x080b => ("RSA-PSS", "SHA512"),
        0x0807 => ("ED25519", ""),
        0x0808 => ("ED448", ""),
        _ => return String::new(),
    };
    let mut words = format!(" {side}-signature {key}");
    if !digest.is_empty() {
        words += &format!(" {side}-digest {digest}");
    }
    words
}
