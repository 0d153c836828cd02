//! The usual setting of a test: a probe of `mx.example.org`, which is 192.0.2.1, port 25.

use tlsfinger_core::config::{
    Config, Dialect, Groups, HostLookup, Level, Lookup, Policy, Protocols, WiderOffer,
    whole_cipher_list,
};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::Group;
use tlsfinger_core::{Probe, Seed, WallTime};

use crate::peer::Script;
use crate::playbook;
use crate::world::{Link, Run, World};

/// The seed of all usual probes.
pub const SEED: Seed = [7; 32];

/// When all usual probes begin: 2026-07-01T00:00:00Z.
pub const WALL_TIME: WallTime = WallTime(1_782_864_000);

/// The host that is probed.
pub const HOST: &str = "mx.example.org";

/// Its name as messages tell it.
pub const PEER: &str = "mx.example.org[192.0.2.1]:25";

/// The groups that replay.
const GROUPS: [Group; 4] = [Group::X25519, Group::Secp256r1, Group::Secp384r1, Group::Secp521r1];

/// Makes the usual configuration: SMTP, level `may`, the reference's timeouts of 30 s. There is no
/// ML-KEM, so that every run can be replayed, and no DNS: the system knows the host.
pub fn config() -> Config {
    Config {
        destination: Destination {
            text: HOST.to_owned(),
            place: Place::Inet { host: HOST.to_owned(), literal: true, service: None, port: 25 },
        },
        helo_name: "client.example".into(),
        level: Level::May,
        lookup: Lookup { hosts: HostLookup { dns: false, native: true }, ..Lookup::default() },
        policy: Policy { groups: Groups(GROUPS.to_vec()), ..Policy::default() },
        ..Config::default()
    }
}

/// Tells what a scout asks for by default, Postfix 3.11's grade medium; at levels that verify, no
/// anonymous suites.
pub fn wider(level: Level) -> WiderOffer {
    let excluded = if level >= Level::Fingerprint { "aNULL" } else { "eNULL" };
    let list = format!("aNULL:-aNULL:HIGH:MEDIUM:!kDH:!kECDH:!aDSS:!MD5:@STRENGTH:!{excluded}");
    WiderOffer {
        versions: Protocols::parse(">=TLSv1").expect("is a list").all,
        suites: whole_cipher_list(&list).expect("is a list"),
        groups: vec![29, 23, 24],
    }
}

/// Makes a configuration for LMTP over a UNIX socket.
pub fn lmtp() -> Config {
    let path = "/run/lmtp";
    let destination = Destination { text: format!("unix:{path}"), place: Place::Unix(path.into()) };
    Config { destination, dialect: Dialect::Lmtp, ..config() }
}

/// Makes a probe.
pub fn probe(config: &Config) -> Probe {
    Probe::new(config.clone(), SEED, WALL_TIME)
}

/// Makes a world that knows the host's name, and nobody listens yet.
pub fn world(config: &Config) -> World<Probe> {
    World::new(probe(config)).host(HOST, ["192.0.2.1"])
}

/// Tells where the server of a configuration listens.
pub fn place(config: &Config) -> Endpoint {
    match &config.destination.place {
        Place::Unix(path) => Endpoint::Unix(path.clone()),
        Place::Inet { .. } => playbook::tcp("192.0.2.1:25"),
    }
}

/// Probes a server to the end.
#[track_caller]
pub fn run(config: &Config, script: Script, link: Link) -> Run<Probe> {
    world(config).listen(place(config), link, script).run()
}
