//! DNS zones written as text, and a resolver that answers from them.
//!
//! ```text
//! ; a comment
//! @secure .                        what is below is signed, says the AD bit
//! @sign test 13                    what is below is signed, with a key of this algorithm
//! @insecure plain.test             what is below is not
//! example.test  MX 10 mx.example.test
//! *.wild.test   A 192.0.2.1
//! odd.test      TYPE52 0301        any type as hexadecimal digits
//! @fault x.test TLSA servfail      what goes wrong with a question; `*` is any type
//! @server 192.0.2.53 silent        what goes wrong with a server
//! ```
//!
//! The resolver follows aliases and sets the AD bit where every step is signed. See [`Fault`] for what
//! can go wrong.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use domain::base::iana::{Class, Opcode, Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, ToName, Ttl, UnknownRecordData};
use domain::dep::octseq::str::Str;
use domain::rdata::dnssec::RtypeBitmap;

use crate::signer::{Signer, Validity};

/// Owner, type and data.
type Record = (Name<Vec<u8>>, Rtype, Vec<u8>);

/// Of all records, in seconds.
const TTL: u32 = 300;

/// All zones, and everything that goes wrong with them.
#[derive(Clone, Debug, Default)]
pub struct Zones {
    records: BTreeMap<String, Vec<(Rtype, Vec<u8>)>>,
    /// Where zones begin, and whether they are signed.
    cuts: Vec<(String, bool)>,
    faults: Vec<(String, Option<Rtype>, Fault)>,
    servers: Vec<(IpAddr, Fault)>,
    /// How often each question was asked.
    asked: BTreeMap<(String, Rtype), usize>,
    signers: Vec<Signer>,
}

/// What goes wrong with a question or a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// `refused`, `servfail`, `formerr`, `notimp`: this response code.
    Code(Rcode),
    /// `silent`: no answer.
    Silent,
    /// `dead`: nobody listens there.
    Dead,
    /// `late MILLISECONDS`: the answer comes later.
    Late(Duration),
    /// `twice`: the answer comes twice.
    Twice,
    /// `lossy`: the first copy of the question is lost.
    Lossy,
    /// `truncated`: everything is too long for UDP.
    Truncated,
    /// `notcp`: as `truncated`, and nobody listens for TCP.
    NoTcp,
    /// `cut`: the second half of the answer is missing.
    Cut,
    /// `junk`: something that is no message comes first.
    Junk,
    /// `spoof`: answers with a wrong id and to another name come first.
    Spoof,
    /// `noad`: the AD bit is cleared.
    NoAd,
    /// `ad`: the AD bit is set on everything.
    Ad,
    /// `noedns`: FORMERR to EDNS, the question not repeated.
    NoEdns,
    /// `strip`: signatures are left out.
    Strip,
    /// `shallow`: aliases are not followed.
    Shallow,
    /// `loose`: bogus answers are given although they fail validation; for `bogus` names.
    Loose,
    /// `bogus`: SERVFAIL unless checking is disabled.
    Bogus,
    /// `extended CODE TEXT`: the answer has this extended error (RFC 8914).
    Extended(u16, String),
    /// `expired`: signatures are not valid any more; for zones with keys.
    Expired,
    /// `forged`: signatures are wrong; for zones with keys.
    Forged,
    /// `case`: letters of the question change their case.
    Case,
}

/// One message of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// How much later than usual it comes.
    pub after: Duration,
    /// The message, without the length that goes before it on a stream.
    pub message: Vec<u8>,
}

impl Zones {
    /// Reads zones.
    ///
    /// # Panics
    /// If the text makes no sense.
    pub fn parse(text: &str) -> Self {
        let mut zones = Self::default();
        for line in text.lines() {
            let line = line.split(';').next().unwrap_or_default().trim();
            if !line.is_empty() {
                zones.read_line(line).unwrap_or_else(|| panic!("zone line {line:?}"));
            }
        }
        zones
    }

    /// Tells whether nobody listens on a server, by UDP or TCP.
    pub fn is_dead(&self, server: IpAddr, tcp: bool) -> bool {
        let faults = self.servers.iter().filter(|(dead, _)| *dead == server);
        faults.into_iter().any(|(_, fault)| *fault == Fault::Dead || tcp && *fault == Fault::NoTcp)
    }

