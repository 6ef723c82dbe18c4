//! The middleware stack against misbehaving clients. Raw sockets: a well-made client library cannot misbehave enough.

use std::{
    collections::BTreeSet,
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
    http::{
        self, Actor, Authenticator, Config, Json, KeyActor, Listener, Metrics, MiddlewareStack, Principal, Role,
        Timeouts,
    },
    lifecycle::Lifecycle,
    telemetry::Telemetry,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use uuid::Uuid;

use crate::support::wait::until;

/// Knows one key, as long as it is told to.
struct OneKey(Arc<AtomicBool>);

#[async_trait]
impl Authenticator for OneKey {
    async fn session(&self, _: &str) -> Result<Option<Principal>, ApiError> {
        Ok(None)
    }
    async fn api_key(&self, _: &str) -> Result<Option<Principal>, ApiError> {
        let actor = Actor::ApiKey(KeyActor { key_id: Uuid::nil(), name: "k".to_owned(), scopes: BTreeSet::new() });
        let principal = Principal { org_id: Uuid::nil().into(), role: Role::Viewer, actor };
        Ok(self.0.load(Ordering::SeqCst).then_some(principal))
    }
}

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

fn post_json(body: &str) -> Vec<u8> {
    format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

#[tokio::test]
async fn connections_that_send_no_request_are_closed() {
    let server = start(Config::default()).await;
    for opening in ["", "GET / HTTP/1.1\r\nhost: x\r\n", "P"] {
        let began = Instant::now();
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(opening.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .unwrap_or_else(|_| panic!("{opening:?} was left open"));
        assert!(began.elapsed() >= Duration::from_millis(300), "{opening:?}");
    }
    assert!(
        exchange(server.address, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.contains("hello")
    );
}

#[tokio::test]
async fn a_head_that_trickles_is_cut_off() {
    let server = start(Config::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let closed = timeout(Duration::from_secs(10), async {
        let mut buffer = [0; 1024];
        loop {
            if stream.write_all(b"x-a: b\r\n").await.is_err() {
                return;
            }
            if let Ok(Ok(0) | Err(_)) = timeout(Duration::from_millis(50), stream.read(&mut buffer)).await {
                return;
            }
        }
    });
    closed.await.expect("the connection is closed although bytes keep coming");
}

#[tokio::test]
async fn large_deep_and_broken_json_are_clear_errors() {
    let server = start(Config { max_body_bytes: 100_000, ..Config::default() }).await;
    let large = exchange(server.address, &post_json(&format!("[\"{}\"]", "x".repeat(100_001)))).await;
    assert!(large.starts_with("HTTP/1.1 413") && large.contains("\"code\":\"payload_too_large\""), "{large}");
    let deep = exchange(server.address, &post_json(&"[".repeat(50_000))).await;
    assert!(deep.starts_with("HTTP/1.1 400") && deep.contains("invalid_json"), "{deep}");
    let broken = exchange(server.address, &post_json("{\"a\": }")).await;
    assert!(broken.contains("application/problem+json") && broken.contains("invalid_json"), "{broken}");
    let wrong_type =
        exchange(server.address, b"POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}")
            .await;
    assert!(wrong_type.starts_with("HTTP/1.1 415"), "{wrong_type}");
    assert!(exchange(server.address, &post_json("{\"a\": 1}")).await.contains("\r\n\r\n7"));
}

#[tokio::test]
async fn an_endless_chunked_body_is_bounded() {
    let server = start(Config { max_body_bytes: 50_000, ..Config::default() }).await;
    let mut request =
        b"POST /echo HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
            .to_vec();
    for _ in 0..100 {
        request.extend_from_slice(b"1000\r\n");
        request.extend_from_slice(&[b'1'; 0x1000]);
        request.extend_from_slice(b"\r\n");
    }
    let answer = exchange(server.address, &request).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn every_answer_has_an_id_and_safe_headers_and_is_counted() {
    let server = start(Config::default()).await;
    let answer = exchange(
        server.address,
        b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: client-chose-1\r\nconnection: close\r\n\r\n",
    )
    .await;
    for header in [
        "x-request-id: client-chose-1",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'",
        "cache-control: no-store",
    ] {
        assert!(answer.contains(header), "{header} is missing in {answer}");
    }
    let hostile = exchange(
        server.address,
        b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: a b<script>\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(!hostile.contains("<script>"));
    let panicked = exchange(server.address, b"GET /panic HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(
        panicked.starts_with("HTTP/1.1 500")
            && panicked.contains("\"code\":\"internal\"")
            && !panicked.contains("a bug"),
        "{panicked}"
    );
    assert!(server.telemetry.encode().contains("\nholdfast_http_panics_total 1\n"));
    let unknown_key = exchange(
        server.address,
        b"GET / HTTP/1.1\r\nhost: x\r\nauthorization: Bearer hf_x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(unknown_key.starts_with("HTTP/1.1 401") && unknown_key.contains("invalid_api_key"), "{unknown_key}");
    let metrics = server.telemetry.encode();
    assert!(
        metrics.contains(r#"holdfast_http_requests_total{surface="console",method="get",outcome="ok"} 2"#),
        "{metrics}"
    );
    assert!(metrics.contains(r#"outcome="server_error"} 1"#), "{metrics}");
}

#[tokio::test]
async fn requests_are_counted_by_the_route_that_they_match_and_the_number_of_series_is_bounded() {
    let server = start(Config::default()).await;
    let ask = async |line: String| {
        exchange(server.address, format!("{line} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").as_bytes()).await
    };
    ask("GET /".to_owned()).await;
    ask("GET /panic".to_owned()).await;
    ask("DELETE /echo".to_owned()).await;
    let series = || {
        let text = server.telemetry.encode();
        (text.lines().filter(|line| line.starts_with("holdfast_http_route_")).count(), text)
    };
    ask("GET /nowhere".to_owned()).await;
    let (before, _) = series();
    for n in 0..50 {
        ask(format!("GET /nowhere/{n}")).await;
    }
    let (after, text) = series();
    assert_eq!(before, after, "a path that a client makes up is no label");
    for (labels, count) in [
        (r#"surface="console",route="/",method="get",outcome="ok""#, 1),
        (r#"surface="console",route="/",method="get",outcome="server_error""#, 0),
        (r#"surface="console",route="/panic",method="get",outcome="server_error""#, 1),
        (r#"surface="console",route="/echo",method="delete",outcome="client_error""#, 1),
        (r#"surface="console",route="other",method="get",outcome="client_error""#, 51),
    ] {
        let line = format!("\nholdfast_http_route_requests_total{{{labels}}} {count}\n");
        assert!(text.contains(&line), "{line} is not in\n{text}");
    }
    assert!(
        text.contains(r#"holdfast_http_route_first_byte_seconds_count{surface="console",route="/",method="get"} 1"#)
    );
}

#[tokio::test]
async fn what_a_trusted_proxy_calls_a_request_it_is_called_here() {
    // HAProxy's `unique-id-format %{+X}o\ %ci:%cp_%fi:%fp_%Ts_%rt:%pid`.
    let request =
        b"GET / HTTP/1.1\r\nhost: x\r\nx-request-id: 7F000001:8296_7F00001E:0050_4F28A516_0001:1E29\r\nconnection: close\r\n\r\n";
    let named = "x-request-id: 7F000001:8296_7F00001E:0050_4F28A516_0001:1E29";
    let behind = start(Config { trusted_proxies: vec!["127.0.0.0/8".into()], ..Config::default() }).await;
    let answer = exchange(behind.address, request).await;
    assert!(answer.contains(named), "{answer}");
    let open = start(Config::default()).await;
    let answer = exchange(open.address, request).await;
    assert!(!answer.contains(named) && answer.contains("x-request-id: "), "{answer}");
}

#[tokio::test]
async fn an_address_has_a_limit_and_is_told_when_to_come_back() {
    let server = start(Config { requests_per_minute: 60, request_burst: 3, ..Config::default() }).await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(exchange(server.address, b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await);
    }
    assert!(answers[..3].iter().all(|a| a.starts_with("HTTP/1.1 200")));
    assert!(answers[3].starts_with("HTTP/1.1 429") && answers[3].contains("retry-after: 1"), "{}", answers[3]);
}

/// Whether the server says anything on this connection, or closes it at once.
async fn is_served(stream: &mut TcpStream) -> bool {
    let _ = stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.is_ok() && answer.starts_with(b"HTTP/1.1 200")
}

#[tokio::test]
async fn an_address_has_so_many_connections_and_a_proxy_any_number() {
    let config = Config { max_connections_per_address: 3, ..Config::default() };
    let server = start(config.clone()).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(TcpStream::connect(server.address).await.unwrap());
        assert!(is_served(held.last_mut().unwrap()).await);
    }
    assert!(!is_served(&mut TcpStream::connect(server.address).await.unwrap()).await);
    let metrics = server.telemetry.encode();
    assert!(metrics.contains("holdfast_http_connections_refused_total 1"), "{metrics}");
    held.pop();
    timeout(Duration::from_secs(10), async {
        while !is_served(&mut TcpStream::connect(server.address).await.unwrap()).await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .expect("the place of a connection that has ended");

    let behind = start(Config { trusted_proxies: vec!["127.0.0.0/8".into()], ..config }).await;
    let mut many = Vec::new();
    for _ in 0..9 {
        many.push(TcpStream::connect(behind.address).await.unwrap());
        assert!(is_served(many.last_mut().unwrap()).await);
    }
}

#[tokio::test]
async fn large_bodies_share_a_bounded_memory() {
    const MIB: usize = 1 << 20;
    let server = start(Config { max_buffered_bytes: 2 * MIB, ..Config::default() }).await;
    let large = format!("\"{}\"", "x".repeat(MIB + MIB / 4));
    // One that has sent most of itself holds its memory.
    let mut half = TcpStream::connect(server.address).await.unwrap();
    half.write_all(&post_json(&large)[..MIB + MIB / 8]).await.unwrap();
    let refused = timeout(Duration::from_secs(10), async {
        loop {
            let answer = exchange(server.address, &post_json(&large)).await;
            if !answer.starts_with("HTTP/1.1 200") {
                return answer;
            }
        }
    });
    let refused = refused.await.expect("the first is being read");
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("retry-after: 2"), "{refused}");
    let small = exchange(server.address, &post_json(&format!("\"{}\"", "x".repeat(60_000)))).await;
    assert!(small.starts_with("HTTP/1.1 200"), "small requests always find room: {small}");
    drop(half);
    let again = timeout(Duration::from_secs(10), async {
        while !exchange(server.address, &post_json(&large)).await.starts_with("HTTP/1.1 200") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    again.await.expect("room again once the first has gone");

    // What a request was decoded into lives as long as its answer is being written.
    let thinking = String::from_utf8(post_json(&large)).unwrap().replacen("/echo", "/think", 1);
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(thinking.as_bytes()).await.unwrap();
    stream.read_exact(&mut [0; 12]).await.unwrap();
    let refused = exchange(server.address, &post_json(&large)).await;
    assert!(refused.starts_with("HTTP/1.1 503"), "{refused}");
    timeout(Duration::from_secs(10), stream.read_to_end(&mut Vec::new())).await.expect("an end").unwrap();
    let after = exchange(server.address, &post_json(&large)).await;
    assert!(after.starts_with("HTTP/1.1 200"), "{after}");
}

#[tokio::test]
async fn shutdown_lets_a_running_request_finish() {
    let server = start(Config::default()).await;
    let request = tokio::task::JoinSet::from_iter([exchange(
        server.address,
        b"GET /slow HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )]);
    let running = "\nholdfast_http_requests_in_flight 1\n";
    until("the request does not begin", async || server.telemetry.encode().contains(running)).await;
    assert!(server.lifecycle.drain(Duration::from_secs(5)).await, "the drain had to cut something off");
    let answers = request.join_all().await;
    assert!(answers[0].contains("done"), "{}", answers[0]);
    assert!(TcpStream::connect(server.address).await.is_err(), "still listening");
}

/// Begins to post `length` bytes to `/echo`, and sends `piece` each `pause` until all is sent or there is an answer.
async fn trickle(address: SocketAddr, length: usize, piece: &[u8], pause: Duration) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let sending = async {
        let mut sent = 0;
        while sent < length && !piece.is_empty() {
            let next = &piece[..piece.len().min(length - sent)];
            if writer.write_all(next).await.is_err() {
                break;
            }
            sent += next.len();
            tokio::time::sleep(pause).await;
        }
        std::future::pending::<()>().await;
    };
    let reading = timeout(Duration::from_secs(20), reader.read_to_end(&mut answer));
    let read = tokio::select! { () = sending => unreachable!(), read = reading => read };
    let _ = read.expect("an answer or a closed connection");
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
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

#[tokio::test]
async fn an_upload_may_take_longer_than_the_time_to_answer_while_its_bytes_keep_coming() {
    let server = start(strict()).await;
    // Three seconds, three times the time for an answer.
    let (answer, took) = trickle(server.address, 150_000, &[b' '; 10_000], Duration::from_millis(200)).await;
    // The handler has read it all, to find that spaces are no JSON.
    assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("invalid_json"), "{answer}");
    assert!(took > Duration::from_millis(2500), "{took:?}");
}

#[tokio::test]
async fn a_body_that_drips_or_stops_is_cut_off_and_told_why() {
    // Not the same second as for a pause of the body: either could come first.
    let server = start(Config { request_timeout_seconds: 4, ..strict() }).await;
    let (dripped, took) = trickle(server.address, 100_000, b" ", Duration::from_millis(100)).await;
    assert!(dripped.starts_with("HTTP/1.1 408") && dripped.contains("body_too_slow"), "{dripped}");
    assert!(took < Duration::from_secs(5), "{took:?}");
    let (stopped, took) = trickle(server.address, 100_000, &[], Duration::from_millis(100)).await;
    assert!(stopped.starts_with("HTTP/1.1 408") && stopped.contains("body_too_slow"), "{stopped}");
    assert!(took >= Duration::from_millis(900) && took < Duration::from_secs(5), "{took:?}");
}

#[tokio::test]
async fn a_client_that_stops_reading_gives_back_what_its_answer_holds() {
    let server = start(strict()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    // While it reads it is served, longer than it may pause.
    let (began, mut buffer) = (Instant::now(), vec![0; 65_536]);
    while began.elapsed() < Duration::from_millis(2500) {
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!server.dropped.load(Ordering::SeqCst));
    let stopped = Instant::now();
    while !server.dropped.load(Ordering::SeqCst) {
        assert!(stopped.elapsed() < Duration::from_secs(10), "it is still held");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    drop(stream);
}

/// SETTINGS of HTTP/2 with a window of so many bytes, and a GET of this address of a static table's pseudo-headers.
fn http2_get(window: u32, path: &str) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    // SETTINGS_INITIAL_WINDOW_SIZE = 4 (RFC 9113, 6.5.2).
    bytes.extend([0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 4]);
    bytes.extend(window.to_be_bytes());
    // :method GET, :scheme http, :path and :authority as literals (RFC 7541, appendix A and 6.2.2).
    let mut head = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    head.extend(path.as_bytes());
    head.extend([0x01, 1, b'x']);
    bytes.extend([0, 0, u8::try_from(head.len()).unwrap(), 1, 0x05, 0, 0, 0, 1]);
    bytes.extend(head);
    bytes
}

/// Answers the server's pings and settings until it closes the connection, and takes nothing else.
async fn answer_pings(stream: TcpStream) {
    let (mut reader, mut writer) = stream.into_split();
    let mut head = [0; 9];
    while reader.read_exact(&mut head).await.is_ok() {
        let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut payload = vec![0; length];
        if reader.read_exact(&mut payload).await.is_err() {
            return;
        }
        let (kind, flags) = (head[3], head[4]);
        let mut answer = match kind {
            4 if flags & 1 == 0 => vec![0, 0, 0, 4, 1, 0, 0, 0, 0],
            6 if flags & 1 == 0 => vec![0, 0, 8, 6, 1, 0, 0, 0, 0],
            _ => continue,
        };
        if kind == 6 {
            answer.extend(payload);
        }
        if writer.write_all(&answer).await.is_err() {
            return;
        }
    }
}

/// With a window of nothing, or of a byte, an answer never goes out; what it holds is given back all the same, and the connection ends.
#[tokio::test]
async fn an_answer_that_is_whole_in_memory_is_given_back_when_nobody_takes_it() {
    for window in [0, 1] {
        let server = start_with(strict(), Duration::from_secs(2)).await;
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        stream.write_all(&http2_get(window, "/large")).await.unwrap();
        let began = Instant::now();
        let given_back = async {
            while !server.dropped.load(Ordering::SeqCst) {
                assert!(began.elapsed() < Duration::from_secs(10), "window {window}: it is still held");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let closed = async { tokio::join!(answer_pings(stream), given_back) };
        timeout(Duration::from_secs(20), closed).await.expect("the connection is closed");
    }
    // Who reads slowly, longer than the connection may be idle, is served to the end.
    let server = start_with(strict(), Duration::from_secs(1)).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let (mut read, mut buffer) = (0, vec![0; 65_536]);
    loop {
        tokio::time::sleep(Duration::from_millis(100)).await;
        match stream.read(&mut buffer).await.unwrap() {
            0 => break,
            n => read += n,
        }
    }
    assert!(read > 1 << 20, "{read} bytes");
}

#[tokio::test]
async fn a_stream_ends_with_the_right_to_read_it() {
    let valid = Arc::new(AtomicBool::new(true));
    let server = start_as(Config::default(), Duration::from_secs(60), Arc::new(OneKey(valid.clone()))).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"GET /drip HTTP/1.1\r\nhost: x\r\nauthorization: Bearer hf_k\r\n\r\n").await.unwrap();
    let (began, mut answer, mut buffer) = (Instant::now(), Vec::new(), vec![0; 4096]);
    // As long as the key stands the stream goes on, however often that is looked at.
    while began.elapsed() < Duration::from_secs(7) {
        let read = stream.read(&mut buffer).await.unwrap();
        assert!(read > 0, "ended after {:?}", began.elapsed());
        answer.extend_from_slice(&buffer[..read]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 200"));
    valid.store(false, Ordering::SeqCst);
    let revoked = Instant::now();
    let mut rest = Vec::new();
    let _ = timeout(Duration::from_secs(20), stream.read_to_end(&mut rest)).await.expect("an end");
    assert!(revoked.elapsed() < Duration::from_secs(6), "{:?} later", revoked.elapsed());
    assert!(!rest.ends_with(b"0\r\n\r\n"), "an answer that is cut off looks whole");
}

#[tokio::test]
async fn a_request_is_for_one_host() {
    let server = start(Config::default()).await;
    let two = exchange(server.address, b"GET / HTTP/1.1\r\nhost: x\r\nhost: y\r\nconnection: close\r\n\r\n").await;
    assert!(two.starts_with("HTTP/1.1 400") && two.contains("invalid_host"), "{two}");
}

#[tokio::test]
async fn browsers_keep_to_https_where_that_is_configured() {
    let get = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    let https = Config { public_url: "https://ai.example.com".to_owned(), ..Config::default() };
    let told = exchange(start(https.clone()).await.address, get).await;
    assert!(told.contains("strict-transport-security: max-age=31536000\r\n"), "{told}");
    for config in [Config { hsts_seconds: 0, ..https }, Config::default()] {
        let answer = exchange(start(config).await.address, get).await;
        assert!(!answer.contains("strict-transport-security"), "{answer}");
    }
}

#[tokio::test]
async fn an_http2_connection_without_requests_is_closed() {
    let server = start_with(Config::default(), Duration::from_secs(1)).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let request = || hyper::Request::get("http://x/").body(Body::empty()).unwrap();
    let requests = async {
        for _ in 0..4 {
            assert_eq!(sender.send_request(request()).await.unwrap().status(), 200);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        std::future::pending::<()>().await;
    };
    // It answers pings all the while: the connection is driven here.
    let began = Instant::now();
    let closed = timeout(Duration::from_secs(20), async {
        tokio::select! { () = requests => {}, _ = connection => {} }
    });
    closed.await.expect("the connection is closed");
    assert!(began.elapsed() > Duration::from_millis(2000), "closed while it was used: {:?}", began.elapsed());
}

#[tokio::test]
async fn a_request_that_is_not_answered_in_time_is_told_so() {
    let server = start(strict()).await;
    let answer = exchange(server.address, b"GET /slower HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"code\":\"timed_out\""), "{answer}");
    assert!(answer.contains("retry-after: 5") && answer.contains("application/problem+json"), "{answer}");
}

/// Reads one answer of a kept connection: its head in lower case.
async fn one_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let mut byte = [0; 1];
    while !answer.ends_with(b"\r\n\r\n") {
        let read = timeout(Duration::from_secs(10), stream.read(&mut byte)).await.expect("an answer").unwrap_or(0);
        assert!(read == 1, "closed without a word after {:?}", String::from_utf8_lossy(&answer));
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    let length = head.split("content-length: ").nth(1).map_or(0, |l| l.lines().next().unwrap().parse().unwrap());
    let mut body = vec![0; length];
    timeout(Duration::from_secs(10), stream.read_exact(&mut body)).await.expect("a body").unwrap();
    head
}

/// Answers that are given before the body was read: no such address, a wrong method, a wrong key, no JSON.
const EARLY: [(&str, &str, &str); 5] = [
    ("POST /nowhere", "content-type: application/json\r\n", "404"),
    ("PUT /echo", "content-type: application/json\r\n", "405"),
    ("DELETE /", "content-type: application/json\r\n", "405"),
    ("POST /echo", "content-type: application/json\r\nauthorization: Bearer hf_wrong\r\n", "401"),
    ("POST /echo", "content-type: text/plain\r\n", "415"),
];

#[tokio::test]
async fn an_early_answer_keeps_the_connection_when_the_body_comes_later() {
    let server = start(Config::default()).await;
    for (line, headers, status) in EARLY {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        for turn in 0..20 {
            let body = vec![b'x'; if turn % 2 == 0 { 50 } else { 200_000 }];
            let framing = if turn % 4 < 2 {
                format!("content-length: {}\r\n\r\n", body.len())
            } else {
                format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len())
            };
            let head = format!("{line} HTTP/1.1\r\nhost: x\r\n{headers}{framing}");
            stream.write_all(head.as_bytes()).await.unwrap();
            // As clients do: the head in one packet, the body in another.
            tokio::time::sleep(Duration::from_millis(5)).await;
            stream.write_all(&body).await.unwrap();
            if turn % 4 >= 2 {
                stream.write_all(b"\r\n0\r\n\r\n").await.unwrap();
            }
            let answer = one_answer(&mut stream).await;
            assert!(answer.starts_with(&format!("http/1.1 {status}")), "{line}: {answer}");
            assert!(!answer.contains("connection: close"), "{line}: {answer}");
        }
    }
    let text = server.telemetry.encode();
    assert!(text.contains("holdfast_http_left_bodies_total{end=\"closed\"} 0"), "{text}");
}

#[tokio::test]
async fn requests_in_a_row_are_answered_each_although_the_first_is_refused() {
    let server = start(Config::default()).await;
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let refused = "POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\nGET /";
    let fine = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    stream.write_all(format!("{refused}{fine}{refused}{fine}").as_bytes()).await.unwrap();
    for status in ["404", "200", "404", "200"] {
        let answer = one_answer(&mut stream).await;
        assert!(answer.starts_with(&format!("http/1.1 {status}")), "{answer}");
    }
}

#[tokio::test]
async fn a_connection_that_ends_says_so_and_the_answer_arrives() {
    let server = start(Config::default()).await;
    // Larger than what is thrown away: announced, and in chunks.
    for framing in [
        "content-length: 30000000\r\n\r\n".to_owned(),
        format!("transfer-encoding: chunked\r\n\r\n{:x}\r\n", 30_000_000),
    ] {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let (mut read, mut write) = stream.into_split();
        let head = format!("POST /nowhere HTTP/1.1\r\nhost: x\r\n{framing}");
        write.write_all(head.as_bytes()).await.unwrap();
        // A client that reads only when it has sent everything: a reset would take the answer with it.
        let piece = vec![b'x'; 100_000];
        for _ in 0..40 {
            write.write_all(&piece).await.expect("the server still reads");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut answer = Vec::new();
        let _ = timeout(Duration::from_secs(5), read.read_to_end(&mut answer)).await.expect("an end");
        let answer = String::from_utf8(answer).unwrap().to_lowercase();
        assert!(answer.starts_with("http/1.1 404") && answer.contains("connection: close"), "{answer}");
        assert!(answer.contains("\"code\":") || answer.contains("content-length: 0"), "{answer}");
    }
    // A body that does not come is not waited for long.
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(b"POST /nowhere HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\nabc").await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.contains("connection: close") && began.elapsed() < Duration::from_secs(3), "{answer}");
    // One that waits to be told is told the answer instead.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let expects = "POST /nowhere HTTP/1.1\r\nhost: x\r\nexpect: 100-continue\r\ncontent-length: 10\r\n\r\n";
    stream.write_all(expects.as_bytes()).await.unwrap();
    let answer = one_answer(&mut stream).await;
    assert!(answer.starts_with("http/1.1 404") && answer.contains("connection: close"), "{answer}");
}

#[tokio::test]
async fn streams_of_http2_go_on_after_an_early_answer() {
    let server = start(Config::default()).await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut send, conn) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    Lifecycle::new().spawn("client", async move { drop(conn.await) });
    for turn in 0..60 {
        let body = http_body_util::Full::new(Bytes::from(vec![b'x'; if turn % 3 == 0 { 3_000_000 } else { 40_000 }]));
        let request = axum::http::Request::post("http://x/nowhere").body(body).unwrap();
        send.ready().await.unwrap();
        let response = timeout(Duration::from_secs(10), send.send_request(request)).await.expect("an answer").unwrap();
        assert_eq!(response.status(), 404, "{turn}");
        assert!(response.headers().get("connection").is_none());
    }
}
