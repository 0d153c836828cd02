//! What is told of lookups, as lines to compare.

use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{LookupNote, MxSecurity, ServerReport, Target, TlsaRecord};

/// Writes an event of a lookup in one line, more tersely than the command line does.
pub fn text(event: &Event) -> String {
    match event {
        Event::LookupFailed(error) => format!("failed: {error}"),
        Event::Lookup(LookupNote::Target(target)) => target_text(target),
        Event::Lookup(LookupNote::Tlsa { query, owner, record }) => {
            let record = match record {
                TlsaRecord::Usable(tlsa) => format!("usable {tlsa}"),
                TlsaRecord::Usage(tlsa) => format!("usage {tlsa}"),
                TlsaRecord::PrivateMatching(tlsa) => format!("private {tlsa}"),
                TlsaRecord::Short(octets) => format!("short {octets}"),
            };
            let query = if query == owner { String::new() } else { format!("{query} -> ") };
            format!("tlsa: {query}{owner} {record}")
        }
        Event::Lookup(LookupNote::TlsaFailed(error)) => format!("tlsa failed: {error}"),
        Event::Lookup(LookupNote::NoTlsa { unusable: false }) => "no tlsa".to_owned(),
        Event::Lookup(LookupNote::NoTlsa { unusable: true }) => "no usable tlsa".to_owned(),
        Event::Lookup(LookupNote::MxInsecure(policy)) => format!("mx insecure: {policy:?}"),
        Event::Lookup(LookupNote::HostSkipped { host, port }) => format!("skipped {host}:{port}"),
        Event::Lookup(LookupNote::NoHostAddress { record, name }) => {
            format!("no {record} host for {name} has an address")
        }
        Event::Lookup(LookupNote::DnssecUnavailable { probe, error: None }) => {
            format!("no dnssec: {probe}")
        }
        Event::Lookup(LookupNote::DnssecUnavailable { probe, error: Some(error) }) => {
            format!("no dnssec: {probe}: {error}")
        }
        Event::Lookup(LookupNote::ResolverStrips(server)) => {
            format!("strips: {}", server.address)
        }
        Event::Lookup(LookupNote::Validated(proof)) => {
            format!("{} {}: {}", proof.name, proof.record, proof.security)
        }
        Event::Lookup(LookupNote::ExcessRecords { name, record }) => {
            format!("too many: {name} {record}")
        }
        Event::Lookup(LookupNote::AliasLoop { name }) => format!("loop: {name}"),
        Event::Lookup(LookupNote::AliasStatusFailed { host, error: Some(error) }) => {
            format!("alias status: {host}: {error}")
        }
        Event::Lookup(LookupNote::AliasStatusFailed { host, error: None }) => {
            format!("alias status: {host}: no longer a CNAME")
        }
        Event::Lookup(LookupNote::Converted { domain, ascii }) => format!("{domain} is {ascii}"),
        Event::Lookup(LookupNote::NumericTarget { name, address, .. }) => {
            format!("numeric: {name} {address}")
        }
        Event::Lookup(LookupNote::MalformedTarget { name, target, problem, .. }) => {
            format!("malformed: {name} {target}: {problem}")
        }
        Event::Lookup(LookupNote::ServerTested(report)) => report_text(report),
        Event::Lookup(LookupNote::Answered { name, record, result, cached }) => {
            let result = match result {
                Ok(owner) if owner == name => "found".to_owned(),
                Ok(owner) => format!("found at {owner}"),
                Err(error) => error.to_string(),
            };
            let cached = if *cached { " (cached)" } else { "" };
            format!("{name} {record}: {result}{cached}")
        }
        Event::Lookup(LookupNote::AskedAgain { name, record, server, tcp }) => {
            let how = if *tcp { " over TCP" } else { "" };
            format!("{name} {record}: again at {}{how}", server.address)
        }
        other => format!("{other:?}"),
    }
}

fn target_text(target: &Target) -> String {
    let mx = match target.mx {
        MxSecurity::None => "",
        MxSecurity::Insecure => " mx-insecure",
        MxSecurity::Secure => " mx-secure",
    };
    let secure = if target.address_secure { " secure" } else { "" };
    let names = target.match_names.join(",");
    let names = if names.is_empty() { names } else { format!(" {names}") };
    format!("{}{mx}{secure} {:?}{names}", target.peer, target.level)
}

fn report_text(report: &ServerReport) -> String {
    let sign = |fact: Option<bool>| fact.map_or("?", |fact| if fact { "yes" } else { "no" });
    format!(
        "udp {} tcp {} edns {} ad {} signatures {} validates {} ad-without-cause {}",
        sign(Some(report.udp.is_ok())),
        sign(Some(report.tcp.is_ok())),
        sign(report.edns),
        sign(report.sets_ad),
        sign(report.hands_out_signatures),
        sign(report.validates),
        sign(report.sets_ad_without_cause),
    )
}
