//! The parameters of main.cf that a probe heeds (postconf(5)).

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use tlsfinger_core::config::{
    AddressFamilies, CompatibilityLevel, DaneDigestProblem, DaneDigests, DnssecProbe, MacroError,
    MainCf, Proxy, ProxyForm, SyntaxError,
};
use tlsfinger_core::destination::{KnownPorts, KnownPortsError, check_host};

use crate::line::{Charset, Message};
use crate::system::File;

/// The values of the parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parameters {
    /// `smtputf8_enable`
    pub(crate) charset: Charset,
    /// `myhostname`
    pub(crate) my_host_name: String,
    /// `known_tcp_ports`
    pub(crate) known_ports: KnownPorts,
    /// `inet_protocols`
    pub(crate) families: AddressFamilies,
    /// `dnssec_probe`
    pub(crate) dnssec_probe: Option<DnssecProbe>,
    /// `smtp_tls_fingerprint_digest`
    pub(crate) fingerprint_digest: String,
    /// The digest is the default of an old `compatibility_level`: nobody chose it.
    pub(crate) digest_is_old_default: bool,
    /// `tls_append_default_CA`
    pub(crate) append_default_ca: bool,
    /// `tls_dane_digests`
    pub(crate) dane_digests: DaneDigests,
    /// `tls_high_cipherlist`
    pub(crate) high_ciphers: String,
    /// `tls_medium_cipherlist`
    pub(crate) medium_ciphers: String,
    /// `tls_null_cipherlist`
    pub(crate) null_ciphers: String,
    /// `tls_eecdh_auto_curves`; empty means the defaults.
    pub(crate) curves: String,
    /// `tls_ffdhe_auto_groups`
    pub(crate) ffdhe: String,
    /// The way to tlsproxy(8), and the parameters that it is told.
    pub(crate) proxy: Proxy,
}

impl Parameters {
    /// Evaluates them, from the file if there is one, and with the overrides of `-o`.
    pub(crate) fn evaluate(
        file: Option<&File>,
        overrides: &[(String, String)],
        host_name: &str,
        notes: &mut Vec<Message>,
    ) -> Result<Self, ParameterError> {
        let mut source = Source::read(file, notes)?;
        for (name, value) in overrides {
            source.main_cf.set(name, value);
        }
        // A parameter sees those that were evaluated before it, so the order counts.
        source.level(if file.is_some() { "0" } else { OUR_LEVEL })?;
        let my_host_name = source.my_host_name(host_name, notes)?;
        let utf8 = source
            .boolean("smtputf8_enable", "${{$compatibility_level} <level {1} ? {no} : {yes}}")?;
        let known_ports = source.known_ports()?;
        let families = source.families()?;
        let dnssec_probe = source.dnssec_probe()?;
        // MD5 was the default of old.
        let digest = "smtp_tls_fingerprint_digest";
        let digest_is_set = source.main_cf.is_set(digest);
        let fingerprint_digest =
            source.text(digest, "${{$compatibility_level} <level {3.6} ? {md5} : {sha256}}")?;
        let append_default_ca = source.boolean("tls_append_default_CA", "no")?;
        let (dane_digests, problems) =
            DaneDigests::parse(&source.text("tls_dane_digests", "sha512 sha256")?);
        notes.extend(problems.iter().map(|problem| Message::warning(dane_digest(problem))));
        let high_ciphers = source.text("tls_high_cipherlist", HIGH)?;
        let medium_ciphers = source.text("tls_medium_cipherlist", MEDIUM)?;
        let null_ciphers = source.text("tls_null_cipherlist", "eNULL:!aNULL")?;
        let curves = source.text("tls_eecdh_auto_curves", "")?;
        let ffdhe = source.text("tls_ffdhe_auto_groups", "")?;
        let proxy = source.proxy()?;
        Ok(Self {
            charset: if utf8 { Charset::Utf8 } else { Charset::Ascii },
            my_host_name,
            known_ports,
            families,
            dnssec_probe,
            digest_is_old_default: !digest_is_set && fingerprint_digest == "md5",
            fingerprint_digest,
            append_default_ca,
            dane_digests,
            high_ciphers,
            medium_ciphers,
            null_ciphers,
            curves,
            ffdhe,
            proxy,
        })
    }
}

