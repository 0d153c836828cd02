//! The extensions that decide about a chain, each decoded alone.
//!
//! Decoding is as lenient as OpenSSL's, so that a server is judged as the reference judges it: a
//! strict decoder drops a whole list of names for one that is not ASCII, or a flag for being BER.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use const_oid::ObjectIdentifier;
use const_oid::db::rfc5280 as oids;

use super::certificate::Certificate;
use super::der::{DerError, Reader, Tlv, tag};
use super::name::Name;

/// What became of an extension: absent, decoded, or broken.
pub type Found<T> = Option<Result<T, ExtensionError>>;

/// The extensions of a certificate that matter here (RFC 5280 section 4.2.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// Whether it is a CA, and how many CAs may follow.
    pub basic_constraints: Found<BasicConstraints>,
    /// What the key is for.
    pub key_usage: Found<KeyUsage>,
    /// What the certificate is for.
    pub extended_key_usage: Found<ExtendedKeyUsage>,
    /// The certificate's own key identifier.
    pub subject_key_id: Found<Bytes>,
    /// Which certificate signed this one.
    pub authority_key_id: Found<AuthorityKeyId>,
    /// The subject's other names.
    pub alternative_names: Found<Vec<GeneralName>>,
    /// The names that certificates below may have.
    pub name_constraints: Found<NameConstraints>,
    /// Netscape's certificate type bits, which old CAs have instead of basic constraints.
    pub netscape_type: Found<u8>,
    /// It is a proxy certificate (RFC 3820).
    pub proxy: bool,
    /// The first critical extension that nobody here looks at.
    pub unhandled: Option<Bytes>,
}

/// Why an extension cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExtensionError {
    /// It is not what its type says.
    Malformed(DerError),
    /// It is there more than once.
    Repeated,
    /// It says nothing.
    Empty,
}

impl fmt::Display for ExtensionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(error) => error.fmt(f),
            Self::Repeated => f.write_str("repeated"),
            Self::Empty => f.write_str("empty"),
        }
    }
}

impl std::error::Error for ExtensionError {}

impl From<DerError> for ExtensionError {
    fn from(error: DerError) -> Self {
        Self::Malformed(error)
    }
}

/// Basic constraints (RFC 5280 section 4.2.1.9).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BasicConstraints {
    /// The key may sign certificates.
    pub ca: bool,
    /// How many intermediates may follow; huge numbers are cut to 65535.
    pub path_length: Option<u16>,
}

/// Key usage (RFC 5280 section 4.2.1.3): the bits, the first in the most significant position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(pub u16);

impl KeyUsage {
    /// keyCertSign.
    pub const SIGN_CERTIFICATES: Self = Self(0x0400);
    /// digitalSignature, keyEncipherment and keyAgreement: what a TLS server's key may do.
    pub const TLS: Self = Self(0xa800);

    /// Tells whether any of `wanted` is among these.
    pub const fn allows(self, wanted: Self) -> bool {
        self.0 & wanted.0 != 0
    }
}

/// Extended key usage (RFC 5280 section 4.2.1.12): the contents of each OBJECT IDENTIFIER.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtendedKeyUsage(pub Vec<Bytes>);

impl ExtendedKeyUsage {
    /// Tells whether a TLS server may use the certificate. As in OpenSSL, server gated
    /// cryptography counts and anyExtendedKeyUsage does not.
    pub fn allows_server(&self) -> bool {
        self.0.iter().any(|usage| {
            let usage = &usage[..];
            usage == oids::ID_KP_SERVER_AUTH.as_bytes()
                || usage == NETSCAPE_SGC.as_bytes()
                || usage == MICROSOFT_SGC.as_bytes()
        })
    }
}

/// Authority key identifier (RFC 5280 section 4.2.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityKeyId {
    /// The issuer's subject key identifier.
    pub key_id: Option<Bytes>,
    /// The first directory name among the names of the issuer's issuer.
    pub issuer: Option<Name>,
    /// The issuer's serial number.
    pub serial: Option<Bytes>,
}

