//! The scout: servers that answer a hand-made ClientHello with anything.

use tlsfinger_core::limits;
use tlsfinger_core::tls::scout::{Flight, Scout};

/// The server answers: after an octet that decides the pieces, its records. However they are cut
/// they must say the same, within bounds, and only one alert goes out.
pub fn scout(data: &[u8]) {
    let [size, octets @ ..] = data else { return };
    let start = || Scout::start(Default::default(), [7; 32]).0;
    let (mut whole, mut cut) = (start(), start());
    let alert = whole.receive(octets);
    let size = usize::from(*size) + 1;
    let alerts: Vec<_> = octets.chunks(size).filter_map(|piece| cut.receive(piece)).collect();
    let same = Flight { octets: whole.flight().octets, ..cut.flight().clone() };
    assert_eq!((&same, alerts), (whole.flight(), alert.into_iter().collect()));
    let flight = whole.flight();
    assert!(flight.chain.len() <= limits::CHAIN);
    assert!(!flight.is_agreed() || flight.version.is_some());
    assert!(flight.signature.is_none() || flight.key_exchange.is_some());
}
