//! The wire form of questions and answers (RFC 1035 section 4, RFC 6891).

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use domain::base::iana::{Class, Opcode, OptRcode, Rtype};
use domain::base::wire::ParseError;
use domain::base::{
    Message, MessageBuilder, ParseRecordData, ParsedName, ParsedRecord, RecordData, ToName,
};
use domain::dep::octseq::Parser;
use domain::rdata::{A, Aaaa, Cname, Mx, Ptr, Soa, Srv};

use super::extended::ExtendedError;
use super::name::{Name, Question};
use super::{RecordType, Tlsa};
use crate::limits;

/// What a query asks besides its question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Flags {
    /// Send an OPT record with DO (RFC 6891, RFC 3225).
    pub(crate) edns: bool,
    /// Ask the resolver not to validate (RFC 4035 section 3.2.2).
    pub(crate) checking_disabled: bool,
}

/// Writes a query that asks for recursion and for the AD bit (RFC 6840 section 5.7).
pub(crate) fn query(id: u16, question: &Question, flags: Flags) -> Vec<u8> {
    // A vector never lacks room; were it to, an empty datagram is not sent.
    build_query(id, question, flags).unwrap_or_default()
}

fn build_query(
    id: u16,
    question: &Question,
    flags: Flags,
) -> Result<Vec<u8>, domain::base::message_builder::PushError> {
    let mut builder = MessageBuilder::new_vec();
    let header = builder.header_mut();
    header.set_id(id);
    header.set_rd(true);
    header.set_ad(true);
    header.set_cd(flags.checking_disabled);
    let mut builder = builder.question();
    builder.push((&question.name, Rtype::from_int(question.record.0)))?;
    let mut builder = builder.additional();
    if flags.edns {
        builder.opt(|opt| {
            opt.set_udp_payload_size(limits::DNS_PAYLOAD);
            opt.set_dnssec_ok(true);
            Ok(())
        })?;
    }
    Ok(builder.finish())
}

/// What a message is to one who waits for the answer to a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// Something else: forged, late for another question, or noise.
    Foreign,
    /// The answer, which did not fit (RFC 2181 section 9).
    Truncated,
    /// The answer.
    Reply(Reply),
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// The response code with its extension (RFC 6891 section 6.1.3).
    pub(crate) rcode: u16,
    /// The AD bit (RFC 4035 section 3.2.3).
    pub(crate) authentic: bool,
    /// The server speaks EDNS.
    pub(crate) edns: bool,
    /// The answer section has signatures.
    pub(crate) signed: bool,
    /// What the server says besides.
    pub(crate) extended: Vec<ExtendedError>,
    /// The records; `None` if they cannot be read.
    pub(crate) records: Option<Records>,
    /// The whole message, for validation.
    pub(crate) message: Bytes,
}

/// What was read of an answer: aliases, and the records asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    /// Aliases with their targets; at most [`limits::ALIASES`].
    pub(crate) aliases: Vec<(Name, Name)>,
    /// Records of the type asked for; at most [`limits::RECORDS`].
    pub(crate) data: Vec<(Name, Data)>,
    /// There were more of them.
    pub(crate) excess: bool,
    /// The lowest TTL of all records read, in seconds; of the SOA record if there are none.
    pub(crate) ttl: Option<u32>,
    /// The zone that says that there is no such record (RFC 2308 section 2).
    pub(crate) denied_by: Option<Name>,
}

/// What a record holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    A(Ipv4Addr),
    Aaaa(Ipv6Addr),
    Mx {
        preference: u16,
        exchange: Name,
    },
    Srv {
        priority: u16,
        weight: u16,
        port: u16,
        target: Name,
    },
    Tlsa(Tlsa),
    /// A TLSA record without association data, by the length of what it has.
    ShortTlsa(usize),
    Cname(Name),
    Ptr(Name),
    /// A record of a type that is only counted.
    Other,
}