/// A name of some kind (RFC 5280 section 4.2.1.6), not checked for syntax.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GeneralName {
    /// dNSName.
    Dns(Bytes),
    /// iPAddress: 4 or 16 octets, twice as many in name constraints, if it is right.
    Ip(Bytes),
    /// rfc822Name.
    Email(Bytes),
    /// uniformResourceIdentifier.
    Uri(Bytes),
    /// directoryName.
    Directory(Name),
    /// otherName.
    Other {
        /// The contents of its type's OBJECT IDENTIFIER.
        oid: Bytes,
        /// Its value, undecoded.
        value: Bytes,
    },
    /// x400Address, ediPartyName or registeredID, by tag number.
    Rare(u8, Bytes),
}

impl GeneralName {
    /// Tells the address of an iPAddress that has the length of one.
    pub fn address(&self) -> Option<IpAddr> {
        let Self::Ip(octets) = self else { return None };
        <[u8; 4]>::try_from(&octets[..])
            .map(IpAddr::from)
            .or_else(|_| <[u8; 16]>::try_from(&octets[..]).map(IpAddr::from))
            .ok()
    }

    fn parse(name: Tlv<'_>, slice: &impl Fn(&[u8]) -> Bytes) -> Result<Self, DerError> {
        let value = slice(name.value);
        Ok(match name.tag {
            0xa0 => {
                let mut fields = Reader::new(name.value);
                let oid = slice(fields.expect(tag::OID)?.value);
                let value = slice(fields.expect(tag::constructed(0))?.value);
                Self::Other { oid, value }
            }
            0x81 => Self::Email(value),
            0x82 => Self::Dns(value),
            0xa4 => {
                let name = Reader::new(name.value).expect(tag::SEQUENCE)?;
                Self::Directory(Name::new(slice(name.whole)))
            }
            0x86 => Self::Uri(value),
            0x87 => Self::Ip(value),
            0xa3 | 0xa5 | 0x88 => Self::Rare(name.tag & 0x1f, value),
            _ => return Err(DerError::Unexpected),
        })
    }

    fn list(mut names: Reader<'_>, slice: &impl Fn(&[u8]) -> Bytes) -> Result<Vec<Self>, DerError> {
        let mut list = Vec::new();
        while !names.is_empty() {
            list.push(Self::parse(Reader::next(&mut names)?, slice)?);
        }
        Ok(list)
    }
}

/// Name constraints (RFC 5280 section 4.2.1.10).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NameConstraints {
    /// Of each kind of names that occurs here, names must lie in one of these.
    pub permitted: Vec<Subtree>,
    /// No name may lie in one of these.
    pub excluded: Vec<Subtree>,
}

/// A subtree of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subtree {
    /// What it begins with.
    pub base: GeneralName,
    /// It has no minimum but 0 and no maximum, as RFC 5280 wants it.
    pub whole: bool,
}

impl Subtree {
    fn list(contents: &[u8], slice: &impl Fn(&[u8]) -> Bytes) -> Result<Vec<Self>, DerError> {
        let mut list = Vec::new();
        let mut subtrees = Reader::new(contents);
        while !subtrees.is_empty() {
            let mut fields = Reader::new(subtrees.expect(tag::SEQUENCE)?.value);
            let base = GeneralName::parse(Reader::next(&mut fields)?, slice)?;
            let minimum = fields.optional(tag::context(0))?.is_none_or(|tlv| tlv.value == [0]);
            list.push(Self { base, whole: minimum && fields.is_empty() });
        }
        Ok(list)
    }
}