    /// Answers a query that came to `server`.
    pub fn answer(&mut self, server: IpAddr, query: &[u8], tcp: bool) -> Vec<Reply> {
        let Ok(query) = Message::from_octets(query) else { return Vec::new() };
        let Ok(question) = query.sole_question() else { return Vec::new() };
        let name: Name<Vec<u8>> = question.qname().to_name();
        let rtype = question.qtype();
        let key = name.to_string().to_ascii_lowercase();
        let copy = self.asked.entry((key.clone(), rtype)).or_default();
        *copy += 1;
        let first = *copy == 1;
        let of_name = self.faults.iter().filter(|(faulty, wanted, _)| {
            *faulty == key && wanted.is_none_or(|wanted| wanted == rtype)
        });
        let of_name = of_name.map(|(_, _, fault)| fault);
        let of_server = self.servers.iter().filter(|(faulty, _)| *faulty == server);
        let faults: Vec<Fault> =
            of_name.chain(of_server.map(|(_, fault)| fault)).cloned().collect();
        if faults.iter().any(|fault| *fault == Fault::Silent || *fault == Fault::Lossy && first) {
            return Vec::new();
        }
        let message = self.build(&query, &name, rtype, &faults, tcp);
        spoil(message, &name, &faults)
    }

    fn build(
        &self,
        query: &Message<&[u8]>,
        name: &Name<Vec<u8>>,
        rtype: Rtype,
        faults: &[Fault],
        tcp: bool,
    ) -> Vec<u8> {
        let has = |fault: Fault| faults.contains(&fault);
        let opt = query.opt();
        let header = query.header();
        let mut found = self.resolve(name, rtype, has(Fault::Shallow));
        let code = faults.iter().find_map(|fault| match fault {
            Fault::Code(code) => Some(*code),
            Fault::NoEdns if opt.is_some() => Some(Rcode::FORMERR),
            Fault::Bogus if !header.cd() && !has(Fault::Loose) => Some(Rcode::SERVFAIL),
            _ => None,
        });
        if let Some(code) = code {
            found = Resolution { rcode: code, ..Resolution::default() };
        }
        let bogus = has(Fault::Bogus);
        let wants_ad = header.ad() || opt.as_ref().is_some_and(|opt| opt.dnssec_ok());
        let ad = found.secure && wants_ad && !bogus && !header.cd() && !has(Fault::NoAd);
        let ad = ad || has(Fault::Ad);
        let signed =
            found.secure && !has(Fault::Strip) && opt.as_ref().is_some_and(|opt| opt.dnssec_ok());
        let size = opt.as_ref().map_or(512, |opt| usize::from(opt.udp_payload_size()).min(1232));

        let mut answer = found.answer.clone();
        let mut authority: Vec<Record> =
            found.denied_by.iter().map(|zone| (zone.clone(), Rtype::SOA, soa())).collect();
        let do_bit = opt.as_ref().is_some_and(|opt| opt.dnssec_ok());
        if !self.signers.is_empty() && do_bit && !has(Fault::Strip) {
            authority.extend(found.denied_name.iter().filter_map(|name| self.denial(name, rtype)));
            self.sign(&mut answer, faults);
            self.sign(&mut authority, faults);
        } else if let (true, Some((owner, ..))) = (signed, found.answer.last()) {
            answer.push((owner.clone(), Rtype::RRSIG, vec![0; 100]));
        }
        let make = |truncated: bool| {
            let mut builder = MessageBuilder::new_vec();
            let reply = builder.header_mut();
            reply.set_id(header.id());
            reply.set_qr(true);
            reply.set_opcode(Opcode::QUERY);
            reply.set_rd(true);
            reply.set_ra(true);
            reply.set_ad(ad);
            reply.set_cd(header.cd());
            reply.set_tc(truncated);
            reply.set_rcode(found.rcode);
            let mut builder = builder.question();
            if !has(Fault::NoEdns) || opt.is_none() {
                builder.push((name, rtype)).unwrap();
            }
            let mut builder = builder.answer();
            if !truncated {
                for (owner, rtype, data) in &answer {
                    let data = UnknownRecordData::from_octets(*rtype, &data[..]).unwrap();
                    builder.push((owner, Class::IN, Ttl::from_secs(TTL), data)).unwrap();
                }
            }
            let mut builder = builder.authority();
            if !truncated {
                for (owner, rtype, data) in &authority {
                    let data = UnknownRecordData::from_octets(*rtype, &data[..]).unwrap();
                    builder.push((owner, Class::IN, Ttl::from_secs(TTL), data)).unwrap();
                }
            }
            let mut builder = builder.additional();
            if opt.is_some() && !has(Fault::NoEdns) {
                let set = |opt: &mut domain::base::message_builder::OptBuilder<'_, _>| {
                    opt.set_udp_payload_size(1232);
                    opt.set_dnssec_ok(true);
                    for fault in faults {
                        if let Fault::Extended(code, text) = fault {
                            let text = Str::<Vec<u8>>::copy_from_str(text);
                            opt.extended_error((*code).into(), Some(&text)).unwrap();
                        }
                    }
                    Ok(())
                };
                builder.opt(set).unwrap();
            }
            builder.finish()
        };
        let message = make(false);
        if !tcp && (message.len() > size || has(Fault::Truncated) || has(Fault::NoTcp)) {
            return make(true);
        }
        message
    }

    fn resolve(&self, name: &Name<Vec<u8>>, rtype: Rtype, shallow: bool) -> Resolution {
        let mut found = Resolution { secure: true, ..Resolution::default() };
        let mut name = name.clone();
        for _ in 0..16 {
            let key = name.to_string().to_ascii_lowercase();
            // DS records belong to the parent.
            let home = match key.split_once('.') {
                Some((_, "")) if rtype == Rtype::DS => ".",
                Some((_, parent)) if rtype == Rtype::DS => parent,
                _ => &key,
            };
            let (zone, secure) = self.zone(home);
            found.secure &= secure;
            let Some(records) = self.find(&key) else {
                found.rcode = Rcode::NXDOMAIN;
                found.denied_by = Some(zone);
                found.denied_name = Some(name);
                return found;
            };
            let wanted = records.iter().filter(|(other, _)| *other == rtype);
            let before = found.answer.len();
            found.answer.extend(wanted.map(|(_, data)| (name.clone(), rtype, data.clone())));
            if found.answer.len() > before {
                return found;
            }
            let Some((_, target)) = records.iter().find(|(other, _)| *other == Rtype::CNAME) else {
                found.denied_by = Some(zone);
                found.denied_name = Some(name);
                return found;
            };
            found.answer.push((name, Rtype::CNAME, target.clone()));
            if shallow {
                return found;
            }
            name = Name::from_octets(target.clone()).unwrap();
        }
        Resolution { rcode: Rcode::SERVFAIL, ..Resolution::default() }
    }

    /// Finds the records of a name, or of the wildcard that stands for it.
    fn find(&self, key: &str) -> Option<&[(Rtype, Vec<u8>)]> {
        if let Some(records) = self.records.get(key) {
            return Some(records);
        }
        let below = format!(".{key}");
        if key == "." || self.records.keys().any(|name| name.ends_with(&below)) {
            return Some(&[]);
        }
        let (_, parent) = key.split_once('.')?;
        self.records.get(&format!("*.{parent}")).map(Vec::as_slice)
    }

    /// Gives a zone a key, which its parent names.
    fn sign_zone(&mut self, zone: &str, algorithm: u8) {
        let signer = Signer::new(to_name(zone), algorithm);
        let key = signer.zone().to_string().to_ascii_lowercase();
        let records = self.records.entry(key).or_default();
        records.push((Rtype::DNSKEY, signer.dnskey()));
        records.push((Rtype::DS, signer.ds()));
        self.signers.push(signer);
    }

    /// The key of the zone that was signed first, as a trust anchor.
    ///
    /// # Panics
    /// If there is none.
    pub fn anchor(&self) -> String {
        let signer = self.signers.first().expect("a signed zone");
        let ds = signer.ds();
        let hex = ds.iter().fold(String::new(), |hex, octet| hex + &format!("{octet:02x}"));
        format!("{} IN TYPE43 \\# {} {hex}\n", signer.zone().fmt_with_dot(), ds.len())
    }

    /// Makes the record that says that a name has nothing of a type, whether or not it exists
    /// (RFC 9824 section 3.1 does it so).
    fn denial(&self, name: &Name<Vec<u8>>, asked: Rtype) -> Option<Record> {
        let key = name.to_string().to_ascii_lowercase();
        if asked != Rtype::DS && !self.zone(&key).1 {
            return None;
        }
        let next = Name::from_octets([b"\x01\0", name.as_slice()].concat()).ok()?;
        let mut types = RtypeBitmap::<Vec<u8>>::builder();
        let of_name = self.find(&key).unwrap_or_default().iter().map(|(rtype, _)| *rtype);
        let cut = self.cuts.iter().any(|(zone, secure)| *zone == key && !secure);
        for rtype in of_name.chain([Rtype::NSEC, Rtype::RRSIG]).chain(cut.then_some(Rtype::NS)) {
            // What belongs to the other side of a cut is not told.
            if rtype != asked && (rtype != Rtype::DNSKEY || asked != Rtype::DS) {
                types.add(rtype).unwrap();
            }
        }
        let data = [next.as_slice(), types.finalize().as_slice()].concat();
        Some((name.clone(), Rtype::NSEC, data))
    }

    /// Adds signatures to a section.
    fn sign(&self, section: &mut Vec<Record>, faults: &[Fault]) {
        let mut sets = BTreeMap::<_, Vec<Vec<u8>>>::new();
        for (owner, rtype, data) in &*section {
            sets.entry((owner.clone(), *rtype)).or_default().push(data.clone());
        }
        let mut validity = Validity::default();
        if faults.contains(&Fault::Expired) {
            validity.expiration = validity.inception + 1;
        }
        for ((owner, rtype), data) in sets {
            let key = owner.to_string().to_ascii_lowercase();
            let is_cut = matches!(rtype, Rtype::DS)
                || rtype == Rtype::NSEC && self.cuts.contains(&(key.clone(), false));
            let home = match key.split_once('.') {
                Some((_, parent)) if is_cut => {
                    if parent.is_empty() {
                        "."
                    } else {
                        parent
                    }
                }
                None if is_cut => ".",
                _ => &key,
            };
            let (zone, secure) = self.zone(home);
            let Some(signer) = self.signers.iter().find(|signer| secure && *signer.zone() == zone)
            else {
                continue;
            };
            let mut rrsig = signer.rrsig(&owner, rtype, TTL, &data, validity);
            if let (true, Some(last)) = (faults.contains(&Fault::Forged), rrsig.last_mut()) {
                *last ^= 1;
            }
            section.push((owner, Rtype::RRSIG, rrsig));
        }
    }

    fn zone(&self, key: &str) -> (Name<Vec<u8>>, bool) {
        let inside = |zone: &str| zone == "." || key == zone || key.ends_with(&format!(".{zone}"));
        let cuts = self.cuts.iter().filter(|(zone, _)| inside(zone));
        let cut = cuts.max_by_key(|(zone, _)| zone.trim_matches('.').len());
        cut.map_or((Name::root_vec(), false), |(zone, secure)| (to_name(zone), *secure))
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let mut words = line.split_ascii_whitespace();
        let first = words.next()?;
        let second = words.next()?;
        let rest: Vec<&str> = words.collect();
        match first {
            "@secure" | "@insecure" => {
                self.cuts.push((second.to_ascii_lowercase(), first == "@secure"));
            }
            "@sign" => {
                self.cuts.push((second.to_ascii_lowercase(), true));
                self.sign_zone(second, rest.first()?.parse().ok()?);
            }
            "@fault" => {
                let rtype = match *rest.first()? {
                    "*" => None,
                    rtype => Some(rtype.parse().ok()?),
                };
                let fault = Fault::parse(&rest[1..])?;
                self.faults.push((second.to_ascii_lowercase(), rtype, fault));
            }
            "@server" => self.servers.push((second.parse().ok()?, Fault::parse(&rest)?)),
            name => {
                let rtype: Rtype = second.parse().ok()?;
                let key = to_name(name).to_string().to_ascii_lowercase();
                let data = read_data(rtype, second, &rest)?;
                self.records.entry(key).or_default().push((rtype, data));
            }
        }
        Some(())
    }
}

