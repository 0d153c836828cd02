//! From a destination to its servers: MX or SRV records, their hosts, one target after the other.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::dnssec::Proof;
use super::error::{LookupError, RecordType};
use super::facts::{HostFacts, RouteFacts};
use super::host::{Association, Host, HostSettings};
use super::lookup::{Answer, Answered, Found};
use super::name::{self, Question};
use super::note::LookupNote;
use super::order::{self, Candidate, Place};
use super::policy;
use super::target::{MxSecurity, Target, TlsaSet};
use crate::config::{Config, Dialect, Family};
use crate::context::{AskId, Cx};
use crate::destination::{self, Destination};
use crate::limits;
use crate::machine::{Endpoint, Input, Remote};
use crate::report::{Event, Peer, PeerAddress};
use crate::time::Instant;

/// Finds the servers of a destination.
///
/// All hosts are looked up at once. A target can be had as soon as the hosts of the best preference
/// that is left have their answers; later ones run on meanwhile.
#[derive(Debug)]
pub(crate) struct Route {
    settings: Settings,
    phase: Phase,
    mx: MxSecurity,
    /// The owner of the MX or SRV record after aliases, if that is another than what was asked for.
    mx_owner: Option<String>,
    hosts: Vec<(Candidate, Host)>,
    /// Addresses that were not tried yet.
    addresses: Vec<Address>,
    /// How many groups of each host are among the addresses already.
    taken: Vec<usize>,
    /// When the first host of a preference was ready.
    ready_since: BTreeMap<u16, Instant>,
    /// Until when the latest target waits for others of its preference.
    patience: Option<Instant>,
    /// The records of which names were told of already; another address needs no repetition.
    told: BTreeSet<(String, RecordType)>,
    /// An address was found.
    found_any: bool,
    /// What the answer with the MX or SRV records is worth.
    proofs: Arc<[Arc<Proof>]>,
}

#[derive(Debug)]
struct Settings {
    nexthop: Arc<str>,
    port: u16,
    config: Arc<Config>,
}

#[derive(Debug)]
enum Phase {
    /// Waits for the MX or SRV records of a name.
    Asking(AskId, RecordType, String),
    /// The hosts are known.
    Hosts(Option<RecordType>, String),
    /// There is only this one.
    One(Option<Arc<Target>>),
    Failed(LookupError),
}

/// An address of a host, which is told by its number.
#[derive(Clone, Debug)]
struct Address {
    place: Place,
    host: usize,
    group: usize,
    remote: Remote,
}

/// What [`Route::next_target`] says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NextTarget {
    /// Try this one.
    Ready(Arc<Target>),
    /// Answers are missing.
    Wait,
    /// There are no more. The error tells why there never was an address.
    Exhausted(Option<LookupError>),
}

impl Route {
    /// Begins to find the servers of a destination.
    pub(crate) fn start(cx: &mut Cx, config: &Arc<Config>, destination: &Destination) -> Self {
        let mut route = Self::empty(config);
        match &destination.place {
            destination::Place::Unix(path) => {
                route.settings.nexthop.clone_from(&config.helo_name);
                let address = PeerAddress::Unix(path.clone());
                let peer = Peer { name: config.helo_name.clone(), address };
                let level = policy::reached_level(
                    config.level,
                    MxSecurity::None,
                    false,
                    config.lookup.insecure_mx,
                );
                route.phase = Phase::One(Some(Arc::new(Target {
                    peer: Arc::new(peer),
                    endpoint: Endpoint::Unix(path.clone()),
                    host: config.helo_name.clone(),
                    nexthop: config.helo_name.clone(),
                    port: 0,
                    mx: MxSecurity::None,
                    address_secure: false,
                    level,
                    tlsa: None,
                    match_names: Vec::new(),
                })));
            }
            destination::Place::Inet { host, literal, service, port } => {
                route.settings.nexthop = host.as_str().into();
                route.settings.port = *port;
                let direct = *literal || config.dialect == Dialect::Lmtp;
                route.start_inet(cx, host, direct, service.as_deref());
            }
        }
        route
    }

