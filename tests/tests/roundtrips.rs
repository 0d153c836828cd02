//! What is written down and read again is what it was.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;
use tlsfinger_core::config::{
    Config, DaneDigests, Dialect, GroupLists, Level, MatchRule, Pin, Protocols, Versions,
    cipher_list,
};
use tlsfinger_core::destination::{Destination, Place};
use tlsfinger_core::machine::{LookupId, Stop, TransportId};
use tlsfinger_core::report::{
    Alert, Event, Group, KeyProof, SignatureScheme, TlsError, TlsFacts, TlsNote, TlsVersion,
    TunnelCall, TunnelEffect, TunnelStep,
};
use tlsfinger_core::resolve::{Tlsa, TrustAnchors, parse_resolver};
use tlsfinger_core::tls::{SUITES, Suite};
use tlsfinger_core::trace::{Header, Trace};
use tlsfinger_core::{Input, Instant, IoError, IoErrorKind, Output, WallTime};

fn octets(most: usize) -> impl Strategy<Value = Bytes> {
    let printable = "[ -~\r\n\t]{0,40}".prop_map(|text| Bytes::from(text.into_bytes()));
    prop_oneof![prop::collection::vec(any::<u8>(), 0..most).prop_map(Bytes::from), printable]
}

fn error() -> impl Strategy<Value = IoError> {
    let kinds = [
        IoErrorKind::Refused,
        IoErrorKind::Reset,
        IoErrorKind::TimedOut,
        IoErrorKind::Unreachable,
        IoErrorKind::NotFound,
        IoErrorKind::Denied,
        IoErrorKind::Invalid,
        IoErrorKind::Exhausted,
        IoErrorKind::Other,
    ];
    (prop::sample::select(kinds.to_vec()), any::<i32>(), ".{0,30}")
        .prop_map(|(kind, code, message)| IoError { kind, code, message })
}

fn input() -> impl Strategy<Value = Input> {
    let id = || any::<u64>().prop_map(TransportId);
    prop_oneof![
        Just(Input::Tick),
        id().prop_map(Input::Opened),
        (id(), octets(60)).prop_map(|(id, bytes)| Input::Received(id, bytes)),
        id().prop_map(Input::Ended),
        (id(), error()).prop_map(|(id, error)| Input::Failed(id, error)),
        (any::<u64>(), prop::collection::vec(any::<std::net::IpAddr>(), 0..4))
            .prop_map(|(id, found)| Input::HostFound(LookupId(id), Ok(found))),
        (any::<u64>(), error()).prop_map(|(id, error)| Input::HostFound(LookupId(id), Err(error))),
        Just(Input::Stop(Stop::Now)),
        Just(Input::Stop(Stop::Drain)),
    ]
}

fn facts() -> impl Strategy<Value = TlsFacts> {
    let proofs = vec![KeyProof::Earlier, KeyProof::Proved, KeyProof::Unverifiable];
    (
        prop::sample::select(vec![TlsVersion::Tls12, TlsVersion::Tls13]),
        prop::sample::select(SUITES.iter().collect::<Vec<_>>()),
        prop::option::of(prop::sample::select(Group::ALL.to_vec())),
        prop::option::of(any::<u16>().prop_map(SignatureScheme)),
        prop::sample::select(proofs),
        prop::collection::vec(octets(30), 0..3),
        prop::option::of(octets(30)),
        any::<[bool; 3]>(),
    )
        .prop_map(|(version, suite, group, scheme, key_proof, chain, ocsp, flags)| TlsFacts {
            version,
            suite,
            group,
            server_signature: scheme,
            key_proof,
            client_signature: scheme.filter(|_| flags[0]),
            client_certificate_requested: flags[0],
            chain,
            certificates: Default::default(),
            ocsp,
            resumed: flags[1],
            hello_retry: flags[2],
        })
}

fn step() -> impl Strategy<Value = TunnelStep> {
    let call = prop_oneof![
        Just(TunnelCall::Start),
        Just(TunnelCall::Receive),
        any::<u16>().prop_map(|octets| TunnelCall::GoOn(octets.into())),
        octets(40).prop_map(TunnelCall::Send),
        Just(TunnelCall::Close),
    ];
    let error = prop_oneof![
        any::<u8>().prop_map(|number| TlsError::AlertReceived(Alert(number))),
        ".{0,20}".prop_map(TlsError::Misbehaved),
        Just(TlsError::Limit),
    ];
    let (text, facts) = (octets(40), prop::option::of(facts()));
    (call, any::<u16>(), text, facts, prop::option::of(error), any::<[bool; 3]>()).prop_map(
        |(call, sent, text, facts, error, [ended, session_stored, session_left])| TunnelStep {
            transport: TransportId(7),
            call,
            sent: sent.into(),
            effect: TunnelEffect {
                text,
                facts: facts.map(Arc::new),
                ended,
                error,
                session_stored,
                session_left,
                disclosures: Vec::new(),
            },
        },
    )
}