impl Fault {
    fn parse(words: &[&str]) -> Option<Self> {
        Some(match words {
            ["servfail"] => Self::Code(Rcode::SERVFAIL),
            ["refused"] => Self::Code(Rcode::REFUSED),
            ["formerr"] => Self::Code(Rcode::FORMERR),
            ["notimp"] => Self::Code(Rcode::NOTIMP),
            ["silent"] => Self::Silent,
            ["dead"] => Self::Dead,
            ["late", millis] => Self::Late(Duration::from_millis(millis.parse().ok()?)),
            ["twice"] => Self::Twice,
            ["lossy"] => Self::Lossy,
            ["truncated"] => Self::Truncated,
            ["notcp"] => Self::NoTcp,
            ["cut"] => Self::Cut,
            ["junk"] => Self::Junk,
            ["spoof"] => Self::Spoof,
            ["noad"] => Self::NoAd,
            ["ad"] => Self::Ad,
            ["noedns"] => Self::NoEdns,
            ["strip"] => Self::Strip,
            ["shallow"] => Self::Shallow,
            ["loose"] => Self::Loose,
            ["bogus"] => Self::Bogus,
            ["case"] => Self::Case,
            ["expired"] => Self::Expired,
            ["forged"] => Self::Forged,
            ["extended", code, text @ ..] => Self::Extended(code.parse().ok()?, text.join(" ")),
            _ => return None,
        })
    }
}