impl Extensions {
    /// Decodes the extensions of a certificate.
    pub fn decode(certificate: &Certificate) -> Self {
        let mut this = Self::default();
        let mut seen = BTreeSet::new();
        for extension in certificate.extensions() {
            let repeated = !seen.insert(&extension.oid);
            let contents = &extension.value[..];
            let slice = |part: &[u8]| extension.value.slice_ref(part);
            // Of a repeated extension neither counts.
            let mut known = true;
            let result = if repeated { Err(ExtensionError::Repeated) } else { Ok(contents) };
            match ObjectIdentifier::from_bytes(&extension.oid) {
                Ok(oids::ID_CE_BASIC_CONSTRAINTS) => {
                    this.basic_constraints = Some(result.and_then(basic_constraints));
                }
                Ok(oids::ID_CE_KEY_USAGE) => this.key_usage = Some(result.and_then(key_usage)),
                Ok(oids::ID_CE_EXT_KEY_USAGE) => {
                    this.extended_key_usage =
                        Some(result.and_then(|contents| extended_key_usage(contents, &slice)));
                }
                // Key identifiers are never critical (RFC 5280 sections 4.2.1.1 and 4.2.1.2); OpenSSL
                // does not take them for understood then.
                Ok(oids::ID_CE_SUBJECT_KEY_IDENTIFIER) => {
                    known = false;
                    this.subject_key_id = Some(result.and_then(|contents| {
                        Ok(slice(Reader::new(contents).expect(tag::OCTET_STRING)?.value))
                    }));
                }
                Ok(oids::ID_CE_AUTHORITY_KEY_IDENTIFIER) => {
                    known = false;
                    this.authority_key_id =
                        Some(result.and_then(|contents| authority_key_id(contents, &slice)));
                }
                Ok(oids::ID_CE_SUBJECT_ALT_NAME) => {
                    this.alternative_names = Some(result.and_then(|contents| {
                        Ok(GeneralName::list(Reader::enter(contents, tag::SEQUENCE)?, &slice)?)
                    }));
                }
                Ok(oids::ID_CE_NAME_CONSTRAINTS) => {
                    this.name_constraints =
                        Some(result.and_then(|contents| name_constraints(contents, &slice)));
                }
                Ok(NETSCAPE_TYPE) => {
                    this.netscape_type = Some(result.and_then(|contents| {
                        match Reader::new(contents).expect(tag::BIT_STRING)?.value {
                            [_, bits, ..] => Ok(*bits),
                            _ => Err(ExtensionError::Empty),
                        }
                    }));
                }
                Ok(PROXY) => this.proxy = true,
                // These would matter if policies or revocation did.
                Ok(
                    oids::ID_CE_CERTIFICATE_POLICIES
                    | oids::ID_CE_CRL_DISTRIBUTION_POINTS
                    | oids::ID_CE_POLICY_CONSTRAINTS
                    | oids::ID_CE_POLICY_MAPPINGS
                    | oids::ID_CE_INHIBIT_ANY_POLICY
                    | IP_BLOCKS
                    | AS_NUMBERS,
                ) => {}
                _ => known = false,
            }
            if extension.critical && !known && this.unhandled.is_none() {
                this.unhandled = Some(extension.oid.clone());
            }
        }
        this
    }

    /// Tells whether one of the extensions is broken, or a proxy's certificate has what it may not
    /// have (RFC 3820 sections 3.2 and 3.7); OpenSSL then links the certificate to no
    /// other.
    pub fn broken(&self) -> bool {
        fn is_broken<T>(found: &Found<T>) -> bool {
            matches!(found, Some(Err(_)))
        }
        is_broken(&self.basic_constraints)
            || is_broken(&self.key_usage)
            || is_broken(&self.extended_key_usage)
            || is_broken(&self.subject_key_id)
            || is_broken(&self.authority_key_id)
            || is_broken(&self.alternative_names)
            || is_broken(&self.name_constraints)
            || is_broken(&self.netscape_type)
            || self.proxy && (self.is_ca() || self.alternative_names.is_some())
    }

    /// Tells whether basic constraints say that it is a CA.
    pub fn is_ca(&self) -> bool {
        matches!(self.basic_constraints, Some(Ok(BasicConstraints { ca: true, .. })))
    }

