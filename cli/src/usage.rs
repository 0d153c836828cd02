//! Usage, help and version: what is shown instead of a probe.

use std::fmt::{self, Write};

use crate::flags::{Command, FLAGS, Flag, Group, Name, Take};
use crate::line::Line;
use crate::program::Program;

/// Why a command line cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum UsageError {
    UnknownLetter(char),
    MissingLetter(char),
    UnknownLong(String),
    MissingLong(String),
    NeedlessLong(String),
    /// The argument of `-o` has no equal sign.
    NotNameValue,
    NoDestination,
    /// An option that this command does not have.
    Elsewhere(String, Command),
    /// `scan` with more than one file.
    OneList,
    /// `replay` without a file.
    NoTrace,
    /// An option that decides what was recorded, or `--bless` with one that judges.
    NotForReplay,
}

/// The words of getopt(3), to stand behind the program's name; nothing where the usage says all.
impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownLetter(letter) => write!(f, "invalid option -- '{letter}'"),
            Self::MissingLetter(letter) => write!(f, "option requires an argument -- '{letter}'"),
            Self::UnknownLong(name) => write!(f, "unrecognized option '--{name}'"),
            Self::MissingLong(name) => write!(f, "option '--{name}' requires an argument"),
            Self::NeedlessLong(name) => write!(f, "option '--{name}' doesn't allow an argument"),
            Self::Elsewhere(option, Command::Scan) => {
                write!(f, "option '{option}' is not for scan")
            }
            Self::Elsewhere(option, Command::Probe | Command::Reference) => {
                write!(f, "option '{option}' is for scan only")
            }
            Self::OneList => f.write_str("scan: one FILE at most"),
            Self::NoTrace => f.write_str("replay: no trace"),
            Self::NotForReplay => {
                f.write_str("replay: only -l, -F, -P, -A, --webpki-roots and --match, or --bless")
            }
            Self::NotNameValue | Self::NoDestination => Ok(()),
        }
    }
}

/// Makes the lines for stderr: what is wrong, and the usage.
pub(crate) fn complaint(program: &Program, is_scan: bool, error: &UsageError) -> Vec<Line> {
    let mut lines = Vec::new();
    let words = error.to_string();
    if !words.is_empty() {
        lines.push(Line::bare(&format!("{}: {words}", program.as_called())));
    }
    let name = program.name();
    if is_scan {
        lines.push(Line::bare(&format!("usage: {name} scan [option ...] [file]")));
        lines.push(Line::bare(&format!("Try '{name} scan --help' for all options.")));
        return lines;
    }
    let [first, more @ ..] = USAGE;
    lines.push(Line::bare(&format!("usage: {} {first}", program.name())));
    lines.extend(more.map(Line::indented));
    if !program.is_posttls_finger() {
        lines.push(Line::bare(&format!("Try '{} --help' for all options.", program.name())));
    }
    lines
}

const USAGE: [&str; 5] = [
    r"[-acCfRSvwx] [-t conn_tmout] [-T cmd_tmout] [-L logopts] \",
    r"[-h host_lookup] [-l level] [-d mdalg] [-g grade] [-p protocols] \",
    r"[-A tafile] [-F CAfile.pem] [-P CApath/] [-s servername] \",
    r"[ [-H chainfiles] | [-k certfile [-K keyfile]] ] \",
    "[-m count] [-r delay] [-o name=value] destination [match ...]",
];

/// Name and version of this program.
pub(crate) const VERSION: &str = concat!("tlsfinger ", env!("CARGO_PKG_VERSION"));

/// Makes the text of `--version`.
pub(crate) fn version() -> String {
    format!("{VERSION}\n")
}

/// Makes the text of `--help`.
pub(crate) fn help(program: &Program) -> String {
    let name = program.name();
    let mut text = format!(
        "{name} shows how a mail server does TLS: it connects, says EHLO and\n\
         STARTTLS, judges the certificate and takes its leave.\n\n\
         usage: {name} [option ...] destination [match ...]\n\
         \x20      {name} scan [option ...] [file]   ({name} scan --help)\n\
         \x20      {name} replay file ...            ({name} replay --help)\n\n\
         destination   domain[:port], [host][:port]; with -S inet:host[:port], unix:path\n\
         match         name or fingerprint that the certificate must show\n"
    );
    describe_all(&mut text, |_| true);
    text
}

