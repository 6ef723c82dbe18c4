//! Objects and lists, as clients see them.

use percent_encoding::utf8_percent_encode;
use reqwest::{Method, header};

use super::{Signer, UNRESERVED, ask, code, etag, inner};
use crate::{files::bucket, support::app::TestApp};

const ALL: [&str; 5] = ["list", "read", "write", "delete", "admin"];

#[tokio::test(flavor = "multi_thread")]
async fn an_object_comes_back_as_it_was_sent() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let signer = Signer::new(&app, &admin, &ALL).await;
    assert_eq!(code(&signer.send(ask(Method::PUT, "/shop")).await).0, 200);
    assert_eq!(code(&signer.send(ask(Method::PUT, "/shop")).await), (409, "BucketAlreadyOwnedByYou".to_owned()));
    assert_eq!(code(&signer.send(ask(Method::PUT, "/No")).await), (400, "InvalidBucketName".to_owned()));
    let put = ask(Method::PUT, "/shop/a%20b")
        .body("0123456789")
        .header("cache-control", "max-age=5")
        .header("content-type", "text/html")
        .header("x-amz-meta-colour", "blue")
        .header("x-amz-tagging", "a=b&c=d%20e");
    let made = signer.send(put).await;
    // md5("0123456789")
    assert_eq!((code(&made).0, etag(&made).as_str()), (200, "\"781e5e245d69b566979b86e28d23f2c7\""), "{}", made.text);
    let read = signer.send(ask(Method::GET, "/shop/a%20b")).await;
    let head = signer.send(ask(Method::HEAD, "/shop/a%20b")).await;
    assert_eq!((read.text.as_str(), head.text.as_str()), ("0123456789", ""));
    for name in [
        "content-type",
        "content-length",
        "etag",
        "last-modified",
        "cache-control",
        "x-amz-meta-colour",
        "x-amz-tagging-count",
        "content-disposition",
        "x-content-type-options",
    ] {
        assert_eq!(read.headers.get(name), head.headers.get(name), "{name}");
        assert!(read.headers.contains_key(name), "{name}: {:?}", read.headers);
    }
    // The declared type is told, and no browser runs it.
    assert_eq!(
        (&read.headers["content-type"], &read.headers["content-disposition"]),
        (&"text/html".parse().unwrap(), &"attachment".parse().unwrap())
    );
    let ranged = |range: &'static str| ask(Method::GET, "/shop/a%20b").header("range", range);
    for (range, status, text) in [("bytes=2-4", 206, "234"), ("bytes=-3", 206, "789"), ("bytes=8-99", 206, "89")] {
        let part = signer.send(ranged(range)).await;
        assert_eq!((part.status.as_u16(), part.text.as_str()), (status, text), "{range}");
        assert!(part.headers[header::CONTENT_RANGE].to_str().unwrap().ends_with("/10"));
    }
    assert_eq!(code(&signer.send(ranged("bytes=10-")).await), (416, "InvalidRange".to_owned()));
    let first = signer.send(ask(Method::GET, "/shop/a%20b?partNumber=1")).await;
    assert_eq!((first.status.as_u16(), first.text.as_str()), (206, "0123456789"));
    for (name, value, status) in
        [("if-none-match", etag(&made), 304), ("if-match", "\"other\"".to_owned(), 412), ("if-match", etag(&made), 200)]
    {
        let answer = signer.send(ask(Method::GET, "/shop/a%20b").header(name, value)).await;
        assert_eq!(answer.status.as_u16(), status, "{name}");
    }
    // Writes with conditions have one winner.
    let once = || ask(Method::PUT, "/shop/once").body("x").header("if-none-match", "*");
    assert_eq!(code(&signer.send(once()).await).0, 200);
    assert_eq!(code(&signer.send(once()).await), (412, "PreconditionFailed".to_owned()));
    let tags = signer.send(ask(Method::GET, "/shop/a%20b?tagging")).await.text;
    assert_eq!(
        (inner(&tags, "Key"), inner(&tags, "Value")),
        (vec!["a".into(), "c".into()], vec!["b".into(), "d e".into()])
    );
    assert_eq!(code(&signer.send(ask(Method::DELETE, "/shop")).await), (409, "BucketNotEmpty".to_owned()));
    for key in ["a%20b", "once", "never"] {
        assert_eq!(signer.send(ask(Method::DELETE, &format!("/shop/{key}"))).await.status, 204);
    }
    assert_eq!(signer.send(ask(Method::DELETE, "/shop")).await.status, 204);
    app.stop().await;
}

