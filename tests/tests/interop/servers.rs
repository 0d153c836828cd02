//! The running servers, the two programs, and what their words have in common.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;
use std::{env, io};

/// The running servers and the program under test.
pub(crate) struct Servers {
    folder: PathBuf,
    program: PathBuf,
}

impl Servers {
    /// Finds the servers that `tests/interop/servers` has started.
    pub(crate) fn find() -> Option<Self> {
        static SKIPPED: Once = Once::new();
        let Some(folder) = env::var_os("TLSFINGER_INTEROP") else {
            assert!(env::var_os("CI").is_none(), "CI has to start tests/interop/servers");
            // Past the harness, which would keep it for itself.
            let words = "skipped, as tests/interop/servers did not start any servers";
            SKIPPED.call_once(|| writeln!(io::stderr(), "{words}").expect("standard error"));
            return None;
        };
        // This is target/PROFILE/deps/interop-HASH.
        let test = env::current_exe().expect("the test's own path");
        let program = test.ancestors().nth(2).expect("a target folder").join("tlsfinger");
        assert!(program.exists(), "{} has to be built first", program.display());
        Some(Self { folder: folder.into(), program })
    }

    pub(crate) fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// Runs a probe under both drivers, which have to say the same, and gives its lines.
    pub(crate) fn probe(&self, arguments: &str) -> Vec<String> {
        let [blocking, smol] = ["blocking", "smol"].map(|runtime| {
            run(&self.program, &format!("--runtime {runtime} {OPTIONS} {arguments}"))
        });
        assert_eq!(blocking, smol, "the drivers differ on {arguments}");
        blocking
    }

    /// Runs a probe and gives its exit status.
    pub(crate) fn status(&self, arguments: &str) -> Option<i32> {
        let words = OPTIONS.split_whitespace().chain(arguments.split_whitespace());
        let output = Command::new(&self.program).args(words).output().expect("it runs");
        output.status.code()
    }

    /// Runs posttls-finger, and gives its lines.
    pub(crate) fn reference(&self, arguments: &str) -> Vec<String> {
        let lines = run(Path::new("/usr/sbin/posttls-finger"), &format!("{OPTIONS} {arguments}"));
        lines.iter().map(|line| modernised(line)).collect()
    }

    /// Runs a probe and wants these lines in this order, and all in all what posttls-finger says.
    pub(crate) fn agree(&self, arguments: &str, expected: &[&str]) -> Vec<String> {
        let lines = self.probe(arguments);
        contains(&lines, expected);
        let mut theirs = self.reference(arguments);
        // A failed TLSA lookup is done and told twice.
        theirs.dedup();
        assert_eq!(lines, theirs, "tlsfinger, then posttls-finger on {arguments}");
        lines
    }
}

/// Options for both programs.
const OPTIONS: &str = "-a ipv4 -o myhostname=client.test -L routine,certmatch,dane";

/// Runs a program and gives the lines of its output without its name in front.
fn run(program: &Path, arguments: &str) -> Vec<String> {
    let output = Command::new(program)
        .args(arguments.split_whitespace())
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), &*stderr), (Some(0), ""), "{program:?} {arguments}: {text}");
    let prefix = format!("{}: ", program.file_name().expect("a name").to_string_lossy());
    text.lines().map(|line| line.strip_prefix(&prefix).unwrap_or(line).to_owned()).collect()
}

/// Wants lines in this order, with any others between them.
pub(crate) fn contains(lines: &[String], expected: &[&str]) {
    let mut rest = lines.iter();
    for line in expected {
        assert!(rest.any(|other| other == line), "no line {line:?} in its place among {lines:#?}");
    }
}

/// Puts a line of posttls-finger 3.7 into the words of 3.11.
fn modernised(line: &str) -> String {
    let line = line
        .replace("key-exchange X25519", "key-exchange x25519")
        .replace("key-exchange ECDHE (prime256v1)", "key-exchange secp256r1")
        .replace(", issuer_CN=", ", issuer=")
        .replace(", fingerprint=", ", cert fingerprint=")
        .replace(", pkey_fingerprint=", ", pkey fingerprint=");
    // A wrong name is told only where nothing else is wrong, and nobody is trusted by default.
    if let Some(line) = line.strip_suffix("num=62:hostname mismatch") {
        let line = line.strip_prefix("server ").unwrap_or(line);
        return format!("{line}untrusted issuer /O=Interop/CN=Interop Root");
    }
    // The port of the server that no session came about with follows its name.
    if line.starts_with("Failed to establish session to ")
        && let Some((session, reason)) = line.split_once(": ")
        && let Some((_, port)) = reason.split(": ").next().and_then(|peer| peer.rsplit_once(':'))
    {
        return format!("{session}:{port}: {reason}");
    }
    // OpenSSL names the source file and line of an error.
    if let Some((error, place)) = line.split_once(":../ssl/") {
        let data = place.splitn(3, ':').nth(2).unwrap_or_default();
        return format!("{error}:{data}");
    }
    line
}
