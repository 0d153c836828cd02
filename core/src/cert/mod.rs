//! Certificates as data: cut leniently into raw slices, decoded part by part, verified by key.

mod certificate;
pub(crate) mod der;
mod digest;
mod key;
mod name;
mod pem;
mod signature;
mod time;
mod weak_rsa;

pub use certificate::{Certificate, CertificateError, Extension, Oddity, Part, Version};
pub use der::DerError;
pub use digest::Digest;
pub use key::{Curve, KeyKind, PublicKey};
pub use name::{Attribute, Name};
pub use pem::{PemBlock, PemError, read_pem};
pub use signature::{
    Hash, SignatureAlgorithm, SignatureError, TLS12_SCHEMES, TLS13_SCHEMES, scheme_hash,
    verify_handshake,
};
pub use time::{Seconds, Validity};
