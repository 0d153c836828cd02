//! What a run finds out, as data: events as they happen, and at the end the report.
//!
//! Nothing here is prose: words for people are made by the command line.

mod tls;

use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::config::{Level, Offer};
use crate::destination::Destination;
use crate::enumerate::Enumeration;
use crate::hygiene::Hygiene;
use crate::judge::ReferenceNames;
pub use crate::judge::{Status, Verdict};
use crate::machine::IoError;
use crate::resolve::Tlsa;
pub use crate::resolve::{LookupError, LookupNote};
use crate::resolve::{RouteFacts, Target};
use crate::session::{Capabilities, Reply};
use crate::time::{Instant, WallTime};
use crate::tls::SessionKey;
use crate::tls::scout::{Flight, ScoutHello};

pub use tls::*;

/// Something that people want to know as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Something happened on the way to the mail hosts.
    Lookup(LookupNote),
    /// No address was found for the destination.
    LookupFailed(LookupError),
    /// A server could not be reached.
    ConnectFailed(Arc<Peer>, IoError),
    /// Connected to a server.
    Connected(Arc<Peer>),
    /// A command went out, without its line end.
    Command(String),
    /// A line of a reply arrived; the text is the server's, cut at [`limits`](crate::limits).
    ReplyLine(Bytes),
    /// Plain text arrived behind the reply to STARTTLS and was dropped (CVE-2011-0411).
    TextBeforeTls {
        /// How many octets.
        octets: usize,
    },
    /// A step of the dialogue did not end well.
    StepFailed(Step, StepProblem),
    /// TLS is about to be negotiated with this offer.
    Negotiating(Arc<Peer>, Arc<Offer>),
    /// A look inside TLS, as [`Watch`](crate::config::Watch) asks for.
    Tls(TlsNote),
    /// The TLS handshake failed.
    HandshakeFailed(Arc<Peer>, HandshakeError),
    /// The TLS layer broke after the handshake.
    TlsBroke(Arc<Peer>, TlsError),
    /// The server name that goes out in the SNI extension.
    ServerName(String),
    /// The server name that was asked for cannot go into the SNI extension (RFC 6066 section 3).
    ServerNameNotSent(String),
    /// The handshake is done and the server was judged.
    Judged(Arc<Peer>, Arc<TlsFacts>, Arc<Verdict>),
    /// tlsproxy(8) did the handshake; it judged the server too.
    Proxied(Arc<Peer>, Arc<ProxyFacts>),
    /// A TLS session was looked for, found, stored, or dropped.
    Cache(CacheStep, SessionKey),
    /// A TLS session is being reused.
    Reused(Arc<Peer>),
    /// What follows a session of a probe that reconnects.
    Reconnect(Reconnect),
    /// Another connection is opened, to ask a server by this ClientHello what it would do.
    Scouting(Arc<Peer>, Arc<ScoutHello>),
    /// What a scout was answered.
    Scouted(Arc<Peer>, Arc<Scouted>),
    /// The SMTP around TLS was looked at.
    Inspected(Arc<Peer>, Arc<Hygiene>),
    /// The server closed the connection without close_notify (RFC 8446 section 6.1).
    Truncated(Arc<Peer>),
}

/// What happened to a TLS session in the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheStep {
    /// One is looked for.
    Looking,
    /// One was found and is offered.
    Reloaded,
    /// The server gave one; told once for each connection.
    Saved,
    /// The handshake failed: what was offered is dropped.
    Removed,
}

/// What follows a session of a probe that reconnects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reconnect {
    /// Nothing: the server gave no session to reuse.
    Declined,
    /// Nothing: a session was found in the cache for this connection.
    Found,
    /// Nothing: that was the last time allowed.
    Exhausted,
    /// A pause of this length, then another session.
    After(Duration),
}

/// The other end of a session, as it is named in every message: `name[address]:port`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Peer {
    /// The host's name, in the case it was given in.
    pub name: Arc<str>,
    /// The host's address.
    pub address: PeerAddress,
}

