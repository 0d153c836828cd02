//! `--nagios`.

use crate::outcomes::cause;

fn check(name: &str, options: &[&str]) -> (String, Option<i32>) {
    let output = cause(name).run(&[&["--nagios"], options].concat());
    (String::from_utf8(output.stdout).unwrap(), output.status.code())
}

#[test]
fn states() {
    let table: &[(&str, &[&str], &str, i32)] = &[
        ("verified by a CA", &[], "TLSFINGER OK: [127.0.0.1]:", 0),
        ("verified by a CA", &["--warn-days=100000"], "TLSFINGER WARNING: [127.0.0.1]:", 1),
        ("verified by a CA", &["--critical-days=100000"], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("15 days left", &[], "TLSFINGER OK: [127.0.0.1]:", 0),
        ("14 days left", &[], "TLSFINGER OK: [127.0.0.1]:", 0),
        ("13 days left", &[], "TLSFINGER WARNING: [127.0.0.1]:", 1),
        ("7 days left", &[], "TLSFINGER WARNING: [127.0.0.1]:", 1),
        ("6 days left", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("6 days left", &["--critical-days=5"], "TLSFINGER WARNING: [127.0.0.1]:", 1),
        ("6 days left", &["--warn-days=6", "--critical-days=5"], "TLSFINGER OK: [127.0.0.1]:", 0),
        ("13 days left", &["--critical-days=14"], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("expired, unverified", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("DANE, other key", &[], "TLSFINGER CRITICAL: d.test:", 2),
        ("no STARTTLS", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("handshake lost", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("TLS 1.0 only", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("nobody listens", &[], "TLSFINGER CRITICAL: [127.0.0.1]:", 2),
        ("SERVFAIL", &[], "TLSFINGER UNKNOWN: d.test:", 3),
        ("may", &["-lnosuch"], "TLSFINGER UNKNOWN: Invalid TLS level", 3),
        ("may", &["--warn-days=x"], "TLSFINGER UNKNOWN: bad '--warn-days' option value: x", 3),
    ];
    for (name, options, start, status) in table {
        // The level that a table's line asks for stands last and wins, so it goes before others.
        let (text, found) = match options {
            ["-lnosuch"] => check(name, &["-lnosuch", "--"]),
            _ => check(name, options),
        };
        assert_eq!(text.lines().count(), 1, "{text}");
        assert!(text.starts_with(start), "{name}: {text}");
        assert_eq!(found, Some(*status), "{name}: {text}");
    }
    assert_eq!(check("may", &["-Z"]).1, Some(3));
}

#[test]
fn performance_data() {
    let (text, _) = check("verified by a CA", &["--warn-days=30", "--critical-days=3"]);
    let (_, data) = text.trim_end().split_once(" | ").unwrap();
    let (time, days) = data.split_once(' ').unwrap();
    assert!(time.starts_with("time=") && time.ends_with('s'), "{data}");
    let (days, thresholds) = days.split_once(';').unwrap();
    assert!(days.strip_prefix("days=").unwrap().parse::<i64>().unwrap() > 20_000);
    assert_eq!(thresholds, "30:;3:");
    assert!(!check("nobody listens", &[]).0.contains("days="));
}
