//! Records in the order of the list, and how far the work may run ahead of them.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Holds records back until those before them are there.
#[derive(Debug, Default)]
pub(crate) struct Order<T> {
    next: u64,
    held: BTreeMap<u64, Option<T>>,
}

impl<T> Order<T> {
    /// Takes the record of a number, or that there is none; returns those whose turn it is.
    pub(crate) fn take(&mut self, number: u64, record: Option<T>) -> Vec<T> {
        self.held.insert(number, record);
        let mut due = Vec::new();
        while let Some(record) = self.held.remove(&self.next) {
            self.next += 1;
            due.extend(record);
        }
        due
    }

    /// Gives up on what did not come: returns what is held, in order.
    pub(crate) fn rest(&mut self) -> Vec<T> {
        std::mem::take(&mut self.held).into_values().flatten().collect()
    }
}

/// Keeps the number of destinations small that were taken from the list and have no record yet.
#[derive(Debug)]
pub(crate) struct Window {
    size: u64,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// How many may still be taken from the list as far as the scan is concerned.
    credit: u64,
    open: u64,
    closed: bool,
}

impl Window {
    pub(crate) fn new(size: u64) -> Self {
        Self { size, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The scan has room for so many more.
    pub(crate) fn allow(&self, more: u64) {
        self.state().credit += more;
        self.changed.notify_all();
    }

    /// Waits until one more may be taken; `false` if no more will be.
    pub(crate) fn enter(&self) -> bool {
        let mut state = self.state();
        while !state.closed && (state.credit == 0 || state.open >= self.size) {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        if !state.closed {
            state.credit -= 1;
            state.open += 1;
        }
        !state.closed
    }

    /// So many have their record.
    pub(crate) fn leave(&self, number: u64) {
        self.state().open -= number;
        self.changed.notify_all();
    }

    /// No more may be taken.
    pub(crate) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    /// Tells whether no more may be taken.
    pub(crate) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Tells how many have no record yet.
    pub(crate) fn open(&self) -> u64 {
        self.state().open
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_wait_for_those_before_them() {
        let mut order = Order::default();
        assert_eq!(order.take(1, Some("b")), [""; 0]);
        assert_eq!(order.take(3, Some("d")), [""; 0]);
        assert_eq!(order.take(0, Some("a")), ["a", "b"]);
        assert_eq!(order.take(2, None), ["d"]);
        assert_eq!(order.take(6, Some("g")), [""; 0]);
        assert_eq!(order.take(5, Some("f")), [""; 0]);
        assert_eq!(order.rest(), ["f", "g"]);
    }

    #[test]
    fn a_window_needs_room_on_both_sides() {
        let window = Window::new(2);
        window.allow(3);
        assert!(window.enter() && window.enter());
        std::thread::scope(|scope| {
            let third = scope.spawn(|| window.enter());
            window.leave(1);
            assert!(third.join().unwrap());
            let fourth = scope.spawn(|| window.enter());
            window.leave(2);
            assert_eq!(window.open(), 0);
            window.close();
            assert!(!fourth.join().unwrap());
        });
        assert!(window.is_closed());
    }
}
