//! Who may do what, and what an answer says.

use holdfast::platform::http::Role;
use reqwest::{Method, header};
use serde_json::json;

use super::{blobs, bucket, page, path, put};
use crate::support::{app::TestApp, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn roles_and_scopes_decide_and_others_see_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "team").await;
    put(&admin, "team", "a", "A").await.expect(201);
    let (viewer, member) = (app.person("default", Role::Viewer).await, app.person("default", Role::Member).await);
    assert_eq!(viewer.get(&path("team", "a")).await.text, "A");
    put(&viewer, "team", "b", "B").await.problem(403, "forbidden");
    put(&member, "team", "b", "B").await.expect(201);
    member.post("/api/v1/buckets", &json!({"name": "another"})).await.problem(403, "forbidden");
    member.delete(&path("team", "b")).await.expect(204);
    let stranger = app.other_org("strangers").await;
    for answer in [stranger.get(&path("team", "a")).await, put(&stranger, "team", "a", "X").await] {
        answer.problem(404, "bucket_not_found");
    }
    // The same name is theirs, and another bucket.
    bucket(&stranger, "team").await;
    stranger.get(&path("team", "a")).await.problem(404, "object_not_found");
    let key = json!({"name": "k", "scopes": ["files_read"]});
    let key = admin.post("/api/v1/api-keys", &key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let program = admin.with_key(&key);
    assert_eq!(program.get(&path("team", "a")).await.text, "A");
    put(&program, "team", "a", "B").await.problem(403, "forbidden");
    app.anonymous().get(&path("team", "a")).await.problem(401, "unauthorized");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_as_it_was_said_is_not_kept() {
    let settings = [("HOLDFAST_FILES__MAX_OBJECT_BYTES", "1048576"), ("HOLDFAST_FILES__ORG_BYTES", "1500000")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    bucket(&admin, "checked").await;
    let with = async |name: &'static str, value: &str, content: &'static str| {
        let request = admin.request(Method::PUT, &path("checked", "a")).header(name, value);
        admin.send(request.body(content)).await
    };
    with("x-content-sha256", &"0".repeat(64), "text").await.problem(400, "digest_mismatch");
    with("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==", "text").await.problem(400, "digest_mismatch");
    with("content-md5", "not base64", "text").await.problem(422, "validation_failed");
    with("x-content-sha256", "12", "text").await.problem(422, "validation_failed");
    let sha256 = holdfast::platform::crypto::sha256_hex("text");
    with("x-content-sha256", &sha256, "text").await.expect(201);
    // md5("text")
    with("content-md5", "HLJR7A1WjeapKbUgxK7Y0Q==", "text").await.expect(200);
    put(&admin, "checked", "b", vec![0_u8; (1 << 20) + 1]).await.problem(413, "payload_too_large");
    put(&admin, "checked", "b", vec![1_u8; 1_000_000]).await.expect(201);
    put(&admin, "checked", "c", vec![2_u8; 1_000_000]).await.problem(413, "quota_exceeded");
    put(&admin, "checked", &"k".repeat(1025), "text").await.problem(400, "key_invalid");
    until("what was refused stays on the disk", async || blobs(&app).len() == 2).await;
    assert_eq!(page(&admin, "checked", "").await.0, ["a", "b"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_was_uploaded_runs_here() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pages").await;
    let svg = "<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (key, declared, content, told) in [
        ("a.html", "text/html", "<p>hi", "application/octet-stream"),
        ("a.svg", "image/svg+xml", svg, "application/octet-stream"),
        ("a.png", "image/png", "<!doctype html><script>alert(1)</script>", "application/octet-stream"),
        ("a.txt", "text/plain; charset=utf-8", "hello", "text/plain; charset=utf-8"),
    ] {
        let request = admin.request(Method::PUT, &path("pages", key)).header(header::CONTENT_TYPE, declared);
        let made = admin.send(request.body(content)).await.expect(201);
        assert_eq!(made["content_type"], declared, "it is kept as it was declared");
        let read = admin.get(&path("pages", key)).await;
        let of = |name: &str| read.headers[name].to_str().unwrap();
        assert_eq!((of("content-type"), of("x-content-type-options")), (told, "nosniff"), "{key}");
        assert!(of("content-disposition").starts_with("attachment"), "{key}");
        assert!(of("content-security-policy").starts_with("sandbox;"), "{key}");
    }
    app.stop().await;
}
