use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use futures::{StreamExt as _, stream};
use reqwest::Method;
use serde_json::json;

use super::{ask, bucket, get, local, path, put, text};
use crate::support::{
    app::{Answer, Client, TestApp},
    wait::until,
};

const OFFSET: (&str, &str) = ("content-type", "application/offset+octet-stream");
const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");

/// `Upload-Metadata` of a bucket and a key.
fn named(bucket: &str, key: &str) -> String {
    format!("bucketName {},objectName {}", STANDARD.encode(bucket), STANDARD.encode(key))
}

async fn begin(client: &Client, metadata: &str, headers: &[(&str, &str)]) -> Answer {
    let all = [&[VERSION, ("upload-metadata", metadata)][..], headers].concat();
    ask(client, Method::POST, "/f/tus", &all, "").await
}

/// The address of a new upload.
async fn begun(client: &Client, metadata: &str, headers: &[(&str, &str)]) -> String {
    let answer = begin(client, metadata, headers).await;
    assert_eq!(answer.status, 201, "{}", answer.text);
    local(text(&answer.headers, "location"))
}

async fn patch(client: &Client, at: &str, offset: u64, content: &str) -> Answer {
    let offset = offset.to_string();
    ask(client, Method::PATCH, at, &[VERSION, OFFSET, ("upload-offset", &offset)], content).await
}

async fn look(client: &Client, at: &str) -> Answer {
    ask(client, Method::HEAD, at, &[VERSION], "").await
}

