//! PEM: the blocks of a text (RFC 7468), with the line that each begins on.

use std::fmt;

use base64ct::{Base64, Base64Unpadded, Encoding as _};

/// A block between `-----BEGIN LABEL-----` and `-----END LABEL-----`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemBlock {
    /// What the block says that it holds.
    pub label: String,
    /// The line of its beginning, counted from 1.
    pub line: usize,
    /// What it holds; still encrypted if the block has headers that say so.
    pub der: Vec<u8>,
    /// It has a `Proc-Type: 4,ENCRYPTED` header (RFC 1421 section 4.6.1.1) or its label says so.
    pub encrypted: bool,
}

/// Why a text is not PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PemError {
    /// There is no block at all.
    NoBlock,
    /// A block has no end.
    NoEnd {
        /// The line of its beginning.
        line: usize,
    },
    /// The end of a block has another label than its beginning.
    WrongEnd {
        /// The line of its end.
        line: usize,
    },
    /// The contents of a block are not base64.
    NotBase64 {
        /// The line of its beginning.
        line: usize,
    },
}

impl fmt::Display for PemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoBlock => f.write_str("no PEM block"),
            Self::NoEnd { line } => write!(f, "line {line}: PEM block has no end"),
            Self::WrongEnd { line } => write!(f, "line {line}: end of another PEM block"),
            Self::NotBase64 { line } => write!(f, "line {line}: PEM block is not base64"),
        }
    }
}

impl std::error::Error for PemError {}

/// Reads all blocks of a text. What stands between blocks is ignored.
///
/// # Errors
/// The first thing that is wrong, with its line.
pub fn read_pem(text: &[u8]) -> Result<Vec<PemBlock>, PemError> {
    let mut blocks = Vec::new();
    let mut open: Option<Open> = None;
    for (index, raw) in text.split(|&octet| octet == b'\n').enumerate() {
        let line = index + 1;
        let raw = raw.trim_ascii();
        match open.as_mut() {
            None => {
                if let Some(label) = boundary(raw, b"-----BEGIN ") {
                    open = Some(Open { label, line, ..Open::default() });
                }
            }
            Some(block) => match boundary(raw, b"-----END ") {
                Some(label) if label != block.label => return Err(PemError::WrongEnd { line }),
                Some(_) => blocks.extend(open.take().map(Open::close).transpose()?),
                None if raw.starts_with(b"-----BEGIN ") => {
                    return Err(PemError::NoEnd { line: block.line });
                }
                None => block.push(raw),
            },
        }
    }
    match open {
        Some(block) => Err(PemError::NoEnd { line: block.line }),
        None if blocks.is_empty() => Err(PemError::NoBlock),
        None => Ok(blocks),
    }
}

/// A block whose end has not come yet.
#[derive(Default)]
struct Open {
    label: String,
    line: usize,
    base64: String,
    in_headers: bool,
    encrypted: bool,
}

impl Open {
    fn push(&mut self, line: &[u8]) {
        // Headers end with an empty line (RFC 1421 section 4.4); base64 has no colon.
        if line.contains(&b':') {
            self.in_headers = true;
            self.encrypted |= line.starts_with(b"Proc-Type:") && line.ends_with(b"ENCRYPTED");
        } else if line.is_empty() {
            self.in_headers = false;
        } else if !self.in_headers {
            self.base64.extend(line.iter().filter(|o| !o.is_ascii_whitespace()).map(|&o| {
                // What is not ASCII is not base64 either.
                char::from(o)
            }));
        }
    }

    fn close(self) -> Result<PemBlock, PemError> {
        let der = Base64::decode_vec(&self.base64)
            .or_else(|_| Base64Unpadded::decode_vec(&self.base64))
            .map_err(|_| PemError::NotBase64 { line: self.line })?;
        let encrypted = self.encrypted || self.label.starts_with("ENCRYPTED ");
        Ok(PemBlock { label: self.label, line: self.line, der, encrypted })
    }
}

fn boundary(line: &[u8], start: &[u8]) -> Option<String> {
    let label = line.strip_prefix(start)?.strip_suffix(b"-----")?;
    String::from_utf8(label.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks_between_anything() {
        let text = b"Certificate:\n  Data: x\n-----BEGIN CERTIFICATE-----\r\nAAE\nCAw==\r\n\
            -----END CERTIFICATE-----\r\n\n-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\
            DEK-Info: AES-128-CBC,00\n\nBAUG\n-----END RSA PRIVATE KEY-----";
        let blocks = read_pem(text).unwrap();
        let expected = [
            ("CERTIFICATE", 3, vec![0, 1, 2, 3], false),
            ("RSA PRIVATE KEY", 8, vec![4, 5, 6], true),
        ];
        for (block, (label, line, der, encrypted)) in blocks.iter().zip(expected) {
            let label = label.to_owned();
            assert_eq!(block, &PemBlock { label, line, der, encrypted });
        }
        assert_eq!(blocks.len(), 2);
    }

    #[test]
    fn names_the_place() {
        for (text, error) in [
            ("this is not a PEM file\n", PemError::NoBlock),
            ("", PemError::NoBlock),
            ("x\n-----BEGIN A-----\nAAAA\n", PemError::NoEnd { line: 2 }),
            ("-----BEGIN A-----\n-----BEGIN A-----\n", PemError::NoEnd { line: 1 }),
            ("-----BEGIN A-----\nAAAA\n-----END B-----\n", PemError::WrongEnd { line: 3 }),
            ("\n-----BEGIN A-----\nA!AA\n-----END A-----\n", PemError::NotBase64 { line: 2 }),
            ("-----BEGIN A-----\n\u{fc}\n-----END A-----\n", PemError::NotBase64 { line: 1 }),
        ] {
            assert_eq!(read_pem(text.as_bytes()), Err(error), "{text}");
        }
    }
}
