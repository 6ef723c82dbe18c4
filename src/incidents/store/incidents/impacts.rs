//! `incident_impacts`: what incidents do to components.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{ComponentId, ComponentStatus, IncidentId};
use platform::ids::OrgId;

/// Sets what it does to a component. What a person said stays, whatever monitors do.
pub async fn affect(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: IncidentId,
    component: ComponentId,
    status: ComponentStatus,
    by_hand: bool,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_impacts (incident_id, component_id, org_id, status, by_hand) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (incident_id, component_id) DO UPDATE SET status = excluded.status, by_hand = excluded.by_hand
         WHERE excluded.by_hand OR NOT incident_impacts.by_hand",
        id.0,
        component.0,
        org.map(|org| org.0),
        status.as_str(),
        by_hand,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What one does, another does from now on, too.
pub async fn affect_as(conn: &mut PgConnection, from: IncidentId, into: IncidentId) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO incident_impacts (incident_id, component_id, org_id, status, by_hand)
         SELECT $2, component_id, org_id, status, by_hand FROM incident_impacts WHERE incident_id = $1
         ON CONFLICT (incident_id, component_id) DO UPDATE SET status = excluded.status, by_hand = excluded.by_hand
         WHERE excluded.by_hand OR NOT incident_impacts.by_hand",
        from.0,
        into.0,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What published incidents that are open, and maintenances that are in progress, do now: those that affect these components, and these incidents. What a
/// monitor did ends with its outage.
pub async fn lasting(
    conn: &mut PgConnection,
    components: &[Uuid],
    incidents: &[Uuid],
) -> sqlx::Result<Vec<(IncidentId, ComponentId, ComponentStatus)>> {
    let rows = sqlx::query!(
        r#"SELECT a.incident_id, a.component_id, found.status AS "status!"
           FROM incident_impacts a JOIN incidents i ON i.id = a.incident_id CROSS JOIN LATERAL (
             SELECT a.status WHERE a.by_hand
             UNION ALL
             SELECT m.weight FROM incident_causes c JOIN incident_component_monitors m ON m.monitor_id = c.subject
             WHERE NOT a.by_hand AND c.incident_id = a.incident_id AND c.source = 'monitor' AND c.closed_at IS NULL
               AND m.component_id = a.component_id) found
           WHERE (a.component_id = ANY($1) OR a.incident_id = ANY($2)) AND i.published_at IS NOT NULL AND i.resolved_at IS NULL
             AND i.merged_into IS NULL AND i.status <> 'scheduled'"#,
        components,
        incidents,
    )
    .fetch_all(conn)
    .await?;
    let read = |status: &str| status.parse().unwrap_or(ComponentStatus::Operational);
    Ok(rows
        .into_iter()
        .map(|row| (IncidentId(row.incident_id), ComponentId(row.component_id), read(&row.status)))
        .collect())
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
