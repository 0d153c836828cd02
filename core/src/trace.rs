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
//! ..
//! 0.080090 > tell tunnel t0 send "QUIT\r\n" sent 28
//! ```
//!
//! The [`Header`] says what decides the run besides the world. Below it `<` is an input, `>` an
//! output, the number before it the time in seconds. Octets stand in quotes when all of them are
//! printable or line ends, else as `x` and hexadecimal digits. Outputs are only ever compared as
//! text, where a digest stands for long octets; inputs are also read back. Why a machine waits is a
//! remark: only the instant counts. Lines that begin with `#` and empty ones mean nothing.
//!
//! Of each TLS connection a trace holds the octets and, as lines `tell tunnel`, the plain text and
//! the facts of each step. The octets depend on the version of the TLS library: where it is
//! another one, the steps stand in for it. See [`Fidelity`].

mod border;
mod header;
mod tunnel;
mod words;
mod writer;

pub use border::NotAnInput;
pub use header::Header;
pub use writer::Writer;

use std::collections::BTreeMap;
use std::fmt::{self, Write as _};

use self::tunnel::Tapes;
use self::words::Words;
use crate::enumerate::Enumerator;
use crate::machine::{Input, Machine, Notice, Output, TransportId};
use crate::probe::Probe;
use crate::report::{ClientSignature, SignatureScheme};
use crate::time::Instant;
use crate::tls::Tape;

/// A machine whose border is written down as it runs.
///
/// The text begins with a [`Header`], and the run is made with the configuration in it. Keep it
/// where nobody else can read it: it allows to decrypt the recorded connections.
///
/// ```
/// use tlsfinger_core::trace::{Header, Recorder, Trace};
/// use tlsfinger_core::{Input, Instant, Machine, Output, Probe, WallTime, config::Config};
///
/// let header = Header::new("example 1.0", Config::default(), [7; 32], WallTime(1_800_000_000));
/// let mut text = header.to_string();
/// let probe = Probe::new(header.config, header.seed, header.wall_time);
/// let mut probe = Recorder::new(probe, |lines: &str| text.push_str(lines));
/// // Any driver runs it; this one only stops it.
/// while !matches!(probe.poll_output(), Output::Wait(..)) {}
/// probe.handle_input(Instant::START, Input::Stop(tlsfinger_core::machine::Stop::Now));
/// while !matches!(probe.poll_output(), Output::Wait(..) | Output::Done) {}
///
/// let trace = Trace::parse(&text)?;
/// assert_eq!(trace.play(|notice| println!("{notice:?}")).difference, None);
/// # Ok::<(), tlsfinger_core::trace::TraceError>(())
/// ```
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
    tapes: BTreeMap<TransportId, Tape>,
}

/// How far a replay repeats the TLS of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fidelity {
    /// The TLS library reads the recorded octets and must write the recorded ones.
    Wire,
    /// The recorded plain text and facts stand in for the TLS library.
    Tunnel,
}

