//! The database goes away, and an old renderer wakes up.

use chrono::TimeDelta;
use reqwest::{StatusCode, header};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::seed::{components, execute, get, page, until_served, with};
use crate::support::{app::TestApp, cluster::cluster, wait::until};

/// Nobody can connect to the database, and nobody stays connected.
async fn cut_off(name: &str) {
    cluster().await.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
    // By a session of another database: this one takes none any more, from nobody.
    let sessions = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'");
    cluster().await.execute(&sessions).await;
}

async fn name_of(app: &TestApp) -> String {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let name = sqlx::query_scalar("SELECT current_database()::text").fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    name
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_is_served_while_the_database_is_down_and_says_so() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    page(&app, &admin, "shop", 2, json!({})).await;
    until_served(&app, "/status/shop").await;
    // Its components appear as the appliance makes them: with the database another one, so that not all are down.
    let own = "/status/appliance/api/v2/summary.json";
    until("the appliance's page lacks its parts", async || {
        let answer = get(&app, own).await;
        let summary = if answer.status == StatusCode::OK { answer.json() } else { Value::Null };
        let has = |name: &str| {
            summary["components"].as_array().is_some_and(|all| all.iter().any(|component| component["name"] == name))
        };
        has("Database") && has("API and console")
    })
    .await;
    let name = name_of(&app).await;
    cut_off(&name).await;
    until("the database still answers", async || app.app.db.ping().await.is_err()).await;
    let english = [(header::ACCEPT_LANGUAGE, "en")];
    let page = with(&app, "/status/shop", &english).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains("could not be brought up to date"), "this process renders: it is current");
    // Two minutes later by the clock, and not rendered since: what is served says so.
    app.clock.advance(TimeDelta::minutes(2));
    let stale = with(&app, "/status/shop", &english).await;
    assert_eq!(stale.status, StatusCode::OK);
    assert!(stale.text.contains("This page could not be brought up to date since"), "{}", stale.text);
    let summary = get(&app, "/status/shop/api/v2/summary.json").await;
    assert_eq!(summary.status, StatusCode::OK);
    assert!(summary.headers.contains_key("x-status-as-of"));
    // The appliance's own page knows one thing more.
    let own = get(&app, "/status/appliance/api/v2/status.json").await.json();
    assert_eq!(own["status"]["indicator"], "major", "{own}");
    assert_eq!(app.metric("holdfast_status_page_requests_total{what=\"json\",result=\"stale\"}"), 2.0);

    cluster().await.execute(&format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    until("it does not come back", async || app.app.db.ping().await.is_ok()).await;
    execute(&app, "UPDATE status_pages SET updated_at = now()").await;
    until("it stays stale", async || {
        !with(&app, "/status/shop", &english).await.text.contains("could not be brought up to date")
    })
    .await;
    app.kill().await;
}

/// Version of what is written of a page; 0: nothing yet.
async fn version(app: &TestApp, page: &str) -> i64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let sql = format!("SELECT coalesce(max(version), 0) FROM status_page_versions WHERE page_id = '{page}'");
    let version = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap();
    db.close().await.unwrap();
    version
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_renderer_does_not_overwrite() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    // This process serves it before it is written.
    until("it is not written", async || version(&app, &id).await > 0).await;
    // A process of a later term has written.
    execute(
        &app,
        &format!("UPDATE status_page_versions SET term = term + 1000, version = version + 10 WHERE page_id = '{id}'"),
    )
    .await;
    let before = version(&app, &id).await;
    assert!(before > 10, "{before}");
    admin.patch(&format!("/api/v1/status-pages/{id}"), &json!({"about": "Changed since"})).await.expect(200);
    until("this process does not render the change", async || {
        get(&app, "/status/shop").await.text.contains("Changed since")
    })
    .await;
    // Pages are written one after the other: once the next one is, this one had its turn.
    let next = page(&app, &admin, "next", 1, json!({})).await;
    until("the next page is not written", async || version(&app, &next).await > 0).await;
    assert_eq!(version(&app, &id).await, before, "it wrote over a later term's");
    app.kill().await;
}
