//! `--json` and `--exit-code`.

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
