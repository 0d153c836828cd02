//! X25519MLKEM768 whose secrets come from the connection's own generator, for runs that repeat.

use ml_kem::kem::Decapsulate as _;
use ml_kem::ml_kem_768::DecapsulationKey;
use ml_kem::{KeyExport as _, Seed};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved, ProtocolVersion};

use super::groups::X25519;
use super::loan;

/// Octets of an ML-KEM-768 ciphertext (FIPS 203 section 8).
const CIPHERTEXT: usize = 1088;

/// The group (draft-ietf-tls-ecdhe-mlkem section 4): ML-KEM-768 stands before X25519 in shares and
/// in the secret.
#[derive(Debug)]
pub(super) struct SeededHybrid;

impl SupportedKxGroup for SeededHybrid {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let classical = X25519.start()?;
        let mut seed = Seed::default();
        loan::borrow(|loan| loan.random.fill(&mut seed)).ok_or(Error::FailedToGetRandomBytes)?;
        let post_quantum = DecapsulationKey::from_seed(seed);
        let mut share = post_quantum.encapsulation_key().to_bytes().to_vec();
        share.extend_from_slice(classical.pub_key());
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

/// A key exchange under way.
struct HybridExchange {
    classical: Box<dyn ActiveKeyExchange>,
    post_quantum: DecapsulationKey,
    share: Vec<u8>,
}

impl ActiveKeyExchange for HybridExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let invalid = || Error::from(PeerMisbehaved::InvalidKeyShare);
        let (ciphertext, point) = peer.split_at_checked(CIPHERTEXT).ok_or_else(invalid)?;
        let ciphertext = ciphertext.try_into().map_err(|_| invalid())?;
        let mut secret = self.post_quantum.decapsulate(ciphertext).to_vec();
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
