//! The completions load in their shells and complete. A shell that is not there is skipped, except
//! in CI.

use std::io::{self, Write as _};
use std::process::{Command, Stdio};

fn share(file: &str) -> String {
    format!("{}/../cli/share/{file}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs a script by a shell and gives what it prints; `None` if there is no such shell.
fn shell(name: &str, arguments: &[&str], script: &str) -> Option<String> {
    let exists = Command::new(name).arg("-c").arg("exit").stdin(Stdio::null()).status().is_ok();
    if !exists {
        assert!(std::env::var_os("CI").is_none(), "CI has {name}");
        let told = writeln!(io::stderr(), "skipped: there is no {name}");
        told.unwrap();
        return None;
    }
    let output = Command::new(name).args(arguments).args(["-c", script]).output().unwrap();
    let (text, errors) = (output.stdout, String::from_utf8_lossy(&output.stderr).into_owned());
    assert!(output.status.success() && errors.is_empty(), "{name}: {errors}");
    Some(String::from_utf8(text).unwrap())
}

#[test]
fn bash() {
    let file = share("tlsfinger.bash");
    let complete = |words: &str, last: usize| {
        let script = format!(
            "source {file} && complete -p tlsfinger && COMP_WORDS=({words}) COMP_CWORD={last} && \
             _tlsfinger && echo \"${{COMPREPLY[@]}}\""
        );
        shell("bash", &["--norc"], &script)
    };
    let Some(text) = complete("tlsfinger --expl", 1) else { return };
    assert_eq!(text, "complete -F _tlsfinger tlsfinger\n--explain\n");
    assert!(complete("tlsfinger -l dane", 2).unwrap().ends_with("\ndane dane-only\n"));
}

#[test]
fn fish() {
    let file = share("tlsfinger.fish");
    let complete = |line: &str| {
        let script = format!("source {file}; complete --do-complete '{line}'");
        shell("fish", &["--no-config"], &script)
    };
    let Some(text) = complete("tlsfinger --expl") else { return };
    assert!(text.starts_with("--explain\t"), "{text}");
    assert!(complete("tlsfinger -l dane-").unwrap().starts_with("dane-only\t"));
}

#[test]
fn zsh() {
    // Completing wants a terminal; loading does not.
    let script = format!(
        "fpath=({} $fpath); autoload -Uz compinit && compinit -u -D && \
         autoload +X -Uz _tlsfinger && print $_comps[tlsfinger] && functions _tlsfinger",
        share("")
    );
    let Some(text) = shell("zsh", &["-f"], &script) else { return };
    assert!(text.starts_with("_tlsfinger\n_tlsfinger () {"), "{text}");
    assert!(text.contains("--explain["), "{text}");
}