/// Says what is wrong with an entry of `tls_dane_digests`.
fn dane_digest(problem: &DaneDigestProblem) -> String {
    let list = "tls_dane_digests";
    match problem {
        DaneDigestProblem::Invalid(entry) => {
            format!("Invalid matching type number in {list}: {entry}")
        }
        DaneDigestProblem::Reserved(entry) => {
            format!("Reserved matching type number in {list}: {entry}")
        }
        DaneDigestProblem::NeedsNumber(name) => {
            format!("{list}: digest algorithm {name} needs an explicit number")
        }
        DaneDigestProblem::OnlyOne(matching) => {
            let name = if *matching == 1 { "sha256" } else { "sha512" };
            format!("{list}: matching type {matching} can only be {name}")
        }
        DaneDigestProblem::Repeated(matching) => {
            format!("{list}: matching type {matching} specified more than once")
        }
        DaneDigestProblem::Unknown(name, matching) => {
            format!("{list}: digest algorithm \"{name}\"({matching}) unknown")
        }
    }
}

/// Whose defaults count where there is no file that says so.
const OUR_LEVEL: &str = "3.11";

const HIGH: &str = "aNULL:-aNULL:HIGH:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:!MD5:\
                    @STRENGTH";
const MEDIUM: &str = "aNULL:-aNULL:HIGH:MEDIUM:!SEED:!IDEA:!3DES:!RC2:!RC4:!RC5:!kDH:!kECDH:!aDSS:\
                      !MD5:+RC4:@STRENGTH";
const KNOWN_PORTS: &str = "lmtp=24, smtp=25, smtps=submissions=465, submission=587";

/// The first version whose tlsproxy(8) has no parameters of export ciphers any more.
const PROXY_CHANGED: CompatibilityLevel = CompatibilityLevel([3, 8, 0]);

/// What tlsproxy(8) is told: its names, the parameters' and their defaults.
const PROXY_VALUES: &[(&str, &str, &str)] = &[
    ("config_file", "tls_config_file", "default"),
    ("config_name", "tls_config_name", ""),
    ("tls_high_cipherlist", "tls_high_cipherlist", HIGH),
    ("tls_medium_cipherlist", "tls_medium_cipherlist", MEDIUM),
    ("tls_low_cipherlist", "tls_low_cipherlist", MEDIUM),
    ("tls_export_cipherlist", "tls_export_cipherlist", MEDIUM),
    ("tls_null_cipherlist", "tls_null_cipherlist", "eNULL:!aNULL"),
    (
        "tls_eecdh_auto_curves",
        "tls_eecdh_auto_curves",
        "X25519 X448 prime256v1 secp521r1 secp384r1",
    ),
    ("tls_eecdh_strong_curve", "tls_eecdh_strong_curve", "prime256v1"),
    ("tls_eecdh_ultra_curve", "tls_eecdh_ultra_curve", "secp384r1"),
    ("tls_ffdhe_auto_groups", "tls_ffdhe_auto_groups", "ffdhe2048 ffdhe3072"),
    ("tls_disable_workarounds", "tls_disable_workarounds", ""),
    ("tls_ssl_options", "tls_ssl_options", ""),
    ("tls_dane_digests", "tls_dane_digests", "sha512 sha256"),
    ("tlsmgr_service_name", "tlsmgr_service_name", "tlsmgr"),
    ("tls_session_ticket_cipher", "tls_session_ticket_cipher", "aes-256-cbc"),
    ("tls_daemon_random_bytes", "tls_daemon_random_bytes", "32"),
];

