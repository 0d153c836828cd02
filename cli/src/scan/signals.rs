//! Ctrl-C: the first stops new work, the second ends.

use std::io;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Calls `stop` for each signal that asks for the end, with how many there were before.
pub(crate) fn watch(mut stop: impl FnMut(usize) + Send + 'static) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let wait = move || signals.forever().enumerate().for_each(|(earlier, _)| stop(earlier));
    thread::Builder::new().name("signals".to_owned()).spawn(wait)?;
    Ok(())
}
