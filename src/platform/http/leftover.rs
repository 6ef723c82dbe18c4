//! What is unread of a request's body when its answer is ready (a wrong key, an unknown address, a body that is too large).
//!
//! The next request on a kept connection begins after that body. Left to itself hyper looks once whether the rest is there, and
//! closes the connection if it is still on its way: without a word to a client that did nothing wrong and sends its next request
//! there. So what is small is read and thrown away; for the rest the answer says `Connection: close`, and the socket is closed
//! only when the client has stopped sending ([`linger`]), because closing it before would reset the connection and could take
//! the answer with it.

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

/// Most that is read to keep a connection, bytes.
const SMALL: u64 = 1 << 20;
/// The answer waits no longer than this for the rest of a body.
const WAIT: Duration = Duration::from_secs(1);
/// How long a connection that ends is read on, and how long it may be silent meanwhile.
const LINGER: Duration = Duration::from_secs(10);
const LINGER_SILENT: Duration = Duration::from_secs(2);
/// Most that is read meanwhile: a client that does not listen is not worth more.
const LINGER_BYTES: usize = 16 << 20;

/// A request's body as long as somebody reads it; then what is left of it.
#[derive(Debug, Default)]
struct Slot {
    left: Option<Incoming>,
    /// Somebody began to read: a client that waits for `100 Continue` has been told to go on.
    begun: bool,
}

/// The body that the routes see. Dropped before its end, it leaves the rest in the slot.
#[derive(Debug)]
struct Kept {
    body: Option<Incoming>,
    slot: Arc<Mutex<Slot>>,
}

impl HttpBody for Kept {
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

impl Drop for Kept {
    fn drop(&mut self) {
        if let Some(body) = self.body.take().filter(|body| !body.is_end_stream()) {
            self.slot.lock().unwrap_or_else(PoisonError::into_inner).left = Some(body);
        }
    }
}

/// Follows the body of one request.
pub(super) struct Leftover {
    slot: Arc<Mutex<Slot>>,
    /// The client sends its body when it is told to.
    waits_for_continue: bool,
    version: Version,
}

/// The request as the routes see it, and what follows its body.
pub(super) fn keep(request: Request<Incoming>) -> (Request<Body>, Leftover) {
    let slot = Arc::new(Mutex::new(Slot::default()));
    let waits_for_continue =
        request.headers().get(header::EXPECT).is_some_and(|v| v.as_bytes().eq_ignore_ascii_case(b"100-continue"));
    let leftover = Leftover { slot: slot.clone(), waits_for_continue, version: request.version() };
    (request.map(|body| Body::new(Kept { body: Some(body), slot })), leftover)
}

impl Leftover {
    /// Reads what is small. Whether the connection has to end, which the answer says then.
    pub(super) async fn settle(self, response: &mut Response, metrics: &Metrics) -> bool {
        let (left, begun) = {
            let mut slot = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
            (slot.left.take(), slot.begun)
        };
        let Some(mut body) = left else { return false };
        // It was given up because it came too slowly, or it was not sent yet.
        let hopeless = response.status() == StatusCode::REQUEST_TIMEOUT || (self.waits_for_continue && !begun);
        let read = !hopeless && body.size_hint().lower() <= SMALL && read_to_end(&mut body).await;
        let end = if read { LeftBody::Drained } else { LeftBody::Closed };
        metrics.left_bodies.get_or_create(&LeftLabels { end }).inc();
        // A stream of HTTP/2 ends by itself.
        if read || self.version >= Version::HTTP_2 {
            return false;
        }
        response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        true
    }
}

/// Whether the body ended within the bounds.
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

/// A connection's socket, which comes back when the connection has ended.
pub(super) struct Lent {
    stream: Option<TcpStream>,
    owner: Arc<Mutex<Option<TcpStream>>>,
}

impl Lent {
    pub(super) fn new(stream: TcpStream) -> (Self, Arc<Mutex<Option<TcpStream>>>) {
        let owner = Arc::new(Mutex::new(None));
        (Self { stream: Some(stream), owner: owner.clone() }, owner)
    }

    fn stream(self: Pin<&mut Self>) -> std::io::Result<Pin<&mut TcpStream>> {
        // It is there until this is dropped.
        self.get_mut().stream.as_mut().map(Pin::new).ok_or_else(|| std::io::ErrorKind::NotConnected.into())
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        *self.owner.lock().unwrap_or_else(PoisonError::into_inner) = self.stream.take();
    }
}

impl AsyncRead for Lent {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        self.stream()?.poll_read(cx, buf)
    }
}

impl AsyncWrite for Lent {
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

/// Nothing more is sent; reads until the client has stopped too, so that the answer arrives before the connection ends.
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
