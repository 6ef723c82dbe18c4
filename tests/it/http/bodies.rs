//! Request bodies: size, format, memory and speed.

use std::{net::SocketAddr, time::Duration};

use holdfast::platform::http::Config;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{exchange, start, strict};

fn post_json(body: &str) -> Vec<u8> {
    format!(
        "POST /echo HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
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
