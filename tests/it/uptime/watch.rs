//! Monitors of tests, as rows, and what the prober writes about them.

use std::{fs, net::SocketAddr};

use chrono::{DateTime, Utc};
use holdfast::platform::crypto;
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection, postgres::PgConnectOptions};
use uuid::Uuid;

use super::probe::postgres_socket;
use crate::support::{cluster::cluster, odd_target::Relay, process::Site, wait::until};

/// Loopback is open to monitors.
pub const OPEN: (&str, &str) = ("HOLDFAST_UPTIME__PRIVATE_NETWORKS", "127.0.0.0/8");

/// A monitor of the installation.
#[derive(Clone, Copy, Debug)]
pub struct Monitor {
    pub id: Uuid,
    pub number: i32,
}

/// A span as it is stored.
#[derive(Clone, Debug, PartialEq, sqlx::FromRow)]
pub struct Span {
    pub status: String,
    pub cause: String,
    pub told: bool,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    pub outage_id: Option<Uuid>,
}

/// `settings`: further columns with their values, such as `retries = 2`.
pub async fn insert(db: &mut PgConnection, key: &str, spec: &Value, settings: &str) -> Monitor {
    let (id, kind) = (Uuid::from_bytes(crypto::random_bytes()), spec["kind"].as_str().unwrap());
    // At once: a prober that runs already must not see it with other settings.
    let mut tx = db.begin().await.unwrap();
    let number: i32 = sqlx::query_scalar(
        "INSERT INTO uptime_monitors (id, key, name, kind, spec, interval_seconds, timeout_ms, retries, retry_ms, successes, created_by,
           created_at, updated_at)
         VALUES ($1, $2, $2, $3, $4, 10, 2000, 1, 200, 1, 'test', now(), now()) RETURNING number",
    )
    .bind(id)
    .bind(key)
    .bind(kind)
    .bind(spec)
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    if !settings.is_empty() {
        execute(&mut tx, &format!("UPDATE uptime_monitors SET {settings} WHERE id = '{id}'")).await;
    }
    let state = format!(
        "INSERT INTO uptime_state (monitor_id, status, since, updated_at) VALUES ('{id}', 'unknown', now(), now())"
    );
    execute(&mut tx, &state).await;
    tx.commit().await.unwrap();
    Monitor { id, number }
}

/// One that was made otherwise.
pub async fn of_key(db: &mut PgConnection, key: &str) -> Monitor {
    let (id, number) = sqlx::query_as("SELECT id, number FROM uptime_monitors WHERE key = $1")
        .bind(key)
        .fetch_one(db)
        .await
        .unwrap_or_else(|error| panic!("{key}: {error}"));
    Monitor { id, number }
}

pub async fn execute(db: &mut PgConnection, sql: &str) {
    sqlx::query(AssertSqlSafe(sql.to_owned())).execute(db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

pub async fn number(db: &mut PgConnection, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned()))
        .fetch_one(db)
        .await
        .unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Its spans, oldest first. They must follow each other without gaps or overlaps, and one must be open.
pub async fn spans(db: &mut PgConnection, monitor: Monitor) -> Vec<Span> {
    let spans: Vec<Span> = sqlx::query_as(
        "SELECT status, cause, told, starts_at, ends_at, outage_id FROM uptime_spans WHERE monitor_id = $1 ORDER BY starts_at",
    )
    .bind(monitor.id)
    .fetch_all(db)
    .await
    .unwrap();
    for pair in spans.windows(2) {
        assert_eq!(pair[0].ends_at, Some(pair[1].starts_at), "a gap or an overlap: {spans:?}");
    }
    assert!(spans.last().is_none_or(|last| last.ends_at.is_none()), "none is open: {spans:?}");
    spans
}

/// `status` of each, with `!` if people are told, and the cause if it is no check.
pub fn story(spans: &[Span]) -> Vec<String> {
    let text = |span: &Span| {
        let cause = if span.cause == "check" { String::new() } else { format!("({})", span.cause) };
        format!("{}{cause}{}", span.status, if span.told { "!" } else { "" })
    };
    spans.iter().map(text).collect()
}

pub async fn status(db: &mut PgConnection, monitor: Monitor) -> String {
    sqlx::query_scalar("SELECT status FROM uptime_state WHERE monitor_id = $1")
        .bind(monitor.id)
        .fetch_one(db)
        .await
        .unwrap()
}

pub async fn becomes(db: &mut PgConnection, monitor: Monitor, wanted: &str) {
    until(&format!("it does not become {wanted}"), async || status(&mut *db, monitor).await == wanted).await;
}

/// Stored attempts.
pub async fn checks(db: &mut PgConnection, monitor: Monitor) -> i64 {
    number(db, &format!("SELECT count(*) FROM uptime_checks WHERE monitor = {}", monitor.number)).await
}

/// An appliance as a program, whose database is reached through a relay; and the database itself.
pub struct Away {
    pub relay: Relay,
    pub db: PgConnection,
    name: String,
    key: tempfile::TempDir,
}

impl Away {
    pub async fn new() -> Self {
        let name = cluster().await.database().await;
        let target = cluster().await.target(&name);
        let db = PgConnection::connect_with(&target.admin).await.unwrap();
        let key = tempfile::tempdir().unwrap();
        // The roles' passwords follow from the key.
        fs::write(key.path().join("key"), cluster_key().await).unwrap();
        Self { relay: Relay::to(postgres_socket().await).await, db, name, key }
    }

    /// A host of this installation.
    pub fn site(&self) -> Site {
        let mut site = Site::new();
        site.set("HOLDFAST_DATABASE__URL", &url(self.relay.address, &self.name));
        site.set("HOLDFAST_DATABASE__ROLE_PREFIX", crate::support::cluster::ROLE_PREFIX);
        site.set("HOLDFAST_SECRET_KEY_FILE", &self.key.path().join("key").display().to_string());
        site.set(OPEN.0, OPEN.1);
        site
    }

    pub async fn end(self) {
        self.db.close().await.unwrap();
        cluster().await.drop_database(&self.name).await;
    }
}

async fn cluster_key() -> String {
    use secrecy::ExposeSecret as _;
    cluster().await.key.reveal().expose_secret().to_owned()
}

fn url(relay: SocketAddr, name: &str) -> String {
    format!("postgres://postgres@{relay}/{name}?sslmode=disable")
}

/// As the administrator of a running appliance's database.
pub async fn connect(options: &PgConnectOptions) -> PgConnection {
    PgConnection::connect_with(options).await.unwrap()
}
