//! Handles the unread rest of a request body when the response is ready (a wrong key, an unknown path, a body that is too large).
//!
//! On a kept connection the next request starts after that body. hyper polls once for the rest and, if it is still in flight, closes the
//! connection without notice, and the client's next request fails. Here a small rest is read and discarded. For a larger one the response
//! says `Connection: close`, and the socket is closed only after the client has stopped sending ([`linger`]): closing earlier resets the
//! connection and can destroy the response.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    http::{HeaderValue, Request, StatusCode, Version, header},
    response::Response,
};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Metrics,
    metrics::{LeftBody, LeftLabels},
};

/// Most bytes discarded to keep a connection.
const SMALL: u64 = 1 << 20;
/// Longest delay of the response while the rest is discarded.
const WAIT: Duration = Duration::from_secs(1);
/// How long a closing connection is drained, in total and without receiving anything.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_SILENT: Duration = Duration::from_secs(2);
/// Most bytes drained from a closing connection.
const LINGER_BYTES: usize = 16 << 20;

/// The request body while it is being read, then its unread rest.
#[derive(Debug, Default)]
struct Slot {
    left: Option<Incoming>,
    /// Reading has begun: a client waiting for `100 Continue` has been told to send.
    begun: bool,
}

/// The body given to the routes. If dropped before its end, it puts the rest back into the slot.
#[derive(Debug)]
struct TrackedBody {
    body: Option<Incoming>,
    slot: Arc<Mutex<Slot>>,
}

impl HttpBody for TrackedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, hyper::Error>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        this.slot.lock().unwrap_or_else(PoisonError::into_inner).begun = true;
        let frame = ready!(Pin::new(body).poll_frame(cx));
        if !matches!(frame, Some(Ok(_))) {
            this.body = None;
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.as_ref().map_or_else(|| http_body::SizeHint::with_exact(0), HttpBody::size_hint)
    }
}

impl Drop for TrackedBody {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.slot.lock().unwrap_or_else(PoisonError::into_inner).left = Some(body);
        }
    }
}

/// Tracks the body of one request.
pub(super) struct UnreadBody {
    slot: Arc<Mutex<Slot>>,
    /// The client sent `Expect: 100-continue`.
    waits_for_continue: bool,
    version: Version,
}

/// The request for the routes, and the tracker of its body.
pub(super) fn track(request: Request<Incoming>) -> (Request<Body>, UnreadBody) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let waits_for_continue =
        request.headers().get(header::EXPECT).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let unread_body = UnreadBody { slot: slot.clone(), waits_for_continue, version: request.version() };
    (request.map(|body| Body::new(TrackedBody { body: Some(body), slot })), unread_body)
}

impl UnreadBody {
    /// Discards a small rest. Returns whether the connection must close; the response then says so.
    pub(super) async fn settle(self, response: &mut Response, metrics: &Metrics) -> bool {
        let (left, begun) = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            (slot.left.take(), slot.begun)
        };
        let Some(mut body) = left else { return false };
        // The body was refused as too slow, or the client was never told to send it.
        let hopeless = response.status() == StatusCode::REQUEST_TIMEOUT || (self.waits_for_continue && !begun);
        let read = !hopeless && body.size_hint().lower() <= SMALL && read_to_end(&mut body).await;
        let end = if read { LeftBody::Drained } else { LeftBody::Closed };
        metrics.left_bodies.get_or_create(&LeftLabels { end }).inc();
        // An HTTP/2 stream ends without the connection.
        if read || self.version >= Version::HTTP_2 {
            return false;
        }
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        true
    }
}

/// Whether the body ended within the limits.
async fn read_to_end(body: &mut Incoming) -> bool {
    let (until, mut bytes) = (Instant::now() + WAIT, 0);
    loop {
        match timeout_at(until, body.frame()).await {
            Ok(None) => return true,
            Ok(Some(Ok(frame))) => bytes += frame.data_ref().map_or(0, |data| data.len() as u64),
            Ok(Some(Err(_))) | Err(_) => return false,
        }
        if bytes > SMALL {
            return false;
        }
    }
}

/// A connection's socket, handed back when the connection ends.
pub(super) struct LentSocket {
    stream: Option<TcpStream>,
    owner: Arc<Mutex<Option<TcpStream>>>,
}

impl LentSocket {
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Mutex<Option<TcpStream>>>) {
        let owner = Arc::new(Mutex::new(None));
        (Self { stream: Some(stream), owner: owner.clone() }, owner)
    }

    fn stream(self: Pin<&mut Self>) -> std::io::Result<Pin<&mut TcpStream>> {
        // Present until drop.
        self.get_mut().stream.as_mut().map(Pin::new).ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }
}

impl Drop for LentSocket {
    fn drop(&mut self) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

impl AsyncRead for LentSocket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for LentSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        self.stream()?.poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[std::io::IoSlice<'_>],
    ) -> Poll<std::io::Result<usize>> {
        self.stream()?.poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.stream()?.poll_shutdown(cx)
    }
}

/// Shuts down writing and drains the socket until the client stops sending, so that the response arrives before the connection closes.
pub(super) async fn linger(mut stream: TcpStream) {
    let _ = stream.shutdown().await;
    let (mut thrown_away, mut left) = (vec![0; 16 * 1024], LINGER_BYTES);
    let read_on = async {
        while let Ok(Ok(read @ 1..)) = timeout(LINGER_SILENT, stream.read(&mut thrown_away)).await {
            left = left.saturating_sub(read);
            if left == 0 {
                return;
            }
        }
    };
    let _ = timeout(LINGER, read_on).await;
}
