//! What a verdict means, line by line.

use std::fmt::Write as _;

use tlsfinger_core::cert::{Name, TextProblem};
use tlsfinger_core::config::Level;
use tlsfinger_core::judge::{
    Match, NameProblem, PeerIdentity, PeerName, Reason, Status, Verdict, VerifyError,
};
use tlsfinger_core::report::{Peer, TlsFacts};

use super::{Narrator, lower, summary};
use crate::line::{Message, Tone};
use crate::log::Log;

impl Narrator {
    /// Says what a verdict means, in the order of the reference.
    pub(super) fn judged(
        &self,
        peer: &Peer,
        facts: &TlsFacts,
        verdict: &Verdict,
        say: &mut dyn FnMut(Message),
    ) {
        self.verification(peer, facts.resumed, verdict, say);
        if self.show.log.has(Log::SUMMARY) {
            let (status, nap) = (verdict.status, lower(peer));
            let tls = summary::connection(facts, &self.client_keys);
            let tone = match status {
                Status::Verified => Tone::Good,
                Status::Trusted => Tone::Doubtful,
                // These levels demand no more.
                _ if verdict.level <= Level::Encrypt => Tone::Doubtful,
                Status::Untrusted | Status::Anonymous => Tone::Bad,
            };
            let text = format!("{status} TLS connection established to {nap}: {tls}");
            say(Message::info(text).toned(tone));
        }
    }

    /// Says how the certificates were verified and who they say the server is.
    pub(super) fn verification(
        &self,
        peer: &Peer,
        resumed: bool,
        verdict: &Verdict,
        say: &mut dyn FnMut(Message),
    ) {
        let log = self.show.log;
        let nap = lower(peer);
        unusable(&nap, verdict, say);
        if log.has(Log::VERBOSE) && !resumed {
            for step in &verdict.steps {
                let (depth, ok) = (step.depth, u8::from(step.result.is_ok()));
                say(Message::info(match &step.subject {
                    Some(subject) => {
                        let subject = OneLine(subject);
                        format!("{nap}: depth={depth} verify={ok} subject={subject}")
                    }
                    None => format!("{nap}: verify={ok} raw public key"),
                }));
            }
        }
        let shows_peer = log.has(Log::CERTMATCH) || log.has(Log::PEERCERT) || log.has(Log::VERBOSE);
        let raw_key = verdict.peer.as_ref().filter(|peer| peer.certificate.is_none());
        if let (true, Some(raw)) = (shows_peer, raw_key) {
            let key = colons(&raw.key);
            say(Message::info(format!("{peer}: raw public key fingerprint={key}")));
        }
        if let Some(identity) = &verdict.peer {
            name_problems(&nap, identity, say);
        }
        if shows_peer {
            matched(&nap, verdict, say);
        }
        // Where a server was to be authenticated, `-L none` does not hide why it is not.
        let was_to_be = verdict.level >= Level::Fingerprint || verdict.all_unusable;
        let shows_failure = log.has(Log::UNTRUSTED) || was_to_be;
        if !verdict.satisfied && verdict.peer.is_some() && shows_failure {
            match &verdict.reason {
                _ if resumed => say(Message::info(format!(
                    "{peer}: re-using session with untrusted peer credential, look for details \
                     earlier in the log"
                ))),
                Some(reason) => say(Message::info(failure(&nap, reason))),
                None => {}
            }
        }
        if let (true, Some(identity)) = (shows_peer, &verdict.peer)
            && let Some(certificate) = &identity.certificate
        {
            let PeerIdentity { subject, issuer, .. } = identity;
            let (certificate, key) = (colons(certificate), colons(&identity.key));
            say(Message::info(format!(
                "{nap}: subject_CN={subject}, issuer={issuer}, cert fingerprint={certificate}, \
                     pkey fingerprint={key}"
            )));
        }
    }
}

/// Tells which parts of the policy cannot be used.
fn unusable(nap: &str, verdict: &Verdict, say: &mut dyn FnMut(Message)) {
    for record in &verdict.unusable {
        say(Message::warning(format!("{nap}: unusable TLSA RR: {record}")));
    }
    if verdict.all_unusable {
        say(Message::warning(match verdict.level {
            Level::DaneOnly => format!("{nap}: all TLSA records unusable"),
            Level::Fingerprint => format!("{nap}: all fingerprints unusable"),
            Level::Verify | Level::Secure => format!("{nap}: all trust anchors unusable"),
            Level::None | Level::May | Level::Encrypt | Level::HalfDane | Level::Dane => {
                format!("{nap}: all TLSA records unusable, fallback to unauthenticated TLS")
            }
        }));
    }
    for problem in &verdict.name_problems {
        say(Message::warning(match problem {
            NameProblem::Invalid(name) => format!("{nap}: ignoring invalid match name: \"{name}\""),
            NameProblem::SecondAddress(address) => {
                format!("{nap}: error loading match name: \"{address}\"")
            }
        }));
    }
    if verdict.no_names {
        say(Message::warning(format!("{nap}: could not configure peer name checks")));
    }
}

