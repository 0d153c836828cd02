//! What a verdict rests on, and what to do about it (`--explain`), within 80 columns.

use std::net::IpAddr;

use bytes::Bytes;
use tlsfinger_core::cert::{Certificate, Digest, Examined, GeneralName, Seconds};
use tlsfinger_core::config::{Config, Level, MatchRule, Policy, ServerCertificates};
use tlsfinger_core::judge::{Conclusion, Match, ResultType};
use tlsfinger_core::machine::Endpoint;
use tlsfinger_core::report::{
    Outcome, Report, ScoutCause, Scouted, Session, Status, TlsFacts, Verdict,
};
use tlsfinger_core::resolve::{MxSecurity, ServerReport, Target, Tlsa, TlsaFacts};
use tlsfinger_core::tls::SuiteStatus;
use tlsfinger_core::tls::scout::FlightEnd;

use crate::line::{Message, Tone};
use crate::text::{end_words, not_used, offered};

mod dnssec;

/// Columns of a terminal that everybody has.
pub(crate) const WIDTH: usize = 80;

/// Columns in front of what is explained.
const LABEL: usize = 12;

/// Names of a certificate that are listed; some have hundreds.
const NAMES: usize = 50;

/// What explanations need to know besides the report.
#[derive(Clone, Debug)]
pub(crate) struct Explainer {
    matches: Vec<MatchRule>,
    pins: usize,
    anchors: usize,
    roots: usize,
}

impl Explainer {
    pub(crate) fn new(config: &Config) -> Self {
        let Policy { matches, pins, anchors, trust, .. } = &config.policy;
        let (pins, anchors, roots) = (pins.len(), anchors.len(), trust.len());
        Self { matches: matches.clone(), pins, anchors, roots }
    }

    /// Tells whether nothing could be verified for the only reason that no CA is trusted.
    pub(crate) fn lacks_only_trust(&self, report: &Report) -> bool {
        let not_trusted = report.result_type() == Some(ResultType::CertificateNotTrusted);
        let by_roots = |session: &Session| {
            session.verdict.as_ref().is_some_and(|verdict| verdict.level >= Level::Verify)
        };
        let no_trust = self.roots == 0 && self.anchors == 0;
        not_trusted && no_trust && report.sessions.iter().all(by_roots)
    }

    /// Explains every session of a report, or why there is none.
    pub(crate) fn explain(&self, report: &Report) -> Vec<Message> {
        let mut page = Page::default();
        for session in report.counting_sessions() {
            self.session(session, report, &mut page);
        }
        if let Outcome::Enumerated(found) = &report.outcome {
            page.title(&report.destination.text);
            let words = match found.iter().map(|it| it.findings.len()).sum() {
                0 => "nothing against RFC 9325 and RFC 8996".to_owned(),
                count => format!("{count} remarks by RFC 9325 and RFC 8996"),
            };
            page.toned("Verdict", tone(report.conclusion()), &words);
            if report.conclusion() != Conclusion::Satisfied {
                page.field("To do", "switch off at the server what the remarks name");
            }
        } else if report.sessions.is_empty() {
            page.title(&report.destination.text);
            page.toned("Verdict", Tone::Bad, conclusion_words(report.conclusion()));
            for (peer, error) in &report.unreachable {
                page.field("Tried", &format!("{peer}: {error}"));
            }
            lookup_failure(report, &mut page);
            page.field("To do", advice(report.conclusion(), report.result_type(), self.roots));
        }
        dnssec::chains(&report.route, &mut page);
        page.0
    }

