//! Words for people: from events to messages, in the wording of Postfix 3.11.

mod dump;
mod openssl;
mod summary;

use std::sync::Arc;

use tlsfinger_core::IoError;
use tlsfinger_core::config::{Dialect, Level};
use tlsfinger_core::report::{
    Event, HandshakeError, LookupError, Peer, PeerAddress, Step, StepProblem, TlsFacts, TlsNote,
    Verdict,
};

use crate::line::{Message, ServerText};
use crate::log::Log;
use crate::program::Program;
use crate::settings::{Settings, Show};

/// Tells the story of one destination.
#[derive(Debug)]
pub(crate) struct Narrator {
    show: Show,
    level: Level,
    /// EHLO or LHLO.
    hello: &'static str,
    /// The destination as typed.
    destination: String,
    /// Plain text in front of TLS is told even if nobody asked for more.
    warns_of_text_before_tls: bool,
    /// The server of the session under way, as it is named in messages.
    peer: String,
}

impl Narrator {
    pub(crate) fn new(settings: &Settings, program: &Program) -> Self {
        let Settings { config, show, .. } = settings;
        Self {
            show: *show,
            level: config.level,
            hello: match config.dialect {
                Dialect::Smtp | Dialect::Lmtp => config.dialect.hello(),
            },
            destination: config.destination.text.clone(),
            warns_of_text_before_tls: !program.is_posttls_finger() || show.verbose > 0,
            peer: String::new(),
        }
    }

    /// Says what an event means, in any number of messages.
    pub(crate) fn tell(&mut self, event: &Event, say: &mut dyn FnMut(Message)) {
        match event {
            Event::LookupFailed(error) => {
                let reason = lookup_reason(error);
                say(Message::info(format!("Destination address lookup failed: {reason}")));
            }
            Event::ConnectFailed(peer, error) => say(self.connect_failed(peer, error)),
            Event::Connected(peer) => {
                self.peer = peer.to_string();
                if self.show.chat {
                    say(Message::info(format!("Connected to {peer}")));
                }
            }
            Event::Command(command) if self.show.chat => {
                say(Message::info(format!("> {command}")));
            }
            Event::ReplyLine(line) if self.show.chat => {
                say(Message::info(format!("< {}", ServerText(line))));
            }
            Event::Command(_) | Event::ReplyLine(_) => {}
            Event::TextBeforeTls { octets } => {
                if self.warns_of_text_before_tls {
                    say(Message::warning(format!(
                        "{}: dropped {octets} octets of plain text that came before TLS \
                         (CVE-2011-0411)",
                        self.peer
                    )));
                }
            }
            Event::StepFailed(step, problem) => self.step_failed(*step, problem, say),
            Event::Negotiating(peer, _) => {
                self.peer = peer.to_string();
                if self.show.log.has(Log::VERBOSE) {
                    say(Message::info(format!("setting up TLS connection to {peer}")));
                }
                if self.show.log.has(Log::SSL_DEBUG) {
                    say(Message::info("SSL_connect:before SSL initialization"));
                }
            }
            Event::Tls(note) => self.look_inside(note, say),
            Event::HandshakeFailed(peer, error) => handshake_failed(peer, error, say),
            Event::TlsBroke(error) => say(openssl::library_problem(error)),
            Event::Judged(peer, facts, verdict) => self.judged(peer, facts, verdict, say),
            Event::Truncated(peer) => {
                if self.show.verbose > 0 {
                    say(Message::info(format!("{peer}: connection closed without close_notify")));
                }
            }
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

    fn look_inside(&self, note: &TlsNote, say: &mut dyn FnMut(Message)) {
        let debug = self.show.log.has(Log::SSL_DEBUG);
        match note {
            TlsNote::Message(direction, message) if debug => {
                let state = openssl::state(*direction, *message);
                say(Message::info(format!("SSL_connect:{state}")));
            }
            TlsNote::Alert(direction, alert) if debug => {
                if let Some(words) = openssl::alert_state(*direction, *alert) {
                    say(Message::info(words));
                }
            }
            TlsNote::ServerName(name) if debug => {
                say(Message::info(format!("{}: SNI hostname: {name}", self.peer)));
            }
            TlsNote::Message(..) | TlsNote::Alert(..) | TlsNote::ServerName(_) => {}
            TlsNote::Wire(direction, bytes) => dump::records(*direction, bytes, say),
        }
    }

    fn judged(
        &self,
        peer: &Arc<Peer>,
        facts: &TlsFacts,
        verdict: &Verdict,
        say: &mut dyn FnMut(Message),
    ) {
        if self.show.log.has(Log::SUMMARY) {
            let peer = lower(peer);
            let status = verdict.status;
            let tls = summary::connection(facts);
            say(Message::info(format!("{status} TLS connection established to {peer}: {tls}")));
        }
    }
}

/// Names a server the way most messages about TLS do: in lower case.
fn lower(peer: &Peer) -> String {
    peer.to_string().to_lowercase()
}

fn lookup_reason(error: &LookupError) -> String {
    match error {
        LookupError::Native { host, error } => {
            // The standard library puts its own words before those of gai_strerror(3).
            let words = error.message.as_str();
            let words =
                words.strip_prefix("failed to lookup address information: ").unwrap_or(words);
            format!("unable to look up host {host}: {words}")
        }
        LookupError::NativeNotFound { host } => format!("{host}: host not found"),
    }
}

fn handshake_failed(peer: &Peer, error: &HandshakeError, say: &mut dyn FnMut(Message)) {
    let reason = match error {
        HandshakeError::Lost => "lost connection".to_owned(),
        HandshakeError::Broke(error) => error.to_string(),
        HandshakeError::TimedOut => "Connection timed out".to_owned(),
        // The reference's number for errors that the library explains in a line of its own.
        HandshakeError::NothingToOffer | HandshakeError::Tls(_) => "-1".to_owned(),
    };
    say(Message::info(format!("SSL_connect error to {peer}: {reason}")));
    match error {
        HandshakeError::NothingToOffer => say(openssl::nothing_to_offer()),
        HandshakeError::Tls(error) => say(openssl::library_problem(error)),
        HandshakeError::Lost | HandshakeError::Broke(_) | HandshakeError::TimedOut => {}
    }
}