/// What a question leads to.
#[derive(Clone, Debug)]
struct Resolution {
    rcode: Rcode,
    secure: bool,
    answer: Vec<Record>,
    denied_by: Option<Name<Vec<u8>>>,
    /// What there is no record of.
    denied_name: Option<Name<Vec<u8>>>,
}

impl Default for Resolution {
    fn default() -> Self {
        Self {
            rcode: Rcode::NOERROR,
            secure: false,
            answer: Vec::new(),
            denied_by: None,
            denied_name: None,
        }
    }
}

/// Does to a message what the faults say.
fn spoil(mut message: Vec<u8>, name: &Name<Vec<u8>>, faults: &[Fault]) -> Vec<Reply> {
    let mut replies = Vec::new();
    let mut after = Duration::ZERO;
    for fault in faults {
        match fault {
            Fault::Late(late) => after += *late,
            Fault::Junk => replies.push(vec![0]),
            Fault::Spoof => {
                let mut wrong_id = message.clone();
                wrong_id[1] ^= 1;
                let mut wrong_name = message.clone();
                wrong_name[13] ^= 1;
                replies.extend([wrong_id, wrong_name]);
            }
            Fault::Cut => message.truncate(message.len() / 2),
            Fault::Case => {
                for letter in message[13..12 + name.len()].iter_mut().step_by(2) {
                    if letter.is_ascii_alphabetic() {
                        *letter ^= 0x20;
                    }
                }
            }
            _ => {}
        }
    }
    if faults.contains(&Fault::Twice) {
        replies.push(message.clone());
    }
    replies.push(message);
    replies.into_iter().map(|message| Reply { after, message }).collect()
}

