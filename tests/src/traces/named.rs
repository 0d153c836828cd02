//! Scenes with name servers: DANE, and lookups that go well or do not.

use std::sync::Arc;
use std::time::Duration;

use tlsfinger_core::config::{Config, Level};
use tlsfinger_core::{IoError, IoErrorKind};

use super::{Scene, dns, scene, zoned, zoned_with};
use crate::certs::{self, Flaw, Identity, KeyType};
use crate::peer::TlsSetup;
use crate::setting;

/// What TLSA records lead to.
pub(super) fn dane() -> Vec<Scene> {
    let pin = certs::tlsa(KeyType::P256);
    let zone = |tlsa: &str| {
        format!(
            "@secure .
             example.org MX 10 mx.example.org
             mx.example.org A 192.0.2.1
             {tlsa}"
        )
    };
    let with = |tlsa: &str| zone(&format!("_25._tcp.mx.example.org TLSA {tlsa}"));
    let wrong = format!("3 1 1 {}", "00".repeat(32));
    let insecure = |zone: String| zone.replace("@secure .", "@secure .\n@insecure example.org");
    let half = format!(
        "@secure .
         @insecure example.org
         example.org MX 10 mx.signed.test
         mx.signed.test A 192.0.2.1
         _25._tcp.mx.signed.test TLSA {pin}"
    );
    let only = Config { level: Level::DaneOnly, ..dns() };
    vec![
        zoned("dane-verified", dns(), &with(&pin)),
        zoned("dane-mismatch", dns(), &with(&wrong)),
        zoned(
            "dane-two-records",
            dns(),
            &with(&format!("{wrong}\n_25._tcp.mx.example.org TLSA {pin}")),
        ),
        zoned("dane-unusable", dns(), &with(&pin.replacen("3 1 1", "1 1 1", 1))),
        zoned("dane-only-unusable", only.clone(), &with(&pin.replacen("3 1 1", "3 1 255", 1))),
        zoned("dane-only-without-records", only, &zone("")),
        zoned("dane-without-records", dns(), &zone("")),
        zoned("dane-insecure-zone", dns(), &insecure(with(&pin))),
        zoned("dane-half", dns(), &half),
        zoned("dane-tlsa-servfail", dns(), &zone("@fault _25._tcp.mx.example.org TLSA servfail")),
    ]
}

