//! From a host's name to a connection: resolve, judge, connect.

use std::{io, time::Duration};

use futures::stream::{FuturesUnordered, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time::sleep,
};

use super::{
    Prober,
    attempt::{Attempt, of_io},
};
use crate::{
    model::{Failure, Phase},
    spec::Family,
    target::{self, Judged},
};

/// How long an address is waited for before the next one is tried beside it (RFC 8305 section 8).
const HEAD_START: Duration = Duration::from_millis(250);

/// A connection, encrypted or not.
pub trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

pub type Wire = Box<dyn Io>;

impl Prober {
    /// The addresses of a host that may be connected to.
    pub(super) async fn resolve(
        &self,
        host: &str,
        port: u16,
        family: Family,
        attempt: &mut Attempt,
    ) -> Result<Vec<Judged>, Failure> {
        let shared = &self.shared;
        let work = target::resolve(&shared.resolver, host, port, family, self.policy(attempt.owner));
        let found = attempt.phase(Phase::Resolve, work).await?;
        found.inspect_err(|failure| shared.refused.met(host, failure))
    }

    /// A connection to a host.
    pub(super) async fn connect(
        &self,
        host: &str,
        port: u16,
        family: Family,
        attempt: &mut Attempt,
    ) -> Result<TcpStream, Failure> {
        let addresses = self.resolve(host, port, family, attempt).await?;
        let connected = attempt.phase(Phase::Connect, first_of(addresses)).await?;
        let stream = connected.map_err(|error| of_io(&error, "connecting"))?;
        attempt.address = stream.peer_addr().ok().map(|peer| peer.ip().to_canonical());
        // What is asked is small, and what is measured must not wait for an acknowledgement.
        stream.set_nodelay(true).map_err(|error| of_io(&error, "connecting"))?;
        Ok(stream)
    }
}

/// The first connection of several attempts, each of which begins a little after the one before, or when that has failed.
async fn first_of(addresses: Vec<Judged>) -> io::Result<TcpStream> {
    let connect = |judged: Judged| TcpStream::connect(judged.address());
    let mut addresses = addresses.into_iter();
    let mut attempts: FuturesUnordered<_> = addresses.next().map(connect).into_iter().collect();
    let mut error = io::Error::new(io::ErrorKind::NotFound, "there is no address");
    loop {
        tokio::select! {
            Some(ended) = attempts.next() => match ended {
                Ok(stream) => return Ok(stream),
                Err(failed) => error = failed,
            },
            () = sleep(HEAD_START), if !addresses.as_slice().is_empty() => {}
            else => return Err(error),
        }
        attempts.extend(addresses.next().map(connect));
    }
}
