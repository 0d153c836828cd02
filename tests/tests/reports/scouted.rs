//! Servers that speak what this program does not: every form of what is told of them.

use crate::outcomes::cause;

/// Runs the program without the dialogue, with more options.
fn lines(name: &str, options: &[&str]) -> Vec<String> {
    let output = cause(name).run(&[&["-c"], options].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(replace_port).collect()
}

/// The port changes from run to run.
fn replace_port(line: &str) -> String {
    match line.split_once("[127.0.0.1]:") {
        Some((before, after)) => {
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{before}NAP{after}")
        }
        None => line.to_owned(),
    }
}

#[test]
fn lines_of_a_probe() {
    let told = lines("TLS 1.0 only", &[]);
    let [error, problem, matched, identity, offered] = &told[..] else { panic!("{told:#?}") };
    assert!(error.starts_with("tlsfinger: SSL_connect error to "), "{error}");
    assert!(problem.ends_with("tlsv1 alert protocol version:SSL alert number 70:"), "{problem}");
    assert_eq!(matched, "tlsfinger: 127.0.0.1NAP: matched peername: mx.example.org");
    assert!(identity.contains(": subject_CN=mx.example.org, issuer=Test Root, "), "{identity}");
    assert_eq!(
        offered,
        "tlsfinger: TLS offered by 127.0.0.1NAP: TLSv1 with cipher AES256-SHA (256/256 bits) \
         key-exchange RSA, not spoken by this program"
    );
    let last = |name| lines(name, &[]).pop().unwrap();
    assert_eq!(last("anonymous"), "tlsfinger: Server is anonymous");
    let dhe = last("DHE only");
    assert!(dhe.ends_with(
        "TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384 (256/256 bits) key-exchange DHE (1024 bits), \
         not spoken by this program"
    ));
    let told = lines("wrong signature of old", &[]);
    let wrong = "127.0.0.1NAP: the signature of its key exchange is wrong";
    assert!(told.contains(&format!("tlsfinger: warning: {wrong}")), "{told:#?}");
    // No verdict of a connection: there was none.
    assert!(told.iter().all(|line| !line.contains(" TLS connection established ")));
}

/// The certificate is told and judged as ever; what other clients get comes on top.
#[test]
fn a_server_that_would_rather_be_anonymous() {
    let told = lines("anonymous besides", &["-C"]);
    let established = |line: &String| line.contains("Untrusted TLS connection established to ");
    assert_eq!(told.iter().filter(|line| established(line)).count(), 1, "{told:#?}");
    assert_eq!(told.iter().filter(|line| *line == "-----BEGIN CERTIFICATE-----").count(), 2);
    let last = [
        "tlsfinger: TLS offered by 127.0.0.1NAP: TLSv1.2 with cipher ADH-AES256-GCM-SHA384 \
         (256/256 bits) key-exchange DHE (1024 bits), not spoken by this program",
        "tlsfinger: Server is anonymous",
    ];
    assert_eq!(told[told.len() - 2..], last, "{told:#?}");
    // So it is before a look at the SMTP.
    let told = lines("anonymous besides", &["--hygiene"]);
    let place = |words| told.iter().position(|line| line.contains(words));
    let found = place("TLS offered by");
    assert!(place(" established to ") < found && found < place(": good: "), "{told:#?}");
    let told = lines("anonymous besides", &["--all", "--json"]).concat();
    assert_eq!(told.matches("\"anonymous\":true").count(), 1, "{told}");
    let quiet = lines("TLS 1.2", &[]);
    assert!(quiet.last().unwrap().contains("Untrusted TLS connection established to "));
    let explained = lines("anonymous besides", &["--explain"]).join("\n");
    let words = "\n  Anonymous to clients that do not mind: TLSv1.2 with cipher\n            ADH";
    assert!(explained.contains(words), "{explained}");
    assert!(explained.contains("\n  Names     mx.example.org\n"), "{explained}");
    let explained = lines("TLS 1.2", &["--explain"]).join("\n");
    assert!(!explained.contains("Anonymous") && !explained.contains("Offered"), "{explained}");
}

#[test]
fn the_curious_see_scouts_at_work() {
    let told = lines("DHE only", &["-Lssl-debug"]);
    let at = |words: &str, from: usize| {
        let found = told.iter().skip(from).position(|line| line.ends_with(words));
        from + found.unwrap_or_else(|| panic!("no {words:?} behind {from}: {told:#?}"))
    };
    let scouting = at("NAP: scouting by another connection: TLSv1 TLSv1.1 TLSv1.2, 71 ciphers", 0);
    assert!(at("SSL3 alert read:fatal:handshake failure", 0) < scouting);
    let hello = at("SSL_connect:SSLv3/TLS write client hello", scouting);
    let version = at("      server_version=0x303 (TLS 1.2)", hello);
    let subject = at("          subject=/CN=mx.example.org", version);
    let size = at("        dh_p: 1024 bits", subject);
    at("SSL_connect:SSLv3/TLS read server done", size);
    at("SSL3 alert write:warning:user canceled", subject);
    let told = lines("SSL 3 only", &["-v"]);
    let offered = "SSLv3 with cipher RC4-SHA (128/128 bits) key-exchange RSA, neither spoken by this \
                   program nor selected";
    assert!(told.last().unwrap().ends_with(offered), "{told:#?}");
    assert_eq!(told.iter().filter(|line| line.contains(": scouting by another")).count(), 2);
    let told = lines("client certificate required", &["-v"]);
    assert!(told.iter().all(|line| !line.contains(": scouting by another")), "{told:#?}");
    let told = lines("refused by all", &["-v"]);
    let words = "tlsfinger: 127.0.0.1NAP: nothing came of it: the server sent alert 40";
    assert_eq!(told.last().unwrap(), words);
}

#[test]
fn with_certificates_and_without_anything() {
    let told = lines("DHE only", &["-C"]);
    assert_eq!(told.iter().filter(|line| *line == "-----BEGIN CERTIFICATE-----").count(), 2);
    let quiet = lines("DHE only", &["-Lnone"]);
    assert!(quiet.iter().all(|line| !line.contains("TLS offered by")), "{quiet:#?}");
}

#[test]
fn what_a_server_accepts() {
    let table = lines("DHE only", &["--enumerate", "--pause=0"]);
    assert_eq!(table[0], "127.0.0.1NAP");
    assert_eq!(table[1], "TLSv1.3: not accepted");
    assert_eq!(table[2], format!("{:58} IANA, RFC 9325", "TLSv1.2: 1 suite"));
    let name = "DHE-RSA-AES256-GCM-SHA384";
    assert_eq!(table[3], format!("  {name:44} 256 bits  Y  should not be"));
    assert_eq!(table[4], "  signatures: rsa_pkcs1_sha256");
    assert_eq!(table[5], "  finite field: 1024 bits");
    let dh = "  must: DH key lengths of at least 2048 bits are REQUIRED (RFC 9325, 4.5)";
    assert!(table.iter().any(|line| line == dh), "{table:#?}");
    assert!(table.last().unwrap().ends_with(" connections"), "{table:#?}");
    assert!(table.iter().all(|line| line.chars().count() <= 80), "{table:#?}");
    let status = |options: &[&str]| {
        cause("DHE only").run(&[&["--enumerate", "--pause=0"], options].concat()).status.code()
    };
    assert_eq!((status(&[]), status(&["--exit-code"])), (Some(0), Some(2)));
    let refused = cause("DHE only").run(&["--enumerate", "--hygiene"]);
    let words = String::from_utf8(refused.stdout).unwrap();
    assert!(words.contains("--enumerate and --hygiene options are mutually exclusive"), "{words}");
    // Of every server, and for monitoring.
    assert_eq!(lines("DHE only", &["--enumerate", "--pause=0", "--all"]), table);
    let nagios = cause("DHE only").run(&["--enumerate", "--pause=0", "--nagios"]);
    let line = String::from_utf8(nagios.stdout).unwrap();
    let counts = "TLSv1.2, 3 remarks with MUST, 2 with SHOULD, certificate expires in ";
    assert!(line.starts_with("TLSFINGER CRITICAL: [127.0.0.1]:"), "{line}");
    assert!(line.contains(counts) && line.contains(" | time="), "{line}");
    assert_eq!(nagios.status.code(), Some(2));
}

#[test]
fn what_nobody_could_ask_is_unknown() {
    let table = lines("TLS 1.3 only", &["--enumerate", "--pause=0"]);
    let row = |label: &str| {
        let row = table.iter().find_map(|line| line.trim_start().strip_prefix(label));
        row.unwrap_or_else(|| panic!("no {label}: {table:#?}")).trim().to_owned()
    };
    for label in ["record size limit", "compression", "session tickets"] {
        assert_eq!(row(label), "unknown", "{label}");
    }
    assert_eq!((row("application protocol"), row("raw public keys")), ("none".into(), "no".into()));
    assert_eq!(row("without a server name"), "the same certificate");
}

#[test]
fn monitoring_and_explanations() {
    let nagios = lines("DHE only", &["--nagios"]);
    let offers =
        "TLS handshake failed, server offers TLSv1.2 with cipher DHE-RSA-AES256-GCM-SHA384";
    assert!(nagios[0].contains(offers), "{nagios:?}");
    let text = lines("TLS 1.0 only", &["--explain"]).join("\n");
    assert!(text.contains("\n  Offered   TLSv1 with cipher AES256-SHA"), "{text}");
    assert!(
        text.contains("\n            SHOULD NOT negotiate cipher suites based on RSA key"),
        "{text}"
    );
    assert!(text.contains("\n  Identity  Trusted"), "{text}");
    assert!(text.contains("\n  Names     mx.example.org\n"), "{text}");
    assert!(text.contains("\n  To do     let the server speak TLS 1.2"), "{text}");
    let anonymous = lines("anonymous", &["--explain"]).join("\n");
    assert!(anonymous.contains("\n  Identity  none: the server would be anonymous"), "{anonymous}");
}
