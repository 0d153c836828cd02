//! The scout: servers that answer a hand-made ClientHello with anything.

use tlsfinger_core::config::{Level, Policy};
use tlsfinger_core::judge::{LinkCache, ReferenceNames, judge_flight};
use tlsfinger_core::report::Status;
use tlsfinger_core::tls::Suite;
use tlsfinger_core::tls::scout::{FlightEnd, Scout};
use tlsfinger_core::{WallTime, limits};

/// The server answers: after an octet that decides the pieces, its records. However they are cut
/// they must say the same, within bounds, and only one alert goes out.
pub fn scout(data: &[u8]) {
    let [size, octets @ ..] = data else { return };
    let start = || Scout::start(Default::default(), [7; 32]).0;
    let (mut whole, mut cut) = (start(), start());
    let alert = whole.receive(octets);
    let size = usize::from(*size) + 1;
    let alerts: Vec<_> = octets.chunks(size).filter_map(|piece| cut.receive(piece)).collect();
    assert_eq!((cut.flight(), alerts), (whole.flight(), alert.into_iter().collect()));
    let flight = whole.flight();
    assert!(flight.chain.len() <= limits::CHAIN);
    assert!(!flight.is_agreed() || flight.version.is_some());
    assert!(flight.signature.is_none() || flight.key_exchange.is_some());
    assert!(whole.buffered() <= limits::HANDSHAKE);
    let plain = |suite: &&Suite| suite.needs_no_secret();
    if flight.end == FlightEnd::Done && flight.known_suite().filter(plain).is_some() {
        assert_eq!(flight.chain.is_empty(), flight.is_anonymous());
    }
    let mut verdicts = [Level::May, Level::Secure].map(|level| {
        let (policy, names) = (Policy::default(), ReferenceNames::default());
        let links = &mut LinkCache::default();
        judge_flight(flight, &policy, level, &[], &names, WallTime(1_782_864_000), links)
    });
    // Without a handshake nothing is verified, whatever was shown.
    assert!(verdicts.iter_mut().flatten().all(|it| it.status < Status::Verified && !it.satisfied));
}