/// Both lists, page by page, give what a plain model gives.
#[tokio::test(flavor = "multi_thread")]
async fn lists_of_both_kinds_equal_a_model() {
    let app = TestApp::start_quiet(&[]).await;
    let admin = app.admin().await;
    bucket(&admin, "listed").await;
    let signer = Signer::new(&app, &admin, &ALL).await;
    let mut keys = ["a", "a/", "a//b", "a/b", "a/b/c", "a0", "b c", "b+c", "b%2F", "é", "x\u{1}y", "z\u{10ffff}"]
        .map(str::to_owned)
        .to_vec();
    keys.sort();
    for key in &keys {
        assert_eq!(
            code(&signer.send(ask(Method::PUT, &format!("/listed/{}", encoded_key(key))).body("x")).await).0,
            200,
            "{key:?}"
        );
    }
    for prefix in ["", "a", "a/", "b"] {
        for delimiter in ["", "/"] {
            let mut expected: Vec<String> = Vec::new();
            for key in keys.iter().filter(|key| key.starts_with(prefix)) {
                let cut =
                    Some(delimiter).filter(|text| !text.is_empty()).and_then(|text| key[prefix.len()..].find(text));
                let entry = cut.map_or(key.as_str(), |at| &key[..prefix.len() + at + delimiter.len()]);
                if expected.last().is_none_or(|last| last != entry) {
                    expected.push(entry.to_owned());
                }
            }
            for v2 in [true, false] {
                for most in [1, 3, 1000] {
                    let found = walk(&signer, prefix, delimiter, v2, most).await;
                    assert_eq!(found, expected, "{prefix:?} {delimiter:?} v2 {v2} {most}");
                }
            }
        }
    }
    let empty = signer.send(ask(Method::GET, "/listed?list-type=2&max-keys=0")).await.text;
    assert!(empty.contains("<KeyCount>0</KeyCount>") && empty.contains("<IsTruncated>false</IsTruncated>"), "{empty}");
    for wrong in ["max-keys=-1", "max-keys=x", "encoding-type=base64", "list-type=2&continuation-token=%25"] {
        assert_eq!(
            code(&signer.send(ask(Method::GET, &format!("/listed?{wrong}"))).await),
            (400, "InvalidArgument".to_owned()),
            "{wrong}"
        );
    }
    app.stop().await;
}

/// As a client encodes it before it signs.
fn encoded(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

fn encoded_key(key: &str) -> String {
    key.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

async fn walk(signer: &Signer, prefix: &str, delimiter: &str, v2: bool, most: usize) -> Vec<String> {
    let (mut found, mut next) = (Vec::new(), String::new());
    loop {
        let base =
            format!("delimiter={}&encoding-type=url&max-keys={most}&prefix={}", encoded(delimiter), encoded(prefix));
        let query = match (v2, next.is_empty()) {
            (true, true) => format!("{base}&list-type=2"),
            (true, false) => format!("continuation-token={}&{base}&list-type=2", encoded(&next)),
            (false, true) => base,
            (false, false) => format!("{base}&marker={}", encoded(&next)),
        };
        let page = signer.send(ask(Method::GET, &format!("/listed?{query}"))).await.text;
        let decode = |text: &String| percent_encoding::percent_decode_str(text).decode_utf8().unwrap().into_owned();
        let common: String = inner(&page, "CommonPrefixes").concat();
        let mut names: Vec<String> = inner(&page, "Key").iter().map(decode).collect();
        names.extend(inner(&common, "Prefix").iter().map(decode));
        names.sort();
        assert!(names.len() <= most, "{page}");
        found.extend(names);
        if page.contains("<IsTruncated>false</IsTruncated>") {
            return found;
        }
        let token = if v2 { "NextContinuationToken" } else { "NextMarker" };
        next = decode(inner(&page, token).first().unwrap_or_else(|| panic!("a page without a next one: {page}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_passed_over() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "strict").await;
    let signer = Signer::new(&app, &admin, &ALL).await;
    for (name, value, status, expected) in [
        ("x-amz-server-side-encryption", "AES256", 501, "NotImplemented"),
        ("x-amz-server-side-encryption-customer-algorithm", "AES256", 501, "NotImplemented"),
        ("x-amz-website-redirect-location", "/", 501, "NotImplemented"),
        ("x-amz-grant-read", "id=x", 501, "NotImplemented"),
        ("x-amz-acl", "public-read", 400, "AccessControlListNotSupported"),
        ("x-amz-storage-class", "GLACIER", 400, "InvalidStorageClass"),
        ("x-amz-security-token", "x", 400, "InvalidToken"),
        ("x-amz-expected-bucket-owner", "111122223333", 403, "AccessDenied"),
        ("x-amz-object-lock-mode", "GOVERNANCE", 400, "InvalidArgument"),
    ] {
        let answer = signer.send(ask(Method::PUT, "/strict/k").body("x").header(name, value)).await;
        assert_eq!(code(&answer), (status, expected.to_owned()), "{name}");
    }
    for (method, query) in [
        ("PUT", "policy"),
        ("PUT", "website"),
        ("PUT", "replication"),
        ("GET", "inventory"),
        ("GET", "analytics"),
        ("PUT", "notification"),
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let answer = signer.send(ask(method.clone(), &format!("/strict?{query}")).body("<x/>")).await;
        assert_eq!(code(&answer), (501, "NotImplemented".to_owned()), "{method} {query}");
    }
    for (query, expected) in [
        ("policy", "NoSuchBucketPolicy"),
        ("website", "NoSuchWebsiteConfiguration"),
        ("cors", "NoSuchCORSConfiguration"),
        ("lifecycle", "NoSuchLifecycleConfiguration"),
        ("tagging", "NoSuchTagSet"),
    ] {
        assert_eq!(code(&signer.send(ask(Method::GET, &format!("/strict?{query}"))).await), (404, expected.to_owned()));
    }
    app.stop().await;
}
