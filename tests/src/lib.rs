//! Test harness of tlsfinger.
//!
//! - [`playbook`]: this input in, exactly these outputs out.
//! - [`world`]: a machine among hosts and links on a virtual clock. [`setting`] is the usual one.
//! - [`referee`]: holds a machine and its driver to the contract, in every run of those two.
//! - [`peer`]: the other ends, such as mail servers that play a script and name servers that answer
//!   from [`zones`]. [`loopback`] puts them on real sockets, [`program`] runs the program there.
//! - [`farm`]: thousands of mail servers in one process, for load.
//! - [`domain`]: several servers of one domain.
//! - [`certs`] and [`traces`]: what they show, and what real ones showed.
#![warn(missing_docs)]

pub mod certs;
pub mod concise;
pub mod dns;
pub mod dns_server;
pub mod domain;
pub mod farm;
pub mod loopback;
pub mod peer;
pub mod playbook;
pub mod program;
pub mod referee;
pub mod setting;
pub mod signer;
pub mod told;
pub mod toy;
pub mod traces;
pub mod world;
pub mod zones;

/// The examples in README.md compile.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
