//! Sessions with the library's own TLS: what only a complete handshake shows.
//!
//! Of TLS 1.3 and 1.2 each, one session is made and then offered again. In TLS 1.2 that is done once
//! more without tickets if the first was resumed by one, so that both ways are told apart. In TLS 1.3,
//! where the signature is encrypted, more handshakes ask without the schemes that the server chose.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{Config, Offer, ServerCertificates, Versions, Watch};
use crate::context::Cx;
use crate::limits;
use crate::machine::Input;
use crate::report::{Group, HandshakeError, SignatureScheme, TlsFacts, TlsVersion};
use crate::resolve::Target;
use crate::session::{Approach, Approached, Farewell, Over, Plan};
use crate::time::Instant;
use crate::tls::scout::{Protocol, tls13_schemes};
use crate::tls::{SessionCache, Setup, TicketFacts};

use super::WithoutSni;
use super::tracks::ALPN;

/// What the sessions of one version showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// The version.
    pub version: Protocol,
    /// A session was resumed by its id (RFC 5246 section 7.3); `None` if that could not be found
    /// out, and in TLS 1.3, which has no such thing.
    pub resumed_by_id: Option<bool>,
    /// A session was resumed by a ticket (RFC 5077, RFC 8446 section 2.2); `None` if that could not
    /// be found out.
    pub resumed_by_ticket: Option<bool>,
    /// The tickets that the server gave with one session, at most
    /// [`limits::TICKETS`](crate::limits::TICKETS).
    pub tickets: Vec<TicketFacts>,
    /// An OCSP response was stapled.
    pub ocsp: bool,
    /// The scheme of the server's signature.
    pub signature: Option<SignatureScheme>,
    /// The key exchange group.
    pub group: Option<Group>,
}

impl SessionFacts {
    /// Tells whether a session was resumed in whichever way; `None` if that could not be found out.
    pub fn resumed(&self) -> Option<bool> {
        match (self.resumed_by_id, self.resumed_by_ticket) {
            (Some(true), _) | (_, Some(true)) => Some(true),
            (Some(false), Some(false)) => Some(false),
            (None, Some(false)) if self.version == Protocol::TLS13 => Some(false),
            (None | Some(false), None) | (None, Some(false)) => None,
        }
    }
}

/// How long a server of TLS 1.3 has to give a session after the handshake: most do that at once.
const GRACE: Duration = Duration::from_secs(1);

/// All sessions, one after the other.
#[derive(Debug)]
pub(super) struct Visits {
    errands: VecDeque<Errand>,
    state: State,
    /// Scouts that did not offer a ticket got no session id.
    has_no_ids: bool,
    pub(super) facts: Vec<SessionFacts>,
    /// Schemes of the server's signatures in TLS 1.3, in the order in which they were chosen.
    pub(super) schemes: Vec<u16>,
    /// Chains that the server showed, each once.
    pub(super) chains: Vec<Vec<Bytes>>,
    /// What becomes of a hello without a server name, if no scout could find out.
    pub(super) nameless: Option<WithoutSni>,
    /// The application protocol that TLS 1.3 chose, and whether it shows a raw key, if no scout could
    /// find out.
    pub(super) protocol: Option<String>,
    pub(super) raw_key: Option<bool>,
    /// No scout saw the answers to extensions: they are encrypted.
    asks_extensions: bool,
    /// The last handshake broke off, so that it is made once more.
    doubts: bool,
}

/// What a session is for.
#[derive(Clone, Debug)]
enum Errand {
    /// To get to know a version.
    Meet(Protocol),
    /// To see whether TLS 1.2 gives a session without tickets.
    MeetWithoutTickets,
    /// To offer what a session gave; by a ticket, or by its id.
    Resume { version: Protocol, by_ticket: bool },
    /// To see what TLS 1.3 signs with if it may choose from these schemes only.
    Sign(Vec<u16>),
    /// To see what TLS 1.3 shows to whoever says no server name.
    Nameless,
    /// To see which application protocol TLS 1.3 chooses.
    Protocol,
    /// To see whether TLS 1.3 has a raw public key to show.
    RawKey,
}

#[derive(Debug)]
enum State {
    /// Another session may begin. What it takes to resume the last one, if that is what it is for.
    Idle(Option<(Arc<Setup>, SessionCache)>),
    Coming(Errand, Arc<Setup>, Box<Approach>),
    /// The server may give a session to be reused, until then.
    Going(Errand, Arc<Setup>, Box<Farewell>, Arc<TlsFacts>, Instant),
}

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visited {
    /// It showed what it could.
    Well,
    /// It did not get as far as TLS: it is to be made again.
    Early,
}

