//! What tlsproxy(8) tells of a connection, and why it does not.

use std::fmt::Write as _;

use tlsfinger_core::report::{Peer, ProxyAlgorithm, ProxyError, ProxyFacts};

use super::{Narrator, lower};
use crate::line::Message;
use crate::log::Log;

impl Narrator {
    /// Says what the daemon told, in the form of a verdict of our own.
    pub(super) fn proxied(&self, peer: &Peer, facts: &ProxyFacts, say: &mut dyn FnMut(Message)) {
        let (log, nap) = (self.show.log, lower(peer));
        if log.has(Log::CERTMATCH) || log.has(Log::PEERCERT) || log.has(Log::VERBOSE) {
            let ProxyFacts { peer_name, issuer_name, .. } = facts;
            let (certificate, key) = (&facts.certificate_fingerprint, &facts.key_fingerprint);
            say(Message::info(format!(
                "{nap}: subject_CN={peer_name}, issuer={issuer_name}, \
                 cert fingerprint={certificate}, pkey fingerprint={key}"
            )));
        }
        let (status, tls) = (facts.verdict(), connection(facts));
        say(Message::info(format!("{status} TLS connection established to {nap}: {tls}")));
    }
}

/// Says why the daemon did no TLS.
pub(super) fn failure(error: &ProxyError) -> Message {
    const SERVICE: &str = "private/tlsproxy service";
    Message::warning(match error {
        ProxyError::Unreachable(error) => format!("connect to {SERVICE}: {error}"),
        ProxyError::Unavailable => format!("{SERVICE} role \"client\" is not available"),
        ProxyError::Misbehaved => format!("malformed or unexpected answer of {SERVICE}"),
        ProxyError::TimedOut => format!("timeout while waiting for {SERVICE}"),
        ProxyError::NoResult => "error receiving TLS proxy context".to_owned(),
    })
}

fn connection(facts: &ProxyFacts) -> String {
    let ProxyFacts { protocol, cipher, used_bits, algorithm_bits, .. } = facts;
    let mut words = format!("{protocol} with cipher {cipher} ({used_bits}/{algorithm_bits} bits)");
    for (what, digest, signature) in [
        ("key-exchange", "", &facts.key_exchange),
        ("server-signature", "server-digest", &facts.server_signature),
        ("client-signature", "client-digest", &facts.client_signature),
    ] {
        let ProxyAlgorithm { name, curve, bits, digest: hash } = signature;
        if name.is_empty() {
            continue;
        }
        let _ = write!(words, " {what} {name}");
        let _ = match (curve.as_str(), bits) {
            ("", 0) => Ok(()),
            ("", bits) => write!(words, " ({bits} bits)"),
            (curve, _) => write!(words, " ({curve})"),
        };
        if !hash.is_empty() {
            let _ = write!(words, " {digest} {hash}");
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signature(name: &str, curve: &str, bits: u32, digest: &str) -> ProxyAlgorithm {
        let (name, curve, digest) = (name.to_owned(), curve.to_owned(), digest.to_owned());
        ProxyAlgorithm { name, curve, bits, digest }
    }

    #[test]
    fn connections() {
        let mut facts = ProxyFacts {
            peer_name: String::new(),
            issuer_name: String::new(),
            certificate_fingerprint: String::new(),
            key_fingerprint: String::new(),
            status: 1,
            protocol: "TLSv1.3".into(),
            cipher: "TLS_AES_256_GCM_SHA384".into(),
            used_bits: 256,
            algorithm_bits: 256,
            key_exchange: signature("ECDHE", "prime256v1", 256, ""),
            client_signature: signature("", "", 0, ""),
            server_signature: signature("RSA-PSS", "", 2048, "SHA256"),
        };
        assert_eq!(
            connection(&facts),
            "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange ECDHE \
             (prime256v1) server-signature RSA-PSS (2048 bits) server-digest SHA256"
        );
        facts.key_exchange = signature("", "", 0, "");
        facts.server_signature = signature("", "", 0, "");
        facts.client_signature = signature("ED25519", "", 0, "");
        assert!(connection(&facts).ends_with("bits) client-signature ED25519"));
    }

    #[test]
    fn failures() {
        let told = |error| failure(&error).text;
        let missing = std::io::Error::from_raw_os_error(2);
        assert_eq!(
            told(ProxyError::Unreachable((&missing).into())),
            "connect to private/tlsproxy service: No such file or directory"
        );
        assert_eq!(
            told(ProxyError::Unavailable),
            "private/tlsproxy service role \"client\" is not available"
        );
        assert_eq!(told(ProxyError::NoResult), "error receiving TLS proxy context");
    }
}