fn tls12_suites() -> Vec<&'static Suite> {
    SUITES.iter().filter(|suite| suite.number >> 8 != 0x13).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn inputs(input in input()) {
        prop_assert_eq!(input.to_string().parse(), Ok(input));
    }

    /// A trace of any inputs and steps of TLS is read as it was written, and as it is written again.
    #[test]
    fn traces(
        inputs in prop::collection::vec((0_u64..1 << 40, input()), 0..6),
        step in step(),
        helo in "[a-z.]{1,20}",
        seed in any::<[u8; 32]>(),
        pins in prop::collection::vec(octets(20), 0..3),
        level in prop::sample::select(Level::ALL.to_vec()),
        seconds in any::<u32>(),
    ) {
        let mut config = Config { helo_name: helo.into(), level, ..Config::default() };
        config.policy.pins = pins.into_iter().map(Pin).collect();
        config.policy.matches = vec![MatchRule::Hostname, MatchRule::Name("é\"".to_owned())];
        config.connect_timeout = Duration::from_secs(seconds.into());
        let header = Header::new("test", config, seed, WallTime(seconds.into()));
        let mut text = header.to_string();
        let told = Output::Tell(Event::Tls(TlsNote::Tunnel(Box::new(step.clone()))));
        text += &format!("0.000000 > {told}\n");
        let mut now = 0;
        let mut times = Vec::new();
        for (pause, input) in &inputs {
            now += pause;
            times.push((Instant::from_micros(now), input.clone()));
            text += &format!("{} < {input}\n", Instant::from_micros(now));
        }
        let trace = Trace::parse(&text).expect("it was written so");
        prop_assert_eq!(trace.header(), &header);
        prop_assert_eq!(trace.inputs().collect::<Vec<_>>(), times);
        prop_assert_eq!(trace.header().to_string(), header.to_string());
    }

    #[test]
    fn destinations(
        name in "[a-z][a-z0-9-]{0,10}[a-z0-9]([.][a-z][a-z0-9]{0,5}){0,3}",
        address in any::<std::net::IpAddr>(),
        port in 1_u16..,
        literal in any::<bool>(),
    ) {
        let parse = |text: &str| Destination::parse(text, Dialect::Smtp, |_| None).expect("is one");
        let wrapped = if literal { format!("[{name}]:{port}") } else { format!("{name}:{port}") };
        let Place::Inet { host, literal: is_literal, port: number, .. } = parse(&wrapped).place
        else {
            panic!("{wrapped}")
        };
        prop_assert_eq!((host, is_literal, number), (name, literal, port));
        let text = match address {
            std::net::IpAddr::V4(ip) => format!("[{ip}]:{port}"),
            std::net::IpAddr::V6(ip) => format!("[ipv6:{ip}]:{port}"),
        };
        let Place::Inet { host, .. } = parse(&text).place else { panic!("{text}") };
        prop_assert_eq!(host.parse(), Ok(address));
    }

    /// Suites of TLS 1.2 by their names, in any order.
    #[test]
    fn cipher_lists(chosen in prop::sample::subsequence(tls12_suites(), 1..6).prop_shuffle()) {
        let names = chosen.iter().map(|suite| suite.openssl).collect::<Vec<_>>().join(":");
        let chosen: Vec<_> = chosen.iter().map(|suite| suite.number).collect();
        let mut found = cipher_list(&names).expect("they are known");
        // Those of TLS 1.3 have no part in such lists.
        found.retain(|number| number >> 8 != 0x13);
        prop_assert_eq!(found, chosen);
    }

    #[test]
    fn groups(chosen in prop::sample::subsequence(Group::ALL.to_vec(), 1..=5).prop_shuffle()) {
        let names = chosen.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        prop_assert_eq!(GroupLists::parse(&names, "").groups.0, chosen);
    }

    #[test]
    fn protocols(tls12 in any::<bool>(), tls13 in any::<bool>(), lower in any::<bool>()) {
        let versions = Versions { tls12, tls13 };
        let names = [(tls12, "TLSv1.2"), (tls13, "TLSv1.3")];
        let without = names.iter().filter(|(on, _)| !on).map(|(_, name)| format!("!{name}"));
        let mut list = without.collect::<Vec<_>>().join(":");
        if lower { list = list.to_lowercase(); }
        prop_assert_eq!(Protocols::parse(&list).map(|it| it.versions), Ok(versions));
    }

    #[test]
    fn dane_digests(order in any::<bool>(), numbers in any::<[bool; 2]>()) {
        let mut words = [
            if numbers[0] { "sha256=9" } else { "sha256" },
            if numbers[1] { "sha512=7" } else { "sha512" },
        ];
        if order { words.reverse(); }
        let (digests, problems) = DaneDigests::parse(&words.join(" "));
        prop_assert!(problems.is_empty());
        prop_assert_eq!(DaneDigests::parse(&digests.to_string()), (digests, vec![]));
    }

    #[test]
    fn trust_anchors(tag in any::<u16>(), digest in any::<[u8; 32]>()) {
        let hex: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
        let text = format!(". DS {tag} 13 2 {hex}\na.test. DS {tag} 8 2 {hex}\n");
        let anchors = TrustAnchors::parse(text.as_bytes()).expect("they are records");
        prop_assert_eq!(TrustAnchors::parse(anchors.to_string().as_bytes()), Ok(anchors));
    }

    /// A record is told by all of its octets, or by the ends of many.
    #[test]
    fn tlsa(usage in any::<u8>(), selector in any::<u8>(), matching in any::<u8>(), data in prop::collection::vec(any::<u8>(), 1..=64)) {
        let record = Tlsa { usage, selector, matching, data: data.clone().into() };
        let text = record.to_string();
        let words: Vec<_> = text.split(' ').collect();
        let hex: String = data.iter().map(|octet| format!("{octet:02X}")).collect();
        prop_assert_eq!(words, [&usage.to_string(), &selector.to_string(), &matching.to_string(), &hex]);
    }

    #[test]
    fn times(micros in any::<u64>()) {
        let instant = Instant::from_micros(micros);
        prop_assert_eq!(instant.to_string().parse(), Ok(instant));
    }

    #[test]
    fn resolvers(address in any::<SocketAddr>()) {
        let remote = parse_resolver(&address.to_string()).expect("it is one");
        prop_assert_eq!(remote.address.ip(), address.ip());
        prop_assert_eq!(parse_resolver(&remote.to_string()).map(|again| again.address), Ok(remote.address));
    }
}
