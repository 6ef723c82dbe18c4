//! Who sees a page: passwords, networks, private pages, and domains of their own.

use reqwest::{Method, StatusCode, header};
use serde_json::json;

use super::seed::{components, execute, get, page, submit, until_served, with};
use crate::support::{app::TestApp, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn password_network_and_private_look_the_same_from_outside() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    page(&app, &admin, "open", 1, json!({})).await;
    page(&app, &admin, "private", 1, json!({"visibility": "private"})).await;
    page(&app, &admin, "elsewhere", 1, json!({"networks": ["192.0.2.0/24"]})).await;
    let secrets = json!({"password": "open sesame", "home_url": "https://inner.example", "contact_url": "mailto:boss@inner.example"});
    let locked = page(&app, &admin, "locked", 1, secrets).await;
    until_served(&app, "/status/open").await;
    until("the page with a password does not ask for it", async || {
        get(&app, "/status/locked").await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    let unknown = get(&app, "/status/nobody").await;
    for path in
        ["/status/private", "/status/elsewhere", "/status/locked/api/v2/summary.json", "/status/locked/badge.svg"]
    {
        let answer = get(&app, path).await;
        assert_eq!((answer.status, &answer.text), (StatusCode::NOT_FOUND, &unknown.text), "{path}");
        let names = |headers: &header::HeaderMap| headers.keys().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(names(&answer.headers), names(&unknown.headers), "{path}");
    }
    let form = get(&app, "/status/locked").await;
    assert!(form.text.contains("type=password") && !form.text.contains("Shop 0"), "{}", form.text);
    assert!(!form.text.contains("inner.example"), "its name alone: {}", form.text);
    assert_eq!(form.headers[header::CACHE_CONTROL], "private, no-store");

    let wrong = submit(&app, "/status/locked/password", &[("password", "sesame")]).await;
    assert_eq!(wrong.status, StatusCode::UNAUTHORIZED);
    assert!(!wrong.headers.contains_key(header::SET_COOKIE));
    let right = submit(&app, "/status/locked/password", &[("password", "open sesame")]).await;
    assert_eq!(
        (right.status, right.headers[header::LOCATION].to_str().unwrap()),
        (StatusCode::SEE_OTHER, "/status/locked")
    );
    let cookie = right.headers[header::SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = cookie.split(';').next().unwrap().to_owned();
    // It asked for the password as soon as it was known, and may be rendered a moment later.
    let opened = async || with(&app, "/status/locked", &[(header::COOKIE, &cookie)]).await;
    until("the password does not open it", async || opened().await.status == StatusCode::OK).await;
    let seen = opened().await;
    assert!(seen.text.contains("Shop 0"), "{}", seen.text);
    assert_eq!(seen.headers[header::CACHE_CONTROL], "private, no-store");
    assert!(!seen.headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN));

    // Programs have a key of their own, which ends.
    let path = format!("/api/v1/status-pages/{locked}/key");
    let key = admin.post(&path, &json!({})).await.expect(200)["key"].as_str().unwrap().to_owned();
    let json = format!("/status/locked/api/v2/summary.json?key={key}");
    until("the key is not taken", async || get(&app, &json).await.status == StatusCode::OK).await;
    admin.delete(&path).await.expect(204);
    until("the key works on", async || get(&app, &json).await.status == StatusCode::NOT_FOUND).await;

    // Another password ends what the one before has opened.
    admin.patch(&format!("/api/v1/status-pages/{locked}"), &json!({"password": "another one"})).await.expect(200);
    until("the cookie of the password before works on", async || {
        with(&app, "/status/locked", &[(header::COOKIE, &cookie)]).await.status == StatusCode::UNAUTHORIZED
    })
    .await;
    for _ in 0..10 {
        submit(&app, "/status/locked/password", &[("password", "guess")]).await;
    }
    let refused = submit(&app, "/status/locked/password", &[("password", "another one")]).await;
    assert_eq!(refused.status, StatusCode::TOO_MANY_REQUESTS, "guessing is slow");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_serves_only_its_page() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    let path = format!("/api/v1/status-pages/{id}/domains");
    let added = admin.post(&path, &json!({"domain": "Status.Shop.Example"})).await.expect(201);
    assert_eq!(added["domains"][0]["domain"], "status.shop.example");
    let host = [(header::HOST, "status.shop.example")];
    assert!(!with(&app, "/", &host).await.text.contains("Shop 0"), "a claim alone leads nowhere");
    assert_eq!(get(&app, "/status/domains/ask?domain=status.shop.example").await.status, StatusCode::NOT_FOUND);
    execute(
        &app,
        "UPDATE status_page_domains SET proven_at = now(), checked_at = now(); UPDATE status_pages SET updated_at = now()",
    )
    .await;
    until("its page is not served there", async || {
        let answer = with(&app, "/", &host).await;
        answer.status == StatusCode::OK && answer.text.contains("Shop 0")
    })
    .await;
    assert_eq!(get(&app, "/status/domains/ask?domain=status.shop.example").await.status, StatusCode::OK);
    // What was rendered before the domain was known has the other address, for a moment.
    until("its summary names another address", async || {
        with(&app, "/api/v2/summary.json", &host).await.json()["page"]["url"] == "http://status.shop.example"
    })
    .await;
    for elsewhere in
        ["/login", "/settings", "/api/v1/status-pages", "/status/shop", "/status", "/healthz", "/assets/console.css"]
    {
        assert_eq!(with(&app, elsewhere, &host).await.status, StatusCode::NOT_FOUND, "{elsewhere}");
    }
    // And nobody comes to a page's host by the path within.
    for inside in ["/status-domain", "/status-domain/", "/status-domain/api/v2/summary.json"] {
        assert_eq!(get(&app, inside).await.status, StatusCode::NOT_FOUND, "{inside}");
    }
    let client = app.anonymous();
    let posted = client.send(client.request(Method::POST, "/login").header(header::HOST, "status.shop.example")).await;
    assert_eq!(posted.status, StatusCode::NOT_FOUND);
    admin.delete(&format!("{path}/status.shop.example")).await.expect(200);
    until("it is still served", async || with(&app, "/", &host).await.status != StatusCode::OK).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_colour_is_tried_without_being_saved() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    let path = |query: &str| format!("/settings/status-pages/{id}/preview?{query}");
    let dark = admin.get(&path("accent=%23c01c28&look=dark")).await;
    assert_eq!(dark.status, StatusCode::OK, "{}", dark.text);
    assert!(dark.text.contains("color-scheme:dark;--accent:#c01c28") && dark.text.contains("Shop 0"), "{}", dark.text);
    let policy = dark.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    // White on white is no colour, and it is said.
    assert_eq!(admin.get(&path("accent=%23ffffff")).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_ne!(get(&app, &path("accent=%23c01c28")).await.status, StatusCode::OK, "strangers try nothing");
    assert!(!get(&app, "/status/shop").await.text.contains("--accent:#c01c28"));
    app.stop().await;
}
