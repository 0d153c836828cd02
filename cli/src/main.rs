//! tlsfinger: how a mail server does TLS, told by asking it.

mod flags;
mod line;
mod log;
mod options;
mod printer;
mod program;
mod run;
mod settings;
mod system;
mod text;
mod usage;

use std::env;
use std::ffi::OsString;
use std::io::{self, Write};
use std::process::ExitCode;

use crate::flags::{Asked, Page, Refusal};
use crate::line::{Line, Message};
use crate::printer::Printer;
use crate::program::Program;

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
    let options = match flags::parse(arguments, !program.is_posttls_finger())? {
        Asked::Probe(options) => options,
        Asked::Page(Page::Help) => {
            printer.show(&usage::help(program));
            return Ok(ExitCode::SUCCESS);
        }
        Asked::Page(Page::Version) => {
            printer.show(&usage::version());
            return Ok(ExitCode::SUCCESS);
        }
    };
    let mut notes = Vec::new();
    let settings = settings::decide(&options, &system::ask(program), &mut notes);
    for note in &notes {
        printer.say(note);
    }
    Ok(run::probe(settings?, program, printer)?)
}

/// Writes a line to stderr. If nobody reads that either, there is nobody left to tell.
fn complain(line: &Line) {
    let _ = io::stderr().write_all(line.as_bytes());
}
