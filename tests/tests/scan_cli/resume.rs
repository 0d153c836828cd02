//! Going on after a crash or Ctrl-C: nothing is lost, and nothing is there twice.

use std::fs;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Done, Site, lines, records};

/// Destinations of the list. There are few servers, and observations are not shared, so that a scan
/// takes some time.
const COUNT: u32 = 300;

fn scan(site: &Site, more: &[&str]) -> Command {
    let (list, out) = (site.list("good", COUNT), site.path("out"));
    let slow = ["--no-share", "--per-host=0", "--concurrency=4", "--resume", &out];
    site.command(&[&slow, more, &[&list]].concat())
}

/// Waits until the output has so many octets, or the scan is over.
fn wait_for(site: &Site, child: &mut Child, octets: u64) {
    let out = site.scratch.file("out");
    let until = Instant::now() + Duration::from_secs(60);
    while fs::metadata(&out).map_or(0, |out| out.len()) < octets
        && child.try_wait().unwrap().is_none()
    {
        assert!(Instant::now() < until);
        thread::sleep(Duration::from_millis(1));
    }
}

fn signal(child: &Child, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    // It may be over.
    let _ = kill_process(pid, signal);
}

/// The lines that have a record, whole ones only.
fn written(site: &Site) -> Vec<u64> {
    let text = site.read("out");
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    lines(&records(&text[..whole]))
}

#[test]
fn killed_at_random_points() {
    for order in [&[][..], &["--unordered"]] {
        let site = Site::with_servers(20);
        let mut random = 12345_u32;
        let mut kills = 0;
        loop {
            let before = fs::metadata(site.scratch.file("out")).map_or(0, |out| out.len());
            random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let mut child = scan(&site, order).spawn().unwrap();
            wait_for(&site, &mut child, before + u64::from(random >> 8) % 500_000);
            child.kill().unwrap();
            let ended = child.wait().unwrap();
            if ended.code().is_some() {
                assert_eq!(ended.code(), Some(0));
                break;
            }
            // As if it had been in the middle of a line.
            if kills % 2 == 0 {
                let mut torn = fs::read(site.scratch.file("out")).unwrap();
                torn.extend_from_slice(b"{\"schema\":1,\"input\":{\"li");
                fs::write(site.scratch.file("out"), torn).unwrap();
            }
            kills += 1;
            assert!(kills < 100);
        }
        assert!(kills > 2, "{kills}");
        let mut written = written(&site);
        if !order.is_empty() {
            written.sort_unstable();
        }
        assert_eq!(written, (1..=u64::from(COUNT)).collect::<Vec<_>>());
        // There is nothing left to do.
        site.farm.reset_counts();
        let before = site.read("out");
        let done: Done = scan(&site, order).output().unwrap().into();
        assert_eq!((done.status, site.farm.counts().connections), (Some(0), 0));
        assert_eq!(site.read("out"), before);
    }
}

#[test]
fn ctrl_c_finishes_what_runs() {
    let site = Site::with_servers(20);
    let mut child = scan(&site, &[]).spawn().unwrap();
    wait_for(&site, &mut child, 1);
    signal(&child, Signal::INT);
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.status, Some(3), "{}", done.errors);
    assert!(done.errors.contains("stopped before the end of the list"), "{}", done.errors);
    let first = written(&site);
    assert!(!first.is_empty() && first.len() < COUNT as usize);
    assert!(site.read("out").ends_with('\n'));
    // What was begun has its record: no server was visited for nothing.
    assert_eq!(site.farm.counts().handshakes, first.len() as u64);
    let done: Done = scan(&site, &[]).output().unwrap().into();
    assert_eq!(done.status, Some(0), "{}", done.errors);
    assert_eq!(site.farm.counts().handshakes, u64::from(COUNT));
    let mut all = written(&site);
    all.sort_unstable();
    assert_eq!(all, (1..=u64::from(COUNT)).collect::<Vec<_>>());
}

#[test]
fn a_second_ctrl_c_ends_at_once() {
    let site = Site::with_servers(20);
    let (list, out) = (site.list("mute", 20), site.path("out"));
    let mut child = site.command(&["--resume", &out, &list]).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(20);
    while site.farm.counts().open < 20 {
        assert!(Instant::now() < until && child.try_wait().unwrap().is_none());
        thread::sleep(Duration::from_millis(1));
    }
    let began = Instant::now();
    signal(&child, Signal::INT);
    // Two of the same signal that come at once would count as one.
    thread::sleep(Duration::from_millis(100));
    signal(&child, Signal::TERM);
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.status, Some(3), "{}", done.errors);
    // The servers would have had half a minute.
    assert!(began.elapsed() < Duration::from_secs(15));
    assert_eq!(site.read("out"), "");
}

#[test]
fn one_scan_at_a_time_writes_to_a_file() {
    let site = Site::with_servers(20);
    let mut first = scan(&site, &[]).spawn().unwrap();
    wait_for(&site, &mut first, 1);
    let second: Done = scan(&site, &[]).output().unwrap().into();
    assert_eq!(second.status, Some(1));
    assert!(second.errors.contains("out: another process writes to it"), "{}", second.errors);
    assert_eq!(first.wait().unwrap().code(), Some(0));
    assert_eq!(written(&site), (1..=u64::from(COUNT)).collect::<Vec<_>>());
}

#[test]
fn a_table_that_is_cut_anywhere() {
    let site = Site::with_servers(3);
    let domain = |number| site.domain("good", number);
    // Lines are told apart although they name one destination.
    let list = format!(
        "# head\n{}\n{}\tx.test\n{}\n{{\"domain\":\"{}\",\"id\":\"a,\\\"b\\\"\"}}\nb\u{fc}.good.farm.test:{}\n",
        domain(1),
        domain(1),
        domain(2),
        domain(1),
        site.farm.port()
    );
    let (list, out) = (site.file("list", list), site.path("out"));
    let columns = ["--csv", "--columns=id,line,destination,verdict", "--resume", &out];
    let scan = |more: &[&str]| site.scan(&[&columns, more, &[&list]].concat());
    let done = scan(&[]);
    assert_eq!((done.status, &*done.out), (Some(0), ""), "{}", done.errors);
    let whole = site.read("out");
    assert_eq!(whole.lines().count(), 6, "{whole}");
    assert!(whole.starts_with("id,line,destination,verdict\n,2,"), "{whole}");
    for cut in (0..=whole.len()).step_by(17) {
        site.file("out", &whole.as_bytes()[..cut]);
        let missing = 5 - whole[..cut].matches('\n').count().saturating_sub(1);
        let done = scan(&[]);
        assert_eq!((done.status, site.read("out")), (Some(0), whole.clone()), "{cut}");
        assert!(done.errors.contains(&format!(" {missing} records in ")), "{}", done.errors);
    }
    for (words, error) in [
        (&["--columns=line,verdict"][..], "together need the columns line and destination"),
        (&["--columns=line,destination"], "out: line 1 does not name these columns"),
    ] {
        let done = scan(words);
        assert_eq!((done.status, site.read("out")), (Some(1), whole.clone()));
        assert!(done.errors.contains(error), "{}", done.errors);
    }
    site.file("out", whole.clone() + "junk\n");
    assert!(scan(&[]).errors.contains("out: line 7 is not a record"));
}
