//! Four processes on parts of one list do the same as one on the whole.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::Stdio;

use serde_json::Value;

use crate::{Done, Site};

#[test]
fn parts_make_up_the_whole() {
    let site = Site::with_servers(20);
    let list: String = (0..200)
        .map(|number| match number % 3 {
            0 => site.domain("good", number) + "\n",
            1 => {
                format!("{{\"domain\":\"{}\",\"id\":{number}}}\n", site.domain("unpinned", number))
            }
            _ => site.domain("lost", number) + "\r\n",
        })
        .collect();
    let essence = |done: &Done| -> BTreeMap<String, Value> {
        let essence = |record: &Value| {
            let verdict = record["sessions"][0]["verdict"].clone();
            (record["input"].to_string(), Value::from(vec![verdict, record["exit_status"].clone()]))
        };
        done.records().iter().map(essence).collect()
    };
    let whole = site.scan(&[&site.file("list", &list)]);
    assert_eq!(whole.lines().len(), 200, "{}", whole.errors);
    // Workers read from their standard input.
    let workers: Vec<_> = (1..=4)
        .map(|number| {
            let shard = format!("--shard={number}/4");
            let mut child = site.command(&[&shard]).stdin(Stdio::piped()).spawn().unwrap();
            let mut stdin = child.stdin.take().unwrap();
            stdin.write_all(list.as_bytes()).unwrap();
            child
        })
        .collect();
    let mut union = BTreeMap::new();
    for worker in workers {
        let done: Done = worker.wait_with_output().unwrap().into();
        assert_eq!(done.status, Some(0), "{}", done.errors);
        assert!((30..=70).contains(&done.lines().len()), "{}", done.lines().len());
        assert!(done.lines().is_sorted());
        for (input, found) in essence(&done) {
            assert!(union.insert(input, found).is_none());
        }
    }
    assert_eq!(union, essence(&whole));
}
