//! The target `dnssec`: recorded zones whose answers somebody changes on the way.

mod recheck;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use base64ct::{Base64Unpadded, Encoding as _};
use tlsfinger_core::config::{DnssecTrust, Lookup};
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{
    Inquiry, LookupNote, Proof, RecordType, ResolvConf, Security, TrustAnchors,
};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

use self::recheck::Evidence;

/// 2026-06-01, when the recorded signatures are valid.
const NOW: u32 = 1_780_272_000;

/// Changes the answers that an [`Inquiry`] gets which validates them itself.
///
/// The first two octets choose a name. Every four octets after them change one answer: which, where
/// (two octets), and what to flip there; where nothing is flipped, another recorded answer takes its
/// place under the question of this one.
///
/// Whatever is changed, no answer is secure without an unbroken chain: code of its own looks for
/// that chain a second time. Nor is one bogus without a step that says why.
pub fn dnssec(data: &[u8]) {
    let Some((choice, changes)) = data.split_first_chunk() else { return };
    let zones = &*ZONES;
    let name = &zones.names[usize::from(u16::from_be_bytes(*choice)) % zones.names.len()];
    let mut evidence = zones.evidence();
    for proof in inquire(name, changes, &mut evidence) {
        if proof.security == Security::Secure {
            let proven = evidence.proves(&proof.name, proof.record.0);
            assert!(proven, "secure without a chain: {proof:#?}");
        } else {
            assert!(!proof.steps.is_empty(), "nothing tells why: {proof:#?}");
        }
    }
}

/// Asks for a name, and hands out what was found out about each part of its alias chain.
fn inquire(name: &Asked, changes: &[u8], evidence: &mut Evidence) -> Vec<Arc<Proof>> {
    let mut resolvers = ResolvConf::parse(b"nameserver 192.0.2.53");
    resolvers.timeout = Duration::from_secs(1);
    let lookup = Lookup {
        resolvers,
        dnssec: DnssecTrust::Local,
        trust_anchors: Arc::clone(&ZONES.anchors),
        ..Lookup::default()
    };
    let mut inquiry = Inquiry::new(&lookup, &name.name, name.record, [3; 32], WallTime(NOW.into()));
    let mut proofs = Vec::new();
    let mut now = Instant::START;
    let mut answered = 0;
    for _ in 0..100_000 {
        match inquiry.poll_output() {
            Output::Send(id, query) => {
                let answer = ZONES.answer(&query, answered, changes);
                answered += 1;
                evidence.add(&answer);
                inquiry.handle_input(now, Input::Received(id, answer.into()));
            }
            Output::Tell(Event::Lookup(LookupNote::Validated(proof))) => proofs.push(proof),
            Output::Open(..) | Output::Close(_) | Output::Tell(_) => {}
            Output::Wait(until, _) => {
                assert!(until > now, "waits for the past");
                now = until;
                inquiry.handle_input(now, Input::Tick);
            }
            Output::Done => return proofs,
            other => panic!("nobody asked for {other:?}"),
        }
    }
    panic!("never ends");
}

/// A name that was asked for.
struct Asked {
    name: String,
    record: RecordType,
    /// What a real validator thinks of it.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests compare"))]
    judged: String,
}

/// The zones of `tests/dnssec`.
struct Zones {
    names: Vec<Asked>,
    answers: BTreeMap<(String, u16), Vec<u8>>,
    all: Vec<Vec<u8>>,
    anchors: Arc<TrustAnchors>,
}

