//! What can be wrong with a certificate, by OpenSSL's numbers and words.

use std::fmt;

macro_rules! verify_errors {
    ($($(#[doc = $doc:literal])+ $error:ident = $number:literal $text:literal;)*) => {
        /// What is wrong with a certificate. Displayed in OpenSSL's words.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum VerifyError {
            $($(#[doc = $doc])+ $error,)*
        }

        impl VerifyError {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$error,)*];

            /// Tells OpenSSL's number, the `X509_V_ERR_` one.
            pub const fn number(self) -> u8 {
                match self {
                    $(Self::$error => $number,)*
                }
            }
        }

        impl fmt::Display for VerifyError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self {
                    $(Self::$error => $text,)*
                })
            }
        }
    };
}

verify_errors! {
    /// What was to be checked cannot be, or would cost too much.
    Unspecified = 1 "unspecified certificate verification error";
    /// The issuer of a trusted certificate is not trusted, and partial chains do not count.
    UnableToGetIssuer = 2 "unable to get issuer certificate";
    /// The key that should have signed cannot be decoded.
    UndecodableIssuerKey = 6 "unable to decode issuer public key";
    /// The signature on a certificate is wrong.
    SignatureFailure = 7 "certificate signature failure";
    /// The validity period has not begun.
    NotYetValid = 9 "certificate is not yet valid";
    /// The validity period is over.
    Expired = 10 "certificate has expired";
    /// The beginning of the validity period cannot be read (RFC 5280 section 4.1.2.5).
    BadNotBefore = 13 "format error in certificate's notBefore field";
    /// The end of the validity period cannot be read (RFC 5280 section 4.1.2.5).
    BadNotAfter = 14 "format error in certificate's notAfter field";
    /// The server's certificate is signed by its own key and not trusted.
    SelfSigned = 18 "self-signed certificate";
    /// The chain ends in a root certificate that is not trusted.
    SelfSignedInChain = 19 "self-signed certificate in certificate chain";
    /// The issuer of the chain's last certificate is unknown.
    UnableToGetIssuerLocally = 20 "unable to get local issuer certificate";
    /// There is only the server's certificate and nobody to verify it by.
    UnableToVerifyLeaf = 21 "unable to verify the first certificate";
    /// The chain has more than ten intermediates.
    ChainTooLong = 22 "certificate chain too long";
    /// More CAs follow than a certificate allows (RFC 5280 section 4.2.1.9).
    PathLengthExceeded = 25 "path length constraint exceeded";
    /// The certificate is for other purposes than TLS servers (RFC 5280 section 4.2.1.12).
    InvalidPurpose = 26 "unsuitable certificate purpose";
    /// Nothing vouches for the certificate as the policy demands.
    Untrusted = 27 "certificate not trusted";
    /// The key that signed is not for signing certificates (RFC 5280 section 4.2.1.3).
    NotForSigning = 32 "key usage does not include certificate signing";
    /// A critical extension is not understood (RFC 5280 section 4.2).
    UnhandledCriticalExtension = 34 "unhandled critical extension";
    /// Proxy certificates (RFC 3820) do not count.
    ProxyCertificate = 40 "proxy certificates not allowed, please set the appropriate flag";
    /// A name is outside of what a CA may certify (RFC 5280 section 4.2.1.10).
    NotPermitted = 47 "permitted subtree violation";
    /// A name is among those that a CA may not certify (RFC 5280 section 4.2.1.10).
    Excluded = 48 "excluded subtree violation";
    /// A name constraint has a minimum or maximum (RFC 5280 section 4.2.1.10).
    SubtreeMinimum = 49 "name constraints minimum and maximum not supported";
    /// A name constraint is of a kind that is not supported.
    UnsupportedConstraint = 51 "unsupported name constraint type";
    /// A name constraint, or a name that it is about, is malformed.
    BadName = 53 "unsupported or invalid name syntax";
    /// No name fits.
    HostnameMismatch = 62 "hostname mismatch";
    /// No address fits.
    AddressMismatch = 64 "IP address mismatch";
    /// No TLSA record, fingerprint or trust anchor matches.
    NoDaneMatch = 65 "no matching DANE TLSA records";
    /// The server's key is too short.
    ServerKeyTooSmall = 66 "EE certificate key too weak";
    /// The key of a CA is too short.
    AuthorityKeyTooSmall = 67 "CA certificate key too weak";
    /// A signature's digest is broken.
    DigestTooWeak = 68 "CA signature digest algorithm too weak";
    /// The signature's algorithm cannot be verified here.
    UnsupportedSignature = 76 "Cannot find certificate signature algorithm";
    /// A certificate that signed another is no CA's (RFC 5280 section 4.2.1.9).
    InvalidAuthority = 79 "invalid CA certificate";
    /// A key's curve is spelled out instead of named (RFC 5480 section 2.1.1).
    ExplicitCurve = 94 "Certificate public key has explicit ECC parameters";
    /// A raw public key, and nothing to match it with.
    RawKeyUntrusted = 95 "raw public key untrusted, no trusted keys configured";
}

impl std::error::Error for VerifyError {}
