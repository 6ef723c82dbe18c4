//! The middleware stack against misbehaving clients. Raw sockets: a well-made client library cannot misbehave enough.

mod bodies;
mod connections;
mod responses;

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::{
    Router,
    body::{Body, Bytes},
    routing::{get, post},
};
use futures::{StreamExt as _, stream};
use holdfast::platform::{
    clock::Clock,
    error::ApiError,
    http::{self, Authenticator, Config, Json, Listener, Metrics, MiddlewareStack, Principal, Timeouts},
    lifecycle::Lifecycle,
    telemetry::Telemetry,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

struct Nobody;

#[async_trait]
impl Authenticator for Nobody {
    async fn session(&self, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
    async fn api_key(&self, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
}

struct Server {
    address: SocketAddr,
    lifecycle: Lifecycle,
    telemetry: Telemetry,
    /// The answer of `/endless` is held by nobody any more.
    dropped: Arc<AtomicBool>,
}

async fn echo(Json(value): Json<serde_json::Value>) -> String {
    value.to_string().len().to_string()
}

/// Answers at once, and goes on answering for a while.
async fn think(Json(value): Json<serde_json::Value>) -> Body {
    let length = value.to_string().len();
    let rest = stream::once(async move {
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok::<_, Infallible>(Bytes::from(length.to_string()))
    });
    Body::from_stream(stream::iter([Ok(Bytes::from_static(b"thinking "))]).chain(rest))
}

async fn panics() -> String {
    panic!("a bug")
}

/// A stream without an end, of large frames; notes when nobody holds it any more.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicBool>);

impl Drop for Endless {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A stream of a byte every tenth of a second, for a minute.
async fn drip() -> Body {
    let bytes = stream::iter(0..600).then(|_| async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok::<_, Infallible>(Bytes::from_static(b"."))
    });
    Body::from_stream(bytes)
}

/// An answer that is whole in memory.
struct Held {
    bytes: Vec<u8>,
    _noted: Endless,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

async fn start(config: Config) -> Server {
    start_with(config, Duration::from_secs(60)).await
}

async fn start_with(config: Config, idle: Duration) -> Server {
    start_as(config, idle, Arc::new(Nobody)).await
}

async fn start_as(config: Config, idle: Duration, authenticator: Arc<dyn Authenticator>) -> Server {
    let telemetry = Telemetry::new();
    let metrics = telemetry.register("http", Metrics::register);
    let (lifecycle, dropped) = (Lifecycle::new(), Arc::new(AtomicBool::new(false)));
    let stack = MiddlewareStack::new(&config, Clock::system(), metrics.clone(), authenticator, lifecycle.clone());
    let seen = dropped.clone();
    let endless = move || {
        let endless = Endless(seen.clone());
        let frames = stream::repeat_with(move || {
            let _held = &endless;
            Ok::<_, Infallible>(Bytes::from(vec![b'x'; 65_536]))
        });
        async move { Body::from_stream(frames) }
    };
    let seen = dropped.clone();
    let large = move || {
        let held = Held { bytes: vec![b'x'; 1 << 20], _noted: Endless(seen.clone()) };
        async move { Body::from(Bytes::from_owner(held)) }
    };
    let routes = Router::new()
        .route("/", get(|| async { "hello" }))
        .route(
            "/slow",
            get(|| async {
                tokio::time::sleep(Duration::from_millis(600)).await;
                "done"
            }),
        )
        .route("/slower", get(std::future::pending::<()>))
        .route("/endless", get(endless))
        .route("/large", get(large))
        .route("/drip", get(drip))
        .route("/panic", get(panics))
        .route("/think", post(think))
        .route("/echo", post(echo));
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap().limited(&config);
    let address = listener.address;
    let timeouts = Timeouts {
        header: Duration::from_millis(500),
        idle,
        grace: Duration::from_secs(5),
        quiet: Duration::from_secs(2),
        max_connections: 100,
    };
    lifecycle.spawn(
        "test",
        http::serve(listener, http::wrap(routes, stack, std::convert::identity), timeouts, metrics, lifecycle.clone()),
    );
    Server { address, lifecycle, telemetry, dropped }
}

/// Sends `request` and reads until the server closes.
async fn exchange(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // The server may answer and close before it has read everything.
    let _ = stream.write_all(request).await;
    let mut answer = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("an end");
    String::from_utf8_lossy(&answer).into_owned()
}

fn strict() -> Config {
    Config {
        request_timeout_seconds: 1,
        body_idle_seconds: 1,
        body_min_bytes_per_second: 10_000,
        max_body_bytes: 1 << 20,
        ..Config::default()
    }
}