/// Point by point through the protocol's text.
#[tokio::test(flavor = "multi_thread")]
async fn tus_core_and_extensions() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "tus").await;
    let options = ask(&admin, Method::OPTIONS, "/f/tus", &[], "").await;
    assert_eq!((options.status.as_u16(), text(&options.headers, "tus-version")), (204, "1.0.0"));
    for extension in ["creation", "termination", "checksum", "expiration", "concatenation"] {
        assert!(text(&options.headers, "tus-extension").split(',').any(|one| one == extension), "{extension}");
    }
    assert!(!text(&options.headers, "tus-max-size").is_empty());
    // Another version, or none.
    for version in [&[][..], &[("tus-resumable", "0.2.2")], &[("upload-draft-interop-version", "6")]] {
        let headers = [version, &[("upload-length", "3")][..]].concat();
        let answer = ask(&admin, Method::POST, "/f/tus", &headers, "").await;
        assert_eq!((answer.status.as_u16(), text(&answer.headers, "tus-version")), (412, "1.0.0"));
    }
    let at = begun(&admin, &named("tus", "a.txt"), &[("upload-length", "10")]).await;
    let state = look(&admin, &at).await;
    assert_eq!((text(&state.headers, "upload-offset"), text(&state.headers, "upload-length")), ("0", "10"));
    assert_eq!(text(&state.headers, "cache-control"), "no-store");
    assert!(!text(&state.headers, "upload-expires").is_empty());
    let first = patch(&admin, &at, 0, "01234").await;
    assert_eq!((first.status.as_u16(), text(&first.headers, "upload-offset")), (204, "5"));
    assert_eq!(text(&first.headers, "tus-resumable"), "1.0.0");
    admin.get(&path("tus", "a.txt")).await.problem(404, "object_not_found");
    let conflict = patch(&admin, &at, 3, "x").await;
    assert_eq!((conflict.status.as_u16(), text(&conflict.headers, "upload-offset")), (409, "5"));
    assert_eq!(ask(&admin, Method::PATCH, &at, &[VERSION, ("upload-offset", "5")], "x").await.status, 415);
    assert_eq!(ask(&admin, Method::PATCH, &at, &[VERSION, OFFSET], "x").await.status, 400, "without an offset");
    assert_eq!(patch(&admin, &at, 5, "56789x").await.status, 413, "longer than it was to be");
    // What came before the byte too many is not kept, or is told.
    let state = look(&admin, &at).await;
    let offset: u64 = text(&state.headers, "upload-offset").parse().unwrap();
    assert_eq!(patch(&admin, &at, offset, &"0123456789"[usize::try_from(offset).unwrap()..]).await.status, 204);
    assert_eq!(admin.get(&path("tus", "a.txt")).await.text, "0123456789");
    // An answer that was lost is told again.
    let state = look(&admin, &at).await;
    assert_eq!((state.status.as_u16(), text(&state.headers, "upload-offset")), (200, "10"));
    assert_eq!(patch(&admin, &at, 10, "").await.status, 204);

    // Created with its first bytes, by clients that know no PATCH; and nothing at all.
    let first = [VERSION, OFFSET, ("upload-length", "4")];
    let metadata = named("tus", "b");
    let all = [&first[..], &[("upload-metadata", metadata.as_str())]].concat();
    let made = ask(&admin, Method::POST, "/f/tus", &all, "ab").await;
    assert_eq!((made.status.as_u16(), text(&made.headers, "upload-offset")), (201, "2"));
    let at = local(text(&made.headers, "location"));
    let headers = [VERSION, OFFSET, ("upload-offset", "2"), ("x-http-method-override", "PATCH")];
    assert_eq!(ask(&admin, Method::POST, &at, &headers, "cd").await.status, 204);
    assert_eq!(admin.get(&path("tus", "b")).await.text, "abcd");
    begun(&admin, &named("tus", "empty"), &[("upload-length", "0")]).await;
    assert_eq!(admin.get(&path("tus", "empty")).await.text, "");

    // Terminated.
    let at = begun(&admin, &named("tus", "c"), &[("upload-length", "4")]).await;
    assert_eq!(patch(&admin, &at, 0, "ab").await.status, 204);
    assert_eq!(ask(&admin, Method::DELETE, &at, &[VERSION], "").await.status, 204);
    assert_eq!(look(&admin, &at).await.status, 410);
    assert_eq!(patch(&admin, &at, 2, "cd").await.status, 410);
    for wrong in ["objectName !", "objectName YQ==,objectName YQ=="] {
        let answer = begin(&admin, wrong, &[("upload-length", "1")]).await;
        assert!(answer.status == 400 && answer.text.contains("objectName"), "{}", answer.text);
    }
    assert_eq!(begin(&admin, &named("nowhere", "a"), &[("upload-length", "1")]).await.status, 404);
    assert_eq!(begin(&admin, "", &[("upload-length", "1")]).await.status, 400);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_checksum_wrong_changes_nothing() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "sums").await;
    let at = begun(&admin, &named("sums", "a"), &[("upload-length", "8")]).await;
    let send = async |checksum: &str, offset: &str, content: &str| {
        let headers = [VERSION, OFFSET, ("upload-offset", offset), ("upload-checksum", checksum)];
        ask(&admin, Method::PATCH, &at, &headers, content).await
    };
    // SHA-1 and MD5 of "text".
    let sha1 = "sha1 Ny6jzRe6/q0iCqlwMDyaWJpSYGg=";
    let wrong = send(sha1, "0", "texT").await;
    assert_eq!(wrong.status, 460, "{}", wrong.text);
    assert_eq!(text(&look(&admin, &at).await.headers, "upload-offset"), "0");
    assert_eq!(send("sha512 AAAA", "0", "text").await.status, 400);
    assert_eq!(send("md5 HLJR7A1WjeapKbUgxK7Y0Q==", "0", "text").await.status, 204);
    let sha256 = format!("sha256 {}", STANDARD.encode(holdfast::platform::crypto::sha256("more")));
    assert_eq!(send(&sha256, "4", "more").await.status, 204);
    assert_eq!(admin.get(&path("sums", "a")).await.text, "textmore");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_concatenation_of_parallel_uploads() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "joined").await;
    let metadata = named("joined", "whole");
    let partial = [("upload-concat", "partial"), ("upload-length", "3")];
    let (one, two) = (begun(&admin, &metadata, &partial).await, begun(&admin, &metadata, &partial).await);
    assert_eq!(patch(&admin, &two, 0, "def").await.status, 204);
    let join = format!("final;{one} http://elsewhere.test/base{two}");
    let early = begin(&admin, &metadata, &[("upload-concat", &join)]).await;
    assert_eq!(early.status, 400, "one is not whole: {}", early.text);
    assert_eq!(patch(&admin, &one, 0, "abc").await.status, 204);
    admin.get(&path("joined", "whole")).await.problem(404, "object_not_found");
    assert_eq!(text(&look(&admin, &one).await.headers, "upload-concat"), "partial");
    let at = begun(&admin, &metadata, &[("upload-concat", &join)]).await;
    assert_eq!(admin.get(&path("joined", "whole")).await.text, "abcdef");
    assert_eq!(text(&look(&admin, &at).await.headers, "upload-offset"), "6");
    // What is another organisation's is nothing.
    let stranger = app.other_org("strangers").await;
    bucket(&stranger, "joined").await;
    let stolen = begin(&stranger, &metadata, &[("upload-concat", &join)]).await;
    assert_eq!(stolen.status, 404, "{}", stolen.text);
    assert_eq!(look(&stranger, &one).await.status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_deferred_length() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "later").await;
    let at = begun(&admin, &named("later", "a"), &[("upload-defer-length", "1")]).await;
    assert_eq!(text(&look(&admin, &at).await.headers, "upload-defer-length"), "1");
    assert_eq!(patch(&admin, &at, 0, "abc").await.status, 204);
    let last = [VERSION, OFFSET, ("upload-offset", "3"), ("upload-length", "5")];
    assert_eq!(ask(&admin, Method::PATCH, &at, &last, "de").await.status, 204);
    assert_eq!(admin.get(&path("later", "a")).await.text, "abcde");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tus_expired_is_410() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "expiring").await;
    let at = begun(&admin, &named("expiring", "a"), &[("upload-length", "4")]).await;
    app.clock.advance(TimeDelta::days(8));
    let admin = app.admin().await;
    assert_eq!(look(&admin, &at).await.status, 410);
    assert_eq!(patch(&admin, &at, 0, "text").await.status, 410);
    app.stop().await;
}

