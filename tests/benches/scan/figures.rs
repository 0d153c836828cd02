//! What is measured, and how several values are told.

use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// CPU of this thread, in microseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Cpu {
    /// As the kernel counts it, in hundredths of a second.
    pub(crate) user: f64,
    pub(crate) all: f64,
}

impl Cpu {
    pub(crate) fn now() -> Self {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("is Linux");
        let fields: Vec<_> = stat.rsplit(')').next().unwrap_or("").split_whitespace().collect();
        let ticks = fields[11].parse::<f64>().expect("is a number");
        Self { user: ticks * 10_000.0, all: thread_micros() }
    }

    pub(crate) fn since(&self, before: &Self) -> Self {
        Self { user: self.user - before.user, all: self.all - before.all }
    }

    pub(crate) fn divided_by(&self, count: u32) -> Self {
        Self { user: self.user / f64::from(count), all: self.all / f64::from(count) }
    }
}

pub(crate) fn thread_micros() -> f64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    time.tv_sec as f64 * 1e6 + time.tv_nsec as f64 / 1e3
}

/// Resident memory in KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Memory(pub(crate) u64);

impl Memory {
    pub(crate) fn now() -> Result<Self> {
        let status = std::fs::read_to_string("/proc/self/status")?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS")?;
        Ok(Self(line.split_whitespace().nth(1).ok_or("no number")?.parse()?))
    }
}

/// The median of some values, and how far they are apart.
pub(crate) struct Spread(Vec<f64>);

impl Spread {
    pub(crate) fn of(values: impl Iterator<Item = f64>) -> Self {
        let mut values: Vec<_> = values.collect();
        values.sort_by(f64::total_cmp);
        Self(values)
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (median, last) = (self.0[self.0.len() / 2], self.0.len() - 1);
        write!(f, "{median:9.2}  ({:.2} to {:.2})", self.0[0], self.0[last])
    }
}
