//! Notes on the real router, worker and PostgreSQL.

use holdfast::platform::{
    health::{CheckResult, Status as Health, run_all},
    http::Role,
};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};

use crate::{
    alerting::pages::{open, submit},
    support::{
        app::{Client, TestApp},
        wait::until,
    },
};

const PATH: &str = "/api/v1/notes";

/// Returns its id.
async fn make(client: &Client, title: &str) -> String {
    let made = client.post(PATH, &json!({"title": title, "text": "for all"})).await.expect(201);
    made["id"].as_str().unwrap().to_owned()
}

/// Titles of a page of the list, and the cursor of the next one.
async fn titles(client: &Client, query: &str) -> (Vec<String>, Option<String>) {
    let page = client.get(&format!("{PATH}?{query}")).await.expect(200);
    let titles = page["data"].as_array().unwrap().iter().map(|note| note["title"].as_str().unwrap().to_owned());
    (titles.collect(), page["next_cursor"].as_str().map(str::to_owned))
}

fn changes(app: &TestApp, change: &str) -> f64 {
    let series = format!("holdfast_notes_changes_total{{change=\"{change}\"}} ");
    let text = app.app.telemetry.encode();
    let value = text.lines().find_map(|line| line.strip_prefix(series.as_str()));
    value.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

async fn check(app: &TestApp) -> CheckResult {
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == "notes.retention").collect();
    run_all(&checks).await.remove(0).result
}

/// Returns how many rows it changed.
async fn execute(app: &TestApp, sql: &'static str) -> u64 {
    let mut db = PgConnection::connect_with(&app.target().admin).await.unwrap();
    let done = sqlx::raw_sql(sql).execute(&mut db).await.unwrap();
    db.close().await.unwrap();
    done.rows_affected()
}

#[tokio::test(flavor = "multi_thread")]
async fn notes_are_made_listed_by_pages_found_and_deleted() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert_eq!(changes(&app, "created"), 0.0);
    let first = make(&admin, "First").await;
    for title in ["Second", "  Third\n"] {
        make(&admin, title).await;
    }
    let (newest, cursor) = titles(&admin, "limit=2").await;
    assert_eq!(newest, ["Third", "Second"]);
    let oldest = titles(&admin, &format!("limit=2&cursor={}", cursor.unwrap())).await;
    assert_eq!(oldest, (vec!["First".to_owned()], None));
    assert_eq!(titles(&admin, "q=SECO").await.0, ["Second"]);
    assert_eq!(titles(&admin, "q=for+all").await.0, Vec::<String>::new(), "the text is not searched");

    let refused = admin.post(PATH, &json!({"title": " \n", "text": "x".repeat(20_001)})).await.expect(422);
    let wrong: Vec<_> = refused["errors"].as_array().unwrap().iter().map(|e| (&e["pointer"], &e["code"])).collect();
    assert_eq!(wrong, [(&json!("/title"), &json!("required")), (&json!("/text"), &json!("too_long"))]);

    admin.delete(&format!("{PATH}/{first}")).await.expect(204);
    admin.delete(&format!("{PATH}/{first}")).await.problem(404, "note_not_found");
    assert_eq!(titles(&admin, "").await.0, ["Third", "Second"]);
    assert_eq!((changes(&app, "created"), changes(&app, "deleted"), changes(&app, "expired")), (3.0, 1.0, 0.0));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organisation_sees_none_and_a_viewer_only_reads() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    let id = make(&admin, "Ours").await;
    let stranger = app.other_org("strangers").await;
    assert_eq!(titles(&stranger, "").await, (vec![], None));
    assert_eq!(titles(&stranger, "q=Ours").await, (vec![], None));
    stranger.delete(&format!("{PATH}/{id}")).await.problem(404, "note_not_found");

    let viewer = app.person("default", Role::Viewer).await;
    assert_eq!(titles(&viewer, "").await.0, ["Ours"]);
    viewer.post(PATH, &json!({"title": "Mine"})).await.problem(403, "forbidden");
    viewer.delete(&format!("{PATH}/{id}")).await.problem(403, "forbidden");
    let key = admin.post("/api/v1/api-keys", &json!({"name": "k", "scopes": ["notes_read"]})).await.expect(201);
    let program = admin.with_key(key["secret"].as_str().unwrap());
    assert_eq!(titles(&program, "").await.0, ["Ours"]);
    program.post(PATH, &json!({"title": "Its"})).await.problem(403, "forbidden");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_shows_makes_and_deletes_them() {
    let app = TestApp::start().await;
    let admin = app.admin().await;
    assert!(open(&admin, "/notes", "en").await.text.contains("No notes yet"));
    let made = submit(&admin, "/notes", &[("title", "<b>Keys</b>"), ("text", "in the drawer")]).await;
    assert_eq!(made.status, 303, "{}", made.text);
    let shown = open(&admin, "/notes", "en").await;
    assert!(shown.status == 200 && shown.text.contains("in the drawer") && !shown.text.contains("<b>Keys"));
    assert!(open(&admin, "/notes?q=keys", "en").await.text.contains("in the drawer"));
    assert!(open(&admin, "/notes?q=lamp", "en").await.text.contains("Nothing found"));
    let russian = open(&admin, "/notes", "ru").await.text;
    assert!(russian.contains("Новая заметка") && !russian.contains("notes-"), "{russian}");

    let refused = submit(&admin, "/notes", &[("title", ""), ("text", "kept")]).await;
    assert!(refused.status == 422 && refused.text.contains("give the note a title"), "{}", refused.text);
    assert!(refused.text.contains("kept"), "what was entered is lost");
    let viewer = open(&app.person("default", Role::Viewer).await, "/notes", "en").await.text;
    assert!(viewer.contains("in the drawer") && !viewer.contains("/delete\"") && !viewer.contains("New note"));

    let list = admin.get(PATH).await.expect(200);
    let path = format!("/notes/{}/delete", list["data"][0]["id"].as_str().unwrap());
    assert_eq!(submit(&admin, &path, &[]).await.status, 303);
    assert_eq!(admin.get(PATH).await.expect(200)["data"], Value::Array(vec![]));
    app.stop().await;
}

/// The schedule fires, the worker deletes what is past retention, the metric counts it, and doctor says when that does not happen.
#[tokio::test(flavor = "multi_thread")]
async fn retention_deletes_old_notes() {
    let app = TestApp::start().await;
    let (admin, stranger) = (app.admin().await, app.other_org("strangers").await);
    make(&admin, "Old").await;
    make(&stranger, "Old, too").await;
    make(&admin, "New").await;
    assert_eq!(check(&app).await.status, Health::Pass);
    let aged = "UPDATE notes SET created_at = created_at - interval '500 days' WHERE title LIKE 'Old%'";
    assert_eq!(execute(&app, aged).await, 2);
    let late = check(&app).await;
    assert!(late.status == Health::Warn && late.summary.starts_with("2 notes"), "{late:?}");

    // The worker makes the schedule's row when it starts.
    let due = "UPDATE job_schedules SET next_at = now() WHERE name = 'notes.retention'";
    until("there is no schedule", async || execute(&app, due).await == 1).await;
    until("old notes are kept", async || changes(&app, "expired") == 2.0).await;
    assert_eq!(titles(&admin, "").await.0, ["New"]);
    assert_eq!(titles(&stranger, "").await.0, Vec::<String>::new());
    assert_eq!(check(&app).await.status, Health::Pass);
    app.stop().await;
}
