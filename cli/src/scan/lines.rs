//! The lines of a list, one at a time and never more than one in memory.

use std::io::{self, BufRead};

use super::list::LineError;

/// Octets of a line. A domain has 255, and the rest is for match arguments and the `id` of JSON
/// Lines.
pub(crate) const LINE: usize = 16 * 1024;

/// Reads lines; what is too long is skipped up to its end.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    source: R,
    number: u64,
    /// How many of them had an end.
    ended: u64,
    line: Vec<u8>,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(source: R) -> Self {
        Self { source, number: 0, ended: 0, line: Vec::new() }
    }

    /// Tells how many lines were read.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// Tells how many lines with an end were read.
    pub(crate) fn ended(&self) -> u64 {
        self.ended
    }

    /// Reads the next line, without its end; `None` at the end of the list.
    pub(crate) fn next(&mut self) -> io::Result<Option<Result<&[u8], LineError>>> {
        self.line.clear();
        let mut octets = 0_u64;
        let is_last = loop {
            let read = match self.source.fill_buf() {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = read.iter().position(|octet| *octet == b'\n');
            let piece = &read[..end.unwrap_or(read.len())];
            let is_end = read.is_empty();
            let room = LINE + 1 - self.line.len();
            self.line.extend_from_slice(&piece[..piece.len().min(room)]);
            octets += piece.len() as u64;
            let taken = piece.len() + usize::from(end.is_some());
            self.source.consume(taken);
            if end.is_some() || is_end {
                break is_end;
            }
        };
        if is_last && octets == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.ended += u64::from(!is_last);
        if self.line.len() > LINE {
            return Ok(Some(Err(LineError::TooLong(octets))));
        }
        let mut line = self.line.as_slice();
        if self.number == 1 {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        Ok(Some(Ok(line.strip_suffix(b"\r").unwrap_or(line))))
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufReader, Read};

    use super::*;

    /// Reads everything through a buffer of so many octets.
    fn all(text: &[u8], buffer: usize) -> Vec<Result<String, LineError>> {
        let mut lines = Lines::new(BufReader::with_capacity(buffer, text));
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(line.map(|line| String::from_utf8_lossy(line).into_owned()));
        }
        assert_eq!(lines.number(), all.len() as u64);
        all
    }

    #[test]
    fn ends_of_lines() {
        let ok =
            |lines: &[&str]| lines.iter().map(|line| Ok((*line).to_owned())).collect::<Vec<_>>();
        let table: &[(&str, &[&str])] = &[
            ("", &[]),
            ("a", &["a"]),
            ("a\n", &["a"]),
            ("a\n\nb", &["a", "", "b"]),
            ("a\r\nb\r\n", &["a", "b"]),
            ("\u{feff}a\n\u{feff}b", &["a", "\u{feff}b"]),
            ("\n", &[""]),
        ];
        for (text, lines) in table {
            for buffer in [1, 2, 3, 100] {
                assert_eq!(all(text.as_bytes(), buffer), ok(lines), "{text:?} {buffer}");
            }
        }
    }

    #[test]
    fn long_lines_are_counted_and_skipped() {
        let long = |octets: usize| "x".repeat(octets);
        let text = format!("a\n{}\nb\n{}\n{}", long(1 << 20), long(LINE), long(LINE + 1));
        for buffer in [1000, 8192] {
            let lines = all(text.as_bytes(), buffer);
            let expected = [
                Ok("a".to_owned()),
                Err(LineError::TooLong(1 << 20)),
                Ok("b".to_owned()),
                Ok(long(LINE)),
                Err(LineError::TooLong(LINE as u64 + 1)),
            ];
            assert!(lines == expected);
        }
    }

    #[test]
    fn an_error_comes_behind_what_could_be_read() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::ErrorKind::HostUnreachable.into())
            }
        }
        let mut lines = Lines::new(BufReader::new(b"a\nb".chain(Broken)));
        assert_eq!(lines.next().unwrap(), Some(Ok(&b"a"[..])));
        assert_eq!(lines.next().unwrap_err().kind(), io::ErrorKind::HostUnreachable);
    }
}