    /// Tells the subject's alternative names; none if the extension is absent or broken.
    pub fn names(&self) -> &[GeneralName] {
        match &self.alternative_names {
            Some(Ok(names)) => names,
            Some(Err(_)) | None => &[],
        }
    }
}

fn basic_constraints(contents: &[u8]) -> Result<BasicConstraints, ExtensionError> {
    let mut fields = Reader::enter(contents, tag::SEQUENCE)?;
    let ca = fields.optional(tag::BOOLEAN)?.is_some_and(|tlv| tlv.value != [0]);
    let path_length = match fields.optional(tag::INTEGER)?.map(|tlv| tlv.value) {
        None => None,
        Some([] | [0x80..=0xff, ..]) => return Err(DerError::Unexpected.into()),
        Some([low]) => Some(u16::from(*low)),
        Some([high, low]) => Some(u16::from_be_bytes([*high, *low])),
        Some(_) => Some(u16::MAX),
    };
    Ok(BasicConstraints { ca, path_length })
}

fn key_usage(contents: &[u8]) -> Result<KeyUsage, ExtensionError> {
    let bits = match Reader::new(contents).expect(tag::BIT_STRING)?.value {
        [_, first, second, ..] => u16::from_be_bytes([*first, *second]),
        [_, first] => u16::from_be_bytes([*first, 0]),
        _ => 0,
    };
    if bits == 0 { Err(ExtensionError::Empty) } else { Ok(KeyUsage(bits)) }
}

fn extended_key_usage(
    contents: &[u8],
    slice: &impl Fn(&[u8]) -> Bytes,
) -> Result<ExtendedKeyUsage, ExtensionError> {
    let mut usages = Reader::enter(contents, tag::SEQUENCE)?;
    let mut list = Vec::new();
    while !usages.is_empty() {
        list.push(slice(usages.expect(tag::OID)?.value));
    }
    Ok(ExtendedKeyUsage(list))
}

fn authority_key_id(
    contents: &[u8],
    slice: &impl Fn(&[u8]) -> Bytes,
) -> Result<AuthorityKeyId, ExtensionError> {
    let mut fields = Reader::enter(contents, tag::SEQUENCE)?;
    let mut this = AuthorityKeyId {
        key_id: fields.optional(tag::context(0))?.map(|tlv| slice(tlv.value)),
        ..AuthorityKeyId::default()
    };
    if let Some(names) = fields.optional(tag::constructed(1))? {
        let names = GeneralName::list(Reader::new(names.value), slice)?;
        this.issuer = names.into_iter().find_map(|name| match name {
            GeneralName::Directory(name) => Some(name),
            GeneralName::Dns(_)
            | GeneralName::Ip(_)
            | GeneralName::Email(_)
            | GeneralName::Uri(_)
            | GeneralName::Other { .. }
            | GeneralName::Rare(..) => None,
        });
    }
    this.serial = fields.optional(tag::context(2))?.map(|tlv| slice(tlv.value));
    if fields.is_empty() { Ok(this) } else { Err(DerError::Unexpected.into()) }
}

fn name_constraints(
    contents: &[u8],
    slice: &impl Fn(&[u8]) -> Bytes,
) -> Result<NameConstraints, ExtensionError> {
    let mut fields = Reader::enter(contents, tag::SEQUENCE)?;
    let mut list = |number| match fields.optional(tag::constructed(number))? {
        Some(subtrees) => Subtree::list(subtrees.value, slice),
        None => Ok(Vec::new()),
    };
    let this = NameConstraints { permitted: list(0)?, excluded: list(1)? };
    if fields.is_empty() { Ok(this) } else { Err(DerError::Unexpected.into()) }
}

const NETSCAPE_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.1.1");
const NETSCAPE_SGC: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.16.840.1.113730.4.1");
const MICROSOFT_SGC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.311.10.3.3");
const PROXY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.14");
const IP_BLOCKS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.7");
const AS_NUMBERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.8");
