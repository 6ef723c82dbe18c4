//! `incident_log`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{IncidentId, LogEntry, LogId, LogKind};
use platform::{http::Slice, ids::OrgId};

pub async fn log(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    incident: IncidentId,
    entry: &LogEntry,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_log (id, org_id, incident_id, what, done_by, detail, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        entry.id.0,
        org.map(|org| org.0),
        incident.0,
        entry.what.as_str(),
        entry.done_by,
        entry.detail,
        entry.at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first.
pub async fn log_of(conn: &mut PgConnection, incident: IncidentId, slice: &Slice) -> sqlx::Result<Vec<LogEntry>> {
    let rows = sqlx::query!(
        "SELECT id, what, done_by, detail, at FROM incident_log WHERE incident_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        incident.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| LogEntry {
            id: LogId(row.id),
            // A word of a later version is a change, too.
            what: row.what.parse().unwrap_or(LogKind::Changed),
            done_by: row.done_by,
            detail: row.detail,
            at: row.at,
        })
        .collect())
}

/// When the newest cause opened it, joined it or came with another incident, and how often it was reopened.
pub async fn course(conn: &mut PgConnection, incident: IncidentId) -> sqlx::Result<(Option<DateTime<Utc>>, i64)> {
    let row = sqlx::query!(
        r#"SELECT max(at) FILTER (WHERE what IN ('opened', 'joined', 'merged')) AS joined, count(*) FILTER (WHERE what = 'reopened') AS "reopened!"
           FROM incident_log WHERE incident_id = $1"#,
        incident.0,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.joined, row.reopened))
}

/// Log and causes of one go to another.
pub async fn move_log(conn: &mut PgConnection, from: IncidentId, into: IncidentId) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incident_log SET incident_id = $2 WHERE incident_id = $1", from.0, into.0)
        .execute(conn)
        .await
        .map(drop)
}
