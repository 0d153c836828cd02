//! One mail host: its addresses and TLSA records, asked for together.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::dnssec::Proof;
use super::error::{LookupError, RecordType};
use super::lookup::{Answer, Answered, Found};
use super::message::Data;
use super::name::{self, Name, Question};
use super::note::LookupNote;
use super::order::Candidate;
use super::target::{TlsaRecord, TlsaSet};
use crate::config::Lookup;
use crate::context::{AskId, Cx};
use crate::limits;
use crate::machine::{HostName, Input, LookupId, Remote};

/// Looks up one mail host.
///
/// It starts with every question whose answer may be needed. The TLSA question of the host's own
/// name goes ahead with the address questions and is thrown away if the addresses turn out not to
/// be secure (RFC 7672 section 2.2); nobody waits for it then.
#[derive(Debug)]
pub(crate) struct Host {
    /// The name before aliases, or an address.
    text: Arc<str>,
    name: Option<Name>,
    port: u16,
    settings: HostSettings,
    a: Asked,
    aaaa: Asked,
    native: Native,
    /// The CNAME question that tells whether an alias itself is secure.
    alias: Asked,
    /// TLSA questions by base domain: the name before aliases, and what follows from addresses.
    tlsa: Vec<(Name, Asked)>,
    groups: Vec<Group>,
    failure: Option<LookupError>,
    /// What the answers so far are worth.
    proofs: Vec<Arc<Proof>>,
}

/// What decides how a host is looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HostSettings {
    pub(crate) dns: bool,
    pub(crate) native: bool,
    pub(crate) v4: bool,
    pub(crate) v6: bool,
    /// TLSA records are wanted.
    pub(crate) tlsa: bool,
    /// TLSA records are wanted even if the addresses are not secure.
    pub(crate) force_tlsa: bool,
}

/// Addresses of a host that came with one answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    /// In the answer's order.
    pub(crate) addresses: Vec<Remote>,
    /// The answer was secure.
    pub(crate) secure: bool,
    /// The end of the alias chain; none if the addresses are not from DNS.
    owner: Option<Name>,
    /// There were more.
    pub(crate) excess: Option<RecordType>,
    /// What goes with them; none while it is not known.
    pub(crate) association: Option<Association>,
}

/// The TLSA records that go with an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Association {
    /// Nobody wants them.
    NotWanted,
    /// There are none that may be used for a host like this.
    None,
    /// There are some, but all were dropped.
    Unusable(Arc<TlsaSet>),
    /// There are some.
    Usable(Arc<TlsaSet>),
    /// It could not be found out: do not connect.
    Failed(LookupNote),
}

impl Association {
    /// The records, dropped ones included.
    pub(crate) fn set(&self) -> Option<&Arc<TlsaSet>> {
        match self {
            Self::Usable(set) | Self::Unusable(set) => Some(set),
            Self::NotWanted | Self::None | Self::Failed(_) => None,
        }
    }
}

#[derive(Debug)]
enum Asked {
    Not,
    Waiting(AskId),
    Done(Answer),
}

#[derive(Debug)]
enum Native {
    Not,
    Waiting(LookupId),
    Done,
}

impl HostSettings {
    pub(crate) fn new(lookup: &Lookup, tlsa: bool) -> Self {
        Self {
            dns: lookup.hosts.dns,
            native: lookup.hosts.native,
            v4: lookup.families.v4,
            v6: lookup.families.v6,
            tlsa,
            force_tlsa: tlsa && lookup.force_tlsa,
        }
    }
}

