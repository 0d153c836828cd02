//! From options to a configuration: checks in the order of the reference, and its words for what
//! is wrong.

mod error;
mod identity;
mod lookup;
mod offer;
mod policy;

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tlsfinger_core::cert::Digest;
use tlsfinger_core::config::{
    Config, Dialect, Family, Level, MatchRule, Policy, Proxy, Reuse, ServerNameChoice, Watch,
};
use tlsfinger_core::destination::{
    Destination, HostError, KnownPorts, Place, host_to_ascii, tcp_port,
};
use tlsfinger_core::enumerate::Enumerating;

use crate::flags::Refusal;
use crate::line::{Charset, Message};
use crate::log::Log;
use crate::nagios::Thresholds;
use crate::options::{Options, Runtime};
use crate::parameters::Parameters;
use crate::printer::Printer;
use crate::system::{File, FileError};
use crate::usage::UsageError;

pub(crate) use error::SettingError;

/// Everything that a run needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    pub(crate) config: Config,
    pub(crate) show: Show,
    pub(crate) runtime: Runtime,
    pub(crate) format: Format,
    /// Every server is probed.
    pub(crate) all: bool,
    /// All that servers accept is found out, in this way.
    pub(crate) enumerating: Option<Enumerating>,
    /// Verdicts are explained.
    pub(crate) explain: bool,
    /// The exit status tells how it went.
    pub(crate) exit_code: bool,
    /// The file that the secrets of connections are appended to.
    pub(crate) key_log: Option<PathBuf>,
    /// Where to write down what happens.
    pub(crate) record: Option<PathBuf>,
    /// The main.cf that was read, for a trace.
    pub(crate) main_cf: Option<String>,
    /// The cipher list of OpenSSL that the suites come from.
    pub(crate) cipher_list: String,
    /// Bounds of protocol versions that bound nothing; told for each connection.
    pub(crate) odd_bounds: Vec<String>,
}

/// Who the output is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// People, and scripts of the reference.
    Text,
    /// Programs.
    Json,
    /// A monitoring system.
    Nagios(Thresholds),
}

/// What is shown of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Show {
    /// The dialogue.
    pub(crate) chat: bool,
    /// What is told of TLS.
    pub(crate) log: Log,
    /// How much else.
    pub(crate) verbose: u32,
    /// The certificates in PEM form (`-C`).
    pub(crate) chain: bool,
    /// The digest of fingerprints.
    pub(crate) digest: Digest,
    pub(crate) charset: Charset,
}

/// What the system knows.
#[derive(Clone, Debug)]
pub(crate) struct System {
    /// The name of this machine.
    pub(crate) host_name: String,
    /// Reads the text of services(5).
    pub(crate) services: fn() -> Vec<u8>,
    /// Reads the text of resolv.conf(5).
    pub(crate) resolv_conf: fn() -> Vec<u8>,
    /// SSLKEYLOGFILE of the environment.
    pub(crate) key_log: Option<PathBuf>,
    /// MAIL_VERBOSE is in the environment.
    pub(crate) mail_verbose: bool,
    /// Scripts of posttls-finger(1) call: its defaults hold.
    pub(crate) posttls_finger: bool,
    /// Reads a file.
    pub(crate) read: fn(&Path) -> Result<File, FileError>,
    /// Lists the names in a directory; none if it cannot be read.
    pub(crate) list: fn(&Path) -> Vec<String>,
    /// Postfix's main.cf, if there is one.
    pub(crate) main_cf: Option<File>,
}

