//! The forms in which a page is served: Statuspage's JSON, badges, feeds, calendars, HTML of bounded size.

use std::fmt;

use chrono::{TimeDelta, Utc};
use reqwest::{StatusCode, header};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, json};

use super::seed::{component_id, components, execute, get, page, until_served};
use crate::support::{
    app::{Client, TestApp},
    wait::until,
};

/// JSON with the order of its keys.
#[derive(Debug)]
enum Shape {
    Map(Vec<(String, Shape)>),
    List(Vec<Shape>),
    Leaf,
}

impl Shape {
    fn keys(&self) -> Vec<&str> {
        match self {
            Self::Map(fields) => fields.iter().map(|(key, _)| key.as_str()).collect(),
            Self::List(_) | Self::Leaf => panic!("{self:?} is no object"),
        }
    }

    fn field(&self, name: &str) -> &Self {
        let Self::Map(fields) = self else { panic!("{self:?} is no object") };
        fields.iter().find(|(key, _)| key == name).map_or_else(|| panic!("no {name}: {self:?}"), |(_, value)| value)
    }

    fn first(&self) -> &Self {
        let Self::List(items) = self else { panic!("{self:?} is no list") };
        items.first().unwrap_or_else(|| panic!("an empty list"))
    }
}

struct OfShape;

impl<'de> Visitor<'de> for OfShape {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Shape::Map(fields))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            items.push(item);
        }
        Ok(Shape::List(items))
    }

    fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }

    fn visit_unit<E>(self) -> Result<Shape, E> {
        Ok(Shape::Leaf)
    }
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OfShape)
    }
}

fn shape(json: &str) -> Shape {
    serde_json::from_str(json).unwrap()
}

/// Opens an incident that affects `shop-0`, and shows it at once.
async fn announce(app: &TestApp, admin: &Client, name: &str, body: &str) -> String {
    let affected = json!([{"component": component_id(app, 0).await, "status": "major_outage"}]);
    let draft = json!({"name": name, "body": body, "components": affected, "publish": true, "installation": true});
    let made = admin.post("/api/v1/incidents", &draft).await.expect(201);
    made["code"].as_str().unwrap().to_owned()
}

/// Announces maintenance of `shop-0` for tomorrow.
async fn plan(app: &TestApp, admin: &Client, name: &str) -> Value {
    let from = Utc::now() + TimeDelta::days(1);
    let draft = json!({
        "name": name, "body": "Disks; cables, and more", "components": [component_id(app, 0).await], "publish": true, "installation": true,
        "scheduled_for": from, "scheduled_until": from + TimeDelta::hours(2),
    });
    admin.post("/api/v1/incident-maintenances", &draft).await.expect(201)
}

/// Keys of every object of a summary, as real pages have them.
const SAMPLE: &str = include_str!("../../../src/status_page/tests/samples/summary.json");

