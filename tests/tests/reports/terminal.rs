//! Colours, and the hint for people, under a pseudo-terminal.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::outcomes::cause;

const RED: &str = "\u{1b}[31m";
const GREEN: &str = "\u{1b}[32m";

/// Runs a program whose output goes to a terminal, and tells what that shows.
fn on_terminal(mut program: Command) -> String {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    let stderr = terminal.try_clone().unwrap();
    let mut child = program.stdout(terminal).stderr(stderr).stdin(Stdio::null()).spawn().unwrap();
    // The command holds the terminal open as long as it lives.
    drop(program);
    let mut shown = Vec::new();
    let mut controller = File::from(controller);
    let mut buffer = [0; 4096];
    // Once the other side is closed, reading is an error.
    while let Ok(size @ 1..) = controller.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..size]);
    }
    child.wait().unwrap();
    String::from_utf8(shown).unwrap()
}

#[test]
fn colours_are_for_terminals() {
    let shown = cause("DANE").run_by(&["-c"], on_terminal);
    assert!(shown.contains(&format!("{GREEN}tlsfinger: Verified TLS connection")), "{shown}");
    let shown = cause("no CA").run_by(&["-c"], on_terminal);
    assert!(shown.contains(&format!("{RED}tlsfinger: Untrusted TLS connection")), "{shown}");

    let piped = cause("DANE").run(&["--explain"]);
    assert!(!piped.stdout.contains(&0x1b) && !piped.stderr.contains(&0x1b));
    let no_color = |mut program: Command| {
        program.env("NO_COLOR", "1");
        on_terminal(program)
    };
    assert!(!cause("DANE").run_by(&[], no_color).contains('\u{1b}'));
    assert!(!cause("DANE").run_by(&["--color=never"], on_terminal).contains('\u{1b}'));
    assert!(cause("DANE").run(&["--color=always"]).stdout.contains(&0x1b));
    // A document stays one, whatever it is written to.
    assert!(!cause("DANE").run_by(&["--json", "--color=always"], on_terminal).contains('\u{1b}'));
}

#[test]
fn hint_tells_how_to_trust_a_ca() {
    let hint = "hint: no CA is trusted; use -F file, -P directory or --webpki-roots";
    assert!(cause("no CA").run_by(&[], on_terminal).contains(hint));
    assert!(!cause("wrong name").run_by(&[], on_terminal).contains(hint));
    assert!(cause("no CA").run(&[]).stderr.is_empty());
}
