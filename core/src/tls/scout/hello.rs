//! A ClientHello of any form (RFC 6101 section 5.6.1.2 to RFC 8446 section 4.1.2).

use std::fmt;

use bytes::Bytes;

use super::super::handshake::KeyShare;
use super::{Flight, FlightEnd};

/// A protocol version by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Protocol(pub u16);

impl Protocol {
    /// SSL 3 (RFC 6101).
    pub const SSL3: Self = Self(0x300);
    /// TLS 1.0 (RFC 2246).
    pub const TLS10: Self = Self(0x301);
    /// TLS 1.1 (RFC 4346).
    pub const TLS11: Self = Self(0x302);
    /// TLS 1.2 (RFC 5246).
    pub const TLS12: Self = Self(0x303);
    /// TLS 1.3 (RFC 8446).
    pub const TLS13: Self = Self(0x304);

    /// All of them, the oldest first.
    pub const ALL: [Self; 5] = [Self::SSL3, Self::TLS10, Self::TLS11, Self::TLS12, Self::TLS13];
}

/// OpenSSL's name.
impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SSL3 => f.write_str("SSLv3"),
            Self::TLS10 => f.write_str("TLSv1"),
            Self::TLS11 => f.write_str("TLSv1.1"),
            Self::TLS12 => f.write_str("TLSv1.2"),
            Self::TLS13 => f.write_str("TLSv1.3"),
            Self(other) => write!(f, "0x{other:04x}"),
        }
    }
}

/// What a ClientHello offers. Numbers are IANA's, in order of preference.
///
/// The highest version decides the form: SSL 3 has no extensions, and only TLS 1.3 lists versions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoutHello {
    /// Protocol versions. Below TLS 1.3 only the highest can be said.
    pub versions: Vec<Protocol>,
    /// Cipher suites and signalling values.
    pub suites: Vec<u16>,
    /// Key exchange groups (RFC 8446 section 4.2.7).
    pub groups: Vec<u16>,
    /// Key shares; without any, a server of TLS 1.3 says which group it wants (RFC 8446 section
    /// 4.2.8).
    pub shares: Vec<KeyShare>,
    /// Signature schemes (RFC 8446 section 4.2.3).
    pub schemes: Vec<u16>,
    /// The name in the SNI extension (RFC 6066 section 3).
    pub server_name: Option<String>,
    /// Application protocols (RFC 7301).
    pub alpn: Vec<String>,
    /// The session to resume, of at most 32 octets.
    pub session_id: Bytes,
    /// A ticket to resume by; an empty one asks for one (RFC 5077 section 3.2).
    pub ticket: Option<Bytes>,
    /// Compression methods besides none.
    pub compression: Vec<u8>,
    /// Kinds of server certificates that are wanted (RFC 7250 section 3); none says nothing.
    pub certificate_types: Vec<u8>,
    /// The largest record that is wanted (RFC 8449).
    pub record_size_limit: Option<u16>,
    /// The code of the largest fragment that is wanted (RFC 6066 section 4).
    pub max_fragment_length: Option<u8>,
    /// Ask for what modern clients ask for: an OCSP response, extended master secret, MAC after
    /// encryption, secure renegotiation.
    pub modern: bool,
}

impl Default for ScoutHello {
    /// Nothing but the form.
    fn default() -> Self {
        Self {
            versions: Vec::new(),
            suites: Vec::new(),
            groups: Vec::new(),
            shares: Vec::new(),
            schemes: Vec::new(),
            server_name: None,
            alpn: Vec::new(),
            session_id: Bytes::new(),
            ticket: None,
            compression: Vec::new(),
            certificate_types: Vec::new(),
            record_size_limit: None,
            max_fragment_length: None,
            modern: true,
        }
    }
}

/// Octets of a record's body at most (RFC 8446 section 5.1).
const RECORD: usize = 1 << 14;

impl ScoutHello {
    /// Tells the highest version.
    pub fn highest(&self) -> Protocol {
        self.versions.iter().copied().max().unwrap_or(Protocol::TLS12)
    }

