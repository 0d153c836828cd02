//! `--json` and `--exit-code`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::outcomes::{cause, causes};

/// Runs the program for a document.
fn document(name: &str) -> Value {
    let output = cause(name).run(&["--json"]);
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn every_outcome_fits_the_schema_and_has_its_status() {
    let schema: Value = serde_json::from_str(include_str!("../../../cli/schema.json")).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let causes = causes();
    assert!(causes.len() >= 30);
    let results: BTreeSet<_> = causes.iter().map(|cause| cause.result).collect();
    assert_eq!(results.len(), 1 + 8, "all types of RFC 8460 section 4.3 that a probe can find");
    let statuses: BTreeSet<_> = causes.iter().map(|cause| cause.status).collect();
    assert_eq!(statuses, [0, 2, 3, 4, 5, 6].into());
    let mut wrong = Vec::new();
    for cause in causes {
        let name = cause.name;
        let output = cause.run(&["--json", "--exit-code"]);
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.is_ascii() && text.ends_with("}\n"), "{name}: {text}");
        assert!(!text.trim_end().chars().any(|c| c.is_ascii_control()), "{name}: {text}");
        let document: Value = serde_json::from_str(&text).unwrap();
        // Nothing is written twice, and no number or name loses anything on the way.
        let again = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&again).unwrap(), document, "{name}");
        if again.is_ascii() && !again.contains('\u{7f}') {
            assert_eq!(again, text.trim_end(), "{name}");
        }
        for error in validator.iter_errors(&document) {
            wrong.push(format!("{name}: {}: {error}", error.instance_path()));
        }
        let found = (output.status.code(), document["result_type"].as_str().unwrap_or_default());
        if found != (Some(cause.status), cause.result) {
            wrong.push(format!("{name}: {found:?}, not {:?}", (cause.status, cause.result)));
        }
        assert_eq!(document["exit_status"].as_i64(), found.0.map(i64::from), "{name}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Finds the fields that the schema does not describe.
fn undescribed(schema: &Value, at: &str, found: &mut Vec<String>) {
    match schema {
        Value::Object(node) => {
            if let Some(Value::Object(properties)) = node.get("properties") {
                let bare = |field: &Value| {
                    field.get("description").is_none() && field.get("$ref").is_none()
                };
                let names = properties.iter().filter(|(_, field)| bare(field)).map(|it| it.0);
                found.extend(names.map(|name| format!("{at}.{name}")));
                // Nothing that is not there can pass for a field.
                if node.get("additionalProperties") != Some(&false.into()) {
                    found.push(format!("{at} is open"));
                }
            }
            node.iter().for_each(|(key, node)| undescribed(node, &format!("{at}/{key}"), found));
        }
        Value::Array(nodes) => nodes.iter().for_each(|node| undescribed(node, at, found)),
        _ => {}
    }
}

#[test]
fn every_field_is_described() {
    let schema: Value = serde_json::from_str(include_str!("../../../cli/schema.json")).unwrap();
    let mut found = Vec::new();
    undescribed(&schema, "", &mut found);
    assert!(found.is_empty(), "{found:#?}");
}

/// Finds what of an example is not in a real document, by name and type.
fn unreal(example: &Value, real: &Value, at: &str, found: &mut Vec<String>) {
    match (example, real) {
        (Value::Object(example), Value::Object(_)) => {
            for (name, example) in example {
                let at = format!("{at}.{name}");
                match real.get(name) {
                    Some(real) => unreal(example, real, &at, found),
                    None => found.push(at),
                }
            }
        }
        (Value::Array(example), Value::Array(real)) => {
            // Where the real list is empty only its type is compared.
            let pairs = example.iter().filter_map(|example| Some((example, real.first()?)));
            pairs.for_each(|(example, real)| unreal(example, real, at, found));
        }
        _ if std::mem::discriminant(example) == std::mem::discriminant(real) => {}
        _ => found.push(at.to_owned()),
    }
}

#[test]
fn example_in_the_readme_is_real() {
    let readme = include_str!("../../../README.md");
    let (_, example) = readme.split_once("```json\n").unwrap();
    let example: Value = serde_json::from_str(example.split_once("```").unwrap().0).unwrap();
    let mut found = Vec::new();
    unreal(&example, &document("DANE"), "", &mut found);
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn facts_of_a_session() {
    let document = document("DANE");
    assert_eq!(document["lookup"]["record"], "MX");
    assert_eq!(document["lookup"]["secure"], true);
    let session = &document["sessions"][0];
    assert_eq!(session["peer"]["host"], "mx.example.org");
    assert_eq!(session["tlsa"]["records"][0]["matched"], true);
    assert_eq!(session["verdict"]["matched"]["kind"], "dane-ee");
    assert_eq!(session["hello"]["capabilities"][0]["keyword"], "STARTTLS");
    let lines: Vec<_> = session["dialogue"].as_array().unwrap().iter().collect();
    assert_eq!((&lines[0]["from"], &lines[0]["secured"]), (&"server".into(), &false.into()));
    let last = lines.last().unwrap();
    assert_eq!((&last["line"], &last["secured"]), (&"221 bye".into(), &true.into()));
    let certificates = session["chain"]["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 2);
    let fields = &certificates[0]["fields"];
    assert_eq!(fields["names"][0]["value"], "mx.example.org");
    assert_eq!(fields["not_after"], "2100-01-01T00:00:00Z");
    assert!(certificates[0]["pem"].as_str().unwrap().starts_with("-----BEGIN CERTIFICATE-----\n"));
    let steps = session["timings"]["steps"].as_array().unwrap();
    let names: Vec<_> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    let order = ["connect", "greeting", "hello", "starttls", "handshake", "hello-again", "quit"];
    assert_eq!(names, order);
}

#[test]
fn reused_sessions_are_told() {
    let document = document("reused session");
    let sessions = document["sessions"].as_array().unwrap();
    let resumed: Vec<_> = sessions.iter().map(|session| &session["tls"]["resumed"]).collect();
    assert_eq!(resumed, [false, true]);
}

#[test]
fn without_the_option_the_status_is_the_reference_s() {
    for name in ["no STARTTLS", "nobody listens", "DANE, other key", "SERVFAIL"] {
        assert_eq!(cause(name).run(&["--json"]).status.code(), Some(0), "{name}");
    }
    assert_eq!(cause("STARTTLS lost").run(&[]).status.code(), Some(1));
}

#[test]
fn usage_and_configuration() {
    for options in [&["-Z"][..], &["-lnosuch", "--"], &["--json", "--warn-days=x"]] {
        let output = cause("may").run(&[&["--exit-code"], options].concat());
        assert_eq!(output.status.code(), Some(1), "{options:?}");
    }
    // Nothing but documents is written for programs.
    let output = cause("may").run(&["--json", "-lnosuch", "--"]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    assert!(output.stderr.ends_with(b"Invalid TLS level \"nosuch\"\n"));
}

#[test]
fn chains_of_trust() {
    let found = document("validated");
    let chains = found["lookup"]["validation"].as_array().unwrap();
    let mx = &chains[0];
    assert_eq!((&mx["name"], &mx["record"]), (&"d.test".into(), &"MX".into()));
    assert_eq!((&mx["security"], &mx["reason"]), (&"secure".into(), &Value::Null));
    let steps: Vec<_> = mx["chain"].as_array().unwrap().iter().map(|step| &step["step"]).collect();
    assert_eq!(steps, ["anchor", "keys", "ds", "keys", "ds", "keys", "records"]);
    let ds = &mx["chain"][2];
    assert_eq!((&ds["name"], &ds["algorithm"]), (&"test".into(), &8.into()));
    assert_eq!(ds["signature"]["algorithm"], 13);
    assert_eq!(ds["signature"]["inception"], "2020-01-01T00:00:00Z");

    let found = document("validated, expired");
    let mx = &found["lookup"]["validation"][0];
    assert_eq!((&mx["security"], &mx["extended_error"]["code"]), (&"bogus".into(), &7.into()));
    assert_eq!(mx["chain"].as_array().unwrap().last().unwrap()["step"], "broken");
    assert_eq!(found["error"]["kind"], "bogus");

    let found = document("SERVFAIL, with a reason");
    let error = &found["error"]["extended_errors"][0];
    assert_eq!((&error["code"], &error["purpose"]), (&7.into(), &"Signature Expired".into()));
    assert_eq!(error["text"], "\u{1b}[31mno\u{202e} key");
}
