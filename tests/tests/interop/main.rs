//! The program against real servers, beside Postfix's own posttls-finger.
//!
//! `tests/interop/servers run cargo test -p tlsfinger-tests --test interop` starts the servers and
//! says where they are by `TLSFINGER_INTEROP`. Without that the tests are skipped, except in CI,
//! where a skipped test is a failure.

mod hygiene;
mod legacy;
mod names;
mod scout;
mod servers;
mod sessions;
mod trust;