#[tokio::test(flavor = "multi_thread")]
async fn statuspage_samples_and_what_is_served_have_the_same_keys_in_the_same_order() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    let groups = json!({
        "groups": [{"name": "Core"}],
        "components": [{"component_id": component_id(&app, 0).await, "group": "Core"}, {"component_id": component_id(&app, 1).await}],
    });
    page(&app, &admin, "shop", 2, groups).await;
    until_served(&app, "/status/shop").await;
    announce(&app, &admin, "Checkout fails", "We look into it.").await;
    plan(&app, &admin, "New disks").await;
    let path = "/status/shop/api/v2/summary.json";
    until("the incident and the maintenance are not served", async || {
        let summary = get(&app, path).await.json();
        summary["incidents"][0]["incident_updates"].is_array() && summary["scheduled_maintenances"][0].is_object()
    })
    .await;
    let (sample, served) = (shape(SAMPLE), shape(&get(&app, path).await.text));
    assert_eq!(served.keys(), sample.keys());
    for list in ["components", "incidents", "scheduled_maintenances"] {
        assert_eq!(served.field(list).first().keys(), sample.field(list).first().keys(), "{list}");
    }
    for part in ["page", "status"] {
        assert_eq!(served.field(part).keys(), sample.field(part).keys(), "{part}");
    }
    let update = |of: &Shape| -> (Vec<String>, Vec<String>) {
        let update = of.field("incidents").first().field("incident_updates").first();
        let owned = |keys: Vec<&str>| keys.into_iter().map(str::to_owned).collect();
        (owned(update.keys()), owned(update.field("affected_components").first().keys()))
    };
    assert_eq!(update(&served), update(&sample));
    // Each other file is its part of the summary.
    for (file, list) in [
        ("components.json", "components"),
        ("incidents/unresolved.json", "incidents"),
        ("scheduled-maintenances/upcoming.json", "scheduled_maintenances"),
    ] {
        let part = shape(&get(&app, &format!("/status/shop/api/v2/{file}")).await.text);
        assert_eq!(part.keys(), ["page", list], "{file}");
        assert_eq!(part.field(list).first().keys(), sample.field(list).first().keys(), "{file}");
    }
    app.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn badges_and_shields() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    page(&app, &admin, "shop", 2, json!({})).await;
    until_served(&app, "/status/shop").await;
    let svg = get(&app, "/status/shop/badge.svg").await;
    assert_eq!(svg.headers[header::CONTENT_TYPE], "image/svg+xml; charset=utf-8");
    assert!(svg.text.contains("<title>Shop &lt;status&gt;: all systems operational</title>"), "{}", svg.text);
    assert!(svg.text.contains(r#"role="img""#) && !svg.text.contains("<script"), "{}", svg.text);
    let shields = json!({
        "schemaVersion": 1, "label": "Shop <status>", "message": "all systems operational", "color": "#1a7f37", "cacheSeconds": 60,
    });
    assert_eq!(get(&app, "/status/shop/badge.json").await.json(), shields);
    announce(&app, &admin, "Checkout fails", "We look into it.").await;
    until("the badge does not change", async || {
        get(&app, "/status/shop/badge.json").await.json()["message"] != "all systems operational"
    })
    .await;
    let svg = get(&app, "/status/shop/badge.svg").await.text;
    assert!(svg.contains("major system outage") && svg.contains("#c01c28"), "{svg}");
    assert_eq!(get(&app, "/status/nobody/badge.svg").await.status, StatusCode::NOT_FOUND);
    app.kill().await;
}

/// What stands between two marks, the first time after `from`.
fn between<'a>(text: &'a str, from: &str, begin: &str, end: &str) -> &'a str {
    let rest = &text[text.find(from).unwrap_or_else(|| panic!("no {from} in {text}"))..];
    let rest = &rest[rest.find(begin).unwrap_or_else(|| panic!("no {begin} in {rest}")) + begin.len()..];
    &rest[..rest.find(end).unwrap_or_else(|| panic!("no {end} in {rest}"))]
}

#[tokio::test(flavor = "multi_thread")]
async fn feeds_and_calendar() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    let code = announce(&app, &admin, "Checkout fails", "We look into it.").await;
    let planned = plan(&app, &admin, "Новые диски, и кабели; и ещё очень многое, чего не вместит одна строка").await;
    let has = async |path: &str, text: &str| get(&app, path).await.text.contains(text);
    until("the incident is in no feed", async || has("/status/shop/history.atom", "Checkout fails").await).await;
    let atom = get(&app, "/status/shop/history.atom").await;
    assert_eq!(atom.headers[header::CONTENT_TYPE], "application/atom+xml; charset=utf-8");
    let mark = format!("/{code}</id>");
    let part = |text: &str, begin| {
        let entry = text.split("<entry>").find(|entry| entry.contains(&mark)).unwrap_or_else(|| panic!("{text}"));
        between(entry, "", begin, "<").to_owned()
    };
    let (id, updated) = (part(&atom.text, "<id>"), part(&atom.text, "<updated>"));
    assert!(id.starts_with("tag:status.holdfast,"), "{id}");
    assert!(atom.text.contains(&format!("/status/shop/incident/{code}")), "{}", atom.text);
    let rss = get(&app, "/status/shop/history.rss").await;
    assert_eq!(rss.headers[header::CONTENT_TYPE], "application/rss+xml; charset=utf-8");
    assert!(rss.text.contains(&format!("<guid isPermaLink=\"false\">{id}</guid>")), "{}", rss.text);

    until("the maintenance is in no calendar", async || has("/status/shop/maintenance.ics", "BEGIN:VEVENT").await)
        .await;
    let calendar = get(&app, "/status/shop/maintenance.ics").await;
    assert_eq!(calendar.headers[header::CONTENT_TYPE], "text/calendar; charset=utf-8");
    assert_eq!(
        calendar.text.matches('\n').count(),
        calendar.text.matches("\r\n").count(),
        "lines end as RFC 5545 says"
    );
    assert!(calendar.text.lines().all(|line| line.len() <= 75), "{}", calendar.text);
    let whole = calendar.text.replace("\r\n ", "");
    assert!(whole.contains("SUMMARY:Новые диски\\, и кабели\\; и ещё очень многое"), "{whole}");
    let uid = between(&whole, "BEGIN:VEVENT", "UID:", "\r\n").to_owned();
    let sequence = |text: &str| between(text, "BEGIN:VEVENT", "SEQUENCE:", "\r\n").parse::<i32>().unwrap();
    let before = sequence(&whole);

    // A change is a change of the same entries.
    let path = format!("/api/v1/incidents/{}", planned["id"].as_str().unwrap());
    admin.patch(&path, &json!({"name": "New disks"})).await.expect(200);
    until("the calendar has the old name", async || has("/status/shop/maintenance.ics", "SUMMARY:New disks").await)
        .await;
    let calendar = get(&app, "/status/shop/maintenance.ics").await.text;
    assert_eq!(between(&calendar, "BEGIN:VEVENT", "UID:", "\r\n"), uid);
    assert!(sequence(&calendar) > before, "{calendar}");
    let list = admin.get("/api/v1/incidents?installation=true").await.expect(200);
    let mut all = list["data"].as_array().unwrap().iter();
    let incident = all.find(|one| one["code"].as_str() == Some(&code)).unwrap()["id"].as_str().unwrap();
    let path = format!("/api/v1/incidents/{incident}/updates");
    admin.post(&path, &json!({"status": "identified", "body": "A disk is full."})).await.expect(201);
    until("the feed lacks the update", async || has("/status/shop/history.atom", "A disk is full.").await).await;
    let atom = get(&app, "/status/shop/history.atom").await.text;
    assert_eq!(part(&atom, "<id>"), id);
    assert!(part(&atom, "<updated>") >= updated, "{atom}");
    app.kill().await;
}

