//! What one connection lends to rustls for the length of one call.
//!
//! rustls wants `&'static` randomness and groups, and shared `Arc`s for clock, verifier, key
//! resolver and session store. All of ours are process-wide and empty; what they work with is
//! lent to this thread while rustls runs on behalf of one connection. This is the only shared
//! cell of the core.

use std::cell::RefCell;

use bytes::Bytes;

use crate::config::Watch;
use crate::random::{Random, RestingRandom};
use crate::report::{ClientSignature, Disclosure, KeyProof, SignatureScheme, TlsError};
use crate::time::WallTime;

use super::identity::ReadyIdentity;
use super::key_log::Secret;
use super::sessions::Sessions;

thread_local! {
    static LENT: RefCell<Option<Box<Loan>>> = const { RefCell::new(None) };
}

/// The belongings of one connection that rustls works with.
#[derive(Debug)]
pub(super) struct Loan {
    random: RestingRandom,
    /// The same while it is in use.
    awake: Option<Box<Random>>,
    pub(super) wall_time: WallTime,
    pub(super) sessions: Sessions,
    pub(super) identity: ReadyIdentity,
    pub(super) record: Record,
}

/// What verifier and key resolver saw.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) ocsp: Option<Bytes>,
    pub(super) server_signature: Option<SignatureScheme>,
    pub(super) key_proof: KeyProof,
    pub(super) client_certificate_requested: bool,
    pub(super) client_signature: Option<SignatureScheme>,
    /// How many tickets of TLS 1.3 came.
    pub(super) tickets: usize,
    /// Why the verifier refused, in our own words.
    pub(super) refusal: Option<TlsError>,
    pub(super) watch: Watch,
    /// What nobody was told of yet, if there is anything.
    pub(super) untold: Option<Box<Untold>>,
}

/// What was seen for somebody to be told of.
#[derive(Debug, Default)]
pub(super) struct Untold {
    /// The signatures that client keys made.
    pub(super) signed: Vec<ClientSignature>,
    /// What encrypted messages said, if messages are watched.
    pub(super) disclosures: Vec<Disclosure>,
    /// If they are wanted.
    pub(super) secrets: Vec<Secret>,
}

impl Loan {
    pub(super) fn new(
        random: &Random,
        wall_time: WallTime,
        sessions: Sessions,
        identity: ReadyIdentity,
        watch: Watch,
    ) -> Self {
        let record = Record { watch, ..Record::default() };
        Self { random: random.into(), awake: None, wall_time, sessions, identity, record }
    }

    /// Fills `bytes` with random ones.
    pub(super) fn fill(&mut self, bytes: &mut [u8]) {
        self.awake.get_or_insert_with(|| Box::new(self.random.wake())).fill(bytes);
    }

    fn rest(&mut self) {
        if let Some(awake) = self.awake.take() {
            self.random = RestingRandom::from(&*awake);
        }
    }
}

impl Record {
    pub(super) fn untold(&mut self) -> &mut Untold {
        self.untold.get_or_insert_default()
    }

    /// Notes what an encrypted message said, if somebody wants to know.
    pub(super) fn disclose(&mut self, disclosure: impl FnOnce() -> Disclosure) {
        if self.watch.messages {
            self.untold().disclosures.push(disclosure());
        }
    }
}

/// Lends `loan` to this thread while `call` runs. The loan is `None` only inside such a call.
pub(super) fn lend<T>(loan: &mut Option<Box<Loan>>, call: impl FnOnce() -> T) -> T {
    LENT.set(loan.take());
    let result = call();
    *loan = LENT.take();
    if let Some(loan) = loan {
        loan.rest();
    }
    result
}

/// Works with what is lent to this thread at the moment; `None` if nothing is.
pub(super) fn borrow<T>(work: impl FnOnce(&mut Loan) -> T) -> Option<T> {
    LENT.with_borrow_mut(|lent| lent.as_deref_mut().map(work))
}
