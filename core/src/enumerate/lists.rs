//! Lists of what a server accepts, each found by asking again without what was accepted.

use bytes::Bytes;

use super::tracks::Order;
use crate::tls::Authentication::{self, Any};
use crate::tls::scout::{Flight, KeyExchange, Protocol, ScoutHello, all_groups, all_schemes};
use crate::tls::{OPENSSL, OTHERS};

/// Suites of one version below TLS 1.3.
#[derive(Debug)]
pub(super) struct Suites {
    pub(super) version: Protocol,
    /// What is still asked for, the worst first: no server has that order of its own.
    pub(super) left: Vec<u16>,
    pub(super) accepted: Vec<u16>,
    /// The order is being asked for.
    pub(super) reversing: bool,
    pub(super) order: Order,
    pub(super) dh_bits: Option<usize>,
    pub(super) over: bool,
}

impl Suites {
    pub(super) fn new(version: Protocol) -> Self {
        Self {
            version,
            left: all_suites(version),
            accepted: Vec::new(),
            reversing: false,
            order: Order::Unknown,
            dh_bits: None,
            over: false,
        }
    }

    pub(super) fn question(&mut self, order: Order) -> Option<ScoutHello> {
        if self.over {
            return None;
        }
        if self.left.is_empty() {
            self.end_list(order);
            if self.over {
                return None;
            }
        }
        if self.reversing {
            return Some(hello(self.version, self.accepted.iter().rev().copied().collect()));
        }
        Some(hello(self.version, self.left.clone()))
    }

    pub(super) fn take(&mut self, flight: Option<&Flight>) {
        let chosen = flight.filter(|it| it.version == Some(self.version)).and_then(|it| it.suite);
        if self.reversing {
            // Whoever takes the first of a list that was turned round follows the client.
            self.order = match (chosen, self.accepted.last()) {
                (Some(chosen), Some(last)) if chosen == *last => Order::Client,
                (Some(_), _) => Order::Server,
                (None, _) => Order::Unknown,
            };
            self.over = true;
            return;
        }
        if let Some(KeyExchange::Dhe { bits, .. }) = flight.and_then(|it| it.key_exchange) {
            self.dh_bits = Some(self.dh_bits.map_or(bits, |old| old.min(bits)));
        }
        match chosen.filter(|chosen| self.left.contains(chosen)) {
            Some(chosen) => {
                self.left.retain(|suite| *suite != chosen);
                self.accepted.push(chosen);
            }
            None => self.left.clear(),
        }
    }

    /// Decides whether the order is known: it is the server's if it is not the one that was offered.
    fn end_list(&mut self, known: Order) {
        let offered = all_suites(self.version);
        let place = |suite: &u16| offered.iter().position(|other| other == suite);
        let follows = self.accepted.is_sorted_by_key(place);
        if self.accepted.len() < 2 || known != Order::Unknown && follows == (known == Order::Client)
        {
            self.over = true;
        } else if follows {
            self.reversing = true;
        } else {
            self.order = Order::Server;
            self.over = true;
        }
    }
}

/// Two lists that do not depend on each other, each found by asking without what was accepted.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) version: Protocol,
    pub(super) first: List,
    pub(super) second: List,
    /// Which of the lists was asked for by the latest question.
    pub(super) asked: (bool, bool),
    /// The keys that are asked for in TLS 1.2.
    pub(super) authentication: Authentication,
    /// The first list is somebody else's.
    pub(super) borrows_first: bool,
    /// A group that goes with every question; the server may prefer it to what is asked for.
    company: Company,
    reversal: Reversal,
}

/// What goes with the first list although it is not asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Company {
    /// The group of the certificate, if it is known.
    Allowed,
    /// It was part of the latest question.
    Sent(u16),
    /// The server prefers it, so that it hides all others.
    Hides,
}

/// Whether the order of what was accepted was asked for, the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reversal {
    No,
    Asked,
    Done,
}

