//! The validator tests that the registry's package `domain` carries: those of unbound, Deckard and
//! others as files for the replay of whole scenarios.
//!
//! They play authoritative name servers for a resolver. Here a simple resolver without validator
//! stands between them and this program, and what is compared is what they say about the AD bit and
//! SERVFAIL. Cases that this program decides otherwise are listed with the reason.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use domain::base::iana::{Class, Rcode, Rtype};
use domain::base::name::FlattenInto as _;
use domain::base::{Message, MessageBuilder, Name, Record, ToName};
use domain::rdata::ZoneRecordData;
use domain::zonefile::inplace::{Entry as ZoneEntry, Zonefile};
use tlsfinger_core::config::{DnssecTrust, Lookup};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{
    Inquiry, LookupNote, RecordType, ResolvConf, Security, TrustAnchors,
};
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

type Bytes = bytes::Bytes;
type Data = Record<Name<Bytes>, ZoneRecordData<Bytes, Name<Bytes>>>;

/// What a file says.
#[derive(Default)]
struct Scenario {
    anchors: String,
    /// As in RRSIG records.
    now: String,
    entries: Vec<Entry>,
    /// Questions, and the answer that should come.
    steps: Vec<(Entry, Entry)>,
    first: String,
}

/// One message of a scenario.
#[derive(Clone, Default)]
struct Entry {
    addresses: Vec<String>,
    matches: Vec<String>,
    flags: Vec<String>,
    question: Option<(Name<Bytes>, Rtype)>,
    sections: BTreeMap<String, Vec<Data>>,
}

impl Entry {
    fn matches(&self, word: &str) -> bool {
        self.matches.iter().any(|found| found == word || found == "question" && word != "subdomain")
    }

    fn section(&self, name: &str) -> &[Data] {
        self.sections.get(name).map_or(&[], Vec::as_slice)
    }

    /// The zone that it refers to, if it does.
    fn refers(&self) -> Option<Name<Bytes>> {
        let authority = self.section("AUTHORITY");
        let is_answer = !self.section("ANSWER").is_empty()
            || self.flags.iter().any(|flag| flag == "AA" || flag == "NXDOMAIN")
            || authority.iter().any(|record| record.rtype() == Rtype::SOA);
        let ns = authority.iter().find(|record| record.rtype() == Rtype::NS);
        ns.filter(|_| !is_answer).map(|ns| ns.owner().clone())
    }

    /// What a referral says about DS records, as an answer to the question for them.
    fn about_ds(&self, name: &Name<Bytes>) -> Self {
        let is_ds = |record: &&Data| {
            record.owner() == name
                && match record.data() {
                    ZoneRecordData::Ds(_) => true,
                    ZoneRecordData::Rrsig(rrsig) => rrsig.type_covered() == Rtype::DS,
                    _ => false,
                }
        };
        let authority = self.section("AUTHORITY").iter();
        let (ds, rest): (Vec<_>, Vec<_>) = authority.partition(is_ds);
        let rest = rest.into_iter().filter(|record| record.rtype() != Rtype::NS).cloned().collect();
        let sections = [("ANSWER", ds.into_iter().cloned().collect()), ("AUTHORITY", rest)];
        let sections = sections.map(|(name, records)| (name.to_owned(), records)).into();
        Self { sections, ..self.clone() }
    }
}

/// The folder of the files, if Cargo knows it.
fn folder() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    // What only other systems need may never have been fetched.
    let platform = format!("--filter-platform={}-unknown-linux-gnu", std::env::consts::ARCH);
    let output = Command::new(cargo)
        .args(["metadata", "--offline", "--locked", "--format-version=1", &platform])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("there is cargo");
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let packages = metadata["packages"].as_array().expect("packages").iter();
    let domain = packages.into_iter().find(|package| package["name"] == "domain").expect("domain");
    let manifest = PathBuf::from(domain["manifest_path"].as_str().expect("a path"));
    manifest.with_file_name("test-data").join("validator")
}

