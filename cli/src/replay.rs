//! `tlsfinger replay FILE...`: a recorded run again, without a network.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use tlsfinger_core::Notice;
use tlsfinger_core::config::{Config, Level};
use tlsfinger_core::judge::{Exactness, LinkCache, judge_again, judge_flight};
use tlsfinger_core::report::{Event, Grounds, Report, ScoutCause, Scouted, Session};
use tlsfinger_core::trace::{Fidelity, Trace, TraceError};

use crate::complain;
use crate::enumerated;
use crate::flags::{self, Asked, Command, Page, Refusal};
use crate::line::{Line, Message};
use crate::options::Options;
use crate::printer::Printer;
use crate::program::Program;
use crate::record;
use crate::run::{Teller, waits};
use crate::settings::{self, SettingError, System};
use crate::status::status_of_the_reference;
use crate::text::Narrator;
use crate::usage::{self, UsageError};
use crate::waits::Waits;

/// What `replay` is asked for.
#[derive(Debug)]
struct Wish {
    /// Rewrite what is expected.
    bless: bool,
    /// Judge by these options instead of the recorded ones.
    policy: Option<Options>,
    files: Vec<OsString>,
}

/// Obeys the command line behind the word `replay`.
pub(crate) fn obey<W: Write>(
    program: &Program,
    arguments: impl Iterator<Item = OsString>,
    system: &System,
    printer: &mut Printer<W>,
) -> Result<ExitCode, Refusal> {
    let Some(wish) = wish(arguments)? else {
        printer.show(&usage::replay_help(program));
        return Ok(ExitCode::SUCCESS);
    };
    let mut status = ExitCode::SUCCESS;
    for file in &wish.files {
        let path = Path::new(file);
        let text = (system.read)(path).map_err(SettingError::File)?.text;
        let name = path.display();
        let text = String::from_utf8(text)
            .map_err(|_| SettingError::Trace(name.to_string(), "not UTF-8".to_owned()))?;
        let trace = Trace::parse(&text).map_err(|error: TraceError| {
            SettingError::Trace(name.to_string(), error.to_string())
        })?;
        let (ended, difference) = match &wish.policy {
            None => tell_again(&trace, printer),
            Some(_) if trace.header().enumerating.is_some() => {
                let why = "nothing in an enumeration is judged by a policy".to_owned();
                return Err(SettingError::Trace(name.to_string(), why).into());
            }
            Some(policy) => {
                let config = settings::judge_by(policy, &trace.header().config, system, printer)?;
                judge(&trace, &config, policy.level.is_some(), printer)
            }
        };
        complain(&Line::bare(&format!("{name}: {}", fidelity(&trace))));
        match difference {
            None => status = ended,
            Some((_, again)) if wish.bless => {
                fs::write(path, again)
                    .map_err(|error| SettingError::Trace(name.to_string(), error.to_string()))?;
            }
            Some((difference, _)) => {
                difference.lines().enumerate().for_each(|(number, line)| {
                    let head = if number == 0 { format!("{name}: ") } else { String::new() };
                    complain(&Line::bare(&format!("{head}{line}")));
                });
                status = ExitCode::FAILURE;
            }
        }
    }
    Ok(status)
}

/// What an output that differs looks like, and the trace as it is now.
type Difference = Option<(String, String)>;

/// Tells what was told when the trace was recorded.
fn tell_again<W: Write>(trace: &Trace<'_>, printer: &mut Printer<W>) -> (ExitCode, Difference) {
    let (settings, notes) = record::settings(trace.header());
    printer.set_charset(settings.show.charset);
    notes.iter().for_each(|note| printer.say(note));
    let mut teller = Teller::new(&settings, &record::program(trace.header()), None);
    let printer = RefCell::new(printer);
    let explains = teller.explains_waits;
    let wrap = |machine| Waits::of(machine, waits(explains, &printer));
    let played = trace.play_with(trace.fidelity(), wrap, |notice| {
        teller.tell(notice, &mut printer.borrow_mut());
    });
    if let Some(report) = &teller.report {
        enumerated::tables(report, *printer.borrow_mut());
    }
    let status = teller.report.as_deref().map_or(0, status_of_the_reference).into();
    (status, played.difference.map(|difference| (difference.to_string(), played.text)))
}

/// Says how far the TLS of a trace was repeated.
fn fidelity(trace: &Trace<'_>) -> String {
    match (trace.fidelity(), trace.header().other_rustls()) {
        (Fidelity::Wire, None) => "replayed by the octets of TLS".to_owned(),
        (Fidelity::Wire, Some(recorded)) => format!(
            "replayed by the octets of TLS, although recorded with rustls {recorded}: the plain \
             text is not in it"
        ),
        (Fidelity::Tunnel, recorded) => format!(
            "replayed by the plain text and facts of TLS, because recorded with rustls {}",
            recorded.unwrap_or_default()
        ),
    }
}

