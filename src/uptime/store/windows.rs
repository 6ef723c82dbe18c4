//! `uptime_windows`. `org` selects the owner (`None`: the installation).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    model::{GroupId, ManagedBy, MonitorId, Window, WindowId},
    service::NewWindow,
};
use platform::{http::Slice, ids::OrgId};

/// A window to insert.
pub struct NewRow<'a> {
    pub id: WindowId,
    pub org: Option<OrgId>,
    pub key: &'a str,
    pub window: &'a NewWindow,
    pub managed_by: Option<ManagedBy>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// Violates `uptime_windows_key` if the owner has the key already.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<()> {
    let window = new.window;
    let monitors: Vec<Uuid> = window.monitors.iter().map(|id| id.0).collect();
    let groups: Vec<Uuid> = window.groups.iter().map(|id| id.0).collect();
    sqlx::query!(
        "INSERT INTO uptime_windows (id, org_id, key, name, starts_at, ends_at, cron, minutes, zone, excluded, every, monitors, groups, tags,
           managed_by, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $17)",
        new.id.0,
        new.org.map(|org| org.0),
        new.key,
        window.name,
        window.starts_at,
        window.ends_at,
        window.cron,
        window.minutes,
        window.zone,
        window.excluded,
        window.every,
        monitors.as_slice(),
        groups.as_slice(),
        window.tags.as_slice(),
        new.managed_by.map(ManagedBy::as_str),
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Replaces what is set.
pub async fn update(conn: &mut PgConnection, id: WindowId, window: &NewWindow, now: DateTime<Utc>) -> sqlx::Result<()> {
    let monitors: Vec<Uuid> = window.monitors.iter().map(|id| id.0).collect();
    let groups: Vec<Uuid> = window.groups.iter().map(|id| id.0).collect();
    sqlx::query!(
        "UPDATE uptime_windows SET name = $2, starts_at = $3, ends_at = $4, cron = $5, minutes = $6, zone = $7, excluded = $8, every = $9,
           monitors = $10, groups = $11, tags = $12, updated_at = $13
         WHERE id = $1",
        id.0,
        window.name,
        window.starts_at,
        window.ends_at,
        window.cron,
        window.minutes,
        window.zone,
        window.excluded,
        window.every,
        monitors.as_slice(),
        groups.as_slice(),
        window.tags.as_slice(),
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn set_managed(conn: &mut PgConnection, id: WindowId, by: Option<ManagedBy>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_windows SET managed_by = $2 WHERE id = $1", id.0, by.map(ManagedBy::as_str))
        .execute(conn)
        .await
        .map(drop)
}

pub async fn delete(conn: &mut PgConnection, id: WindowId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM uptime_windows WHERE id = $1", id.0).execute(conn).await.map(drop)
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM uptime_windows WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

/// Those of these monitors and groups that the owner has.
pub async fn known(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    monitors: &[Uuid],
    groups: &[Uuid],
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM uptime_monitors WHERE id = ANY($2) AND org_id IS NOT DISTINCT FROM $1
           UNION ALL
           SELECT id FROM uptime_groups WHERE id = ANY($3) AND org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0),
        monitors,
        groups,
    )
    .fetch_all(conn)
    .await
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    name: String,
    starts_at: Option<DateTime<Utc>>,
    ends_at: Option<DateTime<Utc>>,
    cron: Option<String>,
    minutes: Option<i32>,
    zone: String,
    excluded: bool,
    every: bool,
    monitors: Vec<Uuid>,
    groups: Vec<Uuid>,
    tags: Vec<String>,
    managed_by: Option<String>,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Window {
    fn from(row: Row) -> Self {
        Self {
            id: WindowId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            starts_at: row.starts_at,
            ends_at: row.ends_at,
            cron: row.cron,
            minutes: row.minutes,
            zone: row.zone,
            excluded: row.excluded,
            every: row.every,
            monitors: row.monitors.into_iter().map(MonitorId).collect(),
            groups: row.groups.into_iter().map(GroupId).collect(),
            tags: row.tags,
            managed_by: row.managed_by.and_then(|text| text.parse().ok()),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Window>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, starts_at, ends_at, cron, minutes, zone, excluded, every, monitors, groups, tags, managed_by, created_by,
           created_at, updated_at
         FROM uptime_windows WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Window::from).collect())
}

/// Those that recur, or have not ended before `since`: the only ones that can be open at a later time.
pub async fn since(conn: &mut PgConnection, org: Option<OrgId>, since: DateTime<Utc>) -> sqlx::Result<Vec<Window>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, starts_at, ends_at, cron, minutes, zone, excluded, every, monitors, groups, tags, managed_by, created_by,
           created_at, updated_at
         FROM uptime_windows WHERE org_id IS NOT DISTINCT FROM $1 AND (ends_at IS NULL OR ends_at > $2) ORDER BY id",
        org.map(|org| org.0),
        since,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Window::from).collect())
}

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: WindowId) -> sqlx::Result<Option<Window>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, starts_at, ends_at, cron, minutes, zone, excluded, every, monitors, groups, tags, managed_by, created_by,
           created_at, updated_at
         FROM uptime_windows WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Window::from))
}

pub async fn find(conn: &mut PgConnection, org: Option<OrgId>, key: &str) -> sqlx::Result<Option<WindowId>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM uptime_windows WHERE key = $1 AND org_id IS NOT DISTINCT FROM $2",
        key,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(WindowId))
}