/// Makes the text of `scan --help`.
pub(crate) fn scan_help(program: &Program) -> String {
    let name = program.name();
    let mut text = format!(
        "{name} scan tells how the mail servers of many domains do TLS.\n\n\
         usage: {name} scan [option ...] [file]\n\n\
         file   the list; standard input if it is missing or -. A line has a domain, and\n\
         \x20      match arguments behind a tab; or is {{\"domain\":..,\"match\":..,\"id\":..}}.\n\n\
         A JSON document is written for each destination, in the order of the list.\n\
         status 0: each has one; 1: failed; 2: some lines are no destinations; 3: stopped\n"
    );
    describe_all(&mut text, |flag| flag.is_for(Command::Scan));
    text
}

fn describe_all(text: &mut String, is_wanted: impl Fn(&Flag) -> bool) {
    for group in Group::ALL {
        let _ = write!(text, "\n{}:\n", group.title());
        for flag in FLAGS.iter().filter(|flag| flag.group == group && is_wanted(flag)) {
            describe(text, flag);
        }
    }
}

/// Makes the text of `replay --help`.
pub(crate) fn replay_help(program: &Program) -> String {
    let name = program.name();
    format!(
        "{name} replay plays traces of --record again, without a network: it prints the same lines,\n\
         and fails at the first output that is not as recorded. Keep traces to yourself: whoever has\n\
         one can decrypt the recorded connections.\n\n\
         usage: {name} replay [--bless] file ...\n\
         \x20      {name} replay [-l level] [-F file] [-P directory] [-A file] [--webpki-roots]\n\
         \x20             [--match name] file ...\n\n\
         \x20 --bless       write today's outputs into the files; inputs stay as they are\n\
         \x20 --match name  a match argument; may be repeated\n\n\
         With options of the second kind, what was observed is judged again by them.\n\n\
         Where another version of the TLS library recorded, the plain text and facts of TLS in the\n\
         trace are played instead of its octets; standard error says which.\n"
    )
}

/// Columns in front of the explanations.
const INDENT: usize = 26;

/// Columns of the help.
const WIDTH: usize = 80;

fn describe(text: &mut String, flag: &Flag) {
    let argument = match flag.take {
        Take::Value(argument, _) => argument,
        Take::Nothing(_) | Take::Show(_) => "",
    };
    let head = match flag.name {
        Name::Letter(letter) => format!("  -{letter} {argument}"),
        Name::Long(name) => format!("  --{name} {argument}"),
    };
    let _ = write!(text, "{head:INDENT$}");
    if head.len() >= INDENT {
        let _ = write!(text, "\n{:INDENT$}", "");
    }
    let mut column = INDENT;
    let words = flag.help.split(' ').map(|word| (false, word));
    let more = flag.more.split_ascii_whitespace().enumerate().map(|(at, word)| (at == 0, word));
    for (new_line, word) in words.chain(more) {
        if new_line || column + 1 + word.len() > WIDTH {
            let _ = write!(text, "\n{:INDENT$}", "");
            column = INDENT;
        }
        if column > INDENT {
            text.push(' ');
            column += 1;
        }
        text.push_str(word);
        column += word.len();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaint_of_the_reference() {
        let program = Program::named("/usr/sbin/posttls-finger");
        let text = |error| -> String {
            let lines = complaint(&program, false, &error);
            lines.iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect()
        };
        let usage = "\
            usage: posttls-finger [-acCfRSvwx] [-t conn_tmout] [-T cmd_tmout] [-L logopts] \\\n\
            \t[-h host_lookup] [-l level] [-d mdalg] [-g grade] [-p protocols] \\\n\
            \t[-A tafile] [-F CAfile.pem] [-P CApath/] [-s servername] \\\n\
            \t[ [-H chainfiles] | [-k certfile [-K keyfile]] ] \\\n\
            \t[-m count] [-r delay] [-o name=value] destination [match ...]\n";
        assert_eq!(text(UsageError::NoDestination), usage);
        let missing = "/usr/sbin/posttls-finger: option requires an argument -- 'a'\n";
        assert_eq!(text(UsageError::MissingLetter('a')), format!("{missing}{usage}"));
    }

    #[test]
    fn usage_names_no_option_that_does_not_exist() {
        for group in USAGE.join(" ").split("[-").skip(1) {
            let letters = group.chars().take_while(char::is_ascii_alphanumeric);
            for letter in letters {
                assert!(Flag::by_letter(letter).is_some(), "{letter}");
            }
        }
    }

    #[test]
    fn help_shows_every_option_within_the_width() {
        let help = help(&Program::named("tlsfinger"));
        for flag in FLAGS {
            assert!(help.contains(flag.help.split(' ').next().unwrap()));
            let head = match flag.name {
                Name::Letter(letter) => format!("\n  -{letter} "),
                Name::Long(name) => format!("\n  --{name} "),
            };
            assert_eq!(help.matches(&head).count(), 1, "{head}");
        }
        assert!(help.lines().all(|line| line.len() <= WIDTH), "{help}");
    }
}
