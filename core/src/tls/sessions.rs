//! The TLS sessions that a server gave us, for reuse.

use std::collections::VecDeque;

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

use crate::limits;

use super::loan;

/// The sessions of one server, all made with the same [`Offer`](crate::config::Offer).
///
/// A connection owns them while it lives; the next connection to the same server gets them.
#[derive(Debug, Default)]
pub struct Sessions {
    /// Sessions may be stored and used at all.
    pub(super) enabled: bool,
    tls12: Option<Tls12ClientSessionValue>,
    /// The newest last.
    tls13: VecDeque<Tls13ClientSessionValue>,
    /// How many sessions were stored so far.
    stored: u64,
}

impl Sessions {
    /// Makes an empty store that takes sessions.
    pub fn enabled() -> Self {
        Self { enabled: true, ..Self::default() }
    }

    /// Tells how many sessions were stored since the store was made.
    pub const fn stored(&self) -> u64 {
        self.stored
    }

    /// Tells whether a session is there to be reused.
    pub fn is_empty(&self) -> bool {
        self.tls12.is_none() && self.tls13.is_empty()
    }
}

/// The store that every rustls configuration holds: it works with the sessions on loan.
#[derive(Debug)]
pub(super) struct LentSessions;

impl ClientSessionStore for LentSessions {
    /// Hints are not kept: what a server chose before must not change what it is offered next.
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        with(|sessions| {
            sessions.tls12 = Some(value);
            sessions.stored += 1;
        });
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        with(|sessions| sessions.tls12.clone()).flatten()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        with(|sessions| sessions.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        with(|sessions| {
            if sessions.tls13.len() == limits::TICKETS {
                sessions.tls13.pop_front();
            }
            sessions.tls13.push_back(value);
            sessions.stored += 1;
        });
    }

    /// Gives each ticket once (RFC 8446 appendix C.4), the newest first.
    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        with(|sessions| sessions.tls13.pop_back()).flatten()
    }
}

fn with<T>(work: impl FnOnce(&mut Sessions) -> T) -> Option<T> {
    loan::borrow(|loan| loan.sessions.enabled.then(|| work(&mut loan.sessions))).flatten()
}