    /// Tells whether a server may answer so: it chose what was offered. A version below those that
    /// were, which only TLS 1.3 could have told it, is allowed.
    pub fn allows(&self, flight: &Flight) -> bool {
        let resumes =
            !self.session_id.is_empty() || self.ticket.as_ref().is_some_and(|it| !it.is_empty());
        flight.version <= Some(self.highest())
            && flight.suite.is_none_or(|suite| self.suites.contains(&suite))
            && (flight.compression == 0 || self.compression.contains(&flight.compression))
            && (flight.end != FlightEnd::Resumed || resumes)
    }

    /// Makes the records. Lists that exceed what the wire can say are cut.
    pub fn encode(&self, random: &[u8; 32]) -> Bytes {
        let highest = self.highest();
        // The version field stopped at TLS 1.2 (RFC 8446 section 4.1.2).
        let mut body = highest.min(Protocol::TLS12).0.to_be_bytes().to_vec();
        body.extend(random);
        vector(&mut body, 1, &self.session_id[..self.session_id.len().min(32)]);
        vector(&mut body, 2, &numbers(&self.suites));
        let compression: Vec<u8> = self.compression.iter().copied().chain([0]).collect();
        vector(&mut body, 1, &compression);
        if highest > Protocol::SSL3 {
            let extensions = self.extensions();
            if !extensions.is_empty() {
                vector(&mut body, 2, &extensions);
            }
        }
        let mut message = vec![1];
        vector(&mut message, 3, &body);
        // Servers of old want a version that they know in front (RFC 8446 appendix D.1).
        let wire = highest.min(Protocol::TLS10).0.to_be_bytes();
        let mut records = Vec::new();
        for piece in message.chunks(RECORD) {
            records.push(22);
            records.extend(wire);
            vector(&mut records, 2, piece);
        }
        records.into()
    }

    fn extensions(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut add = |kind: u16, body: &[u8]| {
            all.extend(kind.to_be_bytes());
            vector(&mut all, 2, body);
        };
        let listed = |length, body: &[u8]| {
            let mut list = Vec::new();
            vector(&mut list, length, body);
            list
        };
        let tls13 = self.highest() == Protocol::TLS13;
        if let Some(name) = &self.server_name {
            add(0, &listed(2, &[&[0][..], &listed(2, name.as_bytes())].concat()));
        }
        if let Some(code) = self.max_fragment_length {
            add(1, &[code]);
        }
        if self.modern {
            // status_request: OCSP, no responders, no extensions.
            add(5, &[1, 0, 0, 0, 0]);
        }
        if !self.groups.is_empty() {
            add(10, &listed(2, &numbers(&self.groups)));
            add(11, &[1, 0]);
        }
        if !self.schemes.is_empty() && self.highest() >= Protocol::TLS12 {
            add(13, &listed(2, &numbers(&self.schemes)));
        }
        if !self.alpn.is_empty() {
            let names: Vec<u8> =
                self.alpn.iter().flat_map(|name| listed(1, name.as_bytes())).collect();
            add(16, &listed(2, &names));
        }
        if !self.certificate_types.is_empty() {
            add(20, &listed(1, &self.certificate_types));
        }
        if self.modern {
            add(22, &[]);
            add(23, &[]);
        }
        if let Some(limit) = self.record_size_limit {
            add(28, &limit.to_be_bytes());
        }
        if let Some(ticket) = &self.ticket {
            add(35, ticket);
        }
        if tls13 {
            let versions: Vec<u16> = self.versions.iter().rev().map(|version| version.0).collect();
            add(43, &listed(1, &numbers(&versions)));
            // psk_dhe_ke: nobody is told of a session that could not be resumed.
            add(45, &[1, 1]);
            let share = |share: &KeyShare| {
                [&share.group.to_be_bytes()[..], &listed(2, &share.key)].concat()
            };
            add(51, &listed(2, &self.shares.iter().flat_map(share).collect::<Vec<u8>>()));
        }
        if self.modern {
            add(0xff01, &[0]);
        }
        all
    }
}

fn numbers(numbers: &[u16]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_be_bytes()).collect()
}

/// Appends a vector with its length in front, of so many octets (RFC 8446 section 3.4); what does
/// not fit is cut off.
fn vector(to: &mut Vec<u8>, length: usize, body: &[u8]) {
    let most = (1_usize << (8 * length)) - 1;
    // Lists of numbers stay whole.
    let size = if body.len() > most { most & !1 } else { body.len() };
    let octets = size.to_be_bytes();
    to.extend(octets.iter().skip(octets.len() - length));
    to.extend(body.iter().take(size));
}
