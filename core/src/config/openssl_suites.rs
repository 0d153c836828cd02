//! The cipher suites of OpenSSL 3.0 below TLS 1.3, as its cipher lists see them.
//!
//! Only a few of them exist here. The others matter all the same: a list that names nothing but
//! them is a list of unavailable suites, not an error.

/// A cipher suite by the properties that cipher lists select by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// OpenSSL's name.
    pub(super) name: &'static str,
    pub(super) exchange: Exchange,
    pub(super) authentication: Authentication,
    pub(super) encryption: Encryption,
    /// The size of the encryption key.
    pub(super) bits: u16,
    pub(super) mac: Mac,
    pub(super) since: Since,
}

/// How keys are exchanged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exchange {
    Rsa,
    Dhe,
    Ecdhe,
    Psk,
    RsaPsk,
    DhePsk,
    EcdhePsk,
    Srp,
}

/// How the server proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Authentication {
    None,
    Rsa,
    Dss,
    Ecdsa,
    Psk,
    Srp,
}

/// How data are encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encryption {
    Null,
    AesCbc,
    AesGcm,
    AesCcm,
    AesCcm8,
    AriaGcm,
    Camellia,
    ChaCha20,
}

/// How data are authenticated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mac {
    Aead,
    Md5,
    Sha1,
    Sha256,
    Sha384,
}

/// The protocol version that brought the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Since {
    Ssl3,
    Tls10,
    Tls12,
}

macro_rules! known {
    ($($name:literal $exchange:ident $auth:ident $encryption:ident $bits:literal $mac:ident $since:ident)*) => {
        /// All of them, in OpenSSL's own order of preference.
        pub(super) const KNOWN: &[Known] = &[$(Known {
            name: $name,
            exchange: Exchange::$exchange,
            authentication: Authentication::$auth,
            encryption: Encryption::$encryption,
            bits: $bits,
            mac: Mac::$mac,
            since: Since::$since,
        },)*];
    };
}

