//! Receivers, processes and people that do not behave: what still arrives, and what is given up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::{PATH, body, deliveries, endpoint, execute, make, start, test_message};
use crate::support::{app::TestApp, receiver::Receiver, wait::until};

async fn number(app: &TestApp, sql: String) -> i64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut db).await.unwrap()
}

/// As fan-out queues them that has read the endpoints a moment before.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_waits_for_an_endpoint_that_is_disabled_or_deleted() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (disabled, _) = make(&admin, json!({"url": receiver.url})).await;
    let (deleted, _) = make(&admin, json!({"url": receiver.url})).await;
    let late = |id: &str| {
        format!(
            "INSERT INTO webhook_deliveries (id, message_id, org_id, receiver, topic, subject, body, state, created_at)
             SELECT gen_random_uuid(), gen_random_uuid(), org_id, id::text, 'late', 'late', '{{}}', 'queued', now() - interval '2 minutes'
             FROM webhook_endpoints WHERE id = '{id}';"
        )
    };
    execute(&app, late(&disabled) + &late(&deleted) + &format!("DELETE FROM webhook_endpoints WHERE id = '{deleted}'"))
        .await;
    admin.patch(&format!("{PATH}/{disabled}"), &json!({"enabled": false})).await.expect(200);
    execute(&app, format!("UPDATE webhook_deliveries SET state = 'queued' WHERE receiver = '{disabled}'")).await;
    app.app.webhooks.wake_waiting().await.unwrap();
    app.wait_for_jobs().await;
    let log = deliveries(&admin, &disabled, "").await;
    assert_eq!((log.len(), &log[0]["state"]), (1, &json!("dead")), "{log:?}");
    assert_eq!(number(&app, format!("SELECT count(*) FROM webhook_deliveries WHERE receiver = '{deleted}'")).await, 0);
    assert!(receiver.seen().is_empty());
    app.stop().await;
}

/// Whoever deletes an endpoint locks first the endpoint and then its deliveries.
#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_ends_and_a_deletion_do_not_wait_for_each_other() {
    let (listener, app) = (tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap(), start().await);
    let admin = app.admin().await;
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (endpoint_id, _) = make(&admin, json!({"url": url})).await;
    test_message(&admin, &endpoint_id).await;
    let (mut stream, _) = listener.accept().await.unwrap();
    let _ = stream.read(&mut [0; 4096]).await.unwrap();
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let mut deletion = db.begin().await.unwrap();
    let lock = format!("SELECT FROM webhook_endpoints WHERE id = '{endpoint_id}' FOR UPDATE");
    sqlx::raw_sql(AssertSqlSafe(lock)).execute(&mut *deletion).await.unwrap();
    stream.write_all(b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let waiting =
        "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
    until("the attempt does not wait", async || number(&app, waiting.into()).await > 0).await;
    let delete = format!(
        "SELECT FROM webhook_deliveries WHERE receiver = '{endpoint_id}' FOR UPDATE NOWAIT;
         DELETE FROM webhook_deliveries WHERE receiver = '{endpoint_id}';
         DELETE FROM webhook_endpoints WHERE id = '{endpoint_id}'"
    );
    sqlx::raw_sql(AssertSqlSafe(delete)).execute(&mut *deletion).await.unwrap();
    deletion.commit().await.unwrap();
    app.stop().await;
}

