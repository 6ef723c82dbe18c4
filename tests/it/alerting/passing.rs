//! Forwarding: signed webhooks and the outside heartbeat.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::TimeDelta;
use hmac::{Hmac, KeyInit as _, Mac as _};
use holdfast::platform::health::Status as Health;
use serde_json::{Value, json};
use sha2::Sha256;
use sqlx::Connection as _;

use super::{PATH, Received, Receiver, check, firing, list, metric, now, resolved, send, start};
use crate::support::{
    app::{Client, TestApp},
    wait::until,
};

const RETRIED: &str = "holdfast_webhooks_deliveries_total{origin=\"alerting\",outcome=\"retried\"}";
const DELIVERED: &str = "holdfast_webhooks_deliveries_total{origin=\"alerting\",outcome=\"delivered\"}";
const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Verifies a webhook as the standard says; returns its body.
fn verify(received: &Received) -> Value {
    let header = |name: &str| received.headers[name].to_str().unwrap();
    let signed = format!("{}.{}.{}", header("webhook-id"), header("webhook-timestamp"), received.body);
    let mut mac = Hmac::<Sha256>::new_from_slice(&STANDARD.decode(SECRET).unwrap()).unwrap();
    mac.update(signed.as_bytes());
    let expected = format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()));
    assert_eq!(header("webhook-signature"), expected);
    serde_json::from_str(&received.body).unwrap()
}

async fn deliveries(admin: &Client) -> Vec<Value> {
    let id = list(admin, "").await[0]["id"].as_str().unwrap().to_owned();
    admin.get(&format!("{PATH}/{id}")).await.expect(200)["deliveries"].as_array().unwrap().clone()
}

/// Sends a message again; one that waits is tried at once.
async fn replay(admin: &Client, delivery: &Value) {
    let id = delivery["id"].as_str().unwrap();
    admin.post(&format!("/api/v1/webhook-deliveries/{id}/replay"), &json!({})).await.expect(202);
}