/// Reads a message as the answer to `question`, which was asked with `id`.
pub(crate) fn read(octets: &Bytes, id: u16, question: &Question) -> Received {
    let Ok(message) = Message::from_octets(octets.clone()) else { return Received::Foreign };
    let header = message.header();
    if !header.qr() || header.id() != id || header.opcode() != Opcode::QUERY {
        return Received::Foreign;
    }
    let no_question = message.header_counts().qdcount() == 0;
    // Servers that could not read the question do not repeat it.
    if no_question && header.rcode().to_int() != 0 {
        return Received::Reply(Reply {
            rcode: header.rcode().to_int().into(),
            authentic: false,
            edns: message.opt().is_some(),
            signed: false,
            extended: message.opt().map(|opt| ExtendedError::read(&opt)).unwrap_or_default(),
            records: None,
            message: octets.clone(),
        });
    }
    match message.sole_question() {
        Ok(asked)
            if asked.qname().name_eq(&question.name)
                && asked.qtype().to_int() == question.record.0
                && asked.qclass() == Class::IN => {}
        Ok(_) | Err(_) => return Received::Foreign,
    }
    if header.tc() {
        return Received::Truncated;
    }
    let opt = message.opt();
    let rcode = match &opt {
        Some(opt) => opt.rcode(header),
        None => OptRcode::from_rcode(header.rcode()),
    };
    let mut signed = false;
    let records = read_records(&message, question, &mut signed).ok();
    Received::Reply(Reply {
        rcode: rcode.to_int(),
        authentic: header.ad(),
        edns: opt.is_some(),
        signed,
        extended: opt.map(|opt| ExtendedError::read(&opt)).unwrap_or_default(),
        records,
        message: octets.clone(),
    })
}

fn read_records(
    message: &Message<Bytes>,
    question: &Question,
    signed: &mut bool,
) -> Result<Records, ParseError> {
    let mut found = Records::default();
    for record in message.answer()? {
        let record = record?;
        if record.class() != Class::IN {
            continue;
        }
        let rtype = record.rtype();
        *signed |= rtype == Rtype::RRSIG;
        if rtype.to_int() == question.record.0 {
            if found.data.len() == limits::RECORDS {
                found.excess = true;
                continue;
            }
            let data = read_data(&record)?;
            found.data.push((record.owner().to_name(), data));
        } else if rtype == Rtype::CNAME {
            if found.aliases.len() == limits::ALIASES {
                continue;
            }
            if let Data::Cname(target) = read_data(&record)? {
                found.aliases.push((record.owner().to_name(), target));
            }
        } else {
            continue;
        }
        let ttl = record.ttl().as_secs();
        found.ttl = Some(found.ttl.map_or(ttl, |lowest| lowest.min(ttl)));
    }
    if found.data.is_empty() {
        read_denial(message, &mut found);
    }
    Ok(found)
}

/// Looks for the SOA record of a negative answer. What cannot be read is not there: the answer
/// section decides what the answer is.
fn read_denial(message: &Message<Bytes>, found: &mut Records) {
    let Ok(authority) = message.authority() else { return };
    for record in authority {
        let Ok(record) = record else { return };
        if let Ok(Some(soa)) = record.to_record::<Soa<ParsedName<_>>>() {
            // RFC 2308 section 5: the lower one of both.
            let ttl = soa.ttl().as_secs().min(soa.data().minimum().as_secs());
            found.ttl = Some(found.ttl.map_or(ttl, |lowest| lowest.min(ttl)));
            found.denied_by = Some(soa.owner().to_name());
            return;
        }
    }
}

fn read_data(record: &ParsedRecord<'_, Bytes>) -> Result<Data, ParseError> {
    let wrong = || ParseError::form_error("other type");
    Ok(match RecordType(record.rtype().to_int()) {
        RecordType::A => {
            let a = record.to_record::<A>()?.ok_or_else(wrong)?;
            Data::A(a.data().addr())
        }
        RecordType::AAAA => {
            let aaaa = record.to_record::<Aaaa>()?.ok_or_else(wrong)?;
            Data::Aaaa(aaaa.data().addr())
        }
        RecordType::MX => {
            let mx = record.to_record::<Mx<ParsedName<_>>>()?.ok_or_else(wrong)?;
            let mx = mx.data();
            Data::Mx { preference: mx.preference(), exchange: mx.exchange().to_name() }
        }
        RecordType::SRV => {
            let srv = record.to_record::<Srv<ParsedName<_>>>()?.ok_or_else(wrong)?;
            let srv = srv.data();
            Data::Srv {
                priority: srv.priority(),
                weight: srv.weight(),
                port: srv.port(),
                target: srv.target().to_name(),
            }
        }
        RecordType::CNAME => {
            let cname = record.to_record::<Cname<ParsedName<_>>>()?.ok_or_else(wrong)?;
            Data::Cname(cname.data().cname().to_name())
        }
        RecordType::PTR => {
            let ptr = record.to_record::<Ptr<ParsedName<_>>>()?.ok_or_else(wrong)?;
            Data::Ptr(ptr.data().ptrdname().to_name())
        }
        RecordType::TLSA => {
            let raw = record.to_record::<RawTlsa>()?.ok_or_else(wrong)?;
            raw.into_data().0
        }
        RecordType(_) => Data::Other,
    })
}

