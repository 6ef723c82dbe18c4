//! What is published, by itself and by hand.

use holdfast::platform::ids::Owner;
use serde_json::{Value, json};

use super::{Watched, id, list, one, start, witness};
use crate::{
    support::{
        app::{Client, TestApp},
        wait::until,
    },
    uptime::watch::{connect, insert},
};

async fn updates(admin: &Client, incident: &str) -> Vec<Value> {
    let answer = admin.get(&format!("/api/v1/incidents/{incident}/updates")).await.expect(200);
    answer["data"].as_array().unwrap().clone()
}

/// A monitor of the installation that nobody checks but the test, with a component of its own.
async fn with_component(app: &TestApp, admin: &Client, name: &str, announce: bool) -> Watched {
    let (mut db, key) = (connect(&app.target().admin).await, name.to_lowercase());
    let spec = json!({"kind": "tcp", "host": "192.0.2.1", "port": 443});
    let monitor = insert(&mut db, &key, &spec, "paused_at = now(), paused_by = 'test'").await;
    let body = json!({
        "key": key, "name": name, "announce": announce, "installation": true,
        "monitors": [{"monitor_id": monitor.id, "weight": "major_outage"}],
    });
    admin.post("/api/v1/incident-components", &body).await.expect(201);
    Watched {
        id: monitor.id.as_u128(),
        owner: Owner::Installation,
        name: name.to_owned(),
        host: None,
        outage: monitor.id.as_u128() & !1,
        began: app.clock.now(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_publishes_itself_says_its_status_to_subscribers() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = with_component(&app, &admin, "Shop", true).await;
    witness(&app, &[shop.down(&app)]).await;
    let incident = list(&admin, "installation=true&open=true&q=Shop").await.remove(0);
    assert!(incident["published_at"].is_string());
    let first = updates(&admin, &id(&incident)).await;
    assert_eq!(first.len(), 1, "{first:?}");
    let said = ["status", "body", "published", "notify", "created_by"].map(|field| first[0][field].clone());
    assert_eq!(said, [json!("investigating"), json!(""), json!(true), json!(true), json!("incidents")]);
    // Nobody has spoken, so it ends by itself, and that is said, too.
    witness(&app, &[shop.up(&app)]).await;
    until("not resolved", async || one(&admin, &id(&incident)).await["status"] == "resolved").await;
    until("the end was not said", async || updates(&admin, &id(&incident)).await.len() == 2).await;
    let last = updates(&admin, &id(&incident)).await.remove(0);
    assert_eq!((&last["status"], &last["notify"]), (&json!("resolved"), &json!(true)));
    app.stop().await;
}

/// Whatever became a part of it meanwhile, and was published without telling them.
#[tokio::test(flavor = "multi_thread")]
async fn who_heard_of_the_beginning_hears_of_the_end() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = with_component(&app, &admin, "Shop", true).await;
    let basket = with_component(&app, &admin, "Basket", false).await;
    witness(&app, &[shop.down(&app), basket.down(&app)]).await;
    let open = async |name: &str| id(&list(&admin, &format!("installation=true&open=true&q={name}")).await[0]);
    let (first, second) = (open("Shop").await, open("Basket").await);
    admin.post(&format!("/api/v1/incidents/{second}/publish"), &json!({})).await.expect(200);
    admin.post(&format!("/api/v1/incidents/{second}/merge"), &json!({"into": first})).await.expect(200);
    let told = async || -> Vec<Value> {
        updates(&admin, &first).await.iter().map(|update| update["notify"].clone()).collect()
    };
    assert_eq!(told().await, [json!(false), json!(true)]);
    witness(&app, &[shop.up(&app), basket.up(&app)]).await;
    until("the end was not said", async || told().await.len() == 3).await;
    assert_eq!(told().await[0], true);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_published_without_a_word_says_its_status() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop =
        id(&admin.post("/api/v1/incident-components", &json!({"key": "shop", "name": "Shop"})).await.expect(201));
    let affected = json!([{"component": shop, "status": "partial_outage"}]);
    let draft = json!({"name": "Orders are slow", "components": affected});
    let incident = id(&admin.post("/api/v1/incidents", &draft).await.expect(201));
    let path = format!("/api/v1/incidents/{incident}");
    assert!(updates(&admin, &incident).await.is_empty());
    admin.post(&format!("{path}/publish"), &json!({})).await.expect(200);
    admin.post(&format!("{path}/publish"), &json!({})).await.expect(200);
    let said = async || -> Vec<[Value; 3]> {
        let all = updates(&admin, &incident).await;
        all.iter().map(|one| ["status", "body", "notify"].map(|field| one[field].clone())).collect()
    };
    let began = [json!("investigating"), json!(""), json!(false)];
    assert_eq!(said().await, std::slice::from_ref(&began));
    admin.post(&format!("{path}/resolve"), &json!({})).await.expect(200);
    assert_eq!(said().await, [[json!("resolved"), json!(""), json!(false)], began]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_published_that_no_page_could_show() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let draft = json!({"name": "Orders are slow", "publish": true});
    admin.post("/api/v1/incidents", &draft).await.problem(422, "validation_failed");
    let made = admin.post("/api/v1/incidents", &json!({"name": "Orders are slow"})).await.expect(201);
    let path = format!("/api/v1/incidents/{}", id(&made));
    admin.post(&format!("{path}/publish"), &json!({})).await.problem(422, "validation_failed");
    let said = json!({"body": "We look into it.", "publish": true});
    admin.post(&format!("{path}/updates"), &said).await.problem(422, "validation_failed");
    assert_eq!(one(&admin, &id(&made)).await["published_at"], Value::Null);
    assert!(updates(&admin, &id(&made)).await.is_empty());
    app.stop().await;
}
