//! Access keys: made, shown once, limited, revoked.

use chrono::TimeDelta;
use holdfast::platform::http::Role;
use reqwest::Method;
use serde_json::json;

use super::{Signer, access_key, ask, code};
use crate::{files::bucket, support::app::TestApp};

#[tokio::test(flavor = "multi_thread")]
async fn they_are_shown_once_limited_and_revoked() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let id = bucket(&admin, "mine").await["id"].clone();
    bucket(&admin, "other").await;
    let all = json!(["list", "read", "write", "delete"]);
    let made = access_key(&admin, &json!({"name": "one", "verbs": all, "buckets": [id], "prefix": "a/"})).await;
    let signer = Signer::of(&app, &made);
    assert_eq!((signer.key_id.len(), signer.secret.len()), (20, 40));
    let listed = admin.get("/api/v1/access-keys").await;
    let row = listed.expect(200)["data"][0].clone();
    assert_eq!((&row["name"], &row["prefix"], &row["buckets"][0]), (&json!("one"), &json!("a/"), &id));
    assert!(!listed.text.contains(&signer.secret), "a list shows a secret");
    // In its bucket below its prefix, and nowhere else.
    assert_eq!(code(&signer.send(ask(Method::PUT, "/mine/a/k").body("x")).await).0, 200);
    for path in ["/mine/b", "/mine/a", "/other/a/k"] {
        assert_eq!(
            code(&signer.send(ask(Method::PUT, path).body("x")).await),
            (403, "AccessDenied".to_owned()),
            "{path}"
        );
    }
    assert_eq!(code(&signer.send(ask(Method::GET, "/mine?prefix=a%2F")).await).0, 200);
    assert_eq!(code(&signer.send(ask(Method::GET, "/mine")).await).0, 403);
    let buckets = signer.send(ask(Method::GET, "/")).await.text;
    assert!(buckets.contains("<Name>mine</Name>") && !buckets.contains("<Name>other</Name>"), "{buckets}");
    // Its use is noted, and it ends.
    let row = admin.get("/api/v1/access-keys").await.expect(200)["data"][0].clone();
    assert!(row["last_used_at"].is_string(), "{row}");
    let path = format!("/api/v1/access-keys/{}", made["id"].as_str().unwrap());
    admin.delete(&path).await.expect(204);
    admin.delete(&path).await.expect(204);
    assert_eq!(code(&signer.send(ask(Method::GET, "/mine/a/k")).await), (403, "InvalidAccessKeyId".to_owned()));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_expire_and_belong_to_one_organisation() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    bucket(&admin, "mine").await;
    let soon = app.clock.now() + TimeDelta::seconds(60);
    let made = access_key(&admin, &json!({"name": "short", "verbs": ["read", "list"], "expires_at": soon})).await;
    let signer = Signer::of(&app, &made);
    assert_eq!(code(&signer.send(ask(Method::HEAD, "/mine")).await).0, 200);
    app.clock.advance(TimeDelta::seconds(61));
    let late = signer.at(TimeDelta::seconds(61));
    assert_eq!(code(&late.send(ask(Method::GET, "/mine")).await), (403, "InvalidAccessKeyId".to_owned()));
    // Another organisation's bucket is not there.
    let stranger = app.other_org("strangers").await;
    let theirs = Signer::new(&app, &stranger, &["list", "read", "write", "delete", "admin"]).await;
    for ask in [ask(Method::GET, "/mine"), ask(Method::GET, "/mine/k"), ask(Method::PUT, "/mine/k").body("x")] {
        assert_eq!(code(&theirs.send(ask).await), (404, "NoSuchBucket".to_owned()));
    }
    let path = format!("/api/v1/access-keys/{}", made["id"].as_str().unwrap());
    stranger.delete(&path).await.problem(404, "access_key_not_found");
    assert_eq!(stranger.get("/api/v1/access-keys").await.expect(200)["data"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_admins_make_them_and_nonsense_is_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let member = app.person("default", Role::Member).await;
    let fine = json!({"name": "k", "verbs": ["read"]});
    member.post("/api/v1/access-keys", &fine).await.problem(403, "forbidden");
    member.get("/api/v1/access-keys").await.problem(403, "forbidden");
    for wrong in [
        json!({"name": "", "verbs": ["read"]}),
        json!({"name": "k", "verbs": []}),
        json!({"name": "k", "verbs": ["read"], "buckets": []}),
        json!({"name": "k", "verbs": ["read"], "expires_at": "2001-01-01T00:00:00Z"}),
        json!({"name": "k", "verbs": ["read"], "prefix": "k".repeat(1025)}),
    ] {
        admin.post("/api/v1/access-keys", &wrong).await.problem(422, "validation_failed");
    }
    let elsewhere = json!({"name": "k", "verbs": ["read"], "buckets": ["01890000-0000-7000-8000-000000000000"]});
    admin.post("/api/v1/access-keys", &elsewhere).await.problem(404, "bucket_not_found");
    app.stop().await;
}