known! {
    "ECDHE-ECDSA-AES256-GCM-SHA384" Ecdhe Ecdsa AesGcm 256 Aead Tls12
    "ECDHE-RSA-AES256-GCM-SHA384" Ecdhe Rsa AesGcm 256 Aead Tls12
    "DHE-DSS-AES256-GCM-SHA384" Dhe Dss AesGcm 256 Aead Tls12
    "DHE-RSA-AES256-GCM-SHA384" Dhe Rsa AesGcm 256 Aead Tls12
    "ECDHE-ECDSA-CHACHA20-POLY1305" Ecdhe Ecdsa ChaCha20 256 Aead Tls12
    "ECDHE-RSA-CHACHA20-POLY1305" Ecdhe Rsa ChaCha20 256 Aead Tls12
    "DHE-RSA-CHACHA20-POLY1305" Dhe Rsa ChaCha20 256 Aead Tls12
    "ECDHE-ECDSA-AES256-CCM8" Ecdhe Ecdsa AesCcm8 256 Aead Tls12
    "ECDHE-ECDSA-AES256-CCM" Ecdhe Ecdsa AesCcm 256 Aead Tls12
    "DHE-RSA-AES256-CCM8" Dhe Rsa AesCcm8 256 Aead Tls12
    "DHE-RSA-AES256-CCM" Dhe Rsa AesCcm 256 Aead Tls12
    "ECDHE-ECDSA-ARIA256-GCM-SHA384" Ecdhe Ecdsa AriaGcm 256 Aead Tls12
    "ECDHE-ARIA256-GCM-SHA384" Ecdhe Rsa AriaGcm 256 Aead Tls12
    "DHE-DSS-ARIA256-GCM-SHA384" Dhe Dss AriaGcm 256 Aead Tls12
    "DHE-RSA-ARIA256-GCM-SHA384" Dhe Rsa AriaGcm 256 Aead Tls12
    "ADH-AES256-GCM-SHA384" Dhe None AesGcm 256 Aead Tls12
    "ECDHE-ECDSA-AES128-GCM-SHA256" Ecdhe Ecdsa AesGcm 128 Aead Tls12
    "ECDHE-RSA-AES128-GCM-SHA256" Ecdhe Rsa AesGcm 128 Aead Tls12
    "DHE-DSS-AES128-GCM-SHA256" Dhe Dss AesGcm 128 Aead Tls12
    "DHE-RSA-AES128-GCM-SHA256" Dhe Rsa AesGcm 128 Aead Tls12
    "ECDHE-ECDSA-AES128-CCM8" Ecdhe Ecdsa AesCcm8 128 Aead Tls12
    "ECDHE-ECDSA-AES128-CCM" Ecdhe Ecdsa AesCcm 128 Aead Tls12
    "DHE-RSA-AES128-CCM8" Dhe Rsa AesCcm8 128 Aead Tls12
    "DHE-RSA-AES128-CCM" Dhe Rsa AesCcm 128 Aead Tls12
    "ECDHE-ECDSA-ARIA128-GCM-SHA256" Ecdhe Ecdsa AriaGcm 128 Aead Tls12
    "ECDHE-ARIA128-GCM-SHA256" Ecdhe Rsa AriaGcm 128 Aead Tls12
    "DHE-DSS-ARIA128-GCM-SHA256" Dhe Dss AriaGcm 128 Aead Tls12
    "DHE-RSA-ARIA128-GCM-SHA256" Dhe Rsa AriaGcm 128 Aead Tls12
    "ADH-AES128-GCM-SHA256" Dhe None AesGcm 128 Aead Tls12
    "ECDHE-ECDSA-AES256-SHA384" Ecdhe Ecdsa AesCbc 256 Sha384 Tls12
    "ECDHE-RSA-AES256-SHA384" Ecdhe Rsa AesCbc 256 Sha384 Tls12
    "DHE-RSA-AES256-SHA256" Dhe Rsa AesCbc 256 Sha256 Tls12
    "DHE-DSS-AES256-SHA256" Dhe Dss AesCbc 256 Sha256 Tls12
    "ECDHE-ECDSA-CAMELLIA256-SHA384" Ecdhe Ecdsa Camellia 256 Sha384 Tls12
    "ECDHE-RSA-CAMELLIA256-SHA384" Ecdhe Rsa Camellia 256 Sha384 Tls12
    "DHE-RSA-CAMELLIA256-SHA256" Dhe Rsa Camellia 256 Sha256 Tls12
    "DHE-DSS-CAMELLIA256-SHA256" Dhe Dss Camellia 256 Sha256 Tls12
    "ADH-AES256-SHA256" Dhe None AesCbc 256 Sha256 Tls12
    "ADH-CAMELLIA256-SHA256" Dhe None Camellia 256 Sha256 Tls12
    "ECDHE-ECDSA-AES128-SHA256" Ecdhe Ecdsa AesCbc 128 Sha256 Tls12
    "ECDHE-RSA-AES128-SHA256" Ecdhe Rsa AesCbc 128 Sha256 Tls12
    "DHE-RSA-AES128-SHA256" Dhe Rsa AesCbc 128 Sha256 Tls12
    "DHE-DSS-AES128-SHA256" Dhe Dss AesCbc 128 Sha256 Tls12
    "ECDHE-ECDSA-CAMELLIA128-SHA256" Ecdhe Ecdsa Camellia 128 Sha256 Tls12
    "ECDHE-RSA-CAMELLIA128-SHA256" Ecdhe Rsa Camellia 128 Sha256 Tls12
    "DHE-RSA-CAMELLIA128-SHA256" Dhe Rsa Camellia 128 Sha256 Tls12
    "DHE-DSS-CAMELLIA128-SHA256" Dhe Dss Camellia 128 Sha256 Tls12
    "ADH-AES128-SHA256" Dhe None AesCbc 128 Sha256 Tls12
    "ADH-CAMELLIA128-SHA256" Dhe None Camellia 128 Sha256 Tls12
    "ECDHE-ECDSA-AES256-SHA" Ecdhe Ecdsa AesCbc 256 Sha1 Tls10
    "ECDHE-RSA-AES256-SHA" Ecdhe Rsa AesCbc 256 Sha1 Tls10
    "DHE-RSA-AES256-SHA" Dhe Rsa AesCbc 256 Sha1 Ssl3
    "DHE-DSS-AES256-SHA" Dhe Dss AesCbc 256 Sha1 Ssl3
    "DHE-RSA-CAMELLIA256-SHA" Dhe Rsa Camellia 256 Sha1 Ssl3
    "DHE-DSS-CAMELLIA256-SHA" Dhe Dss Camellia 256 Sha1 Ssl3
    "AECDH-AES256-SHA" Ecdhe None AesCbc 256 Sha1 Tls10
    "ADH-AES256-SHA" Dhe None AesCbc 256 Sha1 Ssl3
    "ADH-CAMELLIA256-SHA" Dhe None Camellia 256 Sha1 Ssl3
    "ECDHE-ECDSA-AES128-SHA" Ecdhe Ecdsa AesCbc 128 Sha1 Tls10
    "ECDHE-RSA-AES128-SHA" Ecdhe Rsa AesCbc 128 Sha1 Tls10
    "DHE-RSA-AES128-SHA" Dhe Rsa AesCbc 128 Sha1 Ssl3
    "DHE-DSS-AES128-SHA" Dhe Dss AesCbc 128 Sha1 Ssl3
    "DHE-RSA-CAMELLIA128-SHA" Dhe Rsa Camellia 128 Sha1 Ssl3
    "DHE-DSS-CAMELLIA128-SHA" Dhe Dss Camellia 128 Sha1 Ssl3
    "AECDH-AES128-SHA" Ecdhe None AesCbc 128 Sha1 Tls10
    "ADH-AES128-SHA" Dhe None AesCbc 128 Sha1 Ssl3
    "ADH-CAMELLIA128-SHA" Dhe None Camellia 128 Sha1 Ssl3
    "RSA-PSK-AES256-GCM-SHA384" RsaPsk Rsa AesGcm 256 Aead Tls12
    "DHE-PSK-AES256-GCM-SHA384" DhePsk Psk AesGcm 256 Aead Tls12
    "RSA-PSK-CHACHA20-POLY1305" RsaPsk Rsa ChaCha20 256 Aead Tls12
    "DHE-PSK-CHACHA20-POLY1305" DhePsk Psk ChaCha20 256 Aead Tls12
    "ECDHE-PSK-CHACHA20-POLY1305" EcdhePsk Psk ChaCha20 256 Aead Tls12
    "DHE-PSK-AES256-CCM8" DhePsk Psk AesCcm8 256 Aead Tls12
    "DHE-PSK-AES256-CCM" DhePsk Psk AesCcm 256 Aead Tls12
    "RSA-PSK-ARIA256-GCM-SHA384" RsaPsk Rsa AriaGcm 256 Aead Tls12
    "DHE-PSK-ARIA256-GCM-SHA384" DhePsk Psk AriaGcm 256 Aead Tls12
    "AES256-GCM-SHA384" Rsa Rsa AesGcm 256 Aead Tls12
    "AES256-CCM8" Rsa Rsa AesCcm8 256 Aead Tls12
    "AES256-CCM" Rsa Rsa AesCcm 256 Aead Tls12
    "ARIA256-GCM-SHA384" Rsa Rsa AriaGcm 256 Aead Tls12
    "PSK-AES256-GCM-SHA384" Psk Psk AesGcm 256 Aead Tls12
    "PSK-CHACHA20-POLY1305" Psk Psk ChaCha20 256 Aead Tls12
    "PSK-AES256-CCM8" Psk Psk AesCcm8 256 Aead Tls12
    "PSK-AES256-CCM" Psk Psk AesCcm 256 Aead Tls12
    "PSK-ARIA256-GCM-SHA384" Psk Psk AriaGcm 256 Aead Tls12
    "RSA-PSK-AES128-GCM-SHA256" RsaPsk Rsa AesGcm 128 Aead Tls12
    "DHE-PSK-AES128-GCM-SHA256" DhePsk Psk AesGcm 128 Aead Tls12
    "DHE-PSK-AES128-CCM8" DhePsk Psk AesCcm8 128 Aead Tls12
    "DHE-PSK-AES128-CCM" DhePsk Psk AesCcm 128 Aead Tls12
    "RSA-PSK-ARIA128-GCM-SHA256" RsaPsk Rsa AriaGcm 128 Aead Tls12
    "DHE-PSK-ARIA128-GCM-SHA256" DhePsk Psk AriaGcm 128 Aead Tls12
    "AES128-GCM-SHA256" Rsa Rsa AesGcm 128 Aead Tls12
    "AES128-CCM8" Rsa Rsa AesCcm8 128 Aead Tls12
    "AES128-CCM" Rsa Rsa AesCcm 128 Aead Tls12
    "ARIA128-GCM-SHA256" Rsa Rsa AriaGcm 128 Aead Tls12
    "PSK-AES128-GCM-SHA256" Psk Psk AesGcm 128 Aead Tls12
    "PSK-AES128-CCM8" Psk Psk AesCcm8 128 Aead Tls12
    "PSK-AES128-CCM" Psk Psk AesCcm 128 Aead Tls12
    "PSK-ARIA128-GCM-SHA256" Psk Psk AriaGcm 128 Aead Tls12
    "AES256-SHA256" Rsa Rsa AesCbc 256 Sha256 Tls12
    "CAMELLIA256-SHA256" Rsa Rsa Camellia 256 Sha256 Tls12
    "AES128-SHA256" Rsa Rsa AesCbc 128 Sha256 Tls12
    "CAMELLIA128-SHA256" Rsa Rsa Camellia 128 Sha256 Tls12
    "ECDHE-PSK-AES256-CBC-SHA384" EcdhePsk Psk AesCbc 256 Sha384 Tls10
    "ECDHE-PSK-AES256-CBC-SHA" EcdhePsk Psk AesCbc 256 Sha1 Tls10
    "SRP-DSS-AES-256-CBC-SHA" Srp Dss AesCbc 256 Sha1 Ssl3
    "SRP-RSA-AES-256-CBC-SHA" Srp Rsa AesCbc 256 Sha1 Ssl3
    "SRP-AES-256-CBC-SHA" Srp Srp AesCbc 256 Sha1 Ssl3
    "RSA-PSK-AES256-CBC-SHA384" RsaPsk Rsa AesCbc 256 Sha384 Tls10
    "DHE-PSK-AES256-CBC-SHA384" DhePsk Psk AesCbc 256 Sha384 Tls10
    "RSA-PSK-AES256-CBC-SHA" RsaPsk Rsa AesCbc 256 Sha1 Ssl3
    "DHE-PSK-AES256-CBC-SHA" DhePsk Psk AesCbc 256 Sha1 Ssl3
    "ECDHE-PSK-CAMELLIA256-SHA384" EcdhePsk Psk Camellia 256 Sha384 Tls10
    "RSA-PSK-CAMELLIA256-SHA384" RsaPsk Rsa Camellia 256 Sha384 Tls10
    "DHE-PSK-CAMELLIA256-SHA384" DhePsk Psk Camellia 256 Sha384 Tls10
    "AES256-SHA" Rsa Rsa AesCbc 256 Sha1 Ssl3
    "CAMELLIA256-SHA" Rsa Rsa Camellia 256 Sha1 Ssl3
    "PSK-AES256-CBC-SHA384" Psk Psk AesCbc 256 Sha384 Tls10
    "PSK-AES256-CBC-SHA" Psk Psk AesCbc 256 Sha1 Ssl3
    "PSK-CAMELLIA256-SHA384" Psk Psk Camellia 256 Sha384 Tls10
    "ECDHE-PSK-AES128-CBC-SHA256" EcdhePsk Psk AesCbc 128 Sha256 Tls10
    "ECDHE-PSK-AES128-CBC-SHA" EcdhePsk Psk AesCbc 128 Sha1 Tls10
    "SRP-DSS-AES-128-CBC-SHA" Srp Dss AesCbc 128 Sha1 Ssl3
    "SRP-RSA-AES-128-CBC-SHA" Srp Rsa AesCbc 128 Sha1 Ssl3
    "SRP-AES-128-CBC-SHA" Srp Srp AesCbc 128 Sha1 Ssl3
    "RSA-PSK-AES128-CBC-SHA256" RsaPsk Rsa AesCbc 128 Sha256 Tls10
    "DHE-PSK-AES128-CBC-SHA256" DhePsk Psk AesCbc 128 Sha256 Tls10
    "RSA-PSK-AES128-CBC-SHA" RsaPsk Rsa AesCbc 128 Sha1 Ssl3
    "DHE-PSK-AES128-CBC-SHA" DhePsk Psk AesCbc 128 Sha1 Ssl3
    "ECDHE-PSK-CAMELLIA128-SHA256" EcdhePsk Psk Camellia 128 Sha256 Tls10
    "RSA-PSK-CAMELLIA128-SHA256" RsaPsk Rsa Camellia 128 Sha256 Tls10
    "DHE-PSK-CAMELLIA128-SHA256" DhePsk Psk Camellia 128 Sha256 Tls10
    "AES128-SHA" Rsa Rsa AesCbc 128 Sha1 Ssl3
    "CAMELLIA128-SHA" Rsa Rsa Camellia 128 Sha1 Ssl3
    "PSK-AES128-CBC-SHA256" Psk Psk AesCbc 128 Sha256 Tls10
    "PSK-AES128-CBC-SHA" Psk Psk AesCbc 128 Sha1 Ssl3
    "PSK-CAMELLIA128-SHA256" Psk Psk Camellia 128 Sha256 Tls10
    "ECDHE-ECDSA-NULL-SHA" Ecdhe Ecdsa Null 0 Sha1 Tls10
    "ECDHE-RSA-NULL-SHA" Ecdhe Rsa Null 0 Sha1 Tls10
    "AECDH-NULL-SHA" Ecdhe None Null 0 Sha1 Tls10
    "NULL-SHA256" Rsa Rsa Null 0 Sha256 Tls12
    "ECDHE-PSK-NULL-SHA384" EcdhePsk Psk Null 0 Sha384 Tls10
    "ECDHE-PSK-NULL-SHA256" EcdhePsk Psk Null 0 Sha256 Tls10
    "ECDHE-PSK-NULL-SHA" EcdhePsk Psk Null 0 Sha1 Tls10
    "RSA-PSK-NULL-SHA384" RsaPsk Rsa Null 0 Sha384 Tls10
    "RSA-PSK-NULL-SHA256" RsaPsk Rsa Null 0 Sha256 Tls10
    "DHE-PSK-NULL-SHA384" DhePsk Psk Null 0 Sha384 Tls10
    "DHE-PSK-NULL-SHA256" DhePsk Psk Null 0 Sha256 Tls10
    "RSA-PSK-NULL-SHA" RsaPsk Rsa Null 0 Sha1 Ssl3
    "DHE-PSK-NULL-SHA" DhePsk Psk Null 0 Sha1 Ssl3
    "NULL-SHA" Rsa Rsa Null 0 Sha1 Ssl3
    "NULL-MD5" Rsa Rsa Null 0 Md5 Ssl3
    "PSK-NULL-SHA384" Psk Psk Null 0 Sha384 Tls10
    "PSK-NULL-SHA256" Psk Psk Null 0 Sha256 Tls10
    "PSK-NULL-SHA" Psk Psk Null 0 Sha1 Ssl3
}
