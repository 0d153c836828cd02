//! Handshake messages in plain text, taken apart (RFC 8446 section 4, RFC 5246 section 7.4).

use bytes::Bytes;

use super::scout::KeyExchange;
use super::sessions::TicketFacts;
use super::suites::{Authentication, Exchange, Suite};

/// A handshake message that crossed the wire in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HandshakeMessage {
    /// The type (RFC 8446 section 4).
    pub kind: u8,
    /// Octets of the body.
    pub octets: usize,
    /// What the body says; `None` if it cannot be taken apart.
    pub content: Option<HandshakeContent>,
}

/// What a handshake message says. Numbers are IANA's, in the order they came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeContent {
    /// What the client offers (RFC 8446 section 4.1.2).
    ClientHello(Hello),
    /// What the server chose of it (RFC 8446 section 4.1.3).
    ServerHello(Hello),
    /// A certificate chain, leaf first (RFC 5246 section 7.4.2).
    Certificate(Vec<Bytes>),
    /// The server's OCSP response (RFC 6066 section 8), by its size.
    CertificateStatus {
        /// Octets of the response.
        octets: usize,
    },
    /// The server's share of an ECDHE key exchange, signed (RFC 8422 section 5.4).
    ServerKeyExchange {
        /// The server's share.
        share: KeyShare,
        /// The scheme of the signature.
        scheme: u16,
    },
    /// The server's part of another key exchange, or of one before TLS 1.2 (RFC 5246 section 7.4.3).
    OtherKeyExchange {
        /// The server's part.
        exchange: KeyExchange,
        /// The scheme of the signature; before TLS 1.2 the key says that.
        scheme: Option<u16>,
    },
    /// The client's share of an ECDHE key exchange (RFC 8422 section 5.7).
    ClientKeyExchange(Bytes),
    /// The server asks for a client certificate (RFC 5246 section 7.4.4).
    CertificateRequest {
        /// Signature schemes that the server can verify.
        schemes: Vec<u16>,
        /// How many certificate authorities the server names.
        authorities: usize,
    },
    /// The client's proof of its key (RFC 5246 section 7.4.8), by its scheme.
    CertificateVerify(u16),
    /// A ticket for resumption (RFC 5077 section 3.3).
    NewSessionTicket {
        /// How long the server means to honour it, in seconds; 0 says nothing.
        lifetime: u32,
        /// Octets of the ticket.
        octets: usize,
    },
    /// There is nothing in it.
    Empty,
}

/// A ClientHello or ServerHello. The latter has one suite and one compression method.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The version field, which means little since TLS 1.3.
    pub version: u16,
    /// The random value.
    pub random: Bytes,
    /// The session id, of no more than 32 octets.
    pub session_id: Bytes,
    /// Cipher suites.
    pub suites: Vec<u16>,
    /// Compression methods.
    pub compression: Vec<u8>,
    /// Extensions.
    pub extensions: Vec<Extension>,
}

/// An extension of a hello.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The type (RFC 8446 section 4.2).
    pub kind: u16,
    /// Octets of the body.
    pub octets: usize,
    /// What the body says.
    pub content: ExtensionContent,
}

/// What an extension says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionContent {
    /// server_name (RFC 6066 section 3), as it was sent.
    ServerName(Bytes),
    /// supported_groups (RFC 8446 section 4.2.7).
    Groups(Vec<u16>),
    /// ec_point_formats (RFC 8422 section 5.1.2).
    PointFormats(Vec<u8>),
    /// signature_algorithms (RFC 8446 section 4.2.3).
    Schemes(Vec<u16>),
    /// supported_versions (RFC 8446 section 4.2.1).
    Versions(Vec<u16>),
    /// psk_key_exchange_modes (RFC 8446 section 4.2.9).
    PskModes(Vec<u8>),
    /// key_share (RFC 8446 section 4.2.8).
    KeyShares(Vec<KeyShare>),
    /// The group of a key share that the server wants (HelloRetryRequest).
    WantedGroup(u16),
    /// Server certificate types of a client (RFC 7250 section 3).
    CertificateTypes(Vec<u8>),
    /// Nothing, or nothing that is taken apart here.
    Other,
}

