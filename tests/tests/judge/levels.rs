//! What each level asks for, beyond the table of chains.

use bytes::Bytes;
use tlsfinger_core::cert::Digest;
use tlsfinger_core::config::{
    Anchor, Level, MatchRule, Offer, Pin, Policy, ServerCertificates, TrustStore, read_trust,
};
use tlsfinger_core::judge::{
    LinkCache, Match, NameProblem, ReferenceNames, Status, VerifyError, judge,
};
use tlsfinger_core::report::{KeyProof, TlsFacts};

use super::chains::{Chain, HOST, NOW, chain, facts, tlsa};

fn names() -> ReferenceNames {
    let host = HOST.to_owned();
    ReferenceNames {
        hostname: host.as_str().into(),
        nexthop: host.as_str().into(),
        dane: vec![host],
    }
}

#[test]
fn pins() {
    let good = chain("good");
    let leaf = good.leaf();
    let pin = |digest: Digest, octets: &[u8]| Pin(digest.of(&[octets]).into());
    let status = |policy: Policy| {
        let verdict = good.judge(Level::Fingerprint, policy, &[]);
        let error = verdict.reason.as_ref().map(|reason| reason.error);
        (verdict.status, error, verdict.all_unusable)
    };
    for digest in [Digest::Md5, Digest::Sha1, Digest::Sha256, Digest::Sha3t512] {
        for octets in [leaf.der(), leaf.spki()] {
            let pins = vec![pin(digest, b"another"), pin(digest, octets)];
            let policy = Policy { pins, digest, ..Policy::default() };
            assert_eq!(status(policy), (Status::Verified, None, false), "{digest}");
        }
    }
    let policy = |pins| Policy { pins, ..Policy::default() };
    let wrong = policy(vec![pin(Digest::Sha256, b"another")]);
    assert_eq!(status(wrong), (Status::Untrusted, Some(VerifyError::NoDaneMatch), false));
    let short = policy(vec![pin(Digest::Sha1, leaf.der())]);
    assert_eq!(status(short), (Status::Untrusted, Some(VerifyError::Unspecified), true));
    // Where raw keys are asked for, pins are of keys.
    let raw = |octets| {
        let pins = vec![pin(Digest::Sha256, octets)];
        Policy { pins, raw_public_keys: true, ..Policy::default() }
    };
    assert_eq!(status(raw(leaf.der())).0, Status::Untrusted);
    assert_eq!(status(raw(leaf.spki())).0, Status::Verified);
    // Unlike with the reference, a trusted root is no pin.
    let none = policy(vec![]);
    assert_eq!(status(none), (Status::Untrusted, Some(VerifyError::Untrusted), false));
}

#[test]
fn anchors() {
    let expired = chain("expired");
    let good = chain("good");
    let status = |sent: &str, anchor: Vec<Anchor>, rule: &str| {
        let matches = vec![MatchRule::from(rule)];
        let policy = Policy { anchors: anchor, matches, ..Policy::default() };
        let verdict = chain(sent).judge(Level::Secure, policy, &[]);
        (verdict.status, verdict.matched, verdict.reason.map(|reason| reason.error.number()))
    };
    let certificate = |der: &Bytes| {
        let parsed = tlsfinger_core::cert::Certificate::parse(der.clone()).expect("is readable");
        Anchor::Certificate(Box::new(parsed))
    };
    let leaf = certificate(&expired.sent[0]);
    let middle = certificate(&good.sent[1]);
    let key = Anchor::Key(good.leaf().spki().clone());
    let verified = |depth| (Status::Verified, Some(Match::Anchor(depth)), None);
    assert_eq!(status("expired", vec![leaf.clone()], HOST), verified(0));
    assert_eq!(status("good", vec![key], HOST), verified(0));
    assert_eq!(status("good", vec![leaf.clone(), middle], HOST), verified(1));
    // Names are checked all the same.
    assert_eq!(status("expired", vec![leaf.clone()], "a.b"), (Status::Trusted, None, Some(62)));
    // Anchors replace the roots.
    assert_eq!(status("good", vec![leaf], HOST), (Status::Untrusted, None, Some(65)));
}

