//! The committed chains: what OpenSSL says of each, and the verdict at every level.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use bytes::Bytes;
use tlsfinger_core::WallTime;
use tlsfinger_core::cert::{Certificate, Digest, read_pem};
use tlsfinger_core::config::{
    Anchor, Level, MatchRule, Pin, Policy, ServerCertificates, TrustStore, read_trust,
};
use tlsfinger_core::judge::{LinkCache, ReferenceNames, Verdict, judge};
use tlsfinger_core::report::{KeyProof, TlsFacts, TlsVersion};
use tlsfinger_core::resolve::Tlsa;
use tlsfinger_core::tls::SUITES;

/// The name that the chains are for.
pub(crate) const HOST: &str = "mx.example.org";

/// The time at which OpenSSL was asked: 2026-01-01.
pub(crate) const NOW: WallTime = WallTime(1_767_225_600);

/// A chain of the committed set.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chain {
    pub(crate) sent: Vec<Bytes>,
    pub(crate) trust: TrustStore,
    /// The certificate in `trust`.
    pub(crate) root: Option<Certificate>,
}

/// Reads a file of the committed set.
pub(crate) fn read(file: &str) -> String {
    std::fs::read_to_string(path(file)).expect("is committed")
}

fn path(file: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("certificates").join(file)
}

/// Tells all chains by their names.
pub(crate) fn chains() -> &'static BTreeMap<String, Chain> {
    static CHAINS: LazyLock<BTreeMap<String, Chain>> = LazyLock::new(read_chains);
    &CHAINS
}

/// Tells one chain.
pub(crate) fn chain(name: &str) -> Chain {
    chains().get(name).unwrap_or_else(|| panic!("no chain {name}")).clone()
}

fn read_chains() -> BTreeMap<String, Chain> {
    let root = read("roots.pem");
    let text = read("chains.pem");
    let cases = text.split("== ").skip(1).map(|case| {
        let (title, blocks) = case.split_once('\n').expect("has a title");
        let (name, _) = title.split_once(": ").expect("has a name");
        let (trusted, sent) = match blocks.strip_prefix("= trusted:\n") {
            Some(both) => both.split_once("= sent:\n").expect("has both"),
            None => (root.as_str(), blocks),
        };
        let mut chain = Chain::default();
        chain.trust.add_pem(trusted.as_bytes()).expect("is PEM");
        if let Some(Anchor::Certificate(root)) =
            read_trust(trusted.as_bytes()).expect("is PEM").pop()
        {
            chain.root = Some(*root);
        }
        let blocks = read_pem(sent.as_bytes()).expect("is PEM");
        chain.sent = blocks.into_iter().map(|block| block.der.into()).collect();
        (name.to_owned(), chain)
    });
    cases.collect()
}

impl Chain {
    pub(crate) fn leaf(&self) -> Certificate {
        Certificate::parse(self.sent[0].clone()).expect("is readable")
    }

    /// Judges the chain, trusting its own root.
    pub(crate) fn judge(&self, level: Level, policy: Policy, tlsa: &[Tlsa]) -> Verdict {
        let policy = Policy { trust: self.trust.clone(), ..policy };
        let names = ReferenceNames {
            hostname: HOST.into(),
            nexthop: HOST.into(),
            dane: vec![HOST.to_owned()],
        };
        let facts = facts(self.sent.clone());
        judge(&facts, &policy, level, tlsa, &names, NOW, &mut LinkCache::default())
    }
}

/// Makes the facts of a connection where this was sent.
pub(crate) fn facts(chain: Vec<Bytes>) -> TlsFacts {
    TlsFacts {
        version: TlsVersion::Tls13,
        suite: &SUITES[0],
        group: None,
        server_signature: None,
        key_proof: KeyProof::Proved,
        client_signature: None,
        client_certificate_requested: false,
        chain,
        certificates: ServerCertificates::X509,
        ocsp: None,
        resumed: false,
        hello_retry: false,
    }
}

/// Makes a TLSA record with the right data for a certificate.
pub(crate) fn tlsa(usage: u8, selector: u8, matching: u8, certificate: &Certificate) -> Tlsa {
    let whole = if selector == Tlsa::CERT { certificate.der() } else { certificate.spki() };
    let data = match matching {
        0 => whole.clone(),
        1 => Digest::Sha256.of(&[whole]).into(),
        _ => Digest::Sha512.of(&[whole]).into(),
    };
    Tlsa { usage, selector, matching, data }
}

/// Where OpenSSL's verify(1) differs from OpenSSL as the reference uses it.
const EXCEPTIONS: &[(&str, &str)] = &[
    // It allows wildcards for a part of a label, which the reference switches off.
    ("wildcard-part", "62@0"),
];

