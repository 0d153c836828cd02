//! Flights that `openssl s_server` of OpenSSL 3.0 sent (the folder `testdata`), and hand-made ones.

use super::*;
use crate::limits;
use crate::report::{Alert, SignatureScheme};

/// The random value of the client in all recordings.
const RANDOM: [u8; 32] = [7; 32];

macro_rules! recordings {
    ($($name:literal)*) => {
        const RECORDINGS: &[(&str, &str)] =
            &[$(($name, include_str!(concat!("testdata/", $name, ".hex")))),*];
    };
}

recordings! {
    "tls10-static-rsa" "tls10-rsa512" "tls10-dhe-rsa" "tls11-ecdhe-ecdsa" "tls12-dhe-rsa"
    "tls12-ecdhe-rsa" "tls12-anonymous" "tls12-null" "tls12-ocsp" "tls12-ed448" "tls12-secp256k1"
    "tls12-dsa" "tls13-retry" "refused"
}

fn recorded(name: &str) -> Vec<u8> {
    let (_, text) = RECORDINGS.iter().find(|known| known.0 == name).unwrap();
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn start() -> Scout {
    Scout::start(Arc::default(), RANDOM).0
}

/// Reads a flight in one piece, and in every way in two; it must be the same.
fn read(octets: &[u8]) -> Flight {
    let mut whole = start();
    whole.receive(octets);
    for cut in 0..octets.len() {
        let mut scout = start();
        let alerts = [&octets[..cut], &octets[cut..]].map(|piece| scout.receive(piece));
        assert_eq!(scout.flight(), whole.flight(), "cut at {cut}");
        assert!(alerts.iter().flatten().count() <= 1);
    }
    let mut bytewise = start();
    octets.iter().for_each(|octet| {
        bytewise.receive(&[*octet]);
    });
    assert_eq!(bytewise.flight(), whole.flight());
    whole.flight().clone()
}

fn signed(scheme: Option<u16>, proof: Proof) -> Option<ServerSignature> {
    Some(ServerSignature { scheme: scheme.map(SignatureScheme), proof })
}

#[test]
fn recorded_flights() {
    use FlightEnd::{Done, Refused, Retry};
    use Proof::{Right, Unverifiable};
    let dhe = |bits| Some(KeyExchange::Dhe { bits, group: None });
    let table = [
        ("tls10-static-rsa", Some(Protocol::TLS10), Some(0x35), None, None, 1, Done),
        (
            "tls10-dhe-rsa",
            Some(Protocol::TLS10),
            Some(0x39),
            dhe(2048),
            signed(None, Right),
            1,
            Done,
        ),
        (
            "tls11-ecdhe-ecdsa",
            Some(Protocol::TLS11),
            Some(0xc00a),
            Some(KeyExchange::Ecdhe(29)),
            signed(None, Right),
            1,
            Done,
        ),
        (
            "tls12-dhe-rsa",
            Some(Protocol::TLS12),
            Some(0x9f),
            dhe(2048),
            signed(Some(0x0804), Right),
            1,
            Done,
        ),
        (
            "tls12-ecdhe-rsa",
            Some(Protocol::TLS12),
            Some(0xc027),
            Some(KeyExchange::Ecdhe(29)),
            signed(Some(0x0804), Right),
            1,
            Done,
        ),
        ("tls12-anonymous", Some(Protocol::TLS12), Some(0x34), dhe(1024), None, 0, Done),
        ("tls10-rsa512", Some(Protocol::TLS10), Some(0x35), None, None, 1, Done),
        ("tls12-null", Some(Protocol::TLS12), Some(0x3b), None, None, 1, Done),
        (
            "tls12-ocsp",
            Some(Protocol::TLS12),
            Some(0x9f),
            dhe(1024),
            signed(Some(0x0804), Right),
            1,
            Done,
        ),
        // Keys that nothing here can verify by: Ed448, another curve, DSA.
        (
            "tls12-ed448",
            Some(Protocol::TLS12),
            Some(0xc02c),
            Some(KeyExchange::Ecdhe(29)),
            signed(Some(0x0808), Unverifiable),
            2,
            Done,
        ),
        (
            "tls12-secp256k1",
            Some(Protocol::TLS12),
            Some(0xc02c),
            Some(KeyExchange::Ecdhe(29)),
            signed(Some(0x0403), Unverifiable),
            1,
            Done,
        ),
        (
            "tls12-dsa",
            Some(Protocol::TLS12),
            Some(0xa2),
            dhe(1024),
            signed(Some(0x0202), Unverifiable),
            1,
            Done,
        ),
        ("tls13-retry", Some(Protocol::TLS13), Some(0x1302), None, None, 0, Retry),
        ("refused", None, None, None, None, 0, Refused(Alert(70))),
    ];
    for (name, version, suite, exchange, signature, chain, end) in table {
        let flight = read(&recorded(name));
        let seen = (flight.version, flight.suite, flight.key_exchange, flight.signature);
        assert_eq!(seen, (version, suite, exchange, signature), "{name}");
        assert_eq!((flight.chain.len(), flight.end), (chain, end), "{name}");
        assert_eq!(flight.client_certificate_requested, name == "tls12-dhe-rsa");
        let group = (name == "tls13-retry").then_some(29);
        assert_eq!(flight.group, group, "{name}");
        let ocsp = (name == "tls12-ocsp").then_some(&[0x30, 3, 10, 1, 1][..]);
        assert_eq!(flight.ocsp.as_deref(), ocsp, "{name}");
    }
    assert_eq!(RECORDINGS.len(), table.len());
}

#[test]
fn whatever_is_cut_off_nothing_is_made_up() {
    for (name, _) in RECORDINGS {
        let octets = recorded(name);
        for cut in 0..octets.len() {
            let mut scout = start();
            let is_over = scout.receive(&octets[..cut]).is_some();
            // Of TLS 1.3 more may come, which does not count.
            assert_eq!(is_over, *name == "tls13-retry" && cut >= 61, "{name} {cut}");
            assert_eq!((scout.is_over(), scout.flight().is_agreed()), (is_over, is_over));
        }
    }
}

#[test]
fn a_signature_is_only_right_as_it_was_made() {
    for name in ["tls10-dhe-rsa", "tls11-ecdhe-ecdsa", "tls12-dhe-rsa", "tls12-ecdhe-rsa"] {
        let octets = recorded(name);
        // Another client's random value was signed.
        let mut scout = Scout::start(Arc::default(), [8; 32]).0;
        scout.receive(&octets);
        assert_eq!(scout.flight().signature.unwrap().proof, Proof::Wrong, "{name}");
    }
}

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind, 3, 1][..], &size, body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind][..], &size[1..], body].concat()
}

fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let [high, low] = suite.to_be_bytes();
    let version = version.to_be_bytes();
    message(2, &[&version[..], &[9; 32], &[0], &[high, low, 0]].concat())
}

#[test]
fn suites_that_no_library_speaks_any_more() {
    let certificate = message(11, &[0, 0, 7, 0, 0, 4, 1, 2, 3, 4]);
    // SSL 3 with RC4, and export RSA with a key of 512 bits whose signature is nothing.
    let done = message(14, &[]);
    let ssl3 = [server_hello(0x300, 5), certificate.clone(), done.clone()].concat();
    let flight = read(&record(22, &ssl3));
    assert_eq!(flight.version.unwrap().to_string(), "SSLv3");
    assert_eq!(flight.known_suite().unwrap().openssl, "RC4-SHA");
    assert_eq!((flight.end, flight.chain.len()), (FlightEnd::Done, 1));
    let key = [&[0, 64][..], &[0xff; 64], &[0, 1, 3, 0, 2, 1, 1]].concat();
    let export = [server_hello(0x301, 3), certificate, message(12, &key), done].concat();
    let flight = read(&[record(22, &export[..50]), record(22, &export[50..])].concat());
    assert_eq!(flight.key_exchange, Some(KeyExchange::ExportRsa { bits: 512 }));
    // The certificate is no certificate: nobody can tell.
    assert_eq!(flight.signature, signed(None, Proof::Unverifiable));
}

