//! The border: what a driver gives to a machine and what it gets back.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use bytes::Bytes;

use crate::config::{MatchRule, Pin};
use crate::destination::Destination;
use crate::report::{Event, Report};
use crate::time::Instant;

/// A state machine that a driver can run: see the [contract](crate#the-contract).
pub trait Machine {
    /// Takes what happened in the world at `now`, completely.
    ///
    /// Never fails and never panics; inputs may come in any order, and those for an id that is
    /// unknown or had its last word are ignored.
    fn handle_input(&mut self, now: Instant, input: Input);

    /// Hands out the next effect that was decided; changes nothing else.
    fn poll_output(&mut self) -> Output;
}

impl<M: Machine + ?Sized> Machine for &mut M {
    fn handle_input(&mut self, now: Instant, input: Input) {
        (**self).handle_input(now, input);
    }

    fn poll_output(&mut self) -> Output {
        (**self).poll_output()
    }
}

/// What a driver tells a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Time has passed; nothing else happened.
    Tick,
    /// The transport is connected (TCP, UNIX) or bound and ready (UDP).
    Opened(TransportId),
    /// Bytes arrived: a piece of the stream, or one datagram. What is kept of them may keep all of
    /// their memory, which should be theirs alone.
    Received(TransportId, Bytes),
    /// The peer ended the stream, or a [`Output::Close`] was carried out: the last word.
    Ended(TransportId),
    /// The transport could not be opened or broke: the last word.
    Failed(TransportId, IoError),
    /// What the system's own lookup of a host name found, in its order.
    HostFound(LookupId, Result<Vec<IpAddr>, IoError>),
    /// Gives one more destination to a machine that takes work while it runs. It comes to one
    /// [`Output::Finished`], whatever happens.
    Add(Box<Job>),
    /// Asks the machine to come to its end.
    Stop(Stop),
}

/// A destination for a machine that takes many.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// The caller's number; the report has it too.
    pub number: u64,
    /// What to probe.
    pub destination: Destination,
    /// Names that may be in the certificates of this destination's servers; empty leaves it to the
    /// [`Policy`](crate::config::Policy).
    pub matches: Vec<MatchRule>,
    /// Digests of which its servers must have one, at level `fingerprint`; empty leaves it to the
    /// policy.
    pub pins: Vec<Pin>,
}

/// How to come to the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Nothing more will be added: finish everything that was given.
    End,
    /// Begin nothing new, finish what runs.
    Drain,
    /// Close everything at once.
    Now,
}

/// What a machine wants done. Exhaustive on purpose: a new effect must break every driver's match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a transport; sends for it may follow at once.
    Open(TransportId, Endpoint),
    /// Send bytes: a piece of the stream, or one datagram.
    Send(TransportId, Bytes),
    /// Write what is queued, then hang up, then say [`Input::Ended`].
    Close(TransportId),
    /// Hand the descriptor of `socket` to the peer of `over`, a UNIX socket. [`Input::Ended`] of
    /// `socket` is its last word.
    Pass {
        /// The transport whose descriptor is handed over.
        socket: TransportId,
        /// The UNIX socket that carries the descriptor.
        over: TransportId,
    },
    /// Look the host up with the system's own resolver.
    FindHost(LookupId, HostName),
    /// Something that people want to know as it happens.
    Tell(Event),
    /// Everything about one destination, as data; comes once for each.
    Finished(Box<Report>),
    /// There is room for so many more destinations, besides those of earlier times: whoever has
    /// some may give them by [`Input::Add`], now or later.
    Want(usize),
    /// Nothing to do until an input arrives or this instant is reached; the text says why.
    Wait(Instant, &'static str),
    /// The machine is at its end and stays there.
    Done,
}

/// What a driver passes on to its caller while it runs a machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// From [`Output::Tell`].
    Event(Event),
    /// From [`Output::Finished`].
    Report(Box<Report>),
    /// From [`Output::Want`].
    Want(usize),
}

/// Names one transport. Given by the core in order and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TransportId(pub u64);

/// Names one native host lookup. Given by the core in order and never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LookupId(pub u64);

impl fmt::Display for TransportId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.0)
    }
}

impl fmt::Display for LookupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "l{}", self.0)
    }
}

/// Where a transport leads.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Endpoint {
    /// A datagram socket of its own, connected to this address, from a port chosen at random.
    Udp(Remote),
    /// A TCP connection.
    Tcp(Remote),
    /// A stream socket in the file system.
    Unix(PathBuf),
}

