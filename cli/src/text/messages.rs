//! Records and handshake messages taken apart, in the layout of OpenSSL's trace.

use std::fmt::Write;

use tlsfinger_core::cert::Certificate;
use tlsfinger_core::report::{
    Direction, Disclosure, Extension, ExtensionContent, HandshakeContent, HandshakeMessage, Hello,
    KeyShare, RecordHeader,
};
use tlsfinger_core::tls::Suite;
use tlsfinger_core::tls::scout::KeyExchange;

/// Tells the header of a record.
pub(super) fn record(direction: Direction, header: RecordHeader) -> Vec<String> {
    let RecordHeader { kind, version, octets } = header;
    let verb = match direction {
        Direction::Sent => "Sent",
        Direction::Received => "Received",
    };
    let content = match kind {
        20 => "ChangeCipherSpec",
        21 => "Alert",
        22 => "Handshake",
        23 => "ApplicationData",
        _ => "UNKNOWN",
    };
    vec![
        format!("{verb} Record"),
        "Header:".to_owned(),
        format!("  Version = {} (0x{version:x})", self::version(version)),
        format!("  Content Type = {content} ({kind})"),
        format!("  Length = {octets}"),
    ]
}

/// Tells a handshake message.
pub(super) fn message(message: &HandshakeMessage) -> Vec<String> {
    let HandshakeMessage { kind, octets, content } = message;
    let mut lines = Lines::default();
    lines.put(4, format!("{}, Length={octets}", message_name(*kind)));
    match content {
        Some(content) => tell_content(content, &mut lines),
        None => lines.put(6, "cannot be taken apart".to_owned()),
    }
    lines.end()
}

/// Tells what an encrypted handshake message said.
pub(super) fn disclosure(disclosure: &Disclosure) -> Vec<String> {
    let mut lines = Lines::default();
    match disclosure {
        Disclosure::Certificate(chain) => {
            lines.put(4, "Certificate".to_owned());
            tell_chain(chain, &mut lines);
        }
        Disclosure::Signature(scheme) => {
            lines.put(4, "CertificateVerify".to_owned());
            lines.put(6, format!("Signature Algorithm: {}", self::scheme(scheme.0)));
        }
        Disclosure::CertificateRequest(schemes) => {
            lines.put(4, "CertificateRequest".to_owned());
            lines.list(6, schemes.iter().map(|scheme| self::scheme(scheme.0)));
        }
        Disclosure::Ticket(_) => lines.put(4, "NewSessionTicket".to_owned()),
        Disclosure::Protocol(name) => {
            let name = String::from_utf8_lossy(name);
            lines.put(
                4,
                format!("EncryptedExtensions, application protocol {}", name.escape_debug()),
            );
        }
    }
    lines.end()
}

/// Lines with their indentation.
#[derive(Default)]
struct Lines(Vec<String>);

impl Lines {
    fn put(&mut self, indent: usize, line: String) {
        self.0.push(format!("{:indent$}{line}", ""));
    }

    fn list(&mut self, indent: usize, items: impl Iterator<Item = String>) {
        items.for_each(|item| self.put(indent, item));
    }

    /// An empty line follows each message.
    fn end(mut self) -> Vec<String> {
        self.0.push(String::new());
        self.0
    }
}