    /// Begins a route that leads nowhere yet.
    fn empty(config: &Arc<Config>) -> Self {
        Self {
            settings: Settings { nexthop: "".into(), port: 0, config: Arc::clone(config) },
            phase: Phase::One(None),
            mx: MxSecurity::None,
            mx_owner: None,
            hosts: Vec::new(),
            addresses: Vec::new(),
            taken: Vec::new(),
            ready_since: BTreeMap::new(),
            patience: None,
            told: BTreeSet::new(),
            found_any: false,
            proofs: Arc::default(),
        }
    }

    fn start_inet(&mut self, cx: &mut Cx, host: &str, direct: bool, service: Option<&str>) {
        let invalid = || LookupError::InvalidName { name: host.to_owned() };
        let Ok(ascii) = destination::host_to_ascii(host).map(Cow::into_owned) else {
            self.phase = Phase::Failed(invalid());
            return;
        };
        if ascii != host {
            let domain = host.to_owned();
            tell(cx, LookupNote::Converted { domain, ascii: ascii.clone() });
        }
        if direct || super::conf::scoped_address(&ascii, 0).is_some() {
            self.phase = Phase::Hosts(None, ascii.clone());
            self.start_hosts(cx, vec![self.itself(ascii)]);
            return;
        }
        let (record, query) = if self.settings.config.lookup.srv {
            (RecordType::SRV, format!("_{}._tcp.{ascii}", service.unwrap_or("smtp")))
        } else {
            (RecordType::MX, ascii)
        };
        self.phase = match name::from_text(&query) {
            Some(name) => Phase::Asking(cx.ask(Question::new(name, record)), record, query),
            None => Phase::Failed(invalid()),
        };
    }

    /// Takes an input, and the answers that are there.
    pub(crate) fn handle(&mut self, cx: &mut Cx, input: &Input) {
        if let Phase::Asking(id, record, query) = &mut self.phase
            && let Some(Answered { answer, proofs }) = cx.answer(*id)
        {
            let (record, query) = (*record, std::mem::take(query));
            self.proofs = proofs;
            self.take_records(cx, answer, record, query);
        }
        for (_, host) in &mut self.hosts {
            host.handle(cx, input);
        }
        self.take_addresses(cx);
    }

