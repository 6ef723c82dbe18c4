//! TCP: a connection, and if wanted a text sent and a text that must come. TLS: a handshake and its certificates.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{
    Prober,
    attempt::{Attempt, of_io},
    failure,
    tls::Wanted,
};
use crate::{
    model::{Failure, Phase, Reason},
    spec::{TcpSpec, TlsSpec},
};

/// Bytes among which a text must be.
const MOST: usize = 4096;

pub async fn run(prober: &Prober, spec: &TcpSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let mut stream = prober.connect(&spec.host, spec.port, spec.family, attempt).await?;
    if let Some(text) = &spec.send {
        let sent = attempt.phase(Phase::FirstByte, stream.write_all(text.as_bytes())).await?;
        sent.map_err(|error| of_io(&error, "writing"))?;
    }
    let Some(expected) = &spec.expect else { return Ok(()) };
    let mut came = Vec::new();
    let read = async {
        let mut some = [0; 1024];
        loop {
            let count = stream.read(&mut some).await.map_err(|error| of_io(&error, "reading"))?;
            came.extend(some.iter().take(count));
            if String::from_utf8_lossy(&came).contains(expected.as_str()) {
                return Ok(());
            }
            if count == 0 || came.len() >= MOST {
                return Err(failure(Reason::Banner, format!("{expected:?} did not come")));
            }
        }
    };
    attempt.phase(Phase::FirstByte, read).await?
}

pub async fn run_tls(prober: &Prober, spec: &TlsSpec, attempt: &mut Attempt) -> Result<(), Failure> {
    let stream = prober.connect(&spec.host, spec.port, spec.family, attempt).await?;
    let name = spec.server_name.as_deref().unwrap_or(&spec.host);
    let wanted = Wanted { verify: spec.verify, ..Wanted::default() };
    prober.shared.tls.wrap(stream, name, &wanted, attempt).await?;
    Ok(())
}
