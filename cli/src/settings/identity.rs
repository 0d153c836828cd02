//! Client keys and certificates: `-H`, `-k`, `-K`.

use std::path::Path;

use tlsfinger_core::IoError;
use tlsfinger_core::cert::PemError;
use tlsfinger_core::tls::{Identity, IdentityError};

use crate::line::Message;
use crate::options::Options;

/// Reads them. `None` if they are of no use: then there is no TLS, as in the reference; `notes`
/// tell why.
pub(super) fn read(
    options: &Options,
    read: fn(&Path) -> Result<Vec<u8>, IoError>,
    notes: &mut Vec<Message>,
) -> Option<Identity> {
    let mut identity = Identity::default();
    let (certificate, key) = match (&options.certificate_file, &options.key_file) {
        (Some(certificate), Some(key)) if certificate != key => (certificate, key),
        (Some(file), Some(_)) => {
            let list = file.display().to_string();
            return read_list(&list, read, notes, &mut |text| {
                identity.add_file(text).map(|passed_over| {
                    passed_over.then(|| format!("ignoring second key in {list}"))
                })
            })
            .then_some(identity);
        }
        _ => {
            let list = options.chain_files.join(", ");
            return read_list(&list, read, notes, &mut |text| {
                identity.add_chains(text).map(|()| None)
            })
            .then_some(identity);
        }
    };
    let (certificate_name, key_name) = (certificate.display(), key.display());
    let no_certificate = format!("cannot get RSA certificate from file \"{certificate_name}\"");
    let no_key = format!("cannot get RSA private key from file \"{key_name}\"");
    let (text, detail) = match (read(certificate), read(key)) {
        (Err(error), _) => (no_certificate, error.to_string()),
        (_, Err(error)) => (no_key, error.to_string()),
        (Ok(certificate), Ok(key)) => match identity.add_pair(&certificate, &key) {
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

/// Reads the files of a list and adds what stands in each. A file that cannot be opened ends the
/// list; `false` if one is of no use.
fn read_list(
    list: &str,
    read: fn(&Path) -> Result<Vec<u8>, IoError>,
    notes: &mut Vec<Message>,
    add: &mut dyn FnMut(&[u8]) -> Result<Option<String>, IdentityError>,
) -> bool {
    let names = list.split([',', ' ', '\t', '\r', '\n']).filter(|name| !name.is_empty());
    for name in names {
        let text = match read(Path::new(name)) {
            Ok(text) => text,
            Err(error) => {
                let text = format!("error opening chain file: {name}: {error}");
                notes.push(Message::warning(text));
                return true;
            }
        };
        match add(&text) {
            Ok(warning) => notes.extend(warning.map(Message::warning)),
            Err(error) => {
                notes.push(Message::warning(problem(name, &error)));
                notes.push(Message::warning(format!(
                    "error loading private keys and certificates from: {list}: disabling TLS \
                     support"
                )));
                return false;
            }
        }
    }
    true
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