/// Tells which names of the certificate cannot be told.
fn name_problems(nap: &str, identity: &PeerIdentity, say: &mut dyn FnMut(Message)) {
    for (name, problem) in &identity.problems {
        let name = match name {
            PeerName::SubjectCommonName => "subject CN",
            PeerName::IssuerCommonName => "issuer CN",
            PeerName::IssuerOrganization => "issuer Organization",
        };
        say(Message::warning(match problem {
            TextProblem::TooLong(octets) => {
                format!("tls_text_name: {nap}: peer {name} too long: {octets}")
            }
            TextProblem::Nul => format!("tls_text_name: {nap}: NULL character in peer {name}"),
            TextProblem::NotPrintable | TextProblem::NotText => {
                format!("tls_text_name: {nap}: non-printable content in peer {name}")
            }
        }));
    }
}

/// Tells what matched.
fn matched(nap: &str, verdict: &Verdict, say: &mut dyn FnMut(Message)) {
    if let Some(name) = &verdict.peername {
        say(Message::info(format!("{nap}: matched peername: {name}")));
    }
    let what = match &verdict.matched {
        None => return,
        Some(Match::DaneEe(record)) => {
            format!("Matched DANE EE certificate at depth 0: {record}")
        }
        Some(Match::DaneTa(depth, record)) => {
            format!("Matched DANE TA certificate at depth {depth}: {record}")
        }
        Some(Match::DaneTaKey(depth, record)) => {
            format!("Matched DANE TA public key verified certificate at depth {depth}: {record}")
        }
        Some(Match::RawKey(record)) => format!("Matched DANE raw public key: {record}"),
        Some(Match::Fingerprint(digest)) => {
            let digest = digest.iter().map(|byte| format!("{byte:02X}")).collect::<String>();
            format!("Matched fingerprint: {digest}")
        }
        Some(Match::Anchor(depth)) => format!("Matched trust anchor at depth {depth}"),
    };
    say(Message::info(format!("{nap}: {what}")));
}

/// Tells why the certificates do not satisfy the policy.
fn failure(nap: &str, reason: &Reason) -> String {
    let Reason { error, depth, issuer } = reason;
    let whose = if *depth == 0 { "server" } else { "CA" };
    let failed = "certificate verification failed for";
    match error {
        VerifyError::Untrusted => format!("{failed} {nap}: not trusted by local or TLSA policy"),
        VerifyError::SelfSigned => format!("{failed} {nap}: self-signed certificate"),
        VerifyError::UnableToGetIssuerLocally | VerifyError::SelfSignedInChain => {
            let issuer = issuer.as_ref().map(|name| OneLine(name).to_string()).unwrap_or_default();
            format!("{failed} {nap}: untrusted issuer {issuer}")
        }
        VerifyError::NotYetValid | VerifyError::BadNotBefore => {
            format!("{whose} {failed} {nap}: certificate not yet valid")
        }
        VerifyError::Expired | VerifyError::BadNotAfter => {
            format!("{whose} {failed} {nap}: certificate has expired")
        }
        VerifyError::InvalidPurpose => {
            format!("{failed} {nap}: not designated for use as a {}", purpose(*depth))
        }
        VerifyError::ChainTooLong => {
            format!("{failed} {nap}: certificate chain longer than limit(10)")
        }
        error => format!("{whose} {failed} {nap}: num={}:{error}", error.number()),
    }
}

const fn purpose(depth: usize) -> &'static str {
    if depth == 0 { "server certificate" } else { "CA certificate" }
}

/// Writes a digest the way people compare it.
pub(super) fn colons(digest: &[u8]) -> String {
    let mut text = String::with_capacity(digest.len() * 3);
    for byte in digest {
        if !text.is_empty() {
            text.push(':');
        }
        let _ = write!(text, "{byte:02X}");
    }
    text
}

/// Octets of a distinguished name in a message; it is cut between its parts.
const DISTINGUISHED_NAME: usize = 255;

/// A distinguished name, cut to the length that messages have room for.
struct OneLine<'a>(&'a Name);

