//! The one table of options; it drives parsing, usage and help.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use tlsfinger_core::config::{DnssecTrust, InsecureMx};
use tlsfinger_core::resolve::NameServer;

use crate::options::{Color, Options, Runtime};
use crate::scan::columns::Columns;
use crate::scan::list::Shard;
use crate::settings::SettingError;
use crate::usage::UsageError;

/// One option.
#[derive(Debug)]
pub(crate) struct Flag {
    pub(crate) name: Name,
    pub(crate) group: Group,
    pub(crate) take: Take,
    /// One line, for the list of options.
    pub(crate) help: &'static str,
    /// What else there is to know; may be empty.
    pub(crate) more: &'static str,
}

/// The name of an option.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Name {
    /// An option of the reference.
    Letter(char),
    /// An option of our own.
    Long(&'static str),
}

/// Where an option stands in the help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Group {
    Connecting,
    Lookup,
    Tls,
    Trust,
    Output,
    Scan,
    General,
}

/// What the options are for; decides which of them exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// A probe under the name of the reference.
    Reference,
    /// A probe.
    Probe,
    /// `tlsfinger scan`
    Scan,
}

/// What an option takes, and what it does to the [`Options`].
#[derive(Clone, Copy, Debug)]
pub(crate) enum Take {
    Nothing(fn(&mut Options)),
    /// The text names the argument in the help.
    Value(&'static str, fn(&mut Options, &OsStr) -> Result<(), Refusal>),
    /// Ends the parsing: somebody wants to read this instead of a probe.
    Show(Page),
}

/// What can be shown instead of a probe.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Page {
    Help,
    Version,
}

/// Why an option's argument is refused while the command line is still being read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    Usage(UsageError),
    Fatal(SettingError),
}

impl Group {
    pub(crate) const ALL: [Self; 7] = [
        Self::Connecting,
        Self::Lookup,
        Self::Tls,
        Self::Trust,
        Self::Output,
        Self::Scan,
        Self::General,
    ];

    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Connecting => "Connecting",
            Self::Lookup => "Looking up",
            Self::Tls => "TLS",
            Self::Trust => "Trust",
            Self::Output => "Output",
            Self::Scan => "Scanning (tlsfinger scan)",
            Self::General => "General",
        }
    }
}

impl Flag {
    /// Finds an option of the reference.
    pub(crate) fn by_letter(letter: char) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| flag.name == Name::Letter(letter))
    }

    /// Tells whether a command has this option.
    pub(crate) fn is_for(&self, command: Command) -> bool {
        match command {
            Command::Reference => matches!(self.name, Name::Letter(_)),
            Command::Probe => self.group != Group::Scan,
            Command::Scan => !NOT_FOR_SCAN.contains(&self.name),
        }
    }

    /// Finds an option of our own.
    pub(crate) fn by_long_name(name: &str) -> Option<&'static Self> {
        FLAGS.iter().find(|flag| matches!(flag.name, Name::Long(long) if long == name))
    }
}

const fn flag(
    name: Name,
    group: Group,
    take: Take,
    help: &'static str,
    more: &'static str,
) -> Flag {
    Flag { name, group, take, help, more }
}

/// Options that a scan has no use for: they are about one session, or about lines for people.
const NOT_FOR_SCAN: &[Name] = &[
    Letter('m'),
    Letter('r'),
    Letter('X'),
    Letter('c'),
    Letter('C'),
    Letter('L'),
    Letter('v'),
    Long("all"),
    Long("enumerate"),
    Long("explain"),
    Long("color"),
    Long("json"),
    Long("exit-code"),
    Long("nagios"),
    Long("warn-days"),
    Long("critical-days"),
    Long("record"),
];

use Group::{Connecting, General, Lookup, Output, Scan, Tls, Trust};
use Name::{Letter, Long};
use Take::{Nothing, Show, Value};

