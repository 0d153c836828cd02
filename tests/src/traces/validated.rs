//! Answers that are validated by the program itself, and name servers that are asked over TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use tlsfinger_core::config::{Config, DnssecTrust, Lookup, TrustStore};
use tlsfinger_core::resolve::{ResolvConf, ResolverTls, TrustAnchors};

use super::{Scene, dns, scene};
use crate::certs::{self, KeyType};
use crate::peer::{NameServer, Script, TlsSetup};
use crate::playbook;
use crate::world::Link;
use crate::zones::Zones;

/// Zones whose signatures are good in the year of all traces.
fn signed(more: &str) -> Zones {
    let pin = certs::tlsa(KeyType::P256);
    Zones::parse(&format!(
        "@sign . 13
         @sign org 8
         @sign example.org 14
         example.org MX 10 mx.example.org
         mx.example.org A 192.0.2.1
         _25._tcp.mx.example.org TLSA {pin}
         {more}"
    ))
}

/// A zone without keys below others with keys.
fn unsigned() -> Zones {
    Zones::parse(
        "@sign . 13
         @sign org 15
         @insecure example.org
         example.org MX 10 mx.example.org
         mx.example.org A 192.0.2.1",
    )
}

/// What validation by the program leads to.
pub(super) fn scenes() -> Vec<Scene> {
    let local = |name, more| validated(name, DnssecTrust::Local, signed(more));
    let stripped = || signed("@server 192.0.2.53 strip");
    vec![
        local("validated-dane", ""),
        local("validated-mx-expired", "@fault example.org MX expired"),
        local("validated-address-forged", "@fault mx.example.org A forged"),
        local("validated-tlsa-forged", "@fault _25._tcp.mx.example.org TLSA forged"),
        local("validated-keys-unavailable", "@fault org DNSKEY servfail"),
        validated("validated-unsigned", DnssecTrust::Local, unsigned()),
        local(
            "validated-reason-of-the-name-server",
            "@fault example.org MX servfail\n@fault example.org MX extended 22 no one\u{202e} there",
        ),
        validated("validated-stripped", DnssecTrust::Auto, stripped()),
        validated("validated-stripped-local", DnssecTrust::Local, stripped()),
        over_tls("over-tls-dane", "mx.example.org", signed("")),
        over_tls("over-tls-stranger", "dns.example", signed("")),
    ]
}

fn config(dnssec: DnssecTrust, zones: &Zones) -> Config {
    let anchors = TrustAnchors::parse(zones.anchor().as_bytes()).expect("an anchor");
    let config = dns();
    Config {
        lookup: Lookup { dnssec, trust_anchors: Arc::new(anchors), ..config.lookup },
        ..config
    }
}

fn validated(name: &'static str, dnssec: DnssecTrust, zones: Zones) -> Scene {
    let at = SocketAddr::from(([192, 0, 2, 53], 53));
    scene(name, config(dnssec, &zones), |world| {
        let script = Script::smtp().tls(TlsSetup::only_13());
        world.name_server(at, Link::latency(2), zones.clone()).listen(
            playbook::tcp("192.0.2.1:25"),
            Link::latency(10),
            script,
        )
    })
}

fn over_tls(name: &'static str, server: &str, zones: Zones) -> Scene {
    let mut trust = TrustStore::default();
    trust.add_pem(certs::root_pem().as_bytes()).expect("a certificate");
    let tls = ResolverTls { name: server.to_owned(), trust };
    let config = config(DnssecTrust::Auto, &zones);
    let at = SocketAddr::from(([192, 0, 2, 53], 853));
    let resolvers: ResolvConf = config.lookup.resolvers.clone().with_tls_server(at.into(), tls);
    let config = Config { lookup: Lookup { resolvers, ..config.lookup }, ..config };
    scene(name, config, |world| {
        let script = Script::smtp().tls(TlsSetup::only_13());
        let server = NameServer::over_tls(zones.clone(), TlsSetup::only_13());
        world.listen(playbook::tcp("192.0.2.53:853"), Link::latency(2), server).listen(
            playbook::tcp("192.0.2.1:25"),
            Link::latency(10),
            script,
        )
    })
}
