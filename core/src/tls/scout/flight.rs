//! The server's answer to a ClientHello, up to where it waits for the client.

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use super::super::handshake::Reader;
use super::super::suites::{Authentication, Exchange, Suite};
use super::hello::Protocol;
use super::proof::{Proof, prove};
use crate::limits;
use crate::report::{Alert, SignatureScheme};

/// What a server answered. Everything is as it was sent; nothing was completed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flight {
    /// The protocol version that the server chose.
    pub version: Option<Protocol>,
    /// The cipher suite that it chose, by IANA number.
    pub suite: Option<u16>,
    /// The session id that it gave.
    pub session_id: Bytes,
    /// The compression method that it chose.
    pub compression: u8,
    /// The extensions of its hello: types and bodies, in order.
    pub extensions: Vec<(u16, Bytes)>,
    /// The group that it chose in TLS 1.3.
    pub group: Option<u16>,
    /// The end of its random value says that it speaks a higher version (RFC 8446 section 4.1.3).
    pub downgraded: bool,
    /// Its certificates, leaf first, or one SubjectPublicKeyInfo (RFC 7250); at most
    /// [`limits::CHAIN`].
    pub chain: Vec<Bytes>,
    /// `chain` holds a raw public key.
    pub raw_key: bool,
    /// Its OCSP response, unverified.
    pub ocsp: Option<Bytes>,
    /// Its part of an ephemeral key exchange.
    pub key_exchange: Option<KeyExchange>,
    /// Its signature over that part.
    pub signature: Option<ServerSignature>,
    /// It asked for a client certificate.
    pub client_certificate_requested: bool,
    /// Alerts that ended nothing; some of them, if there were many.
    pub warnings: Vec<Alert>,
    /// How the flight ended.
    pub end: FlightEnd,
    /// Octets that came up to its end.
    pub octets: usize,
}

/// How a flight ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FlightEnd {
    /// It did not: there is more to come, or the connection ended in the middle.
    #[default]
    Cut,
    /// The server waits for the client's key exchange.
    Done,
    /// TLS 1.3: the server wants a share of another group (HelloRetryRequest).
    Retry,
    /// TLS 1.3: the rest is encrypted.
    Encrypted,
    /// The server resumed a session: it went on to its Finished.
    Resumed,
    /// A fatal alert, or one that closes.
    Refused(Alert),
    /// What came is no TLS.
    NotTls,
    /// What came is broken, or not in order.
    Malformed,
    /// More came than [`limits::HANDSHAKE`].
    TooMuch,
}

/// The server's part of an ephemeral key exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyExchange {
    /// Elliptic curves: a named group (RFC 8422 section 5.4).
    Ecdhe(u16),
    /// Elliptic curves: a curve of the server's own.
    ExplicitCurve,
    /// Finite fields (RFC 5246 section 7.4.3).
    Dhe {
        /// The size of the prime.
        bits: usize,
        /// Which group of RFC 7919 that is.
        group: Option<u16>,
    },
    /// A short RSA key for export suites (RFC 2246 section 7.4.3).
    ExportRsa {
        /// The size of its modulus.
        bits: usize,
    },
}

impl KeyExchange {
    /// Reads the parameters in a ServerKeyExchange, up to the signature.
    pub(in crate::tls) fn read(exchange: Exchange, body: &mut Reader<'_>) -> Option<Self> {
        Some(match exchange {
            Exchange::Ecdhe => match body.octet()? {
                3 => {
                    let group = body.number()?;
                    body.vector(1)?;
                    Self::Ecdhe(group)
                }
                _ => Self::ExplicitCurve,
            },
            Exchange::Dhe => {
                let (prime, generator) = (body.vector(2)?, body.vector(2)?);
                body.vector(2)?;
                let (bits, group) = (bits(prime.0)?, ffdhe(prime.0, generator.0));
                Self::Dhe { bits, group }
            }
            Exchange::Rsa => {
                let modulus = body.vector(2)?;
                body.vector(2)?;
                Self::ExportRsa { bits: bits(modulus.0)? }
            }
            // Keys shared before and passwords are never offered.
            Exchange::Dh
            | Exchange::Ecdh
            | Exchange::Psk
            | Exchange::RsaPsk
            | Exchange::DhePsk
            | Exchange::EcdhePsk
            | Exchange::Srp
            | Exchange::Krb5
            | Exchange::Pake
            | Exchange::Gost
            | Exchange::Tls13 => return None,
        })
    }
}

