//! Certificates as data: cut leniently into raw slices, decoded part by part, verified by key.

mod certificate;
pub(crate) mod der;
mod digest;
mod examined;
mod extensions;
mod key;
mod name;
mod pem;
mod signature;
mod time;
mod weak_rsa;

pub use certificate::{Certificate, CertificateError, Extension, Oddity, Part, Version};
pub use der::DerError;
pub(crate) use der::tag::IA5_STRING;
pub use digest::Digest;
pub use examined::{Authority, Examined};
pub use extensions::{
    AuthorityKeyId, BasicConstraints, ExtendedKeyUsage, ExtensionError, Extensions, Found,
    GeneralName, KeyUsage, NameConstraints, Subtree,
};
pub use key::{Curve, KeyKind, PublicKey};
pub use name::{Attribute, CanonicalName, Name, TextProblem};
pub(crate) use name::{COMMON_NAME, EMAIL_ADDRESS, ORGANIZATION};
pub use pem::{PemBlock, PemError, read_pem};
pub(crate) use signature::verify_key_exchange;
pub use signature::{
    Hash, SignatureAlgorithm, SignatureError, TLS12_SCHEMES, TLS13_SCHEMES, scheme_hash,
    verify_handshake,
};
pub use time::{Seconds, Validity};
