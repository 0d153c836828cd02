//! TLS: bytes in, bytes and facts out.

mod channel;
mod groups;
mod handshake;
mod hybrid;
mod identity;
mod key_log;
mod loan;
mod provider;
mod records;
pub mod scout;
mod sessions;
mod suites;
mod tape;
#[cfg(test)]
mod tests;
mod tunnel;
mod watch;
mod witness;

pub(crate) use channel::{Channel, Passage};
pub use handshake::{
    Extension, ExtensionContent, HandshakeContent, HandshakeMessage, Hello, KeyShare,
};
pub use identity::{Identity, IdentityError};
pub use key_log::Secret;
pub use provider::Setup;
pub(crate) use provider::Setups;
pub(crate) use provider::{RUSTLS, sni_of};
pub(crate) use sessions::{SessionCache, Sessions};
pub use sessions::{SessionKey, TicketFacts};
pub use suites::{
    Authentication, Encryption, Exchange, Mac, OPENSSL, OTHERS, Registered, SUITES, Since, Suite,
    SuiteStatus,
};
pub(crate) use tape::{Tape, TapedStep};
pub(crate) use watch::Watcher;
