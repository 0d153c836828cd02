//! What is written, in which order, and what happens if it cannot be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::OpenOptions;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;
use tlsfinger_tests::farm::Kind;
use tlsfinger_tests::program;

use crate::{Done, Site, essence};

/// Short patience, so that servers that say nothing are no reason to wait.
const IMPATIENT: &[&str] = &["-t1", "-T1", "--timeout-total=3", "--retry-pause=0"];

/// Writes a list with a domain of each kind, and one that does not exist.
fn all_kinds(site: &Site) -> String {
    let mut list: String =
        Kind::ALL.iter().map(|kind| site.domain(kind.word(), 1) + "\n").collect();
    list += &site.domain("nosuch", 1);
    site.file("kinds.list", list)
}

#[test]
fn every_record_fits_the_schema_and_comes_in_order() {
    let site = Site::with_servers(5);
    let schema: Value = serde_json::from_str(include_str!("../../../cli/schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let list = all_kinds(&site);
    let certificates = site.path("certificates");
    for more in [&[][..], &["--certificates", &certificates], &["--first"], &["--runtime=smol"]] {
        let done = site.scan(&[IMPATIENT, more, &[&list]].concat());
        assert_eq!(done.status, Some(0), "{}", done.errors);
        assert!(done.out.is_ascii());
        assert_eq!(done.lines(), (1..=13).collect::<Vec<_>>());
        for record in done.records() {
            if let Some(error) = validator.iter_errors(&record).next() {
                panic!("{}: {error}\n{record}", error.instance_path());
            }
            let resolver = &record["resolver"]["servers"][0];
            assert_eq!(resolver["address"], site.farm.resolver().to_string());
            assert_eq!(resolver["trusted"], true);
            assert!(record["began"].as_str().unwrap() <= record["ended"].as_str().unwrap());
        }
        let statuses: Vec<_> = done.records().iter().map(|it| it["exit_status"].as_u64()).collect();
        // Whoever refuses for now is not told apart in time from who is silent.
        let expected = [0, 2, 2, 4, 5, 5, 5, 3, 4, 5, 5, 0, 6].map(Some);
        assert_eq!(statuses[..5], expected[..5], "{more:?}");
        assert_eq!(statuses[7..], expected[7..], "{more:?}");
    }
}

#[test]
fn verdicts_are_those_of_separate_probes_whatever_the_concurrency() {
    let site = Site::with_servers(2);
    let list: String = ["good", "unpinned", "mismatch", "bare", "lost"]
        .iter()
        .flat_map(|kind| (0..4).map(|number| site.domain(kind, number) + "\n"))
        .collect();
    let path = site.file("list", &list);
    let config = site.scratch.path();
    let resolver = site.farm.resolver().to_string();
    let probe = |domain: &str| {
        let output = program::run(config, &["--json", "--resolver", &resolver, domain]);
        essence(&serde_json::from_slice(&output.stdout).unwrap())
    };
    let separate: Vec<_> = list.lines().map(probe).collect();
    for more in
        [&["--concurrency", "1"][..], &["--concurrency", "50"], &["--no-share", "--per-host=0"]]
    {
        let done = site.scan(&[more, &[&path]].concat());
        let together: Vec<_> = done.records().iter().map(essence).collect();
        assert_eq!(together, separate, "{more:?}");
    }
}

#[test]
fn who_is_slow_holds_up_others_only_in_order() {
    let site = Site::with_servers(5);
    let list = format!("{}\n{}\n", site.domain("mute", 1), site.domain("good", 1));
    let list = site.file("list", list);
    assert_eq!(site.scan(&["-t2", &list]).lines(), [1, 2]);
    assert_eq!(site.scan(&["-t2", "--unordered", &list]).lines(), [2, 1]);
}

#[test]
fn tables() {
    let site = Site::with_servers(5);
    let done = site.scan(&[IMPATIENT, &["--csv", &all_kinds(&site)]].concat());
    let rows: Vec<Vec<&str>> = done.out.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 14);
    assert!(rows.iter().all(|row| row.len() == 16), "{}", done.out);
    assert_eq!(rows[0][..4], ["line", "destination", "outcome", "exit_status"]);
    let good = rows[1].join(",");
    let port = site.farm.port();
    assert!(good.starts_with(&format!(
        "1,d1.good.farm.test:{port},session,0,,mx1.good.farm.test,127.16.0.1,{port},TLSv1.3,"
    )));
    assert!(good.ends_with(",Verified,true,,dane-ee,2100-01-01T00:00:00Z"), "{good}");
    let columns = ["--csv", "--columns", "line,verdict,/sessions/0/peer/host"];
    let done = site.scan(&[&columns[..], &[&site.list("good", 2)]].concat());
    assert_eq!(
        done.out,
        "line,verdict,/sessions/0/peer/host\n\
         1,Verified,mx0.good.farm.test\n2,Verified,mx1.good.farm.test\n"
    );
}

#[test]
fn certificates_are_written_once() {
    let site = Site::with_servers(3);
    let (list, path) = (site.list("good", 9), site.path("certificates"));
    let scan = || site.scan(&["--certificates", &path, &list]);
    let done = scan();
    let written = site.read("certificates");
    let known: BTreeMap<String, Value> = crate::records(&written)
        .into_iter()
        .map(|line| (line["sha256"].as_str().unwrap().to_owned(), line))
        .collect();
    // Three leaves and the one that issued them.
    assert_eq!((written.lines().count(), known.len()), (4, 4));
    let mut used = BTreeSet::new();
    for record in done.records() {
        let chain = record["sessions"][0]["chain"]["certificates"].as_array().unwrap().clone();
        for certificate in chain {
            assert_eq!(certificate.as_object().unwrap().len(), 1);
            used.insert(certificate["sha256"].as_str().unwrap().to_owned());
        }
    }
    assert_eq!(used, known.keys().cloned().collect());
    assert!(known.values().all(|line| line["pem"].is_string() && line["fields"].is_object()));
    scan();
    assert_eq!(site.read("certificates"), written);
}

/// Reads Prometheus's text format, as strictly as it is defined.
fn metrics(text: &str) -> BTreeMap<String, f64> {
    let mut typed = BTreeSet::new();
    let mut found = BTreeMap::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let mut words = comment.split(' ');
            let (what, name) = (words.next().unwrap(), words.next().unwrap());
            assert!(matches!(what, "HELP" | "TYPE"), "{line}");
            if what == "TYPE" {
                assert!(typed.insert(name.to_owned()), "{line}");
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        let name = series.split('{').next().unwrap();
        assert!(typed.contains(name), "{line}");
        assert!(found.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line}");
    }
    found
}

#[test]
fn numbers_for_prometheus() {
    let site = Site::with_servers(3);
    let path = site.path("metrics");
    site.scan(&[IMPATIENT, &["--metrics", &path, &all_kinds(&site)]].concat());
    let metrics = metrics(&site.read("metrics"));
    let value = |name: &str| metrics.get(&format!("tlsfinger_scan_{name}")).copied();
    assert_eq!(value("complete"), Some(1.0));
    assert_eq!(value("in_hand"), Some(0.0));
    assert_eq!(value("lines_read"), Some(13.0));
    assert_eq!(value("destinations_total{conclusion=\"not satisfied\"}"), Some(2.0));
    assert_eq!(value("verdicts_total{status=\"Untrusted\"}"), Some(2.0));
    assert_eq!(value("dane_total{state=\"not matched\"}"), Some(1.0));
    assert_eq!(value("failures_total{stage=\"lookup\"}"), Some(1.0));
    assert_eq!(value("failures_total{stage=\"starttls\"}"), Some(1.0));
    let all = metrics.iter().filter(|(name, _)| name.contains("destinations_total"));
    assert_eq!(all.map(|(_, value)| *value as u32).sum::<u32>(), 13);
    // Nothing is left of the files that it was written to at first.
    let folder = std::fs::read_dir(site.scratch.path()).unwrap();
    assert_eq!(
        folder
            .filter(|it| it.as_ref().unwrap().file_name().to_str().unwrap().starts_with("metrics"))
            .count(),
        1
    );
}

#[test]
fn output_that_cannot_be_written() {
    let site = Site::with_servers(3);
    let list = site.list("good", 50);
    let full = || OpenOptions::new().write(true).open("/dev/full").unwrap();
    let done: Done = site.command(&[&list]).stdout(full()).output().unwrap().into();
    assert_eq!(done.status, Some(1));
    assert!(
        done.errors.ends_with("fatal: write error: No space left on device\n"),
        "{}",
        done.errors
    );

    let mut child = site.command(&[&list]).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    drop(out);
    assert_eq!(crate::records(&line).len(), 1);
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.status, Some(1));
    assert!(done.errors.ends_with("fatal: write error: Broken pipe\n"), "{}", done.errors);

    let done = site.scan(&["--metrics", "/nosuch/metrics", &list]);
    assert_eq!((done.status, done.lines().len()), (Some(0), 50));
    assert!(done.errors.contains("warning: /nosuch/metrics: "), "{}", done.errors);
}

