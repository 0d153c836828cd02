//! Well-formed chains: rustls-webpki comes to the same result.

use proptest::prelude::*;
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, date_time_ymd,
};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tlsfinger_core::cert;
use tlsfinger_core::config::{Level, Policy, TrustStore};
use tlsfinger_core::judge::Status;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

use super::chains::{Chain, HOST, NOW};

/// What distinguishes one certificate of a generated chain.
#[derive(Clone, Debug)]
struct Link {
    key: usize,
    expired: bool,
    is_ca: bool,
    path_length: Option<u8>,
    for_servers: Option<bool>,
    permitted: Option<usize>,
    excluded: Option<usize>,
    name: usize,
}

const ALGORITHMS: &[&rcgen::SignatureAlgorithm] =
    &[&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519];

const NAMES: &[&str] = &[HOST, "*.example.org", "mx.example.net", "*.org", "MX.example.org"];

const SUBTREES: &[&str] = &["example.org", "example.net", "mx.example.org", "org"];

/// Mostly right, so that both outcomes are common.
fn link() -> impl Strategy<Value = Link> {
    let rarely = prop::bool::weighted(0.05);
    let tree = || prop::option::weighted(0.1, 0..SUBTREES.len());
    (
        (0..ALGORITHMS.len(), rarely, rarely),
        prop::option::weighted(0.2, 0_u8..3),
        prop::option::weighted(0.3, prop::bool::weighted(0.9)),
        (tree(), tree()),
        prop_oneof![6 => Just(0_usize), 4 => 0..NAMES.len()],
    )
        .prop_map(
            |((key, expired, no_ca), path_length, for_servers, (permitted, excluded), name)| Link {
                key,
                expired,
                is_ca: !no_ca,
                path_length,
                for_servers,
                permitted,
                excluded,
                name,
            },
        )
}

impl Link {
    fn params(&self, depth: usize) -> CertificateParams {
        let names = match depth {
            0 => vec![NAMES[self.name].to_owned()],
            _ => Vec::new(),
        };
        let mut params = CertificateParams::new(names).expect("are names");
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Number {depth}"));
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(if self.expired { 2021 } else { 2100 }, 1, 1);
        params.use_authority_key_identifier_extension = true;
        if let Some(right) = self.for_servers {
            params.extended_key_usages = vec![match right {
                true => ExtendedKeyUsagePurpose::ServerAuth,
                false => ExtendedKeyUsagePurpose::ClientAuth,
            }];
        }
        let trees = |tree: Option<usize>| {
            tree.map(|tree| GeneralSubtree::DnsName(SUBTREES[tree].to_owned()))
                .into_iter()
                .collect()
        };
        if depth > 0 && self.is_ca {
            let limit = self.path_length.map(BasicConstraints::Constrained);
            params.is_ca = IsCa::Ca(limit.unwrap_or(BasicConstraints::Unconstrained));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            let (permitted_subtrees, excluded_subtrees) =
                (trees(self.permitted), trees(self.excluded));
            if self.permitted.is_some() || self.excluded.is_some() {
                params.name_constraints =
                    Some(NameConstraints { permitted_subtrees, excluded_subtrees });
            }
        } else {
            params.is_ca = IsCa::ExplicitNoCa;
        }
        params
    }
}

/// Generates a root, and below it what `links` say, the leaf first.
fn generate(links: &[Link]) -> (Certificate, Vec<Certificate>) {
    let root_key = KeyPair::generate_for(ALGORITHMS[0]).expect("makes a key");
    let right = Link {
        key: 0,
        expired: false,
        is_ca: true,
        path_length: None,
        for_servers: None,
        permitted: None,
        excluded: None,
        name: 0,
    };
    let root_params = right.params(links.len());
    let root = root_params.self_signed(&root_key).expect("signs itself");
    let mut issuer = Issuer::new(root_params, root_key);
    let mut chain = Vec::new();
    for (depth, link) in links.iter().enumerate().rev() {
        let key = KeyPair::generate_for(ALGORITHMS[link.key]).expect("makes a key");
        let params = link.params(depth);
        chain.push(params.signed_by(&key, &issuer).expect("signs"));
        issuer = Issuer::new(params, key);
    }
    chain.reverse();
    (root, chain)
}

fn webpki_accepts(root: &Certificate, chain: &[CertificateDer<'static>]) -> bool {
    let anchors = [anchor_from_trusted_cert(root.der()).expect("is an anchor")];
    let leaf = EndEntityCert::try_from(&chain[0]).expect("is readable");
    let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.0));
    let algorithms = webpki::ALL_VERIFICATION_ALGS;
    let usage = KeyUsage::server_auth();
    let path = leaf.verify_for_usage(algorithms, &anchors, &chain[1..], time, usage, None, None);
    let name = ServerName::try_from(HOST).expect("is a name");
    path.is_ok() && leaf.verify_is_valid_for_subject_name(&name).is_ok()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..Default::default() })]

    #[test]
    fn webpki_agrees(links in prop::collection::vec(link(), 1..5), damaged in prop::option::weighted(0.1, any::<prop::sample::Index>()), order in any::<prop::sample::Index>()) {
        // A wildcard that covers an excluded name is refused by webpki, and not by OpenSSL.
        let covers_excluded = |link: &Link| link.excluded.is_some_and(|tree| SUBTREES[tree] == HOST);
        prop_assume!(!(NAMES[links[0].name].starts_with('*') && links.iter().any(covers_excluded)));
        let (root, chain) = generate(&links);
        let mut sent: Vec<CertificateDer<'static>> = chain.iter().map(|one| one.der().clone()).collect();
        if let Some(damaged) = damaged {
            let which = damaged.index(sent.len());
            let mut der = sent[which].to_vec();
            *der.last_mut().expect("is not empty") ^= 1;
            sent[which] = der.into();
        }
        // The order of what is above the leaf does not matter.
        let above = sent.len() - 1;
        if above > 0 {
            sent[1..].rotate_left(order.index(above));
        }
        let mut trust = TrustStore::default();
        trust.add(cert::Certificate::parse(root.der().to_vec().into()).expect("is readable"));
        // A root that is known by name and key alone vouches like its certificate.
        let mut anchors = TrustStore::default();
        anchors.add_anchor(&anchor_from_trusted_cert(root.der()).expect("is an anchor"));
        let by_anchor = Chain { sent: sent.iter().map(|der| der.to_vec().into()).collect(), trust: anchors, root: None };
        let by_anchor = by_anchor.judge(Level::Verify, Policy::default(), &[]);
        let ours = Chain { sent: sent.iter().map(|der| der.to_vec().into()).collect(), trust, root: None };
        let verdict = ours.judge(Level::Verify, Policy::default(), &[]);
        prop_assert_eq!(&by_anchor.status, &verdict.status, "{:?}", by_anchor);
        prop_assert_eq!(verdict.status == Status::Verified, webpki_accepts(&root, &sent), "{:?}", verdict);
    }
}
