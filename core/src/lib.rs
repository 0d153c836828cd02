//! The sans-IO core of tlsfinger.
#![warn(missing_docs, clippy::unwrap_used, clippy::wildcard_enum_match_arm)]

pub mod config;
mod context;
pub mod destination;
pub mod limits;
pub mod machine;
mod random;
pub mod report;
pub mod resolve;
pub mod session;
mod time;
pub mod tls;

pub use machine::{Input, IoError, IoErrorKind, Machine, Output};
pub use random::{Random, Seed};
pub use time::{Instant, NotAnInstant, WallTime};
