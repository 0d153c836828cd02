//! What it costs to validate an answer at the end of three zones, from nothing and with all keys at
//! hand, and what hostile zones can make it cost. Round trips stand beside.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use domain::base::{Message, Name};
use tlsfinger_core::config::{DnssecTrust, Lookup};
use tlsfinger_core::machine::TransportId;
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{
    Inquiry, LookupNote, RecordType, ResolvConf, Security, TrustAnchors,
};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};
use tlsfinger_tests::signer::{Signer, Validity, key_tag};
use tlsfinger_tests::zones::Zones;

/// 2026-01-01.
const NOW: WallTime = WallTime(1_767_225_600);

/// What a name server says, by question.
#[derive(Clone)]
struct Answers {
    zones: Zones,
    known: BTreeMap<Vec<u8>, Vec<u8>>,
    lookup: Lookup,
}

impl Answers {
    fn new(zones: &str) -> Self {
        let zones = Zones::parse(zones);
        let anchors = TrustAnchors::parse(zones.anchor().as_bytes()).expect("an anchor");
        let lookup = Lookup {
            resolvers: ResolvConf::parse(b"nameserver 192.0.2.53"),
            dnssec: DnssecTrust::Local,
            trust_anchors: Arc::new(anchors),
            ..Lookup::default()
        };
        Self { zones, known: BTreeMap::new(), lookup }
    }

    /// Answers; what was answered before is not signed again.
    fn answer(&mut self, query: &[u8]) -> Vec<u8> {
        let Self { zones, known, .. } = self;
        let server = IpAddr::from([192, 0, 2, 53]);
        let question = question(query);
        let answer = known
            .entry(question)
            .or_insert_with(|| zones.answer(server, query, true).pop().expect("an answer").message);
        let mut answer = answer.clone();
        answer[..2].copy_from_slice(&query[..2]);
        answer
    }

    /// Answers all queries until the end, and tells what came of it, with the round trips.
    fn finish(&mut self, course: &mut Course) -> (Vec<Security>, usize) {
        let mut found = Vec::new();
        loop {
            match course.inquiry.poll_output() {
                Output::Send(id, query) => course.sent.push((id, query.to_vec())),
                Output::Tell(Event::Lookup(LookupNote::Validated(proof))) => {
                    found.push(proof.security.clone());
                }
                Output::Wait(until, _) if course.sent.is_empty() => {
                    course.inquiry.handle_input(until, Input::Tick);
                }
                Output::Wait(..) => {
                    course.trips += 1;
                    for (id, query) in std::mem::take(&mut course.sent) {
                        let answer = self.answer(&query).into();
                        course.inquiry.handle_input(Instant::START, Input::Received(id, answer));
                    }
                }
                Output::Done => return (found, course.trips),
                _ => {}
            }
        }
    }
}

/// An inquiry under way.
struct Course {
    inquiry: Inquiry,
    sent: Vec<(TransportId, Vec<u8>)>,
    trips: usize,
}

fn cold(lookup: &Lookup, name: &str) -> Course {
    let inquiry = Inquiry::new(lookup, name, RecordType::A, [1; 32], NOW);
    Course { inquiry, sent: Vec::new(), trips: 0 }
}

/// Goes as far as the question for a second name: everything above it is known by then.
fn warm(answers: &mut Answers) -> Course {
    let mut course = cold(&answers.lookup, "a.d.test");
    course.inquiry = course.inquiry.then("b.d.test", RecordType::A);
    loop {
        match course.inquiry.poll_output() {
            Output::Send(id, query) if query.windows(3).any(|octets| octets == b"\x01b\x01") => {
                course.sent.push((id, query.to_vec()));
                return course;
            }
            Output::Send(id, query) => {
                let answer = answers.answer(&query).into();
                course.inquiry.handle_input(Instant::START, Input::Received(id, answer));
            }
            Output::Done => panic!("no second question"),
            _ => {}
        }
    }
}

fn question(message: &[u8]) -> Vec<u8> {
    let length = Message::from_octets(message).expect("a message").question().count();
    assert_eq!(length, 1);
    let end = 12 + message[12..].iter().position(|octet| *octet == 0).expect("a name") + 5;
    message[12..end].to_ascii_lowercase()
}

