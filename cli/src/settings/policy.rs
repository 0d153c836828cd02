//! What a server must show: match arguments, trust files, digest.

use std::ffi::OsString;
use std::path::Path;

use tlsfinger_core::cert::Digest;
use tlsfinger_core::config::{Anchor, DaneDigests, Level, MatchRule, Pin, TrustStore, read_trust};
use tlsfinger_core::destination::host_to_ascii;
use tlsfinger_core::judge::{anchor_records, pin_records};
use tlsfinger_core::tls::Identity;

use super::{SettingError, System, identity};
use crate::line::Message;
use crate::log::Log;
use crate::options::Options;
use crate::parameters::Parameters;

/// Reads the trust anchors (`-A`). Any failure is fatal.
pub(super) fn anchors(
    options: &Options,
    level: Level,
    log: Log,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<Vec<Anchor>, SettingError> {
    if !matches!(level, Level::Verify | Level::Secure) {
        if !options.trust_anchors.is_empty() && !system.posttls_finger {
            let what = "-A is ignored: trust anchors count only at the levels verify and secure";
            notes.push(Message::warning(what));
        }
        return Ok(Vec::new());
    }
    let mut anchors = Vec::new();
    for file in &options.trust_anchors {
        let name = file.display();
        let failed = || SettingError::TrustAnchors(name.to_string());
        let text = (system.read)(file).map_err(|error| {
            let what = format!("error opening trust anchor file: {name}: {}", error.error);
            notes.push(Message::warning(what));
            failed()
        })?;
        for anchor in read_trust(&text.text).map_err(|error| {
            if !system.posttls_finger {
                notes.push(Message::warning(format!("{name}: {error}")));
            }
            failed()
        })? {
            if log.has(Log::DANE) || log.has(Log::VERBOSE) {
                // Of the two records that stand for it, the one above the server's certificate.
                let [record, _] = anchor_records(&anchor);
                let what = match anchor {
                    Anchor::Certificate(_) => "TA cert",
                    Anchor::Key(_) => "TA pkey",
                };
                notes.push(Message::info(format!("{what} as TLSA record: {name}: {record}")));
            }
            anchors.push(anchor);
        }
    }
    Ok(anchors)
}

/// What TLS is set up with before anything is known of the destination.
#[derive(Debug)]
pub(super) struct Engine {
    pub(super) roots: TrustStore,
    pub(super) digest: Digest,
    pub(super) dane_digests: DaneDigests,
    pub(super) identity: Identity,
    /// TLS cannot be set up as it was asked for; what is wrong stands among the notes.
    pub(super) is_off: bool,
}

impl Default for Engine {
    fn default() -> Self {
        Self {
            roots: TrustStore::default(),
            digest: Digest::Sha256,
            dane_digests: DaneDigests::default(),
            identity: Identity::default(),
            is_off: false,
        }
    }
}

impl Engine {
    pub(super) fn start(
        options: &Options,
        parameters: &Parameters,
        system: &System,
        notes: &mut Vec<Message>,
    ) -> Self {
        let dane_digests = parameters.dane_digests.clone();
        let name = options.digest.as_deref().unwrap_or(&parameters.fingerprint_digest);
        let digest = digest(name, notes);
        // The first failure ends it.
        let roots = digest
            .as_ref()
            .map_or(Err(NoTls), |_| roots(options, parameters.append_default_ca, system, notes));
        let identity = roots.as_ref().ok().and_then(|_| identity::read(options, system, notes));
        Self {
            is_off: identity.is_none(),
            identity: identity.unwrap_or_default(),
            roots: roots.unwrap_or_default(),
            digest: digest.unwrap_or(Digest::Sha256),
            dane_digests,
        }
    }
}

/// There can be no TLS; why stands among the notes.
#[derive(Debug)]
pub(super) struct NoTls;

/// Finds the digest of fingerprints (`-d`).
fn digest(name: &str, notes: &mut Vec<Message>) -> Result<Digest, NoTls> {
    Digest::by_name(name).ok_or_else(|| {
        notes.push(Message::warning(format!("Digest algorithm \"{name}\" not found")));
        notes.push(Message::warning("disabling TLS support"));
        NoTls
    })
}

/// Reads the root certificates (`-F`, `-P`), and those of the system with them if they are to be
/// appended.
pub(super) fn roots(
    options: &Options,
    append_default: bool,
    system: &System,
    notes: &mut Vec<Message>,
) -> Result<TrustStore, NoTls> {
    let mut store = TrustStore::default();
    if let Some(file) = &options.ca_file {
        let added = match (system.read)(file) {
            Ok(file) => store.add_pem(&file.text).map(drop).map_err(|error| error.to_string()),
            Err(error) => Err(error.error.to_string()),
        };
        if let Err(error) = added {
            let file = file.display();
            let path = match &options.ca_path {
                Some(path) => format!(", CApath=\"{}\"", path.display()),
                None => String::new(),
            };
            notes.push(Message::info(format!(
                "cannot load Certification Authority data, CAfile=\"{file}\"{path}: disabling TLS \
                 support"
            )));
            notes.push(Message::warning(format!("TLS library problem: {file}: {error}")));
            return Err(NoTls);
        }
    }
    if let Some(path) = &options.ca_path {
        add_directory(&mut store, path, system);
    }
    if options.webpki_roots {
        webpki_roots::TLS_SERVER_ROOTS.iter().for_each(|root| store.add_anchor(root));
    }
    if append_default && (options.ca_file.is_some() || options.ca_path.is_some()) {
        if let Ok(file) = (system.read)(Path::new(DEFAULT_CA_FILE)) {
            let _ = store.add_pem(&file.text);
        }
        add_directory(&mut store, Path::new(DEFAULT_CA_PATH), system);
    }
    Ok(store)
}

/// Where OpenSSL looks for root certificates by itself, as Debian builds it.
const DEFAULT_CA_FILE: &str = "/usr/lib/ssl/cert.pem";
const DEFAULT_CA_PATH: &str = "/usr/lib/ssl/certs";

/// Adds the certificates of a directory made by c_rehash(1). A directory or file that cannot be
/// read adds nothing, as in the reference.
fn add_directory(store: &mut TrustStore, path: &Path, system: &System) {
    for name in (system.list)(path) {
        if let Ok(file) = (system.read)(&path.join(&name)) {
            let _ = store.add_hashed(&name, &file.text);
        }
    }
}

/// What the match arguments ask for.
#[derive(Debug, Default)]
pub(super) struct Matches {
    pub(super) rules: Vec<MatchRule>,
    pub(super) pins: Vec<Pin>,
}

/// Reads the match arguments: names, or fingerprints at level `fingerprint`.
pub(super) fn matches(
    arguments: &[OsString],
    level: Level,
    log: Log,
    notes: &mut Vec<Message>,
) -> Matches {
    let mut matches = Matches::default();
    if arguments.is_empty() {
        return matches;
    }
    match level {
        Level::None | Level::May | Level::Encrypt => notes.push(Message::warning(format!(
            "TLS level '{}' does not implement certificate matching",
            level.word()
        ))),
        Level::Fingerprint => {
            for argument in arguments {
                let text = argument.to_string_lossy();
                match text.parse::<Pin>() {
                    Ok(pin) => {
                        if log.has(Log::DANE) || log.has(Log::VERBOSE) {
                            let [_, record] = pin_records(&pin);
                            let what = "fingerprint: digest as private-use TLSA record";
                            notes.push(Message::info(format!("{what}: {record}")));
                        }
                        matches.pins.push(pin);
                    }
                    Err(_) => {
                        let what = format!("malformed fingerprint value: {}", shortened(&text));
                        notes.push(Message::warning(what));
                    }
                }
            }
        }
        Level::HalfDane | Level::Dane | Level::DaneOnly | Level::Verify | Level::Secure => {
            matches.rules = arguments
                .iter()
                .map(|argument| {
                    let text = argument.to_string_lossy();
                    let ascii = host_to_ascii(&text).map_or_else(|_| text.to_string(), Into::into);
                    MatchRule::from(ascii.as_str())
                })
                .collect();
        }
    }
    matches
}

/// Cuts a long argument for a message.
fn shortened(text: &str) -> String {
    match text.chars().count() {
        0..=192 => text.to_owned(),
        _ => text.chars().take(100).chain("...".chars()).collect(),
    }
}
