//! Words for people: from events to messages, in the wording of Postfix 3.11.

mod chain;
mod dump;
pub(crate) mod hygiene;
mod lookup;
mod messages;
mod openssl;
mod proxied;
mod scouted;
mod summary;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use tlsfinger_core::IoError;
use tlsfinger_core::cert::KeyKind;
use tlsfinger_core::config::{Level, OfferFlaw, ServerCertificates};
use tlsfinger_core::report::{
    CacheStep, Direction, Event, HandshakeError, Peer, PeerAddress, Reconnect, Step, StepProblem,
    TlsFacts, TlsMessage, TlsNote,
};

use crate::line::{Message, ServerText};
use crate::log::Log;
use crate::program::Program;
use crate::settings::{Settings, Show};

pub(crate) use scouted::{end_words, not_used, offered, version_and_cipher};

/// Tells the story of one destination.
#[derive(Debug)]
pub(crate) struct Narrator {
    show: Show,
    /// EHLO or LHLO.
    hello: &'static str,
    /// The destination as typed.
    destination: String,
    cipher_list: String,
    odd_bounds: Vec<String>,
    /// The kinds of keys that may sign for this client.
    client_keys: Vec<KeyKind>,
    /// What the reference does not tell is told even if nobody asked for more.
    tells_more: bool,
    /// How long connecting, and the greeting after it, may take.
    connect_timeout: Duration,
    /// The level is `dane-only`.
    dane_only: bool,
    /// The server of the session under way, as it is named in messages.
    peer: String,
    /// What the first session with TLS showed, until its chain is told.
    facts: Option<Arc<TlsFacts>>,
}

impl Narrator {
    pub(crate) fn new(settings: &Settings, program: &Program) -> Self {
        let Settings { config, show, .. } = settings;
        Self {
            show: *show,
            hello: config.dialect.hello(),
            destination: config.destination.text.clone(),
            cipher_list: settings.cipher_list.clone(),
            odd_bounds: settings.odd_bounds.clone(),
            client_keys: config.policy.identity.key_kinds().collect(),
            tells_more: !program.is_posttls_finger() || show.verbose > 0,
            connect_timeout: config.connect_timeout,
            dane_only: config.level == Level::DaneOnly,
            peer: String::new(),
            facts: None,
        }
    }

    /// Says what an event means, in any number of messages.
    pub(crate) fn tell(&mut self, event: &Event, say: &mut dyn FnMut(Message)) {
        match event {
            Event::Lookup(note) => self.lookup(note, say),
            Event::LookupFailed(error) => {
                say(Message::info(format!("Destination address lookup failed: {error}")));
                self.extended(error, say);
            }
            Event::ConnectFailed(peer, error) => {
                self.tried(peer, say);
                say(self.connect_failed(peer, error));
            }
            Event::Connected(peer) => {
                self.peer = peer.to_string();
                self.tried(peer, say);
                if self.show.verbose > 0 {
                    // Each reply has its deadline; this is the greeting's.
                    let limit = self.connect_timeout.as_secs();
                    let rest = "enable_deadline=1 min_data_rate=0";
                    say(Message::info(format!("smtp_stream_setup: maxtime={limit} {rest}")));
                }
                if self.show.chat {
                    say(Message::info(format!("Connected to {peer}")));
                }
            }
            Event::Command(command) => {
                if command == "QUIT" {
                    self.tell_chain(say);
                }
                if self.show.chat {
                    say(Message::info(format!("> {command}")));
                }
            }
            Event::ReplyLine(line) if self.show.chat => {
                say(Message::info(format!("< {}", ServerText(line))));
            }
            Event::ReplyLine(_) => {}
            Event::TextBeforeTls { octets } => {
                if self.tells_more {
                    say(Message::warning(format!(
                        "{}: dropped {octets} octets of plain text that came before TLS \
                         (CVE-2011-0411)",
                        self.peer
                    )));
                }
            }
            Event::StepFailed(step, problem) => self.step_failed(*step, problem, say),
            Event::Negotiating(peer, _) => self.negotiating(peer, say),
            Event::ServerName(name) => {
                if self.show.log.has(Log::SSL_DEBUG) {
                    say(Message::info(format!("{}: SNI hostname: {name}", self.peer)));
                }
            }
            Event::ServerNameNotSent(name) => {
                let words = "ignoring SNI hostname that cannot be sent";
                say(Message::warning(format!("{}: {words}: {name}", self.peer)));
            }
            Event::Cache(step, key) => {
                if self.show.log.has(Log::CACHE) {
                    say(Message::info(match step {
                        CacheStep::Looking => format!("looking for session {key} in memory cache"),
                        CacheStep::Reloaded => format!("reloaded session {key} from memory cache"),
                        CacheStep::Saved => format!("save session {key} to memory cache"),
                        CacheStep::Removed => format!("remove session {key} from client cache"),
                    }));
                }
            }
            Event::Reused(peer) => {
                if self.show.log.has(Log::CACHE) {
                    say(Message::info(format!("{}: Reusing old session", lower(peer))));
                }
            }
            Event::Reconnect(next) => self.reconnect(*next, say),
            Event::Inspected(peer, found) => {
                hygiene::hygiene(peer, found).into_iter().for_each(say)
            }
            Event::Tls(note) => self.look_inside(note, say),
            Event::HandshakeFailed(peer, error) => handshake_failed(peer, error, say),
            Event::TlsBroke(_, error) => say(openssl::library_problem(error)),
            Event::Judged(peer, facts, verdict) => {
                self.judged(peer, facts, verdict, say);
                self.facts = (self.show.chain && !facts.resumed).then(|| facts.clone());
            }
            Event::Proxied(peer, facts) => self.proxied(peer, facts, say),
            Event::Scouting(peer, hello) => self.scouting(peer, hello, say),
            Event::Scouted(peer, scouted) => self.scouted(peer, scouted, say),
            Event::Truncated(peer) => {
                if self.show.verbose > 0 {
                    say(Message::info(format!("{peer}: connection closed without close_notify")));
                }
            }
        }
    }