/// All options, in the order of the help.
#[rustfmt::skip]
pub(crate) const FLAGS: &[Flag] = &[
    flag(Letter('a'), Connecting, Value("ipv4|ipv6|any", |o, v| set(&mut o.family, text(v))),
        "try addresses of this family first (any)",
        "Among mail hosts of equal preference only; the other family is tried as well."),
    flag(Letter('S'), Connecting, Nothing(|o| o.lmtp = true),
        "speak LMTP instead of SMTP",
        "The port is 24 then; inet: and unix: before a destination are understood; MX records are not looked up."),
    flag(Letter('t'), Connecting, Value("seconds", |o, v| set(&mut o.connect_timeout, number(v))),
        "limit for the connection, and for the greeting (30)", ""),
    flag(Letter('T'), Connecting, Value("seconds", |o, v| set(&mut o.command_timeout, number(v))),
        "limit for each later reply and for the TLS handshake (30)", ""),
    flag(Letter('w'), Connecting, Nothing(|o| o.wrapper = true),
        "begin with TLS, without STARTTLS",
        "The port is not changed: give it, as in example.org:465."),
    flag(Letter('m'), Connecting, Value("count", |o, v| set(&mut o.reconnects, number(v))),
        "with -r, reconnect at most this often (5)", ""),
    flag(Letter('r'), Connecting, Value("seconds", |o, v| set(&mut o.reconnect_delay, number(v))),
        "reconnect after this pause, to see TLS sessions resumed",
        "0 keeps a session cache but does not reconnect."),
    flag(Letter('X'), Connecting, Nothing(|o| o.tlsproxy = true),
        "let tlsproxy(8) do the TLS", "For the development of Postfix."),

    flag(Long("all"), Connecting, Nothing(|o| o.all = true),
        "probe every address of every mail host, and show a table",
        "Servers with RSA and ECDSA certificates are probed for both. The status of --exit-code is the worst."),

    flag(Long("hygiene"), Connecting, Nothing(|o| o.hygiene = true),
        "look at the SMTP around TLS, too",
        "Three more connections show what becomes of a command that comes with STARTTLS, of the \
         server's own name as SNI, and of another name of the client; nothing is said there but EHLO, STARTTLS, NOOP and QUIT. \
         Findings are graded."),
    flag(Long("enumerate"), Connecting, Nothing(|o| o.enumerate = true),
        "find out all that a server accepts, by many connections",
        "Versions, suites, groups, signatures, certificates, resumption and what hellos announce, held \
         against RFC 9325 and RFC 8996. Two connections at once; of the first server, or with --all of \
         each, one after the other."),
    flag(Long("pause"), Connecting, Value("milliseconds", |o, v| count(&mut o.pause, "pause", v)),
        "wait so long before another connection to one address",
        "For --enumerate (100) and scans (1000)."),

    flag(Letter('f'), Lookup, Nothing(|o| o.force_tlsa = true),
        "look up TLSA records even if the host's zone is not signed", ""),
    flag(Letter('h'), Lookup, Value("dns,native", |o, v| set(&mut o.lookup, text(v))),
        "how addresses of hosts are found (dns)",
        "MX records are always found by DNS. Hosts found natively are never secure."),
    flag(Letter('M'), Lookup, Value("may|encrypt|dane", insecure_mx),
        "what to do with TLSA records behind an insecure MX record (dane)", ""),
    flag(Letter('R'), Lookup, Nothing(|o| o.srv = true),
        "look up SRV records instead of MX records", ""),

    flag(Letter('l'), Tls, Value("level", |o, v| set(&mut o.level, text(v))),
        "what the server must show (dane)",
        "none, may, encrypt, fingerprint, dane, dane-only, verify or secure. No level ends the session: it decides what is looked up, offered and told."),
    flag(Letter('g'), Tls, Value("grade", |o, v| set(&mut o.grade, text(v))),
        "which ciphers to offer: high, medium or null (medium)", ""),
    flag(Letter('p'), Tls, Value("protocols", |o, v| set(&mut o.protocols, text(v))),
        "which protocol versions to offer (>=TLSv1)",
        "A list of VERSION, !VERSION, >=VERSION and <=VERSION. Only TLSv1.2 and TLSv1.3 can really be offered."),
    flag(Letter('s'), Tls, Value("name", |o, v| set(&mut o.server_name, text(v))),
        "send this server name (SNI) where no TLSA record decides",
        "hostname and nexthop stand for the mail host's name and the destination's domain."),
    flag(Letter('H'), Tls, Value("files", |o, v| push(&mut o.chain_files, text(v))),
        "PEM files with client keys, each followed by its certificates", ""),
    flag(Letter('k'), Tls, Value("file", certificate_file),
        "PEM file with client certificate, and key unless -K is given", ""),
    flag(Letter('K'), Tls, Value("file", key_file),
        "PEM file with client key, and certificate unless -k is given", ""),
    flag(Letter('x'), Tls, Nothing(|o| o.raw_public_keys = true),
        "prefer raw public keys (RFC 7250) to certificates", ""),

    flag(Letter('A'), Trust, Value("file", |o, v| push(&mut o.trust_anchors, PathBuf::from(v))),
        "PEM file with trust anchors for the levels verify and secure",
        "They take the place of -F and -P."),
    flag(Letter('d'), Trust, Value("digest", |o, v| set(&mut o.digest, text(v))),
        "digest of fingerprints (sha256)", ""),
    flag(Letter('F'), Trust, Value("file", |o, v| set(&mut o.ca_file, PathBuf::from(v))),
        "PEM file with trusted CA certificates", "Without -F and -P no CA is trusted."),
    flag(Letter('P'), Trust, Value("directory", |o, v| set(&mut o.ca_path, PathBuf::from(v))),
        "directory of trusted CA certificates, named by hash", ""),

    flag(Long("webpki-roots"), Trust, Nothing(|o| o.webpki_roots = true),
        "trust the CAs that Mozilla trusts, as this program has them built in", ""),

    flag(Letter('c'), Output, Nothing(|o| o.without_chat = true),
        "do not show the dialogue", ""),
    flag(Letter('C'), Output, Nothing(|o| o.show_chain = true),
        "show the server's certificates in PEM form", ""),
    flag(Letter('L'), Output, Value("words", |o, v| set(&mut o.log, text(v))),
        "what to tell of TLS (routine,certmatch)",
        "A list of none, summary, debug, ssl-expert, ssl-developer (or 0 to 4), routine, untrusted, peercert, certmatch, verbose, cache, dane, ssl-debug, ssl-handshake-packet-dump, ssl-session-packet-dump."),
    flag(Letter('v'), Output, Nothing(|o| o.verbose += 1),
        "tell more; may be repeated", ""),

    flag(Long("explain"), Output, Nothing(|o| o.explain = true),
        "explain each verdict, and tell what to do", "Tests the name servers if DANE lacks DNSSEC."),
    flag(Long("color"), Output, Value("auto|always|never", color),
        "whether to show lines in colour (auto)",
        "auto: on a terminal, unless NO_COLOR is set."),
    flag(Long("json"), Output, Nothing(|o| o.json = true),
        "write one JSON document, and nothing else, to standard output", ""),
    flag(Long("exit-code"), Output, Nothing(|o| o.exit_code = true),
        "tell by the exit status how it went",
        "0 policy satisfied, 1 usage or configuration, 2 policy not satisfied, 3 no STARTTLS, 4 handshake failed, 5 no connection or dialogue, 6 lookup failed."),
    flag(Long("nagios"), Output, Nothing(|o| o.nagios = true),
        "be a monitoring plugin: one line and its status",
        "0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN."),
    flag(Long("warn-days"), Output, Value("days", |o, v| count(&mut o.warn_days, "warn-days", v)),
        "with --nagios, warn if the certificate expires so soon (14)", ""),
    flag(Long("critical-days"), Output, Value("days", |o, v| count(&mut o.critical_days, "critical-days", v)),
        "with --nagios, be critical if it expires so soon (7)", ""),

    flag(Long("concurrency"), Scan, Value("count", |o, v| some(&mut o.scan.concurrency, "concurrency", v)),
        "connections at once, to all servers (500)", ""),
    flag(Long("rate"), Scan, Value("count", |o, v| some(&mut o.scan.rate, "rate", v)),
        "connections begun in a second, at most", "Without it there is no such limit."),
    flag(Long("per-host"), Scan, Value("count", |o, v| count(&mut o.scan.per_host, "per-host", v)),
        "connections at once to one address or host",
        "Without it 2 to an address, 8 to a host with several. 0: no limit, and no --pause."),
    flag(Long("timeout-total"), Scan, Value("seconds", |o, v| some(&mut o.scan.timeout_total, "timeout-total", v)),
        "limit for the connections of one destination (600)",
        "Counts while there is one, to any of its servers; waiting for --rate, --per-host and the like does not."),
    flag(Long("retry-pause"), Scan, Value("seconds", |o, v| count(&mut o.scan.retry_pause, "retry-pause", v)),
        "leave a server alone so long that refuses for now (30)",
        "Twice as long after its second refusal; the third stands. An address that refuses eight times in a row is given up."),
    flag(Long("first"), Scan, Nothing(|o| o.scan.first = true),
        "probe the first server that can be reached, not all of them", ""),
    flag(Long("no-share"), Scan, Nothing(|o| o.scan.no_share = true),
        "connect again for each destination, even to the same server", ""),
    flag(Long("blocklist"), Scan, Value("file", |o, v| push(&mut o.scan.blocklists, PathBuf::from(v))),
        "domains and address prefixes that are never contacted",
        "One on a line; a domain stands for all names below it too. May be repeated."),
    flag(Long("shard"), Scan, Value("I/N", shard),
        "do the I-th of N parts of the list, from 1",
        "Which part a destination belongs to is the same on every machine."),
    flag(Long("unordered"), Scan, Nothing(|o| o.scan.unordered = true),
        "write records as they come, not in the order of the list", ""),
    flag(Long("csv"), Scan, Nothing(|o| o.scan.csv = true),
        "write CSV instead of JSON Lines", ""),
    flag(Long("columns"), Scan, Value("names", columns),
        "which columns the CSV has",
        "Names, or JSON pointers into the record, separated by commas."),
    flag(Long("certificates"), Scan, Value("file", |o, v| set(&mut o.scan.certificates, PathBuf::from(v))),
        "write each certificate once, there; records refer to its SHA-256", ""),
    flag(Long("resume"), Scan, Value("file", |o, v| set(&mut o.scan.resume, PathBuf::from(v))),
        "write records to this file, and go on where it ends",
        "Destinations that have a record in it are left out."),
    flag(Long("metrics"), Scan, Value("file", |o, v| set(&mut o.scan.metrics, PathBuf::from(v))),
        "keep numbers in this file, for Prometheus", ""),

    flag(Letter('o'), General, Value("name=value", parameter),
        "set a parameter of main.cf", "myhostname=NAME is the name in EHLO."),
    flag(Long("resolver"), Lookup, Value("[tls://]address[:port][#name]", resolver),
        "ask this name server instead of those of resolv.conf",
        "With tls:// by DNS over TLS (port 853); its certificate must name NAME, or the address, and come from a CA of -F, -P or --webpki-roots, or of Mozilla's if there are none. Else it is asked all the same, but its word on DNSSEC does not count."),
    flag(Long("dnssec"), Lookup, Value("local|trust|auto", dnssec),
        "who validates answers (auto)",
        "local: this program. trust: the resolver. auto: the resolver if it validates and is on this host, or proves by TLS who it is, or resolv.conf says trust-ad; otherwise this program."),
    flag(Long("trust-anchor"), Lookup, Value("file", |o, v| set(&mut o.trust_anchor, PathBuf::from(v))),
        "DS or DNSKEY records that validation begins with, instead of the root's", ""),
    flag(Long("runtime"), General, Value("blocking|smol", runtime),
        "which driver runs the probe (blocking)", ""),
    flag(Long("record"), General, Value("file", |o, v| set(&mut o.record, PathBuf::from(v))),
        "write down all that happens, for tlsfinger replay",
        "Keep the file to yourself: whoever has it can decrypt the recorded connections."),
    flag(Long("help"), General, Show(Page::Help), "show this text", ""),
    flag(Long("version"), General, Show(Page::Version), "show the version", ""),
];

