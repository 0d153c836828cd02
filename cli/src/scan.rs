//! `tlsfinger scan [FILE]`: a list of destinations in, a record for each out.
//!
//! One thread reads the list, one runs the scan, one makes records and writes them. How far the
//! first may be ahead of the last is bounded by a [`Window`].

pub(crate) mod columns;
mod feed;
mod file;
mod lines;
pub(crate) mod list;
mod metrics;
mod order;
mod plan;
mod record;
mod screen;
mod signals;
mod tally;

use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::mem;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tlsfinger_core::config::Level;
use tlsfinger_core::machine::{Job, Stop};
use tlsfinger_core::report::{Outcome, Report};
use tlsfinger_core::{Input, IoError, Notice, Scan};

use crate::flags::{self, Asked, Command, Page, Refusal};
use crate::line::Message;
use crate::options::Runtime;
use crate::printer::Printer;
use crate::program::Program;
use crate::settings::{self, SettingError};
use crate::{system, usage};
use feed::Feed;
use metrics::Gauges;
use order::{Order, Window};
use plan::Plan;
use record::{Origin, Recorder};
use screen::Screen;
use tally::Tally;

/// Every destination has its record, but some lines are no destinations.
const BAD_LINES: u8 = 2;

/// It was stopped before every destination had its record.
const STOPPED: u8 = 3;

/// Obeys the command line behind the word `scan`.
pub(crate) fn obey<W: Write>(
    program: &Program,
    arguments: impl Iterator<Item = OsString>,
    printer: &mut Printer<W>,
) -> Result<ExitCode, Refusal> {
    printer.set_aside(io::stderr());
    let options = match flags::parse(arguments, Command::Scan)? {
        Asked::Probe(options) => options,
        Asked::Page(page) => {
            printer.show(&match page {
                Page::Help => usage::scan_help(program),
                Page::Version => usage::version(),
            });
            return Ok(ExitCode::SUCCESS);
        }
    };
    let system = system::ask(program).map_err(SettingError::File)?;
    let mut notes = Vec::new();
    let plan = Plan::new(&options, &system, &mut notes);
    notes.iter().for_each(|note| printer.say(note));
    Ok(scan(plan?, program)?)
}

/// What the threads of a scan share.
struct Shared {
    screen: Screen,
    window: Window,
    /// Where the destinations come from that have no record yet.
    origins: Mutex<HashMap<u64, Origin>>,
    progress: Mutex<Progress>,
    /// It was asked to stop.
    stopping: AtomicBool,
}

/// How far a scan is.
#[derive(Debug, Default)]
struct Progress {
    tally: Tally,
    /// Records that were written.
    written: u64,
    /// Lines that were read.
    lines: u64,
    /// The list was read to its end.
    at_end: bool,
    /// Destinations that were taken and left without a record.
    unfinished: u64,
    /// What broke.
    trouble: Option<String>,
}

