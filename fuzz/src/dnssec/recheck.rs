//! Looks for an unbroken chain of signatures a second time: slowly, with everything that was ever
//! received, and with no line of the validator.
//!
//! What it demands is necessary, not sufficient: it need not find out what is insecure or bogus.

use std::collections::{BTreeMap, BTreeSet};

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::signature as lc;

/// Labels in lower case, from the root down: an ancestor is a prefix.
type Name = Vec<Vec<u8>>;

const CNAME: u16 = 5;
const SOA: u16 = 6;
const DNAME: u16 = 39;
const DS: u16 = 43;
const RRSIG: u16 = 46;
const NSEC: u16 = 47;
const DNSKEY: u16 = 48;
const NSEC3: u16 = 50;

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Record {
    owner: Name,
    record: u16,
    ttl: u32,
    /// Canonical.
    data: Vec<u8>,
}

/// A message in pieces.
struct Message {
    answer: Vec<Record>,
    authority: Vec<Record>,
    name: Name,
    record: u16,
}

/// All that was received.
pub(super) struct Evidence {
    messages: Vec<Message>,
    /// Anchors as data of DS records.
    anchors: Vec<(Name, Vec<u8>)>,
    now: u32,
}

impl Evidence {
    pub(super) fn new(anchors: Vec<(String, Vec<u8>)>, now: u32) -> Self {
        let anchors = anchors.into_iter().map(|(name, data)| (from_text(&name), data)).collect();
        Self { messages: Vec::new(), anchors, now }
    }

    /// Keeps what a name server said; what cannot be read is no evidence.
    pub(super) fn add(&mut self, message: &[u8]) {
        self.messages.extend(read(message));
    }

    /// Tells whether a chain leads to the answer to a question.
    pub(super) fn proves(&self, name: &str, record: u16) -> bool {
        let name = from_text(name);
        let keys = self.keys();
        let asked = |message: &&Message| message.name == name && message.record == record;
        self.messages.iter().filter(asked).any(|message| self.follow(&keys, message, &name, record))
    }

    /// Finds all zone keys that a chain leads to, round after round, until there are no more.
    fn keys(&self) -> BTreeSet<(Name, Vec<u8>)> {
        let mut named = self.anchors.clone();
        let mut keys = BTreeSet::new();
        loop {
            let before = (named.len(), keys.len());
            for message in &self.messages {
                for set in sets(&message.answer, DNSKEY) {
                    let zone = &set[0].owner;
                    let entry = |key: &&Record| {
                        named.iter().any(|(of, ds)| of == zone && is_digest(zone, &key.data, ds))
                    };
                    let entries: BTreeSet<_> = set
                        .iter()
                        .filter(entry)
                        .map(|key| (zone.clone(), key.data.clone()))
                        .collect();
                    if self.is_signed(&entries, &set, &message.answer).is_some() {
                        keys.extend(set.iter().map(|key| (zone.clone(), key.data.clone())));
                    }
                }
                for set in sets(&message.answer, DS) {
                    let child = &set[0].owner;
                    // A zone does not vouch for itself.
                    let above = keys.iter().filter(|(zone, _)| zone.len() < child.len());
                    let above = above.cloned().collect();
                    if self.is_signed(&above, &set, &message.answer).is_some() {
                        named.extend(set.iter().map(|ds| (child.clone(), ds.data.clone())));
                        named.sort();
                        named.dedup();
                    }
                }
            }
            if before == (named.len(), keys.len()) {
                return keys;
            }
        }
    }

