//! The manual page and the completions of shells, made from the table of options.
//!
//! They are committed in `cli/share`, for packagers; a test tells when they are out of date. To write
//! them anew: `UPDATE=1 cargo test -p tlsfinger pages`.

use std::fmt::Write;
use std::path::Path;

use crate::flags::{FLAGS, Flag, Group, Name, Take};

/// What the manual says besides the options.
const DESCRIPTION: &str = "\
.B tlsfinger
connects to a mail server, says EHLO and STARTTLS, judges the certificate by the policy that was
chosen, and takes its leave. It finds the servers of a domain by MX or SRV records, and those of
.RI [ host ]
by address. It tells what happens in the lines of
.BR posttls-finger (1);
run under that name it takes only that program's options.
.PP
What follows the destination are names that the certificate must show at the levels
.B verify
and
.BR secure ,
or digests at the level
.BR fingerprint .
.PP
.B tlsfinger scan
reads a list of destinations, one on a line, and writes a JSON document for each, in the order of the
list. A line may have match arguments behind a tab, or be an object with
.BR domain ,
.B match
and
.BR id .
Mail servers are visited once, whoever shares them, and two connections at a time are made to one
address. The first Ctrl\\-C stops new work, the second ends.
.PP
.B tlsfinger replay
tells again what
.B \\-\\-record
wrote down.";

const REST: &str = "\
.SH EXIT STATUS
0 if the probe ran, whatever it found out; 1 after wrong usage or a fatal error. With
.B \\-\\-exit\\-code
and
.B \\-\\-nagios
the status tells more, as described there.
.PP
That of
.B tlsfinger scan
is 0 if every destination has its record, whatever it says; 1 after wrong usage or a fatal error; 2 if
every destination has its record but some lines are no destinations; 3 if it was stopped before.
.SH ENVIRONMENT
.TP
.B MAIL_CONFIG
Directory of main.cf; /etc/postfix if unset.
.TP
.B MAIL_VERBOSE
Counts as one more
.BR \\-v .
.TP
.B NO_COLOR
No colours, unless
.BR \\-\\-color=always .
.SH SEE ALSO
.BR posttls\\-finger (1),
RFC 3207, RFC 6698, RFC 7672, RFC 8460";

fn manual() -> String {
    let mut page = format!(
        ".\\\" Made from the table of options by cli/src/pages.rs.\n\
         .TH TLSFINGER 1 \"\" \"tlsfinger {}\"\n\
         .SH NAME\ntlsfinger \\- show how a mail server does TLS\n\
         .SH SYNOPSIS\n.B tlsfinger\n.RI [ option \" ...] \" destination \" [\" match \" ...]\"\n\
         .br\n.B tlsfinger scan\n.RI [ option \" ...] [\" file ]\n\
         .br\n.B tlsfinger replay\n.RI [ option \" ...] \" file \" ...\"\n\
         .SH DESCRIPTION\n{DESCRIPTION}\n.SH OPTIONS\n",
        env!("CARGO_PKG_VERSION")
    );
    for group in Group::ALL {
        let _ = writeln!(page, ".SS {}", group.title());
        for flag in FLAGS.iter().filter(|flag| flag.group == group) {
            let name = roff(&spelling(flag));
            let _ = match argument(flag) {
                "" => writeln!(page, ".TP\n.B {name}"),
                argument => writeln!(page, ".TP\n.BI {name} \" {}\"", roff(argument)),
            };
            let _ = writeln!(page, "{}.", roff(flag.help));
            if !flag.more.is_empty() {
                let _ = writeln!(page, "{}", roff(flag.more));
            }
        }
    }
    page + REST + "\n"
}

/// Escapes what roff takes for more than text.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-");
    // A dot or apostrophe at the start of a line would be a request.
    match text.starts_with(['.', '\'']) {
        true => format!("\\&{text}"),
        false => text,
    }
}

fn spelling(flag: &Flag) -> String {
    match flag.name {
        Name::Letter(letter) => format!("-{letter}"),
        Name::Long(name) => format!("--{name}"),
    }
}

fn argument(flag: &Flag) -> &'static str {
    match flag.take {
        Take::Value(argument, _) => argument,
        Take::Nothing(_) | Take::Show(_) => "",
    }
}