/// Of these it is told 0 or 1.
const PROXY_SWITCHES: &[(&str, &str)] = &[
    ("tls_append_default_CA", "no"),
    ("tls_legacy_public_key_fingerprints", "no"),
    ("tls_preempt_cipherlist", "no"),
    ("tls_wildcard_matches_multiple_labels", "yes"),
    ("tls_fast_shutdown_enable", "yes"),
];

/// Where values come from.
struct Source<'a> {
    main_cf: MainCf,
    path: Option<&'a Path>,
}

impl<'a> Source<'a> {
    fn read(file: Option<&'a File>, notes: &mut Vec<Message>) -> Result<Self, ParameterError> {
        let Some(File { path, text }) = file else {
            return Ok(Self { main_cf: MainCf::default(), path: None });
        };
        let (main_cf, overridden) = MainCf::parse(&String::from_utf8_lossy(text))
            .map_err(|error| ParameterError::Syntax(path.clone(), error))?;
        notes.extend(overridden.iter().map(|old| {
            let (path, line) = (path.display(), old.line);
            let text = format!("overriding earlier entry: {}={}", old.name, old.value);
            Message::warning(format!("{path}, line {line}: {text}"))
        }));
        Ok(Self { main_cf, path: Some(path) })
    }

    fn text(&mut self, name: &str, default: &str) -> Result<String, ParameterError> {
        let place = self.place(name);
        self.main_cf
            .evaluate(name, default)
            .map_err(|error| ParameterError::Macro(name.to_owned(), error, place))
    }

    fn boolean(&mut self, name: &str, default: &str) -> Result<bool, ParameterError> {
        let place = self.place(name);
        let value = self.text(name, default)?;
        match value.to_ascii_lowercase().as_str() {
            "yes" => Ok(true),
            "no" => Ok(false),
            _ => Err(ParameterError::Boolean(name.to_owned(), value, place)),
        }
    }

    /// Finds tlsproxy(8). The version decides on the form of its protocol; where none is set, the
    /// daemon does.
    fn proxy(&mut self) -> Result<Proxy, ParameterError> {
        let queue = self.text("queue_directory", "/var/spool/postfix")?;
        let version = self.text("mail_version", "")?;
        let forms = match CompatibilityLevel::parse(&version) {
            _ if version.is_empty() => vec![ProxyForm::V3_11, ProxyForm::V3_7],
            Some(version) if version < PROXY_CHANGED => vec![ProxyForm::V3_7],
            _ => vec![ProxyForm::V3_11],
        };
        let mut values = BTreeMap::new();
        for (name, parameter, default) in PROXY_VALUES {
            values.insert((*name).to_owned(), self.text(parameter, default)?);
        }
        for (name, default) in PROXY_SWITCHES {
            let value = self.boolean(name, default)?;
            values.insert((*name).to_owned(), u8::from(value).to_string());
        }
        Ok(Proxy { socket: Path::new(&queue).join("private/tlsproxy"), forms, values })
    }

    fn level(&mut self, default: &str) -> Result<(), ParameterError> {
        let name = "compatibility_level";
        let place = self.place(name);
        let value = self.text(name, default)?;
        match CompatibilityLevel::parse(&value) {
            Some(_) => Ok(()),
            None => Err(ParameterError::Number(name.to_owned(), value, place)),
        }
    }

    fn known_ports(&mut self) -> Result<KnownPorts, ParameterError> {
        let name = "known_tcp_ports";
        let place = self.place(name);
        let value = self.text(name, KNOWN_PORTS)?;
        KnownPorts::parse(&value).map_err(|error| ParameterError::Ports(error, place))
    }

