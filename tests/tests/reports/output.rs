//! Output that cannot be written: whatever it is, that is told, and no success.

use std::fs::{File, OpenOptions};
use std::process::{Command, Stdio};

use tlsfinger_tests::program;

use crate::outcomes::cause;

fn full_disk() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

fn closed_pipe() -> std::io::PipeWriter {
    std::io::pipe().unwrap().1
}

/// Runs a program and tells its status and its last line of errors.
fn run_to(mut command: Command, output: impl Into<Stdio>) -> (Option<i32>, String) {
    let done = command.stdout(output).stderr(Stdio::piped()).output().unwrap();
    let errors = String::from_utf8(done.stderr).unwrap();
    (done.status.code(), errors.lines().last().unwrap_or_default().to_owned())
}

const FULL: &str = "tlsfinger: write error: no storage space";
const CLOSED: &str = "tlsfinger: write error: broken pipe";

#[test]
fn pages() {
    let help = || {
        let mut command = Command::new(program::path());
        command.arg("--help");
        command
    };
    assert_eq!(run_to(help(), full_disk()), (Some(1), FULL.to_owned()));
    assert_eq!(run_to(help(), closed_pipe()), (Some(1), CLOSED.to_owned()));
}

#[test]
fn probes_that_succeed() {
    let failure = |options: &[&str]| if options == ["--nagios"] { Some(3) } else { Some(1) };
    for options in [&[][..], &["--explain"], &["--all"], &["--json"], &["--nagios"]] {
        let to = |output: Stdio| cause("DANE").run_by(options, |program| run_to(program, output));
        assert_eq!(to(full_disk().into()), (failure(options), FULL.to_owned()), "{options:?}");
        assert_eq!(to(closed_pipe().into()), (failure(options), CLOSED.to_owned()), "{options:?}");
    }
}
