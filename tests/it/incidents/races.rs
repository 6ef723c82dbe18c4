//! What happens at the same time, and what many outages make of others.

use chrono::TimeDelta;
use holdfast::{
    incidents::MonitorWitness,
    platform::{
        db::{RoleKind, lock_until_commit},
        ids::Owner,
    },
    uptime::Witness as _,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use super::{channel, hurry, id, list, number, one, organisation, rule, start, watched, witness};
use crate::{
    support::{receiver::Receiver, wait::until},
    uptime::watch::{connect, execute},
};

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_does_not_join_what_ends_meanwhile() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    witness(&app, &[watched(&app, owner, 1, Some("shop.example")).down(&app)]).await;
    let first = id(&list(&admin, "open=true").await[0]);
    // It is being resolved, and that is not committed yet: the look for one to join still finds it open.
    let mut db = connect(&app.target().admin).await;
    execute(&mut db, "BEGIN").await;
    let over = format!("UPDATE incidents SET status = 'resolved', resolved_at = now() WHERE id = '{first}'");
    execute(&mut db, &over).await;
    let again = [watched(&app, owner, 2, Some("shop.example")).down(&app)];
    let joins = witness(&app, &again);
    let commits = async {
        until("nobody waits for the incident", async || {
            let waiting =
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%incidents%'";
            number(&app, waiting).await > 0
        })
        .await;
        execute(&mut db, "COMMIT").await;
    };
    tokio::join!(joins, commits);
    let open = list(&admin, "open=true").await;
    assert_eq!((open.len(), &open[0]["name"]), (1, &json!("Monitor 2 is down")), "{open:?}");
    assert_eq!(one(&admin, &first).await["causes"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_is_told_with_the_rest() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let Owner::Org(org) = owner else { panic!("{owner:?}") };
    let chat = channel(&admin, "chat", &receiver.url).await;
    let steps = json!([{"after_seconds": 0, "channels": [chat]}]);
    rule(&admin, "all", json!({"steps": steps, "group_wait_ms": 60_000})).await;
    let [first, second] = [1, 2].map(|number| watched(&app, owner, number, Some("shop.example")));
    witness(&app, &[first.down(&app)]).await;
    // The prober's next transaction has begun when it is time to tell.
    let mut writer = PgConnection::connect_with(&app.target().connect_as(RoleKind::System)).await.unwrap();
    let mut tx = writer.begin().await.unwrap();
    lock_until_commit(&mut tx, &format!("incidents/{org}")).await.unwrap();
    app.clock.advance(TimeDelta::seconds(61));
    hurry(&app, "incidents.tell").await;
    until("telling does not wait for what is being written", async || {
        let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
        number(&app, waiting).await > 0
    })
    .await;
    MonitorWitness(app.app.incidents.clone()).changed(&mut tx, &[second.down(&app)]).await.unwrap();
    tx.commit().await.unwrap();
    app.clock.advance(TimeDelta::seconds(61));
    until("nobody was told", async || {
        hurry(&app, "incidents.tell").await;
        !receiver.seen().is_empty()
    })
    .await;
    app.wait_for_jobs().await;
    let seen = receiver.seen();
    assert!(seen.len() == 1 && seen[0].body.contains("Monitor 1") && seen[0].body.contains("Monitor 2"), "{seen:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_storm_keeps_what_customers_see_and_who_was_told() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let shop = json!({"key": "shop", "name": "Shop"});
    let shop = id(&admin.post("/api/v1/incident-components", &shop).await.expect(201));
    let chat = channel(&admin, "chat", &receiver.url).await;
    let matches = json!({"monitors": ["00000000-0000-0000-0000-000000000002"]});
    let two =
        rule(&admin, "two", json!({"steps": [{"after_seconds": 0, "channels": [chat]}], "matches": matches})).await;
    let all: Vec<_> = (1..=12).map(|number| watched(&app, owner, number, None)).collect();
    witness(&app, &[all[0].down(&app)]).await;
    witness(&app, &[all[1].down(&app)]).await;
    until("the second one was not told", async || receiver.seen().len() == 1).await;
    let second = id(&list(&admin, "open=true&q=Monitor+2").await[0]);
    let said = json!({
        "body": "We look into it.", "publish": true, "components": [{"component": shop, "status": "partial_outage"}],
    });
    admin.post(&format!("/api/v1/incidents/{second}/updates"), &said).await.expect(201);
    // Nobody is told of the storm itself.
    admin.patch(&format!("/api/v1/incident-rules/{two}"), &json!({"disabled": true})).await.expect(200);
    let rest: Vec<_> = all[2..].iter().map(|monitor| monitor.down(&app)).collect();
    witness(&app, &rest).await;
    let open = list(&admin, "open=true").await;
    assert_eq!(open.len(), 1, "{open:?}");
    assert!(open[0]["published_at"].is_string() && id(&open[0]) != second, "{open:?}");
    let storm = one(&admin, &id(&open[0])).await;
    assert_eq!(storm["updates"][0]["body"], "We look into it.");
    assert_eq!(storm["components"][0]["component"], json!(shop));
    // Who was told of the second one is told of the end.
    admin.post(&format!("/api/v1/incidents/{}/resolve", id(&storm)), &json!({})).await.expect(200);
    until("the end was not told", async || receiver.seen().iter().any(|seen| seen.body.contains("Resolved"))).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_make_no_storm() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let owner = Owner::Installation;
    let two = [1, 2].map(|number| watched(&app, owner, number, None));
    witness(&app, &[two[0].down(&app)]).await;
    let first = id(&list(&admin, "installation=true&open=true").await[0]);
    // Ten alerts have joined within the minute.
    let mut db = connect(&app.target().admin).await;
    let alerts = format!(
        "INSERT INTO incident_log (id, incident_id, what, done_by, detail, at)
         SELECT gen_random_uuid(), '{first}', 'joined', 'incidents', '{{\"source\": \"alert\"}}', now() FROM generate_series(1, 10)"
    );
    execute(&mut db, &alerts).await;
    witness(&app, &[two[1].down(&app)]).await;
    assert_eq!(list(&admin, "installation=true&open=true").await.len(), 2);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lasts_is_no_part_of_what_is_over() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let open = async |name: &str| id(&admin.post("/api/v1/incidents", &json!({"name": name})).await.expect(201));
    let (over, lasts) = (open("Over").await, open("Lasts").await);
    admin.post(&format!("/api/v1/incidents/{over}/resolve"), &json!({})).await.expect(200);
    let into = |into: &str| json!({"into": into});
    admin.post(&format!("/api/v1/incidents/{lasts}/merge"), &into(&over)).await.problem(409, "not_mergeable");
    assert_eq!(one(&admin, &lasts).await["merged_into"], Value::Null);
    admin.post(&format!("/api/v1/incidents/{over}/merge"), &into(&lasts)).await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_corrected_update_is_a_change_of_its_incident() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let made = json!({"name": "Orders are slow", "body": "We lok into it."});
    let made = admin.post("/api/v1/incidents", &made).await.expect(201);
    let path = format!("/api/v1/incidents/{}/updates/{}", id(&made), id(&made["updates"][0]));
    app.clock.advance(chrono::TimeDelta::seconds(5));
    admin.patch(&path, &json!({"body": "We look into it."})).await.expect(200);
    let after = one(&admin, &id(&made)).await;
    assert!(after["updated_at"].as_str() > made["updated_at"].as_str(), "{after}");
    app.stop().await;
}