static ANCHOR: &str = include_str!("../../tests/dnssec/anchor.txt");

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let names = include_str!("../../tests/dnssec/names.txt").lines().map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [name, record, judged] = words[..] else { panic!("three words") };
        let record = RecordType::from_text(record).expect("a type");
        Asked { name: name.to_owned(), record, judged: judged.to_owned() }
    });
    let answers = include_str!("../../tests/dnssec/answers.txt").lines().map(|line| {
        let mut words = line.split(' ');
        let mut word = || words.next().expect("three words");
        let name = word().trim_end_matches('.').to_owned();
        let record = RecordType::from_text(word()).expect("a type");
        ((name, record.0), Base64Unpadded::decode_vec(word()).expect("Base64"))
    });
    let answers: BTreeMap<_, _> = answers.collect();
    Zones {
        names: names.collect(),
        all: answers.values().cloned().collect(),
        answers,
        anchors: Arc::new(TrustAnchors::parse(ANCHOR.as_bytes()).expect("anchors")),
    }
});

impl Zones {
    fn evidence(&self) -> Evidence {
        // `name ttl IN DS tag algorithm type digest`, with blanks anywhere in the digest.
        let words: Vec<&str> = ANCHOR.split_whitespace().collect();
        let at = words.iter().position(|word| *word == "DS").expect("a DS record");
        let [tag, algorithm, digest_type, digest @ ..] = &words[at + 1..] else { panic!("short") };
        let mut data = tag.parse::<u16>().expect("a tag").to_be_bytes().to_vec();
        data.extend([algorithm, digest_type].map(|word| word.parse::<u8>().expect("a number")));
        let digits = digest.concat();
        let octet = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
        data.extend((0..digits.len()).step_by(2).map(octet));
        Evidence::new(vec![(words[0].to_owned(), data)], NOW)
    }

    /// Answers a query with what was recorded, or says NOERROR without any record.
    fn answer(&self, query: &[u8], number: usize, changes: &[u8]) -> Vec<u8> {
        let (name, record, end) = question(query);
        let found = self.answers.get(&(name.to_ascii_lowercase(), record));
        let empty = || [&[0, 0, 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0], &query[12..end]].concat();
        let mut answer = found.cloned().unwrap_or_else(empty);
        for change in changes.chunks_exact(4) {
            let [which, high, low, flip] = *change else { continue };
            let place = usize::from(u16::from_be_bytes([high, low]));
            if usize::from(which) != number {
                continue;
            }
            if flip == 0 {
                let other = &self.all[place % self.all.len()];
                let (_, _, other_end) = question(other);
                answer = [&other[..12], &query[12..end], &other[other_end..]].concat();
            } else {
                let place = 2 + place % (answer.len() - 2);
                answer[place] ^= flip;
            }
        }
        answer[..2].copy_from_slice(&query[..2]);
        answer
    }
}

/// Reads the question of a well-formed message: name, type, and where it ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut at = 12;
    let mut labels = Vec::new();
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).into_owned());
        at = end;
    }
    (labels.join("."), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The second look is no rubber stamp: of everything that was recorded it finds a chain for
    /// what a real validator holds for secure, and for nothing else.
    #[test]
    fn second_look_agrees_with_a_real_validator() {
        let mut wrong = Vec::new();
        for name in &ZONES.names {
            let mut evidence = ZONES.evidence();
            let proofs = inquire(name, &[], &mut evidence);
            let mut parts = proofs.iter();
            let proven = parts.all(|proof| evidence.proves(&proof.name, proof.record.0));
            if proven != (name.judged == "secure") {
                wrong.push(format!("{} {}: {}", name.name, name.record, name.judged));
            }
        }
        // RFC 9905 as in the validator: nothing with SHA-1 counts.
        let excused =
            |name: &String| ["sha1.test ", "sha1ds.test "].iter().any(|zone| name.contains(zone));
        wrong.retain(|name| !excused(name));
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    /// Flips and swaps everywhere, beyond what the corpus has.
    #[test]
    fn changes_break_chains() {
        let mut state = 1_u64;
        let mut octet = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        for _ in 0..300 {
            let length = 6 + 4 * usize::from(octet() % 3);
            let mut case: Vec<u8> = (0..length).map(|_| octet()).collect();
            // Of the few answers that there are.
            case[2..].chunks_exact_mut(4).for_each(|change| change[0] %= 6);
            dnssec(&case);
        }
    }
}
