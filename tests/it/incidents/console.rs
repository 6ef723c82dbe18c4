//! The pages of incidents, by their forms.

use chrono::TimeDelta;
use serde_json::{Value, json};

use super::{channel, id, list, one, organisation, rule, start, watched, witness};
use crate::{
    alerting::pages::submit,
    support::{
        app::{Answer, Client},
        receiver::Receiver,
        wait::until,
    },
    uptime::watch::{connect, insert},
};

async fn component(admin: &Client, key: &str) -> String {
    id(&admin.post("/api/v1/incident-components", &json!({"key": key, "name": key})).await.expect(201))
}

async fn read(admin: &Client, path: &str) -> Value {
    admin.get(path).await.expect(200)
}

/// A form that was taken leads somewhere else.
fn taken(answer: &Answer) {
    assert!(answer.status.is_redirection(), "{}: {}", answer.status, answer.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_opened_published_and_changed() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let status = async || read(&admin, &format!("/api/v1/incident-components/{shop}")).await["status"].clone();
    // What no page could show is not published.
    let refused = submit(&admin, "/incidents", &[("name", "Orders fail"), ("publish", "on")]).await;
    assert!(refused.status == 422 && refused.text.contains("Name what is affected"), "{}", refused.text);
    assert!(list(&admin, "").await.is_empty());
    let (partial, degraded) = (format!("{shop}:partial_outage"), format!("{shop}:degraded_performance"));
    let fields =
        [("name", "Orders fail"), ("publish", "on"), ("body", "We look into it."), ("affects", partial.as_str())];
    taken(&submit(&admin, "/incidents", &fields).await);
    assert_eq!(status().await, "partial_outage");
    let incident = id(&list(&admin, "").await[0]);
    let path = format!("/incidents/{incident}");
    let fields =
        [("status", "monitoring"), ("body", "A disk was replaced."), ("affects", degraded.as_str()), ("publish", "on")];
    taken(&submit(&admin, &path, &fields).await);
    assert_eq!(status().await, "degraded_performance");
    taken(&submit(&admin, &format!("{path}/edit"), &[("name", "Orders are late"), ("severity", "warning")]).await);
    let full = one(&admin, &incident).await;
    assert_eq!((&full["name"], &full["severity"]), (&json!("Orders are late"), &json!("warning")));
    let update = id(&full["updates"][0]);
    let corrected = [("body", "Two disks were replaced."), ("publish", "on")];
    taken(&submit(&admin, &format!("{path}/updates/{update}"), &corrected).await);
    assert_eq!(one(&admin, &incident).await["updates"][0]["body"], "Two disks were replaced.");
    let page = admin.get(&path).await.text;
    assert!(page.contains("Two disks were replaced.") && page.contains("Orders are late"), "{page}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prepared_text_keeps_what_it_names() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let fields = [
        ("name", "Checkout"),
        ("language", "en"),
        ("title", "Checkout fails"),
        ("body", "We look into it."),
        ("status", "identified"),
        ("component", shop.as_str()),
    ];
    taken(&submit(&admin, "/incident-templates", &fields).await);
    let made = read(&admin, "/api/v1/incident-templates").await["data"][0].clone();
    assert_eq!((&made["components"], &made["status"]), (&json!([shop]), &json!("identified")));
    let form = admin.get(&format!("/incidents?template={}", id(&made))).await.text;
    for chosen in [format!("value=\"{shop}:partial_outage\" selected"), "value=\"identified\" selected".to_owned()] {
        assert!(form.contains(&chosen), "{chosen}: {form}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_gets_monitors() {
    let app = start(&[]).await;
    let (admin, mut db) = (app.admin().await, connect(&app.target().admin).await);
    let spec = json!({"kind": "tcp", "host": "192.0.2.1", "port": 443});
    let monitor = insert(&mut db, "shop-home", &spec, "paused_at = now(), paused_by = 'test'").await.id;
    let fields = [("key", "shop"), ("name", "Shop"), ("installation", "on")];
    taken(&submit(&admin, "/incident-components", &fields).await);
    let all = read(&admin, "/api/v1/incident-components?installation=true&q=Shop").await;
    let shop = id(&all["data"][0]);
    let page = format!("/incident-components/{shop}");
    assert!(admin.get(&format!("{page}?q=shop-home")).await.text.contains(&format!("{monitor}:major_outage")));
    let chosen = format!("{monitor}:partial_outage");
    let fields = [("name", "The shop"), ("announce", "on"), ("monitors", ""), ("monitors", chosen.as_str())];
    taken(&submit(&admin, &format!("{page}/edit"), &fields).await);
    let made = read(&admin, &format!("/api/v1/incident-components/{shop}")).await;
    assert_eq!(made["monitors"], json!([{"monitor_id": monitor, "weight": "partial_outage"}]));
    assert_eq!((&made["name"], &made["announce"]), (&json!("The shop"), &json!(true)));
    // What was chosen is in the form, whatever is searched.
    assert!(admin.get(&format!("{page}?q=zzzz")).await.text.contains(&format!("{chosen}\" selected")));
    let wrong = submit(&admin, &format!("{page}/edit"), &[("name", "")]).await;
    assert_eq!(wrong.status, 422);
    taken(&submit(&admin, &format!("{page}/delete"), &[]).await);
    assert_eq!(admin.get(&page).await.status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_have_pages() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    for number in 1..=51 {
        component(&admin, &format!("part-{number}")).await;
    }
    let first = admin.get("/incident-components").await.text;
    assert!(first.contains("part-51") && !first.contains(">part-1<"), "{first}");
    let next = first.split("href=\"/incident-components?cursor=").nth(1).and_then(|rest| rest.split('"').next());
    let next = next.unwrap_or_else(|| panic!("no link to the next page: {first}"));
    assert!(admin.get(&format!("/incident-components?cursor={next}")).await.text.contains(">part-1<"));
    let found = admin.get("/incident-components?q=part-17").await.text;
    assert!(found.contains(">part-17<") && !found.contains(">part-18<"), "{found}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_gets_another_address() {
    let (receiver, app) = (Receiver::start().await, start(&[]).await);
    let admin = app.admin().await;
    let chat = channel(&admin, "chat", "http://127.0.0.1:1/").await;
    let path = format!("/settings/channels/{chat}");
    let wrong = submit(&admin, &path, &[("name", "Night"), ("url", "ftp://example.com")]).await;
    assert_eq!(wrong.status, 422, "{}", wrong.text);
    let fields = [("name", "Night"), ("url", receiver.url.as_str()), ("language", "ru"), ("zone", "Europe/Berlin")];
    taken(&submit(&admin, &path, &fields).await);
    let changed = read(&admin, &format!("/api/v1/incident-channels/{chat}")).await;
    assert_eq!((&changed["name"], &changed["zone"]), (&json!("Night"), &json!("Europe/Berlin")));
    // Without an address it keeps the one that it has.
    taken(&submit(&admin, &path, &[("name", "Day"), ("language", "ru"), ("zone", "Europe/Berlin")]).await);
    assert_eq!(submit(&admin, &format!("{path}/test"), &[]).await.status, 200);
    until("the test did not arrive", async || receiver.seen().len() == 1).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_has_steps_a_rota_and_quiet_hours() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let user = id_of_admin(&admin).await;
    let fields = [
        ("key", "first-line"),
        ("name", "First line"),
        ("zone", "Europe/Berlin"),
        ("people", user.as_str()),
        ("turn", "week"),
        ("starts", "2026-01-05T09:00"),
    ];
    taken(&submit(&admin, "/on-call", &fields).await);
    let rota = id(&read(&admin, "/api/v1/incident-rotas").await["data"][0]);
    let chat = channel(&admin, "chat", "http://127.0.0.1:1/").await;
    let chosen = format!("0:{chat}");
    let fields = [
        ("key", "night"),
        ("name", "Night"),
        ("wait", "90s"),
        ("tags", "eu, shop"),
        ("severities", "critical"),
        ("channels", chosen.as_str()),
        ("rota", ""),
        ("after", ""),
        ("repeat", "30m"),
        ("rota", rota.as_str()),
        ("after", "10m"),
        ("repeat", ""),
        ("from", "22:00"),
        ("until", "07:30"),
        ("zone", "Europe/Berlin"),
        ("least", "none"),
        ("days", "0:sat"),
    ];
    taken(&submit(&admin, "/settings/incident-rules", &fields).await);
    let made = read(&admin, "/api/v1/incident-rules?q=night").await["data"][0].clone();
    let steps = json!([
        {"after_seconds": 0, "channels": [chat], "rota": null, "repeat_seconds": 1800},
        {"after_seconds": 600, "channels": [], "rota": rota, "repeat_seconds": null},
    ]);
    assert_eq!((&made["steps"], &made["after_seconds"]), (&steps, &json!(90)));
    assert_eq!(made["matches"]["tags"], json!(["eu", "shop"]));
    let quiet = &made["quiet"][0];
    assert_eq!((&quiet["days"], &quiet["least"]), (&json!(["sat"]), &Value::Null));
    assert_eq!((&quiet["from"], &quiet["until"]), (&json!("22:00:00"), &json!("07:30:00")));
    // The form has it as it is, and a change keeps the rest.
    let path = format!("/settings/incident-rules/{}", id(&made));
    let form = admin.get(&path).await.text;
    for part in ["value=\"10m\"", "value=\"30m\"", "value=\"22:00\"", "value=\"0:sat\" checked", "value=\"90s\""] {
        assert!(form.contains(part), "{part}: {form}");
    }
    let wrong = submit(&admin, &path, &[("name", "Night"), ("after", "soon"), ("channels", &chosen)]).await;
    assert!(wrong.status == 422, "{}", wrong.text);
    taken(&submit(&admin, &path, &[("name", "Whole day"), ("channels", &chosen)]).await);
    let changed = read(&admin, &format!("/api/v1/incident-rules/{}", id(&made))).await;
    assert_eq!((&changed["name"], changed["steps"].as_array().unwrap().len()), (&json!("Whole day"), 1));
    assert_eq!((&changed["quiet"], &changed["group_wait_ms"]), (&json!([]), &made["group_wait_ms"]));
    app.stop().await;
}

async fn id_of_admin(admin: &Client) -> String {
    read(admin, "/api/v1/members").await["data"][0]["user_id"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rota_is_changed_and_times_are_those_of_its_zone() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let user = id_of_admin(&admin).await;
    let layer = json!({"people": [user], "starts": "2026-01-05T09:00:00", "turn": "week"});
    let body = json!({"key": "first-line", "name": "First line", "zone": "Asia/Tokyo", "layers": [layer]});
    let rota = id(&admin.post("/api/v1/incident-rotas", &body).await.expect(201));
    let path = format!("/on-call/{rota}");
    let day = (app.clock.now() + TimeDelta::days(3)).format("%Y-%m-%d").to_string();
    let times = [format!("{day}T09:00"), format!("{day}T18:00")];
    let fields = [("starts_at", times[0].as_str()), ("ends_at", times[1].as_str())];
    taken(&submit(&admin, &format!("{path}/overrides"), &fields).await);
    let overrides = read(&admin, &format!("/api/v1/incident-rotas/{rota}/overrides")).await["data"].clone();
    // Nine hours before UTC.
    assert_eq!(overrides[0]["starts_at"], format!("{day}T00:00:00Z"));
    taken(&submit(&admin, &format!("{path}/overrides/{}/delete", id(&overrides[0])), &[]).await);
    let overrides = read(&admin, &format!("/api/v1/incident-rotas/{rota}/overrides")).await;
    assert_eq!(overrides["data"], json!([]));
    let refused = submit(&admin, &format!("{path}/overrides"), &[("starts_at", "soon"), ("ends_at", "")]).await;
    assert_eq!(refused.status, 422);
    let fields = [
        ("name", "Second line"),
        ("zone", "UTC"),
        ("people", user.as_str()),
        ("turn", "day"),
        ("starts", "2026-02-01T08:00"),
    ];
    taken(&submit(&admin, &path, &fields).await);
    let changed = read(&admin, &format!("/api/v1/incident-rotas/{rota}")).await;
    assert_eq!((&changed["name"], &changed["layers"][0]["turn"]), (&json!("Second line"), &json!("day")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn maintenance_is_announced() {
    let app = start(&[]).await;
    let admin = app.admin().await;
    let shop = component(&admin, "shop").await;
    let day = (app.clock.now() + TimeDelta::days(3)).format("%Y-%m-%d").to_string();
    let times = [format!("{day}T22:00"), format!("{day}T23:00")];
    let [starts, ends] = &times;
    let without = [("name", "New disks"), ("starts", starts.as_str()), ("ends", ends.as_str()), ("zone", "Asia/Tokyo")];
    let refused = submit(&admin, "/incident-maintenances", &without).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let fields = [&without[..], &[("component", shop.as_str()), ("publish", "on"), ("counts", "on")]].concat();
    taken(&submit(&admin, "/incident-maintenances", &fields).await);
    let planned = list(&admin, "kind=maintenance").await.remove(0);
    // Nine hours before UTC.
    assert_eq!(planned["scheduled_for"], format!("{day}T13:00:00Z"));
    assert!(planned["published_at"].is_string(), "{planned}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn incidents_are_merged_and_split() {
    let app = start(&[]).await;
    let (admin, owner) = (app.admin().await, organisation(&app).await);
    let chat = channel(&admin, "chat", "http://127.0.0.1:1/").await;
    // Nobody is told of any of it.
    let matches = json!({"tags": ["never"]});
    rule(&admin, "all", json!({"steps": [{"after_seconds": 0, "channels": [chat]}], "matches": matches})).await;
    let [one_host, other] = [(1, "a.example"), (2, "b.example")].map(|(n, host)| watched(&app, owner, n, Some(host)));
    witness(&app, &[one_host.down(&app), other.down(&app)]).await;
    let open = list(&admin, "open=true").await;
    let (newer, older) = (id(&open[0]), id(&open[1]));
    let page = admin.get(&format!("/incidents/{newer}")).await.text;
    assert!(page.contains(&format!("<option value=\"{older}\">")), "{page}");
    taken(&submit(&admin, &format!("/incidents/{newer}/merge"), &[("into", &older)]).await);
    let merged = one(&admin, &older).await;
    assert_eq!(merged["causes"].as_array().unwrap().len(), 2);
    let refused = submit(&admin, &format!("/incidents/{older}/split"), &[("name", "Nothing of it")]).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    let cause = merged["causes"][1]["ref"].as_str().unwrap().to_owned();
    let fields = [("cause", cause.as_str()), ("name", "Basket")];
    taken(&submit(&admin, &format!("/incidents/{older}/split"), &fields).await);
    assert_eq!(list(&admin, "open=true&q=Basket").await.len(), 1);
    app.stop().await;
}
