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

/// Odd checks of an hour: times, durations, outcomes and gaps by chance, but the same at each run.
fn chance(monitor: &str, hour: DateTime<Utc>, seed: f64) -> String {
    format!(
        "SELECT setseed({seed});
         INSERT INTO uptime_checks (at, monitor, org_id, total, lag, outcome, reason, attempt, maintenance)
         SELECT '{hour}'::timestamptz + n * interval '7 seconds' + random() * interval '1 second', m.number, m.org_id, (1000 * exp(random() * 4))::int, 0,
           (ARRAY[0, 0, 0, 0, 1, 1, 2, 3])[1 + floor(random() * 8)::int], 0, 1, false
         FROM uptime_monitors m, generate_series(0, 512) n WHERE m.id = '{monitor}' AND random() < 0.8;
         INSERT INTO uptime_hours_open (hour) VALUES ('{hour}') ON CONFLICT (hour) DO NOTHING",
        hour = hour.to_rfc3339()
    )
}

/// What counting the single checks gives, by hour, minute or day.
#[derive(Debug, sqlx::FromRow)]
struct Counted {
    at: DateTime<Utc>,
    checks: i64,
    failed: i64,
    p50: Option<i32>,
    p99: Option<i32>,
    slowest: Option<i32>,
}

/// An attempt after which another came is no check, and latency is that of what succeeded.
async fn counted(db: &mut PgConnection, monitor: &str, step: &str) -> Vec<Counted> {
    let sql = format!(
        "SELECT date_trunc('{step}', c.at, 'UTC') AS at, count(*) AS checks, count(*) FILTER (WHERE c.outcome = 1) AS failed,
           percentile_disc(0.5) WITHIN GROUP (ORDER BY c.total) FILTER (WHERE c.outcome <> 1) AS p50,
           percentile_disc(0.99) WITHIN GROUP (ORDER BY c.total) FILTER (WHERE c.outcome <> 1) AS p99,
           max(c.total) FILTER (WHERE c.outcome <> 1) AS slowest
         FROM uptime_checks c JOIN uptime_monitors m ON m.number = c.monitor
         WHERE m.id = '{monitor}' AND c.outcome <> 3 GROUP BY 1 ORDER BY 1"
    );
    sqlx::query_as(AssertSqlSafe(sql)).fetch_all(db).await.unwrap()
}