#[test]
fn names_and_addresses() {
    for (sent, rules, status, number) in [
        ("name-ip", &["192.0.2.1"][..], Status::Verified, None),
        ("name-ip", &["2001:db8::1"], Status::Verified, None),
        ("name-ip", &["192.0.2.2"], Status::Untrusted, Some(64)),
        // An address and a name must both fit, and a wrong address hides a wrong name.
        ("name-ip", &["192.0.2.1", HOST], Status::Trusted, Some(62)),
        ("name-ip", &["192.0.2.2", HOST], Status::Untrusted, Some(64)),
        ("good", &["other.example", HOST], Status::Verified, None),
        ("good", &[".example.org"], Status::Verified, None),
        ("good", &["nexthop"], Status::Verified, None),
        ("good", &["dot-nexthop"], Status::Trusted, Some(62)),
        // A name that does not fit hides nothing else.
        ("expired", &["other.example"], Status::Untrusted, Some(10)),
        ("unknown-root", &["other.example"], Status::Untrusted, Some(20)),
        ("good", &["."], Status::Untrusted, Some(1)),
    ] {
        let matches = rules.iter().map(|rule| MatchRule::from(*rule)).collect();
        let policy = Policy { matches, ..Policy::default() };
        let verdict = chain(sent).judge(Level::Secure, policy, &[]);
        let found = verdict.reason.as_ref().map(|reason| reason.error.number());
        assert_eq!((verdict.status, found), (status, number), "{sent} {rules:?}");
    }
    let matches = vec![MatchRule::from("192.0.2.1"), MatchRule::from("192.0.2.2")];
    let policy = Policy { matches, ..Policy::default() };
    let verdict = chain("name-ip").judge(Level::Verify, policy, &[]);
    let second = NameProblem::SecondAddress([192, 0, 2, 2].into());
    assert_eq!((verdict.status, verdict.name_problems), (Status::Verified, vec![second]));
}

#[test]
fn keys_that_prove_nothing() {
    let good = chain("good");
    let policy = Policy { trust: good.trust.clone(), ..Policy::default() };
    let verdict = |facts: &TlsFacts, level, tlsa: &[_]| {
        judge(facts, &policy, level, tlsa, &names(), NOW, &mut LinkCache::default())
    };
    // Anybody can show a certificate.
    let unproved = TlsFacts { key_proof: KeyProof::Unverifiable, ..facts(good.sent.clone()) };
    for level in [Level::May, Level::Fingerprint, Level::Secure, Level::Dane] {
        let verdict = verdict(&unproved, level, &[tlsa(3, 1, 1, &good.leaf())]);
        assert_eq!(verdict.status, Status::Untrusted, "{level:?}");
    }
    assert_eq!(verdict(&facts(vec![]), Level::May, &[]).status, Status::Anonymous);
    let garbage = verdict(&facts(vec![Bytes::from_static(b"\x30\x00")]), Level::May, &[]);
    assert_eq!(garbage.status, Status::Untrusted);
}

#[test]
fn raw_public_keys() {
    let leaf = chain("good").leaf();
    let facts = TlsFacts {
        certificates: ServerCertificates::RawPublicKey,
        ..facts(vec![leaf.spki().clone()])
    };
    let verdict = |level, policy: Policy, tlsa: &[_]| {
        let verdict = judge(&facts, &policy, level, tlsa, &names(), NOW, &mut LinkCache::default());
        let number = verdict.reason.as_ref().map(|reason| reason.error.number());
        (verdict.status, verdict.matched, number)
    };
    let plain = Policy::default;
    let key = tlsa(3, 1, 1, &leaf);
    let matched = Some(Match::RawKey(key.clone()));
    assert_eq!(verdict(Level::Dane, plain(), &[key]), (Status::Verified, matched, None));
    let whole = tlsa(3, 0, 1, &leaf);
    assert_eq!(verdict(Level::Dane, plain(), &[whole]), (Status::Untrusted, None, Some(65)));
    let pin = Pin(Digest::Sha256.of(&[leaf.spki()]).into());
    let matched = Some(Match::Fingerprint(pin.0.clone()));
    let pinned = Policy { pins: vec![pin], ..plain() };
    assert_eq!(verdict(Level::Fingerprint, pinned, &[]), (Status::Verified, matched, None));
    assert_eq!(verdict(Level::May, plain(), &[]), (Status::Untrusted, None, Some(95)));
    let unproved = TlsFacts { key_proof: KeyProof::Unverifiable, ..facts };
    let links = &mut LinkCache::default();
    let records = [tlsa(3, 1, 1, &leaf)];
    let verdict = judge(&unproved, &plain(), Level::Dane, &records, &names(), NOW, links);
    assert_eq!((verdict.status, verdict.matched), (Status::Untrusted, None));
}

