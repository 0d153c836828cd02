//! `--hygiene`.

use serde_json::Value;

use crate::outcomes::cause;

fn lines(name: &str) -> Vec<String> {
    let output = cause(name).run(&["-c"]);
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn has(lines: &[String], text: &str) -> bool {
    lines.iter().any(|line| line.ends_with(text))
}

#[test]
fn findings_as_lines() {
    let good = lines("hygiene");
    assert!(has(&good, ": offered outside TLS: STARTTLS"), "{good:#?}");
    assert!(has(&good, ": weak: the address has no name (RFC 1912 section 2.1)"), "{good:#?}");
    // Those of a survey stand behind its table.
    let all = lines("hygiene of all");
    let table = all.iter().position(|line| line.starts_with("worst: ")).unwrap();
    let findings = all.iter().filter(|line| line.contains("]:")).skip(1);
    assert_eq!(all[table + 1..].iter().collect::<Vec<_>>(), findings.collect::<Vec<_>>());

    let bad = lines("hygiene of a bad server");
    let injected = ": bad: a command that comes with STARTTLS is answered inside TLS: \
                    502 5.5.2 what? (CVE-2011-0411)";
    assert!(has(&bad, injected), "{bad:#?}");
    let auth = ": weak: AUTH is offered in plain text, so that passwords can be read: PLAIN \
                (RFC 4954 section 4)";
    assert!(has(&bad, auth), "{bad:#?}");
    assert!(has(&bad, ": names of the address: host.test"), "{bad:#?}");
    assert!(bad.iter().all(|line| !line.contains('\u{1b}')), "{bad:#?}");
}

#[test]
fn findings_as_data() {
    let output = cause("hygiene of a bad server").run(&["--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    let hygiene = &document["sessions"][0]["hygiene"];
    let first = &hygiene["findings"][0];
    assert_eq!(first["finding"], "starttls-injection");
    assert_eq!(first["grade"], "bad");
    assert_eq!(first["source"], "CVE-2011-0411");
    assert_eq!(first["detail"]["reply"]["code"], 502);
    let auth = &hygiene["extensions"][0];
    assert_eq!((&auth["keyword"], &auth["outside"][0]), (&"AUTH".into(), &"PLAIN".into()));
    assert_eq!((&auth["inside"], &auth["source"]), (&Value::Null, &"RFC 4954".into()));
    assert_eq!(hygiene["reverse"]["names"][0]["name"], "host.test");
    assert_eq!(hygiene["reverse"]["names"][0]["confirmed"], false);
}
