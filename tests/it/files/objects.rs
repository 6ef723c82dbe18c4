//! What is written is there, once, whole, and in its order.

use std::{collections::BTreeSet, io, time::Duration};

use bytes::Bytes;
use futures::{StreamExt as _, future::join_all, stream};
use reqwest::{Method, header};
use serde_json::json;

use super::{blobs, bucket, encoded, page, path, put};
use crate::support::{app::TestApp, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_written_read_replaced_and_deleted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let id = bucket(&admin, "first").await["id"].as_str().unwrap().to_owned();
    admin.post("/api/v1/buckets", &json!({"name": "first"})).await.problem(409, "bucket_exists");
    let made = put(&admin, "first", "a/b c.txt", "one").await;
    assert_eq!(made.expect(201)["size"], 3);
    let read = admin.get(&path(&id, "a/b c.txt")).await;
    assert_eq!((read.status.as_u16(), read.text.as_str()), (200, "one"), "by the bucket's id, too");
    assert_eq!(read.headers[header::ETAG], made.headers[header::ETAG]);
    let head = admin.send(admin.request(Method::HEAD, &path("first", "a/b c.txt"))).await;
    assert_eq!((head.headers[header::CONTENT_LENGTH].to_str().unwrap(), head.text.as_str()), ("3", ""));
    // Replaced; and the content that both have is stored once.
    assert_eq!(put(&admin, "first", "a/b c.txt", "two!").await.expect(200)["size"], 4);
    put(&admin, "first", "copy", "two!").await.expect(201);
    put(&admin, "first", "empty", "").await.expect(201);
    assert_eq!(admin.get(&path("first", "empty")).await.text, "");
    until("the second file of an equal content stays", async || blobs(&app).len() == 2).await;
    assert_eq!(page(&admin, "first", "").await.0, ["a/b c.txt", "copy", "empty"]);
    admin.delete("/api/v1/buckets/first").await.problem(409, "not_empty");
    for key in ["a/b c.txt", "copy", "empty", "was never there"] {
        admin.delete(&path("first", key)).await.expect(204);
    }
    admin.get(&path("first", "copy")).await.problem(404, "object_not_found");
    // What is left is trash: the bucket goes, and its name is free.
    admin.delete("/api/v1/buckets/first").await.expect(204);
    admin.get("/api/v1/buckets/first").await.problem(404, "bucket_not_found");
    bucket(&admin, "first").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_object_is_stored_as_it_came() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "large").await;
    let content: Vec<u8> = (0..7_300_001_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let sha256 = holdfast::platform::crypto::sha256_hex(&content);
    let pieces: Vec<io::Result<Bytes>> = content.chunks(70_001).map(|part| Ok(Bytes::copy_from_slice(part))).collect();
    // Of unknown length.
    let made = put(&admin, "large", "l", reqwest::Body::wrap_stream(stream::iter(pieces))).await.expect(201);
    assert_eq!((made["size"].as_u64(), made["sha256"].as_str()), (Some(7_300_001), Some(sha256.as_str())));
    let read = admin.request(Method::GET, &path("large", "l")).send().await.unwrap().bytes().await.unwrap();
    assert!(read == content, "{} bytes came back", read.len());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disconnect_before_the_last_byte_leaves_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "cut").await;
    let begin = vec![7_u8; 6 << 20];
    let cut = stream::iter([Ok(Bytes::from(begin)), Err(io::Error::other("gone"))]);
    let sent = admin.request(Method::PUT, &path("cut", "a")).body(reqwest::Body::wrap_stream(cut)).send().await;
    assert!(sent.is_err());
    until("bytes of an upload that was given up stay", async || blobs(&app).is_empty()).await;
    assert_eq!(page(&admin, "cut", "").await.0, Vec::<String>::new());
    // Nor does a client that stops and goes away.
    let stuck = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"x"))]).chain(stream::pending());
    let sending = admin.request(Method::PUT, &path("cut", "a")).body(reqwest::Body::wrap_stream(stuck)).send();
    assert!(tokio::time::timeout(Duration::from_millis(300), sending).await.is_err());
    until("bytes of an upload that hung stay", async || blobs(&app).is_empty()).await;
    admin.get(&path("cut", "a")).await.problem(404, "object_not_found");
    app.stop().await;
}

