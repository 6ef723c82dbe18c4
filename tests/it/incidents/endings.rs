//! Certificates and domains that end soon.

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::{
    platform::db::RoleKind,
    uptime::{Degraded, MonitorEnding, MonitorId},
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{events_are_handled, id, list, one, start};
use crate::{
    support::{app::TestApp, receiver::Receiver, wait::until},
    uptime::watch::{Monitor, connect, execute, insert},
};

/// As the prober does when a threshold is passed.
async fn ends(app: &TestApp, monitor: Monitor, ends_at: DateTime<Utc>, days: i16) {
    let event = MonitorEnding {
        monitor_id: MonitorId(monitor.id),
        key: "shop".into(),
        what: Degraded::Certificate,
        ends_at,
        days,
    };
    let mut conn = PgConnection::connect_with(&app.target().connect_as(RoleKind::System)).await.unwrap();
    let mut tx = conn.begin().await.unwrap();
    holdfast::events::publish(&mut tx, &app.clock, None, &event).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_one_incident_until_it_is_renewed() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, mut db) = (app.admin().await, connect(&app.target().admin).await);
    let spec = json!({"kind": "tls", "host": "shop.example", "port": 443});
    let monitor = insert(&mut db, "shop", &spec, "paused_at = now(), paused_by = 'test'").await;
    let ends_at = app.clock.now() + TimeDelta::days(20);
    let known = |at: DateTime<Utc>| {
        let at = at.to_rfc3339();
        format!("UPDATE uptime_state SET certificate_ends_at = '{at}' WHERE monitor_id = '{}'", monitor.id)
    };
    execute(&mut db, &known(ends_at)).await;
    let installation = async |path: &str, mut body: Value| {
        body["installation"] = json!(true);
        id(&admin.post(path, &body).await.expect(201))
    };
    let body = json!({"key": "chat", "name": "Chat", "kind": "mattermost", "url": receiver.url});
    let chat = installation("/api/v1/incident-channels", body).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat]}]);

    // No rule asks for it: nothing is opened.
    ends(&app, monitor, ends_at, 21).await;
    events_are_handled(&app).await;
    assert!(list(&admin, "installation=true&q=certificate").await.is_empty());

    let body = json!({
        "key": "ends", "name": "Ends", "position": 1, "group_wait_ms": 100, "group_interval_seconds": 10, "steps": steps,
        "matches": {"sources": ["ending"]},
    });
    installation("/api/v1/incident-rules", body).await;
    ends(&app, monitor, ends_at, 21).await;
    until("nothing was told", async || receiver.seen().len() == 1).await;
    let open = list(&admin, "installation=true&open=true&q=certificate").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((&open[0]["severity"], &open[0]["opened_by"]), (&json!("info"), &json!("ending")));
    assert_eq!(open[0]["name"], "The certificate of shop ends within 21 days");

    // The next threshold is the same trouble, and more urgent.
    ends(&app, monitor, ends_at, 7).await;
    until("the next threshold was not told", async || receiver.seen().len() == 2).await;
    let nearer = one(&admin, &id(&open[0])).await;
    assert_eq!((&nearer["severity"], nearer["causes"].as_array().unwrap().len()), (&json!("warning"), 2));
    assert_eq!(nearer["name"], "The certificate of shop ends within 7 days");
    app.app.incidents.check_endings().await.unwrap();
    assert_eq!(one(&admin, &id(&open[0])).await["status"], "investigating", "it was not renewed");

    execute(&mut db, &known(ends_at + TimeDelta::days(90))).await;
    app.app.incidents.check_endings().await.unwrap();
    assert_eq!(one(&admin, &id(&open[0])).await["status"], "investigating", "another server may have the old one");
    app.clock.advance(TimeDelta::minutes(10));
    execute(&mut db, &known(ends_at)).await;
    app.app.incidents.check_endings().await.unwrap();
    execute(&mut db, &known(ends_at + TimeDelta::days(90))).await;
    app.clock.advance(TimeDelta::minutes(10));
    app.app.incidents.check_endings().await.unwrap();
    assert_eq!(one(&admin, &id(&open[0])).await["status"], "investigating", "the old one was seen again");
    app.clock.advance(TimeDelta::minutes(16));
    app.app.incidents.check_endings().await.unwrap();
    until("a renewed one is not resolved", async || one(&admin, &id(&open[0])).await["status"] == "resolved").await;
    until("the end was not told", async || receiver.seen().len() == 3).await;
    app.stop().await;
}