impl Shared {
    fn progress(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn origins(&self) -> MutexGuard<'_, HashMap<u64, Origin>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps the first thing that broke.
    fn break_off(&self, trouble: String) {
        self.progress().trouble.get_or_insert(trouble);
    }
}

/// Gives inputs to the scan from any thread.
type Give = Arc<dyn Fn(Input) + Send + Sync>;

fn scan(plan: Plan, program: &Program) -> Result<ExitCode, SettingError> {
    let failed = |error: io::Error| SettingError::Driver(IoError::from(&error).message);
    let (seed, wall_time) =
        (tlsfinger_blocking::seed().map_err(failed)?, tlsfinger_blocking::wall_time());
    let Plan { config, runtime, choice, list_name, list, lines, .. } = plan;
    let Plan { ordered, recorder, certificates, head, out, out_name, metrics, .. } = plan;
    let room = config.limits.destinations.saturating_mul(2).max(WINDOW);
    let shared = Arc::new(Shared {
        screen: Screen::new(program, lines, out_name.is_none()),
        window: Window::new(room as u64),
        origins: Mutex::default(),
        progress: Mutex::default(),
        stopping: AtomicBool::new(false),
    });
    let level = config.probe.level;
    let mut machine = Scan::new(config, seed, wall_time);
    let (reports, received) = channel::<Box<Report>>();
    let blocking = tlsfinger_blocking::Inbox::new().map_err(failed)?;
    let smol = tlsfinger_smol::Inbox::new();
    let give: Give = match runtime {
        Runtime::Blocking => {
            let handle = Mutex::new(blocking.handle());
            Arc::new(move |input| handle.lock().unwrap_or_else(PoisonError::into_inner).give(input))
        }
        Runtime::Smol => {
            let handle = smol.handle();
            Arc::new(move |input| handle.give(input))
        }
    };
    let writer = Writer {
        shared: Arc::clone(&shared),
        give: Arc::clone(&give),
        order: ordered.then(Order::default),
        recorder,
        out,
        out_name: out_name.unwrap_or_else(|| "write error".to_owned()),
        certificates: certificates.map(|path| path.display().to_string()),
    };
    let reader = Reader {
        shared: Arc::clone(&shared),
        give: Arc::clone(&give),
        feed: Feed::new(list, choice),
        name: list_name,
        expected: lines.unwrap_or_default(),
        level,
    };
    watch_signals(&shared, &give).map_err(failed)?;
    let began = Instant::now();
    let ticker = Ticker { shared: Arc::clone(&shared), metrics, began, wall_time: wall_time.0 };
    let (over, is_over) = channel();
    let spawn = |name: &str| thread::Builder::new().name(name.to_owned());
    let writing = spawn("records").spawn(move || writer.run(head, &received)).map_err(failed)?;
    let ticking = spawn("progress").spawn(move || ticker.run(&is_over)).map_err(failed)?;
    // Nobody waits for the end of this one: it may be reading from a terminal.
    spawn("list").spawn(move || reader.run()).map_err(failed)?;

    let window = &shared.window;
    let tell = move |notice| match notice {
        Notice::Want(more) => window.allow(more as u64),
        Notice::Report(report) => drop(reports.send(report)),
        Notice::Event(_) => {}
    };
    let driven = match runtime {
        Runtime::Blocking => tlsfinger_blocking::run_with(&mut machine, blocking, tell),
        Runtime::Smol => {
            smol::block_on(tlsfinger_smol::run_with(&mut machine, smol, tell));
            Ok(())
        }
    };
    window.close();
    // The sender is gone with what told the notices, so the writer comes to its end.
    let _ = writing.join();
    let _ = over.send(());
    let _ = ticking.join();
    if let Err(error) = driven {
        shared.break_off(IoError::from(&error).message);
    }
    Ok(conclude(&shared, began.elapsed()))
}

/// Destinations at least that may have been read and have no record yet. Records in order wait for
/// the slowest of them.
const WINDOW: usize = 4096;

/// Tells the summary, and decides the exit status.
fn conclude(shared: &Shared, took: Duration) -> ExitCode {
    shared.screen.finish();
    let progress = shared.progress();
    let (written, seconds) = (progress.written, took.as_secs_f64());
    let rate = written as f64 / seconds.max(0.001);
    let say = |text: String| shared.screen.say(&Message::info(text));
    say(format!("{written} records in {seconds:.1} seconds, {rate:.1} a second"));
    progress.tally.table().into_iter().for_each(say);
    let bad = progress.tally.lines.get(feed::BAD).copied().unwrap_or_default();
    if bad > SHOWN {
        shared.screen.say(&Message::warning(format!("{bad} lines are no destinations")));
    }
    if let Some(trouble) = &progress.trouble {
        shared.screen.say(&Message::fatal(trouble));
        ExitCode::FAILURE
    } else if !is_complete(&progress) || !shared.origins().is_empty() {
        shared.screen.say(&Message::warning("stopped before the end of the list"));
        ExitCode::from(STOPPED)
    } else if bad > 0 {
        ExitCode::from(BAD_LINES)
    } else {
        ExitCode::SUCCESS
    }
}

/// Tells whether every destination has its record.
fn is_complete(progress: &Progress) -> bool {
    progress.at_end && progress.unfinished == 0 && progress.trouble.is_none()
}

/// The first signal stops new work, the second ends.
fn watch_signals(shared: &Arc<Shared>, give: &Give) -> io::Result<()> {
    let (shared, give) = (Arc::clone(shared), Arc::clone(give));
    signals::watch(move |earlier| {
        shared.stopping.store(true, Ordering::SeqCst);
        shared.window.close();
        if earlier == 0 {
            let text = "stopping: what runs is finished; once more to end at once";
            shared.screen.say(&Message::warning(text));
        }
        give(Input::Stop(if earlier == 0 { Stop::Drain } else { Stop::Now }));
    })
}

/// Lines that are no destinations are told one by one up to this number.
const SHOWN: u64 = 100;

/// Reads the list.
struct Reader {
    shared: Arc<Shared>,
    give: Give,
    feed: Feed<io::BufReader<Box<dyn io::Read + Send>>>,
    name: String,
    /// Lines with an end that the list had at first, if that is known.
    expected: u64,
    level: Level,
}

impl Reader {
    fn run(mut self) {
        let (mut number, mut bad) = (0, 0);
        while self.shared.window.enter() {
            let (screen, name) = (&self.shared.screen, &self.name);
            let found = self.feed.next(|line, error| {
                bad += 1;
                if bad <= SHOWN {
                    screen.say(&Message::warning(format!("{name}:{line}: {error}")));
                }
            });
            let mut progress = self.shared.progress();
            progress.lines = self.feed.lines();
            progress.tally.lines.clone_from(self.feed.left_out());
            match found {
                // Of a list that has become shorter this may be a part of a line.
                Ok(Some(origin)) if self.feed.ended() < origin.line.min(self.expected) => {
                    drop(progress);
                    self.shared.window.leave(1);
                }
                Ok(Some(origin)) => {
                    drop(progress);
                    self.add(number, origin);
                    number += 1;
                }
                Ok(None) => {
                    progress.at_end = true;
                    drop(progress);
                    self.shared.window.leave(1);
                    let (lines, name) = (self.feed.ended(), &self.name);
                    if lines < self.expected {
                        let text = format!("{name}: ends behind line {lines} of {}", self.expected);
                        self.shared.break_off(text);
                    }
                    return self.end();
                }
                Err(error) => {
                    drop(progress);
                    let (line, error) = (self.feed.lines() + 1, IoError::from(&error));
                    self.shared.break_off(format!("{}:{line}: read error: {error}", self.name));
                    return self.end();
                }
            }
        }
    }

