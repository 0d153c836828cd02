//! Servers that are asked by a scout what they would do.

use bytes::Bytes;
use tlsfinger_core::config::{Config, Level};

use super::{Scene, configured};
use crate::certs;
use crate::peer::{Legacy, Refusal, Script, TlsSetup};
use crate::setting;
use crate::world::{How, Link};

fn config(level: Level) -> Config {
    let mut config = Config { level, scout: Some(setting::wider(level)), ..setting::config() };
    config.policy.trust.add_pem(certs::root_pem().as_bytes()).expect("it is a certificate");
    config
}

pub(super) fn scenes() -> Vec<Scene> {
    let link = || Link::latency(10);
    let at = |name, level, script: Script| configured(name, config(level), link(), script);
    let old = |legacy| Script::smtp().legacy(legacy);
    let may = |name, legacy| at(name, Level::May, old(legacy));
    let new = Legacy::new;
    let small = || vec![Bytes::copy_from_slice(&certs::small().chain[0])];
    let rather = TlsSetup::only_12().rather(new(0x303, &[0x34]));
    let dhe = || new(0x303, &[0x9f]);
    let mut few_groups = config(Level::May);
    few_groups.policy.groups.0.truncate(2);
    vec![
        at("scout-static-rsa", Level::Secure, old(new(0x301, &[0x35]))),
        may("scout-dhe", dhe()),
        may("scout-wrong-signature", Legacy { spoils_signatures: true, ..dhe() }),
        may("scout-anonymous", new(0x302, &[0xc018])),
        at("scout-rather-anonymous", Level::Encrypt, Script::smtp().tls(rather)),
        at("scout-not-anonymous", Level::May, Script::smtp().tls(TlsSetup::only_12())),
        may(
            "scout-unused-key",
            Legacy { scheme: Some(0x0808), chain: small(), ..new(0x303, &[0xc02c]) },
        ),
        may("scout-nothing-selected", new(0x300, &[0x04])),
        may("scout-export", new(0x301, &[0x03])),
        may("scout-nothing", new(0x303, &[0x8c])),
        may("scout-hung-up-on", Legacy { refusal: Refusal::End, ..new(0x301, &[0x2f]) }),
        configured(
            "scout-tls13",
            few_groups,
            link(),
            old(Legacy { groups: vec![24], ..new(0x304, &[0x1302]) }),
        ),
        configured(
            "scout-cut",
            config(Level::May),
            link().cut_in(400, How::Reset),
            old(Legacy { chain: small(), ..dhe() }),
        ),
        configured(
            "scout-wrapper",
            Config { wrapper: true, ..config(Level::May) },
            link(),
            old(Legacy { wrapper: true, chain: small(), ..new(0x302, &[0x2f]) }),
        ),
    ]
}