fn records(text: &str) -> Vec<Data> {
    let mut file = Zonefile::new();
    file.set_origin(Name::root());
    file.set_default_class(Class::IN);
    file.extend_from_slice(b"$TTL 3600\n");
    file.extend_from_slice(text.as_bytes());
    let mut records = Vec::new();
    while let Some(entry) = file.next_entry().expect("a zone file") {
        if let ZoneEntry::Record(record) = entry {
            records.push(record.flatten_into());
        }
    }
    records
}

impl Scenario {
    fn parse(text: &str) -> Self {
        let mut scenario = Self::default();
        let (mut addresses, mut section) = (Vec::new(), String::new());
        let mut entry: Option<Entry> = None;
        let mut texts: BTreeMap<String, String> = BTreeMap::new();
        let mut step = String::new();
        let mut asked = None;
        for line in text.lines() {
            let bare = line.split(';').next().unwrap_or_default();
            let words: Vec<&str> = bare.split_whitespace().collect();
            match words[..] {
                [] => {}
                ["trust-anchor:", ..] => {
                    let (_, anchor) = bare.split_once("trust-anchor:").expect("as above");
                    scenario.anchors +=
                        anchor.split('#').next().unwrap_or_default().trim().trim_matches('"');
                    scenario.anchors += "\n";
                }
                ["val-override-date:" | "val-override-timestamp:", date, ..] => {
                    scenario.now = date.trim_matches(['"', '\'']).to_owned();
                }
                ["stub-addr:", address, ..] if scenario.first.is_empty() => {
                    scenario.first = address.to_owned();
                }
                ["RANGE_BEGIN", ..] => {
                    addresses.clear();
                    step.clear();
                }
                ["ADDRESS", address, ..] => addresses.push(address.to_owned()),
                ["STEP", _, kind, ..] => step = kind.to_owned(),
                ["ENTRY_BEGIN", ..] => {
                    entry = Some(Entry { addresses: addresses.clone(), ..Entry::default() });
                    texts.clear();
                    section.clear();
                }
                ["MATCH", ref matches @ ..] => {
                    if let Some(entry) = &mut entry {
                        entry.matches.extend(matches.iter().map(|word| (*word).to_owned()));
                    }
                }
                ["REPLY", ref flags @ ..] => {
                    if let Some(entry) = &mut entry {
                        entry.flags.extend(flags.iter().map(|word| (*word).to_owned()));
                    }
                }
                ["SECTION", name, ..] => section = name.to_owned(),
                ["ENTRY_END", ..] => {
                    let Some(mut entry) = entry.take() else { continue };
                    for (name, text) in &texts {
                        entry.sections.insert(name.clone(), records(text));
                    }
                    match step.as_str() {
                        "" => scenario.entries.push(entry),
                        "QUERY" => asked = Some(entry),
                        "CHECK_ANSWER" => scenario.steps.extend(asked.take().map(|q| (q, entry))),
                        _ => {}
                    }
                    step.clear();
                }
                ref words if entry.is_some() && section == "QUESTION" => {
                    let name = Name::<Vec<u8>>::from_chars(words[0].chars());
                    let name = name.ok().map(|name| name.to_name());
                    let rtype = words.last().and_then(|word| word.parse().ok());
                    if let Some(entry) = &mut entry {
                        entry.question = name.zip(rtype);
                    }
                }
                _ if entry.is_some() && !section.is_empty() => {
                    let text = texts.entry(section.clone()).or_default();
                    *text += line.trim_start();
                    *text += "\n";
                }
                _ => {}
            }
        }
        scenario
    }

    /// What the server at an address says to a question; a referral to what is above the name if
    /// nothing is said of the name itself.
    fn said(&self, address: &str, name: &Name<Bytes>, rtype: Rtype) -> Option<&Entry> {
        let at = |name: &Name<Bytes>, rtype: Rtype| {
            self.entries.iter().find(|entry| {
                let Some((of, wanted)) = &entry.question else { return false };
                entry.addresses.iter().any(|here| here == address)
                    && (!entry.matches("qtype") || *wanted == rtype)
                    && (!entry.matches("qname") || of == name)
                    && (!entry.matches("subdomain") || name.ends_with(of))
            })
        };
        at(name, rtype).or_else(|| {
            let mut above = name.iter_suffixes().map(|suffix| suffix.to_name());
            above.find_map(|above| at(&above, Rtype::NS).filter(|entry| entry.refers().is_some()))
        })
    }

