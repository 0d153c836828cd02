//! From destinations to servers, in a world of name servers on a virtual clock.

mod name_servers;
mod routes;
mod sharing;

use tlsfinger_core::config::{Config, Family, Level, Lookup};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::resolve::{ResolvConf, RouteFinder};
use tlsfinger_core::{Instant, WallTime};
use tlsfinger_tests::dns::World;
use tlsfinger_tests::told::text;

/// What is asked for: `domain` or `[host]`, and more.
struct Ask {
    config: Config,
}

fn ask(destination: &str) -> Ask {
    let (host, literal) = match destination.strip_prefix('[').and_then(|d| d.strip_suffix(']')) {
        Some(host) => (host, true),
        None => (destination, false),
    };
    let (host, port) = match host.split_once(":=") {
        Some((host, port)) => (host, port.parse().unwrap()),
        None => (host, 25),
    };
    let place = Place::Inet { host: host.to_owned(), literal, service: None, port };
    let destination = Destination { text: destination.to_owned(), place };
    Ask { config: Config { destination, family: Family::V4, ..Config::default() } }
}

impl Ask {
    fn level(mut self, level: Level) -> Self {
        self.config.level = level;
        self
    }

    fn family(mut self, family: Family) -> Self {
        self.config.family = family;
        self
    }

    fn lookup(mut self, change: impl FnOnce(&mut Lookup)) -> Self {
        change(&mut self.config.lookup);
        self
    }

    fn resolv_conf(self, text: &str) -> Self {
        self.lookup(|lookup| lookup.resolvers = ResolvConf::parse(text.as_bytes()))
    }

    fn run(&self, world: &mut World) -> Instant {
        world.run(&mut RouteFinder::new(&self.config, [1; 32], WallTime(0)))
    }

    /// Runs in a world of these zones and returns what was told.
    fn told(&self, zones: &str) -> Vec<String> {
        let mut world = World::new(zones);
        self.run(&mut world);
        world.told.iter().map(|(_, event)| text(event)).collect()
    }
}

fn at(millis: u64) -> Instant {
    Instant::from_micros(millis * 1000)
}

/// A signed domain with two dual-stack mail hosts, and another without MX record.
const SIGNED: &str = "
    @secure .
    example.test            MX 10 mx1.example.test
    example.test            MX 20 mx2.example.test
    mx1.example.test        A 192.0.2.1
    mx1.example.test        AAAA 2001:db8::1
    mx2.example.test        A 192.0.2.2
    mx2.example.test        AAAA 2001:db8::2
    _25._tcp.mx1.example.test  TLSA 3 1 1 abcd
    _25._tcp.mx2.example.test  TLSA 2 1 2 ef01
    implicit.test           A 192.0.2.3
    implicit.test           AAAA 2001:db8::3
    _25._tcp.implicit.test  TLSA 3 1 1 0203
";

/// How often a question was asked.
fn asked(world: &World, question: &str) -> usize {
    world.asked.iter().filter(|(_, asked)| asked.ends_with(question)).count()
}
