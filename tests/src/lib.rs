//! Test harness of tlsfinger.

pub mod certs;
pub mod concise;
pub mod peer;
pub mod playbook;
pub mod referee;
pub mod toy;
pub mod world;
