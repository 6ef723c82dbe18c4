//! The prober ends, freezes, and loses its database: real processes.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use rustix::process::{Signal, kill_process};
use serde_json::json;
use tokio::time::sleep;

use super::watch::{Away, becomes, checks, execute, insert, number, spans, story};
use crate::support::{
    odd_target::{Answer, Http},
    process::Running,
    s3::S3,
    wait::until,
};

async fn says(running: &Running, text: &str) {
    until(&format!("it does not say {text:?}"), async || running.output().contains(text)).await;
}

/// Longer than interval, timeout and patience of the monitors of these tests, and than the prober's lease.
const GAP: Duration = Duration::from_secs(25);

#[tokio::test(flavor = "multi_thread")]
async fn killed_and_resumed_no_false_down_and_the_gap_is_marked() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    let running = site.start().await;
    let monitor = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), "").await;
    becomes(&mut away.db, monitor, "up").await;
    until("it is not checked twice", async || checks(&mut away.db, monitor).await >= 2).await;
    running.kill();
    let at_end = checks(&mut away.db, monitor).await;
    sleep(GAP).await;
    // A first failure after a gap is an ordinary suspect: a retry follows.
    let running = site.start().await;
    says(&running, "this process checks monitors").await;
    until("it is not checked again", async || checks(&mut away.db, monitor).await > at_end + 1).await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up", "unknown(prober_stopped)", "up"]);
    let asked = i64::try_from(target.asked().len()).unwrap();
    let stored = checks(&mut away.db, monitor).await;
    // Of the last second before the kill, what was not written yet.
    assert!((0..=2).contains(&(asked - stored)), "{asked} asked, {stored} stored");
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_short_restart_leaves_no_gap_and_tells_nothing_again() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    target.answer(|_| Answer::status(500));
    let running = site.start().await;
    let down = insert(&mut away.db, "down", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut away.db, down, "down").await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    let before = checks(&mut away.db, down).await;
    let running = site.start().await;
    until("it is not checked again", async || checks(&mut away.db, down).await > before).await;
    assert_eq!(story(&spans(&mut away.db, down).await), ["down!"]);
    target.answer(|_| Answer::ok("well"));
    becomes(&mut away.db, down, "up").await;
    assert_eq!(
        story(&spans(&mut away.db, down).await),
        ["down!", "up!"],
        "the outage that was told is told to be over"
    );
    assert_eq!(number(&mut away.db, "SELECT count(*) FROM events WHERE topic = 'uptime.monitor.down'").await, 1);
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn beats_received_while_the_prober_was_away_count() {
    let mut away = Away::new().await;
    let site = away.site();
    let running = site.start().await;
    let spec = json!({"kind": "heartbeat", "grace_seconds": 5});
    let monitor = insert(&mut away.db, "backup", &spec, "interval_seconds = 15").await;
    let beat =
        format!("INSERT INTO uptime_beats (monitor_id, received_at, beat) VALUES ('{}', now(), 'ok')", monitor.id);
    execute(&mut away.db, &beat).await;
    becomes(&mut away.db, monitor, "up").await;
    running.kill();
    // Its sender goes on, to another process.
    for _ in 0..3 {
        sleep(Duration::from_secs(8)).await;
        execute(&mut away.db, &beat).await;
    }
    let running = site.start().await;
    until("the beats are not counted", async || checks(&mut away.db, monitor).await >= 3).await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up"]);
    becomes(&mut away.db, monitor, "down").await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up", "down!"], "nobody sends any more");
    execute(&mut away.db, &beat).await;
    becomes(&mut away.db, monitor, "up").await;
    execute(&mut away.db, &beat.replace("'ok'", "'fail'")).await;
    becomes(&mut away.db, monitor, "down").await;
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn suspect_two_of_three_survives_a_restart() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    target.answer(|_| Answer::status(500));
    let running = site.start().await;
    // An interval that is longer than the restart, and attempts between which there is time for the kill.
    let settings = "interval_seconds = 600, retries = 2, retry_ms = 15000";
    let monitor = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), settings).await;
    let unconfirmed = format!("SELECT count(*) FROM uptime_checks WHERE outcome = 3 AND monitor = {}", monitor.number);
    until("it does not fail twice", async || number(&mut away.db, &unconfirmed).await == 2).await;
    running.kill();
    let asked = target.asked().len();
    assert_eq!((asked, story(&spans(&mut away.db, monitor).await).len()), (2, 0), "the third attempt was to come");
    let running = site.start().await;
    becomes(&mut away.db, monitor, "down").await;
    let all = spans(&mut away.db, monitor).await;
    assert_eq!(story(&all), ["down!"]);
    assert_eq!(target.asked().len(), 3, "two attempts were known");
    let first =
        format!("SELECT count(*) FROM uptime_checks WHERE attempt = 1 AND at = '{}'", all[0].starts_at.to_rfc3339());
    assert_eq!(number(&mut away.db, &first).await, 1, "an outage begins with its first failed attempt");
    running.stop().await;
    away.end().await;
}