/// Keeps the last value of a repeated option.
fn set<T>(field: &mut Option<T>, value: T) -> Result<(), Refusal> {
    *field = Some(value);
    Ok(())
}

/// Keeps all values of a repeated option.
fn push<T>(field: &mut Vec<T>, value: T) -> Result<(), Refusal> {
    field.push(value);
    Ok(())
}

fn text(value: &OsStr) -> String {
    value.to_string_lossy().into_owned()
}

/// Reads a number as C's atoi(3) does: blanks, a sign, digits, and nothing else counts.
fn number(value: &OsStr) -> i32 {
    let value = value.to_string_lossy();
    let value = value.trim_start();
    let (negative, digits) = match value.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, value.strip_prefix('+').unwrap_or(value)),
    };
    let magnitude = digits.bytes().take_while(u8::is_ascii_digit).fold(0_i32, |number, digit| {
        number.saturating_mul(10).saturating_add((digit - b'0').into())
    });
    if negative { -magnitude } else { magnitude }
}

/// `-k`: the key is expected in the same file unless another was named before.
fn certificate_file(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    options.key_file.get_or_insert_with(|| value.into());
    set(&mut options.certificate_file, value.into())
}

/// `-K`: the certificate is expected in the same file unless another was named before.
fn key_file(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    options.certificate_file.get_or_insert_with(|| value.into());
    set(&mut options.key_file, value.into())
}