impl Visits {
    /// Plans the sessions for the versions that the server and the library speak.
    pub(super) fn new(
        versions: impl IntoIterator<Item = Protocol>,
        has_no_ids: bool,
        asks_extensions: bool,
    ) -> Self {
        Self {
            errands: versions.into_iter().map(Errand::Meet).collect(),
            state: State::Idle(None),
            has_no_ids,
            facts: Vec::new(),
            schemes: Vec::new(),
            chains: Vec::new(),
            nameless: None,
            protocol: None,
            raw_key: None,
            asks_extensions,
            doubts: false,
        }
    }

    /// Tells whether a session is under way.
    pub(super) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle(_))
    }

    /// Begins the next session; `false` if none is left.
    pub(super) fn begin(&mut self, cx: &mut Cx, config: &Config, target: &Target) -> bool {
        while let Some(errand) = self.errands.pop_front() {
            let held = match &mut self.state {
                State::Idle(held) => held.take(),
                State::Coming(..) | State::Going(..) => return false,
            };
            let cache = || SessionCache::new(true);
            let prepared = match (&errand, held) {
                (Errand::Resume { .. }, held) => held,
                (Errand::Meet(version), _) => {
                    let setup = prepare(config, Some(target), *version);
                    let setup = setup.map(|setup| match *version {
                        Protocol::TLS13 => setup.with_schemes(tls13_schemes()),
                        _ => setup,
                    });
                    setup.map(|setup| (Arc::new(setup), cache()))
                }
                (Errand::MeetWithoutTickets, _) => {
                    let setup = prepare(config, Some(target), Protocol::TLS12);
                    setup.map(|setup| (Arc::new(setup.without_tickets()), cache()))
                }
                (Errand::Sign(left), _) => {
                    let setup = prepare(config, Some(target), Protocol::TLS13);
                    let setup = setup.map(|setup| setup.with_schemes(left.clone()));
                    setup.map(|setup| (Arc::new(setup), SessionCache::new(false)))
                }
                (Errand::Nameless, _) => {
                    let setup = prepare(config, None, Protocol::TLS13);
                    let setup = setup.map(|setup| setup.with_schemes(tls13_schemes()));
                    setup.map(|setup| (Arc::new(setup), SessionCache::new(false)))
                }
                (Errand::Protocol, _) => {
                    let setup = prepare(config, Some(target), Protocol::TLS13);
                    let setup =
                        setup.map(|it| it.with_schemes(tls13_schemes()).with_protocols(ALPN));
                    setup.map(|setup| (Arc::new(setup), cache()))
                }
                (Errand::RawKey, _) => {
                    let offer = offer(config, Some(target), Protocol::TLS13);
                    let certificates = ServerCertificates::RawPublicKey;
                    let setup = set_up(config, Offer { certificates, ..offer });
                    setup.map(|setup| (Arc::new(setup), SessionCache::new(false)))
                }
            };
            if let Some((setup, cache)) = prepared {
                let approach = come(cx, config, target, &setup, cache);
                self.state = State::Coming(errand, setup, Box::new(approach));
                return true;
            }
        }
        false
    }

    /// Tells when to give up waiting, and for what.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        match &self.state {
            State::Coming(_, _, approach) => approach.deadline(),
            State::Going(_, _, farewell, _, until) => {
                farewell.deadline().min((*until, "for a session to be reused"))
            }
            State::Idle(_) => (Instant::NEVER, "for nothing"),
        }
    }

    /// Takes an input; tells when a session ended.
    pub(super) fn handle(&mut self, cx: &mut Cx, input: &Input) -> Option<Visited> {
        match mem::replace(&mut self.state, State::Idle(None)) {
            State::Coming(errand, setup, mut approach) => match approach.handle(cx, input) {
                None => {
                    self.state = State::Coming(errand, setup, approach);
                    None
                }
                Some(Approached::Secured(facts))
                    if matches!(
                        errand,
                        Errand::Sign(_) | Errand::Nameless | Errand::Protocol | Errand::RawKey
                    ) =>
                {
                    approach.abort(cx);
                    let (_, cache) = approach.finish();
                    self.take(errand, setup, &facts, cache, true);
                    Some(Visited::Well)
                }
                Some(Approached::Secured(facts)) => {
                    let farewell = Box::new(Farewell::start(cx, *approach));
                    // In TLS 1.2 the handshake itself has given what there is.
                    let is_tls13 = facts.version == TlsVersion::Tls13;
                    let until = cx.now() + if is_tls13 { GRACE } else { Duration::ZERO };
                    self.state = State::Going(errand, setup, farewell, facts, until);
                    // What came in the same piece is looked at now.
                    self.handle(cx, &Input::Tick)
                }
                Some(_) => {
                    approach.abort(cx);
                    Some(self.fail(errand, setup, *approach))
                }
            },
            State::Going(errand, setup, mut farewell, facts, until) => {
                let is_over = farewell.handle(cx, input) == Some(Over);
                // A session that was offered again has shown all that it is for.
                let is_enough = matches!(errand, Errand::Resume { .. })
                    || farewell.has_saved()
                    || until <= cx.now();
                if !is_over && !is_enough {
                    self.state = State::Going(errand, setup, farewell, facts, until);
                    return None;
                }
                farewell.abort(cx);
                let (observation, cache) = farewell.finish();
                let is_whole = observation.quit.is_some();
                self.take(errand, setup, &facts, cache, is_whole);
                Some(Visited::Well)
            }
            state @ State::Idle(_) => {
                self.state = state;
                None
            }
        }
    }

    /// Takes what a complete handshake showed; whether the session came to its end.
    fn take(
        &mut self,
        errand: Errand,
        setup: Arc<Setup>,
        facts: &TlsFacts,
        cache: SessionCache,
        is_whole: bool,
    ) {
        self.doubts = false;
        if matches!(errand, Errand::RawKey) {
            self.raw_key = Some(facts.certificates == ServerCertificates::RawPublicKey);
            return;
        }
        let is_known = self.chains.contains(&facts.chain);
        // One more than are kept tells that there are more.
        if !is_known && self.chains.len() <= limits::ENUMERATED_CHAINS {
            self.chains.push(facts.chain.clone());
        }
        match errand {
            Errand::Meet(version) => {
                self.meet(version, setup, facts, cache);
                // Behind a reply to QUIT there is no ticket of TLS 1.3 on its way any more.
                if let Some(last) = self.facts.last_mut().filter(|_| !is_whole) {
                    let has_none = last.tickets.is_empty() && version == Protocol::TLS13;
                    last.resumed_by_ticket = last.resumed_by_ticket.filter(|_| !has_none);
                }
            }
            Errand::MeetWithoutTickets if cache.is_empty() => {
                self.note(Protocol::TLS12, false, false);
            }
            Errand::MeetWithoutTickets => {
                let resume = Errand::Resume { version: Protocol::TLS12, by_ticket: false };
                self.errands.push_front(resume);
                self.state = State::Idle(Some((setup, cache)));
            }
            Errand::Resume { version, by_ticket } => self.note(version, by_ticket, facts.resumed),
            Errand::Sign(left) => self.sign(left, facts),
            Errand::Nameless => {
                self.nameless = Some(if is_known { WithoutSni::Same } else { WithoutSni::Other });
            }
            Errand::Protocol => {
                let name = cache.protocol().map(|name| String::from_utf8_lossy(name));
                self.protocol = name.map(|name| name.into_owned());
            }
            Errand::RawKey => {}
        }
    }

    fn meet(
        &mut self,
        version: Protocol,
        setup: Arc<Setup>,
        facts: &TlsFacts,
        cache: SessionCache,
    ) {
        let tickets = cache.tickets().to_vec();
        let is_tls12 = version == Protocol::TLS12;
        self.facts.push(SessionFacts {
            version,
            resumed_by_id: (is_tls12 && self.has_no_ids).then_some(false),
            resumed_by_ticket: tickets.is_empty().then_some(false),
            ocsp: facts.ocsp.is_some(),
            signature: facts.server_signature,
            group: facts.group,
            tickets,
        });
        if !is_tls12 {
            if self.asks_extensions {
                let asked = [Errand::Nameless, Errand::Protocol, Errand::RawKey];
                asked.into_iter().rev().for_each(|errand| self.errands.push_front(errand));
            }
            self.sign(tls13_schemes(), facts);
        }
        let by_ticket = !cache.tickets().is_empty();
        // A client that asks for tickets may get no id, so that a hello without them tells.
        if is_tls12 && !self.has_no_ids && (by_ticket || cache.is_empty()) {
            self.errands.push_front(Errand::MeetWithoutTickets);
        }
        if !cache.is_empty() {
            self.errands.push_front(Errand::Resume { version, by_ticket });
            self.state = State::Idle(Some((setup, cache)));
        }
    }

    /// Notes a scheme that was chosen, and plans to ask without it.
    fn sign(&mut self, mut left: Vec<u16>, facts: &TlsFacts) {
        let Some(SignatureScheme(chosen)) = facts.server_signature else { return };
        let before = left.len();
        left.retain(|scheme| *scheme != chosen);
        // There is no end to it with a server that chooses what it was not offered.
        if left.len() < before {
            self.schemes.push(chosen);
            if !left.is_empty() {
                self.errands.push_front(Errand::Sign(left));
            }
        }
    }

    fn note(&mut self, version: Protocol, by_ticket: bool, resumed: bool) {
        if let Some(facts) = self.facts.iter_mut().find(|facts| facts.version == version) {
            let fact =
                if by_ticket { &mut facts.resumed_by_ticket } else { &mut facts.resumed_by_id };
            *fact = Some(resumed);
        }
    }

    /// Looks why there was no session.
    fn fail(&mut self, errand: Errand, setup: Arc<Setup>, approach: Approach) -> Visited {
        let (observation, cache) = approach.finish();
        let is_resumption = matches!(errand, Errand::Resume { .. });
        match observation.handshake_error {
            Some(HandshakeError::Lost | HandshakeError::Broke(_))
                if !is_resumption && !mem::replace(&mut self.doubts, true) =>
            {
                self.errands.push_front(errand);
                return Visited::Well;
            }
            // The server's word on what it was offered, or the lack of one.
            Some(HandshakeError::Tls(_) | HandshakeError::Lost | HandshakeError::Broke(_)) => {
                match errand {
                    Errand::Nameless => self.nameless = Some(WithoutSni::Refused),
                    Errand::RawKey => self.raw_key = Some(false),
                    Errand::Meet(_)
                    | Errand::MeetWithoutTickets
                    | Errand::Resume { .. }
                    | Errand::Sign(_)
                    | Errand::Protocol => {}
                }
            }
            Some(
                HandshakeError::NothingToOffer(_)
                | HandshakeError::TimedOut
                | HandshakeError::Proxy(_),
            ) => {}
            None => {
                if is_resumption {
                    self.state = State::Idle(Some((setup, cache)));
                }
                self.errands.push_front(errand);
                return Visited::Early;
            }
        }
        self.doubts = false;
        Visited::Well
    }

    /// Hangs up at once.
    pub(super) fn abort(&mut self, cx: &mut Cx) {
        match &mut self.state {
            State::Coming(_, _, approach) => approach.abort(cx),
            State::Going(_, _, farewell, ..) => farewell.abort(cx),
            State::Idle(_) => {}
        }
    }
}

