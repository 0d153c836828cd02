//! The cipher suites that exist here, with the names people know them by.

/// A cipher suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Suite {
    /// The IANA number.
    pub number: u16,
    /// The IANA name.
    pub iana: &'static str,
    /// OpenSSL's name, which the reference prints.
    pub openssl: &'static str,
    /// The key bits that are used; for these suites equal to the algorithm's bits.
    pub bits: u16,
}

impl Suite {
    /// Finds a suite by its IANA number.
    pub fn by_number(number: u16) -> Option<&'static Self> {
        SUITES.iter().find(|suite| suite.number == number)
    }
}

macro_rules! suites {
    ($($number:literal $iana:literal $openssl:literal $bits:literal)*) => {
        /// All suites, in the order of the library's preference.
        pub const SUITES: &[Suite] = &[
            $(Suite { number: $number, iana: $iana, openssl: $openssl, bits: $bits },)*
        ];
    };
}

suites! {
    0x1302 "TLS_AES_256_GCM_SHA384" "TLS_AES_256_GCM_SHA384" 256
    0x1303 "TLS_CHACHA20_POLY1305_SHA256" "TLS_CHACHA20_POLY1305_SHA256" 256
    0x1301 "TLS_AES_128_GCM_SHA256" "TLS_AES_128_GCM_SHA256" 128
    0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384" "ECDHE-ECDSA-AES256-GCM-SHA384" 256
    0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384" "ECDHE-RSA-AES256-GCM-SHA384" 256
    0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256" "ECDHE-ECDSA-CHACHA20-POLY1305" 256
    0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256" "ECDHE-RSA-CHACHA20-POLY1305" 256
    0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256" "ECDHE-ECDSA-AES128-GCM-SHA256" 128
    0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256" "ECDHE-RSA-AES128-GCM-SHA256" 128
}
