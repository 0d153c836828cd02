//! The summary's words about a TLS connection.

use std::fmt::Write;

use tlsfinger_core::cert::{Certificate, KeyKind, PublicKey};
use tlsfinger_core::config::ServerCertificates;
use tlsfinger_core::report::{SignatureScheme, TlsFacts, TlsVersion};

/// Tells protocol, cipher and, for TLS 1.3, key exchange and signatures.
///
/// `client_keys` are those that may have signed.
pub(super) fn connection(facts: &TlsFacts, client_keys: &[KeyKind]) -> String {
    let TlsFacts { version, suite, .. } = facts;
    let (name, bits) = (suite.openssl, suite.bits);
    let mut words = format!("{version} with cipher {name} ({bits}/{bits} bits)");
    if *version == TlsVersion::Tls12 {
        return words;
    }
    if let Some(group) = facts.group {
        let _ = write!(words, " key-exchange {group}");
    }
    if let Some(scheme) = facts.server_signature {
        let raw = facts.certificates == ServerCertificates::RawPublicKey;
        words += &signature("server", scheme, server_key(facts).as_ref(), raw);
    }
    if let Some(scheme) = facts.client_signature {
        // There is at most one key of each kind, and only for RSA the scheme does not tell all.
        let is_rsa = |key: &&KeyKind| matches!(key, KeyKind::Rsa { .. } | KeyKind::RsaPss { .. });
        words += &signature("client", scheme, client_keys.iter().find(is_rsa), false);
    }
    words
}

fn server_key(facts: &TlsFacts) -> Option<KeyKind> {
    let leaf = facts.chain.first()?.clone();
    match facts.certificates {
        ServerCertificates::RawPublicKey => Some(PublicKey::parse(&leaf).kind),
        ServerCertificates::X509 => Some(Certificate::parse(leaf).ok()?.public_key().kind),
    }
}

/// Tells a handshake signature of TLS 1.3 by the key that made it and the digest that was signed
/// (RFC 8446 section 4.2.3).
fn signature(side: &str, scheme: SignatureScheme, key: Option<&KeyKind>, raw: bool) -> String {
    let (algorithm, detail, digest) = match scheme.0 {
        0x0403 => ("ECDSA", "prime256v1".to_owned(), "SHA256"),
        0x0503 => ("ECDSA", "secp384r1".to_owned(), "SHA384"),
        0x0603 => ("ECDSA", "secp521r1".to_owned(), "SHA512"),
        0x0804 => ("RSA-PSS", size(key, raw), "SHA256"),
        0x0805 => ("RSA-PSS", size(key, raw), "SHA384"),
        0x0806 => ("RSA-PSS", size(key, raw), "SHA512"),
        // Keys for nothing but PSS have another name in OpenSSL, and no size.
        0x0809 => ("RSASSA-PSS", String::new(), "SHA256"),
        0x080a => ("RSASSA-PSS", String::new(), "SHA384"),
        0x080b => ("RSASSA-PSS", String::new(), "SHA512"),
        0x0807 => ("ED25519", String::new(), ""),
        0x0808 => ("ED448", String::new(), ""),
        _ => return String::new(),
    };
    let mut words = format!(" {side}-signature {algorithm}");
    let _ = match (detail.as_str(), raw) {
        ("", false) => Ok(()),
        ("", true) => write!(words, " (raw public key)"),
        (detail, false) => write!(words, " ({detail})"),
        (detail, true) => write!(words, " ({detail} raw public key)"),
    };
    if !digest.is_empty() {
        let _ = write!(words, " {side}-digest {digest}");
    }
    words
}

fn size(key: Option<&KeyKind>, raw: bool) -> String {
    match key {
        Some(KeyKind::Rsa { bits } | KeyKind::RsaPss { bits }) if raw => format!("{bits} bit"),
        Some(KeyKind::Rsa { bits } | KeyKind::RsaPss { bits }) => format!("{bits} bits"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tlsfinger_core::config::ServerCertificates;
    use tlsfinger_core::report::{Group, KeyProof};
    use tlsfinger_core::tls::Suite;

    use super::*;

    /// The SubjectPublicKeyInfo of an RSA key of 1024 bits, all ones.
    fn rsa_key() -> Bytes {
        let mut key =
            vec![0x30, 0x81, 0x9f, 0x30, 13, 6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1];
        key.extend([5, 0, 3, 0x81, 0x8d, 0, 0x30, 0x81, 0x89, 2, 0x81, 0x81, 0]);
        key.extend([0xff; 128]);
        key.extend([2, 3, 1, 0, 1]);
        key.into()
    }

    fn facts(version: TlsVersion, suite: u16, scheme: Option<u16>) -> TlsFacts {
        TlsFacts {
            version,
            suite: Suite::by_number(suite).unwrap(),
            group: Some(Group::X25519),
            server_signature: scheme.map(SignatureScheme),
            key_proof: KeyProof::Proved,
            client_signature: None,
            client_certificate_requested: false,
            chain: vec![rsa_key()],
            certificates: ServerCertificates::RawPublicKey,
            ocsp: None,
            resumed: scheme.is_none(),
            hello_retry: false,
        }
    }

    #[test]
    fn summaries() {
        let tls13 = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange x25519";
        let table = [
            (TlsVersion::Tls13, 0x1302, None, tls13.to_owned()),
            (
                TlsVersion::Tls13,
                0x1302,
                Some(0x0403),
                format!(
                    "{tls13} server-signature ECDSA (prime256v1 raw public key) server-digest SHA256"
                ),
            ),
            (
                TlsVersion::Tls13,
                0x1302,
                Some(0x0805),
                format!(
                    "{tls13} server-signature RSA-PSS (1024 bit raw public key) server-digest SHA384"
                ),
            ),
            (
                TlsVersion::Tls13,
                0x1302,
                Some(0x0807),
                format!("{tls13} server-signature ED25519 (raw public key)"),
            ),
            (
                TlsVersion::Tls12,
                0xc02f,
                Some(0x0401),
                "TLSv1.2 with cipher ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)".to_owned(),
            ),
        ];
        for (version, suite, scheme, expected) in table {
            assert_eq!(connection(&facts(version, suite, scheme), &[]), expected);
        }
    }

    #[test]
    fn client_signature_stands_last() {
        let mut facts = facts(TlsVersion::Tls13, 0x1301, Some(0x0807));
        facts.client_signature = Some(SignatureScheme(0x0804));
        let keys = [KeyKind::Ed25519, KeyKind::Rsa { bits: 3072 }];
        let words = connection(&facts, &keys);
        let client = " client-signature RSA-PSS (3072 bits) client-digest SHA256";
        assert!(words.ends_with(client), "{words}");
        facts.client_signature = Some(SignatureScheme(0x0503));
        let client = " client-signature ECDSA (secp384r1) client-digest SHA384";
        assert!(connection(&facts, &keys).ends_with(client));
    }
}