#[test]
fn openssl_sees_the_same_errors() {
    let chains = chains();
    let answers = read("openssl.txt");
    let mut compared = 0;
    for line in answers.lines() {
        let (name, answer) = line.split_once(' ').expect("has two columns");
        let exception = EXCEPTIONS.iter().find(|(known, _)| *known == name);
        let answer = exception.map_or(answer.trim(), |(_, ours)| ours);
        let rules = vec![MatchRule::from(HOST)];
        let policy = Policy { matches: rules, ..Policy::default() };
        let verdict = chains[name].judge(Level::Secure, policy, &[]);
        let errors: Vec<String> = verdict
            .steps
            .iter()
            .filter_map(|step| Some(format!("{}@{}", step.result.err()?.number(), step.depth)))
            .collect();
        // verify(1) stops at most errors, where the reference goes on.
        let expected: Vec<&str> = match answer {
            "ok" => Vec::new(),
            answer => answer.split(' ').collect(),
        };
        let same = errors.len() >= expected.len()
            && errors.is_empty() == expected.is_empty()
            && errors.iter().zip(&expected).all(|(ours, theirs)| ours == theirs);
        assert!(same, "{name}: openssl says {answer}, not {errors:?}");
        compared += 1;
    }
    assert_eq!(compared, chains.len());
}

/// Chains whose steps cannot be compared.
const NO_STEPS: &[&str] = &[
    // The handshake itself fails with a key of 512 bits, with OpenSSL and here.
    "key-rsa512",
    // s_client(1) allows such wildcards, as verify(1) does.
    "wildcard-part",
    // After the error that is reported OpenSSL goes on to check what a proxy's issuer may be.
    "extension-proxy",
    "extension-proxy-names",
];

#[test]
fn openssl_takes_the_same_steps_with_tlsa_records() {
    let chains = chains();
    let mut compared = 0;
    for line in read("dane.txt").lines() {
        let (name, rest) = line.split_once(' ').expect("has three columns");
        let (record, answer) = rest.trim().split_once("  ").expect("has three columns");
        let chain = &chains[name];
        let last = Certificate::parse(chain.sent.last().expect("is not empty").clone());
        let record = match record {
            "2 1 1" => tlsa(2, 1, 1, &last.expect("is readable")),
            _ => tlsa(2, 1, 0, chain.root.as_ref().expect("is there")),
        };
        let verdict = chain.judge(Level::Dane, Policy::default(), &[record]);
        let steps: Vec<String> = verdict
            .steps
            .iter()
            .map(|step| match step.result {
                Ok(()) => format!("ok@{}", step.depth),
                Err(error) => format!("{}@{}", error.number(), step.depth),
            })
            .collect();
        if !NO_STEPS.contains(&name) {
            assert_eq!(steps.join(" "), answer, "{line}");
            compared += 1;
        }
    }
    assert_eq!(compared, 2 * (chains.len() - NO_STEPS.len()));
}

#[test]
fn openssl_hashes_subjects_alike() {
    let chains = chains();
    for line in read("hashes.txt").lines() {
        let (name, expected) = line.split_once(' ').expect("has two columns");
        let leaf = chains[name].leaf();
        let hash = format!("{:08x}", leaf.subject().canonical().hash_number());
        assert_eq!(hash, expected.trim(), "{name}");
    }
}

/// The verdicts stand in a file to be read beside the chains. After a change that is meant, run
/// this with `UPDATE_VERDICTS=1` and look at the difference.
#[test]
fn every_chain_at_every_level() {
    let mut text = String::from(VERDICTS_HEAD);
    for (name, chain) in chains() {
        let leaf = chain.leaf();
        let pin = Pin(Digest::Sha256.of(&[leaf.der()]).into());
        let above = chain.sent.last().cloned().expect("is not empty");
        let above = Certificate::parse(above).expect("is readable");
        let plain = Policy::default;
        let verdicts = [
            Chain { trust: TrustStore::default(), ..chain.clone() }.judge(Level::May, plain(), &[]),
            chain.judge(Level::Encrypt, plain(), &[]),
            chain.judge(Level::Fingerprint, Policy { pins: vec![pin], ..plain() }, &[]),
            chain.judge(Level::Verify, plain(), &[]),
            chain.judge(Level::Dane, plain(), &[tlsa(3, 1, 1, &leaf)]),
            chain.judge(Level::HalfDane, plain(), &[tlsa(3, 0, 2, &leaf)]),
            chain.judge(Level::DaneOnly, plain(), &[tlsa(2, 1, 1, &above)]),
            chain.judge(
                Level::Secure,
                Policy { anchors: vec![Anchor::Certificate(Box::new(leaf))], ..plain() },
                &[],
            ),
        ];
        write!(text, "{name:<30}").expect("is a string");
        for verdict in verdicts {
            let reason = match &verdict.reason {
                Some(reason) => format!(" {}@{}", reason.error.number(), reason.depth),
                None => String::new(),
            };
            write!(text, "{:<17}", format!("{}{reason}", verdict.status)).expect("is a string");
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    if std::env::var_os("UPDATE_VERDICTS").is_some() {
        std::fs::write(path("verdicts.txt"), &text).expect("is writable");
    }
    let committed = read("verdicts.txt");
    for (ours, theirs) in text.lines().zip(committed.lines()) {
        assert_eq!(ours, theirs);
    }
    assert_eq!(text.lines().count(), committed.lines().count());
}

const VERDICTS_HEAD: &str = "\
# Status, and error number at depth, of each chain: may and nothing trusted; encrypt, the root
# trusted; fingerprint of the leaf; verify, the root trusted; dane 3 1 1 of the leaf; half-dane
# 3 0 2 of the leaf; dane-only 2 1 1 of the last certificate sent; secure, the leaf as -A.
#                             may              encrypt          fingerprint      verify           \
dane             half-dane        dane-only        secure -A leaf
";
