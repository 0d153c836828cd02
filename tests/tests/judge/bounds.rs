//! Bad input: the cost stays bounded, and nothing panics.

use bytes::Bytes;
use proptest::prelude::*;
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{Level, Policy};
use tlsfinger_core::judge::{LinkCache, ReferenceNames, Status, judge};
use tlsfinger_core::limits;

use super::chains::{Chain, HOST, NOW, chain, chains, facts, tlsa};

#[test]
fn ten_thousand_certificates() {
    let good = chain("good");
    let strangers = chain("deep-11").sent;
    let mut sent = vec![good.sent[0].clone()];
    sent.extend(strangers.iter().cycle().take(10_000).cloned());
    sent.push(good.sent[1].clone());
    let many = Chain { sent, trust: good.trust, root: None };
    // What is beyond the bound is not looked at, so the issuer is not found.
    let verdict = many.judge(Level::Secure, Policy::default(), &[]);
    assert_eq!(verdict.reason.map(|reason| reason.error.number()), Some(20));
}

/// Two names that sign each other, many times over, make exponentially many paths.
#[test]
fn paths_without_end() {
    let looped = chain("loop");
    let deep = chain("deep-11");
    let crossed = [chain("cross-first"), chain("cross-last"), chain("expired-twin")];
    let mut sent = looped.sent.clone();
    for round in 0..30 {
        sent.extend(looped.sent[1..].iter().cloned());
        sent.extend(crossed[round % 3].sent[1..].iter().cloned());
        sent.extend(deep.sent[1..].iter().cloned());
    }
    let puzzle = Chain { sent, ..looped };
    let mut links = LinkCache::default();
    let names = ReferenceNames { hostname: HOST.into(), ..ReferenceNames::default() };
    let policy = Policy { trust: puzzle.trust.clone(), ..Policy::default() };
    let verdict = judge(&facts(puzzle.sent), &policy, Level::Verify, &[], &names, NOW, &mut links);
    assert_eq!(verdict.status, Status::Untrusted);
    assert!(links.len() <= limits::INTERMEDIATES + 1);
    assert!(verdict.steps.len() <= 4 * (limits::INTERMEDIATES + 2));
}

#[test]
fn keys_of_many_records() {
    let alone = chain("alone");
    let stranger = chain("unknown-root").leaf();
    let issuer = Certificate::parse(chain("good").sent[1].clone()).expect("is readable");
    let mut records = vec![tlsa(2, 1, 0, &stranger); limits::SIGNATURES];
    records.push(tlsa(2, 1, 0, &issuer));
    let verdict = alone.judge(Level::Dane, Policy::default(), &records);
    assert_eq!(verdict.reason.map(|reason| reason.error.number()), Some(65));
    let verdict = alone.judge(Level::Dane, Policy::default(), &records[2..]);
    assert_eq!(verdict.status, Status::Verified);
}

#[test]
fn links_are_remembered_and_forgotten() {
    let good = chain("good");
    let mut links = LinkCache::default();
    let names = ReferenceNames { hostname: HOST.into(), ..ReferenceNames::default() };
    let policy = Policy { trust: good.trust.clone(), ..Policy::default() };
    let mut verdict = |sent: &[Bytes]| {
        let facts = facts(sent.to_vec());
        let verdict = judge(&facts, &policy, Level::Verify, &[], &names, NOW, &mut links);
        (verdict, links.len())
    };
    let cold = verdict(&good.sent);
    assert_eq!((cold.0.status, cold.1), (Status::Verified, 2));
    assert_eq!(verdict(&good.sent), cold);
    // Another signature on the same contents is another link.
    let mut bad = good.sent.clone();
    let mut leaf = bad[0].to_vec();
    *leaf.last_mut().expect("is not empty") ^= 1;
    bad[0] = leaf.into();
    let (broken, known) = verdict(&bad);
    assert_eq!(broken.reason.map(|reason| reason.error.number()), Some(7));
    assert_eq!(known, 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..Default::default() })]

    /// Whatever becomes of the octets, there is a verdict.
    #[test]
    fn damaged_chains(which in any::<prop::sample::Index>(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let chains = chains();
        let mut chain = chains.values().nth(which.index(chains.len())).expect("is there").clone();
        let mut leaf = chain.sent[0].to_vec();
        for (place, octet) in hits {
            let place = place.index(leaf.len());
            leaf[place] = octet;
        }
        chain.sent[0] = leaf.into();
        let records = match Certificate::parse(chain.sent[0].clone()) {
            Ok(leaf) => vec![tlsa(3, 1, 1, &leaf), tlsa(2, 0, 0, &leaf), tlsa(2, 1, 0, &leaf)],
            Err(_) => Vec::new(),
        };
        for level in [Level::May, Level::Secure, Level::Dane] {
            chain.judge(level, Policy::default(), &records);
        }
    }
}
