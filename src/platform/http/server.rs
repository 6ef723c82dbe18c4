//! The accept loop. axum's own `serve` installs no timer, so that hyper's header timeout never fires there
//! (tokio-rs/axum#2741) and a client that trickles its head holds a connection for ever.

use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    http::Request,
};
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::Instant,
};
use tower::ServiceExt as _;

use super::{
    Config, Metrics,
    connection_limit::ConnectionLimit,
    leftover::{self, Lent},
};
use crate::platform::lifecycle::Lifecycle;

/// A bound port, before it serves: binding fails early, serving starts late.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    pub address: SocketAddr,
    per_address: ConnectionLimit,
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let inner = TcpListener::bind(address).await?;
        Ok(Self { address: inner.local_addr()?, inner, per_address: ConnectionLimit::new(usize::MAX, Vec::new()) })
    }

    /// With as many connections for each address as the configuration allows.
    #[must_use]
    pub fn limited(mut self, config: &Config) -> Self {
        let most = usize::try_from(config.max_connections_per_address).unwrap_or(usize::MAX);
        self.per_address = ConnectionLimit::new(most, config.trusted_networks());
        self
    }
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection to the first byte, and from there to the end of a request's head.
    pub header: Duration,
    /// A connection without a new request is closed after this, once what it asked for is answered.
    pub idle: Duration,
    /// After this a shutdown closes connections that are still busy.
    pub grace: Duration,
    /// A connection that has been told to end is closed when nothing is asked on it and its client takes nothing for this long. Longer
    /// than the pauses between the heartbeats of a stream.
    pub quiet: Duration,
    pub max_connections: usize,
}

/// Streams of HTTP/2 that a client may have open on a connection: each may hold an answer. A browser with more to ask waits its turn, a
/// proxy opens more connections.
const MAX_STREAMS: u32 = 32;

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { header: seconds(10), idle: seconds(300), grace: seconds(25), quiet: seconds(60), max_connections: 4096 }
    }
}

/// Accepts until the lifecycle asks to stop; then lets running requests finish. Connections are tracked tasks.
pub async fn serve(listener: Listener, router: Router, timeouts: Timeouts, metrics: Metrics, lifecycle: Lifecycle) {
    let permits = Arc::new(Semaphore::new(timeouts.max_connections));
    loop {
        let permit = tokio::select! {
            permit = permits.clone().acquire_owned() => permit,
            () = lifecycle.soft().cancelled() => return,
        };
        let accepted = tokio::select! {
            accepted = listener.inner.accept() => accepted,
            () = lifecycle.soft().cancelled() => return,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, usually: waiting is all that helps.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(address_permit) = listener.per_address.take(peer.ip()) else {
            metrics.connections_refused.inc();
            tracing::debug!(%peer, "connection refused: its address has as many as it may");
            continue;
        };
        let (router, metrics, inner) = (router.clone(), metrics.clone(), lifecycle.clone());
        lifecycle.spawn("http.connection", async move {
            metrics.connections.inc();
            connection(stream, peer, router, timeouts, &metrics, &inner).await;
            metrics.connections.dec();
            drop((permit, address_permit));
        });
    }
}

/// Why a connection is not kept.
enum Unused {
    /// No request came.
    Silent,
    /// No further request came.
    Idle,
}

async fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    timeouts: Timeouts,
    metrics: &Metrics,
    lifecycle: &Lifecycle,
) {
    let _ = stream.set_nodelay(true);
    let (stream, owner) = Lent::new(stream);
    let unread = Arc::new(AtomicBool::new(false));
    converse(stream, peer, router, timeouts, metrics, lifecycle, &unread).await;
    let stream = owner.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(stream) = stream.filter(|_| unread.load(Ordering::Relaxed)) {
        tokio::select! {
            () = leftover::linger(stream) => {}
            () = lifecycle.soft().cancelled() => {}
        }
    }
}

/// Whether anything goes on on a connection.
#[derive(Debug, Default)]
struct Activity {
    /// Requests that are not answered yet; each has a limit of its own.
    asked: AtomicUsize,
    /// When a part of an answer was taken last.
    taken: Mutex<Option<Instant>>,
}

