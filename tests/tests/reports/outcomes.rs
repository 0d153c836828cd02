//! Outcomes of all kinds, each caused by servers on loopback.

use std::process::{Command, Output};
use std::time::Duration;

use rustls::NamedGroup;
use tlsfinger_tests::certs::{self, KeyType};
use tlsfinger_tests::dns_server::DnsServer;
use tlsfinger_tests::loopback::{Loopback, Scratch};
use tlsfinger_tests::peer::{Answer, Behind, ClientAuth, Legacy, Script, Tickets, TlsSetup};
use tlsfinger_tests::program;

/// A way to cause an outcome: what is there, and how the program is called.
pub(crate) struct Cause {
    pub(crate) name: &'static str,
    script: Option<Script>,
    /// `PORT` stands for the server's port. Without zones there is no name server.
    zones: &'static str,
    /// `PORT` as above, `CA` for a file with the root certificate, `PIN` for the key's digest,
    /// `ANCHOR` for a file with the key of the zone that was signed first.
    arguments: &'static str,
    /// The status of `--exit-code`.
    pub(crate) status: i32,
    /// The result type of RFC 8460; empty if there is none.
    pub(crate) result: &'static str,
}

impl Cause {
    /// Runs the program against the servers of this cause, with more options.
    pub(crate) fn run(&self, options: &[&str]) -> Output {
        self.run_by(options, |mut program| program.output().unwrap())
    }

    /// Lets the program be run against the servers of this cause, with more options.
    pub(crate) fn run_by<T>(&self, options: &[&str], run: impl FnOnce(Command) -> T) -> T {
        let scratch = Scratch::new().unwrap();
        let is_unix = self.arguments.contains("SOCKET");
        let socket = scratch.file("lmtp");
        let server = self.script.clone().map(|script| match is_unix {
            true => Loopback::unix(&socket, script).unwrap(),
            false => Loopback::tcp(script).unwrap(),
        });
        // Without a server nobody listens at the port that one had just now.
        let port = server.as_ref().map_or_else(free_port, Loopback::port).to_string();
        let ca = scratch.file("ca.pem");
        std::fs::write(&ca, certs::root_pem()).unwrap();
        let fill = |text: &str| {
            text.replace("PORT", &port)
                .replace("SOCKET", socket.to_str().unwrap())
                .replace("CA", ca.to_str().unwrap())
                .replace("PIN", &colons(certs::tlsa(KeyType::P256).rsplit(' ').next().unwrap()))
        };
        let zones = self
            .zones
            .replace("PORT", &port)
            .replace("EE", &certs::tlsa(KeyType::P256))
            .replace("TA", &certs::root_tlsa());
        let names = DnsServer::start(&zones).unwrap();
        let anchor = scratch.file("anchor");
        if zones.contains("@sign") {
            std::fs::write(&anchor, names.anchor()).unwrap();
        }
        let resolver = names.address().to_string();
        let mut words = vec!["--resolver".to_owned(), resolver];
        words.extend(options.iter().map(|option| (*option).to_owned()));
        let fill = |word| fill(word).replace("ANCHOR", anchor.to_str().unwrap());
        words.extend(self.arguments.split(' ').map(fill));
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(program::command(scratch.path(), &words))
    }
}

/// Finds a cause by its name.
pub(crate) fn cause(name: &str) -> Cause {
    causes().into_iter().find(|cause| cause.name == name).unwrap()
}

fn free_port() -> u16 {
    Loopback::tcp(Script::smtp()).unwrap().port()
}

fn colons(digits: &str) -> String {
    let pairs: Vec<&str> = (0..digits.len()).step_by(2).map(|at| &digits[at..at + 2]).collect();
    pairs.join(":")
}

const LITERAL: &str = "-lmay [127.0.0.1]:PORT";
const DANE: &str = "@secure .\nd.test MX 10 mx.example.org\nmx.example.org A 127.0.0.1\n\
                    _PORT._tcp.mx.example.org TLSA EE";

