//! One run: a probe, the driver that runs it, what is told of it, and the exit status.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use tlsfinger_core::machine::Stop;
use tlsfinger_core::report::{Event, LookupNote, Report};
use tlsfinger_core::resolve::{ResolverTest, TestNames};
use tlsfinger_core::{Input, IoError, Machine, Notice, Probe, Survey};

use crate::explain::{self, Explainer};
use crate::json::{self, Frame};
use crate::line::Line;
use crate::nagios;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::{Format, SettingError, Settings};
use crate::status::{exit_status, status_of_the_reference};
use crate::table;
use crate::text::Narrator;

/// Probes a destination and tells what happens.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let Settings { format, runtime, exit_code, all, explain, .. } = settings;
    let mut narrator = Narrator::new(&settings, program);
    let frame = Frame::new(&settings.config);
    let explainer = Explainer::new(&settings.config);
    let lookup = settings.config.lookup.clone();
    let mut finished = None;
    let seed = tlsfinger_blocking::seed().map_err(failed)?;
    let wall_time = tlsfinger_blocking::wall_time();
    let tell = |notice: Notice, stop: &dyn Fn(Input)| {
        match notice {
            Notice::Event(event) if format == Format::Text => {
                // Dialogues with many servers at once would be a muddle.
                let is_lookup = matches!(event, Event::Lookup(_) | Event::LookupFailed(_));
                if is_lookup || !all {
                    narrator.tell(&event, &mut |message| printer.say(&message));
                }
            }
            Notice::Event(_) => {}
            Notice::Report(report) => finished = Some(report),
        }
        if !printer.is_open() {
            stop(Input::Stop(Stop::Now));
        }
    };
    match all {
        true => drive(&mut Survey::new(settings.config, seed, wall_time), runtime, tell)?,
        false => drive(&mut Probe::new(settings.config, seed, wall_time), runtime, tell)?,
    }
    let Some(report) = finished else { return Ok(ExitCode::FAILURE) };
    let mut status = match exit_code {
        true => exit_status(report.conclusion()),
        false => status_of_the_reference(&report),
    };
    match format {
        Format::Text if all => {
            table::table(&report).iter().for_each(|message| printer.say(message));
        }
        Format::Text => {}
        Format::Json => printer.show(&json::line(&frame.document(&report))),
        Format::Nagios(thresholds) => {
            let (line, state) = nagios::check(&report, thresholds);
            status = state;
            printer.show(&line);
        }
    }
    if explain {
        explainer.explain(&report).iter().for_each(|message| printer.say(message));
        if explain::misses_dnssec(&report) {
            let seed = tlsfinger_blocking::seed().map_err(failed)?;
            let mut test = ResolverTest::new(&lookup, &TestNames::default(), seed, wall_time);
            drive(&mut test, runtime, |notice, _| {
                if let Notice::Event(Event::Lookup(LookupNote::ServerTested(server))) = notice {
                    explain::resolver(&server).iter().for_each(|message| printer.say(message));
                }
            })?;
        }
    } else if format == Format::Text {
        hint(&report, &explainer, program);
    }
    Ok(status.into())
}

/// Runs a machine to its end on the driver that was asked for.
fn drive(
    machine: &mut impl Machine,
    runtime: Runtime,
    mut tell: impl FnMut(Notice, &dyn Fn(Input)),
) -> Result<(), SettingError> {
    match runtime {
        Runtime::Blocking => {
            let inbox = tlsfinger_blocking::Inbox::new().map_err(failed)?;
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            tlsfinger_blocking::run_with(machine, inbox, tell).map_err(failed)
        }
        Runtime::Smol => {
            let inbox = tlsfinger_smol::Inbox::new();
            let handle = inbox.handle();
            let tell = |notice| tell(notice, &|input| handle.give(input));
            smol::block_on(tlsfinger_smol::run_with(machine, inbox, tell));
            Ok(())
        }
    }
}

fn failed(error: io::Error) -> SettingError {
    SettingError::Driver(IoError::from(&error).message)
}

/// Tells a person at a terminal that trust was never given.
fn hint(report: &Report, explainer: &Explainer, program: &Program) {
    let mut stderr = io::stderr();
    if !program.is_posttls_finger() && stderr.is_terminal() && explainer.lacks_only_trust(report) {
        let text = "hint: no CA is trusted; use -F file, -P directory or --webpki-roots";
        // If nobody reads that, nothing is lost.
        let _ = stderr.write_all(Line::bare(text).as_bytes());
    }
}
