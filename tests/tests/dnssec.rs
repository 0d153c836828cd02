//! Validation against a real validator, over zones that real signers made; see `dnssec/make.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use tlsfinger_core::config::{Config, DnssecTrust, Level, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::limits;
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{
    ChainStep, Flaw, Inquiry, LookupNote, Proof, RecordType, ResolvConf, RouteFinder, Security,
    TrustAnchors,
};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

/// 2026-06-01, the day at which the validator looked.
const NOW: WallTime = WallTime(1_780_272_000);

/// What name servers answered, by name in lower case and type.
#[derive(Clone)]
struct Recording(BTreeMap<(String, u16), Vec<u8>>);

impl Recording {
    fn read() -> Self {
        let lines = include_str!("../dnssec/answers.txt").lines();
        Self(
            lines
                .map(|line| {
                    let [name, record, message] =
                        line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
                    let record = RecordType::from_text(record).expect("a type");
                    ((key(name), record.0), base64(message))
                })
                .collect(),
        )
    }

    /// Answers a query; SERVFAIL stands for what was not recorded.
    fn answer(&self, query: &[u8]) -> Vec<u8> {
        let (name, record, end) = question(query);
        let mut answer = match self.0.get(&(name, record)) {
            Some(recorded) => recorded.clone(),
            None => [&query[..2], &[0x81, 0x82, 0, 1, 0, 0, 0, 0, 0, 0], &query[12..end]].concat(),
        };
        answer[..2].copy_from_slice(&query[..2]);
        answer
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// Reads the question of a message: name, type, and where it ends.
fn question(message: &[u8]) -> (String, u16, usize) {
    let mut at = 12;
    let mut labels = Vec::new();
    while message[at] != 0 {
        let end = at + 1 + usize::from(message[at]);
        labels.push(String::from_utf8_lossy(&message[at + 1..end]).into_owned());
        at = end;
    }
    (key(&labels.join(".")), u16::from_be_bytes([message[at + 1], message[at + 2]]), at + 5)
}

fn base64(text: &str) -> Vec<u8> {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bits = (0_u32, 0);
    let mut octets = Vec::new();
    for digit in text.chars() {
        let value = digits.find(digit).expect("a digit") as u32;
        bits = (bits.0 << 6 | value, bits.1 + 6);
        if bits.1 >= 8 {
            bits.1 -= 8;
            octets.push((bits.0 >> bits.1 & 0xff) as u8);
        }
    }
    octets
}

fn lookup(dnssec: DnssecTrust) -> Lookup {
    let anchors = TrustAnchors::parse(include_bytes!("../dnssec/anchor.txt")).expect("anchors");
    Lookup {
        resolvers: ResolvConf::parse(b"nameserver 192.0.2.53"),
        dnssec,
        trust_anchors: Arc::new(anchors),
        ..Lookup::default()
    }
}

/// What an inquiry told.
#[derive(Debug, Default)]
struct Told {
    proofs: Vec<Arc<Proof>>,
    notes: Vec<LookupNote>,
    failure: Option<String>,
    /// How often questions left that had to wait for answers.
    round_trips: usize,
    questions: usize,
}

impl Told {
    /// The worth of the weakest part.
    fn word(&self) -> &'static str {
        let word = |proof: &Arc<Proof>| match proof.security {
            Security::Bogus(_) => "bogus",
            Security::Insecure(_) => "insecure",
            Security::Secure => "secure",
        };
        // In this order also alphabetically.
        self.proofs.iter().map(word).min().unwrap_or("unknown")
    }
}

/// Plays the name server for one question; every round trip takes 10 ms.
fn inquire(recording: &Recording, lookup: &Lookup, name: &str, record: &str, at: WallTime) -> Told {
    let record = RecordType::from_text(record).expect("a type");
    play(recording, Inquiry::new(lookup, name, record, [5; 32], at))
}

fn play(recording: &Recording, mut inquiry: Inquiry) -> Told {
    let mut told = Told::default();
    let mut now = Instant::START;
    let mut open = BTreeSet::new();
    let mut due = Vec::new();
    loop {
        match inquiry.poll_output() {
            Output::Open(id, Endpoint::Udp(_)) => {
                open.insert(id);
            }
            Output::Send(id, query) => {
                told.questions += 1;
                due.push((id, recording.answer(&query)));
            }
            Output::Close(id) => {
                open.remove(&id);
            }
            Output::Tell(Event::Lookup(LookupNote::Validated(proof))) => told.proofs.push(proof),
            Output::Tell(Event::Lookup(note)) => told.notes.push(note),
            Output::Tell(Event::LookupFailed(error)) => told.failure = Some(error.to_string()),
            Output::Wait(..) if !due.is_empty() => {
                now = now + Duration::from_millis(10);
                told.round_trips += 1;
                for (id, answer) in std::mem::take(&mut due) {
                    if open.contains(&id) {
                        inquiry.handle_input(now, Input::Received(id, answer.into()));
                    }
                }
            }
            Output::Wait(until, _) => {
                now = until;
                inquiry.handle_input(now, Input::Tick);
            }
            Output::Done => return told,
            other => panic!("{other:?}"),
        }
    }
}

/// Where this program thinks otherwise than the validator of `names.txt`: each of these names, below
/// one of these zones, is insecure here, whatever it is there.
const EXCEPTIONS: &[(&str, usize, &str)] = &[
    ("sha1.test", 15, "RFC 9905 section 2: RSASHA1 and its kin count as unknown"),
    ("sha1ds.test", 15, "RFC 9905 section 2: SHA-1 digests count as unknown"),
];

#[test]
fn as_another_validator_judges() {
    let recording = Recording::read();
    let lookup = lookup(DnssecTrust::Local);
    let mut wrong = String::new();
    let mut agreed = 0;
    let mut excepted = BTreeMap::<&str, usize>::new();
    for line in include_str!("../dnssec/names.txt").lines() {
        let [name, record, judged] =
            line.split(' ').collect::<Vec<_>>().try_into().expect("three words");
        let told = inquire(&recording, &lookup, name, record, NOW);
        let below = |zone: &str| name == zone || name.ends_with(&format!(".{zone}"));
        let exception = EXCEPTIONS.iter().find(|(zone, ..)| below(zone));
        match (told.word(), exception) {
            (word, _) if word == judged => agreed += 1,
            ("insecure", Some((zone, ..))) => *excepted.entry(zone).or_default() += 1,
            _ => {
                let _ = writeln!(wrong, "{name} {record}: {judged}, but {told:#?}");
            }
        }
        // What is bogus is no answer, whoever likes it.
        let failed = told.failure.is_some_and(|failure| failure.contains("DNSSEC: bogus: "));
        assert_eq!(failed, told.proofs.iter().any(|proof| proof.security.is_bogus()), "{name}");
    }
    assert!(wrong.is_empty(), "{wrong}");
    let listed = EXCEPTIONS.iter().map(|(zone, count, _)| (*zone, *count)).collect();
    assert_eq!((agreed, excepted), (553, listed));
}

/// Aliases that DNAME records make, one after the other and across zones.
#[test]
fn dname_chains() {
    let recording = Recording::read();
    let told = inquire(&recording, &lookup(DnssecTrust::Local), "a.dn2.l13.test", "A", NOW);
    let signed = told.proofs[0].steps.iter().filter_map(|step| match step {
        ChainStep::Records { name, record, .. } => Some(format!("{name} {record}")),
        _ => None,
    });
    let signed: Vec<_> = signed.collect();
    assert_eq!(signed, ["dn2.l13.test DNAME", "dn.l13.test DNAME", "a.b13.test A"]);
    assert!(told.proofs[0].is_secure());
    // Nobody signs the alias itself: it has to be the one that the record makes.
    let mut changed = recording.clone();
    let message = changed.0.get_mut(&("a.dn2.l13.test".to_owned(), 1)).expect("recorded");
    let target = message.windows(6).position(|octets| octets == b"\x01a\x03b13").expect("a target");
    message[target + 1] = b'b';
    let told = inquire(&changed, &lookup(DnssecTrust::Local), "a.dn2.l13.test", "A", NOW);
    assert!(told.proofs.iter().any(|proof| proof.security.is_bogus()), "{told:#?}");
}

/// What one answer taught is not asked for again: the second name in a zone takes one question.
#[test]
fn keys_are_remembered() {
    let recording = Recording::read();
    let lookup = lookup(DnssecTrust::Local);
    let [a, mx] = [RecordType::A, RecordType::MX];
    let asked = |second: &str| {
        let inquiry = Inquiry::new(&lookup, "a.k13.test", a, [5; 32], NOW).then(second, mx);
        let told = play(&recording, inquiry);
        assert_eq!(told.word(), "secure");
        (told.questions, told.round_trips)
    };
    assert_eq!(asked("k13.test"), (7, 3));
    assert_eq!(asked("l13.test"), (9, 4), "of another zone only what is its own");
}

/// A clock that is wrong does not look like a forgery.
#[test]
fn clock_skew_is_told_apart() {
    let recording = Recording::read();
    let lookup = lookup(DnssecTrust::Local);
    let flaw = |name: &str, at: u64| {
        let told = inquire(&recording, &lookup, name, "A", WallTime(at));
        let Security::Bogus(flaw) = &told.proofs[0].security else { panic!("{told:?}") };
        flaw.to_string()
    };
    let year = 365 * 86_400;
    assert!(flaw("a.l13.test", NOW.0 + year).contains("expired at 20270101000000"));
    assert!(flaw("a.l13.test", NOW.0 - year).contains("is not valid before 20260101000000"));
    assert!(flaw("a.forged.test", NOW.0).contains("bad signature by key "));
    assert!(flaw("a.expired.test", NOW.0).contains("expired at 20260101000000"));
}

#[test]
fn chain_of_trust_is_told_step_by_step() {
    let recording = Recording::read();
    let told = inquire(&recording, &lookup(DnssecTrust::Local), "a.k13.test", "A", NOW);
    let kinds: Vec<_> = told.proofs[0]
        .steps
        .iter()
        .map(|step| match step {
            ChainStep::Anchor { zone } => format!("anchor {zone}"),
            ChainStep::Ds { zone, algorithm, .. } => format!("DS {zone} {algorithm}"),
            ChainStep::Keys { zone, .. } => format!("keys {zone}"),
            ChainStep::Records { name, by, .. } => format!("records {name} {}", by.algorithm),
            other => other.to_string(),
        })
        .collect();
    let wanted = [
        "anchor .",
        "keys .",
        "DS test 8",
        "keys test",
        "DS k13.test 13",
        "keys k13.test",
        "records a.k13.test 13",
    ];
    assert_eq!(kinds, wanted);
    let text = told.proofs[0].steps[6].to_string();
    assert!(text.starts_with("a.k13.test A: signed by key "), "{text}");
    assert!(text.contains(" (ECDSAP256SHA256) of k13.test from 2026"), "{text}");
    // All that the chain needs is asked for at once.
    assert_eq!((told.round_trips, told.questions), (2, 6));
}

/// A resolver without DNSSEC: told once and lived with, unless validation is demanded.
#[test]
fn stripped_records() {
    let recording = Recording::read();
    let strip = |message: &Vec<u8>| {
        let (_, _, end) = question(message);
        // The question alone: NOERROR without any record.
        let mut stripped = message[..end].to_vec();
        stripped[6..12].fill(0);
        stripped
    };
    let stripped = Recording(recording.0.iter().map(|(k, m)| (k.clone(), strip(m))).collect());
    let told = inquire(&stripped, &lookup(DnssecTrust::Auto), "a.l13.test", "A", NOW);
    assert_eq!(told.word(), "insecure");
    assert!(matches!(&told.notes[..], [LookupNote::ResolverStrips(_)]), "{told:?}");
    let told = inquire(&stripped, &lookup(DnssecTrust::Local), "a.l13.test", "A", NOW);
    assert_eq!(told.word(), "bogus");
}

/// An anchor below an insecure zone counts for what is below it, and nothing else has any.
#[test]
fn anchors_of_other_zones() {
    let recording = Recording::read();
    let (_, dnskey) = recording
        .0
        .iter()
        .find(|((name, record), _)| name == "island.test" && *record == 48)
        .expect("recorded");
    let mut local = lookup(DnssecTrust::Local);
    let key = dnskey_text("island.test", dnskey);
    local.trust_anchors = Arc::new(TrustAnchors::parse(key.as_bytes()).expect("anchors"));
    assert_eq!(inquire(&recording, &local, "a.island.test", "A", NOW).word(), "secure");
    assert_eq!(inquire(&recording, &local, "nope.island.test", "A", NOW).word(), "secure");
    assert_eq!(inquire(&recording, &local, "a.l13.test", "A", NOW).word(), "insecure");
}

/// The first DNSKEY record of a message in the form of a zone file (RFC 3597 section 5).
fn dnskey_text(zone: &str, message: &[u8]) -> String {
    let (_, _, end) = question(message);
    // A pointer to the name, type, class, TTL, length.
    let length = usize::from(u16::from_be_bytes([message[end + 10], message[end + 11]]));
    let data = &message[end + 12..end + 12 + length];
    let hex = data.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"));
    format!("; a comment\n{zone}. IN TYPE48 \\# {length} {hex}\n")
}

/// Whatever is changed in what a zone's owner signed, it is not secure: every octet of every message
/// that the proof of a name takes, one after the other.
#[test]
fn nothing_changed_is_secure() {
    let recording = Recording::read();
    let lookup = lookup(DnssecTrust::Local);
    let name = "a.k13.test";
    let used =
        [(name, 1), ("test", 43), ("k13.test", 43), ("k13.test", 48), ("test", 48), ("", 48)];
    for (owner, record) in used {
        let key = (owner.to_owned(), record);
        let length = recording.0[&key].len();
        for at in (12..length).step_by(7) {
            let mut changed = recording.clone();
            let message = changed.0.get_mut(&key).expect("recorded");
            message[at] ^= 0x10;
            let told = inquire(&changed, &lookup, name, "A", NOW);
            let secure = told.proofs.iter().any(|proof| proof.is_secure());
            // TTLs, case and unneeded records are not signed: what counts is the address.
            assert!(!secure || told.failure.is_none(), "{owner} {record} {at}: {told:?}");
            if secure && record == 1 {
                let good = &recording.0[&key];
                let address = good.windows(4).position(|octets| octets == [192, 0, 2, 1]);
                assert!(!address.is_some_and(|address| (address..address + 4).contains(&at)));
            }
        }
    }
}

#[test]
fn flaws_name_the_step_that_failed() {
    let recording = Recording::read();
    let lookup = lookup(DnssecTrust::Local);
    for (name, wanted) in [
        ("a.otherkey.test", "no key of otherkey.test is the one that is trusted"),
        ("a.stripped.test", "no key of stripped.test is the one that is trusted"),
        ("a.nokeys.test", "no key of nokeys.test is the one that is trusted"),
        ("a.halfway.test", "no signature"),
        ("nope.undenied.test", "no proof that the record does not exist"),
        ("some.wild.undenied.test", "no proof that the wildcard applies"),
    ] {
        let told = inquire(&recording, &lookup, name, "A", NOW);
        let Security::Bogus(flaw) = &told.proofs[0].security else { panic!("{told:?}") };
        assert_eq!(flaw.to_string(), wanted, "{name}");
        let last = told.proofs[0].steps.last();
        assert!(matches!(last, Some(ChainStep::Broken { flaw: last, .. }) if last == flaw));
    }
    let nobody = Recording(BTreeMap::from([(
        ("a.l13.test".to_owned(), 1),
        recording.0[&("a.l13.test".to_owned(), 1)].clone(),
    )]));
    let told = inquire(&nobody, &lookup, "a.l13.test", "A", NOW);
    let Security::Bogus(Flaw::Unavailable { name, .. }) = &told.proofs[0].security else {
        panic!("{told:?}")
    };
    assert_eq!(name, ".");
}

/// Many mail hosts in zones of their own: all is proven, and never too much asked at once.
#[test]
fn questions_at_once_are_bounded() {
    let mut zones = String::from("@sign . 13\n@sign test 13\n");
    for number in 0..80 {
        let zone = format!("z{number}.test");
        zones += &format!("@sign {zone} 13\ntest MX 10 mx.{zone}\nmx.{zone} A 192.0.2.1\n");
    }
    let mut world = tlsfinger_tests::dns::World::new(&zones);
    let anchors = TrustAnchors::parse(world.zones.anchor().as_bytes()).expect("an anchor");
    let place = Place::Inet { host: "test".to_owned(), literal: false, service: None, port: 25 };
    let config = Config {
        destination: Destination { text: "test".to_owned(), place },
        level: Level::Dane,
        lookup: Lookup { trust_anchors: Arc::new(anchors), ..lookup(DnssecTrust::Local) },
        ..Config::default()
    };
    let mut finder = RouteFinder::new(&config, [5; 32], NOW);
    world.run(&mut finder);
    let facts = finder.facts();
    let secure = facts.hosts.iter().filter(|host| host.addresses.iter().all(|at| at.secure));
    assert_eq!(secure.count(), 80);
    assert!(facts.proofs.iter().all(|proof| proof.is_secure()));
    let bound = limits::QUESTIONS + limits::CHAINS;
    assert!(world.most_open <= bound, "{} sockets", world.most_open);
    // Every key is asked for once, whoever needs it.
    let keys = world.asked.iter().filter(|(_, asked)| asked.ends_with("DNSKEY")).count();
    assert_eq!(keys, 82);
}
