//! The accept loop. axum's own `serve` installs no timer, so that hyper's header timeout never fires there
//! (tokio-rs/axum#2741) and a client that trickles its head holds a connection for ever.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
};
use tower::ServiceExt as _;

use super::Metrics;
use crate::platform::lifecycle::Lifecycle;

/// A bound port, before it serves: binding fails early, serving starts late.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    pub address: SocketAddr,
}

impl Listener {
    pub async fn bind(address: SocketAddr) -> std::io::Result<Self> {
        let inner = TcpListener::bind(address).await?;
        Ok(Self { address: inner.local_addr()?, inner })
    }
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// From the connection to the first byte, and from there to the end of a request's head.
    pub header: Duration,
    /// After this a shutdown closes connections that are still busy.
    pub grace: Duration,
    pub max_connections: usize,
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
        let (router, metrics, inner) = (router.clone(), metrics.clone(), lifecycle.clone());
        lifecycle.spawn("http.connection", async move {
            metrics.connections.inc();
            connection(stream, peer, router, timeouts, &metrics, &inner).await;
            metrics.connections.dec();
            drop(place);
        });
    }
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
    let asked = Arc::new(AtomicBool::new(false));
    let first = asked.clone();
    let service =
        TowerToHyperService::new(router.map_request(move |mut request: axum::http::Request<hyper::body::Incoming>| {
            first.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer);
            request.map(axum::body::Body::new)
        }));
    // hyper's timer begins once the protocol is known; telling HTTP/2 from HTTP/1 waits for the first bytes without a limit.
    let silent = async {
        tokio::time::sleep(timeouts.header).await;
        if asked.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
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
    let ended = tokio::select! {
        ended = conn.as_mut() => Some(ended),
        () = lifecycle.soft().cancelled() => None,
        () = silent => {
            metrics.connections_rejected.inc();
            return;
        }
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            conn.as_mut().graceful_shutdown();
            tokio::time::timeout(timeouts.grace, conn).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = ended {
        let timed_out = error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_timeout);
        if timed_out {
            metrics.connections_rejected.inc();
        }
        tracing::debug!(%peer, error = %error, "connection ended with an error");
    }
}