fn tell_content(content: &HandshakeContent, lines: &mut Lines) {
    match content {
        HandshakeContent::ClientHello(hello) => {
            tell_hello(hello, "client_version", lines);
            lines.put(6, format!("cipher_suites (len={})", hello.suites.len() * 2));
            lines.list(8, hello.suites.iter().map(|number| suite(*number)));
            lines.put(6, format!("compression_methods (len={})", hello.compression.len()));
            lines.list(8, hello.compression.iter().map(|number| compression(*number)));
            tell_extensions(&hello.extensions, lines);
        }
        HandshakeContent::ServerHello(hello) => {
            tell_hello(hello, "server_version", lines);
            lines.list(6, hello.suites.iter().map(|it| format!("cipher_suite {}", suite(*it))));
            let methods = hello.compression.iter();
            lines.list(6, methods.map(|it| format!("compression_method: {}", compression(*it))));
            tell_extensions(&hello.extensions, lines);
        }
        HandshakeContent::Certificate(chain) => tell_chain(chain, lines),
        HandshakeContent::CertificateStatus { octets } => {
            lines.put(6, format!("OCSP response (len={octets})"));
        }
        HandshakeContent::ServerKeyExchange { share: KeyShare { group, key }, scheme } => {
            lines.put(6, "KeyExchangeAlgorithm=ECDHE".to_owned());
            lines.put(8, format!("named_curve: {}", self::group(*group)));
            lines.put(8, octets("point", key));
            lines.put(6, format!("Signature Algorithm: {}", self::scheme(*scheme)));
        }
        HandshakeContent::OtherKeyExchange { exchange, scheme } => {
            let (algorithm, parameter) = match exchange {
                KeyExchange::Ecdhe(group) => {
                    ("ECDHE", format!("named_curve: {}", self::group(*group)))
                }
                KeyExchange::ExplicitCurve => ("ECDHE", "explicit curve".to_owned()),
                KeyExchange::Dhe { bits, group: None } => ("DHE", format!("dh_p: {bits} bits")),
                KeyExchange::Dhe { group: Some(group), .. } => {
                    ("DHE", format!("dh_p: {}", self::group(*group)))
                }
                KeyExchange::ExportRsa { bits } => ("RSA", format!("rsa_modulus: {bits} bits")),
            };
            lines.put(6, format!("KeyExchangeAlgorithm={algorithm}"));
            lines.put(8, parameter);
            lines.list(
                6,
                scheme.iter().map(|it| format!("Signature Algorithm: {}", self::scheme(*it))),
            );
        }
        HandshakeContent::ClientKeyExchange(key) => {
            lines.put(6, "KeyExchangeAlgorithm=ECDHE".to_owned());
            lines.put(8, octets("ecdh_Yc", key));
        }
        HandshakeContent::CertificateRequest { schemes, authorities } => {
            lines.put(6, format!("signature_algorithms (len={})", schemes.len() * 2));
            lines.list(8, schemes.iter().map(|number| scheme(*number)));
            lines.put(6, format!("certificate_authorities (count={authorities})"));
        }
        HandshakeContent::CertificateVerify(scheme) => {
            lines.put(6, format!("Signature Algorithm: {}", self::scheme(*scheme)));
        }
        HandshakeContent::NewSessionTicket { lifetime, octets } => {
            lines.put(8, format!("ticket_lifetime_hint={lifetime}"));
            lines.put(8, format!("ticket (len={octets})"));
        }
        HandshakeContent::Empty => {}
    }
}

fn tell_hello(hello: &Hello, field: &str, lines: &mut Lines) {
    lines.put(6, format!("{field}=0x{:x} ({})", hello.version, version(hello.version)));
    lines.put(6, "Random:".to_owned());
    let (time, rest) = hello.random.split_at(hello.random.len().min(4));
    lines.put(8, format!("gmt_unix_time=0x{}", hex(time)));
    lines.put(8, octets("random_bytes", rest));
    lines.put(6, octets("session_id", &hello.session_id));
}

fn tell_extensions(extensions: &[Extension], lines: &mut Lines) {
    if extensions.is_empty() {
        return lines.put(6, "No extensions".to_owned());
    }
    let length: usize = extensions.iter().map(|extension| 4 + extension.octets).sum();
    lines.put(6, format!("extensions, length = {length}"));
    for Extension { kind, octets, content } in extensions {
        let name = extension_name(*kind);
        lines.put(8, format!("extension_type={name}({kind}), length={octets}"));
        match content {
            ExtensionContent::ServerName(name) => {
                lines.put(10, String::from_utf8_lossy(name).into_owned());
            }
            ExtensionContent::Groups(groups) => {
                lines.list(10, groups.iter().map(|number| group(*number)));
            }
            ExtensionContent::PointFormats(formats) => {
                lines.list(10, formats.iter().map(|number| point_format(*number)));
            }
            ExtensionContent::Schemes(schemes) => {
                lines.list(10, schemes.iter().map(|number| scheme(*number)));
            }
            ExtensionContent::Versions(versions) => {
                // The server's is one without a list around it.
                let indent = if *octets == 2 { 12 } else { 10 };
                let versions = versions.iter();
                let tell = |number: &u16| format!("{} ({number})", version(*number));
                lines.list(indent, versions.map(tell));
            }
            ExtensionContent::PskModes(modes) => {
                lines.list(10, modes.iter().map(|mode| psk_mode(*mode)));
            }
            ExtensionContent::KeyShares(shares) => {
                for KeyShare { group, key } in shares {
                    lines.put(12, format!("NamedGroup: {}", self::group(*group)));
                    lines.put(12, self::octets("key_exchange: ", key));
                }
            }
            ExtensionContent::WantedGroup(group) => {
                lines.put(12, format!("NamedGroup: {}", self::group(*group)));
            }
            ExtensionContent::CertificateTypes(types) => {
                lines.list(10, types.iter().map(|number| certificate_type(*number)));
            }
            ExtensionContent::Other => {}
        }
    }
}