#[test]
fn offers_tell_whether_a_verdict_is_exact() {
    let policy = Policy::default();
    let plain = ReferenceNames { dane: Vec::new(), ..names() };
    let offer =
        |policy: &Policy, level, names: &ReferenceNames| Offer::of(policy, level, names).unwrap();
    assert_eq!(Offer::of(&policy, Level::None, &plain), None);
    let dane = offer(&policy, Level::Dane, &names());
    assert_eq!(dane.server_name.as_deref(), Some(HOST));
    let secure = offer(&policy, Level::Secure, &plain);
    assert!(secure.is_of(&policy, Level::Verify, &plain));
    assert!(!secure.is_of(&policy, Level::Dane, &names()));
    assert!(!secure.is_of(&policy, Level::Encrypt, &plain));
    let raw = Policy { raw_public_keys: true, ..Policy::default() };
    assert!(!offer(&policy, Level::May, &plain).is_of(&raw, Level::May, &plain));
    assert!(secure.is_of(&raw, Level::Secure, &plain));
}

#[test]
fn files_name_the_place() {
    let good = super::chains::read("roots.pem");
    let broken = format!("{good}\n{}", good.replace("MIIB", "MIIC"));
    let line = good.lines().count() + 2;
    let error = read_trust(broken.as_bytes()).expect_err("is broken").to_string();
    assert!(error.starts_with(&format!("line {line}: ")), "{error}");
    let foreign = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    assert_eq!(read_trust(foreign.as_bytes()), Ok(vec![]));
    let mut store = tlsfinger_core::config::TrustStore::default();
    let error = store.add_pem(foreign.as_bytes()).expect_err("holds no certificate");
    assert_eq!(error.to_string(), "no certificate");
}

/// Lists of Web roots hold no certificates, but servers may send theirs.
#[test]
fn roots_known_by_key_only() {
    for (name, status) in [
        ("good", Status::Verified),
        ("with-root", Status::Verified),
        ("direct", Status::Verified),
        ("authority-issuer-right", Status::Verified),
        ("mimic", Status::Untrusted),
        ("unknown-root-sent", Status::Untrusted),
        ("signed-badly-ca", Status::Untrusted),
    ] {
        let chain = chain(name);
        let root =
            rustls_pki_types::CertificateDer::from(chain.root.expect("is there").der().to_vec());
        let mut trust = TrustStore::default();
        trust.add_anchor(&webpki::anchor_from_trusted_cert(&root).expect("is an anchor"));
        let bare = Chain { sent: chain.sent, trust, root: None };
        assert_eq!(bare.judge(Level::Verify, Policy::default(), &[]).status, status, "{name}");
    }
}

#[test]
fn directories_of_roots_go_by_hash() {
    let root = super::chains::read("roots.pem");
    let subject = chain("good").trust;
    let certificate = match read_trust(root.as_bytes()).expect("is PEM").remove(0) {
        Anchor::Certificate(certificate) => certificate,
        Anchor::Key(_) => panic!("is a certificate"),
    };
    let hash = certificate.subject().canonical().hash_number();
    let add = |name: &str| {
        let mut store = tlsfinger_core::config::TrustStore::default();
        let added = store.add_hashed(name, root.as_bytes()).expect("is PEM");
        assert_eq!(added, store == subject);
        added
    };
    assert!(add(&format!("{hash:08x}.0")));
    assert!(add(&format!("{hash:08x}.12")));
    for name in [format!("{hash:08x}"), format!("{hash:08x}.r0"), "00000000.0".to_owned()] {
        assert!(!add(&name), "{name}");
    }
}
