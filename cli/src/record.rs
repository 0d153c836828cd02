//! `--record`: the file that a run is written down in, and what of it only this program needs.

use std::fs::{File, OpenOptions};
use std::io::{self, LineWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use tlsfinger_core::trace::Header;

use crate::line::{Charset, Message, Severity};
use crate::log::Log;
use crate::options::Runtime;
use crate::program::Program;
use crate::settings::{Format, Settings, Show};

/// A trace that is being written. The first error ends it.
#[derive(Debug)]
pub(crate) struct Record {
    file: LineWriter<File>,
    failed: Option<io::Error>,
}

impl Record {
    /// Makes the file, which must not exist yet: nobody else may have it open.
    pub(crate) fn create(path: &Path, header: &Header) -> io::Result<Self> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        let mut record = Self { file: LineWriter::new(file), failed: None };
        write!(record.file, "{header}")?;
        Ok(record)
    }

    /// Writes lines of the border.
    pub(crate) fn write(&mut self, lines: &str) {
        if self.failed.is_none() {
            self.failed = self.file.write_all(lines.as_bytes()).err();
        }
    }

    /// Ends with what went wrong.
    pub(crate) fn finish(mut self) -> io::Result<()> {
        match self.failed {
            Some(error) => Err(error),
            None => self.file.flush(),
        }
    }
}

/// Adds to the header what it takes to print the same lines again.
pub(crate) fn describe(
    header: &mut Header,
    settings: &Settings,
    notes: &[Message],
    program: &Program,
) {
    let Show { chat, log, verbose, chain, digest: _, charset } = settings.show;
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let mut add = |name: &str, value: String| header.caller.push((name.to_owned(), value));
    add("called-as", program.name().to_owned());
    add("chat", yes(chat));
    add("log", log.bits().to_string());
    add("verbose", verbose.to_string());
    add("chain", yes(chain));
    add("ascii", yes(charset == Charset::Ascii));
    add("cipher-list", settings.cipher_list.clone());
    settings.main_cf.iter().for_each(|text| add("main.cf", text.clone()));
    settings.odd_bounds.iter().for_each(|bound| add("odd-bound", bound.clone()));
    for note in notes {
        let severity = match note.severity {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Fatal => "fatal",
            Severity::Bare => "bare",
        };
        add(severity, note.text.clone());
    }
}

/// Reads what [`describe`] wrote; traces of other programs are told as usual.
pub(crate) fn settings(header: &Header) -> (Settings, Vec<Message>) {
    let value = |name: &str| header.caller(name).next();
    let is = |name: &str, default| value(name).map_or(default, |value| value == "yes");
    let show = Show {
        chat: is("chat", true),
        log: value("log").and_then(|bits| bits.parse().ok()).map_or(Log::DEFAULT, Log::from_bits),
        verbose: value("verbose").and_then(|number| number.parse().ok()).unwrap_or(0),
        chain: is("chain", false),
        digest: header.config.policy.digest,
        charset: if is("ascii", false) { Charset::Ascii } else { Charset::Utf8 },
    };
    let note = |(name, text): &(String, String)| match name.as_str() {
        "info" => Some(Message::info(text)),
        "warning" => Some(Message::warning(text)),
        "fatal" => Some(Message::fatal(text)),
        "bare" => Some(Message::bare(text)),
        _ => None,
    };
    let notes = header.caller.iter().filter_map(note).collect();
    let settings = Settings {
        config: header.config.clone(),
        show,
        runtime: Runtime::default(),
        record: None,
        main_cf: None,
        format: Format::Text,
        all: header.enumerating.is_some_and(|how| how.every),
        enumerating: header.enumerating,
        explain: false,
        exit_code: false,
        key_log: None,
        cipher_list: value("cipher-list").unwrap_or_default().to_owned(),
        odd_bounds: header.caller("odd-bound").map(str::to_owned).collect(),
    };
    (settings, notes)
}

/// Tells the name under which the recording program was called.
pub(crate) fn program(header: &Header) -> Program {
    Program::named(header.caller("called-as").next().unwrap_or("tlsfinger"))
}
