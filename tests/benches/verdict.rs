//! What a verdict costs, with and without remembered links, beside rustls-webpki.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, criterion_group, criterion_main};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    SignatureAlgorithm,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tlsfinger_core::WallTime;
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{Level, Policy, ServerCertificates, TrustStore};
use tlsfinger_core::judge::{LinkCache, ReferenceNames, Status, judge};
use tlsfinger_core::report::{KeyProof, TlsFacts, TlsVersion};
use tlsfinger_core::tls::SUITES;

const HOST: &str = "mx.example.org";

/// 2026-01-01.
const NOW: u64 = 1_767_225_600;

/// Makes a leaf and an intermediate, as sent, and their root.
fn chain(algorithm: &'static SignatureAlgorithm) -> ([Vec<u8>; 2], Vec<u8>) {
    let params = |name: &str, names: &[&str]| {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("are names");
        params.distinguished_name.push(DnType::CommonName, name);
        params.use_authority_key_identifier_extension = true;
        if params.subject_alt_names.is_empty() {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        }
        params
    };
    let key = || KeyPair::generate_for(algorithm).expect("makes a key");
    let root = Issuer::new(params("Root", &[]), key());
    let root_der = params("Root", &[]).self_signed(root.key()).expect("signs").der().to_vec();
    let middle_key = key();
    let middle = params("Intermediate", &[]).signed_by(&middle_key, &root).expect("signs");
    let issuer = Issuer::new(params("Intermediate", &[]), middle_key);
    let leaf = params("Server", &[HOST]).signed_by(&key(), &issuer).expect("signs");
    ([leaf.der().to_vec(), middle.der().to_vec()], root_der)
}

fn verdicts(criterion: &mut Criterion) {
    let kinds: [(&str, &'static SignatureAlgorithm); 2] =
        [("p256", &rcgen::PKCS_ECDSA_P256_SHA256), ("rsa2048", &rcgen::PKCS_RSA_SHA256)];
    for (kind, algorithm) in kinds {
        let (sent, root) = chain(algorithm);
        let mut trust = TrustStore::default();
        trust.add(Certificate::parse(root.clone().into()).expect("is readable"));
        let policy = Policy { trust, ..Policy::default() };
        let names = ReferenceNames { hostname: HOST.into(), ..ReferenceNames::default() };
        let facts = TlsFacts {
            version: TlsVersion::Tls13,
            suite: &SUITES[0],
            group: None,
            server_signature: None,
            key_proof: KeyProof::Proved,
            client_signature: None,
            client_certificate_requested: false,
            chain: sent.iter().cloned().map(Bytes::from).collect(),
            certificates: ServerCertificates::X509,
            ocsp: None,
            resumed: false,
            hello_retry: false,
        };
        let verdict = |links: &mut LinkCache| {
            let facts = black_box(&facts);
            let time = WallTime(NOW);
            let verdict = judge(facts, &policy, Level::Verify, &[], &names, time, links);
            assert_eq!(verdict.status, Status::Verified);
            verdict
        };
        criterion.bench_function(&format!("verdict/{kind}/cold"), |bencher| {
            bencher.iter(|| verdict(&mut LinkCache::default()));
        });
        let mut links = LinkCache::default();
        criterion.bench_function(&format!("verdict/{kind}/warm"), |bencher| {
            bencher.iter(|| verdict(&mut links));
        });

        let root = CertificateDer::from(root);
        let anchors = [webpki::anchor_from_trusted_cert(&root).expect("is an anchor")];
        let sent = sent.map(CertificateDer::from);
        let name = ServerName::try_from(HOST).expect("is a name");
        let time = UnixTime::since_unix_epoch(Duration::from_secs(NOW));
        criterion.bench_function(&format!("verdict/{kind}/webpki"), |bencher| {
            bencher.iter(|| {
                let leaf = webpki::EndEntityCert::try_from(black_box(&sent[0])).expect("is one");
                leaf.verify_for_usage(
                    webpki::ALL_VERIFICATION_ALGS,
                    &anchors,
                    &sent[1..],
                    time,
                    webpki::KeyUsage::server_auth(),
                    None,
                    None,
                )
                .expect("is right");
                leaf.verify_is_valid_for_subject_name(&name).expect("is right");
            });
        });
    }
}

criterion_group!(benches, verdicts);
criterion_main!(benches);
