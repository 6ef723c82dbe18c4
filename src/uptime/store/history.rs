//! Reading `uptime_spans` and `uptime_checks`: what pages, reports and other rooms show of the past.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Cause, Check, MonitorId, Outcome, Phases, Reason, Span, SpanId, Status};
use platform::{http::Slice, ids::OrgId};

/// A span as availability needs it.
#[derive(Clone, Debug)]
pub struct Counted {
    pub monitor: MonitorId,
    pub status: Status,
    pub starts_at: DateTime<Utc>,
    pub ends_at: Option<DateTime<Utc>>,
    /// It begins an outage, and does not only go on after a gap or a window.
    pub begins_outage: bool,
    /// Of `maintenance`: whether the window's time does not count. A window that is gone is taken for one whose time does not.
    pub excluded: bool,
}

/// Spans of some monitors that are at some time between the two, by monitor and begin.
pub async fn counted(
    conn: &mut PgConnection,
    monitors: &[Uuid],
    from: DateTime<Utc>,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<Counted>> {
    let rows = sqlx::query!(
        r#"SELECT s.monitor_id, s.status, s.starts_at, s.ends_at, coalesce(s.outage_id = s.id, false) AS "begins_outage!",
             coalesce(w.excluded, true) AS "excluded!"
           FROM uptime_spans s LEFT JOIN uptime_windows w ON s.status = 'maintenance' AND w.id = s.because_of
           WHERE s.monitor_id = ANY ($1) AND s.starts_at < $3 AND (s.ends_at IS NULL OR s.ends_at > $2)
           ORDER BY s.monitor_id, s.starts_at"#,
        monitors,
        from,
        until,
    )
    .fetch_all(conn)
    .await?;
    let counted = rows.into_iter().map(|row| Counted {
        monitor: MonitorId(row.monitor_id),
        status: status(&row.status),
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        begins_outage: row.begins_outage,
        excluded: row.excluded,
    });
    Ok(counted.collect())
}

struct SpanRow {
    id: Uuid,
    monitor_id: Uuid,
    status: String,
    starts_at: DateTime<Utc>,
    ends_at: Option<DateTime<Utc>>,
    confirmed_at: DateTime<Utc>,
    cause: String,
    outage_id: Option<Uuid>,
    told: bool,
    error: Option<String>,
}

impl From<SpanRow> for Span {
    fn from(row: SpanRow) -> Self {
        Self {
            id: SpanId(row.id),
            monitor_id: MonitorId(row.monitor_id),
            status: status(&row.status),
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            confirmed_at: row.confirmed_at,
            cause: cause(&row.cause),
            outage_id: row.outage_id.map(SpanId),
            told: row.told,
            error: row.error,
        }
    }
}

// The tables' check constraints permit only known values.
fn status(text: &str) -> Status {
    text.parse().unwrap_or(Status::Unknown)
}

fn cause(text: &str) -> Cause {
    text.parse().unwrap_or(Cause::Check)
}

/// Of a monitor, newest first.
pub async fn spans(conn: &mut PgConnection, monitor: MonitorId, slice: &Slice) -> sqlx::Result<Vec<Span>> {
    let rows = sqlx::query_as!(
        SpanRow,
        "SELECT id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, error FROM uptime_spans
         WHERE monitor_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        monitor.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Span::from).collect())
}

/// Spans of status `down` of an owner that began since, oldest first; at most so many.
pub async fn outages(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    since: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<Span>> {
    let rows = sqlx::query_as!(
        SpanRow,
        "SELECT id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, outage_id, told, error FROM uptime_spans
         WHERE status = 'down' AND org_id IS NOT DISTINCT FROM $1 AND starts_at >= $2 ORDER BY starts_at, id LIMIT $3",
        org.map(|org| org.0),
        since,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Span::from).collect())
}

struct CheckRow {
    monitor: i32,
    at: DateTime<Utc>,
    outcome: i16,
    reason: i16,
    attempt: i16,
    total: i32,
    resolve: Option<i32>,
    connect: Option<i32>,
    tls: Option<i32>,
    first_byte: Option<i32>,
    transfer: Option<i32>,
    code: Option<i16>,
    lag: i32,
    maintenance: bool,
    address: Option<String>,
    error: Option<String>,
}

impl From<CheckRow> for (i32, Check) {
    fn from(row: CheckRow) -> Self {
        let phases = Phases {
            resolve: row.resolve,
            connect: row.connect,
            tls: row.tls,
            first_byte: row.first_byte,
            transfer: row.transfer,
        };
        let check = Check {
            at: row.at,
            // The table's check constraint permits only known ones.
            outcome: Outcome::of_number(row.outcome).unwrap_or(Outcome::Unconfirmed),
            reason: Reason::of_number(row.reason),
            attempt: row.attempt,
            total: row.total,
            phases,
            code: row.code,
            lag: row.lag,
            maintenance: row.maintenance,
            address: row.address.and_then(|text| text.parse::<IpAddr>().ok()),
            error: row.error,
        };
        (row.monitor, check)
    }
}

/// Filter of single checks.
#[derive(Clone, Copy, Debug, Default)]
pub struct CheckFilter {
    pub from: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
    pub outcome: Option<Outcome>,
}

/// Of a monitor, newest first. The key of the list is the time in microseconds.
pub async fn checks(
    conn: &mut PgConnection,
    monitor: i32,
    filter: &CheckFilter,
    slice: &Slice<i64>,
) -> sqlx::Result<Vec<Check>> {
    let before = DateTime::from_timestamp_micros(slice.beyond()).unwrap_or(DateTime::<Utc>::MAX_UTC);
    // What PostgreSQL can hold; each bound is one, so that the primary key serves both.
    let last = DateTime::from_timestamp(4_102_444_800, 0).unwrap_or_default();
    let until = filter.until.unwrap_or(last).min(before).min(last);
    let rows = sqlx::query_as!(
        CheckRow,
        r#"SELECT monitor, at, outcome, reason, attempt, total, resolve, connect, tls, first_byte, transfer, code, lag, maintenance,
             host(address) AS address, error
           FROM uptime_checks
           WHERE monitor = $1 AND at >= $2 AND at < $3 AND ($4::smallint IS NULL OR outcome = $4) ORDER BY at DESC LIMIT $5"#,
        monitor,
        filter.from.unwrap_or(DateTime::UNIX_EPOCH),
        until,
        filter.outcome.map(Outcome::number),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| <(i32, Check)>::from(row).1).collect())
}

/// The newest since a time of each of some monitors, by monitor and newest first.
pub async fn last_checks(
    conn: &mut PgConnection,
    monitors: &[i32],
    since: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<Vec<(i32, Check)>> {
    let rows = sqlx::query_as!(
        CheckRow,
        r#"SELECT c.monitor AS "monitor!", c.at AS "at!", c.outcome AS "outcome!", c.reason AS "reason!", c.attempt AS "attempt!",
             c.total AS "total!", c.resolve, c.connect, c.tls, c.first_byte, c.transfer, c.code, c.lag AS "lag!",
             c.maintenance AS "maintenance!", host(c.address) AS address, c.error
           FROM unnest($1::int[]) AS wanted (monitor), LATERAL (
             SELECT * FROM uptime_checks k WHERE k.monitor = wanted.monitor AND k.at >= $2 ORDER BY k.at DESC LIMIT $3) AS c
           ORDER BY c.monitor, c.at DESC"#,
        monitors,
        since,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(<(i32, Check)>::from).collect())
}