    /// Tells the chain that the server sent, once all else of the session has been told.
    fn tell_chain(&mut self, say: &mut dyn FnMut(Message)) {
        let Some(facts) = self.facts.take() else { return };
        if facts.certificates == ServerCertificates::X509 {
            for line in chain::lines(&facts.chain, self.show.digest) {
                say(Message::bare(line));
            }
        }
    }

    /// Tells which address a connection was tried to, before how that went.
    fn tried(&self, peer: &Peer, say: &mut dyn FnMut(Message)) {
        if let PeerAddress::Inet(ip, port) = peer.address
            && self.show.verbose > 0
        {
            let name = &peer.name;
            say(Message::info(format!("connect_addr: trying: {name}[{ip}] port {port}...")));
        }
    }

    fn connect_failed(&self, peer: &Peer, error: &IoError) -> Message {
        let destination = &self.destination;
        let via = match &peer.address {
            PeerAddress::Inet(_, port) => format!(" via {}:{port}", peer.name),
            PeerAddress::Unix(_) => String::new(),
        };
        Message::info(format!(
            "Failed to establish session to {destination}{via}: connect to {peer}: {error}"
        ))
    }

    fn step_failed(&self, step: Step, problem: &StepProblem, say: &mut dyn FnMut(Message)) {
        let hello = self.hello;
        if let StepProblem::Refused(reply) = problem {
            let refusal = match step {
                Step::Connect | Step::Greeting => "SMTP service not available".to_owned(),
                Step::Hello | Step::HelloAgain => format!("{hello} rejected"),
                Step::StartTls => "STARTTLS rejected".to_owned(),
                Step::Quit => "QUIT rejected".to_owned(),
                Step::Handshake => return,
            };
            let text = ServerText(&reply.text);
            return say(Message::info(format!("{refusal}: {} {text}", reply.code)));
        }
        let failure = match problem {
            StepProblem::Lost(_) | StepProblem::Refused(_) => "lost connection",
            StepProblem::TimedOut => "timeout",
            StepProblem::ReplyTooLong => "endless reply",
        };
        match step {
            Step::Greeting => {
                say(Message::info(format!("{failure} while reading server greeting")));
            }
            Step::Hello | Step::HelloAgain => {
                say(Message::info(format!("{failure} while sending {hello}")));
            }
            Step::StartTls => say(Message::fatal(format!("{failure} while sending STARTTLS"))),
            Step::Quit => {
                say(Message::warning(format!("{failure} while sending QUIT command")));
            }
            // These have events of their own.
            Step::Connect | Step::Handshake => {}
        }
    }

