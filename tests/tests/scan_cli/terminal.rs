//! What people see while a scan runs.

use std::fs::{File, OpenOptions};
use std::io::Read;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::Site;

/// Makes a pseudo-terminal; tells its two ends, that of whoever looks at it first.
pub(crate) fn terminal() -> (File, File) {
    let controller = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&controller).unwrap();
    unlockpt(&controller).unwrap();
    let path = ptsname(&controller, Vec::new()).unwrap();
    let terminal = OpenOptions::new().read(true).write(true).open(path.to_str().unwrap()).unwrap();
    (File::from(controller), terminal)
}

#[test]
fn progress_is_for_terminals() {
    let site = Site::with_servers(3);
    let list = site.file("list", format!("{}\na..b\n", site.domain("mute", 1)));
    let (mut controller, terminal) = terminal();
    let mut command = site.command(&["-t2", &list]);
    let mut child = command.stderr(terminal).spawn().unwrap();
    // The command holds the terminal open as long as it lives.
    drop(command);
    let (mut shown, mut buffer) = (Vec::new(), [0; 4096]);
    // Once the other side is closed, reading is an error.
    while let Ok(size @ 1..) = controller.read(&mut buffer) {
        shown.extend_from_slice(&buffer[..size]);
    }
    assert_eq!(child.wait().unwrap().code(), Some(2));
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.contains(" of 2 lines, "), "{shown}");
    assert!(shown.contains("list:2: valid hostname"), "{shown}");

    let piped = site.scan(&["-t1", &list]);
    assert!(!piped.errors.contains(" of 2 lines") && !piped.errors.contains('\u{1b}'));
}
