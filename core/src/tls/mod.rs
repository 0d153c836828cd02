//! TLS as bytes in, bytes and facts out.

mod suites;

pub use suites::{SUITES, Suite};
