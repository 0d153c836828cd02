//! One run: a probe, the driver that runs it, and the exit status.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::{Event, Report, Step, StepProblem, TlsNote};
use tlsfinger_core::trace::{Header, Recorder};
use tlsfinger_core::{Input, IoError, Machine, Notice, Probe};

use crate::key_log::KeyLog;
use crate::line::Message;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::record::{self, Record};
use crate::settings::{SettingError, Settings};
use crate::text::Narrator;
use crate::usage::VERSION;
use crate::waits::Waits;

/// Probes a destination and tells what happens; `notes` were told before.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    notes: &[Message],
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let teller = Teller {
        narrator: Narrator::new(&settings, program),
        key_log: settings.key_log.as_deref().and_then(|path| open_key_log(path, printer)),
        explains_waits: settings.show.verbose > 1,
    };
    let (seed, wall_time) =
        (tlsfinger_blocking::seed().map_err(failed)?, tlsfinger_blocking::wall_time());
    let Some(path) = &settings.record else {
        let mut machine = Probe::new(settings.config, seed, wall_time);
        return drive(&mut machine, settings.runtime, teller, printer);
    };
    let mut header = Header::new(VERSION, settings.config.clone(), seed, wall_time);
    record::describe(&mut header, &settings, notes, program);
    let failed =
        |error: std::io::Error| SettingError::Record(path.clone(), IoError::from(&error).message);
    let mut record = Record::create(path, &header).map_err(failed)?;
    let mut machine =
        Recorder::new(Probe::new(header.config, seed, wall_time), |line: &str| record.line(line));
    let status = drive(&mut machine, settings.runtime, teller, printer);
    drop(machine);
    record.finish().map_err(failed)?;
    status
}

/// What is done with what a machine tells.
struct Teller {
    narrator: Narrator,
    key_log: Option<KeyLog>,
    explains_waits: bool,
}

/// Runs a machine by the driver that was asked for.
fn drive<W: Write>(
    machine: &mut impl Machine,
    runtime: Runtime,
    teller: Teller,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let Teller { mut narrator, mut key_log, explains_waits } = teller;
    let mut status = ExitCode::SUCCESS;
    let printer = RefCell::new(printer);
    let mut machine = Waits::of(machine, |left, why: &str| {
        if explains_waits {
            printer.borrow_mut().say(&waiting(left, why));
        }
    });
    let mut tell = |notice, stop: &dyn Fn(Input)| {
        let mut printer = printer.borrow_mut();
        match notice {
            Notice::Event(Event::Tls(TlsNote::Secret(secret))) => {
                if let Some(Err(error)) = key_log.as_mut().map(|log| log.append(&secret)) {
                    printer.say(&Message::warning(format!("SSLKEYLOGFILE: write error: {error}")));
                    key_log = None;
                }
            }
            Notice::Event(event) => narrator.tell(&event, &mut |message| printer.say(&message)),
            Notice::Report(report) => status = exit_status(&report),
        }
        if !printer.is_open() {
            stop(Input::Stop(Stop::Now));
        }
    };
    match runtime {
        Runtime::Blocking => {
            let inbox = tlsfinger_blocking::Inbox::new().map_err(failed)?;
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            tlsfinger_blocking::run_with(&mut machine, inbox, tell).map_err(failed)?;
        }
        Runtime::Smol => {
            let inbox = tlsfinger_smol::Inbox::new();
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            smol::block_on(tlsfinger_smol::run_with(&mut machine, inbox, tell));
        }
    }
    Ok(status)
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

fn failed(error: std::io::Error) -> SettingError {
    SettingError::Driver(IoError::from(&error).message)
}

/// Decides the exit status as the reference does: whatever was found out is a success, except
/// that a server that falls silent between STARTTLS and its reply is a fatal error.
pub(crate) fn exit_status(report: &Report) -> ExitCode {
    let problems = report.sessions.iter().flat_map(|session| &session.observation.problems);
    let is_fatal = |(step, problem): &(Step, StepProblem)| {
        *step == Step::StartTls && !matches!(problem, StepProblem::Refused(_))
    };
    if problems.into_iter().any(is_fatal) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