    /// Goes along the aliases of an answer; every one of them must be signed.
    fn follow(
        &self,
        keys: &BTreeSet<(Name, Vec<u8>)>,
        message: &Message,
        name: &Name,
        record: u16,
    ) -> bool {
        let mut name = name.clone();
        for _ in 0..40 {
            let at = |owner: &Name, record| {
                sets(&message.answer, record).into_iter().find(|set| set[0].owner == *owner)
            };
            let good = |set: &[Record]| {
                let labels = self.is_signed(keys, set, &message.answer);
                // From a wildcard: nothing closer may exist.
                labels.is_some_and(|labels| {
                    labels == count(&set[0].owner)
                        || self.covers(
                            keys,
                            message,
                            &set[0].owner[..=usize::from(labels)].to_vec(),
                        )
                        || self.covers(keys, message, &set[0].owner)
                })
            };
            if let Some(set) = at(&name, record) {
                return good(&set);
            }
            let Some(alias) = at(&name, CNAME) else {
                return self.is_denied(keys, message, &name, record);
            };
            let above =
                (0..name.len()).rev().find_map(|length| at(&name[..length].to_vec(), DNAME));
            let signed = good(&alias);
            let made = above.is_some_and(|set| {
                let (target, _) = name_in(&set[0].data, 0).unwrap_or_default();
                let made = [&target[..], &name[set[0].owner.len()..]].concat();
                good(&set) && Some(made) == name_in(&alias[0].data, 0).map(|(name, _)| name)
            });
            let Some((target, _)) = name_in(&alias[0].data, 0) else { return false };
            if !signed && !made || alias.len() != 1 {
                return false;
            }
            name = target;
            // Another zone's says nothing about it (RFC 2308 section 2.2).
            let says_no = message
                .authority
                .iter()
                .any(|record| record.record == SOA && name.starts_with(&record.owner));
            let ends = at(&name, record).is_none() && at(&name, CNAME).is_none();
            if ends && !says_no {
                // Its end is asked for by itself.
                return true;
            }
        }
        false
    }

    /// Tells whether a signed record speaks against what was asked for.
    fn is_denied(
        &self,
        keys: &BTreeSet<(Name, Vec<u8>)>,
        message: &Message,
        name: &Name,
        record: u16,
    ) -> bool {
        let lacks = |types: &[u8]| !has_type(types, record) && !has_type(types, CNAME);
        let covered = self.covers(keys, message, name);
        // The name itself; or a wildcard, where the name is known not to exist.
        let names = |from: usize| {
            let wildcards = (from..name.len())
                .filter(|_| covered)
                .map(|length| [&name[..length], &[b"*".to_vec()][..]].concat());
            wildcards.chain([name.clone()]).collect::<Vec<_>>()
        };
        let lacking = self.denials(keys, message).iter().any(|denial| match denial {
            Denial::Nsec { owner, types, .. } => names(0).contains(owner) && lacks(types),
            Denial::Nsec3 { zone, owner, types, salt, iterations, .. } => {
                names(zone.len()).iter().any(|name| hash(name, salt, *iterations) == *owner)
                    && lacks(types)
            }
        });
        let exists = |denial: &Denial| match denial {
            Denial::Nsec { owner, .. } => names(0).contains(owner),
            Denial::Nsec3 { zone, owner, salt, iterations, .. } => {
                names(zone.len()).iter().any(|name| hash(name, salt, *iterations) == *owner)
            }
        };
        lacking || covered && !self.denials(keys, message).iter().any(exists)
    }

    /// Tells whether a signed record, without opt-out, says that a name does not exist.
    fn covers(&self, keys: &BTreeSet<(Name, Vec<u8>)>, message: &Message, name: &Name) -> bool {
        self.denials(keys, message).iter().any(|denial| match denial {
            Denial::Nsec { zone, owner, next, .. } => {
                name.starts_with(zone) && owner < name && (name < next || next == zone)
            }
            Denial::Nsec3 { zone, owner, next, opt_out, salt, iterations, .. } => {
                // Some name on the way up from it is the next closer one.
                !opt_out
                    && (zone.len() + 1..=name.len()).any(|length| {
                        let hash = hash(&name[..length], salt, *iterations);
                        match owner < next {
                            true => *owner < hash && hash < *next,
                            false => *owner < hash || hash < *next,
                        }
                    })
            }
        })
    }