impl<'a> Trace<'a> {
    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// The first line that is not of the trace format.
    pub fn parse(text: &'a str) -> Result<Self, TraceError> {
        let (mut signatures, mut tapes) = (Vec::new(), Tapes::default());
        for (line, content) in meaningful(text).filter(|(_, line)| is_border(line)) {
            let (_, rest) = timed(content).ok_or(TraceError::Unreadable { line })?;
            let unreadable = |NotAnInput| TraceError::Unreadable { line };
            if let Some(input) = rest.strip_prefix("< ") {
                input.parse::<Input>().map_err(unreadable)?;
            } else if let Some(signed) = rest.strip_prefix("> tell signed ") {
                let signature = signature(signed).map_err(unreadable)?;
                signatures.push(signature.clone());
                tapes.sign(signature);
            } else if let Some(step) = rest.strip_prefix("> tell tunnel ") {
                tapes.step(tunnel::read_step(step).map_err(unreadable)?);
            } else if let Some(sent) = rest.strip_prefix("> send ") {
                if let Ok((id, octets)) = sent_octets(sent) {
                    tapes.send(id, &octets);
                }
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
        let header = Header::parse(header, &signatures)?;
        Ok(Self { header, text, tapes: tapes.finish() })
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

    /// Tells how this program's TLS library can repeat the trace: by the octets of TLS if it is of
    /// the version that recorded, or if no steps of TLS are recorded; else by those steps.
    pub fn fidelity(&self) -> Fidelity {
        match self.header.other_rustls() {
            Some(_) if !self.tapes.is_empty() => Fidelity::Tunnel,
            Some(_) | None => Fidelity::Wire,
        }
    }

    /// Gives the inputs to a fresh machine of the header's configuration; `tell` gets what it tells.
    pub fn play(&self, tell: impl FnMut(Notice)) -> Played {
        self.play_with(self.fidelity(), |machine| machine, tell)
    }

    /// Plays as [`play`](Self::play) does, with a chosen fidelity and the machine inside of what
    /// `wrap` makes of it.
    pub fn play_with<M: Machine>(
        &self,
        fidelity: Fidelity,
        wrap: impl FnOnce(Recorded) -> M,
        mut tell: impl FnMut(Notice),
    ) -> Played {
        let tapes = (fidelity == Fidelity::Tunnel).then(|| self.tapes.clone());
        let mut machine = wrap(Recorded::with_tapes(&self.header, tapes));
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
                let output = machine.poll_output();
                let line = format!("{now} > {output}");
                let mut expected = None;
                while let Some((number, old)) = rest.next_if(|(_, line)| !is_input(line)) {
                    if is_border(old) {
                        expected = Some((number + 1, *old));
                        break;
                    }
                    played.line(old);
                }
                played.output(expected, &line, lines.len());
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
                machine.handle_input(time, input);
            }
        }
    }
}

/// A machine that a trace is of.
#[derive(Debug)]
pub enum Recorded {
    /// The usual one.
    Probe(Box<Probe>),
    /// One that finds out all that servers accept.
    Enumerator(Box<Enumerator>),
}

impl Recorded {
    /// Begins the run that a header describes.
    pub fn begin(header: &Header) -> Self {
        Self::with_tapes(header, None)
    }

    fn with_tapes(header: &Header, tapes: Option<BTreeMap<TransportId, Tape>>) -> Self {
        let Header { config, seed, wall_time, enumerating, .. } = header;
        let (config, seed, wall_time) = (config.clone(), *seed, *wall_time);
        match *enumerating {
            None => {
                let probe = Probe::with_tapes(config, seed, wall_time, tapes);
                Self::Probe(Box::new(probe))
            }
            Some(how) => {
                let enumerator = Enumerator::with_tapes(config, how, seed, wall_time, tapes);
                Self::Enumerator(Box::new(enumerator))
            }
        }
    }
}

impl Machine for Recorded {
    fn handle_input(&mut self, now: Instant, input: Input) {
        match self {
            Self::Probe(probe) => probe.handle_input(now, input),
            Self::Enumerator(enumerator) => enumerator.handle_input(now, input),
        }
    }

    fn poll_output(&mut self) -> Output {
        match self {
            Self::Probe(probe) => probe.poll_output(),
            Self::Enumerator(enumerator) => enumerator.poll_output(),
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

    /// Writes an output, with the recorded words if they mean the same.
    fn output(&mut self, expected: Option<(usize, &str)>, got: &str, lines: usize) {
        match expected {
            Some((_, expected)) if essence(expected) == essence(got) => return self.line(expected),
            Some((number, expected)) => self.differs(number, expected, got),
            None => self.differs(lines, "nothing more", got),
        }
        self.line(got);
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

/// Leaves out of a line what may change without meaning: the reason of a wait.
fn essence(line: &str) -> &str {
    let wait = line.split_once(' ').and_then(|(_, rest)| rest.strip_prefix("> wait "));
    let reason = wait.and_then(|wait| wait.split_once(' ')).map_or(0, |(_, reason)| reason.len());
    line.get(..line.len() - reason).unwrap_or(line)
}

/// Reads what was sent, and over which transport.
fn sent_octets(text: &str) -> Result<(TransportId, Vec<u8>), NotAnInput> {
    let mut words = Words(text);
    let sent = (words.transport()?, words.octets()?);
    words.end()?;
    Ok(sent)
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
            if essence(&format!("{time} > {got}")) != essence(line) {
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
