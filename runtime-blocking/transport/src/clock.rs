//! The clocks of the system, as the core knows time.

use std::time::{Duration, SystemTime};

use tlsfinger_core::{Instant, WallTime};

/// The monotonic clock of one run.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: std::time::Instant,
}

impl Clock {
    /// Starts the clock: this moment is [`Instant::START`].
    pub fn start() -> Self {
        Self { start: std::time::Instant::now() }
    }

    /// Tells the time.
    pub fn now(&self) -> Instant {
        Instant::from_elapsed(self.start.elapsed())
    }

    /// Tells how long it is until `deadline`; `None` if that is in the past or now.
    pub fn time_until(&self, deadline: Instant) -> Option<Duration> {
        // Not from `now`, which is rounded down: a wait must not end early.
        deadline.elapsed().checked_sub(self.start.elapsed()).filter(|rest| !rest.is_zero())
    }

    /// Tells when `deadline` is by the system's clock; `None` if that is beyond its range.
    pub fn at(&self, deadline: Instant) -> Option<std::time::Instant> {
        self.start.checked_add(deadline.elapsed())
    }
}

/// Reads the wall clock; 1970 if the system's time lies before that.
pub fn wall_time() -> WallTime {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallTime(since_1970.unwrap_or_default().as_secs())
}
