//! Rude clients and hostile documents against the real program: a clear error for them, no harm to others, bounded memory.

use std::{net::SocketAddr, time::Duration};

use reqwest::{Method, header};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, sleep, timeout},
};

use crate::support::{
    app::Client,
    cluster::PATIENCE,
    documents::{add_document, fixture, make_base, send_file, wait_for_document},
    process::{Running, Site},
};

const MIB: u64 = 1 << 20;

/// Sends `head` and then `piece` for ever; what the server says, and how many bytes it let us send.
async fn pour(address: SocketAddr, head: &str, piece: &[u8], most: usize) -> (String, usize) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let (mut reader, mut writer) = stream.split();
    let mut answer = Vec::new();
    let mut sent = 0;
    let pouring = async {
        while sent < most && writer.write_all(piece).await.is_ok() {
            sent += piece.len();
        }
        // A server that reads it all without a word would be found by the timeout below.
        std::future::pending::<()>().await;
    };
    let reading = async {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = reader.read(&mut buffer).await {
            answer.extend_from_slice(&buffer[..n]);
            if answer.windows(4).any(|w| w == b"\r\n\r\n") {
                return;
            }
        }
    };
    timeout(PATIENCE, async {
        tokio::select! { () = pouring => {}, () = reading => {} }
    })
    .await
    .expect("an answer or a closed connection");
    (String::from_utf8_lossy(&answer).into_owned(), sent)
}

/// Fails when the program holds much more than before, once it had a moment to give memory back.
async fn assert_bounded(running: &Running, before: u64, most_more: u64, after_what: &str) {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let now = running.resident();
        if now <= before + most_more {
            return;
        }
        assert!(Instant::now() < deadline, "{after_what}: {} MiB became {} MiB", before / MIB, now / MIB);
        sleep(Duration::from_millis(200)).await;
    }
}

/// Works as anybody does, and expects to be served quickly.
async fn works(client: &Client) {
    let began = Instant::now();
    client.get("/api/v1/agents").await.expect(200);
    assert!(began.elapsed() < Duration::from_secs(3), "an honest client waited {:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn rude_clients_are_told_so_and_harm_nobody() {
    let site = Site::new();
    let running = site.start().await;
    let admin = site.admin().await;
    works(&admin).await;
    let before = running.resident();

    // 100 MB of JSON from nobody, with its length told and without end.
    let piece = vec![b' '; 64 * 1024];
    for path in ["/api/v1/agents", "/api/v1/auth/login", "/v1/chat/completions", "/login"] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 104857600\r\n\r\n"
        );
        let (answer, sent) = pour(site.address, &head, &piece, 104_857_600).await;
        assert!(
            ["401", "403", "413", "415", "400"].iter().any(|s| answer.starts_with(&format!("HTTP/1.1 {s}"))),
            "{path}: {answer}"
        );
        assert!(sent < 64 << 20, "{path}: {sent} bytes were taken");
        let chunk = [b"10000\r\n".to_vec(), piece.clone(), b"\r\n".to_vec()].concat();
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
        );
        let (answer, sent) = pour(site.address, &head, &chunk, usize::MAX).await;
        assert!(
            ["401", "403", "413", "415", "400"].iter().any(|s| answer.starts_with(&format!("HTTP/1.1 {s}"))),
            "{path}: {answer}"
        );
        assert!(sent < 64 << 20, "{path}: {sent} bytes were taken");
    }
    assert_bounded(&running, before, 64 * MIB, "large bodies").await;

    for deep in ["[".repeat(1_000_000), format!("{}1{}", "{\"a\":".repeat(150_000), "}".repeat(150_000))] {
        for path in ["/api/v1/auth/login", "/api/v1/agents"] {
            let request =
                admin.request(Method::POST, path).header(header::CONTENT_TYPE, "application/json").body(deep.clone());
            let answer = admin.send(request).await;
            assert_eq!(answer.status, 400, "{path}: {}", answer.text);
        }
    }
    works(&admin).await;

    // Two hundred clients that never finish a head, while one works.
    let mut slow = Vec::new();
    for _ in 0..200 {
        let mut stream = TcpStream::connect(site.address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ").await.unwrap();
        slow.push(stream);
    }
    for _ in 0..20 {
        works(&admin).await;
        for stream in &mut slow {
            let _ = stream.write_all(b"b").await;
        }
        sleep(Duration::from_millis(50)).await;
    }
    timeout(Duration::from_secs(30), async {
        for stream in &mut slow {
            let mut rest = Vec::new();
            let _ = stream.read_to_end(&mut rest).await;
        }
    })
    .await
    .expect("clients that never finish a head are cut off");
    assert_bounded(&running, before, 64 * MIB, "slow clients").await;
    works(&admin).await;
    assert!(running.stop().await.0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_uploads_are_refused_or_fail_with_a_reason() {
    let site = Site::new();
    let running = site.start().await;
    let admin = site.admin().await;
    let base = make_base(&admin, "Hostile").await;
    // Loads what honest work loads, too: the embedding model, the index.
    let honest = add_document(&admin, &base, "honest.md", b"# Honest\n\nThe heron nests on the weir.\n").await;
    assert_eq!(wait_for_document(&admin, &base, &honest).await["status"], "ready");
    let before = running.resident();

    let path = format!("/api/v1/knowledge-bases/{base}/documents");
    let noise: Vec<u8> = (0..200_000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect();
    let form = "multipart/form-data; boundary=cut";
    for (kind, body) in [
        (form, noise.clone()),
        (form, b"--cut\r\n".to_vec()),
        (form, b"--cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"x\"\r\n\r\nno end".to_vec()),
        (form, [b"--cut\r\nx: ".to_vec(), vec![b'y'; 300_000]].concat()),
        ("multipart/form-data", b"--cut--".to_vec()),
        ("application/json", b"{}".to_vec()),
    ] {
        let length = body.len();
        let answer = admin.send(admin.request(Method::POST, &path).header(header::CONTENT_TYPE, kind).body(body)).await;
        assert!(answer.status.is_client_error(), "{kind} of {length} bytes: {} {}", answer.status, answer.text);
    }
    send_file(&admin, &base, "noise.pdf", &noise).await.expect(415);
    send_file(&admin, &base, "plain.zip", &fixture("plain.zip")).await.expect(415);

    let mut hostile = Vec::new();
    for name in [
        "zip-bomb.docx",
        "encrypted.pdf",
        "looping-pages.pdf",
        "looping-objects.pdf",
        "looping-form.pdf",
        "deep.docx",
        "truncated.pdf",
    ] {
        hostile.push((name, add_document(&admin, &base, name, &fixture(name)).await));
    }
    for (name, id) in &hostile {
        let document = wait_for_document(&admin, &base, id).await;
        // A parser may find its way out of a loop; what it cannot read it must name.
        if document["status"] == "failed" {
            assert!(!document["failure_reason"].as_str().unwrap().is_empty(), "{name}: {document}");
        }
        let must_fail = ["zip-bomb.docx", "encrypted.pdf"].contains(name);
        assert!(!must_fail || document["status"] == "failed", "{name}: {document}");
        works(&admin).await;
    }
    assert_bounded(&running, before, 128 * MIB, "hostile documents").await;
    let after = add_document(&admin, &base, "after.md", b"# After\n\nThe service is unharmed.\n").await;
    assert_eq!(wait_for_document(&admin, &base, &after).await["status"], "ready");
    assert!(running.stop().await.0.success());
}
