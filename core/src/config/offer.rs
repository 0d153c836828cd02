//! What is offered to a server before anything is known of it.

use std::cmp::Reverse;

use super::{Level, Policy, ServerNameChoice};
use crate::cert::{Certificate, KeyKind};
use crate::judge::ReferenceNames;
use crate::report::{Group, TlsFacts, TlsVersion};
use crate::tls::scout::{self, Protocol, ScoutHello};
use crate::tls::{Authentication, Identity, OPENSSL, OTHERS, Suite};

/// All that the policy decides before connecting. Kept in the Observation, so that a verdict for
/// another policy knows whether it would have asked the same question.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offer {
    /// The name in the SNI extension (RFC 6066 section 3); none is sent for addresses.
    pub server_name: Option<String>,
    /// Protocol versions.
    pub versions: Versions,
    /// Cipher suites by IANA number, in order of preference; `None` offers all.
    pub suites: Option<Vec<u16>>,
    /// Key exchange groups in order of preference.
    pub groups: Groups,
    /// Offer SHA-1 signature schemes, which only levels without verification do.
    pub sha1: bool,
    /// Which kind of certificate is asked for.
    pub certificates: ServerCertificates,
    /// Which keys the server may show; `None` takes any.
    pub keys: Option<ServerKeys>,
    /// Who this client says it is if it is asked.
    pub identity: Identity,
}

impl Offer {
    /// Makes the offer of a policy to one server at the level that holds for it; `None` at level
    /// none.
    pub fn of(policy: &Policy, level: Level, names: &ReferenceNames) -> Option<Self> {
        if level == Level::None {
            return None;
        }
        // Where TLSA records count, the server name is their base domain (RFC 7672 section 8.1).
        let wanted = match &policy.server_name {
            None => None,
            Some(ServerNameChoice::Hostname) => Some(&*names.hostname),
            Some(ServerNameChoice::Nexthop) => Some(&*names.nexthop),
            Some(ServerNameChoice::Name(name)) => Some(&**name),
        };
        // TLS 1.2 knows raw keys too, but the library does not (RFC 7250 section 3).
        let raw = policy.raw_public_keys && policy.versions.tls13 && level <= Level::Fingerprint;
        Some(Self {
            server_name: names.dane.first().map(String::as_str).or(wanted).map(str::to_owned),
            versions: Versions { tls12: policy.versions.tls12 && !raw, ..policy.versions },
            suites: policy.suites.clone(),
            groups: policy.groups.clone(),
            sha1: level <= Level::Encrypt,
            certificates: if raw {
                ServerCertificates::RawPublicKey
            } else {
                ServerCertificates::X509
            },
            keys: policy.keys,
            identity: policy.identity.clone(),
        })
    }

    /// Tells whether this is what another policy would have offered. A verdict for that is exact
    /// then, although the server was asked for this one.
    pub fn is_of(&self, policy: &Policy, level: Level, names: &ReferenceNames) -> bool {
        Self::of(policy, level, names).as_ref() == Some(self)
    }
}

/// What the caller's wishes amount to if it did not matter what exists here: what a scout asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WiderOffer {
    /// Protocol versions, the oldest first.
    pub versions: Vec<Protocol>,
    /// Cipher suites below TLS 1.3 by IANA number, in order of preference.
    pub suites: Vec<u16>,
    /// Key exchange groups by IANA number, in order of preference.
    pub groups: Vec<u16>,
}

impl WiderOffer {
    /// Makes the question of a scout; `None` if it would ask for nothing that is not spoken here.
    ///
    /// Servers below TLS 1.3 show more of themselves, so that is asked for only if nothing else is
    /// wanted. Suites that need a secret shared before are left out.
    pub fn question(&self, server_name: Option<String>) -> Option<ScoutHello> {
        let older: Vec<_> =
            self.versions.iter().copied().filter(|it| *it < Protocol::TLS13).collect();
        let unspoken = |suite: &&u16| Suite::by_number(**suite).is_some_and(|it| !it.is_spoken());
        let mut suites = self.suites.clone();
        suites.retain(|suite| Suite::by_number(*suite).is_some_and(Suite::needs_no_secret));
        let versions = if older.is_empty() { self.versions.clone() } else { older };
        let highest = *versions.iter().max()?;
        let is_wider = if highest == Protocol::TLS13 {
            suites = vec![0x1302, 0x1303, 0x1301, 0x1304, 0x1305];
            true
        } else {
            suites.retain(|suite| Suite::by_number(*suite).is_some_and(|it| it.exists_in(highest)));
            highest < Protocol::TLS12
                || versions.len() > 1
                || suites.iter().any(|suite| unspoken(&suite))
        };
        if suites.is_empty() || !is_wider {
            return None;
        }
        // Renegotiation is never done, so the signalling value says that it would be safe (RFC 5746).
        suites.push(0x00ff);
        Some(ScoutHello {
            versions,
            suites,
            groups: self.groups.clone(),
            schemes: scout::all_schemes(),
            server_name,
            ..ScoutHello::default()
        })
    }
}