/// What each kind of TLSA record leads to.
pub(super) fn dane_records() -> Vec<Scene> {
    let identity = certs::server(KeyType::P256);
    let (leaf, root) = (&identity.chain[0], &identity.chain[1]);
    let zone = |records: &[String]| {
        let records = records.iter().map(|it| format!("_25._tcp.mx.example.org TLSA {it}\n"));
        let records: String = records.collect();
        format!(
            "@secure .\nexample.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n{records}"
        )
    };
    let records = |name, records: &[String]| {
        let tls = TlsSetup::only_13().identity(identity.clone());
        zoned_with(name, dns(), &zone(records), tls)
    };
    let flawed = |name, flaw, usage, selector| {
        let identity = certs::flawed(flaw);
        let meant = if usage == 3 { &identity.chain[0] } else { root };
        let record = certs::record(usage, selector, 1, meant);
        zoned_with(name, dns(), &zone(&[record]), TlsSetup::only_13().identity(identity))
    };
    let bare = Arc::new(Identity { chain: vec![leaf.clone()], key: identity.key.clone_key() });
    let short = |usage, selector, matching, of: &[u8]| {
        let mut record = certs::record(usage, selector, matching, of);
        record.truncate(record.len() - 2);
        record
    };
    let wrong = |matching| certs::record(3, 1, matching, root);
    vec![
        records("dane-ee-key-sha512", &[certs::record(3, 1, 2, leaf)]),
        records("dane-ee-key", &[certs::record(3, 1, 0, leaf)]),
        records("dane-ee-certificate-sha256", &[certs::record(3, 0, 1, leaf)]),
        records("dane-ee-certificate", &[certs::record(3, 0, 0, leaf)]),
        records("dane-ta-key-sha256", &[certs::record(2, 1, 1, root)]),
        records("dane-ta-certificate-sha256", &[certs::record(2, 0, 1, root)]),
        zoned_with(
            "dane-ta-key-not-sent",
            dns(),
            &zone(&[certs::record(2, 1, 0, root)]),
            TlsSetup::only_13().identity(bare.clone()),
        ),
        zoned_with(
            "dane-ta-certificate-not-sent",
            dns(),
            &zone(&[certs::record(2, 0, 0, root)]),
            TlsSetup::only_13().identity(bare),
        ),
        records("dane-ta-of-the-leaf", &[certs::record(2, 0, 1, leaf)]),
        records("dane-ee-of-the-issuer", &[certs::record(3, 0, 1, root)]),
        records("dane-weaker-digest", &[certs::record(3, 1, 1, leaf), wrong(2)]),
        records("dane-full-beside-digest", &[wrong(2), certs::record(3, 1, 0, leaf)]),
        records("dane-short-digest", &[short(3, 1, 1, leaf)]),
        records("dane-certificate-and-more", &[certs::record(3, 0, 0, leaf) + "00"]),
        records("dane-ta-beside-wrong-ee", &[wrong(1), certs::record(2, 0, 1, root)]),
        zoned_with(
            "dane-only-short-digest",
            Config { level: Level::DaneOnly, ..dns() },
            &zone(&[short(3, 1, 1, leaf)]),
            TlsSetup::only_13().identity(identity.clone()),
        ),
        records("dane-cut-key", &[short(3, 1, 0, leaf)]),
        records("dane-cut-certificate", &[short(3, 0, 0, leaf)]),
        records("dane-selector-2", &[certs::record(3, 1, 1, leaf).replacen("3 1", "3 2", 1)]),
        records(
            "dane-several-unusable",
            &[
                certs::record(0, 1, 1, leaf),
                certs::record(1, 1, 1, leaf),
                certs::record(3, 1, 1, leaf).replacen("3 1 1", "3 1 9", 1),
                short(3, 1, 1, leaf),
                short(3, 0, 1, leaf),
                certs::record(3, 1, 1, leaf),
            ],
        ),
        records(
            "dane-order-of-records",
            &[
                certs::record(2, 0, 1, root),
                certs::record(3, 0, 1, leaf),
                certs::record(3, 1, 1, leaf),
                certs::record(3, 1, 2, leaf),
            ],
        ),
        flawed("dane-ee-expired", Flaw::Expired, 3, 1),
        flawed("dane-ee-of-another-name", Flaw::OtherName, 3, 1),
        flawed("dane-ta-expired", Flaw::Expired, 2, 0),
        flawed("dane-ta-of-another-name", Flaw::OtherName, 2, 0),
        flawed("dane-ta-signed-by-another", Flaw::Signature, 2, 1),
    ]
}

/// What goes wrong on the way to the hosts, and what does not.
pub(super) fn lookups() -> Vec<Scene> {
    let may = Config { level: Level::May, ..dns() };
    let zone = |rest: &str| format!("@secure .\n{rest}");
    let host = "example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n";
    let unknown = IoError { kind: IoErrorKind::Other, code: -2, message: "unknown".to_owned() };
    let native = scene("native-unknown", setting::config(), |world| {
        let answer = Err(unknown.clone());
        world.lookup(setting::HOST, Duration::from_millis(5), answer)
    });
    vec![
        native,
        zoned("mx-nxdomain", may.clone(), &zone("")),
        zoned("mx-servfail", may.clone(), &zone("@fault example.org MX servfail")),
        zoned("mx-silent", may.clone(), &zone("@fault example.org MX silent")),
        zoned("mx-null", may.clone(), &zone("example.org MX 0 .")),
        zoned("mx-missing", may.clone(), &zone("example.org A 192.0.2.1")),
        zoned(
            "mx-truncated",
            may.clone(),
            &zone(&format!("{host}@fault example.org MX truncated")),
        ),
        zoned("mx-spoofed", may.clone(), &zone(&format!("{host}@fault example.org MX spoof"))),
        zoned(
            "mx-alias",
            may.clone(),
            &zone(
                "example.org CNAME d.test
                 d.test MX 10 mx.example.org
                 mx.example.org A 192.0.2.1",
            ),
        ),
        zoned(
            "mx-second",
            may.clone(),
            &zone(
                "example.org MX 5 down.example.org
                 example.org MX 10 mx.example.org
                 down.example.org A 192.0.2.9
                 mx.example.org A 192.0.2.1",
            ),
        ),
        zoned(
            "address-missing",
            may.clone(),
            &zone(
                "example.org MX 10 mx.example.org
                 mx.example.org TYPE16 0161",
            ),
        ),
        zoned("address-servfail", may, &zone(&format!("{host}@fault mx.example.org A servfail"))),
    ]
}

