//! One run: a probe, the driver that runs it, and the exit status.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::{Event, Report, Step, StepProblem, TlsNote};
use tlsfinger_core::{Input, IoError, Notice, Probe};

use crate::key_log::KeyLog;
use crate::line::Message;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::{SettingError, Settings};
use crate::text::Narrator;
use crate::waits::Waits;

/// Probes a destination and tells what happens.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let failed = |error: std::io::Error| SettingError::Driver(IoError::from(&error).message);
    let mut key_log = settings.key_log.as_deref().and_then(|path| {
        let opened = KeyLog::open(path).map_err(|error| (path, IoError::from(&error)));
        opened.map_err(|(path, error)| printer.say(&no_key_log(path, &error))).ok()
    });
    let mut narrator = Narrator::new(&settings, program);
    let mut status = ExitCode::SUCCESS;
    let seed = tlsfinger_blocking::seed().map_err(failed)?;
    let explains_waits = settings.show.verbose > 1;
    let probe = Probe::new(settings.config, seed, tlsfinger_blocking::wall_time());
    let printer = RefCell::new(printer);
    let mut machine = Waits::of(probe, |left, why| {
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
    match settings.runtime {
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

fn no_key_log(path: &Path, error: &IoError) -> Message {
    Message::warning(format!("SSLKEYLOGFILE: open {}: {error}", path.display()))
}

fn waiting(left: Duration, why: &str) -> Message {
    Message::info(match left.as_secs() {
        0 => format!("waiting {why}"),
        // Whoever waits for ever is woken by something else.
        seconds if seconds > 24 * 3600 => format!("waiting {why}"),
        seconds => format!("waiting {why}, {seconds} seconds at most"),
    })
}

/// Decides the exit status as the reference does: whatever was found out is a success, except
/// that a server that falls silent between STARTTLS and its reply is a fatal error.
fn exit_status(report: &Report) -> ExitCode {
    let problems = report.sessions.iter().flat_map(|session| &session.observation.problems);
    let is_fatal = |(step, problem): &(Step, StepProblem)| {
        *step == Step::StartTls && !matches!(problem, StepProblem::Refused(_))
    };
    if problems.into_iter().any(is_fatal) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