    fn families(&mut self) -> Result<AddressFamilies, ParameterError> {
        let name = "inet_protocols";
        let place = self.place(name);
        let value = self.text(name, "all")?;
        let mut families = AddressFamilies { v4: false, v6: false };
        for word in value.split(|c: char| c == ',' || c.is_ascii_whitespace()) {
            match word.to_ascii_lowercase().as_str() {
                "" => {}
                "all" => families = AddressFamilies::default(),
                "ipv4" => families.v4 = true,
                "ipv6" => families.v6 = true,
                _ => return Err(ParameterError::Families(word.to_owned(), place)),
            }
        }
        match families {
            AddressFamilies { v4: false, v6: false } => {
                Err(ParameterError::Empty(name.to_owned(), place))
            }
            families => Ok(families),
        }
    }

    fn dnssec_probe(&mut self) -> Result<Option<DnssecProbe>, ParameterError> {
        let name = "dnssec_probe";
        let place = self.place(name);
        let value = self.text(name, "ns:.")?;
        DnssecProbe::parse(&value).map_err(|_| ParameterError::DnssecProbe(value, place))
    }

    /// The name of this machine, with a domain: it is what EHLO says.
    fn my_host_name(
        &mut self,
        host_name: &str,
        notes: &mut Vec<Message>,
    ) -> Result<String, ParameterError> {
        let name = "myhostname";
        let default = match host_name.contains('.') {
            true => host_name.to_owned(),
            false => format!("{host_name}.{}", self.text("mydomain", "localdomain")?),
        };
        let place = self.place(name);
        let value = self.text(name, &default.replace('$', "$$"))?;
        if value.is_empty() {
            return Err(ParameterError::Empty(name.to_owned(), place));
        }
        check_host(&value).map_err(|error| {
            notes.push(Message::warning(format!("valid_hostname: {error}: {value}")));
            let path = self.path.map(Path::to_owned);
            ParameterError::HostName(path, name.to_owned(), value.clone())
        })?;
        Ok(value)
    }

    /// Tells where in a file a parameter is set, if one sets it.
    fn place(&self, name: &str) -> Place {
        Place(self.path.zip(self.main_cf.line(name)).map(|(path, line)| (path.to_owned(), line)))
    }
}

/// A line of a file; nothing for what comes from elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place(Option<(PathBuf, usize)>);

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some((path, line)) => write!(f, " ({}, line {line})", path.display()),
            None => Ok(()),
        }
    }
}

/// Why a parameter cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ParameterError {
    /// A line of the file sets nothing.
    Syntax(PathBuf, SyntaxError),
    /// The value of a parameter cannot be expanded.
    Macro(String, MacroError, Place),
    /// A parameter that needs a value has none.
    Empty(String, Place),
    /// Neither yes nor no.
    Boolean(String, String, Place),
    /// Not a number where one must be.
    Number(String, String, Place),
    /// A list of ports has a strange item.
    Ports(KnownPortsError, Place),
    /// A word that is no address family.
    Families(String, Place),
    /// Not `qtype:qname`.
    DnssecProbe(String, Place),
    /// Not the name of a host; the reference names the file without a line.
    HostName(Option<PathBuf>, String, String),
}

impl fmt::Display for ParameterError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(path, error) => write!(f, "{}, {error}", path.display()),
            Self::Macro(name, error, place) => {
                write!(f, "dictionary mail_dict: macro processing error: {name}: {error}{place}")
            }
            Self::Empty(name, place) => write!(f, "bad string length 0 < 1: {name} = {place}"),
            Self::Boolean(name, value, place) => {
                write!(f, "bad boolean configuration: {name} = {value}{place}")
            }
            Self::Number(name, value, place) => {
                write!(f, "bad numerical configuration: {name} = {value}{place}")
            }
            Self::Ports(error, place) => write!(f, "known_tcp_ports: {error}{place}"),
            Self::Families(word, place) => {
                write!(f, "inet_protocols: unknown network protocol: {word}{place}")
            }
            Self::DnssecProbe(value, place) => {
                write!(f, "malformed dnssec_probe value: {value} format is qtype:qname{place}")
            }
            Self::HostName(path, name, value) => {
                if let Some(path) = path {
                    write!(f, "file {}: ", path.display())?;
                }
                write!(f, "parameter {name}: bad parameter value: {value}")
            }
        }
    }
}