    fn add(&self, number: u64, origin: Origin) {
        if self.shared.window.is_closed() {
            return;
        }
        let job = Job {
            number,
            destination: origin.entry.destination.clone(),
            matches: settings::match_rules(&origin.entry.matches, self.level),
            pins: origin.entry.pins(self.level).unwrap_or_default(),
        };
        self.shared.origins().insert(number, origin);
        (self.give)(Input::Add(Box::new(job)));
    }

    /// What was given is finished.
    fn end(&self) {
        if !self.shared.window.is_closed() {
            (self.give)(Input::Stop(Stop::End));
        }
    }
}

/// Makes records and writes them.
struct Writer {
    shared: Arc<Shared>,
    give: Give,
    /// Holds records back, if they come in the order of the list.
    order: Option<Order<Vec<u8>>>,
    recorder: Recorder,
    out: file::LineFile,
    out_name: String,
    certificates: Option<String>,
}

impl Writer {
    fn run(mut self, head: Option<Vec<u8>>, reports: &Receiver<Box<Report>>) {
        let mut works = head.is_none_or(|head| self.write(&head));
        while let Ok(report) = reports.recv() {
            let Some(origin) = self.shared.origins().remove(&report.number) else { continue };
            let is_finished = report.outcome != Outcome::Stopped;
            if !is_finished {
                self.shared.progress().unfinished += 1;
            }
            let record = (works && is_finished).then(|| self.recorder.record(&report, &origin));
            let record = match record.transpose() {
                Ok(record) => record,
                Err(error) => {
                    let name = self.certificates.clone().unwrap_or_default();
                    works = self.fail(&name, &error);
                    None
                }
            };
            if record.is_some() {
                self.shared.progress().tally.add(&report);
            }
            let due = match &mut self.order {
                Some(order) => order.take(report.number, record),
                None => record.into_iter().collect(),
            };
            for line in due {
                works = works && self.write_record(&line);
            }
            self.shared.window.leave(1);
        }
        for line in self.order.as_mut().map(Order::rest).unwrap_or_default() {
            works = works && self.write_record(&line);
        }
        if works && let Err(error) = self.out.sync() {
            let name = mem::take(&mut self.out_name);
            self.fail(&name, &error);
        }
    }

