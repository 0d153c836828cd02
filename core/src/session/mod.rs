//! One connection: approach, judgement by whoever drives it, farewell.
//!
//! ```text
//!              ┌────────────── Approach ──────────────┐          ┌───── Farewell ─────┐
//!  STARTTLS    Connect → Greeting → Hello → StartTls → Handshake → judge → HelloAgain → Quit
//!  TLS first   Connect → Handshake → judge → Greeting → HelloAgain → Quit
//! ```
//!
//! A plan may hold a session before its handshake until it is known which keys to ask for, or put a
//! command behind STARTTLS that no server should answer.
//!
//! `order` holds that as a table. `dialogue` makes the steps, `stream` is plain at first and TLS
//! from the upgrade on, `reply` and `ehlo` read what the server says. `tlsproxy` hands the connection
//! to a daemon that does the TLS.

mod approach;
mod dialogue;
mod ehlo;
mod farewell;
mod order;
mod reply;
mod stream;
mod tlsproxy;

pub(crate) use approach::{Approach, Approached};
pub(crate) use dialogue::Plan;
pub use ehlo::Capabilities;
pub(crate) use farewell::{Farewell, Over};
pub use reply::Reply;
pub(crate) use tlsproxy::Request as ProxyRequest;
