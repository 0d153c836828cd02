//! `Scan`: many destinations in the virtual world.

mod fairness;
mod limits;
mod scouts;
mod stops;
mod streaming;
mod verdicts;

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use tlsfinger_core::config::{Config, Level, Lookup, ScanConfig, ScanLimits};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{Endpoint, Job, TransportId};
use tlsfinger_core::{Instant, Output, Scan};
use tlsfinger_tests::certs::{self, Identity, KeyType};
use tlsfinger_tests::peer::{Answer, Script, TlsSetup};
use tlsfinger_tests::playbook::tcp;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Link, Run, World};
use tlsfinger_tests::zones::Zones;

fn name_server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 53], 53))
}

/// A probe at level dane that asks the name server.
fn probe() -> Config {
    let resolvers = Lookup::default().resolvers.with_server(name_server().into());
    let lookup = Lookup { resolvers, ..Lookup::default() };
    Config { level: Level::Dane, lookup, ..setting::config() }
}

/// No pauses.
fn hasty() -> ScanLimits {
    ScanLimits { pause: Duration::ZERO, ..ScanLimits::default() }
}

fn scan(limits: ScanLimits) -> Scan {
    let config = ScanConfig { probe: probe(), limits, ..ScanConfig::default() };
    Scan::new(config, setting::SEED, setting::WALL_TIME)
}

fn domain(number: u64, name: &str) -> Job {
    let place = Place::Inet { host: name.to_owned(), literal: false, service: None, port: 25 };
    Job {
        number,
        destination: Destination { text: name.to_owned(), place },
        matches: vec![],
        pins: vec![],
    }
}

/// Domains `d0.test` and so on.
fn domains(count: u64) -> Vec<Job> {
    (0..count).map(|number| domain(number, &format!("d{number}.test"))).collect()
}

type Identities = (Arc<Identity>, Arc<Identity>, Arc<Identity>);

/// Those of ECDSA and RSA, and one that has expired: the same for all worlds of a test.
static IDENTITIES: LazyLock<Identities> = LazyLock::new(|| {
    let of = certs::server;
    (of(KeyType::P256), of(KeyType::Rsa2048), certs::expired(KeyType::P256))
});

/// A mail server for each kind of outcome at 192.0.2.1 and above, and what they hear.
struct Servers(Vec<(Link, Script)>);

impl Servers {
    fn new() -> Self {
        let (ecdsa_key, rsa_key, expired) = &*IDENTITIES;
        let with = |identity: &Arc<Identity>| TlsSetup::default().identity(identity.clone());
        let (ecdsa, rsa, expired) = (with(ecdsa_key), with(rsa_key), with(expired));
        let good = |tls| Script::smtp().tls(tls);
        Self(vec![
            (Link::latency(10), good(ecdsa.clone())),
            (Link::latency(20), good(rsa)),
            (Link::latency(15), good(expired)),
            (Link::latency(10), Script::smtp().on("EHLO", "250 mx.example.org\r\n")),
            (Link::latency(10), Script::smtp().on("STARTTLS", "554 no\r\n")),
            (Link::latency(10), Script::smtp().tls(TlsSetup::instead(Answer::silence()))),
            (Link::latency(10), Script::smtp().greeting("554 go away\r\n")),
            (Link::refused(), Script::smtp()),
            (Link::black_hole(), Script::smtp()),
            (Link::latency(10), good(ecdsa.or_identity(rsa_key.clone()))),
        ])
    }

    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn zones(&self, domains: u64) -> Zones {
        let record = certs::tlsa(KeyType::P256);
        let mut text = "@secure .\n@insecure plain.test\nnull.test MX 0 .\n".to_owned();
        for at in 0..self.len() {
            text += &format!("mx{at}.test A 192.0.2.{}\n", at + 1);
            text += &format!("_25._tcp.mx{at}.test TLSA {record}\n");
            text += &format!("mx{at}.plain.test A 192.0.2.{}\n", at + 1);
        }
        for number in 0..domains {
            let at = number % self.len();
            // Some by another name, without TLSA records; some with two hosts.
            let below = if number % 3 == 2 { "plain.test" } else { "test" };
            text += &format!("d{number}.test MX 10 mx{at}.{below}\n");
            if number % 4 == 3 {
                text += &format!("d{number}.test MX 20 mx{}.test\n", (at + 1) % self.len());
            }
        }
        Zones::parse(&text)
    }

    fn world<M: tlsfinger_core::Machine>(&self, machine: M, domains: u64) -> World<M> {
        let mut world =
            World::new(machine).name_server(name_server(), Link::latency(5), self.zones(domains));
        for (number, (link, script)) in (1..).zip(&self.0) {
            let place = tcp(&format!("192.0.2.{number}:25"));
            world = world.listen(place, link.clone(), script.clone());
        }
        world
    }

    /// Tells how often each server was greeted.
    fn visits(&self) -> Vec<usize> {
        let hellos = |script: &Script| {
            let lines = script.journal().lines();
            lines.iter().filter(|line| line.starts_with("EHLO")).count()
        };
        self.0.iter().map(|(_, script)| hellos(script)).collect()
    }
}

/// Tells when which connections to mail servers were begun and closed.
fn connections<M: tlsfinger_core::Machine>(run: &Run<M>) -> Vec<(Instant, Instant, SocketAddr)> {
    let mut found: Vec<(TransportId, Instant, Instant, SocketAddr)> = vec![];
    for (at, output) in run.outputs() {
        match output {
            Output::Open(id, Endpoint::Tcp(remote)) if remote.address.port() != 53 => {
                found.push((*id, at, Instant::NEVER, remote.address));
            }
            Output::Close(id) => {
                if let Some(entry) = found.iter_mut().find(|(known, ..)| known == id) {
                    entry.2 = at;
                }
            }
            _ => {}
        }
    }
    // One that fails by itself is never closed.
    found.into_iter().map(|(_, from, to, address)| (from, to, address)).collect()
}

const fn millis(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}