/// Prepares sessions of one version, by the name of the target if there is one; `None` if the library
/// cannot.
fn prepare(config: &Config, target: Option<&Target>, version: Protocol) -> Option<Setup> {
    set_up(config, offer(config, target, version))
}

fn offer(config: &Config, target: Option<&Target>, version: Protocol) -> Offer {
    let is = |other| version == other;
    let versions = Versions { tls12: is(Protocol::TLS12), tls13: is(Protocol::TLS13) };
    let server_name = target.map(|target| target.host.to_string());
    let groups = config.policy.groups.clone();
    Offer { server_name, versions, groups, sha1: true, ..Offer::default() }
}

fn set_up(config: &Config, offer: Offer) -> Option<Setup> {
    Setup::new(Arc::new(offer), config.repeatable).ok()
}

fn come(
    cx: &mut Cx,
    config: &Config,
    target: &Target,
    setup: &Arc<Setup>,
    cache: SessionCache,
) -> Approach {
    // Tickets are in messages.
    let watch = Watch { messages: true, ..Watch::default() };
    let tls = Some(Ok(setup.clone()));
    let plan = Plan { tls, watch, await_quit: true, ..super::plan(config, None) };
    let (peer, endpoint) = (target.peer.clone(), target.endpoint.clone());
    Approach::start(cx, peer, endpoint, Arc::new(plan), cache)
}
