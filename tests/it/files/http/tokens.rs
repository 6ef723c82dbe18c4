use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::TimeDelta;
use futures::future::join_all;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, bucket, get, local, path, put, send_form, text};
use crate::{
    files::page,
    support::app::{Client, TestApp},
};

async fn sign(client: &Client, bucket: &str, body: Value) -> String {
    let signed = client.post(&format!("/api/v1/buckets/{bucket}/sign"), &body).await.expect(200);
    local(signed["url"].as_str().unwrap())
}

/// To the object, the method, the time, and to size, type and hash where they are named.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_bound() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "bound").await;
    put(&admin, "bound", "a", "A").await.expect(201);
    let read = sign(&admin, "bound", json!({"method": "GET", "key": "a", "expires_in": 60})).await;
    assert_eq!(client.get(&read).await.text, "A");
    // Not for writing, and not for another key.
    ask(&client, Method::PUT, &read, &[], "X").await.problem(403, "forbidden");
    client.get(&format!("{read}/b")).await.problem(404, "object_not_found");
    // No character of it may be another.
    let token = read.strip_prefix("/f/t/").unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut other = token.as_bytes().to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = String::from_utf8(other).unwrap();
        assert_eq!(client.get(&format!("/f/t/{other}")).await.status, 403, "character {at}");
    }
    // Claims that nobody has signed.
    let (claims, signature) = token.split_once('.').unwrap();
    let claims = String::from_utf8(URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    let forged = URL_SAFE_NO_PAD.encode(claims.replace("\"read\"", "\"write\""));
    client.get(&format!("/f/t/{forged}.{signature}")).await.problem(403, "token_invalid");

    let limits = json!({
        "method": "PUT", "key": "up/one.txt", "expires_in": 60, "exact_bytes": 4, "content_type": "text/plain",
        "sha256": holdfast::platform::crypto::sha256_hex("text"),
    });
    let write = sign(&admin, "bound", limits).await;
    let plain = [("content-type", "text/plain")];
    ask(&client, Method::PUT, &write, &[("content-type", "text/html")], "text").await.problem(415, "type_refused");
    ask(&client, Method::PUT, &write, &plain, "longer").await.problem(400, "incomplete_body");
    ask(&client, Method::PUT, &write, &plain, "texT").await.problem(400, "digest_mismatch");
    client.get(&write).await.problem(403, "forbidden");
    ask(&client, Method::PUT, &write, &plain, "text").await.expect(201);
    assert_eq!(admin.get(&path("bound", "up/one.txt")).await.text, "text");
    let most = sign(&admin, "bound", json!({"method": "PUT", "key": "m", "expires_in": 60, "max_bytes": 3})).await;
    ask(&client, Method::PUT, &most, &[], "four").await.problem(413, "payload_too_large");
    ask(&client, Method::PUT, &most, &[], "abc").await.expect(201);
    let keep = sign(&admin, "bound", json!({"method": "PUT", "key": "m", "expires_in": 60, "keep": true})).await;
    ask(&client, Method::PUT, &keep, &[], "new").await.problem(412, "precondition_failed");

    // To the second.
    app.clock.advance(TimeDelta::seconds(59));
    assert_eq!(client.get(&read).await.status, 200);
    app.clock.advance(TimeDelta::seconds(2));
    client.get(&read).await.problem(403, "token_expired");
    app.stop().await;
}

/// A bucket of the same name that was made anew is another.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_for_the_bucket_that_was_there() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "again").await;
    put(&admin, "again", "a", "old").await.expect(201);
    let read = sign(&admin, "again", json!({"method": "GET", "key": "a", "expires_in": 60})).await;
    admin.delete(&path("again", "a")).await.expect(204);
    admin.delete("/api/v1/buckets/again").await.expect(204);
    bucket(&admin, "again").await;
    put(&admin, "again", "a", "new").await.expect(201);
    client.get(&read).await.problem(404, "bucket_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn once_is_once() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "once").await;
    put(&admin, "once", "a", "A").await.expect(201);
    let read = sign(&admin, "once", json!({"method": "GET", "key": "a", "expires_in": 60, "once": true})).await;
    // Asking about it uses nothing up.
    assert_eq!(ask(&client, Method::HEAD, &read, &[], "").await.status, 200);
    let answers = join_all((0..8).map(|_| client.get(&read))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1, "{answers:?}");
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.problem(403, "token_used");
    }
    let write = sign(&admin, "once", json!({"method": "PUT", "key": "b", "expires_in": 60, "once": true})).await;
    let answers = join_all((0..8).map(|n| {
        let request = client.request(Method::PUT, &write).body(format!("racer {n}"));
        client.send(request)
    }))
    .await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    // What was refused used nothing up.
    let limited = json!({"method": "PUT", "key": "c", "expires_in": 60, "once": true, "exact_bytes": 2});
    let limited = sign(&admin, "once", limited).await;
    ask(&client, Method::PUT, &limited, &[], "too long").await.problem(400, "incomplete_body");
    ask(&client, Method::PUT, &limited, &[], "ok").await.expect(201);
    app.stop().await;
}

/// Nobody signs what they may not do themselves, nor for longer than a week.
#[tokio::test(flavor = "multi_thread")]
async fn only_what_one_may_do_is_signed() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "signed").await;
    put(&admin, "signed", "a", "A").await.expect(201);
    let viewer = app.person("default", holdfast::platform::http::Role::Viewer).await;
    let at = "/api/v1/buckets/signed/sign";
    let body = |method: &str, seconds: i64| json!({"method": method, "key": "a", "expires_in": seconds});
    viewer.post(at, &body("GET", 60)).await.expect(200);
    viewer.post(at, &body("PUT", 60)).await.problem(403, "forbidden");
    for wrong in [
        body("GET", 0),
        body("GET", 604_801),
        body("POST", 60),
        json!({"method": "GET", "key": "", "expires_in": 60}),
        json!({"method": "GET", "key": "a", "expires_in": 60, "max_bytes": 3}),
        json!({"method": "PUT", "key": "a", "expires_in": 60, "sha256": "12"}),
    ] {
        admin.post(at, &wrong).await.problem(422, "validation_failed");
    }
    let stranger = app.other_org("strangers").await;
    stranger.post(at, &body("GET", 60)).await.problem(404, "bucket_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_form_fills_a_prefix() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "inbox").await;
    let token = json!({"method": "POST", "key": "in/", "prefix": true, "expires_in": 60, "max_bytes": 3});
    let form = sign(&admin, "inbox", token).await;
    // A prefix of the form itself is no way out.
    let fields = [("prefix", None, "../"), ("file", Some("a.txt"), "abc")];
    send_form(&client, &form, &fields).await.expect(201);
    send_form(&client, &form, &[("file", Some("b.txt"), "long")]).await.problem(413, "payload_too_large");
    assert_eq!(page(&admin, "inbox", "").await.0, ["in/a.txt"]);
    ask(&client, Method::PUT, &form, &[], "x").await.problem(403, "forbidden");
    let folder = json!({"method": "GET", "key": "in/", "prefix": true, "expires_in": 60});
    let folder = sign(&admin, "inbox", folder).await;
    let read = get(&client, &format!("{folder}/a.txt?download=b.txt"), &[]).await;
    assert_eq!(read.text, "abc");
    assert!(text(&read.headers, "content-disposition").starts_with("attachment; filename=\"b.txt\""));
    app.stop().await;
}
