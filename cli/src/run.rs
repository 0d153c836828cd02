//! One run: a probe, the driver that runs it, and the exit status.

use std::io::Write;
use std::process::ExitCode;

use tlsfinger_core::machine::Stop;
use tlsfinger_core::{Input, IoError, Notice, Probe};

use crate::json::{self, Frame};
use crate::nagios;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::{Format, SettingError, Settings};
use crate::status::{exit_status, status_of_the_reference};
use crate::text::Narrator;

/// Probes a destination and tells what happens.
pub(crate) fn probe<W: Write>(
    settings: Settings,
    program: &Program,
    printer: &mut Printer<W>,
) -> Result<ExitCode, SettingError> {
    let failed = |error: std::io::Error| SettingError::Driver(IoError::from(&error).message);
    let (format, exit_code) = (settings.format, settings.exit_code);
    let mut narrator = Narrator::new(&settings, program);
    let frame = Frame::new(&settings.config);
    let mut status = 0;
    let seed = tlsfinger_blocking::seed().map_err(failed)?;
    let mut machine = Probe::new(settings.config, seed, tlsfinger_blocking::wall_time());
    let mut tell = |notice, stop: &dyn Fn(Input)| {
        match notice {
            Notice::Event(event) if format == Format::Text => {
                narrator.tell(&event, &mut |message| printer.say(&message));
            }
            Notice::Event(_) => {}
            Notice::Report(report) => {
                status = match exit_code {
                    true => exit_status(report.conclusion()),
                    false => status_of_the_reference(&report),
                };
                match format {
                    Format::Text => {}
                    Format::Json => printer.show(&json::line(&frame.document(&report))),
                    Format::Nagios(thresholds) => {
                        let (line, state) = nagios::check(&report, thresholds);
                        status = state;
                        printer.show(&line);
                    }
                }
            }
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
    Ok(status.into())
}