/// Checks the options, and adds what the system knows.
///
/// `notes` receives what there is to tell before the run, or before its failure.
pub(crate) fn decide(
    options: &Options,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<Settings, Refusal> {
    let (mut settings, parameters) = without_destination(options, system, notes)?;
    let Config { level, dialect, .. } = settings.config;
    let [destination, matches @ ..] = options.operands.as_slice() else {
        return Err(Refusal::Usage(UsageError::NoDestination));
    };
    let matches = policy::matches(matches, level, settings.show.log, notes);
    if !matches.pins.is_empty() && options.digest.is_none() && parameters.digest_is_old_default {
        notes.push(Message::info(
            "using backwards-compatible default setting smtp_tls_fingerprint_digest=md5 to \
             compute certificate fingerprints",
        ));
    }
    let ports = || Ports::new(&parameters, system);
    settings.config.destination =
        destination_of(destination, dialect, ports, settings.show.verbose, notes)?;
    settings.config.policy.matches = matches.rules;
    settings.config.policy.pins = matches.pins;
    settings.format = format(options)?;
    Ok(settings)
}

/// Does the same for a list of destinations that is still to be read.
pub(crate) fn for_list(
    options: &Options,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<(Settings, Ports), Refusal> {
    let (settings, parameters) = without_destination(options, system, notes)?;
    let ports = Ports::new(&parameters, system);
    Ok((settings, ports))
}

/// Reads match arguments of a list as names.
pub(crate) fn match_rules(arguments: &[String], level: Level) -> Vec<MatchRule> {
    let arguments: Vec<_> = arguments.iter().map(OsString::from).collect();
    policy::matches(&arguments, level, Log::NONE, &mut Vec::new()).rules
}

/// The ports of services that are known by name.
#[derive(Debug)]
pub(crate) struct Ports {
    known: KnownPorts,
    services: Vec<u8>,
}

impl Ports {
    fn new(parameters: &Parameters, system: &System) -> Self {
        Self { known: parameters.known_ports.clone(), services: (system.services)() }
    }

    /// Knows none.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self { known: KnownPorts::default(), services: Vec::new() }
    }

    pub(crate) fn port(&self, name: &str) -> Option<u16> {
        self.known.port(name).or_else(|| tcp_port(&self.services, name))
    }
}

fn without_destination(
    options: &Options,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<(Settings, Parameters), Refusal> {
    let verbose = options.verbose + u32::from(system.mail_verbose);
    let family = family(options.family.as_deref())?;
    let reuse = reuse(options);
    if options.tlsproxy && reuse.is_some() {
        return Err(SettingError::ProxyAndReconnect.into());
    }
    let others =
        [("--hygiene", options.hygiene), ("-r", reuse.is_some()), ("-X", options.tlsproxy)];
    if let Some((option, _)) = others.iter().find(|(_, given)| options.enumerate && *given) {
        return Err(SettingError::EnumerateAnd(option).into());
    }
    if options.all && options.record.is_some() && !options.enumerate {
        return Err(SettingError::AllAndRecord.into());
    }
    if options.all && reuse.is_some() {
        return Err(SettingError::AllAndReconnect.into());
    }
    if !options.chain_files.is_empty() && options.certificate_file.is_some() {
        return Err(SettingError::ChainAndCertificate.into());
    }
    let hosts = lookup::hosts(options.lookup.as_deref())?;
    let log = log(options.log.as_deref(), notes);
    let level = level(options.level.as_deref())?;
    if level == Level::None && options.wrapper {
        return Err(SettingError::WrapperWithoutTls.into());
    }
    let connect_timeout = timeout('t', options.connect_timeout)?;
    let command_timeout = timeout('T', options.command_timeout)?;
    let main_cf = system.main_cf.as_ref();
    let parameters = Parameters::evaluate(main_cf, &options.parameters, &system.host_name, notes)?;
    let anchors = policy::anchors(options, level, log, system, notes)?;
    let mut engine = policy::Engine::default();
    if level != Level::None {
        if log.has(Log::VERBOSE) {
            notes.push(Message::info("initializing the client-side TLS engine"));
        }
        engine = policy::Engine::start(options, &parameters, system, notes);
    }
    if engine.is_off && options.wrapper {
        return Err(SettingError::WrapperWithoutTls.into());
    }
    let wish = offer::Wish::new(options, &parameters, level);
    if level != Level::None && !engine.is_off {
        wish.warn(notes);
    }
    let lookup = lookup::decide(options, hosts, &parameters, &engine, system, notes)?;
    let dialect = if options.lmtp { Dialect::Lmtp } else { Dialect::Smtp };
    let config = Config {
        destination: Config::default().destination,
        dialect,
        wrapper: options.wrapper,
        helo_name: parameters.my_host_name.as_str().into(),
        connect_timeout,
        command_timeout,
        await_quit: true,
        family,
        lookup,
        level,
        no_tls: engine.is_off,
        policy: Policy {
            matches: Vec::new(),
            pins: Vec::new(),
            trust: engine.roots,
            anchors,
            digest: engine.digest,
            dane_digests: engine.dane_digests,
            server_name: options
                .server_name
                .as_deref()
                .filter(|name| !name.is_empty())
                .map(server_name),
            raw_public_keys: options.raw_public_keys,
            versions: wish.versions,
            suites: Some(wish.suites),
            groups: wish.groups,
            keys: None,
            identity: engine.identity,
        },
        proxy: options.tlsproxy.then(|| proxy(options, &parameters, level)),
        // tlsproxy(8) speaks what it speaks.
        scout: (wish.flaw.is_none() && !options.tlsproxy).then_some(wish.wider),
        flaw: wish.flaw,
        watch: Watch {
            messages: log.has(Log::SSL_DEBUG),
            handshake_bytes: log.has(Log::HANDSHAKE_DUMP),
            session_bytes: log.has(Log::SESSION_DUMP),
            secrets: system.key_log.is_some(),
        },
        reuse,
        hygiene: options.hygiene,
        repeatable: options.record.is_some(),
    };
    let show = Show {
        chat: !options.without_chat,
        log,
        verbose,
        chain: options.show_chain,
        digest: engine.digest,
        charset: parameters.charset,
    };
    let runtime = options.runtime;
    let settings = Settings {
        config,
        show,
        runtime,
        format: Format::Text,
        all: options.all,
        enumerating: options.enumerate.then(|| Enumerating {
            pause: Duration::from_millis(options.pause.unwrap_or(DEFAULT_PAUSE).into()),
            every: options.all,
        }),
        explain: options.explain,
        exit_code: options.exit_code,
        key_log: system.key_log.clone(),
        record: options.record.clone(),
        main_cf: main_cf.map(|file| String::from_utf8_lossy(&file.text).into_owned()),
        cipher_list: wish.cipher_list,
        odd_bounds: wish.odd_bounds,
    };
    Ok((settings, parameters))
}

/// Milliseconds before each connection of an enumeration: slow enough for servers that count.
const DEFAULT_PAUSE: u32 = 100;

fn format(options: &Options) -> Result<Format, SettingError> {
    let defaults = Thresholds::default();
    let critical = options.critical_days.unwrap_or(defaults.critical);
    let warn = options.warn_days.unwrap_or(defaults.warn.max(critical));
    match (options.json, options.nagios) {
        (true, true) => Err(SettingError::JsonAndNagios),
        (true, false) => Ok(Format::Json),
        (false, true) => Ok(Format::Nagios(Thresholds { warn, critical })),
        (false, false) => Ok(Format::Text),
    }
}

/// Adds to the way to tlsproxy(8) what the options say. The daemon reads the files itself.
fn proxy(options: &Options, parameters: &Parameters, level: Level) -> Proxy {
    let mut proxy = parameters.proxy.clone();
    let path = |path: &Option<PathBuf>| path.iter().map(|it| it.display().to_string()).collect();
    let excluded = if level >= Level::Fingerprint { "aNULL" } else { "" };
    let values = [
        ("log_param", "-L option".to_owned()),
        ("log_level", options.log.clone().unwrap_or_else(|| "routine,certmatch".to_owned())),
        ("verifydepth", "9".to_owned()),
        ("cache_type", "smtp".to_owned()),
        ("chain_files", options.chain_files.join(", ")),
        ("cert_file", path(&options.certificate_file)),
        ("key_file", path(&options.key_file)),
        ("CAfile", path(&options.ca_file)),
        ("CApath", path(&options.ca_path)),
        ("mdalg", options.digest.clone().unwrap_or_else(|| parameters.fingerprint_digest.clone())),
        ("protocols", options.protocols.clone().unwrap_or_else(|| offer::DEFAULT_PROTOCOLS.into())),
        ("cipher_grade", options.grade.clone().unwrap_or_else(|| offer::DEFAULT_GRADE.into())),
        ("cipher_exclusions", excluded.to_owned()),
    ];
    proxy.values.extend(values.map(|(name, value)| (name.to_owned(), value)));
    proxy
}

/// Changes a recorded configuration to be judged by other options.
pub(crate) fn judge_by<W: std::io::Write>(
    options: &Options,
    recorded: &Config,
    system: &System,
    printer: &mut Printer<W>,
) -> Result<Config, SettingError> {
    let mut notes = Vec::new();
    let mut config = recorded.clone();
    if options.level.is_some() {
        config.level = level(options.level.as_deref())?;
    }
    if options.ca_file.is_some() || options.ca_path.is_some() || options.webpki_roots {
        let roots = policy::roots(options, false, system, &mut notes);
        config.policy.trust = roots.unwrap_or_default();
    }
    if !options.trust_anchors.is_empty() {
        config.policy.anchors =
            policy::anchors(options, config.level, Log::DEFAULT, system, &mut notes)?;
    }
    if !options.operands.is_empty() {
        let matches = policy::matches(&options.operands, config.level, Log::DEFAULT, &mut notes);
        config.policy.matches = matches.rules;
        config.policy.pins = matches.pins;
    }
    notes.iter().for_each(|note| printer.say(note));
    Ok(config)
}

fn family(word: Option<&str>) -> Result<Family, SettingError> {
    let Some(word) = word else { return Ok(Family::default()) };
    match word.to_ascii_lowercase().as_str() {
        "any" => Ok(Family::Any),
        "ipv4" => Ok(Family::V4),
        "ipv6" => Ok(Family::V6),
        _ => Err(SettingError::BadValue('a', word.to_owned())),
    }
}

/// Reconnections as `-r` and `-m` have them; a negative pause keeps no sessions at all.
fn reuse(options: &Options) -> Option<Reuse> {
    let delay = u64::try_from(options.reconnect_delay?).ok()?;
    let limit = u32::try_from(options.reconnects.unwrap_or(5)).unwrap_or(0);
    Some(Reuse { delay: Duration::from_secs(delay), limit })
}

/// One unknown word silences everything, as in the reference.
fn log(list: Option<&str>, notes: &mut Vec<Message>) -> Log {
    let Some(list) = list else { return Log::DEFAULT };
    Log::parse(list).unwrap_or_else(|word| {
        let text = format!("unknown -L option value \"{word}\" in \"{list}\"");
        notes.push(Message::warning(text));
        Log::NONE
    })
}

fn level(word: Option<&str>) -> Result<Level, SettingError> {
    let Some(word) = word else { return Ok(Level::default()) };
    match word.to_ascii_lowercase().as_str() {
        "none" => Ok(Level::None),
        "may" => Ok(Level::May),
        "encrypt" => Ok(Level::Encrypt),
        "fingerprint" => Ok(Level::Fingerprint),
        "dane" => Ok(Level::Dane),
        "dane-only" => Ok(Level::DaneOnly),
        "verify" => Ok(Level::Verify),
        "secure" => Ok(Level::Secure),
        _ => Err(SettingError::BadLevel(word.to_owned())),
    }
}

fn timeout(letter: char, seconds: Option<i32>) -> Result<Duration, SettingError> {
    let seconds = seconds.unwrap_or(30);
    match u64::try_from(seconds) {
        Ok(positive @ 1..) => Ok(Duration::from_secs(positive)),
        _ => Err(SettingError::BadValue(letter, seconds.to_string())),
    }
}

fn destination_of(
    operand: &OsStr,
    dialect: Dialect,
    ports: impl FnOnce() -> Ports,
    verbose: u32,
    notes: &mut Vec<Message>,
) -> Result<Destination, SettingError> {
    let text = operand.to_string_lossy();
    if operand.to_str().is_none() {
        notes.push(Message::warning(format!(
            "midna_domain_to_ascii_create: Problem translating domain \"{text}\" to ASCII form: \
             malformed UTF-8"
        )));
    }
    let destination = Destination::parse(&text, dialect, |name| ports().port(name))
        .map_err(SettingError::Destination)?;
    if let Place::Inet { service, .. } = &destination.place
        && verbose > 0
    {
        let default = if dialect == Dialect::Lmtp { "24" } else { "smtp" };
        let service = service.as_deref().unwrap_or(default);
        notes.push(Message::info(format!("parse_destination: {} {service}", destination.text)));
    }
    Ok(destination)
}

fn server_name(word: &str) -> ServerNameChoice {
    match word {
        "hostname" => ServerNameChoice::Hostname,
        "nexthop" => ServerNameChoice::Nexthop,
        // The reference sends names as they are if they have no ASCII form.
        name => ServerNameChoice::Name(
            host_to_ascii(name).map_or_else(|_: HostError| name.to_owned(), Into::into),
        ),
    }
}

#[cfg(test)]
mod tests {
    use tlsfinger_core::config::{DnssecTrust, InsecureMx, Lookup, ProxyForm};
    use tlsfinger_core::resolve::ResolvConf;

    use super::*;
    use crate::flags::{Asked, Command, parse};
    use crate::system::FileError;

    fn read(path: &Path) -> Result<File, FileError> {
        let testdata = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/src/tls/testdata");
        let found = File::read(&Path::new(testdata).join(path));
        let path = path.to_owned();
        match found {
            Ok(file) => Ok(File { path, ..file }),
            Err(error) => Err(FileError { path, ..error }),
        }
    }

    fn decide_words(words: &[&str]) -> (Result<Settings, Refusal>, Vec<String>) {
        decide_words_as(words, false)
    }

    fn decide_words_as(
        words: &[&str],
        posttls_finger: bool,
    ) -> (Result<Settings, Refusal>, Vec<String>) {
        let command = if posttls_finger { Command::Reference } else { Command::Probe };
        let Ok(Asked::Probe(options)) = parse(words.iter().map(OsString::from), command) else {
            panic!("{words:?}");
        };
        let system = System {
            host_name: "client".into(),
            read,
            services: || b"odd 2525/tcp".to_vec(),
            resolv_conf: || b"nameserver 192.0.2.53".to_vec(),
            key_log: None,
            mail_verbose: false,
            posttls_finger,
            list: |_| Vec::new(),
            main_cf: None,
        };
        let mut notes = Vec::new();
        let result = decide(&options, &system, &mut notes);
        (
            result,
            notes.into_iter().map(|note| format!("{:?} {}", note.severity, note.text)).collect(),
        )
    }

    #[test]
    fn name_servers_and_whom_to_believe() {
        let dnssec = |posttls_finger| {
            decide_words_as(&["a"], posttls_finger).0.unwrap().config.lookup.dnssec
        };
        assert_eq!([false, true].map(dnssec), [DnssecTrust::Auto, DnssecTrust::Trust]);
        let resolvers = |words: &[&str]| {
            let words = [&["--resolver", "tls://192.0.2.1#Dns.Example"], words, &["a"]].concat();
            decide_words(&words).0.map(|settings| settings.config.lookup.resolvers)
        };
        let mozilla = resolvers(&[]).unwrap();
        let server: std::net::SocketAddr = "192.0.2.1:853".parse().unwrap();
        assert_eq!(mozilla.servers, [server.into()]);
        let tls = mozilla.tls.unwrap();
        assert_eq!((tls.name.as_str(), tls.trust.len() > 100), ("dns.example", true));
        for level in ["-ldane", "-lnone"] {
            let own = resolvers(&["-F", "rsa.crt", level]).unwrap().tls.unwrap();
            assert_eq!(own.trust.len(), 1, "{level}");
        }
        let error = resolvers(&["-F", "nothing.pem"]);
        assert!(matches!(error, Err(Refusal::Fatal(SettingError::NoResolverRoots))), "{error:?}");
    }

    #[test]
    fn tlsproxy_is_told_what_the_options_say() {
        let proxy = |words: &[&str]| {
            let (settings, _) = decide_words(&[&["-X"], words, &["a"]].concat());
            settings.unwrap().config.proxy.unwrap()
        };
        let usual = proxy(&[]);
        assert_eq!(usual.socket, Path::new("/var/spool/postfix/private/tlsproxy"));
        assert_eq!(usual.forms, [ProxyForm::V3_11, ProxyForm::V3_7]);
        let value = |proxy: &Proxy, name: &str| proxy.values.get(name).cloned().unwrap_or_default();
        for (name, expected) in [
            ("tls_daemon_random_bytes", "32"),
            ("tls_append_default_CA", "0"),
            ("tls_fast_shutdown_enable", "1"),
            ("protocols", ">=TLSv1"),
            ("cipher_grade", "medium"),
            ("cipher_exclusions", "aNULL"),
            ("log_level", "routine,certmatch"),
            ("mdalg", "sha256"),
        ] {
            assert_eq!(value(&usual, name), expected, "{name}");
        }
        let set =
            proxy(&["-oqueue_directory=/q", "-omail_version=3.7.11", "-lmay", "-F/ca", "-ghigh"]);
        assert_eq!(
            (set.socket, set.forms),
            (PathBuf::from("/q/private/tlsproxy"), vec![ProxyForm::V3_7])
        );
        let set = proxy(&["-omail_version=3.11.6", "-lmay", "-gHigh", "-H", "a", "-H", "b"]);
        assert_eq!(set.forms, [ProxyForm::V3_11]);
        let values = ["cipher_exclusions", "cipher_grade", "chain_files"].map(|it| value(&set, it));
        assert_eq!(values, ["", "High", "a, b"]);
    }

    #[test]
    fn defaults() {
        let (settings, notes) = decide_words(&["example.org"]);
        let settings = settings.unwrap();
        assert_eq!(notes, [""; 0]);
        let place =
            Place::Inet { host: "example.org".into(), literal: false, service: None, port: 25 };
        let destination = Destination { text: "example.org".into(), place };
        let helo_name = "client.localdomain".into();
        let policy = Policy { suites: settings.config.policy.suites.clone(), ..Policy::default() };
        let resolvers = ResolvConf::parse(b"nameserver 192.0.2.53");
        let lookup = Lookup { resolvers, dnssec: DnssecTrust::Auto, ..Lookup::default() };
        let scout = settings.config.scout.clone();
        let offered =
            scout.as_ref().map(|it| (it.versions.len(), it.suites.len(), it.groups.len()));
        assert_eq!(offered, Some((4, 111, 8)));
        let expected =
            Config { destination, helo_name, lookup, policy, scout, ..Config::default() };
        assert_eq!(settings.config, expected);
        let log = Log::SUMMARY | Log::CERTMATCH;
        let (digest, charset) = (Digest::Sha256, Charset::Utf8);
        let show = Show { chat: true, log, verbose: 0, chain: false, digest, charset };
        assert_eq!(settings.show, show);
        assert_eq!(settings.runtime, Runtime::Blocking);
    }

    #[test]
    fn options_reach_the_configuration() {
        let settings = |words: &[&str]| {
            let mut words = words.to_vec();
            words.push("[h.test]");
            decide_words(&words).0.unwrap()
        };
        let config = |words: &[&str]| settings(words).config;
        assert_eq!(config(&["-aIPv6"]).family, Family::V6);
        assert_eq!(config(&["-t", "5s"]).connect_timeout, Duration::from_secs(5));
        assert_eq!(config(&["-T7"]).command_timeout, Duration::from_secs(7));
        assert_eq!(config(&["-lDane-Only"]).level, Level::DaneOnly);
        assert!(config(&["-w"]).wrapper);
        let lookup = config(&["-fR", "-Mmay", "-hnative", "--dnssec", "trust"]).lookup;
        assert!(lookup.force_tlsa && lookup.srv && lookup.hosts.native && !lookup.hosts.dns);
        assert_eq!((lookup.insecure_mx, lookup.dnssec), (InsecureMx::May, DnssecTrust::Trust));
        let servers = config(&["--resolver", "[::1]:5353"]).lookup.resolvers.servers;
        assert_eq!(servers, ["[::1]:5353".parse::<std::net::SocketAddr>().unwrap().into()]);
        assert_eq!(config(&["-S"]).dialect, Dialect::Lmtp);
        assert_eq!(&*config(&["-omyhostname=a.b"]).helo_name, "a.b");
        assert_eq!(&*config(&["-omyhostname=x", "-o", "myhostname=c"]).helo_name, "c");
        let reuse = |delay, limit| Some(Reuse { delay: Duration::from_secs(delay), limit });
        assert_eq!(config(&["-r", "3"]).reuse, reuse(3, 5));
        assert_eq!(config(&["-rx", "-m", "-1"]).reuse, reuse(0, 0));
        assert_eq!(config(&["-r", "-1", "-m2"]).reuse, None);
        let name = |word| config(&["-s", word]).policy.server_name.unwrap();
        assert_eq!(name("nexthop"), ServerNameChoice::Nexthop);
        assert_eq!(name("hostname"), ServerNameChoice::Hostname);
        assert_eq!(name("Nexthop"), ServerNameChoice::Name("Nexthop".into()));
        assert_eq!(name("bücher.test"), ServerNameChoice::Name("xn--bcher-kva.test".into()));
        let watch = config(&["-L", "ssl-session-packet-dump"]).watch;
        assert_eq!(
            (watch.messages, watch.handshake_bytes, watch.session_bytes),
            (false, true, true)
        );
        assert!(config(&["-Lssl-debug"]).watch.messages);
        assert!(!settings(&["-c"]).show.chat);
        assert_eq!(settings(&["-vv"]).show.verbose, 2);
        assert_eq!(settings(&["-lmay", "-Lnone"]).show.log, Log::NONE);
    }

    #[test]
    fn notes() {
        let table: &[(&[&str], &[&str])] = &[
            (&["-Lnosuch,x", "a"], &["Warning unknown -L option value \"nosuch\" in \"nosuch,x\""]),
            (&["-Lverbose", "a"], &["Info initializing the client-side TLS engine"]),
            (&["-Lverbose", "-lnone", "a"], &[]),
            (&["-v", "a:"], &["Info parse_destination: a: smtp"]),
            (&["-v", "a:odd"], &["Info parse_destination: a:odd odd"]),
        ];
        for (words, expected) in table {
            assert_eq!(decide_words(words).1, *expected, "{words:?}");
        }
    }

    #[test]
    fn client_keys() {
        let trailer = "error loading private keys and certificates from";
        let off = "disabling TLS support";
        let table: &[(&[&str], &[String], usize)] = &[
            (&["-k", "ec.crt", "-K", "ec.key"], &[], 1),
            (&["-K", "ec.key", "-k", "ec.crt"], &[], 1),
            (
                &["-H", "none.pem"],
                &["error opening chain file: none.pem: No such file or directory".into()],
                0,
            ),
            (
                &["-k", "none.pem"],
                &["error opening chain file: none.pem: No such file or directory".into()],
                0,
            ),
            (
                &["-H", "ec.crt", "-H", "ec.key"],
                &[
                    "error loading chain from ec.crt: key not first".into(),
                    format!("{trailer}: ec.crt, ec.key: {off}"),
                ],
                0,
            ),
            (
                &["-k", "ec.crt"],
                &["No private key found in ec.crt".into(), format!("{trailer}: ec.crt: {off}")],
                0,
            ),
            (
                &["-Hnothing.pem"],
                &["No PEM data in nothing.pem".into(), format!("{trailer}: nothing.pem: {off}")],
                0,
            ),
            (
                &["-H", "ec.key"],
                &[
                    "No certs for key at index 0 in ec.key".into(),
                    format!("{trailer}: ec.key: {off}"),
                ],
                0,
            ),
            (
                &["-k", "ec.crt", "-K", "rsa.key"],
                &[
                    format!(
                        "RSA private key in rsa.key does not match public key in ec.crt: {off}"
                    ),
                    "TLS library problem: key at index 0 does not match its certificate".into(),
                ],
                0,
            ),
            (
                &["-k", "none.pem", "-K", "rsa.key"],
                &[
                    format!("cannot get RSA certificate from file \"none.pem\": {off}"),
                    "TLS library problem: No such file or directory".into(),
                ],
                0,
            ),
        ];
        for (words, warnings, keys) in table {
            let words = [&["-lmay"], *words, &["a"]].concat();
            let (settings, notes) = decide_words(&words);
            let expected: Vec<_> = warnings.iter().map(|text| format!("Warning {text}")).collect();
            assert_eq!(notes, expected, "{words:?}");
            let config = settings.unwrap().config;
            assert_eq!(config.policy.identity.key_kinds().count(), *keys);
            let is_off = words.contains(&"-k") && *keys == 0
                || warnings.iter().any(|text| text.ends_with(off));
            assert_eq!(config.no_tls, is_off, "{words:?}");
        }
        let wrapper = decide_words(&["-w", "-Hnothing.pem", "a"]).0;
        assert_eq!(wrapper, Err(SettingError::WrapperWithoutTls.into()));
    }

    #[test]
    fn fatal_errors() {
        let table: &[(&[&str], &str)] = &[
            (&["-a", "ipv5", "a"], "bad '-a' option value: ipv5"),
            (&["-a", "", "a"], "bad '-a' option value: "),
            (&["-l", "nosuch", "a"], "Invalid TLS level \"nosuch\""),
            (&["-l", "halfdane", "a"], "Invalid TLS level \"halfdane\""),
            (&["-wlnone", "a"], "SSL wrapper mode requires that TLS not be disabled"),
            (&["-t0", "a"], "bad '-t' option value: 0"),
            (&["-T", "x", "a"], "bad '-T' option value: 0"),
            (&["-T-1", "a"], "bad '-T' option value: -1"),
            (&["-h", "dns,nosuch", "a"], "unknown -h option value \"nosuch\" in \"dns,nosuch\""),
            (&["-odnssec_probe=x", "a"], "malformed dnssec_probe value: x format is qtype:qname"),
            (&["-omyhostname=", "a"], "bad string length 0 < 1: myhostname = "),
            (&["-omyhostname=-b", "a"], "parameter myhostname: bad parameter value: -b"),
            (&["-X", "-r0", "a"], "The -X and -r options are mutually exclusive"),
            (
                &["-H", "x", "-K", "y", "a"],
                "When the '-H' option is used, neither the '-k', nor the '-K' options may be used",
            ),
            (&["a:nosuch"], "unknown service: nosuch/tcp"),
            (&["[a"], "missing \"]\" in server description: [a"),
        ];
        for (words, expected) in table {
            match decide_words(words).0 {
                Err(Refusal::Fatal(error)) => assert_eq!(error.to_string(), *expected),
                other => panic!("{words:?}: {other:?}"),
            }
        }
        assert_eq!(decide_words(&["-c"]).0, Err(Refusal::Usage(UsageError::NoDestination)));
    }

    #[test]
    fn bad_name_is_explained_before_it_is_fatal() {
        let (_, notes) = decide_words(&["-omyhostname=-bad-.example", "a"]);
        assert_eq!(notes, ["Warning valid_hostname: misplaced hyphen: -bad-.example"]);
    }

    #[cfg(unix)]
    #[test]
    fn destination_that_is_not_utf8() {
        use std::os::unix::ffi::OsStringExt;
        let options = Options {
            operands: vec![OsString::from_vec(b"b\xfccher.test".to_vec())],
            ..Options::default()
        };
        let system = System {
            host_name: "c.d".into(),
            read,
            services: Vec::new,
            resolv_conf: || b"nameserver 192.0.2.53".to_vec(),
            key_log: None,
            mail_verbose: false,
            posttls_finger: false,
            list: |_| Vec::new(),
            main_cf: None,
        };
        let mut notes = Vec::new();
        let error = decide(&options, &system, &mut notes).unwrap_err();
        assert!(matches!(error, Refusal::Fatal(SettingError::Destination(_))));
        assert!(notes[0].text.ends_with("to ASCII form: malformed UTF-8"), "{notes:?}");
    }
}