fn tell_chain(chain: &[impl AsRef<[u8]>], lines: &mut Lines) {
    for der in chain {
        let der = der.as_ref();
        lines.put(8, format!("ASN.1Cert, length={}", der.len()));
        if let Ok(certificate) = Certificate::parse(der.to_vec().into()) {
            lines.put(10, format!("subject={}", certificate.subject()));
            lines.put(10, format!("issuer={}", certificate.issuer()));
        }
    }
}

fn octets(what: &str, octets: &[u8]) -> String {
    format!("{what} (len={}): {}", octets.len(), hex(octets))
}

fn hex(octets: &[u8]) -> String {
    octets.iter().fold(String::new(), |mut hex, octet| {
        let _ = write!(hex, "{octet:02X}");
        hex
    })
}

/// The renegotiation signal (RFC 5746 section 3.3) stands among the suites but is none.
const RENEGOTIATION: u16 = 0x00ff;

fn suite(number: u16) -> String {
    let [high, low] = number.to_be_bytes();
    let name = match Suite::by_number(number) {
        Some(suite) => suite.iana,
        None if number == RENEGOTIATION => "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
        None => "UNKNOWN",
    };
    format!("{{0x{high:02X}, 0x{low:02X}}} {name}")
}

fn compression(number: u8) -> String {
    let name = if number == 0 { "No Compression" } else { "UNKNOWN" };
    format!("{name} (0x{number:02x})")
}

fn psk_mode(number: u8) -> String {
    format!(
        "{} ({number})",
        ["psk_ke", "psk_dhe_ke"].get(usize::from(number)).unwrap_or(&"UNKNOWN")
    )
}

fn point_format(number: u8) -> String {
    let names = ["uncompressed", "ansiX962_compressed_prime", "ansiX962_compressed_char2"];
    format!("{} ({number})", names.get(usize::from(number)).unwrap_or(&"UNKNOWN"))
}

/// RFC 7250 section 3.
fn certificate_type(number: u8) -> String {
    let names = ["X509", "OpenPGP", "RawPublicKey"];
    format!("{} ({number})", names.get(usize::from(number)).unwrap_or(&"UNKNOWN"))
}

fn group(number: u16) -> String {
    format!("{} ({number})", name(GROUPS, number))
}

fn scheme(number: u16) -> String {
    format!("{} (0x{number:04x})", name(SCHEMES, number))
}

fn version(number: u16) -> &'static str {
    name(VERSIONS, number)
}

fn extension_name(number: u16) -> &'static str {
    name(EXTENSIONS, number)
}

fn message_name(number: u8) -> &'static str {
    name(MESSAGES, number.into())
}

fn name(table: &'static [(u16, &'static str)], number: u16) -> &'static str {
    table.iter().find(|(known, _)| *known == number).map_or("UNKNOWN", |(_, name)| name)
}

const VERSIONS: &[(u16, &str)] = &[
    (0x300, "SSL 3.0"),
    (0x301, "TLS 1.0"),
    (0x302, "TLS 1.1"),
    (0x303, "TLS 1.2"),
    (0x304, "TLS 1.3"),
];

const MESSAGES: &[(u16, &str)] = &[
    (0, "HelloRequest"),
    (1, "ClientHello"),
    (2, "ServerHello"),
    (4, "NewSessionTicket"),
    (11, "Certificate"),
    (12, "ServerKeyExchange"),
    (13, "CertificateRequest"),
    (14, "ServerHelloDone"),
    (15, "CertificateVerify"),
    (16, "ClientKeyExchange"),
    (20, "Finished"),
    (22, "CertificateStatus"),
];

const EXTENSIONS: &[(u16, &str)] = &[
    (0, "server_name"),
    (1, "max_fragment_length"),
    (5, "status_request"),
    (10, "supported_groups"),
    (11, "ec_point_formats"),
    (13, "signature_algorithms"),
    (16, "application_layer_protocol_negotiation"),
    (18, "signed_certificate_timestamps"),
    (19, "client_cert_type"),
    (20, "server_cert_type"),
    (21, "padding"),
    (22, "encrypt_then_mac"),
    (23, "extended_master_secret"),
    (35, "session_ticket"),
    (41, "psk"),
    (42, "early_data"),
    (43, "supported_versions"),
    (44, "cookie_ext"),
    (45, "psk_key_exchange_modes"),
    (47, "certificate_authorities"),
    (49, "post_handshake_auth"),
    (50, "signature_algorithms_cert"),
    (51, "key_share"),
    (65281, "renegotiate"),
];

