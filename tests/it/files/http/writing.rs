use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures::stream;
use reqwest::Method;
use serde_json::json;

use super::{ask, bucket, path, put, send_form, text};
use crate::{
    files::{blobs, page},
    support::{app::TestApp, wait::until},
};

#[tokio::test(flavor = "multi_thread")]
async fn types_refused_by_content() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "pictures").await;
    admin.patch("/api/v1/buckets/pictures", &json!({"allowed_types": ["image/*"]})).await.expect(200);
    let send = async |declared: &'static str, content: Vec<u8>| {
        let request = admin.request(Method::PUT, &path("pictures", "a")).header("content-type", declared);
        admin.send(request.body(content)).await
    };
    send("image/png", b"\x89PNG\r\n\x1a\nrest".to_vec()).await.expect(201);
    send("application/octet-stream", b"\x89PNG\r\n\x1a\nrest".to_vec()).await.expect(200);
    // Whatever it is called.
    send("image/png", b"<!doctype html><p>".to_vec()).await.problem(415, "type_refused");
    send("image/png", b"PK\x03\x04".to_vec()).await.problem(415, "type_refused");
    send("text/plain", b"plain".to_vec()).await.problem(415, "type_refused");
    until("what was refused stays on the disk", async || blobs(&app).len() == 1).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn digests_are_compared_before_the_commit() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "digests").await;
    let at = path("digests", "a");
    let right = format!("sha-256=:{}:", STANDARD.encode(holdfast::platform::crypto::sha256("text")));
    ask(&admin, Method::PUT, &at, &[("repr-digest", &right)], "text").await.expect(201);
    ask(&admin, Method::PUT, &at, &[("repr-digest", &right)], "other").await.problem(400, "digest_mismatch");
    ask(&admin, Method::PUT, &at, &[("content-md5", "HLJR7A1WjeapKbUgxK7Y0Q==")], "texT")
        .await
        .problem(400, "digest_mismatch");
    ask(&admin, Method::PUT, &at, &[("repr-digest", "sha-256=zeros")], "text").await.problem(422, "validation_failed");
    assert_eq!(admin.get(&at).await.text, "text");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forms_with_folders() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "forms").await;
    let (at, long) = ("/api/v1/buckets/forms/objects", "k".repeat(1030));
    let fields = [
        ("prefix", None, "in/"),
        ("file", Some("a.txt"), "A"),
        ("file", Some("folder/b.txt"), "B"),
        ("file", Some(long.as_str()), "too long"),
        ("file", Some("c"), ""),
    ];
    let answer = send_form(&admin, at, &fields).await.expect(201);
    let keys: Vec<_> = answer["data"].as_array().unwrap().iter().map(|made| made["key"].as_str().unwrap()).collect();
    assert_eq!(keys, ["in/a.txt", "in/folder/b.txt", "in/c"]);
    assert_eq!(answer["rejected"][0]["code"], "key_invalid", "{answer}");
    assert_eq!(admin.get(&path("forms", "in/folder/b.txt")).await.text, "B");
    send_form(&admin, at, &[("prefix", None, "x")]).await.problem(422, "validation_failed");
    ask(&admin, Method::POST, at, &[], "no form").await.problem(415, "unsupported_media_type");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delete_many_answers_each() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "many").await;
    for key in ["a", "b", "c/d"] {
        put(&admin, "many", key, key).await.expect(201);
    }
    let objects = json!({"objects": [{"key": "a"}, {"key": "was never there"}, {"key": "c/d"}]});
    let answer = admin.post("/api/v1/buckets/many/delete", &objects).await.expect(200);
    let deleted: Vec<_> = answer["data"].as_array().unwrap().iter().map(|one| one["deleted"].clone()).collect();
    assert_eq!(deleted, [true, true, true], "{answer}");
    assert_eq!(page(&admin, "many", "").await.0, ["b"]);
    let far: Vec<_> = (0..1001).map(|n| json!({"key": format!("k{n}")})).collect();
    admin.post("/api/v1/buckets/many/delete", &json!({"objects": far})).await.problem(422, "validation_failed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn objects_are_copied_and_moved() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "from").await;
    bucket(&admin, "to").await;
    put(&admin, "from", "a", "A").await.expect(201);
    put(&admin, "from", "b", "B").await.expect(201);
    let copy = async |body| admin.post("/api/v1/buckets/from/copy", &body).await;
    copy(json!({"from": "a", "to": "a2"})).await.expect(200);
    copy(json!({"from": "a", "to": "x", "to_bucket": "to"})).await.expect(200);
    copy(json!({"from": "a", "to": "b"})).await.problem(409, "object_exists");
    copy(json!({"from": "a", "to": "b", "replace": true})).await.expect(200);
    copy(json!({"from": "nothing", "to": "c"})).await.problem(404, "object_not_found");
    copy(json!({"from": "a", "to": "c", "to_bucket": "nowhere"})).await.problem(404, "bucket_not_found");
    let moved = async |body| admin.post("/api/v1/buckets/from/move", &body).await;
    moved(json!({"from": "a", "to": "b"})).await.problem(409, "object_exists");
    moved(json!({"from": "a", "to": "y", "to_bucket": "to"})).await.expect(200);
    assert_eq!(page(&admin, "from", "").await.0, ["a2", "b"]);
    assert_eq!(page(&admin, "to", "").await.0, ["x", "y"]);
    assert_eq!(admin.get(&path("to", "y")).await.text, "A");
    app.stop().await;
}

