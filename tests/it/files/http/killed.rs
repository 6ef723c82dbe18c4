use bytes::Bytes;
use futures::{StreamExt as _, stream};
use reqwest::Method;

use super::{ask, bucket, local, path, text};
use crate::support::{app::Client, process::Site};

const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");
const OFFSET: (&str, &str) = ("content-type", "application/offset+octet-stream");
const PIECE: usize = 200_000;

async fn offset(client: &Client, at: &str) -> usize {
    let answer = ask(client, Method::HEAD, at, &[VERSION], "").await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    text(&answer.headers, "upload-offset").parse().unwrap()
}

/// The program is killed after each acknowledged piece and in the middle of each that is not: what was acknowledged is there, and the whole at the end.
#[tokio::test(flavor = "multi_thread")]
async fn tus_survives_kill() {
    let site = Site::new();
    let content: String = (0..PIECE * 4).map(|n| char::from(b'a' + u8::try_from(n * 7 % 26).unwrap())).collect();
    let mut running = site.start().await;
    let admin = site.admin().await;
    bucket(&admin, "killed").await;
    let length = content.len().to_string();
    // "killed" and "a".
    let headers =
        [VERSION, ("upload-length", length.as_str()), ("upload-metadata", "bucketName a2lsbGVk,objectName YQ==")];
    let made = ask(&admin, Method::POST, "/f/tus", &headers, "").await;
    let at = local(text(&made.headers, "location"));
    let mut acknowledged = 0;
    for round in 0..8 {
        let admin = site.admin().await;
        let there = offset(&admin, &at).await;
        assert!(there >= acknowledged, "{there} of {acknowledged} acknowledged bytes");
        if there == content.len() {
            break;
        }
        let piece = &content[there..content.len().min(there + PIECE)];
        let begin = there.to_string();
        if round % 2 == 0 {
            let headers = [VERSION, OFFSET, ("upload-offset", begin.as_str())];
            let sent = ask(&admin, Method::PATCH, &at, &headers, piece).await;
            assert_eq!(sent.status, 204, "{}", sent.text);
            acknowledged = there + piece.len();
        } else {
            // Half of a piece, and then nothing.
            let half = Bytes::copy_from_slice(piece[..piece.len() / 2].as_bytes());
            let body = stream::iter([Ok::<_, std::io::Error>(half)]).chain(stream::pending());
            let request = admin.request(Method::PATCH, &at).header(VERSION.0, VERSION.1).header(OFFSET.0, OFFSET.1);
            let request = request.header("upload-offset", &begin).body(reqwest::Body::wrap_stream(body));
            let sending = tokio::time::timeout(std::time::Duration::from_millis(300), request.send()).await;
            assert!(sending.is_err(), "it was answered");
        }
        running.kill();
        running = site.start().await;
    }
    let admin = site.admin().await;
    let there = offset(&admin, &at).await;
    if there < content.len() {
        let begin = there.to_string();
        let headers = [VERSION, OFFSET, ("upload-offset", begin.as_str())];
        let sent = ask(&admin, Method::PATCH, &at, &headers, &content[there..]).await;
        assert_eq!(sent.status, 204, "{}", sent.text);
    }
    let read = admin.get(&path("killed", "a")).await;
    assert!(read.text == content, "{} bytes came back", read.text.len());
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
}