#[test]
fn flights_that_are_none() {
    let hello = || server_hello(0x303, 0xc02f);
    let table = [
        (b"454 TLS not available\r\n".to_vec(), FlightEnd::NotTls),
        (vec![22, 2], FlightEnd::NotTls),
        (vec![22, 3, 1, 0xff, 0xff], FlightEnd::Malformed),
        (record(22, &message(14, &[])), FlightEnd::Malformed),
        (record(22, &message(11, &[0, 0, 0])), FlightEnd::Malformed),
        (record(22, &[hello(), hello()].concat()), FlightEnd::Malformed),
        (record(22, &[hello(), message(11, &[0, 0, 5, 0, 0, 9])].concat()), FlightEnd::Malformed),
        (record(20, &[1]), FlightEnd::Malformed),
        (record(23, &[1]), FlightEnd::Malformed),
        (record(21, &[2, 40]), FlightEnd::Refused(Alert(40))),
        (record(21, &[1, 0]), FlightEnd::Refused(Alert(0))),
        ([record(22, &hello()), record(20, &[1])].concat(), FlightEnd::Resumed),
        (record(22, &hello()), FlightEnd::Cut),
        (record(22, &[]), FlightEnd::Cut),
    ];
    for (octets, end) in table {
        assert_eq!(read(&octets).end, end, "{octets:?}");
    }
    let warned = [record(21, &[1, 112]), record(22, &hello())].concat();
    assert_eq!(read(&warned).warnings, [Alert(112)]);
}

/// Messages in another order than theirs, twice, or without each other.
#[test]
fn flights_that_no_client_would_take() {
    let (hello, done) = (|suite| server_hello(0x303, suite), message(14, &[]));
    let certificate = message(11, &[0, 0, 7, 0, 0, 4, 1, 2, 3, 4]);
    let (status, request) = (message(22, &[1, 0, 0, 1, 5]), message(13, &[1, 1, 0, 0]));
    let share = message(12, &[3, 0, 29, 1, 5, 4, 1, 0, 1, 7]);
    let group = message(12, &[0, 1, 7, 0, 1, 2, 0, 1, 4]);
    let whole = [&hello(0xc02f)[..], &certificate, &status, &share, &request, &done];
    assert_eq!(read(&record(22, &whole.concat())).end, FlightEnd::Done);
    // Whatever stands twice or elsewhere.
    for at in 0..whole.len() - 1 {
        let mut other = whole.to_vec();
        other.insert(at, whole[at]);
        assert_eq!(read(&record(22, &other.concat())).end, FlightEnd::Malformed, "{at} twice");
        let mut other = whole[..whole.len() - 1].to_vec();
        other.rotate_left(at);
        other.push(&done);
        let end = if at == 0 { FlightEnd::Done } else { FlightEnd::Malformed };
        assert_eq!(read(&record(22, &other.concat())).end, end, "{at} first");
    }
    let table = [
        // Nobody shows a certificate, or there is none; a share of the server is missing.
        (vec![hello(0x2f), done.clone()], FlightEnd::Malformed),
        (vec![hello(0x2f), message(11, &[0, 0, 0]), done.clone()], FlightEnd::Malformed),
        (vec![hello(0xc02f), certificate.clone(), done.clone()], FlightEnd::Malformed),
        (vec![hello(0x34), group.clone(), done.clone()], FlightEnd::Done),
        (vec![hello(0x34), done.clone()], FlightEnd::Malformed),
        (vec![hello(0x34), certificate.clone(), group, done.clone()], FlightEnd::Malformed),
        // A short RSA key where no export was agreed on (CVE-2015-0204).
        (
            vec![
                hello(0x2f),
                certificate.clone(),
                message(12, &[0, 1, 9, 0, 1, 3, 4, 1, 0, 1, 5]),
                done.clone(),
            ],
            FlightEnd::Malformed,
        ),
        // More in a message than belongs there.
        (vec![hello(0xc02f), message(11, &[0, 0, 0, 1])], FlightEnd::Malformed),
        (vec![hello(0x34), message(12, &[0, 1, 7, 0, 1, 2, 0, 1, 4, 0])], FlightEnd::Malformed),
        (vec![message(2, &[&hello(0x2f)[4..], &[0, 0, 0]].concat())], FlightEnd::Malformed),
        // Lengths that lie.
        (vec![hello(0x34), message(12, &[0, 9, 7, 0, 1, 2])], FlightEnd::Malformed),
        (vec![hello(0xc02f), message(11, &[0, 0, 9, 0, 0, 4, 1])], FlightEnd::Malformed),
        (vec![message(2, &[3, 3, 9])], FlightEnd::Malformed),
        (vec![hello(0xc02f), message(22, &[1, 0, 0, 2, 5])], FlightEnd::Malformed),
        // A message that is none of a server's first flight.
        (vec![hello(0x2f), message(1, &[])], FlightEnd::Malformed),
        (vec![hello(0x2f), message(20, &[5; 12])], FlightEnd::Malformed),
        (vec![hello(0x2f), certificate, message(4, &[0; 6])], FlightEnd::Malformed),
        // Tickets of a session that is resumed, and HelloRequests, are passed over.
        (vec![hello(0x2f), message(4, &[0; 6]), message(0, &[])], FlightEnd::Cut),
    ];
    for (messages, end) in table {
        assert_eq!(read(&record(22, &messages.concat())).end, end, "{messages:?}");
    }
}

