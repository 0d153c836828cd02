//! From a destination to the servers to try: routing, addresses, TLSA records and their security.
//!
//! Each room asks the next one, and nobody below a line knows who is above it:
//!
//! | file | turns | into |
//! |---|---|---|
//! | `route` | a destination | targets, one after the other, the best first |
//! | `order`, `policy` | records and facts | order and level; pure functions |
//! | `host` | a mail host | its addresses and the TLSA records that go with each |
//! | `resolver`, `cache`, `trust` | a question of any machine | an answer, shared, and whether it is secure |
//! | `dnssec` | an answer | why it is secure, insecure or bogus |
//! | `reverse` | an address | its names, and whether they lead back to it |
//! | `lookup` | an alias chain | one answer |
//! | `query`, `stream`, `tls` | one question | one reply: retry, next server, TCP, TLS |
//! | `message` | octets | records |
//!
//! A machine asks by `Cx::ask` and is woken when the answer is there.
//! [`RouteFinder`] runs a route by itself, without connecting anywhere; [`ResolverTest`] finds out
//! what the name servers can do, and [`Inquiry`] asks a single question.
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
//!
//! # What is secure
//!
//! An answer is secure if every step of its alias chain came with the AD bit from a name server
//! whose AD bit counts (over TLS only if its certificate is right), or with an unbroken chain of signatures where validation happens here
//! ([`DnssecTrust`](crate::config::DnssecTrust)). Nothing else makes it so, and what is asked for
//! ahead is thrown away where the security that it needs is missing.
//!
//! Validation asks for the DS and DNSKEY records on the way to a zone all at once, so that a cold
//! chain takes one more round trip and a warm one none.

mod cache;
mod conf;
mod dnssec;
mod error;
mod extended;
mod facts;
mod finder;
mod host;
mod inquiry;
mod lookup;
mod message;
mod name;
mod note;
mod order;
mod outcome;
mod policy;
mod query;
mod resolver;
mod reverse;
mod route;
mod selftest;
mod stream;
mod target;
mod tls;
mod tlsa;
mod trust;

pub(crate) use lookup::Answered;
pub(crate) use name::Question;
pub(crate) use resolver::Resolver;
pub(crate) use reverse::Reverse;
pub(crate) use route::{NextTarget, Route};

pub use conf::{NameServer, NotAResolver, ResolvConf, parse_resolver};
pub use dnssec::{
    BadTrustAnchors, ChainStep, Flaw, Insecurity, Proof, Security, SignedBy, TrustAnchors,
};
pub use error::{DnsProblem, LookupError, RecordType};
pub use extended::ExtendedError;
pub use facts::{AddressFacts, HostFacts, RouteFacts, TlsaFacts};
pub use finder::RouteFinder;
pub use inquiry::Inquiry;
pub use note::LookupNote;
pub use policy::reached_level;
pub use reverse::{ReverseFacts, ReverseName};
pub use selftest::{ResolverTest, ServerReport, TestNames};
pub use target::{MxSecurity, Target, TlsaRecord, TlsaSet};
pub use tls::ResolverTls;
pub use tlsa::Tlsa;
