//! Figures of whole tables. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::Status;

/// Monitors by status, those that the file removed left out.
pub async fn by_status(conn: &mut PgConnection) -> sqlx::Result<Vec<(Status, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT s.status, count(*) AS "count!" FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id
           WHERE m.removed_at IS NULL GROUP BY s.status"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().filter_map(|row| Some((row.status.parse().ok()?, row.count))).collect())
}

pub async fn flapping(conn: &mut PgConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id
           WHERE s.flapping_since IS NOT NULL AND m.removed_at IS NULL AND m.paused_at IS NULL"#
    )
    .fetch_one(conn)
    .await
}

/// Monitors whose certificate, and whose domain, ends before a time.
pub async fn ending(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<(i64, i64)> {
    let row = sqlx::query!(
        r#"SELECT count(*) FILTER (WHERE s.certificate_ends_at < $1 AND m.certificate_days > 0) AS "certificates!",
             count(*) FILTER (WHERE s.domain_ends_at < $1) AS "domains!"
           FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id
           WHERE m.removed_at IS NULL AND m.paused_at IS NULL"#,
        before,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.certificates, row.domains))
}

/// The prober's last sign of life: `None`: there was none yet.
pub async fn prober(conn: &mut PgConnection) -> sqlx::Result<Option<(DateTime<Utc>, serde_json::Value)>> {
    let row = sqlx::query!("SELECT alive_at, figures FROM uptime_prober").fetch_optional(conn).await?;
    Ok(row.map(|row| (row.alive_at, row.figures)))
}
