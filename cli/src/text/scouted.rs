//! What a scout found out about a server that failed the handshake.

use std::fmt::Write as _;

use tlsfinger_core::report::{Peer, ScoutCause, Scouted};
use tlsfinger_core::tls::scout::{
    Flight, FlightEnd, KeyExchange, Proof, Protocol, ScoutHello, group_name,
};
use tlsfinger_core::tls::{Exchange, Suite};

use super::{Narrator, chain, lower};
use crate::line::{Message, Tone};
use crate::log::Log;

impl Narrator {
    /// Tells that another connection asks, and what; to those who want to know of connections.
    pub(super) fn scouting(
        &mut self,
        peer: &Peer,
        hello: &ScoutHello,
        say: &mut dyn FnMut(Message),
    ) {
        self.peer = peer.to_string();
        let log = self.show.log;
        if self.show.verbose > 0 || log.has(Log::VERBOSE) || log.has(Log::SSL_DEBUG) {
            let versions: Vec<_> = hello.versions.iter().map(Protocol::to_string).collect();
            say(Message::info(format!(
                "{peer}: scouting by another connection: {}, {} ciphers",
                versions.join(" "),
                hello.suites.iter().filter(|suite| Suite::by_number(**suite).is_some()).count()
            )));
        }
        if let Some(name) = hello.server_name.as_ref().filter(|_| log.has(Log::SSL_DEBUG)) {
            say(Message::info(format!("{peer}: SNI hostname: {name}")));
        }
    }

    /// Tells what the server would have done; nothing if it agreed to nothing, or to what is known.
    pub(super) fn scouted(&self, peer: &Peer, scouted: &Scouted, say: &mut dyn FnMut(Message)) {
        let nap = lower(peer);
        let Some(flight) = scouted.agreed() else {
            if self.show.verbose > 0 || self.show.log.has(Log::VERBOSE) {
                let why = end_words(scouted.flight.as_ref());
                say(Message::info(format!("{nap}: nothing came of it: {why}")));
            }
            return;
        };
        if scouted.cause == ScoutCause::MaybeAnonymous && !flight.is_anonymous() {
            return;
        }
        if let Some(verdict) = &scouted.verdict {
            self.verification(peer, false, verdict, say);
        }
        if flight.signature.is_some_and(|signature| signature.proof == Proof::Wrong) {
            let words = "the signature of its key exchange is wrong";
            say(Message::warning(format!("{nap}: {words}")));
        }
        if self.show.log.has(Log::SUMMARY) {
            let (words, why) = (offered(flight), not_used(flight, scouted.cause));
            let text = format!("TLS offered by {nap}: {words}, {why}");
            say(Message::info(text).toned(Tone::Bad));
        }
        if flight.is_anonymous() {
            say(Message::info("Server is anonymous"));
        } else if self.show.chain && !flight.raw_key {
            let lines = chain::lines(&flight.chain, self.show.digest);
            lines.into_iter().map(Message::bare).for_each(say);
        }
    }
}

/// Tells why a server agreed to nothing.
pub(crate) fn end_words(flight: Option<&Flight>) -> String {
    let words = match flight.map(|flight| flight.end) {
        None => "the session did not get as far as TLS",
        Some(FlightEnd::Refused(alert)) => return format!("the server sent alert {}", alert.0),
        Some(FlightEnd::Cut) => "the server said no more",
        Some(FlightEnd::NotTls) => "the server does not speak TLS",
        Some(FlightEnd::TooMuch) => "the server sent too much",
        Some(FlightEnd::Malformed) => "the server's answer is broken",
        // These agree.
        Some(FlightEnd::Done | FlightEnd::Retry | FlightEnd::Encrypted | FlightEnd::Resumed) => {
            "the server chose what was not offered"
        }
    };
    words.to_owned()
}

/// Tells protocol, cipher and key exchange that a server chose.
pub(crate) fn offered(flight: &Flight) -> String {
    let mut words = version_and_cipher(flight);
    let suite = flight.known_suite();
    let _ = match (flight.key_exchange, suite.map(|suite| suite.exchange)) {
        (Some(KeyExchange::Dhe { group: Some(group), .. }), _) => {
            write!(words, " key-exchange DHE ({})", name(group))
        }
        (Some(KeyExchange::Dhe { bits, group: None }), _) => {
            write!(words, " key-exchange DHE ({bits} bits)")
        }
        (Some(KeyExchange::Ecdhe(group)), _) => {
            write!(words, " key-exchange ECDHE ({})", name(group))
        }
        (Some(KeyExchange::ExplicitCurve), _) => write!(words, " key-exchange ECDHE (own curve)"),
        (Some(KeyExchange::ExportRsa { bits }), _) => {
            write!(words, " key-exchange RSA ({bits} bits, export)")
        }
        (None, Some(Exchange::Rsa)) => write!(words, " key-exchange RSA"),
        (None, Some(Exchange::Dh)) => write!(words, " key-exchange DH"),
        (None, Some(Exchange::Ecdh)) => write!(words, " key-exchange ECDH"),
        (None, _) => match flight.group {
            Some(group) => write!(words, " key-exchange {}", name(group)),
            None => Ok(()),
        },
    };
    words
}

/// Tells protocol and cipher that a server chose.
pub(crate) fn version_and_cipher(flight: &Flight) -> String {
    let version = flight.version.unwrap_or(Protocol(0));
    match flight.known_suite() {
        Some(Suite { openssl, bits, algorithm_bits, .. }) => {
            format!("{version} with cipher {openssl} ({bits}/{algorithm_bits} bits)")
        }
        None => format!("{version} with cipher 0x{:04x}", flight.suite.unwrap_or_default()),
    }
}

/// Tells why nothing came of it.
pub(crate) fn not_used(flight: &Flight, cause: ScoutCause) -> &'static str {
    match flight.is_spoken() {
        _ if cause == ScoutCause::NothingSelected => "neither spoken by this program nor selected",
        false => "not spoken by this program",
        true if flight.signature.is_some_and(|it| it.proof == Proof::Unverifiable) => {
            "with a kind of key that this program does not use"
        }
        // Something else stood in the way: the group, the signature.
        true => "not completed by this program",
    }
}

fn name(group: u16) -> String {
    group_name(group).map_or_else(|| format!("group 0x{group:04x}"), str::to_owned)
}
