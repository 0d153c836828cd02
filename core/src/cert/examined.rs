//! A certificate with all that a path builder asks, decoded once.

use super::certificate::{Certificate, Version};
use super::extensions::{AuthorityKeyId, BasicConstraints, Extensions, KeyUsage};
use super::key::{KeyKind, PublicKey};
use super::name::CanonicalName;
use super::signature::SignatureAlgorithm;
use super::time::{Seconds, Validity};

/// A certificate and what was decoded of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Examined {
    certificate: Certificate,
    extensions: Extensions,
    subject: CanonicalName,
    issuer: CanonicalName,
    validity: Validity,
    key: KeyKind,
    algorithm: SignatureAlgorithm,
    self_signed: bool,
}

impl Examined {
    /// Decodes a certificate.
    pub fn new(certificate: Certificate) -> Self {
        let mut this = Self {
            extensions: Extensions::decode(&certificate),
            subject: certificate.subject().canonical(),
            issuer: certificate.issuer().canonical(),
            validity: certificate.validity(),
            key: certificate.public_key().kind,
            algorithm: certificate.signature_algorithm(),
            self_signed: false,
            certificate,
        };
        this.self_signed =
            this.is_self_issued() && !this.extensions.broken() && this.fits_as_issuer_of(&this);
        this
    }

    /// Tells the certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Tells its extensions.
    pub const fn extensions(&self) -> &Extensions {
        &self.extensions
    }

    /// Tells its subject as names are compared.
    pub const fn subject(&self) -> &CanonicalName {
        &self.subject
    }

    /// Tells its issuer as names are compared.
    pub const fn issuer(&self) -> &CanonicalName {
        &self.issuer
    }

    /// Tells its validity period.
    pub const fn validity(&self) -> Validity {
        self.validity
    }

    /// Tells what kind of key it has.
    pub const fn key(&self) -> &KeyKind {
        &self.key
    }

    /// Tells the algorithm of the issuer's signature.
    pub const fn algorithm(&self) -> &SignatureAlgorithm {
        &self.algorithm
    }

    /// Tells whether subject and issuer are the same.
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }

    /// Tells whether it looks signed by its own key. As in OpenSSL the signature is not verified:
    /// it would add nothing to a certificate that is trusted or not for other reasons.
    pub const fn is_self_signed(&self) -> bool {
        self.self_signed
    }

    /// Tells whether it stands for a root of which only name, key and constraints are known: it has
    /// no signature then.
    pub fn is_bare(&self) -> bool {
        self.certificate.signature().is_empty()
    }

    /// Tells whether it is the same certificate, or stands for it.
    pub fn stands_for(&self, other: &Self) -> bool {
        let (ours, theirs) = (&self.certificate, &other.certificate);
        let same_key = || self.subject == other.subject && ours.spki() == theirs.spki();
        ours.der() == theirs.der() || self.is_bare() && same_key()
    }

    /// Tells whether it looks like the issuer of `subject`: by name, key identifier and kind of
    /// key. No signature is verified.
    pub fn looks_like_issuer_of(&self, subject: &Self) -> bool {
        self.subject == subject.issuer
            && !self.extensions.broken()
            && !subject.extensions.broken()
            && self.fits_as_issuer_of(subject)
    }

    /// Tells whether now lies in its validity period, whose end does not count as in OpenSSL.
    pub fn is_valid_at(&self, now: Seconds) -> bool {
        self.validity.not_before.is_some_and(|first| first <= now)
            && self.validity.not_after.is_some_and(|last| last > now)
    }

    fn fits_as_issuer_of(&self, subject: &Self) -> bool {
        let identified = match &subject.extensions.authority_key_id {
            Some(Ok(authority)) => self.is_identified_by(authority),
            Some(Err(_)) | None => true,
        };
        identified && subject.algorithm.fits(&self.key)
    }

    fn is_identified_by(&self, authority: &AuthorityKeyId) -> bool {
        if self.is_bare() {
            return true;
        }
        let key_id = match (&authority.key_id, &self.extensions.subject_key_id) {
            (Some(wanted), Some(Ok(found))) => wanted == found,
            _ => true,
        };
        key_id
            && authority.serial.as_ref().is_none_or(|serial| serial == self.certificate.serial())
            && authority.issuer.as_ref().is_none_or(|issuer| issuer.canonical() == self.issuer)
    }

    /// Tells its basic constraints, if it has any.
    pub fn basic_constraints(&self) -> Option<BasicConstraints> {
        self.extensions.basic_constraints.as_ref()?.as_ref().ok().copied()
    }

    /// Tells whether its key usage, if it says any, allows one of `wanted`.
    pub fn usage_allows(&self, wanted: KeyUsage) -> bool {
        match &self.extensions.key_usage {
            Some(Ok(usage)) => usage.allows(wanted),
            Some(Err(_)) | None => true,
        }
    }

    /// Tells whether its extended key usage, if it says any, allows TLS servers.
    pub fn extended_usage_allows_server(&self) -> bool {
        match &self.extensions.extended_key_usage {
            Some(Ok(usage)) => usage.allows_server(),
            Some(Err(_)) | None => true,
        }
    }

    /// Tells how much it looks like a CA's certificate.
    pub fn authority(&self) -> Authority {
        /// Bits for SSL CA, S/MIME CA and object signing CA.
        const NETSCAPE_CA: u8 = 0x07;
        const NETSCAPE_SSL_CA: u8 = 0x04;
        if self.extensions.broken() || !self.usage_allows(KeyUsage::SIGN_CERTIFICATES) {
            return Authority::No;
        }
        match (self.basic_constraints(), &self.extensions.netscape_type) {
            (Some(BasicConstraints { ca: true, .. }), _) => Authority::Yes,
            (Some(BasicConstraints { ca: false, .. }), _) => Authority::No,
            (None, _) if self.certificate.version() == Version(1) && self.self_signed => {
                Authority::Maybe
            }
            (None, _) if self.extensions.key_usage.is_some() => Authority::Maybe,
            (None, Some(Ok(bits))) if bits & NETSCAPE_SSL_CA != 0 => Authority::Maybe,
            (None, Some(Ok(bits))) if bits & NETSCAPE_CA != 0 => Authority::MaybeNotTls,
            (None, _) => Authority::No,
        }
    }

    /// Tells the public key.
    pub fn public_key(&self) -> PublicKey<'_> {
        self.certificate.public_key()
    }
}

/// How much a certificate looks like a CA's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// It says that it is none, or says nothing.
    No,
    /// It says so by basic constraints.
    Yes,
    /// It says nothing against it: a self-signed certificate of version 1, or one with the key
    /// usage or Netscape's type of a CA.
    Maybe,
    /// It has Netscape's type of a CA, but not for TLS.
    MaybeNotTls,
}
