//! tlsfinger: how a mail server does TLS, told by asking it.

mod flags;
mod line;
mod log;
mod options;
mod program;
mod settings;
mod usage;

fn main() {}