/// A zone as of KeyTrap (CVE-2023-50387): RSA keys with one tag, signatures that all name it, and
/// none that is right.
fn keytrap() -> Answers {
    let zone: Name<Vec<u8>> = Name::vec_from_str("d.test").expect("a name");
    let mut key = Signer::new(zone.clone(), 8).dnskey();
    let mut lines = String::from("@sign . 8\n@sign test 8\n@sign d.test 8\n");
    for turn in 0..200 {
        // The tag is a sum: words that change places do not change it.
        let words = 100;
        let at = 10 + 2 * (turn % words);
        let other = 10 + 2 * ((turn * 7 + 3) % words);
        for octet in 0..2 {
            key.swap(at + octet, other + octet);
        }
        lines += "d.test TYPE48 ";
        lines.extend(key.iter().map(|octet| format!("{octet:02x}")));
        lines += "\n";
    }
    let mut answers = Answers::new(&format!("{lines}a.d.test A 192.0.2.1\n"));
    // The real answer lacks nothing but a signature that is right.
    let name: Name<Vec<u8>> = Name::vec_from_str("a.d.test").expect("a name");
    let mut query = vec![0, 1, 1, 0x20, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(name.as_slice());
    query.extend([0, 1, 0, 1]);
    let mut answer = query.clone();
    answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 201, 0, 0, 0, 0]);
    answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 1, 44, 0, 4, 192, 0, 2, 1]);
    let forged = Signer::new(zone, 8);
    let addresses = [vec![192, 0, 2, 1]];
    let rrsig = forged.rrsig(&name, domain::base::Rtype::A, 300, &addresses, Validity::default());
    for turn in 0..200_u8 {
        let mut rrsig = rrsig.clone();
        rrsig[16..18].copy_from_slice(&key_tag(&key).to_be_bytes());
        *rrsig.last_mut().expect("octets") ^= turn;
        answer.extend([0xc0, 12, 0, 46, 0, 1, 0, 0, 1, 44]);
        answer.extend(u16::try_from(rrsig.len()).expect("short").to_be_bytes());
        answer.extend(rrsig);
    }
    answers.known.insert(question(&query), answer);
    answers
}

fn validation(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("validation");
    group.sample_size(30).measurement_time(Duration::from_secs(3));
    for (word, algorithm) in [("P-256", 13), ("RSA-2048", 8)] {
        let mut answers = Answers::new(&format!(
            "@sign . {algorithm}\n@sign test {algorithm}\n@sign d.test {algorithm}\n\
             a.d.test A 192.0.2.1\nb.d.test A 192.0.2.2\n"
        ));
        let mut course = cold(&answers.lookup, "a.d.test");
        let (found, trips) = answers.finish(&mut course);
        assert_eq!(found, [Security::Secure]);
        let mut course = warm(&mut answers);
        let (found, warm_trips) = answers.finish(&mut course);
        assert_eq!(found.last(), Some(&Security::Secure));
        assert_eq!((trips, warm_trips), (2, 1), "round trips");
        group.bench_function(format!("{word} cold, {trips} round trips"), |bencher| {
            bencher.iter(|| {
                let mut course = cold(&answers.lookup, black_box("a.d.test"));
                answers.finish(&mut course)
            });
        });
        group.bench_function(format!("{word} warm, {warm_trips} round trip"), |bencher| {
            let mut source = answers.clone();
            bencher.iter_batched(
                || warm(&mut source),
                |mut course| answers.finish(&mut course),
                BatchSize::SmallInput,
            );
        });
    }
    let mut answers = keytrap();
    let mut course = cold(&answers.lookup, "a.d.test");
    let (found, trips) = answers.finish(&mut course);
    assert!(found[0].is_bogus(), "{found:?}");
    assert_eq!(trips, 2, "round trips");
    group.bench_function(format!("KeyTrap: {}", found[0]), |bencher| {
        bencher.iter(|| {
            let mut course = cold(&answers.lookup, black_box("a.d.test"));
            answers.finish(&mut course)
        });
    });
    group.finish();
}

criterion_group!(benches, validation);
criterion_main!(benches);
