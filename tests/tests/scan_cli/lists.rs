//! What lists may look like, and what is told of lines that are no destinations.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::{Done, Site};

#[test]
fn junk_is_told_by_its_line_and_harms_no_other() {
    let site = Site::with_servers(5);
    let port = site.farm.port();
    let mut list = format!(
        "\u{feff}d1.good.farm.test:{port}\r\n\
         # a comment\r\n\
         \r\n\
         \t D1.GOOD.farm.test:{port}  # again\r\n\
         b\u{fc}cher.good.farm.test:{port}\n\
         xn--bcher-kva.good.farm.test:{port}\n"
    )
    .into_bytes();
    list.extend(b"\x7fELF\x02\x01\x01\0\0\0\n\xff\xfe\0d\0\n");
    list.extend(vec![b'x'; 1 << 20]);
    list.extend(format!("\nd2.good.farm.test:{port}\na..b\n{{\"domain\":\n").into_bytes());
    list.extend(format!("{{\"domain\":\"d2.good.farm.test:{port}\",\"id\":[1]}}").into_bytes());
    let done = site.scan(&[&site.file("list", list)]);
    assert_eq!(done.status, Some(2), "{}", done.errors);
    assert_eq!(done.lines(), [1, 5, 10, 13]);
    let records = done.records();
    assert_eq!(records[1]["input"]["text"], format!("b\u{fc}cher.good.farm.test:{port}"));
    assert_eq!(records[3]["input"]["id"], json!([1]));
    assert!(records.iter().all(|record| record["exit_status"] == 0));
    for (line, error) in [
        (7, "not text at octet 1"),
        (8, "not text at octet 1"),
        (9, "1048576 octets are too long for a line"),
        (11, "valid hostname or network address required"),
        (12, "not JSON"),
    ] {
        assert!(done.errors.contains(&format!("list:{line}: {error}")), "{}", done.errors);
    }
    assert_eq!(done.errors.matches("list:").count(), 5);
    let counted = |what: &str| {
        let line = done.errors.lines().find(|line| line.contains(what)).unwrap();
        line.rsplit(' ').next().unwrap().parse::<u32>().unwrap()
    };
    assert_eq!((counted(" bad "), counted(" duplicate "), counted(" blank ")), (5, 2, 2));
}

#[test]
fn standard_input_is_a_list() {
    let site = Site::with_servers(5);
    for words in [&["-"][..], &[]] {
        let mut child = site.command(words).stdin(Stdio::piped()).spawn().unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{}\n\n..", site.domain("good", 1)).unwrap();
        drop(stdin);
        let done: Done = child.wait_with_output().unwrap().into();
        assert_eq!((done.status, done.lines()), (Some(2), vec![1]));
        assert!(done.errors.contains("standard input:3: "), "{}", done.errors);
    }
}

#[test]
fn match_arguments_belong_to_their_line() {
    let site = Site::with_servers(5);
    let root = site.file("root.pem", site.farm.root_pem());
    let (one, two) = (site.domain("unpinned", 1), site.domain("unpinned", 2));
    let list = format!(
        "{one}\tmx1.unpinned.farm.test\n{two}\tmx1.unpinned.farm.test\n\
         {{\"domain\":\"{two}\",\"match\":[\"x.test\",\".unpinned.farm.test\"]}}\n"
    );
    let done = site.scan(&["-lsecure", "-F", &root, &site.file("list", list)]);
    let satisfied: Vec<_> = done
        .records()
        .iter()
        .map(|record| record["sessions"][0]["verdict"]["satisfied"].as_bool().unwrap())
        .collect();
    assert_eq!(satisfied, [true, false, true], "{}", done.errors);
}

#[test]
fn match_arguments_are_digests_at_level_fingerprint() {
    let site = Site::with_servers(5);
    let (one, two) = (site.domain("good", 1), site.domain("good", 2));
    let known = site.scan(&["-lmay", &site.file("first", format!("{one}\n"))]).records();
    let digest = &known[0]["sessions"][0]["chain"]["certificates"][0]["fields"]["key_fingerprint"];
    let digest = digest.as_str().unwrap();
    let list = format!("{one}\t{digest}\n{two}\t{digest}\n{one}\tmx.test\n");
    let done = site.scan(&["-lfingerprint", &site.file("list", list)]);
    let satisfied = |record: &Value| record["sessions"][0]["verdict"]["satisfied"] == true;
    assert_eq!(done.records().iter().map(satisfied).collect::<Vec<_>>(), [true, false]);
    assert!(done.errors.contains("list:3: malformed fingerprint value: mx.test\n"));
    assert_eq!(done.status, Some(2));
}

