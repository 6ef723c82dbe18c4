//! Who is told where nobody has set anything up, and that it is said where nobody is.

use serde_json::{Value, json};

use super::{SETTINGS, channel, id, list, mails, number, one, organisation, rule, start, watched, witness};
use crate::support::{
    app::{Client, TestApp},
    receiver::Receiver,
    wait::until,
};

async fn rules(admin: &Client) -> Vec<Value> {
    admin.get("/api/v1/incident-rules").await.expect(200)["data"].as_array().unwrap().clone()
}

async fn log(admin: &Client, incident: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/log")).await.expect(200);
    answer["data"].as_array().unwrap().iter().map(|entry| entry["what"].clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_told_until_they_want_otherwise() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    assert!(rules(&admin).await.is_empty());
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    until("no administrator was told", async || mails(&admin, false).await.len() == 1).await;
    let made = rules(&admin).await;
    assert_eq!((made.len(), &made[0]["key"], &made[0]["managed_by"]), (1, &json!("administrators"), &Value::Null));

    // It is theirs: it can be changed, and what was deleted is not made again.
    let path = format!("/api/v1/incident-rules/{}", id(&made[0]));
    admin.patch(&path, &json!({"name": "Ours"})).await.expect(200);
    admin.delete(&path).await.expect(204);
    witness(&app, &[watched(&app, owner, 2, Some("b.example")).down(&app)]).await;
    assert!(rules(&admin).await.is_empty());
    let incident = id(&list(&admin, "open=true&q=Monitor+2").await[0]);
    assert!(log(&admin, &incident).await.contains(&json!("nobody")), "the log does not say that nobody was told");
    app.wait_for_jobs().await;
    assert_eq!(mails(&admin, false).await.len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_rules_has_decided() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", "http://127.0.0.1:1/").await;
    let matches = json!({"tags": ["never"]});
    rule(&admin, "own", json!({"steps": [{"after_seconds": 0, "channels": [chat]}], "matches": matches})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    app.wait_for_jobs().await;
    assert_eq!(rules(&admin).await.len(), 1);
    assert!(mails(&admin, false).await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_monitor_makes_the_rule_and_the_first_page_says_where_there_is_none() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    admin.post("/api/v1/uptime/monitors", &json!({"name": "Backup", "spec": {"kind": "heartbeat"}})).await.expect(201);
    until("no rule was made", async || rules(&admin).await.len() == 1).await;
    let warning = "no rule reaches anybody.";
    assert!(!admin.get("/").await.text.contains(warning));
    admin.delete(&format!("/api/v1/incident-rules/{}", id(&rules(&admin).await[0]))).await.expect(204);
    until("the first page does not say it", async || admin.get("/").await.text.contains(warning)).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mail_server_a_mail_is_no_message() {
    let receiver = Receiver::start().await;
    let settings: Vec<_> = SETTINGS.into_iter().filter(|(name, _)| !name.contains("_MAIL__")).collect();
    let app = TestApp::start_with(&settings).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", &receiver.url).await;
    let mail = json!({"key": "mail", "name": "Mail", "kind": "mail", "settings": {"to": ["ops@example.com"]}});
    let mail = id(&admin.post("/api/v1/incident-channels", &mail).await.expect(201));
    let steps = json!([{"after_seconds": 0, "channels": [mail]}, {"after_seconds": 3600, "channels": [chat]}]);
    rule(&admin, "all", json!({"steps": steps})).await;
    witness(&app, &[watched(&app, owner, 1, Some("a.example")).down(&app)]).await;
    // Nobody was reached, so the second step does not wait for an hour.
    until("the next step waits", async || receiver.seen().len() == 1).await;
    let incident = id(&list(&admin, "open=true").await[0]);
    let messages = admin.get(&format!("/api/v1/incidents/{incident}/messages")).await.expect(200);
    let held: Vec<&Value> = messages["data"].as_array().unwrap().iter().map(|told| &told["held"]).collect();
    assert!(held.contains(&&json!("no_mail")), "{messages}");
    assert_eq!(one(&admin, &incident).await["status"], "investigating");
    admin.post(&format!("/api/v1/incident-channels/{mail}/test"), &json!({})).await.problem(409, "mail_off");
    assert_eq!(number(&app, "SELECT count(*) FROM mail_messages WHERE kind = 'incident'").await, 0);
    assert!(admin.get(&format!("/settings/channels/{mail}")).await.text.contains("No mail server is configured"));
    app.stop().await;
}
