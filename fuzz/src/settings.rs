//! The target `settings`: texts that decide a run, from the command line and from files.

use std::collections::BTreeSet;

use tlsfinger_core::config::{
    CompatibilityLevel, Dialect, DnssecProbe, GroupLists, MainCf, Protocols, cipher_list,
    read_trust,
};
use tlsfinger_core::destination::{
    Destination, KnownPorts, Place, check_host, host_to_ascii, tcp_port,
};
use tlsfinger_core::resolve::{ResolvConf, TrustAnchors};
use tlsfinger_core::tls::{Identity, SUITES};

/// Reads text as destinations, one in each line.
pub fn destination(data: &[u8]) {
    String::from_utf8_lossy(data).lines().for_each(a_destination);
}

/// Reads text as cipher lists, groups and protocols, one in each line.
pub fn ciphers(data: &[u8]) {
    String::from_utf8_lossy(data).lines().for_each(offer);
}

/// Reads text as a main.cf.
pub fn main_cf(data: &[u8]) {
    evaluate(&String::from_utf8_lossy(data));
}

/// Reads the text as everything else that it could be.
pub fn settings(data: &[u8]) {
    let _ = tcp_port(data, "smtp");
    let mut identity = Identity::default();
    let _ = identity.add_chains(data);
    let _ = identity.add_pair(data, data);
    let text = String::from_utf8_lossy(data);
    let _ = (CompatibilityLevel::parse(&text), DnssecProbe::parse(&text));
    let _ = KnownPorts::parse(&text).map(|ports| ports.port("smtp"));
    let anchors = TrustAnchors::parse(data);
    if let Ok(anchors) = anchors {
        assert_eq!(TrustAnchors::parse(anchors.to_string().as_bytes()), Ok(anchors));
    }
    let _ = ResolvConf::parse(data);
    let _ = read_trust(data);
}

/// What was understood as a destination means the same when it is written down again.
fn a_destination(text: &str) {
    for dialect in [Dialect::Smtp, Dialect::Lmtp] {
        let Ok(found) = Destination::parse(text, dialect, |_| Some(7)) else { continue };
        let Place::Inet { host, port, .. } = &found.place else { continue };
        assert!(*port > 0 && !host.is_empty());
        let prefix = if host.contains(':') { "ipv6:" } else { "" };
        let again = format!("[{prefix}{host}]:{port}");
        let again = Destination::parse(&again, dialect, |_| None).expect("was one before");
        let Place::Inet { host: same, port: number, .. } = &again.place else {
            panic!("{again:?}")
        };
        assert_eq!((same, number), (host, port));
    }
    if let (Ok(()), Ok(ascii)) = (check_host(text), host_to_ascii(text)) {
        assert!(ascii.is_ascii() && check_host(&ascii).is_ok());
    }
}

/// Offers hold nothing unknown and nothing twice.
fn offer(text: &str) {
    let _ = Protocols::parse(text);
    let groups = GroupLists::parse(text, "").groups.0;
    assert_eq!(groups.iter().collect::<BTreeSet<_>>().len(), groups.len());
    if let Ok(suites) = cipher_list(text) {
        assert!(suites.iter().all(|number| SUITES.iter().any(|suite| suite.number == *number)));
        assert_eq!(suites.iter().collect::<BTreeSet<_>>().len(), suites.len());
        let _ = cipher_list(&format!("{text}:@STRENGTH")).expect("selects as much as before");
    }
}

/// Values that were evaluated stay what they are.
fn evaluate(text: &str) {
    let Ok((mut file, _)) = MainCf::parse(text) else { return };
    for name in ["a", "b", "myhostname"] {
        if let Ok(value) = file.evaluate(name, "$a${b?x}") {
            assert!(file.is_set(name));
            if !value.contains('$') {
                assert_eq!(file.evaluate(name, ""), Ok(value));
            }
        }
    }
}