#[derive(Debug, Default)]
pub(super) struct List {
    /// Everything, in the order in which it is asked for; empty if the order does not matter.
    offered: Vec<u16>,
    pub(super) left: Vec<u16>,
    pub(super) accepted: Vec<u16>,
    pub(super) over: bool,
    pub(super) order: Order,
}

impl Pair {
    /// Suites and groups of TLS 1.3: a HelloRetryRequest names one of each.
    pub(super) fn tls13() -> Self {
        let suites = all_suites(Protocol::TLS13);
        Self::new(Protocol::TLS13, List::ordered(suites), List::ordered(all_groups()), Any)
    }

    /// Groups and schemes of TLS 1.2 or what is highest below: a ServerKeyExchange names one of each.
    pub(super) fn tls12(authentication: Authentication) -> Self {
        let schemes = List { left: all_schemes(), ..List::default() };
        Self::new(Protocol::TLS12, List::ordered(all_groups()), schemes, authentication)
    }

    fn new(version: Protocol, first: List, second: List, authentication: Authentication) -> Self {
        Self {
            version,
            first,
            second,
            asked: (true, true),
            authentication,
            borrows_first: false,
            company: Company::Allowed,
            reversal: Reversal::No,
        }
    }

    /// Takes another one's groups.
    pub(super) fn borrow(&mut self, groups: Vec<u16>) {
        if self.borrows_first {
            return;
        }
        self.first = List { accepted: groups, ..List::default() };
        self.borrows_first = true;
    }

    /// Asks for both lists as long as both go on; once an answer fails, for one beside what is known
    /// to be accepted of the other. At last both are turned round if their order is not known.
    pub(super) fn question(&mut self, suites: &[u16], last: Option<u16>) -> Option<ScoutHello> {
        for list in [&mut self.first, &mut self.second] {
            list.over |= list.left.is_empty();
        }
        self.asked = match (self.first.over, self.second.over, self.asked) {
            (true, true, _) => return self.reversed(suites),
            (true, false, _) => (false, true),
            (false, true, _) => (true, false),
            (false, false, asked) => asked,
        };
        let ask = |list: &List, asked: bool| match asked {
            true => list.left.clone(),
            false => list.accepted.clone(),
        };
        let (first, second) = (ask(&self.first, self.asked.0), ask(&self.second, self.asked.1));
        let mut first = first;
        if let Some(last) = last
            && !first.contains(&last)
            && self.company != Company::Hides
        {
            first.push(last);
            self.company = Company::Sent(last);
        }
        Some(self.hello(suites, first, second))
    }

    fn hello(&self, suites: &[u16], first: Vec<u16>, second: Vec<u16>) -> ScoutHello {
        match self.version {
            Protocol::TLS13 => ScoutHello { groups: second, ..hello(self.version, first) },
            version => {
                ScoutHello { groups: first, schemes: second, ..hello(version, suites.to_vec()) }
            }
        }
    }

    /// Asks for what was accepted the other way round, once, if it was accepted in the order in which
    /// it was offered.
    fn reversed(&mut self, suites: &[u16]) -> Option<ScoutHello> {
        if self.reversal == Reversal::Done {
            return None;
        }
        let is_open = self.first.is_order_open() | self.second.is_order_open();
        self.reversal = if is_open { Reversal::Asked } else { Reversal::Done };
        let round = |list: &List| match list.order {
            Order::Unknown => list.accepted.iter().rev().copied().collect(),
            Order::Server | Order::Client => list.accepted.clone(),
        };
        is_open.then(|| self.hello(suites, round(&self.first), round(&self.second)))
    }