const GROUPS: &[(u16, &str)] = &[
    (23, "secp256r1 (P-256)"),
    (24, "secp384r1 (P-384)"),
    (25, "secp521r1 (P-521)"),
    (29, "ecdh_x25519"),
    (30, "ecdh_x448"),
    (256, "ffdhe2048"),
    (257, "ffdhe3072"),
    (4587, "SecP256r1MLKEM768"),
    (4588, "X25519MLKEM768"),
    (4589, "SecP384r1MLKEM1024"),
];

const SCHEMES: &[(u16, &str)] = &[
    (0x0201, "rsa_pkcs1_sha1"),
    (0x0203, "ecdsa_sha1"),
    (0x0401, "rsa_pkcs1_sha256"),
    (0x0403, "ecdsa_secp256r1_sha256"),
    (0x0501, "rsa_pkcs1_sha384"),
    (0x0503, "ecdsa_secp384r1_sha384"),
    (0x0601, "rsa_pkcs1_sha512"),
    (0x0603, "ecdsa_secp521r1_sha512"),
    (0x0804, "rsa_pss_rsae_sha256"),
    (0x0805, "rsa_pss_rsae_sha384"),
    (0x0806, "rsa_pss_rsae_sha512"),
    (0x0807, "ed25519"),
    (0x0808, "ed448"),
    (0x0809, "rsa_pss_pss_sha256"),
    (0x080a, "rsa_pss_pss_sha384"),
    (0x080b, "rsa_pss_pss_sha512"),
];

#[cfg(test)]
mod tests {
    use tlsfinger_core::report::SignatureScheme;

    use super::*;

    #[test]
    fn server_hello() {
        let extensions = vec![
            Extension { kind: 43, octets: 2, content: ExtensionContent::Versions(vec![0x304]) },
            Extension {
                kind: 51,
                octets: 8,
                content: ExtensionContent::KeyShares(vec![KeyShare {
                    group: 29,
                    key: b"\x11\xef\x9b\xe3".to_vec().into(),
                }]),
            },
            Extension { kind: 9999, octets: 1, content: ExtensionContent::Other },
        ];
        let hello = Hello {
            version: 0x303,
            random: (0..32).collect::<Vec<u8>>().into(),
            session_id: b"\xb3".to_vec().into(),
            suites: vec![0x1302],
            compression: vec![0],
            extensions,
        };
        let content = Some(HandshakeContent::ServerHello(hello));
        let told = message(&HandshakeMessage { kind: 2, octets: 60, content });
        let expected = "    ServerHello, Length=60
      server_version=0x303 (TLS 1.2)
      Random:
        gmt_unix_time=0x00010203
        random_bytes (len=28): 0405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F
      session_id (len=1): B3
      cipher_suite {0x13, 0x02} TLS_AES_256_GCM_SHA384
      compression_method: No Compression (0x00)
      extensions, length = 23
        extension_type=supported_versions(43), length=2
            TLS 1.3 (772)
        extension_type=key_share(51), length=8
            NamedGroup: ecdh_x25519 (29)
            key_exchange:  (len=4): 11EF9BE3
        extension_type=UNKNOWN(9999), length=1
";
        assert_eq!(told.join("\n"), expected);
    }

    #[test]
    fn headers_and_what_is_known_of_the_rest() {
        let header = RecordHeader { kind: 22, version: 0x301, octets: 512 };
        let expected = [
            "Sent Record",
            "Header:",
            "  Version = TLS 1.0 (0x301)",
            "  Content Type = Handshake (22)",
            "  Length = 512",
        ];
        assert_eq!(record(Direction::Sent, header), expected);
        let cut = HandshakeMessage { kind: 11, octets: 1, content: None };
        assert_eq!(message(&cut), ["    Certificate, Length=1", "      cannot be taken apart", ""]);
        let signature = disclosure(&Disclosure::Signature(SignatureScheme(0x0804)));
        let algorithm = "      Signature Algorithm: rsa_pss_rsae_sha256 (0x0804)";
        assert_eq!(signature, ["    CertificateVerify", algorithm, ""]);
    }
}
