//! Components and pages, and what strangers ask of them.

use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::support::{
    app::{Answer, Client, TestApp},
    wait::until,
};

/// Runs statements as the administrator of the database.
pub async fn execute(app: &TestApp, sql: &str) {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
}

/// So many components of the installation, `shop-0` and so on; their ids are `md5('shop-0')::uuid`.
pub async fn components(app: &TestApp, count: usize) {
    let sql = format!(
        "INSERT INTO incident_components (id, key, code, name, status, since, created_by, created_at, updated_at)
         SELECT md5('shop-' || n)::uuid, 'shop-' || n, lpad('shop' || n, 12, '0'), 'Shop ' || n, 'operational', now() - interval '100 days', 'test',
           now() - interval '100 days', now() - interval '100 days'
         FROM generate_series(0, {count} - 1) n;
         INSERT INTO incident_component_changes (id, component_id, status, at)
         SELECT md5('change-' || n)::uuid, md5('shop-' || n)::uuid, 'operational', now() - interval '100 days' FROM generate_series(0, {count} - 1) n"
    );
    execute(app, &sql).await;
}

/// The id of a component of [`components`].
pub async fn component_id(app: &TestApp, number: usize) -> String {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let id: String = sqlx::query_scalar("SELECT md5('shop-' || $1::text)::uuid::text")
        .bind(i32::try_from(number).unwrap())
        .fetch_one(&mut db)
        .await
        .unwrap();
    db.close().await.unwrap();
    id
}

/// A page of the installation with so many components, waited for until it is served. Its id.
pub async fn page(app: &TestApp, admin: &Client, slug: &str, count: usize, more: Value) -> String {
    let mut places = Vec::new();
    for number in 0..count {
        places.push(json!({ "component_id": component_id(app, number).await }));
    }
    let mut body = json!({
        "slug": slug, "name": "Shop <status>", "visibility": "public", "components": places,
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let made = admin.post("/api/v1/status-pages?installation=true", &body).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Waits until the page is served to strangers.
pub async fn until_served(app: &TestApp, path: &str) {
    until(&format!("{path} is not served"), async || get(app, path).await.status == StatusCode::OK).await;
}

pub async fn get(app: &TestApp, path: &str) -> Answer {
    with(app, path, &[]).await
}

/// As a stranger with these headers.
pub async fn with(app: &TestApp, path: &str, headers: &[(header::HeaderName, &str)]) -> Answer {
    let client = app.anonymous();
    let mut request = client.request(Method::GET, path);
    for (name, value) in headers {
        request = request.header(name, *value);
    }
    client.send(request).await
}

/// Submits a form as a stranger.
pub async fn submit(app: &TestApp, path: &str, fields: &[(&str, &str)]) -> Answer {
    let client = app.anonymous();
    let request = client.request(Method::POST, path).header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    client.send(request.body(serde_html_form::to_string(fields).unwrap())).await
}

/// An incident that is published and affects a component of [`components`].
pub async fn incident(app: &TestApp, code: &str, name: &str, number: usize) {
    let sql = format!(
        "INSERT INTO incidents (id, code, kind, name, status, impact, severity, published_at, opened_by, started_at, created_at, updated_at)
         VALUES (md5('{code}')::uuid, '{code}', 'incident', '{name}', 'investigating', 'critical', 'critical', now(), 'test', now(), now(), now());
         INSERT INTO incident_updates
           (id, code, incident_id, status, body, affected, display_at, published, notify, created_by, created_at, updated_at)
         VALUES (md5('{code}-u')::uuid, 'u{code}', md5('{code}')::uuid, 'investigating', 'We **look** into it.',
           jsonb_build_array(jsonb_build_object('component', md5('shop-{number}')::uuid, 'old', 'operational', 'new', 'major_outage')),
           now(), true, true, 'test', now(), now());
         INSERT INTO incident_impacts (incident_id, component_id, status, by_hand)
         VALUES (md5('{code}')::uuid, md5('shop-{number}')::uuid, 'major_outage', true);
         UPDATE incident_components SET status = 'major_outage', since = now(), updated_at = now() WHERE id = md5('shop-{number}')::uuid;
         INSERT INTO incident_component_changes (id, component_id, status, at, incident_id)
         VALUES (('ffffffff-0000-7000-8000-00000000000' || {number})::uuid, md5('shop-{number}')::uuid, 'major_outage', now(), md5('{code}')::uuid)"
    );
    execute(app, &sql).await;
}
