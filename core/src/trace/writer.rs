//! Writes the border down line by line, with comments where octets hide what they mean.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::base::{Message, Question, Record};
use domain::dep::octseq::Octets;
use domain::rdata::AllRecordData;

use crate::machine::{Endpoint, Input, Output, TransportId};
use crate::time::Instant;

/// Turns what crosses the border into lines.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    /// What is spoken over transports whose octets are explained.
    dns: BTreeMap<TransportId, Framing>,
}

/// How DNS messages stand in what crosses the border.
#[derive(Clone, Copy, Debug)]
enum Framing {
    /// One to a datagram.
    Datagram,
    /// Behind its length (RFC 1035 section 4.2.2), if it is not cut into pieces.
    Stream,
}

impl Writer {
    /// Writes an input, with its line end.
    pub fn input(&mut self, now: Instant, input: &Input) -> String {
        let comment = match input {
            Input::Received(id, bytes) => self.explain(*id, bytes),
            Input::Tick
            | Input::Opened(_)
            | Input::Ended(_)
            | Input::Failed(..)
            | Input::HostFound(..)
            | Input::Add(_)
            | Input::Stop(_) => String::new(),
        };
        format!("{comment}{now} < {input}\n")
    }

    /// Writes an output, with its line end.
    pub fn output(&mut self, now: Instant, output: &Output) -> String {
        let comment = match output {
            Output::Open(id, Endpoint::Udp(_)) => {
                self.dns.insert(*id, Framing::Datagram);
                String::new()
            }
            Output::Open(id, Endpoint::Tcp(remote)) if remote.address.port() == 53 => {
                self.dns.insert(*id, Framing::Stream);
                String::new()
            }
            Output::Send(id, bytes) => self.explain(*id, bytes),
            Output::Open(..)
            | Output::Close(_)
            | Output::Pass { .. }
            | Output::FindHost(..)
            | Output::Tell(_)
            | Output::Finished(_)
            | Output::Want(_)
            | Output::Wait(..)
            | Output::Done => String::new(),
        };
        format!("{comment}{now} > {output}\n")
    }

    fn explain(&self, id: TransportId, bytes: &[u8]) -> String {
        let message = match self.dns.get(&id) {
            None => None,
            Some(Framing::Datagram) => Some(bytes),
            Some(Framing::Stream) => bytes.get(2..),
        };
        message.and_then(dns).unwrap_or_default()
    }
}

/// Explains a DNS message, one comment for its head and one for each record of its answer.
fn dns(octets: &[u8]) -> Option<String> {
    let message = Message::from_octets(octets).ok()?;
    let header = message.header();
    let kind = if header.qr() { "answer" } else { "query" };
    let mut text = format!("# DNS {kind} {}", header.id());
    if header.qr() {
        let flags = [(header.ad(), " ad"), (header.tc(), " tc"), (header.aa(), " aa")];
        let flags: String = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        let _ = write!(text, " {}{flags}", header.rcode());
    }
    for question in message.question().flatten() {
        let question: Question<_> = question;
        let _ = write!(text, " {} {}", question.qname(), question.qtype());
    }
    text.push('\n');
    for record in message.answer().ok()?.flatten() {
        let data = record.to_any_record::<AllRecordData<_, _>>().ok()?;
        text.push_str(&record_line(&data));
    }
    // Whoever wrote the message must not write lines of the trace.
    let clean = |line: &str| line.chars().filter(|char| !char.is_control()).collect::<String>();
    Some(text.lines().map(|line| format!("{}\n", clean(line))).collect())
}

fn record_line<O: Octets, N: std::fmt::Display>(record: &Record<N, AllRecordData<O, N>>) -> String
where
    AllRecordData<O, N>: std::fmt::Display,
{
    format!(
        "#   {} {} {} {}\n",
        record.owner(),
        record.ttl().as_secs(),
        record.rtype(),
        record.data()
    )
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    #[test]
    fn dns_is_explained_and_other_octets_are_not() {
        let mut writer = Writer::default();
        let open = |port: u16, udp: bool| {
            let remote = std::net::SocketAddr::from(([192, 0, 2, 53], port)).into();
            if udp { Endpoint::Udp(remote) } else { Endpoint::Tcp(remote) }
        };
        let answer = b"\x07\x64\x84\x20\0\x01\0\x01\0\0\0\0\x01a\0\0\x01\0\x01\
                       \x01a\0\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01";
        let comment = "# DNS answer 1892 NOERROR ad aa a A\n#   a 60 A 192.0.2.1\n";
        for (number, (endpoint, explained)) in
            [(open(5300, true), true), (open(53, false), true), (open(25, false), false)]
                .into_iter()
                .enumerate()
        {
            let id = TransportId(number as u64);
            let stream = matches!(endpoint, Endpoint::Tcp(_));
            writer.output(Instant::START, &Output::Open(id, endpoint));
            let frame: &[u8] = if stream { b"\0\x23" } else { b"" };
            let bytes = Bytes::from([frame, answer].concat());
            let text = writer.input(Instant::START, &Input::Received(id, bytes));
            assert_eq!(text.starts_with(comment), explained, "{text}");
            assert_eq!(text.lines().count(), if explained { 3 } else { 1 });
            let cut = Bytes::copy_from_slice(&answer[..20]);
            let text = writer.input(Instant::START, &Input::Received(id, cut));
            assert!(text.lines().filter(|line| !line.starts_with('#')).count() == 1, "{text}");
        }
    }
}
