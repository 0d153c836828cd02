//! `tlsfinger scan` against a farm of servers on loopback.

mod lists;
mod options;
mod output;
mod politeness;
mod resume;
mod shards;
mod terminal;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tlsfinger_tests::farm::{Farm, Size};
use tlsfinger_tests::loopback::Scratch;
use tlsfinger_tests::program;

/// A farm, and a folder for files.
struct Site {
    farm: Farm,
    scratch: Scratch,
}

/// What came of a scan.
struct Done {
    status: Option<i32>,
    out: String,
    errors: String,
}

impl Site {
    /// Starts so many servers of each kind.
    fn with_servers(servers: u32) -> Self {
        let farm = Farm::start(Size { servers, ..Size::default() }).unwrap();
        Self { farm, scratch: Scratch::new().unwrap() }
    }

    /// Names a domain.
    fn domain(&self, kind: &str, number: u32) -> String {
        format!("d{number}.{kind}.farm.test:{}", self.farm.port())
    }

    /// Writes a file.
    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.scratch.file(name), text).unwrap();
        self.path(name)
    }

    /// Writes a list of domains of one kind.
    fn list(&self, kind: &str, count: u32) -> String {
        let lines: String = (0..count).map(|number| self.domain(kind, number) + "\n").collect();
        self.file(&format!("{kind}.list"), lines)
    }

    fn path(&self, name: &str) -> String {
        self.scratch.file(name).to_str().unwrap().to_owned()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.scratch.file(name)).unwrap()
    }

    /// Prepares a scan.
    fn command(&self, words: &[&str]) -> Command {
        let config: PathBuf = self.scratch.path().join("config");
        fs::create_dir_all(&config).unwrap();
        let resolver = self.farm.resolver().to_string();
        let mut command =
            program::command(&config, &[&["scan", "--resolver", &resolver], words].concat());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Scans to the end.
    fn scan(&self, words: &[&str]) -> Done {
        self.command(words).output().unwrap().into()
    }
}

impl From<Output> for Done {
    fn from(output: Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            errors: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Done {
    fn records(&self) -> Vec<Value> {
        records(&self.out)
    }

    /// The lines of the list that have a record.
    fn lines(&self) -> Vec<u64> {
        lines(&self.records())
    }
}

/// What counts of a record or of the document of a probe, whenever and in whatever company it was
/// made.
fn essence(record: &Value) -> Value {
    const PARTS: [&str; 10] = [
        "peer",
        "verdict",
        "chain",
        "tls",
        "problems",
        "handshake_error",
        "hello",
        "tlsa",
        "scouted",
        "hygiene",
    ];
    let of_session = |session: &Value| {
        // The reply to QUIT is waited for by probes only.
        PARTS.iter().map(|part| session[*part].clone()).collect::<Value>()
    };
    let sessions = record["sessions"].as_array().unwrap();
    let mut essence = record.clone();
    essence["sessions"] = sessions.iter().map(of_session).collect();
    for chance in ["input", "resolver", "began", "ended", "milliseconds", "scope"] {
        essence.as_object_mut().unwrap().remove(chance);
    }
    essence
}

/// Reads records, each of which is whole.
fn records(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn lines(records: &[Value]) -> Vec<u64> {
    records.iter().map(|record| record["input"]["line"].as_u64().unwrap()).collect()
}
