//! One run: a probe, the driver that runs it, and the exit status.

use std::io::Write;
use std::process::ExitCode;

use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::{Report, Step, StepProblem};
use tlsfinger_core::{Input, IoError, Notice, Probe};

use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::{SettingError, Settings};
use crate::text::Narrator;

/// Probes a destination and tells what happens.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let failed = |error: std::io::Error| SettingError::Driver(IoError::from(&error).message);
    let mut narrator = Narrator::new(&settings, program);
    let mut status = ExitCode::SUCCESS;
    let seed = tlsfinger_blocking::seed().map_err(failed)?;
    let mut machine = Probe::new(settings.config, seed, tlsfinger_blocking::wall_time());
    let mut tell = |notice, stop: &dyn Fn(Input)| {
        match notice {
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

/// Decides the exit status as the reference does: whatever was found out is a success, except
/// that a server that falls silent between STARTTLS and its reply is a fatal error.
fn exit_status(report: &Report) -> ExitCode {
    let problems = report.sessions.iter().flat_map(|session| &session.observation.problems);
    let is_fatal = |(step, problem): &(Step, StepProblem)| {
        *step == Step::StartTls && !matches!(problem, StepProblem::Refused(_))
    };
    if problems.into_iter().any(is_fatal) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}