    fn negotiating(&mut self, peer: &Peer, say: &mut dyn FnMut(Message)) {
        self.peer = peer.to_string();
        let verbose = self.show.log.has(Log::VERBOSE);
        if verbose {
            say(Message::info(format!("setting up TLS connection to {peer}")));
        }
        for bound in &self.odd_bounds {
            say(Message::warning(format!("{}: {bound}", lower(peer))));
        }
        if verbose {
            say(Message::info(format!("{peer}: TLS cipher list \"{}\"", self.cipher_list)));
        }
        if self.show.log.has(Log::SSL_DEBUG) {
            say(Message::info("SSL_connect:before SSL initialization"));
        }
    }

    fn reconnect(&mut self, next: Reconnect, say: &mut dyn FnMut(Message)) {
        say(Message::info(match next {
            Reconnect::Declined => "Server declined session caching. Done reconnecting.".to_owned(),
            Reconnect::Found => "Found a previously used server.  Done reconnecting.".to_owned(),
            Reconnect::Exhausted => "Maximum reconnect count reached.".to_owned(),
            Reconnect::After(delay) => format!("Reconnecting after {} seconds", delay.as_secs()),
        }));
        // From now on it is about the cache; the certificate has been told of.
        let told = Log::CERTMATCH | Log::PEERCERT | Log::VERBOSE;
        self.show.chain = false;
        self.show.log = self.show.log.without(told) | Log::CACHE | Log::SUMMARY;
    }

    fn look_inside(&self, note: &TlsNote, say: &mut dyn FnMut(Message)) {
        let debug = self.show.log.has(Log::SSL_DEBUG);
        match note {
            TlsNote::Record(direction, header) if debug => {
                messages::record(*direction, *header).into_iter().map(Message::bare).for_each(say);
            }
            TlsNote::Message(direction, message) if debug => {
                let told = match message {
                    TlsMessage::Plain(message) => messages::message(message),
                    TlsMessage::Disclosed(disclosure) => messages::disclosure(disclosure),
                    TlsMessage::ChangeCipherSpec | TlsMessage::Encrypted | TlsMessage::Complete => {
                        Vec::new()
                    }
                };
                told.into_iter().map(Message::bare).for_each(&mut *say);
                let state = openssl::state(*direction, message);
                say(Message::info(format!("SSL_connect:{state}")));
            }
            TlsNote::Alert(direction, alert) if debug => {
                if let Some(words) = openssl::alert_state(*direction, *alert) {
                    say(Message::info(words));
                }
            }
            TlsNote::Record(..) | TlsNote::Message(..) | TlsNote::Alert(..) => {}
            TlsNote::Text { direction, octets, beginning } => {
                let verb = match direction {
                    Direction::Sent => "Write",
                    Direction::Received => "Read",
                };
                let text = ServerText(beginning);
                say(Message::info(format!("{verb} {octets} chars: {text}")));
            }
            // For files, not for people.
            TlsNote::Secret(_) | TlsNote::Signed(_) | TlsNote::Tunnel(_) => {}
            TlsNote::Wire(direction, bytes) => dump::packet(*direction, bytes, say),
        }
    }
}

/// Names a server the way most messages about TLS do: in lower case.
fn lower(peer: &Peer) -> String {
    peer.to_string().to_lowercase()
}

