//! Single facts about monitors: counts, choices, what ends first, what strangers may see.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::status;
use crate::model::{MonitorId, Status};
use platform::ids::OrgId;

/// Of an organisation, those that the file removed not counted.
pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM uptime_monitors WHERE org_id IS NOT DISTINCT FROM $1 AND removed_at IS NULL"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

/// Addresses that some of the monitors of all owners ask, the newest first.
pub async fn urls(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<String>> {
    sqlx::query_scalar!(
        r#"SELECT spec->>'url' AS "url!" FROM uptime_monitors
           WHERE kind = 'http' AND removed_at IS NULL AND paused_at IS NULL AND spec->>'url' IS NOT NULL ORDER BY id DESC LIMIT $1"#,
        most,
    )
    .fetch_all(conn)
    .await
}

/// By status; of the owner, without those that are paused or removed.
pub async fn by_status(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<(Status, i64)>> {
    let rows = sqlx::query!(
        r#"SELECT s.status, count(*) AS "count!" FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id
           WHERE m.org_id IS NOT DISTINCT FROM $1 AND s.org_id IS NOT DISTINCT FROM $1 AND m.removed_at IS NULL GROUP BY s.status"#,
        org.map(|org| org.0)
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (status(&row.status), row.count)).collect())
}

/// The certificate and the domain that end first: name and time.
pub async fn ending(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Option<(String, DateTime<Utc>)>> {
    let row = sqlx::query!(
        r#"SELECT m.name, least(s.certificate_ends_at, s.domain_ends_at) AS "ends!"
           FROM uptime_state s JOIN uptime_monitors m ON m.id = s.monitor_id
           WHERE m.org_id IS NOT DISTINCT FROM $1 AND s.org_id IS NOT DISTINCT FROM $1 AND m.removed_at IS NULL AND m.paused_at IS NULL
             AND (s.certificate_ends_at IS NOT NULL OR s.domain_ends_at IS NOT NULL)
           ORDER BY 2 LIMIT 1"#,
        org.map(|org| org.0)
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.name, row.ends)))
}

/// Id, key and name of all monitors of an owner, by name: for choices. At most so many.
pub async fn choices(conn: &mut PgConnection, org: Option<OrgId>, most: i64) -> sqlx::Result<Vec<(MonitorId, String)>> {
    let rows = sqlx::query!(
        "SELECT id, name FROM uptime_monitors WHERE org_id IS NOT DISTINCT FROM $1 AND removed_at IS NULL ORDER BY name, id LIMIT $2",
        org.map(|org| org.0),
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (MonitorId(row.id), row.name)).collect())
}

/// Numbers by which the history knows monitors, and when they were made.
pub async fn numbers(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(MonitorId, i32, DateTime<Utc>)>> {
    let rows = sqlx::query!("SELECT id, number, created_at FROM uptime_monitors WHERE id = ANY ($1)", ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (MonitorId(row.id), row.number, row.created_at)).collect())
}

/// Share of the time that it should be up.
pub async fn target(conn: &mut PgConnection, id: MonitorId) -> sqlx::Result<Option<f64>> {
    let found =
        sqlx::query_scalar!("SELECT target FROM uptime_monitors WHERE id = $1", id.0).fetch_optional(conn).await?;
    Ok(found.flatten())
}

/// Name and status, if strangers may see them: because its owner says so, or `always`. As role `system`.
pub async fn badge(conn: &mut PgConnection, id: MonitorId, always: bool) -> sqlx::Result<Option<(String, Status)>> {
    let row = sqlx::query!(
        "SELECT m.name, s.status FROM uptime_monitors m JOIN uptime_state s ON s.monitor_id = m.id
         WHERE m.id = $1 AND m.removed_at IS NULL AND (m.badge OR $2)",
        id.0,
        always,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.name, status(&row.status))))
}

/// Of all owners. As role `system`.
pub async fn count_of_kind(conn: &mut PgConnection, kind: &str) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM uptime_monitors WHERE kind = $1 AND removed_at IS NULL AND paused_at IS NULL"#,
        kind,
    )
    .fetch_one(conn)
    .await
}
