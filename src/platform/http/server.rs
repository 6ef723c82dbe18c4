//! The accept loop. `axum::serve` installs no timer, so hyper's header timeout never fires there (tokio-rs/axum#2741) and a client that
//! trickles its header holds a connection for ever.

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
    unread_body::{self, LentSocket},
};
use crate::lifecycle::Lifecycle;

/// A bound port before it serves: binding errors appear before anything else starts.
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

    /// Limits the connections per address as configured.
    #[must_use]
    pub fn limited(mut self, config: &Config) -> Self {
        let most = usize::try_from(config.max_connections_per_address).unwrap_or(usize::MAX);
        self.per_address = ConnectionLimit::new(most, config.trusted_networks());
        self
    }
}

/// Limits of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// Time from connecting to the first byte, and from there to the end of the request header.
    pub header: Duration,
    /// Idle time after the last response until the connection is closed.
    pub idle: Duration,
    /// Time after which a shutdown closes busy connections.
    pub grace: Duration,
    /// A connection that was told to end is closed after this time without a request in progress and without the client reading. Longer
    /// than the heartbeat interval of a stream.
    pub quiet: Duration,
    pub max_connections: usize,
}

/// Concurrent HTTP/2 streams per connection, because each may hold a response. Browsers queue further requests, proxies open more
/// connections.
const MAX_STREAMS: u32 = 32;

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { header: seconds(10), idle: seconds(300), grace: seconds(25), quiet: seconds(60), max_connections: 4096 }
    }
}

/// Accepts connections until shutdown, then lets running requests finish. Each connection is a tracked task.
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
                // Usually out of file descriptors: only waiting helps.
                tracing::warn!(%error, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Some(address_permit) = listener.per_address.take(peer.ip()) else {
            metrics.connections_refused.inc();
            tracing::debug!(%peer, "connection refused: its address reached the limit");
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

/// Why an unused connection is closed.
enum Unused {
    /// No request arrived.
    Silent,
    /// No further request arrived.
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
    let (stream, owner) = LentSocket::new(stream);
    let unread = Arc::new(AtomicBool::new(false));
    converse(stream, peer, router, timeouts, metrics, lifecycle, &unread).await;
    let stream = owner.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(stream) = stream.filter(|_| unread.load(Ordering::Relaxed)) {
        tokio::select! {
            () = unread_body::linger(stream) => {}
            () = lifecycle.soft().cancelled() => {}
        }
    }
}

/// Activity of a connection.
#[derive(Debug, Default)]
struct Activity {
    /// Requests in progress; each has its own time limit.
    asked: AtomicUsize,
    /// When the client last read a part of a response.
    taken: Mutex<Option<Instant>>,
}

impl Activity {
    fn took(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    /// Returns after `quiet` without a request in progress and without the client reading.
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

/// A request in progress.
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

/// A response body that records when the connection reads from it.
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

/// Serves a connection until it ends. `unread` is set when a response was sent before its request had arrived completely.
async fn converse(
    stream: LentSocket,
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
            let (mut request, unread_body) = unread_body::track(request);
            request.extensions_mut().insert(peer);
            let Ok(mut response) = router.oneshot(request).await;
            if unread_body.settle(&mut response, &metrics).await {
                unread.store(true, Ordering::Relaxed);
            }
            drop(asked);
            Ok::<_, Infallible>(response.map(|body| Body::new(Followed { body, activity })))
        }
    });
    // hyper's header timer starts only once the protocol is known (the detection of HTTP/2 waits for the first bytes without a limit), and
    // covers idle time between requests for HTTP/1 only.
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
                    // A client that reads nothing but answers pings would hold its pending responses for ever.
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