    fn session(&self, session: &Session, report: &Report, page: &mut Page) {
        let Session { target, observation, .. } = session;
        let conclusion = session.conclusion(report.level);
        page.title(&target.peer.to_string());
        let words = conclusion_words(conclusion);
        let tone = tone(conclusion);
        match &session.verdict {
            None => page.toned("Verdict", tone, words),
            Some(verdict) => {
                let (status, level) = (verdict.status, verdict.level.word());
                page.toned("Verdict", tone, &format!("{status}, level {level}: {words}"));
                if let Some(reason) = &verdict.reason {
                    let whose = match reason.depth {
                        0 => "the server's certificate".to_owned(),
                        depth => format!("the certificate at depth {depth}"),
                    };
                    page.field("Reason", &format!("{} ({whose})", reason.error));
                }
                self.compared(verdict, target, page);
            }
        }
        if let Some(scouted) = &session.scouted {
            self.scouted(scouted, target, Seconds::from(report.began), page);
        }
        if let Some(facts) = &observation.tls {
            certificate(facts, Seconds::from(report.began), page);
            dane(target, facts, report.level, page);
        }
        let result = session.result_type(report.level);
        if let Some(result) = result {
            page.field("Type", &format!("{result} (RFC 8460)"));
        }
        if conclusion != Conclusion::Satisfied {
            let failed = |it: &&Scouted| it.cause != ScoutCause::MaybeAnonymous;
            let scouted = session.scouted.as_deref().filter(failed);
            page.field("To do", match scouted.and_then(Scouted::agreed) {
                Some(flight) if !flight.is_spoken() => {
                    "let the server speak TLS 1.2 or better 1.3 with ECDHE and AES-GCM (RFC 9325, \
                     RFC 8996); modern mail servers refuse what it offers"
                }
                _ => advice(conclusion, result, self.roots),
            });
        }
    }

    /// Tells what a server offers that failed the handshake, and who it says it is.
    fn scouted(&self, scouted: &Scouted, target: &Target, now: Seconds, page: &mut Page) {
        let failed = scouted.cause != ScoutCause::MaybeAnonymous;
        let Some(flight) = scouted.agreed() else {
            if failed {
                let words = match scouted.flight.as_ref().map(|flight| flight.end) {
                    Some(FlightEnd::Refused(_)) => {
                        "nothing that an older client could use either".to_owned()
                    }
                    _ => format!("unknown: {}", end_words(scouted.flight.as_ref())),
                };
                page.field("Offered", &words);
            }
            return;
        };
        if !failed {
            if flight.is_anonymous() {
                let words = format!("to clients that do not mind: {}", offered(flight));
                page.field("Anonymous", &words);
            }
            return;
        }
        page.field("Offered", &format!("{}, {}", offered(flight), not_used(flight, scouted.cause)));
        if let Some(suite) = flight.known_suite()
            && suite.status().0 >= SuiteStatus::ShouldNot
        {
            page.field("", suite.status().1);
        }
        let Some(verdict) = &scouted.verdict else { return };
        let reason = verdict.reason.as_ref().map(|reason| format!(": {}", reason.error));
        let words = match (verdict.status, reason) {
            (Status::Anonymous, _) => "none: the server would be anonymous".to_owned(),
            (status, Some(reason)) => format!("{status}{reason}"),
            (status, None) => {
                format!("{status}, by itself; without a handshake nothing is Verified")
            }
        };
        page.field("Identity", &words);
        self.compared(verdict, target, page);
        if !flight.raw_key {
            names_and_dates(&flight.chain, now, page);
        }
    }

    /// Tells what was held against what.
    fn compared(&self, verdict: &Verdict, target: &Target, page: &mut Page) {
        let names = |names: Vec<String>| match names.is_empty() {
            true => "nothing".to_owned(),
            false => names.join(", "),
        };
        match verdict.level {
            Level::None | Level::May | Level::Encrypt => {
                page.field("Compared", "nothing: the level demands no certificate");
            }
            Level::Fingerprint => page.field(
                "Compared",
                &format!("digests of certificate and key with the {} given", self.pins),
            ),
            Level::HalfDane | Level::Dane | Level::DaneOnly => {
                let set = target.tlsa.iter().flat_map(|set| set.usable());
                for tlsa in set {
                    let matched = matched_record(verdict) == Some(tlsa);
                    let (word, tone) = match matched {
                        true => ("matches", Tone::Good),
                        false => ("does not match", Tone::Plain),
                    };
                    page.toned("Compared", tone, &format!("{word}: TLSA {tlsa}"));
                }
                if matches!(verdict.matched, Some(Match::DaneTa(..) | Match::DaneTaKey(..))) {
                    page.field("With names", &names(target.match_names.clone()));
                }
            }
            Level::Verify | Level::Secure => {
                page.field("With names", &names(self.reference_names(verdict.level, target)));
                page.field(
                    "With trust",
                    &match (self.anchors, self.roots) {
                        (0, 0) => "no CA: none is trusted unless you name one".to_owned(),
                        (0, roots) => format!("{roots} trusted CA certificates"),
                        (anchors, _) => format!("{anchors} trust anchors"),
                    },
                );
            }
        }
        if let Some(name) = &verdict.peername {
            page.toned("Fits", Tone::Good, name);
        }
    }

