//! A connection of which only so much is read, where a library would keep whatever comes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{connect::Wire, failure};
use crate::model::{Failure, Reason};

/// Bytes that are read of a connection: a hundred times what an answer needs.
const MOST: usize = 1024 * 1024;

/// The connection. Reading more than it may is an error.
pub struct LimitedWire {
    wire: Wire,
    left: usize,
    exceeded: Arc<AtomicBool>,
}

/// Whether the limit was exceeded: a library may tell another error for it.
pub struct Exceeded(Arc<AtomicBool>);

impl LimitedWire {
    pub fn new(wire: Wire) -> (Self, Exceeded) {
        let exceeded = Arc::new(AtomicBool::new(false));
        (Self { wire, left: MOST, exceeded: exceeded.clone() }, Exceeded(exceeded))
    }
}

impl Exceeded {
    /// The failure, or what was really the cause of it.
    pub fn or(&self, failure_of_library: Failure) -> Failure {
        if self.0.load(Ordering::Relaxed) {
            failure(Reason::BodyTooLarge, format!("the server sent more than {MOST} bytes"))
        } else {
            failure_of_library
        }
    }
}

impl AsyncRead for LimitedWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.wire).poll_read(context, buffer))?;
        let read = buffer.filled().len().saturating_sub(before);
        if let Some(left) = self.left.checked_sub(read) {
            self.left = left;
            return Poll::Ready(Ok(()));
        }
        self.exceeded.store(true, Ordering::Relaxed);
        Poll::Ready(Err(io::Error::other("the server sent too much")))
    }
}

impl AsyncWrite for LimitedWire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn what_comes_without_end_is_an_error_after_the_limit() {
        let (mut limited, exceeded) =
            LimitedWire::new(Box::new(tokio::io::join(tokio::io::repeat(0), tokio::io::sink())));
        let mut all = Vec::new();
        assert!(limited.read_to_end(&mut all).await.is_err());
        // The last read may have filled the buffer before it failed.
        assert!(all.len() <= 2 * MOST, "{}", all.len());
        assert_eq!(exceeded.or(failure(Reason::Closed, "x")).reason, Reason::BodyTooLarge);
        let (_, within) = LimitedWire::new(Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink())));
        assert_eq!(within.or(failure(Reason::Closed, "x")).reason, Reason::Closed);
    }
}
