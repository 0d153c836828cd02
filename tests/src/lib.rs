//! Test harness of tlsfinger.

pub mod concise;
pub mod playbook;
pub mod referee;
pub mod toy;
