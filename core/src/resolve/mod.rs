//! From a destination to the servers behind it and what DNS says of them.

pub mod tlsa;