    fn reference_names(&self, level: Level, target: &Target) -> Vec<String> {
        let default = match level {
            Level::Verify => &[MatchRule::Hostname][..],
            _ => &[MatchRule::Nexthop, MatchRule::DotNexthop],
        };
        let rules = if self.matches.is_empty() { default } else { &self.matches };
        let name = |rule: &MatchRule| match rule {
            MatchRule::Hostname => target.host.to_string(),
            MatchRule::Nexthop => target.nexthop.to_string(),
            MatchRule::DotNexthop => format!(".{}", target.nexthop),
            MatchRule::Name(name) => name.clone(),
            MatchRule::Address(address) => address.to_string(),
        };
        rules.iter().map(name).collect()
    }
}

/// Explains what the name servers can do.
pub(crate) fn resolver(server: &ServerReport) -> Vec<Message> {
    let mut page = Page::default();
    page.title(&format!("name server {}", server.server.address));
    let answers = |answered: &Result<(), _>| if answered.is_ok() { "answers" } else { "silent" };
    page.field(
        "Reached",
        &match server.over_tls {
            true => format!("TLS {}", answers(&server.tcp)),
            false => format!("UDP {}, TCP {}", answers(&server.udp), answers(&server.tcp)),
        },
    );
    let word = |fact: Option<bool>| match fact {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unknown",
    };
    page.field(
        "DNSSEC",
        &format!(
            "validates: {}; marks signed answers (AD): {}; hands out signatures: {}",
            word(server.validates),
            word(server.sets_ad),
            word(server.hands_out_signatures),
        ),
    );
    page.field(
        "To do",
        match (server.trusted, server.sets_ad, server.validates) {
            (false, ..) if server.over_tls => {
                "its word on DNSSEC is not taken, because it did not prove by TLS who it is: see \
             that its name and its CA are right"
            }
            (false, ..) => {
                "its word on DNSSEC is not taken, because it is not on this host: use a validating \
             resolver on this host or over TLS, or set trust-ad in resolv.conf or --dnssec trust \
             if the way to it is safe"
            }
            (true, Some(true), Some(true)) => {
                "nothing here: the resolver is fine, so it is the domain that is not signed"
            }
            (true, Some(false), _) | (true, _, Some(false)) => {
                "the resolver does not validate: use one that does, such as unbound"
            }
            (true, ..) => {
                "its answers leave it open whether it validates; DANE needs one that does"
            }
        },
    );
    page.0
}

/// Tells whether DANE was wanted and DNS gave nothing secure to build it on.
pub(crate) fn misses_dnssec(report: &Report) -> bool {
    let wanted = matches!(report.level, Level::Dane | Level::DaneOnly);
    let hosts = &report.route.hosts;
    let addresses = || hosts.iter().flat_map(|host| &host.addresses);
    let failed = addresses().any(|at| matches!(at.tlsa, TlsaFacts::Failed(_)));
    let insecure =
        report.route.security == MxSecurity::Insecure || addresses().any(|at| !at.secure);
    wanted && (failed || insecure) && !hosts.is_empty()
}

/// Tells why nothing was found, in the name server's words too.
fn lookup_failure(report: &Report, page: &mut Page) {
    if let Outcome::LookupFailed(error) = &report.outcome {
        page.field("Reason", &error.to_string());
        for extended in error.extended() {
            page.field("Resolver", &format!("says: {extended}"));
        }
    }
}

