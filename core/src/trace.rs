//! The border written down: one line for each input and output, and back.
//!
//! ```text
//! # Trace of a probe. Keep it to yourself: whoever has it can decrypt the recorded connections.
//! program "tlsfinger 0.1.0"
//! rustls "0.23.46"
//! seed x0707070707070707070707070707070707070707070707070707070707070707
//! wall-time 1782864000
//! destination "[192.0.2.1]" literal "192.0.2.1" "" 25
//! ..
//! 0.000000 > open t0 tcp 192.0.2.1:25
//! 0.000000 > wait 30.000000 for the connection
//! 0.021400 < opened t0
//! 0.021400 > tell Connected(..)
//! 0.040017 < received t0 "220 mx.example.org ESMTP\r\n"
//! 0.040017 > send t0 "EHLO client.example.org\r\n"
//! ```
//!
//! The [`Header`] says what decides the run besides the world. Below it `<` is an input, `>` an
//! output, the number before it the time in seconds. Octets stand in quotes when all of them are
//! printable or line ends, else as `x` and hexadecimal digits. Outputs are only ever compared as
//! text, where a digest stands for long octets; inputs are also read back. Lines that begin with
//! `#` and empty ones mean nothing.

mod border;
mod header;
mod words;
mod writer;

pub use border::NotAnInput;
pub use header::Header;
pub use writer::Writer;

use std::fmt::{self, Write as _};

use self::words::Words;
use crate::machine::{Input, Machine, Notice, Output};
use crate::probe::Probe;
use crate::report::{ClientSignature, SignatureScheme};
use crate::time::Instant;

/// A machine whose border is written down as it runs.
#[derive(Debug)]
pub struct Recorder<M, W> {
    machine: M,
    writer: Writer,
    write: W,
    now: Instant,
}

impl<M: Machine, W: FnMut(&str)> Recorder<M, W> {
    /// Wraps a machine; `write` gets what is to be written, in whole lines.
    pub fn new(machine: M, write: W) -> Self {
        Self { machine, writer: Writer::default(), write, now: Instant::START }
    }
}

impl<M: Machine, W: FnMut(&str)> Machine for Recorder<M, W> {
    fn handle_input(&mut self, now: Instant, input: Input) {
        self.now = self.now.max(now);
        (self.write)(&self.writer.input(self.now, &input));
        self.machine.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        let output = self.machine.poll_output();
        (self.write)(&self.writer.output(self.now, &output));
        output
    }
}

/// A trace with its header, ready to be played again.
#[derive(Clone, Debug)]
pub struct Trace<'a> {
    header: Header,
    text: &'a str,
}

impl<'a> Trace<'a> {
    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// The first line that is not of the trace format.
    pub fn parse(text: &'a str) -> Result<Self, TraceError> {
        let mut signatures = Vec::new();
        for (line, content) in meaningful(text).filter(|(_, line)| is_border(line)) {
            let (_, rest) = timed(content).ok_or(TraceError::Unreadable { line })?;
            let unreadable = |NotAnInput| TraceError::Unreadable { line };
            if let Some(input) = rest.strip_prefix("< ") {
                input.parse::<Input>().map_err(unreadable)?;
            } else if let Some(signed) = rest.strip_prefix("> tell signed ") {
                signatures.push(signature(signed).map_err(unreadable)?);
            } else if !rest.starts_with("> ") {
                return Err(TraceError::Unreadable { line });
            }
        }
        let header = meaningful(text).take_while(|(_, line)| !is_border(line));
        if let Some((line, _)) =
            meaningful(text).skip_while(|(_, line)| !is_border(line)).find(|(_, it)| !is_border(it))
        {
            return Err(TraceError::Unreadable { line });
        }
        Ok(Self { header: Header::parse(header, &signatures)?, text })
    }

    /// Tells what the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Goes through the inputs and their times.
    pub fn inputs(&self) -> impl Iterator<Item = (Instant, Input)> {
        self.text.lines().filter(|line| is_input(line)).filter_map(|line| {
            let (time, rest) = timed(line)?;
            Some((time, rest.strip_prefix("< ")?.parse().ok()?))
        })
    }

    /// Gives the inputs to a fresh probe of the header's configuration; `tell` gets what it tells.
    pub fn play(&self, mut tell: impl FnMut(Notice)) -> Played {
        let Header { config, seed, wall_time, .. } = &self.header;
        let mut probe = Probe::new(config.clone(), *seed, *wall_time);
        let mut played = Played { text: String::new(), difference: None };
        let mut now = Instant::START;
        let lines = self.text.lines().collect::<Vec<_>>();
        let mut rest = lines.iter().enumerate().peekable();
        // Comments and the header stay as they are.
        while let Some((_, line)) = rest.next_if(|(_, line)| !is_border(line)) {
            played.line(line);
        }
        loop {
            // Outputs up to the next input, as a driver takes them.
            loop {
                let output = probe.poll_output();
                let line = format!("{now} > {output}");
                let mut expected = None;
                while let Some((number, old)) = rest.next_if(|(_, line)| !is_input(line)) {
                    if is_border(old) {
                        expected = Some((number + 1, *old));
                        break;
                    }
                    played.line(old);
                }
                played.compare(expected, &line, lines.len());
                played.line(&line);
                match output {
                    Output::Tell(event) => tell(Notice::Event(event)),
                    Output::Finished(report) => tell(Notice::Report(report)),
                    Output::Want(count) => tell(Notice::Want(count)),
                    Output::Wait(..) | Output::Done => break,
                    Output::Open(..)
                    | Output::Send(..)
                    | Output::Close(_)
                    | Output::Pass { .. }
                    | Output::FindHost(..) => {}
                }
            }
            while let Some((number, old)) = rest.next_if(|(_, line)| !is_input(line)) {
                match is_border(old) {
                    true => played.differs(number + 1, old, "nothing more"),
                    false => played.line(old),
                }
            }
            let Some((_, line)) = rest.next() else { return played };
            played.line(line);
            if let Some((time, rest)) = timed(line)
                && let Some(Ok(input)) = rest.strip_prefix("< ").map(str::parse)
            {
                now = now.max(time);
                probe.handle_input(time, input);
            }
        }
    }
}

