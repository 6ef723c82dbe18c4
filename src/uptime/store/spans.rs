//! `uptime_spans`.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::SpanId;

/// A span that begins.
#[derive(Clone, Debug)]
pub struct SpanRow {
    pub id: SpanId,
    pub org: Option<Uuid>,
    pub monitor: Uuid,
    pub status: &'static str,
    pub starts_at: DateTime<Utc>,
    /// `None`: it is the monitor's last in this batch.
    pub ends_at: Option<DateTime<Utc>>,
    pub confirmed_at: DateTime<Utc>,
    pub cause: &'static str,
    pub because_of: Option<Uuid>,
    pub outage: Option<SpanId>,
    pub told: bool,
    pub error: Option<String>,
}

/// Ends the open spans of these monitors where the next of these begins, and writes these. Several of one monitor are in the order of time. Returns
/// which of them were not there yet: a batch that is written again changes nothing. A monitor that was deleted meanwhile is left out.
pub async fn write(conn: &mut PgConnection, term: i64, rows: &[SpanRow]) -> sqlx::Result<HashSet<Uuid>> {
    fn all<T>(rows: &[SpanRow], of: impl Fn(&SpanRow) -> T) -> Vec<T> {
        rows.iter().map(of).collect()
    }
    let (monitors, starts) = (all(rows, |row| row.monitor), all(rows, |row| row.starts_at));
    sqlx::query!(
        "UPDATE uptime_spans s SET ends_at = e.ends_at
         FROM (
           SELECT o.id, min(n.starts_at) AS ends_at
           FROM unnest($1::uuid[], $2::timestamptz[]) AS n (monitor_id, starts_at)
           JOIN uptime_spans o ON o.monitor_id = n.monitor_id AND o.ends_at IS NULL AND o.starts_at < n.starts_at
           GROUP BY o.id
         ) e
         WHERE s.id = e.id AND s.term <= $3",
        &monitors,
        &starts,
        term,
    )
    .execute(&mut *conn)
    .await?;
    let written = sqlx::query_scalar!(
        "INSERT INTO uptime_spans (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, because_of, outage_id, told, error,
           term)
         SELECT n.id, n.org_id, n.monitor_id, n.status, n.starts_at, n.ends_at, n.confirmed_at, n.cause, n.because_of, n.outage_id, n.told,
           n.error, $13
         FROM unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::timestamptz[], $8::text[],
           $9::uuid[], $10::uuid[], $11::bool[], $12::text[])
           AS n (id, org_id, monitor_id, status, starts_at, ends_at, confirmed_at, cause, because_of, outage_id, told, error)
         JOIN uptime_monitors m ON m.id = n.monitor_id
         ON CONFLICT (monitor_id, starts_at) DO NOTHING
         RETURNING id",
        &all(rows, |row| row.id.0),
        &all(rows, |row| row.org) as &[Option<Uuid>],
        &monitors,
        &all(rows, |row| row.status.to_owned()),
        &starts,
        &all(rows, |row| row.ends_at) as &[Option<DateTime<Utc>>],
        &all(rows, |row| row.confirmed_at),
        &all(rows, |row| row.cause.to_owned()),
        &all(rows, |row| row.because_of) as &[Option<Uuid>],
        &all(rows, |row| row.outage.map(|outage| outage.0)) as &[Option<Uuid>],
        &all(rows, |row| row.told),
        &all(rows, |row| row.error.clone()) as &[Option<String>],
        term,
    )
    .fetch_all(conn)
    .await?;
    Ok(written.into_iter().collect())
}