/// Tells who the server says it is, and until when.
fn certificate(facts: &TlsFacts, now: Seconds, page: &mut Page) {
    if facts.certificates == ServerCertificates::X509 {
        names_and_dates(&facts.chain, now, page);
    }
}

fn names_and_dates(chain: &[Bytes], now: Seconds, page: &mut Page) {
    let Some(Ok(certificate)) = chain.first().map(|der| Certificate::parse(der.clone())) else {
        return;
    };
    let examined = Examined::new(certificate);
    let names = examined.extensions().names();
    let dns = names.iter().filter_map(|name| match name {
        GeneralName::Dns(name) => Some(String::from_utf8_lossy(name).into_owned()),
        GeneralName::Ip(_) => name.address().map(|address| address.to_string()),
        _ => None,
    });
    let mut list: Vec<String> = dns.take(NAMES).collect();
    if list.is_empty() {
        list.extend(
            examined.certificate().subject().common_names().map(|name| format!("CN={name}")),
        );
    }
    if names.len() > list.len() {
        list.push(format!("and {} more", names.len() - list.len()));
    }
    page.field("Names", &if list.is_empty() { "none".to_owned() } else { list.join(", ") });
    page.field("Issuer", &examined.certificate().issuer().to_string());
    let validity = examined.validity();
    let day = |time: Option<Seconds>| match time {
        Some(time) => time.to_string().chars().take(10).collect(),
        None => "?".to_owned(),
    };
    let (from, to) = (day(validity.not_before), day(validity.not_after));
    let days = validity.not_after.map(|end| (end.0 - now.0).div_euclid(86_400));
    match days {
        Some(days @ 0..) => page.field("Valid", &format!("{from} to {to}, {days} more days")),
        Some(_) => page.toned("Valid", Tone::Bad, &format!("{from} to {to}: expired")),
        None => page.field("Valid", &format!("{from} to {to}")),
    }
}

/// Tells what DANE has, or would need: the record that pins the server's key.
fn dane(target: &Target, facts: &TlsFacts, level: Level, page: &mut Page) {
    let (Some(own), Endpoint::Tcp(_)) = (facts.chain.first(), &target.endpoint) else { return };
    let spki = match facts.certificates {
        ServerCertificates::RawPublicKey => own.clone(),
        ServerCertificates::X509 => match Certificate::parse(own.clone()) {
            Ok(certificate) => certificate.spki().clone(),
            Err(_) => return,
        },
    };
    let is_address = target.host.parse::<IpAddr>().is_ok();
    page.field(
        "DANE",
        match (&target.tlsa, target.mx, target.address_secure) {
            _ if is_address => "only for names; a host name in a signed zone would need",
            _ if !matches!(level, Level::Dane | Level::DaneOnly) => {
                "not looked at by this level; it needs a signed zone with the record"
            }
            (Some(_), MxSecurity::Insecure, _) => "TLSA records, but the MX record is not signed",
            (Some(_), ..) => "TLSA records; one that fits this server's key is",
            (None, _, false) => "not possible: the host's zone is not signed; it would need",
            (None, _, true) => "no TLSA record; one that fits this server's key is",
        },
    );
    let query = match &target.tlsa {
        Some(set) => set.query.clone(),
        None if is_address => format!("_{}._tcp.HOST", target.port),
        None => format!("_{}._tcp.{}", target.port, target.host),
    };
    let digest: String =
        Digest::Sha256.of(&[&spki]).iter().map(|octet| format!("{octet:02X}")).collect();
    page.field("", &format!("{query}. IN TLSA 3 1 1 ("));
    page.field("", &format!("{digest} )"));
}

fn matched_record(verdict: &Verdict) -> Option<&Tlsa> {
    match verdict.matched.as_ref()? {
        Match::DaneEe(tlsa) | Match::DaneTa(_, tlsa) | Match::DaneTaKey(_, tlsa) => Some(tlsa),
        Match::RawKey(tlsa) => Some(tlsa),
        Match::Fingerprint(_) | Match::Anchor(_) => None,
    }
}

const fn tone(conclusion: Conclusion) -> Tone {
    match conclusion {
        Conclusion::Satisfied => Tone::Good,
        _ => Tone::Bad,
    }
}