/// Record data read as TLSA, however short it is; the library refuses less than three octets.
struct RawTlsa(Data);

impl RecordData for RawTlsa {
    fn rtype(&self) -> Rtype {
        Rtype::TLSA
    }
}

impl<'a> ParseRecordData<'a, Bytes> for RawTlsa {
    fn parse_rdata(
        rtype: Rtype,
        parser: &mut Parser<'a, Bytes>,
    ) -> Result<Option<Self>, ParseError> {
        if rtype != Rtype::TLSA {
            return Ok(None);
        }
        let length = parser.remaining();
        // Copied below: a slice would keep the whole message alive in the cache.
        let raw = parser.parse_octets(length)?;
        Ok(Some(Self(match raw[..] {
            [usage, selector, matching, ref data @ ..] if !data.is_empty() => {
                Data::Tlsa(Tlsa { usage, selector, matching, data: Bytes::copy_from_slice(data) })
            }
            _ => Data::ShortTlsa(length),
        })))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::resolve::name::from_text;

    fn question(record: RecordType) -> Question {
        Question::new(from_text("d.test").unwrap(), record)
    }

    /// A reply to `d.test A` with id 0x0102: flags, counts, then the question and `rest`.
    fn reply(flags: [u8; 2], counts: [u8; 4], rest: &[u8]) -> Bytes {
        let mut message = vec![1, 2, flags[0], flags[1]];
        counts.iter().for_each(|count| message.extend([0, *count]));
        message.extend(b"\x01d\x04test\x00\x00\x01\x00\x01");
        message.extend(rest);
        message.into()
    }

    fn read_a(message: &Bytes) -> Received {
        read(message, 0x0102, &question(RecordType::A))
    }

    const A: &[u8] = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";

    #[test]
    fn query_asks_for_everything() {
        let flags = Flags { edns: true, checking_disabled: false };
        let message = query(0x0102, &question(RecordType::TLSA), flags);
        assert_eq!(
            message,
            b"\x01\x02\x01\x20\x00\x01\x00\x00\x00\x00\x00\x01\
              \x01d\x04test\x00\x00\x34\x00\x01\
              \x00\x00\x29\x04\xd0\x00\x00\x80\x00\x00\x00"
        );
        let flags = Flags { edns: false, checking_disabled: true };
        let message = query(0x0102, &question(RecordType::TLSA), flags);
        assert_eq!(message[..12], *b"\x01\x02\x01\x30\x00\x01\x00\x00\x00\x00\x00\x00");
    }

    #[test]
    fn answer_is_read() {
        let Received::Reply(found) = read_a(&reply([0x81, 0xa0], [1, 1, 0, 0], A)) else {
            panic!()
        };
        assert!(found.authentic && !found.edns && !found.signed);
        let records = found.records.unwrap();
        let owner = from_text("D.Test").unwrap();
        assert_eq!(records.data, [(owner, Data::A(Ipv4Addr::new(192, 0, 2, 1)))]);
        assert_eq!(records.ttl, Some(60));
    }

    #[test]
    fn answers_to_something_else_are_foreign() {
        let good = reply([0x81, 0x80], [1, 1, 0, 0], A);
        let change = |at: usize, octet: u8| {
            let mut message = good.to_vec();
            message[at] = octet;
            Bytes::from(message)
        };
        assert!(matches!(read_a(&change(13, b'D')), Received::Reply(_)), "case does not count");
        for (at, octet, why) in [
            (0, 9, "id"),
            (2, 0x01, "a query"),
            (2, 0x91, "opcode"),
            (5, 0, "no question"),
            (5, 2, "two questions"),
            (13, b'e', "name"),
            (21, 28, "type"),
            (23, 3, "class"),
        ] {
            assert_eq!(read_a(&change(at, octet)), Received::Foreign, "{why}");
        }
        for length in 0..22 {
            assert_eq!(read_a(&good.slice(..length)), Received::Foreign, "{length} octets");
        }
        // An error may come without the question.
        let mut error = good.slice(..12).to_vec();
        error[3] = 0x81;
        error[4..].fill(0);
        assert!(matches!(read_a(&error.into()), Received::Reply(Reply { rcode: 1, .. })));
    }

    #[test]
    fn unreadable_answers() {
        let loop_at_itself = b"\xc0\x17\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
        let forward = b"\xc0\x7f\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
        let short_data = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x03\xc0\x00\x02";
        let long_data = b"\xc0\x0c\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x05\xc0\x00\x02\x01\x01";
        let odd_label = b"\x80\x00\x00\x01\x00\x01\x00\x00\x00\x3c\x00\x04\xc0\x00\x02\x01";
        let alias_loop = b"\xc0\x0c\x00\x05\x00\x01\x00\x00\x00\x3c\x00\x02\xc0\x23";
        for (rest, why) in [
            (&loop_at_itself[..], "a name that points at itself"),
            (forward, "a name that points behind the end"),
            (short_data, "an address of three octets"),
            (long_data, "an address of five octets"),
            (odd_label, "a label of a kind that does not exist"),
            (alias_loop, "a target that points at itself"),
            (&A[..15], "an end in the middle of the data"),
            (&A[..5], "an end in the middle of the record"),
            (&[], "a record that is not there"),
        ] {
            let Received::Reply(found) = read_a(&reply([0x81, 0xa0], [1, 1, 0, 0], rest)) else {
                panic!("{why}")
            };
            assert_eq!(found.records, None, "{why}");
        }
    }

    #[test]
    fn truncated_answer_is_told_apart() {
        assert_eq!(read_a(&reply([0x83, 0x80], [1, 0, 0, 0], &[])), Received::Truncated);
    }

    #[test]
    fn extended_codes_and_denials() {
        // BADVERS in the OPT record.
        let opt = b"\x00\x00\x29\x04\xd0\x01\x00\x00\x00\x00\x00";
        let Received::Reply(found) = read_a(&reply([0x81, 0x80], [1, 0, 0, 1], opt)) else {
            panic!()
        };
        assert_eq!((found.rcode, found.edns), (16, true));
        // An SOA record of `test` with TTL 60 and minimum 5.
        let soa = b"\xc0\x0e\x00\x06\x00\x01\x00\x00\x00\x3c\x00\x16\x00\x00\
                    \x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00\x00\x05";
        let Received::Reply(found) = read_a(&reply([0x81, 0x83], [1, 0, 1, 0], soa)) else {
            panic!()
        };
        let records = found.records.unwrap();
        assert_eq!((found.rcode, records.ttl), (3, Some(5)));
        assert_eq!(records.denied_by, from_text("test"));
        // Its second half may be missing: the answer section decides.
        let cut = reply([0x81, 0x80], [1, 0, 1, 0], &soa[..9]);
        let Received::Reply(found) = read_a(&cut) else { panic!() };
        assert_eq!(found.records, Some(Records::default()));
    }

    #[test]
    fn short_tlsa_records_are_kept_as_such() {
        for (data, wanted) in [
            (&b""[..], Data::ShortTlsa(0)),
            (b"\x03\x01", Data::ShortTlsa(2)),
            (b"\x03\x01\x01", Data::ShortTlsa(3)),
            (
                b"\x03\x01\x02\xab",
                Data::Tlsa(Tlsa {
                    usage: 3,
                    selector: 1,
                    matching: 2,
                    data: Bytes::from_static(b"\xab"),
                }),
            ),
        ] {
            let mut message = reply([0x81, 0x80], [1, 1, 0, 0], &[]).to_vec();
            message[21] = 52;
            message.extend(b"\xc0\x0c\x00\x34\x00\x01\x00\x00\x00\x3c\x00");
            message.push(data.len() as u8);
            message.extend(data);
            let Received::Reply(found) = read(&message.into(), 0x0102, &question(RecordType::TLSA))
            else {
                panic!()
            };
            assert_eq!(found.records.unwrap().data[0].1, wanted);
        }
    }

    #[test]
    fn nothing_panics() {
        // A message of every kind, with every octet changed in turn and cut at every length.
        let good = reply([0x81, 0xa0], [1, 1, 0, 0], A);
        for at in 0..good.len() {
            for octet in [0, 1, 0x3f, 0x40, 0x80, 0xc0, 0xff] {
                let mut message = good.to_vec();
                message[at] = octet;
                read_a(&message.into());
            }
            read_a(&good.slice(..at));
        }
    }
}
