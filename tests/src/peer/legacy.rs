//! A hand-built TLS server that speaks what no library speaks any more, up to its first flight.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use bytes::Bytes;
use tlsfinger_core::tls::scout::Protocol;
use tlsfinger_core::tls::{Authentication, Exchange, Suite};

use super::{Act, Host, Peer};
use crate::certs::{self, KeyType};

/// A mail server with STARTTLS whose TLS is as old or as odd as a test wants.
#[derive(Clone, Debug)]
pub struct Legacy {
    /// The protocol versions that it speaks, by their numbers.
    pub versions: Vec<u16>,
    /// The cipher suites that it accepts, in its order of preference.
    pub suites: Vec<u16>,
    /// It takes the client's order instead.
    pub follows_client: bool,
    /// The groups that it accepts, in its order of preference.
    pub groups: Vec<u16>,
    /// What it does with clients that want something else.
    pub refusal: Refusal,
    /// Its certificates.
    pub chain: Vec<Bytes>,
    /// It signs by this scheme alone, of which nobody can tell whether it is right.
    pub scheme: Option<u16>,
    /// Its signatures are wrong.
    pub spoils_signatures: bool,
    /// TLS comes first.
    pub wrapper: bool,
    /// The hellos that it heard.
    pub heard: Heard,
}

/// The highest version and the suites of each hello, over all connections.
pub type Heard = Arc<Mutex<Vec<(u16, Vec<u16>)>>>;

/// How a [`Legacy`] server turns a client down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// By an alert: protocol_version or handshake_failure.
    Alert,
    /// It hangs up.
    End,
    /// It breaks the connection off.
    Reset,
    /// It answers this.
    Say(Bytes),
}

impl Legacy {
    /// Makes a server of one version with an RSA key.
    pub fn new(version: u16, suites: &[u16]) -> Self {
        let identity = certs::server(KeyType::Rsa2048);
        Self {
            versions: vec![version],
            suites: suites.to_vec(),
            follows_client: false,
            groups: vec![29, 23],
            refusal: Refusal::Alert,
            chain: identity.chain.iter().map(|der| Bytes::copy_from_slice(der)).collect(),
            scheme: None,
            spoils_signatures: false,
            wrapper: false,
            heard: Arc::default(),
        }
    }

    /// Tells how many hellos were heard.
    pub fn hellos(&self) -> usize {
        self.heard.lock().expect("no writer panics").len()
    }

    /// Makes the flight that answers the record of a ClientHello, if it offers anything acceptable.
    pub(super) fn flight_for(&self, record: &[u8]) -> Option<Vec<u8>> {
        let hello = Hello::read(record.get(9..)?)?;
        self.answer(&hello).ok()
    }

    /// Makes the flight that answers a ClientHello.
    fn answer(&self, hello: &Hello) -> Result<Vec<u8>, Refusal> {
        self.heard.lock().expect("no writer panics").push((hello.highest(), hello.suites.clone()));
        let alert = |alert| match &self.refusal {
            Refusal::Alert => Refusal::Say(Bytes::copy_from_slice(&[21, 3, 1, 0, 2, 2, alert])),
            other => other.clone(),
        };
        let speaks = |version: &&u16| match &hello.versions {
            Some(versions) => versions.contains(version),
            None => **version <= hello.version,
        };
        let version = self.versions.iter().filter(speaks).max().copied().ok_or(alert(70))?;
        let (first, second) = match self.follows_client {
            true => (&hello.groups, &self.groups),
            false => (&self.groups, &hello.groups),
        };
        let group = first.iter().find(|group| second.contains(group)).copied();
        let fits = |number: &&u16| {
            let Some(suite) = Suite::by_number(**number) else { return false };
            let needs_group = matches!(suite.exchange, Exchange::Ecdhe | Exchange::Tls13);
            suite.exists_in(Protocol(version)) && (!needs_group || group.is_some())
        };
        let (first, second) = match self.follows_client {
            true => (&hello.suites, &self.suites),
            false => (&self.suites, &hello.suites),
        };
        if self.scheme.is_some_and(|scheme| !hello.schemes.contains(&scheme)) {
            return Err(alert(40));
        }
        let mut common = first.iter().filter(|number| second.contains(number)).filter(fits);
        let number = *common.next().ok_or(alert(40))?;
        let suite = Suite::by_number(number).expect("is known");
        Ok(if version == 0x304 {
            retry(number, group.expect("was needed"))
        } else {
            self.flight(version, suite, group, hello)
        })
    }