/// An upload whose object is refused is not taken for done: neither at its last byte, nor by whoever asks how far it is.
#[tokio::test(flavor = "multi_thread")]
async fn tus_refused_at_the_end_is_not_done() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "refusing").await;
    admin.patch("/api/v1/buckets/refusing", &json!({"allowed_types": ["image/*"]})).await.expect(200);
    let at = begun(&admin, &named("refusing", "a"), &[("upload-length", "6")]).await;
    assert_eq!(patch(&admin, &at, 0, "<html>").await.status, 415);
    // The bytes with which it was refused are not there.
    assert_eq!(text(&look(&admin, &at).await.headers, "upload-offset"), "0");
    admin.get(&path("refusing", "a")).await.problem(404, "object_not_found");
    // The reason is gone.
    admin.patch("/api/v1/buckets/refusing", &json!({"allowed_types": []})).await.expect(200);
    assert_eq!(patch(&admin, &at, 0, "<html>").await.status, 204);
    assert_eq!(admin.get(&path("refusing", "a")).await.text, "<html>");
    app.stop().await;
}

/// What a broken connection has brought is kept, and the next request goes on there.
#[tokio::test(flavor = "multi_thread")]
async fn tus_goes_on_after_a_broken_connection() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "broken").await;
    let at = begun(&admin, &named("broken", "a"), &[("upload-length", "10")]).await;
    let cut = stream::iter([Ok(bytes::Bytes::from_static(b"01234")), Err(std::io::Error::other("gone"))]);
    let request = admin.request(Method::PATCH, &at).header(VERSION.0, VERSION.1).header(OFFSET.0, OFFSET.1);
    let sent = request.header("upload-offset", "0").body(reqwest::Body::wrap_stream(cut)).send().await;
    assert!(sent.is_err());
    until("what came is not kept", async || text(&look(&admin, &at).await.headers, "upload-offset") == "5").await;
    assert_eq!(patch(&admin, &at, 5, "56789").await.status, 204);
    assert_eq!(admin.get(&path("broken", "a")).await.text, "0123456789");
    app.stop().await;
}

