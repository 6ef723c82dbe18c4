//! `uptime_groups`. `org` selects the owner (`None`: the installation).

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::model::{Group, GroupId, ManagedBy};
use platform::{http::Slice, ids::OrgId};

/// A group to insert.
pub struct NewRow<'a> {
    pub id: GroupId,
    pub org: Option<OrgId>,
    pub key: &'a str,
    pub name: &'a str,
    pub managed_by: Option<ManagedBy>,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

/// Violates `uptime_groups_key` if the owner has the key already.
pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_groups (id, org_id, key, name, managed_by, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
        new.id.0,
        new.org.map(|org| org.0),
        new.key,
        new.name,
        new.managed_by.map(ManagedBy::as_str),
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn rename(conn: &mut PgConnection, id: GroupId, name: &str, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_groups SET name = $2, updated_at = $3 WHERE id = $1", id.0, name, now)
        .execute(conn)
        .await
        .map(drop)
}

pub async fn set_managed(conn: &mut PgConnection, id: GroupId, by: Option<ManagedBy>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE uptime_groups SET managed_by = $2 WHERE id = $1", id.0, by.map(ManagedBy::as_str))
        .execute(conn)
        .await
        .map(drop)
}

/// Its monitors stay.
pub async fn delete(conn: &mut PgConnection, id: GroupId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM uptime_groups WHERE id = $1", id.0).execute(conn).await.map(drop)
}

pub async fn count(conn: &mut PgConnection, org: Option<OrgId>) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM uptime_groups WHERE org_id IS NOT DISTINCT FROM $1"#,
        org.map(|org| org.0)
    )
    .fetch_one(conn)
    .await
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    key: String,
    name: String,
    managed_by: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Group {
    fn from(row: Row) -> Self {
        Self {
            id: GroupId(row.id),
            installation: row.org_id.is_none(),
            key: row.key,
            name: row.name,
            managed_by: row.managed_by.and_then(|text| text.parse().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Group>> {
    let rows = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, managed_by, created_at, updated_at FROM uptime_groups
         WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Group::from).collect())
}

pub async fn get(conn: &mut PgConnection, org: Option<OrgId>, id: GroupId) -> sqlx::Result<Option<Group>> {
    let row = sqlx::query_as!(
        Row,
        "SELECT id, org_id, key, name, managed_by, created_at, updated_at FROM uptime_groups
         WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Group::from))
}

pub async fn find(conn: &mut PgConnection, org: Option<OrgId>, key: &str) -> sqlx::Result<Option<GroupId>> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM uptime_groups WHERE key = $1 AND org_id IS NOT DISTINCT FROM $2",
        key,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(id.map(GroupId))
}