/// One share of a key exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyShare {
    /// The group.
    pub group: u16,
    /// The public key.
    pub key: Bytes,
}

impl HandshakeMessage {
    /// Takes the body of a message apart; of some it takes what the server chose.
    pub(super) fn read(kind: u8, body: &[u8], chosen: Option<Chosen>) -> Self {
        let content = HandshakeContent::read(kind, body, chosen);
        Self { kind, octets: body.len(), content }
    }

    /// Tells of a ticket of TLS 1.2 (RFC 5077 section 3.3). One without octets is none, and a lifetime
    /// of 0 says nothing.
    pub(crate) fn ticket(&self) -> Option<TicketFacts> {
        match self.content {
            Some(HandshakeContent::NewSessionTicket { lifetime, octets: 1.. }) => {
                Some(TicketFacts { lifetime: (lifetime > 0).then_some(lifetime), early_data: 0 })
            }
            _ => None,
        }
    }
}

/// The version and the suite of a ServerHello.
pub(super) type Chosen = (u16, &'static Suite);

impl HandshakeContent {
    /// Tells what was chosen, if this is a ServerHello.
    pub(super) fn chosen(&self) -> Option<Chosen> {
        let Self::ServerHello(hello) = self else { return None };
        Some((hello.version, Suite::by_number(*hello.suites.first()?)?))
    }

    fn read(kind: u8, body: &[u8], chosen: Option<Chosen>) -> Option<Self> {
        let mut body = Reader(body);
        match kind {
            1 => {
                let (version, random, session_id) = Hello::read_beginning(&mut body)?;
                let suites = body.vector(2)?.numbers()?;
                let compression = body.vector(1)?.0.to_vec();
                let extensions = Extension::read_all(&mut body, true)?;
                Some(Self::ClientHello(Hello {
                    version,
                    random,
                    session_id,
                    suites,
                    compression,
                    extensions,
                }))
            }
            2 => {
                let (version, random, session_id) = Hello::read_beginning(&mut body)?;
                let suites = vec![body.number()?];
                let compression = vec![body.octet()?];
                let extensions = Extension::read_all(&mut body, false)?;
                Some(Self::ServerHello(Hello {
                    version,
                    random,
                    session_id,
                    suites,
                    compression,
                    extensions,
                }))
            }
            4 => {
                let (high, low) = (body.number()?, body.number()?);
                let lifetime = u32::from(high) << 16 | u32::from(low);
                Some(Self::NewSessionTicket { lifetime, octets: body.vector(2)?.0.len() })
            }
            11 => {
                let (mut list, mut chain) = (body.vector(3)?, Vec::new());
                while !list.0.is_empty() {
                    chain.push(list.vector(3)?.bytes());
                }
                Some(Self::Certificate(chain))
            }
            12 if chosen.is_some_and(|(version, suite)| {
                version < 0x303
                    || suite.exchange != Exchange::Ecdhe
                    || suite.authentication == Authentication::None
            }) =>
            {
                let (version, suite) = chosen?;
                let exchange = KeyExchange::read(suite.exchange, &mut body)?;
                let is_signed = suite.authentication != Authentication::None;
                let scheme = match version >= 0x303 && is_signed {
                    true => Some(body.number()?),
                    false => None,
                };
                Some(Self::OtherKeyExchange { exchange, scheme })
            }
            12 => {
                // Only named curves are left (RFC 8422 section 5.4).
                (body.octet()? == 3).then_some(())?;
                let share = KeyShare { group: body.number()?, key: body.vector(1)?.bytes() };
                Some(Self::ServerKeyExchange { share, scheme: body.number()? })
            }
            13 => {
                body.vector(1)?;
                let schemes = body.vector(2)?.numbers()?;
                let (mut list, mut authorities) = (body.vector(2)?, 0);
                while !list.0.is_empty() {
                    list.vector(2)?;
                    authorities += 1;
                }
                Some(Self::CertificateRequest { schemes, authorities })
            }
            15 => Some(Self::CertificateVerify(body.number()?)),
            16 => Some(Self::ClientKeyExchange(body.vector(1)?.bytes())),
            22 => {
                body.octet()?;
                Some(Self::CertificateStatus { octets: body.vector(3)?.0.len() })
            }
            _ => body.0.is_empty().then_some(Self::Empty),
        }
    }
}

impl Hello {
    fn read_beginning(body: &mut Reader<'_>) -> Option<(u16, Bytes, Bytes)> {
        Some((body.number()?, body.take(32)?.bytes(), body.vector(1)?.bytes()))
    }
}

impl Extension {
    /// Reads the extensions at the end of a hello; old servers send none.
    fn read_all(body: &mut Reader<'_>, client: bool) -> Option<Vec<Self>> {
        let mut extensions = Vec::new();
        if body.0.is_empty() {
            return Some(extensions);
        }
        let mut list = body.vector(2)?;
        while !list.0.is_empty() {
            let (kind, body) = (list.number()?, list.vector(2)?);
            let octets = body.0.len();
            let content = ExtensionContent::read(kind, client, body);
            let content = content.unwrap_or(ExtensionContent::Other);
            extensions.push(Self { kind, octets, content });
        }
        Some(extensions)
    }
}

impl ExtensionContent {
    fn read(kind: u16, client: bool, mut body: Reader<'_>) -> Option<Self> {
        Some(match (kind, client) {
            (0, true) => {
                let mut list = body.vector(2)?;
                list.octet()?;
                Self::ServerName(list.vector(2)?.bytes())
            }
            (10, _) => Self::Groups(body.vector(2)?.numbers()?),
            (11, _) => Self::PointFormats(body.vector(1)?.0.to_vec()),
            (13, true) => Self::Schemes(body.vector(2)?.numbers()?),
            (20, true) => Self::CertificateTypes(body.vector(1)?.0.to_vec()),
            (20, false) => Self::CertificateTypes(vec![body.octet()?]),
            (43, true) => Self::Versions(body.vector(1)?.numbers()?),
            (43, false) => Self::Versions(vec![body.number()?]),
            (45, true) => Self::PskModes(body.vector(1)?.0.to_vec()),
            (51, true) => {
                let (mut list, mut shares) = (body.vector(2)?, Vec::new());
                while !list.0.is_empty() {
                    shares.push(KeyShare::read(&mut list)?);
                }
                Self::KeyShares(shares)
            }
            (51, false) if body.0.len() == 2 => Self::WantedGroup(body.number()?),
            (51, false) => Self::KeyShares(vec![KeyShare::read(&mut body)?]),
            _ => Self::Other,
        })
    }
}

impl KeyShare {
    fn read(from: &mut Reader<'_>) -> Option<Self> {
        Some(Self { group: from.number()?, key: from.vector(2)?.bytes() })
    }
}

/// What is left of a structure in TLS's presentation language (RFC 8446 section 3).
pub(super) struct Reader<'a>(pub(super) &'a [u8]);

