//! Real processes: what a request costs, what another process shows, and the commands.

use std::{collections::HashMap, fs, time::Duration};

use chrono::{TimeDelta, Utc};
use holdfast::platform::crypto;
use reqwest::{Method, StatusCode, header};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    app::{Answer, Client},
    cluster::{cluster, is_bare},
    process::Site,
    s3::S3,
    wait::until,
};

/// As an English visitor.
async fn ask(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::GET, path).header(header::ACCEPT_LANGUAGE, "en")).await
}

async fn until_shown(site: &Site, path: &str, text: &str) {
    let client = site.anonymous();
    until(&format!("{path} does not show {text}"), async || ask(&client, path).await.text.contains(text)).await;
}

/// How often the server has run each of its statements.
async fn calls(site: &Site) -> HashMap<String, i64> {
    let sql = "SELECT coalesce(json_object_agg(id, calls), '{}') FROM (
        SELECT format('%s/%s/%s', userid, dbid, queryid) AS id, sum(calls) AS calls FROM pg_stat_statements GROUP BY 1) s";
    let output = site.run(&["psql", "--write", "--yes", "--database", "postgres", "-c", sql, "--", "-At"]).await;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_query_for_a_request() {
    if is_bare().await {
        return;
    }
    let mut site = Site::new();
    site.set("HOLDFAST_STATUS_PAGE__REQUESTS_PER_MINUTE", "1000000");
    let running = site.start().await;
    until_shown(&site, "/status/appliance", "Database").await;
    let (client, before) = (site.anonymous(), calls(&site).await);
    for _ in 0..500 {
        for path in
            ["/status/appliance", "/api/v2/summary.json", "/status/appliance/badge.svg", "/api/v1/endpoints/statuses"]
        {
            assert_eq!(ask(&client, path).await.status, StatusCode::OK, "{path}");
        }
    }
    // What runs by itself does so some times a second. A statement for each request of one path alone would be 500 more.
    let after = calls(&site).await;
    let more = after.into_iter().map(|(id, calls)| (calls - before.get(&id).copied().unwrap_or_default(), id));
    let most = more.max().unwrap();
    assert!(most.0 < 400, "{most:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_visible_within_two_seconds() {
    let (s3, dir) = (S3::start(), tempfile::tempdir().unwrap());
    let name = cluster().await.empty_database().await;
    let url = cluster().await.url(&name);
    let key = dir.path().join("key");
    fs::write(&key, crypto::hex(&crypto::random_bytes::<32>())).unwrap();
    let host = || {
        let mut site = Site::with(s3.settings());
        site.set("HOLDFAST_DATABASE__URL", &url);
        site.set("HOLDFAST_DATABASE__ROLE_PREFIX", "hfpages");
        site.set("HOLDFAST_SECRET_KEY_FILE", &key.display().to_string());
        site
    };
    let (api, worker) = (host(), host());
    let serving = api.start_role("api").await;
    // Without a worker nobody renders: there is no page, and that is said.
    let client = api.anonymous();
    assert_eq!(ask(&client, "/status").await.status, StatusCode::NOT_FOUND);
    let working = worker.start_role("worker").await;
    until_shown(&api, "/status", "Database").await;
    let admin = api.admin().await;
    let all = admin.get("/api/v1/incident-components?installation=true").await.expect(200);
    let component = all["data"].as_array().unwrap().iter().find(|one| one["key"] == "appliance-database").unwrap();
    let affected = json!([{"component": component["id"], "status": "partial_outage"}]);
    let draft = json!({"name": "Disks are slow", "body": "We look.", "components": affected, "publish": true, "installation": true});
    let began = Instant::now();
    admin.post("/api/v1/incidents", &draft).await.expect(201);
    until_shown(&api, "/status", "Disks are slow").await;
    let took = began.elapsed();
    // A look of the renderer and one of the reader are two seconds at most. The rest is for machines that are busy with other tests.
    assert!(took < Duration::from_secs(5), "{took:?}");

    // The worker is killed: after a minute and a half the page says that it is old. It is served all the time.
    working.kill();
    assert_eq!(ask(&client, "/status").await.status, StatusCode::OK);
    let (status, output) = serving.stop().await;
    assert!(status.success(), "{output}");
    cluster().await.drop_database(&name).await;
}

/// What a command prints when it succeeds.
async fn says(site: &Site, args: &[&str]) -> String {
    let output = site.run(&[&["status-page"], args].concat()).await;
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// What a command that fails says.
async fn refuses(site: &Site, args: &[&str]) -> String {
    let output = site.run(&[&["status-page"], args].concat()).await;
    assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_looked_after_at_the_terminal() {
    let site = Site::new();
    let running = site.start().await;
    until_shown(&site, "/status", "Database").await;
    let listed = says(&site, &["list"]).await;
    assert!(listed.contains("public") && listed.contains("appliance") && listed.contains("Holdfast"), "{listed}");
    let state: Value = serde_json::from_str(&says(&site, &["show", "appliance", "--json"]).await).unwrap();
    assert!(state["url"].as_str().unwrap().ends_with("/status/appliance") && state["as_of"].is_string(), "{state}");
    assert!(state["components"].as_array().unwrap().iter().any(|one| one["key"] == "appliance-database"), "{state}");
    assert!(says(&site, &["show", "appliance"]).await.contains("appliance-database"));

    let affected = "appliance-database=partial_outage";
    says(&site, &["announce", "Disks are slow", "--component", affected, "--text", "We *look* into it."]).await;
    until_shown(&site, "/status", "Disks are slow").await;
    let hidden =
        says(&site, &["announce", "Not yet", "--component", affected, "--text", "Later.", "--draft", "--json"]).await;
    let hidden: Value = serde_json::from_str(&hidden).unwrap();
    assert_eq!((hidden["published_at"].clone(), hidden["opened_by"].clone()), (Value::Null, json!("cli")), "{hidden}");
    let (from, until) = (Utc::now() + TimeDelta::days(1), Utc::now() + TimeDelta::days(2));
    let (from, until) = (from.to_rfc3339(), until.to_rfc3339());
    let planned = ["maintenance", "New disks", "--component", "appliance-database", "--from", &from, "--until", &until];
    says(&site, &planned).await;
    until_shown(&site, "/api/v2/scheduled-maintenances/upcoming.json", "New disks").await;
    assert!(!ask(&site.anonymous(), "/status").await.text.contains("Not yet"));

    let unknown = refuses(&site, &["announce", "x", "--component", "nothing=major_outage", "--text", "x"]).await;
    assert!(unknown.contains("nothing: there is no such component"), "{unknown}");
    let private = refuses(&site, &["publish", "appliance", "--private"]).await;
    assert!(private.contains("status_page.appliance"), "{private}");
    assert!(refuses(&site, &["show", "nobody"]).await.contains("no such status_page"));
    assert!(refuses(&site, &["list", "--org", "nobody"]).await.contains("no such organisation"));

    let client = site.anonymous();
    let request = client.request(Method::POST, "/status/appliance/subscribe");
    let form = [("address", "ann@example.com"), ("language", "en")];
    let request = request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
    let asked = client.send(request.body(serde_html_form::to_string(form).unwrap())).await;
    assert_eq!(asked.status, StatusCode::OK, "{}", asked.text);
    assert_eq!(says(&site, &["subscribers", "count", "appliance"]).await, "0 confirmed, 1 not yet\n");
    let table = says(&site, &["subscribers", "export", "appliance"]).await;
    assert_eq!(table, "address,language,components,confirmed_at\n", "who has not confirmed is nobody's to write to");
    running.stop().await;
}