impl Activity {
    fn took(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns when nothing is asked and nothing was taken for this long.
    async fn ceases(&self, quiet: Duration) {
        let mut since = Instant::now();
        loop {
            tokio::time::sleep_until(since + quiet).await;
            let taken = *self.taken.lock().unwrap_or_else(PoisonError::into_inner);
            since = match taken.filter(|taken| *taken > since) {
                _ if self.asked.load(Ordering::Relaxed) > 0 => Instant::now(),
                Some(taken) => taken,
                None => return,
            };
        }
    }
}

/// A request that is not answered yet.
struct Asked(Arc<Activity>);

impl Asked {
    fn new(activity: &Arc<Activity>) -> Self {
        activity.asked.fetch_add(1, Ordering::Relaxed);
        Self(activity.clone())
    }
}

impl Drop for Asked {
    fn drop(&mut self) {
        self.0.asked.fetch_sub(1, Ordering::Relaxed);
        self.0.took();
    }
}

/// An answer's body, which notes when the connection takes of it.
struct Followed {
    body: Body,
    activity: Arc<Activity>,
}

impl HttpBody for Followed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(cx);
        if polled.is_ready() {
            self.activity.took();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

/// Answers what comes on a connection, until it ends. `unread`: an answer went out before its request had come in whole.
async fn converse(
    stream: Lent,
    peer: SocketAddr,
    router: Router,
    timeouts: Timeouts,
    metrics: &Metrics,
    lifecycle: &Lifecycle,
    unread: &Arc<AtomicBool>,
) {
    let last_request = Arc::new(Mutex::new(None));
    let (seen, unread, counted) = (last_request.clone(), unread.clone(), metrics.clone());
    let activity = Arc::new(Activity::default());
    let active = activity.clone();
    let service = service_fn(move |request: Request<Incoming>| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let (router, unread, metrics) = (router.clone(), unread.clone(), counted.clone());
        let (asked, activity) = (Asked::new(&active), active.clone());
        async move {
            let (mut request, leftover) = leftover::keep(request);
            request.extensions_mut().insert(peer);
            let Ok(mut response) = router.oneshot(request).await;
            if leftover.settle(&mut response, &metrics).await {
                unread.store(true, Ordering::Relaxed);
            }
            drop(asked);
            Ok::<_, Infallible>(response.map(|body| Body::new(Followed { body, activity })))
        }
    });
    // hyper's timer begins once the protocol is known (telling HTTP/2 from HTTP/1 waits for the first bytes without a limit), and runs
    // between the requests of HTTP/1 only.
    let unused = async {
        tokio::time::sleep(timeouts.header).await;
        loop {
            let last: Option<Instant> = *last_request.lock().unwrap_or_else(PoisonError::into_inner);
            match last.map(|last| last + timeouts.idle) {
                None => return Unused::Silent,
                Some(until) if until <= Instant::now() => return Unused::Idle,
                Some(until) => tokio::time::sleep_until(until).await,
            }
        }
    };
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(timeouts.header).max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(64 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    let conn = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(conn);
    let mut ended = tokio::select! {
        ended = conn.as_mut() => Some(ended),
        () = lifecycle.soft().cancelled() => None,
        unused = unused => match unused {
            Unused::Silent => {
                metrics.connections_rejected.inc();
                return;
            }
            Unused::Idle => {
                conn.as_mut().graceful_shutdown();
                tokio::select! {
                    ended = conn.as_mut() => Some(ended),
                    () = lifecycle.soft().cancelled() => None,
                    // A client that takes nothing, and answers pings, would keep what waits for it for ever.
                    () = activity.ceases(timeouts.quiet) => {
                        metrics.connections_rejected.inc();
                        return;
                    }
                }
            }
        }
    };
    if ended.is_none() {
        conn.as_mut().graceful_shutdown();
        ended = tokio::time::timeout(timeouts.grace, conn).await.ok();
    }
    let ended = ended.unwrap_or(Ok(()));
    if let Err(error) = ended {
        let timed_out = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout);
        if timed_out {
            metrics.connections_rejected.inc();
        }
        tracing::debug!(%peer, error = %error, "connection ended with an error");
    }
}
