//! Whether the signature in a ServerKeyExchange is right: whoever made it owns the certificate's key.

use crate::cert::{Certificate, SignatureError, verify_key_exchange};
use bytes::Bytes;

/// What the signature of a ServerKeyExchange proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Proof {
    /// It is right: the server owns the key it showed.
    Right,
    /// It is wrong.
    Wrong,
    /// The key or the algorithm is of a kind that cannot be verified here.
    Unverifiable,
}

/// Verifies a signature by the key of a certificate, or by a raw key.
pub(super) fn prove(
    own: Option<&Bytes>,
    raw_key: bool,
    scheme: Option<u16>,
    message: &[u8],
    signature: &[u8],
) -> Proof {
    let Some(own) = own else { return Proof::Unverifiable };
    let result = match raw_key {
        true => verify_key_exchange(scheme, own, message, signature),
        false => match Certificate::parse(own.clone()) {
            Ok(certificate) => verify_key_exchange(scheme, certificate.spki(), message, signature),
            Err(_) => Err(SignatureError::UnsupportedKey),
        },
    };
    match result {
        Ok(()) => Proof::Right,
        Err(SignatureError::BadSignature | SignatureError::WrongKeyType) => Proof::Wrong,
        Err(SignatureError::UnsupportedKey | SignatureError::UnsupportedScheme) => {
            Proof::Unverifiable
        }
    }
}
