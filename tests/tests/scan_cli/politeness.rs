//! Whom a scan contacts, and how often.

use serde_json::Value;
use tlsfinger_tests::farm::{Farm, Host, Kind, Size};
use tlsfinger_tests::loopback::Scratch;

use crate::Site;

#[test]
fn a_server_is_visited_once() {
    let site = Site::with_servers(4);
    let list = site.list("good", 100);
    let done = site.scan(&[&list]);
    assert_eq!((done.status, done.lines().len()), (Some(0), 100));
    assert_eq!(site.farm.counts().handshakes, 4);
    let shared = |records: &[Value]| {
        records.iter().filter(|record| record["sessions"][0]["shared"] == true).count()
    };
    assert_eq!(shared(&done.records()), 96);
    site.farm.reset_counts();
    let done = site.scan(&["--no-share", "--per-host=0", &list]);
    assert_eq!((site.farm.counts().handshakes, shared(&done.records())), (100, 0));
}

#[test]
fn few_connections_at_once_to_one_server() {
    let site = Site::with_servers(1);
    // Whoever says nothing is left after a second, and alone for much longer than a server takes to
    // see that.
    let list = site.list("mute", 4);
    let done = site.scan(&["-t1", "--no-share", "--pause=3000", "--per-host=2", &list]);
    let counts = site.farm.counts();
    assert_eq!((done.lines().len(), counts.connections, counts.most_open), (4, 4, 2));
}

#[test]
fn who_is_on_the_blocklist_is_never_contacted() {
    let site = Site::with_servers(4);
    let blocked = "# leave alone\nd2.good.farm.test\nunpinned.farm.test # below\n127.16.0.3/32\n";
    let blocked = site.file("blocked", blocked);
    let list = site.file("list", site.read_list(&["good", "unpinned"]));
    let done = site.scan(&["--blocklist", &blocked, &list]);
    assert_eq!(done.status, Some(0), "{}", done.errors);
    let outcomes: Vec<_> = done.records().iter().map(|it| it["outcome"].clone()).collect();
    let (session, blocked) = ("session", "blocked");
    assert_eq!(
        outcomes,
        [session, session, blocked, blocked, blocked, blocked, blocked, blocked],
        "{}",
        done.out
    );
    assert_eq!(done.records()[3]["untested"][0]["why"], "blocked");
    let contacted: Vec<_> = site.farm.counts().of_host.into_keys().collect();
    let good = |number| Host { kind: Kind::Good, number };
    assert_eq!(contacted, [good(0), good(1)]);
}

impl Site {
    /// Starts as many servers of each kind as each domain has mail hosts.
    fn with_hosts(hosts: u32) -> Self {
        let farm = Farm::start(Size { servers: hosts, hosts, ..Size::default() }).unwrap();
        Self { farm, scratch: Scratch::new().unwrap() }
    }

    /// Makes a list with four domains of each kind.
    fn read_list(&self, kinds: &[&str]) -> String {
        let of_kind = |kind: &&str| (0..4).map(|n| self.domain(kind, n) + "\n").collect::<String>();
        kinds.iter().map(of_kind).collect()
    }
}

#[test]
fn who_refuses_for_now_is_visited_again() {
    let site = Site::with_servers(2);
    let kinds = ["once", "busy", "good"];
    let list = site.file("list", kinds.map(|kind| site.domain(kind, 1)).join("\n"));
    let done = site.scan(&["--retry-pause=1", "--pause=0", &list]);
    assert_eq!((done.status, done.lines()), (Some(0), vec![1, 2, 3]), "{}", done.errors);
    let records = done.records();
    let statuses: Vec<_> = records.iter().map(|it| it["exit_status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [0, 5, 0]);
    // What it said is data.
    let said = &records[1]["sessions"][0]["problems"][0];
    assert_eq!(
        (&said["step"], &said["problem"]["reply"]["code"]),
        (&"greeting".into(), &421.into())
    );
    let counts = site.farm.counts();
    let visits: Vec<_> = [Kind::Once, Kind::Busy, Kind::Good]
        .map(|kind| counts.of_host[&Host { kind, number: 1 }].connections)
        .into();
    assert_eq!(visits, [2, 3, 1]);
    // A second, and two.
    for (record, least) in records.iter().zip([1000.0, 3000.0]) {
        assert!(record["milliseconds"].as_f64().unwrap() >= least, "{record}");
    }
}

#[test]
fn connections_are_spread_over_time() {
    let site = Site::with_hosts(6);
    let done = site.scan(&["--rate=4", &site.list("bare", 1)]);
    // Each session tells when it began, counted from its destination.
    let sessions = done.records()[0]["sessions"].clone();
    let begins = |session: &Value| session["timings"]["began"].as_f64().unwrap();
    let mut begun: Vec<_> = sessions.as_array().unwrap().iter().map(begins).collect();
    begun.sort_by(f64::total_cmp);
    assert_eq!(begun.len(), 6, "{}", done.errors);
    for pair in begun.windows(2) {
        // A hundredth of a second may be made up for.
        assert!(pair[1] - pair[0] >= 239.0, "{begun:?}");
    }
}

#[test]
fn a_destination_has_its_time_and_no_more() {
    let site = Site::with_servers(2);
    let kinds = ["mute", "silent", "good"];
    let list = site.file("list", kinds.map(|kind| site.domain(kind, 1)).join("\n"));
    // Without it the first two would have half a minute.
    let done = site.scan(&["--timeout-total=2", &list]);
    let records = done.records();
    let outcomes: Vec<_> = records.iter().map(|it| it["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["session"; 3], "{}", done.out);
    for record in &records[..2] {
        // Nothing can be said of its TLS.
        assert_eq!((&record["exit_status"], &record["result_type"]), (&5.into(), &Value::Null));
        assert_eq!(record["untested"][0]["why"], "timed-out", "{record}");
        assert!(record["milliseconds"].as_f64().unwrap() >= 2000.0);
    }
    assert_eq!(records[2]["exit_status"], 0);
}

#[test]
fn the_first_server_or_all_of_them() {
    let site = Site::with_hosts(2);
    let list = site.file("list", [site.domain("good", 0), site.domain("gone", 0)].join("\n"));
    let hosts = |options: &[&str]| -> Vec<Vec<String>> {
        let host = |it: &Value| it["peer"]["host"].as_str().unwrap().to_owned();
        let of = |record: &Value| record["sessions"].as_array().unwrap().iter().map(host).collect();
        site.scan(&[options, &[&list]].concat()).records().iter().map(of).collect()
    };
    let host = |kind: &str, number: u32| format!("mx{number}.{kind}.farm.test");
    let all = |kind| vec![host(kind, 0), host(kind, 1)];
    assert_eq!(hosts(&[]), [all("good"), all("gone")]);
    assert_eq!(hosts(&["--first"]), [vec![host("good", 0)], vec![host("gone", 0)]]);
}
