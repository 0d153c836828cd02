//! Whose word counts that an answer is secure, and whether anybody gives it.

use super::dnssec::{Insecurity, Proof, Security};
use super::error::{LookupError, Trouble};
use super::name::{Question, from_text};
use super::note::LookupNote;
use super::query::{Heard, Source};
use crate::config::{DnssecProbe, DnssecTrust, Lookup};
use crate::context::Cx;
use crate::machine::Remote;
use crate::report::Event;

#[derive(Debug)]
pub(crate) struct Trust {
    mode: DnssecTrust,
    /// The name servers, and whether their AD bit counts.
    servers: Vec<(Remote, bool)>,
    /// What to ask when no answer is secure; taken when it was asked.
    probe: Option<DnssecProbe>,
    /// A secure answer was seen.
    seen_secure: bool,
    /// It matters to the caller that there is no DNSSEC; taken when it was told.
    tell_stripped: bool,
}

impl Trust {
    /// `matters` tells whether the caller wants to use security at all.
    pub(crate) fn new(lookup: &Lookup, matters: bool) -> Self {
        let servers = lookup.resolvers.servers.iter();
        Self {
            mode: lookup.dnssec,
            servers: servers.map(|server| (server.clone(), lookup.believes(server))).collect(),
            probe: lookup.dnssec_probe.clone().filter(|_| lookup.dnssec == DnssecTrust::Trust),
            seen_secure: false,
            tell_stripped: matters,
        }
    }

    /// Tells whether the AD bit of an answer counts.
    pub(crate) fn counts(&self, from: &Source) -> bool {
        self.believes(from.server, from.authenticated)
    }

    /// Tells whether the AD bit of a server counts that was, over TLS, authenticated or not.
    pub(crate) fn believes(&self, server: usize, authenticated: Option<bool>) -> bool {
        match authenticated {
            Some(authenticated) => authenticated && self.mode != DnssecTrust::Local,
            None => self.servers.get(server).is_some_and(|(_, trusted)| *trusted),
        }
    }

    /// Tells whether what a server said has to be validated here.
    pub(crate) fn validates(&self, heard: &Heard) -> bool {
        let Some(from) = &heard.from else { return false };
        match self.mode {
            DnssecTrust::Trust => false,
            DnssecTrust::Local => true,
            // A server that sets the AD bit at all knows better than we do what is insecure.
            DnssecTrust::Auto => !self.counts(from) || !from.authentic && !self.seen_secure,
        }
    }

    /// Looks at an answer. Returns the probe that is to be asked now: once, when the first
    /// answer of a trusted server is not secure.
    pub(crate) fn look(&mut self, heard: &Heard) -> Option<(DnssecProbe, Question)> {
        let from = heard.from.as_ref()?;
        self.seen_secure |= from.authentic && self.counts(from);
        if self.seen_secure {
            return None;
        }
        let probe = self.probe.take()?;
        let question = Question::new(from_text(&probe.name)?, probe.record);
        Some((probe, question))
    }

    /// Takes the answer to the probe.
    pub(crate) fn probed(&mut self, cx: &mut Cx, probe: DnssecProbe, heard: Heard) {
        let secure = heard.from.is_some_and(|from| from.authentic && self.counts(&from));
        let error = match heard.result {
            Ok(_) if secure => return,
            Ok(_) => None,
            Err(Trouble { problem, extended }) => {
                let (name, record) = (probe.name.clone(), probe.record);
                Some(LookupError::Dns { name, record, problem, extended })
            }
        };
        cx.tell(Event::Lookup(LookupNote::DnssecUnavailable { probe, error }));
    }

    /// Looks at the proof of an answer that came from `heard`; tells once if there is no DNSSEC.
    pub(crate) fn proved(&mut self, cx: &mut Cx, heard: &Heard, proof: &Proof) {
        if proof.security == Security::Insecure(Insecurity::Stripped)
            && std::mem::take(&mut self.tell_stripped)
            && let Some(from) = heard.from
            && let Some((server, _)) = self.servers.get(from.server)
        {
            cx.tell(Event::Lookup(LookupNote::ResolverStrips(server.clone())));
        }
    }
}
