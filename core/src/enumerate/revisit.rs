//! Sessions with the library's own TLS: what only a complete handshake shows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{Config, Offer, Versions};
use crate::context::Cx;
use crate::machine::Input;
use crate::report::{Group, SignatureScheme, TlsFacts};
use crate::resolve::Target;
use crate::session::{Approach, Approached, Farewell, Over, Plan};
use crate::time::Instant;
use crate::tls::scout::Protocol;
use crate::tls::{SessionCache, Setup, TicketFacts};

/// What two sessions of one version showed, the second offering to resume the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionFacts {
    /// The version.
    pub version: Protocol,
    /// The session was resumed; `None` if the second one did not come about.
    pub resumed: Option<bool>,
    /// The tickets of TLS 1.3, at most [`limits::TICKETS`](crate::limits::TICKETS).
    pub tickets: Vec<TicketFacts>,
    /// An OCSP response was stapled.
    pub ocsp: bool,
    /// The scheme of the server's signature.
    pub signature: Option<SignatureScheme>,
    /// The key exchange group.
    pub group: Option<Group>,
    /// The server's certificates.
    pub(super) chain: Vec<Bytes>,
}

/// How long a server has to give a session after the handshake: servers of TLS 1.3 do that at once.
const GRACE: Duration = Duration::from_secs(1);

/// Two sessions, one after the other.
#[derive(Debug)]
pub(super) struct Revisit {
    version: Protocol,
    setup: Arc<Setup>,
    facts: Option<SessionFacts>,
    state: State,
}

#[derive(Debug)]
enum State {
    Coming(Box<Approach>),
    /// The server may give a session to be reused, until then.
    Going(Box<Farewell>, Arc<TlsFacts>, Instant),
    /// The second session may begin.
    Between(SessionCache),
    Over,
}

impl Revisit {
    /// Begins the first session; `None` if the library cannot.
    pub(super) fn start(
        cx: &mut Cx,
        config: &Config,
        target: &Target,
        version: Protocol,
    ) -> Option<Self> {
        let is = |other| version == other;
        let versions = Versions { tls12: is(Protocol::TLS12), tls13: is(Protocol::TLS13) };
        let server_name = Some(target.host.clone());
        let groups = config.policy.groups.clone();
        let offer = Offer { server_name, versions, groups, sha1: true, ..Offer::default() };
        let setup = Arc::new(Setup::new(Arc::new(offer), config.repeatable).ok()?);
        let state = come(cx, config, target, &setup, SessionCache::new(true));
        Some(Self { version, setup, facts: None, state })
    }

    /// Tells whether the second session is waiting to begin.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, State::Between(_))
    }

    /// Begins the second session.
    pub(super) fn again(&mut self, cx: &mut Cx, config: &Config, target: &Target) {
        if let State::Between(cache) = std::mem::replace(&mut self.state, State::Over) {
            self.state = come(cx, config, target, &self.setup, cache);
        }
    }

    /// Tells when to give up waiting, and for what.
    pub(super) fn deadline(&self) -> (Instant, &'static str) {
        match &self.state {
            State::Coming(approach) => approach.deadline(),
            State::Going(farewell, _, until) => {
                farewell.deadline().min((*until, "for a session to be reused"))
            }
            State::Between(_) | State::Over => (Instant::NEVER, "for nothing"),
        }
    }

    /// Takes an input; `true` if a session ended.
    pub(super) fn handle(&mut self, cx: &mut Cx, input: &Input) -> bool {
        match std::mem::replace(&mut self.state, State::Over) {
            State::Coming(mut approach) => match approach.handle(cx, input) {
                None => {
                    self.state = State::Coming(approach);
                    false
                }
                Some(Approached::Secured(facts)) => {
                    let farewell = Farewell::start(cx, *approach);
                    let until = cx.now() + GRACE;
                    self.state = State::Going(Box::new(farewell), facts, until);
                    // What came in the same piece is looked at now.
                    self.handle(cx, &Input::Tick);
                    true
                }
                Some(_) => {
                    approach.abort(cx);
                    true
                }
            },
            State::Going(mut farewell, facts, until) => {
                let is_over = farewell.handle(cx, input) == Some(Over);
                // The second session has shown all that it is for.
                let is_enough = self.facts.is_some() || farewell.has_saved() || until <= cx.now();
                if !is_over && !is_enough {
                    self.state = State::Going(farewell, facts, until);
                    return false;
                }
                farewell.abort(cx);
                self.take(&facts, farewell.finish().1);
                true
            }
            state @ (State::Between(_) | State::Over) => {
                self.state = state;
                false
            }
        }
    }

    fn take(&mut self, facts: &TlsFacts, cache: SessionCache) {
        if let Some(first) = &mut self.facts {
            first.resumed = Some(facts.resumed);
            return;
        }
        self.facts = Some(SessionFacts {
            version: self.version,
            resumed: cache.is_empty().then_some(false),
            tickets: cache.tickets(),
            ocsp: facts.ocsp.is_some(),
            signature: facts.server_signature,
            group: facts.group,
            chain: facts.chain.clone(),
        });
        if !cache.is_empty() {
            self.state = State::Between(cache);
        }
    }

    /// Tells what was found out, once nothing more is to come.
    pub(super) fn finish(&mut self) -> Option<Option<SessionFacts>> {
        matches!(self.state, State::Over).then(|| self.facts.take())
    }

    /// Hangs up at once.
    pub(super) fn abort(&mut self, cx: &mut Cx) {
        match &mut self.state {
            State::Coming(approach) => approach.abort(cx),
            State::Going(farewell, ..) => farewell.abort(cx),
            State::Between(_) | State::Over => {}
        }
    }
}

fn come(
    cx: &mut Cx,
    config: &Config,
    target: &Target,
    setup: &Arc<Setup>,
    cache: SessionCache,
) -> State {
    let plan = Plan { tls: Some(Ok(setup.clone())), await_quit: true, ..super::plan(config, None) };
    let (peer, endpoint) = (target.peer.clone(), target.endpoint.clone());
    State::Coming(Box::new(Approach::start(cx, peer, endpoint, Arc::new(plan), cache)))
}
