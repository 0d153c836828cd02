//! TLSA records: every combination, agility, anchors that are not sent.

use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{DaneDigests, Level, Policy};
use tlsfinger_core::judge::{Match, Status, Verdict};
use tlsfinger_core::resolve::Tlsa;

use super::chains::{Chain, chain, tlsa};

fn above(chain: &Chain) -> Certificate {
    Certificate::parse(chain.sent[1].clone()).expect("is readable")
}

fn root(chain: &Chain) -> Certificate {
    let sent = super::chains::chain("with-root").sent;
    assert_eq!(chain.trust.len(), 1);
    Certificate::parse(sent[2].clone()).expect("is readable")
}

fn reason(verdict: &Verdict) -> Option<(u8, usize)> {
    verdict.reason.as_ref().map(|reason| (reason.error.number(), reason.depth))
}

#[test]
fn every_combination() {
    let good = chain("good");
    let (leaf, issuer) = (good.leaf(), above(&good));
    let stranger = chain("key-p384").leaf();
    for usage in [Tlsa::DANE_TA, Tlsa::DANE_EE] {
        for selector in [Tlsa::CERT, Tlsa::SPKI] {
            for matching in [0, 1, 2] {
                let of = |certificate| tlsa(usage, selector, matching, certificate);
                let right = of(if usage == Tlsa::DANE_EE { &leaf } else { &issuer });
                let verdict = good.judge(Level::Dane, Policy::default(), &[right.clone()]);
                assert_eq!(verdict.status, Status::Verified, "{right}");
                let expected = match usage {
                    Tlsa::DANE_EE => Match::DaneEe(right.clone()),
                    _ => Match::DaneTa(1, right.clone()),
                };
                assert_eq!(verdict.matched, Some(expected));
                // The names count for DANE-TA only (RFC 7671 section 5.1).
                let named = verdict.peername.is_some();
                assert_eq!(named, usage == Tlsa::DANE_TA, "{right}");

                let wrong = of(&stranger);
                let verdict = good.judge(Level::Dane, Policy::default(), &[wrong.clone()]);
                let depth = usize::from(usage == Tlsa::DANE_TA);
                assert_eq!(reason(&verdict), Some((65, depth)), "{wrong}");
                assert_eq!((verdict.status, verdict.matched), (Status::Untrusted, None));
            }
        }
    }
}

#[test]
fn anchors_that_are_not_sent() {
    let good = chain("good");
    let root = root(&good);
    for (record, expected) in [
        (tlsa(2, 0, 0, &root), Some(Match::DaneTa(2, tlsa(2, 0, 0, &root)))),
        (tlsa(2, 1, 0, &root), Some(Match::DaneTaKey(1, tlsa(2, 1, 0, &root)))),
        (tlsa(2, 0, 1, &root), None),
        (tlsa(2, 1, 1, &root), None),
    ] {
        let verdict = good.judge(Level::Dane, Policy::default(), &[record.clone()]);
        assert_eq!(verdict.matched, expected, "{record}");
    }
    // A bare key must have signed: the key of the leaf's name alone does not do.
    let alone = chain("alone");
    let issuer = above(&good);
    let verdict = alone.judge(Level::Dane, Policy::default(), &[tlsa(2, 1, 0, &issuer)]);
    assert_eq!(verdict.matched, Some(Match::DaneTaKey(0, tlsa(2, 1, 0, &issuer))));
    let verdict = alone.judge(Level::Dane, Policy::default(), &[tlsa(2, 1, 0, &root)]);
    assert_eq!(reason(&verdict), Some((65, 0)));
    // The server's own certificate is no trust anchor, even if it signed itself.
    let own = chain("self-signed-ca");
    let verdict = own.judge(Level::Dane, Policy::default(), &[tlsa(2, 0, 1, &own.leaf())]);
    assert_eq!(reason(&verdict), Some((65, 0)));
}

#[test]
fn stronger_digests_hide_weaker_ones() {
    let good = chain("good");
    let leaf = good.leaf();
    let stranger = chain("key-p384").leaf();
    let verdict = |digests: &str, records: &[Tlsa]| {
        let (dane_digests, problems) = DaneDigests::parse(digests);
        assert_eq!(problems, []);
        let policy = Policy { dane_digests, ..Policy::default() };
        good.judge(Level::Dane, policy, records).status
    };
    let wrong_512 = [tlsa(3, 1, 2, &stranger), tlsa(3, 1, 1, &leaf)];
    assert_eq!(verdict("sha512 sha256", &wrong_512), Status::Untrusted);
    assert_eq!(verdict("sha256 sha512", &wrong_512), Status::Verified);
    assert_eq!(verdict("sha256", &wrong_512), Status::Verified);
    // Agility holds per usage and selector, and never for the data itself.
    let other_selector = [tlsa(3, 0, 2, &stranger), tlsa(3, 1, 1, &leaf)];
    assert_eq!(verdict("sha512 sha256", &other_selector), Status::Verified);
    let whole = [tlsa(3, 1, 2, &stranger), tlsa(3, 1, 0, &leaf)];
    assert_eq!(verdict("sha512 sha256", &whole), Status::Verified);
}

#[test]
fn unusable_records() {
    let good = chain("good");
    let leaf = good.leaf();
    let cut = |mut record: Tlsa| {
        record.data.truncate(record.data.len() - 1);
        record
    };
    let behind = |record: Tlsa| Tlsa { data: [&record.data[..], &[0]].concat().into(), ..record };
    let unusable = [
        cut(tlsa(3, 1, 1, &leaf)),
        cut(tlsa(3, 1, 2, &leaf)),
        cut(tlsa(3, 0, 0, &leaf)),
        behind(tlsa(3, 0, 0, &leaf)),
        behind(tlsa(2, 1, 0, &leaf)),
        Tlsa { selector: 2, ..tlsa(3, 1, 1, &leaf) },
        Tlsa { matching: 3, ..tlsa(3, 1, 1, &leaf) },
        Tlsa { usage: 1, ..tlsa(3, 1, 1, &leaf) },
        Tlsa { data: Default::default(), ..tlsa(3, 1, 1, &leaf) },
    ];
    for record in &unusable {
        let records = [record.clone(), tlsa(3, 1, 1, &leaf)];
        let verdict = good.judge(Level::Dane, Policy::default(), &records);
        assert_eq!((verdict.status, verdict.unusable.len()), (Status::Verified, 1), "{record}");
    }
    // With nothing else there is no authentication at dane, and no way at dane-only.
    let verdict = good.judge(Level::Dane, Policy::default(), &unusable);
    assert_eq!((verdict.level, verdict.status), (Level::Encrypt, Status::Trusted));
    assert_eq!((verdict.all_unusable, verdict.unusable.len()), (true, unusable.len()));
    let verdict = good.judge(Level::DaneOnly, Policy::default(), &unusable);
    assert_eq!((verdict.level, verdict.status), (Level::DaneOnly, Status::Untrusted));
    assert_eq!(reason(&verdict), Some((1, 0)));
    // Without any record the roots decide.
    let verdict = good.judge(Level::Dane, Policy::default(), &[]);
    assert_eq!((verdict.level, verdict.status), (Level::Secure, Status::Verified));
}
