//! What the command line says, as it stands there: nothing read, nothing checked against the rest.

use std::ffi::OsString;
use std::path::PathBuf;

use tlsfinger_core::config::{DnssecTrust, InsecureMx};
use tlsfinger_core::resolve::NameServer;

use crate::scan::columns::Columns;
use crate::scan::list::Shard;

/// Every option's value and the operands. Of options with a list the field keeps all values, of
/// the others the last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `-a`
    pub(crate) family: Option<String>,
    /// `-A`
    pub(crate) trust_anchors: Vec<PathBuf>,
    /// `-c`
    pub(crate) without_chat: bool,
    /// `-C`
    pub(crate) show_chain: bool,
    /// `-d`
    pub(crate) digest: Option<String>,
    /// `-f`
    pub(crate) force_tlsa: bool,
    /// `-F`
    pub(crate) ca_file: Option<PathBuf>,
    /// `-g`
    pub(crate) grade: Option<String>,
    /// `-h`
    pub(crate) lookup: Option<String>,
    /// `-H`
    pub(crate) chain_files: Vec<String>,
    /// `-k`
    pub(crate) certificate_file: Option<PathBuf>,
    /// `-K`
    pub(crate) key_file: Option<PathBuf>,
    /// `-l`
    pub(crate) level: Option<String>,
    /// `-L`
    pub(crate) log: Option<String>,
    /// `-m`
    pub(crate) reconnects: Option<i32>,
    /// `-M`
    pub(crate) insecure_mx: Option<InsecureMx>,
    /// `-o`
    pub(crate) parameters: Vec<(String, String)>,
    /// `-p`
    pub(crate) protocols: Option<String>,
    /// `-P`
    pub(crate) ca_path: Option<PathBuf>,
    /// `-r`
    pub(crate) reconnect_delay: Option<i32>,
    /// `-R`
    pub(crate) srv: bool,
    /// `-s`
    pub(crate) server_name: Option<String>,
    /// `-S`
    pub(crate) lmtp: bool,
    /// `-t`
    pub(crate) connect_timeout: Option<i32>,
    /// `-T`
    pub(crate) command_timeout: Option<i32>,
    /// `-v`
    pub(crate) verbose: u32,
    /// `-w`
    pub(crate) wrapper: bool,
    /// `-x`
    pub(crate) raw_public_keys: bool,
    /// `-X`
    pub(crate) tlsproxy: bool,
    /// `--webpki-roots`
    pub(crate) webpki_roots: bool,
    /// `--resolver`
    pub(crate) resolver: Option<NameServer>,
    /// `--dnssec`
    pub(crate) dnssec: Option<DnssecTrust>,
    /// `--trust-anchor`
    pub(crate) trust_anchor: Option<PathBuf>,
    /// `--record`
    pub(crate) record: Option<PathBuf>,
    /// `--runtime`
    pub(crate) runtime: Runtime,
    /// `--all`
    pub(crate) all: bool,
    /// `--enumerate`
    pub(crate) enumerate: bool,
    /// `--pause`
    pub(crate) pause: Option<u32>,
    /// `--json`
    pub(crate) json: bool,
    /// `--exit-code`
    pub(crate) exit_code: bool,
    /// `--nagios`
    pub(crate) nagios: bool,
    /// `--warn-days`
    pub(crate) warn_days: Option<u32>,
    /// `--critical-days`
    pub(crate) critical_days: Option<u32>,
    /// `--explain`
    pub(crate) explain: bool,
    /// `--hygiene`
    pub(crate) hygiene: bool,
    /// `--color`
    pub(crate) color: Color,
    /// What only a scan knows.
    pub(crate) scan: ScanOptions,
    /// Destination and match arguments.
    pub(crate) operands: Vec<OsString>,
}

/// Options of `tlsfinger scan`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ScanOptions {
    /// `--concurrency`
    pub(crate) concurrency: Option<u32>,
    /// `--rate`
    pub(crate) rate: Option<u32>,
    /// `--per-host`
    pub(crate) per_host: Option<u32>,
    /// `--timeout-total`
    pub(crate) timeout_total: Option<u32>,
    /// `--retry-pause`
    pub(crate) retry_pause: Option<u32>,
    /// `--first`
    pub(crate) first: bool,
    /// `--no-share`
    pub(crate) no_share: bool,
    /// `--blocklist`
    pub(crate) blocklists: Vec<PathBuf>,
    /// `--shard`
    pub(crate) shard: Option<Shard>,
    /// `--unordered`
    pub(crate) unordered: bool,
    /// `--csv`
    pub(crate) csv: bool,
    /// `--columns`
    pub(crate) columns: Option<Columns>,
    /// `--certificates`
    pub(crate) certificates: Option<PathBuf>,
    /// `--resume`
    pub(crate) resume: Option<PathBuf>,
    /// `--metrics`
    pub(crate) metrics: Option<PathBuf>,
}

/// When lines are in colour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Color {
    /// On a terminal, unless the environment says otherwise.
    #[default]
    Auto,
    Always,
    Never,
}

/// The driver that runs a probe.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Runtime {
    #[default]
    Blocking,
    Smol,
}
