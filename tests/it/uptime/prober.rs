//! The prober within an appliance: from a check to a span.

use std::{net::Ipv4Addr, time::Duration};

use chrono::TimeDelta;
use holdfast::platform::health::{Status as Health, run_all};
use serde_json::json;
use sqlx::PgConnection;

use super::watch::{Monitor, OPEN, becomes, checks, connect, execute, insert, number, spans, story};
use crate::support::{
    app::TestApp,
    odd_target::{Answer, Http, Root, Silent},
    wait::until,
};

async fn doctor(app: &TestApp, name: &str) -> Health {
    let checks: Vec<_> = app.app.checks().into_iter().filter(|check| check.name() == name).collect();
    run_all(&checks).await.remove(0).result.status
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_goes_down_and_comes_back() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), "").await;
    becomes(&mut db, monitor, "up").await;
    target.answer(|_| Answer::status(503));
    becomes(&mut db, monitor, "down").await;
    let failed = format!("FROM uptime_checks WHERE outcome = 3 AND monitor = {}", monitor.number);
    assert_eq!(number(&mut db, &format!("SELECT count(*) {failed}")).await, 1, "one retry");
    target.answer(|_| Answer::ok("well"));
    becomes(&mut db, monitor, "up").await;
    let all = spans(&mut db, monitor).await;
    assert_eq!(story(&all), ["up", "down!", "up!"]);
    let first = format!("SELECT count(*) {failed} AND at = '{}'", all[1].starts_at.to_rfc3339());
    assert_eq!(number(&mut db, &first).await, 1, "an outage begins with its first failed attempt");
    for topic in ["uptime.monitor.down", "uptime.monitor.up"] {
        let sql = format!("SELECT count(*) FROM events WHERE topic = '{topic}'");
        assert_eq!(number(&mut db, &sql).await, 1, "{topic}");
    }
    let sql = "SELECT count(*) FROM uptime_prober WHERE figures->>'monitors' <> '0' AND alive_at > now() - interval '30 seconds'";
    assert_eq!(number(&mut db, sql).await, 1);
    assert!(number(&mut db, "SELECT count(*) FROM uptime_hours_open").await >= 1);
    let live = app.app.uptime.live().expect("this process checks");
    assert_eq!(live.figures.monitors as usize, live.monitors.len());
    let text = app.app.telemetry.encode();
    assert!(text.contains("holdfast_uptime_transitions_total{to=\"down\"} 1"), "{text}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_sender_of_a_heartbeat_says_is_told() {
    let app = TestApp::start_with(&[OPEN]).await;
    let mut db = connect(&app.target().admin).await;
    let monitor =
        insert(&mut db, "backup", &json!({"kind": "heartbeat"}), "interval_seconds = 3600, retries = 0").await;
    for (beat, says, is, told) in [
        ("ok", "42 files", "up", "42 files"),
        ("fail", "disk full", "down", "its sender reported a failure: disk full"),
    ] {
        let row = format!(
            "INSERT INTO uptime_beats (monitor_id, received_at, beat, message) VALUES ('{}', now(), '{beat}', '{says}')",
            monitor.id
        );
        execute(&mut db, &row).await;
        becomes(&mut db, monitor, is).await;
        let state =
            format!("SELECT count(*) FROM uptime_state WHERE monitor_id = '{}' AND error = '{told}'", monitor.id);
        until("what it says is not its monitor's text", async || number(&mut db, &state).await == 1).await;
    }
    let span = format!(
        "SELECT count(*) FROM uptime_spans WHERE monitor_id = '{}' AND status = 'down' AND error LIKE '%: disk full'",
        monitor.id
    );
    assert_eq!(number(&mut db, &span).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_settings_tells_nothing_and_a_pause_stops_checks() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), "retries = 0").await;
    target.answer(|_| Answer::status(503));
    becomes(&mut db, monitor, "down").await;
    let before = checks(&mut db, monitor).await;
    execute(&mut db, "UPDATE uptime_monitors SET name = 'Other', interval_seconds = 11 WHERE key = 'shop'").await;
    until("it is not checked with its new interval", async || checks(&mut db, monitor).await > before).await;
    assert_eq!(story(&spans(&mut db, monitor).await), ["down!"]);
    execute(&mut db, "UPDATE uptime_monitors SET paused_at = now(), paused_by = 'x' WHERE key = 'shop'").await;
    becomes(&mut db, monitor, "paused").await;
    let at_pause = checks(&mut db, monitor).await;
    // Longer than the interval: a check would have come.
    tokio::time::sleep(Duration::from_secs(12)).await;
    assert_eq!(checks(&mut db, monitor).await, at_pause);
    execute(&mut db, "UPDATE uptime_monitors SET paused_at = NULL, paused_by = NULL WHERE key = 'shop'").await;
    becomes(&mut db, monitor, "down").await;
    assert_eq!(story(&spans(&mut db, monitor).await), ["down!", "paused(by_hand)", "unknown(by_hand)", "down"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_and_a_parent_silence() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let parent = insert(&mut db, "edge", &json!({"kind": "http", "url": target.url("/edge")}), "retries = 0").await;
    let of_parent = format!("retries = 0, parent_id = '{}'", parent.id);
    let child = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/shop")}), &of_parent).await;
    let apart = insert(&mut db, "apart", &json!({"kind": "http", "url": target.url("/apart")}), "retries = 0").await;
    for monitor in [parent, child, apart] {
        becomes(&mut db, monitor, "up").await;
    }
    let window = format!(
        "INSERT INTO uptime_windows (id, key, name, starts_at, ends_at, zone, monitors, created_by, created_at, updated_at)
         VALUES (gen_random_uuid(), 'w', 'w', now() - interval '1 hour', now() + interval '1 hour', 'UTC', ARRAY['{}'::uuid], 'x', now(), now())",
        apart.id
    );
    execute(&mut db, &window).await;
    becomes(&mut db, apart, "maintenance").await;
    target.answer(|_| Answer::status(500));
    becomes(&mut db, parent, "down").await;
    becomes(&mut db, child, "down").await;
    let all = spans(&mut db, child).await;
    assert_eq!(story(&all[all.len() - 1..]), ["down(parent)"]);
    until("it is not checked in the window", async || {
        number(
            &mut db,
            &format!(
                "SELECT count(*) FROM uptime_checks WHERE monitor = {} AND maintenance AND outcome = 1",
                apart.number
            ),
        )
        .await
            > 0
    })
    .await;
    assert_eq!(story(&spans(&mut db, apart).await), ["up", "maintenance(window)"]);
    execute(&mut db, "UPDATE uptime_windows SET ends_at = now()").await;
    becomes(&mut db, apart, "down").await;
    let all = spans(&mut db, apart).await;
    assert_eq!(story(&all), ["up", "maintenance(window)", "down!"]);
    app.stop().await;
}

/// A report that another process has taken, by the appliance's clock.
async fn beat(app: &TestApp, db: &mut PgConnection, monitor: Monitor) {
    sqlx::query("INSERT INTO uptime_beats (monitor_id, received_at, beat) VALUES ($1, $2, 'ok')")
        .bind(monitor.id)
        .bind(app.clock.now())
        .execute(db)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_clock_jumps_forward_and_back() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let monitor = insert(&mut db, "shop", &json!({"kind": "http", "url": target.url("/")}), "").await;
    becomes(&mut db, monitor, "up").await;
    let beats = insert(&mut db, "backup", &json!({"kind": "heartbeat", "grace_seconds": 604_800}), "").await;
    app.clock.advance(TimeDelta::hours(1));
    until("the time that nobody checked is not marked", async || {
        let all = spans(&mut db, monitor).await;
        story(&all) == ["up", "unknown(clock)", "up"]
    })
    .await;
    let all = spans(&mut db, monitor).await;
    let unknown = all[2].starts_at - all[1].starts_at;
    assert!(unknown > TimeDelta::minutes(55) && unknown < TimeDelta::minutes(61), "{unknown}");
    beat(&app, &mut db, beats).await;
    until("the beat does not count", async || checks(&mut db, beats).await == 1).await;
    let before = checks(&mut db, monitor).await;
    app.clock.advance(-TimeDelta::hours(1));
    until("it is not checked any more", async || checks(&mut db, monitor).await > before + 2).await;
    beat(&app, &mut db, beats).await;
    until("a beat by the clock of now does not count", async || checks(&mut db, beats).await == 2).await;
    assert_eq!(spans(&mut db, monitor).await.len(), 3, "no time is counted twice");
    target.answer(|_| Answer::status(500));
    becomes(&mut db, monitor, "down").await;
    assert_eq!(story(&spans(&mut db, monitor).await), ["up", "unknown(clock)", "up", "down!"]);
    assert!((app.metric("holdfast_uptime_clock_steps_total") - 2.0).abs() < 0.1);
    until("doctor does not say so", async || doctor(&app, "uptime.clock").await == Health::Warn).await;
    assert_eq!(doctor(&app, "uptime.outside").await, Health::Warn, "no heartbeat is sent anywhere");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_that_hangs_holds_up_no_other() {
    let app = TestApp::start_with(&[OPEN, ("HOLDFAST_UPTIME__IN_FLIGHT", "10")]).await;
    let (silent, target, mut db) = (Silent::start().await, Http::start().await, connect(&app.target().admin).await);
    for place in 0..4 {
        let spec = json!({"kind": "http", "url": format!("http://{}/", silent.address)});
        insert(&mut db, &format!("silent-{place}"), &spec, "").await;
    }
    let monitor = insert(&mut db, "well", &json!({"kind": "http", "url": target.url("/")}), "").await;
    becomes(&mut db, monitor, "up").await;
    let down = "SELECT count(*) FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id WHERE s.status = 'down' AND m.key LIKE 'silent-%'";
    until("they are not down", async || number(&mut db, down).await == 4).await;
    assert!(number(&mut db, "SELECT count(*) FROM uptime_checks WHERE outcome = 1 AND reason = 14").await >= 4);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_private_target_is_refused_at_each_check_and_counted() {
    let app = TestApp::start().await;
    let (silent, mut db) = (Silent::start().await, connect(&app.target().admin).await);
    let spec = json!({"kind": "http", "url": format!("http://{}/", silent.address)});
    let monitor = insert(&mut db, "inside", &spec, "retries = 0").await;
    becomes(&mut db, monitor, "down").await;
    let refused = "SELECT count(*) FROM uptime_checks WHERE outcome = 1 AND reason = 3";
    assert!(number(&mut db, refused).await >= 1, "the reason is private_address");
    assert_eq!(silent.accepted(), 0);
    assert!(app.metric("holdfast_uptime_targets_refused_total{reason=\"address\"}") >= 1.0);
    app.stop().await;
}

/// The bench in short: see benches/uptime.py.
#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_monitors_keep_their_slots() {
    let app = TestApp::start_with(&[OPEN]).await;
    let target = Http::on((Ipv4Addr::UNSPECIFIED, 0).into(), None).await;
    let mut db = connect(&app.target().admin).await;
    let sql = format!(
        "INSERT INTO uptime_monitors (id, key, name, kind, spec, interval_seconds, timeout_ms, retries, successes, created_by, created_at, updated_at)
         SELECT gen_random_uuid(), 'm-' || n, 'm', 'http', jsonb_build_object('kind', 'http', 'url', format('http://127.0.%s.%s:{}/', n / 250, 1 + n % 250)),
           60, 5000, 1, 1, 'x', now(), now() FROM generate_series(0, 1999) n",
        target.address.port()
    );
    execute(&mut db, &sql).await;
    execute(&mut db, "INSERT INTO uptime_state (monitor_id, status, since, updated_at) SELECT id, 'unknown', now(), now() FROM uptime_monitors WHERE kind = 'http' AND key LIKE 'm-%'").await;
    let up = "SELECT count(*) FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id WHERE s.status = 'up' AND m.key LIKE 'm-%'";
    until("not all are up", async || number(&mut db, up).await == 2000).await;
    // All at once were new; from here on they have their slots.
    let series = |le: &str| app.metric(&format!("holdfast_uptime_schedule_lag_seconds_bucket{{le=\"{le}\"}}"));
    let skipped = || app.metric("holdfast_uptime_slots_skipped_total{reason=\"busy\"}");
    let (within, all, skipped_before) = (series("1.0"), series("+Inf"), skipped());
    let (began, seen) = (target.accepted(), tokio::time::Instant::now());
    until("they are not checked again", async || target.accepted() >= began + 1900).await;
    let took = seen.elapsed();
    assert!(took > Duration::from_secs(45) && took < Duration::from_secs(75), "{took:?} for a round of a minute");
    let (within, all) = (series("1.0") - within, series("+Inf") - all);
    assert!(within / all > 0.99, "{within} of {all} started within a second");
    let skipped = skipped() - skipped_before;
    assert!(skipped < 1.0, "{skipped} slots were skipped");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_with_a_nul_stops_nobody() {
    let app = TestApp::start_with(&[OPEN]).await;
    let mut db = connect(&app.target().admin).await;
    let odd = Http::with_tls(Root::new("Nobody").with_nul("127.0.0.1").acceptor()).await;
    let well = Http::start().await;
    let spec = json!({"kind": "tls", "host": "127.0.0.1", "port": odd.address.port(), "verify": false});
    let odd = insert(&mut db, "odd", &spec, "").await;
    becomes(&mut db, odd, "up").await;
    let shop = insert(&mut db, "shop", &json!({"kind": "http", "url": well.url("/")}), "").await;
    becomes(&mut db, shop, "up").await;
    let named = "SELECT count(*) FROM uptime_state WHERE certificate->>'name' LIKE 'a%b'";
    assert_eq!(number(&mut db, named).await, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_database_refuses_of_one_monitor_holds_up_no_other() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let spec = json!({"kind": "http", "url": target.url("/")});
    let bad = insert(&mut db, "bad", &spec, "paused_at = now(), paused_by = 'x'").await;
    let (number, id) = (bad.number, bad.id);
    execute(
        &mut db,
        &format!("ALTER TABLE uptime_checks ADD CONSTRAINT no_checks CHECK (monitor <> {number}) NOT VALID"),
    )
    .await;
    execute(
        &mut db,
        &format!("ALTER TABLE uptime_spans ADD CONSTRAINT no_spans CHECK (monitor_id <> '{id}') NOT VALID"),
    )
    .await;
    execute(&mut db, "UPDATE uptime_monitors SET paused_at = NULL, paused_by = NULL WHERE key = 'bad'").await;
    let counts = |family: &str| {
        let start = format!("holdfast_uptime_{family}_dropped_total{{reason=\"refused\"}} ");
        let text = app.app.telemetry.encode();
        let value = text.lines().find_map(|line| line.strip_prefix(start.as_str())).map(str::to_owned);
        value.unwrap_or_else(|| panic!("no {start}")).parse::<f64>().unwrap()
    };
    until("nothing is refused", async || counts("checks") >= 1.0 && counts("transitions") >= 1.0).await;
    let good = insert(&mut db, "good", &spec, "").await;
    becomes(&mut db, good, "up").await;
    assert_eq!(story(&spans(&mut db, good).await), ["up"]);
    assert_eq!(checks(&mut db, bad).await, 0);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_becomes_visible_after_a_newer_one_opens() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (target, mut db) = (Http::start().await, connect(&app.target().admin).await);
    let mut slow = connect(&app.target().admin).await;
    let spec = json!({"kind": "http", "url": target.url("/")});
    let (first, second) = (insert(&mut db, "first", &spec, "").await, insert(&mut db, "second", &spec, "").await);
    for monitor in [first, second] {
        becomes(&mut db, monitor, "up").await;
    }
    let window = |monitor: Monitor| {
        format!(
            "INSERT INTO uptime_windows (id, key, name, starts_at, ends_at, zone, monitors, created_by, created_at, updated_at)
             VALUES (gen_random_uuid(), 'w{0}', 'w', now() - interval '1 hour', now() + interval '1 hour', 'UTC', ARRAY['{1}'::uuid], 'x', now(), now())",
            monitor.number, monitor.id
        )
    };
    execute(&mut slow, "BEGIN").await;
    execute(&mut slow, &window(first)).await;
    execute(&mut db, &window(second)).await;
    becomes(&mut db, second, "maintenance").await;
    execute(&mut slow, "COMMIT").await;
    becomes(&mut db, first, "maintenance").await;
    app.stop().await;
}