/// A socket address whose IPv6 zone may still be an interface's name (RFC 4007 section 11).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Remote {
    /// Address and port; an IPv6 scope id of 0 means that none is known.
    pub address: SocketAddr,
    /// The interface that a link-local address belongs to; the driver maps it to a scope id.
    pub interface: Option<String>,
}

impl From<SocketAddr> for Remote {
    fn from(address: SocketAddr) -> Self {
        Self { address, interface: None }
    }
}

/// A host name for the system's own lookup: ASCII letters, digits, `-`, `_`, `.`; at most 255
/// octets; or an address literal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostName(String);

impl HostName {
    /// Takes a name; `None` if it could not be written in a trace or handed to the system.
    pub fn new(name: &str) -> Option<Self> {
        let fits = !name.is_empty() && name.len() <= 255;
        let plain =
            name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:%".contains(&byte));
        (fits && plain).then(|| Self(name.to_owned()))
    }

    /// Tells the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An error of the operating system as plain data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    /// What kind of error, as far as the core treats kinds differently.
    pub kind: IoErrorKind,
    /// The system's number (`errno`, or the resolver's code for lookups); 0 if there is none.
    pub code: i32,
    /// The system's words, without the number.
    pub message: String,
}

impl IoError {
    /// Makes the error of a core deadline, in the system's words.
    pub(crate) fn timed_out() -> Self {
        let message = "Connection timed out".to_owned();
        Self { kind: IoErrorKind::TimedOut, code: 0, message }
    }

    /// Makes the error of a transport that ended before it opened.
    pub(crate) fn lost() -> Self {
        let message = "Connection reset by peer".to_owned();
        Self { kind: IoErrorKind::Reset, code: 0, message }
    }
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for IoError {}

macro_rules! io_error_kinds {
    ($($(#[doc = $doc:literal])+ $kind:ident = $word:literal from $($std:ident)|*,)*) => {
        /// The kinds of [`IoError`] that make a difference.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum IoErrorKind {
            $($(#[doc = $doc])+ $kind,)*
            /// Anything else.
            Other,
        }

        impl IoErrorKind {
            /// Tells the word for this kind in a trace.
            pub const fn word(self) -> &'static str {
                match self {
                    $(Self::$kind => $word,)*
                    Self::Other => "other",
                }
            }

            /// Finds the kind of a word in a trace.
            pub fn from_word(word: &str) -> Option<Self> {
                match word {
                    $($word => Some(Self::$kind),)*
                    "other" => Some(Self::Other),
                    _ => None,
                }
            }
        }

        impl From<std::io::ErrorKind> for IoErrorKind {
            fn from(kind: std::io::ErrorKind) -> Self {
                match kind {
                    $($(std::io::ErrorKind::$std)|* => Self::$kind,)*
                    _ => Self::Other,
                }
            }
        }
    };
}

io_error_kinds! {
    /// Nobody listens there.
    Refused = "refused" from ConnectionRefused,
    /// The peer broke the connection off.
    Reset = "reset" from ConnectionReset | ConnectionAborted | BrokenPipe,
    /// The system gave up waiting.
    TimedOut = "timed-out" from TimedOut,
    /// No way to the host or network.
    Unreachable = "unreachable" from HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable,
    /// No such file or name.
    NotFound = "not-found" from NotFound,
    /// Not allowed.
    Denied = "denied" from PermissionDenied,
    /// The arguments make no sense to the system.
    Invalid = "invalid" from InvalidInput | InvalidData | InvalidFilename | Unsupported,
    /// Descriptors or memory have run out.
    Exhausted = "exhausted" from OutOfMemory | QuotaExceeded | StorageFull,
}

impl From<&std::io::Error> for IoError {
    /// Takes the error apart; the message loses the trailing `(os error N)`.
    fn from(error: &std::io::Error) -> Self {
        let mut message = error.to_string();
        if let Some(at) = message.find(" (os error ") {
            message.truncate(at);
        }
        let code = error.raw_os_error().unwrap_or(0);
        let kind = match code {
            // ENFILE and EMFILE, for which the standard library has no kind of its own.
            23 | 24 => IoErrorKind::Exhausted,
            _ => error.kind().into(),
        };
        Self { kind, code, message }
    }
}
