//! Connections to mail servers, for SMTP and IMAP: TCP to an address that answers, and TLS.

use std::{io, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt as _};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme,
    client::{
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        verify_server_name,
    },
    crypto::aws_lc_rs::default_provider,
    pki_types::{
        CertificateDer, ServerName, UnixTime,
        pem::{self, PemObject as _},
    },
    server::ParsedCertificate,
};
use rustls_platform_verifier::Verifier;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, lookup_host},
    time::sleep,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use x509_parser::prelude::{FromDer as _, X509Certificate};

/// How long an address is waited for before the next one is tried beside it (RFC 8305 section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    #[error("the mail server cannot be reached")]
    Unreachable(#[source] io::Error),
    #[error("{0:?} is not the name of a mail server")]
    Host(String),
    #[error("the certificates in {0} cannot be read")]
    Certificates(String, #[source] pem::Error),
    #[error("TLS cannot be used")]
    Tls(#[source] rustls::Error),
    #[error("the connection cannot be encrypted")]
    Handshake(#[source] io::Error),
}

/// Connects to the first address of the host that answers. Each has its turn, IPv6 and IPv4 alternating: in many networks one of the two leads
/// nowhere, and says nothing.
pub async fn connect(host: &str, port: u16) -> Result<TcpStream, WireError> {
    let found = lookup_host((host, port)).await.map_err(WireError::Unreachable)?;
    let stream = first_of(by_turns(found.collect())).await.map_err(WireError::Unreachable)?;
    // What is written is written whole: the end of a mail need not wait for an answer to what came before it.
    stream.set_nodelay(true).map_err(WireError::Unreachable)?;
    Ok(stream)
}

/// The families of addresses by turns, beginning with the one that the resolver prefers.
pub(super) fn by_turns(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let preferred = found.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = found.into_iter().partition(|address| address.is_ipv6() == preferred);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut turns = Vec::new();
    loop {
        let before = turns.len();
        turns.extend(first.next());
        turns.extend(second.next());
        if turns.len() == before {
            return turns;
        }
    }
}

/// The first connection of several attempts, each of which begins a little after the one before, or when that has failed.
pub(super) async fn first_of(addresses: Vec<SocketAddr>) -> io::Result<TcpStream> {
    let mut addresses = addresses.into_iter();
    let mut attempts: FuturesUnordered<_> = addresses.next().map(TcpStream::connect).into_iter().collect();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "its name has no address");
    loop {
        tokio::select! {
            Some(ended) = attempts.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed,
            },
            () = sleep(HEAD_START), if !addresses.as_slice().is_empty() => {}
            else => return Err(error),
        }
        attempts.extend(addresses.next().map(TcpStream::connect));
    }
}

/// Trusts the certificates of the system, and those in `ca_file`: authorities, and servers' own.
pub fn tls(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, WireError> {
    let provider = Arc::new(default_provider());
    let own = ca_file.map(certificates).transpose()?.unwrap_or_default();
    let platform = Verifier::new_with_extra_roots(own.clone(), provider.clone()).map_err(WireError::Tls)?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(WireError::Tls)?
        .dangerous()
        // It verifies as others do, with the system's certificates and these.
        .with_custom_certificate_verifier(Arc::new(Trust { own, platform }))
        .with_no_client_auth();
    Ok(Arc::new(config))
}

pub async fn encrypted<S: AsyncRead + AsyncWrite + Unpin>(
    config: Arc<ClientConfig>,
    host: &str,
    stream: S,
) -> Result<TlsStream<S>, WireError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|_| WireError::Host(host.to_owned()))?;
    TlsConnector::from(config).connect(name, stream).await.map_err(WireError::Handshake)
}

/// Verifies as others do; and trusts a certificate that is itself one of the configured ones, for its names and while it is valid. Those that
/// `openssl req -x509` makes say that they are an authority's, and rustls takes no such certificate for a server's.
#[derive(Debug)]
struct Trust {
    own: Vec<CertificateDer<'static>>,
    platform: Verifier,
}

impl ServerCertVerifier for Trust {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.own.iter().any(|own| own.as_ref() == end_entity.as_ref()) {
            verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
            return verify_dates(end_entity, now).map(|()| ServerCertVerified::assertion());
        }
        self.platform.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform.verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.platform.verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.platform.supported_verify_schemes()
    }
}

fn verify_dates(certificate: &CertificateDer<'_>, now: UnixTime) -> Result<(), rustls::Error> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|_| CertificateError::BadEncoding)?;
    let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    if now < parsed.validity().not_before.timestamp() {
        return Err(CertificateError::NotValidYet.into());
    }
    if now > parsed.validity().not_after.timestamp() {
        return Err(CertificateError::Expired.into());
    }
    Ok(())
}

fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, WireError> {
    let unreadable = |error| WireError::Certificates(file.display().to_string(), error);
    CertificateDer::pem_file_iter(file).map_err(unreadable)?.collect::<Result<_, _>>().map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use tokio::{
        net::{TcpListener, TcpSocket},
        time::{Instant, timeout},
    };

    use super::*;

    #[test]
    fn families_alternate_beginning_with_the_preferred_one() {
        let parse = |text: &str| text.split_whitespace().map(|one| one.parse().unwrap()).collect::<Vec<SocketAddr>>();
        for (found, turns) in [
            ("[::1]:1 [::2]:1 [::3]:1 127.0.0.1:1", "[::1]:1 127.0.0.1:1 [::2]:1 [::3]:1"),
            ("127.0.0.1:1 127.0.0.2:1 [::1]:1", "127.0.0.1:1 [::1]:1 127.0.0.2:1"),
            ("127.0.0.1:1 127.0.0.2:1", "127.0.0.1:1 127.0.0.2:1"),
            ("", ""),
        ] {
            assert_eq!(by_turns(parse(found)), parse(turns));
        }
    }

    /// An address that says nothing: its queue of connections is full, and nobody takes one.
    struct Hole {
        address: SocketAddr,
        _listener: TcpListener,
        _queue: Vec<TcpStream>,
    }

    impl Hole {
        async fn new() -> Self {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            let listener = socket.listen(0).unwrap();
            let address = listener.local_addr().unwrap();
            let mut queue = Vec::new();
            while let Ok(stream) = timeout(Duration::from_millis(300), TcpStream::connect(address)).await {
                queue.push(stream.unwrap());
                assert!(queue.len() < 64, "this system has no such addresses");
            }
            Self { address, _listener: listener, _queue: queue }
        }
    }

    #[tokio::test]
    async fn addresses_that_say_nothing_leave_time_for_the_one_that_answers() {
        let (first, second) = (Hole::new().await, Hole::new().await);
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = alive.local_addr().unwrap();
        let began = Instant::now();
        let stream = first_of(vec![first.address, second.address, address]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), address);
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn an_address_that_refuses_costs_no_time_and_the_last_says_why() {
        let alive = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let stream = first_of(vec![refusing, alive.local_addr().unwrap()]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), alive.local_addr().unwrap());
        assert_eq!(first_of(vec![refusing]).await.unwrap_err().kind(), io::ErrorKind::ConnectionRefused);
        assert!(first_of(Vec::new()).await.unwrap_err().to_string().contains("no address"));
    }
}
