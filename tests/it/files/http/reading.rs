use reqwest::Method;
use serde_json::json;

use super::{ask, bucket, get, key, path, public_bucket, put, text};
use crate::support::app::TestApp;

/// The decisions themselves are in the room's unit tests.
#[tokio::test(flavor = "multi_thread")]
async fn conditional_and_ranges() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "ranged").await;
    put(&admin, "ranged", "a", "0123456789").await.expect(201);
    put(&admin, "ranged", "empty", "").await.expect(201);
    let at = path("ranged", "a");
    let whole = get(&admin, &at, &[]).await;
    let etag = text(&whole.headers, "etag").to_owned();
    assert_eq!((whole.status.as_u16(), text(&whole.headers, "accept-ranges")), (200, "bytes"));
    for (range, status, body, place) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=-1", 206, "9", "bytes 9-9/10"),
        ("bytes=8-99", 206, "89", "bytes 8-9/10"),
        ("bytes=4-2", 200, "0123456789", ""),
        ("bytes=0-1,3-4", 200, "0123456789", ""),
    ] {
        let answer = get(&admin, &at, &[("range", range)]).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (status, body), "{range}");
        assert_eq!(text(&answer.headers, "content-range"), place, "{range}");
        assert_eq!(text(&answer.headers, "etag"), etag, "{range}");
        assert_eq!(text(&answer.headers, "content-length"), body.len().to_string(), "{range}");
    }
    let beyond = get(&admin, &at, &[("range", "bytes=10-")]).await;
    assert_eq!((beyond.status.as_u16(), text(&beyond.headers, "content-range")), (416, "bytes */10"));
    assert_eq!(get(&admin, &path("ranged", "empty"), &[("range", "bytes=-1")]).await.status, 200);
    let same = get(&admin, &at, &[("if-none-match", &etag)]).await;
    assert_eq!((same.status.as_u16(), same.text.as_str(), text(&same.headers, "etag")), (304, "", etag.as_str()));
    get(&admin, &at, &[("if-match", "\"other\"")]).await.problem(412, "precondition_failed");
    let other = [("range", "bytes=0-0"), ("if-range", "\"other\"")];
    assert_eq!(get(&admin, &at, &other).await.status, 200, "a range of another content is not joined");
    app.stop().await;
}

