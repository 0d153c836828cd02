//! A certificate cut into raw slices, however strange it is.

use std::collections::BTreeSet;
use std::fmt;

use bytes::Bytes;
use const_oid::ObjectIdentifier;

use super::der::{DerError, Reader, bits, tag};
use super::key::PublicKey;
use super::name::Name;
use super::signature::SignatureAlgorithm;
use super::time::Validity;

/// An X.509 certificate (RFC 5280 section 4.1) as slices of the bytes that were sent.
///
/// Only the outer structure must be there. Everything inside is decoded when asked for, each part
/// alone, so that one broken field never hides another.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Certificate {
    der: Bytes,
    tbs: Bytes,
    version: Version,
    serial: Bytes,
    inner_algorithm: Bytes,
    issuer: Name,
    validity: Bytes,
    subject: Name,
    spki: Bytes,
    extensions: Vec<Extension>,
    algorithm: Bytes,
    signature: Bytes,
    oddities: Vec<Oddity>,
}

impl Certificate {
    /// Cuts the DER of a certificate into its parts, without copying.
    ///
    /// # Errors
    /// The part of the outer structure that is missing or reaches beyond its container.
    pub fn parse(der: Bytes) -> Result<Self, CertificateError> {
        let slice = |part: &[u8]| der.slice_ref(part);
        let parts = Parts::cut(&der)?;
        Ok(Self {
            tbs: slice(parts.tbs),
            version: parts.version,
            serial: slice(parts.serial),
            inner_algorithm: slice(parts.inner_algorithm),
            issuer: Name::new(slice(parts.issuer)),
            validity: slice(parts.validity),
            subject: Name::new(slice(parts.subject)),
            spki: slice(parts.spki),
            extensions: parts.extensions.iter().map(|raw| raw.map(&slice)).collect(),
            algorithm: slice(parts.algorithm),
            signature: slice(parts.signature),
            oddities: parts.oddities,
            der,
        })
    }

    /// Finds the SubjectPublicKeyInfo of a certificate without keeping the rest.
    ///
    /// # Errors
    /// Those of [`parse`](Self::parse).
    pub(crate) fn find_spki(der: &[u8]) -> Result<&[u8], CertificateError> {
        Parts::cut(der).map(|parts| parts.spki)
    }

    /// Tells the whole certificate as it was given.
    pub const fn der(&self) -> &Bytes {
        &self.der
    }

    /// Tells the bytes that are signed.
    pub const fn tbs(&self) -> &Bytes {
        &self.tbs
    }

    /// Tells the version.
    pub const fn version(&self) -> Version {
        self.version
    }

    /// Tells the contents of the serial number's INTEGER; it may be negative or long.
    pub const fn serial(&self) -> &Bytes {
        &self.serial
    }

    /// Tells whose key signed it, if the certificate is right.
    pub const fn issuer(&self) -> &Name {
        &self.issuer
    }

    /// Tells whose key it certifies.
    pub const fn subject(&self) -> &Name {
        &self.subject
    }

    /// Tells the SubjectPublicKeyInfo.
    pub const fn spki(&self) -> &Bytes {
        &self.spki
    }

    /// Decodes the public key.
    pub fn public_key(&self) -> PublicKey<'_> {
        PublicKey::parse(&self.spki)
    }

    /// Decodes the validity period.
    pub fn validity(&self) -> Validity {
        Validity::parse(&self.validity)
    }

    /// Decodes the algorithm of the issuer's signature.
    pub fn signature_algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::parse(&self.algorithm)
    }

    /// Tells whether the algorithm inside the signed part is the one outside (RFC 5280 section
    /// 4.1.1.2).
    pub fn algorithms_agree(&self) -> bool {
        self.inner_algorithm == self.algorithm
    }

    /// Tells the bits of the issuer's signature.
    pub const fn signature(&self) -> &Bytes {
        &self.signature
    }

    /// Tells the extensions in order, broken and repeated ones included.
    pub fn extensions(&self) -> &[Extension] {
        &self.extensions
    }

    /// Finds an extension; of a repeated one, the first.
    pub fn extension(&self, oid: ObjectIdentifier) -> Option<&Extension> {
        self.extensions.iter().find(|extension| extension.is(oid))
    }

    /// Tells what is against the rules and was let through.
    pub fn oddities(&self) -> &[Oddity] {
        &self.oddities
    }
}

