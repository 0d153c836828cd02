//! Client keys and certificates: `-H`, `-k`, `-K`.

use std::path::Path;

use tlsfinger_core::cert::PemError;
use tlsfinger_core::tls::{Identity, IdentityError};

use super::System;
use crate::line::Message;
use crate::options::Options;
use crate::system::FileError;

/// Reads them. `None` if they are of no use: then there is no TLS, as in the reference; `notes`
/// tell why.
pub(super) fn read(
    options: &Options,
    system: &System,
    notes: &mut Vec<Message>,
) -> Option<Identity> {
    match (&options.certificate_file, &options.key_file) {
        (Some(certificate), Some(key)) if certificate == key => file(certificate, system, notes),
        (Some(certificate), Some(key)) => pair(certificate, key, system, notes),
        _ => chains(&options.chain_files.join(", "), system, notes),
    }
}

/// Reads a list of files, each with chains. One that cannot be opened ends the list; TLS goes on.
fn chains(list: &str, system: &System, notes: &mut Vec<Message>) -> Option<Identity> {
    let mut identity = Identity::default();
    let names = list.split([',', ' ', '\t', '\r', '\n']).filter(|name| !name.is_empty());
    for name in names {
        match (system.read)(Path::new(name)) {
            Err(error) => {
                notes.push(not_opened(&error));
                break;
            }
            Ok(file) => {
                if let Err(error) = identity.add_chains(&file.text) {
                    return refuse(name, list, &error, notes);
                }
            }
        }
    }
    Some(identity)
}

/// Reads one file with one key and its certificates.
fn file(path: &Path, system: &System, notes: &mut Vec<Message>) -> Option<Identity> {
    let name = path.display().to_string();
    let mut identity = Identity::default();
    match (system.read)(path).map(|file| identity.add_file(&file.text)) {
        Err(error) => {
            notes.push(not_opened(&error));
            return None;
        }
        Ok(Err(error)) => return refuse(&name, &name, &error, notes),
        Ok(Ok(false)) => {}
        Ok(Ok(true)) => notes.push(Message::warning(format!("ignoring second key in {name}"))),
    }
    Some(identity)
}

fn not_opened(FileError { path, error, .. }: &FileError) -> Message {
    Message::warning(format!("error opening chain file: {}: {error}", path.display()))
}

/// Tells what is wrong with a file of `list`.
fn refuse(
    name: &str,
    list: &str,
    error: &IdentityError,
    notes: &mut Vec<Message>,
) -> Option<Identity> {
    notes.push(Message::warning(problem(name, error)));
    notes.push(Message::warning(format!(
        "error loading private keys and certificates from: {list}: disabling TLS support"
    )));
    None
}

/// Reads a file with certificates and another with their key.
fn pair(
    certificate: &Path,
    key: &Path,
    system: &System,
    notes: &mut Vec<Message>,
) -> Option<Identity> {
    let mut identity = Identity::default();
    let (certificate_name, key_name) = (certificate.display(), key.display());
    let no_certificate = format!("cannot get RSA certificate from file \"{certificate_name}\"");
    let no_key = format!("cannot get RSA private key from file \"{key_name}\"");
    let (text, detail) = match ((system.read)(certificate), (system.read)(key)) {
        (Err(error), _) => (no_certificate, error.error.to_string()),
        (_, Err(error)) => (no_key, error.error.to_string()),
        (Ok(certificate), Ok(key)) => match identity.add_pair(&certificate.text, &key.text) {
            Ok(()) => return Some(identity),
            Err(error @ IdentityError::NoCertificate(_)) => (no_certificate, error.to_string()),
            Err(error @ IdentityError::Mismatch(_)) => (
                format!(
                    "RSA private key in {key_name} does not match public key in \
                     {certificate_name}"
                ),
                error.to_string(),
            ),
            Err(error) => (no_key, error.to_string()),
        },
    };
    notes.push(Message::warning(format!("{text}: disabling TLS support")));
    notes.push(Message::warning(format!("TLS library problem: {detail}")));
    None
}

fn problem(file: &str, error: &IdentityError) -> String {
    match error {
        IdentityError::Pem(PemError::NoBlock) => format!("No PEM data in {file}"),
        IdentityError::NoKey => format!("No private key found in {file}"),
        IdentityError::NoCertificate(index) => {
            format!("No certs for key at index {index} in {file}")
        }
        IdentityError::Mismatch(index) => {
            format!("key at index {index} in {file} does not match next certificate")
        }
        IdentityError::Pem(_)
        | IdentityError::KeyNotFirst
        | IdentityError::UnsupportedKey(_)
        | IdentityError::SameKind(_)
        | IdentityError::Encrypted { .. } => format!("error loading chain from {file}: {error}"),
    }
}
