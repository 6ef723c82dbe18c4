//! `incident_impacts`: what incidents do to components.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ComponentId, ComponentStatus, IncidentId};
use platform::ids::OrgId;

/// Sets what it does to a component.
pub async fn affect(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: IncidentId,
    component: ComponentId,
    status: ComponentStatus,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_impacts (incident_id, component_id, org_id, status) VALUES ($1, $2, $3, $4)
         ON CONFLICT (incident_id, component_id) DO UPDATE SET status = $4",
        id.0,
        component.0,
        org.map(|org| org.0),
        status.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What they affect, and how.
pub async fn affected(
    conn: &mut PgConnection,
    ids: &[Uuid],
) -> sqlx::Result<Vec<(IncidentId, ComponentId, ComponentStatus)>> {
    let rows = sqlx::query!(
        "SELECT incident_id, component_id, status FROM incident_impacts WHERE incident_id = ANY($1) ORDER BY incident_id, component_id",
        ids,
    )
    .fetch_all(conn)
    .await?;
    let read = |status: &str| status.parse().unwrap_or(ComponentStatus::Operational);
    Ok(rows
        .into_iter()
        .map(|row| (IncidentId(row.incident_id), ComponentId(row.component_id), read(&row.status)))
        .collect())
}

/// Ids of those that affect any of these components, are published, and are open or began since then. Newest first.
pub async fn shown(conn: &mut PgConnection, components: &[Uuid], since: DateTime<Utc>) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT DISTINCT i.id AS "id!" FROM incident_impacts a JOIN incidents i ON i.id = a.incident_id
           WHERE a.component_id = ANY($1) AND i.published_at IS NOT NULL AND i.merged_into IS NULL
             AND (i.resolved_at IS NULL OR i.started_at >= $2)
           ORDER BY 1 DESC"#,
        components,
        since,
    )
    .fetch_all(conn)
    .await
}
