//! The questions, as plain state machines: what to ask next, and what an answer means.
//!
//! A track asks one question at a time; two tracks may ask at once. Lists are found by asking again
//! without what was accepted. Where two lists do not depend on each other one answer serves both.

use std::mem;

use crate::cert::{Certificate, Curve, KeyKind};
use crate::report::Alert;
use crate::tls::scout::{Flight, FlightEnd, Protocol, ScoutHello, all_groups};
use crate::tls::{Authentication, Exchange, Suite};

use super::Enumeration;
use super::lists::{Pair, Suites, all_suites, hello};
use super::visits::Visits;

/// What a server accepts in one protocol version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VersionFacts {
    /// The version.
    pub version: Protocol,
    /// The cipher suites by IANA number, in the order in which they were chosen; none if the version
    /// is not spoken.
    pub suites: Vec<u16>,
    /// Whose order that is.
    pub order: Order,
    /// The groups by IANA number, in the order in which they were chosen, as far as they are asked
    /// for: in TLS 1.3, and with elliptic curves in the highest version below.
    pub groups: Vec<u16>,
    /// Whose order that is, of clients that send no key share.
    pub groups_order: Order,
    /// The schemes of the server's signatures, in the order in which they were chosen: of TLS 1.2,
    /// and of TLS 1.3 if the library got a session.
    pub schemes: Vec<u16>,
    /// The size of the prime of finite-field Diffie-Hellman, the smallest seen.
    pub dh_bits: Option<usize>,
}

/// Whose order of preference decides.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// It is not known, or there is nothing to decide.
    #[default]
    Unknown,
    /// The server's.
    Server,
    /// The client's.
    Client,
}

/// What hellos of TLS 1.2 and below announced; `None` if nobody could ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Accepted {
    /// Secure renegotiation (RFC 5746).
    pub secure_renegotiation: Option<bool>,
    /// Extended master secret (RFC 7627).
    pub extended_master_secret: Option<bool>,
    /// MAC after encryption (RFC 7366), where a CBC suite was chosen.
    pub encrypt_then_mac: Option<bool>,
    /// TLS compression.
    pub compression: Option<bool>,
    /// A session id that could be resumed.
    pub session_id: Option<bool>,
    /// A session ticket (RFC 5077).
    pub session_ticket: Option<bool>,
    /// An OCSP response is stapled (RFC 6066 section 8).
    pub ocsp: Option<bool>,
    /// The fallback signal is heeded (RFC 7507).
    pub fallback_scsv: Option<bool>,
    /// The application protocol chosen of those offered (RFC 7301).
    pub alpn: Option<String>,
    /// What becomes of a hello without a server name.
    pub without_sni: Option<WithoutSni>,
    /// Raw public keys (RFC 7250).
    pub raw_public_key: Option<bool>,
    /// A limit on record sizes (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// A client certificate is asked for.
    pub client_certificate: Option<bool>,
}

/// What becomes of a hello without a server name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutSni {
    /// The same certificate.
    Same,
    /// Another certificate.
    Other,
    /// It is refused.
    Refused,
}

/// Application protocols that are offered; mail has none of its own but for POP3 and IMAP.
pub(super) const ALPN: &[&str] = &["smtp", "imap", "pop3", "http/1.1", "h2"];

/// The signalling value of a client that falls back (RFC 7507).
const FALLBACK: u16 = 0x5600;

/// All tracks, in the order of their urgency.
#[derive(Debug)]
pub(super) struct Tracks {
    tracks: Vec<Track>,
    found: Enumeration,
    /// The highest version below TLS 1.3 that was chosen.
    highest: Option<Protocol>,
    /// It was tried to find one.
    asked_old: bool,
    order: Order,
}

#[derive(Debug)]
enum Track {
    /// Suites of a version below TLS 1.3.
    Suites(Suites),
    /// Two lists at once.
    Pair(Pair),
    /// One question about extensions, without a server name.
    Extensions { asked: bool },
    /// One question with the fallback signal.
    Fallback { asked: bool },
}

