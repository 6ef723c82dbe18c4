//! Rollups, charts, availability and reports on a real database.

use chrono::{DateTime, TimeDelta, Timelike as _, Utc};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, PgConnection};

use super::manage::{MONITORS, OPEN, id, make};
use crate::support::app::{Client, TestApp};

async fn connect(app: &TestApp) -> PgConnection {
    PgConnection::connect_with(&app.target().admin).await.unwrap()
}

async fn execute(db: &mut PgConnection, sql: &str) {
    sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(db).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// Begin of the hour that was `hours` ago.
fn hour(hours: i64) -> DateTime<Utc> {
    let now = holdfast::platform::clock::Clock::system().now() - TimeDelta::hours(hours);
    now.with_minute(0).and_then(|at| at.with_second(0)).and_then(|at| at.with_nanosecond(0)).unwrap()
}

/// A check each minute of an hour; every tenth fails. Microseconds: 10 000 and the minute.
fn checks(monitor: &str, hour: DateTime<Utc>, minutes: &str) -> String {
    format!(
        "INSERT INTO uptime_checks (at, monitor, org_id, total, lag, outcome, reason, attempt, maintenance)
         SELECT '{hour}'::timestamptz + n * interval '1 minute', m.number, m.org_id, 10000 + n, 0, (n % 10 = 9)::int, 0, 1, false
         FROM uptime_monitors m, generate_series({minutes}) n WHERE m.id = '{monitor}';
         INSERT INTO uptime_hours_open (hour) VALUES ('{hour}') ON CONFLICT (hour) DO UPDATE SET named = uptime_hours_open.named + 1",
        hour = hour.to_rfc3339()
    )
}

async fn series(client: &Client, monitor: &str, step: &str) -> Vec<Value> {
    let (from, until) = (hour(30).format("%Y-%m-%dT%H:%M:%SZ"), hour(0).format("%Y-%m-%dT%H:%M:%SZ"));
    let path = format!("{MONITORS}/{monitor}/series?step={step}&from={from}&until={until}");
    client.get(&path).await.expect(200)["data"].as_array().unwrap().clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn late_checks_open_the_hour_again() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, mut db) = (app.admin().await, connect(&app).await);
    let monitor = id(&make(&admin, "Shop").await);
    let old = hour(10);
    execute(&mut db, &checks(&monitor, old, "0, 29")).await;
    app.app.uptime.roll_up().await.unwrap();
    let points = series(&admin, &monitor, "hour").await;
    assert_eq!(points.len(), 1, "{points:?}");
    assert_eq!((&points[0]["checks"], &points[0]["failed"]), (&json!(30), &json!(3)));
    assert_eq!(series(&admin, &monitor, "minute").await.len(), 30);
    let p50 = points[0]["p50"].as_i64().unwrap();
    assert!((9_700..=10_300).contains(&p50), "{p50}");

    execute(&mut db, &checks(&monitor, old, "30, 59")).await;
    app.app.uptime.roll_up().await.unwrap();
    let points = series(&admin, &monitor, "hour").await;
    assert_eq!((&points[0]["checks"], &points[0]["failed"]), (&json!(60), &json!(6)));
    let days = series(&admin, &monitor, "day").await;
    assert_eq!((&days[0]["checks"], &days[0]["failed"]), (&json!(60), &json!(6)));
    // Nothing is left to do, and doing it again changes nothing.
    let open: i64 =
        sqlx::query_scalar("SELECT count(*) FROM uptime_hours_open WHERE hour < now() - interval '2 hours'")
            .fetch_one(&mut db)
            .await
            .unwrap();
    assert_eq!(open, 0);
    execute(&mut db, &format!("INSERT INTO uptime_hours_open (hour) VALUES ('{}')", old.to_rfc3339())).await;
    app.app.uptime.roll_up().await.unwrap();
    assert_eq!(series(&admin, &monitor, "hour").await, points);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_hours_are_shown_before_they_are_rolled_up() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, mut db) = (app.admin().await, connect(&app).await);
    let monitor = id(&make(&admin, "Shop").await);
    execute(&mut db, &checks(&monitor, hour(1), "0, 59")).await;
    let points = series(&admin, &monitor, "hour").await;
    assert_eq!((points.len(), &points[0]["checks"]), (1, &json!(60)));
    let listed = admin.get(&format!("{MONITORS}/{monitor}/checks?limit=10&outcome=down")).await.expect(200);
    assert_eq!(listed["data"].as_array().unwrap().len(), 6);
    let first = admin.get(&format!("{MONITORS}/{monitor}/checks?limit=50")).await.expect(200);
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin.get(&format!("{MONITORS}/{monitor}/checks?limit=50&cursor={cursor}")).await.expect(200);
    assert_eq!((second["data"].as_array().unwrap().len(), &second["next_cursor"]), (10, &Value::Null));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn availability_and_report_come_from_spans() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, mut db) = (app.admin().await, connect(&app).await);
    let monitor = id(&make(&admin, "Shop").await);
    admin.patch(&format!("{MONITORS}/{monitor}"), &json!({"target": 0.99})).await.expect(200);
    // October 2026 in UTC: up, but for 7440 s down and a window of an hour that does not count.
    let span = |n: u8, status: &str, from: &str, until: &str| {
        let outage =
            if status == "down" { format!("'00000000-0000-7000-8000-0000000000{n:02}'") } else { "NULL".to_owned() };
        format!(
            "INSERT INTO uptime_spans (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, term)
             SELECT '00000000-0000-7000-8000-0000000000{n:02}', org_id, id, '{status}', '{from}', '{until}', '{from}', 'check', {outage}, true, 1
             FROM uptime_monitors WHERE id = '{monitor}';"
        )
    };
    let all = [
        span(1, "up", "2026-09-30T00:00:00Z", "2026-10-10T00:00:00Z"),
        span(2, "down", "2026-10-10T00:00:00Z", "2026-10-10T02:04:00Z"),
        span(3, "up", "2026-10-10T02:04:00Z", "2026-10-20T00:00:00Z"),
        span(4, "maintenance", "2026-10-20T00:00:00Z", "2026-10-20T01:00:00Z"),
        span(5, "up", "2026-10-20T01:00:00Z", "2026-11-02T00:00:00Z"),
    ];
    execute(&mut db, &all.concat()).await;
    let path = format!("{MONITORS}/{monitor}/uptime?from=2026-10-01T00:00:00Z&until=2026-11-01T00:00:00Z");
    let found = admin.get(&path).await.expect(200);
    let month = 31 * 86_400;
    assert_eq!((found["down"].as_i64(), found["maintenance"].as_i64()), (Some(7440), Some(3600)));
    assert_eq!(found["up"].as_i64(), Some(month - 7440 - 3600));
    assert_eq!((found["unknown"].as_i64(), found["outages"].as_i64()), (Some(0), Some(1)));
    // A hundredth of the time that counts, less what was down.
    assert_eq!(found["budget_left"].as_i64(), Some((month - 3600) / 100 - 7440));

    let report = format!("/api/v1/uptime/reports?month=2026-10&monitors={monitor}");
    let json = admin.get(&report).await.expect(200);
    assert_eq!((&json["monitors"][0]["down"], &json["monitors"][0]["is_met"]), (&json!(7440), &json!(true)));
    let csv = admin.get(&format!("{report}&format=csv")).await;
    assert!(csv.text.contains("2026-10,UTC,shop,Shop,0.997"), "{}", csv.text);
    let html = admin.get(&format!("{report}&format=html&lang=ru")).await;
    assert!(html.text.contains("Доступность 2026-10"), "{}", html.text);
    admin.get("/api/v1/uptime/reports?month=2026-13").await.expect(422);
    let spans = admin.get(&format!("{MONITORS}/{monitor}/spans?limit=3")).await.expect(200);
    assert_eq!(spans["data"].as_array().unwrap().len(), 3);
    app.stop().await;
}
