//! Responses: headers, metrics, limits, and readers that stop reading.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use holdfast::platform::{
    error::ApiError,
    http::{Actor, Authenticator, Config, KeyActor, Principal, Role},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};
use uuid::Uuid;

use super::{exchange, start, start_as, start_with, strict};

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
async fn a_request_that_is_not_answered_in_time_is_told_so() {
    let server = start(strict()).await;
    let answer = exchange(server.address, b"GET /slower HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("\"code\":\"timed_out\""), "{answer}");
    assert!(answer.contains("retry-after: 5") && answer.contains("application/problem+json"), "{answer}");
}