    pub(super) fn take(&mut self, flight: Option<&Flight>) {
        let flight = flight.filter(|it| it.version == Some(self.version));
        let chosen = flight.and_then(|it| match self.version {
            Protocol::TLS13 => Some((it.suite?, it.group?)),
            _ => {
                let scheme = it.signature?.scheme.map_or(0, |it| it.0);
                match it.key_exchange? {
                    KeyExchange::Ecdhe(group) => Some((group, scheme)),
                    KeyExchange::Dhe { .. } if self.borrows_first => Some((0, scheme)),
                    KeyExchange::Dhe { .. }
                    | KeyExchange::ExplicitCurve
                    | KeyExchange::ExportRsa { .. } => None,
                }
            }
        });
        if self.reversal == Reversal::Asked {
            self.reversal = Reversal::Done;
            if let Some((first, second)) = chosen {
                self.first.take_order(first);
                self.second.take_order(second);
            }
            return;
        }
        let Some((first, second)) = chosen else {
            match self.asked {
                // One of the lists is at its end, or both: one question for each tells.
                (true, true) if !self.first.accepted.is_empty() => self.asked = (false, true),
                (true, true) => (self.first.over, self.second.over) = (true, true),
                (true, false) => self.first.over = true,
                (false, _) => {
                    self.second.over = true;
                    self.asked = (true, false);
                }
            }
            return;
        };
        if self.company == Company::Sent(first) && !self.first.left.contains(&first) {
            self.company = Company::Hides;
        } else {
            self.first.take(first, self.asked.0);
        }
        self.second.take(second, self.asked.1);
        if self.asked == (false, true) && !self.first.over {
            // The second list goes on, so it was the first that ended.
            self.first.over = true;
        }
    }
}

impl List {
    /// A list whose order is to be found too.
    fn ordered(left: Vec<u16>) -> Self {
        Self { offered: left.clone(), left, ..Self::default() }
    }

    /// Tells whether the order may be the client's or the server's.
    fn is_order_open(&mut self) -> bool {
        let place = |number: &u16| self.offered.iter().position(|other| other == number);
        if self.offered.is_empty() || self.accepted.len() < 2 {
            return false;
        }
        if self.accepted.is_sorted_by_key(place) {
            return true;
        }
        self.order = Order::Server;
        false
    }

    /// Takes what was chosen of the list that was turned round.
    fn take_order(&mut self, chosen: u16) {
        if self.order == Order::Unknown && self.accepted.len() > 1 && !self.offered.is_empty() {
            let is_first = self.accepted.last() == Some(&chosen);
            self.order = if is_first { Order::Client } else { Order::Server };
        }
    }

    fn take(&mut self, chosen: u16, asked: bool) {
        if !asked {
            return;
        }
        let before = self.left.len();
        self.left.retain(|number| *number != chosen);
        if self.left.len() == before {
            // It chose what it was not offered: there is no end to that.
            self.over = true;
        } else {
            self.accepted.push(chosen);
        }
    }
}

/// A hello of one version that asks for all else.
pub(super) fn hello(version: Protocol, suites: Vec<u16>) -> ScoutHello {
    let mut suites = suites;
    if version < Protocol::TLS13 {
        suites.push(0x00ff);
    }
    ScoutHello {
        versions: vec![version],
        suites,
        groups: all_groups(),
        schemes: all_schemes(),
        // The target's name; whoever makes the connection knows it.
        server_name: Some(String::new()),
        compression: if version < Protocol::TLS13 { vec![1] } else { Vec::new() },
        ticket: Some(Bytes::new()),
        ..ScoutHello::default()
    }
}

/// All suites of a version that need no secret, the weakest first.
pub(super) fn all_suites(version: Protocol) -> Vec<u16> {
    let mut suites: Vec<_> = OPENSSL
        .iter()
        .chain(OTHERS)
        .filter(|suite| suite.exists_in(version) && suite.needs_no_secret())
        .collect();
    // What OpenSSL prefers stands last; what it does not know stands first.
    suites.sort_by_key(|suite| {
        let place = OPENSSL.iter().position(|other| other.number == suite.number);
        (place.is_some(), suite.bits, std::cmp::Reverse(place), suite.number)
    });
    suites.into_iter().map(|suite| suite.number).collect()
}