    /// Goes from server to server as a resolver does, and hands out the last answer.
    fn resolve(&self, name: &Name<Bytes>, rtype: Rtype, depth: usize) -> Option<Entry> {
        let mut address = self.first.clone();
        for _ in 0..12 {
            let Some(found) = self.said(&address, name, rtype) else { break };
            let Some(zone) = found.refers() else { return Some(found.clone()) };
            // DS records of the zone that is referred to are the parent's.
            if rtype == Rtype::DS && zone == *name {
                return Some(found.about_ds(name));
            }
            let hosts = found.section("AUTHORITY").iter().filter_map(|ns| match ns.data() {
                ZoneRecordData::Ns(host) => Some(host.nsdname()),
                _ => None,
            });
            let glue = hosts.into_iter().find_map(|host| {
                let of_host = |record: &&Data| record.owner() == host;
                let here = found.section("ADDITIONAL").iter().filter(of_host).find_map(address_of);
                here.or_else(|| {
                    let found = (depth < 3).then(|| self.resolve(host, Rtype::A, depth + 1))??;
                    found.section("ANSWER").iter().find_map(address_of)
                })
            });
            match glue {
                Some(next) if next != address => address = next,
                _ => break,
            }
        }
        // What came along with something else.
        let refers = |entry: &&Entry| entry.refers().is_some_and(|zone| zone == *name);
        let said = self.entries.iter().find(|entry| {
            entry.question.as_ref().is_some_and(|asked| *asked == (name.clone(), rtype))
                && entry.matches("qtype")
                && entry.refers().is_none()
        });
        let ds = || self.entries.iter().find(refers).map(|entry| entry.about_ds(name));
        said.cloned().or_else(|| (rtype == Rtype::DS).then(ds).flatten())
    }

    /// Answers a query as the resolver's message.
    fn answer(&self, query: &[u8]) -> Vec<u8> {
        let query = Message::from_octets(query).expect("a query");
        let question = query.sole_question().expect("a question");
        let name: Name<Bytes> = question.qname().to_name();
        let found = self.resolve(&name, question.qtype(), 0);
        let mut builder = MessageBuilder::new_vec();
        let header = builder.header_mut();
        header.set_id(query.header().id());
        header.set_qr(true);
        header.set_ra(true);
        let has = |word: &str| {
            found.as_ref().is_some_and(|entry| entry.flags.iter().any(|flag| flag == word))
        };
        header.set_rcode(match (&found, has("NXDOMAIN"), has("SERVFAIL"), has("REFUSED")) {
            (None, ..) | (_, _, true, _) => Rcode::SERVFAIL,
            (_, true, ..) => Rcode::NXDOMAIN,
            (_, _, _, true) => Rcode::REFUSED,
            _ => Rcode::NOERROR,
        });
        let mut builder = builder.question();
        builder.push((&name, question.qtype())).unwrap();
        let section = |name: &str| {
            found
                .iter()
                .flat_map(|entry| entry.sections.get(name))
                .flatten()
                .cloned()
                .collect::<Vec<_>>()
        };
        let mut builder = builder.answer();
        section("ANSWER").iter().for_each(|record| builder.push(record).unwrap());
        let mut builder = builder.authority();
        section("AUTHORITY").iter().for_each(|record| builder.push(record).unwrap());
        let mut builder = builder.additional();
        builder
            .opt(|opt| {
                opt.set_dnssec_ok(true);
                Ok(())
            })
            .unwrap();
        builder.finish()
    }
}

fn address_of(record: &Data) -> Option<String> {
    match record.data() {
        ZoneRecordData::A(a) => Some(a.addr().to_string()),
        _ => None,
    }
}

/// Seconds since 1970 of `20170401000000`, or of a plain number.
fn seconds(text: &str) -> u64 {
    if text.len() != 14 {
        return text.parse().expect("a number");
    }
    let part = |at: usize, length: usize| text[at..at + length].parse::<u64>().expect("digits");
    let (year, month, day) = (part(0, 4), part(4, 2), part(6, 2));
    // Good from 1970 to 2099.
    let leap = |year: u64| year.is_multiple_of(4);
    let days: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let days = days + lengths[..month as usize - 1].iter().sum::<u64>() + day - 1;
    days * 86_400 + part(8, 2) * 3600 + part(10, 2) * 60 + part(12, 2)
}

