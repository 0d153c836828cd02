//! Output that cannot be written.

use std::fs::OpenOptions;
use std::process::{Command, Stdio};

use tlsfinger_tests::program;

fn help_to(output: impl Into<Stdio>) -> (Option<i32>, String) {
    let mut command = Command::new(program::path());
    let done = command.arg("--help").stdout(output).stderr(Stdio::piped()).output().unwrap();
    (done.status.code(), String::from_utf8(done.stderr).unwrap())
}

#[test]
fn full_disk_is_an_error() {
    let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
    let (status, error) = help_to(full);
    assert_eq!(status, Some(1));
    assert_eq!(error, "tlsfinger: write error: no storage space\n");
}

#[test]
fn closed_pipe_is_an_error() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let (status, error) = help_to(writer);
    assert_eq!(status, Some(1));
    assert_eq!(error, "tlsfinger: write error: broken pipe\n");
}
