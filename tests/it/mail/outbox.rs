//! Shared by the tests of delivery: an appliance with a mail server, and looks into its outbox.

use holdfast::{
    mail::{Address, Content, MailError, MessageId, NewMail, Owner, kinds},
    platform::{
        health::{CheckResult, run_all},
        http::{Principal, Role, Slice},
        ids::OrgId,
    },
};
use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use crate::{
    jobs::bench::principal,
    support::{app::TestApp, smtp::Smtp, wait::until},
};

pub const FROM: &str = "Holdfast <holdfast@example.com>";

/// For tests that wait for each limit.
pub const HASTY: [(&str, &str); 3] = [
    ("HOLDFAST_MAIL__CONNECT_SECONDS", "2"),
    ("HOLDFAST_MAIL__COMMAND_SECONDS", "2"),
    ("HOLDFAST_MAIL__DATA_SECONDS", "2"),
];

/// The settings that limit requests: a test that asks again and again would meet them.
pub const UNLIMITED: [&str; 2] = ["HOLDFAST_SERVER__REQUEST_BURST", "HOLDFAST_SERVER__PRINCIPAL_REQUEST_BURST"];

/// An appliance that sends through this server.
pub async fn start(smtp: &Smtp) -> TestApp {
    start_with(smtp, &[]).await
}

/// As [`start`] with settings, which win; an empty one is as if it were not there.
pub async fn start_with(smtp: &Smtp, more: &[(&str, &str)]) -> TestApp {
    let own = smtp.settings();
    let mut settings: Vec<(&str, &str)> = own.iter().map(|(name, value)| (*name, value.as_str())).collect();
    settings.push(("HOLDFAST_MAIL__FROM", FROM));
    settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    settings.extend(more.iter().filter(|(_, value)| !value.is_empty()));
    TestApp::start_with(&settings).await
}

/// A mail to this address, now.
pub fn mail<'a>(to: &'a Address, subject: &'a str) -> NewMail<'a> {
    NewMail {
        kind: &kinds::API,
        to,
        language: "en",
        content: Content::Raw { subject, text: "The tide turns at noon.", html: None },
        attachments: Vec::new(),
        send_at: None,
        expires_at: None,
        idempotency_key: None,
        reply_to: None,
        from: None,
        created_by: "test".into(),
    }
}

pub async fn enqueue(app: &TestApp, owner: Owner, new: &NewMail<'_>) -> Result<MessageId, MailError> {
    let mut tx = match owner {
        Owner::Org(org) => app.app.db.tenant(org).await.unwrap(),
        Owner::Installation => app.app.db.system().await.unwrap(),
    };
    let id = app.app.mail.enqueue(&mut tx, owner, new).await?;
    tx.commit().await.unwrap();
    Ok(id)
}

/// Puts a mail of the installation into the outbox.
pub async fn send(app: &TestApp, to: &str, subject: &str) -> MessageId {
    let to = Address::parse(to).unwrap();
    enqueue(app, Owner::Installation, &mail(&to, subject)).await.unwrap()
}

/// The first organisation.
pub async fn org(app: &TestApp) -> OrgId {
    app.app.auth.list_organisations(None, &Slice::oldest(1)).await.unwrap().remove(0).id
}

/// Its owner, who also operates the installation.
pub async fn operator(app: &TestApp) -> Principal {
    principal(org(app).await, Role::Owner, true)
}

pub async fn admin(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&app.target().admin).await.unwrap()
}

pub async fn execute(app: &TestApp, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut admin(app).await).await.unwrap();
}

pub async fn number(app: &TestApp, sql: &str) -> i64 {
    sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_one(&mut admin(app).await).await.unwrap()
}

async fn json(app: &TestApp, sql: String) -> Vec<Value> {
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut admin(app).await).await.unwrap()
}

/// A message of the outbox.
pub async fn row(app: &TestApp, id: MessageId) -> Value {
    json(app, format!("SELECT to_jsonb(m) FROM mail_messages m WHERE id = '{id}'")).await.remove(0)
}

/// Its attempts, oldest first.
pub async fn attempts(app: &TestApp, id: MessageId) -> Vec<Value> {
    json(app, format!("SELECT to_jsonb(a) FROM mail_attempts a WHERE message_id = '{id}' ORDER BY attempt")).await
}

/// How each of its attempts ended, oldest first.
pub async fn outcomes(app: &TestApp, id: MessageId) -> Vec<String> {
    let name = |attempt: &Value| attempt["outcome"].as_str().unwrap_or("open").to_owned();
    attempts(app, id).await.iter().map(name).collect()
}

pub async fn until_state(app: &TestApp, id: MessageId, state: &str) -> Value {
    until(&format!("{id} did not become {state}"), async || row(app, id).await["state"] == state).await;
    row(app, id).await
}

/// Waits until so many attempts at a message have ended, and it waits for another one.
pub async fn until_put_off(app: &TestApp, id: MessageId, attempts: usize) -> Value {
    let is_so = async || {
        row(app, id).await["state"] == "queued"
            && outcomes(app, id).await.iter().filter(|outcome| *outcome != "open").count() >= attempts
    };
    until(&format!("no {attempts} attempts at {id}"), is_so).await;
    row(app, id).await
}

/// Whatever waits is due now, and its jobs run.
pub async fn hurry(app: &TestApp) {
    let sql = "UPDATE mail_accounts SET retry_at = now() - interval '1 minute';
               UPDATE mail_messages SET send_at = now() - interval '1 minute' WHERE state = 'queued';
               UPDATE jobs SET run_at = now(), order_at = now() WHERE kind = 'mail.deliver' AND state = 'queued'";
    execute(app, sql.into()).await;
    app.app.mail.wake_waiting().await.unwrap();
}

pub async fn check(app: &TestApp, name: &str) -> CheckResult {
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result
}

/// Nothing is left between two states.
pub async fn check_settled(app: &TestApp) {
    let open = number(app, "SELECT count(*) FROM mail_messages WHERE state = 'sending'").await;
    assert_eq!(open, 0, "messages stuck in sending");
    let open = number(app, "SELECT count(*) FROM mail_attempts WHERE outcome IS NULL").await;
    assert_eq!(open, 0, "attempts without an end");
}
