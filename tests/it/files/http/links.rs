use chrono::TimeDelta;
use reqwest::Method;
use serde_json::{Value, json};

use super::{ask, bucket, get, local, path, put, text};
use crate::support::app::{Answer, Client, TestApp};

/// The address of a new link, and its id.
async fn share(client: &Client, body: Value) -> (String, String) {
    let made = client.post("/api/v1/file-links", &body).await.expect(201);
    (local(made["url"].as_str().unwrap()), made["id"].as_str().unwrap().to_owned())
}

async fn page(client: &Client, at: &str) -> Answer {
    get(client, at, &[("accept", "text/html")]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_leads_to_a_file_or_a_folder() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "shared").await;
    for (key, content) in [("top.txt", "top"), ("folder/a.txt", "A"), ("folder/in/b&c.txt", "B"), ("secret", "no")] {
        put(&admin, "shared", key, content).await.expect(201);
    }
    let (file, _) = share(&admin, json!({"bucket": "shared", "key": "top.txt"})).await;
    let shown = page(&client, &file).await;
    assert!(shown.status == 200 && shown.text.contains("top.txt"), "{}", shown.text);
    assert!(!shown.text.contains("/agents"), "no navigation of the console");
    assert_eq!(client.get(&format!("{file}/raw")).await.text, "top");
    let download = client.get(&format!("{file}/raw?download=")).await;
    assert!(text(&download.headers, "content-disposition").starts_with("attachment; filename=\"top.txt\""));
    let (folder, _) = share(&admin, json!({"bucket": "shared", "key": "folder/", "folder": true})).await;
    let shown = page(&client, &folder).await;
    assert!(shown.text.contains("a.txt") && shown.text.contains("in/") && !shown.text.contains("secret"));
    let below = page(&client, &format!("{folder}?path=in%2F")).await;
    assert!(below.text.contains("b&amp;c.txt"), "{}", below.text);
    assert_eq!(client.get(&format!("{folder}/raw/in/b%26c.txt")).await.text, "B");
    // Nothing outside of it, however it is asked for.
    for outside in ["../secret", "..%2Fsecret", "%2E%2E%2Fsecret"] {
        assert_eq!(client.get(&format!("{folder}/raw/{outside}")).await.status, 404, "{outside}");
    }
    assert_eq!(page(&client, &format!("{folder}?path=..%2F")).await.text.matches("<li>").count(), 0);
    client.get(&format!("{file}/raw/secret")).await.problem(404, "link_not_found");
    client.get(&format!("{folder}/raw")).await.problem(404, "link_not_found");
    app.stop().await;
}

/// Unknown, expired, used up and revoked look the same.
#[tokio::test(flavor = "multi_thread")]
async fn links_expire_count_and_are_revoked() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "ending").await;
    put(&admin, "ending", "a", "0123456789").await.expect(201);
    let (counted, _) = share(&admin, json!({"bucket": "ending", "key": "a", "most": 2})).await;
    let raw = format!("{counted}/raw");
    assert_eq!(page(&client, &counted).await.status, 200, "looking is no download");
    assert_eq!(ask(&client, Method::HEAD, &raw, &[], "").await.status, 200);
    assert_eq!(client.get(&raw).await.status, 200);
    // The rest of a download is not another one.
    assert_eq!(get(&client, &raw, &[("range", "bytes=5-")]).await.status, 206);
    assert_eq!(get(&client, &raw, &[("range", "bytes=0-4")]).await.status, 206);
    let ends = app.clock.now() + TimeDelta::hours(1);
    let (expiring, _) = share(&admin, json!({"bucket": "ending", "key": "a", "expires_at": ends})).await;
    let (revoked, id) = share(&admin, json!({"bucket": "ending", "key": "a"})).await;
    assert_eq!(client.get(&format!("{revoked}/raw")).await.status, 200);
    admin.delete(&format!("/api/v1/file-links/{id}")).await.expect(204);
    admin.delete(&format!("/api/v1/file-links/{id}")).await.problem(404, "link_not_found");
    app.clock.advance(TimeDelta::minutes(61));
    let unknown = format!("/f/l/{}", "x".repeat(43));
    let nothing = page(&client, &unknown).await;
    assert_eq!(nothing.status, 404);
    for ended in [&counted, &expiring, &revoked] {
        let answer = page(&client, ended).await;
        let without = |text: &str, at: &str| text.replace(at, "");
        assert_eq!(without(&answer.text, ended).len(), without(&nothing.text, &unknown).len(), "{ended}");
        client.get(&format!("{ended}/raw")).await.problem(404, "link_not_found");
    }
    for wrong in [
        json!({"bucket": "ending", "key": "a", "expires_at": ends}),
        json!({"bucket": "ending", "key": "a", "most": 0}),
        json!({"bucket": "ending", "key": "a", "password": "short"}),
        json!({"bucket": "ending", "key": "folder", "folder": true}),
    ] {
        admin.post("/api/v1/file-links", &wrong).await.problem(422, "validation_failed");
    }
    let missing = json!({"bucket": "ending", "key": "nothing"});
    admin.post("/api/v1/file-links", &missing).await.problem(404, "object_not_found");
    app.stop().await;
}

