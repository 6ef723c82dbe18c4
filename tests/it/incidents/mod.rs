//! Incidents, on the real router, worker and PostgreSQL. Changes of monitors are told as the prober tells them: in a transaction of role `system`.

mod again;
mod alertmanager;
mod announce;
mod broken;
mod channels;
mod console;
mod endings;
mod faults;
mod found;
mod hands;
mod nobody;
mod opening;
mod past;
mod races;
mod retention;
mod shown;
mod telling;
mod terminal;
mod timely;

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::{
    incidents::MonitorWitness,
    platform::{
        db::RoleKind,
        ids::{OrgId, Owner},
    },
    uptime::{Cause, MonitorId, SpanId, Status, Transition, Witness as _},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::support::{
    app::{Client, TestApp},
    wait::until,
};

/// Mail waits in the outbox: nobody listens on port 1. What is over is resolved at once.
const SETTINGS: [(&str, &str); 6] = [
    ("HOLDFAST_MAIL__FROM", "Holdfast <holdfast@example.com>"),
    ("HOLDFAST_MAIL__SMTP_HOST", "127.0.0.1"),
    ("HOLDFAST_MAIL__SMTP_PORT", "1"),
    ("HOLDFAST_MAIL__SMTP_SECURITY", "none"),
    ("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "0"),
    ("HOLDFAST_WEBHOOKS__PRIVATE_NETWORKS", "127.0.0.1/32"),
];

async fn start(settings: &[(&str, &str)]) -> TestApp {
    TestApp::start_with(&[&SETTINGS[..], settings].concat()).await
}

/// A monitor that goes down and comes up.
#[derive(Clone, Debug)]
struct Watched {
    id: u128,
    owner: Owner,
    name: String,
    host: Option<&'static str>,
    /// Number of its outage.
    outage: u128,
    began: DateTime<Utc>,
}

fn watched(app: &TestApp, owner: Owner, id: u128, host: Option<&'static str>) -> Watched {
    Watched {
        id,
        owner,
        name: format!("Monitor {id}"),
        host,
        outage: id * 1000,
        began: app.clock.now() - TimeDelta::seconds(10),
    }
}

impl Watched {
    fn becomes(&self, is: Status, at: DateTime<Utc>) -> Transition {
        let down = is == Status::Down;
        Transition {
            span: SpanId(Uuid::from_u128(self.outage + u128::from(!down))),
            monitor: MonitorId(Uuid::from_u128(self.id)),
            owner: self.owner,
            key: format!("monitor-{}", self.id),
            name: self.name.clone(),
            group: None,
            parent: None,
            host: self.host.map(str::to_owned),
            tags: Vec::new(),
            was: if down { Status::Up } else { Status::Down },
            is,
            cause: Cause::Check,
            outage: Some(SpanId(Uuid::from_u128(self.outage))),
            told: true,
            started_at: if down { self.began } else { at },
            confirmed_at: at,
            degraded: None,
            error: down.then(|| "the connection was refused".to_owned()),
            late: false,
        }
    }

    fn down(&self, app: &TestApp) -> Transition {
        self.becomes(Status::Down, app.clock.now())
    }

    fn up(&self, app: &TestApp) -> Transition {
        self.becomes(Status::Up, app.clock.now())
    }
}

/// As the prober's writer does.
async fn witness(app: &TestApp, transitions: &[Transition]) {
    let mut conn = PgConnection::connect_with(&app.target().connect_as(RoleKind::System)).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    MonitorWitness(app.app.incidents.clone()).changed(&mut tx, transitions).await.unwrap();
    tx.commit().await.unwrap();
}

async fn number(app: &TestApp, sql: &'static str) -> i64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap()
}

/// Waits until everything that was published has its jobs, and they are done.
async fn events_are_handled(app: &TestApp) {
    let unread = "SELECT count(*) FROM events
       WHERE ordinal > coalesce((SELECT ordinal FROM event_cursors WHERE reader = 'subscribers'), 0)";
    until("events are not read", async || number(app, unread).await == 0).await;
    app.wait_for_jobs().await;
}

/// Makes waiting jobs of this kind due now, whatever time they were planned for. Returns how many there were.
async fn hurry(app: &TestApp, kind: &str) -> u64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let sql =
        "UPDATE jobs SET run_at = now(), order_at = now() WHERE kind = $1 AND state = 'queued' AND run_at > now()";
    sqlx::query(sql).bind(kind).execute(&mut db).await.unwrap().rows_affected()
}

/// The first organisation.
async fn organisation(app: &TestApp) -> Owner {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let id: Uuid = sqlx::query_scalar("SELECT id FROM organisations ORDER BY created_at LIMIT 1")
        .fetch_one(&mut db)
        .await
        .unwrap();
    Owner::Org(OrgId(id))
}

async fn list(admin: &Client, query: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/api/v1/incidents?{query}")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

async fn one(admin: &Client, id: &str) -> Value {
    admin.get(&format!("/api/v1/incidents/{id}")).await.expect(200)
}

fn id(value: &Value) -> String {
    value["id"].as_str().unwrap_or_else(|| panic!("no id in {value}")).to_owned()
}

/// Mails about incidents, newest first.
async fn mails(admin: &Client, installation: bool) -> Vec<Value> {
    let path = format!("/api/v1/mail/messages?kind=incident&installation={installation}&limit=200");
    admin.get(&path).await.expect(200)["data"].as_array().unwrap().clone()
}

async fn text(admin: &Client, mail: &Value) -> String {
    let path = format!("/api/v1/mail/messages/{}", id(mail));
    admin.get(&path).await.expect(200)["text"].as_str().unwrap().to_owned()
}

/// The rule that tells operators is made by the appliance itself.
async fn operators_are_told(admin: &Client) {
    until("no rule for operators", async || {
        let rules = admin.get("/api/v1/incident-rules?installation=true").await.expect(200);
        rules["data"].as_array().is_some_and(|rules| !rules.is_empty())
    })
    .await;
}

async fn channel(admin: &Client, key: &str, url: &str) -> String {
    let body = json!({"key": key, "name": key, "kind": "mattermost", "url": url});
    id(&admin.post("/api/v1/incident-channels", &body).await.expect(201))
}

async fn rule(admin: &Client, key: &str, fields: Value) -> String {
    let mut body = json!({"key": key, "name": key, "group_wait_ms": 100});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    id(&admin.post("/api/v1/incident-rules", &body).await.expect(201))
}
