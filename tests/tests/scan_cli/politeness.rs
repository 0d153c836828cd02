//! Whom a scan contacts, and how often.

use tlsfinger_tests::farm::{Host, Kind};

use crate::Site;

#[test]
fn a_server_is_visited_once() {
    let site = Site::with_servers(4);
    let list = site.list("good", 100);
    let done = site.scan(&[&list]);
    assert_eq!((done.status, done.lines().len()), (Some(0), 100));
    assert_eq!(site.farm.counts().handshakes, 4);
    let shared = |records: &[serde_json::Value]| {
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
    /// Makes a list with four domains of each kind.
    fn read_list(&self, kinds: &[&str]) -> String {
        let of_kind = |kind: &&str| (0..4).map(|n| self.domain(kind, n) + "\n").collect::<String>();
        kinds.iter().map(of_kind).collect()
    }
}
