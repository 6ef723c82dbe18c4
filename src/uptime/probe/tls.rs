//! TLS of probes. The handshake takes any certificate, whose holder it proves; it is judged right after it, before anything is sent: so a certificate
//! that is refused tells its dates, too.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error, ProtocolVersion, RootCertStore, SignatureScheme,
    client::{
        Resumption, WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject as _},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{
    attempt::{Attempt, of_io},
    chain::{self, of_tls},
    connect::Io,
    failure,
};
use crate::{
    model::{Failure, Phase, Reason},
    target::literal,
};

/// How a connection is encrypted.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub verify: bool,
    /// Protocols that are offered, the preferred one first.
    pub alpn: Vec<Vec<u8>>,
    /// Of the client, PEM: certificate and key.
    pub identity: Option<(String, String)>,
}

/// What TLS of probes needs. The certificates of the system are read when they are first needed.
#[derive(Debug)]
pub struct Tls {
    provider: Arc<CryptoProvider>,
    roots: Vec<CertificateDer<'static>>,
    verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, String>>,
    /// Without a certificate of the client, and with `h2`, with `http/1.1`, with both, with none.
    configs: [OnceLock<Arc<ClientConfig>>; 4],
}

impl Tls {
    pub fn new(roots: Vec<CertificateDer<'static>>) -> Self {
        Self {
            provider: Arc::new(aws_lc_rs::default_provider()),
            roots,
            verifier: OnceLock::new(),
            configs: Default::default(),
        }
    }

    fn verifier(&self) -> &Result<Arc<dyn ServerCertVerifier>, String> {
        self.verifier.get_or_init(|| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            store.add_parsable_certificates(self.roots.iter().cloned());
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(store), self.provider.clone()).build();
            match built {
                Ok(verifier) => Ok(verifier as Arc<dyn ServerCertVerifier>),
                Err(error) => Err(format!("this host trusts no certificates: {error}")),
            }
        })
    }

    fn config(&self, wanted: &Wanted) -> Result<Arc<ClientConfig>, Failure> {
        let offers = |name: &[u8]| wanted.alpn.iter().any(|one| one == name);
        let place = usize::from(offers(b"h2")) + 2 * usize::from(offers(b"http/1.1"));
        let usual = self.configs.get(place).filter(|_| wanted.identity.is_none());
        if let Some(made) = usual.and_then(OnceLock::get) {
            return Ok(made.clone());
        }
        let config = Arc::new(self.build(wanted)?);
        Ok(usual.map_or_else(|| config.clone(), |place| place.get_or_init(|| config.clone()).clone()))
    }

    fn build(&self, wanted: &Wanted) -> Result<ClientConfig, Failure> {
        let builder = ClientConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| of_tls(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Unjudged(self.provider.clone())));
        let mut config = match &wanted.identity {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let unreadable = |_| failure(Reason::TlsFailed, "the client's certificate or key is no PEM");
                let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(certificate.as_bytes()).collect();
                let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(unreadable)?;
                builder.with_client_auth_cert(chain.map_err(unreadable)?, key).map_err(|error| of_tls(&error))?
            }
        };
        config.alpn_protocols.clone_from(&wanted.alpn);
        // A handshake that is resumed shows no certificate.
        config.resumption = Resumption::disabled();
        Ok(config)
    }

    /// Encrypts a connection and judges the certificates. Whoever verifies gets no connection whose certificate is refused.
    pub async fn wrap<S: Io>(
        &self,
        stream: S,
        host: &str,
        wanted: &Wanted,
        attempt: &mut Attempt,
    ) -> Result<TlsStream<S>, Failure> {
        let name = match literal(host) {
            Some(ip) => ServerName::from(ip),
            None => ServerName::try_from(host.trim_end_matches('.').to_owned())
                .map_err(|_| failure(Reason::TlsFailed, format!("{host:?} cannot be the name of a server")))?,
        };
        let connector = TlsConnector::from(self.config(wanted)?);
        let shaken = attempt.phase(Phase::Tls, connector.connect(name.clone(), stream)).await?;
        let stream = shaken.map_err(|error| of_handshake(&error))?;
        let (_, connection) = stream.get_ref();
        let version = match connection.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "1.3",
            Some(ProtocolVersion::TLSv1_2) => "1.2",
            _ => "",
        };
        let sent = connection.peer_certificates().unwrap_or_default();
        let (certificate, verdict) = chain::judge(sent, &name, self.verifier(), attempt.at(), version);
        attempt.certificate = certificate;
        if wanted.verify {
            verdict?;
        }
        Ok(stream)
    }
}

fn of_handshake(error: &io::Error) -> Failure {
    let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    tls.map_or_else(|| of_io(error, "TLS"), of_tls)
}

/// Proves that the server holds the key of its certificate, and takes any certificate.
#[derive(Debug)]
struct Unjudged(Arc<CryptoProvider>);

impl ServerCertVerifier for Unjudged {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
