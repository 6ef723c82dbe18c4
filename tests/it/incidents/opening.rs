//! Monitors and alerts open incidents, join them and end them.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    Watched, hurry, id, list, mails, number, one, operators_are_told, organisation, start, text, watched, witness,
};
use crate::support::{
    app::{Client, TestApp},
    wait::until,
};
use holdfast::{
    platform::ids::Owner,
    uptime::{MonitorId, Transition},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_opens_and_resolves() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    operators_are_told(&admin).await;
    let shop = watched(&app, Owner::Installation, 1, Some("shop.example"));
    witness(&app, &[shop.down(&app)]).await;
    // A batch whose commit was not answered is written again.
    witness(&app, &[shop.down(&app)]).await;
    let open = list(&admin, "installation=true&open=true").await;
    assert_eq!(open.len(), 1);
    assert_eq!(
        (open[0]["name"].clone(), open[0]["status"].clone()),
        (json!("Monitor 1 is down"), json!("investigating"))
    );
    assert_eq!((open[0]["opened_by"].clone(), open[0]["published_at"].clone()), (json!("monitor"), Value::Null));
    until("nobody was told", async || mails(&admin, true).await.len() == 1).await;
    let first = mails(&admin, true).await.remove(0);
    assert_eq!(first["subject"], "Began: Monitor 1 is down (critical)");
    assert!(text(&admin, &first).await.contains("the connection was refused"));
    let all = one(&admin, &id(&open[0])).await;
    assert_eq!((all["causes"].as_array().unwrap().len(), all["causes"][0]["closed_at"].clone()), (1, Value::Null));

    witness(&app, &[shop.up(&app)]).await;
    witness(&app, &[shop.up(&app)]).await;
    until("not resolved", async || list(&admin, "installation=true&open=true").await.is_empty()).await;
    until("the end was not told", async || mails(&admin, true).await.len() == 2).await;
    app.wait_for_jobs().await;
    let all = mails(&admin, true).await;
    assert_eq!(all.len(), 2, "{all:?}");
    assert_eq!(all[0]["subject"], "Resolved: Monitor 1 is down (critical)");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_told_is_not_opened() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let child = watched(&app, Owner::Installation, 1, None);
    let mut silent = child.down(&app);
    silent.told = false;
    witness(&app, &[silent]).await;
    witness(&app, &[child.up(&app)]).await;
    assert!(list(&admin, "installation=true").await.is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_at_once_is_one_message() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    operators_are_told(&admin).await;
    // So that nobody is told before all have come, however long it takes here to write them.
    let later = "WITH rules AS (UPDATE incident_rules SET after_seconds = 600 WHERE org_id IS NULL RETURNING id)
                   SELECT count(*) FROM rules";
    assert_eq!(number(&app, later).await, 1);
    let all: Vec<_> = (1..=500).map(|number| watched(&app, Owner::Installation, number, None)).collect();
    // As they come: a few, then very many.
    for part in [&all[..3], &all[3..50], &all[50..300], &all[300..]] {
        let transitions: Vec<_> = part.iter().map(|monitor| monitor.down(&app)).collect();
        witness(&app, &transitions).await;
    }
    let open = list(&admin, "installation=true&open=true&limit=200").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(open[0]["name"], "500 monitors are down");
    // What follows the tenth joins at once.
    assert_eq!(number(&app, "SELECT count(*) FROM incidents WHERE merged_into IS NOT NULL").await, 9);
    app.clock.advance(TimeDelta::minutes(11));
    until("nobody was told", async || {
        hurry(&app, "incidents.tell").await;
        !mails(&admin, true).await.is_empty()
    })
    .await;
    app.wait_for_jobs().await;
    let mails = mails(&admin, true).await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    let said = text(&admin, &mails[0]).await;
    assert!(said.contains("and 480 more") && said.matches("\n- ").count() == 20, "{said}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn same_cause_merges_and_can_be_split() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let one_host = [1, 2].map(|number| watched(&app, owner, number, Some("shop.example")));
    let other = watched(&app, owner, 3, Some("mail.example"));
    witness(&app, &[one_host[0].down(&app), other.down(&app)]).await;
    witness(&app, &[one_host[1].down(&app)]).await;
    let open = list(&admin, "open=true").await;
    assert_eq!(open.len(), 2, "{open:?}");
    let shop = open.iter().find(|incident| incident["name"] == "Monitor 1 is down").unwrap();
    let shop = one(&admin, &id(shop)).await;
    assert_eq!(shop["causes"].as_array().unwrap().len(), 2);
    // Somebody knows better.
    let split = json!({"causes": [shop["causes"][1]["ref"]], "name": "Basket"});
    let basket = admin.post(&format!("/api/v1/incidents/{}/split", id(&shop)), &split).await.expect(201);
    assert_eq!(basket["causes"].as_array().unwrap().len(), 1);
    assert_eq!(list(&admin, "open=true").await.len(), 3);
    let merged =
        admin.post(&format!("/api/v1/incidents/{}/merge", id(&basket)), &json!({"into": id(&shop)})).await.expect(200);
    assert_eq!(merged["causes"].as_array().unwrap().len(), 2);
    assert_eq!(list(&admin, "open=true").await.len(), 2, "what was merged is in no list");
    assert_eq!(one(&admin, &id(&basket)).await["merged_into"], id(&shop).as_str());
    // It is over when both are.
    witness(&app, &[one_host[0].up(&app)]).await;
    assert_eq!(one(&admin, &id(&shop)).await["status"], "investigating");
    witness(&app, &[one_host[1].up(&app)]).await;
    until("not resolved", async || one(&admin, &id(&shop)).await["status"] == "resolved").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_of_the_database_is_one_incident() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let keys = ["appliance-mail", "appliance-backups", "appliance-worker", "appliance-api", "appliance-database"];
    let mut parts = Vec::new();
    until("the appliance has no monitors of itself", async || {
        let all = admin.get("/api/v1/uptime/monitors?installation=true&limit=100").await.expect(200);
        let found = |key: &&str| all["data"].as_array().unwrap().iter().find(|one| one["key"] == *key).cloned();
        parts = keys.iter().filter_map(found).collect();
        parts.len() == keys.len()
    })
    .await;
    let database = id(&parts[4]);
    // Those that need it are seen first.
    let transitions: Vec<_> = (1..)
        .zip(&parts)
        .map(|(number, part)| {
            let parent = part["parent_id"].as_str().map(|id| MonitorId(id.parse().unwrap()));
            let watched = Watched {
                id: id(part).parse::<Uuid>().unwrap().as_u128(),
                name: part["key"].as_str().unwrap().to_owned(),
                ..watched(&app, Owner::Installation, number, None)
            };
            assert!(id(part) == database || part["parent_id"] == database.as_str(), "{part}");
            Transition { parent, ..watched.down(&app) }
        })
        .collect();
    witness(&app, &transitions).await;
    let open = list(&admin, "installation=true&open=true&q=appliance").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!(one(&admin, &id(&open[0])).await["causes"].as_array().unwrap().len(), keys.len());
    app.stop().await;
}

const TOKEN: &str = "a-token-for-alertmanager";

async fn report(app: &TestApp, ended: bool) {
    let now = app.clock.now();
    let began = now - chrono::TimeDelta::minutes(5);
    // The start is what it was: it identifies the alert.
    let began = began.date_naive().and_hms_opt(0, 0, 0).unwrap().and_utc();
    let alert = json!({
        "status": if ended { "resolved" } else { "firing" },
        "labels": {"alertname": "QueueOld", "severity": "critical", "service": "jobs"},
        "annotations": {"summary": "A queue does not move"},
        "startsAt": began, "endsAt": ended.then_some(now), "generatorURL": "", "fingerprint": "00112233445566778899",
    });
    let body = json!({"version": "4", "status": "firing", "receiver": "holdfast", "alerts": [alert]});
    let client: Client = app.anonymous().with_key(TOKEN);
    client.post("/api/v1/alerts", &body).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_open_drafts() {
    let app = start(&[("HOLDFAST_ALERTING__TOKEN", TOKEN)]).await;
    let admin = app.admin().await;
    operators_are_told(&admin).await;
    report(&app, false).await;
    until("no incident", async || list(&admin, "installation=true&open=true").await.len() == 1).await;
    report(&app, false).await;
    app.wait_for_jobs().await;
    let open = list(&admin, "installation=true").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert_eq!((open[0]["opened_by"].clone(), open[0]["published_at"].clone()), (json!("alert"), Value::Null));
    // Room notices mails alerts: not once more.
    assert!(mails(&admin, true).await.is_empty());
    report(&app, true).await;
    until("not resolved", async || list(&admin, "installation=true&open=true").await.is_empty()).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_owner_does_not_see_anothers() {
    let app = start(&[]).await;
    let (admin, other) = (app.admin().await, app.other_org("strangers").await);
    let own = watched(&app, organisation(&app).await, 1, Some("shop.example"));
    let theirs = watched(&app, Owner::Installation, 2, Some("shop.example"));
    witness(&app, &[own.down(&app), theirs.down(&app)]).await;
    assert_eq!(number(&app, "SELECT count(*) FROM incidents").await, 2, "what owners share is no cause");
    let incident = list(&admin, "").await.remove(0);
    assert!(list(&other, "").await.is_empty());
    other.get(&format!("/api/v1/incidents/{}", id(&incident))).await.expect(404);
    let answer = other.get("/api/v1/incidents?installation=true").await;
    assert_eq!(answer.status.as_u16(), 403, "{}", answer.text);
    app.stop().await;
}
