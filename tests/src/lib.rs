//! What the suites of tlsfinger are built with.

pub mod dns;
pub mod dns_server;
pub mod zones;