/// An interval of a day, and a week of grace.
#[tokio::test(flavor = "multi_thread")]
async fn a_heartbeat_of_more_than_a_day_can_be_missed() {
    let mut away = Away::new().await;
    let site = away.site();
    let spec = json!({"kind": "heartbeat", "grace_seconds": 604_800});
    let monitor = insert(&mut away.db, "backup", &spec, "interval_seconds = 86400, retries = 0").await;
    // Its last report was eight days ago, less the time that the start may take: it is late while the prober looks.
    let beat = format!(
        "INSERT INTO uptime_beats (monitor_id, received_at, beat) VALUES ('{}', now() - interval '192 hours' + interval '40 seconds', 'ok')",
        monitor.id
    );
    execute(&mut away.db, &beat).await;
    let running = site.start().await;
    becomes(&mut away.db, monitor, "down").await;
    let all = spans(&mut away.db, monitor).await;
    assert_eq!(story(&all), ["up", "down!"]);
    let due = format!(
        "SELECT count(*) FROM uptime_beats WHERE received_at + interval '192 hours' = '{}'",
        all[1].starts_at.to_rfc3339()
    );
    assert_eq!(number(&mut away.db, &due).await, 1, "it is down from its deadline on: {all:?}");
    let fresh =
        format!("INSERT INTO uptime_beats (monitor_id, received_at, beat) VALUES ('{}', now(), 'ok')", monitor.id);
    execute(&mut away.db, &fresh).await;
    becomes(&mut away.db, monitor, "up").await;
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_prober_does_not_write_over_its_successor() {
    let mut away = Away::new().await;
    // Several hosts need objects that all of them see.
    let s3 = S3::start();
    let host = || {
        let mut site = away.site();
        s3.settings().into_iter().for_each(|(name, value)| site.set(name, &value));
        site
    };
    let (one, two, target) = (host(), host(), Http::start().await);
    let first = one.start().await;
    let monitor = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut away.db, monitor, "up").await;
    let second = two.start().await;
    kill_process(first.pid(), Signal::STOP).unwrap();
    says(&second, "this process checks monitors").await;
    target.answer(|_| Answer::status(500));
    becomes(&mut away.db, monitor, "down").await;
    let of_shop = format!("SELECT term FROM uptime_state WHERE monitor_id = '{}'", monitor.id);
    let term = number(&mut away.db, &of_shop).await;
    let before = spans(&mut away.db, monitor).await;
    target.answer(|_| Answer::hang());
    kill_process(first.pid(), Signal::CONT).unwrap();
    says(&first, "does not check monitors any more").await;
    assert_eq!(spans(&mut away.db, monitor).await, before);
    assert_eq!(number(&mut away.db, &of_shop).await, term);
    target.answer(|_| Answer::ok("well"));
    becomes(&mut away.db, monitor, "up").await;
    assert_eq!(number(&mut away.db, "SELECT count(*) FROM events WHERE topic = 'uptime.monitor.down'").await, 1);
    second.stop().await;
    first.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_is_away_and_checks_are_written_afterwards() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    let running = site.start().await;
    let monitor = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut away.db, monitor, "up").await;
    away.relay.set_away(true);
    let at_break = target.asked().len();
    // Beyond the lease: from then on it is in doubt whose the duty is.
    until("it is not checked while the database is away", async || target.asked().len() >= at_break + 3).await;
    let failures = Arc::new(AtomicI64::new(0));
    let count = failures.clone();
    target.answer(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Answer::status(500)
    });
    let at_failure = target.asked().len();
    until("the outage is not seen", async || target.asked().len() >= at_failure + 2).await;
    target.answer(|_| Answer::ok("well"));
    let at_recovery = target.asked().len();
    until("the recovery is not seen", async || target.asked().len() >= at_recovery + 2).await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up"], "nothing could be written");
    away.relay.set_away(false);
    until("what was seen is not written", async || spans(&mut away.db, monitor).await.len() == 3).await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up", "down!", "up!"]);
    until("checks are missing", async || {
        checks(&mut away.db, monitor).await == i64::try_from(target.asked().len()).unwrap()
    })
    .await;
    // Of this monitor: those of the appliance itself have seen that the database was away.
    let failed = format!("SELECT count(*) FROM uptime_checks WHERE outcome = 1 AND monitor = {}", monitor.number);
    assert_eq!(number(&mut away.db, &failed).await, failures.load(Ordering::SeqCst));
    says(&running, "checks cannot be written").await;
    says(&running, "checks are written again").await;
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_batch_changes_nothing() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    let running = site.start().await;
    let monitor = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut away.db, monitor, "up").await;
    away.relay.cut_commits(1);
    target.answer(|_| Answer::status(500));
    until("no commit was cut", async || away.relay.cuts_left() == 0).await;
    target.answer(|_| Answer::ok("well"));
    until("it does not come back", async || spans(&mut away.db, monitor).await.len() >= 3).await;
    assert_eq!(story(&spans(&mut away.db, monitor).await), ["up", "down!", "up!"]);
    for topic in ["uptime.monitor.down", "uptime.monitor.up"] {
        let sql = format!("SELECT count(*) FROM events WHERE topic = '{topic}'");
        assert_eq!(number(&mut away.db, &sql).await, 1, "{topic}");
    }
    running.stop().await;
    away.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_was_not_written_with_its_span_follows_from_the_span() {
    let mut away = Away::new().await;
    let (site, target) = (away.site(), Http::start().await);
    let running = site.start().await;
    let shop = insert(&mut away.db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    becomes(&mut away.db, shop, "up").await;
    target.answer(|_| Answer::status(500));
    becomes(&mut away.db, shop, "down").await;
    let (status, output) = running.stop().await;
    assert!(status.success(), "{output}");
    // As if the process had ended between the batch with the span and the one with the state.
    let before = format!(
        "UPDATE uptime_state SET status = 'up', outage_id = NULL, outage_told = false,
           since = (SELECT min(starts_at) FROM uptime_spans s WHERE s.monitor_id = uptime_state.monitor_id)
         WHERE monitor_id = '{}'",
        shop.id
    );
    execute(&mut away.db, &before).await;
    target.answer(|_| Answer::ok("well"));
    let running = site.start().await;
    until("the outage does not end", async || spans(&mut away.db, shop).await.len() == 3).await;
    let all = spans(&mut away.db, shop).await;
    assert_eq!(story(&all), ["up", "down!", "up!"], "who was told of the outage is told of its end");
    assert_eq!(number(&mut away.db, "SELECT count(*) FROM events WHERE topic = 'uptime.monitor.up'").await, 1);
    running.stop().await;
    away.end().await;
}
