//! `files_links`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{BucketId, FileLink, FileLinkId, VersionId};
use platform::{http::Slice, ids::OrgId};

struct Row {
    id: FileLinkId,
    org_id: OrgId,
    bucket_id: BucketId,
    key: String,
    folder: bool,
    object_id: Option<VersionId>,
    password_hash: Option<String>,
    expires_at: Option<DateTime<Utc>>,
    most: Option<i32>,
    used: i32,
    created_by: String,
    created_at: DateTime<Utc>,
}

/// A link as it is stored, with what only opening it needs.
pub(crate) struct StoredLink {
    pub link: FileLink,
    pub org: OrgId,
    /// In PHC form.
    pub password_hash: Option<String>,
}

fn stored(row: Row) -> StoredLink {
    let link = FileLink {
        id: row.id,
        bucket: row.bucket_id,
        key: row.key,
        folder: row.folder,
        version: row.object_id,
        has_password: row.password_hash.is_some(),
        expires_at: row.expires_at,
        most: row.most,
        used: row.used,
        created_by: row.created_by,
        created_at: row.created_at,
    };
    StoredLink { link, org: row.org_id, password_hash: row.password_hash }
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    org: OrgId,
    link: &FileLink,
    token_hash: &[u8],
    password_hash: Option<&str>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_links (id, org_id, bucket_id, key, folder, object_id, token_hash, password_hash, expires_at, most, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
        link.id.0,
        org.0,
        link.bucket.0,
        link.key,
        link.folder,
        link.version.map(|version| version.0),
        token_hash,
        password_hash,
        link.expires_at,
        link.most,
        link.created_by,
        link.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Newest first; those that have expired or are used up, too.
pub(crate) async fn list(conn: &mut PgConnection, org: OrgId, slice: &Slice) -> sqlx::Result<Vec<FileLink>> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: FileLinkId", org_id AS "org_id: OrgId", bucket_id AS "bucket_id: BucketId", key, folder,
             object_id AS "object_id: VersionId", password_hash, expires_at, most, used, created_by, created_at
           FROM files_links WHERE org_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3"#,
        org.0,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| stored(row).link).collect())
}

/// The link with this token, whosever it is: needs the system role.
pub(crate) async fn by_token(conn: &mut PgConnection, token_hash: &[u8]) -> sqlx::Result<Option<StoredLink>> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: FileLinkId", org_id AS "org_id: OrgId", bucket_id AS "bucket_id: BucketId", key, folder,
             object_id AS "object_id: VersionId", password_hash, expires_at, most, used, created_by, created_at
           FROM files_links WHERE token_hash = $1 AND revoked_at IS NULL"#,
        token_hash,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(stored))
}

/// False: there is none.
pub(crate) async fn delete(conn: &mut PgConnection, id: FileLinkId) -> sqlx::Result<bool> {
    let done = sqlx::query!("DELETE FROM files_links WHERE id = $1", id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Counts a use. False: it was used as often as it may be, or is gone.
pub(crate) async fn count(conn: &mut PgConnection, id: FileLinkId) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("UPDATE files_links SET used = used + 1 WHERE id = $1 AND (most IS NULL OR used < most)", id.0)
            .execute(conn)
            .await?;
    Ok(done.rows_affected() > 0)
}
