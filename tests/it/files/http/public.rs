use reqwest::Method;
use serde_json::json;

use super::{ask, bucket, get, path, public_bucket, put, text};
use crate::support::{
    app::TestApp,
    receiver::{Received, Receiver},
    wait::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn public_address_names_the_organisation() {
    let app = TestApp::start().await;
    let (admin, other) = (app.admin().await, app.other_org("others").await);
    public_bucket(&admin, "shown").await;
    bucket(&admin, "hidden").await;
    public_bucket(&other, "shown").await;
    put(&admin, "shown", "a b/c.txt", "ours").await.expect(201);
    put(&admin, "hidden", "a", "secret").await.expect(201);
    put(&other, "shown", "a b/c.txt", "theirs").await.expect(201);
    let client = app.anonymous();
    assert_eq!(client.get("/f/o/default/shown/a%20b/c.txt").await.text, "ours");
    assert_eq!(client.get("/f/o/others/shown/a%20b/c.txt").await.text, "theirs");
    // What is not there and what may not be seen look the same, to the byte.
    let answers = [
        client.get("/f/o/default/hidden/a").await,
        client.get("/f/o/default/hidden/b").await,
        client.get("/f/o/default/shown/nothing").await,
        client.get("/f/o/default/nowhere/a").await,
        client.get("/f/o/nobody/shown/a").await,
    ];
    for answer in &answers {
        answer.problem(404, "object_not_found");
        assert_eq!(answer.json()["detail"], answers[0].json()["detail"]);
    }
    let read = get(&client, "/f/o/default/shown/a%20b/c.txt", &[("origin", "https://any.test")]).await;
    for (name, value) in [
        ("access-control-allow-origin", "*"),
        ("cache-control", "public, max-age=60"),
        ("cross-origin-resource-policy", "cross-origin"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(text(&read.headers, name), value, "{name}");
    }
    assert_eq!(text(&read.headers, "access-control-allow-credentials"), "", "with nobody's cookie");
    admin.delete(&path("shown", "a b/c.txt")).await.expect(204);
    client.get("/f/o/default/shown/a%20b/c.txt").await.problem(404, "object_not_found");
    app.stop().await;
}

/// An address that is made of the content leads to it for ever, while a public object has it.
#[tokio::test(flavor = "multi_thread")]
async fn immutable_addresses() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    public_bucket(&admin, "assets").await;
    bucket(&admin, "hidden").await;
    put(&admin, "assets", "app.css", "body{}").await.expect(201);
    put(&admin, "hidden", "secret", "secret").await.expect(201);
    let hash = |text: &str| holdfast::platform::crypto::sha256_hex(text);
    let (client, at) = (app.anonymous(), format!("/f/c/default/{}/app-1.css", hash("body{}")));
    let read = client.get(&at).await;
    assert_eq!((read.status.as_u16(), read.text.as_str()), (200, "body{}"));
    assert_eq!(text(&read.headers, "cache-control"), "public, max-age=31536000, immutable");
    for other in [hash("secret"), hash("nothing"), "nonsense".to_owned(), hash("body{}").to_uppercase()] {
        client.get(&format!("/f/c/default/{other}/x")).await.problem(404, "object_not_found");
    }
    app.other_org("others").await;
    client.get(&at.replace("default", "others")).await.problem(404, "object_not_found");
    admin.delete(&path("assets", "app.css")).await.expect(204);
    client.get(&at).await.problem(404, "object_not_found");
    app.stop().await;
}

/// A page of another site asks first; nothing is done for it without a token, and no cookie counts.
#[tokio::test(flavor = "multi_thread")]
async fn preflights_are_answered_for_what_has_no_session() {
    let app = TestApp::start().await;
    let client = app.anonymous();
    let asked = [
        ("origin", "https://any.test"),
        ("access-control-request-method", "PATCH"),
        ("access-control-request-headers", "tus-resumable, upload-offset"),
    ];
    for at in
        ["/f/tus", "/f/tus/0191d6a5-4f4e-7000-8000-000000000001", "/storage/v1/object/a/b", "/f/t/x", "/f/o/a/b/c"]
    {
        let answer = ask(&client, Method::OPTIONS, at, &asked, "").await;
        assert_eq!(answer.status, 204, "{at}: {}", answer.text);
        assert_eq!(text(&answer.headers, "access-control-allow-origin"), "*", "{at}");
        assert_eq!(text(&answer.headers, "access-control-allow-headers"), "tus-resumable, upload-offset", "{at}");
        assert!(text(&answer.headers, "access-control-allow-methods").contains("PATCH"), "{at}");
    }
    let api = ask(&client, Method::OPTIONS, "/api/v1/buckets", &asked, "").await;
    assert_eq!(text(&api.headers, "access-control-allow-origin"), "", "where sessions count");
    app.stop().await;
}

/// Whoever keeps copies in front is told what has changed.
#[tokio::test(flavor = "multi_thread")]
async fn the_purge_hook_is_delivered() {
    let app = TestApp::start_with(&[("HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.1/32")]).await;
    let admin = app.admin().await;
    let receiver = Receiver::start().await;
    public_bucket(&admin, "cached").await;
    admin.patch("/api/v1/buckets/cached", &json!({"purge_url": receiver.url})).await.expect(200);
    put(&admin, "cached", "a b.txt", "one").await.expect(201);
    let told = async |urls: serde_json::Value| {
        until("nobody was told of the change", async || {
            let body = |seen: &Received| serde_json::from_str::<serde_json::Value>(&seen.body).unwrap();
            receiver.seen().iter().any(|seen| body(seen)["data"]["urls"] == urls)
        })
        .await;
    };
    let url = "http://127.0.0.1:8080/f/o/default/cached/a%20b.txt";
    told(json!([url])).await;
    let program = super::key(&admin, &["files_read", "files_write", "files_admin"]).await;
    program.delete("/storage/v1/cdn/cached").await.expect(200);
    told(json!([])).await;
    app.stop().await;
}
