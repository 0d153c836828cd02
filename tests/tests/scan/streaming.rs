//! Both drivers against a farm on loopback: destinations in, reports out, neither faster than the
//! other end can take them.

use std::cell::Cell;
use std::time::Duration;

use smol::Timer;
use smol::channel::unbounded;
use tlsfinger_core::config::{Config, DnssecTrust, Level, Lookup, ScanConfig, ScanLimits};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::judge::Status;
use tlsfinger_core::machine::{Job, Stop};
use tlsfinger_core::report::{Outcome, Report};
use tlsfinger_core::resolve::ResolvConf;
use tlsfinger_core::{Input, Notice, Scan};
use tlsfinger_tests::farm::{Farm, Kind, Size};

const ROOM: usize = 6;

fn start() -> Farm {
    Farm::start(Size { servers: 4, ..Size::default() }).expect("loopback")
}

fn config(farm: &Farm) -> ScanConfig {
    let resolvers = ResolvConf { servers: vec![farm.resolver().into()], ..ResolvConf::default() };
    let lookup = Lookup { resolvers, dnssec: DnssecTrust::Trust, ..Lookup::default() };
    let probe = Config { level: Level::Dane, lookup, ..Config::default() };
    let limits = ScanLimits { destinations: ROOM, pause: Duration::ZERO, ..ScanLimits::default() };
    ScanConfig { probe, limits, ..ScanConfig::default() }
}

fn jobs(farm: &Farm, count: u64) -> impl Iterator<Item = Job> {
    let port = farm.port();
    (0..count).map(move |number| {
        let kind = if number % 5 == 4 { Kind::Bare } else { Kind::Good };
        let host = format!("d{number}.{}.farm.test", kind.word());
        let place = Place::Inet { host: host.clone(), literal: false, service: None, port };
        Job {
            number,
            destination: Destination { text: host, place },
            matches: vec![],
            pins: vec![],
        }
    })
}

fn check(report: &Report) {
    assert_eq!(report.outcome, Outcome::Session, "{report:?}");
    let verdict = report.sessions[0].verdict.as_ref().map(|verdict| verdict.status);
    assert_eq!(verdict, (report.number % 5 != 4).then_some(Status::Verified));
}

#[test]
fn with_smol_and_a_slow_reader() {
    let farm = start();
    let mut scan = Scan::new(config(&farm), [5; 32], tlsfinger_smol::wall_time());
    let inbox = tlsfinger_smol::Inbox::new();
    let handle = inbox.handle();
    let (tell, told) = unbounded();
    let (given, written) = (Cell::new(0_usize), Cell::new(0_usize));
    let run = async {
        tlsfinger_smol::run_with(&mut scan, inbox, |notice| drop(tell.try_send(notice))).await;
        tell.close();
    };
    let mut jobs = jobs(&farm, 40);
    let talk = async {
        while let Ok(notice) = told.recv().await {
            match notice {
                Notice::Event(event) => panic!("{event:?}"),
                Notice::Report(report) => {
                    check(&report);
                    written.set(written.get() + 1);
                    Timer::after(Duration::from_millis(1)).await;
                }
                Notice::Want(count) => {
                    for _ in 0..count {
                        match jobs.next() {
                            Some(job) => {
                                given.set(given.get() + 1);
                                handle.give(Input::Add(Box::new(job)));
                            }
                            None => handle.give(Input::Stop(Stop::End)),
                        }
                    }
                    assert!(given.get() - written.get() <= ROOM, "no more than there is room for");
                }
            }
        }
    };
    smol::block_on(smol::future::zip(run, talk));
    assert_eq!((given.get(), written.get()), (40, 40));
    assert_eq!(farm.counts().connections, 8, "each server once");
}

#[test]
fn with_the_blocking_driver() {
    let farm = start();
    let mut config = config(&farm);
    config.limits.share = None;
    let mut scan = Scan::new(config, [5; 32], tlsfinger_blocking::wall_time());
    let inbox = tlsfinger_blocking::Inbox::new().expect("descriptors");
    let handle = inbox.handle();
    let (mut jobs, mut reports) = (jobs(&farm, 40), 0);
    let driven = tlsfinger_blocking::run_with(&mut scan, inbox, |notice| match notice {
        Notice::Event(event) => panic!("{event:?}"),
        Notice::Report(report) => {
            check(&report);
            reports += 1;
        }
        Notice::Want(count) => (0..count).for_each(|_| match jobs.next() {
            Some(job) => handle.give(Input::Add(Box::new(job))),
            None => handle.give(Input::Stop(Stop::End)),
        }),
    });
    assert_eq!((driven.is_ok(), reports), (true, 40));
    let counts = farm.counts();
    assert_eq!(counts.connections, 40, "each destination has its own");
    assert!(counts.of_host.values().all(|host| host.most_open <= 2), "{counts:?}");
}