/// What this program thinks of a name: the weakest part counts.
fn judged(scenario: &Scenario, name: &str, rtype: Rtype) -> (&'static str, String) {
    let anchors = TrustAnchors::parse(scenario.anchors.as_bytes())
        .unwrap_or_else(|error| panic!("{}: {error}", scenario.anchors));
    let lookup = Lookup {
        resolvers: ResolvConf::parse(b"nameserver 192.0.2.53"),
        dnssec: DnssecTrust::Local,
        trust_anchors: Arc::new(anchors),
        ..Lookup::default()
    };
    let record = RecordType(rtype.to_int());
    let time = WallTime(seconds(&scenario.now));
    let mut inquiry = Inquiry::new(&lookup, name, record, [5; 32], time);
    let mut now = Instant::START;
    let (mut worst, mut why, mut failure) = ("unknown", String::new(), String::new());
    for _ in 0..100_000 {
        match inquiry.poll_output() {
            Output::Send(id, query) => {
                let answer = scenario.answer(&query);
                inquiry.handle_input(now, Input::Received(id, answer.into()));
            }
            Output::Tell(Event::Lookup(LookupNote::Validated(proof))) => {
                let word = match proof.security {
                    Security::Secure => "secure",
                    Security::Insecure(_) => "insecure",
                    Security::Bogus(_) => "bogus",
                };
                if word < worst || worst == "unknown" {
                    (worst, why) = (word, proof.security.to_string());
                }
            }
            Output::Tell(Event::LookupFailed(error)) => failure = error.to_string(),
            Output::Open(_, Endpoint::Udp(_)) | Output::Close(_) | Output::Tell(_) => {}
            Output::Wait(until, _) => {
                now = until;
                inquiry.handle_input(now, Input::Tick);
            }
            Output::Done => return (worst, format!("{why}; {failure}")),
            other => panic!("{other:?}"),
        }
    }
    panic!("no end");
}

/// Where this program decides otherwise: a part of the reason that it gives, and why.
const EXCEPTIONS: &[(&str, &str, usize)] = &[
    (
        "signed only with unsupported algorithms",
        "RFC 9905 section 2 and RFC 8624 section 3.1: RSASHA1 and its kin, and DSA",
        44,
    ),
    ("named only by unsupported digests", "RFC 9905 section 2: SHA-1 in DS records", 1),
    ("Name server loop", "every record is secure; the loop is an error of its own", 3),
];

#[test]
fn published_validator_tests() {
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("the package has the files")
        .map(|entry| entry.expect("it can be read").path())
        .collect();
    files.sort();
    let (mut agreed, mut wrong) = (0, Vec::new());
    let mut excepted = vec![0; EXCEPTIONS.len()];
    for file in &files {
        let stem = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let scenario = Scenario::parse(&std::fs::read_to_string(file).expect("text"));
        for (query, check) in &scenario.steps {
            let Some((name, rtype)) = &query.question else { continue };
            let has = |entry: &Entry, word: &str| entry.flags.iter().any(|flag| flag == word);
            // Only these say what the validator thinks.
            let shows = has(query, "DO") || has(query, "AD");
            let wanted = match (has(check, "SERVFAIL"), has(check, "AD")) {
                (true, _) => "bogus",
                (_, true) => "secure",
                _ if shows => "insecure",
                _ => continue,
            };
            let is_validator = !scenario.now.is_empty() && !scenario.anchors.is_empty();
            if has(query, "CD") || !is_validator {
                continue;
            }
            let (found, why) = judged(&scenario, &name.to_string(), *rtype);
            if found == wanted {
                agreed += 1;
                continue;
            }
            match EXCEPTIONS.iter().position(|(reason, ..)| why.contains(reason)) {
                Some(at) => excepted[at] += 1,
                None => wrong.push(format!("{stem} {name} {rtype}: {wanted}, not {found} ({why})")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let counts: Vec<usize> = EXCEPTIONS.iter().map(|(.., count)| *count).collect();
    assert_eq!((files.len(), agreed, excepted), (96, 80, counts));
}