    fn flight(&self, version: u16, suite: &Suite, group: Option<u16>, hello: &Hello) -> Vec<u8> {
        let random = [9; 32];
        let mut body = [&version.to_be_bytes()[..], &random, &[0]].concat();
        body.extend(suite.number.to_be_bytes());
        body.push(0);
        let mut messages = message(2, &body);
        if suite.authentication != Authentication::None {
            let chain: Vec<u8> = self.chain.iter().flat_map(|der| vector(3, der)).collect();
            messages.extend(message(11, &vector(3, &chain)));
        }
        let parameters = match suite.exchange {
            Exchange::Ecdhe => {
                let group = group.expect("was needed").to_be_bytes();
                Some([&[3][..], &group, &vector(1, &[5; 32])].concat())
            }
            Exchange::Rsa if suite.is_export() => {
                Some([vector(2, &[0xc7; 64]), vector(2, &[1, 0, 1])].concat())
            }
            Exchange::Dhe => {
                Some([vector(2, &[0xc7; 128]), vector(2, &[2]), vector(2, &[5; 128])].concat())
            }
            _ => None,
        };
        if let Some(mut body) = parameters {
            if suite.authentication != Authentication::None {
                let signed = [&hello.random[..], &random, &body].concat();
                let mut signature = match self.scheme {
                    Some(_) => vec![9; 114],
                    None => sign(&signed),
                };
                if self.spoils_signatures {
                    signature[7] ^= 1;
                }
                if version >= 0x303 {
                    body.extend(self.scheme.unwrap_or(0x0401).to_be_bytes());
                }
                body.extend(vector(2, &signature));
            }
            messages.extend(message(12, &body));
        }
        messages.extend(message(14, &[]));
        record(version, &messages)
    }
}

/// A HelloRetryRequest (RFC 8446 section 4.1.4).
fn retry(suite: u16, group: u16) -> Vec<u8> {
    const RANDOM: &str = "cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c";
    let digits: Vec<u8> = RANDOM.chars().map(|c| c.to_digit(16).expect("is one") as u8).collect();
    let mut body = vec![3, 3];
    body.extend(digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]));
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    let group = group.to_be_bytes();
    body.extend(vector(2, &[&[0, 43, 0, 2, 3, 4, 0, 51, 0, 2][..], &group].concat()));
    record(0x303, &message(2, &body))
}

/// Signs by the key of the RSA certificate, as TLS 1.2 does.
fn sign(message: &[u8]) -> Vec<u8> {
    let identity = certs::server(KeyType::Rsa2048);
    let key = RsaKeyPair::from_pkcs8(identity.key.secret_der()).expect("is an RSA key");
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature).expect("signs");
    signature
}

fn vector(length: usize, body: &[u8]) -> Vec<u8> {
    [&body.len().to_be_bytes()[8 - length..], body].concat()
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind][..], &vector(3, body)].concat()
}

fn record(version: u16, body: &[u8]) -> Vec<u8> {
    [&[22][..], &version.to_be_bytes(), &vector(2, body)].concat()
}

/// What such a server reads of a ClientHello.
struct Hello {
    version: u16,
    random: Vec<u8>,
    suites: Vec<u16>,
    groups: Vec<u16>,
    schemes: Vec<u16>,
    versions: Option<Vec<u16>>,
}

impl Hello {
    fn highest(&self) -> u16 {
        self.versions.iter().flatten().copied().max().unwrap_or(self.version)
    }

