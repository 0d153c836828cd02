//! Judging whatever a server may show.

use bytes::Bytes;
use tlsfinger_core::WallTime;
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{Anchor, Level, Policy, ServerCertificates};
use tlsfinger_core::judge::{LinkCache, ReferenceNames, judge};
use tlsfinger_core::report::{KeyProof, TlsFacts, TlsVersion};
use tlsfinger_core::resolve::Tlsa;
use tlsfinger_core::tls::SUITES;

/// Judges a chain. The first octet chooses level and trust; then come the certificates, each behind
/// its length. The last is trusted, or is what TLSA records are about.
pub fn verdict(data: &[u8]) {
    let Some((choice, mut rest)) = data.split_first() else { return };
    let mut chain = Vec::new();
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length)).min(after.len());
        let (der, after) = after.split_at(length);
        chain.push(Bytes::copy_from_slice(der));
        rest = after;
    }
    let Some(last) = chain.last().cloned() else { return };
    let mut policy = Policy::default();
    if choice & 8 != 0 {
        chain.pop();
    }
    if let Ok(certificate) = Certificate::parse(last.clone()) {
        match choice & 16 {
            0 => policy.trust.add(certificate),
            _ => policy.anchors.push(Anchor::Certificate(Box::new(certificate))),
        }
    }
    let records = [(2, 0), (2, 1), (3, 0), (3, 1)];
    let tlsa = |(usage, selector)| Tlsa { usage, selector, matching: 0, data: last.clone() };
    let tlsa: Vec<Tlsa> = records.into_iter().map(tlsa).collect();
    let levels = [Level::May, Level::Fingerprint, Level::Verify, Level::Dane];
    let level = levels[usize::from(choice & 3)];
    let raw = choice & 4 != 0;
    let facts = TlsFacts {
        version: TlsVersion::Tls13,
        suite: &SUITES[0],
        group: None,
        server_signature: None,
        key_proof: KeyProof::Proved,
        client_signature: None,
        client_certificate_requested: false,
        chain,
        certificates: if raw { ServerCertificates::RawPublicKey } else { ServerCertificates::X509 },
        ocsp: None,
        resumed: false,
        hello_retry: false,
    };
    let host = "mx.example.org".to_owned();
    let names = ReferenceNames {
        hostname: host.as_str().into(),
        nexthop: host.as_str().into(),
        dane: vec![host],
    };
    let judge = |links: &mut LinkCache| {
        judge(&facts, &policy, level, &tlsa, &names, WallTime(1_767_225_600), links)
    };
    let mut links = LinkCache::default();
    let cold = judge(&mut links);
    assert_eq!(cold, judge(&mut links), "remembered links change nothing");
}
