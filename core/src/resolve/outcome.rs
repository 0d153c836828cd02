//! What an answer of a name server means for whoever asked.

use super::error::{DnsProblem, Trouble};
use super::message::{Received, Reply};

/// What an attempt came to.
pub(super) enum Came {
    Nothing,
    Trouble(Trouble),
    /// The same server wants to be asked in another way.
    Again {
        tcp: bool,
        edns: bool,
    },
    Answer(Reply),
}

const NOERROR: u16 = 0;
const FORMERR: u16 = 1;
const SERVFAIL: u16 = 2;
const NXDOMAIN: u16 = 3;
const NOTIMP: u16 = 4;
const REFUSED: u16 = 5;
const BADVERS: u16 = 16;

/// Decides what an answer comes to that was asked for over TCP or not, with EDNS or not; `plain` allows
/// to ask without EDNS.
pub(super) fn judge(received: Received, tcp: bool, edns: bool, plain: bool) -> Came {
    let reply = match received {
        Received::Foreign => return Came::Nothing,
        Received::Truncated if tcp => return Came::Trouble(DnsProblem::Malformed.into()),
        Received::Truncated => return Came::Again { tcp: true, edns },
        Received::Reply(reply) => reply,
    };
    let plain = edns && plain;
    match reply.rcode {
        NOERROR | NXDOMAIN if reply.records.is_some() => Came::Answer(reply),
        // RFC 6891 section 7: whoever does not know EDNS answers so, and without OPT record.
        FORMERR | NOTIMP if plain && !reply.edns => Came::Again { tcp, edns: false },
        BADVERS if plain => Came::Again { tcp, edns: false },
        rcode => {
            let problem = match rcode {
                NOERROR | NXDOMAIN => DnsProblem::Malformed,
                SERVFAIL => DnsProblem::ServFail,
                NOTIMP | REFUSED => DnsProblem::Refused,
                rcode => DnsProblem::Rcode(rcode),
            };
            Came::Trouble(Trouble { problem, extended: reply.extended })
        }
    }
}

/// Tells how much a problem says about why there is no answer.
pub(super) fn weight(problem: &DnsProblem) -> u8 {
    match problem {
        DnsProblem::TimedOut => 0,
        DnsProblem::Unreachable(_) | DnsProblem::Tls(_) => 1,
        DnsProblem::Malformed => 2,
        DnsProblem::NoSuchName
        | DnsProblem::NoData
        | DnsProblem::ServFail
        | DnsProblem::Refused
        | DnsProblem::Bogus(_)
        | DnsProblem::Rcode(_) => 3,
    }
}