    /// Reads the body of a handshake message.
    fn read(body: &[u8]) -> Option<Self> {
        let number = |at: usize| Some(u16::from_be_bytes([*body.get(at)?, *body.get(at + 1)?]));
        let numbers = |octets: &[u8]| -> Vec<u16> {
            octets.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
        };
        let mut at = 35 + usize::from(*body.get(34)?);
        let size = usize::from(number(at)?);
        let suites = numbers(body.get(at + 2..at + 2 + size)?);
        at += 2 + size;
        at += 1 + usize::from(*body.get(at)?);
        let (mut groups, mut schemes, mut versions) = (Vec::new(), Vec::new(), None);
        // The length of all extensions; there may be none.
        at += 2;
        while at < body.len() {
            let (kind, size) = (number(at)?, usize::from(number(at + 2)?));
            let extension = body.get(at + 4..at + 4 + size)?;
            match kind {
                10 => groups = numbers(&extension[2..]),
                13 => schemes = numbers(&extension[2..]),
                43 => versions = Some(numbers(&extension[1..])),
                _ => {}
            }
            at += 4 + size;
        }
        Some(Self {
            version: number(0)?,
            random: body.get(2..34)?.to_vec(),
            suites,
            groups,
            schemes,
            versions,
        })
    }
}

impl Host for Legacy {
    fn accept(&self) -> Box<dyn Peer> {
        let mut server = LegacyServer {
            tls: self.wrapper,
            script: self.clone(),
            input: Vec::new(),
            acts: VecDeque::new(),
        };
        if !self.wrapper {
            server.say("220 mx.example.org ESMTP\r\n");
        }
        Box::new(server)
    }
}

/// One connection of a [`Legacy`] server.
#[derive(Debug)]
struct LegacyServer {
    script: Legacy,
    tls: bool,
    input: Vec<u8>,
    acts: VecDeque<Act>,
}

impl LegacyServer {
    fn say(&mut self, text: &str) {
        self.acts.push_back(Act::Send(Bytes::copy_from_slice(text.as_bytes())));
    }

    fn hear_line(&mut self) -> bool {
        let Some(end) = self.input.iter().position(|octet| *octet == b'\n') else { return false };
        let line: Vec<u8> = self.input.drain(..=end).collect();
        match line.split(|octet| b" \r\n".contains(octet)).next().unwrap_or_default() {
            b"EHLO" => self.say("250-mx.example.org\r\n250 STARTTLS\r\n"),
            b"STARTTLS" => {
                self.say("220 go ahead\r\n");
                self.tls = true;
            }
            _ => {
                self.say("221 bye\r\n");
                self.acts.push_back(Act::End);
            }
        }
        !self.tls
    }

    fn hear_hello(&mut self) {
        let [22, _, _, high, low, rest @ ..] = &self.input[..] else { return };
        let size = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(body) = rest.get(..size) else { return };
        if body[0] != 1 {
            // A key exchange: this server goes no further.
            self.input.clear();
            return self.acts.push_back(Act::End);
        }
        let hello = Hello::read(&body[4..]).expect("the client knows how");
        self.input.clear();
        match self.script.answer(&hello) {
            Ok(flight) => self.acts.push_back(Act::Send(flight.into())),
            Err(Refusal::Say(octets)) => {
                self.acts.extend([Act::Send(octets), Act::End]);
            }
            Err(Refusal::Reset) => self.acts.push_back(Act::Reset),
            Err(Refusal::End | Refusal::Alert) => self.acts.push_back(Act::End),
        }
    }
}

impl Peer for LegacyServer {
    fn received(&mut self, bytes: &[u8]) {
        self.input.extend_from_slice(bytes);
        while !self.tls && self.hear_line() {}
        if self.tls {
            self.hear_hello();
        }
    }

    fn ended(&mut self) {
        self.acts.push_back(Act::End);
    }

    fn act(&mut self) -> Option<Act> {
        self.acts.pop_front()
    }
}
