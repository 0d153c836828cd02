//! Events and outputs as one short line each, for expectations and diffs.

use tlsfinger_core::hygiene::Finding;
use tlsfinger_core::report::{Disclosure, Event, StepProblem, TlsMessage, TlsNote};
use tlsfinger_core::{Instant, Output};

use crate::told;

/// Writes an event as one line, the dialogue as people know it: `> EHLO me`, `< 250 hello`.
pub fn event(event: &Event) -> String {
    match event {
        Event::Lookup(_) | Event::LookupFailed(_) => told::text(event),
        Event::ConnectFailed(peer, error) => format!("no connection to {peer}: {error}"),
        Event::Inspected(peer, hygiene) => {
            let finding = |it: &Finding| format!("{} {}", it.grade(), it.word());
            let findings: Vec<_> = hygiene.findings.iter().map(finding).collect();
            format!("inspected {peer}: {}", findings.join(", "))
        }
        Event::Connected(peer) => format!("connected to {peer}"),
        Event::Command(command) => format!("> {command}"),
        Event::ReplyLine(line) => format!("< {}", line.escape_ascii()),
        Event::TextBeforeTls { octets } => format!("dropped {octets} octets of text before TLS"),
        Event::StepFailed(step, problem) => format!("{step:?} {}", step_problem(problem)),
        Event::Negotiating(peer, _) => format!("negotiating with {peer}"),
        Event::ServerName(name) => format!("server name {name}"),
        Event::ServerNameNotSent(name) => format!("server name {name} cannot be sent"),
        Event::Tls(TlsNote::Message(direction, message)) => {
            let message = match message {
                TlsMessage::Plain(message) => format!("Plain({})", message.kind),
                TlsMessage::Disclosed(Disclosure::Certificate(chain)) => {
                    format!("Certificate of {}", chain.len())
                }
                other => format!("{other:?}"),
            };
            format!("{direction:?} {message}")
        }
        Event::Tls(TlsNote::Record(direction, header)) => {
            format!("{direction:?} record of {} octets", header.octets)
        }
        Event::Tls(TlsNote::Text { direction, octets, .. }) => {
            format!("{direction:?} {octets} octets of text")
        }
        Event::Tls(TlsNote::Alert(direction, alert)) => format!("{direction:?} alert {}", alert.0),
        Event::Tls(TlsNote::Signed(signed)) => format!("signed by {:#06x}", signed.scheme.0),
        Event::Tls(TlsNote::Tunnel(step)) => format!("tunnel {step}"),
        Event::Tls(TlsNote::Wire(direction, bytes)) => {
            format!("{direction:?} {} octets on the wire", bytes.len())
        }
        Event::HandshakeFailed(peer, error) => format!("handshake with {peer} failed: {error:?}"),
        Event::TlsBroke(peer, error) => format!("TLS with {peer} broke: {error:?}"),
        Event::Judged(peer, facts, verdict) => {
            format!("{} {peer} {} {}", verdict.status, facts.version, facts.suite.openssl)
        }
        Event::Proxied(peer, facts) => {
            format!("{} {peer} {} {} by proxy", facts.verdict(), facts.protocol, facts.cipher)
        }
        Event::Scouting(peer, _) => format!("scouting {peer}"),
        Event::Scouted(peer, scouted) => match scouted.agreed() {
            None => format!("{peer} offers nothing to a scout"),
            Some(flight) => {
                let status = scouted.verdict.as_ref().map(|verdict| verdict.status.to_string());
                let status = status.unwrap_or_else(|| "unjudged".to_owned());
                let version = flight.version.map(|version| version.to_string());
                let suite = flight.known_suite().map_or("?", |suite| suite.openssl);
                format!("{peer} offers {} {suite}, {status}", version.unwrap_or_default())
            }
        },
        Event::Truncated(peer) => format!("{peer} ended without close_notify"),
        #[allow(unreachable_patterns, reason = "new events show in full until they have a line")]
        other => format!("{other:?}"),
    }
}

fn step_problem(problem: &StepProblem) -> String {
    match problem {
        StepProblem::Refused(reply) => {
            format!("refused: {} {}", reply.code, reply.text.escape_ascii())
        }
        StepProblem::Lost(None) => "lost".to_owned(),
        StepProblem::Lost(Some(error)) => format!("lost: {error}"),
        StepProblem::TimedOut => "timed out".to_owned(),
        StepProblem::ReplyTooLong => "reply too long".to_owned(),
        #[allow(unreachable_patterns, reason = "new problems show in full until they have a line")]
        other => format!("{other:?}"),
    }
}

/// Writes an output as one line: as in a trace, but shorter, and with times in milliseconds.
pub fn output(output: &Output) -> String {
    match output {
        Output::Tell(told) => format!("tell {}", event(told)),
        Output::Finished(report) => format!("finished {}", report.destination.text),
        Output::Wait(Instant::NEVER, why) => format!("wait never {why}"),
        Output::Wait(until, why) => format!("wait {} {why}", until.as_micros() as f64 / 1000.0),
        other => other.to_string(),
    }
}