#[test]
fn groups_are_known_by_all_of_their_prime() {
    let octets = recorded("tls12-ocsp");
    // What is not of RFC 7919 is told by its size.
    assert_eq!(read(&octets).key_exchange, Some(KeyExchange::Dhe { bits: 1024, group: None }));
    let mut prime = vec![0xff; 256];
    prime[8..16].copy_from_slice(&[0xad, 0xf8, 0x54, 0x58, 0xa2, 0xbb, 0x4a, 0x9a]);
    let size = |octets: &[u8]| (octets.len() as u16).to_be_bytes().to_vec();
    let key = [&size(&prime)[..], &prime, &[0, 1, 2, 0, 1, 4]].concat();
    let flight = [server_hello(0x303, 0x34), message(12, &key), message(14, &[])].concat();
    let found = read(&record(22, &flight));
    assert_eq!(found.key_exchange, Some(KeyExchange::Dhe { bits: 2048, group: None }));
    let real = recorded("tls10-dhe-rsa");
    assert_eq!(read(&real).end, FlightEnd::Done);
}

#[test]
fn what_was_not_asked_is_not_agreed_to() {
    let asked = ScoutHello {
        versions: vec![Protocol::TLS10, Protocol::TLS12],
        suites: vec![0x2f, 0x35, 0xff],
        ..ScoutHello::default()
    };
    let flight = |version, suite| Flight {
        version: Some(version),
        suite: Some(suite),
        end: FlightEnd::Done,
        ..Flight::default()
    };
    let good = flight(Protocol::TLS12, 0x35);
    assert!(asked.allows(&good) && asked.allows(&flight(Protocol::SSL3, 0x2f)));
    for (version, suite) in
        [(Protocol::TLS13, 0x2f), (Protocol(0x7f01), 0x2f), (Protocol::TLS12, 0x34)]
    {
        assert!(!asked.allows(&flight(version, suite)), "{version} {suite}");
    }
    assert!(!asked.allows(&Flight { compression: 1, ..good.clone() }));
    assert!(!asked.allows(&Flight { end: FlightEnd::Resumed, ..good.clone() }));
    let resuming = ScoutHello { ticket: Some(Bytes::from_static(b"t")), ..asked };
    assert!(resuming.allows(&Flight { end: FlightEnd::Resumed, ..good }));
    // Nor is a version that nobody knows one that is spoken here.
    assert!(!flight(Protocol(0x0305), 0xc02f).is_spoken());
    assert!(flight(Protocol::TLS12, 0xc02f).is_spoken());
}

