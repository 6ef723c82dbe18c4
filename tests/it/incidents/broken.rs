//! Channels that do not work: what that means for others, and who hears of it.

use serde_json::{Value, json};

use super::{channel, id, list, number, organisation, rule, start, watched, witness};
use crate::{
    support::{app::Client, receiver::Receiver, wait::until},
    uptime::watch::{connect, execute},
};

async fn notices(admin: &Client) -> Vec<Value> {
    admin.get("/api/v1/mail/messages?kind=alert&limit=200").await.expect(200)["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_written_for_one_does_not_silence_the_others() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let good = channel(&admin, "good", &receiver.url).await;
    let bad = channel(&admin, "bad", "http://127.0.0.1:1/").await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [good, bad]}]})).await;
    let mut db = connect(&app.target().admin).await;
    execute(
        &mut db,
        "CREATE FUNCTION test_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a fault of the test'; END $$",
    )
    .await;
    let trigger = format!(
        "CREATE TRIGGER test_fault BEFORE INSERT ON webhook_deliveries FOR EACH ROW WHEN (NEW.receiver = 'incidents.{bad}')
         EXECUTE FUNCTION test_fault()"
    );
    execute(&mut db, &trigger).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("the other channel was not told", async || receiver.seen().len() == 1).await;
    let incident = id(&list(&admin, "open=true").await[0]);
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/messages")).await.expect(200);
    let failed: Vec<&Value> =
        answer["data"].as_array().unwrap().iter().filter(|told| told["held"] == "failed").collect();
    assert_eq!((failed.len(), &failed[0]["channel_id"]), (1, &json!(bad)), "{answer}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_that_is_refused_is_no_failing_channel() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    let failing = async || number(&app, "SELECT count(*) FROM webhook_receivers WHERE failing_since IS NOT NULL").await;
    let refused = async || number(&app, "SELECT count(*) FROM webhook_deliveries WHERE state = 'dead'").await;
    receiver.answer_with(400);
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("it was not refused", async || refused().await == 1).await;
    assert_eq!(failing().await, 0);
    // Who refuses one after the other does not work.
    witness(&app, &[watched(&app, owner, 2, Some("b.example")).down(&app)]).await;
    until("it was not refused again", async || refused().await == 2).await;
    assert_eq!(failing().await, 1);
    receiver.answer_with(200);
    witness(&app, &[watched(&app, owner, 3, Some("c.example")).down(&app)]).await;
    until("a success does not end it", async || failing().await == 0).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_hear_of_their_channels_and_operators_of_the_installations() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    receiver.answer_with(404);
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("no administrator was told", async || notices(&admin).await.len() == 1).await;
    let told = notices(&admin).await.remove(0);
    assert!(told["subject"].as_str().unwrap().contains("The channel chat does not exist any more"), "{told}");
    // An operator can do nothing about it.
    app.app.incidents.refresh_gauges().await.unwrap();
    let (of_installation, of_organisations) =
        ("holdfast_incidents_channels_failing", "holdfast_incidents_organisations_channels_failing");
    assert_eq!((app.metric(of_installation), app.metric(of_organisations)), (0.0, 1.0));
    let body = json!({"key": "ops", "name": "Ops", "kind": "mattermost", "url": receiver.url, "installation": true});
    let ops = id(&admin.post("/api/v1/incident-channels", &body).await.expect(201));
    admin.post(&format!("/api/v1/incident-channels/{ops}/test"), &json!({})).await.expect(200);
    let path = format!("/api/v1/incident-channels/{ops}");
    until("it is not disabled", async || admin.get(&path).await.expect(200)["disabled_reason"] == "gone").await;
    app.app.incidents.refresh_gauges().await.unwrap();
    assert_eq!((app.metric(of_installation), app.metric(of_organisations)), (1.0, 1.0));
    assert_eq!(notices(&admin).await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_somebody_is_the_installations_and_no_alert() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let waits = "holdfast_incidents_unacknowledged_seconds";
    let began = app.clock.now() - chrono::TimeDelta::hours(2);
    admin.post("/api/v1/incidents", &json!({"name": "Theirs", "started_at": began})).await.expect(201);
    let alert = json!({"name": "Of an alert", "started_at": began, "installation": true});
    let alert = id(&admin.post("/api/v1/incidents", &alert).await.expect(201));
    let mut db = connect(&app.target().admin).await;
    execute(&mut db, &format!("UPDATE incidents SET opened_by = 'alert' WHERE id = '{alert}'")).await;
    app.app.incidents.refresh_gauges().await.unwrap();
    assert!(app.metric(waits) < 3600.0);
    let ours = json!({"name": "Ours", "started_at": began, "installation": true});
    admin.post("/api/v1/incidents", &ours).await.expect(201);
    app.app.incidents.refresh_gauges().await.unwrap();
    assert!(app.metric(waits) >= 7200.0);
    app.stop().await;
}