impl Default for Tracks {
    fn default() -> Self {
        let suites = |version| Track::Suites(Suites::new(version));
        Self {
            tracks: vec![
                suites(Protocol::TLS12),
                Track::Pair(Pair::tls13()),
                suites(Protocol::TLS11),
                suites(Protocol::TLS10),
                suites(Protocol::SSL3),
                Track::Pair(Pair::tls12(Authentication::Rsa)),
                Track::Pair(Pair::tls12(Authentication::Ecdsa)),
                Track::Extensions { asked: false },
                Track::Fallback { asked: false },
            ],
            found: Enumeration::default(),
            highest: None,
            asked_old: false,
            order: Order::Unknown,
        }
    }
}

impl Tracks {
    /// Decides the next question of a track that is not busy.
    pub(super) fn next(&mut self, busy: &[usize]) -> Option<(usize, ScoutHello)> {
        let free = |at: &usize| !busy.contains(at);
        (0..self.tracks.len()).filter(free).find_map(|at| Some((at, self.question(at)?)))
    }

    fn question(&mut self, at: usize) -> Option<ScoutHello> {
        let versions = self.versions();
        let is_done_old = self.highest.is_some_and(|version| self.is_done(version));
        let accepted_old = self.highest.map(|version| self.suites_of(version)).unwrap_or_default();
        let curve = self.certified_curve();
        let (highest, asked_old, order) = (self.highest, self.asked_old, self.order);
        match self.tracks.get_mut(at)? {
            Track::Suites(suites) => {
                // One answer tells whether versions above it exist at all.
                let is_known = asked_old || suites.version == Protocol::TLS12;
                let is_above = asked_old && highest.is_none_or(|it| suites.version > it);
                if is_above {
                    suites.over = true;
                }
                let hello = is_known.then(|| suites.question(order)).flatten();
                if suites.order != Order::Unknown {
                    self.order = suites.order;
                }
                self.asked_old |= suites.version == Protocol::TLS12 && hello.is_none();
                hello
            }
            Track::Pair(pair) if pair.version == Protocol::TLS13 => pair.question(&[], None),
            Track::Pair(pair) => {
                // The highest version below TLS 1.3 stands for all of them.
                let version = is_done_old.then_some(highest).flatten()?;
                pair.version = version;
                // Before TLS 1.2 no scheme is said.
                pair.second.over |= version < Protocol::TLS12;
                // Each kind of key by itself: some servers choose a suite first, and then find no
                // scheme for it.
                let of = |exchange, kind| {
                    let fits = |number: &u16| {
                        Suite::by_number(*number).is_some_and(|suite| {
                            suite.exchange == exchange && suite.authentication == kind
                        })
                    };
                    accepted_old.iter().copied().filter(fits).collect::<Vec<_>>()
                };
                let mut suites = of(Exchange::Ecdhe, pair.authentication);
                if pair.authentication == Authentication::Ecdsa
                    && !of(Exchange::Ecdhe, Authentication::Rsa).is_empty()
                {
                    // The other one finds the groups.
                    pair.borrow(all_groups());
                } else if suites.is_empty() {
                    // Finite fields are signed too, and have no groups before TLS 1.3.
                    suites = of(Exchange::Dhe, pair.authentication);
                    pair.borrow(all_groups());
                }
                // OpenSSL shows no ECDSA certificate to whoever does not offer its curve.
                let curve = curve.filter(|_| pair.authentication == Authentication::Ecdsa);
                (!suites.is_empty()).then(|| pair.question(&suites, curve)).flatten()
            }
            Track::Extensions { asked } => {
                let version = is_done_old.then_some(highest).flatten()?;
                if mem::replace(asked, true) {
                    return None;
                }
                Some(ScoutHello {
                    alpn: ALPN.iter().map(|name| (*name).to_owned()).collect(),
                    certificate_types: vec![2, 0],
                    record_size_limit: Some(0x4001),
                    server_name: None,
                    // Who offers a ticket gets no session id.
                    ticket: None,
                    ..hello(version, all_suites(version))
                })
            }
            Track::Fallback { asked } => {
                // It takes a version above the one that is asked for.
                let [.., below, _] = versions[..] else { return None };
                if mem::replace(asked, true) {
                    return None;
                }
                let mut question = hello(below, all_suites(below));
                question.suites.push(FALLBACK);
                Some(question)
            }
        }
    }