    /// The signed records of a message that deny something.
    fn denials(&self, keys: &BTreeSet<(Name, Vec<u8>)>, message: &Message) -> Vec<Denial> {
        let mut denials = Vec::new();
        let all = [NSEC, NSEC3].map(|record| sets(&message.authority, record)).concat();
        for set in all {
            let [Record { owner, record, data, .. }] = &set[..] else { continue };
            let Some(labels) = self.is_signed(keys, &set, &message.authority) else { continue };
            if labels != count(owner) {
                continue;
            }
            let signed_by = signatures(&message.authority, &set).into_iter().map(|(_, zone)| zone);
            for zone in signed_by {
                denials.extend(match *record {
                    NSEC => nsec(&zone, owner, data),
                    _ => nsec3(&zone, owner, data),
                });
            }
        }
        denials
    }

    /// Tells how many labels of the owner were signed, if one of these keys signed the set.
    fn is_signed(
        &self,
        keys: &BTreeSet<(Name, Vec<u8>)>,
        set: &[Record],
        section: &[Record],
    ) -> Option<u8> {
        let owner = &set[0].owner;
        signatures(section, set).into_iter().find_map(|(rrsig, signer)| {
            let fixed: [u8; 18] = *rrsig.first_chunk()?;
            let [_, _, algorithm, labels, t0, t1, t2, t3, rest @ ..] = fixed;
            let [e0, e1, e2, e3, i0, i1, i2, i3, g0, g1] = rest;
            let after = |then: [u8; 4]| self.now.wrapping_sub(u32::from_be_bytes(then)) < 1 << 31;
            let is_over = !after([i0, i1, i2, i3])
                || after([e0, e1, e2, e3]) && self.now != u32::from_be_bytes([e0, e1, e2, e3]);
            if is_over || !owner.starts_with(&signer) || labels > count(owner) {
                return None;
            }
            let (_, end) = name_in(rrsig, 18)?;
            let mut text = rrsig[..end].to_vec();
            let mut name = to_octets(&owner[..owner.len().min(usize::from(labels) + star(owner))]);
            if labels < count(owner) {
                name = [&b"\x01*"[..], &to_octets(&owner[..usize::from(labels)])].concat();
            }
            let data: BTreeSet<&Vec<u8>> = set.iter().map(|record| &record.data).collect();
            for data in data {
                text.extend(&name);
                text.extend(set[0].record.to_be_bytes());
                text.extend([0, 1, t0, t1, t2, t3]);
                text.extend((data.len() as u16).to_be_bytes());
                text.extend(data);
            }
            let good = keys.iter().any(|(zone, key)| {
                *zone == signer
                    && key.get(3) == Some(&algorithm)
                    && key.get(2) == Some(&3)
                    && key[0] & 1 == 1
                    && key[1] & 0x80 == 0
                    && tag(key) == u16::from_be_bytes([g0, g1])
                    && verify(algorithm, &key[4..], &text, &rrsig[end..])
            });
            good.then_some(labels)
        })
    }
}

/// A denial that was signed.
enum Denial {
    Nsec {
        zone: Name,
        owner: Name,
        next: Name,
        types: Vec<u8>,
    },
    Nsec3 {
        zone: Name,
        owner: Vec<u8>,
        next: Vec<u8>,
        types: Vec<u8>,
        opt_out: bool,
        salt: Vec<u8>,
        iterations: u16,
    },
}

fn nsec(zone: &Name, owner: &Name, data: &[u8]) -> Option<Denial> {
    let (next, end) = name_in(data, 0)?;
    let types = data.get(end..)?.to_vec();
    Some(Denial::Nsec { zone: zone.clone(), owner: owner.clone(), next, types })
}