/// What can stand for an option's argument.
enum Candidates {
    Words(Vec<&'static str>),
    Files,
    Directories,
    Anything,
}

fn candidates(flag: &Flag) -> Candidates {
    match argument(flag) {
        "level" => Candidates::Words(
            "none may encrypt fingerprint dane dane-only verify secure".split(' ').collect(),
        ),
        "grade" => Candidates::Words(vec!["high", "medium", "null"]),
        "file" | "files" => Candidates::Files,
        "directory" => Candidates::Directories,
        words if words.contains('|') => Candidates::Words(words.split('|').collect()),
        _ => Candidates::Anything,
    }
}

fn bash() -> String {
    let mut script = "# Made from the table of options by cli/src/pages.rs.\n_tlsfinger() {\n    \
                      local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}\n    \
                      case $before in\n"
        .to_owned();
    for flag in FLAGS.iter().filter(|flag| !argument(flag).is_empty()) {
        let action = match candidates(flag) {
            Candidates::Words(words) => format!("compgen -W '{}' -- \"$word\"", words.join(" ")),
            Candidates::Files => "compgen -f -- \"$word\"".to_owned(),
            Candidates::Directories => "compgen -d -- \"$word\"".to_owned(),
            Candidates::Anything => ":".to_owned(),
        };
        let _ = writeln!(
            script,
            "        {}) mapfile -t COMPREPLY < <({action}); return ;;",
            spelling(flag)
        );
    }
    let all: Vec<_> = FLAGS.iter().map(spelling).collect();
    let _ = write!(
        script,
        "    esac\n    if [[ $word == -* ]]; then\n        \
         mapfile -t COMPREPLY < <(compgen -W '{}' -- \"$word\")\n    fi\n}}\n\
         complete -F _tlsfinger tlsfinger\n",
        all.join(" ")
    );
    script
}

fn zsh() -> String {
    let mut script =
        "#compdef tlsfinger\n# Made from the table of options by cli/src/pages.rs.\n_arguments -s \\\n"
            .to_owned();
    for flag in FLAGS {
        let help = flag.help.replace('\'', "'\\''").replace(['[', ']', ':'], " ");
        let action = match (argument(flag), candidates(flag)) {
            ("", _) => String::new(),
            (_, Candidates::Words(words)) => format!(":value:({})", words.join(" ")),
            (_, Candidates::Files) => ":file:_files".to_owned(),
            (_, Candidates::Directories) => ":directory:_files -/".to_owned(),
            (_, Candidates::Anything) => ":value:".to_owned(),
        };
        let _ = writeln!(script, "    '*{}[{help}]{action}' \\", spelling(flag));
    }
    script + "    '1:destination:_hosts' \\\n    '*:match:'\n"
}

fn fish() -> String {
    let mut script =
        "# Made from the table of options by cli/src/pages.rs.\ncomplete -c tlsfinger -f\n"
            .to_owned();
    for flag in FLAGS {
        let name = match flag.name {
            Name::Letter(letter) => format!("-s {letter}"),
            Name::Long(name) => format!("-l {name}"),
        };
        let action = match (argument(flag), candidates(flag)) {
            ("", _) => String::new(),
            (_, Candidates::Words(words)) => format!(" -x -a '{}'", words.join(" ")),
            (_, Candidates::Files) => " -r -F".to_owned(),
            (_, Candidates::Directories) => " -x -a '(__fish_complete_directories)'".to_owned(),
            (_, Candidates::Anything) => " -x".to_owned(),
        };
        let help = flag.help.replace('\'', "\\'");
        let _ = writeln!(script, "complete -c tlsfinger {name}{action} -d '{help}'");
    }
    script
}

#[test]
fn committed_pages_are_up_to_date() {
    let share = Path::new(env!("CARGO_MANIFEST_DIR")).join("share");
    for (name, text) in [
        ("tlsfinger.1", manual()),
        ("tlsfinger.bash", bash()),
        ("_tlsfinger", zsh()),
        ("tlsfinger.fish", fish()),
    ] {
        let path = share.join(name);
        if std::env::var_os("UPDATE").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let committed = std::fs::read_to_string(&path).unwrap_or_default();
        let what = "run: UPDATE=1 cargo test -p tlsfinger pages";
        assert!(committed == text, "{} is out of date; {what}", path.display());
    }
}