fn insecure_mx(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    let value = text(value);
    let policy = match value.to_ascii_lowercase().as_str() {
        "may" => InsecureMx::May,
        "encrypt" => InsecureMx::Encrypt,
        "dane" => InsecureMx::Dane,
        _ => return Err(Refusal::Fatal(SettingError::BadValue('M', value))),
    };
    set(&mut options.insecure_mx, policy)
}

fn parameter(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    let value = text(value);
    let (name, value) = value.split_once('=').ok_or(Refusal::Usage(UsageError::NotNameValue))?;
    push(&mut options.parameters, (name.trim().to_owned(), value.trim().to_owned()))
}

fn resolver(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    let value = text(value);
    match NameServer::parse(&value) {
        Ok(server) => set(&mut options.resolver, server),
        Err(_) => Err(Refusal::Fatal(SettingError::BadResolver(value))),
    }
}

fn dnssec(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    options.dnssec = Some(match value.to_str() {
        Some("local") => DnssecTrust::Local,
        Some("trust") => DnssecTrust::Trust,
        Some("auto") => DnssecTrust::Auto,
        _ => return Err(Refusal::Fatal(SettingError::BadLong("dnssec", text(value)))),
    });
    Ok(())
}

fn count(field: &mut Option<u32>, option: &'static str, value: &OsStr) -> Result<(), Refusal> {
    let bad = || Refusal::Fatal(SettingError::BadLong(option, text(value)));
    set(field, value.to_str().and_then(|count| count.parse().ok()).ok_or_else(bad)?)
}

