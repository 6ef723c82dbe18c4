//! Incidents that something is to be done about.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::model::IncidentId;
use platform::ids::OrgId;

/// One that a new cause may join.
pub struct Joinable {
    pub id: IncidentId,
    pub merge_key: Option<String>,
    pub joins_until: Option<DateTime<Utc>>,
}

/// Those that a new cause may join: opened by a monitor or an alert, youngest first.
pub async fn open(conn: &mut PgConnection, org: Option<OrgId>, now: DateTime<Utc>) -> sqlx::Result<Vec<Joinable>> {
    let rows = sqlx::query!(
        "SELECT id, merge_key, joins_until FROM incidents
         WHERE org_id IS NOT DISTINCT FROM $1 AND resolved_at IS NULL AND merged_into IS NULL AND joins_until >= $2
         ORDER BY id DESC LIMIT 200",
        org.map(|org| org.0),
        now,
    )
    .fetch_all(conn)
    .await?;
    let joinable = |id, merge_key, joins_until| Joinable { id: IncidentId(id), merge_key, joins_until };
    Ok(rows.into_iter().map(|row| joinable(row.id, row.merge_key, row.joins_until)).collect())
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
