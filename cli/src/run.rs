//! One run: a probe, the driver that runs it, what is told of it, and the exit status.

use std::cell::RefCell;
use std::io::{self, IsTerminal, Write};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tlsfinger_core::config::Lookup;
use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::{Event, LookupNote, Outcome, Report, TlsNote};
use tlsfinger_core::resolve::{ResolverTest, TestNames};
use tlsfinger_core::trace::{Header, Recorded, Recorder};
use tlsfinger_core::{Enumerator, Input, IoError, Machine, Notice, Probe, Survey};

use crate::enumerated;
use crate::explain::{self, Explainer};
use crate::json::{self, Frame};
use crate::key_log::KeyLog;
use crate::line::{Line, Message};
use crate::nagios;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::record::{self, Record};
use crate::settings::{Format, SettingError, Settings};
use crate::status::{exit_status, status_of_the_reference};
use crate::table;
use crate::text::Narrator;
use crate::text::hygiene::hygiene;
use crate::usage::VERSION;
use crate::waits::Waits;

/// Probes a destination and tells what happens; `notes` were told before.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    notes: &[Message],
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let key_log = settings.key_log.as_deref().and_then(|path| open_key_log(path, printer));
    let mut teller = Teller::new(&settings, program, key_log);
    let ending = Ending::new(&settings, program);
    let runtime = settings.runtime;
    let (seed, wall_time) =
        (tlsfinger_blocking::seed().map_err(failed)?, tlsfinger_blocking::wall_time());
    match &settings.record {
        None => match settings.enumerating {
            Some(how) => {
                let mut machine = Enumerator::new(settings.config, how, seed, wall_time);
                drive(&mut machine, runtime, &mut teller, printer)?;
            }
            None if settings.all => {
                let mut machine = Survey::new(settings.config, seed, wall_time);
                drive(&mut machine, runtime, &mut teller, printer)?;
            }
            None => {
                let mut machine = Probe::new(settings.config, seed, wall_time);
                drive(&mut machine, runtime, &mut teller, printer)?;
            }
        },
        Some(path) => {
            let mut header = Header::new(VERSION, settings.config.clone(), seed, wall_time);
            header.enumerating = settings.enumerating;
            record::describe(&mut header, &settings, notes, program);
            let failed = |error: io::Error| {
                SettingError::Record(path.clone(), IoError::from(&error).message)
            };
            let mut record = Record::create(path, &header).map_err(failed)?;
            let machine = Recorded::begin(&header);
            let mut machine = Recorder::new(machine, |lines: &str| record.write(lines));
            let driven = drive(&mut machine, runtime, &mut teller, printer);
            drop(machine);
            record.finish().map_err(failed)?;
            driven?;
        }
    }
    match teller.report.take() {
        Some(report) => ending.tell(&report, &mut teller, printer),
        None => Ok(ExitCode::FAILURE),
    }
}

/// What is done with what a machine tells.
pub(crate) struct Teller {
    narrator: Narrator,
    key_log: Option<KeyLog>,
    pub(crate) explains_waits: bool,
    tells_lookups: bool,
    /// Dialogues with many servers at once would be a muddle.
    tells_sessions: bool,
    pub(crate) report: Option<Box<Report>>,
}

impl Teller {
    pub(crate) fn new(settings: &Settings, program: &Program, key_log: Option<KeyLog>) -> Self {
        let text = settings.format == Format::Text;
        Self {
            narrator: Narrator::new(settings, program),
            key_log,
            explains_waits: settings.show.verbose > 1 && text,
            tells_lookups: text,
            tells_sessions: text && !settings.all,
            report: None,
        }
    }

    pub(crate) fn tell<W: Write>(&mut self, notice: Notice, printer: &mut Printer<W>) {
        match notice {
            Notice::Event(Event::Tls(TlsNote::Secret(secret))) => {
                if let Some(Err(error)) = self.key_log.as_mut().map(|log| log.append(&secret)) {
                    printer.say(&Message::warning(format!("SSLKEYLOGFILE: write error: {error}")));
                    self.key_log = None;
                }
            }
            Notice::Event(Event::Lookup(LookupNote::ServerTested(server))) => {
                explain::resolver(&server).iter().for_each(|message| printer.say(message));
            }
            Notice::Event(event) => {
                let is_lookup = matches!(event, Event::Lookup(_) | Event::LookupFailed(_));
                if self.tells_sessions || is_lookup && self.tells_lookups {
                    self.narrator.tell(&event, &mut |message| printer.say(&message));
                }
            }
            Notice::Report(report) => self.report = Some(report),
            Notice::Want(_) => {}
        }
    }
}