/// Parts may be sent again and in any order; the object is there with the last word only.
#[tokio::test(flavor = "multi_thread")]
async fn an_upload_in_parts() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "parts").await;
    let begun = json!({"key": "large", "content_type": "text/plain"});
    let upload = admin.post("/api/v1/buckets/parts/uploads", &begun).await.expect(201);
    let at = format!("/api/v1/uploads/{}", upload["id"].as_str().unwrap());
    let part = async |number: i32, content: Vec<u8>| {
        admin.send(admin.request(Method::PUT, &format!("{at}/parts/{number}")).body(content)).await
    };
    part(2, b"end".to_vec()).await.expect(200);
    part(1, vec![b'x'; 5 << 20]).await.expect(200);
    part(1, vec![b'a'; 5 << 20]).await.expect(200);
    part(0, b"x".to_vec()).await.problem(422, "validation_failed");
    admin.get(&path("parts", "large")).await.problem(404, "object_not_found");
    let parts = admin.get(&format!("{at}/parts")).await.expect(200);
    assert_eq!(parts["data"].as_array().unwrap().len(), 2);
    let made = admin.post(&format!("{at}/complete"), &json!({})).await.expect(200);
    assert_eq!(made["size"], (5 << 20) + 3);
    let again = admin.post(&format!("{at}/complete"), &json!({})).await.expect(200);
    assert_eq!(again["version_id"], made["version_id"]);
    let read = admin.get(&path("parts", "large")).await;
    assert!(read.text.ends_with("aend") && !read.text.contains('x'));
    assert_eq!(text(&read.headers, "content-type"), "text/plain");
    let given_up = admin.post("/api/v1/buckets/parts/uploads", &begun).await.expect(201);
    let at = format!("/api/v1/uploads/{}", given_up["id"].as_str().unwrap());
    admin.delete(&at).await.expect(204);
    admin.post(&format!("{at}/complete"), &json!({})).await.problem(404, "upload_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_and_cors_are_whole_lists() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "ruled").await;
    put(&admin, "ruled", "open/a", "A").await.expect(201);
    put(&admin, "ruled", "b", "B").await.expect(201);
    let at = "/api/v1/buckets/ruled/rules";
    let rules = json!({"rules": [{"subject": "role:viewer", "prefix": "open/", "verbs": ["read", "list"]}]});
    admin.put(at, &rules).await.expect(200);
    let member = app.person("default", holdfast::platform::http::Role::Member).await;
    assert_eq!(member.get(&path("ruled", "open/a")).await.text, "A");
    member.get(&path("ruled", "b")).await.problem(403, "forbidden");
    let refused = member.get("/api/v1/buckets/ruled/objects").await;
    refused.problem(403, "forbidden");
    assert!(refused.text.contains("open/"), "it says what would work: {}", refused.text);
    member.put(at, &json!({"rules": []})).await.problem(403, "forbidden");
    let wrong = admin.put(at, &json!({"rules": [{"subject": "king", "verbs": ["read"]}]})).await;
    wrong.problem(422, "validation_failed");
    assert_eq!(wrong.json()["errors"][0]["pointer"], "/rules/0/subject");
    admin.put(at, &json!({"rules": []})).await.expect(200);
    assert_eq!(member.get(&path("ruled", "b")).await.text, "B", "without rules the defaults are back");
    let cors = "/api/v1/buckets/ruled/cors";
    let rule = json!([{"origins": ["https://*.example.com"], "methods": ["GET"], "expose": ["etag"]}]);
    admin.put(cors, &json!({"cors": rule})).await.expect(200);
    assert_eq!(admin.get(cors).await.expect(200)[0]["origins"], rule[0]["origins"]);
    let origin = [("origin", "https://app.example.com")];
    let read = super::get(&admin, &path("ruled", "b"), &origin).await;
    assert_eq!(text(&read.headers, "access-control-allow-origin"), "https://app.example.com");
    let other = super::get(&admin, &path("ruled", "b"), &[("origin", "https://evil.test")]).await;
    assert_eq!(text(&other.headers, "access-control-allow-origin"), "");
    admin.put(cors, &json!({"cors": [{"origins": [], "methods": ["EAT"]}]})).await.problem(422, "validation_failed");
    app.stop().await;
}

/// A change is refused where somebody else was there first.
#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_is_changed_by_its_revision() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "changed").await;
    let at = "/api/v1/buckets/changed";
    let etag = text(&admin.get(at).await.headers, "etag").to_owned();
    let change = async |etag: &str| {
        let request = admin.request(Method::PATCH, at).header("if-match", etag).json(&json!({"public": true}));
        admin.send(request).await
    };
    change(&etag).await.expect(200);
    change(&etag).await.problem(412, "precondition_failed");
    change("\"nonsense\"").await.problem(412, "precondition_failed");
    admin.patch(at, &json!({"public": false})).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_unknown_length() {
    let app = TestApp::start_with(&[("HOLDFAST_FILES__MAX_OBJECT_BYTES", "1048576")]).await;
    let admin = app.admin().await;
    bucket(&admin, "unknown").await;
    let pieces = |count: usize| stream::iter((0..count).map(|_| Ok::<_, std::io::Error>(Bytes::from(vec![1; 65_536]))));
    put(&admin, "unknown", "a", reqwest::Body::wrap_stream(pieces(16))).await.expect(201);
    put(&admin, "unknown", "b", reqwest::Body::wrap_stream(pieces(17))).await.problem(413, "payload_too_large");
    assert_eq!(page(&admin, "unknown", "").await.0, ["a"]);
    app.stop().await;
}
