//! What people do: open, update, publish, resolve, set components, announce.

use serde_json::{Value, json};

use super::{id, list, one, start};
use crate::support::{app::Client, wait::until};

async fn open(admin: &Client, body: Value) -> Value {
    admin.post("/api/v1/incidents", &body).await.expect(201)
}

async fn component(admin: &Client, key: &str) -> String {
    id(&admin.post("/api/v1/incident-components", &json!({"key": key, "name": key})).await.expect(201))
}

async fn status_of(admin: &Client, component: &str) -> Value {
    admin.get(&format!("/api/v1/incident-components/{component}")).await.expect(200)["status"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn updates_and_their_order() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let affected = json!([{"component": shop, "status": "partial_outage"}]);
    let incident =
        open(&admin, json!({"name": "Orders are slow", "components": affected, "body": "We look into it."})).await;
    let path = format!("/api/v1/incidents/{}", id(&incident));
    assert_eq!((incident["impact"].clone(), incident["published_at"].clone()), (json!("major"), Value::Null));
    assert_eq!(status_of(&admin, &shop).await, "operational", "a draft is for insiders");
    let published = admin.post(&format!("{path}/publish"), &json!({})).await.expect(200);
    assert!(published["published_at"].is_string());
    assert_eq!(status_of(&admin, &shop).await, "partial_outage");

    let better = json!({"status": "monitoring", "body": "A disk was replaced.", "components": [{"component": shop, "status": "degraded_performance"}]});
    let updated = admin.post(&format!("{path}/updates"), &better).await.expect(201);
    assert_eq!((updated["status"].clone(), updated["impact"].clone()), (json!("monitoring"), json!("minor")));
    assert_eq!(updated["updates"][0]["affected"][0]["old"], "partial_outage");
    assert_eq!(status_of(&admin, &shop).await, "degraded_performance");
    admin
        .post(&format!("{path}/updates"), &json!({"status": "postmortem", "body": "x"}))
        .await
        .problem(422, "validation_failed");
    admin.post(&format!("{path}/resolve"), &json!({"body": "All is well."})).await.expect(200);
    assert_eq!(status_of(&admin, &shop).await, "operational");
    let updates = admin.get(&format!("{path}/updates")).await.expect(200);
    let said: Vec<&str> = updates["data"].as_array().unwrap().iter().map(|one| one["body"].as_str().unwrap()).collect();
    assert_eq!(said, ["All is well.", "A disk was replaced.", "We look into it."]);
    // Within a day it is the same one.
    let again =
        admin.post(&format!("{path}/updates"), &json!({"status": "investigating", "body": "Again."})).await.expect(201);
    assert_eq!((again["status"].clone(), again["resolved_at"].clone()), (json!("investigating"), Value::Null));
    admin.post(&format!("{path}/resolve"), &json!({})).await.expect(200);
    let written = admin
        .put(&format!("{path}/postmortem"), &json!({"text": "The disk was old.", "publish": true}))
        .await
        .expect(200);
    assert_eq!(written["status"], "postmortem");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_editors() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let incident = open(&admin, json!({"name": "Orders are slow"})).await;
    let path = format!("/api/v1/incidents/{}", id(&incident));
    let seen = admin.get(&path).await;
    let tag = seen.headers.get("etag").unwrap().to_str().unwrap().to_owned();
    let change = async |name: &str, tag: &str| {
        let request = admin.request(reqwest::Method::PATCH, &path).header("if-match", tag).json(&json!({"name": name}));
        admin.send(request).await
    };
    change("Orders fail", &tag).await.expect(200);
    change("Orders are late", &tag).await.problem(409, "changed_meanwhile");
    assert_eq!(one(&admin, &id(&incident)).await["name"], "Orders fail");
    change("Orders fail for all", "*").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hand_comes_before_monitors_and_incidents() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let path = format!("/api/v1/incident-components/{shop}");
    admin.patch(&path, &json!({"override": "major_outage"})).await.expect(200);
    assert_eq!(status_of(&admin, &shop).await, "major_outage");
    admin.patch(&path, &json!({"override": "automatic"})).await.expect(200);
    assert_eq!(status_of(&admin, &shop).await, "operational");
    admin.patch(&path, &json!({"override": "fine"})).await.expect(422);
    admin.post("/api/v1/incident-components", &json!({"key": "shop", "name": "Again"})).await.problem(409, "taken");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_begins_and_ends_a_maintenance() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let now = app.clock.now();
    let body = json!({
        "name": "New disks", "body": "We replace disks.", "components": [shop], "publish": true,
        "scheduled_for": now + chrono::TimeDelta::hours(1), "scheduled_until": now + chrono::TimeDelta::hours(2),
    });
    let planned = admin.post("/api/v1/incident-maintenances", &body).await.expect(201);
    assert_eq!((planned["status"].clone(), planned["impact"].clone()), (json!("scheduled"), json!("maintenance")));
    assert_eq!(status_of(&admin, &shop).await, "operational");
    app.clock.advance(chrono::TimeDelta::minutes(61));
    until("it has not begun", async || one(&admin, &id(&planned)).await["status"] == "in_progress").await;
    assert_eq!(status_of(&admin, &shop).await, "under_maintenance");
    app.clock.advance(chrono::TimeDelta::hours(1));
    until("it has not ended", async || one(&admin, &id(&planned)).await["status"] == "completed").await;
    assert_eq!(status_of(&admin, &shop).await, "operational");
    assert_eq!(list(&admin, "kind=maintenance&open=true").await.len(), 0);
    app.stop().await;
}