/// The server's signature in its ServerKeyExchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerSignature {
    /// Its scheme; before TLS 1.2 the key says that.
    pub scheme: Option<SignatureScheme>,
    /// What it proves.
    pub proof: Proof,
}

impl Flight {
    /// Finds the suite in the table.
    pub fn known_suite(&self) -> Option<&'static Suite> {
        self.suite.and_then(Suite::by_number)
    }

    /// Finds an extension of the server's hello.
    pub fn extension(&self, kind: u16) -> Option<&Bytes> {
        self.extensions.iter().find(|extension| extension.0 == kind).map(|extension| &extension.1)
    }

    /// Tells whether the server chose to show no certificate.
    pub fn is_anonymous(&self) -> bool {
        self.known_suite().is_some_and(|suite| suite.authentication == Authentication::None)
    }

    /// Tells whether this program speaks the version and the suite.
    pub fn is_spoken(&self) -> bool {
        matches!(self.version, Some(Protocol::TLS12 | Protocol::TLS13))
            && self.known_suite().is_some_and(Suite::is_spoken)
    }

    /// Tells whether the server agreed to something: it said version and suite, and nothing went
    /// wrong behind that.
    pub fn is_agreed(&self) -> bool {
        use FlightEnd::{Done, Encrypted, Resumed, Retry};
        self.suite.is_some() && matches!(self.end, Done | Retry | Encrypted | Resumed)
    }

    /// Tells whether everything is there that the suite needs, and nothing that it has no use for
    /// (RFC 5246 section 7.4.3).
    fn is_whole(&self) -> bool {
        let Some(suite) = self.known_suite().filter(|it| it.needs_no_secret()) else { return true };
        let exchanged = match suite.exchange {
            Exchange::Dhe | Exchange::Ecdhe => self.key_exchange.is_some(),
            // A key that is short enough for export needs no other.
            Exchange::Rsa => self.key_exchange.is_none() || suite.is_export(),
            Exchange::Dh
            | Exchange::Ecdh
            | Exchange::Psk
            | Exchange::RsaPsk
            | Exchange::DhePsk
            | Exchange::EcdhePsk
            | Exchange::Srp
            | Exchange::Krb5
            | Exchange::Pake
            | Exchange::Gost
            | Exchange::Tls13 => self.key_exchange.is_none(),
        };
        exchanged && self.chain.is_empty() == self.is_anonymous()
    }
}

const HEADER: usize = 5;

/// Octets of a record's body at most: TLS 1.2 lets encryption add so many (RFC 5246 section 6.2.3).
const RECORD: usize = (1 << 14) + 2048;

/// Warnings that are kept.
const WARNINGS: usize = 8;

/// The random value of a HelloRetryRequest (RFC 8446 section 4.1.3).
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

/// Puts a flight together from whatever pieces it arrives in.
#[derive(Clone, Debug)]
pub(super) struct FlightReader {
    client_random: [u8; 32],
    server_random: [u8; 32],
    /// Octets that are no whole record yet.
    records: Vec<u8>,
    /// Octets that are no whole handshake message yet.
    messages: Vec<u8>,
    /// The place in the order of messages that was reached.
    reached: usize,
    flight: Flight,
}

/// The handshake messages of a flight in their order (RFC 5246 section 7.3, RFC 6066 section 8).
const ORDER: [u8; 6] = [2, 11, 22, 12, 13, 14];

impl FlightReader {
    pub(super) fn new(client_random: [u8; 32]) -> Self {
        Self {
            client_random,
            server_random: [0; 32],
            records: Vec::new(),
            messages: Vec::new(),
            reached: 0,
            flight: Flight::default(),
        }
    }

    pub(super) fn flight(&self) -> &Flight {
        &self.flight
    }

    /// Counts the octets received and held.
    pub(super) fn buffered(&self) -> usize {
        self.records.len() + self.messages.len()
    }