/// The later request takes over from one that hangs, as a client's retry behind a proxy's timeout does; the former brings nothing any more.
#[tokio::test(flavor = "multi_thread")]
async fn two_patches_at_once() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "taken").await;
    let at = begun(&admin, &named("taken", "a"), &[("upload-length", "10")]).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(4);
    let slow = stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|next| (next, receiver)) });
    let request = admin.request(Method::PATCH, &at).header(VERSION.0, VERSION.1).header(OFFSET.0, OFFSET.1);
    let request = request.header("upload-offset", "0").body(reqwest::Body::wrap_stream(slow.boxed()));
    let hanging = async {
        sender.send(Ok(bytes::Bytes::from_static(b"xxxxx"))).await.unwrap();
        // The other one is through before this one ends.
        until("the later request does not take over", async || patch(&admin, &at, 0, "0123456789").await.status == 204)
            .await;
        drop(sender);
    };
    let (slow, ()) = tokio::join!(admin.send(request), hanging);
    assert!(!slow.status.is_success(), "{}: {}", slow.status, slow.text);
    assert_eq!(admin.get(&path("taken", "a")).await.text, "0123456789");
    app.stop().await;
}

/// With a token that was signed for it: the same limits as a PUT, and nobody else's upload.
#[tokio::test(flavor = "multi_thread")]
async fn tokens_hold_for_tus_as_for_put() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "signed").await;
    put(&admin, "signed", "kept", "old").await.expect(201);
    let sign = async |body: serde_json::Value| {
        let signed = admin.post("/api/v1/buckets/signed/sign", &body).await.expect(200);
        signed["token"].as_str().unwrap().to_owned()
    };
    let token = sign(json!({"method": "PUT", "key": "a", "expires_in": 60, "max_bytes": 4})).await;
    let with = |length: &'static str| [("upload-length", length), ("x-signature", token.as_str())];
    assert_eq!(begin(&client, "", &with("5")).await.status, 413);
    assert_eq!(begin(&client, &named("signed", "b"), &with("4")).await.status, 403, "another key");
    assert_eq!(begin(&client, "", &[("upload-length", "4")]).await.status, 401, "without it");
    let at = begun(&client, "", &with("4")).await;
    let headers = [VERSION, OFFSET, ("upload-offset", "0"), ("x-signature", token.as_str())];
    assert_eq!(patch(&client, &at, 0, "text").await.status, 401);
    assert_eq!(ask(&client, Method::PATCH, &at, &headers, "text").await.status, 204);
    assert_eq!(admin.get(&path("signed", "a")).await.text, "text");
    let keep = sign(json!({"method": "PUT", "key": "kept", "expires_in": 60, "keep": true})).await;
    let refused = begin(&client, "", &[("upload-length", "3"), ("x-signature", &keep)]).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    app.stop().await;
}

/// A proxy that takes `/base` away, and says things that are not so: addresses are made of the setting alone.
#[tokio::test(flavor = "multi_thread")]
async fn tus_behind_a_prefix() {
    let app = TestApp::start_with(&[("HOLDFAST_SERVER__PUBLIC_URL", "https://files.example.com/base")]).await;
    let admin = app.admin().await;
    bucket(&admin, "proxied").await;
    let lies = [
        ("upload-length", "1"),
        ("x-forwarded-port", "9999"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "evil.test"),
    ];
    let made = begin(&admin, &named("proxied", "a"), &lies).await;
    let location = text(&made.headers, "location");
    assert!(location.starts_with("https://files.example.com/base/f/tus/"), "{location}");
    let program = super::key(&admin, &["files_write"]).await;
    let metadata = named("proxied", "b");
    let headers = [VERSION, ("upload-metadata", metadata.as_str()), ("upload-length", "1")];
    for at in ["/storage/v1/upload/resumable", "/o/default/storage/v1/upload/resumable/"] {
        let made = ask(&program, Method::POST, at.trim_end_matches('/'), &headers, "").await;
        let location = text(&made.headers, "location");
        let expected = format!("https://files.example.com/base{}/", at.trim_end_matches('/'));
        assert!(location.starts_with(&expected), "{location} {}", made.text);
        let here = location.strip_prefix("https://files.example.com/base").unwrap();
        assert_eq!(get(&program, here, &[VERSION]).await.status, 405, "not even to read");
        assert_eq!(look(&program, here).await.status, 200);
    }
    app.stop().await;
}