#[test]
fn a_resolver_that_goes_leaves_no_line_without_a_record() {
    let mut site = Site::with_servers(100);
    let list = site.list("good", 100);
    let words = ["-t1", "--concurrency=2", "--no-share", "--pause=50", "--timeout-total=20", &list];
    let mut child = site.command(&words).stdout(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    out.read_line(&mut text).unwrap();
    site.farm.stop_names();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    let records = crate::records(&text);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    assert_eq!(crate::lines(&records), (1..=100).collect::<Vec<_>>());
    assert_eq!(records[0]["exit_status"], 0);
    for record in records {
        // An address may still be found, and its TLSA records not.
        let is_explained = record["error"]["kind"].is_string() || record["exit_status"] == 6;
        assert!(record["outcome"] == "session" || is_explained, "{record}");
    }
}

#[test]
fn answers_are_validated_here_if_nobody_else_is_believed() {
    let site = Site::with_servers(5);
    let anchor = site.file("anchor", site.farm.trust_anchor());
    let kinds = ["good", "unpinned", "nosuch"].map(|kind| site.domain(kind, 1));
    let list = site.file("list", kinds.join("\n"));
    let done = site.scan(&["--dnssec=local", "--trust-anchor", &anchor, &list]);
    let records = done.records();
    let secure: Vec<_> = records.iter().map(|record| &record["lookup"]["secure"]).collect();
    assert_eq!(secure[..2], [true, true], "{}", done.out);
    assert_eq!(records[0]["resolver"]["servers"][0]["trusted"], false);
    let statuses: Vec<_> = records.iter().map(|it| it["exit_status"].as_u64()).collect();
    assert_eq!(statuses, [0, 2, 6].map(Some), "{}", done.out);
    // Another key counts for nothing.
    let other = Site::with_servers(1).farm.trust_anchor();
    let anchor = site.file("anchor", other);
    let done = site.scan(&["--dnssec=local", "--trust-anchor", &anchor, &list]);
    assert!(done.records().iter().all(|record| record["exit_status"] == 6), "{}", done.out);
}

#[test]
fn servers_that_are_all_silent() {
    let site = Site::with_servers(100);
    let done = site.scan(&["-T1", &site.list("silent", 100)]);
    assert_eq!(done.status, Some(0), "{}", done.errors);
    assert_eq!(done.lines(), (1..=100).collect::<Vec<_>>());
    for record in done.records() {
        assert_eq!(record["sessions"][0]["handshake_error"]["kind"], "timed-out", "{record}");
    }
}

#[test]
fn a_disk_that_is_full() {
    let site = Site::with_servers(3);
    let (list, out) = (site.list("good", 50), site.path("out"));
    let words = ["--resume", &out, &list];
    // Files may have 50 or 100 kB, as the shell counts, and that is an error and no signal.
    let mut limited = Command::new("sh");
    let program = site.command(&words);
    limited.args(["-c", "trap '' XFSZ; ulimit -f 100; exec \"$@\"", "sh"]);
    limited.arg(program.get_program()).args(program.get_args());
    limited.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let done: Done = limited.output().unwrap().into();
    assert_eq!(done.status, Some(1), "{}", done.errors);
    assert!(
        done.errors.ends_with("fatal: OUT: File too large\n".replace("OUT", &out).as_str()),
        "{}",
        done.errors
    );
    // Lines are whole, and all of them count.
    let written = crate::lines(&crate::records(&site.read("out")));
    assert!(written.len() > 5 && written.len() < 50, "{}", written.len());
    site.farm.reset_counts();
    let done = site.scan(&words);
    assert_eq!(done.status, Some(0), "{}", done.errors);
    let mut all = crate::lines(&crate::records(&site.read("out")));
    all.sort_unstable();
    assert_eq!(all, (1..=50).collect::<Vec<_>>());
}
