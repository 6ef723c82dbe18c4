//! Who reads a calendar reads what was published, and nothing else.

use chrono::{TimeDelta, Utc};
use serde_json::{Value, json};

use super::seed::{get, until_served};
use crate::support::{app::TestApp, wait::until};

/// Drafts of maintenance and windows of monitors have names that are for those within.
#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_has_neither_drafts_nor_windows() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    until_served(&app, "/status/appliance").await;
    // A component with a monitor: only then has the maintenance a window.
    let of_key = |list: &Value| -> Option<Value> {
        list["data"].as_array().unwrap().iter().find(|one| one["key"] == "appliance-database").cloned()
    };
    let components = admin.get("/api/v1/incident-components?installation=true&limit=100").await.expect(200);
    let component = of_key(&components).unwrap();
    assert_eq!(component["monitors"].as_array().unwrap().len(), 1, "{component}");
    let from = Utc::now() + TimeDelta::days(1);
    for (name, publish) in [("Rotate leaked keys", false), ("New disks", true)] {
        let draft = json!({
            "name": name, "body": "Work", "components": [component["id"]], "publish": publish, "installation": true,
            "scheduled_for": from, "scheduled_until": from + TimeDelta::hours(2),
        });
        admin.post("/api/v1/incident-maintenances", &draft).await.expect(201);
    }
    let window = json!({
        "name": "Inner window", "starts_at": from, "ends_at": from + TimeDelta::hours(1), "every": true,
    });
    admin.post("/api/v1/uptime/windows?installation=true", &window).await.expect(201);
    // A change of the page itself makes everything of it be read anew.
    let pages = admin.get("/api/v1/status-pages?installation=true").await.expect(200);
    let id = pages["data"][0]["id"].as_str().unwrap().to_owned();
    admin.patch(&format!("/api/v1/status-pages/{id}"), &json!({"about": "Read anew"})).await.expect(200);
    until("the page is not rendered anew", async || get(&app, "/status/appliance").await.text.contains("Read anew"))
        .await;
    until("the published maintenance is in no calendar", async || {
        get(&app, "/status/appliance/maintenance.ics").await.text.contains("SUMMARY:New disks")
    })
    .await;
    let calendar = get(&app, "/status/appliance/maintenance.ics").await.text;
    assert_eq!(calendar.matches("BEGIN:VEVENT").count(), 1, "{calendar}");
    for path in ["", "/history", "/history.atom", "/history.rss", "/api/v2/summary.json", "/maintenance.ics"] {
        let text = get(&app, &format!("/status/appliance{path}")).await.text;
        assert!(!text.contains("Rotate leaked keys") && !text.contains("Inner window"), "{path}: {text}");
    }
    app.kill().await;
}