fn to_name(text: &str) -> Name<Vec<u8>> {
    Name::vec_from_str(text).unwrap_or_else(|error| panic!("name {text:?}: {error}"))
}

fn soa() -> Vec<u8> {
    let mut data = vec![0, 0];
    for number in [1_u32, 86_400, 3_600, 2_419_200, 60] {
        data.extend(number.to_be_bytes());
    }
    data
}

fn read_data(rtype: Rtype, word: &str, rest: &[&str]) -> Option<Vec<u8>> {
    let hex = |text: &str| -> Option<Vec<u8>> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|digit| digit.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect();
        let digits = digits?;
        digits.chunks(2).map(|pair| Some(pair[0] << 4 | pair.get(1)?)).collect()
    };
    let number = |text: &str| text.parse::<u16>().ok().map(u16::to_be_bytes);
    let raw = |text: &str| to_name(text).into_octets();
    let mut data = Vec::new();
    match (rtype, rest) {
        (_, [digits]) if word.to_ascii_uppercase().starts_with("TYPE") => data = hex(digits)?,
        (_, []) if word.to_ascii_uppercase().starts_with("TYPE") => {}
        (Rtype::A, [address]) => {
            data.extend(address.parse::<std::net::Ipv4Addr>().ok()?.octets());
        }
        (Rtype::AAAA, [address]) => {
            data.extend(address.parse::<std::net::Ipv6Addr>().ok()?.octets());
        }
        (Rtype::CNAME | Rtype::NS | Rtype::PTR, [target]) => data = raw(target),
        (Rtype::MX, [preference, exchange]) => {
            data.extend(number(preference)?);
            data.extend(raw(exchange));
        }
        (Rtype::SRV, [priority, weight, port, target]) => {
            for text in [priority, weight, port] {
                data.extend(number(text)?);
            }
            data.extend(raw(target));
        }
        (Rtype::TLSA, [usage, selector, matching, digits]) => {
            for text in [usage, selector, matching] {
                data.push(text.parse().ok()?);
            }
            data.extend(hex(digits)?);
        }
        _ => return None,
    }
    Some(data)
}