/// The limit of the issue, bytes.
const LARGEST: usize = 50_000;

#[tokio::test(flavor = "multi_thread")]
async fn hundred_components_below_fifty_kilobytes() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 100).await;
    // Twenty bad days of each.
    execute(
        &app,
        "INSERT INTO incident_component_changes (id, component_id, status, at)
         SELECT md5(n || '/' || d || '/' || e)::uuid, md5('shop-' || n)::uuid,
           CASE WHEN e = 1 THEN 'operational' WHEN d % 2 = 0 THEN 'major_outage' ELSE 'degraded_performance' END,
           now() - interval '1 day' * (4 * d + 1) + interval '40 minutes' * e
         FROM generate_series(0, 99) n, generate_series(0, 19) d, generate_series(0, 1) e",
    )
    .await;
    page(&app, &admin, "shop", 100, json!({})).await;
    until_served(&app, "/status/shop").await;
    for path in ["/status/shop/en", "/status/shop/ru", "/status/shop/en/history", "/status/shop/ru/history"] {
        let text = get(&app, path).await.text;
        assert!(text.len() < LARGEST, "{path}: {} bytes", text.len());
    }
    let text = get(&app, "/status/shop/en").await.text;
    assert_eq!(text.matches("<use").count(), 100, "every component has its bar");
    assert!(text.contains("Shop 99") && text.contains("<path class=m"), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn markdown_is_harmless() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    page(&app, &admin, "shop", 1, json!({})).await;
    until_served(&app, "/status/shop").await;
    // A line that begins with such a tag is no Markdown as a whole (CommonMark 4.6): the second one is.
    let body = "<script>alert(1)</script> **plain**\n\nSee <img src=x onerror=alert(2)> [bad](javascript:alert(3)) [good](https://example.com) \
                **bold**\n\n# Large";
    let code = announce(&app, &admin, "<script>name</script>", body).await;
    let incident = format!("/status/shop/en/incident/{code}");
    until("the incident has no page", async || get(&app, &incident).await.status == StatusCode::OK).await;
    for path in [incident.as_str(), "/status/shop/en", "/status/shop/history.atom", "/status/shop/history.rss"] {
        let text = get(&app, path).await.text;
        for code in ["<script", "<img", "href=\"javascript", "<h1>Large"] {
            assert!(!text.contains(code), "{code} in {path}: {text}");
        }
    }
    let text = get(&app, &incident).await.text;
    assert!(text.contains("<strong>bold</strong>") && text.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{text}");
    assert!(text.contains("<a rel=\"nofollow noopener\" href=\"https://example.com\">good</a>"), "{text}");
    let summary = get(&app, "/status/shop/api/v2/summary.json").await.json();
    let plain = summary["incidents"][0]["incident_updates"][0]["body"].as_str().unwrap();
    assert!(plain.contains("good (https://example.com) bold") && !plain.contains("**bold"), "{plain}");
    app.kill().await;
}
