//! TLS: bytes in, bytes and facts out.

mod groups;
mod loan;
mod provider;
mod sessions;
mod suites;
mod tunnel;
mod watch;
mod witness;

pub use provider::Setup;
pub use sessions::Sessions;
pub use suites::{SUITES, Suite};
pub(crate) use tunnel::{Flow, Tunnel};
