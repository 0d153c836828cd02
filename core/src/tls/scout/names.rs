//! Key exchange groups and signature schemes by their IANA numbers (TLS Supported Groups and TLS
//! SignatureScheme registries).

/// Tells the name of a group.
pub fn group_name(number: u16) -> Option<&'static str> {
    GROUPS.iter().find(|group| group.0 == number).map(|group| group.1)
}

/// Finds a group by its name, or by OpenSSL's or NIST's.
pub fn group_number(name: &str) -> Option<u16> {
    let name = match name.to_ascii_lowercase().as_str() {
        "prime256v1" | "p-256" => "secp256r1",
        "p-384" => "secp384r1",
        "p-521" => "secp521r1",
        "p-224" => "secp224r1",
        "prime192v1" | "p-192" => "secp192r1",
        _ => name,
    };
    GROUPS.iter().find(|group| group.1.eq_ignore_ascii_case(name)).map(|group| group.0)
}

/// Tells the size of a group: bits of the field, or of the prime. For ML-KEM, the number in its name.
pub fn group_bits(number: u16) -> Option<u16> {
    GROUPS.iter().find(|group| group.0 == number).map(|group| group.2)
}

/// Tells the name of a signature scheme; pairs of hash and signature of TLS 1.2 have one too.
pub fn scheme_name(number: u16) -> Option<&'static str> {
    SCHEMES.iter().find(|scheme| scheme.0 == number).map(|scheme| scheme.1)
}

/// All groups, the likeliest first.
pub(crate) fn all_groups() -> Vec<u16> {
    GROUPS.iter().map(|group| group.0).collect()
}

/// All signature schemes, the likeliest first.
pub(crate) fn all_schemes() -> Vec<u16> {
    SCHEMES.iter().map(|scheme| scheme.0).collect()
}

/// The schemes that a server may sign with in TLS 1.3 (RFC 8446 section 4.2.3), the likeliest first.
pub(crate) fn tls13_schemes() -> Vec<u16> {
    all_schemes().into_iter().filter(|scheme| !is_old(*scheme)).collect()
}

/// Tells whether a scheme is a pair of hash and signature that TLS 1.3 has no use for: PKCS #1 version
/// 1.5, SHA-1, SHA-224 and DSA.
const fn is_old(scheme: u16) -> bool {
    let [hash, signature] = scheme.to_be_bytes();
    hash <= 3 || hash <= 6 && signature != 3
}

/// Groups that are asked for, the likeliest first.
pub(super) const GROUPS: &[(u16, &str, u16)] = &[
    (0x11ec, "X25519MLKEM768", 768),
    (29, "x25519", 255),
    (23, "secp256r1", 256),
    (30, "x448", 448),
    (24, "secp384r1", 384),
    (25, "secp521r1", 521),
    (0x11eb, "SecP256r1MLKEM768", 768),
    (0x11ed, "SecP384r1MLKEM1024", 1024),
    (512, "MLKEM512", 512),
    (513, "MLKEM768", 768),
    (514, "MLKEM1024", 1024),
    (0x6399, "X25519Kyber768Draft00", 768),
    (256, "ffdhe2048", 2048),
    (257, "ffdhe3072", 3072),
    (258, "ffdhe4096", 4096),
    (259, "ffdhe6144", 6144),
    (260, "ffdhe8192", 8192),
    (31, "brainpoolP256r1tls13", 256),
    (32, "brainpoolP384r1tls13", 384),
    (33, "brainpoolP512r1tls13", 512),
    (26, "brainpoolP256r1", 256),
    (27, "brainpoolP384r1", 384),
    (28, "brainpoolP512r1", 512),
    (41, "curveSM2", 256),
    (34, "GC256A", 256),
    (35, "GC256B", 256),
    (36, "GC256C", 256),
    (37, "GC256D", 256),
    (38, "GC512A", 512),
    (39, "GC512B", 512),
    (40, "GC512C", 512),
    (22, "secp256k1", 256),
    (21, "secp224r1", 224),
    (20, "secp224k1", 224),
    (19, "secp192r1", 192),
    (18, "secp192k1", 192),
    (17, "secp160r2", 160),
    (16, "secp160r1", 160),
    (15, "secp160k1", 160),
    (14, "sect571r1", 571),
    (13, "sect571k1", 571),
    (12, "sect409r1", 409),
    (11, "sect409k1", 409),
    (10, "sect283r1", 283),
    (9, "sect283k1", 283),
    (8, "sect239k1", 239),
    (7, "sect233r1", 233),
    (6, "sect233k1", 233),
    (5, "sect193r2", 193),
    (4, "sect193r1", 193),
    (3, "sect163r2", 163),
    (2, "sect163r1", 163),
    (1, "sect163k1", 163),
];

/// Signature schemes that are asked for, the likeliest first.
pub(super) const SCHEMES: &[(u16, &str)] = &[
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0904, "mldsa44"),
    (0x0905, "mldsa65"),
    (0x0906, "mldsa87"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080a, "rsa_pss_pss_sha384"),
    (0x080b, "rsa_pss_pss_sha512"),
    (0x081a, "ecdsa_brainpoolP256r1tls13_sha256"),
    (0x081b, "ecdsa_brainpoolP384r1tls13_sha384"),
    (0x081c, "ecdsa_brainpoolP512r1tls13_sha512"),
    (0x0708, "sm2sig_sm3"),
    (0x0709, "gostr34102012_256a"),
    (0x070a, "gostr34102012_256b"),
    (0x070b, "gostr34102012_256c"),
    (0x070c, "gostr34102012_256d"),
    (0x070d, "gostr34102012_512a"),
    (0x070e, "gostr34102012_512b"),
    (0x070f, "gostr34102012_512c"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x0303, "ecdsa_sha224"),
    (0x0301, "rsa_pkcs1_sha224"),
    (0x0203, "ecdsa_sha1"),
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0101, "rsa_pkcs1_md5"),
    (0x0402, "dsa_sha256"),
    (0x0302, "dsa_sha224"),
    (0x0202, "dsa_sha1"),
];