impl Host {
    /// Begins to look up the addresses of a host, and the TLSA records of its TCP port.
    pub(crate) fn start(cx: &mut Cx, candidate: &Candidate, settings: HostSettings) -> Self {
        let port = candidate.port;
        let mut host = Self {
            name: candidate.name.clone(),
            text: candidate.host.clone(),
            port,
            settings,
            a: Asked::Not,
            aaaa: Asked::Not,
            native: Native::Not,
            alias: Asked::Not,
            tlsa: Vec::new(),
            groups: Vec::new(),
            failure: None,
            proofs: Vec::new(),
        };
        if let Some(address) = super::conf::scoped_address(&host.text, port) {
            host.add_group(vec![address], None, None);
        } else if host.name.is_none() {
            host.failure = Some(LookupError::InvalidName { name: host.text.to_string() });
        } else if settings.dns {
            let ask = |cx: &mut Cx, wanted: bool, record| match &host.name {
                Some(name) if wanted => Asked::question(cx, name, record),
                Some(_) | None => Asked::Not,
            };
            host.a = ask(cx, settings.v4, RecordType::A);
            host.aaaa = ask(cx, settings.v6, RecordType::AAAA);
            if let Some(name) = host.name.clone().filter(|_| settings.tlsa) {
                host.ask_tlsa(cx, &name);
            }
        } else {
            host.look_natively(cx);
        }
        host.settle(cx);
        host
    }

