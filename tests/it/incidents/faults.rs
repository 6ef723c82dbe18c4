//! A fault in this room, while monitors are checked.

use serde_json::json;

use super::{SETTINGS, list, number};
use crate::{
    support::{
        app::TestApp,
        odd_target::{Answer, Http},
        wait::until,
    },
    uptime::watch::{OPEN, becomes, checks, connect, execute, insert, spans, story},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_fault_in_incidents_does_not_lose_checks() {
    let app = TestApp::start_with(&[&SETTINGS[..], &[OPEN]].concat()).await;
    let admin = app.admin().await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut db, monitor, "up").await;
    execute(
        &mut db,
        "CREATE FUNCTION test_fault() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'a fault of the test'; END $$",
    )
    .await;
    execute(
        &mut db,
        "CREATE TRIGGER test_fault BEFORE INSERT ON incident_causes FOR EACH ROW EXECUTE FUNCTION test_fault()",
    )
    .await;
    target.answer(|_| Answer::status(503));
    becomes(&mut db, monitor, "down").await;
    let before = checks(&mut db, monitor).await;
    until("checks are lost", async || checks(&mut db, monitor).await > before).await;
    assert_eq!(story(&spans(&mut db, monitor).await).last().map(String::as_str), Some("down!"));
    let named = async || list(&admin, "installation=true&q=shop").await;
    assert!(named().await.is_empty());

    // Its event does it, as soon as it can.
    execute(&mut db, "DROP TRIGGER test_fault ON incident_causes").await;
    until("the event opens no incident", async || named().await.len() == 1).await;
    let open = named().await;
    assert_eq!((&open[0]["name"], &open[0]["opened_by"]), (&json!("shop is down"), &json!("monitor")));
    target.answer(|_| Answer::ok("well"));
    until("it is not resolved", async || named().await[0]["status"] == "resolved").await;
    assert_eq!(number(&app, "SELECT count(*) FROM incident_causes WHERE name = 'shop' AND closed_at IS NULL").await, 0);
    app.stop().await;
}