/// Reads a number that may not be 0: whoever divides a limit among many workers and comes to nothing
/// does not want no limit.
fn some(field: &mut Option<u32>, option: &'static str, value: &OsStr) -> Result<(), Refusal> {
    count(field, option, value)?;
    match field {
        Some(0) => Err(Refusal::Fatal(SettingError::BadLong(option, text(value)))),
        Some(_) | None => Ok(()),
    }
}

fn shard(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    let bad = || Refusal::Fatal(SettingError::BadLong("shard", text(value)));
    set(&mut options.scan.shard, value.to_str().and_then(Shard::parse).ok_or_else(bad)?)
}

fn columns(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    let bad = |name| Refusal::Fatal(SettingError::BadLong("columns", name));
    set(&mut options.scan.columns, Columns::parse(&text(value)).map_err(bad)?)
}

fn color(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    options.color = match value.to_str() {
        Some("auto") => Color::Auto,
        Some("always") => Color::Always,
        Some("never") => Color::Never,
        _ => return Err(Refusal::Fatal(SettingError::BadLong("color", text(value)))),
    };
    Ok(())
}

fn runtime(options: &mut Options, value: &OsStr) -> Result<(), Refusal> {
    options.runtime = match value.to_str() {
        Some("blocking") => Runtime::Blocking,
        Some("smol") => Runtime::Smol,
        _ => return Err(Refusal::Fatal(SettingError::BadLong("runtime", text(value)))),
    };
    Ok(())
}

/// What a command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    Probe(Box<Options>),
    Page(Page),
}