/// What name servers answer, and where that leads.
pub(super) fn answers() -> Vec<Scene> {
    let may = Config { level: Level::May, ..dns() };
    let zone = |rest: &str| format!("@secure .\n{rest}");
    let host = "example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\n";
    let plain = |name, rest: &str| zoned(name, may.clone(), &zone(rest));
    let faulty = |name, fault: &str| plain(name, &format!("{host}@fault {fault}"));
    let secure = |name, rest: &str| zoned(name, dns(), &zone(rest));
    let pin = certs::tlsa(KeyType::P256);
    vec![
        faulty("mx-refused", "example.org MX refused"),
        faulty("mx-not-implemented", "example.org MX notimp"),
        faulty("mx-without-edns", "example.org MX noedns"),
        faulty("mx-cut", "example.org MX cut"),
        faulty("mx-junk", "example.org MX junk"),
        faulty("mx-late", "example.org MX late 6000"),
        faulty("mx-lossy", "example.org MX lossy"),
        faulty("mx-no-tcp", "example.org MX notcp"),
        faulty("address-silent", "mx.example.org A silent"),
        faulty("address-servfail-for-aaaa", "mx.example.org AAAA servfail"),
        plain("mx-alias-loop", "example.org CNAME b.test\nb.test CNAME example.org"),
        plain(
            "mx-aliases-one-by-one",
            "example.org CNAME b.test\nb.test CNAME c.test\nc.test MX 10 mx.example.org
             mx.example.org A 192.0.2.1
             @fault example.org * shallow\n@fault b.test * shallow",
        ),
        plain(
            "mx-aliases-in-a-ring",
            "example.org CNAME b.test\nb.test CNAME example.org
             @fault example.org * shallow\n@fault b.test * shallow",
        ),
        plain("mx-aliases-without-end", &{
            let names: Vec<_> = (0..=12).map(|number| format!("n{number}.test")).collect();
            let alias = |pair: &[String]| {
                format!("{0} CNAME {1}\n@fault {0} * shallow\n", pair[0], pair[1])
            };
            let aliases: String = names.windows(2).map(alias).collect();
            format!("example.org CNAME n0.test\n@fault example.org * shallow\n{aliases}")
        }),
        plain("mx-alias-of-no-host", "example.org CNAME *.b.test"),
        plain("mx-alias-to-nothing", "example.org CNAME b.test"),
        plain("mx-alias-without-mx", "example.org CNAME b.test\nb.test A 192.0.2.1"),
        plain(
            "mx-three-one-of-no-use",
            "example.org MX 20 c.example.org\nexample.org MX 5 nowhere.test
             example.org MX 10 mx.example.org\nmx.example.org A 192.0.2.1\nc.example.org A 192.0.2.2",
        ),
        plain("address-alias", "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1"),
        secure(
            "dane-behind-alias",
            &format!(
                "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.mx.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-before-alias",
            &format!(
                "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.a.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-record-behind-alias",
            &format!("{host}_25._tcp.mx.example.org CNAME pin.test\npin.test TLSA {pin}"),
        ),
        secure(
            "dane-alias-insecure",
            &format!(
                "@insecure a.test
                 example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.mx.test TLSA {pin}"
            ),
        ),
        secure(
            "dane-insecure-alias-secure-record",
            &format!(
                "@insecure a.test\n@secure _tcp.a.test
                 example.org MX 10 a.test\na.test CNAME mx.test\nmx.test A 192.0.2.1
                 _25._tcp.a.test TLSA {pin}"
            ),
        ),
        secure("dane-record-without-data", &format!("{host}_25._tcp.mx.example.org TYPE52 030101")),
        plain(
            "address-alias-to-nothing",
            "example.org MX 10 a.test\na.test CNAME mx.test\nmx.test TYPE16 0161",
        ),
        secure(
            "dane-records-insecure",
            &format!(
                "@insecure pin.test
                 {host}_25._tcp.mx.example.org CNAME pin.test\npin.test TLSA {pin}"
            ),
        ),
    ]
}