async fn with_webhook(receiver: &Receiver) -> TestApp {
    start(&[
        ("HOLDFAST_ALERTING__WEBHOOKS__ONCALL__URL", &format!("{}/hook", receiver.url)),
        ("HOLDFAST_ALERTING__WEBHOOKS__ONCALL__SECRET", &format!("whsec_{SECRET}")),
        ("HOLDFAST_ALERTING__WEBHOOKS__ONCALL__SEVERITIES", "critical, warning"),
    ])
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_signed_and_every_attempt_says_the_same() {
    let receiver = Receiver::start().await;
    let app = with_webhook(&receiver).await;
    let admin = app.admin().await;
    let alert = firing("JobsStuck", "critical", now(&app));
    receiver.answer_with(500);
    send(&app, &[alert.clone(), firing("NotForThem", "info", now(&app))]).await;
    until("no attempt", async || receiver.seen().len() == 1).await;
    until("no note of it", async || metric(&app, RETRIED) == 1).await;
    let waiting = list(&admin, "q=JobsStuck").await[0]["id"].as_str().unwrap().to_owned();
    let detail = admin.get(&format!("{PATH}/{waiting}")).await.expect(200);
    let delivery = &detail["deliveries"][0];
    assert_eq!((&delivery["state"], &delivery["attempts"]), (&json!("queued"), &json!(1)));
    assert!(delivery["error"].as_str().unwrap().contains("500"), "{delivery}");
    receiver.answer_with(204);
    app.clock.advance(TimeDelta::seconds(30));
    replay(&admin, delivery).await;
    until("no second attempt", async || receiver.seen().len() == 2).await;
    app.wait_for_jobs().await;
    let seen = receiver.seen();
    let said = verify(&seen[0]);
    assert_eq!(verify(&seen[1]), said);
    assert_eq!(seen[0].headers["webhook-id"], seen[1].headers["webhook-id"]);
    assert_ne!(seen[0].headers["webhook-timestamp"], seen[1].headers["webhook-timestamp"]);
    assert_eq!((said["type"].as_str(), said["data"]["name"].as_str()), (Some("alert.firing"), Some("JobsStuck")));
    assert_eq!(said["data"]["annotations"]["summary"], "JobsStuck is wrong");
    assert!(said["data"]["url"].as_str().unwrap().ends_with(&format!("/alerts/{waiting}")));
    // A repetition is not forwarded, a resolution is.
    send(&app, std::slice::from_ref(&alert)).await;
    send(&app, &[resolved(alert, now(&app))]).await;
    app.wait_for_jobs().await;
    let seen = receiver.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(verify(&seen[2])["type"], "alert.resolved");
    assert_eq!(metric(&app, DELIVERED), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_wants_no_more_gets_no_more() {
    let receiver = Receiver::start().await;
    let app = with_webhook(&receiver).await;
    let admin = app.admin().await;
    receiver.answer_with(410);
    send(&app, &[firing("Unwanted", "warning", now(&app))]).await;
    app.wait_for_jobs().await;
    assert_eq!(receiver.seen().len(), 1);
    let delivery = &deliveries(&admin).await[0];
    assert_eq!(delivery["state"], "dead", "{delivery}");
    // Sent again by hand once the receiver is back.
    receiver.answer_with(200);
    replay(&admin, delivery).await;
    app.wait_for_jobs().await;
    let all = deliveries(&admin).await;
    assert_eq!((&all[0]["state"], &all[1]["state"]), (&json!("dead"), &json!("delivered")));
    let seen = receiver.seen();
    assert_eq!(seen[0].headers["webhook-id"], seen[1].headers["webhook-id"]);
    assert_eq!(verify(&seen[0]), verify(&seen[1]));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_watchdog_is_a_time_and_a_heartbeat() {
    let receiver = Receiver::start().await;
    let heartbeat = format!("{}/ping/secret", receiver.url);
    let app =
        start(&[("HOLDFAST_ALERTING__HEARTBEAT_URL", &heartbeat), ("HOLDFAST_ALERTING__HEARTBEAT_METHOD", "post")])
            .await;
    let admin = app.admin().await;
    assert_eq!(check(&app, "alerting.watchdog").await.status, Health::Warn);
    assert_eq!(check(&app, "alerting.outside").await.status, Health::Pass);
    let watchdog = firing("Watchdog", "none", now(&app));
    assert_eq!(send(&app, std::slice::from_ref(&watchdog)).await["watchdog"], true);
    app.wait_for_jobs().await;
    assert!(list(&admin, "").await.is_empty());
    let seen = receiver.seen();
    assert_eq!((seen.len(), seen[0].method.as_str(), seen[0].path.as_str()), (1, "POST", "/ping/secret"));
    assert_eq!(check(&app, "alerting.watchdog").await.status, Health::Pass);
    app.app.alerting.refresh_gauges().await.unwrap();
    let at = metric(&app, "holdfast_alerting_watchdog_timestamp_seconds");
    assert!((at - now(&app).timestamp()).abs() < 60, "{at}");
    app.clock.advance(TimeDelta::minutes(16));
    let quiet = check(&app, "alerting.watchdog").await;
    assert_eq!(quiet.status, Health::Warn);
    assert!(quiet.summary.contains("16 minutes"), "{quiet:?}");
    // A resolved Watchdog triggers no heartbeat.
    send(&app, &[resolved(watchdog.clone(), now(&app))]).await;
    assert_eq!(check(&app, "alerting.watchdog").await.status, Health::Warn);
    assert_eq!(metric(&app, "holdfast_alerting_heartbeats_total{outcome=\"ok\"}"), 1);
    app.stop().await;
}

/// What the version before webhooks left, or still writes beside this one, is sent once.
#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_of_the_version_before_webhooks_is_sent_once() {
    let receiver = Receiver::start().await;
    let app = with_webhook(&receiver).await;
    let admin = app.admin().await;
    send(&app, &[firing("Unheard", "none", now(&app))]).await;
    let alert = list(&admin, "q=Unheard").await[0]["id"].as_str().unwrap().to_owned();
    let mut db = sqlx::PgConnection::connect_with(&app.target().admin).await.unwrap();
    for job in ["gen_random_uuid()", "gen_random_uuid()"] {
        let sql = format!(
            "INSERT INTO alert_deliveries (id, alert_id, webhook, event, body, state, created_at)
               VALUES ('00000000-0000-7000-8000-000000000001', '{alert}', 'oncall', 'firing', '{{\"type\": \"alert.firing\"}}', 'queued', now())
               ON CONFLICT DO NOTHING;
             WITH job AS (INSERT INTO jobs (id, queue, kind, run_at, order_at, max_attempts)
               VALUES ({job}, 'alerting', 'alerting.deliver', now(), now(), 10) RETURNING id, created_at)
             INSERT INTO job_payloads (job_id, created_at, payload)
               SELECT id, created_at, '{{\"delivery_id\": \"00000000-0000-7000-8000-000000000001\"}}' FROM job"
        );
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut db).await.unwrap();
    }
    until("not sent", async || receiver.seen().len() == 1).await;
    app.wait_for_jobs().await;
    assert_eq!(receiver.seen().len(), 1);
    assert_eq!(verify(&receiver.seen()[0])["type"], "alert.firing");
    assert_eq!(deliveries(&admin).await[0]["state"], "delivered");
    app.stop().await;
}