    /// Writes a record; `false` if that fails.
    fn write_record(&mut self, line: &[u8]) -> bool {
        let written = self.write(line);
        self.shared.progress().written += u64::from(written);
        written
    }

    /// Writes a line; `false` if that fails.
    fn write(&mut self, line: &[u8]) -> bool {
        match self.out.write(line) {
            Ok(()) => true,
            Err(error) => {
                let name = self.out_name.clone();
                self.fail(&name, &error)
            }
        }
    }

    /// Nothing more can be written, so there is no use in going on.
    fn fail(&self, name: &str, error: &io::Error) -> bool {
        self.shared.break_off(format!("{name}: {}", IoError::from(error)));
        self.shared.window.close();
        (self.give)(Input::Stop(Stop::Now));
        false
    }
}

/// Shows how far it is, on the screen and in the file of metrics.
struct Ticker {
    shared: Arc<Shared>,
    metrics: Option<std::path::PathBuf>,
    began: Instant,
    /// When it began, in seconds since 1970.
    wall_time: u64,
}

/// How often the screen is brought up to date, and after how many times that the metrics are.
const TICK: Duration = Duration::from_millis(500);
const TICKS: u64 = 10;

impl Ticker {
    fn run(mut self, over: &Receiver<()>) {
        for tick in 0_u64.. {
            let is_over = over.recv_timeout(TICK) != Err(RecvTimeoutError::Timeout);
            let seconds = self.began.elapsed().as_secs_f64();
            let progress = self.shared.progress();
            let (done, failed) = (progress.tally.done(), progress.tally.failed());
            let passed = progress.tally.lines.get(feed::DONE).copied().unwrap_or_default();
            let in_hand = self.shared.window.open();
            let gauges = Gauges {
                began: self.wall_time,
                seconds,
                lines: progress.lines,
                in_hand,
                complete: is_over && is_complete(&progress),
            };
            let is_due = self.metrics.is_some() && (is_over || tick % TICKS == 0);
            let text = is_due.then(|| metrics::text(&progress.tally, &gauges));
            drop(progress);
            let lines = gauges.lines.saturating_sub(in_hand);
            self.shared.screen.show(lines, passed, done as f64 / seconds.max(0.001), failed);
            if let (Some(path), Some(text)) = (&self.metrics, text)
                && let Err(error) = metrics::write(path, &text)
            {
                let text = format!("{}: {}", path.display(), IoError::from(&error));
                self.shared.screen.say(&Message::warning(text));
                self.metrics = None;
            }
            if is_over {
                break;
            }
        }
    }
}