fn handshake_failed(peer: &Peer, error: &HandshakeError, say: &mut dyn FnMut(Message)) {
    let low = lower(peer);
    if let HandshakeError::Proxy(error) = error {
        return say(proxied::failure(error));
    }
    let mut flawed = |text: String| say(Message::warning(text));
    let (reason, explanation) = match error {
        HandshakeError::Lost => ("lost connection", None),
        HandshakeError::Broke(error) => (error.message.as_str(), None),
        HandshakeError::TimedOut => ("Connection timed out", None),
        HandshakeError::Proxy(_) => return,
        // The reference's number for errors that the library explains in a line of its own.
        HandshakeError::Tls(error) => ("-1", Some(openssl::library_problem(error))),
        HandshakeError::NothingToOffer(flaw) => match flaw {
            OfferFlaw::NoVersion => ("-1", Some(openssl::no_version())),
            OfferFlaw::NoSuite => ("-1", Some(openssl::no_suite())),
            OfferFlaw::NoGroup => ("-1", Some(openssl::no_group())),
            OfferFlaw::Protocols(list) => {
                let words = "aborting TLS session";
                return flawed(format!("{peer}: Invalid TLS protocol list \"{list}\": {words}"));
            }
            OfferFlaw::Grade(grade) => {
                return flawed(format!("{low}: invalid cipher grade: \"{grade}\""));
            }
            OfferFlaw::Ciphers(grade) => {
                return flawed(format!("{low}: error setting cipher grade: \"{grade}\""));
            }
        },
    };
    say(Message::info(format!("SSL_connect error to {peer}: {reason}")));
    if let Some(explanation) = explanation {
        say(explanation);
    }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use tlsfinger_core::IoErrorKind;
    use tlsfinger_core::config::{Config, Level, Offer};
    use tlsfinger_core::destination::{Destination, Place};
    use tlsfinger_core::report::{
        Alert, Direction, Group, HandshakeMessage, KeyProof, SignatureScheme, Status, TlsError,
        TlsMessage, TlsVersion, Verdict,
    };
    use tlsfinger_core::session::Reply;
    use tlsfinger_core::tls::Suite;

    use tlsfinger_core::report::{LookupError, LookupNote};
    use tlsfinger_core::resolve::RecordType;

    use tlsfinger_core::cert::Digest;

    use super::*;
    use crate::line::Charset;
    use crate::line::Severity;
    use crate::options::Runtime;
    use crate::settings::Format;

    fn narrator(name: &str, chat: bool, log: Log, verbose: u32) -> Narrator {
        let place = Place::Unix("/run/x".into());
        let config = Config {
            destination: Destination { text: "Example.test".into(), place },
            ..Config::default()
        };
        let (digest, charset) = (Digest::Sha256, Charset::Utf8);
        let show = Show { chat, log, verbose, chain: false, digest, charset };
        let settings = Settings {
            config,
            show,
            record: None,
            main_cf: None,
            runtime: Runtime::Blocking,
            format: Format::Text,
            all: false,
            enumerating: None,
            explain: false,
            exit_code: false,
            key_log: None,
            cipher_list: "HIGH".into(),
            odd_bounds: vec!["odd bound".into()],
        };
        Narrator::new(&settings, &Program::named(name))
    }

    fn tell(narrator: &mut Narrator, event: &Event) -> Vec<String> {
        let mut lines = Vec::new();
        narrator.tell(event, &mut |message| {
            lines.push(match message.severity {
                Severity::Info | Severity::Bare => message.text,
                Severity::Warning => format!("warning: {}", message.text),
                Severity::Fatal => format!("fatal: {}", message.text),
            });
        });
        lines
    }

    fn peer() -> Arc<Peer> {
        let address = PeerAddress::Inet(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 25);
        Arc::new(Peer { name: "MX.test".into(), address })
    }

    fn plain(kind: u8) -> TlsMessage {
        TlsMessage::Plain(HandshakeMessage { kind, octets: 7, content: None })
    }

    fn io_error(message: &str) -> IoError {
        IoError { kind: IoErrorKind::Other, code: 1, message: message.into() }
    }

    fn reply(code: u16, text: &'static str) -> StepProblem {
        StepProblem::Refused(Reply { code, text: text.as_bytes().into() })
    }

    fn judged() -> Event {
        let facts = TlsFacts {
            version: TlsVersion::Tls13,
            suite: Suite::by_number(0x1301).unwrap(),
            group: Some(Group::Secp256r1),
            server_signature: Some(SignatureScheme(0x0807)),
            key_proof: KeyProof::Proved,
            client_signature: None,
            client_certificate_requested: false,
            chain: vec![],
            certificates: ServerCertificates::X509,
            ocsp: None,
            resumed: false,
            hello_retry: false,
        };
        let verdict = Verdict {
            status: Status::Untrusted,
            level: Level::Secure,
            satisfied: false,
            reason: None,
            peername: None,
            matched: None,
            unusable: vec![],
            all_unusable: false,
            name_problems: vec![],
            no_names: false,
            steps: vec![],
            peer: None,
        };
        Event::Judged(peer(), facts.into(), verdict.into())
    }

    #[test]
    fn lines_of_the_reference() {
        let unix = Peer { name: "c.test".into(), address: PeerAddress::Unix("/run/x".into()) };
        let table: Vec<(Event, &[&str])> = vec![
            (
                Event::LookupFailed(LookupError::Native {
                    host: "h".into(),
                    error: io_error("Name or service not known"),
                }),
                &["Destination address lookup failed: unable to look up host h: \
                   Name or service not known"],
            ),
            (
                Event::LookupFailed(LookupError::NativeNotFound { host: "h".into() }),
                &["Destination address lookup failed: h: host not found"],
            ),
            (
                Event::ConnectFailed(peer(), io_error("Connection refused")),
                &["Failed to establish session to Example.test via MX.test:25: \
                   connect to MX.test[192.0.2.1]:25: Connection refused"],
            ),
            (
                Event::ConnectFailed(unix.into(), io_error("No such file or directory")),
                &["Failed to establish session to Example.test: \
                   connect to c.test[/run/x]: No such file or directory"],
            ),
            (Event::Connected(peer()), &["Connected to MX.test[192.0.2.1]:25"]),
            (Event::Command("EHLO c.test".into()), &["> EHLO c.test"]),
            (Event::ReplyLine("250-b\u{fc}\tx".into()), &["< 250-b??\tx"]),
            (
                Event::StepFailed(Step::Greeting, reply(554, "go away\nnow")),
                &["SMTP service not available: 554 go away\nnow"],
            ),
            (Event::StepFailed(Step::Hello, reply(0, "")), &["EHLO rejected: 0 "]),
            (Event::StepFailed(Step::StartTls, reply(454, "no")), &["STARTTLS rejected: 454 no"]),
            (
                Event::StepFailed(Step::Greeting, StepProblem::Lost(None)),
                &["lost connection while reading server greeting"],
            ),
            (
                Event::StepFailed(Step::HelloAgain, StepProblem::TimedOut),
                &["timeout while sending EHLO"],
            ),
            (
                Event::StepFailed(Step::StartTls, StepProblem::TimedOut),
                &["fatal: timeout while sending STARTTLS"],
            ),
            (
                Event::StepFailed(Step::Quit, StepProblem::Lost(Some(io_error("x")))),
                &["warning: lost connection while sending QUIT command"],
            ),
            (
                Event::HandshakeFailed(peer(), HandshakeError::Lost),
                &["SSL_connect error to MX.test[192.0.2.1]:25: lost connection"],
            ),
            (
                Event::HandshakeFailed(peer(), HandshakeError::TimedOut),
                &["SSL_connect error to MX.test[192.0.2.1]:25: Connection timed out"],
            ),
            (
                Event::HandshakeFailed(peer(), HandshakeError::Broke(io_error("Broken"))),
                &["SSL_connect error to MX.test[192.0.2.1]:25: Broken"],
            ),
            (
                Event::HandshakeFailed(
                    peer(),
                    HandshakeError::NothingToOffer(OfferFlaw::NoVersion),
                ),
                &[
                    "SSL_connect error to MX.test[192.0.2.1]:25: -1",
                    "warning: TLS library problem: error:0A0000BF:SSL routines::\
                     no protocols available:",
                ],
            ),
            (
                Event::HandshakeFailed(
                    peer(),
                    HandshakeError::NothingToOffer(OfferFlaw::Protocols("TLSv9".into())),
                ),
                &["warning: MX.test[192.0.2.1]:25: Invalid TLS protocol list \"TLSv9\": \
                   aborting TLS session"],
            ),
            (
                Event::HandshakeFailed(
                    peer(),
                    HandshakeError::NothingToOffer(OfferFlaw::Grade("Best".into())),
                ),
                &["warning: mx.test[192.0.2.1]:25: invalid cipher grade: \"Best\""],
            ),
            (
                Event::HandshakeFailed(peer(), HandshakeError::Tls(TlsError::NotTls)),
                &[
                    "SSL_connect error to MX.test[192.0.2.1]:25: -1",
                    "warning: TLS library problem: error:0A00010B:SSL routines::\
                     wrong version number:",
                ],
            ),
            (
                Event::TlsBroke(peer(), TlsError::AlertReceived(Alert(116))),
                &["warning: TLS library problem: error:0A00045C:SSL routines::\
                   tlsv13 alert certificate required:SSL alert number 116:"],
            ),
            (
                judged(),
                &["Untrusted TLS connection established to mx.test[192.0.2.1]:25: TLSv1.3 with \
                   cipher TLS_AES_128_GCM_SHA256 (128/128 bits) key-exchange secp256r1 \
                   server-signature ED25519"],
            ),
        ];
        for (event, lines) in table {
            let mut narrator = narrator("posttls-finger", true, Log::SUMMARY, 0);
            assert_eq!(tell(&mut narrator, &event), lines, "{event:?}");
        }
    }

    #[test]
    fn what_is_not_wanted_is_not_told() {
        let quiet = [
            Event::Connected(peer()),
            Event::Command("QUIT".into()),
            Event::ReplyLine("220 x".into()),
            Event::ServerName("h".into()),
            Event::Tls(TlsNote::Message(Direction::Sent, plain(1))),
            Event::Tls(TlsNote::Alert(Direction::Received, Alert(40))),
            Event::Truncated(peer()),
            Event::TextBeforeTls { octets: 3 },
            judged(),
        ];
        for event in quiet {
            let mut narrator = narrator("posttls-finger", false, Log::NONE, 0);
            assert_eq!(tell(&mut narrator, &event), [""; 0], "{event:?}");
        }
    }

    #[test]
    fn insides_of_tls() {
        let mut narrator = narrator("tlsfinger", false, Log::SSL_DEBUG | Log::VERBOSE, 0);
        let events = [
            Event::Negotiating(peer(), Offer::default().into()),
            Event::ServerName("h.test".into()),
            Event::Tls(TlsNote::Message(Direction::Sent, plain(1))),
            Event::Tls(TlsNote::Message(Direction::Received, plain(2))),
            Event::Tls(TlsNote::Alert(Direction::Received, Alert(40))),
            Event::Tls(TlsNote::Message(Direction::Sent, TlsMessage::Complete)),
            Event::Tls(TlsNote::Text {
                direction: Direction::Sent,
                octets: 41,
                beginning: "EHLO\r\n\u{fc}".into(),
            }),
        ];
        let lines: Vec<_> = events.iter().flat_map(|event| tell(&mut narrator, event)).collect();
        let expected = [
            "setting up TLS connection to MX.test[192.0.2.1]:25",
            "warning: mx.test[192.0.2.1]:25: odd bound",
            "MX.test[192.0.2.1]:25: TLS cipher list \"HIGH\"",
            "SSL_connect:before SSL initialization",
            "MX.test[192.0.2.1]:25: SNI hostname: h.test",
            "    ClientHello, Length=7",
            "      cannot be taken apart",
            "",
            "SSL_connect:SSLv3/TLS write client hello",
            "    ServerHello, Length=7",
            "      cannot be taken apart",
            "",
            "SSL_connect:SSLv3/TLS read server hello",
            "SSL3 alert read:fatal:handshake failure",
            "SSL_connect:SSL negotiation finished successfully",
            "Write 41 chars: EHLO\r\n??",
        ];
        assert_eq!(lines, expected);
    }

    #[test]
    fn text_in_front_of_tls_is_told_unless_scripts_of_the_reference_read() {
        let told = |name, verbose| {
            let mut narrator = narrator(name, false, Log::NONE, verbose);
            tell(&mut narrator, &Event::Connected(peer()));
            tell(&mut narrator, &Event::TextBeforeTls { octets: 3 })
        };
        let expected = "warning: MX.test[192.0.2.1]:25: dropped 3 octets of plain text that came \
                        before TLS (CVE-2011-0411)";
        assert_eq!(told("tlsfinger", 0), [expected]);
        assert_eq!(told("posttls-finger", 1), [expected]);
        assert_eq!(told("posttls-finger", 0), [""; 0]);
    }

    #[test]
    fn questions_and_connections_are_told_to_the_curious() {
        let answered = |record, result| {
            let (name, cached) = ("mx.test".to_owned(), false);
            Event::Lookup(LookupNote::Answered { name, record, result, cached })
        };
        let nothing = LookupError::NativeNotFound { host: "mx.test".into() };
        let events = [
            answered(RecordType::A, Ok("host.test".into())),
            answered(RecordType::MX, Err(nothing)),
            Event::Connected(peer()),
        ];
        let told = |verbose| {
            let mut narrator = narrator("tlsfinger", false, Log::NONE, verbose);
            events.iter().flat_map(|event| tell(&mut narrator, event)).collect::<Vec<_>>()
        };
        assert_eq!(
            told(1),
            [
                "addr_one: host mx.test",
                "lookup mx.test type A flags RES_USE_DNSSEC",
                "dns_query: mx.test (A): OK",
                "dns_get_answer: type A for mx.test",
                "dns_lookup: mx.test aliased to host.test",
                "dns_query: mx.test (MX): mx.test: host not found",
                "connect_addr: trying: MX.test[192.0.2.1] port 25...",
                "smtp_stream_setup: maxtime=30 enable_deadline=1 min_data_rate=0",
            ]
        );
    }
}