/// What came of a trace that was played again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// The trace as it would be recorded now: the same header and inputs, today's outputs.
    pub text: String,
    /// The first output that differs from the recorded one.
    pub difference: Option<ReplayError>,
}

impl Played {
    fn line(&mut self, line: &str) {
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn compare(&mut self, expected: Option<(usize, &str)>, got: &str, lines: usize) {
        match expected {
            Some((_, expected)) if expected == got => {}
            Some((number, expected)) => self.differs(number, expected, got),
            None => self.differs(lines, "nothing more", got),
        }
    }

    fn differs(&mut self, line: usize, expected: &str, got: &str) {
        self.difference.get_or_insert_with(|| {
            let (expected, got) = (expected.to_owned(), got.to_owned());
            ReplayError::Differs { line, expected, got }
        });
    }
}

/// Goes through the lines that mean something, with their numbers from 1.
fn meaningful(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let means = |(_, line): &(usize, &str)| !line.is_empty() && !line.starts_with('#');
    text.lines().enumerate().map(|(index, line)| (index + 1, line)).filter(means)
}

/// Tells lines of the border from those of the header: they begin with a time.
fn is_border(line: &str) -> bool {
    line.starts_with(|first: char| first.is_ascii_digit()) || line.starts_with("never ")
}

fn is_input(line: &str) -> bool {
    is_border(line) && line.split_once(' ').is_some_and(|(_, rest)| rest.starts_with("< "))
}

fn timed(line: &str) -> Option<(Instant, &str)> {
    let (time, rest) = line.split_once(' ')?;
    Some((time.parse().ok()?, rest))
}

fn signature(text: &str) -> Result<ClientSignature, NotAnInput> {
    let mut words = Words(text);
    let signature = ClientSignature {
        scheme: SignatureScheme(words.parse()?),
        message: words.octets()?.try_into().map_err(|_| NotAnInput)?,
        signature: words.octets()?.into(),
    };
    words.end()?;
    Ok(signature)
}

/// The text is not a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TraceError {
    /// A line is not of the trace format.
    Unreadable {
        /// The line's number, from 1.
        line: usize,
    },
}

impl fmt::Display for TraceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { line } => write!(f, "line {line} is not of the trace format"),
        }
    }
}

impl std::error::Error for TraceError {}

/// Runs a machine against a trace: gives it the inputs and compares each output.
///
/// # Errors
///
/// The first line that cannot be read, or whose output differs.
pub fn replay(machine: &mut impl Machine, trace: &str) -> Result<(), ReplayError> {
    for (index, line) in trace.lines().enumerate() {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let number = index + 1;
        let unreadable = || ReplayError::Unreadable { line: number };
        let (time, rest) = line.split_once(' ').ok_or_else(unreadable)?;
        let now: Instant = time.parse().map_err(|_| unreadable())?;
        if let Some(input) = rest.strip_prefix("< ") {
            machine.handle_input(now, input.parse().map_err(|_| unreadable())?);
        } else if let Some(expected) = rest.strip_prefix("> ") {
            let got = machine.poll_output().to_string();
            if got != expected {
                let expected = expected.to_owned();
                return Err(ReplayError::Differs { line: number, expected, got });
            }
        } else {
            return Err(unreadable());
        }
    }
    Ok(())
}

/// Why a replay ended early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// A line is not of the trace format.
    Unreadable {
        /// The line's number, from 1.
        line: usize,
    },
    /// The machine gave another output.
    Differs {
        /// The line's number, from 1.
        line: usize,
        /// What the trace says.
        expected: String,
        /// What the machine gave.
        got: String,
    },
}

impl fmt::Display for ReplayError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { line } => write!(f, "line {line} is not of the trace format"),
            Self::Differs { line, expected, got } => {
                let same = expected.chars().zip(got.chars()).take_while(|(a, b)| a == b).count();
                let (expected, got) = (Clip(expected, same), Clip(got, same));
                write!(f, "line {line} differs\n- {expected}\n+ {got}")
            }
        }
    }
}

impl std::error::Error for ReplayError {}

/// The part of a line around the place where it begins to differ.
struct Clip<'a>(&'a str, usize);

impl fmt::Display for Clip<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const BEFORE: usize = 60;
        const AFTER: usize = 200;
        let Self(line, place) = *self;
        // All that fits, if it does.
        let skipped =
            if line.chars().count() <= BEFORE + AFTER { 0 } else { place.saturating_sub(BEFORE) };
        if skipped > 0 {
            f.write_str("..")?;
        }
        let mut rest = line.chars().skip(skipped);
        rest.by_ref().take(BEFORE + AFTER).try_for_each(|char| f.write_char(char))?;
        if rest.next().is_some() { f.write_str("..") } else { Ok(()) }
    }
}
