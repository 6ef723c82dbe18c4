//! What is served: the appliance's own page, answers from memory, their forms.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use holdfast::app::Config;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use super::seed::{components, execute, get, incident, page, until_served, with};
use crate::support::{app::TestApp, vault::Vault, wait::until};

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_appliance_has_a_page() {
    let app = TestApp::start().await;
    until_served(&app, "/status").await;
    until("its parts are not all on the page", async || {
        let components = get(&app, "/api/v2/components.json").await.json();
        let names: Vec<_> = components["components"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["name"].as_str().unwrap().to_owned())
            .collect();
        names.iter().any(|name| name == "Database") && names.len() >= 4
    })
    .await;
    let text = get(&app, "/status/appliance").await.text;
    assert!(text.contains("Database") && text.contains("<h1><bdi>Holdfast</bdi></h1>"), "{text}");
    // Names, statuses and times: no version, no host, no address.
    assert!(!text.contains(env!("CARGO_PKG_VERSION")) && !text.contains("127.0.0.1"), "{text}");
    assert_eq!(get(&app, "/status/appliance/up").await.status, StatusCode::OK);
    assert_eq!(get(&app, "/healthz").await.text, "ok\n");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_says_who_sees_the_appliances_page() {
    let app = TestApp::start_with(&[("HOLDFAST_STATUS_PAGE__APPLIANCE", "private")]).await;
    let admin = app.admin().await;
    until("the page is not made", async || {
        let pages = admin.get("/api/v1/status-pages?installation=true").await.expect(200);
        pages["data"].as_array().unwrap().iter().any(|page| page["slug"] == "appliance")
    })
    .await;
    let pages = admin.get("/api/v1/status-pages?installation=true").await.expect(200);
    let id = pages["data"][0]["id"].as_str().unwrap().to_owned();
    let view = format!("/settings/status-pages/{id}/view");
    until("those who are signed in do not see it", async || {
        let answer = admin.get(&view).await;
        answer.status == StatusCode::OK && answer.text.contains("<h1><bdi>Holdfast</bdi></h1>")
    })
    .await;
    for path in ["/status", "/status/appliance", "/api/v2/summary.json", "/status/appliance/up"] {
        assert_eq!(get(&app, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    // A private page changes by the setting alone.
    admin.patch(&format!("/api/v1/status-pages/{id}"), &json!({"visibility": "public"})).await.problem(409, "builtin");
    app.stop().await;
}

/// As `docs/uptime.md` says it.
#[tokio::test(flavor = "multi_thread")]
async fn addresses_may_end_with_a_slash_and_few_have_no_slug() {
    let app = TestApp::start().await;
    until_served(&app, "/status/appliance").await;
    for path in ["/status/", "/status/appliance/", "/status/appliance/up/", "/api/v2/status.json"] {
        assert_eq!(get(&app, path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/status/nobody/", "/up", "/badge.svg", "/history.atom"] {
        assert_eq!(get(&app, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    app.stop().await;
}

/// On the appliance's page, and on that of the monitor of its backups.
#[tokio::test(flavor = "multi_thread")]
async fn it_is_shown_when_a_restore_was_proven() {
    let vault = Vault::new();
    let settings = vault.settings();
    let settings: Vec<(&str, &str)> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let app = TestApp::start_with(&settings).await;
    let admin = app.admin().await;
    let proven = Utc::now() - TimeDelta::days(2);
    let (at, day) = (proven.to_rfc3339(), proven.format("%Y-%m-%d"));
    let drill = format!(
        "INSERT INTO backup_drills (id, backup_id, destination, status, started_at, finished_at, seconds)
         VALUES (md5('drill')::uuid, md5('backup')::uuid, 'near', 'passed', '{at}', '{at}', 1)"
    );
    execute(&app, &drill).await;
    until_served(&app, "/status/appliance").await;
    let monitors = admin.get("/api/v1/uptime/monitors?installation=true&limit=100").await.expect(200);
    let all = monitors["data"].as_array().unwrap();
    let backups = all.iter().find(|one| one["key"] == "appliance-backups").unwrap()["id"].as_str().unwrap().to_owned();
    let pages = admin.get("/api/v1/status-pages?installation=true").await.expect(200);
    let render = format!("/api/v1/status-pages/{}/render", pages["data"][0]["id"].as_str().unwrap());
    until("the page does not say when a restore was proven", async || {
        // What monitors say is read once a minute, or when the page is asked to be rendered.
        admin.post(&render, &json!({})).await.expect(204);
        get(&app, "/status/appliance/en").await.text.contains(&format!("A restore was proven on {day}"))
    })
    .await;
    let russian = get(&app, "/status/appliance/ru").await.text;
    assert!(russian.contains(&format!("Восстановление из копии проверено {day}")), "{russian}");
    let monitor = admin.get(&format!("/monitors/{backups}")).await.text;
    assert!(monitor.contains(&format!("restore proven on {day}")), "{monitor}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn etag_head_and_languages() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 3).await;
    page(&app, &admin, "shop", 3, json!({"languages": ["ru", "en"]})).await;
    until_served(&app, "/status/shop").await;
    let plain = get(&app, "/status/shop").await;
    assert!(plain.text.contains("lang=ru") && plain.text.contains("Все системы работают"), "the page's first language");
    let english = with(&app, "/status/shop", &[(header::ACCEPT_LANGUAGE, "en-GB")]).await;
    assert!(english.text.contains("All systems operational"), "{}", english.text);
    assert!(get(&app, "/status/shop/en").await.text.contains("All systems operational"));
    assert_eq!(english.headers[header::VARY], "accept-encoding, accept-language");
    assert!(!english.text.contains("<status>") && !english.text.contains("<script"), "{}", english.text);
    let policy = english.headers[header::CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.contains("style-src 'sha256-") && !policy.contains("unsafe"), "{policy}");

    let path = "/status/shop/badge.svg";
    let badge = get(&app, path).await;
    let etag = badge.headers[header::ETAG].to_str().unwrap().to_owned();
    assert_eq!(badge.headers[header::CACHE_CONTROL], "public, max-age=10, stale-if-error=86400");
    assert_eq!(badge.headers[header::ACCESS_CONTROL_ALLOW_ORIGIN], "*");
    for known in [etag.as_str(), "*", &format!("\"x\", {etag}"), etag.trim_start_matches("W/")] {
        let again = with(&app, path, &[(header::IF_NONE_MATCH, known)]).await;
        assert_eq!((again.status, again.text.as_str()), (StatusCode::NOT_MODIFIED, ""), "{known}");
        assert_eq!(again.headers[header::ETAG], etag);
    }
    let client = app.anonymous();
    let head = client.send(client.request(Method::HEAD, path)).await;
    assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""));
    assert_eq!(head.headers[header::ETAG], etag);

    let packed = with(&app, "/status/shop", &[(header::ACCEPT_ENCODING, "br;q=0, gzip")]).await;
    assert_eq!(packed.headers[header::CONTENT_ENCODING], "gzip");
    assert_eq!(packed.headers.get_all(header::VARY).iter().count(), 1, "it is not compressed a second time");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_seen_in_every_form() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 2).await;
    page(&app, &admin, "shop", 2, json!({})).await;
    until_served(&app, "/status/shop").await;
    assert_eq!(get(&app, "/status/shop/api/v2/status.json").await.json()["status"]["indicator"], "none");
    incident(&app, "abcdefabcdef", "Checkout fails", 1).await;
    until("the incident is not shown", async || {
        get(&app, "/status/shop/api/v2/status.json").await.json()["status"]["indicator"] == "critical"
    })
    .await;
    let summary = get(&app, "/status/shop/api/v2/summary.json").await.json();
    assert_eq!(summary["incidents"][0]["incident_updates"][0]["body"], "We look into it.");
    assert_eq!(summary["components"][1]["status"], "major_outage");
    let text = get(&app, "/status/shop/en/incident/abcdefabcdef").await.text;
    assert!(text.contains("<strong>look</strong>"), "{text}");
    assert_eq!(get(&app, "/status/shop/up").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let badge = get(&app, "/status/shop/badge.json").await.json();
    assert_eq!((badge["schemaVersion"].clone(), badge["message"].clone()), (json!(1), json!("major system outage")));
    assert!(get(&app, "/status/shop/history.atom").await.text.contains("Checkout fails"));
    assert!(get(&app, "/status/shop/history.rss").await.text.contains("Checkout fails"));
    let calendar = get(&app, "/status/shop/maintenance.ics").await;
    assert!(calendar.text.starts_with("BEGIN:VCALENDAR\r\n"), "{}", calendar.text);

    // A text of an incident that is over is corrected by another process. It was rendered just now, so it is not the minute that shows it.
    execute(
        &app,
        "UPDATE incidents SET status = 'resolved', resolved_at = now(), updated_at = now() WHERE code = 'abcdefabcdef'",
    )
    .await;
    until("it is not over", async || {
        get(&app, "/status/shop/api/v2/incidents.json").await.json()["incidents"][0]["status"] == "resolved"
    })
    .await;
    let began = Instant::now();
    execute(
        &app,
        "UPDATE incident_updates SET body = 'A _typo_ of ours.', updated_at = now() WHERE code = 'uabcdefabcdef'",
    )
    .await;
    until("the correction is not shown", async || {
        get(&app, "/status/shop/api/v2/incidents.json").await.text.contains("A typo of ours.")
    })
    .await;
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gatus_forms() {
    let app = TestApp::start().await;
    until_served(&app, "/status").await;
    let first = async || -> Option<Value> {
        let all = get(&app, "/api/v1/endpoints/statuses?page=1&pageSize=5").await.json();
        all.as_array().unwrap().iter().find(|one| !one["results"].as_array().unwrap().is_empty()).cloned()
    };
    // Figures of monitors are read once a minute: their first results come with the second reading.
    until("no monitor has a result", async || first().await.is_some()).await;
    let one = first().await.unwrap();
    let key = one["key"].as_str().unwrap();
    let at = |what: &str| format!("/api/v1/endpoints/{key}/{what}");
    let status = get(&app, &at("statuses")).await.json();
    assert_eq!(status["events"][0]["type"], "START");
    assert!(status["results"][0]["duration"].as_i64().unwrap() >= 0 && status["results"][0]["timestamp"].is_string());
    assert!(status["results"][0].get("hostname").is_none());
    let shields = get(&app, &at("health/badge.shields")).await.json();
    assert_eq!(shields["label"], "gatus");
    let badge = get(&app, &at("uptimes/24h/badge.svg")).await;
    assert_eq!(badge.headers[header::CACHE_CONTROL], "no-cache, no-store, must-revalidate");
    assert_eq!(badge.headers[header::EXPIRES], "0");
    assert!(get(&app, &at("uptimes/1h")).await.text.parse::<f64>().unwrap() <= 1.0);
    // The same below the page's address: keys of other owners mean nothing there.
    let below = get(&app, "/status/appliance/api/v1/endpoints/statuses").await.json();
    assert!(below.as_array().unwrap().iter().any(|one| one["key"].as_str() == Some(key)), "{below}");
    let badge = format!("/status/appliance/api/v1/endpoints/{key}/health/badge.svg");
    assert_eq!(get(&app, &badge).await.status, StatusCode::OK);
    assert_eq!(get(&app, &badge.replace("appliance/api", "nobody/api")).await.status, StatusCode::NOT_FOUND);
    for wrong in ["uptimes/2d", "response-times/x/badge.svg", "response-times/1h/chart.svg"] {
        let answer = get(&app, &at(wrong)).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{wrong}");
        assert!(answer.text.starts_with("Durations supported: 30d, 7d, 24h"), "{}", answer.text);
    }
    let missing = get(&app, "/api/v1/endpoints/nobody_nothing/health/badge.svg").await;
    assert_eq!((missing.status, missing.text.as_str()), (StatusCode::NOT_FOUND, "not found"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_on_no_page_has_a_badge_only_if_its_owner_says_so() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let mut ids = Vec::new();
    for (key, badge) in [("night-run", true), ("secret-run", false)] {
        let monitor = json!({"name": key, "key": key, "spec": {"kind": "heartbeat"}, "badge": badge});
        let made = admin.post("/api/v1/uptime/monitors", &monitor).await.expect(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    let badge = |key: &str| format!("/api/v1/endpoints/{key}/health/badge.svg");
    until("its badge is not served", async || get(&app, &badge("night-run")).await.status == StatusCode::OK).await;
    assert!(get(&app, &badge("night-run")).await.text.contains("health"));
    assert_eq!(get(&app, &badge("secret-run")).await.status, StatusCode::NOT_FOUND);
    // Whoever has its key may see it; the list names only what pages show.
    let list = get(&app, "/api/v1/endpoints/statuses").await.text;
    assert!(!list.contains("night-run") && !list.contains("secret-run"), "{list}");
    admin.patch(&format!("/api/v1/uptime/monitors/{}", ids[0]), &json!({"badge": false})).await.expect(200);
    until("its badge is still served", async || get(&app, &badge("night-run")).await.status == StatusCode::NOT_FOUND)
        .await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_the_file_manages_refuses_edits() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    components(&app, 1).await;
    let id = page(&app, &admin, "shop", 1, json!({})).await;
    execute(&app, &format!("UPDATE status_pages SET managed_by = 'file' WHERE id = '{id}'")).await;
    let claim = "INSERT INTO status_page_domains (page_id, domain, proof, error) VALUES ('%', 'status.shop.example', 'holdfast=abc', 'no record')";
    execute(&app, &claim.replace('%', &id)).await;
    let path = format!("/api/v1/status-pages/{id}");
    admin.patch(&path, &json!({"name": "x"})).await.problem(409, "managed");
    // What is to be published is read there, too.
    let settings = admin.get(&format!("/settings/status-pages/{id}")).await.text;
    assert!(settings.contains("_holdfast.status.shop.example") && settings.contains("holdfast=abc"), "{settings}");
    assert!(settings.contains("/domains/status.shop.example/check"), "it can be looked for");
    assert!(!settings.contains("/domains/status.shop.example/delete"), "{settings}");
    admin.delete(&path).await.problem(409, "managed");
    app.stop().await;
}

/// The default of the setting, which the installation's owner may turn.
#[test]
fn the_appliances_page_is_public_by_default() {
    let config = Config::load(holdfast::platform::config::Raw::read(None, std::iter::empty()).unwrap()).unwrap();
    assert_eq!(config.status_page.appliance, holdfast::status_page::Appliance::Public);
}
