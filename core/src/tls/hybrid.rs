//! X25519MLKEM768, small while it waits for the server, and from the connection's own generator in
//! runs that repeat.

use std::ops::Range;

use aws_lc_rs::kem::{self, ML_KEM_768};
use ml_kem::kem::Decapsulate as _;
use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::{KeyExport as _, Seed};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

use super::groups::X25519;
use super::loan;

/// Octets of an ML-KEM-768 encapsulation key (FIPS 203 section 8).
const PUBLIC: usize = 1184;

/// Octets of an ML-KEM-768 ciphertext.
const CIPHERTEXT: usize = 1088;

/// Where a decapsulation key holds the encapsulation key (FIPS 203 section 7.1).
const PUBLIC_IN_SECRET: Range<usize> = 1152..1152 + PUBLIC;

/// The group (draft-ietf-tls-ecdhe-mlkem section 4): ML-KEM-768 stands before X25519 in shares and
/// in the secret.
#[derive(Debug)]
pub(super) enum Hybrid {
    /// ML-KEM by the library, whose secrets come from the system.
    Library,
    /// All secrets come from the connection's own generator.
    Seeded,
}

impl SupportedKxGroup for Hybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = X25519.start()?;
        let mut share = Vec::with_capacity(PUBLIC + classical.pub_key().len());
        let post_quantum = match self {
            Self::Library => PostQuantum::generate(&mut share),
            Self::Seeded => PostQuantum::draw(&mut share),
        };
        share.extend_from_slice(classical.pub_key());
        let post_quantum = post_quantum.ok_or(Error::FailedToGetRandomBytes)?;
        Ok(Box::new(HybridExchange { classical, post_quantum, share }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }

    fn usable_for_version(&self, version: ProtocolVersion) -> bool {
        version == ProtocolVersion::TLSv1_3
    }
}

/// The key that takes the ML-KEM half of the server's share.
enum PostQuantum {
    /// The library's as octets, which are fewer than its own form takes: thousands of connections
    /// wait at once.
    Packed(kem::DecapsulationKeyBytes<'static>),
    Seeded(Box<DecapsulationKey>),
}

impl PostQuantum {
    /// Makes a key, and puts what the server needs into the share.
    fn generate(share: &mut Vec<u8>) -> Option<Self> {
        let key = kem::DecapsulationKey::generate(&ML_KEM_768).ok()?;
        let secret = key.key_bytes().ok()?;
        share.extend_from_slice(secret.as_ref().get(PUBLIC_IN_SECRET)?);
        Some(Self::Packed(secret))
    }

    fn draw(share: &mut Vec<u8>) -> Option<Self> {
        let mut seed = Seed::default();
        loan::borrow(|loan| loan.fill(&mut seed))?;
        let key = DecapsulationKey::from_seed(seed);
        share.extend_from_slice(&key.encapsulation_key().to_bytes());
        Some(Self::Seeded(Box::new(key)))
    }

    fn decapsulate(&self, ciphertext: &[u8]) -> Option<Vec<u8>> {
        match self {
            Self::Packed(secret) => {
                let key = kem::DecapsulationKey::new(&ML_KEM_768, secret.as_ref()).ok()?;
                Some(key.decapsulate(ciphertext.into()).ok()?.as_ref().to_vec())
            }
            Self::Seeded(key) => Some(key.decapsulate(ciphertext.try_into().ok()?).to_vec()),
        }
    }
}

/// A key exchange under way.
struct HybridExchange {
    classical: Box<dyn ActiveKeyExchange>,
    post_quantum: PostQuantum,
    share: Vec<u8>,
}

impl ActiveKeyExchange for HybridExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = || Error::from(PeerMisbehaved::InvalidKeyShare);
        let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT).ok_or_else(invalid)?;
        let secret = self.post_quantum.decapsulate(ciphertext);
        let mut secret = secret.ok_or_else(invalid)?;
        secret.extend_from_slice(self.classical.complete(point)?.secret_bytes());
        Ok(SharedSecret::from(secret))
    }

    /// Offers the X25519 half by itself as well, as the library's own group does.
    fn hybrid_component(&self) -> Option<(NamedGroup, &[u8])> {
        Some((self.classical.group(), self.classical.pub_key()))
    }

    fn complete_hybrid_component(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        self.classical.complete(peer)
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.share
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519MLKEM768
    }
}
