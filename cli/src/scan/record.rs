//! What stands in a record besides the document of the destination, and where certificates go.

use std::collections::HashSet;
use std::io;
use std::path::Path;

use bytes::Bytes;
use serde_json::{Map, Value, json};
use tlsfinger_core::config::{Config, DnssecTrust, Lookup};
use tlsfinger_core::report::Report;

use super::columns::Columns;
use super::file::LineFile;
use super::list::Entry;
use crate::json::{self, Frame};

/// Makes records.
#[derive(Debug)]
pub(crate) struct Recorder {
    frame: Frame,
    resolver: Value,
    columns: Option<Columns>,
    certificates: Option<Certificates>,
}

/// Where a destination comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Origin {
    /// The number of the line.
    pub(crate) line: u64,
    pub(crate) entry: Entry,
}

impl Recorder {
    pub(crate) fn new(
        config: &Config,
        columns: Option<Columns>,
        certificates: Option<Certificates>,
    ) -> Self {
        let resolver = resolver(&config.lookup);
        Self { frame: Frame::new(config), resolver, columns, certificates }
    }

    /// Makes the line of a record, its end included. Certificates that are new have been written
    /// before.
    ///
    /// # Errors
    ///
    /// The file of certificates cannot be written.
    pub(crate) fn record(&mut self, report: &Report, origin: &Origin) -> io::Result<Vec<u8>> {
        let (frame, mut failed) = (&self.frame, None);
        let mut certificates = self.certificates.as_mut();
        let is_table = self.columns.is_some();
        let document = frame.document_with(report, &mut |der| match &mut certificates {
            None => frame.certificate(der),
            Some(certificates) => {
                let (reference, result) = certificates.refer(der, frame);
                failed = failed.take().or(result.err());
                if is_table { frame.certificate(der) } else { reference }
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        let mut record = Map::new();
        let Value::Object(document) = document else { return Err(io::ErrorKind::Other.into()) };
        for (name, value) in document {
            let is_program = name == "program";
            record.insert(name, value);
            if is_program {
                record.insert("input".to_owned(), origin.document());
                record.insert("resolver".to_owned(), self.resolver.clone());
            }
        }
        let record = Value::Object(record);
        Ok(match &self.columns {
            Some(columns) => columns.row(&record),
            None => (json::line(&record) + "\n").into_bytes(),
        })
    }
}

impl Origin {
    fn document(&self) -> Value {
        let Entry { destination, matches, id } = &self.entry;
        json!({ "line": self.line, "text": destination.text, "matches": matches, "id": id })
    }
}

/// Tells what a record says of the line that it was made for: its text, match arguments and `id`.
///
/// Nothing else is read of it: that would take the time of a scan where there are many.
pub(crate) fn input(record: &[u8]) -> Option<(String, Vec<String>, Option<Value>)> {
    let name = b"\"input\":";
    // It stands in front of all that servers say.
    let at = record.windows(name.len()).position(|piece| piece == name)?;
    let whole = record.starts_with(b"{") && record.ends_with(b"}");
    let rest = record.get(at + name.len()..).filter(|_| whole)?;
    let input: Value = serde_json::Deserializer::from_slice(rest).into_iter().next()?.ok()?;
    let text = input.get("text")?.as_str()?.to_owned();
    let matches = input.get("matches")?.as_array()?.iter();
    let matches =
        matches.map(|text| text.as_str().map(ToOwned::to_owned)).collect::<Option<_>>()?;
    Some((text, matches, input.get("id").filter(|id| !id.is_null()).cloned()))
}

/// Whom a scan asks, and whose word counts that an answer is secure.
fn resolver(lookup: &Lookup) -> Value {
    let tls = lookup.resolvers.tls.as_ref().map(|tls| &tls.name);
    let servers = lookup.resolvers.servers.iter().map(|server| {
        let over_tls = tls.is_some() && lookup.dnssec != DnssecTrust::Local;
        let trusted = over_tls || lookup.believes(server);
        json!({ "address": server.address.to_string(), "tls": tls, "trusted": trusted })
    });
    json!({
        "dnssec": match lookup.dnssec {
            DnssecTrust::Local => "local",
            DnssecTrust::Trust => "trust",
            DnssecTrust::Auto => "auto",
        },
        "servers": servers.collect::<Value>(),
    })
}

/// A file with each certificate once, and the digests of those in it: 16 octets of each, which is
/// enough to tell certificates apart that nobody forged to that end.
#[derive(Debug)]
pub(crate) struct Certificates {
    file: LineFile,
    known: HashSet<u128>,
}

impl Certificates {
    /// Goes on with a file, or makes it.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let mut known = HashSet::new();
        let file = LineFile::resume(path, |number, line| {
            let digest = serde_json::from_slice::<Value>(line).ok();
            let digest = digest.as_ref().and_then(|line| short(line.get("sha256")?.as_str()?));
            let wrong = || io::Error::other(format!("line {number} is not a certificate"));
            known.insert(digest.ok_or_else(wrong)?);
            Ok(())
        })?;
        Ok(Self { file, known })
    }

    /// Tells what refers to a certificate, which is written if it is new.
    fn refer(&mut self, der: &Bytes, frame: &Frame) -> (Value, io::Result<()>) {
        let digest = json::sha256(der);
        let reference = json!({ "sha256": digest });
        let short = short(&digest).unwrap_or_default();
        if self.known.contains(&short) {
            return (reference, Ok(()));
        }
        let line = json::line(&frame.certificate(der)) + "\n";
        let written = self.file.write(line.as_bytes());
        if written.is_ok() {
            self.known.insert(short);
        }
        (reference, written)
    }
}

/// Makes a number of the first octets of a digest that is written in hexadecimal digits.
fn short(digest: &str) -> Option<u128> {
    u128::from_str_radix(digest.get(..32)?, 16).ok()
}
