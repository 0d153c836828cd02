//! From a destination to the servers to try: routing, addresses, TLSA records and their security.
//!
//! # Round trips of a cold probe before it connects
//!
//! Questions leave as soon as they can be written, so what counts is how many answers depend on
//! another one:
//!
//! | destination | questions that leave together | round trips |
//! |---|---|---|
//! | domain with MX records | MX; then A, AAAA and TLSA of every mail host | 2 |
//! | domain without MX records | MX; then A, AAAA and TLSA of the domain | 2 |
//! | `[host]` | A, AAAA and TLSA | 1 |
//!
//! A mail host that is an alias takes one more, for the TLSA records at the end of the alias. A
//! test holds each of these to the microsecond.

mod cache;
mod conf;
mod error;
mod facts;
mod finder;
mod host;
mod lookup;
mod message;
mod name;
mod note;
mod order;
mod policy;
mod query;
mod resolver;
mod route;
mod selftest;
mod stream;
mod target;
mod tlsa;
mod trust;

pub(crate) use lookup::Answer;
pub(crate) use name::Question;
pub(crate) use resolver::Resolver;
pub(crate) use route::{NextTarget, Route};

pub use conf::{NotAResolver, ResolvConf, parse_resolver};
pub use error::{DnsProblem, LookupError, RecordType};
pub use facts::{AddressFacts, HostFacts, RouteFacts, TlsaFacts};
pub use finder::RouteFinder;
pub use note::LookupNote;
pub use policy::reached_level;
pub use selftest::{ResolverTest, ServerReport, TestNames};
pub use target::{MxSecurity, Target, TlsaRecord, TlsaSet};
pub use tlsa::Tlsa;