const LOCAL: &str = "--dnssec local --trust-anchor ANCHOR d.test:PORT";
macro_rules! signed {
    ($more:literal) => {
        concat!(
            "@sign . 13\n@sign test 8\n@sign d.test 15\n@sign example.org 14\n",
            "d.test MX 10 mx.example.org\nmx.example.org A 127.0.0.1\n",
            "_PORT._tcp.mx.example.org TLSA EE\n",
            $more
        )
    };
}

pub(crate) fn causes() -> Vec<Cause> {
    let smtp = Script::smtp;
    let tls = |setup| Some(Script::smtp().tls(setup));
    let on = |verb: &str, answer: &str| Some(Script::smtp().on(verb, answer));
    let expired = TlsSetup::default().identity(certs::expired(KeyType::P256));
    let left = |days| tls(TlsSetup::default().identity(certs::expiring(KeyType::P256, days)));
    let hostile = "250-\u{1b}[31mmx\u{fc}\r\n250-SIZE 10\x07\r\n250-X\u{202e}\r\n250 STARTTLS\r\n";
    let old = |version, suites: &[u16]| Some(Script::smtp().legacy(Legacy::new(version, suites)));
    let end = || Answer::silence().end();
    let verify = "-lverify -FCA [127.0.0.1]:PORT mx.example.org";
    let c = |name, script, zones, arguments, status, result| Cause {
        name,
        script,
        zones,
        arguments,
        status,
        result,
    };
    vec![
        c("may", Some(smtp()), "", LITERAL, 0, ""),
        c("encrypt", Some(smtp()), "", "-lencrypt [127.0.0.1]:PORT", 0, ""),
        c("none", Some(smtp()), "", "-lnone [127.0.0.1]:PORT", 0, ""),
        c("verified by a CA", Some(smtp()), "", verify, 0, ""),
        c(
            "wrong name",
            Some(smtp()),
            "",
            "-lverify -FCA [127.0.0.1]:PORT other.test",
            2,
            "certificate-host-mismatch",
        ),
        c(
            "no CA",
            Some(smtp()),
            "",
            "-lverify [127.0.0.1]:PORT mx.example.org",
            2,
            "certificate-not-trusted",
        ),
        c("expired", tls(expired.clone()), "", verify, 2, "certificate-expired"),
        c("expired, unverified", tls(expired), "", LITERAL, 0, ""),
        c("15 days left", left(15), "", LITERAL, 0, ""),
        c("14 days left", left(14), "", LITERAL, 0, ""),
        c("13 days left", left(13), "", LITERAL, 0, ""),
        c("7 days left", left(7), "", LITERAL, 0, ""),
        c("6 days left", left(6), "", verify, 0, ""),
        c("pinned", Some(smtp()), "", "-lfingerprint [127.0.0.1]:PORT PIN", 0, ""),
        c(
            "wrong pin",
            tls(TlsSetup::default().identity(certs::small())),
            "",
            "-lfingerprint [127.0.0.1]:PORT PIN",
            2,
            "certificate-not-trusted",
        ),
        c("trust anchor", Some(smtp()), "", "-lsecure -ACA [127.0.0.1]:PORT mx.example.org", 0, ""),
        c("no STARTTLS", on("EHLO", "250 mx\r\n"), "", LITERAL, 3, "starttls-not-supported"),
        c(
            "STARTTLS refused",
            on("STARTTLS", "454 not now\r\n"),
            "",
            LITERAL,
            3,
            "starttls-not-supported",
        ),
        c("STARTTLS lost", Some(smtp().on("STARTTLS", end())), "", LITERAL, 5, ""),
        c("greeting refused", Some(smtp().greeting("554 no\r\n")), "", LITERAL, 5, ""),
        c("greeting lost", Some(smtp().greeting(end())), "", LITERAL, 5, ""),
        c(
            "greeting late",
            Some(smtp().greeting(Answer::silence().pause(Duration::from_secs(2)))),
            "",
            "-t1 [127.0.0.1]:PORT",
            5,
            "",
        ),
        c("EHLO refused", on("EHLO", "502 what?\r\n"), "", LITERAL, 5, ""),
        c(
            "no TLS behind STARTTLS",
            tls(TlsSetup::instead("hello\r\n")),
            "",
            LITERAL,
            4,
            "validation-failure",
        ),
        c("handshake lost", tls(TlsSetup::instead(end())), "", LITERAL, 4, "validation-failure"),
        c("TLS 1.0 only", old(0x301, &[0x35]), "", verify, 4, "validation-failure"),
        c("DHE only", old(0x303, &[0x9f]), "", LITERAL, 4, "validation-failure"),
        c("refused by all", old(0x303, &[0x8c]), "", LITERAL, 4, "validation-failure"),
        c("anonymous", old(0x303, &[0xc018, 0x34]), "", LITERAL, 4, "validation-failure"),
        c(
            "SSL 3 only",
            old(0x300, &[0x05]),
            "",
            "-p, -lmay [127.0.0.1]:PORT",
            4,
            "validation-failure",
        ),
        c(
            "enumerated",
            old(0x303, &[0xc02f, 0x009f]),
            "",
            "--enumerate --pause=0 -lmay [127.0.0.1]:PORT",
            2,
            "",
        ),
        c(
            "wrong signature of old",
            Some(
                smtp().legacy(Legacy { spoils_signatures: true, ..Legacy::new(0x303, &[0xc028]) }),
            ),
            "",
            LITERAL,
            4,
            "validation-failure",
        ),
        c(
            "client certificate required",
            tls(TlsSetup::only_12().client_auth(ClientAuth::Required)),
            "",
            LITERAL,
            4,
            "validation-failure",
        ),
        c(
            "client certificate asked for",
            tls(TlsSetup::default().client_auth(ClientAuth::Requested)),
            "",
            LITERAL,
            0,
            "",
        ),
        c("TLS 1.2", tls(TlsSetup::only_12()), "", LITERAL, 0, ""),
        c("TLS 1.3 only", tls(TlsSetup::only_13()), "", LITERAL, 0, ""),
        c(
            "anonymous besides",
            tls(TlsSetup::only_12().rather(Legacy::new(0x303, &[0xa7]))),
            "",
            LITERAL,
            0,
            "",
        ),
        c("Ed25519", tls(TlsSetup::default().identity(certs::small())), "", LITERAL, 0, ""),
        c(
            "RSA",
            tls(TlsSetup::default().identity(certs::server(KeyType::Rsa2048))),
            "",
            LITERAL,
            0,
            "",
        ),
        c(
            "other key share",
            tls(TlsSetup::default().groups([NamedGroup::secp384r1])),
            "",
            LITERAL,
            0,
            "",
        ),
        c("EHLO inside refused", Some(smtp().inside("EHLO", "554 no\r\n")), "", LITERAL, 5, ""),
        c("QUIT lost", Some(smtp().on("QUIT", end())), "", LITERAL, 0, ""),
        c(
            "text before TLS",
            Some(smtp().on("STARTTLS", Answer::from("220 go\r\n250 evil\r\n").start_tls())),
            "",
            LITERAL,
            0,
            "",
        ),
        c("control characters", on("EHLO", hostile), "", LITERAL, 0, ""),
        c("wrapper", Some(smtp().wrapper()), "", "-w -lmay [127.0.0.1]:PORT", 0, ""),
        c("LMTP", Some(Script::lmtp()), "", "-S -lmay unix:SOCKET", 0, ""),
        c(
            "reused session",
            tls(TlsSetup::default().tickets(Tickets::Stored(2))),
            "",
            "-r1 -m1 -lmay [127.0.0.1]:PORT",
            0,
            "",
        ),
        c("raw key refused", Some(smtp()), "", "-x -lmay [127.0.0.1]:PORT", 0, ""),
        c("nobody listens", None, "", LITERAL, 5, ""),
        c("hygiene", Some(smtp()), DANE, "--hygiene d.test:PORT", 0, ""),
        c("hygiene of all", Some(smtp()), DANE, "--hygiene --all d.test:PORT", 0, ""),
        c(
            "hygiene of a bad server",
            Some(
                smtp()
                    .on("EHLO", "250-\u{1b}[31m\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n")
                    .behind_starttls(Behind::AnsweredInside),
            ),
            "1.0.0.127.in-addr.arpa PTR host.test",
            "--hygiene -lmay [127.0.0.1]:PORT",
            0,
            "",
        ),
        c(
            "all servers",
            tls(TlsSetup::default().or_identity(certs::server(KeyType::Rsa2048))),
            DANE,
            "--all d.test:PORT",
            2,
            "tlsa-invalid",
        ),
        c("all of none", None, "@secure .", "--all d.test:PORT", 6, ""),
        c("no such domain", None, "@secure .", "d.test:PORT", 6, ""),
        c("SERVFAIL", None, "@fault d.test * servfail", "d.test:PORT", 6, "dnssec-invalid"),
        c(
            "SERVFAIL, with a reason",
            None,
            "@fault d.test * servfail\n@fault d.test * extended 7 \u{1b}[31mno\u{202e} key",
            "d.test:PORT",
            6,
            "dnssec-invalid",
        ),
        c("validated", Some(smtp()), signed!(""), LOCAL, 0, ""),
        c(
            "validated, expired",
            Some(smtp()),
            signed!("@fault d.test MX expired"),
            LOCAL,
            6,
            "dnssec-invalid",
        ),
        c(
            "validated, unsigned",
            Some(smtp()),
            "@sign . 13\n@insecure d.test\nd.test A 127.0.0.1",
            LOCAL,
            2,
            "certificate-not-trusted",
        ),
        c("unsigned answer", None, DANE, "--dnssec=local d.test:PORT", 6, "dnssec-invalid"),
        c("null MX", None, "d.test MX 0 .", "d.test:PORT", 6, ""),
        c("DANE", Some(smtp()), DANE, "d.test:PORT", 0, ""),
        c("encrypt, by name", Some(smtp()), DANE, "-lencrypt [mx.example.org]:PORT", 0, ""),
        c(
            "DANE, other key",
            tls(TlsSetup::default().identity(certs::small())),
            DANE,
            "d.test:PORT",
            2,
            "tlsa-invalid",
        ),
        c(
            "DANE, trust anchor",
            Some(smtp()),
            "@secure .\nmx.example.org A 127.0.0.1\n_PORT._tcp.mx.example.org TLSA TA",
            "[mx.example.org]:PORT",
            0,
            "",
        ),
        c(
            "DANE, MX insecure",
            Some(smtp()),
            "@secure .\n@insecure d.test\nd.test MX 10 mx.example.org\nmx.example.org A 127.0.0.1\n\
             _PORT._tcp.mx.example.org TLSA EE",
            "d.test:PORT",
            0,
            "",
        ),
        c(
            "DANE, nothing usable",
            Some(smtp()),
            "@secure .\nmx.example.org A 127.0.0.1\n_PORT._tcp.mx.example.org TLSA 3 1 9 00",
            "-ldane-only [mx.example.org]:PORT",
            2,
            "tlsa-invalid",
        ),
        c(
            "DANE demanded, no TLSA",
            Some(smtp()),
            "@secure .\nmx.example.org A 127.0.0.1",
            "-ldane-only [mx.example.org]:PORT",
            2,
            "dane-required",
        ),
        c(
            "TLSA lookup failed",
            Some(smtp()),
            "@secure .\nmx.example.org A 127.0.0.1\n@fault _PORT._tcp.mx.example.org TLSA servfail",
            "[mx.example.org]:PORT",
            6,
            "dnssec-invalid",
        ),
    ]
}