/// An address of a [`Peer`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeerAddress {
    /// Address and port.
    Inet(IpAddr, u16),
    /// A UNIX socket.
    Unix(PathBuf),
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            PeerAddress::Inet(ip, port) => write!(f, "{}[{ip}]:{port}", self.name),
            PeerAddress::Unix(path) => write!(f, "{}[{}]", self.name, path.display()),
        }
    }
}

/// A step of a session; [`crate::session`] holds the table of their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// The connection.
    Connect,
    /// The server's greeting.
    Greeting,
    /// EHLO or LHLO in plain text.
    Hello,
    /// STARTTLS.
    StartTls,
    /// The TLS handshake.
    Handshake,
    /// EHLO or LHLO inside TLS.
    HelloAgain,
    /// QUIT.
    Quit,
}

/// Why a step did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StepProblem {
    /// The server refused.
    Refused(Reply),
    /// The server ended the connection, or it broke.
    Lost(Option<IoError>),
    /// The step's deadline passed.
    TimedOut,
    /// The reply exceeds what this program accepts.
    ReplyTooLong,
}

/// What a server did with an Offer. Facts without opinion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Who it was.
    pub peer: Arc<Peer>,
    /// What it was offered, if TLS was wanted.
    pub offer: Option<Arc<Offer>>,
    /// What was said, in order; stops growing at [`limits::DIALOGUE`](crate::limits::DIALOGUE).
    pub dialogue: Vec<Utterance>,
    /// Its greeting.
    pub greeting: Option<Reply>,
    /// Its answer to the first EHLO or LHLO.
    pub hello: Option<Capabilities>,
    /// Its answer to STARTTLS.
    pub starttls: Option<Reply>,
    /// The octets of plain text that came behind that answer and were dropped.
    pub text_before_tls: usize,
    /// The TLS connection.
    pub tls: Option<Arc<TlsFacts>>,
    /// The TLS connection that tlsproxy(8) made.
    pub proxied: Option<Arc<ProxyFacts>>,
    /// Its answer to EHLO or LHLO inside TLS.
    pub hello_again: Option<Box<Capabilities>>,
    /// Its answer to QUIT.
    pub quit: Option<Reply>,
    /// The steps that did not end well, in order.
    pub problems: Vec<(Step, StepProblem)>,
    /// Why the handshake failed.
    pub handshake_error: Option<HandshakeError>,
    /// Why TLS broke after the handshake.
    pub tls_broke: Option<Box<TlsError>>,
    /// How the stream ended.
    pub end: StreamEnd,
    /// When each step that was begun ended, well or not.
    pub times: Vec<(Step, Instant)>,
}

impl Observation {
    /// Begins an observation of a server that nothing is known of yet.
    pub fn new(peer: Arc<Peer>, offer: Option<Arc<Offer>>) -> Self {
        Self {
            peer,
            offer,
            dialogue: Vec::new(),
            greeting: None,
            hello: None,
            starttls: None,
            text_before_tls: 0,
            tls: None,
            proxied: None,
            hello_again: None,
            quit: None,
            problems: Vec::new(),
            handshake_error: None,
            tls_broke: None,
            end: StreamEnd::default(),
            times: Vec::new(),
        }
    }
}

/// A line of a dialogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Utterance {
    /// Whose line it is.
    pub direction: Direction,
    /// It was said inside TLS.
    pub secured: bool,
    /// The line without its end; the server's are cut at [`limits`](crate::limits).
    pub line: Bytes,
}

/// How a stream ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StreamEnd {
    /// This program closed it first.
    #[default]
    Ours,
    /// The server closed it: outside TLS, or inside it after close_notify.
    Clean,
    /// The server closed it inside TLS without close_notify; data may be missing.
    Truncated,
    /// The connection broke.
    Broken,
}

/// Everything about one destination.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The caller's number of the destination; 0 of a machine that has only one.
    pub number: u64,
    /// What was asked.
    pub destination: Destination,
    /// The level that was asked for.
    pub level: Level,
    /// When the run began: the time at [`Instant::START`].
    pub began: WallTime,
    /// When this destination was begun.
    pub started: Instant,
    /// When it ended.
    pub ended: Instant,
    /// How it ended.
    pub outcome: Outcome,
    /// Which servers were to be probed.
    pub scope: Scope,
    /// Where mail goes, as far as it was looked up.
    pub route: RouteFacts,
    /// The addresses that could not be reached before one could, or all of them.
    pub unreachable: Vec<(Arc<Peer>, IoError)>,
    /// The servers that were found and not tested.
    pub untested: Vec<(Arc<Peer>, Untested)>,
    /// The sessions that came about, in order.
    pub sessions: Vec<Session>,
}

