//! A connection of which only so much is read, where a library would keep or skip whatever comes; and of which so much is read at a time that the
//! attempt's deadline and other tasks have their turn, however fast it comes.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{connect::Wire, failure};
use crate::model::{Failure, Reason};

/// Bytes that are read of a small answer: a hundred times what it needs.
pub const SMALL: usize = 1024 * 1024;
/// Bytes after which others have their turn.
const TURN: usize = 16 * 1024;

/// The connection. Reading more than it may is an error.
pub struct LimitedWire {
    wire: Wire,
    /// Read since others had their turn.
    turn: usize,
    limit: Limit,
}

/// How much may be read still, and whether more came: a library may tell another error for it.
#[derive(Clone)]
pub struct Limit(Arc<State>);

struct State {
    left: AtomicUsize,
    is_exceeded: AtomicBool,
}

impl LimitedWire {
    /// `most`: bytes.
    pub fn new(wire: Wire, most: usize) -> (Self, Limit) {
        let limit = Limit(Arc::new(State { left: AtomicUsize::new(most), is_exceeded: AtomicBool::new(false) }));
        (Self { wire, turn: 0, limit: limit.clone() }, limit)
    }
}

impl Limit {
    /// From now on, so many bytes more.
    pub fn allow(&self, most: usize) {
        self.0.left.store(most, Ordering::Relaxed);
    }

    /// The failure, or what was really the cause of it.
    pub fn or(&self, reason: Reason, failure_of_library: Failure) -> Failure {
        if self.0.is_exceeded.load(Ordering::Relaxed) {
            failure(reason, "the server sent more than is read of an answer")
        } else {
            failure_of_library
        }
    }

    /// Whether it may.
    fn takes(&self, read: usize) -> bool {
        let left = self.0.left.load(Ordering::Relaxed).checked_sub(read);
        match left {
            Some(left) => self.0.left.store(left, Ordering::Relaxed),
            None => self.0.is_exceeded.store(true, Ordering::Relaxed),
        }
        left.is_some()
    }
}

impl AsyncRead for LimitedWire {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.turn >= TURN {
            self.turn = 0;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        if Pin::new(&mut self.wire).poll_read(context, buffer)?.is_pending() {
            self.turn = 0;
            return Poll::Pending;
        }
        let read = buffer.filled().len().saturating_sub(before);
        self.turn = self.turn.saturating_add(read);
        if self.limit.takes(read) {
            return Poll::Ready(Ok(()));
        }
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
    use std::{future::poll_fn, pin::pin};

    use super::*;
    use tokio::io::AsyncReadExt as _;

    fn endless() -> Wire {
        Box::new(tokio::io::join(tokio::io::repeat(0), tokio::io::sink()))
    }

    #[tokio::test]
    async fn what_comes_without_end_is_an_error_after_the_limit() {
        let (mut limited, limit) = LimitedWire::new(endless(), SMALL);
        let mut all = Vec::new();
        assert!(limited.read_to_end(&mut all).await.is_err());
        // The last read may have filled the buffer before it failed.
        assert!(all.len() <= 2 * SMALL, "{}", all.len());
        assert_eq!(limit.or(Reason::BodyTooLarge, failure(Reason::Closed, "x")).reason, Reason::BodyTooLarge);
        let empty: Wire = Box::new(tokio::io::join(tokio::io::empty(), tokio::io::sink()));
        let (_, within) = LimitedWire::new(empty, SMALL);
        assert_eq!(within.or(Reason::BodyTooLarge, failure(Reason::Closed, "x")).reason, Reason::Closed);
    }

    #[tokio::test]
    async fn more_may_be_allowed() {
        let (mut limited, limit) = LimitedWire::new(endless(), 10);
        let mut some = [0; 10];
        limited.read_exact(&mut some).await.unwrap();
        limit.allow(5);
        limited.read_exact(&mut some[..5]).await.unwrap();
        assert!(limited.read_exact(&mut some[..1]).await.is_err());
    }

    #[tokio::test]
    async fn others_have_their_turn_while_bytes_come_without_a_pause() {
        let (mut limited, _limit) = LimitedWire::new(endless(), SMALL);
        let mut work = pin!(async move {
            let mut some = [0; 1024];
            while limited.read(&mut some).await.is_ok_and(|read| read > 0) {}
        });
        let mut polls = 0;
        poll_fn(|context| {
            polls += 1;
            work.as_mut().poll(context)
        })
        .await;
        assert!(polls >= SMALL / TURN, "{polls}");
    }
}