impl<'a> Reader<'a> {
    pub(super) fn take(&mut self, octets: usize) -> Option<Self> {
        let (taken, rest) = self.0.split_at_checked(octets)?;
        self.0 = rest;
        Some(Self(taken))
    }

    pub(super) fn octet(&mut self) -> Option<u8> {
        self.take(1)?.0.first().copied()
    }

    pub(super) fn number(&mut self) -> Option<u16> {
        Some(u16::from_be_bytes([self.octet()?, self.octet()?]))
    }

    /// Takes a vector whose length stands before it in so many octets.
    pub(super) fn vector(&mut self, length: usize) -> Option<Self> {
        let length =
            self.take(length)?.0.iter().fold(0, |sum, octet| sum << 8 | usize::from(*octet));
        self.take(length)
    }

    /// Takes all that is left as numbers of two octets.
    pub(super) fn numbers(self) -> Option<Vec<u16>> {
        let (pairs, []) = self.0.as_chunks::<2>() else { return None };
        Some(pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect())
    }

    pub(super) fn bytes(&self) -> Bytes {
        Bytes::copy_from_slice(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out a vector with its length in front.
    fn vector(length: usize, body: &[u8]) -> Vec<u8> {
        let octets = body.len().to_be_bytes();
        [&octets[octets.len() - length..], body].concat()
    }

    fn server_hello(extensions: &[u8]) -> Vec<u8> {
        [&[3, 3][..], &[7; 32], &vector(1, b"id"), &[0x13, 1, 0], &vector(2, extensions)].concat()
    }

    #[test]
    fn what_the_server_chose() {
        let share =
            [&[0, 51][..], &vector(2, &[&[0, 29][..], &vector(2, b"key")].concat())].concat();
        let body = server_hello(&[&[0, 43, 0, 2, 3, 4][..], &share, &[0, 99, 0, 1, 0]].concat());
        let message = HandshakeMessage::read(2, &body, None);
        assert_eq!((message.kind, message.octets), (2, body.len()));
        let Some(HandshakeContent::ServerHello(hello)) = message.content else { panic!() };
        assert_eq!(
            (hello.version, hello.suites, hello.compression),
            (0x303, vec![0x1301], vec![0])
        );
        assert_eq!((&hello.session_id[..], &hello.random[..]), (&b"id"[..], &[7; 32][..]));
        let key = KeyShare { group: 29, key: Bytes::from_static(b"key") };
        let contents: Vec<_> =
            hello.extensions.into_iter().map(|it| (it.kind, it.content)).collect();
        assert_eq!(
            contents,
            [
                (43, ExtensionContent::Versions(vec![0x304])),
                (51, ExtensionContent::KeyShares(vec![key])),
                (99, ExtensionContent::Other),
            ]
        );
        let retry = server_hello(&[0, 51, 0, 2, 0, 23]);
        let Some(HandshakeContent::ServerHello(hello)) =
            HandshakeMessage::read(2, &retry, None).content
        else {
            panic!()
        };
        assert_eq!(hello.extensions[0].content, ExtensionContent::WantedGroup(23));
    }

    #[test]
    fn messages_of_tls_12() {
        let table = [
            (
                4,
                [&[0, 0, 28, 32][..], &vector(2, b"ticket")].concat(),
                "NewSessionTicket { lifetime: 7200, octets: 6 }",
            ),
            (
                11,
                vector(3, &[vector(3, b"leaf"), vector(3, b"ca")].concat()),
                "Certificate([b\"leaf\", b\"ca\"])",
            ),
            (
                12,
                [&[3, 0, 23][..], &vector(1, b"key"), &[8, 4, 0, 0]].concat(),
                "ServerKeyExchange { share: KeyShare { group: 23, key: b\"key\" }, scheme: 2052 }",
            ),
            (
                13,
                [&vector(1, &[1, 64])[..], &vector(2, &[4, 3]), &vector(2, &vector(2, b"dn"))]
                    .concat(),
                "CertificateRequest { schemes: [1027], authorities: 1 }",
            ),
            (14, vec![], "Empty"),
            (15, vec![4, 3, 0, 0], "CertificateVerify(1027)"),
            (16, vector(1, b"key"), "ClientKeyExchange(b\"key\")"),
            (22, [&[1][..], &vector(3, b"ocsp")].concat(), "CertificateStatus { octets: 4 }"),
        ];
        for (kind, body, expected) in table {
            let content = HandshakeMessage::read(kind, &body, None).content;
            assert_eq!(format!("{:?}", content.unwrap()), expected);
            // Whatever is cut off, nothing is made up.
            for cut in 0..body.len() {
                let content = HandshakeMessage::read(kind, &body[..cut], None).content;
                assert!(
                    content.is_none() || matches!(kind, 12 | 15),
                    "{kind} at {cut}: {content:?}"
                );
            }
        }
    }
}
