//! Files of other monitor programs on a running appliance.

use std::fs;

use serde_json::{Value, json};

use super::manage::{MONITORS, id};
use crate::support::app::TestApp;

const IMPORTS: &str = "/api/v1/uptime/imports";

fn fixture(name: &str) -> String {
    fs::read_to_string(format!("{}/src/uptime/import/fixtures/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// By key, of all pages.
async fn monitors(app: &TestApp) -> Vec<Value> {
    app.admin().await.get(&format!("{MONITORS}?limit=200")).await.expect(200)["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_kuma() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({"source": "uptime_kuma", "file_name": "backup.json", "content": fixture("kuma.json")});
    let read = admin.post(IMPORTS, &body).await;
    assert!(!read.text.contains("hunter2"), "{}", read.text);
    let read = read.expect(201);
    assert_eq!(read["report"]["monitors"].as_array().unwrap().len(), 15);
    assert!(monitors(&app).await.is_empty(), "nothing is made yet");
    let apply = format!("{IMPORTS}/{}/apply", id(&read));
    let applied = admin.post(&apply, &json!({"leave": ["nightly-job"], "offered": ["broker"]})).await.expect(200);
    assert_eq!(applied["report"]["failed"], json!([]), "{applied}");
    let made = monitors(&app).await;
    let of = |key: &str| made.iter().find(|one| one["key"] == key);
    assert!(of("nightly-job").is_none() && of("broker").is_some() && of("cache").is_none());
    assert_eq!(of("ssh").unwrap()["parent_id"], of("router").unwrap()["id"]);
    let detail = admin.get(&format!("{MONITORS}/{}", id(of("first-page").unwrap()))).await.expect(200);
    assert_eq!(detail["secrets"], json!(["password", "x_api_key"]));
    admin.post(&apply, &json!({})).await.problem(409, "import_closed");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn imports_of_gatus() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let body = json!({"source": "gatus", "content": fixture("gatus.yaml")});
    let read = admin.post(IMPORTS, &body).await.expect(201);
    let apply = format!("{IMPORTS}/{}/apply", id(&read));
    let applied = admin.post(&apply, &json!({"secrets": {}})).await.expect(200);
    let failed: Vec<&str> =
        applied["report"]["failed"].as_array().unwrap().iter().filter_map(|one| one["field"].as_str()).collect();
    // Its token is not in the file, so it cannot be made; what hangs on it cannot either.
    assert_eq!(failed, ["core_front-page", "Maintenance of core_front-page"], "{applied}");
    let made = monitors(&app).await;
    let api = made.iter().find(|one| one["key"] == "core_api").unwrap();
    let detail = admin.get(&format!("{MONITORS}/{}", id(api))).await.expect(200);
    assert!(detail["paused_at"].is_string(), "a condition was dropped");
    let windows = admin.get("/api/v1/uptime/windows").await.expect(200);
    assert_eq!(windows["data"].as_array().unwrap().len(), 1, "the window of all that was imported");

    let again = admin.post(IMPORTS, &body).await.expect(201);
    let apply = format!("{IMPORTS}/{}/apply", id(&again));
    let secrets = json!({"secrets": {"core_front-page": {"api_token": "hunter2"}}});
    let applied = admin.post(&apply, &secrets).await.expect(200);
    assert_eq!(applied["report"]["made"], json!(["core_front-page"]), "the others are there already");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_files_are_refused() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let refused = admin.post(IMPORTS, &json!({"source": "gatus", "content": "just: text"})).await.expect(422);
    assert_eq!(refused["errors"][0]["pointer"], "/content");
    app.stop().await;
}

/// A condition that is left out would make a monitor up that is down in Gatus.
#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_condition_pauses() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let conditions = [
        ("taken-status", "[STATUS] == 200", false),
        ("taken-keyword", "[BODY] == pat(*welcome*)", false),
        ("taken-json", "[BODY].status == ok", false),
        ("taken-days", "[CERTIFICATE_EXPIRATION] > 48h", false),
        ("address", "[IP] == 192.0.2.1", true),
        ("slower", "[RESPONSE_TIME] > 300", true),
        ("stars", "[BODY] == pat(*a*b*)", true),
        ("unknown", "[MOON_PHASE] == full", true),
        ("nonsense", "status is good", true),
    ];
    let endpoints: Vec<String> = conditions
        .iter()
        .map(|(name, condition, _)| {
            // The first condition of each is taken in any case.
            format!("  - name: {name}\n    url: https://example.org/\n    conditions: [\"[CONNECTED] == true\", {condition:?}]")
        })
        .collect();
    let content = format!("endpoints:\n{}\n", endpoints.join("\n"));
    let read = admin.post(IMPORTS, &json!({"source": "gatus", "content": content})).await.expect(201);
    let rows = read["report"]["monitors"].as_array().unwrap().clone();
    admin.post(&format!("{IMPORTS}/{}/apply", id(&read)), &json!({})).await.expect(200);
    let made = monitors(&app).await;
    assert_eq!((rows.len(), made.len()), (conditions.len(), conditions.len()), "{read}");
    for (name, condition, is_dropped) in conditions {
        let row = rows.iter().find(|row| row["name"] == name).unwrap();
        assert_eq!(row["fate"], if is_dropped { "paused" } else { "taken" }, "{row}");
        let one = made.iter().find(|one| one["key"].as_str().is_some_and(|key| key.ends_with(name))).unwrap();
        let detail = admin.get(&format!("{MONITORS}/{}", id(one))).await.expect(200);
        assert_eq!(detail["paused_at"].is_string(), is_dropped, "{condition}: {detail}");
        if is_dropped {
            assert!(row["reason"].as_str().unwrap().contains(condition), "{row}");
            let left = row["left"].as_array().unwrap();
            assert!(left.iter().any(|left| left["field"] == "conditions" && left["value"] == condition), "{row}");
        }
    }
    app.stop().await;
}
