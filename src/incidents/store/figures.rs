//! Figures of all owners, as role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ChannelId, Severity};

/// Open incidents by severity; drafts and merged ones are counted as they are: as open, and not at all.
pub async fn open(conn: &mut PgConnection) -> sqlx::Result<Vec<(Severity, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT severity, count(*) AS "count!" FROM incidents
           WHERE resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident' GROUP BY severity"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.severity.parse().ok()?, row.count))).collect())
}

/// Since when the oldest critical incident waits for somebody. Not one of an alert alone: that is acknowledged where alerts are, and the alert about this would
/// make another incident.
pub async fn unacknowledged(conn: &mut PgConnection) -> sqlx::Result<Option<DateTime<Utc>>> {
    sqlx::query_scalar!(
        "SELECT min(started_at) FROM incidents
         WHERE resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident' AND severity = 'critical' AND acknowledged_at IS NULL
           AND opened_by <> 'alert'"
    )
    .fetch_one(conn)
    .await
}

/// All channels that are used, and those that have disabled themselves.
pub async fn channels(conn: &mut PgConnection) -> sqlx::Result<(Vec<ChannelId>, i64)> {
    let rows = sqlx::query!(
        r#"SELECT id, disabled_reason = 'gone' AS gone FROM incident_channels WHERE disabled_at IS NULL OR disabled_reason = 'gone'"#
    )
    .fetch_all(conn)
    .await?;
    let gone = rows.iter().filter(|row| row.gone == Some(true)).count();
    let used: Vec<Uuid> = rows.into_iter().filter(|row| row.gone != Some(true)).map(|row| row.id).collect();
    Ok((used.into_iter().map(ChannelId).collect(), i64::try_from(gone).unwrap_or(i64::MAX)))
}

/// What the console's first page shows of an owner: open incidents, unacknowledged ones.
pub async fn of_owner(conn: &mut PgConnection, org: Option<platform::ids::OrgId>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "open!", count(*) FILTER (WHERE acknowledged_at IS NULL) AS "waiting!" FROM incidents
           WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND kind = 'incident'"#,
        org.map(|org| org.0),
    )
    .fetch_one(conn)
    .await?;
    Ok((row.open, row.waiting))
}