impl WiderOffer {
    /// Makes the question whether a server that agreed to TLS 1.2 shows no certificate to those who
    /// do without; `None` if anonymous suites are not wanted.
    ///
    /// All that is wanted below TLS 1.3 is asked for: a server that only might be anonymous is not.
    pub fn question_of_anonymity(&self, server_name: Option<String>) -> Option<ScoutHello> {
        let question = self.question(server_name)?;
        let is_anonymous = |suite: &u16| {
            Suite::by_number(*suite).is_some_and(|it| it.authentication == Authentication::None)
        };
        let fits =
            question.highest() == Protocol::TLS12 && question.suites.iter().any(is_anonymous);
        fits.then_some(question)
    }

    /// Makes the question that follows if a server refused another one for want of something: for all
    /// suites and groups that exist. Versions stay as they were wished for, and anonymous suites are
    /// asked for only if some were.
    pub fn beyond(&self, asked: &ScoutHello) -> Option<ScoutHello> {
        let highest = asked.highest();
        if highest == Protocol::TLS13 {
            return None;
        }
        let anonymous = |suite: &Suite| suite.authentication == Authentication::None;
        let may_be = self.suites.iter().filter_map(|it| Suite::by_number(*it)).any(anonymous);
        let all = OPENSSL.iter().chain(OTHERS).filter(|suite| {
            suite.needs_no_secret() && suite.exists_in(highest) && (may_be || !anonymous(suite))
        });
        let mut all: Vec<_> = all.collect();
        all.sort_by_key(|suite| Reverse(suite.bits));
        let suites = all.iter().map(|suite| suite.number).chain([0x00ff]).collect();
        Some(ScoutHello { suites, groups: scout::all_groups(), ..asked.clone() })
    }

    /// Makes the question that follows if a server refused all versions of another one: TLS 1.3.
    pub fn above(&self, asked: &ScoutHello) -> Option<ScoutHello> {
        let only = Protocol::TLS13;
        if asked.highest() == only || !self.versions.contains(&only) {
            return None;
        }
        Self { versions: vec![only], ..self.clone() }.question(asked.server_name.clone())
    }
}

/// The protocol versions offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Versions {
    /// TLS 1.2 (RFC 5246).
    pub tls12: bool,
    /// TLS 1.3 (RFC 8446).
    pub tls13: bool,
}

impl Versions {
    /// Tells whether `version` is among them.
    pub const fn contains(self, version: TlsVersion) -> bool {
        match version {
            TlsVersion::Tls12 => self.tls12,
            TlsVersion::Tls13 => self.tls13,
        }
    }
}

/// Key exchange groups in order of preference.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Groups(pub Vec<Group>);

impl Default for Groups {
    /// All of them.
    fn default() -> Self {
        Self(Group::ALL.to_vec())
    }
}

/// The kind of server certificate asked for (RFC 7250).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerCertificates {
    /// X.509 certificates.
    #[default]
    X509,
    /// Raw public keys; TLS 1.3 only.
    RawPublicKey,
}

/// A kind of server keys, of which servers may have one each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ServerKeys {
    /// RSA.
    Rsa,
    /// ECDSA and EdDSA.
    Ecdsa,
}

impl ServerKeys {
    /// Tells the other kind.
    pub const fn other(self) -> Self {
        match self {
            Self::Rsa => Self::Ecdsa,
            Self::Ecdsa => Self::Rsa,
        }
    }

    /// Tells which of them a server showed in a certificate.
    pub fn shown_by(facts: &TlsFacts) -> Option<Self> {
        let own = facts.certificate()?;
        Self::of(&Certificate::parse(own.clone()).ok()?.public_key().kind)
    }

    /// Tells which of them a key is of.
    pub const fn of(key: &KeyKind) -> Option<Self> {
        match key {
            KeyKind::Rsa { .. } | KeyKind::RsaPss { .. } => Some(Self::Rsa),
            KeyKind::Ec(_) | KeyKind::Ed25519 | KeyKind::Ed448 => Some(Self::Ecdsa),
            KeyKind::Dsa { .. } | KeyKind::Other(_) => None,
        }
    }
}

/// Why nothing can be offered, whatever the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OfferFlaw {
    /// The protocol list, which stands here, names something that nobody knows.
    Protocols(String),
    /// No cipher grade has this name.
    Grade(String),
    /// The cipher list of this grade is malformed or selects nothing.
    Ciphers(String),
    /// No protocol version is left of those that exist here.
    NoVersion,
    /// No cipher suite is left of those that exist here, for the versions that are left.
    NoSuite,
    /// No key exchange group is left of those that exist here.
    NoGroup,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            server_name: None,
            versions: Versions { tls12: true, tls13: true },
            suites: None,
            groups: Groups::default(),
            sha1: false,
            certificates: ServerCertificates::X509,
            keys: None,
            identity: Identity::default(),
        }
    }
}