    /// Takes the answer to a track's question; `None` if the session did not get that far, so that it
    /// is to be asked again.
    pub(super) fn take(&mut self, at: usize, flight: Option<Flight>) {
        let Some(track) = self.tracks.get_mut(at) else { return };
        let Some(flight) = flight else {
            if let Track::Extensions { asked } | Track::Fallback { asked } = track {
                *asked = false;
            }
            return;
        };
        let agreed = Some(&flight).filter(|flight| flight.is_agreed());
        match track {
            Track::Suites(suites) => {
                suites.take(agreed);
                if suites.version == Protocol::TLS12 && !self.asked_old {
                    self.asked_old = true;
                    self.highest = agreed.and_then(|it| it.version);
                    // What was chosen belongs to the version that was chosen.
                    if let Some(Protocol::TLS12) | None = self.highest {
                    } else {
                        suites.over = true;
                    }
                }
                if suites.order != Order::Unknown {
                    self.order = suites.order;
                }
                if let Some(flight) = agreed {
                    self.keep(&flight.clone());
                }
            }
            Track::Pair(pair) => {
                pair.take(agreed);
                if let Some(flight) = agreed {
                    self.keep(&flight.clone());
                }
            }
            Track::Extensions { .. } => self.take_extensions(&flight),
            Track::Fallback { .. } => {
                let refused = flight.end == FlightEnd::Refused(Alert::INAPPROPRIATE_FALLBACK);
                let is_heard = refused || flight.is_agreed();
                self.found.accepted.fallback_scsv = is_heard.then_some(refused);
            }
        }
    }

    /// Keeps what a flight says besides the list that it was asked for.
    fn keep(&mut self, flight: &Flight) {
        if !flight.raw_key {
            self.found.keep_chain(&flight.chain);
        }
        if flight.version >= Some(Protocol::TLS13) || flight.version == Some(Protocol::SSL3) {
            return;
        }
        let accepted = &mut self.found.accepted;
        let any = |old: &mut Option<bool>, new: bool| *old = Some(old.unwrap_or(false) | new);
        let has = |kind| flight.extension(kind).is_some();
        any(&mut accepted.secure_renegotiation, has(0xff01));
        any(&mut accepted.extended_master_secret, has(23));
        any(&mut accepted.compression, flight.compression != 0);
        any(&mut accepted.session_ticket, has(35));
        any(&mut accepted.ocsp, flight.ocsp.is_some());
        any(&mut accepted.client_certificate, flight.client_certificate_requested);
        if flight.known_suite().is_some_and(Suite::is_cbc) {
            any(&mut accepted.encrypt_then_mac, has(22));
        }
    }

    fn take_extensions(&mut self, flight: &Flight) {
        let accepted = &mut self.found.accepted;
        if !flight.is_agreed() {
            accepted.without_sni = Some(WithoutSni::Refused);
            return;
        }
        let same = flight.raw_key || self.found.chains.contains(&flight.chain);
        accepted.without_sni = Some(if same { WithoutSni::Same } else { WithoutSni::Other });
        accepted.session_id = Some(!flight.session_id.is_empty());
        accepted.raw_public_key = Some(flight.raw_key);
        accepted.record_size_limit = match flight.extension(28).map(|body| &body[..]) {
            Some([high, low]) => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        };
        // The list has one name, with lengths in front.
        let name = flight.extension(16).and_then(|body| body.get(3..));
        accepted.alpn = name.map(|name| String::from_utf8_lossy(name).into_owned());
    }

