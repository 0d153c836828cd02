//! What the system is asked before a run: its name, its list of services, the environment.

use std::env;
use std::fs::File;
use std::io::Read;

use crate::settings::System;

/// Asks the system.
pub(crate) fn ask() -> System {
    System {
        host_name: rustix::system::uname().nodename().to_string_lossy().into_owned(),
        services,
        mail_verbose: env::var_os("MAIL_VERBOSE").is_some(),
    }
}

/// Octets read of services(5); the file of a large system has 20,000.
const SERVICES: u64 = 1024 * 1024;

/// Reads services(5). A system without that file knows no services.
fn services() -> Vec<u8> {
    let mut text = Vec::new();
    let file = File::open("/etc/services");
    let read = file.and_then(|file| file.take(SERVICES).read_to_end(&mut text));
    if read.is_ok() { text } else { Vec::new() }
}
