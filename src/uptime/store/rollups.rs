//! `uptime_minutes`, `uptime_days`, `uptime_hours_open`, and the single checks that they are made of. Writing is for role `system`.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;

/// What a rollup needs of a single check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw {
    pub monitor: i32,
    pub at: DateTime<Utc>,
    /// Microseconds.
    pub total: i32,
    pub outcome: i16,
}

/// Hours that wait and began before this time, oldest first, each with how often it was named.
pub async fn open_hours(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<Vec<(DateTime<Utc>, i64)>> {
    let rows = sqlx::query!("SELECT hour, named FROM uptime_hours_open WHERE hour < $1 ORDER BY hour", before)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.hour, row.named)).collect())
}

/// Hours that are over and wait.
pub async fn count_open(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM uptime_hours_open WHERE hour < $1"#, before)
        .fetch_one(conn)
        .await
}

/// The hour is rolled up, unless it was named again meanwhile.
pub async fn close_hour(conn: &mut PgConnection, hour: DateTime<Utc>, named: i64) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM uptime_hours_open WHERE hour = $1 AND named = $2", hour, named)
        .execute(conn)
        .await
        .map(drop)
}

/// Monitors of all owners, by number.
pub async fn numbers(conn: &mut PgConnection, above: i32, most: i64) -> sqlx::Result<Vec<i32>> {
    sqlx::query_scalar!("SELECT number FROM uptime_monitors WHERE number > $1 ORDER BY number LIMIT $2", above, most)
        .fetch_all(conn)
        .await
}

/// Single checks of some monitors between two times, by monitor and time.
pub async fn raw(
    conn: &mut PgConnection,
    monitors: &[i32],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<Raw>> {
    sqlx::query_as!(
        Raw,
        "SELECT monitor, at, total, outcome FROM uptime_checks
         WHERE monitor = ANY ($1) AND at >= $2 AND at < $3 ORDER BY monitor, at",
        monitors,
        from,
        until,
    )
    .fetch_all(conn)
    .await
}

/// The minutes of an hour, by monitor.
pub async fn minutes_of(
    conn: &mut PgConnection,
    monitors: &[i32],
    hour: DateTime<Utc>,
) -> sqlx::Result<HashMap<i32, Vec<u8>>> {
    let rows = sqlx::query!(
        "SELECT monitor, minutes FROM uptime_minutes WHERE monitor = ANY ($1) AND hour = $2",
        monitors,
        hour
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.monitor, row.minutes)).collect())
}

/// Writes the minutes of an hour.
pub async fn put_minutes(conn: &mut PgConnection, hour: DateTime<Utc>, rows: &[(i32, Vec<u8>)]) -> sqlx::Result<()> {
    let (monitors, minutes): (Vec<i32>, Vec<Vec<u8>>) = rows.iter().cloned().unzip();
    sqlx::query!(
        "INSERT INTO uptime_minutes (hour, monitor, org_id, minutes)
         SELECT $1, m.number, m.org_id, u.minutes
         FROM unnest($2::int[], $3::bytea[]) AS u (monitor, minutes) JOIN uptime_monitors m ON m.number = u.monitor
         ON CONFLICT (monitor, hour) DO UPDATE SET minutes = excluded.minutes",
        hour,
        monitors.as_slice(),
        minutes.as_slice(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The hours of a day, by monitor.
pub async fn hours_of(
    conn: &mut PgConnection,
    monitors: &[i32],
    day: NaiveDate,
) -> sqlx::Result<HashMap<i32, Vec<u8>>> {
    let rows =
        sqlx::query!("SELECT monitor, hours FROM uptime_days WHERE monitor = ANY ($1) AND day = $2", monitors, day)
            .fetch_all(conn)
            .await?;
    Ok(rows.into_iter().map(|row| (row.monitor, row.hours)).collect())
}

/// A day to write.
#[derive(Clone, Debug)]
pub struct NewDay {
    pub monitor: i32,
    pub checks: i32,
    pub failed: i32,
    pub slowest: i32,
    pub total: i64,
    pub sketch: Vec<u8>,
    pub hours: Vec<u8>,
}

pub async fn put_days(conn: &mut PgConnection, day: NaiveDate, rows: &[NewDay]) -> sqlx::Result<()> {
    let monitors: Vec<i32> = rows.iter().map(|row| row.monitor).collect();
    let checks: Vec<i32> = rows.iter().map(|row| row.checks).collect();
    let failed: Vec<i32> = rows.iter().map(|row| row.failed).collect();
    let slowest: Vec<i32> = rows.iter().map(|row| row.slowest).collect();
    let total: Vec<i64> = rows.iter().map(|row| row.total).collect();
    let sketches: Vec<Vec<u8>> = rows.iter().map(|row| row.sketch.clone()).collect();
    let hours: Vec<Vec<u8>> = rows.iter().map(|row| row.hours.clone()).collect();
    sqlx::query!(
        "INSERT INTO uptime_days (monitor, day, org_id, checks, failed, slowest, total, sketch, hours)
         SELECT m.number, $1, m.org_id, u.checks, u.failed, u.slowest, u.total, u.sketch, u.hours
         FROM unnest($2::int[], $3::int[], $4::int[], $5::int[], $6::bigint[], $7::bytea[], $8::bytea[])
           AS u (monitor, checks, failed, slowest, total, sketch, hours) JOIN uptime_monitors m ON m.number = u.monitor
         ON CONFLICT (monitor, day) DO UPDATE SET checks = excluded.checks, failed = excluded.failed, slowest = excluded.slowest,
           total = excluded.total, sketch = excluded.sketch, hours = excluded.hours",
        day,
        monitors.as_slice(),
        checks.as_slice(),
        failed.as_slice(),
        slowest.as_slice(),
        total.as_slice(),
        sketches.as_slice(),
        hours.as_slice(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Minutes of a monitor: hours that begin between the two times, oldest first.
pub async fn minutes(
    conn: &mut PgConnection,
    monitor: i32,
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<(DateTime<Utc>, Vec<u8>)>> {
    let rows = sqlx::query!(
        "SELECT hour, minutes FROM uptime_minutes WHERE monitor = $1 AND hour >= $2 AND hour < $3 ORDER BY hour",
        monitor,
        from,
        until,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.hour, row.minutes)).collect())
}

/// Days of a monitor from one to another, both included, each with its hours, oldest first.
pub async fn days(
    conn: &mut PgConnection,
    monitor: i32,
    first: NaiveDate,
    last: NaiveDate,
) -> sqlx::Result<Vec<(NaiveDate, Vec<u8>)>> {
    let rows = sqlx::query!(
        "SELECT day, hours FROM uptime_days WHERE monitor = $1 AND day BETWEEN $2 AND $3 ORDER BY day",
        monitor,
        first,
        last,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.day, row.hours)).collect())
}

/// Deletes days past retention.
pub async fn delete_days(conn: &mut PgConnection, before: NaiveDate) -> sqlx::Result<u64> {
    Ok(sqlx::query!("DELETE FROM uptime_days WHERE day < $1", before).execute(conn).await?.rows_affected())
}

/// Deletes spans that ended past retention.
pub async fn delete_spans(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    Ok(sqlx::query!("DELETE FROM uptime_spans WHERE ends_at < $1", before).execute(conn).await?.rows_affected())
}