/// Every surface, every header but those of the moment.
#[tokio::test(flavor = "multi_thread")]
async fn head_equals_get() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    public_bucket(&admin, "heads").await;
    put(&admin, "heads", "a.txt", "0123456789").await.expect(201);
    let token = json!({"method": "GET", "key": "a.txt", "expires_in": 60});
    let token = admin.post("/api/v1/buckets/heads/sign", &token).await.expect(200);
    let program = key(&admin, &["files_read"]).await;
    let anonymous = app.anonymous();
    for (client, at) in [
        (&admin, path("heads", "a.txt")),
        (&admin, "/api/v1/buckets/heads/object?key=a.txt".to_owned()),
        (&anonymous, "/f/o/default/heads/a.txt".to_owned()),
        (&anonymous, super::local(token["url"].as_str().unwrap())),
        (&anonymous, "/storage/v1/object/public/heads/a.txt".to_owned()),
        (&program, "/o/default/storage/v1/object/heads/a.txt".to_owned()),
    ] {
        for headers in [&[][..], &[("range", "bytes=1-3")], &[("if-none-match", "*")], &[("range", "bytes=99-")]] {
            let whole = ask(client, Method::GET, &at, headers, "").await;
            let head = ask(client, Method::HEAD, &at, headers, "").await;
            assert_eq!((head.status, head.text.as_str()), (whole.status, ""), "{at} {headers:?}");
            for (name, value) in &whole.headers {
                let of_the_moment = ["date", "x-request-id", "ratelimit-remaining", "ratelimit-reset"];
                if !of_the_moment.contains(&name.as_str()) && whole.status.is_success() {
                    let same = head.headers.get_all(name).iter().any(|one| one == value);
                    assert!(same, "{at} {headers:?}: {name}: {value:?} in {:?}", head.headers);
                }
            }
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_with_slashes_and_dots() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "odd").await;
    // As they are in a path, without any encoding.
    for key in ["/a", "a//b", "a///", "b/", "//", "delete", "objects/x", "a b", "ä", "%2F", "a%b"] {
        put(&admin, "odd", key, key).await.expect(201);
        assert_eq!(admin.get(&path("odd", key)).await.text, key, "{key}");
    }
    let plain = "/api/v1/buckets/odd/objects/a//b";
    assert_eq!(admin.get(plain).await.text, "a//b", "slashes that are not encoded");
    // Those that every client would take out of a path.
    for key in ["..", ".", "../x", "a/../b"] {
        let at = format!("/api/v1/buckets/odd/object?key={}", super::super::encoded(key));
        ask(&admin, Method::PUT, &at, &[], key).await.expect(201);
        assert_eq!(admin.get(&at).await.text, key);
        let info = format!("/api/v1/buckets/odd/object-info?key={}", super::super::encoded(key));
        assert_eq!(admin.get(&info).await.expect(200)["key"], key);
        admin.delete(&at).await.expect(204);
        admin.get(&at).await.problem(404, "object_not_found");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_stored_with_an_object_is_told_again() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "told").await;
    let headers = [
        ("content-type", "text/css"),
        ("cache-control", "max-age=7"),
        ("content-language", "de"),
        ("content-disposition", "attachment; filename=\"other.css\""),
        ("x-metadata-from", "Ada"),
        ("x-tags", "a=1&b=2"),
    ];
    ask(&admin, Method::PUT, &path("told", "a.css"), &headers, "body{}").await.expect(201);
    let read = admin.get(&path("told", "a.css")).await;
    for (name, value) in &headers[..4] {
        assert_eq!(text(&read.headers, name), *value);
    }
    let at = "/api/v1/buckets/told/object-info?key=a.css";
    let facts = admin.get(at).await.expect(200);
    assert_eq!((&facts["metadata"], &facts["tags"]), (&json!({"from": "Ada"}), &json!({"a": "1", "b": "2"})));
    assert_eq!(facts["headers"]["cache_control"], "max-age=7");
    let etag = facts["etag"].clone();
    let patch = json!({"content_type": "text/plain", "metadata": {"to": "Bob"}, "headers": {"expires": "never"}});
    let changed = admin.patch(at, &patch).await.expect(200);
    assert_eq!((&changed["content_type"], &changed["metadata"]), (&json!("text/plain"), &json!({"to": "Bob"})));
    assert_eq!((&changed["etag"], &changed["tags"]), (&etag, &json!({"a": "1", "b": "2"})), "the rest stays");
    assert_eq!(text(&admin.get(&path("told", "a.css")).await.headers, "cache-control"), "no-cache");
    admin.patch(at, &json!({"headers": {"expires": "a\nb"}})).await.problem(422, "validation_failed");
    admin.patch(at, &json!({"nonsense": 1})).await.problem(400, "invalid_value");
    app.stop().await;
}

/// The bytes of a text are compressed once, and a range is of those that are stored.
#[tokio::test(flavor = "multi_thread")]
async fn precompressed_text_and_ranges() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    public_bucket(&admin, "texts").await;
    let content = "all work and no play makes jack a dull boy\n".repeat(200);
    ask(&admin, Method::PUT, &path("texts", "a.txt"), &[("content-type", "text/plain")], &content).await.expect(201);
    let (client, at) = (app.anonymous(), "/f/o/default/texts/a.txt");
    let plain = get(&client, at, &[]).await;
    let etag = text(&plain.headers, "etag").to_owned();
    assert_eq!((plain.text.len(), text(&plain.headers, "content-encoding")), (content.len(), ""));
    assert!(text(&plain.headers, "vary").contains("accept-encoding"));
    let coded = get(&client, at, &[("accept-encoding", "br, gzip")]).await;
    let coded_etag = text(&coded.headers, "etag").to_owned();
    assert_eq!(text(&coded.headers, "content-encoding"), "br");
    assert!(coded_etag != etag && text(&coded.headers, "content-length").parse::<usize>().unwrap() < content.len() / 4);
    let again = get(&client, at, &[("accept-encoding", "br"), ("if-none-match", &coded_etag)]).await;
    assert_eq!(again.status, 304);
    let ranged = get(&client, at, &[("accept-encoding", "br"), ("range", "bytes=0-2")]).await;
    assert_eq!((ranged.text.as_str(), text(&ranged.headers, "content-encoding")), ("all", ""));
    assert_eq!(text(&ranged.headers, "etag"), etag);
    app.stop().await;
}
