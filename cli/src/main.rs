//! tlsfinger: how a mail server does TLS, told by asking it.

mod flags;
mod key_log;
mod line;
mod log;
mod options;
mod parameters;
mod printer;
mod program;
mod record;
mod replay;
mod run;
mod settings;
mod system;
mod text;
mod usage;
mod waits;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::flags::{Asked, Page, Refusal};
use crate::line::{Line, Message};
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::SettingError;

fn main() -> ExitCode {
    let mut arguments = env::args_os();
    let program = arguments.next().unwrap_or_default();
    let program = Program::named(&program.to_string_lossy());
    let mut printer = Printer::new(io::stdout(), program.clone());
    let status = match obey(&program, arguments, &mut printer) {
        Ok(status) => status,
        Err(Refusal::Fatal(error)) => {
            printer.say(&Message::fatal(error));
            ExitCode::FAILURE
        }
        Err(Refusal::Usage(error)) => {
            for line in usage::complaint(&program, &error) {
                complain(&line);
            }
            ExitCode::FAILURE
        }
    };
    match printer.finish() {
        Ok(()) => status,
        Err(error) => {
            complain(&Line::bare(&format!("{}: write error: {error}", program.name())));
            ExitCode::FAILURE
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
    // A host of that name can still be given as [replay].
    if !program.is_posttls_finger() && arguments.next_if(|first| first == "replay").is_some() {
        let system = system::ask(program).map_err(SettingError::File)?;
        return replay::obey(program, arguments, &system, printer);
    }
    let asked = flags::parse(arguments, !program.is_posttls_finger());
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