/// The error of a bucket, and where a quantile falls between two checks the distance to the next one.
fn assert_near(point: &Value, wanted: Option<i32>, what: &str) {
    let (found, wanted) = (point.as_i64(), wanted.map(i64::from));
    let is_near = found.zip(wanted).is_some_and(|(found, wanted)| (found - wanted).abs() * 100 <= wanted * 4);
    assert!(is_near || (found.is_none() && wanted.is_none()), "{what}: {found:?} instead of {wanted:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rollups_equal_the_raw_checks() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, mut db) = (app.admin().await, connect(&app).await);
    for seed in [0.1, -0.7, 0.42] {
        let monitor = id(&make(&admin, "Shop").await);
        for hours in [9, 10, 20] {
            execute(&mut db, &chance(&monitor, hour(hours), seed)).await;
        }
        app.app.uptime.roll_up().await.unwrap();
        for step in ["minute", "hour", "day"] {
            let (points, raw) = (series(&admin, &monitor, step).await, counted(&mut db, &monitor, step).await);
            assert_eq!(points.len(), raw.len(), "{seed} {step}");
            for (point, raw) in points.iter().zip(&raw) {
                let what = format!("{seed} {step} {}", raw.at);
                assert_eq!(point["at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap(), raw.at, "{what}");
                let counts = (point["checks"].as_i64(), point["failed"].as_i64());
                assert_eq!(counts, (Some(raw.checks), Some(raw.failed)), "{what}");
                // Of a minute only the median is kept; of seven checks the next one may be far away.
                if step == "minute" {
                    assert_eq!(point["p50"].is_null(), raw.p50.is_none(), "{what}");
                } else {
                    assert_near(&point["p50"], raw.p50, &what);
                    assert_near(&point["p99"], raw.p99, &what);
                    assert_near(&point["slowest"], raw.slowest, &what);
                }
            }
        }
        // Rolled up again it is the same, to the byte.
        let stored = "SELECT md5(string_agg(minutes, ''::bytea ORDER BY monitor, hour)) FROM uptime_minutes";
        let before: Option<String> = sqlx::query_scalar(stored).fetch_one(&mut db).await.unwrap();
        for hours in [9, 10, 20] {
            let again = format!("INSERT INTO uptime_hours_open (hour) VALUES ('{}')", hour(hours).to_rfc3339());
            execute(&mut db, &again).await;
        }
        app.app.uptime.roll_up().await.unwrap();
        let after: Option<String> = sqlx::query_scalar(stored).fetch_one(&mut db).await.unwrap();
        assert!(before.is_some() && before == after);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn report_csv_json_html_say_the_same() {
    let app = TestApp::start_with(&[OPEN]).await;
    let (admin, mut db) = (app.admin().await, connect(&app).await);
    let (first, second) = (id(&make(&admin, "=Shop <b>").await), id(&make(&admin, "Never checked").await));
    admin.patch(&format!("{MONITORS}/{first}"), &json!({"target": 0.999})).await.expect(200);
    // Three days of October 2026: an outage of 2 h 4 min, a window of an hour, an hour that nobody checked; up otherwise.
    let spans = [
        ("up", "10-10T00:00:00Z", "10-10T06:00:00Z"),
        ("down", "10-10T06:00:00Z", "10-10T08:04:00Z"),
        ("up", "10-10T08:04:00Z", "10-11T00:00:00Z"),
        ("maintenance", "10-11T00:00:00Z", "10-11T01:00:00Z"),
        ("unknown", "10-11T01:00:00Z", "10-11T02:00:00Z"),
        ("up", "10-11T02:00:00Z", "10-13T00:00:00Z"),
    ];
    for (n, (status, from, until)) in spans.into_iter().enumerate() {
        let span = format!("00000000-0000-7000-8000-0000000001{n:02}");
        let outage = if status == "down" { format!("'{span}'") } else { "NULL".to_owned() };
        let sql = format!(
            "INSERT INTO uptime_spans (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, term)
             SELECT '{span}', org_id, id, '{status}', '2026-{from}', '2026-{until}', '2026-{from}', 'check', {outage}, true, 1
             FROM uptime_monitors WHERE id = '{first}'"
        );
        execute(&mut db, &sql).await;
    }
    let report = format!("/api/v1/uptime/reports?month=2026-10&monitors={first},{second}");
    let said = admin.get(&report).await.expect(200);
    let rows = said["monitors"].as_array().unwrap();
    let shop = rows.iter().find(|row| row["name"] == "=Shop <b>").unwrap();
    assert_eq!((&shop["down"], &shop["maintenance"], &shop["outages"]), (&json!(7440), &json!(3600), &json!(1)));
    assert_eq!(shop["is_met"], json!(false));

    let csv = admin.get(&format!("{report}&format=csv")).await;
    assert!(csv.headers["content-disposition"].to_str().unwrap().contains("uptime-2026-10.csv"));
    let mut reader = csv::Reader::from_reader(csv.text.as_bytes());
    let names = reader.headers().unwrap().clone();
    let lines: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
    assert_eq!(lines.len(), rows.len());
    for (line, row) in lines.iter().zip(rows) {
        let cell = |name: &str| &line[names.iter().position(|found| found == name).unwrap()];
        assert_eq!((cell("month"), cell("zone")), ("2026-10", "UTC"));
        // A program for tables must not take a name for a formula.
        assert_eq!(cell("name").trim_start_matches('\''), row["name"].as_str().unwrap());
        let text = |value: &Value| if value.is_null() { String::new() } else { value.to_string() };
        for (name, field) in [
            ("up_seconds", "up"),
            ("down_seconds", "down"),
            ("maintenance_seconds", "maintenance"),
            ("unknown_seconds", "unknown"),
            ("budget_left_seconds", "budget_left"),
            ("outages", "outages"),
            ("checks", "checks"),
            ("is_met", "is_met"),
            ("target", "target"),
        ] {
            assert_eq!(cell(name), text(&row[field]), "{name}");
        }
        let share = row["share"].as_f64().map_or_else(String::new, |share| format!("{share:.6}"));
        assert_eq!(cell("share"), share);
    }
    assert!(csv.text.contains("'=Shop <b>"), "{}", csv.text);

    let html = admin.get(&format!("{report}&format=html")).await;
    let share = shop["share"].as_f64().unwrap();
    let percent = format!("{:.2}\u{a0}%", (share * 10_000.0 + 1e-6).floor() / 100.0);
    assert!(html.text.contains(&percent), "{percent}: {}", html.text);
    assert!(html.text.contains("2\u{a0}h 4\u{a0}min") && !html.text.contains("Shop <b>"), "{}", html.text);
    assert!(html.text.contains("missed") && html.text.contains("Never checked"), "{}", html.text);
    app.stop().await;
}