const fn conclusion_words(conclusion: Conclusion) -> &'static str {
    match conclusion {
        Conclusion::Satisfied => "the policy is satisfied",
        Conclusion::NotSatisfied => "the policy is not satisfied",
        Conclusion::NoStartTls => "the server does not offer STARTTLS, or refuses it",
        Conclusion::HandshakeFailed => "the TLS handshake failed",
        Conclusion::NoDialogue => "no connection, or no dialogue up to its end",
        Conclusion::LookupFailed => "the servers, or their TLSA records, could not be looked up",
    }
}

fn advice(conclusion: Conclusion, result: Option<ResultType>, roots: usize) -> &'static str {
    match result {
        Some(ResultType::StartTlsNotSupported) => {
            "switch TLS on at the server; until then mail goes there in the clear, or not at all \
             from senders that demand TLS"
        }
        Some(ResultType::CertificateHostMismatch) => {
            "get a certificate for the names above; or if another name is right, give it behind \
             the destination"
        }
        Some(ResultType::CertificateExpired) => "renew the certificate, and reload the server",
        Some(ResultType::CertificateNotTrusted) if roots == 0 => {
            "name a CA by -F or -P, or trust those of Mozilla by --webpki-roots; or publish the \
             TLSA record"
        }
        Some(ResultType::CertificateNotTrusted) => {
            "see that the server sends all intermediate certificates, and that its CA is among \
             those trusted"
        }
        Some(ResultType::TlsaInvalid) => {
            "publish the record above beside the old ones; next time do so before the key \
             changes, and wait for the old TTL to pass"
        }
        Some(ResultType::DnssecInvalid) => {
            "repair the zone's signatures or its name servers; senders that do DANE keep mail \
             back meanwhile"
        }
        Some(ResultType::DaneRequired) => "sign the zone with DNSSEC and publish the TLSA record",
        Some(ResultType::ValidationFailure) => {
            "see what the lines about TLS say, and the log of the server; -L ssl-debug tells more"
        }
        None => match conclusion {
            Conclusion::LookupFailed => "see that the domain exists, and its name servers answer",
            _ => "see that the server runs and lets this host connect; its replies tell why not",
        },
    }
}

/// Lines of labelled text.
#[derive(Debug, Default)]
struct Page(Vec<Message>);

impl Page {
    fn title(&mut self, text: &str) {
        self.0.push(Message::bare(""));
        self.0.extend(wrap(text, WIDTH).into_iter().map(Message::bare));
    }

    fn field(&mut self, label: &str, text: &str) {
        self.toned(label, Tone::Plain, text);
    }

    fn toned(&mut self, label: &str, tone: Tone, text: &str) {
        let mut label = label;
        for line in wrap(text, WIDTH - LABEL) {
            self.0.push(Message::bare(format!("  {label:0$}{line}", LABEL - 2)).toned(tone));
            label = "";
        }
    }
}

/// Breaks a text between words, and words that are too long anywhere.
pub(crate) fn wrap(text: &str, width: usize) -> Vec<String> {
    if text.chars().count() <= width {
        return vec![text.to_owned()];
    }
    let mut lines = Vec::new();
    let (mut line, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        if column > 0 && column + 1 + word.chars().count() > width {
            lines.push(std::mem::take(&mut line));
            column = 0;
        } else if column > 0 {
            line.push(' ');
            column += 1;
        }
        for c in word.chars() {
            if column == width {
                lines.push(std::mem::take(&mut line));
                column = 0;
            }
            line.push(c);
            column += 1;
        }
    }
    lines.push(line);
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_within_long_ones() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("a 123456789", 4), ["a", "1234", "5678", "9"]);
        assert_eq!(wrap("", 4), [""]);
    }

    #[test]
    fn long_names_stay_within_the_width() {
        let mut page = Page::default();
        page.title(&"x".repeat(300));
        page.field("Names", &format!("{} {}", "\u{fc}".repeat(200), "y ".repeat(100)));
        assert!(page.0.iter().all(|line| line.text.chars().count() <= WIDTH));
    }
}
