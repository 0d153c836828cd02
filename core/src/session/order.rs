//! The order of a session as one table: every transition stands here and nowhere else.
//!
//! The table knows what comes after what; how a step is made and how it ended is
//! [`dialogue`](super::dialogue)'s.

use crate::report::Step;

/// How a step ended, as far as the order cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// As it should.
    Well,
    /// The server agreed to EHLO and offers STARTTLS, and TLS is wanted.
    TlsOffered,
    /// Refused, failed, lost, or out of time.
    Badly,
}

/// How the session is to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mode {
    /// TLS comes first.
    pub(super) wrapper: bool,
    /// The server was visited before: what it can do is known.
    pub(super) again: bool,
}

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// This step.
    Go(Step),
    /// The approach is over: TLS is there, and the server is judged before the farewell.
    Judge,
    /// The approach is over without TLS.
    Part,
    /// Nothing: the connection is closed.
    Close,
}

/// Tells what comes after a step.
pub(super) const fn after(step: Step, ending: Ending, mode: Mode) -> Next {
    use Ending::{Badly, TlsOffered, Well};
    use Next::{Close, Go, Judge, Part};
    use Step::{Connect, Greeting, Handshake, Hello, HelloAgain, Quit, StartTls};
    let Mode { wrapper, again } = mode;
    match (step, ending, wrapper, again) {
        // STARTTLS (RFC 3207)          wrapper, again
        (Connect, Well | TlsOffered, false, _) => Go(Greeting),
        (Greeting, Well | TlsOffered, false, _) => Go(Hello),
        (Hello, TlsOffered, _, _) => Go(StartTls),
        (Hello, Well, _, _) => Part,
        (StartTls, Well | TlsOffered, _, _) => Go(Handshake),
        (Handshake, Well | TlsOffered, _, _) => Judge,
        // TLS first (RFC 8314)
        (Connect, Well | TlsOffered, true, _) => Go(Handshake),
        (Greeting, Well | TlsOffered, true, false) => Go(HelloAgain),
        (Greeting, Well | TlsOffered, true, true) => Go(Quit),
        // What the server answers inside TLS changes nothing, and QUIT ends everything.
        (HelloAgain, _, _, _) => Go(Quit),
        (Quit, _, _, _) => Close,
        // No QUIT to a server that failed us.
        (_, Badly, _, _) => Close,
    }
}

/// Tells how the farewell begins after the server was judged.
pub(super) const fn after_judgement(mode: Mode) -> Next {
    match (mode.wrapper, mode.again) {
        (true, _) => Next::Go(Step::Greeting),
        (false, false) => Next::Go(Step::HelloAgain),
        (false, true) => Next::Go(Step::Quit),
    }
}

/// Tells how the farewell begins without TLS.
pub(super) const fn after_parting() -> Next {
    Next::Go(Step::Quit)
}