/// Judges what was observed by another policy.
fn judge<W: Write>(
    trace: &Trace<'_>,
    config: &Config,
    other_level: bool,
    printer: &mut Printer<W>,
) -> (ExitCode, Difference) {
    let mut report = None;
    let played = trace.play(|notice| {
        if let Notice::Report(finished) = notice {
            report = Some(finished);
        }
    });
    let (settings, _) = record::settings(trace.header());
    let settings = settings::Settings { config: config.clone(), ..settings };
    let mut narrator = Narrator::new(&settings, &record::program(trace.header()));
    let sessions =
        report.as_deref().map(|report: &Report| &report.sessions[..]).unwrap_or_default();
    let mut links = LinkCache::default();
    // A level of DANE stands for the one that its records led to.
    let (is_dane, was_dane) = (is_dane(config.level), is_dane(trace.header().config.level));
    let level_of = |grounds: &Grounds| match !other_level || is_dane && was_dane {
        true => grounds.level,
        false => config.level,
    };
    for Session { observation, grounds, scouted, .. } in sessions {
        let scouted =
            scouted.as_deref().and_then(|it| Some((it, it.agreed()?, it.grounds.as_ref()?)));
        if observation.tls.is_none() && scouted.is_none() {
            printer.say(&Message::info(format!("{}: there was no TLS", observation.peer)));
        }
        let mut tell = |event: Event, level: Level, exactness| {
            narrator.tell(&event, &mut |message| printer.say(&message));
            let worth = match exactness {
                Exactness::Exact if is_dane && !was_dane => {
                    "not exact: no TLSA records were looked up"
                }
                Exactness::Exact => "exact: the same would have been offered",
                Exactness::OtherOffer => "not exact: something else would have been offered",
            };
            let (peer, level) = (&observation.peer, level.word());
            printer.say(&Message::info(format!("{peer}: judged again at level {level}, {worth}")));
        };
        if let (Some(facts), Some(grounds)) = (&observation.tls, grounds) {
            let level = level_of(grounds);
            let again = judge_again(
                observation,
                &config.policy,
                level,
                &grounds.tlsa,
                &grounds.names,
                grounds.time,
                &mut links,
            );
            if let Some((verdict, exactness)) = again {
                let event = Event::Judged(observation.peer.clone(), facts.clone(), verdict.into());
                tell(event, level, exactness);
            }
        }
        let asks = |it: &Scouted, grounds: &Grounds| {
            it.cause != ScoutCause::MaybeAnonymous || level_of(grounds) <= Level::Encrypt
        };
        if let Some((scouted, flight, grounds)) = scouted.filter(|it| asks(it.0, it.2)) {
            let (level, policy) = (level_of(grounds), &config.policy);
            let Grounds { tlsa, names, time, .. } = &**grounds;
            let verdict = judge_flight(flight, policy, level, tlsa, names, *time, &mut links);
            let again = Scouted { verdict: verdict.map(Arc::new), ..scouted.clone() };
            // Anonymous suites are asked for at the lower levels.
            let same = (level <= Level::Encrypt) == (grounds.level <= Level::Encrypt);
            let exactness = if same { Exactness::Exact } else { Exactness::OtherOffer };
            tell(Event::Scouted(observation.peer.clone(), again.into()), level, exactness);
        }
    }
    let status = report.as_deref().map_or(0, status_of_the_reference).into();
    (status, played.difference.map(|difference| (difference.to_string(), played.text)))
}

fn is_dane(level: Level) -> bool {
    matches!(level, Level::HalfDane | Level::Dane | Level::DaneOnly)
}

/// Reads the command line; `None` asks for help.
fn wish(arguments: impl Iterator<Item = OsString>) -> Result<Option<Wish>, Refusal> {
    let (mut bless, mut matches, mut rest) = (false, Vec::new(), Vec::new());
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        if argument == "--bless" {
            bless = true;
        } else if argument == "--match" {
            let missing = Refusal::Usage(UsageError::MissingLong("match".to_owned()));
            matches.push(arguments.next().ok_or(missing)?);
        } else {
            let ends = argument == "--";
            rest.push(argument);
            if ends {
                rest.extend(arguments);
                break;
            }
        }
    }
    let mut options = match flags::parse(rest, Command::Probe)? {
        Asked::Probe(options) => *options,
        Asked::Page(Page::Help | Page::Version) => return Ok(None),
    };
    let files = std::mem::replace(&mut options.operands, matches);
    let Options { level, ca_file, ca_path, webpki_roots, trust_anchors, operands, .. } =
        options.clone();
    let usable = Options {
        level,
        ca_file,
        ca_path,
        webpki_roots,
        trust_anchors,
        operands,
        ..Options::default()
    };
    if options != usable {
        return Err(Refusal::Usage(UsageError::NotForReplay));
    }
    if files.is_empty() {
        return Err(Refusal::Usage(UsageError::NoTrace));
    }
    let policy = (options != Options::default()).then_some(options);
    if bless && policy.is_some() {
        return Err(Refusal::Usage(UsageError::NotForReplay));
    }
    Ok(Some(Wish { bless, policy, files }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Option<Wish>, Refusal> {
        wish(words.iter().map(OsString::from))
    }

    #[test]
    fn command_lines() {
        let plain = read(&["--bless", "a", "b"]).unwrap().unwrap();
        assert!(plain.bless && plain.policy.is_none());
        assert_eq!(plain.files, ["a", "b"]);
        let anew = read(&["-l", "secure", "--match", "x", "-F", "f", "a"]).unwrap().unwrap();
        let policy = anew.policy.unwrap();
        assert_eq!(
            (policy.level.as_deref(), &policy.operands[..]),
            (Some("secure"), &["x".into()][..])
        );
        assert_eq!(anew.files, ["a"]);
        assert!(read(&["--help"]).unwrap().is_none());
        for (words, error) in [
            (&["-lmay"][..], UsageError::NoTrace),
            (&["-r1", "a"], UsageError::NotForReplay),
            (&["--bless", "-lmay", "a"], UsageError::NotForReplay),
            (&["a", "--match"], UsageError::MissingLong("match".to_owned())),
        ] {
            assert_eq!(read(words).unwrap_err(), Refusal::Usage(error), "{words:?}");
        }
    }
}
