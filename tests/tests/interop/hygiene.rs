//! The SMTP around TLS of real servers.

use crate::servers::Servers;

#[test]
fn commands_behind_starttls() {
    let Some(servers) = Servers::find() else { return };
    for host in ["postfix.test", "exim.test", "sendmail.test"] {
        let lines = servers.probe(&format!("-c -l may --hygiene [{host}]"));
        let line = |what: &str| {
            let found = lines.iter().find(|line| line.contains(what));
            found.unwrap_or_else(|| panic!("no {what} among {lines:#?}"))
        };
        // None of them has had that hole for years.
        let injection = line("(CVE-2011-0411)");
        assert!(injection.contains(": good: ") || injection.contains(": note: "), "{injection}");
        assert!(line(": offered outside TLS: ").contains("STARTTLS"), "{host}");
        assert!(!line(": offered inside TLS: ").contains("STARTTLS"), "{host}");
        assert!(line("(RFC 5321 section 4.1.1.1)").ends_with(&format!(
            "good: the server calls itself {host} (RFC 5321 section 4.1.1.1)"
        )));
        let certificate = line("(RFC 9525)");
        assert!(certificate.contains(": good: the certificate is for that name"), "{certificate}");
        let own = line("(RFC 6066 section 3)");
        assert!(own.contains(": good: asked for by that name"), "{own}");
    }
    let lines = servers.probe("-c -l may --hygiene [postfix.test]");
    let dropped = ": good: a command that comes with STARTTLS is dropped (CVE-2011-0411)";
    assert!(lines.iter().any(|line| line.ends_with(dropped)), "{lines:#?}");
}
