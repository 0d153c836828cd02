//! Host lookup by the system's own resolver.

use std::io;
use std::net::{IpAddr, ToSocketAddrs};

use tlsfinger_core::machine::HostName;
use tlsfinger_core::{IoError, IoErrorKind, limits};

/// Looks a host up with getaddrinfo(3), which blocks for as long as it likes.
///
/// Addresses come in the system's order, each once, at most [`limits::ADDRESSES`].
///
/// # Errors
///
/// Carries the resolver's words. [`IoErrorKind::NotFound`] says that there is no such host, or
/// that it has no address; any other kind, that nobody knows.
pub fn find_host(host: &HostName) -> Result<Vec<IpAddr>, IoError> {
    let found = (host.as_str(), 0).to_socket_addrs().map_err(|error| lookup_error(&error))?;
    let mut addresses = Vec::new();
    for address in found.map(|found| found.ip()) {
        if addresses.len() == limits::ADDRESSES {
            break;
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    Ok(addresses)
}

/// The standard library keeps only the words of a resolver's error, not its number.
fn lookup_error(error: &io::Error) -> IoError {
    const PREFIX: &str = "failed to lookup address information: ";
    const NOT_FOUND: [&str; 5] = [
        // The GNU C library: EAI_NONAME, EAI_NODATA, EAI_ADDRFAMILY.
        "Name or service not known",
        "No address associated with hostname",
        "Address family for hostname not supported",
        // musl: EAI_NONAME, EAI_NODATA.
        "Name does not resolve",
        "Name has no usable address",
    ];
    let mut error = IoError::from(error);
    if let Some(words) = error.message.strip_prefix(PREFIX) {
        error.message = words.to_owned();
    }
    if NOT_FOUND.contains(&error.message.as_str()) {
        error.kind = IoErrorKind::NotFound;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn not_found_is_told_from_unknown() {
        let kind_and_words = |words: &str| {
            let text = format!("failed to lookup address information: {words}");
            let IoError { kind, code, message } = lookup_error(&io::Error::other(text));
            assert_eq!((code, message.as_str()), (0, words));
            kind
        };
        assert_eq!(kind_and_words("Name or service not known"), IoErrorKind::NotFound);
        assert_eq!(kind_and_words("Temporary failure in name resolution"), IoErrorKind::Other);
    }
}