/// What a certificate is made of, borrowed.
struct Parts<'a> {
    tbs: &'a [u8],
    version: Version,
    serial: &'a [u8],
    inner_algorithm: &'a [u8],
    issuer: &'a [u8],
    validity: &'a [u8],
    subject: &'a [u8],
    spki: &'a [u8],
    extensions: Vec<Extension<&'a [u8]>>,
    algorithm: &'a [u8],
    signature: &'a [u8],
    oddities: Vec<Oddity>,
}

impl<'a> Parts<'a> {
    fn cut(der: &'a [u8]) -> Result<Self, CertificateError> {
        let at = |part| move |error| CertificateError { part, error };
        let mut oddities = Vec::new();

        let mut outer = Reader::new(der);
        let certificate = outer.expect(tag::SEQUENCE).map_err(at(Part::Certificate))?;
        if !outer.is_empty() {
            oddities.push(Oddity::TrailingData);
        }
        let mut fields = Reader::new(certificate.value);
        let tbs = fields.expect(tag::SEQUENCE).map_err(at(Part::Tbs))?;
        let algorithm = fields.expect(tag::SEQUENCE).map_err(at(Part::SignatureAlgorithm))?.whole;
        let signature = fields.expect(tag::BIT_STRING).map_err(at(Part::Signature))?.value;
        if !fields.is_empty() {
            oddities.push(Oddity::TrailingData);
        }

        let mut fields = Reader::new(tbs.value);
        let version = match fields.optional(tag::constructed(0)).map_err(at(Part::Version))? {
            None => Version(1),
            Some(version) => Version::from_explicit(version.value),
        };
        let serial = fields.expect(tag::INTEGER).map_err(at(Part::Serial))?.value;
        if matches!(serial, [0x80..=0xff, ..]) || serial.len() > 20 || serial.is_empty() {
            oddities.push(Oddity::Serial);
        }
        let inner_algorithm = fields.expect(tag::SEQUENCE).map_err(at(Part::InnerAlgorithm))?.whole;
        if inner_algorithm != algorithm {
            oddities.push(Oddity::AlgorithmMismatch);
        }
        let issuer = fields.expect(tag::SEQUENCE).map_err(at(Part::Issuer))?.whole;
        let validity = fields.expect(tag::SEQUENCE).map_err(at(Part::Validity))?.value;
        let subject = fields.expect(tag::SEQUENCE).map_err(at(Part::Subject))?.whole;
        let spki = fields.expect(tag::SEQUENCE).map_err(at(Part::PublicKey))?.whole;

        let mut extensions = Vec::new();
        for field in fields.by_ref() {
            // [1] and [2] are the unique identifiers of version 2, which nobody uses.
            if field.tag == tag::constructed(3) {
                extensions =
                    Extension::list(field.value, &mut oddities).map_err(at(Part::Extensions))?;
            }
        }
        if !extensions.is_empty() && version != Version(3) {
            oddities.push(Oddity::ExtensionsBeforeV3);
        }
        Ok(Self {
            tbs: tbs.whole,
            version,
            serial,
            inner_algorithm,
            issuer,
            validity,
            subject,
            spki,
            extensions,
            algorithm,
            signature: bits(signature).unwrap_or_default(),
            oddities,
        })
    }
}

/// Shows the subject; the rest is too long for people.
impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Certificate({})", self.subject)
    }
}

/// The version people speak of: the number in the certificate plus one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u8);