/// Reads a command line the way getopt(3) does under POSIXLY_CORRECT: letters may be joined, an
/// argument may be glued to its letter, and the first operand or `--` ends the options.
///
/// The command decides which options exist.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    command: Command,
) -> Result<Asked, Refusal> {
    let long = command != Command::Reference;
    let mut arguments = arguments.into_iter();
    let mut options = Box::new(Options::default());
    while let Some(argument) = arguments.next() {
        let bytes = argument.as_encoded_bytes();
        if bytes == b"--" {
            break;
        } else if long && bytes.starts_with(b"--") {
            let written = text(&argument);
            if let Some(page) = take_long(&mut options, command, &written[2..], &mut arguments)? {
                return Ok(Asked::Page(page));
            }
        } else if bytes.len() > 1 && bytes[0] == b'-' {
            take_letters(&mut options, command, &argument, &mut arguments)?;
        } else {
            options.operands.push(argument);
            break;
        }
    }
    options.operands.extend(arguments);
    Ok(Asked::Probe(options))
}

/// Takes a long option, `name` or `name=value`.
fn take_long(
    options: &mut Options,
    command: Command,
    written: &str,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<Option<Page>, Refusal> {
    let usage = |error| Err(Refusal::Usage(error));
    let (name, glued) = match written.split_once('=') {
        Some((name, value)) => (name, Some(OsString::from(value))),
        None => (written, None),
    };
    let Some(flag) = Flag::by_long_name(name) else {
        return usage(UsageError::UnknownLong(written.to_owned()));
    };
    if !flag.is_for(command) {
        return usage(UsageError::Elsewhere(format!("--{name}"), command));
    }
    match (flag.take, glued) {
        (Value(_, set), glued) => match glued.or_else(|| rest.next()) {
            Some(value) => set(options, &value)?,
            None => return usage(UsageError::MissingLong(name.to_owned())),
        },
        (_, Some(_)) => return usage(UsageError::NeedlessLong(name.to_owned())),
        (Nothing(set), None) => set(options),
        (Show(page), None) => return Ok(Some(page)),
    }
    Ok(None)
}

/// Takes a group of letters, the last of which may have an argument.
fn take_letters(
    options: &mut Options,
    command: Command,
    argument: &OsStr,
    rest: &mut impl Iterator<Item = OsString>,
) -> Result<(), Refusal> {
    use std::os::unix::ffi::OsStrExt;

    let group = argument.as_bytes();
    for (at, letter) in group.iter().enumerate().skip(1) {
        let letter = char::from(*letter);
        let Some(flag) = Flag::by_letter(letter) else {
            return Err(Refusal::Usage(UsageError::UnknownLetter(letter)));
        };
        if !flag.is_for(command) {
            return Err(Refusal::Usage(UsageError::Elsewhere(format!("-{letter}"), command)));
        }
        match flag.take {
            Nothing(set) => set(options),
            Show(_) => {}
            Value(_, set) => {
                let glued = OsStr::from_bytes(&group[at + 1..]);
                let value = if glued.is_empty() { rest.next() } else { Some(glued.to_owned()) };
                let missing = Refusal::Usage(UsageError::MissingLetter(letter));
                return set(options, &value.ok_or(missing)?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(words: &[&str]) -> Result<Asked, Refusal> {
        parse(words.iter().map(OsString::from), Command::Probe)
    }

    fn options(words: &[&str]) -> Options {
        match parse_words(words) {
            Ok(Asked::Probe(options)) => *options,
            other => panic!("{words:?}: {other:?}"),
        }
    }

    #[test]
    fn letters_like_getopt() {
        let destination = || vec![OsString::from("d")];
        let both = Options {
            without_chat: true,
            show_chain: true,
            operands: destination(),
            ..Options::default()
        };
        assert_eq!(options(&["-cC", "d"]), both);
        assert_eq!(options(&["-c", "-C", "--", "d"]), both);
        let debug = Options {
            without_chat: true,
            log: Some("debug".into()),
            operands: destination(),
            ..Options::default()
        };
        assert_eq!(options(&["-cLdebug", "d"]), debug);
        assert_eq!(options(&["-c", "-L", "debug", "d"]), debug);
        assert_eq!(options(&["-Lnone", "-c", "-Ldebug", "d"]), debug);
    }

    #[test]
    fn first_operand_ends_the_options() {
        assert_eq!(options(&["d", "-c"]).operands, ["d", "-c"]);
        assert_eq!(options(&["-", "-c"]).operands, ["-", "-c"]);
        assert_eq!(options(&["--", "-c"]).operands, ["-c"]);
        assert!(!options(&["d", "-c"]).without_chat);
        assert_eq!(options(&[]), Options::default());
    }

    #[test]
    fn arguments() {
        let table: &[(&[&str], Options)] = &[
            (&["-t", "9"], Options { connect_timeout: Some(9), ..Options::default() }),
            (
                &["-o", "a = b ", "-oc=d=e"],
                Options {
                    parameters: vec![("a".into(), "b".into()), ("c".into(), "d=e".into())],
                    ..Options::default()
                },
            ),
            (&["-vvv"], Options { verbose: 3, ..Options::default() }),
            (
                &["-MENCRYPT"],
                Options { insecure_mx: Some(InsecureMx::Encrypt), ..Options::default() },
            ),
            (&["--runtime", "smol"], Options { runtime: Runtime::Smol, ..Options::default() }),
            (&["--runtime=smol"], Options { runtime: Runtime::Smol, ..Options::default() }),
            (
                &["-k", "c", "-K", "k"],
                Options {
                    certificate_file: Some("c".into()),
                    key_file: Some("k".into()),
                    ..Options::default()
                },
            ),
            (
                &["-K", "k"],
                Options {
                    certificate_file: Some("k".into()),
                    key_file: Some("k".into()),
                    ..Options::default()
                },
            ),
        ];
        for (words, expected) in table {
            assert_eq!(&options(words), expected, "{words:?}");
        }
    }

    #[test]
    fn numbers_are_read_like_atoi() {
        let table = [
            ("30", 30),
            (" 30s", 30),
            ("-1", -1),
            ("+5", 5),
            ("x", 0),
            ("", 0),
            ("--1", 0),
            ("99999999999", i32::MAX),
            ("-99999999999", -i32::MAX),
        ];
        for (text, expected) in table {
            assert_eq!(number(OsStr::new(text)), expected, "{text}");
        }
    }

    #[test]
    fn refusals() {
        let usage = |error| Err(Refusal::Usage(error));
        let fatal = |error| Err(Refusal::Fatal(error));
        assert_eq!(parse_words(&["-cZ"]), usage(UsageError::UnknownLetter('Z')));
        assert_eq!(parse_words(&["-ca"]), usage(UsageError::MissingLetter('a')));
        assert_eq!(parse_words(&["-o", "x"]), usage(UsageError::NotNameValue));
        assert_eq!(parse_words(&["--nosuch=1"]), usage(UsageError::UnknownLong("nosuch=1".into())));
        assert_eq!(parse_words(&["--runtime"]), usage(UsageError::MissingLong("runtime".into())));
        assert_eq!(parse_words(&["--help=x"]), usage(UsageError::NeedlessLong("help".into())));
        assert_eq!(parse_words(&["-Mx"]), fatal(SettingError::BadValue('M', "x".into())));
        assert_eq!(
            parse_words(&["--runtime=x"]),
            fatal(SettingError::BadLong("runtime", "x".into()))
        );
        assert_eq!(parse_words(&["--help", "-Z"]), Ok(Asked::Page(Page::Help)));
        assert_eq!(parse_words(&["d", "--help"]).map(|_| ()), Ok(()));
        // The reference has no long options: `--help` is the letter `-`.
        let reference = parse([OsString::from("--help")], Command::Reference);
        assert_eq!(reference, usage(UsageError::UnknownLetter('-')));
    }

    #[test]
    fn no_option_stands_twice_in_the_table() {
        for (at, flag) in FLAGS.iter().enumerate() {
            assert!(FLAGS[..at].iter().all(|other| other.name != flag.name), "{:?}", flag.name);
        }
        let letters = FLAGS.iter().filter(|flag| matches!(flag.name, Letter(_))).count();
        assert_eq!(letters, "aAcCdfFghHklLKmMopPrRsStTvwxX".len());
    }
}
