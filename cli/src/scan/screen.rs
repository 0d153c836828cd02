//! What a person sees while a scan runs: messages, and on a terminal how far it is.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::line::{Charset, Line, Message};
use crate::program::Program;

/// The standard error output.
#[derive(Debug)]
pub(crate) struct Screen {
    bar: ProgressBar,
    program: Program,
    /// Lines that were passed over when it was last shown.
    passed: AtomicU64,
}

impl Screen {
    /// Shows a bar if there is a terminal, and if records do not go to it. The length is that of the
    /// list, if known.
    pub(crate) fn new(program: &Program, lines: Option<u64>, records_go_out: bool) -> Self {
        let is_free = !records_go_out || !io::stdout().is_terminal();
        let bar = match io::stderr().is_terminal() && is_free {
            true => ProgressBar::with_draw_target(lines, ProgressDrawTarget::stderr()),
            false => ProgressBar::hidden(),
        };
        let form = match lines {
            Some(_) => "{bar:30} {pos} of {len} lines, {msg}, {eta} left",
            None => "{spinner} {pos} lines, {msg}, {elapsed}",
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(250));
        bar.set_message("beginning");
        Self { bar, program: program.clone(), passed: AtomicU64::new(0) }
    }

    /// Tells how far it is: lines that are done with, those of them that were only passed over, records
    /// in a second, failures.
    pub(crate) fn show(&self, lines: u64, passed: u64, rate: f64, failed: u64) {
        self.bar.set_position(lines);
        // The time that is left is not told from lines that take none.
        if self.passed.swap(passed, Ordering::Relaxed) != passed {
            self.bar.reset_eta();
        }
        self.bar.set_message(format!("{rate:.0} a second, {failed} failed"));
    }

    /// Tells a message.
    pub(crate) fn say(&self, message: &Message) {
        self.put(&Line::new(&self.program, message, Charset::Utf8));
    }

    /// Ends the bar.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn put(&self, line: &Line) {
        // If nobody reads that, there is nobody left to tell.
        self.bar.suspend(|| drop(io::stderr().write_all(line.as_bytes())));
    }
}
