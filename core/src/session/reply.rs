//! Replies of an SMTP or LMTP server (RFC 5321 section 4.2), read leniently.

use bytes::Bytes;

use crate::limits;

/// A complete reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code of the last line; 0 if it did not start with exactly three digits.
    pub code: u16,
    /// The texts of all lines without their codes, joined by line feeds, as the server sent them;
    /// stops growing at [`limits::REPLY_TEXT`].
    pub text: Bytes,
}

impl Reply {
    /// Tells whether the server agrees (2yz, RFC 5321 section 4.2.1).
    pub const fn is_positive(&self) -> bool {
        self.code / 100 == 2
    }
}

/// Takes a stream apart into reply lines and replies.
///
/// Lines end in LF with any number of CRs before it. Of each line at most [`limits::REPLY_LINE`]
/// octets are kept, the rest is dropped as it arrives.
#[derive(Debug, Default)]
pub(crate) struct ReplyReader {
    /// What arrived and was not looked at yet.
    unread: Bytes,
    /// It was whole lines, and no more than one line may be: lines share its memory.
    shared: bool,
    /// The line under way.
    line: Vec<u8>,
    /// The texts of the lines of the reply under way.
    text: Vec<u8>,
    lines: usize,
}

/// What [`ReplyReader::next`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    /// The line as it arrived, without its end.
    pub(crate) raw: Bytes,
    /// The text behind the code.
    pub(crate) text: Bytes,
    /// The reply that this line completed.
    pub(crate) reply: Option<Reply>,
}

/// The reply has more lines than [`limits::REPLY_LINES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooManyLines;

impl ReplyReader {
    /// Takes bytes of the stream.
    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.unread = match self.unread.is_empty() {
            true => bytes,
            false => [&self.unread[..], &bytes].concat().into(),
        };
        self.shared = self.unread.len() <= limits::REPLY_LINE && self.unread.ends_with(b"\n");
    }

    /// Finds the next complete line.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, TooManyLines> {
        let end = self.unread.iter().position(|byte| *byte == b'\n');
        let room = limits::REPLY_LINE - self.line.len();
        let Some(end) = end else {
            let kept = self.unread.len().min(room);
            self.line.extend_from_slice(&self.unread[..kept]);
            self.unread.clear();
            return Ok(None);
        };
        let piece = self.unread.split_to(end + 1);
        let kept = &piece[..end.min(room)];
        let raw = if !self.line.is_empty() {
            self.line.extend_from_slice(kept);
            Bytes::copy_from_slice(without_crs(&std::mem::take(&mut self.line)))
        } else if self.shared {
            piece.slice_ref(without_crs(kept))
        } else {
            Bytes::copy_from_slice(without_crs(kept))
        };
        self.lines += 1;
        if self.lines > limits::REPLY_LINES {
            return Err(TooManyLines);
        }
        Ok(Some(self.take_line(raw)))
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.unread.len() + self.line.len() + self.text.len()
    }

    /// Takes out everything that arrived behind the last complete line, and forgets the reply
    /// under way. Returns how many octets were dropped.
    pub(crate) fn discard(&mut self) -> usize {
        let dropped = self.unread.len() + self.line.len();
        *self = Self::default();
        dropped
    }

    fn take_line(&mut self, raw: Bytes) -> Line {
        let digits = raw.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let code = if digits == 3 {
            raw[..3].iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'))
        } else {
            0
        };
        let more = raw.get(digits) == Some(&b'-');
        let text = raw.slice(digits + usize::from(more)..);
        let blanks = text.iter().take_while(|byte| byte.is_ascii_whitespace()).count();
        let text = text.slice(blanks..);
        if !more && self.lines == 1 {
            self.lines = 0;
            return Line { reply: Some(Reply { code, text: text.clone() }), raw, text };
        }
        if self.text.len() < limits::REPLY_TEXT {
            match self.lines {
                // The others are often there already.
                1 => self.text.reserve((text.len() + self.unread.len()).min(limits::REPLY_TEXT)),
                _ => self.text.push(b'\n'),
            }
            self.text.extend_from_slice(&text);
        }
        let reply = (!more).then(|| {
            self.lines = 0;
            Reply { code, text: std::mem::take(&mut self.text).into() }
        });
        Line { raw, text, reply }
    }
}

