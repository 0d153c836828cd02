//! The TLS sessions that servers gave us, for reuse.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use bytes::Bytes;
use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls_pki_types::ServerName;

use sha2::{Digest as _, Sha256};

use crate::config::Offer;
use crate::limits;
use crate::report::{Disclosure, Peer, PeerAddress};

use super::loan;

/// The sessions of all servers that a probe has met, by what a session is good for. One that is not
/// enabled keeps nothing and takes no room.
#[derive(Debug, Default)]
pub(crate) struct SessionCache(Option<Box<Cached>>);

#[derive(Debug, Default)]
struct Cached {
    entries: BTreeMap<SessionKey, Sessions>,
    found: bool,
    /// The tickets that were seen, if messages are watched.
    tickets: Vec<TicketFacts>,
    /// The application protocol that was chosen in TLS 1.3, if messages are watched.
    protocol: Option<Bytes>,
}

impl SessionCache {
    /// Makes a cache.
    pub(crate) fn new(enabled: bool) -> Self {
        Self(enabled.then(Box::default))
    }

    pub(crate) const fn is_enabled(&self) -> bool {
        self.0.is_some()
    }

    /// Takes the sessions under `key` for the life of a connection.
    pub(crate) fn take(&mut self, key: &SessionKey) -> Sessions {
        let Some(cached) = &mut self.0 else { return Sessions::default() };
        let sessions = cached.entries.remove(key).unwrap_or_default();
        cached.found |= !sessions.is_empty();
        Sessions { enabled: true, ..sessions }
    }

    /// Puts the sessions back when the connection is over.
    pub(crate) fn put(&mut self, key: SessionKey, sessions: Sessions) {
        if let Some(cached) = &mut self.0
            && !sessions.is_empty()
        {
            cached.entries.insert(key, sessions);
        }
    }

    /// Tells whether a lookup has ever found a session.
    pub(crate) fn was_found(&self) -> bool {
        self.0.as_ref().is_some_and(|cached| cached.found)
    }

    /// Notes a ticket that a server gave.
    pub(crate) fn note_ticket(&mut self, facts: TicketFacts) {
        if let Some(cached) = &mut self.0
            && cached.tickets.len() < limits::TICKETS
        {
            cached.tickets.push(facts);
        }
    }

    /// Notes the application protocol that a server chose.
    pub(crate) fn note_protocol(&mut self, name: &Bytes) {
        if let Some(cached) = &mut self.0 {
            cached.protocol = Some(name.clone());
        }
    }

    /// Tells the application protocol that was chosen in TLS 1.3.
    pub(crate) fn protocol(&self) -> Option<&Bytes> {
        self.0.as_ref()?.protocol.as_ref()
    }

    /// Tells what is known of the tickets that servers gave, at most [`limits::TICKETS`]. The library
    /// offers an id of TLS 1.2 only without one.
    pub(crate) fn tickets(&self) -> &[TicketFacts] {
        self.0.as_ref().map(|cached| &cached.tickets[..]).unwrap_or_default()
    }

    /// Tells whether no session is stored.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|cached| cached.entries.is_empty())
    }
}

/// What a ticket says (RFC 5077 section 3.3, RFC 8446 section 4.6.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TicketFacts {
    /// Seconds that it lives, if the server says so; in TLS 1.3 more than a week counts as a week.
    pub lifetime: Option<u32>,
    /// Octets of early data that the server would take; 0 is none, and TLS 1.2 has no such thing.
    pub early_data: u32,
}

impl TicketFacts {
    /// Tells what is known of a ticket of TLS 1.3; whether its lifetime too, since reading that takes
    /// some time.
    fn of(ticket: &Tls13ClientSessionValue, reads: bool) -> Self {
        let lifetime = reads.then(|| lifetime(&format!("{ticket:?}"))).flatten();
        Self { lifetime, early_data: ticket.max_early_data_size() }
    }
}

/// Reads the lifetime of a ticket in the library's debug text.
///
/// The library has no call that tells it, and the message itself is encrypted by keys that it keeps.
/// The first such words are its own, since what precedes them are its suite, numbers and the ticket in
/// hexadecimal digits. Its version is pinned, and the test `sessions_are_resumed_and_tickets_read` fails
/// if that text changes.
fn lifetime(text: &str) -> Option<u32> {
    let (_, after) = text.split_once("lifetime_secs: ")?;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// What makes two connections alike enough to share a session: the address, the name that the
/// server gives itself, and all that the client offers and demands.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey(String);

impl SessionKey {
    pub(crate) fn new(peer: &Peer, server_name: &[u8], offer: &Offer, demands: &str) -> Self {
        let place = match &peer.address {
            PeerAddress::Inet(ip, port) => format!("[{ip}]:{port}"),
            PeerAddress::Unix(path) => path.display().to_string(),
        };
        let mut digest = Sha256::new();
        for part in [server_name, format!("{offer:?}").as_bytes(), demands.as_bytes()] {
            digest.update(part.len().to_be_bytes());
            digest.update(part);
        }
        let digest: String = digest.finalize().iter().map(|byte| format!("{byte:02X}")).collect();
        Self(format!("{place}&{digest}"))
    }
}

impl fmt::Display for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The sessions of one server, all made with the same [`Offer`](crate::config::Offer).
///
/// A connection owns them while it lives.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    /// Sessions may be stored and used at all.
    enabled: bool,
    tls12: Option<Box<Tls12ClientSessionValue>>,
    /// The newest last.
    tls13: VecDeque<Tls13ClientSessionValue>,
    /// How many sessions were stored so far.
    stored: u64,
    /// Stands for sessions that there were when a trace was recorded.
    stand_in: bool,
}

impl Sessions {
    /// Makes what stands for recorded sessions, if there were `any`.
    pub(super) fn stand_in(any: bool) -> Self {
        Self { stand_in: any, ..Self::default() }
    }

    /// Tells how many sessions were stored since the store was made.
    pub(super) const fn stored(&self) -> u64 {
        self.stored
    }

    /// Tells whether a session is there to be reused.
    pub(crate) fn is_empty(&self) -> bool {
        self.tls12.is_none() && self.tls13.is_empty() && !self.stand_in
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
            sessions.tls12 = Some(Box::new(value));
            sessions.stored += 1;
        });
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        with(|sessions| sessions.tls12.as_deref().cloned()).flatten()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        with(|sessions| sessions.tls12 = None);
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        loan::borrow(|loan| {
            loan.record.tickets += 1;
            let reads = loan.record.tickets <= limits::TICKETS;
            loan.record.disclose(|| Disclosure::Ticket(TicketFacts::of(&value, reads)));
        });
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