/// One current object after all, whose content is one of theirs; and a condition has one winner.
#[tokio::test(flavor = "multi_thread")]
async fn many_writers_of_one_key() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "raced").await;
    for round in 0..10 {
        let key = format!("k{round}");
        let contents: Vec<String> = (0..8).map(|n| format!("{round} {n}")).collect();
        let answers = join_all(contents.iter().map(|content| put(&admin, "raced", &key, content.clone()))).await;
        let created = answers.iter().filter(|answer| answer.status == 201).count();
        assert!(created == 1 && answers.iter().all(|answer| answer.status.is_success()), "{answers:?}");
        assert!(contents.contains(&admin.get(&path("raced", &key)).await.text));
    }
    let racers = (0..16).map(|n| {
        let request = admin.request(Method::PUT, &path("raced", "once")).header(header::IF_NONE_MATCH, "*");
        admin.send(request.body(format!("racer {n}")))
    });
    let answers = join_all(racers).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 412), "{answers:?}");
    let etag = admin.get(&path("raced", "once")).await.headers[header::ETAG].clone();
    let with = async |etag: &header::HeaderValue| {
        let request = admin.request(Method::PUT, &path("raced", "once")).header(header::IF_MATCH, etag);
        admin.send(request.body("next")).await
    };
    with(&etag).await.expect(200);
    with(&etag).await.problem(412, "precondition_failed");
    with(&header::HeaderValue::from_static("no quotes")).await.problem(422, "validation_failed");
    app.stop().await;
}

/// Every page of every list is that of a plain model, however odd the keys are.
#[tokio::test(flavor = "multi_thread")]
async fn lists_equal_a_model() {
    // It asks more often than somebody may.
    let unlimited =
        [("HOLDFAST_SERVER__REQUEST_BURST", "100000"), ("HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST", "100000")];
    let app = TestApp::start_with(&unlimited).await;
    let admin = app.admin().await;
    bucket(&admin, "odd").await;
    let mut keys: BTreeSet<String> = [
        "a",
        "a/",
        "a//b",
        "a/b",
        "a/b/c",
        "a0",
        "ab/x",
        "../x",
        ". ",
        " ",
        "%2F",
        "\\",
        "é",
        "e\u{301}",
        "z\u{d7ff}",
        "z\u{e000}",
        "z\u{10ffff}x",
        "b\u{1}/c",
    ]
    .map(str::to_owned)
    .into();
    keys.extend((0..40).map(|n| format!("m/{n:02}/{}", n % 3)));
    for key in &keys {
        put(&admin, "odd", key, key.clone()).await.expect(201);
        assert_eq!(admin.get(&path("odd", key)).await.text, *key);
    }
    for prefix in ["", "a", "a/", "m/", "z", "nothing", "e"] {
        for delimiter in ["", "/", "//", "b", "\u{e000}"] {
            for limit in [1, 7, 200] {
                let mut expected: Vec<String> = Vec::new();
                for key in keys.iter().filter(|key| key.starts_with(prefix)) {
                    let rest = &key[prefix.len()..];
                    let cut = Some(delimiter).filter(|text| !text.is_empty()).and_then(|text| rest.find(text));
                    let entry = cut.map_or(key.as_str(), |at| &key[..prefix.len() + at + delimiter.len()]);
                    if expected.last().is_none_or(|last| last != entry) {
                        expected.push(entry.to_owned());
                    }
                }
                let (mut found, mut next) = (Vec::new(), Some(String::new()));
                while let Some(cursor) = next {
                    let (prefix, delimiter) = (encoded(prefix), encoded(delimiter));
                    let query = format!("prefix={prefix}&delimiter={delimiter}&limit={limit}&cursor={cursor}");
                    let (keys, more) = page(&admin, "odd", &query).await;
                    assert!(keys.len() <= limit);
                    found.extend(keys);
                    next = more;
                }
                assert_eq!(found, expected, "{prefix:?} {delimiter:?} {limit}");
            }
        }
    }
    app.stop().await;
}