async fn unlock(client: &Client, at: &str, password: &str) -> Answer {
    let form = [("content-type", "application/x-www-form-urlencoded"), ("accept", "text/html")];
    ask(client, Method::POST, at, &form, &format!("password={password}")).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_looks_like_no_link() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "locked").await;
    put(&admin, "locked", "a.txt", "secret").await.expect(201);
    let new = json!({"bucket": "locked", "key": "a.txt", "password": "open sesame"});
    let (link, _) = share(&admin, new.clone()).await;
    let raw = format!("{link}/raw");
    let closed = page(&client, &link).await;
    assert!(closed.status == 200 && !closed.text.contains("a.txt"), "{}", closed.text);
    let unknown = client.get("/f/l/unknown/raw").await;
    let (refused, unknown) = (client.get(&raw).await.json(), unknown.json());
    assert_eq!((&refused["code"], &refused["detail"]), (&unknown["code"], &unknown["detail"]));
    assert_eq!(unlock(&client, &link, "open+sesamE").await.status, 403);
    let opened = unlock(&client, &link, "open+sesame").await;
    assert_eq!(opened.status, 303, "{}", opened.text);
    let set = text(&opened.headers, "set-cookie");
    assert!(set.contains("HttpOnly") && set.contains(&format!("Path={link}")), "{set}");
    let cookie = set.split(';').next().unwrap().to_owned();
    assert_eq!(get(&client, &raw, &[("cookie", &cookie)]).await.text, "secret");
    let forged = format!("{cookie}0");
    get(&client, &raw, &[("cookie", &forged)]).await.problem(404, "link_not_found");
    // The cookie of one link opens no other, whatever it is called, and not for ever.
    let (other, id) = share(&admin, new).await;
    let renamed = format!("files_link_{id}={}", cookie.split_once('=').unwrap().1);
    get(&client, &format!("{other}/raw"), &[("cookie", &renamed)]).await.problem(404, "link_not_found");
    app.clock.advance(TimeDelta::minutes(61));
    get(&client, &raw, &[("cookie", &cookie)]).await.problem(404, "link_not_found");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn passwords_cannot_be_tried_fast() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "tried").await;
    put(&admin, "tried", "a", "A").await.expect(201);
    let (link, _) = share(&admin, json!({"bucket": "tried", "key": "a", "password": "open sesame"})).await;
    for _ in 0..5 {
        assert_eq!(unlock(&client, &link, "wrong").await.status, 403);
    }
    let limited = unlock(&client, &link, "open+sesame").await;
    assert_eq!(limited.status, 429, "the right one, too, has to wait");
    assert!(!text(&limited.headers, "retry-after").is_empty());
    let (other, _) = share(&admin, json!({"bucket": "tried", "key": "a", "password": "open sesame"})).await;
    assert_eq!(unlock(&client, &other, "open+sesame").await.status, 303, "each link has its own tries");
    app.stop().await;
}

/// Another organisation's link is nothing here, and its bucket's end is the link's.
#[tokio::test(flavor = "multi_thread")]
async fn a_link_ends_with_its_bucket_and_is_its_organisations() {
    let app = TestApp::start().await;
    let (admin, client) = (app.admin().await, app.anonymous());
    bucket(&admin, "brief").await;
    put(&admin, "brief", "a", "A").await.expect(201);
    let (link, id) = share(&admin, json!({"bucket": "brief", "key": "a"})).await;
    let stranger = app.other_org("strangers").await;
    stranger.delete(&format!("/api/v1/file-links/{id}")).await.problem(404, "link_not_found");
    assert_eq!(stranger.get("/api/v1/file-links").await.expect(200)["data"], json!([]));
    admin.delete(&path("brief", "a")).await.expect(204);
    client.get(&format!("{link}/raw")).await.problem(404, "link_not_found");
    admin.delete("/api/v1/buckets/brief").await.expect(204);
    assert_eq!(page(&client, &link).await.status, 404);
    app.stop().await;
}
