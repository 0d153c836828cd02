//! Whose word counts that an answer is secure, and whether anybody gives it.
//!
//! The word is the AD bit. Validation in this program would take its place here: an answer would
//! come with its own proof, and no server would have to be trusted.

use super::error::LookupError;
use super::name::{Question, from_text};
use super::note::LookupNote;
use super::query::Heard;
use crate::config::{DnssecProbe, DnssecTrust, Lookup};
use crate::context::Cx;
use crate::machine::Remote;
use crate::report::Event;

#[derive(Debug)]
pub(crate) struct Trust {
    /// The name servers, and whether they are trusted.
    servers: Vec<(Remote, bool)>,
    /// What to ask when no answer is secure; taken when it was asked.
    probe: Option<DnssecProbe>,
    /// A secure answer was seen.
    seen_secure: bool,
    /// It matters to the caller that a server is not trusted; taken when it was told.
    tell_distrust: bool,
}

impl Trust {
    /// `matters` tells whether the caller wants to use security at all.
    pub(crate) fn new(lookup: &Lookup, matters: bool) -> Self {
        let trusted = |server: &Remote| match lookup.dnssec {
            DnssecTrust::Trust => true,
            DnssecTrust::Auto => {
                lookup.resolvers.trust_ad || server.address.ip().to_canonical().is_loopback()
            }
        };
        let servers = lookup.resolvers.servers.iter();
        Self {
            servers: servers.map(|server| (server.clone(), trusted(server))).collect(),
            probe: lookup.dnssec_probe.clone(),
            seen_secure: false,
            tell_distrust: matters,
        }
    }

    /// Tells whether the AD bit of a server counts.
    pub(crate) fn counts(&self, server: usize) -> bool {
        self.servers.get(server).is_some_and(|(_, trusted)| *trusted)
    }

    /// Looks at an answer. Returns the probe that is to be asked now: once, when the first
    /// answer of a trusted server is not secure.
    pub(crate) fn look(&mut self, cx: &mut Cx, heard: &Heard) -> Option<(DnssecProbe, Question)> {
        let (server, authentic) = heard.from?;
        if !self.counts(server) {
            if std::mem::take(&mut self.tell_distrust)
                && let Some((server, _)) = self.servers.get(server)
            {
                cx.tell(Event::Lookup(LookupNote::ResolverNotTrusted(server.clone())));
            }
            return None;
        }
        self.seen_secure |= authentic;
        if self.seen_secure {
            return None;
        }
        let probe = self.probe.take()?;
        let question = Question::new(from_text(&probe.name)?, probe.record);
        Some((probe, question))
    }

    /// Takes the answer to the probe.
    pub(crate) fn probed(&mut self, cx: &mut Cx, probe: DnssecProbe, heard: Heard) {
        let secure = matches!(heard.from, Some((server, true)) if self.counts(server));
        let error = match heard.result {
            Ok(_) if secure => return,
            Ok(_) => None,
            Err(problem) => {
                Some(LookupError::Dns { name: probe.name.clone(), record: probe.record, problem })
            }
        };
        cx.tell(Event::Lookup(LookupNote::DnssecUnavailable { probe, error }));
    }
}
