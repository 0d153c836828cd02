//! What both drivers share: transports that never block, host lookup, the seed and the clock.
//!
//! A driver runs a [`Machine`](tlsfinger_core::Machine): it carries out each
//! [`Output`](tlsfinger_core::Output) and reports what comes of it. The system calls for that are
//! here, once, without any waiting. A driver adds the waiting, in whatever way its runtime has;
//! `tlsfinger-blocking` waits in epoll(7), `tlsfinger-smol` in async-io. A third one for another
//! runtime needs little more than a way to learn that a socket is ready: see [`Transport`].
//!
//! This crate speaks to Linux.
#![warn(missing_docs)]

mod clock;
mod descriptors;
mod host;
mod seed;
mod socket;
mod transport;

pub use clock::{Clock, wall_time};
pub use descriptors::raise_descriptor_limit;
pub use host::find_host;
pub use seed::seed;
pub use socket::Socket;
pub use transport::{Interest, Transport, is_last_word};
