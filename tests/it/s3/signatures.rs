//! What is signed, and what is not.

use chrono::TimeDelta;
use holdfast::platform::crypto::sha256_hex;
use reqwest::Method;

use super::{Signer, ask, code};
use crate::{
    files::bucket,
    support::app::{Answer, Client, TestApp},
};

const ALL: [&str; 5] = ["list", "read", "write", "delete", "admin"];

async fn begin() -> (TestApp, Client, Signer) {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "signed").await;
    let signer = Signer::new(&app, &admin, &ALL).await;
    assert_eq!(code(&signer.send(ask(Method::PUT, "/signed/k").body("text")).await).0, 200);
    (app, admin, signer)
}

fn is(answer: &Answer, status: u16, name: &str) {
    assert_eq!(code(answer), (status, name.to_owned()), "{}", answer.text);
    if !answer.text.is_empty() {
        assert!(answer.text.contains("<RequestId>"), "{}", answer.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_somebodys_or_nobodys() {
    let (app, _, signer) = begin().await;
    let get = || ask(Method::GET, "/signed/k");
    is(&signer.with_secret("wrong").send(get()).await, 403, "SignatureDoesNotMatch");
    let unknown = Signer { key_id: "HFAAAAAAAAAAAAAAAAAA".to_owned(), ..signer.clone() };
    is(&unknown.send(get()).await, 403, "InvalidAccessKeyId");
    is(&app.anonymous().get("/s3/signed/k").await, 403, "AccessDenied");
    for (minutes, fine) in [(-14, true), (14, true), (-16, false), (16, false)] {
        let answer = signer.at(TimeDelta::minutes(minutes)).send(get()).await;
        if fine { is(&answer, 200, "") } else { is(&answer, 403, "RequestTimeTooSkewed") }
    }
    // What changes a request is signed, or it is refused.
    for header in
        ["x-amz-copy-source", "x-amz-acl", "x-amz-meta-a", "x-amz-tagging", "x-amz-bypass-governance-retention"]
    {
        let put = ask(Method::PUT, "/signed/other").body("x");
        is(&signer.send_with(put, &[(header, "/signed/k")]).await, 403, "AccessDenied");
    }
    is(&signer.send(ask(Method::GET, "/signed/other")).await, 404, "NoSuchKey");
    // Two signatures at once; the kind before; a bearer token that is none.
    let presigned = signer.presigned(&get(), 60);
    let query = presigned.split_once('?').unwrap().1;
    is(&signer.send(ask(Method::GET, &format!("/signed/k?{query}"))).await, 400, "InvalidRequest");
    let client = app.anonymous();
    let old = client.request(Method::GET, "/s3/signed/k").header("authorization", "AWS AKIA:c2lnbmF0dXJl");
    is(&client.send(old).await, 400, "InvalidRequest");
    is(&client.get("/s3/signed/k?AWSAccessKeyId=AKIA&Signature=x&Expires=1").await, 400, "InvalidRequest");
    assert_eq!(client.with_key("hf_wrong").get("/s3/signed").await.status, 401);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_token_of_the_api_is_good_here_too() {
    let (app, admin, _) = begin().await;
    let key = serde_json::json!({"name": "k", "scopes": ["files_read"]});
    let key = admin.post("/api/v1/api-keys", &key).await.expect(201)["secret"].as_str().unwrap().to_owned();
    let program = app.anonymous().with_key(&key);
    assert_eq!(program.get("/s3/signed/k").await.text, "text");
    let put = program.request(Method::PUT, "/s3/signed/k").body("x");
    is(&program.send(put).await, 403, "AccessDenied");
    // A session is not: a page elsewhere could use it.
    is(&admin.get("/s3/signed/k").await, 403, "AccessDenied");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn presigned_addresses() {
    let (app, _, signer) = begin().await;
    let client = app.anonymous();
    let get = ask(Method::GET, "/signed/k");
    assert_eq!(client.get(&signer.presigned(&get, 60)).await.text, "text");
    // An older one is good until its last second.
    let old = signer.at(TimeDelta::seconds(-60));
    is(&client.get(&old.presigned(&get, 30)).await, 403, "AccessDenied");
    assert_eq!(client.get(&old.presigned(&get, 600)).await.text, "text");
    is(&client.get(&signer.presigned(&get, 604_801)).await, 400, "InvalidArgument");
    // Of another method, another key, with one more parameter or header.
    let address = signer.presigned(&get, 60);
    let put = client.request(Method::PUT, &address).body("changed");
    is(&client.send(put).await, 403, "SignatureDoesNotMatch");
    is(&client.get(&address.replacen("/signed/k", "/signed/l", 1)).await, 403, "SignatureDoesNotMatch");
    is(&client.get(&format!("{address}&versionId=null")).await, 403, "SignatureDoesNotMatch");
    let put = ask(Method::PUT, "/signed/new");
    let address = signer.presigned(&put, 60);
    let copy = client.request(Method::PUT, &address).header("x-amz-copy-source", "/signed/k").body("");
    is(&client.send(copy).await, 403, "AccessDenied");
    let chunked =
        client.request(Method::PUT, &address).header("x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER");
    is(&client.send(chunked.body("0\r\n\r\n")).await, 403, "SignatureDoesNotMatch");
    let fine = client.request(Method::PUT, &address).body("by address");
    is(&client.send(fine).await, 200, "");
    // A signed header must come, and parameters may stand for headers.
    let typed = signer.presigned(&ask(Method::PUT, "/signed/typed").header("content-type", "text/plain"), 60);
    let without = client.request(Method::PUT, &typed).body("x");
    is(&client.send(without).await, 403, "SignatureDoesNotMatch");
    let with = client.request(Method::PUT, &typed).header("content-type", "text/plain").body("x");
    is(&client.send(with).await, 200, "");
    let meta = signer.presigned(&ask(Method::PUT, "/signed/meta?x-amz-meta-a=b"), 60);
    is(&client.send(client.request(Method::PUT, &meta).body("x")).await, 200, "");
    let head = signer.send(ask(Method::HEAD, "/signed/meta")).await;
    assert_eq!(head.headers["x-amz-meta-a"], "b");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_are_what_was_signed() {
    let (app, _, signer) = begin().await;
    let put = |key: &str| ask(Method::PUT, &format!("/signed/{key}"));
    // The hash of another body.
    is(&signer.send(put("a").body("x").payload(&sha256_hex("y"))).await, 400, "XAmzContentSHA256Mismatch");
    is(&signer.send(put("a").body("x").payload("UNSIGNED-PAYLOAD")).await, 200, "");
    is(&signer.send(put("a").body("x").header("content-md5", "AAAAAAAAAAAAAAAAAAAAAA==")).await, 400, "BadDigest");
    is(&signer.send(put("a").body("x").header("x-amz-checksum-crc32", "AAAAAA==")).await, 400, "BadDigest");
    // crc32("abc")
    let right = put("sum").body("abc").header("x-amz-checksum-crc32", "NSRBwg==");
    let made = signer.send(right).await;
    is(&made, 200, "");
    assert_eq!(made.headers["x-amz-checksum-crc32"], "NSRBwg==");
    let head = signer.send(ask(Method::HEAD, "/signed/sum").header("x-amz-checksum-mode", "ENABLED")).await;
    assert_eq!(head.headers["x-amz-checksum-crc32"], "NSRBwg==");
    // In chunks, with a hash behind them; the framing is not stored.
    let chunked = |key: &str, body: &str, length: &str| {
        put(key)
            .body(body)
            .payload("STREAMING-UNSIGNED-PAYLOAD-TRAILER")
            .header("content-encoding", "aws-chunked")
            .header("x-amz-decoded-content-length", length)
            .header("x-amz-trailer", "x-amz-checksum-crc32")
    };
    let body = "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n";
    let made = signer.send(chunked("chunked", body, "3")).await;
    is(&made, 200, "");
    assert_eq!(made.headers["x-amz-checksum-crc32"], "NSRBwg==");
    let read = signer.send(ask(Method::GET, "/signed/chunked")).await;
    assert_eq!((read.text.as_str(), read.headers.get("content-encoding")), ("abc", None));
    for (what, body, length, name) in [
        ("another hash", "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n", "3", "BadDigest"),
        ("no hash", "3\r\nabc\r\n0\r\n\r\n", "3", "MalformedTrailerError"),
        ("another length", body, "4", "IncompleteBody"),
        ("signed chunks", "3;chunk-signature=0\r\nabc\r\n0\r\n\r\n", "3", "InvalidRequest"),
    ] {
        let answer = signer.send(chunked("refused", body, length)).await;
        assert_eq!(code(&answer), (400, name.to_owned()), "{what}");
    }
    is(&signer.send(ask(Method::GET, "/signed/refused")).await, 404, "NoSuchKey");
    app.stop().await;
}