    /// Tells when [`next_target`](Self::next_target) may have another answer without any input.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        (self.patience.unwrap_or(Instant::NEVER), "for other mail hosts of the same preference")
    }

    /// Hands out the next target to try, and tells what there is to tell of it.
    pub(crate) fn next_target(&mut self, cx: &mut Cx) -> NextTarget {
        self.patience = None;
        match &mut self.phase {
            Phase::Asking(..) => return NextTarget::Wait,
            Phase::One(target) => {
                return match target.take() {
                    Some(target) => NextTarget::Ready(target),
                    None => NextTarget::Exhausted(None),
                };
            }
            // What explains the failure should stand before it.
            Phase::Failed(_) if cx.is_settling() => return NextTarget::Wait,
            Phase::Failed(error) => return NextTarget::Exhausted(Some(error.clone())),
            Phase::Hosts(..) => {}
        }
        while let Some(best) = self.best_preference() {
            let settled = !self.is_pending(best);
            if !settled {
                let since = self.ready_since.get(&best);
                let until = since.map(|since| *since + limits::STRAGGLERS);
                if until.is_none_or(|until| cx.now() < until) {
                    self.patience = until;
                    return NextTarget::Wait;
                }
            }
            let ready = |address: &&Address| {
                address.place.preference == best && (settled || self.is_ready(address))
            };
            let next = self.addresses.iter().filter(ready).map(|address| address.place).min();
            let Some(next) = next else { return NextTarget::Wait };
            let Some(at) = self.addresses.iter().position(|address| address.place == next) else {
                return NextTarget::Wait;
            };
            let address = self.addresses.swap_remove(at);
            if let Some(target) = self.target(cx, &address) {
                return NextTarget::Ready(Arc::new(target));
            }
        }
        if !self.found_any && cx.is_settling() {
            return NextTarget::Wait;
        }
        NextTarget::Exhausted(self.failure(cx))
    }

    /// Tells what was found so far.
    pub(crate) fn facts(&self) -> RouteFacts {
        let record = match &self.phase {
            Phase::Asking(_, record, _) | Phase::Hosts(Some(record), _) => Some(*record),
            Phase::Hosts(None, _) | Phase::One(_) | Phase::Failed(_) => None,
        };
        let hosts = self.hosts.iter().map(|(candidate, host)| HostFacts::of(candidate, host));
        let mut proofs: Vec<Arc<Proof>> = Vec::new();
        for proof in self.proofs.iter().chain(self.hosts.iter().flat_map(|(_, host)| host.proofs()))
        {
            // Several hosts may have asked the same question.
            if !proofs.iter().any(|known| Arc::ptr_eq(known, proof)) {
                proofs.push(Arc::clone(proof));
            }
        }
        RouteFacts { record, security: self.mx, hosts: hosts.collect(), proofs }
    }

    /// Gives up all lookups.
    pub(crate) fn stop(&mut self, cx: &mut Cx) {
        if let Phase::Asking(id, ..) = &self.phase {
            cx.withdraw(*id);
            self.phase = Phase::One(None);
        }
        for (_, host) in &mut self.hosts {
            host.stop(cx);
        }
    }

    /// Takes the MX or SRV records.
    fn take_records(&mut self, cx: &mut Cx, answer: Answer, record: RecordType, query: String) {
        let found = match answer {
            Ok(found) => found,
            // RFC 5321 section 5.1: only a domain without MX records is its own mail host.
            Err(error) if record == RecordType::MX && error.is_not_found() => {
                self.phase = Phase::Hosts(None, query.clone());
                self.start_hosts(cx, vec![self.itself(query)]);
                return;
            }
            Err(error) => {
                self.phase = Phase::Failed(Arc::unwrap_or_clone(error));
                return;
            }
        };
        let (notes, hosts) = if record == RecordType::SRV {
            order::srv_hosts(&query, &found, cx.random())
        } else {
            order::mx_hosts(&query, self.settings.port, &found)
        };
        for note in notes {
            tell(cx, note);
        }
        match hosts {
            Ok(hosts) => {
                self.name_records(&found, &query);
                self.phase = Phase::Hosts(Some(record), query);
                self.start_hosts(cx, hosts);
            }
            Err(error) => self.phase = Phase::Failed(error),
        }
    }

    fn name_records(&mut self, found: &Found, query: &str) {
        self.mx = if found.secure { MxSecurity::Secure } else { MxSecurity::Insecure };
        let owner = found.owner.to_string();
        self.mx_owner = (!owner.eq_ignore_ascii_case(query)).then_some(owner);
    }

    fn itself(&self, host: String) -> Candidate {
        let name = name::from_text(&host);
        Candidate { host: host.into(), name, port: self.settings.port, preference: 0, turn: 0 }
    }

    fn start_hosts(&mut self, cx: &mut Cx, candidates: Vec<Candidate>) {
        let lookup = &self.settings.config.lookup;
        let tlsa = policy::wants_tlsa(self.settings.config.level, self.mx, lookup.insecure_mx);
        let settings = HostSettings::new(lookup, tlsa);
        for candidate in candidates {
            let host = Host::start(cx, &candidate, settings);
            self.hosts.push((candidate, host));
            self.taken.push(0);
        }
        self.take_addresses(cx);
    }

    /// Gives every new address its place, and notes which preferences have something to try.
    fn take_addresses(&mut self, cx: &mut Cx) {
        for (number, (candidate, host)) in self.hosts.iter().enumerate() {
            for group in self.taken[number]..host.groups().len() {
                for remote in &host.groups()[group].addresses {
                    let (family, ip) = (self.settings.config.family, remote.address.ip());
                    let place = Place::new(candidate, ip, family, cx.random());
                    let remote = remote.clone();
                    self.addresses.push(Address { place, host: number, group, remote });
                    self.found_any = true;
                }
            }
            self.taken[number] = host.groups().len();
        }
        for address in &self.addresses {
            if self.is_ready(address) {
                self.ready_since.entry(address.place.preference).or_insert(cx.now());
            }
        }
    }

    /// Tells whether an address can be tried while others of its preference are missing.
    fn is_ready(&self, address: &Address) -> bool {
        let (_, host) = &self.hosts[address.host];
        let associated = host.groups()[address.group].association.is_some();
        // Where a family comes first, its addresses are awaited.
        associated && (self.settings.config.family == Family::Any || host.is_done())
    }

    fn is_pending(&self, preference: u16) -> bool {
        self.hosts.iter().any(|(host, state)| host.preference == preference && !state.is_done())
    }

    fn best_preference(&self) -> Option<u16> {
        let pending = self.hosts.iter().filter(|(_, host)| !host.is_done());
        let pending = pending.map(|(candidate, _)| candidate.preference);
        let untried = self.addresses.iter().map(|address| address.place.preference);
        pending.chain(untried).min()
    }

    /// Makes a target of an address, unless it must not be tried; tells why, or what is special.
    fn target(&mut self, cx: &mut Cx, address: &Address) -> Option<Target> {
        let (candidate, host) = &self.hosts[address.host];
        let group = &host.groups()[address.group];
        let name = || host.text().to_owned();
        if let Some(record) = group.excess.filter(|kind| self.told.insert((name(), *kind))) {
            tell(cx, LookupNote::ExcessRecords { name: name(), record });
        }
        let association = group.association.as_ref()?;
        tell_association(cx, &mut self.told, host.text(), association);
        if let Association::Failed(_) = association {
            tell(cx, LookupNote::HostSkipped { host: name(), port: candidate.port });
            return None;
        }
        let insecure_mx = self.settings.config.lookup.insecure_mx;
        let usable = matches!(association, Association::Usable(_));
        let unusable = matches!(association, Association::Unusable(_));
        let level = policy::reached_level(self.settings.config.level, self.mx, usable, insecure_mx);
        if unusable || *association == Association::None {
            tell(cx, LookupNote::NoTlsa { unusable });
        } else if level != self.settings.config.level {
            tell(cx, LookupNote::MxInsecure(insecure_mx));
        }
        let tlsa = association.set().cloned();
        let match_names = tlsa.as_deref().filter(|_| usable);
        let match_names = match_names.map(|set| self.match_names(set)).unwrap_or_default();
        Some(Target {
            peer: Arc::new(Peer {
                name: candidate.host.clone(),
                address: PeerAddress::Inet(address.remote.address.ip(), candidate.port),
            }),
            endpoint: Endpoint::Tcp(address.remote.clone()),
            host: candidate.host.clone(),
            nexthop: self.settings.nexthop.clone(),
            port: candidate.port,
            mx: self.mx,
            address_secure: group.secure,
            level,
            tlsa,
            match_names,
        })
    }

    fn match_names(&self, set: &TlsaSet) -> Vec<String> {
        let asked = match &self.phase {
            Phase::Hosts(Some(_), query) => Some(query),
            Phase::Asking(..) | Phase::Hosts(None, _) | Phase::One(_) | Phase::Failed(_) => None,
        };
        let mut names = vec![set.base.clone()];
        for name in self.mx_owner.iter().chain(asked) {
            if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
                names.push(name.clone());
            }
        }
        names
    }

    /// Tells why there never was an address: the last host's reason counts.
    fn failure(&mut self, cx: &mut Cx) -> Option<LookupError> {
        if self.found_any {
            return None;
        }
        if let Phase::Hosts(Some(record), query) = &self.phase
            && self.told.insert((query.clone(), *record))
        {
            tell(cx, LookupNote::NoHostAddress { record: *record, name: query.clone() });
        }
        self.hosts.iter().rev().find_map(|(_, host)| host.failure().cloned())
    }
}

fn tell(cx: &mut Cx, note: LookupNote) {
    cx.tell(Event::Lookup(note));
}

fn tell_association(
    cx: &mut Cx,
    told: &mut BTreeSet<(String, RecordType)>,
    host: &str,
    association: &Association,
) {
    let mut first_of = |name: &str, record| told.insert((name.to_owned(), record));
    let set = match association {
        Association::Failed(note) if first_of(host, RecordType::TLSA) => {
            return tell(cx, note.clone());
        }
        Association::Usable(set) | Association::Unusable(set)
            if first_of(&set.query, RecordType::TLSA) =>
        {
            set
        }
        Association::Failed(_)
        | Association::Usable(_)
        | Association::Unusable(_)
        | Association::NotWanted
        | Association::None => return,
    };
    if set.excess {
        let (name, record) = (set.query.clone(), RecordType::TLSA);
        tell(cx, LookupNote::ExcessRecords { name, record });
    }
    for record in &set.records {
        let (query, owner, record) = (set.query.clone(), set.owner.clone(), record.clone());
        tell(cx, LookupNote::Tlsa { query, owner, record });
    }
}
