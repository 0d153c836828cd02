//! Validation (RFC 4033 to 4035): the proof of an answer, from a trust anchor down.
//!
//! | file | turns | into |
//! |---|---|---|
//! | `validator` | an answer | a proof, or the questions that it needs first |
//! | `zones` | a name | the zone that it belongs to, with keys that are believed |
//! | `denial`, `nsec`, `nsec3` | signed records | what does not exist |
//! | `key` | keys and signatures | good or not, within a budget |
//! | `anchors` | a file | the keys that trust begins with |
//! | `records` | octets | RRsets in canonical form |
//! | `proof` | all of that | data and words |
//!
//! Everything here is a function of answers and time; the resolver asks the questions. Which
//! algorithms count follows RFC 8624 and RFC 9905: RSA with SHA-256 or SHA-512 (8, 10; from 1024
//! bits), ECDSA (13, 14) and Ed25519 (15). Zones that have only others, such as RSA with SHA-1 (5,
//! 7) or Ed448 (16), are insecure, and so are those whose parent names their keys only by SHA-1.

mod anchors;
mod denial;
mod key;
mod nsec;
mod nsec3;
mod proof;
mod records;
mod validator;
mod zones;

pub(crate) use validator::Validator;
pub(crate) use zones::Clock;

pub use anchors::{BadTrustAnchors, TrustAnchors};
pub use proof::{ChainStep, Flaw, Insecurity, Proof, Security, SignedBy};
