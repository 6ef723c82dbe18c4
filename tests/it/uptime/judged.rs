//! When a monitor is down, when it is up again, and who is told: on a running appliance.

use serde_json::json;

use super::watch::{OPEN, becomes, checks, connect, insert, number, spans, story};
use crate::support::{
    app::TestApp,
    odd_target::{Answer, Http},
    wait::until,
};

#[tokio::test(flavor = "multi_thread")]
async fn retries_and_successes_are_counted() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let settings = "retries = 2, successes = 2";
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), settings).await;
    becomes(&mut db, monitor, "up").await;
    // Two failures of three are none.
    let failures = std::sync::atomic::AtomicU32::new(0);
    target.answer(move |_| match failures.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        0 | 1 => Answer::status(503),
        _ => Answer::ok("well"),
    });
    let unconfirmed = format!("SELECT count(*) FROM uptime_checks WHERE outcome = 3 AND monitor = {}", monitor.number);
    until("it does not fail twice", async || number(&mut db, &unconfirmed).await == 2).await;
    let before = checks(&mut db, monitor).await;
    until("it is not checked a third time", async || checks(&mut db, monitor).await > before).await;
    assert_eq!(story(&spans(&mut db, monitor).await), ["up"]);

    // Three of three are an outage.
    target.answer(|_| Answer::status(503));
    becomes(&mut db, monitor, "down").await;
    assert_eq!(number(&mut db, &unconfirmed).await, 4, "two more attempts, and the third confirms them");
    // One success is not enough: the next failure begins anew.
    let turns = std::sync::atomic::AtomicU32::new(0);
    target.answer(move |_| match turns.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
        1 => Answer::status(503),
        _ => Answer::ok("well"),
    });
    becomes(&mut db, monitor, "up").await;
    let all = spans(&mut db, monitor).await;
    assert_eq!(story(&all), ["up", "down!", "up!"]);
    let since = |place: usize| all[place].starts_at.to_rfc3339();
    let between = format!(
        "SELECT count(*) FROM uptime_checks WHERE monitor = {} AND at >= '{}' AND at < '{}' AND outcome",
        monitor.number,
        since(1),
        since(2)
    );
    assert_eq!(number(&mut db, &format!("{between} = 0")).await, 1, "a success that was followed by a failure");
    let first = format!("SELECT outcome::bigint FROM uptime_checks WHERE at = '{}'", since(2));
    assert_eq!(number(&mut db, &first).await, 0, "it is up from the first of the two successes on");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recovery_without_a_told_outage_is_not_told() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let parent = insert(&mut db, "edge", &json!({"kind": "http", "url": target.url("/edge")}), "retries = 0").await;
    let of_parent = format!("retries = 0, parent_id = '{}'", parent.id);
    let child = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/shop")}), &of_parent).await;
    for monitor in [parent, child] {
        becomes(&mut db, monitor, "up").await;
    }
    target.answer(|_| Answer::status(500));
    for monitor in [parent, child] {
        becomes(&mut db, monitor, "down").await;
    }
    // The child is well again, and its parent is not.
    target.answer(|asked| if asked.path == "/shop" { Answer::ok("well") } else { Answer::status(500) });
    becomes(&mut db, child, "up").await;
    assert_eq!(story(&spans(&mut db, child).await), ["up", "down(parent)", "up"]);
    target.answer(|_| Answer::ok("well"));
    becomes(&mut db, parent, "up").await;
    assert_eq!(story(&spans(&mut db, parent).await), ["up", "down!", "up!"]);
    for (topic, key, told) in [
        ("uptime.monitor.down", "shop", "false"),
        ("uptime.monitor.up", "shop", "false"),
        ("uptime.monitor.down", "edge", "true"),
        ("uptime.monitor.up", "edge", "true"),
    ] {
        let sql = format!(
            "SELECT count(*) FROM events WHERE topic = '{topic}' AND payload->>'key' = '{key}' AND payload->>'told' = '{told}'"
        );
        assert_eq!(number(&mut db, &sql).await, 1, "{topic} of {key}");
    }
    app.stop().await;
}