impl std::fmt::Display for OneLine<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let text = self.0.to_string();
        match text.get(..DISTINGUISHED_NAME) {
            Some(start) => f.write_str(start.rsplit_once('/').map_or(start, |(whole, _)| whole)),
            None => f.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use tlsfinger_core::cert::{Certificate, Digest};
    use tlsfinger_core::config::{Config, ServerCertificates};
    use tlsfinger_core::judge::Step;
    use tlsfinger_core::report::{KeyProof, PeerAddress, TlsVersion};
    use tlsfinger_core::resolve::Tlsa;
    use tlsfinger_core::tls::Suite;

    use super::*;
    use crate::line::{Charset, Severity};
    use crate::options::Runtime;
    use crate::program::Program;
    use crate::settings::{Format, Settings, Show};

    fn subject() -> Name {
        // A certificate that signs itself: subject and issuer are /CN=ec.client.test.
        let pem = include_bytes!("../../../core/src/tls/testdata/ec.crt");
        let der = tlsfinger_core::cert::read_pem(pem).unwrap().remove(0).der;
        Certificate::parse(der.into()).unwrap().subject().clone()
    }

    fn verdict(status: Status, level: Level) -> Verdict {
        Verdict {
            status,
            level,
            satisfied: status == Status::Verified,
            reason: None,
            peername: None,
            matched: None,
            unusable: Vec::new(),
            all_unusable: false,
            name_problems: Vec::new(),
            no_names: false,
            steps: Vec::new(),
            peer: Some(PeerIdentity {
                subject: "MX".into(),
                issuer: "CA".into(),
                problems: Vec::new(),
                certificate: Some(vec![0xab, 0x01]),
                key: vec![0xcd],
            }),
        }
    }

    fn tlsa() -> Tlsa {
        Tlsa { usage: 3, selector: 1, matching: 1, data: Bytes::from_static(&[0xef]) }
    }

    fn tell(log: Log, resumed: bool, verdict: &Verdict) -> Vec<String> {
        let facts = TlsFacts {
            version: TlsVersion::Tls12,
            suite: Suite::by_number(0xc02f).unwrap(),
            group: None,
            server_signature: None,
            key_proof: KeyProof::Proved,
            client_signature: None,
            client_certificate_requested: false,
            chain: vec![],
            certificates: ServerCertificates::X509,
            ocsp: None,
            resumed,
            hello_retry: false,
        };
        let settings = Settings {
            config: Config::default(),
            show: Show {
                chat: false,
                log,
                verbose: 0,
                chain: false,
                digest: Digest::Sha256,
                charset: Charset::Utf8,
            },
            record: None,
            main_cf: None,
            runtime: Runtime::Blocking,
            format: Format::Text,
            all: false,
            enumerating: None,
            explain: false,
            exit_code: false,
            key_log: None,
            cipher_list: String::new(),
            odd_bounds: Vec::new(),
        };
        let peer = Peer { name: "MX".into(), address: PeerAddress::Unix("/x".into()) };
        let mut lines = Vec::new();
        Narrator::new(&settings, &Program::named("tlsfinger")).judged(
            &peer,
            &facts,
            verdict,
            &mut |message| {
                let warning = message.severity == Severity::Warning;
                lines.push(format!("{}{}", if warning { "warning: " } else { "" }, message.text));
            },
        );
        lines
    }

    const PEER: &str = "mx[/x]: subject_CN=MX, issuer=CA, cert fingerprint=AB:01, \
                        pkey fingerprint=CD";

    fn summary(status: Status) -> String {
        format!(
            "{status} TLS connection established to mx[/x]: TLSv1.2 with cipher \
             ECDHE-RSA-AES128-GCM-SHA256 (128/128 bits)"
        )
    }

    #[test]
    fn matches_stand_before_the_peer_and_the_summary() {
        let table = [
            (Match::DaneEe(tlsa()), "Matched DANE EE certificate at depth 0: 3 1 1 EF"),
            (Match::DaneTa(2, tlsa()), "Matched DANE TA certificate at depth 2: 3 1 1 EF"),
            (
                Match::DaneTaKey(1, tlsa()),
                "Matched DANE TA public key verified certificate at depth 1: 3 1 1 EF",
            ),
            (Match::RawKey(tlsa()), "Matched DANE raw public key: 3 1 1 EF"),
            (Match::Fingerprint(tlsa().data), "Matched fingerprint: EF"),
            (Match::Anchor(3), "Matched trust anchor at depth 3"),
        ];
        for (matched, words) in table {
            let mut verdict = verdict(Status::Verified, Level::Dane);
            verdict.matched = Some(matched);
            verdict.peername = Some("*.Example.test".into());
            let expected = [
                "mx[/x]: matched peername: *.Example.test".to_owned(),
                format!("mx[/x]: {words}"),
                PEER.to_owned(),
                summary(Status::Verified),
            ];
            assert_eq!(tell(Log::DEFAULT, false, &verdict), expected);
            assert_eq!(tell(Log::SUMMARY, false, &verdict), expected[3..]);
            assert_eq!(tell(Log::NONE, false, &verdict), [""; 0]);
        }
    }

    #[test]
    fn failures_in_the_words_of_the_reference() {
        use VerifyError::{
            BadNotAfter, BadNotBefore, ChainTooLong, Expired, HostnameMismatch, InvalidAuthority,
            InvalidPurpose, NotYetValid, SelfSigned, SelfSignedInChain, UnableToGetIssuerLocally,
            Untrusted,
        };
        let chain = "certificate verification failed for mx[/x]: ";
        let table = [
            (Untrusted, 0, format!("{chain}not trusted by local or TLSA policy")),
            (SelfSigned, 0, format!("{chain}self-signed certificate")),
            (SelfSignedInChain, 2, format!("{chain}untrusted issuer /CN=ec.client.test")),
            (UnableToGetIssuerLocally, 0, format!("{chain}untrusted issuer /CN=ec.client.test")),
            (NotYetValid, 0, format!("server {chain}certificate not yet valid")),
            (BadNotBefore, 1, format!("CA {chain}certificate not yet valid")),
            (Expired, 0, format!("server {chain}certificate has expired")),
            (BadNotAfter, 1, format!("CA {chain}certificate has expired")),
            (InvalidPurpose, 0, format!("{chain}not designated for use as a server certificate")),
            (InvalidPurpose, 1, format!("{chain}not designated for use as a CA certificate")),
            (ChainTooLong, 0, format!("{chain}certificate chain longer than limit(10)")),
            (HostnameMismatch, 0, format!("server {chain}num=62:hostname mismatch")),
            (InvalidAuthority, 1, format!("CA {chain}num=79:invalid CA certificate")),
        ];
        for (error, depth, words) in table {
            let mut verdict = verdict(Status::Untrusted, Level::Secure);
            verdict.reason = Some(Reason { error, depth, issuer: Some(subject()) });
            assert_eq!(tell(Log::NONE, false, &verdict), [words], "{error:?}");
        }
    }

    #[test]
    fn failures_are_told_where_they_matter() {
        let mut verdict = verdict(Status::Untrusted, Level::May);
        let reason = Reason { error: VerifyError::SelfSigned, depth: 0, issuer: None };
        verdict.reason = Some(reason);
        assert_eq!(tell(Log::NONE, false, &verdict), [""; 0]);
        assert_eq!(tell(Log::UNTRUSTED, false, &verdict).len(), 1);
        let old = "MX[/x]: re-using session with untrusted peer credential, look for details \
                   earlier in the log";
        assert_eq!(tell(Log::UNTRUSTED, true, &verdict), [old]);
        // The level was lowered because no TLSA record is of use; it was demanded all the same.
        verdict.all_unusable = true;
        verdict.unusable = vec![tlsa()];
        let expected = [
            "warning: mx[/x]: unusable TLSA RR: 3 1 1 EF",
            "warning: mx[/x]: all TLSA records unusable, fallback to unauthenticated TLS",
            "certificate verification failed for mx[/x]: self-signed certificate",
        ];
        assert_eq!(tell(Log::NONE, false, &verdict), expected);
    }

    #[test]
    fn odd_names_and_steps_are_told() {
        let mut verdict = verdict(Status::Verified, Level::Verify);
        verdict.name_problems = vec![
            NameProblem::Invalid(".".into()),
            NameProblem::SecondAddress([192, 0, 2, 1].into()),
        ];
        verdict.no_names = true;
        verdict.steps = vec![
            Step { depth: 1, result: Err(VerifyError::Expired), subject: Some(subject()) },
            Step { depth: 0, result: Ok(()), subject: Some(subject()) },
            Step { depth: 0, result: Ok(()), subject: None },
        ];
        verdict.peer.as_mut().unwrap().problems = vec![
            (PeerName::SubjectCommonName, TextProblem::TooLong(310)),
            (PeerName::IssuerCommonName, TextProblem::Nul),
        ];
        let expected = [
            "warning: mx[/x]: ignoring invalid match name: \".\"",
            "warning: mx[/x]: error loading match name: \"192.0.2.1\"",
            "warning: mx[/x]: could not configure peer name checks",
            "mx[/x]: depth=1 verify=0 subject=/CN=ec.client.test",
            "mx[/x]: depth=0 verify=1 subject=/CN=ec.client.test",
            "mx[/x]: verify=1 raw public key",
            "warning: tls_text_name: mx[/x]: peer subject CN too long: 310",
            "warning: tls_text_name: mx[/x]: NULL character in peer issuer CN",
            PEER,
        ];
        assert_eq!(tell(Log::VERBOSE, false, &verdict), expected);
    }

    #[test]
    fn raw_keys_have_no_names() {
        let mut verdict = verdict(Status::Verified, Level::Fingerprint);
        verdict.peer.as_mut().unwrap().certificate = None;
        assert_eq!(tell(Log::PEERCERT, false, &verdict), ["MX[/x]: raw public key fingerprint=CD"]);
    }
}