/// Makes what tells why a machine waits, if that is asked for.
pub(crate) fn waits<W: Write>(
    explains: bool,
    printer: &RefCell<&mut Printer<W>>,
) -> impl FnMut(Duration, &str) {
    move |left, why| {
        if explains {
            printer.borrow_mut().say(&waiting(left, why));
        }
    }
}

/// What is told once the report is there.
struct Ending {
    format: Format,
    runtime: Runtime,
    exit_code: bool,
    all: bool,
    explain: bool,
    hints: bool,
    frame: Frame,
    explainer: Explainer,
    lookup: Lookup,
}

impl Ending {
    fn new(settings: &Settings, program: &Program) -> Self {
        let Settings { config, format, runtime, exit_code, all, explain, .. } = settings;
        Self {
            format: *format,
            runtime: *runtime,
            exit_code: *exit_code,
            all: *all,
            explain: *explain,
            hints: *format == Format::Text && !program.is_posttls_finger(),
            frame: Frame::new(config),
            explainer: Explainer::new(config),
            lookup: config.lookup.clone(),
        }
    }

    /// Tells the rest, and decides the exit status.
    fn tell<W: Write>(
        &self,
        report: &Report,
        teller: &mut Teller,
        printer: &mut Printer<W>,
    ) -> Result<ExitCode, SettingError> {
        let mut status = match self.exit_code {
            true => exit_status(report.conclusion()),
            false => status_of_the_reference(report),
        };
        match (self.format, &report.outcome) {
            (Format::Text, Outcome::Enumerated(_)) => enumerated::tables(report, printer),
            (Format::Text, _) if self.all => {
                table::table(report).iter().for_each(|message| printer.say(message));
                // With so many servers nothing was told on the way.
                for session in &report.sessions {
                    if let Some(found) = &session.hygiene {
                        let lines = hygiene(&session.target.peer, found);
                        lines.iter().for_each(|message| printer.say(message));
                    }
                }
            }
            (Format::Text, _) => {}
            (Format::Json, _) => printer.show(&json::line(&self.frame.document(report))),
            (Format::Nagios(thresholds), _) => {
                let (line, state) = nagios::check(report, thresholds);
                status = state;
                printer.show(&line);
            }
        }
        if self.explain {
            self.explainer.explain(report).iter().for_each(|message| printer.say(message));
            if explain::misses_dnssec(report) {
                let seed = tlsfinger_blocking::seed().map_err(failed)?;
                let names = TestNames::default();
                let mut test = ResolverTest::new(&self.lookup, &names, seed, report.began);
                drive(&mut test, self.runtime, teller, printer)?;
            }
        } else if self.hints && self.explainer.lacks_only_trust(report) {
            hint();
        }
        Ok(status.into())
    }
}

/// Runs a machine by the driver that was asked for.
fn drive<W: Write>(
    machine: &mut impl Machine,
    runtime: Runtime,
    teller: &mut Teller,
    printer: &mut Printer<W>,
) -> Result<(), SettingError> {
    let printer = RefCell::new(printer);
    let mut machine = Waits::of(machine, waits(teller.explains_waits, &printer));
    let mut tell = |notice, stop: &dyn Fn(Input)| {
        let mut printer = printer.borrow_mut();
        teller.tell(notice, &mut printer);
        if !printer.is_open() {
            stop(Input::Stop(Stop::Now));
        }
    };
    match runtime {
        Runtime::Blocking => {
            let inbox = tlsfinger_blocking::Inbox::new().map_err(failed)?;
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            tlsfinger_blocking::run_with(&mut machine, inbox, tell).map_err(failed)
        }
        Runtime::Smol => {
            let inbox = tlsfinger_smol::Inbox::new();
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            smol::block_on(tlsfinger_smol::run_with(&mut machine, inbox, tell));
            Ok(())
        }
    }
}

fn open_key_log<W: Write>(path: &Path, printer: &mut Printer<W>) -> Option<KeyLog> {
    KeyLog::open(path)
        .map_err(|error| {
            let (path, error) = (path.display(), IoError::from(&error));
            printer.say(&Message::warning(format!("SSLKEYLOGFILE: open {path}: {error}")));
        })
        .ok()
}

fn waiting(left: Duration, why: &str) -> Message {
    Message::info(match left.as_secs() {
        0 => format!("waiting {why}"),
        // Whoever waits for ever is woken by something else.
        seconds if seconds > 24 * 3600 => format!("waiting {why}"),
        seconds => format!("waiting {why}, {seconds} seconds at most"),
    })
}

fn failed(error: io::Error) -> SettingError {
    SettingError::Driver(IoError::from(&error).message)
}

/// Tells a person at a terminal that trust was never given.
fn hint() {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        let text = "hint: no CA is trusted; use -F file, -P directory or --webpki-roots";
        // If nobody reads that, nothing is lost.
        let _ = stderr.write_all(Line::bare(text).as_bytes());
    }
}
