//! Every server of one destination: a scan of one, told as it happens.

use std::time::Duration;

use crate::config::{Blocklist, Config, ScanConfig, ScanLimits};
use crate::limits;
use crate::machine::{Input, Job, Machine, Output, Stop};
use crate::random::Seed;
use crate::scan::Scan;
use crate::time::{Instant, WallTime};

/// The machine that probes every address of every mail host of a destination.
///
/// Servers are probed at once, within [`limits::SURVEYS`] and [`limits::SURVEYS_OF_ONE`]. One that
/// shows an RSA key is also probed for an ECDSA key, and the other way round, by a connection beside
/// the first; that counts if there is such a key. Sessions are not resumed.
#[derive(Debug)]
pub struct Survey(Scan);

impl Survey {
    /// Begins a survey; its first outputs are queued already. The arguments are those of
    /// [`Probe::new`](crate::Probe::new).
    pub fn new(config: Config, seed: Seed, wall_time: WallTime) -> Self {
        let destination = config.destination.clone();
        let job = Job { number: 0, destination, matches: Vec::new(), pins: Vec::new() };
        let limits = ScanLimits {
            destinations: 1,
            transports: usize::MAX,
            connections: limits::SURVEYS,
            rate: None,
            per_address: limits::SURVEYS_OF_ONE,
            per_host: limits::SURVEYS,
            pause: Duration::ZERO,
            total: Duration::MAX,
            share: None,
            first_only: false,
            both_keys: true,
            retries: 0,
            retry_after: Duration::ZERO,
        };
        let settings = ScanConfig { probe: config, limits, blocklist: Blocklist::default() };
        let mut scan = Scan::begin(settings, seed, wall_time);
        scan.add(job);
        scan.stop(Stop::End);
        scan.settle();
        Self(scan)
    }
}

impl Machine for Survey {
    fn handle_input(&mut self, now: Instant, input: Input) {
        if let Input::Add(_) = input {
            return self.0.handle_input(now, Input::Tick);
        }
        self.0.handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        self.0.poll_output()
    }
}
