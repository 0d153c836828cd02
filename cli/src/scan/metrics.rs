//! Numbers for Prometheus: a file that is there as a whole or not at all.

use std::fmt::Write;
use std::fs;
use std::io;
use std::path::Path;

use super::tally::Tally;

/// What else there is to know of a scan.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Gauges {
    /// When it began, in seconds since 1970.
    pub(crate) began: u64,
    /// How long it has been running, in seconds.
    pub(crate) seconds: f64,
    /// Lines that were read.
    pub(crate) lines: u64,
    /// Destinations that have no record yet.
    pub(crate) in_hand: u64,
    /// It is over, and every destination has its record.
    pub(crate) complete: bool,
}

/// Makes the text.
pub(crate) fn text(tally: &Tally, gauges: &Gauges) -> String {
    let mut text = format!(
        "# HELP tlsfinger_scan_info The program.\n# TYPE tlsfinger_scan_info gauge\n\
         tlsfinger_scan_info{{version=\"{}\"}} 1\n",
        env!("CARGO_PKG_VERSION")
    );
    let Gauges { began, seconds, lines, in_hand, complete } = gauges;
    let complete = u8::from(*complete);
    let mut gauge = |name: &str, help: &str, value: String| {
        let _ = writeln!(text, "# HELP tlsfinger_scan_{name} {help}");
        let _ = writeln!(text, "# TYPE tlsfinger_scan_{name} gauge");
        let _ = writeln!(text, "tlsfinger_scan_{name} {value}");
    };
    gauge("start_time_seconds", "When the scan began.", began.to_string());
    gauge("running_seconds", "How long it has been running.", format!("{seconds:.3}"));
    gauge("lines_read", "Lines of the list that were read.", lines.to_string());
    gauge("in_hand", "Destinations that have no record yet.", in_hand.to_string());
    gauge("complete", "Every destination has its record.", complete.to_string());
    tally.metrics(&mut text);
    text
}

/// Writes the file.
pub(crate) fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    fs::write(&new, text).and_then(|()| fs::rename(&new, path)).inspect_err(|_| {
        let _ = fs::remove_file(&new);
    })
}