    /// Takes a piece; `true` if the flight ended by it.
    pub(super) fn receive(&mut self, octets: &[u8]) -> bool {
        if self.flight.end != FlightEnd::Cut {
            return false;
        }
        // What is beyond the bound is never looked at, in however many pieces it comes.
        let fits = octets.len().min(limits::HANDSHAKE.saturating_sub(self.flight.octets));
        self.records.extend_from_slice(octets.get(..fits).unwrap_or_default());
        self.flight.octets += fits;
        self.flight.end = match self.read_records() {
            Ok(()) if fits < octets.len() => FlightEnd::TooMuch,
            Ok(()) => FlightEnd::Cut,
            Err(end) => {
                // What follows the flight does not count.
                self.flight.octets -= self.records.len();
                end
            }
        };
        self.flight.end != FlightEnd::Cut
    }

    fn read_records(&mut self) -> Result<(), FlightEnd> {
        let mut at = 0;
        let result = loop {
            let rest = self.records.get(at..).unwrap_or_default();
            match *rest {
                [] => break Ok(()),
                // Whoever speaks TLS says so in the first octets.
                [kind, ..] if !(20..=23).contains(&kind) => break Err(FlightEnd::NotTls),
                [_, major, ..] if major != 3 => break Err(FlightEnd::NotTls),
                _ => {}
            }
            let [kind, _, _, high, low, body @ ..] = rest else { break Ok(()) };
            let size = usize::from(u16::from_be_bytes([*high, *low]));
            if size > RECORD {
                break Err(FlightEnd::Malformed);
            }
            let Some(body) = body.get(..size) else { break Ok(()) };
            let (kind, body) = (*kind, body.to_vec());
            at += HEADER + size;
            if let Err(end) = self.read_record(kind, &body) {
                break Err(end);
            }
        };
        self.records.drain(..at.min(self.records.len()));
        result
    }

    fn read_record(&mut self, kind: u8, body: &[u8]) -> Result<(), FlightEnd> {
        match (kind, body) {
            (22, body) => {
                self.messages.extend_from_slice(body);
                self.read_messages()
            }
            (21, [1, alert]) if *alert != 0 => {
                if self.flight.warnings.len() < WARNINGS {
                    self.flight.warnings.push(Alert(*alert));
                }
                Ok(())
            }
            (21, [_, alert]) => Err(FlightEnd::Refused(Alert(*alert))),
            // A server that goes on to Finished resumed a session (RFC 5246 section 7.3).
            (20, _) if self.flight.suite.is_some() => Err(FlightEnd::Resumed),
            _ => Err(FlightEnd::Malformed),
        }
    }

    fn read_messages(&mut self) -> Result<(), FlightEnd> {
        let mut at = 0;
        let result = loop {
            let rest = self.messages.get(at..).unwrap_or_default();
            let [kind, high, middle, low, body @ ..] = rest else { break Ok(()) };
            let size = usize::from(*high) << 16 | usize::from(*middle) << 8 | usize::from(*low);
            let Some(body) = body.get(..size) else { break Ok(()) };
            let (kind, body) = (*kind, Bytes::copy_from_slice(body));
            at += 4 + size;
            match self.read_message(kind, &body) {
                Some(None) => {}
                Some(Some(end)) => break Err(end),
                None => break Err(FlightEnd::Malformed),
            }
        };
        self.messages.drain(..at.min(self.messages.len()));
        result
    }

    /// Reads a message; `None` if it is broken or has no place here.
    fn read_message(&mut self, kind: u8, body: &[u8]) -> Option<Option<FlightEnd>> {
        match kind {
            // HelloRequest means nothing here.
            0 => return Some(None),
            // A ticket for the next time; a session is being resumed.
            4 if self.reached == 1 => return Some(None),
            _ => {}
        }
        let place = ORDER.iter().position(|known| *known == kind)?;
        // Each comes once, in order, and the hello before all.
        if place < self.reached || (place > 0) != (self.reached > 0) {
            return None;
        }
        self.reached = place + 1;
        let mut body = Reader(body);
        match kind {
            2 => {
                let end = self.read_hello(&mut body)?;
                return body.0.is_empty().then_some(end);
            }
            11 => self.read_certificates(&mut body)?,
            22 => {
                body.octet()?;
                self.flight.ocsp = Some(body.vector(3)?.bytes());
            }
            12 => self.read_key_exchange(&mut body)?,
            13 => {
                // What it looks like depends on the version; that it was asked is enough.
                self.flight.client_certificate_requested = true;
                return Some(None);
            }
            _ => return self.flight.is_whole().then_some(Some(FlightEnd::Done)),
        }
        body.0.is_empty().then_some(None)
    }

