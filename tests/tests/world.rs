//! The virtual world's own ways, seen through a probe that has to find its host by DNS.

use std::time::Duration;

use tlsfinger_core::config::{Config, Lookup};
use tlsfinger_core::resolve::ResolvConf;
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::setting;
use tlsfinger_tests::world::{Connect, Link};
use tlsfinger_tests::zones::Zones;

/// Tells when a probe is connected whose name server is at the end of this link.
fn connected_at(link: Link) -> u64 {
    let resolvers = ResolvConf::parse(b"nameserver 192.0.2.53\noptions timeout:2 attempts:2");
    let config = Config { lookup: Lookup { resolvers, ..Lookup::default() }, ..setting::config() };
    let zones = "@secure .\n mx.example.org A 192.0.2.1";
    let run = setting::world(&config)
        .name_server("192.0.2.53:53".parse().expect("an address"), link, Zones::parse(zones))
        .listen(setting::place(&config), Link::latency(50), Script::smtp())
        .run();
    let connected = |line: &&(u64, String)| line.1.starts_with("connected to");
    run.timeline().iter().find(connected).expect("it is connected").0
}

#[test]
fn datagrams_are_lost_repeated_and_late() {
    let (link, connect) = (|| Link::latency(10), 100);
    // One round trip to the name server, as both questions are asked at once.
    assert_eq!(connected_at(link()), 20 + connect);
    // A question or an answer that is lost costs the timeout.
    assert_eq!(connected_at(link().lose_out([0])), 2_020 + connect);
    assert_eq!(connected_at(link().lose_in([0])), 2_020 + connect);
    // What comes again, or after the question was asked again, does no harm.
    let again = link().repeat_in(0, Duration::ZERO).repeat_in(1, Duration::from_secs(1));
    assert_eq!(connected_at(again), 20 + connect);
    let late = link().delay_in(0, Duration::from_millis(500));
    assert_eq!(connected_at(late), 520 + connect);
}

#[test]
fn connections_take_their_time() {
    let timeline = |link| {
        let script = Script::smtp().greeting("554 no\r\n");
        setting::run(&setting::config(), script, link).timeline()
    };
    let when = |link| timeline(link).iter().map(|line| line.0).collect::<Vec<_>>();
    // The greeting comes with the connection, as the server speaks first.
    assert_eq!(when(Link::latency(50)), [100, 100, 100]);
    let slow = Link::latency(50).connect(Connect::AcceptAfter(Duration::from_secs(3)));
    assert_eq!(when(slow), [3_100, 3_100, 3_100]);
    let dripping = Link::latency(50).pieces_in([4]).gap_in(Duration::from_secs(1));
    assert_eq!(when(dripping), [100, 1_100, 1_100]);
}
