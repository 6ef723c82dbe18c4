//! What goes down again before its incident is over.

use chrono::TimeDelta;
use holdfast::uptime::Transition;
use serde_json::{Value, json};

use super::{Watched, channel, hurry, id, list, one, organisation, rule, start, watched, witness};
use crate::support::{
    app::{Client, TestApp},
    receiver::Receiver,
    wait::until,
};

const SETTLE: (&str, &str) = ("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "60");

/// The next outage of a monitor, which begins now.
fn again(app: &TestApp, monitor: &Watched) -> Watched {
    Watched { outage: monitor.outage + 10, began: app.clock.now(), ..monitor.clone() }
}

/// Down, and up again a few seconds later.
async fn short(app: &TestApp, monitor: &Watched) {
    witness(app, &[monitor.down(app)]).await;
    app.clock.advance(TimeDelta::seconds(3));
    witness(app, &[monitor.up(app)]).await;
    app.clock.advance(TimeDelta::seconds(3));
}

async fn told(admin: &Client, incident: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/messages?limit=200")).await.expect(200);
    answer["data"].as_array().unwrap().iter().map(|message| message["what"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_that_flaps_is_one_incident_that_flaps() {
    let (receiver, app) = (Receiver::start().await, start(&[SETTLE]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    // It has no host, no group, no parent and no component.
    let mut beat = watched(&app, owner, 1, None);
    short(&app, &beat).await;
    let incident = id(&list(&admin, "").await[0]);
    until("nobody was told", async || {
        hurry(&app, "incidents.tell").await;
        !told(&admin, &incident).await.is_empty()
    })
    .await;
    for _ in 0..6 {
        beat = again(&app, &beat);
        short(&app, &beat).await;
    }
    let all = list(&admin, "").await;
    assert_eq!(all.len(), 1, "{all:?}");
    assert_eq!(one(&admin, &incident).await["causes"].as_array().unwrap().len(), 7);
    until("it is not told that it flaps", async || {
        hurry(&app, "incidents.tell").await;
        told(&admin, &incident).await.contains(&json!("flapping"))
    })
    .await;
    app.wait_for_jobs().await;
    let mut told = told(&admin, &incident).await;
    told.sort_by_key(Value::to_string);
    assert_eq!(told, [json!("flapping"), json!("opened")], "one monitor has not become more of them");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_monitor_is_no_storm() {
    let app = start(&[SETTLE]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let mut beat = watched(&app, owner, 1, None);
    for _ in 0..12 {
        witness(&app, &[beat.down(&app)]).await;
        witness(&app, &[beat.up(&app)]).await;
        beat = again(&app, &beat);
    }
    witness(&app, &[watched(&app, owner, 2, None).down(&app)]).await;
    let open = list(&admin, "open=true").await;
    assert_eq!(open.len(), 2, "{open:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_down_for_long_comes_back_to_its_own_incident() {
    let app = start(&[SETTLE]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let shop = watched(&app, owner, 1, Some("shop.example"));
    witness(&app, &[shop.down(&app)]).await;
    let incident = id(&list(&admin, "open=true").await[0]);
    // Others do not join it any more.
    app.clock.advance(TimeDelta::minutes(6));
    witness(&app, &[shop.up(&app)]).await;
    app.clock.advance(TimeDelta::seconds(14));
    let shop = again(&app, &shop);
    let other = watched(&app, owner, 2, None);
    witness(&app, &[shop.down(&app), other.down(&app)]).await;
    assert_eq!(list(&admin, "open=true").await.len(), 2, "the other one is new");
    assert_eq!(one(&admin, &incident).await["causes"].as_array().unwrap().len(), 2);
    // It does not say that it is over while the monitor is down.
    app.clock.advance(TimeDelta::minutes(3));
    app.app.incidents.settle().await.unwrap();
    assert_eq!(one(&admin, &incident).await["status"], "investigating");
    witness(&app, &[shop.up(&app)]).await;
    app.clock.advance(TimeDelta::minutes(2));
    until("not resolved", async || one(&admin, &incident).await["status"] == "resolved").await;
    // What was over is over.
    let shop = again(&app, &shop);
    witness(&app, &[shop.down(&app)]).await;
    assert_eq!(list(&admin, "q=Monitor+1").await.len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_and_ended_while_the_database_was_away_settles_at_once() {
    let app = start(&[SETTLE]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let first = watched(&app, owner, 1, None);
    let mut batch: Vec<Transition> = vec![first.down(&app)];
    app.clock.advance(TimeDelta::seconds(40));
    batch.push(first.up(&app));
    app.clock.advance(TimeDelta::seconds(5));
    let second = again(&app, &first);
    batch.push(second.down(&app));
    app.clock.advance(TimeDelta::seconds(5));
    batch.push(second.up(&app));
    witness(&app, &batch).await;
    let all = list(&admin, "").await;
    assert_eq!(all.len(), 1, "{all:?}");
    let all = one(&admin, &id(&all[0])).await;
    let ends: Vec<_> = all["causes"].as_array().unwrap().iter().map(|cause| cause["closed_at"].clone()).collect();
    assert!(ends.len() == 2 && ends.iter().all(Value::is_string), "{all}");
    app.clock.advance(TimeDelta::seconds(61));
    until("not resolved", async || one(&admin, &id(&all)).await["status"] == "resolved").await;
    app.stop().await;
}
