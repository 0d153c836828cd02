//! Core time: an instant that can be written in a file.

use std::fmt;
use std::ops::Add;
use std::str::FromStr;
use std::time::Duration;

/// A moment of a run, counted in microseconds since the run began.
///
/// Unlike [`std::time::Instant`] it can be made by a test, written to a trace and read back.
/// Drivers derive it from a monotonic clock. Additions saturate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The beginning of the run.
    pub const START: Self = Self(0);
    /// Later than anything that happens.
    pub const NEVER: Self = Self(u64::MAX);

    /// Makes the instant that lies `micros` microseconds after the beginning.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Makes the instant that lies `elapsed` after the beginning, rounded down to microseconds.
    pub fn from_elapsed(elapsed: Duration) -> Self {
        Self(u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX))
    }

    /// Tells the microseconds since the beginning.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Tells how much time has passed since the beginning.
    pub const fn elapsed(self) -> Duration {
        Duration::from_micros(self.0)
    }

    /// Tells how much later this instant is than `earlier`; zero if it is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, later: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(later.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Seconds with six decimals, or `never`.
impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NEVER => f.write_str("never"),
            Self(micros) => write!(f, "{}.{:06}", micros / 1_000_000, micros % 1_000_000),
        }
    }
}

impl FromStr for Instant {
    type Err = NotAnInstant;

    fn from_str(text: &str) -> Result<Self, NotAnInstant> {
        if text == "never" {
            return Ok(Self::NEVER);
        }
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let (seconds, micros) = text.split_once('.').ok_or(NotAnInstant)?;
        if micros.len() != 6 || !digits(micros) || !digits(seconds) {
            return Err(NotAnInstant);
        }
        let seconds: u64 = seconds.parse().map_err(|_| NotAnInstant)?;
        let micros: u64 = micros.parse().map_err(|_| NotAnInstant)?;
        seconds
            .checked_mul(1_000_000)
            .and_then(|whole| whole.checked_add(micros))
            .map(Self)
            .ok_or(NotAnInstant)
    }
}

/// The text is neither `never` nor seconds with six decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnInstant;

impl fmt::Display for NotAnInstant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected seconds with six decimals or \"never\"")
    }
}

impl std::error::Error for NotAnInstant {}

/// Wall-clock time as seconds since 1970-01-01T00:00:00Z; it enters a run once, at its start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(pub u64);

impl WallTime {
    /// Tells the wall-clock time at `now` of a run that began at this time.
    pub fn at(self, now: Instant) -> Self {
        Self(self.0.saturating_add(now.elapsed().as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_form_round_trips() {
        for micros in [0, 1, 999_999, 1_000_000, 86_400_000_001, u64::MAX - 1, u64::MAX] {
            let instant = Instant::from_micros(micros);
            assert_eq!(instant.to_string().parse(), Ok(instant));
        }
        for bad in ["", "1", "1.5", "1.0000000", "-1.000000", "1.00000x", "18446744073709551615.0"]
        {
            assert_eq!(bad.parse::<Instant>(), Err(NotAnInstant), "{bad}");
        }
    }
}