/// Which servers of a destination a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The first that could be reached.
    First,
    /// Every address of every mail host.
    Every {
        /// How many addresses were left out, because there are more than
        /// [`limits::SURVEYED`](crate::limits::SURVEYED).
        left_out: usize,
    },
}

/// One session: what was seen, and what that is worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// The server, and what was known of it before.
    pub target: Arc<Target>,
    /// When the connection was begun.
    pub began: Instant,
    /// The connection was made for another destination before, with the same offer. The verdict is
    /// this one's own.
    pub shared: bool,
    /// What was seen.
    pub observation: Observation,
    /// What that is worth, if TLS came about.
    pub verdict: Option<Arc<Verdict>>,
    /// What the verdict rests on besides the policy.
    pub grounds: Option<Arc<Grounds>>,
    /// What a scout found out after this session.
    pub scouted: Option<Arc<Scouted>>,
    /// What the SMTP around TLS is like, if that was [asked for](crate::config::Config::hygiene).
    pub hygiene: Option<Arc<Hygiene>>,
}

/// What a server would have done with a client that speaks more: another connection asked it, by a
/// hand-made ClientHello, for what this program does not speak.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scouted {
    /// Why it was asked.
    pub cause: ScoutCause,
    /// What was asked.
    pub hello: Arc<ScoutHello>,
    /// What was answered; `None` if the session did not get that far.
    pub flight: Option<Flight>,
    /// What the certificates are worth, never [`Status::Verified`]; `None` if none can be told.
    pub verdict: Option<Arc<Verdict>>,
    /// What the verdict rests on besides the policy.
    pub grounds: Option<Arc<Grounds>>,
}

/// Why a scout asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ScoutCause {
    /// The handshake failed, maybe for want of something that is not spoken here.
    HandshakeFailed,
    /// So it did, and a scout was refused, too: all suites and groups that exist are asked for, those
    /// that the caller did not select too.
    NothingSelected,
    /// TLS 1.2 came about. A client that offers anonymous suites besides, as this level allows, might
    /// have been shown no certificate.
    MaybeAnonymous,
}

impl Scouted {
    /// Tells the flight if the server agreed in it to something that was asked for.
    pub fn agreed(&self) -> Option<&Flight> {
        self.flight.as_ref().filter(|flight| flight.is_agreed() && self.hello.allows(flight))
    }

    /// Tells whether the server would have shown no certificate.
    pub fn is_anonymous(&self) -> bool {
        self.agreed().is_some_and(Flight::is_anonymous)
    }
}

/// What a server is judged by besides the policy: enough to judge it again by another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grounds {
    /// The level that held for this server.
    pub level: Level,
    /// Its TLSA records that DNS lets count.
    pub tlsa: Vec<Tlsa>,
    /// The names by which it was found.
    pub names: ReferenceNames,
    /// When it was judged.
    pub time: WallTime,
}

/// How a probe ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A session came about; its own facts tell the rest.
    Session,
    /// No address was found.
    LookupFailed(LookupError),
    /// No address could be reached.
    Unreachable,
    /// What a server accepts was found out: of the first that could be reached, or of each; there is
    /// one at least.
    Enumerated(Vec<Enumeration>),
    /// The caller stopped the probe.
    Stopped,
    /// The destination, or every server of it, is on the list of those that are left alone.
    Blocked,
    /// The time for one destination was over before there was a session.
    TimedOut,
    /// Its servers went on refusing everybody for now, so that it never had its turn.
    Refused,
}

/// Why a server was not tested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Untested {
    /// It is on the list of those that are left alone.
    Blocked,
    /// The caller stopped the run.
    Stopped,
    /// The time for one destination was over.
    TimedOut,
    /// Its address has refused so many others for now that it was given up.
    Refused,
}
