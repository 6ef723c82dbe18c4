//! A rule against the past.

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::{platform::ids::Owner, uptime::Transition};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{Watched, channel, id, list, one, organisation, rule, start, watched, witness};
use crate::support::{
    app::{Client, TestApp},
    receiver::Receiver,
    wait::until,
};

/// A paused monitor of the organisation.
async fn store(app: &TestApp, monitor: &Watched) {
    let Owner::Org(org) = monitor.owner else { panic!("of an organisation") };
    let spec = json!({"kind": "http", "url": format!("https://{}/", monitor.host.unwrap())});
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query(
        "INSERT INTO uptime_monitors (id, org_id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, paused_at, paused_by,
           created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, 'http', $5, 60, 1000, 0, 1, now(), 'test', 'test', now(), now())",
    )
    .bind(uuid::Uuid::from_u128(monitor.id))
    .bind(org.0)
    .bind(format!("monitor-{}", monitor.id))
    .bind(&monitor.name)
    .bind(spec)
    .execute(&mut db)
    .await
    .unwrap();
    sqlx::query(
        "INSERT INTO uptime_state (monitor_id, status, since, updated_at) VALUES ($1, 'unknown', now(), now())",
    )
    .bind(uuid::Uuid::from_u128(monitor.id))
    .execute(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
}

/// As the prober's writer stores an outage that is over.
async fn span(app: &TestApp, down: &Transition, up: &Transition) {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    sqlx::query(
        "INSERT INTO uptime_spans (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, error, term)
         VALUES ($1, $2, $3, 'down', $4, $5, $6, 'check', $1, true, $7, 0)",
    )
    .bind(down.span.0)
    .bind(down.owner.org().map(|org| org.0))
    .bind(down.monitor.0)
    .bind(down.started_at)
    .bind(up.started_at)
    .bind(down.confirmed_at)
    .bind(&down.error)
    .execute(&mut db)
    .await
    .unwrap();
    db.close().await.unwrap();
}

/// What was told of all incidents: when, what, of which.
async fn told(admin: &Client) -> Vec<(DateTime<Utc>, Value, Value)> {
    let mut all = Vec::new();
    for incident in list(admin, "limit=200").await {
        let path = format!("/api/v1/incidents/{}/messages?limit=200", id(&incident));
        for message in admin.get(&path).await.expect(200)["data"].as_array().unwrap() {
            let at = message["created_at"].as_str().unwrap().parse().unwrap();
            all.push((at, message["what"].clone(), incident["name"].clone()));
        }
    }
    all.sort_by_key(|(at, ..)| *at);
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn preview_equals_what_happened() {
    let (receiver, app) = (Receiver::start().await, start(&[("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "1")]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat]}, {"after_seconds": 5, "channels": [chat]}]);
    let rule = rule(&admin, "all", json!({"steps": steps, "group_interval_seconds": 600})).await;
    let all =
        [(1, "a.example"), (2, "a.example"), (3, "c.example")].map(|(n, host)| watched(&app, owner, n, Some(host)));
    for monitor in &all {
        store(&app, monitor).await;
    }
    let [one_host, same_host, other] = &all;

    // Two of one host are one incident, which nobody acknowledges.
    let downs = [one_host.down(&app), same_host.down(&app)];
    witness(&app, &downs).await;
    until("no escalation", async || told(&admin).await.iter().any(|(_, what, _)| what == "escalated")).await;
    // A short one of another host.
    let other_down = other.down(&app);
    witness(&app, std::slice::from_ref(&other_down)).await;
    until("the second was not told", async || told(&admin).await.len() == 3).await;
    let other_up = other.up(&app);
    witness(&app, std::slice::from_ref(&other_up)).await;
    until("the short one is not over", async || told(&admin).await.len() == 4).await;
    let ups = [one_host.up(&app), same_host.up(&app)];
    witness(&app, &ups).await;
    until("the first is not over", async || told(&admin).await.len() == 5).await;
    for (down, up) in downs.iter().zip(&ups).chain([(&other_down, &other_up)]) {
        span(&app, down, up).await;
    }

    let happened = told(&admin).await;
    let request = json!({"rule_id": rule, "days": 7});
    let preview = admin.post("/api/v1/incident-rules/preview", &request).await.expect(200);
    let would = preview["list"].as_array().unwrap();
    let names = |(what, name): (&Value, &Value)| format!("{what} {name}");
    let expected: Vec<String> = happened.iter().map(|(_, what, name)| names((what, name))).collect();
    let found: Vec<String> = would.iter().map(|one| names((&one["what"], &one["incident"]))).collect();
    assert_eq!(found, expected, "{preview}");
    assert_eq!((preview["incidents"].clone(), preview["messages"].clone()), (json!(2), json!(5)));
    for (one, (at, ..)) in would.iter().zip(&happened) {
        let would_at: DateTime<Utc> = one["at"].as_str().unwrap().parse().unwrap();
        assert!((*at - would_at).abs() < TimeDelta::seconds(4), "{one} instead of {at}");
    }
    // The first incident had both monitors.
    let first = list(&admin, "q=Monitor+1").await.remove(0);
    assert_eq!(one(&admin, &id(&first)).await["causes"].as_array().unwrap().len(), 2);
    app.stop().await;
}
