//! Key exchange groups whose secrets come from the connection's own generator.

use aws_lc_rs::agreement::{self, Algorithm, PrivateKey, UnparsedPublicKey, agree};
use rustls::crypto::{ActiveKeyExchange, SharedSecret, SupportedKxGroup};
use rustls::ffdhe_groups::FfdheGroup;
use rustls::{Error, NamedGroup, PeerMisbehaved};

use crate::report::Group;

use super::hybrid::Hybrid;
use super::loan;

/// Finds the implementation of a group.
///
/// The ML-KEM half of X25519MLKEM768 is the library's, whose secrets come from the system, unless
/// the run is to be `repeatable`.
pub(super) fn implementation(group: Group, repeatable: bool) -> &'static dyn SupportedKxGroup {
    match group {
        Group::X25519MlKem768 if repeatable => &Hybrid::Seeded,
        Group::X25519MlKem768 => &Hybrid::Library,
        Group::X25519 => &X25519,
        Group::Secp256r1 => &SECP256R1,
        Group::Secp384r1 => &SECP384R1,
        Group::Secp521r1 => &SECP521R1,
    }
}

/// Finds our name of one of rustls's groups.
pub(super) fn by_name(name: NamedGroup) -> Option<Group> {
    Group::ALL.into_iter().find(|group| implementation(*group, false).name() == name)
}

pub(super) static X25519: EcGroup =
    EcGroup { name: NamedGroup::X25519, algorithm: &agreement::X25519, secret: 32, mask: 0xff };
static SECP256R1: EcGroup = EcGroup {
    name: NamedGroup::secp256r1,
    algorithm: &agreement::ECDH_P256,
    secret: 32,
    mask: 0xff,
};
static SECP384R1: EcGroup = EcGroup {
    name: NamedGroup::secp384r1,
    algorithm: &agreement::ECDH_P384,
    secret: 48,
    mask: 0xff,
};
static SECP521R1: EcGroup = EcGroup {
    name: NamedGroup::secp521r1,
    algorithm: &agreement::ECDH_P521,
    secret: 66,
    mask: 0x01,
};

/// An elliptic-curve group.
#[derive(Debug)]
pub(super) struct EcGroup {
    name: NamedGroup,
    algorithm: &'static Algorithm,
    /// Octets of a secret.
    secret: usize,
    /// The bits of a secret's first octet that the group's order leaves.
    mask: u8,
}

impl EcGroup {
    /// Draws secrets until one is in the group's range: nearly always the first.
    fn draw(&self) -> Option<PrivateKey> {
        const ATTEMPTS: usize = 64;
        let mut secret = [0; 66];
        (0..ATTEMPTS).find_map(|_| {
            let secret = secret.get_mut(..self.secret)?;
            loan::borrow(|loan| loan.fill(secret))?;
            *secret.first_mut()? &= self.mask;
            PrivateKey::from_private_key(self.algorithm, secret).ok()
        })
    }
}

impl SupportedKxGroup for EcGroup {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let secret = self.draw().ok_or(Error::FailedToGetRandomBytes)?;
        let public = secret.compute_public_key().map_err(|_| Error::FailedToGetRandomBytes)?;
        let EcGroup { name, algorithm, .. } = *self;
        let public = public.as_ref().into();
        Ok(Box::new(EcExchange { name, algorithm, secret, public }))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn name(&self) -> NamedGroup {
        self.name
    }
}

/// A key exchange under way.
struct EcExchange {
    name: NamedGroup,
    algorithm: &'static Algorithm,
    secret: PrivateKey,
    public: Box<[u8]>,
}

impl ActiveKeyExchange for EcExchange {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        // Only uncompressed points are legal (RFC 8446 section 4.2.8.2, RFC 8422 section 5.4).
        if self.name != NamedGroup::X25519 && peer.first() != Some(&4) {
            return Err(PeerMisbehaved::InvalidKeyShare.into());
        }
        let peer = UnparsedPublicKey::new(self.algorithm, peer);
        let failed = Error::from(PeerMisbehaved::InvalidKeyShare);
        agree(&self.secret, peer, failed, |secret| Ok(SharedSecret::from(secret)))
    }

    fn ffdhe_group(&self) -> Option<FfdheGroup<'static>> {
        None
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        self.name
    }
}
