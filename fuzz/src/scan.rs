//! A scan in any world.

use tlsfinger_core::config::{Config, Level, ScanConfig, ScanLimits};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Job, Stop};
use tlsfinger_core::{Input, Machine, Scan, WallTime};

use crate::{Steps, World, wider};

/// Most destinations of one case.
const JOBS: usize = 30;

/// Plays the world for a scan as [`probe`](crate::probe) does for a probe, and gives destinations on
/// the way. Each must come to one report.
pub fn scan(data: &[u8]) {
    let mut steps = Steps(data);
    let choice = steps.octet();
    let limits = ScanLimits {
        destinations: 1 + usize::from(choice & 7),
        connections: 1 + usize::from(choice >> 3 & 3),
        transports: 12,
        rate: (choice & 32 != 0).then_some(2),
        share: (choice & 64 != 0).then(|| ScanLimits::default().total),
        first_only: choice & 128 != 0,
        both_keys: choice & 16 != 0,
        ..ScanLimits::default()
    };
    let probe = Config { level: Level::May, scout: Some(wider()), ..Config::default() };
    let config = ScanConfig { probe, limits, ..ScanConfig::default() };
    let mut world = World::new(Scan::new(config, [choice; 32], WallTime(1_800_000_000)));
    world.given = 0;
    world.drain(0);
    while let Some(opcode) = steps.0.first().copied() {
        let input = match opcode & 15 {
            14 => {
                steps.octet();
                Input::Stop(if opcode > 127 { Stop::End } else { Stop::Drain })
            }
            15 if world.given < JOBS && world.waits_until.is_some() => {
                steps.octet();
                world.given += 1;
                Input::Add(Box::new(job(world.given as u64, opcode >> 4)))
            }
            _ => steps.input(&world),
        };
        world.step(&mut steps, input);
    }
    world.machine.handle_input(world.now, Input::Stop(Stop::End));
    world.drain(0);
    world.end();
}

/// An address, or a domain that somebody must look up.
fn job(number: u64, choice: u8) -> Job {
    let literal = choice & 8 == 0;
    let host = if literal { format!("192.0.2.{}", choice & 3) } else { format!("d{choice}.test") };
    let place = Place::Inet { host: host.clone(), literal, service: None, port: 25 };
    Job {
        number,
        destination: Destination { text: host, place },
        matches: Vec::new(),
        pins: Vec::new(),
    }
}