/// More receivers than the worker has slots, each with a backlog, hold up the messages of others for their current attempt only.
#[tokio::test(flavor = "multi_thread")]
async fn slow_receivers_with_a_backlog_let_others_pass() {
    let (slow, quick, app) = (Receiver::start().await, Receiver::start().await, start().await);
    slow.hesitate(Duration::from_secs(6));
    let admin = app.admin().await;
    let mut endpoints = Vec::new();
    for _ in 0..6 {
        let (id, _) = make(&admin, json!({"url": slow.url})).await;
        for _ in 0..8 {
            test_message(&admin, &id).await;
        }
        endpoints.push(id);
    }
    let waiting = "SELECT count(*) FROM jobs WHERE kind = 'webhooks.deliver'";
    assert!(number(&app, waiting.into()).await <= 12, "a backlog has a job that runs and one that waits");
    until("the slow ones are not asked", async || slow.seen().len() >= 4).await;
    let (id, _) = make(&admin, json!({"url": quick.url})).await;
    let before = slow.seen().len();
    test_message(&admin, &id).await;
    until("the quick one hears nothing", async || !quick.seen().is_empty()).await;
    let meanwhile = slow.seen().len() - before;
    assert!(meanwhile <= 20, "after {meanwhile} messages of others");
    until("each slow one has a second turn", async || slow.seen().len() >= 12).await;
    for id in &endpoints {
        test_message(&admin, id).await;
    }
    assert!(number(&app, waiting.into()).await <= 13, "a turn does not add a job");
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_given_up_by_hand_lets_the_next_pass() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, _) = make(&admin, json!({"url": receiver.url, "topics": ["auth.member.added"]})).await;
    receiver.answer_with(422);
    let refused = test_message(&admin, &endpoint_id).await;
    until("not refused", async || endpoint(&admin, &endpoint_id).await["state"] == "failing").await;
    app.person("default", holdfast::platform::http::Role::Member).await;
    until("no second message", async || deliveries(&admin, &endpoint_id, "").await.len() == 2).await;
    receiver.answer_with(200);
    let given_up = format!("/api/v1/webhook-deliveries/{refused}/give-up");
    app.other_org("other").await.post(&given_up, &json!({})).await.expect(404);
    let page = admin.get(&format!("/settings/webhook-deliveries/{refused}")).await.text;
    assert!(page.contains(&format!("/settings/webhook-deliveries/{refused}/give-up")), "{page}");
    assert_eq!(admin.post(&given_up, &json!({})).await.expect(200)["state"], "dead");
    until("the second did not pass", async || receiver.seen().len() == 2).await;
    assert_eq!(body(&receiver.seen()[1])["type"], "auth.member.added");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_says_when_it_wants_the_next_attempt() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, _) = make(&admin, json!({"url": receiver.url})).await;
    receiver.answer_with(429);
    receiver.ask_to_wait(1800);
    test_message(&admin, &endpoint_id).await;
    until("not failing", async || endpoint(&admin, &endpoint_id).await["state"] == "failing").await;
    let retry_at = endpoint(&admin, &endpoint_id).await["retry_at"].as_str().unwrap().to_owned();
    let wait = retry_at.parse::<DateTime<Utc>>().unwrap() - app.clock.now();
    assert!(wait > TimeDelta::minutes(25) && wait <= TimeDelta::minutes(30), "{wait}");
    // At another address it is tried at once.
    let other = Receiver::start().await;
    admin.patch(&format!("{PATH}/{endpoint_id}"), &json!({"url": other.url})).await.expect(200);
    until("not tried at the other address", async || other.seen().len() == 1).await;
    app.stop().await;
}

/// While hosts are changed one after another, only some know a new receiver.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_to_a_receiver_that_this_process_does_not_know_is_left_to_another() {
    let app = start().await;
    execute(
        &app,
        "INSERT INTO webhook_deliveries (id, message_id, receiver, topic, subject, body, state, created_at)
         SELECT id, id, 'alerting.elsewhere', 'alerting.alert.firing', 'x', '{}', 'queued', now() - interval '2 minutes'
         FROM gen_random_uuid() AS id"
            .into(),
    )
    .await;
    let waits = "SELECT count(*) FROM webhook_deliveries WHERE state = 'queued'";
    app.app.webhooks.wake_waiting().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!(number(&app, waits.into()).await, 1);
    app.clock.advance(TimeDelta::hours(1));
    app.app.webhooks.wake_waiting().await.unwrap();
    app.wait_for_jobs().await;
    assert_eq!(number(&app, waits.into()).await, 0);
    app.stop().await;
}

/// Its worker was lost after it had noted the failure, before it had put the job off.
#[tokio::test(flavor = "multi_thread")]
async fn a_rescued_job_waits_for_the_next_attempt() {
    let (receiver, app) = (Receiver::start().await, start().await);
    let admin = app.admin().await;
    let (endpoint_id, _) = make(&admin, json!({"url": receiver.url})).await;
    receiver.answer_with(500);
    receiver.ask_to_wait(1800);
    test_message(&admin, &endpoint_id).await;
    let put_off = "SELECT count(*) FROM jobs WHERE kind = 'webhooks.deliver' AND state = 'queued' AND run_at > now()";
    until("not put off", async || number(&app, put_off.into()).await == 1).await;
    execute(
        &app,
        "UPDATE jobs SET attempt = 1, run_at = now(), order_at = now() WHERE kind = 'webhooks.deliver'".into(),
    )
    .await;
    app.wait_for_jobs().await;
    assert_eq!(number(&app, put_off.into()).await, 1);
    assert_eq!(receiver.seen().len(), 1);
    app.stop().await;
}
