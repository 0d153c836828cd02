//! TLS on the way to a name server (RFC 7858), and whether it is the one that was asked for.
//!
//! Whoever answers is asked, as RFC 8310 section 5 allows, because what it says is validated here;
//! but its AD bit counts only if its certificate is right. There is no way back to plain text.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use bytes::Bytes;

use crate::config::{
    Level, MatchRule, Offer, OfferFlaw, Policy, ServerNameChoice, TrustStore, Watch,
};
use crate::context::Cx;
use crate::judge::{LinkCache, ReferenceNames, Status, VerifyError, judge};
use crate::machine::TransportId;
use crate::report::{Event, TlsError, TlsFacts, TlsNote};
use crate::time::WallTime;
use crate::tls::{Channel, Passage, Sessions, Setup};

/// How name servers are spoken to over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResolverTls {
    /// The name that their certificate must have, or an address as text.
    pub name: String,
    /// The CAs that may vouch for them.
    pub trust: TrustStore,
}

/// What a name server has to show.
pub(crate) struct Demand {
    setup: Result<Arc<Setup>, OfferFlaw>,
    policy: Policy,
    names: ReferenceNames,
    links: LinkCache,
}

impl Demand {
    /// All randomness is that of the run if it is to be `repeatable`.
    pub(crate) fn new(tls: &ResolverTls, repeatable: bool) -> Self {
        let name = &tls.name;
        let address: Option<IpAddr> = name.parse().ok();
        let rule = address.map_or_else(|| MatchRule::Name(name.clone()), MatchRule::Address);
        let policy = Policy {
            matches: vec![rule],
            trust: tls.trust.clone(),
            server_name: address.is_none().then(|| ServerNameChoice::Name(name.clone())),
            ..Policy::default()
        };
        let names = ReferenceNames {
            hostname: name.as_str().into(),
            nexthop: name.as_str().into(),
            dane: Vec::new(),
        };
        let offer = Offer::of(&policy, Level::Secure, &names).unwrap_or_default();
        let setup = Setup::new(Arc::new(offer), repeatable).map(Arc::new);
        Self { setup, policy, names, links: LinkCache::default() }
    }

    /// The name that is asked for.
    pub(crate) fn name(&self) -> &str {
        &self.names.hostname
    }

    /// Tells what speaks against a name server being the one that was asked for.
    pub(crate) fn judge(&mut self, facts: &TlsFacts, time: WallTime) -> Result<(), VerifyError> {
        let Self { policy, names, links, .. } = self;
        let verdict = judge(facts, policy, Level::Secure, &[], names, time, links);
        match (verdict.status, verdict.reason) {
            (Status::Verified, _) => Ok(()),
            (_, Some(reason)) => Err(reason.error),
            (_, None) => Err(VerifyError::Unspecified),
        }
    }
}

impl fmt::Debug for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Demand").field(&self.names.hostname).finish()
    }
}

/// The TLS layer of one connection to a name server.
#[derive(Debug)]
pub(crate) struct Layer {
    channel: Channel,
    transport: TransportId,
}

/// What came of bytes of a name server.
#[derive(Debug, Default)]
pub(crate) struct Decrypted {
    pub(crate) text: Bytes,
    /// The handshake became complete.
    pub(crate) secured: Option<Arc<TlsFacts>>,
    /// Nothing more comes.
    pub(crate) over: Option<TlsError>,
}

impl Layer {
    /// Begins TLS; the ClientHello is on its way.
    ///
    /// # Errors
    /// The TLS library cannot begin.
    pub(crate) fn start(
        cx: &mut Cx,
        transport: TransportId,
        demand: &Demand,
    ) -> Result<Self, TlsError> {
        let flaw = |flaw: &OfferFlaw| TlsError::Other(format!("{flaw:?}"));
        let setup = demand.setup.as_ref().map_err(flaw)?;
        let (random, tape) = (cx.random_of(transport), cx.tape_of(transport));
        let (sessions, watch) = (Sessions::default(), Watch::default());
        let (channel, passage) =
            Channel::start(transport, setup, random, cx.wall_time(), sessions, watch, tape);
        let layer = Self { channel, transport };
        match layer.follow(cx, passage).over {
            Some(error) => Err(error),
            None => Ok(layer),
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.channel.is_open()
    }

    pub(crate) fn receive(&mut self, cx: &mut Cx, bytes: &Bytes) -> Decrypted {
        let passage = self.channel.receive(cx.wall_time(), bytes);
        self.follow(cx, passage)
    }

    /// Takes more of what was received; `None` if nothing waits.
    pub(crate) fn go_on(&mut self, cx: &mut Cx) -> Option<Decrypted> {
        let passage = self.channel.go_on(cx.wall_time())?;
        Some(self.follow(cx, passage))
    }

    /// Counts the octets received and held.
    pub(crate) fn buffered(&self) -> usize {
        self.channel.buffered()
    }

    pub(crate) fn send(&mut self, cx: &mut Cx, text: Bytes) {
        let passage = self.channel.send(cx.wall_time(), text);
        self.follow(cx, passage);
    }

    /// Says close_notify.
    pub(crate) fn close(&mut self, cx: &mut Cx) {
        let passage = self.channel.close(cx.wall_time());
        self.follow(cx, passage);
    }

    fn follow(&self, cx: &mut Cx, passage: Passage) -> Decrypted {
        let Passage { to_peer, effect, notes } = passage;
        cx.send(self.transport, to_peer);
        // What a trace needs to play this without the library; nobody watches the rest.
        for note in notes.into_iter().filter(|note| matches!(note, TlsNote::Tunnel(_))) {
            cx.tell(Event::Tls(note));
        }
        let closed = effect.ended.then(|| TlsError::Misbehaved(CLOSED.to_owned()));
        Decrypted { text: effect.text, secured: effect.facts, over: effect.error.or(closed) }
    }
}

/// What is wrong with a name server that hangs up.
pub(crate) const CLOSED: &str = "the connection was closed";
