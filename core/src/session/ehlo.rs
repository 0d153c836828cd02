//! The reply to EHLO or LHLO as data (RFC 5321 section 4.1.1.1).

use bytes::Bytes;

use crate::limits;

use super::reply::Reply;

/// What a server said about itself in its reply to EHLO or LHLO.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capabilities {
    /// The whole reply.
    pub reply: Reply,
    /// The first word of the first line: the name the server gives itself.
    pub server_name: Bytes,
    /// STARTTLS is offered (RFC 3207 section 4). As in the reference the greeting line counts too.
    pub starttls: bool,
    /// The texts of the lines behind the first; at most [`limits::EHLO_LINES`].
    pub keywords: Vec<Bytes>,
}

/// Collects the lines of a reply to EHLO or LHLO.
#[derive(Debug, Default)]
pub(crate) struct EhloReader {
    server_name: Option<Bytes>,
    starttls: bool,
    keywords: Vec<Bytes>,
}

impl EhloReader {
    /// Takes the text of one line, in order.
    pub(crate) fn push(&mut self, text: &Bytes) {
        let end = text.iter().position(|byte| b" \t=".contains(byte)).unwrap_or(text.len());
        let word = text.slice(..end);
        self.starttls |= word.eq_ignore_ascii_case(b"STARTTLS");
        if self.server_name.is_none() {
            self.server_name = Some(word);
        } else if self.keywords.len() < limits::EHLO_LINES {
            self.keywords.push(text.clone());
        }
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.server_name.iter().chain(&self.keywords).map(Bytes::len).sum()
    }

    /// Ends with the complete reply.
    pub(crate) fn finish(self, reply: Reply) -> Capabilities {
        Capabilities {
            reply,
            server_name: self.server_name.unwrap_or_default(),
            starttls: self.starttls,
            keywords: self.keywords,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn starttls_is_the_first_word_of_a_line() {
        let table = [
            (&["mx.example.org", "STARTTLS"][..], true),
            (&["mx.example.org", "starttls"], true),
            (&["mx.example.org", "STARTTLS REQUIRED"], true),
            (&["mx.example.org", "STARTTLS=yes"], true),
            (&["STARTTLS"], true),
            (&["mx.example.org", "SIZE=3 STARTTLS"], false),
            (&["mx.example.org", "STARTTLSX"], false),
            (&["mx.example.org", "XSTARTTLS"], false),
            (&["mx.example.org hello STARTTLS"], false),
        ];
        for (lines, starttls) in table {
            let mut reader = EhloReader::default();
            for line in lines {
                reader.push(&Bytes::copy_from_slice(line.as_bytes()));
            }
            let reply = Reply { code: 250, text: Bytes::new() };
            assert_eq!(reader.finish(reply).starttls, starttls, "{lines:?}");
        }
    }
}
