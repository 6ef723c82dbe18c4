//! What components show while monitors and incidents change.

use chrono::{DateTime, TimeDelta, Utc};
use holdfast::platform::ids::Owner;
use serde_json::{Value, json};
use sqlx::PgConnection;
use uuid::Uuid;

use super::{Watched, id, list, one, start, witness};
use crate::{
    support::{
        app::{Client, TestApp},
        wait::until,
    },
    uptime::watch::{connect, execute, insert},
};

const SETTLE: (&str, &str) = ("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "600");

/// A component of the installation that publishes by itself, and its monitor. Nobody checks it but the test.
async fn shown(app: &TestApp, admin: &Client, key: &'static str, host: Option<&'static str>) -> (String, Watched) {
    let mut db = connect(&app.target().admin).await;
    let spec = json!({"kind": "tcp", "host": "192.0.2.1", "port": 443});
    let monitor = insert(&mut db, key, &spec, "paused_at = now(), paused_by = 'test'").await;
    let body = json!({
        "key": key, "name": key, "announce": true, "installation": true,
        "monitors": [{"monitor_id": monitor.id, "weight": "major_outage"}],
    });
    let component = id(&admin.post("/api/v1/incident-components", &body).await.expect(201));
    app.clock.advance(TimeDelta::minutes(1));
    let watched = Watched {
        id: monitor.id.as_u128(),
        owner: Owner::Installation,
        name: key.to_owned(),
        host,
        outage: monitor.id.as_u128() & !1,
        began: app.clock.now() - TimeDelta::seconds(10),
    };
    (component, watched)
}

async fn component(admin: &Client, id: &str) -> Value {
    admin.get(&format!("/api/v1/incident-components/{id}")).await.expect(200)
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// What a component showed from when on.
async fn course(db: &mut PgConnection, component: &str) -> Vec<(String, DateTime<Utc>)> {
    sqlx::query_as("SELECT status, at FROM incident_component_changes WHERE component_id = $1 ORDER BY at")
        .bind(component.parse::<Uuid>().unwrap())
        .fetch_all(db)
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_follows_its_monitor_while_the_incident_settles() {
    let app = start(&[SETTLE]).await;
    let admin = app.admin().await;
    let (shop, monitor) = shown(&app, &admin, "shop", None).await;
    witness(&app, &[monitor.down(&app)]).await;
    let found = component(&admin, &shop).await;
    assert_eq!((&found["status"], time(&found["since"])), (&json!("major_outage"), monitor.began));
    app.clock.advance(TimeDelta::seconds(40));
    let up = monitor.up(&app);
    // It is known later.
    app.clock.advance(TimeDelta::seconds(5));
    witness(&app, std::slice::from_ref(&up)).await;
    let found = component(&admin, &shop).await;
    assert_eq!((&found["status"], time(&found["since"])), (&json!("operational"), up.started_at));
    let open = list(&admin, "installation=true&open=true&q=shop").await;
    assert_eq!((open.len(), &open[0]["impact"]), (1, &json!("critical")), "the worst that it was stays with it");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_of_two_that_are_one_incident_is_shown_as_well_as_soon_as_it_is() {
    let app = start(&[SETTLE]).await;
    let admin = app.admin().await;
    let (shop, one_host) = shown(&app, &admin, "shop", Some("shop.example")).await;
    let (basket, same_host) = shown(&app, &admin, "basket", Some("shop.example")).await;
    let (mail, other) = shown(&app, &admin, "mail", Some("mail.example")).await;
    witness(&app, &[one_host.down(&app), same_host.down(&app), other.down(&app)]).await;
    let open = async |name: &str| list(&admin, &format!("installation=true&open=true&q={name}")).await;
    assert!(open("basket").await.is_empty(), "two of one host are one incident");
    let (first, second) = (id(&open("shop").await[0]), id(&open("mail").await[0]));
    let path = format!("/api/v1/incidents/{second}/merge");
    admin.post(&path, &json!({"into": first})).await.expect(200);
    let statuses = async || {
        let mut found = Vec::new();
        for id in [&shop, &basket, &mail] {
            found.push(component(&admin, id).await["status"].as_str().unwrap().to_owned());
        }
        found
    };
    assert_eq!(statuses().await, ["major_outage", "major_outage", "major_outage"]);
    witness(&app, &[one_host.up(&app)]).await;
    assert_eq!(statuses().await, ["operational", "major_outage", "major_outage"]);
    witness(&app, &[other.up(&app)]).await;
    assert_eq!(statuses().await, ["operational", "major_outage", "operational"]);
    assert_eq!(one(&admin, &first).await["components"].as_array().unwrap().len(), 3, "what it affected stays");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_person_said_of_a_component_stays() {
    let app = start(&[SETTLE]).await;
    let admin = app.admin().await;
    let (shop, monitor) = shown(&app, &admin, "shop", None).await;
    witness(&app, &[monitor.down(&app)]).await;
    let incident = id(&list(&admin, "installation=true&open=true&q=shop").await[0]);
    let said = json!({
        "body": "Orders are still slow.", "components": [{"component": shop, "status": "degraded_performance"}],
    });
    admin.post(&format!("/api/v1/incidents/{incident}/updates"), &said).await.expect(201);
    witness(&app, &[monitor.up(&app)]).await;
    assert_eq!(component(&admin, &shop).await["status"], "degraded_performance");
    admin.post(&format!("/api/v1/incidents/{incident}/resolve"), &json!({})).await.expect(200);
    assert_eq!(component(&admin, &shop).await["status"], "operational");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_over_before_it_could_be_written_is_shown_in_the_past_only() {
    let app = start(&[SETTLE]).await;
    let (admin, mut db) = (app.admin().await, connect(&app.target().admin).await);
    let (shop, monitor) = shown(&app, &admin, "shop", None).await;
    let down = monitor.down(&app);
    app.clock.advance(TimeDelta::seconds(40));
    let up = monitor.up(&app);
    app.clock.advance(TimeDelta::seconds(45));
    let batch = [down, up];
    witness(&app, &batch).await;
    // A batch whose commit was not answered is written again.
    witness(&app, &batch).await;
    assert_eq!(component(&admin, &shop).await["status"], "operational");
    let expected = [("major_outage", batch[0].started_at), ("operational", batch[1].started_at)];
    assert_eq!(course(&mut db, &shop).await, expected.map(|(status, at)| (status.to_owned(), at)));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_neither_transaction_saw_is_shown_within_a_minute() {
    let app = start(&[SETTLE]).await;
    let (admin, mut db) = (app.admin().await, connect(&app.target().admin).await);
    let (shop, monitor) = shown(&app, &admin, "shop", None).await;
    // The monitor went down in a transaction that did not see the component yet.
    let state = format!("UPDATE uptime_state SET status = 'down' WHERE monitor_id = '{}'", Uuid::from_u128(monitor.id));
    // Again, as the prober of this process says once that the monitor is paused.
    until("it is not shown", async || {
        execute(&mut db, &state).await;
        app.app.incidents.reconcile_components().await.unwrap();
        component(&admin, &shop).await["status"] == "major_outage"
    })
    .await;
    app.stop().await;
}
