//! Who is told when.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;

use super::{channel, hurry, id, list, mails, number, one, organisation, rule, start, text, watched, witness};
use crate::support::{app::Client, receiver::Receiver, wait::until};

async fn messages(admin: &Client, incident: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/messages")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

async fn log(admin: &Client, incident: &str) -> Vec<String> {
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/log")).await.expect(200);
    answer["data"].as_array().unwrap().iter().map(|entry| entry["what"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn escalation_stops_with_acknowledging() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let first = channel(&admin, "first", &format!("{}/first", receiver.url)).await;
    let second = channel(&admin, "second", &format!("{}/second", receiver.url)).await;
    let steps = json!([{"after_seconds": 0, "channels": [first]}, {"after_seconds": 2, "channels": [second]}]);
    rule(&admin, "all", json!({"steps": steps})).await;
    let of = |path: &str| receiver.seen().into_iter().filter(|seen| seen.path == path).count();

    // Nobody acknowledges: the second step comes.
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("no escalation", async || of("/second") == 1).await;
    assert_eq!(of("/first"), 1);

    // Somebody does: it does not.
    witness(&app, &[watched(&app, owner, 2, Some("b.example")).down(&app)]).await;
    until("no second incident was told", async || of("/first") == 2).await;
    let incident = id(&list(&admin, "open=true").await[0]);
    let done = admin.post(&format!("/api/v1/incidents/{incident}/acknowledge"), &json!({})).await.expect(200);
    assert!(done["acknowledged_by"].as_str().unwrap().starts_with("user:"), "{done}");
    until("the end of the escalation is not in the log", async || {
        log(&admin, &incident).await.contains(&"escalation_ended".to_owned())
    })
    .await;
    app.wait_for_jobs().await;
    assert_eq!(of("/second"), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_scanner_does_not_acknowledge() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let members = admin.get("/api/v1/members").await.expect(200);
    let user = members["data"][0]["user_id"].as_str().unwrap().to_owned();
    let layer = json!({"people": [user], "starts": "2020-01-06T09:00:00", "turn": "week"});
    let rota = json!({"key": "first-line", "name": "First line", "zone": "Europe/Berlin", "layers": [layer]});
    let rota = id(&admin.post("/api/v1/incident-rotas", &rota).await.expect(201));
    let now = admin.get(&format!("/api/v1/incident-rotas/{rota}/on-call")).await.expect(200);
    assert_eq!(now["user_id"], user.as_str());
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "rota": rota}]})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("nobody was told", async || mails(&admin, false).await.len() == 1).await;
    let said = text(&admin, &mails(&admin, false).await[0]).await;
    let link = said.lines().find_map(|line| line.strip_prefix("Acknowledge: ")).unwrap_or_else(|| panic!("{said}"));
    let path = link.split_once("/acknowledge/").map(|(_, token)| format!("/acknowledge/{token}")).unwrap();
    let incident = id(&list(&admin, "open=true").await[0]);
    let stranger = app.anonymous();
    for _ in 0..2 {
        let page = stranger.get(&path).await;
        assert!(page.status == 200 && page.text.contains("Monitor 1 is down"), "{}", page.text);
    }
    assert_eq!(one(&admin, &incident).await["acknowledged_at"], Value::Null);
    // Not with another signature, nor for another incident.
    assert_eq!(stranger.get(&format!("{path}0")).await.status, 404);
    let done = stranger.send(stranger.request(reqwest::Method::POST, &path)).await;
    assert!(done.status.is_success() || done.status.is_redirection(), "{}", done.text);
    assert_eq!(one(&admin, &incident).await["acknowledged_by"], format!("user:{user}"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quiet_hours_hold_and_then_tell_the_truth() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat]}]);
    // Whole days, in which even critical ones wait.
    let days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let quiet = json!([{"days": days, "from": "00:00:00", "until": "00:00:00", "zone": "UTC", "least": null}]);
    let rule = rule(&admin, "all", json!({"steps": steps, "quiet": quiet})).await;
    let [ends, lasts] = [(1, "a.example"), (2, "b.example")].map(|(n, host)| watched(&app, owner, n, Some(host)));
    witness(&app, &[ends.down(&app), lasts.down(&app)]).await;
    let incidents = list(&admin, "open=true").await;
    for incident in &incidents {
        until("nothing was held", async || log(&admin, &id(incident)).await.contains(&"held".to_owned())).await;
    }
    witness(&app, &[ends.up(&app)]).await;
    until("not resolved", async || list(&admin, "open=true").await.len() == 1).await;
    assert!(receiver.seen().is_empty(), "{:?}", receiver.seen());
    // The hours end.
    admin.patch(&format!("/api/v1/incident-rules/{rule}"), &json!({"quiet": []})).await.expect(200);
    assert!(hurry(&app, "incidents.tell").await > 0, "nothing waits for their end");
    until("what lasts was not told", async || receiver.seen().len() == 1).await;
    app.wait_for_jobs().await;
    // Long enough for a message about what is over, if there were one.
    sleep(Duration::from_secs(1)).await;
    let seen = receiver.seen();
    assert!(seen.len() == 1 && seen[0].body.contains("Monitor 2 is down"), "{seen:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn flapping_is_told_once() {
    let (receiver, app) = (Receiver::start().await, start(&[("HOLDFAST_INCIDENTS__SETTLE_SECONDS", "600")]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}], "flap_changes": 6})).await;
    let shop = watched(&app, owner, 1, Some("a.example"));
    for outage in 0..6 {
        let time = super::Watched { outage: 1000 + outage * 10, began: app.clock.now(), ..shop.clone() };
        witness(&app, &[time.down(&app)]).await;
        app.wait_for_jobs().await;
        if outage == 0 {
            until("the opening was not told", async || receiver.seen().len() == 1).await;
        }
        witness(&app, &[time.up(&app)]).await;
    }
    let incident = id(&list(&admin, "open=true").await[0]);
    until("it is not flapping", async || one(&admin, &incident).await["flapping"] == true).await;
    until("that was not told", async || receiver.seen().len() == 2).await;
    app.wait_for_jobs().await;
    let kinds: Vec<Value> = messages(&admin, &incident).await.iter().map(|told| told["what"].clone()).collect();
    assert_eq!(kinds, ["flapping", "opened"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_is_told_of_is_told_nobody() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    // A rule whose only channel is disabled.
    let chat = channel(&admin, "chat", "http://127.0.0.1:1/").await;
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}]})).await;
    admin.patch(&format!("/api/v1/incident-channels/{chat}"), &json!({"enabled": false})).await.expect(200);
    let shop = watched(&app, owner, 1, Some("a.example"));
    witness(&app, &[shop.down(&app)]).await;
    let incident = id(&list(&admin, "open=true").await[0]);
    until("it was not noted", async || {
        messages(&admin, &incident).await.first().is_some_and(|told| told["held"] == "disabled")
    })
    .await;
    // An end without a beginning is not told, whatever the channel is by then.
    admin.patch(&format!("/api/v1/incident-channels/{chat}"), &json!({"enabled": true})).await.expect(200);
    witness(&app, &[shop.up(&app)]).await;
    until("not resolved", async || one(&admin, &incident).await["status"] == "resolved").await;
    app.wait_for_jobs().await;
    assert!(messages(&admin, &incident).await.iter().all(|told| told["what"] != "resolved"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reminders_come_until_somebody_acknowledges() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat], "repeat_seconds": 3600}]);
    rule(&admin, "all", json!({"steps": steps})).await;
    let reminded = || receiver.seen().into_iter().filter(|seen| seen.body.contains("Reminder: ")).count();
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    for count in 1..=2 {
        until("no reminder is planned", async || hurry(&app, "incidents.escalate").await > 0).await;
        until("nobody was reminded", async || reminded() == count).await;
    }
    let incident = id(&list(&admin, "open=true").await[0]);
    admin.post(&format!("/api/v1/incidents/{incident}/acknowledge"), &json!({})).await.expect(200);
    until("no third one is planned", async || hurry(&app, "incidents.escalate").await > 0).await;
    until("the reminders do not end", async || log(&admin, &incident).await.contains(&"escalation_ended".to_owned()))
        .await;
    app.wait_for_jobs().await;
    assert_eq!(reminded(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_grown_is_told_after_its_interval() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat]}]);
    rule(&admin, "all", json!({"steps": steps, "group_interval_seconds": 30})).await;
    let [first, second] = [1, 2].map(|number| watched(&app, owner, number, Some("shop.example")));
    witness(&app, &[first.down(&app)]).await;
    until("the opening was not told", async || receiver.seen().len() == 1).await;
    witness(&app, &[second.down(&app)]).await;
    app.wait_for_jobs().await;
    assert_eq!(receiver.seen().len(), 1, "it is too soon");
    app.clock.advance(chrono::TimeDelta::seconds(31));
    hurry(&app, "incidents.tell").await;
    until("that it has grown was not told", async || receiver.seen().len() == 2).await;
    let seen = receiver.seen();
    assert!(seen[1].body.contains("Has grown: ") && seen[1].body.contains("Monitor 2"), "{seen:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_left_acknowledges_nothing() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let members = admin.get("/api/v1/members").await.expect(200);
    let user = members["data"][0]["user_id"].as_str().unwrap().to_owned();
    let layer = json!({"people": [user], "starts": "2020-01-06T09:00:00", "turn": "week"});
    let rota = json!({"key": "first-line", "name": "First line", "zone": "UTC", "layers": [layer]});
    let rota = id(&admin.post("/api/v1/incident-rotas", &rota).await.expect(201));
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "rota": rota}]})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("nobody was told", async || mails(&admin, false).await.len() == 1).await;
    let said = text(&admin, &mails(&admin, false).await[0]).await;
    let link = said.lines().find_map(|line| line.strip_prefix("Acknowledge: ")).unwrap_or_else(|| panic!("{said}"));
    let path = link.split_once("/acknowledge/").map(|(_, token)| format!("/acknowledge/{token}")).unwrap();
    number(&app, "WITH gone AS (DELETE FROM memberships RETURNING 1) SELECT count(*) FROM gone").await;
    let stranger = app.anonymous();
    let answer = stranger.send(stranger.request(reqwest::Method::POST, &path)).await;
    assert_eq!(answer.status, 404, "{}", answer.text);
    assert_eq!(number(&app, "SELECT count(*) FROM incidents WHERE acknowledged_at IS NOT NULL").await, 0);
    app.stop().await;
}
