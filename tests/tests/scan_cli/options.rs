//! Options of a probe mean in a scan what they mean for one destination, on all kinds of ports.

use std::io::{self, Write};

use serde_json::Value;
use tlsfinger_tests::farm::{Host, Kind, has_ipv6};
use tlsfinger_tests::loopback::Loopback;
use tlsfinger_tests::peer::Script;
use tlsfinger_tests::program;

use crate::{Done, Site, essence};

impl Site {
    /// Probes one destination with all its servers.
    fn probe(&self, options: &[&str], words: &[&str]) -> Value {
        let resolver = self.farm.resolver().to_string();
        let fixed = ["--json", "--all", "--resolver", &resolver];
        let output =
            program::run(self.scratch.path(), &[&fixed[..], options, &["--"], words].concat());
        essence(&serde_json::from_slice(&output.stdout).unwrap())
    }

    /// Scans destinations with their match arguments, and holds what is found against that of
    /// separate probes.
    fn agrees(&self, options: &[&str], destinations: &[&[&str]]) -> Done {
        let list: String = destinations.iter().map(|words| words.join("\t") + "\n").collect();
        let done = self.scan(&[options, &[&self.file("agrees", list)]].concat());
        let found: Vec<_> = done.records().iter().map(essence).collect();
        let expected: Vec<_> =
            destinations.iter().map(|words| self.probe(options, words)).collect();
        assert_eq!(found, expected, "{options:?} {}", done.errors);
        done
    }
}

fn statuses(done: &Done) -> Vec<u64> {
    done.records().iter().map(|it| it["exit_status"].as_u64().unwrap()).collect()
}

#[test]
fn options_are_those_of_a_probe() {
    let site = Site::with_servers(3);
    let root = site.file("root.pem", site.farm.root_pem());
    let (one, other) = (site.domain("good", 1), site.domain("unpinned", 1));
    let both: &[&[&str]] = &[&[&one], &[&other]];
    let named: &[&[&str]] = &[&[&one], &[&other, "mx1.unpinned.farm.test", "x.test"]];
    type Row<'a> = (&'a [&'a str], &'a [&'a [&'a str]], [u64; 2]);
    let table: &[Row<'_>] = &[
        (&["-lnone"], both, [0, 0]),
        (&["-lmay"], both, [0, 0]),
        (&["-lencrypt", "-sx.test"], both, [0, 0]),
        (&["-ldane"], both, [0, 2]),
        (&["-ldane", "-f", "-Mmay"], both, [0, 2]),
        (&["-ldane-only", "-F", &root], both, [0, 2]),
        (&["-lverify", "-F", &root], named, [0, 0]),
        (&["-lsecure", "-F", &root], named, [2, 0]),
        (&["-lsecure", "-A", &root], named, [2, 0]),
        (&["-lsecure"], named, [2, 2]),
        (&["-ldane", "--hygiene"], both, [0, 2]),
        (&["-x"], both, [0, 2]),
        (&["-R"], both, [6, 6]),
    ];
    for (options, destinations, expected) in table {
        assert_eq!(statuses(&site.agrees(options, destinations)), *expected, "{options:?}");
    }
    let done = site.agrees(&["-pTLSv1.2", "-ghigh", "-dsha1"], both);
    assert!(done.records().iter().all(|it| it["sessions"][0]["tls"]["version"] == "TLSv1.2"));
    // The digest of a certificate, in the middle of others.
    let key = &done.records()[0]["sessions"][0]["chain"]["certificates"][0]["fields"];
    let digest = key["fingerprint"].as_str().unwrap();
    let nothing = "00:".repeat(19) + "00";
    let pinned: &[&[&str]] = &[&[&one, &nothing, digest], &[&other, digest]];
    let done = site.agrees(&["-lfingerprint", "-dsha1"], pinned);
    assert_eq!(statuses(&done), [0, 2]);
}

#[test]
fn wrapper_mode_and_lmtp() {
    let site = Site::with_servers(3);
    let (wrapped, plain) = (site.domain("wrapped", 1), site.domain("good", 1));
    let done = site.agrees(&["-w", "-t1", "-T1"], &[&[&wrapped], &[&plain]]);
    assert_eq!(statuses(&done), [0, 4]);
    assert_eq!(statuses(&site.agrees(&["-t1", "-T1"], &[&[&wrapped], &[&plain]])), [5, 0]);

    let socket = site.path("lmtp");
    let host = Loopback::unix(site.scratch.file("lmtp").as_path(), Script::lmtp()).unwrap();
    let unix = format!("unix:{socket}");
    // A host that is named needs no MX record.
    let mx = format!("inet:mx1.good.farm.test:{}", site.farm.port());
    let done = site.agrees(&["-S", "-lencrypt"], &[&[&unix], &[&mx], &[&plain]]);
    assert_eq!(statuses(&done), [0, 0, 6]);
    for record in &done.records()[..2] {
        let said = record["sessions"][0]["dialogue"].to_string();
        assert!(said.contains("\"LHLO ") && !said.contains("\"EHLO "), "{said}");
    }
    drop(host);
}

#[test]
fn both_families() {
    if !has_ipv6() {
        // Past the harness, which would keep it for itself.
        writeln!(io::stderr(), "skipped, as the system has no ::1").unwrap();
        return;
    }
    let site = Site::with_servers(1);
    let port = site.farm.port();
    let domain = site.domain("dual", 1);
    let literal = format!("[ipv6:::1]:{port}");
    // The last two are the same.
    let list = site.file("list", format!("{domain}\n{literal}\n[::1]:{port}\n"));
    let addresses = |done: &Done| -> Vec<Vec<String>> {
        let of = |session: &Value| session["peer"]["address"].as_str().unwrap().to_owned();
        let all = |record: &Value| record["sessions"].as_array().unwrap().iter().map(of).collect();
        let mut all: Vec<Vec<_>> = done.records().iter().map(all).collect();
        all.iter_mut().for_each(|addresses| addresses.sort());
        all
    };
    let v4 = Host { kind: Kind::Dual, number: 0 }.address().to_string();
    let done = site.scan(&[&list]);
    assert_eq!(done.status, Some(0), "{}", done.errors);
    assert_eq!(addresses(&done), [vec![v4.as_str(), "::1"], vec!["::1"]]);
    assert!(done.records()[0]["sessions"].to_string().matches("\"Verified\"").count() == 2);
    for (family, first) in [("-aipv6", "::1"), ("-aipv4", &v4)] {
        let done = site.scan(&[family, "--first", &list]);
        assert_eq!(addresses(&done)[0], [first], "{family}");
    }
    // Prefixes of both families are left alone.
    let blocked = site.file("blocked", "::/64\n");
    site.farm.reset_counts();
    let done = site.scan(&["--blocklist", &blocked, &list]);
    assert_eq!(addresses(&done), [vec![v4], vec![]]);
    assert_eq!(site.farm.counts().connections, 1);
}
