//! What stands on a line of a list: `domain`, `domain<TAB>match ...`, or an object of JSON Lines.

use std::fmt;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use tlsfinger_core::config::{Dialect, Level, Pin};
use tlsfinger_core::destination::{Destination, DestinationError, Place, host_to_ascii};

/// A destination of a list, and what belongs to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) destination: Destination,
    /// Match arguments.
    pub(crate) matches: Vec<String>,
    /// The `id` of JSON Lines.
    pub(crate) id: Option<Value>,
}

/// Reads a line; `None` if it is blank or a comment.
///
/// `port_of` finds the port of a service that is named.
pub(crate) fn entry(
    line: &[u8],
    dialect: Dialect,
    port_of: impl FnOnce(&str) -> Option<u16>,
) -> Result<Option<Entry>, LineError> {
    let line = str::from_utf8(line).map_err(|error| LineError::NotText(error.valid_up_to() + 1))?;
    if let Some(at) = line.bytes().position(|octet| octet.is_ascii_control() && octet != b'\t') {
        return Err(LineError::NotText(at + 1));
    }
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (domain, matches, id) = match line.starts_with('{') {
        true => object(line)?,
        false => {
            let words = line.split([' ', '\t']).filter(|word| !word.is_empty());
            let mut words = words.take_while(|word| !word.starts_with('#')).map(ToOwned::to_owned);
            (words.next().unwrap_or_default(), words.collect(), None)
        }
    };
    let destination = Destination::parse(without_root(&domain), dialect, port_of);
    Ok(Some(Entry { destination: destination.map_err(LineError::Destination)?, matches, id }))
}

/// Makes an entry of what a record says of its line.
pub(crate) fn again(
    text: &str,
    matches: Vec<String>,
    id: Option<Value>,
    dialect: Dialect,
    port_of: impl FnOnce(&str) -> Option<u16>,
) -> Option<Entry> {
    let destination = Destination::parse(text, dialect, port_of).ok()?;
    Some(Entry { destination, matches, id })
}

/// Cuts off the dot that stands for the root of all names.
fn without_root(domain: &str) -> &str {
    let is_path = domain.contains('/');
    domain.strip_suffix('.').filter(|rest| !rest.is_empty() && !is_path).unwrap_or(domain)
}

/// Reads `{"domain": .., "match": .., "id": ..}`.
fn object(line: &str) -> Result<(String, Vec<String>, Option<Value>), LineError> {
    let mut object: Map<String, Value> =
        serde_json::from_str(line).map_err(|error| LineError::Json(error.to_string()))?;
    let Some(Value::String(domain)) = object.remove("domain") else {
        return Err(LineError::NoDomain);
    };
    let text = |value| match value {
        Value::String(text) => Ok(text),
        _ => Err(LineError::Match),
    };
    let matches = match object.remove("match") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(several)) => several.into_iter().map(text).collect::<Result<_, _>>()?,
        Some(one) => vec![text(one)?],
    };
    Ok((domain, matches, object.remove("id").filter(|id| !id.is_null())))
}

impl Entry {
    /// Tells by what entries are the same, whoever writes them how: the destination in its ASCII
    /// form, in lower case and with its port.
    pub(crate) fn destination_key(&self) -> String {
        match &self.destination.place {
            Place::Unix(path) => format!("unix:{}", path.display()),
            Place::Inet { host, literal, service: _, port } => {
                let host = host_to_ascii(host).map_or_else(|_| host.clone(), Into::into);
                let host = host.to_ascii_lowercase();
                if *literal { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
            }
        }
    }

    /// Reads the match arguments as digests, which they are at level `fingerprint`.
    pub(crate) fn pins(&self, level: Level) -> Result<Vec<Pin>, LineError> {
        if level != Level::Fingerprint {
            return Ok(Vec::new());
        }
        let pin = |text: &String| text.parse().map_err(|_| LineError::Digest(text.clone()));
        self.matches.iter().map(pin).collect()
    }

    /// Makes a number of everything that the entry says.
    pub(crate) fn key(&self) -> u64 {
        hash(&json!([self.destination_key(), self.matches, self.id]).to_string())
    }
}

/// Makes a number of a text that is the same on every machine: the first octets of its SHA-256.
pub(crate) fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text);
    digest.iter().take(8).fold(0, |number, octet| number << 8 | u64::from(*octet))
}

/// One of several equal parts of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shard {
    /// From 1.
    number: u64,
    of: u64,
}

impl Shard {
    /// Reads `I/N`, I from 1 to N.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        let shard = Self { number: number.parse().ok()?, of: of.parse().ok()? };
        (1..=shard.of).contains(&shard.number).then_some(shard)
    }

    /// Tells whether an entry belongs to it. Entries for one destination stay together.
    pub(crate) fn has(self, entry: &Entry) -> bool {
        hash(&entry.destination_key()) % self.of == self.number - 1
    }
}

