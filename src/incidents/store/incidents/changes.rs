//! Changes of an incident.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::{Impact, IncidentId, IncidentStatus, Severity};

/// Moves it, and ends or reopens it with that: whoever had acknowledged it is asked anew then. The settling is over.
pub async fn set_status(
    conn: &mut PgConnection,
    id: IncidentId,
    status: IncidentStatus,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET status = $2, settles_at = NULL,
           monitoring_at = CASE WHEN $2 = 'monitoring' THEN coalesce(monitoring_at, $4) ELSE monitoring_at END,
           acknowledged_at = CASE WHEN resolved_at IS NULL OR $3 THEN acknowledged_at END,
           acknowledged_by = CASE WHEN resolved_at IS NULL OR $3 THEN acknowledged_by END,
           resolved_at = CASE WHEN $3 THEN coalesce(resolved_at, $4) END,
           version = version + 1, updated_at = $4
         WHERE id = $1",
        id.0,
        status.as_str(),
        status.is_over(),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What a person changes.
pub struct Changes<'a> {
    pub name: &'a str,
    pub severity: Severity,
    pub impact: Impact,
    pub impact_override: bool,
    pub scheduled: Option<(DateTime<Utc>, DateTime<Utc>)>,
}

pub async fn change(
    conn: &mut PgConnection,
    id: IncidentId,
    changes: &Changes<'_>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET name = $2, severity = $3, impact = $4, impact_override = $5, scheduled_for = coalesce($6, scheduled_for),
           scheduled_until = coalesce($7, scheduled_until), version = version + 1, updated_at = $8
         WHERE id = $1",
        id.0,
        changes.name,
        changes.severity.as_str(),
        changes.impact.as_str(),
        changes.impact_override,
        changes.scheduled.map(|(from, _)| from),
        changes.scheduled.map(|(_, until)| until),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// A further cause: its name and what joins it next.
pub async fn joined(
    conn: &mut PgConnection,
    id: IncidentId,
    name: &str,
    joins_until: Option<DateTime<Utc>>,
    merge_key: Option<&str>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET name = $2, joins_until = $3, merge_key = $4, settles_at = NULL, version = version + 1, updated_at = $5 WHERE id = $1",
        id.0,
        name,
        joins_until,
        merge_key,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_impact(conn: &mut PgConnection, id: IncidentId, impact: Impact) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET impact = $2 WHERE id = $1 AND NOT impact_override", id.0, impact.as_str())
        .execute(conn)
        .await
        .map(drop)
}

/// False: somebody was faster.
pub async fn acknowledge(conn: &mut PgConnection, id: IncidentId, by: &str, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incidents SET acknowledged_at = $3, acknowledged_by = $2, version = version + 1, updated_at = $3
         WHERE id = $1 AND acknowledged_at IS NULL AND resolved_at IS NULL",
        id.0,
        by,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn publish(conn: &mut PgConnection, id: IncidentId, now: DateTime<Utc>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE incidents SET published_at = $2, version = version + 1, updated_at = $2 WHERE id = $1 AND published_at IS NULL",
        id.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// What belongs to it has changed: who looks for changes by its time sees that.
pub async fn touch(conn: &mut PgConnection, id: IncidentId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET version = version + 1, updated_at = $2 WHERE id = $1", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_settles(conn: &mut PgConnection, id: IncidentId, at: Option<DateTime<Utc>>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET settles_at = $2 WHERE id = $1 AND resolved_at IS NULL", id.0, at)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_flapping(
    conn: &mut PgConnection,
    id: IncidentId,
    flapping: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incidents SET flapping = $2, updated_at = $3 WHERE id = $1", id.0, flapping, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_merged(
    conn: &mut PgConnection,
    id: IncidentId,
    into: Option<IncidentId>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET merged_into = $2, joins_until = NULL, settles_at = NULL, version = version + 1, updated_at = $3 WHERE id = $1",
        id.0,
        into.map(|into| into.0),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_postmortem(
    conn: &mut PgConnection,
    id: IncidentId,
    text: &str,
    publish: bool,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incidents SET postmortem = $2, postmortem_published_at = CASE WHEN $3 THEN coalesce(postmortem_published_at, $4) END,
           version = version + 1, updated_at = $4
         WHERE id = $1",
        id.0,
        text,
        publish,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
