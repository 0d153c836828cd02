//! The words that lines of a trace are made of.

use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;

use super::NotAnInput;
use crate::destination::{Destination, Place};
use crate::machine::{IoError, IoErrorKind, LookupId, TransportId};

/// Octets as text.
pub(super) struct Quoted<'a>(pub(super) &'a [u8]);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = |byte: &u8| matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t');
        if !self.0.iter().all(plain) {
            f.write_char('x')?;
            return self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"));
        }
        f.write_char('"')?;
        for byte in self.0 {
            match byte {
                b'\r' => f.write_str("\\r")?,
                b'\n' => f.write_str("\\n")?,
                b'\t' => f.write_str("\\t")?,
                b'"' => f.write_str("\\\"")?,
                b'\\' => f.write_str("\\\\")?,
                byte => f.write_char(char::from(*byte))?,
            }
        }
        f.write_char('"')
    }
}

/// Octets that are never text.
pub(super) struct Hex<'a>(pub(super) &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("x")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// A failure, in its parts.
pub(super) struct Failure<'a>(pub(super) &'a IoError);

impl fmt::Display for Failure<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let IoError { kind, code, message } = self.0;
        write!(f, "{} {code} {}", kind.word(), Quoted(message.as_bytes()))
    }
}

/// A destination, with its text and its parts.
pub(super) struct Target<'a>(pub(super) &'a Destination);

impl fmt::Display for Target<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Quoted(self.0.text.as_bytes()))?;
        match &self.0.place {
            Place::Unix(path) => write!(f, " unix {}", Quoted(path.as_os_str().as_bytes())),
            Place::Inet { host, literal, service, port } => {
                let kind = if *literal { "literal" } else { "domain" };
                let service = service.as_deref().unwrap_or_default();
                let (host, service) = (Quoted(host.as_bytes()), Quoted(service.as_bytes()));
                write!(f, " {kind} {host} {service} {port}")
            }
        }
    }
}

/// The rest of a line, word by word.
pub(super) struct Words<'a>(pub(super) &'a str);

impl<'a> Words<'a> {
    pub(super) fn next(&mut self) -> Result<&'a str, NotAnInput> {
        let (word, rest) = match self.0.split_once(' ') {
            // Single blanks between words, none at the end.
            Some(("", _) | (_, "")) => return Err(NotAnInput),
            Some(split) => split,
            None if self.0.is_empty() => return Err(NotAnInput),
            None => (self.0, ""),
        };
        self.0 = rest;
        Ok(word)
    }

    pub(super) fn parse<T: FromStr>(&mut self) -> Result<T, NotAnInput> {
        self.next()?.parse().map_err(|_| NotAnInput)
    }

    pub(super) fn transport(&mut self) -> Result<TransportId, NotAnInput> {
        let number = self.next()?.strip_prefix('t').ok_or(NotAnInput)?;
        number.parse().map(TransportId).map_err(|_| NotAnInput)
    }

    pub(super) fn lookup(&mut self) -> Result<LookupId, NotAnInput> {
        let number = self.next()?.strip_prefix('l').ok_or(NotAnInput)?;
        number.parse().map(LookupId).map_err(|_| NotAnInput)
    }

    /// Takes a destination as [`Target`] writes it.
    pub(super) fn destination(&mut self) -> Result<Destination, NotAnInput> {
        let text = self.string()?;
        let place = match self.next()? {
            "unix" => {
                let path = self.octets()?;
                Place::Unix(std::ffi::OsStr::from_bytes(&path).into())
            }
            kind @ ("literal" | "domain") => Place::Inet {
                literal: kind == "literal",
                host: self.string()?,
                service: Some(self.string()?).filter(|service| !service.is_empty()),
                port: self.parse()?,
            },
            _ => return Err(NotAnInput),
        };
        Ok(Destination { text, place })
    }

    /// Nothing may be left.
    pub(super) fn end(&self) -> Result<(), NotAnInput> {
        if self.0.is_empty() { Ok(()) } else { Err(NotAnInput) }
    }

    pub(super) fn failure(&mut self) -> Result<IoError, NotAnInput> {
        Ok(IoError {
            kind: IoErrorKind::from_word(self.next()?).ok_or(NotAnInput)?,
            code: self.parse()?,
            message: self.string()?,
        })
    }

    pub(super) fn string(&mut self) -> Result<String, NotAnInput> {
        String::from_utf8(self.octets()?).map_err(|_| NotAnInput)
    }

    pub(super) fn octets(&mut self) -> Result<Vec<u8>, NotAnInput> {
        let Some(quoted) = self.0.strip_prefix('"') else {
            let digits = self.next()?.strip_prefix('x').ok_or(NotAnInput)?;
            return unhex(digits.as_bytes()).ok_or(NotAnInput);
        };
        let (mut octets, mut bytes) = (Vec::new(), quoted.bytes().enumerate());
        loop {
            let (at, byte) = bytes.next().ok_or(NotAnInput)?;
            octets.push(match byte {
                b'"' => {
                    let rest = quoted.get(at + 1..).unwrap_or_default();
                    self.0 = match rest.strip_prefix(' ') {
                        Some(rest) if !rest.is_empty() => rest,
                        None if rest.is_empty() => rest,
                        _ => return Err(NotAnInput),
                    };
                    return Ok(octets);
                }
                b'\\' => match bytes.next() {
                    Some((_, b'r')) => b'\r',
                    Some((_, b'n')) => b'\n',
                    Some((_, b't')) => b'\t',
                    Some((_, escaped @ (b'"' | b'\\'))) => escaped,
                    _ => return Err(NotAnInput),
                },
                byte => byte,
            });
        }
    }
}

fn unhex(digits: &[u8]) -> Option<Vec<u8>> {
    let value = |digit: u8| char::from(digit).to_digit(16).and_then(|d| u8::try_from(d).ok());
    let (pairs, []) = digits.as_chunks::<2>() else { return None };
    pairs.iter().map(|[high, low]| Some(value(*high)? << 4 | value(*low)?)).collect()
}
