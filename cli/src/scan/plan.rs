//! From options to what a scan does.

use std::collections::HashSet;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tlsfinger_blocking::raise_descriptor_limit;
use tlsfinger_core::IoError;
use tlsfinger_core::config::{Blocklist, ScanConfig, ScanLimits};

use super::columns::Columns;
use super::feed::{self, Choice, Done};
use super::file::LineFile;
use super::lines::Lines;
use super::list;
use super::record::{self, Certificates, Recorder};
use crate::flags::Refusal;
use crate::line::Message;
use crate::options::{Options, Runtime, ScanOptions};
use crate::settings::{self, SettingError, System};
use crate::usage::UsageError;

/// Everything that a scan needs.
pub(crate) struct Plan {
    pub(crate) config: ScanConfig,
    pub(crate) runtime: Runtime,
    pub(crate) choice: Choice,
    /// How the list is called in messages.
    pub(crate) list_name: String,
    pub(crate) list: BufReader<Box<dyn Read + Send>>,
    /// How many lines it has, if known.
    pub(crate) lines: Option<u64>,
    pub(crate) ordered: bool,
    pub(crate) recorder: Recorder,
    /// Where the certificates go.
    pub(crate) certificates: Option<PathBuf>,
    /// The first line of the output.
    pub(crate) head: Option<Vec<u8>>,
    pub(crate) out: LineFile,
    /// How the output is called in messages; the standard output has no name.
    pub(crate) out_name: Option<String>,
    pub(crate) metrics: Option<PathBuf>,
}

/// Descriptors for other things than transports: files, threads' wake-ups.
const OWN_DESCRIPTORS: usize = 32;

impl Plan {
    pub(crate) fn new(
        options: &Options,
        system: &System,
        notes: &mut Vec<Message>,
    ) -> Result<Self, Refusal> {
        let list = match options.operands.as_slice() {
            [] => None,
            [list] => Some(Path::new(list)),
            _ => return Err(Refusal::Usage(UsageError::OneList)),
        };
        let scan = &options.scan;
        let columns = match (scan.csv, &scan.columns) {
            (true, columns) => Some(columns.clone().unwrap_or_default()),
            (false, None) => None,
            (false, Some(_)) => return Err(SettingError::ColumnsWithoutCsv.into()),
        };
        let (settings, ports) = settings::for_list(options, system, notes)?;
        let limits = limits(scan, options.pause, notes);
        let blocklist = blocklist(&scan.blocklists)?;
        let config = ScanConfig { probe: settings.config, limits, blocklist };
        let (dialect, level) = (config.probe.dialect, config.probe.level);
        let list_name = match list {
            Some(path) if path != "-" => path.display().to_string(),
            Some(_) | None => "standard input".to_owned(),
        };
        let (source, lines) = feed::open(list).map_err(|error| file_error(&list_name, &error))?;
        let mut head = columns.as_ref().map(Columns::head);
        let (mut done, mut is_new) = (HashSet::new(), true);
        let (out, out_name) = match &scan.resume {
            None => (LineFile::of(io::stdout()), None),
            Some(path) => {
                let identity = columns
                    .as_ref()
                    .map(|columns| columns.identity().ok_or(SettingError::CsvAndResume));
                let identity = identity.transpose()?;
                let key = |line: &[u8]| match identity {
                    Some(identity) => identity.read(line),
                    None => {
                        let (text, matches, id) = record::input(line)?;
                        let port_of = |name: &str| ports.port(name);
                        Some(list::again(&text, matches, id, dialect, port_of)?.key())
                    }
                };
                let show = |number, line: &[u8]| {
                    if let (1, Some(head)) = (number, &head) {
                        is_new = false;
                        return match head.strip_suffix(b"\n") == Some(line) {
                            true => Ok(()),
                            false => Err(io::Error::other("line 1 does not name these columns")),
                        };
                    }
                    let wrong = || io::Error::other(format!("line {number} is not a record"));
                    done.insert(key(line).ok_or_else(wrong)?);
                    Ok(())
                };
                (LineFile::resume(path, show), Some(path.display().to_string()))
            }
        };
        head = head.filter(|_| is_new);
        let done = if columns.is_some() { Done::Rows(done) } else { Done::Entries(done) };
        let name = out_name.as_deref().unwrap_or("standard output");
        let out = out.map_err(|error| file_error(name, &error))?;
        let open = |path: &PathBuf| {
            Certificates::open(path)
                .map_err(|error| file_error(&path.display().to_string(), &error))
        };
        let certificates = scan.certificates.as_ref().map(open).transpose()?;
        Ok(Self {
            recorder: Recorder::new(&config.probe, columns, certificates),
            config,
            runtime: settings.runtime,
            choice: Choice { dialect, level, ports, shard: scan.shard, done },
            list_name,
            list: BufReader::with_capacity(64 * 1024, source),
            lines,
            ordered: !scan.unordered,
            certificates: scan.certificates.clone(),
            head,
            out,
            out_name,
            metrics: scan.metrics.clone(),
        })
    }
}