fn nsec3(zone: &Name, owner: &Name, data: &[u8]) -> Option<Denial> {
    let [1, flags, i0, i1, salt, ..] = *data else { return None };
    // RFC 9276 section 3.2: who hashes that often proves nothing.
    if u16::from_be_bytes([i0, i1]) > 50 {
        return None;
    }
    let salt_end = 5 + usize::from(salt);
    let next_end = salt_end + 1 + usize::from(*data.get(salt_end)?);
    // The first label in base32hex: 5 bits for each digit, 8 digits for 5 octets.
    let mut bits = Vec::new();
    for digit in owner.last()? {
        let value = b"0123456789abcdefghijklmnopqrstuv".iter().position(|known| known == digit)?;
        bits.extend((0..5).rev().map(|bit| value >> bit & 1));
    }
    let octet = |bits: &[usize]| bits.iter().fold(0, |octet, bit| octet << 1 | *bit as u8);
    Some(Denial::Nsec3 {
        zone: zone.clone(),
        owner: bits.chunks_exact(8).map(octet).collect(),
        next: data.get(salt_end + 1..next_end)?.to_vec(),
        types: data.get(next_end..)?.to_vec(),
        opt_out: flags & 1 == 1,
        salt: data.get(5..salt_end)?.to_vec(),
        iterations: u16::from_be_bytes([i0, i1]),
    })
}

fn hash(name: &[Vec<u8>], salt: &[u8], iterations: u16) -> Vec<u8> {
    let mut hash = to_octets(name);
    for _ in 0..=iterations {
        let salted = [&hash[..], salt].concat();
        hash = digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &salted).as_ref().to_vec();
    }
    hash
}

fn has_type(types: &[u8], record: u16) -> bool {
    let [window, at] = record.to_be_bytes();
    let mut rest = types;
    while let [number, length, after @ ..] = rest {
        let (bits, next) = after.split_at(usize::from(*length).min(after.len()));
        let octet = bits.get(usize::from(at / 8)).copied().unwrap_or(0);
        if *number == window && octet & 0x80 >> (at % 8) != 0 {
            return true;
        }
        rest = next;
    }
    false
}

fn is_digest(zone: &Name, key: &[u8], ds: &[u8]) -> bool {
    let [g0, g1, algorithm, kind, found @ ..] = ds else { return false };
    let text = [&to_octets(zone)[..], key].concat();
    let wanted = match kind {
        2 => digest(&digest::SHA256, &text),
        4 => digest(&digest::SHA384, &text),
        _ => return false,
    };
    wanted.as_ref() == found
        && key.get(3) == Some(algorithm)
        && tag(key).to_be_bytes() == [*g0, *g1]
}

fn tag(key: &[u8]) -> u16 {
    let mut sum = 0_u64;
    for (at, octet) in key.iter().enumerate() {
        sum += u64::from(*octet) * if at % 2 == 0 { 256 } else { 1 };
    }
    ((sum + (sum >> 16 & 0xffff)) & 0xffff) as u16
}

fn verify(algorithm: u8, key: &[u8], text: &[u8], signature: &[u8]) -> bool {
    let rsa = |parameters| {
        let (length, rest) = match key {
            [0, a, b, rest @ ..] => (usize::from(*a) * 256 + usize::from(*b), rest),
            [length, rest @ ..] => (usize::from(*length), rest),
            [] => return false,
        };
        let Some((e, n)) = rest.split_at_checked(length) else { return false };
        lc::RsaPublicKeyComponents { n, e }.verify(parameters, text, signature).is_ok()
    };
    let point = [&[4], key].concat();
    match algorithm {
        8 => rsa(&lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY),
        10 => rsa(&lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY),
        13 => lc::UnparsedPublicKey::new(&lc::ECDSA_P256_SHA256_FIXED, point)
            .verify(text, signature)
            .is_ok(),
        14 => lc::UnparsedPublicKey::new(&lc::ECDSA_P384_SHA384_FIXED, point)
            .verify(text, signature)
            .is_ok(),
        15 => lc::UnparsedPublicKey::new(&lc::ED25519, key).verify(text, signature).is_ok(),
        _ => false,
    }
}