fn without_crs(line: &[u8]) -> &[u8] {
    let crs = line.iter().rev().take_while(|byte| **byte == b'\r').count();
    &line[..line.len() - crs]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads everything, once whole and once byte by byte, and insists on the same result.
    fn read(stream: &[u8]) -> (Vec<Bytes>, Vec<(u16, String)>) {
        let read_in = |size: usize| {
            let (mut reader, mut raw, mut replies) = (ReplyReader::default(), vec![], vec![]);
            for piece in stream.chunks(size) {
                reader.push(Bytes::copy_from_slice(piece));
                while let Some(line) = reader.next().unwrap() {
                    raw.push(line.raw);
                    if let Some(reply) = line.reply {
                        replies.push((reply.code, String::from_utf8_lossy(&reply.text).into()));
                    }
                }
            }
            (raw, replies)
        };
        let whole = read_in(usize::MAX);
        assert_eq!(whole, read_in(1));
        whole
    }

    #[test]
    fn reply_forms() {
        let table: &[(&str, &[(u16, &str)])] = &[
            ("220 ready\r\n", &[(220, "ready")]),
            ("220 ready\n", &[(220, "ready")]),
            ("220 ready\r\r\n", &[(220, "ready")]),
            ("220\r\n", &[(220, "")]),
            ("220ready\r\n", &[(220, "ready")]),
            ("220 \t ready \r\n", &[(220, "ready ")]),
            ("220-one\r\n220 two\r\n", &[(220, "one\ntwo")]),
            ("554-go away\r\n250 now\r\n", &[(250, "go away\nnow")]),
            ("250-one\r\n", &[]),
            ("\r\n", &[(0, "")]),
            ("22 no\r\n", &[(0, "no")]),
            ("2200 no\r\n", &[(0, "no")]),
            ("hello\r\n", &[(0, "hello")]),
            ("-hello\r\n220 x\r\n", &[(220, "hello\nx")]),
            ("220 one\r\n221 two\r\n", &[(220, "one"), (221, "two")]),
        ];
        for (stream, expected) in table {
            let expected: Vec<_> =
                expected.iter().map(|(code, text)| (*code, (*text).to_owned())).collect();
            assert_eq!(read(stream.as_bytes()).1, expected, "{stream:?}");
        }
    }

    #[test]
    fn long_lines_are_cut_and_forgotten_as_they_arrive() {
        let mut reader = ReplyReader::default();
        reader.push(Bytes::from_static(b"220 "));
        for _ in 0..1000 {
            reader.push(vec![b'x'; 1024].into());
            assert_eq!(reader.next(), Ok(None));
            assert!(reader.line.len() <= limits::REPLY_LINE && reader.unread.is_empty());
        }
        reader.push(Bytes::from_static(b"y\r\n220 next\r\n"));
        let line = reader.next().unwrap().unwrap();
        assert_eq!(line.raw.len(), limits::REPLY_LINE);
        assert_eq!(line.reply.unwrap().text.len(), limits::REPLY_LINE - 4);
        assert_eq!(&reader.next().unwrap().unwrap().raw[..], b"220 next");
    }

    #[test]
    fn lines_keep_no_more_of_a_read_than_they_are() {
        let long = [b"220-x\r\n", &[b'y'; limits::REPLY_LINE][..], b"\r\n"].concat();
        for (read, shared) in [
            (b"220-x\r\n220 y\r\n".to_vec(), true),
            (b"220-x\r\n220".to_vec(), false),
            (long, false),
        ] {
            let (read, mut reader) = (Bytes::from(read), ReplyReader::default());
            reader.push(read.clone());
            let mut lines = Vec::new();
            while let Some(line) = reader.next().unwrap() {
                lines.push(line.raw);
            }
            drop(reader);
            assert_eq!(&lines[0][..], b"220-x");
            assert_eq!(read.is_unique(), !shared, "{read:?}");
        }
    }

    #[test]
    fn joined_text_and_lines_are_bounded() {
        let mut reader = ReplyReader::default();
        let line = format!("250-{}\r\n", "x".repeat(2000));
        for _ in 0..limits::REPLY_LINES {
            reader.push(line.clone().into());
            assert!(reader.next().unwrap().is_some());
            assert!(reader.text.len() <= limits::REPLY_TEXT + limits::REPLY_LINE);
        }
        reader.push(Bytes::from_static(b"250 end\r\n"));
        assert_eq!(reader.next(), Err(TooManyLines));
    }

    #[test]
    fn discard_drops_whole_and_unfinished_lines() {
        let mut reader = ReplyReader::default();
        reader.push(Bytes::from_static(b"220 go\r\n250 evil\r\nEHL"));
        assert!(reader.next().unwrap().unwrap().reply.is_some());
        assert_eq!(reader.discard(), b"250 evil\r\nEHL".len());
        reader.push(Bytes::from_static(b"O\r\n"));
        assert_eq!(reader.next().unwrap().unwrap().text, "O");
    }
}
