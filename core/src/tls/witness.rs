//! The verifier that records what it sees and judges nothing, and the key resolver beside it.
//!
//! The one thing that is checked is the handshake signature: the peer must own the key it shows.
//! It is verified over the raw SubjectPublicKeyInfo, so nothing else in a certificate can get in
//! the way.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use bytes::Bytes;
use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::sign::CertifiedKey;
use rustls::{CertificateError, DigitallySignedStruct, Error};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::cert::{
    Certificate, Hash, SignatureError, TLS12_SCHEMES, scheme_hash, verify_handshake,
};
use crate::config::{Offer, ServerCertificates, ServerKeys};
use crate::limits;
use crate::report::{Disclosure, KeyProof, SignatureScheme, TlsError, TlsVersion};

use super::loan;

/// Finds the process-wide verifier for what an offer says of certificates. Resumption needs the very
/// same one for all connections of a server.
pub(super) fn verifier(offer: &Offer) -> Arc<dyn ServerCertVerifier> {
    static WITNESSES: Mutex<Vec<Arc<Witness>>> = Mutex::new(Vec::new());
    let raw_keys = offer.certificates == ServerCertificates::RawPublicKey;
    let wanted = Witness { raw_keys, sha1: offer.sha1, keys: offer.keys, schemes: None };
    let mut witnesses = WITNESSES.lock().unwrap_or_else(PoisonError::into_inner);
    match witnesses.iter().find(|witness| ***witness == wanted) {
        Some(witness) => witness.clone(),
        None => {
            let witness = Arc::new(wanted);
            witnesses.push(witness.clone());
            witness
        }
    }
}

/// Makes a verifier that asks for signatures of these schemes, whether they can be verified or not.
/// It is for one configuration: with another, no session of it can be resumed.
pub(super) fn verifier_of(schemes: Vec<u16>) -> Arc<dyn ServerCertVerifier> {
    Arc::new(Witness { raw_keys: false, sha1: true, keys: None, schemes: Some(schemes) })
}

/// Finds the process-wide resolver of client keys.
pub(super) fn resolver() -> Arc<dyn ResolvesClientCert> {
    static RESOLVER: LazyLock<Arc<LentIdentity>> = LazyLock::new(|| Arc::new(LentIdentity));
    RESOLVER.clone()
}

#[derive(Debug, PartialEq, Eq)]
struct Witness {
    raw_keys: bool,
    sha1: bool,
    keys: Option<ServerKeys>,
    /// Schemes that are asked for instead of all that can be verified.
    schemes: Option<Vec<u16>>,
}

impl Witness {
    fn verify(
        &self,
        version: TlsVersion,
        message: &[u8],
        end_entity: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let scheme = u16::from(signed.scheme);
        let result = if self.raw_keys {
            verify_handshake(scheme, version, end_entity, message, signed.signature())
        } else {
            match Certificate::find_spki(end_entity) {
                Ok(spki) => verify_handshake(scheme, version, spki, message, signed.signature()),
                Err(_) => Err(SignatureError::UnsupportedKey),
            }
        };
        let refusal = match result {
            Ok(()) => None,
            Err(SignatureError::UnsupportedKey | SignatureError::UnsupportedScheme) => None,
            Err(SignatureError::BadSignature | SignatureError::WrongKeyType) => {
                Some(TlsError::BadSignature)
            }
        };
        loan::borrow(|loan| {
            loan.record.server_signature = Some(SignatureScheme(scheme));
            loan.record.key_proof = match result {
                Ok(()) => KeyProof::Proved,
                Err(_) => KeyProof::Unverifiable,
            };
            loan.record.refusal.clone_from(&refusal);
            loan.record.disclose(|| Disclosure::Signature(SignatureScheme(scheme)));
        });
        match refusal {
            None => Ok(HandshakeSignatureValid::assertion()),
            Some(_) => Err(Error::InvalidCertificate(CertificateError::BadSignature)),
        }
    }
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let chain = || {
            let chain = std::iter::once(end_entity).chain(intermediates);
            chain.map(|der| Bytes::copy_from_slice(der)).take(limits::CHAIN).collect()
        };
        loan::borrow(|loan| loan.record.disclose(|| Disclosure::Certificate(chain())));
        if !ocsp_response.is_empty() {
            let ocsp = Bytes::copy_from_slice(ocsp_response);
            loan::borrow(|loan| loan.record.ocsp = Some(ocsp));
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(TlsVersion::Tls12, message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verify(TlsVersion::Tls13, message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<rustls::SignatureScheme> {
        if let Some(schemes) = &self.schemes {
            return schemes.iter().map(|scheme| (*scheme).into()).collect();
        }
        let wanted = |scheme: &&u16| {
            let of_kind = self.keys.is_none_or(|keys| keys == scheme_keys(**scheme));
            of_kind && (self.sha1 || scheme_hash(**scheme) != Some(Hash::Sha1))
        };
        TLS12_SCHEMES.iter().filter(wanted).map(|scheme| (*scheme).into()).collect()
    }

    fn requires_raw_public_keys(&self) -> bool {
        self.raw_keys
    }
}

/// Tells the keys that make signatures of one of [`TLS12_SCHEMES`].
const fn scheme_keys(scheme: u16) -> ServerKeys {
    match scheme {
        0x0203 | 0x0403 | 0x0503 | 0x0603 | 0x0807 => ServerKeys::Ecdsa,
        _ => ServerKeys::Rsa,
    }
}

/// Notes that a client certificate was asked for, and shows one that fits.
#[derive(Debug)]
struct LentIdentity;

impl ResolvesClientCert for LentIdentity {
    fn resolve(
        &self,
        _root_hint_subjects: &[&[u8]],
        schemes: &[rustls::SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let identity = loan::borrow(|loan| {
            loan.record.client_certificate_requested = true;
            loan.record.disclose(|| {
                let schemes = schemes.iter().map(|scheme| SignatureScheme((*scheme).into()));
                Disclosure::CertificateRequest(schemes.collect())
            });
            loan.identity.clone()
        })?;
        identity.choose(schemes)
    }

    fn has_certs(&self) -> bool {
        true
    }
}
