//! Whose deadline is when, in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Owner;
use crate::time::Instant;

/// The deadlines of many children: the next one is found without asking them all.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    order: BTreeSet<(Instant, Owner)>,
    entries: BTreeMap<Owner, Instant>,
}

impl Agenda {
    /// Notes when a child is due.
    pub(super) fn set(&mut self, owner: Owner, at: Instant) {
        match self.entries.insert(owner, at) {
            Some(before) if before == at => return,
            Some(before) => _ = self.order.remove(&(before, owner)),
            None => {}
        }
        self.order.insert((at, owner));
    }

    /// Forgets a child.
    pub(super) fn remove(&mut self, owner: Owner) {
        if let Some(at) = self.entries.remove(&owner) {
            self.order.remove(&(at, owner));
        }
    }

    /// Tells who is due first, and when.
    pub(super) fn first(&self) -> Option<(Instant, Owner)> {
        self.order.first().copied()
    }
}