#[test]
fn the_last_word_is_one_that_the_server_knows() {
    let ends =
        [(0x300, [3, 0, 40]), (0x301, [3, 1, 90]), (0x303, [3, 3, 90]), (0x7f7f, [3, 3, 90])];
    for (version, [major, minor, alert]) in ends {
        let octets = [server_hello(version, 0x34), message(99, &[])].concat();
        let word = start().receive(&record(22, &octets)).unwrap();
        assert_eq!(word[..], [21, major, minor, 0, 2, 2, alert], "{version:x}");
    }
}

#[test]
fn floods_are_bounded() {
    // One message that never ends, whole messages without end, and warnings without end.
    let endless = [message(11, &[0; 3])[..1].to_vec(), vec![0xff, 0xff, 0xff]].concat();
    let floods = [
        record(22, &[0xff; 16_000]),
        record(22, &message(0, &[])),
        record(21, &[1, 112]),
        record(22, &[]),
    ];
    for flood in floods {
        let mut scout = start();
        scout.receive(&record(22, &[server_hello(0x303, 0x2f), endless.clone()].concat()));
        let mut octets = 0;
        while !scout.is_over() {
            scout.receive(&flood);
            octets += flood.len();
            assert!(octets < limits::HANDSHAKE + 2 * flood.len());
        }
        assert_eq!(scout.flight().end, FlightEnd::TooMuch);
        assert!(scout.flight().warnings.len() <= 8);
        assert_eq!(scout.receive(&flood), None);
    }
    let mut scout = start();
    scout.receive(&vec![22; 4 * limits::HANDSHAKE]);
    assert!(scout.is_over());
}

#[test]
fn hellos_of_all_forms() {
    let hello = |versions: &[Protocol]| ScoutHello {
        versions: versions.to_vec(),
        suites: vec![0x35, 0xff],
        groups: vec![29],
        schemes: vec![0x0804],
        server_name: Some("mx.test".to_owned()),
        modern: false,
        ..ScoutHello::default()
    };
    let octets = |versions: &[Protocol]| hello(versions).encode(&RANDOM).to_vec();
    let ssl3 = octets(&[Protocol::SSL3]);
    assert_eq!(ssl3[..11], [22, 3, 0, 0, 47, 1, 0, 0, 43, 3, 0]);
    assert_eq!(ssl3[43..], [0, 0, 4, 0, 0x35, 0, 0xff, 1, 0]);
    let sni = [&[0, 0, 0, 12, 0, 10, 0, 0, 7][..], b"mx.test"].concat();
    let groups = [0, 10, 0, 4, 0, 2, 0, 29, 0, 11, 0, 2, 1, 0];
    let tls10 = octets(&[Protocol::SSL3, Protocol::TLS10]);
    assert_eq!((&tls10[1..3], &tls10[9..11]), (&[3, 1][..], &[3, 1][..]));
    assert_eq!(tls10[52..], [&[0, 30][..], &sni, &groups].concat());
    let tls12 = octets(&[Protocol::TLS12]);
    let schemes = [0, 13, 0, 4, 0, 2, 8, 4];
    assert_eq!(tls12[9..11], [3, 3]);
    assert_eq!(tls12[52..], [&[0, 38][..], &sni, &groups, &schemes].concat());
    let tls13 = octets(&[Protocol::TLS12, Protocol::TLS13]);
    let more = [0, 43, 0, 5, 4, 3, 4, 3, 3, 0, 45, 0, 2, 1, 1, 0, 51, 0, 2, 0, 0];
    assert_eq!(tls13[9..11], [3, 3]);
    assert_eq!(tls13[52..], [&[0, 59][..], &sni, &groups, &schemes, &more].concat());
}

#[test]
fn hellos_that_are_too_long_are_cut_to_what_the_wire_can_say() {
    let hello = ScoutHello {
        versions: vec![Protocol::TLS12],
        suites: vec![1; 40_000],
        session_id: vec![1; 99].into(),
        server_name: Some("x".repeat(70_000)),
        ..ScoutHello::default()
    };
    let octets = hello.encode(&RANDOM);
    assert_eq!((octets[3], octets[4]), (0x40, 0));
    // Session id, and as many suites as fit.
    assert_eq!((octets[43], octets[76], octets[77]), (32, 0xff, 0xfe));
}