fn limits(scan: &ScanOptions, pause: Option<u32>, notes: &mut Vec<Message>) -> ScanLimits {
    let mut limits = ScanLimits::default();
    let size = |count: u32| usize::try_from(count).unwrap_or(usize::MAX);
    if let Some(count) = scan.concurrency {
        limits.connections = size(count);
        limits.destinations = limits.destinations.max(2 * limits.connections);
    }
    limits.rate = scan.rate;
    if let Some(count) = scan.per_host {
        let most = if count == 0 { usize::MAX } else { size(count) };
        (limits.per_address, limits.per_host) = (most, most);
        if count == 0 {
            limits.pause = Duration::ZERO;
        }
    }
    if let Some(milliseconds) = pause {
        limits.pause = Duration::from_millis(milliseconds.into());
    }
    if let Some(seconds) = scan.timeout_total {
        limits.total = Duration::from_secs(seconds.into());
    }
    if let Some(seconds) = scan.retry_pause {
        limits.retry_after = Duration::from_secs(seconds.into());
    }
    if scan.no_share {
        limits.share = None;
    }
    limits.first_only = scan.first;
    // Each lookup takes a descriptor too; most destinations wait for one at a time.
    let wanted = limits.connections.saturating_mul(2).max(limits.transports);
    limits.transports = wanted.min(raise_descriptor_limit().saturating_sub(OWN_DESCRIPTORS).max(2));
    if limits.connections >= limits.transports {
        limits.connections = (limits.transports / 2).max(1);
        notes.push(Message::warning(format!(
            "the limit of open files allows {} connections at once",
            limits.connections
        )));
    }
    limits
}

/// Reads lists of domains, addresses and prefixes, one on a line.
fn blocklist(paths: &[PathBuf]) -> Result<Blocklist, SettingError> {
    let mut blocklist = Blocklist::default();
    for path in paths {
        let name = path.display().to_string();
        let failed = |error: &io::Error| file_error(&name, error);
        let (source, _) = feed::open(Some(path)).map_err(|error| failed(&error))?;
        let mut lines = Lines::new(BufReader::new(source));
        loop {
            let line = match lines.next().map_err(|error| failed(&error))? {
                None => break,
                Some(Ok(line)) => str::from_utf8(line).map_err(|_| "not text".to_owned()),
                Some(Err(error)) => Err(error.to_string()),
            };
            let added = line.and_then(|line| {
                let entry = line.split('#').next().unwrap_or_default().trim();
                match entry.is_empty() {
                    true => Ok(()),
                    false => blocklist.add(entry).map_err(|error| error.to_string()),
                }
            });
            if let Err(error) = added {
                return Err(SettingError::Blocklist(format!("{name}:{}", lines.number()), error));
            }
        }
    }
    Ok(blocklist)
}

fn file_error(name: &str, error: &io::Error) -> SettingError {
    SettingError::List(name.to_owned(), IoError::from(error).message)
}