impl Version {
    /// Reads the explicitly tagged INTEGER; anything odd counts as version 3.
    fn from_explicit(contents: &[u8]) -> Self {
        match Reader::enter(contents, tag::INTEGER).map(|integer| integer.rest()) {
            Ok([number @ 0..=1]) => Self(number + 1),
            _ => Self(3),
        }
    }
}

/// An extension (RFC 5280 section 4.2), undecoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Extension<B = Bytes> {
    /// The contents of its OBJECT IDENTIFIER.
    pub oid: B,
    /// Who does not understand it must reject the certificate.
    pub critical: bool,
    /// The contents of its OCTET STRING.
    pub value: B,
}

impl Extension {
    /// Tells whether this is the extension named by `oid`.
    pub fn is(&self, oid: ObjectIdentifier) -> bool {
        &self.oid[..] == oid.as_bytes()
    }
}

impl<'a> Extension<&'a [u8]> {
    fn list(contents: &'a [u8], oddities: &mut Vec<Oddity>) -> Result<Vec<Self>, DerError> {
        let mut list = Vec::new();
        let mut seen = BTreeSet::new();
        let mut reader = Reader::enter(contents, tag::SEQUENCE)?;
        while !reader.is_empty() {
            let mut fields = Reader::new(reader.expect(tag::SEQUENCE)?.value);
            let oid = fields.expect(tag::OID)?.value;
            if !seen.insert(oid) {
                oddities.push(Oddity::RepeatedExtension);
            }
            // Any octet but zero means true in BER (X.690 section 8.2.2); DER wants 0xff.
            let critical = match fields.optional(tag::BOOLEAN)?.map(|tlv| tlv.value) {
                None | Some([0]) => false,
                Some(boolean) => {
                    if boolean != [0xff] {
                        oddities.push(Oddity::BerBoolean);
                    }
                    true
                }
            };
            list.push(Self { oid, critical, value: fields.expect(tag::OCTET_STRING)?.value });
        }
        Ok(list)
    }

    fn map(&self, slice: &impl Fn(&[u8]) -> Bytes) -> Extension {
        Extension { oid: slice(self.oid), critical: self.critical, value: slice(self.value) }
    }
}

/// Something against the rules that was let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Oddity {
    /// Bytes behind the certificate or behind its signature.
    TrailingData,
    /// The serial number is negative, empty or longer than 20 octets (RFC 5280 section 4.1.2.2).
    Serial,
    /// The signature algorithms inside and outside of the signed part differ.
    AlgorithmMismatch,
    /// A boolean that is neither 0x00 nor 0xff.
    BerBoolean,
    /// The same extension twice.
    RepeatedExtension,
    /// Extensions in a certificate of version 1 or 2.
    ExtensionsBeforeV3,
}

/// Why bytes are not a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CertificateError {
    /// Where.
    pub part: Part,
    /// What.
    pub error: DerError,
}

impl fmt::Display for CertificateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.part, self.error)
    }
}

impl std::error::Error for CertificateError {}

macro_rules! parts {
    ($($(#[doc = $doc:literal])+ $part:ident = $name:literal,)*) => {
        /// A part of a certificate's outer structure, in order.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Part {
            $($(#[doc = $doc])+ $part,)*
        }

        impl fmt::Display for Part {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$part => $name,)*
                })
            }
        }
    };
}

parts! {
    /// The whole.
    Certificate = "certificate",
    /// The signed part.
    Tbs = "tbsCertificate",
    /// The version.
    Version = "version",
    /// The serial number.
    Serial = "serialNumber",
    /// The signature algorithm inside the signed part.
    InnerAlgorithm = "signature algorithm of tbsCertificate",
    /// The issuer's name.
    Issuer = "issuer",
    /// The validity period.
    Validity = "validity",
    /// The subject's name.
    Subject = "subject",
    /// The subject's public key.
    PublicKey = "subjectPublicKeyInfo",
    /// The extensions.
    Extensions = "extensions",
    /// The signature algorithm outside.
    SignatureAlgorithm = "signatureAlgorithm",
    /// The signature.
    Signature = "signature",
}
