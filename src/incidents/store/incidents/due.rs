//! Incidents that something is to be done about.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::IncidentId;
use platform::ids::OrgId;

/// One that a new cause may join.
pub struct Joinable {
    pub id: IncidentId,
    pub merge_key: Option<String>,
    pub joins_until: Option<DateTime<Utc>>,
    /// All of its causes are over, and it will be resolved.
    pub settles: bool,
    /// Monitors opened it, and nobody has acknowledged it or spoken since.
    pub untouched: bool,
}

/// Those that a new cause may join, youngest first: opened by a monitor or an alert not long ago, or with an outage of one of these monitors.
pub async fn open(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    monitors: &[Uuid],
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<Joinable>> {
    let rows = sqlx::query!(
        r#"SELECT i.id, i.merge_key, i.joins_until, i.settles_at IS NOT NULL AS "settles!",
             i.opened_by = 'monitor' AND i.acknowledged_at IS NULL AND i.status = 'investigating' AS "untouched!"
           FROM incidents i CROSS JOIN LATERAL (
             SELECT EXISTS (
               SELECT FROM incident_causes c WHERE c.incident_id = i.id AND c.source = 'monitor' AND c.subject = ANY($3)) AS has_own) found
           WHERE i.org_id IS NOT DISTINCT FROM $1 AND i.resolved_at IS NULL AND i.merged_into IS NULL
             AND (i.joins_until >= $2 OR found.has_own)
           ORDER BY found.has_own DESC, i.id DESC LIMIT 200"#,
        org.map(|org| org.0),
        now,
        monitors,
    )
    .fetch_all(conn)
    .await?;
    let mut found: Vec<Joinable> = rows
        .into_iter()
        .map(|row| Joinable {
            id: IncidentId(row.id),
            merge_key: row.merge_key,
            joins_until: row.joins_until,
            settles: row.settles,
            untouched: row.untouched,
        })
        .collect();
    found.sort_by_key(|joinable| std::cmp::Reverse(joinable.id));
    Ok(found)
}

/// Incidents of this owner that monitors opened since then and nobody has touched, with the storm that may still be joined, the oldest first.
pub async fn untouched_since(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    since: DateTime<Utc>,
    now: DateTime<Utc>,
) -> sqlx::Result<Vec<IncidentId>> {
    let rows = sqlx::query_scalar!(
        "SELECT id FROM incidents
         WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND opened_by = 'monitor'
           AND (created_at > $2 OR (merge_key = 'storm' AND joins_until >= $3)) AND acknowledged_at IS NULL AND status = 'investigating'
         ORDER BY id",
        org.map(|org| org.0),
        since,
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(IncidentId).collect())
}

/// Those whose causes have been over for long enough, of all owners.
pub async fn settled(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<(Option<OrgId>, IncidentId)>> {
    let rows = sqlx::query!(
        "SELECT id, org_id FROM incidents WHERE settles_at <= $1 AND resolved_at IS NULL ORDER BY settles_at LIMIT 200",
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id.map(OrgId), IncidentId(row.id))).collect())
}

/// Maintenances whose time has come, of all owners.
pub async fn due(conn: &mut PgConnection, now: DateTime<Utc>) -> sqlx::Result<Vec<(Option<OrgId>, IncidentId)>> {
    let rows = sqlx::query!(
        "SELECT id, org_id FROM incidents
         WHERE kind = 'maintenance' AND resolved_at IS NULL AND merged_into IS NULL AND scheduled_for <= $1
           AND (status = 'scheduled' OR (status = 'in_progress' AND scheduled_until <= $1))
         ORDER BY scheduled_for LIMIT 200",
        now,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id.map(OrgId), IncidentId(row.id))).collect())
}
