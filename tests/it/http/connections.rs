//! Connections: limits, timeouts, keep-alive and their end.

use std::time::Duration;

use axum::body::{Body, Bytes};
use holdfast::platform::{http::Config, lifecycle::Lifecycle};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{exchange, start, start_with};
use crate::support::wait::until;

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
        // Longer than a reset takes to arrive.
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
