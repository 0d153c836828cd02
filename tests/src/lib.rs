//! Test harness of tlsfinger.

pub mod certs;
pub mod concise;
pub mod dns;
pub mod dns_server;
pub mod loopback;
pub mod peer;
pub mod playbook;
pub mod referee;
pub mod setting;
pub mod told;
pub mod toy;
pub mod traces;
pub mod world;
pub mod zones;

/// The examples in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