/// Why a line is no destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LineError {
    /// It has so many octets.
    TooLong(u64),
    /// At this place, from 1, is something that text does not have.
    NotText(usize),
    Json(String),
    /// An object without a text `domain`.
    NoDomain,
    /// An object whose `match` is neither a text nor a list of texts.
    Match,
    /// A match argument at level `fingerprint` that is no digest.
    Digest(String),
    Destination(DestinationError),
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong(octets) => write!(f, "{octets} octets are too long for a line"),
            Self::NotText(at) => write!(f, "not text at octet {at}"),
            Self::Json(error) => write!(f, "not JSON: {error}"),
            Self::NoDomain => f.write_str("an object without \"domain\""),
            Self::Match => f.write_str("\"match\" is neither a text nor a list of texts"),
            Self::Digest(text) => write!(f, "malformed fingerprint value: {text}"),
            Self::Destination(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LineError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &[u8]) -> Result<Option<Entry>, LineError> {
        entry(line, Dialect::Smtp, |_| None)
    }

    fn some(line: &str) -> Entry {
        read(line.as_bytes()).unwrap().unwrap()
    }

    #[test]
    fn lines_of_all_kinds() {
        type Row<'a> = (&'a str, &'a str, &'a [&'a str], Option<Value>);
        let table: &[Row<'_>] = &[
            ("example.org", "example.org:25", &[], None),
            ("  Example.ORG.\t", "example.org:25", &[], None),
            ("example.org:587 # why", "example.org:587", &[], None),
            ("example.org\t.example.org", "example.org:25", &[".example.org"], None),
            ("a.test\tone\ttwo  three", "a.test:25", &["one", "two", "three"], None),
            ("bücher.test", "xn--bcher-kva.test:25", &[], None),
            ("B\u{dc}CHER.test", "xn--bcher-kva.test:25", &[], None),
            ("[192.0.2.1]:26", "[192.0.2.1]:26", &[], None),
            (r#"{"domain":"a.test"}"#, "a.test:25", &[], None),
            (r#"{"id":null,"domain":"a.test","x":[]}"#, "a.test:25", &[], None),
            (r#" {"domain":"a.test","id":7,"match":"m"}"#, "a.test:25", &["m"], Some(json!(7))),
            (
                r#"{"domain":"a.test","id":{"k":"v"},"match":["m","n"]}"#,
                "a.test:25",
                &["m", "n"],
                Some(json!({"k": "v"})),
            ),
        ];
        for (line, key, matches, id) in table {
            let entry = some(line);
            assert_eq!(entry.destination_key(), *key, "{line}");
            assert_eq!(entry.matches, *matches, "{line}");
            assert_eq!(entry.id, *id, "{line}");
        }
        for line in ["", "   ", "\t", "# comment", "  #", "#{"] {
            assert_eq!(read(line.as_bytes()), Ok(None), "{line}");
        }
    }

    #[test]
    fn junk() {
        let table: &[(&[u8], &str)] = &[
            (b"a.test\0", "not text at octet 7"),
            (b"\x7fELF\x02\x01", "not text at octet 1"),
            (b"a.\xfftest", "not text at octet 3"),
            (b"a\rb.test", "not text at octet 2"),
            (
                b"a..test",
                "valid hostname or network address required in server description: a..test",
            ),
            (b".", "valid hostname or network address required in server description: ."),
            (b"a.test:x", "unknown service: x/tcp"),
            (b"{", "not JSON: EOF while parsing an object at line 1 column 1"),
            (b"{}", "an object without \"domain\""),
            (br#"{"domain":5}"#, "an object without \"domain\""),
            (
                br#"{"domain":"a.test","match":5}"#,
                "\"match\" is neither a text nor a list of texts",
            ),
            (br#"{"domain":""}"#, "missing host information in server description: "),
        ];
        for (line, error) in table {
            assert_eq!(read(line).unwrap_err().to_string(), *error);
        }
    }

    #[test]
    fn keys_tell_entries_apart() {
        let same = ["a.test", "A.test.", "a.test:25", r#"{"domain":"a.test","match":[]}"#];
        let keys: Vec<_> = same.iter().map(|line| some(line).key()).collect();
        assert!(keys.iter().all(|key| *key == keys[0]));
        let others =
            ["b.test", "[a.test]", "a.test:26", "a.test x", r#"{"domain":"a.test","id":1}"#];
        assert!(others.iter().all(|line| some(line).key() != keys[0]));
    }

    #[test]
    fn shards_do_not_depend_on_the_machine() {
        assert_eq!(hash("example.org:25"), 0x56af_4872_c4d6_9798);
        let parts: Vec<_> = ["1/3", "2/3", "3/3"].map(|text| Shard::parse(text).unwrap()).into();
        for number in 0..100 {
            let entry = some(&format!("d{number}.test"));
            assert_eq!(parts.iter().filter(|part| part.has(&entry)).count(), 1);
            let other = some(&format!(r#"{{"domain":"D{number}.test","id":{number}}}"#));
            assert!(parts.iter().all(|part| part.has(&entry) == part.has(&other)));
        }
        for text in ["", "1", "0/2", "3/2", "1/0", "-1/2", "a/b", "1/2/3"] {
            assert_eq!(Shard::parse(text), None, "{text}");
        }
    }
}