#[test]
fn lists_that_cannot_be_read() {
    let site = Site::with_servers(1);
    let folder = site.scratch.path().to_str().unwrap();
    for (words, error) in [
        (&["nosuch.list"][..], "fatal: nosuch.list: No such file or directory"),
        (&[folder], "is a directory"),
        (&["/dev/null/x"], "fatal: /dev/null/x: Not a directory"),
        (&["/proc/self/mem"], "fatal: /proc/self/mem: Input/output error"),
        (&["--blocklist", "nosuch"], "fatal: nosuch: No such file or directory"),
        (&["a", "b"], "scan: one FILE at most\nusage: tlsfinger scan [option ...] [file]\n"),
        (&["--rate=0"], "bad '--rate' option value: 0"),
        (&["--concurrency=0"], "bad '--concurrency' option value: 0"),
        (&["--timeout-total=0"], "bad '--timeout-total' option value: 0"),
        (&["--timeout-total=-1"], "bad '--timeout-total' option value: -1"),
        (&["--shard", "5/4"], "bad '--shard' option value: 5/4"),
        (&["--columns", "host,x", "--csv"], "bad '--columns' option value: x"),
        (&["--nagios"], "option '--nagios' is not for scan"),
        (&["--csv", "--columns=line", "--resume=x"], "need the columns line and destination"),
        (&["--enumerate"], "option '--enumerate' is not for scan"),
        (
            &["--blocklist", &site.file("block", "a.test\n192.0.2.1/24\n")],
            "block:2: address has bits",
        ),
        (&["--resume", &site.file("junk", "junk\n")], "junk: line 1 is not a record"),
        (&["--certificates", &site.file("junk", "{}\n")], "junk: line 1 is not a certificate"),
    ] {
        let done = site.scan(words);
        assert_eq!((done.status, &*done.out), (Some(1), ""), "{words:?}");
        assert!(done.errors.contains(error), "{words:?}: {}", done.errors);
    }
    assert_eq!(site.read("junk"), "{}\n");
}

#[test]
fn a_list_that_breaks_off() {
    let site = Site::with_servers(5);
    // Once nobody holds the other end of a terminal, reading is an error.
    let (list, mut writer) = crate::terminal::terminal();
    let mut child = site.command(&["-"]).stdin(list).spawn().unwrap();
    let (one, two) = (site.domain("good", 1), site.domain("good", 2));
    write!(writer, "{one}\na..b\n{two}\nd3.good.fa").unwrap();
    drop(writer);
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut text = String::new();
    std::io::Read::read_to_string(&mut out, &mut text).unwrap();
    let done: Done = child.wait_with_output().unwrap().into();
    assert_eq!(done.status, Some(1), "{}", done.errors);
    assert!(done.errors.contains("standard input:2: valid hostname"), "{}", done.errors);
    let error = "fatal: standard input:4: read error: Input/output error\n";
    assert!(done.errors.ends_with(error), "{}", done.errors);
    // What was read has its records, and half a line is none.
    let records = crate::records(&text);
    assert_eq!(crate::lines(&records), [1, 3]);
    assert!(records.iter().all(|record| record["exit_status"] == 0));
}

#[test]
fn a_list_that_goes_while_it_is_read() {
    let site = Site::with_servers(20);
    // Far longer than what is read ahead.
    let count = 6000;
    let lines: String = (0..count).map(|number| site.domain("bare", number) + "\n").collect();
    let started = |list: &str| {
        let words = ["--concurrency=4", "--unordered", list];
        let mut child = site.command(&words).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        out.read_line(&mut first).unwrap();
        (child, out, first)
    };
    let rest = |mut out: BufReader<_>, mut text: String| {
        std::io::Read::read_to_string(&mut out, &mut text).unwrap();
        let records = crate::records(&text);
        let found = crate::lines(&records);
        for (record, line) in records.iter().zip(&found) {
            let number = u32::try_from(*line).unwrap() - 1;
            assert_eq!(record["input"]["text"], site.domain("bare", number));
        }
        found
    };
    // Who has a file open keeps it.
    let list = site.file("list", &lines);
    let (child, out, first) = started(&list);
    fs::remove_file(&list).unwrap();
    assert_eq!(rest(out, first).len(), count as usize);
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(0));
    // It is told that a list has become shorter, and behind which line.
    let list = site.file("list", &lines);
    let (child, out, first) = started(&list);
    OpenOptions::new().write(true).open(&list).unwrap().set_len(0).unwrap();
    let found = rest(out, first);
    let done: Done = child.wait_with_output().unwrap().into();
    assert!(!found.is_empty() && found.len() < count as usize, "{}", found.len());
    assert_eq!(done.status, Some(1), "{}", done.errors);
    let last = found.iter().max().unwrap();
    let error = format!("fatal: {list}: ends behind line {last} of {count}\n");
    assert!(done.errors.ends_with(&error), "{error}{}", done.errors);
}
