//! tlsfinger: how a mail server does TLS, told by asking it.

mod enumerated;
mod explain;
mod flags;
mod json;
mod key_log;
mod line;
mod log;
mod nagios;
mod options;
#[cfg(test)]
mod pages;
mod parameters;
mod printer;
mod program;
mod record;
mod replay;
mod run;
mod scan;
mod settings;
mod status;
mod system;
mod table;
mod text;
mod usage;
mod waits;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::flags::{Asked, Command, Page, Refusal};
use crate::line::{Line, Message};
use crate::options::Color;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::SettingError;

/// Scans make many small allocations, and this allocator is the cheapest for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let program = arguments.next().unwrap_or_default();
    let program = Program::named(&program.to_string_lossy());
    let arguments: Vec<_> = arguments.collect();
    // A plugin has a status of its own even if the command line cannot be understood.
    let is_scan = arguments.first().is_some_and(|word| word == "scan");
    let is_plugin =
        !program.is_posttls_finger() && !is_scan && arguments.iter().any(|word| word == "--nagios");
    let failure = if is_plugin { nagios::UNKNOWN.into() } else { ExitCode::FAILURE };
    let mut printer = Printer::new(io::stdout(), program.clone());
    let status = match obey(&program, arguments.into_iter(), &mut printer) {
        Ok(status) => status,
        Err(Refusal::Fatal(error)) => {
            if is_plugin {
                printer.show(&nagios::unknown(&error.to_string()));
            } else {
                printer.say(&Message::fatal(error));
            }
            failure
        }
        Err(Refusal::Usage(error)) => {
            for line in usage::complaint(&program, is_scan, &error) {
                complain(&line);
            }
            failure
        }
    };
    match printer.finish() {
        Ok(()) => status,
        Err(error) => {
            complain(&Line::bare(&format!("{}: write error: {error}", program.name())));
            failure
        }
    }
}

/// Does what the command line asks for.
fn obey(
    program: &Program,
    arguments: impl Iterator<Item = OsString>,
    printer: &mut Printer<io::Stdout>,
) -> Result<ExitCode, Refusal> {
    let mut arguments = arguments.peekable();
    // Hosts of these names can still be given as [replay] and [scan].
    if !program.is_posttls_finger() && arguments.next_if(|first| first == "replay").is_some() {
        let system = system::ask(program).map_err(SettingError::File)?;
        return replay::obey(program, arguments, &system, printer);
    }
    if !program.is_posttls_finger() && arguments.next_if(|first| first == "scan").is_some() {
        return scan::obey(program, arguments, printer);
    }
    let command = if program.is_posttls_finger() { Command::Reference } else { Command::Probe };
    let asked = flags::parse(arguments, command);
    if let Ok(Asked::Page(page)) = asked {
        printer.show(&match page {
            Page::Help => usage::help(program),
            Page::Version => usage::version(),
        });
        return Ok(ExitCode::SUCCESS);
    }
    // As in the reference, a main.cf that cannot be read is told before wrong options are.
    let system = system::ask(program).map_err(SettingError::File)?;
    let Asked::Probe(options) = asked? else { return Ok(ExitCode::SUCCESS) };
    printer.set_colour(match options.color {
        Color::Auto => system::is_colour_welcome(),
        Color::Always => true,
        Color::Never => false,
    });
    if options.json || options.nagios {
        printer.set_aside(io::stderr());
    }
    let mut notes = Vec::new();
    let settings = settings::decide(&options, &system, &mut notes);
    if let Ok(settings) = &settings {
        printer.set_charset(settings.show.charset);
    }
    for note in &notes {
        printer.say(note);
    }
    Ok(run::probe(settings?, &notes, program, printer)?)
}

/// Writes a line to stderr. If nobody reads that either, there is nobody left to tell.
fn complain(line: &Line) {
    let _ = io::stderr().write_all(line.as_bytes());
}
