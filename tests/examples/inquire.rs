//! Asks one question, validates the answer, and tells why it is secure, insecure or bogus.
//!
//! `cargo run -p tlsfinger-tests --example inquire -- SERVER ANCHORS NAME TYPE`, where ANCHORS is a
//! file as for `--trust-anchor`. `tests/dnssec/compare` measures it beside other validators.

use std::io::{self, Write as _};
use std::process::ExitCode;
use std::sync::Arc;

use tlsfinger_blocking::{run, seed, wall_time};
use tlsfinger_core::Notice;
use tlsfinger_core::config::{DnssecTrust, Lookup};
use tlsfinger_core::report::Event;
use tlsfinger_core::resolve::{
    Inquiry, LookupNote, NameServer, RecordType, ResolvConf, TrustAnchors,
};

fn main() -> Result<ExitCode, Box<dyn std::error::Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [server, anchors, name, record] = &words[..] else {
        return Err("usage: inquire SERVER ANCHORS NAME TYPE".into());
    };
    let server = NameServer::parse(server)?.remote;
    let anchors = TrustAnchors::parse(&std::fs::read(anchors)?)?;
    let lookup = Lookup {
        resolvers: ResolvConf::default().with_server(server),
        dnssec: DnssecTrust::Local,
        trust_anchors: Arc::new(anchors),
        ..Lookup::default()
    };
    let record = RecordType::from_text(record).ok_or("no such type")?;
    let mut inquiry = Inquiry::new(&lookup, name, record, seed()?, wall_time());
    let mut status = ExitCode::FAILURE;
    let mut lines = Vec::new();
    run(&mut inquiry, |notice| match notice {
        Notice::Event(Event::Lookup(LookupNote::Validated(proof))) => {
            lines.extend(proof.steps.iter().map(ToString::to_string));
            lines.push(format!("{} {}: {}", proof.name, proof.record, proof.security));
            if proof.is_secure() {
                status = ExitCode::SUCCESS;
            }
        }
        Notice::Event(Event::LookupFailed(error)) => lines.push(error.to_string()),
        Notice::Event(_) | Notice::Report(_) | Notice::Want(_) => {}
    })?;
    let mut out = io::stdout();
    lines.iter().try_for_each(|line| writeln!(out, "{line}"))?;
    Ok(status)
}
