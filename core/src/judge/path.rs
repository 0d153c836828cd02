//! The path from the server's certificate to something trusted.
//!
//! It is built as OpenSSL builds it: from the server upwards, each time taking the first
//! certificate that looks like the issuer and is valid now, roots before what the server sent, and
//! never going back. So a server is told the same as by the reference, and no set of certificates
//! can make it expensive: nothing is verified while building.

use std::sync::Arc;

use super::dane::Records;
use super::links::Signatures;
use crate::cert::{Examined, Seconds};
use crate::config::TrustStore;
use crate::limits;
use crate::resolve::Tlsa;

/// Where trust comes from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Trust<'a> {
    /// Self-signed certificates of the store.
    Store(&'a TrustStore),
    /// Only the anchors among TLSA records.
    Records(&'a Records),
}

/// A chain from the server's certificate upwards.
#[derive(Debug)]
pub(super) struct Path {
    /// The certificates, the server's first.
    pub(super) chain: Vec<Arc<Examined>>,
    /// How many of them are not from the store.
    pub(super) untrusted: usize,
    /// Something trusted was reached.
    pub(super) trusted: bool,
    /// The trust anchor that matched, and at which depth.
    pub(super) anchor: Option<(usize, Tlsa)>,
    /// The anchor is a bare key that signed the last certificate.
    pub(super) bare_key: bool,
}

impl Path {
    /// Builds the path from the first of the certificates that were sent.
    pub(super) fn build(
        sent: &[Arc<Examined>],
        trust: Trust<'_>,
        now: Seconds,
        signatures: &mut Signatures<'_>,
    ) -> Self {
        let mut this = Self {
            chain: sent.first().cloned().into_iter().collect(),
            untrusted: 1,
            trusted: false,
            anchor: None,
            bare_key: false,
        };
        match trust {
            Trust::Store(store) => this.climb_to_root(sent, store, now),
            Trust::Records(records) => this.climb_to_anchor(sent, records, now, signatures),
        }
        this
    }

    /// Tells whether there are more certificates than a path may have before a trusted one.
    pub(super) fn is_too_long(&self) -> bool {
        self.chain.len() > limits::INTERMEDIATES + 1
    }

    fn climb_to_root(&mut self, sent: &[Arc<Examined>], store: &TrustStore, now: Seconds) {
        let mut sent = sent.to_vec();
        let mut from_sent = true;
        while let Some(last) = self.chain.last().cloned() {
            let root =
                if self.is_too_long() { None } else { best(store.of(last.issuer()), &last, now) };
            if let Some(root) = root {
                // A root that the server sent counts if exactly that one is in the store.
                let same = root.stands_for(&last);
                if last.is_self_signed() && same {
                    self.chain.pop();
                    self.untrusted = self.chain.len();
                }
                if !last.is_self_signed() || same {
                    from_sent = false;
                    self.trusted = root.is_self_signed();
                    self.chain.push(root);
                    if self.trusted {
                        return;
                    }
                    continue;
                }
            }
            if !from_sent || !self.climb_by_sent(&mut sent, now) {
                return;
            }
        }
    }

    fn climb_to_anchor(
        &mut self,
        sent: &[Arc<Examined>],
        records: &Records,
        now: Seconds,
        signatures: &mut Signatures<'_>,
    ) {
        let mut sent = sent.to_vec();
        sent.extend(records.certificates().cloned());
        while self.climb_by_sent(&mut sent, now) {
            let depth = self.chain.len() - 1;
            let last = self.chain.last().map(|last| last.certificate());
            if let Some(tlsa) = last.and_then(|last| records.find(last, false)) {
                self.anchor = Some((depth, tlsa.clone()));
                self.trusted = true;
                return;
            }
        }
        if self.is_too_long() {
            return;
        }
        let Some(last) = self.chain.last().map(|last| last.certificate()) else { return };
        let signed = |tlsa: &&Tlsa| signatures.verify(&tlsa.data, last) == Some(Ok(()));
        if let Some(tlsa) = records.keys().find(signed) {
            self.anchor = Some((self.chain.len() - 1, tlsa.clone()));
            self.trusted = true;
            self.bare_key = true;
        }
    }

    /// Goes up by one of the certificates that the server sent, which is used up then.
    fn climb_by_sent(&mut self, sent: &mut Vec<Arc<Examined>>, now: Seconds) -> bool {
        let Some(last) = self.chain.last() else { return false };
        if last.is_self_signed() || self.is_too_long() {
            return false;
        }
        sent.retain(|one| !self.chain.iter().any(|used| same(used, one)));
        let Some(issuer) = best(sent, last, now) else { return false };
        self.chain.push(issuer);
        self.untrusted = self.chain.len();
        true
    }
}

/// Finds the first that looks like the issuer of `subject` and is valid now; if none is valid, the
/// one that was valid last.
fn best(candidates: &[Arc<Examined>], subject: &Examined, now: Seconds) -> Option<Arc<Examined>> {
    let mut latest: Option<&Arc<Examined>> = None;
    for candidate in candidates.iter().filter(|one| one.looks_like_issuer_of(subject)) {
        if candidate.is_valid_at(now) {
            return Some(candidate.clone());
        }
        let end = candidate.validity().not_after;
        if latest.is_none_or(|known| known.validity().not_after < end) {
            latest = Some(candidate);
        }
    }
    latest.cloned()
}

fn same(one: &Examined, other: &Examined) -> bool {
    one.certificate().der() == other.certificate().der()
}