    /// The group of the curve of an ECDSA certificate that was seen.
    fn certified_curve(&self) -> Option<u16> {
        let mut keys = self.found.chains.iter().filter_map(|chain| {
            Some(Certificate::parse(chain.first()?.clone()).ok()?.public_key().kind)
        });
        let curves = [(Curve::P256, 23), (Curve::P384, 24), (Curve::P521, 25)];
        keys.find_map(|kind| {
            let curve = curves.iter().find(|(curve, _)| kind == KeyKind::Ec(curve.clone()));
            curve.map(|(_, group)| *group)
        })
    }

    fn is_done(&self, version: Protocol) -> bool {
        self.tracks.iter().any(|track| match track {
            Track::Suites(suites) => suites.version == version && suites.over,
            Track::Pair(_) | Track::Extensions { .. } | Track::Fallback { .. } => false,
        })
    }

    fn suites_of(&self, version: Protocol) -> Vec<u16> {
        let found = self.tracks.iter().find_map(|track| match track {
            Track::Suites(suites) if suites.version == version => Some(suites.accepted.clone()),
            Track::Pair(pair) if pair.version == version && version == Protocol::TLS13 => {
                Some(pair.first.accepted.clone())
            }
            Track::Suites(_)
            | Track::Pair(_)
            | Track::Extensions { .. }
            | Track::Fallback { .. } => None,
        });
        found.unwrap_or_default()
    }

    /// Plans sessions of the versions that the library speaks too, the newest first.
    pub(super) fn visits(&self) -> Visits {
        let spoken = |version: &Protocol| {
            let suites = self.suites_of(*version);
            suites.iter().filter_map(|it| Suite::by_number(*it)).any(Suite::is_spoken)
        };
        let versions = [Protocol::TLS13, Protocol::TLS12].into_iter().filter(spoken);
        let accepted = &self.found.accepted;
        let asks_nameless = accepted.without_sni.is_none();
        Visits::new(versions, accepted.session_id == Some(false), asks_nameless)
    }

    /// The versions that are spoken, the oldest first.
    fn versions(&self) -> Vec<Protocol> {
        let spoken = |version: &Protocol| !self.suites_of(*version).is_empty();
        Protocol::ALL.into_iter().filter(spoken).collect()
    }

    /// Tells what was found.
    pub(super) fn found(&mut self) -> Enumeration {
        let facts = |version: Protocol| {
            let mut facts = VersionFacts {
                version,
                suites: self.suites_of(version),
                order: Order::Unknown,
                groups: Vec::new(),
                groups_order: Order::Unknown,
                schemes: Vec::new(),
                dh_bits: None,
            };
            for track in &self.tracks {
                match track {
                    Track::Suites(suites) if suites.version == version => {
                        facts.order =
                            if suites.accepted.len() > 1 { self.order } else { Order::Unknown };
                        facts.dh_bits = suites.dh_bits;
                    }
                    Track::Pair(pair) if pair.version == version => match version {
                        Protocol::TLS13 => {
                            facts.order = pair.first.order;
                            facts.groups.clone_from(&pair.second.accepted);
                            facts.groups_order = pair.second.order;
                        }
                        _ => {
                            if !pair.borrows_first {
                                facts.groups.extend(&pair.first.accepted);
                                facts.groups_order = pair.first.order;
                            }
                            facts.schemes.extend(&pair.second.accepted);
                        }
                    },
                    Track::Suites(_)
                    | Track::Pair(_)
                    | Track::Extensions { .. }
                    | Track::Fallback { .. } => {}
                }
            }
            facts
        };
        let versions = Protocol::ALL.into_iter().rev().map(facts).collect();
        Enumeration { versions, ..mem::take(&mut self.found) }
    }
}
