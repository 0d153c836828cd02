//! Whose deadline is when, in order.

use std::collections::{BTreeMap, BTreeSet};

use crate::context::Owner;
use crate::time::Instant;

/// The deadlines of many children: the next one is found without asking them all.
///
/// Deadlines move further away with each thing that happens, and nearly all are never reached. So a
/// child keeps its place until that comes first, and takes its new one then.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    order: BTreeSet<(Instant, Owner)>,
    entries: BTreeMap<Owner, Entry>,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    /// Its place in the order, never behind its deadline.
    place: Instant,
    due: Instant,
    /// What it waits for.
    why: &'static str,
}

impl Agenda {
    /// Notes when a child is due, and for what.
    pub(super) fn set(&mut self, owner: Owner, (at, why): (Instant, &'static str)) {
        let entry = Entry { place: Instant::NEVER, due: at, why };
        let entry = self.entries.entry(owner).or_insert(entry);
        (entry.due, entry.why) = (at, why);
        if at < entry.place {
            self.order.remove(&(entry.place, owner));
            entry.place = at;
            self.order.insert((at, owner));
        }
    }

    /// Forgets a child.
    pub(super) fn remove(&mut self, owner: Owner) {
        if let Some(entry) = self.entries.remove(&owner) {
            self.order.remove(&(entry.place, owner));
        }
    }

    /// Tells who is due first, when, and for what.
    pub(super) fn first(&mut self) -> Option<(Owner, (Instant, &'static str))> {
        loop {
            let (at, owner) = *self.order.first()?;
            let entry = self.entries.get_mut(&owner)?;
            if entry.due == at {
                return Some((owner, (at, entry.why)));
            }
            self.order.pop_first();
            entry.place = entry.due;
            self.order.insert((entry.due, owner));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn deadlines_come_in_order_however_they_moved() {
        let at = |seconds| Instant::from_elapsed(Duration::from_secs(seconds));
        let mut agenda = Agenda::default();
        assert_eq!(agenda.first(), None);
        for (id, seconds) in [(1, 5), (2, 3), (3, 4), (2, 9), (1, 6), (3, 2), (3, 7), (4, 8)] {
            agenda.set(Owner::Visit(id), (at(seconds), "to test"));
        }
        agenda.remove(Owner::Visit(4));
        let mut order = Vec::new();
        while let Some((owner, (due, _))) = agenda.first() {
            order.push((due, owner));
            agenda.remove(owner);
        }
        assert_eq!(order, [(6, 1), (7, 3), (9, 2)].map(|(due, id)| (at(due), Owner::Visit(id))));
    }
}
