//! Records as CSV (RFC 4180): one row for each, with chosen columns.

use serde_json::Value;

use super::list::hash;

/// The columns of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Columns(Vec<Column>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Column {
    name: String,
    place: Place,
}

/// Where a column's value stands in a record, as JSON pointer (RFC 6901).
#[derive(Clone, Debug, PartialEq, Eq)]
enum Place {
    Record(String),
    /// In the session that counts: the first of those with the worst exit status.
    Session(String),
}

/// Columns that are there if none are chosen.
const DEFAULT: &str = "line,destination,outcome,exit_status,result_type,host,address,port,version,cipher,\
                       group,verdict,satisfied,reason,matched,not_after";

const LINE: &str = "/input/line";
const DESTINATION: &str = "/destination/text";

/// Every name of a column and where its value stands; those of sessions are behind a `@`.
#[rustfmt::skip]
const NAMES: &[(&str, &str)] = &[
    ("id", "/input/id"),
    ("line", LINE),
    ("destination", DESTINATION),
    ("began", "/began"),
    ("ended", "/ended"),
    ("milliseconds", "/milliseconds"),
    ("level", "/level"),
    ("outcome", "/outcome"),
    ("exit_status", "/exit_status"),
    ("result_type", "/result_type"),
    ("error", "/error/message"),
    ("mx_secure", "/lookup/secure"),
    ("host", "@/peer/host"),
    ("address", "@/peer/address"),
    ("port", "@/peer/port"),
    ("shared", "@/shared"),
    ("starttls", "@/hello/starttls"),
    ("version", "@/tls/version"),
    ("cipher", "@/tls/cipher/iana"),
    ("group", "@/tls/group"),
    ("signature", "@/tls/server_signature"),
    ("verdict", "@/verdict/status"),
    ("satisfied", "@/verdict/satisfied"),
    ("reason", "@/verdict/reason/text"),
    ("matched", "@/verdict/matched/kind"),
    ("handshake_error", "@/handshake_error/kind"),
    ("problem", "@/problems/0/step"),
    ("not_after", "@/chain/certificates/0/fields/not_after"),
    ("subject", "@/chain/certificates/0/fields/subject"),
    ("issuer", "@/chain/certificates/0/fields/issuer"),
    ("fingerprint", "@/chain/certificates/0/sha256"),
];

impl Default for Columns {
    fn default() -> Self {
        Self::parse(DEFAULT).unwrap_or(Self(Vec::new()))
    }
}

impl Columns {
    /// Reads a list of names, or of JSON pointers into the record.
    ///
    /// # Errors
    ///
    /// The first name that is unknown.
    pub(crate) fn parse(list: &str) -> Result<Self, String> {
        let column = |name: &str| {
            let place = match NAMES.iter().find(|(known, _)| *known == name) {
                Some((_, place)) => match place.strip_prefix('@') {
                    Some(place) => Place::Session(place.to_owned()),
                    None => Place::Record((*place).to_owned()),
                },
                None if name.starts_with('/') => Place::Record(name.to_owned()),
                None => return Err(name.to_owned()),
            };
            Ok(Column { name: name.to_owned(), place })
        };
        list.split(',').map(str::trim).map(column).collect::<Result<_, _>>().map(Self)
    }

    /// Makes the first line.
    pub(crate) fn head(&self) -> Vec<u8> {
        row(self.0.iter().map(|column| column.name.clone()))
    }

    /// Tells in which columns the number of the line and the destination stand, which a row is known by.
    pub(crate) fn identity(&self) -> Option<Identity> {
        let position = |place: &str| {
            let is_there = |column: &Column| column.place == Place::Record(place.to_owned());
            self.0.iter().position(is_there)
        };
        Some(Identity { line: position(LINE)?, destination: position(DESTINATION)? })
    }

    /// Makes the line of a record.
    pub(crate) fn row(&self, record: &Value) -> Vec<u8> {
        let sessions = record["sessions"].as_array().map(Vec::as_slice).unwrap_or_default();
        let status = |session: &Value| session["exit_status"].as_u64();
        let worst = sessions.iter().map(status).max();
        let counting = sessions.iter().find(|session| Some(status(session)) == worst);
        row(self.0.iter().map(|column| {
            cell(match &column.place {
                Place::Record(place) => record.pointer(place),
                Place::Session(place) => counting.and_then(|session| session.pointer(place)),
            })
        }))
    }
}

/// The columns that a row is known by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Identity {
    line: usize,
    destination: usize,
}

impl Identity {
    /// Reads a row; tells the [`key`] of what it is about.
    pub(crate) fn read(self, row: &[u8]) -> Option<u64> {
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(row);
        let row = reader.records().next()?.ok()?;
        let line = row.get(self.line)?.parse().ok()?;
        Some(key(line, row.get(self.destination)?))
    }
}

/// Makes a number of a line's own number and the destination on it.
pub(crate) fn key(line: u64, destination: &str) -> u64 {
    hash(&format!("{line} {}", crate::line::printable(destination)))
}

fn row(cells: impl Iterator<Item = String>) -> Vec<u8> {
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    // Memory takes everything.
    let _ = writer.write_record(cells.map(String::into_bytes));
    writer.into_inner().unwrap_or_default()
}

/// Tells a value as text that is fit for a terminal; what is not there is empty.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => crate::line::printable(text),
        Some(other) => crate::json::line(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_are_about_the_worst_session() {
        let record = json!({
            "destination": { "text": "a,\"b\".test" }, "input": { "id": { "k": 1 } },
            "sessions": [
                { "exit_status": 0, "peer": { "host": "good" } },
                { "exit_status": 2, "peer": { "host": "bad\u{1b}\n" }, "verdict": { "satisfied": false } },
                { "exit_status": 2, "peer": { "host": "other" } },
            ],
        });
        let columns = "id, destination,host,satisfied,version,/sessions/2/peer/host";
        let columns = Columns::parse(columns).unwrap();
        let text = [columns.head(), columns.row(&record)].concat();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "id,destination,host,satisfied,version,/sessions/2/peer/host\n\
             \"{\"\"k\"\":1}\",\"a,\"\"b\"\".test\",bad??,false,,other\n"
        );
        assert_eq!(columns.row(&json!({})), b",,,,,\n");
        assert_eq!(Columns::parse("host,nosuch"), Err("nosuch".to_owned()));
        assert_eq!(Columns::default().0.len(), 16);
    }

    #[test]
    fn rows_are_known_by_line_and_destination() {
        let record = |line: u64| {
            json!({
                "input": { "line": line, "id": "x,\"y\"" },
                "destination": { "text": "b\u{fc}cher.test" },
            })
        };
        for columns in ["id,destination,line", "/destination/text,began,/input/line"] {
            let columns = Columns::parse(columns).unwrap();
            let identity = columns.identity().unwrap();
            let row = columns.row(&record(7));
            assert_eq!(identity.read(&row), Some(key(7, "b\u{fc}cher.test")));
            assert_ne!(identity.read(&columns.row(&record(8))), identity.read(&row));
            for junk in ["", "a,b", "a,b,c", &String::from_utf8(columns.head()).unwrap()] {
                assert_eq!(identity.read(junk.as_bytes()), None, "{junk}");
            }
        }
        assert!(Columns::default().identity().is_some());
        assert!(Columns::parse("destination,host").unwrap().identity().is_none());
    }
}