    fn read_hello(&mut self, body: &mut Reader<'_>) -> Option<Option<FlightEnd>> {
        let flight = &mut self.flight;
        let mut version = body.number()?;
        self.server_random = body.take(32)?.0.try_into().ok()?;
        flight.session_id = body.vector(1)?.bytes();
        let suite = body.number()?;
        flight.compression = body.octet()?;
        if !body.0.is_empty() {
            let mut list = body.vector(2)?;
            while !list.0.is_empty() {
                flight.extensions.push((list.number()?, list.vector(2)?.bytes()));
            }
        }
        if let Some([high, low]) = flight.extension(43).map(|body| &body[..]) {
            version = u16::from_be_bytes([*high, *low]);
        }
        flight.group = match flight.extension(51).map(|body| &body[..]) {
            Some([high, low, ..]) => Some(u16::from_be_bytes([*high, *low])),
            _ => None,
        };
        flight.raw_key = flight.extension(20).is_some_and(|body| **body == [2]);
        flight.downgraded =
            matches!(self.server_random, [.., b'D', b'O', b'W', b'N', b'G', b'R', b'D', 0 | 1]);
        flight.version = Some(Protocol(version));
        flight.suite = Some(suite);
        Some(match version {
            0x304 if self.server_random == RETRY => Some(FlightEnd::Retry),
            0x304 => Some(FlightEnd::Encrypted),
            _ => None,
        })
    }

    fn read_certificates(&mut self, body: &mut Reader<'_>) -> Option<()> {
        if self.flight.raw_key {
            self.flight.chain = vec![body.vector(3)?.bytes()];
            return Some(());
        }
        let mut list = body.vector(3)?;
        while !list.0.is_empty() {
            let certificate = list.vector(3)?.bytes();
            if self.flight.chain.len() < limits::CHAIN {
                self.flight.chain.push(certificate);
            }
        }
        Some(())
    }

    fn read_key_exchange(&mut self, body: &mut Reader<'_>) -> Option<()> {
        let Some(suite) = self.flight.known_suite() else {
            body.0 = &[];
            return Some(());
        };
        let whole = body.0;
        let exchange = KeyExchange::read(suite.exchange, body)?;
        if exchange == KeyExchange::ExplicitCurve {
            // What a curve is made of has no use; nor has the signature behind it.
            self.flight.key_exchange = Some(exchange);
            body.0 = &[];
            return Some(());
        }
        let parameters = whole.get(..whole.len() - body.0.len())?;
        self.flight.key_exchange = Some(exchange);
        if suite.authentication == Authentication::None {
            return Some(());
        }
        // Before TLS 1.2 the key says how it signs (RFC 4346 section 7.4.3).
        let scheme = match self.flight.version >= Some(Protocol::TLS12) {
            true => Some(body.number()?),
            false => None,
        };
        let signature = body.vector(2)?;
        let message = [&self.client_random[..], &self.server_random, parameters].concat();
        let own = self.flight.chain.first();
        let proof = prove(own, self.flight.raw_key, scheme, &message, signature.0);
        let scheme = scheme.map(SignatureScheme);
        self.flight.signature = Some(ServerSignature { scheme, proof });
        Some(())
    }
}

/// Counts the bits of a number; nobody computes with zero.
fn bits(number: &[u8]) -> Option<usize> {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let first = number.get(zeros)?;
    Some((number.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// Finds the group of RFC 7919 by its prime, of which the SHA-256 is known, and its generator.
fn ffdhe(prime: &[u8], generator: &[u8]) -> Option<u16> {
    let (group, digits) = match prime.len() {
        256 => (256, "9cd3b7f336872f46c09428d1bbc19877a4d440512cda8d1c1cf0cd6e33698966"),
        384 => (257, "0eaf67db3a839156d5013494a5318a772b5697d270d721f37f092efc69ea5a17"),
        512 => (258, "4648414224ac881b3d0dc59b466f96d06a558278776807797ecf1f66ff397b3e"),
        768 => (259, "227ac9066b3ddd9e193670cda2388fa884f65ba0cf98b742d1fe77a6687c79c7"),
        1024 => (260, "770b14efaf6f049929c523113b3fa99a8d11dab1b18af3609590122075d19833"),
        _ => return None,
    };
    let digest = Sha256::digest(prime);
    let digest: String = digest.iter().map(|octet| format!("{octet:02x}")).collect();
    (generator == [2] && digest == digits).then_some(group)
}