impl std::error::Error for ParameterError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn evaluate(
        text: &str,
        overrides: &[(&str, &str)],
    ) -> (Result<Parameters, String>, Vec<Message>) {
        let file = File { path: "/x/main.cf".into(), text: text.into() };
        let overrides: Vec<_> =
            overrides.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        let mut notes = Vec::new();
        let result = Parameters::evaluate(Some(&file), &overrides, "client", &mut notes);
        (result.map_err(|error| error.to_string()), notes)
    }

    #[test]
    fn values_and_defaults() {
        let parameters = |text, overrides: &[(&str, &str)]| evaluate(text, overrides).0.unwrap();
        assert_eq!(parameters("", &[]).my_host_name, "client.localdomain");
        assert_eq!(parameters("mydomain = a.b", &[]).my_host_name, "client.a.b");
        assert_eq!(parameters("myhostname = x", &[]).my_host_name, "x");
        assert_eq!(parameters("d=a.b\nmyhostname = x.$d", &[("d", "c")]).my_host_name, "x.c");
        assert_eq!(parameters("", &[]).charset, Charset::Ascii);
        assert_eq!(parameters("compatibility_level = 3.6", &[]).charset, Charset::Utf8);
        assert_eq!(parameters("", &[("smtputf8_enable", "YES")]).charset, Charset::Utf8);
        assert_eq!(parameters("known_tcp_ports = x=7", &[]).known_ports.port("x"), Some(7));
        assert!(parameters("", &[]).digest_is_old_default);
        assert!(!parameters("compatibility_level = 3.6", &[]).digest_is_old_default);
        let digest = &[("smtp_tls_fingerprint_digest", "md5")];
        assert!(!parameters("", digest).digest_is_old_default);
        let none = Parameters::evaluate(None, &[], "a.b", &mut Vec::new()).unwrap();
        assert_eq!((none.charset, none.my_host_name.as_str()), (Charset::Utf8, "a.b"));
        assert_eq!(none.known_ports, KnownPorts::default());
    }

    #[test]
    fn values_that_cannot_be_used_are_named_with_their_place() {
        type Overrides = &'static [(&'static str, &'static str)];
        let table: &[(&str, Overrides, &str)] = &[
            ("x", &[], "/x/main.cf, line 1: missing '=' after attribute name: \"x\""),
            ("\nmyhostname =", &[], "bad string length 0 < 1: myhostname =  (/x/main.cf, line 2)"),
            ("", &[("myhostname", "")], "bad string length 0 < 1: myhostname = "),
            (
                "",
                &[("myhostname", "-a")],
                "file /x/main.cf: parameter myhostname: bad parameter value: -a",
            ),
            (
                "smtputf8_enable = perhaps",
                &[],
                "bad boolean configuration: smtputf8_enable = perhaps (/x/main.cf, line 1)",
            ),
            (
                "",
                &[("compatibility_level", "high")],
                "bad numerical configuration: compatibility_level = high",
            ),
            (
                "tls_high_cipherlist = ${x",
                &[],
                "dictionary mail_dict: macro processing error: tls_high_cipherlist: truncated \
                 macro reference (/x/main.cf, line 1)",
            ),
            (
                "known_tcp_ports = smtp",
                &[],
                "known_tcp_ports: malformed port list item: smtp (/x/main.cf, line 1)",
            ),
        ];
        for (text, overrides, error) in table {
            assert_eq!(evaluate(text, overrides).0, Err((*error).to_owned()));
        }
    }

    #[test]
    fn overridden_entries_are_told() {
        let (_, notes) = evaluate("a = 1\na = 2\n", &[]);
        let text = "/x/main.cf, line 2: overriding earlier entry: a=1";
        assert_eq!(notes, [Message::warning(text)]);
    }
}
