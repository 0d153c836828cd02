//! Which handshake signatures a key may make.

use tlsfinger_core::cert::{
    Certificate, SignatureError, TLS12_SCHEMES, TLS13_SCHEMES, verify_handshake,
};
use tlsfinger_core::report::TlsVersion;

use super::chains::chain;

const PKCS1: &[u16] = &[0x0201, 0x0401, 0x0501, 0x0601];
const PSS_RSAE: &[u16] = &[0x0804, 0x0805, 0x0806];
const PSS_PSS: &[u16] = &[0x0809, 0x080a, 0x080b];
const ECDSA: &[u16] = &[0x0203, 0x0403, 0x0503, 0x0603];

/// TLS 1.3 binds curves to schemes, and has neither PKCS #1 nor SHA-1 (RFC 8446 section 4.2.3).
#[test]
fn schemes_fit_keys() {
    let rsa = [PKCS1, PSS_RSAE].concat();
    for (name, tls12, tls13) in [
        ("key-rsa2048", &rsa[..], PSS_RSAE),
        ("key-rsa1024", &rsa, PSS_RSAE),
        ("key-rsapss", PSS_PSS, PSS_PSS),
        ("key-p256", ECDSA, &[0x0403]),
        ("key-p384", ECDSA, &[0x0503]),
        ("key-p521", ECDSA, &[0x0603]),
        ("key-ed25519", &[0x0807], &[0x0807]),
    ] {
        let leaf = chain(name).leaf();
        for (version, known, fitting) in
            [(TlsVersion::Tls12, TLS12_SCHEMES, tls12), (TlsVersion::Tls13, TLS13_SCHEMES, tls13)]
        {
            for scheme in (0..=0x0fff).chain([0xffff]) {
                let result = verify_handshake(scheme, version, leaf.spki(), b"x", &[1; 64]);
                let expected = match (known.contains(&scheme), fitting.contains(&scheme)) {
                    (false, _) => SignatureError::UnsupportedScheme,
                    (true, false) => SignatureError::WrongKeyType,
                    // P-384 with SHA-1 has no implementation here.
                    (true, true) if name == "key-p384" && scheme == 0x0203 => {
                        SignatureError::UnsupportedScheme
                    }
                    (true, true) => SignatureError::BadSignature,
                };
                assert_eq!(result, Err(expected), "{name} {version} {scheme:04x}");
            }
        }
    }
}

/// A certificate's signature is as good as a handshake's: the same bits, verified both ways.
#[test]
fn handshakes_are_verified_like_certificates() {
    for (name, scheme, issuer) in [
        ("key-rsa2048", 0x0401, true),
        ("signed-pss", 0x0804, true),
        ("signed-pss-512", 0x0806, true),
        ("signed-pss-1024", 0x0804, true),
        ("signed-pss-key", 0x0809, true),
        ("signed-sha384-1024", 0x0501, true),
        ("signed-ecdsa-sha1", 0x0203, true),
        ("good", 0x0403, true),
        ("key-ed25519", 0x0807, true),
        ("signed-badly", 0x0403, false),
        ("signed-badly-pss", 0x0804, false),
        ("signed-badly-sha384", 0x0501, false),
        // Another salt than the hash's length.
        ("signed-pss-salt", 0x0804, false),
    ] {
        let chain = chain(name);
        let leaf = chain.leaf();
        let key = Certificate::parse(chain.sent[1].clone()).expect("is readable");
        let verify = |message: &[u8]| {
            verify_handshake(scheme, TlsVersion::Tls12, key.spki(), message, leaf.signature())
        };
        assert_eq!(verify(leaf.tbs()).is_ok(), issuer, "{name}");
        assert_eq!(verify(b"something else"), Err(SignatureError::BadSignature), "{name}");
    }
}
