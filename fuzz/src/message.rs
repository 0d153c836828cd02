//! The targets `message` and `tlsa`: octets of the DNS.

use std::time::Duration;

use bytes::Bytes;
use sha2::{Digest as _, Sha256, Sha512};
use tlsfinger_core::cert::Certificate;
use tlsfinger_core::config::{DnssecTrust, Level, Lookup, Policy, ServerCertificates};
use tlsfinger_core::judge::{LinkCache, Match, ReferenceNames, judge};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{KeyProof, Status, TlsFacts, TlsVersion};
use tlsfinger_core::resolve::{Inquiry, RecordType, Tlsa};
use tlsfinger_core::tls::SUITES;
use tlsfinger_core::trace::Writer;
use tlsfinger_core::{Input, Instant, Machine, Output, WallTime};

/// A name server that answers a question with any octets: one octet chooses the type that is asked
/// for, the rest is the message, behind the right id. Over TCP it comes once more.
///
/// The inquiry ends in bounded time, and a trace of it holds no line that the name server wrote.
pub fn message(data: &[u8]) {
    let [choice, octets @ ..] = data else { return };
    let types = [1, 2, 5, 6, 15, 16, 28, 33, 43, 46, 48, 50, 52, 255];
    let record = RecordType(types[usize::from(choice % 14)]);
    let server = std::net::SocketAddr::from(([192, 0, 2, 53], 53));
    let lookup = Lookup {
        resolvers: Lookup::default().resolvers.with_server(server.into()),
        dnssec: if choice & 128 == 0 { DnssecTrust::Trust } else { DnssecTrust::Local },
        ..Lookup::default()
    };
    let mut inquiry = Inquiry::new(&lookup, "a.test", record, [3; 32], WallTime(1_800_000_000));
    let (mut now, mut writer) = (Instant::START, Writer::default());
    let mut answers = 0;
    for _ in 0..1_000 {
        let (mut stream, mut asked) = (None, None);
        let until = loop {
            let output = inquiry.poll_output();
            let written = writer.output(now, &output);
            assert_eq!(written.lines().filter(|line| !line.starts_with('#')).count(), 1);
            match output {
                Output::Open(id, Endpoint::Tcp(_)) => stream = Some(id),
                Output::Send(id, bytes) => asked = Some((id, bytes)),
                Output::Wait(until, _) => break until,
                Output::Done => return,
                _ => {}
            }
        };
        let Some((id, query)) = asked.filter(|_| answers < 100) else {
            assert!(until > now);
            now = until;
            inquiry.handle_input(now, Input::Tick);
            continue;
        };
        answers += 1;
        let framed = stream == Some(id);
        let mut bytes = if framed { query[2..4].to_vec() } else { query[..2].to_vec() };
        bytes.extend_from_slice(octets);
        if framed {
            let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
            bytes.splice(0..0, length.to_be_bytes());
        }
        let input = Input::Received(id, bytes.into());
        let written = writer.input(now, &input);
        assert_eq!(written.lines().filter(|line| !line.starts_with('#')).count(), 1);
        now = now + Duration::from_millis(1);
        inquiry.handle_input(now, input);
    }
    panic!("time alone must bring the inquiry to its end");
}

/// TLSA records of any content against one certificate: each is usage, selector, matching type, the
/// length of its data, and that; a length of 255 stands for the data that match.
///
/// DANE-EE verifies if, and only if, the records say so, reckoned here once more in the plainest way.
pub fn tlsa(data: &[u8]) {
    let leaf = Bytes::from_static(include_bytes!("../corpus/certificate/rsa2048"));
    let certificate = Certificate::parse(leaf.clone()).expect("it is a certificate");
    let right = |selector: u8, matching: u8| {
        let data = if selector == 0 { certificate.der() } else { certificate.spki() };
        match matching {
            0 => data.to_vec(),
            1 => Sha256::digest(data).to_vec(),
            2 => Sha512::digest(data).to_vec(),
            _ => Vec::new(),
        }
    };
    let (mut rest, mut records) = (data, Vec::new());
    while let [usage, selector, matching, length, after @ ..] = rest {
        let size = usize::from(*length).min(after.len());
        let data = if *length == 255 {
            rest = after;
            right(*selector, *matching)
        } else {
            rest = &after[size..];
            after[..size].to_vec()
        };
        let [usage, selector, matching] = [*usage, *selector, *matching];
        records.push(Tlsa { usage, selector, matching, data: data.into() });
    }
    let shown: usize = records.iter().map(|record| record.to_string().len()).sum();
    assert!(shown <= records.len() * 160);
    let facts = TlsFacts {
        version: TlsVersion::Tls13,
        suite: &SUITES[0],
        group: None,
        server_signature: None,
        key_proof: KeyProof::Proved,
        client_signature: None,
        client_certificate_requested: false,
        chain: vec![leaf],
        certificates: ServerCertificates::X509,
        ocsp: None,
        resumed: false,
        hello_retry: false,
    };
    let host = "mx.example.org".to_owned();
    let names = ReferenceNames {
        hostname: host.as_str().into(),
        nexthop: host.as_str().into(),
        dane: vec![host],
    };
    let (policy, time) = (Policy::default(), WallTime(1_767_225_600));
    let links = &mut LinkCache::default();
    let verdict = judge(&facts, &policy, Level::Dane, &records, &names, time, links);
    let matches = |record: &Tlsa| {
        let Tlsa { usage, selector, matching, data } = record;
        // Digest agility (RFC 7671 section 9): a well-formed SHA-512 makes SHA-256 void.
        let stronger = records.iter().any(|other| {
            (other.usage, other.selector, other.matching, other.data.len())
                == (*usage, *selector, 2, 64)
        });
        *usage == 3
            && *selector < 2
            && *matching < 3
            && !(*matching == 1 && stronger)
            && *data == right(*selector, *matching)
    };
    let expected = records.iter().any(matches);
    let by_leaf = matches!(verdict.matched, Some(Match::DaneEe(_)));
    assert_eq!(by_leaf, expected, "{verdict:?}");
    assert!(!by_leaf || verdict.status == Status::Verified);
    if verdict.status == Status::Verified {
        assert!(records.iter().any(|record| matches!(record.usage, 2 | 3)));
    }
}

#[cfg(test)]
mod tests {
    use tlsfinger_core::Input;

    use super::*;

    /// All DNS messages of all traces are seeds.
    #[test]
    fn seeds() {
        for recorded in crate::traces::all() {
            for (number, (_, input)) in recorded.inputs().iter().enumerate() {
                if let Input::Received(_, bytes) = input
                    && matches!(bytes[..], [_, _, _, _, 0, 1, ..])
                {
                    for choice in [4, 12, 128 + 12] {
                        let name = format!("{}-{number}-{choice}", recorded.name);
                        crate::seed("message", &name, &[&[choice], &bytes[2..]].concat());
                    }
                }
            }
        }
    }

    #[test]
    fn records() {
        for usage in 0..=4 {
            for selector in 0..=2 {
                for matching in 0..=3 {
                    let right = [usage, selector, matching, 255];
                    tlsa(&right);
                    tlsa(&[right, [3, 1, 2, 255], [3, 1, 1, 255]].concat());
                    tlsa(&[&right[..], &[3, 1, 2, 64], &[0; 64], &[3, 1, 1, 255]].concat());
                    tlsa(&[usage, selector, matching, 2, 1, 2]);
                }
            }
        }
    }
}
