//! `uptime_imports`. `org` selects the owner (`None`: the installation).

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    import::{Import, Report},
    model::{ImportId, ImportSource},
};
use platform::{http::Slice, ids::OrgId};

/// An import to insert.
pub struct NewRow<'a> {
    pub id: ImportId,
    pub org: Option<OrgId>,
    pub source: ImportSource,
    pub file_name: &'a str,
    /// Sealed.
    pub content: &'a [u8],
    pub report: &'a Report,
    pub created_by: &'a str,
    pub now: DateTime<Utc>,
}

pub async fn insert(conn: &mut PgConnection, new: &NewRow<'_>) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO uptime_imports (id, org_id, source, file_name, content, report, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        new.id.0,
        new.org.map(|org| org.0),
        new.source.as_str(),
        new.file_name,
        new.content,
        Json(new.report) as _,
        new.created_by,
        new.now,
    )
    .execute(conn)
    .await
    .map(drop)
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    source: String,
    file_name: String,
    is_open: bool,
    report: serde_json::Value,
    applied_at: Option<DateTime<Utc>>,
    created_by: String,
    created_at: DateTime<Utc>,
}

impl From<Row> for Import {
    fn from(row: Row) -> Self {
        Self {
            id: ImportId(row.id),
            installation: row.org_id.is_none(),
            // The table's check constraint permits only known ones.
            source: row.source.parse().unwrap_or(ImportSource::UptimeKuma),
            file_name: row.file_name,
            is_open: row.is_open,
            report: serde_json::from_value(row.report).unwrap_or_default(),
            applied_at: row.applied_at,
            created_by: row.created_by,
            created_at: row.created_at,
        }
    }
}

/// Newest first.
pub async fn list(conn: &mut PgConnection, org: Option<OrgId>, slice: &Slice) -> sqlx::Result<Vec<Import>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id, org_id, source, file_name, content IS NOT NULL AS "is_open!", report, applied_at, created_by, created_at
           FROM uptime_imports WHERE org_id IS NOT DISTINCT FROM $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        org.map(|org| org.0),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Import::from).collect())
}

/// With its sealed content, locked until the transaction ends.
pub async fn get(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: ImportId,
) -> sqlx::Result<Option<(Import, Option<Vec<u8>>)>> {
    let found = sqlx::query!(
        "SELECT id, org_id, source, file_name, content, report, applied_at, created_by, created_at
         FROM uptime_imports WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2 FOR UPDATE",
        id.0,
        org.map(|org| org.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(found.map(|row| {
        let import = Row {
            id: row.id,
            org_id: row.org_id,
            source: row.source,
            file_name: row.file_name,
            is_open: row.content.is_some(),
            report: row.report,
            applied_at: row.applied_at,
            created_by: row.created_by,
            created_at: row.created_at,
        };
        (import.into(), row.content)
    }))
}

/// What it became; its content is not needed any more.
pub async fn applied(conn: &mut PgConnection, id: ImportId, report: &Report, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE uptime_imports SET content = NULL, report = $2, applied_at = $3 WHERE id = $1",
        id.0,
        Json(report) as _,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Files that nobody applied. As role `system`.
pub async fn forget_contents(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("UPDATE uptime_imports SET content = NULL WHERE content IS NOT NULL AND created_at < $1", before)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