/// The records of a type, those with the same owner together.
fn sets(section: &[Record], record: u16) -> Vec<Vec<Record>> {
    let mut sets = BTreeMap::<_, Vec<Record>>::new();
    for found in section.iter().filter(|found| found.record == record) {
        sets.entry(found.owner.clone()).or_default().push(found.clone());
    }
    sets.into_values().collect()
}

/// The signatures over a set, with who made them.
fn signatures<'a>(section: &'a [Record], set: &[Record]) -> Vec<(&'a [u8], Name)> {
    let over = set[0].record.to_be_bytes();
    let fits = |found: &&Record| {
        found.record == RRSIG && found.owner == set[0].owner && found.data.starts_with(&over)
    };
    let signer = |found: &'a Record| Some((&found.data[..], name_in(&found.data, 18)?.0));
    section.iter().filter(fits).filter_map(signer).collect()
}

/// Labels as signatures count them: without an asterisk at the end of the name.
fn count(name: &Name) -> u8 {
    (name.len() - star(name)) as u8
}

fn star(name: &Name) -> usize {
    usize::from(name.last().is_some_and(|label| label == b"*"))
}

fn from_text(text: &str) -> Name {
    let labels = text.split('.').filter(|label| !label.is_empty());
    labels.rev().map(|label| label.to_ascii_lowercase().into_bytes()).collect()
}

fn to_octets(name: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.iter().rev() {
        octets.push(label.len() as u8);
        octets.extend(label);
    }
    octets.push(0);
    octets
}

/// Reads a name, compressed or not, and tells where it ends.
fn name_in(octets: &[u8], start: usize) -> Option<(Name, usize)> {
    let (mut at, mut end) = (start, None);
    let mut labels = Name::new();
    for _ in 0..200 {
        match usize::from(*octets.get(at)?) {
            0 => {
                labels.reverse();
                return Some((labels, end.unwrap_or(at + 1)));
            }
            length @ 1..=63 => {
                labels.push(octets.get(at + 1..at + 1 + length)?.to_ascii_lowercase());
                at += 1 + length;
            }
            high @ 0xc0.. => {
                end = end.or(Some(at + 2));
                at = (high & 0x3f) << 8 | usize::from(*octets.get(at + 1)?);
            }
            _ => return None,
        }
    }
    None
}

fn read(message: &[u8]) -> Option<Message> {
    let short = |at: usize| Some(u16::from_be_bytes(*message.get(at..)?.first_chunk()?));
    if short(4)? != 1 {
        return None;
    }
    let (name, end) = name_in(message, 12)?;
    let mut at = end + 4;
    let mut section = |count: u16| -> Option<Vec<Record>> {
        let mut records = Vec::new();
        for _ in 0..count {
            let (owner, end) = name_in(message, at)?;
            let (record, class, length) =
                (short(end)?, short(end + 2)?, usize::from(short(end + 8)?));
            let ttl = u32::from(short(end + 4)?) << 16 | u32::from(short(end + 6)?);
            let start = end + 10;
            at = start + length;
            message.get(start..at)?;
            // Names inside in canonical form, wherever a type that matters here has one.
            let (before, names) = match record {
                2 | CNAME | 12 | DNAME => (0, 1),
                SOA => (0, 2),
                15 => (2, 1),
                33 => (6, 1),
                RRSIG => (18, 1),
                _ => (0, 0),
            };
            let mut data = message.get(start..start + before)?.to_vec();
            let mut place = start + before;
            for _ in 0..names {
                let (name, end) = name_in(message, place)?;
                data.extend(to_octets(&name));
                place = end;
            }
            data.extend(message.get(place..at)?);
            if class == 1 {
                records.push(Record { owner, record, ttl, data });
            }
        }
        Some(records)
    };
    let answer = section(short(6)?)?;
    let authority = section(short(8)?)?;
    Some(Message { answer, authority, name, record: short(end)? })
}
