//! What one input costs a scan with few and with many probes under way: it should not depend on that,
//! but for what larger memory costs by itself.

use std::hint::black_box;
use std::net::Ipv4Addr;

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use tlsfinger_core::config::{Config, Level, ScanConfig, ScanLimits};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Job, TransportId};
use tlsfinger_core::{Input, Instant, Machine, Output, Random, Scan, WallTime};

/// A scan whose probes all wait for the greeting, and their transports.
fn waiting(probes: u32) -> (Scan, Vec<TransportId>) {
    let all = probes as usize;
    let limits = ScanLimits {
        destinations: all,
        transports: 2 * all + 16,
        connections: all,
        ..ScanLimits::default()
    };
    let probe = Config { level: Level::May, ..Config::default() };
    let config = ScanConfig { probe, limits, ..ScanConfig::default() };
    let mut scan = Scan::new(config, [7; 32], WallTime(1_767_225_600));
    for number in 0..probes {
        let host = Ipv4Addr::from(0x0a00_0000 + number).to_string();
        let text = format!("[{host}]");
        let place = Place::Inet { host, literal: true, service: None, port: 25 };
        let destination = Destination { text, place };
        let job = Job { number: number.into(), destination, matches: vec![], pins: vec![] };
        scan.handle_input(Instant::START, Input::Add(Box::new(job)));
    }
    let mut open = Vec::with_capacity(all);
    drain(&mut scan, &mut open);
    for id in &open {
        scan.handle_input(Instant::START, Input::Opened(*id));
    }
    drain(&mut scan, &mut Vec::new());
    assert_eq!(open.len(), all, "every probe has its connection");
    (scan, open)
}

fn drain(scan: &mut Scan, open: &mut Vec<TransportId>) {
    loop {
        match scan.poll_output() {
            Output::Open(id, _) => open.push(id),
            Output::Wait(..) | Output::Done => break,
            _ => {}
        }
    }
}

fn inputs(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("one_input");
    for probes in [100, 1_000, 10_000, 100_000] {
        let (mut scan, open) = waiting(probes);
        let mut random = Random::from_seed([9; 32]);
        let mut next = move || open[random.below(open.len() as u32) as usize];
        let piece = Bytes::from_static(b"2");
        group.bench_function(BenchmarkId::new("greeting", probes), |bench| {
            bench.iter(|| {
                scan.handle_input(Instant::START, Input::Received(next(), piece.clone()));
                black_box(scan.poll_output())
            });
        });
        group.bench_function(BenchmarkId::new("tick", probes), |bench| {
            bench.iter(|| {
                scan.handle_input(Instant::START, Input::Tick);
                black_box(scan.poll_output())
            });
        });
    }
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().sample_size(20);
    targets = inputs
}
criterion_main!(benches);
