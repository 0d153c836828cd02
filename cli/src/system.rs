//! What the system is asked before a run: its name, its files, the environment.

use std::env;
use std::fs::File;
use std::io::Read;

use crate::program::Program;
use crate::settings::System;

/// Asks the system.
pub(crate) fn ask(program: &Program) -> System {
    System {
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        services: || read("/etc/services"),
        resolv_conf: || read("/etc/resolv.conf"),
        mail_verbose: env::var_os("MAIL_VERBOSE").is_some(),
        posttls_finger: program.is_posttls_finger(),
    }
}

/// Octets read of a file of the system; the services(5) of a large one has 20,000.
const FILE: u64 = 1024 * 1024;

/// Reads a file of the system. One that is not there counts as empty.
fn read(path: &str) -> Vec<u8> {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE).read_to_end(&mut text));
    if read.is_ok() { text } else { Vec::new() }
}
