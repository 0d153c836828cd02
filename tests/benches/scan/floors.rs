//! Bare handshakes of the same library, in memory.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error as TlsError, RootCertStore,
    ServerConfig, ServerConnection, SignatureScheme,
};
use tlsfinger_tests::farm::{Host, Kind, Pki};

use crate::figures::thread_micros;

/// A thread that makes bare handshakes when it is asked to.
pub(crate) struct FloorThread {
    asked: Sender<Floor>,
    told: Receiver<f64>,
}

/// Which handshakes.
pub(crate) enum Floor {
    Chain,
    Signature,
}

impl FloorThread {
    pub(crate) fn start() -> Self {
        let (asked, questions) = channel();
        let (answers, told) = channel();
        std::thread::spawn(move || {
            let floors = Floors::new();
            for floor in questions {
                let config = match floor {
                    Floor::Chain => &floors.verifying,
                    Floor::Signature => &floors.signature_only,
                };
                if answers.send(floors.handshakes(config)).is_err() {
                    break;
                }
            }
        });
        Self { asked, told }
    }

    /// Tells the microseconds of a client's side of a handshake.
    pub(crate) fn handshakes(&self, floor: Floor) -> f64 {
        self.asked.send(floor).expect("it waits");
        self.told.recv().expect("it answers")
    }
}

/// Bare handshakes in memory.
struct Floors {
    servers: Vec<(ServerName<'static>, Arc<ServerConfig>)>,
    verifying: Arc<ClientConfig>,
    signature_only: Arc<ClientConfig>,
}

impl Floors {
    fn new() -> Self {
        let pki = Pki::default();
        let hosts = (0..200).map(|number| Host { kind: Kind::Good, number });
        let servers = hosts.map(|host| {
            let name = ServerName::try_from(host.name()).expect("is a name");
            (name, pki.config(host))
        });
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(pki.root_pem().as_bytes()).expect("is PEM");
        roots.add(root).expect("is a root");
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = || {
            ClientConfig::builder_with_provider(provider.clone())
                .with_safe_default_protocol_versions()
                .expect("are there")
        };
        let mut verifying = builder().with_root_certificates(roots).with_no_client_auth();
        verifying.resumption = Resumption::disabled();
        let mut signature_only = builder()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(SignatureOnly(provider.clone())))
            .with_no_client_auth();
        signature_only.resumption = Resumption::disabled();
        Self {
            servers: servers.collect(),
            verifying: Arc::new(verifying),
            signature_only: Arc::new(signature_only),
        }
    }

    /// Tells the microseconds of a client's side of a handshake.
    fn handshakes(&self, config: &Arc<ClientConfig>) -> f64 {
        let mut spent = 0.0;
        for (name, server) in &self.servers {
            let mut server = ServerConnection::new(server.clone()).expect("is complete");
            let (mut to_server, mut to_client) = (Vec::new(), Vec::new());
            let mut began = thread_micros();
            let mut client =
                ClientConnection::new(config.clone(), name.clone()).expect("is complete");
            loop {
                while client.wants_write() {
                    client.write_tls(&mut to_server).expect("memory takes it");
                }
                spent += thread_micros() - began;
                if !client.is_handshaking() {
                    break;
                }
                server.read_tls(&mut &to_server[..]).expect("memory gives it");
                to_server.clear();
                server.process_new_packets().expect("the client is right");
                to_client.clear();
                while server.wants_write() {
                    server.write_tls(&mut to_client).expect("memory takes it");
                }
                began = thread_micros();
                let mut rest = &to_client[..];
                while !rest.is_empty() {
                    client.read_tls(&mut rest).expect("memory gives it");
                    client.process_new_packets().expect("the server is right");
                }
            }
            began = thread_micros();
            drop(client);
            spent += thread_micros() - began;
        }
        spent / self.servers.len() as f64
    }
}

/// Verifies the signature of the handshake and nothing else.
#[derive(Debug)]
struct SignatureOnly(Arc<CryptoProvider>);

impl ServerCertVerifier for SignatureOnly {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> std::result::Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
