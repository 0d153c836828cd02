//! Signs the answers of [`Zones`](crate::zones::Zones) one by one, as online signers do.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA512, RsaKeyPair,
};
use domain::base::iana::Rtype;
use domain::base::{Name, ToName};

/// The key of a zone, which signs everything in it.
#[derive(Clone)]
pub struct Signer {
    zone: Name<Vec<u8>>,
    algorithm: u8,
    key: Arc<Key>,
}

enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// When signatures are valid, in seconds since 1970.
#[derive(Clone, Copy, Debug)]
pub struct Validity {
    /// Since when.
    pub inception: u32,
    /// Until when.
    pub expiration: u32,
}

impl Default for Validity {
    /// From 2020 to 2040.
    fn default() -> Self {
        Self { inception: 1_577_836_800, expiration: 2_208_988_800 }
    }
}

impl Signer {
    /// Makes a new key of an algorithm (by IANA's number) for a zone. RSA has 2048 bits.
    ///
    /// # Panics
    /// If there is no such algorithm.
    pub fn new(zone: Name<Vec<u8>>, algorithm: u8) -> Self {
        let key = match algorithm {
            8 | 10 => Key::Rsa(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()),
            13 => Key::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()),
            14 => Key::Ecdsa(EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).unwrap()),
            15 => Key::Ed25519(Ed25519KeyPair::generate().unwrap()),
            other => panic!("no key of algorithm {other}"),
        };
        Self { zone, algorithm, key: Arc::new(key) }
    }

    /// The zone's name.
    pub fn zone(&self) -> &Name<Vec<u8>> {
        &self.zone
    }

    /// The data of its DNSKEY record (RFC 4034 section 2).
    pub fn dnskey(&self) -> Vec<u8> {
        let public = match &*self.key {
            Key::Rsa(key) => {
                let public: aws_lc_rs::encoding::PublicKeyX509Der<'_> =
                    aws_lc_rs::encoding::AsDer::as_der(key.public_key()).unwrap();
                rsa_key(public.as_ref())
            }
            // Without the octet that says that the point is not compressed.
            Key::Ecdsa(key) => key.public_key().as_ref()[1..].to_vec(),
            Key::Ed25519(key) => key.public_key().as_ref().to_vec(),
        };
        [&[1, 1, 3, self.algorithm][..], &public].concat()
    }

    /// The data of the DS record that names it (RFC 4034 section 5).
    pub fn ds(&self) -> Vec<u8> {
        let key = self.dnskey();
        let owner: Name<Vec<u8>> = self.zone.to_canonical_name();
        let digest = digest(&SHA256, &[owner.as_slice(), &key].concat());
        let tag = key_tag(&key).to_be_bytes();
        [&tag[..], &[self.algorithm, 2], digest.as_ref()].concat()
    }

    /// The data of an RRSIG record over records of one owner and type, whose names are in lower
    /// case and not compressed (RFC 4034 section 3).
    pub fn rrsig(
        &self,
        owner: &Name<Vec<u8>>,
        rtype: Rtype,
        ttl: u32,
        data: &[Vec<u8>],
        validity: Validity,
    ) -> Vec<u8> {
        let owner: Name<Vec<u8>> = owner.to_canonical_name();
        let mut head = rtype.to_int().to_be_bytes().to_vec();
        head.extend([self.algorithm, owner.rrsig_label_count()]);
        head.extend(ttl.to_be_bytes());
        head.extend(validity.expiration.to_be_bytes());
        head.extend(validity.inception.to_be_bytes());
        head.extend(key_tag(&self.dnskey()).to_be_bytes());
        head.extend(self.zone.to_canonical_name::<Vec<u8>>().as_slice());
        let mut message = head.clone();
        let mut data: Vec<_> = data.iter().collect();
        data.sort();
        data.dedup();
        for data in data {
            message.extend(owner.as_slice());
            message.extend(rtype.to_int().to_be_bytes());
            message.extend(1_u16.to_be_bytes());
            message.extend(ttl.to_be_bytes());
            message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
            message.extend(data);
        }
        head.extend(self.sign(&message));
        head
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &*self.key {
            Key::Rsa(key) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let padding =
                    if self.algorithm == 10 { &RSA_PKCS1_SHA512 } else { &RSA_PKCS1_SHA256 };
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Key::Ecdsa(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Key::Ed25519(key) => key.sign(message).as_ref().to_vec(),
        }
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Signer").field(&self.zone).field(&self.algorithm).finish()
    }
}

/// The key tag of the data of a DNSKEY record (RFC 4034 appendix B).
pub fn key_tag(key: &[u8]) -> u16 {
    let words = key
        .chunks(2)
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| (*low).into()));
    let sum: u32 = words.sum();
    u16::try_from((sum + (sum >> 16)) & 0xffff).unwrap()
}

/// Turns a SubjectPublicKeyInfo with an RSA key into the form of RFC 3110.
fn rsa_key(spki: &[u8]) -> Vec<u8> {
    // The key is at its end: two integers, the modulus and 65537, whose form never changes for a
    // modulus of 2048 bits.
    let [.., 2, 3, 1, 0, 1] = spki else { panic!("another exponent") };
    let modulus = &spki[spki.len() - 5 - 256..spki.len() - 5];
    [&[3, 1, 0, 1][..], modulus].concat()
}
