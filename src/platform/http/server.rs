//! The accept loop. axum's own `serve` installs no timer, so that hyper's header timeout never fires there
//! (tokio-rs/axum#2741) and a client that trickles its head holds a connection for ever.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::{Router, http::Request};
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
    leftover::{self, Lent},
    places::Places,
};
use crate::platform::lifecycle::Lifecycle;

/// A bound port, before it serves: binding fails early, serving starts late.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    pub address: SocketAddr,
    places: Places,
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let inner = TcpListener::bind(address).await?;
        Ok(Self { address: inner.local_addr()?, inner, places: Places::new(usize::MAX, Vec::new()) })
    }

    /// With as many connections for each address as the configuration allows.
    #[must_use]
    pub fn limited(mut self, config: &Config) -> Self {
        let most = usize::try_from(config.max_connections_per_address).unwrap_or(usize::MAX);
        self.places = Places::new(most, config.trusted_networks());
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
    pub max_connections: usize,
}

impl Default for Timeouts {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { header: seconds(10), idle: seconds(300), grace: seconds(25), max_connections: 4096 }
    }
}

/// Accepts until the lifecycle asks to stop; then lets running requests finish. Connections are tracked tasks.
pub async fn serve(listener: Listener, router: Router, timeouts: Timeouts, metrics: Metrics, lifecycle: Lifecycle) {
    let places = Arc::new(Semaphore::new(timeouts.max_connections));
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
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
        let Some(seat) = listener.places.take(peer.ip()) else {
            metrics.connections_refused.inc();
            tracing::debug!(%peer, "connection refused: its address has as many as it may");
            continue;
        };
        let (router, metrics, inner) = (router.clone(), metrics.clone(), lifecycle.clone());
        lifecycle.spawn("http.connection", async move {
            metrics.connections.inc();
            connection(stream, peer, router, timeouts, &metrics, &inner).await;
            metrics.connections.dec();
            drop((place, seat));
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
    let service = service_fn(move |request: Request<Incoming>| {
        *seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        let (router, unread, metrics) = (router.clone(), unread.clone(), counted.clone());
        async move {
            let (mut request, leftover) = leftover::keep(request);
            request.extensions_mut().insert(peer);
            let Ok(mut response) = router.oneshot(request).await;
            if leftover.settle(&mut response, &metrics).await {
                unread.store(true, Ordering::Relaxed);
            }
            Ok::<_, Infallible>(response)
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
        .max_concurrent_streams(128)
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
