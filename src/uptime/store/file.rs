//! `uptime_file`, and what the file manages. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    file::{Counts, Problem},
    model::{GroupId, MonitorId, WindowId},
};
use platform::ids::OrgId;

/// The last reading of the file.
#[derive(Clone, Debug)]
pub struct Reading {
    /// SHA-256 of its text.
    pub digest: Vec<u8>,
    pub read_at: DateTime<Utc>,
    /// `None`: it was never applied.
    pub applied_at: Option<DateTime<Utc>>,
    pub applied_digest: Option<Vec<u8>>,
    pub problems: Vec<Problem>,
    pub counts: Counts,
}

impl Reading {
    /// What was read last is what runs.
    pub fn is_applied(&self) -> bool {
        self.problems.is_empty() && self.applied_digest.as_deref() == Some(&self.digest)
    }
}

pub async fn get(conn: &mut PgConnection) -> sqlx::Result<Option<Reading>> {
    let row = sqlx::query!(
        r#"SELECT digest, read_at, applied_at, applied_digest, problems AS "problems: Json<Vec<Problem>>", counts FROM uptime_file"#
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| Reading {
        digest: row.digest,
        read_at: row.read_at,
        applied_at: row.applied_at,
        applied_digest: row.applied_digest,
        problems: row.problems.0,
        counts: serde_json::from_value(row.counts).unwrap_or_default(),
    }))
}

/// It was refused: what was applied before stays.
pub async fn refused(
    conn: &mut PgConnection,
    path: &str,
    digest: &[u8],
    problems: &[Problem],
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_file (path, digest, read_at, problems, counts) VALUES ($1, $2, $3, $4, '{}')
         ON CONFLICT (singleton) DO UPDATE SET path = excluded.path, digest = excluded.digest, read_at = excluded.read_at,
           problems = excluded.problems",
        path,
        digest,
        now,
        Json(problems) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub async fn applied(
    conn: &mut PgConnection,
    path: &str,
    digest: &[u8],
    counts: Counts,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_file (path, digest, read_at, applied_at, applied_digest, problems, counts) VALUES ($1, $2, $3, $3, $2, '[]', $4)
         ON CONFLICT (singleton) DO UPDATE SET path = excluded.path, digest = excluded.digest, read_at = excluded.read_at,
           applied_at = excluded.applied_at, applied_digest = excluded.applied_digest, problems = excluded.problems, counts = excluded.counts",
        path,
        digest,
        now,
        Json(counts) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The organisation with this slug.
pub async fn organisation(conn: &mut PgConnection, slug: &str) -> sqlx::Result<Option<OrgId>> {
    let id = sqlx::query_scalar!("SELECT id FROM organisations WHERE slug = $1", slug).fetch_optional(conn).await?;
    Ok(id.map(OrgId))
}

/// Monitors that the file manages, of whatever owner: key, owner, whether it is gone from the file already.
pub async fn monitors(conn: &mut PgConnection) -> sqlx::Result<Vec<(MonitorId, Option<OrgId>, String, bool)>> {
    let rows = sqlx::query!(
        r#"SELECT id, org_id, key, removed_at IS NOT NULL AS "is_removed!" FROM uptime_monitors WHERE managed_by = 'file' ORDER BY id"#
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (MonitorId(row.id), row.org_id.map(OrgId), row.key, row.is_removed)).collect())
}

pub async fn groups(conn: &mut PgConnection) -> sqlx::Result<Vec<(GroupId, Option<OrgId>, String)>> {
    let rows = sqlx::query!("SELECT id, org_id, key FROM uptime_groups WHERE managed_by = 'file' ORDER BY id")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (GroupId(row.id), row.org_id.map(OrgId), row.key)).collect())
}

pub async fn windows(conn: &mut PgConnection) -> sqlx::Result<Vec<(WindowId, Option<OrgId>, String)>> {
    let rows = sqlx::query!("SELECT id, org_id, key FROM uptime_windows WHERE managed_by = 'file' ORDER BY id")
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (WindowId(row.id), row.org_id.map(OrgId), row.key)).collect())
}

/// Who manages a thing, if anybody does.
pub async fn managed_by(conn: &mut PgConnection, monitor: Uuid) -> sqlx::Result<Option<String>> {
    let found = sqlx::query_scalar!("SELECT managed_by FROM uptime_monitors WHERE id = $1", monitor)
        .fetch_optional(conn)
        .await?;
    Ok(found.flatten())
}
