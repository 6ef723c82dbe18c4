//! `incident_components`, `incident_component_monitors`, `incident_component_changes`.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Component, ComponentChange, ComponentId, ComponentMonitor, ComponentStatus, IncidentId};
use platform::{http::Slice, ids::OrgId};
use uptime::{ManagedBy, MonitorId};

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    code: String,
    name: String,
    description: String,
    set: Option<String>,
    status: String,
    since: DateTime<Utc>,
    announce: bool,
    managed_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn status(text: &str) -> ComponentStatus {
    text.parse().unwrap_or(ComponentStatus::Operational)
}

impl From<Row> for Component {
    fn from(row: Row) -> Self {
        Self {
            id: ComponentId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            code: row.code,
            name: row.name,
            description: row.description,
            set: row.set.as_deref().map(status),
            status: status(&row.status),
            since: row.since,
            announce: row.announce,
            monitors: Vec::new(),
            managed_by: row.managed_by.as_deref().and_then(|by| by.parse::<ManagedBy>().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// With their monitors, newest first; what does not exist is left out.
pub async fn read(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Component>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, key, code, name, description, override AS set, status, since, announce, managed_by, created_at, updated_at
           FROM incident_components WHERE id = ANY($1) AND removed_at IS NULL ORDER BY id DESC"#,
        ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    with_monitors(conn, rows).await
}

/// As [`read`], locked in the order of their ids: two that change the same wait for each other, and not both.
pub async fn locked(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<Component>> {
    sqlx::query_scalar!("SELECT id FROM incident_components WHERE id = ANY($1) ORDER BY id FOR NO KEY UPDATE", ids)
        .fetch_all(&mut *conn)
        .await?;
    read(conn, ids).await
}

/// Newest first.
pub async fn list(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    search: Option<&str>,
    slice: &Slice,
) -> sqlx::Result<Vec<Component>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, key, code, name, description, override AS set, status, since, announce, managed_by, created_at, updated_at
           FROM incident_components
           WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 AND removed_at IS NULL
             AND ($3::text IS NULL OR strpos(lower(name || ' ' || key), lower($3)) > 0)
           ORDER BY id DESC LIMIT $4"#,
        org.map(|org| org.0),
        slice.beyond(),
        search,
        slice.rows(),
    )
    .fetch_all(&mut *conn)
    .await?;
    with_monitors(conn, rows).await
}

async fn with_monitors(conn: &mut PgConnection, rows: Vec<Row>) -> sqlx::Result<Vec<Component>> {
    let ids: Vec<Uuid> = rows.iter().map(|row| row.id).collect();
    let links = sqlx::query!(
        "SELECT component_id, monitor_id, weight FROM incident_component_monitors WHERE component_id = ANY($1) ORDER BY component_id, monitor_id",
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let mut monitors: BTreeMap<Uuid, Vec<ComponentMonitor>> = BTreeMap::new();
    for link in links {
        let monitor = ComponentMonitor { monitor_id: MonitorId(link.monitor_id), weight: status(&link.weight) };
        monitors.entry(link.component_id).or_default().push(monitor);
    }
    let full = |row: Row| {
        let own = monitors.remove(&row.id).unwrap_or_default();
        Component { monitors: own, ..Component::from(row) }
    };
    Ok(rows.into_iter().map(full).collect())
}

/// Those of these monitors: monitor, component, weight, whether it is announced.
pub async fn of_monitors(
    conn: &mut PgConnection,
    monitors: &[Uuid],
) -> sqlx::Result<Vec<(MonitorId, ComponentId, ComponentStatus, bool)>> {
    let rows = sqlx::query!(
        "SELECT m.monitor_id, m.component_id, m.weight, c.announce
         FROM incident_component_monitors m JOIN incident_components c ON c.id = m.component_id
         WHERE m.monitor_id = ANY($1) AND c.removed_at IS NULL ORDER BY m.component_id, m.monitor_id",
        monitors,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (MonitorId(row.monitor_id), ComponentId(row.component_id), status(&row.weight), row.announce))
        .collect())
}

pub async fn find(conn: &mut PgConnection, org: Option<OrgId>, key: &str) -> sqlx::Result<Option<ComponentId>> {
    let found = sqlx::query_scalar!(
        "SELECT id FROM incident_components WHERE org_id IS NOT DISTINCT FROM $1 AND key = $2 AND removed_at IS NULL",
        org.map(|org| org.0),
        key,
    );
    Ok(found.fetch_optional(conn).await?.map(ComponentId))
}

/// What is known by its key.
pub struct Keyed {
    pub key: String,
    pub id: ComponentId,
    pub managed_by: Option<String>,
    pub is_removed: bool,
}

/// All of the owner's, the removed ones too.
pub async fn keys(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<Vec<Keyed>> {
    let rows = sqlx::query!(
        r#"SELECT key, id, managed_by, removed_at IS NOT NULL AS "removed!" FROM incident_components WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Keyed { key: row.key, id: ComponentId(row.id), managed_by: row.managed_by, is_removed: row.removed })
        .collect())
}

/// A component to insert.
pub struct NewComponent<'a> {
    pub id: ComponentId,
    pub org: Option<OrgId>,
    pub key: &'a str,
    pub code: &'a str,
    pub name: &'a str,
    pub description: &'a str,
    pub announce: bool,
    pub managed_by: Option<ManagedBy>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// False: the owner has one with this key.
pub async fn insert(conn: &mut PgConnection, new: &NewComponent<'_>) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "INSERT INTO incident_components (id, org_id, key, code, name, description, status, since, announce, managed_by, created_by, created_at,
           updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, 'operational', $10, $7, $8, $9, $10, $10) ON CONFLICT (org_id, key) DO NOTHING",
        new.id.0,
        new.org.map(|org| org.0),
        new.key,
        new.code,
        new.name,
        new.description,
        new.announce,
        new.managed_by.map(ManagedBy::as_str),
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn update(
    conn: &mut PgConnection,
    id: ComponentId,
    (name, description): (&str, &str),
    (announce, set): (bool, Option<ComponentStatus>),
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incident_components SET name = $2, description = $3, announce = $4, override = $5, removed_at = NULL, updated_at = $6
         WHERE id = $1",
        id.0,
        name,
        description,
        announce,
        set.map(ComponentStatus::as_str),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Only these.
pub async fn set_monitors(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: ComponentId,
    monitors: &[ComponentMonitor],
) -> sqlx::Result<()> {
    let ids: Vec<Uuid> = monitors.iter().map(|monitor| monitor.monitor_id.0).collect();
    let weights: Vec<String> = monitors.iter().map(|monitor| monitor.weight.as_str().to_owned()).collect();
    sqlx::query!(
        "DELETE FROM incident_component_monitors WHERE component_id = $1 AND NOT (monitor_id = ANY($2))",
        id.0,
        &ids,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO incident_component_monitors (component_id, monitor_id, org_id, weight)
         SELECT $1, t.monitor, $2, t.weight FROM unnest($3::uuid[], $4::text[]) AS t (monitor, weight)
         ON CONFLICT (component_id, monitor_id) DO UPDATE SET weight = excluded.weight",
        id.0,
        org.map(|org| org.0),
        &ids,
        &weights,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// It is shown so from now on.
pub async fn shown(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    change: &ComponentChange,
    id: Uuid,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE incident_components SET status = $2, since = $3 WHERE id = $1",
        change.component.0,
        change.status.as_str(),
        change.at,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!(
        "INSERT INTO incident_component_changes (id, org_id, component_id, status, at, incident_id) VALUES ($1, $2, $3, $4, $5, $6)",
        id,
        org.map(|org| org.0),
        change.component.0,
        change.status.as_str(),
        change.at,
        change.incident.map(|incident| incident.0),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What was shown when, oldest first; for each component also its last change before `since`.
pub async fn changes(
    conn: &mut PgConnection,
    ids: &[Uuid],
    since: DateTime<Utc>,
) -> sqlx::Result<Vec<ComponentChange>> {
    let rows = sqlx::query!(
        r#"SELECT component_id AS "component_id!", status AS "status!", at AS "at!", incident_id FROM (
             SELECT component_id, status, at, incident_id FROM incident_component_changes WHERE component_id = ANY($1) AND at >= $2
             UNION ALL
             SELECT last.component_id, last.status, last.at, last.incident_id FROM unnest($1::uuid[]) AS c (id) CROSS JOIN LATERAL (
               SELECT * FROM incident_component_changes WHERE component_id = c.id AND at < $2 ORDER BY at DESC LIMIT 1) last
           ) found ORDER BY at, component_id"#,
        ids,
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| ComponentChange {
            component: ComponentId(row.component_id),
            status: status(&row.status),
            at: row.at,
            incident: row.incident_id.map(IncidentId),
        })
        .collect())
}

/// The file no longer has it.
pub async fn remove(conn: &mut PgConnection, id: ComponentId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE incident_components SET removed_at = $2, updated_at = $2 WHERE id = $1", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: ComponentId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM incident_components WHERE id = $1", id.0).execute(conn).await.map(drop)
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM incident_components WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
    )
    .fetch_one(conn)
    .await
}

/// Ids of those after this one, of all owners. As role `system`.
pub async fn following(conn: &mut PgConnection, after: Uuid, most: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        "SELECT id FROM incident_components WHERE id > $1 AND removed_at IS NULL ORDER BY id LIMIT $2",
        after,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Whose they are.
pub async fn orgs(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<Vec<(Uuid, Option<OrgId>)>> {
    let rows =
        sqlx::query!("SELECT id, org_id FROM incident_components WHERE id = ANY($1)", ids).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|row| (row.id, row.org_id.map(OrgId))).collect())
}