    /// Takes an input, and the answers that are there.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) {
        if self.is_done() {
            return;
        }
        if let (Input::HostFound(id, result), Native::Waiting(waiting)) = (input, &self.native)
            && id == waiting
        {
            self.take_native(result);
        }
        let proofs = &mut self.proofs;
        let (a, aaaa) = (self.a.poll(cx, proofs), self.aaaa.poll(cx, proofs));
        self.alias.poll(cx, proofs);
        for (_, asked) in &mut self.tlsa {
            asked.poll(cx, proofs);
        }
        if let Some(Ok(found)) = a {
            self.add_found(&found, RecordType::A);
        }
        if let Some(Ok(found)) = aaaa {
            self.add_found(&found, RecordType::AAAA);
        }
        if !self.has_waiting_addresses() && self.groups.is_empty() && self.failure.is_none() {
            self.fail_or_look_natively(cx);
        }
        self.settle(cx);
    }

    /// Gives the lookup up.
    pub(crate) fn stop(&mut self, cx: &mut Cx) {
        let asked = [&mut self.a, &mut self.aaaa, &mut self.alias];
        for asked in asked.into_iter().chain(self.tlsa.iter_mut().map(|(_, asked)| asked)) {
            asked.withdraw(cx);
        }
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The addresses so far.
    pub(crate) fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// What the answers so far are worth.
    pub(crate) fn proofs(&self) -> &[Arc<Proof>] {
        &self.proofs
    }

    /// Why there are no addresses.
    pub(crate) fn failure(&self) -> Option<&LookupError> {
        self.failure.as_ref()
    }

    /// Tells whether nothing more will be found.
    pub(crate) fn is_done(&self) -> bool {
        self.failure.is_some()
            || !self.has_waiting_addresses()
                && !self.groups.is_empty()
                && self.groups.iter().all(|group| group.association.is_some())
    }

    fn has_waiting_addresses(&self) -> bool {
        self.a.is_waiting() || self.aaaa.is_waiting() || matches!(self.native, Native::Waiting(_))
    }

    fn add_found(&mut self, found: &Found, record: RecordType) {
        let address = |data: &Data| match data {
            Data::A(ip) => Some(IpAddr::from(*ip)),
            Data::Aaaa(ip) => Some(IpAddr::from(*ip)),
            Data::Mx { .. }
            | Data::Srv { .. }
            | Data::Tlsa(_)
            | Data::ShortTlsa(_)
            | Data::Cname(_)
            | Data::Ptr(_)
            | Data::Other => None,
        };
        let port = self.port;
        let addresses = found.data.iter().filter_map(address);
        let addresses = addresses.map(|ip| SocketAddr::new(ip, port).into()).collect();
        self.add_group(addresses, Some(found), found.excess.then_some(record));
    }

    fn add_group(
        &mut self,
        addresses: Vec<Remote>,
        found: Option<&Found>,
        excess: Option<RecordType>,
    ) {
        self.groups.push(Group {
            addresses,
            secure: found.is_some_and(|found| found.secure),
            owner: found.map(|found| found.owner.clone()),
            excess,
            association: None,
        });
    }

    fn fail_or_look_natively(&mut self, cx: &mut Cx) {
        // Of equal errors the one that was asked last counts.
        let worse = [&self.a, &self.aaaa].into_iter().filter_map(Asked::error);
        let Some(worst) = worse.max_by_key(|error| error.rank()).cloned() else {
            self.failure = Some(LookupError::Disabled { host: self.text.to_string() });
            return;
        };
        if worst.is_not_found() && self.settings.native && matches!(self.native, Native::Not) {
            self.look_natively(cx);
        } else {
            self.failure = Some(worst);
        }
    }

    fn look_natively(&mut self, cx: &mut Cx) {
        if !self.settings.native {
            self.failure = Some(LookupError::Disabled { host: self.text.to_string() });
            return;
        }
        match HostName::new(&self.text) {
            Some(name) => self.native = Native::Waiting(cx.find_host(name)),
            None => self.failure = Some(LookupError::InvalidName { name: self.text.to_string() }),
        }
    }

    fn take_native(&mut self, result: &Result<Vec<IpAddr>, crate::IoError>) {
        self.native = Native::Done;
        let host = self.text.to_string();
        let found = match result {
            Ok(found) => found,
            Err(error) => {
                self.failure = Some(LookupError::Native { host, error: error.clone() });
                return;
            }
        };
        let wanted = |ip: &&IpAddr| if ip.is_ipv4() { self.settings.v4 } else { self.settings.v6 };
        let mut addresses: Vec<Remote> = Vec::new();
        for ip in found.iter().filter(wanted).take(limits::ADDRESSES) {
            let address = SocketAddr::new(*ip, self.port).into();
            if !addresses.contains(&address) {
                addresses.push(address);
            }
        }
        if addresses.is_empty() {
            self.failure = Some(LookupError::NativeNotFound { host });
        } else {
            self.add_group(addresses, None, None);
        }
    }

    /// Finds out what goes with the addresses, as far as the answers allow.
    fn settle(&mut self, cx: &mut Cx) {
        for at in 0..self.groups.len() {
            if self.groups[at].association.is_none() {
                let (secure, owner) = (self.groups[at].secure, self.groups[at].owner.clone());
                self.groups[at].association = self.associate(cx, secure, owner);
            }
        }
        if self.is_done() {
            self.stop(cx);
        }
    }

    /// Chooses the TLSA base domain (RFC 7672 section 2.2.2) and reads its records; `None` as long
    /// as an answer is missing.
    fn associate(&mut self, cx: &mut Cx, secure: bool, owner: Option<Name>) -> Option<Association> {
        if !self.settings.tlsa {
            return Some(Association::NotWanted);
        }
        let Some(name) = self.name.clone() else { return Some(Association::None) };
        let end = owner.unwrap_or_else(|| name.clone());
        let is_alias = end != name;
        if secure && is_alias {
            // The end of the alias chain comes first.
            let found = self.look_at_tlsa(cx, &end)?;
            if found != Association::None {
                return Some(found);
            }
        } else if !secure && !self.settings.force_tlsa {
            if !is_alias {
                return Some(Association::None);
            }
            match self.alias_is_secure(cx, &name)? {
                Ok(true) => {}
                Ok(false) => return Some(Association::None),
                Err(error) => {
                    let host = self.text.to_string();
                    let note = LookupNote::AliasStatusFailed { host, error };
                    return Some(Association::Failed(note));
                }
            }
        }
        self.look_at_tlsa(cx, &name)
    }

    /// Tells whether the alias record of `name` alone is secure.
    fn alias_is_secure(
        &mut self,
        cx: &mut Cx,
        name: &Name,
    ) -> Option<Result<bool, Option<LookupError>>> {
        match &self.alias {
            Asked::Not => {
                self.alias = Asked::question(cx, name, RecordType::CNAME);
                None
            }
            Asked::Waiting(_) => None,
            Asked::Done(Ok(found)) => Some(Ok(found.secure)),
            // It was an alias a moment ago.
            Asked::Done(Err(error)) if error.is_not_found() => Some(Err(None)),
            Asked::Done(Err(error)) => Some(Err(Some(LookupError::clone(error)))),
        }
    }

    fn look_at_tlsa(&mut self, cx: &mut Cx, base: &Name) -> Option<Association> {
        let Some((_, asked)) = self.tlsa.iter().find(|(asked, _)| asked == base) else {
            self.ask_tlsa(cx, base);
            // Too long a name holds no records.
            let asked = self.tlsa.iter().any(|(asked, _)| asked == base);
            return (!asked).then_some(Association::None);
        };
        Some(match asked {
            Asked::Not | Asked::Waiting(_) => return None,
            // RFC 7672 section 2.1.1: records that are not secure are no records.
            Asked::Done(Ok(found)) if !found.secure => Association::None,
            Asked::Done(Ok(found)) => {
                let set = Arc::new(self.tlsa_set(base, found));
                if set.usable().next().is_some() {
                    Association::Usable(set)
                } else {
                    Association::Unusable(set)
                }
            }
            Asked::Done(Err(error)) if error.is_not_found() => Association::None,
            Asked::Done(Err(error)) => {
                Association::Failed(LookupNote::TlsaFailed(LookupError::clone(error)))
            }
        })
    }

    fn ask_tlsa(&mut self, cx: &mut Cx, base: &Name) {
        if let Some(name) = name::tlsa_name(self.port, base) {
            let asked = Asked::question(cx, &name, RecordType::TLSA);
            self.tlsa.push((base.clone(), asked));
        }
    }

    fn tlsa_set(&self, base: &Name, found: &Found) -> TlsaSet {
        let record = |data: &Data| match data {
            Data::Tlsa(tlsa) => Some(TlsaRecord::from(tlsa.clone())),
            Data::ShortTlsa(octets) => Some(TlsaRecord::Short(*octets)),
            Data::A(_)
            | Data::Aaaa(_)
            | Data::Mx { .. }
            | Data::Srv { .. }
            | Data::Cname(_)
            | Data::Ptr(_)
            | Data::Other => None,
        };
        let mut records: Vec<_> = found.data.iter().filter_map(record).collect();
        records.shrink_to_fit();
        let text = |name: &Name| {
            let mut text = name.to_string();
            text.shrink_to_fit();
            text
        };
        TlsaSet {
            base: text(base),
            query: format!("_{}._tcp.{base}", self.port),
            owner: text(&found.owner),
            records,
            excess: found.excess,
        }
    }
}

impl Asked {
    fn question(cx: &mut Cx, name: &Name, record: RecordType) -> Self {
        Self::Waiting(cx.ask(Question::new(name.clone(), record)))
    }

    /// Takes the answer if it is there, and hands it out when it comes.
    fn poll(&mut self, cx: &mut Cx, proofs: &mut Vec<Arc<Proof>>) -> Option<Answer> {
        let Self::Waiting(id) = self else { return None };
        let Answered { answer, proofs: new } = cx.answer(*id)?;
        proofs.extend(new.iter().cloned());
        *self = Self::Done(answer.clone());
        Some(answer)
    }

    fn withdraw(&mut self, cx: &mut Cx) {
        if let Self::Waiting(id) = self {
            cx.withdraw(*id);
            *self = Self::Not;
        }
    }

    fn is_waiting(&self) -> bool {
        matches!(self, Self::Waiting(_))
    }

    fn error(&self) -> Option<&LookupError> {
        match self {
            Self::Done(Err(error)) => Some(error),
            Self::Done(Ok(_)) | Self::Waiting(_) | Self::Not => None,
        }
    }
}
