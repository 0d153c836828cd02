//! The recorded handshakes of `tests/traces`: how they were made, and what of them is kept.

use std::time::Duration;

use tlsfinger_core::config::{Config, Reuse};

use crate::setting;

/// One recorded run.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    /// The file in `tests/traces`.
    pub file: &'static str,
    /// Arguments of `tests/traces/server.py`: version, curve, key, connections.
    pub server: [&'static str; 4],
}

/// All of them.
pub const ALL: [Trace; 5] = [
    Trace { file: "tls12.trace", server: ["1.2", "X25519", "prime256v1", "1"] },
    Trace { file: "tls13.trace", server: ["1.3", "X25519", "rsa:2048", "1"] },
    Trace { file: "tls13-retry.trace", server: ["1.3", "secp384r1", "secp384r1", "1"] },
    Trace { file: "tls12-reuse.trace", server: ["1.2", "prime256v1", "prime256v1", "2"] },
    Trace { file: "tls13-reuse.trace", server: ["1.3", "X25519", "prime256v1", "2"] },
];

impl Trace {
    /// Makes the configuration of the run.
    pub fn config(&self) -> Config {
        let reuse = Reuse { delay: Duration::from_secs(1), limit: 1 };
        Config { reuse: (self.server[3] == "2").then_some(reuse), ..setting::config() }
    }
}

/// Keeps what crossed the wire: the inputs, and the outputs for the transports. What is told
/// about it may change its form at any time.
pub fn wire(trace: &str) -> String {
    let is_wire = |line: &&str| {
        let word = line.split(' ').nth(1).unwrap_or_default();
        let output = line.split(' ').nth(2).unwrap_or_default();
        word == "<" || (word == ">" && ["open", "send", "close", "find"].contains(&output))
    };
    trace.lines().filter(is_wire).map(|line| format!("{line}\n")).collect()
}
