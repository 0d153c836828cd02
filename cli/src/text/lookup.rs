//! What is told on the way to the mail hosts.

use tlsfinger_core::config::InsecureMx;
use tlsfinger_core::report::{LookupError, LookupNote};
use tlsfinger_core::resolve::{RecordType, TlsaRecord};

use crate::line::Message;

use super::Narrator;
use crate::log::Log;

impl Narrator {
    /// Says what a note means, in any number of messages.
    pub(super) fn lookup(&self, note: &LookupNote, say: &mut dyn FnMut(Message)) {
        match note {
            LookupNote::Converted { domain, ascii } => {
                say(Message::info(format!("{domain} asciified to {ascii}")));
            }
            LookupNote::ExcessRecords { name, record } => say(Message::warning(format!(
                "DNS record count limit (100) exceeded -- dropping excess record(s) after \
                 qname={name} qtype={record}"
            ))),
            LookupNote::NumericTarget { record, name, address } => say(Message::warning(format!(
                "numeric domain name in resource data of {record} record for {name}: {address}"
            ))),
            LookupNote::MalformedTarget { record, name, target, problem } => {
                say(Message::warning(format!("valid_hostname: {problem}: {target}")));
                say(Message::warning(format!(
                    "malformed domain name in resource data of {record} record for {name}: {target}"
                )));
            }
            LookupNote::AliasLoop { name } => {
                say(Message::warning(format!("dns_lookup: Name server loop for {name}")));
            }
            LookupNote::NoHostAddress { record, name } => say(Message::warning(format!(
                "no {record} host for {name} has a valid address record"
            ))),
            LookupNote::DnssecUnavailable { probe, error } => {
                say(Message::warning("DNSSEC validation may be unavailable"));
                say(Message::warning(match error {
                    None => format!(
                        "reason: dnssec_probe '{probe}' received a response that is not DNSSEC \
                         validated"
                    ),
                    Some(error) => {
                        format!("reason: dnssec_probe '{probe}' received no response: {error}")
                    }
                }));
                error.iter().for_each(|error| self.extended(error, say));
            }
            LookupNote::ResolverStrips(server) => say(Message::warning(format!(
                "DANE cannot be used: the name server {server} leaves out DNSSEC records"
            ))),
            LookupNote::ResolverSecured { server, name, version, found } => match found {
                Err(error) => say(Message::warning(format!(
                    "the name server {server} is not known to be {name}: {error}; its word on \
                     DNSSEC does not count"
                ))),
                Ok(()) if self.show.verbose > 0 => {
                    say(Message::info(format!("the name server {server} is {name}, by {version}")));
                }
                Ok(()) => {}
            },
            LookupNote::Validated(proof) => {
                if self.show.verbose > 0 {
                    for step in &proof.steps {
                        say(Message::info(format!("DNSSEC: {step}")));
                    }
                }
            }
            LookupNote::TlsaFailed(error) => {
                say(Message::warning(format!("DANE TLSA lookup problem: {error}")));
                self.extended(error, say);
            }
            LookupNote::AliasStatusFailed { host, error } => {
                let reason = match error {
                    Some(error) => error.to_string(),
                    None => "no longer a CNAME".to_owned(),
                };
                let what = format!("DNSSEC status lookup error for {host}: {reason}");
                say(Message::warning(what));
                error.iter().for_each(|error| self.extended(error, say));
            }
            LookupNote::HostSkipped { host, port } => say(Message::info(format!(
                "Failed to establish session to {} via {host}:{port}: TLSA lookup error for \
                 {host}:{port}",
                self.destination
            ))),
            LookupNote::Tlsa { query, owner, record } => self.tlsa(query, owner, record, say),
            LookupNote::NoTlsa { unusable } => {
                if self.dane_only || self.show.verbose > 0 {
                    let found = if *unusable { "no usable" } else { "no" };
                    say(Message::info(format!(
                        "{found} TLSA records found, resorting to \"secure\""
                    )));
                }
            }
            LookupNote::MxInsecure(policy) => say(Message::info(match policy {
                InsecureMx::Dane => "MX RRset insecure: log verified as trusted",
                InsecureMx::Encrypt => "TLSA RRs found, MX RRset insecure: just encrypt",
                InsecureMx::May => "MX RRset is insecure: try to encrypt",
            })),
            LookupNote::Answered { name, record, result, cached } => {
                self.answered(name, *record, result, *cached, say);
            }
            LookupNote::AskedAgain { name, record, server, tcp } => {
                if self.show.verbose > 1 {
                    let how = if *tcp { " over TCP" } else { "" };
                    say(Message::info(format!(
                        "dns_query: {name} ({record}): asking {server}{how}, once more"
                    )));
                }
            }
            // Told by other machines than the probe.
            LookupNote::Target(_) | LookupNote::ServerTested(_) => {}
        }
    }

    /// Says what the name server said about a failure (RFC 8914).
    pub(super) fn extended(&self, error: &LookupError, say: &mut dyn FnMut(Message)) {
        if self.tells_more {
            for extended in error.extended() {
                say(Message::info(format!("the name server says: {extended}")));
            }
        }
    }

    fn answered(
        &self,
        name: &str,
        record: RecordType,
        result: &Result<String, LookupError>,
        cached: bool,
        say: &mut dyn FnMut(Message),
    ) {
        if cached && self.show.verbose < 2 {
            return;
        }
        let words = match result {
            Ok(_) => "OK".to_owned(),
            Err(LookupError::Dns { problem, .. }) => problem.to_string(),
            Err(error) => error.to_string(),
        };
        if record == RecordType::A {
            say(Message::info(format!("addr_one: host {name}")));
        }
        if matches!(record, RecordType::A | RecordType::AAAA) {
            let flags = "flags RES_USE_DNSSEC";
            say(Message::info(format!("lookup {name} type {record} {flags}")));
        }
        let cached = if cached { " (cached)" } else { "" };
        say(Message::info(format!("dns_query: {name} ({record}): {words}{cached}")));
        if result.is_ok() {
            say(Message::info(format!("dns_get_answer: type {record} for {name}")));
        }
        if let Ok(owner) = result
            && !owner.eq_ignore_ascii_case(name)
        {
            say(Message::info(format!("dns_lookup: {name} aliased to {owner}")));
        }
    }

    fn tlsa(&self, query: &str, owner: &str, record: &TlsaRecord, say: &mut dyn FnMut(Message)) {
        let owners = match query.eq_ignore_ascii_case(owner) {
            true => owner.to_owned(),
            false => format!("{query} -> {owner}"),
        };
        match record {
            TlsaRecord::Usable(tlsa) => {
                if self.show.log.has(Log::DANE) || self.show.log.has(Log::VERBOSE) {
                    say(Message::info(format!("DNSSEC-signed TLSA record: {owner}: {tlsa}")));
                }
            }
            TlsaRecord::Usage(tlsa) => say(Message::warning(format!(
                "{owners} unsupported TLSA certificate usage: {tlsa}"
            ))),
            TlsaRecord::PrivateMatching(tlsa) => say(Message::warning(format!(
                "{owners} reserved private-use matching type: {tlsa}"
            ))),
            TlsaRecord::Short(length) => {
                say(Message::warning(format!("{owners}: truncated TLSA RR length == {length}")))
            }
        }
    }
}
