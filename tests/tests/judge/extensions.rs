//! Extensions: what x509-cert can decode strictly is decoded alike.

use tlsfinger_core::cert::{Certificate, Extensions, GeneralName};
use x509_cert::der::{Decode as _, Encode as _};
use x509_cert::ext::pkix;

use super::chains::chains;

#[test]
fn strict_decoders_agree() {
    let (mut certificates, mut decoded) = (0, 0);
    for (name, chain) in chains() {
        for der in &chain.sent {
            let Ok(strict) = x509_cert::Certificate::from_der(der) else { continue };
            let ours = Certificate::parse(der.clone()).expect("is readable");
            let extensions = Extensions::decode(&ours);
            let strict = strict.tbs_certificate();
            certificates += 1;
            assert_eq!(strict.subject().to_der().expect("encodes"), ours.subject().der()[..]);
            let key = strict.subject_public_key_info().to_der().expect("encodes");
            assert_eq!(key, ours.spki()[..], "{name}");
            let validity = ours.validity();
            let seconds = strict.validity().not_after.to_unix_duration().as_secs();
            assert_eq!(validity.not_after.map(|time| time.0), i64::try_from(seconds).ok());

            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::BasicConstraints>() {
                let ours = extensions.basic_constraints.expect("is there").expect("is right");
                let length = strict.path_len_constraint.map(u16::from);
                assert_eq!((ours.ca, ours.path_length), (strict.ca, length), "{name}");
                decoded += 1;
            }
            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::SubjectKeyIdentifier>() {
                let ours = extensions.subject_key_id.clone().expect("is there");
                assert_eq!(ours.expect("is right"), strict.0.as_bytes(), "{name}");
                decoded += 1;
            }
            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::AuthorityKeyIdentifier>() {
                let ours = extensions.authority_key_id.clone().expect("is there");
                let ours = ours.expect("is right").key_id;
                let strict = strict.key_identifier.as_ref().map(|id| id.as_bytes());
                assert_eq!(ours.as_deref(), strict, "{name}");
                decoded += 1;
            }
            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::KeyUsage>() {
                // One that allows nothing is an error here (RFC 5280 section 4.2.1.3).
                let ours = extensions.key_usage.expect("is there").map_or(0, |usage| usage.0);
                assert_eq!(ours.reverse_bits(), strict.0.bits(), "{name}");
                decoded += 1;
            }
            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::ExtendedKeyUsage>() {
                let ours = extensions.extended_key_usage.clone().expect("is there");
                let strict: Vec<&[u8]> = strict.0.iter().map(|oid| oid.as_bytes()).collect();
                assert_eq!(ours.expect("is right").0, strict, "{name}");
                decoded += 1;
            }
            if let Ok(Some((_, strict))) = strict.get_extension::<pkix::SubjectAltName>() {
                assert_eq!(extensions.names().len(), strict.0.len(), "{name}");
                for (ours, strict) in extensions.names().iter().zip(&strict.0) {
                    if let pkix::name::GeneralName::DnsName(strict) = strict {
                        let expected = GeneralName::Dns(strict.as_bytes().to_vec().into());
                        assert_eq!(*ours, expected, "{name}");
                    }
                }
                decoded += 1;
            }
        }
    }
    assert!(certificates > 200 && decoded > 1000, "{certificates} {decoded}");
}
