//! `files_garbage`, and blobs that nothing refers to. Across all organisations: needs the system role.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::BlobId;
use platform::ids::OrgId;

/// Blobs that lost a reference before `before`, each with its notes. What lost it is committed, so whoever looks after this call sees it.
pub(crate) async fn noted(
    conn: &mut PgConnection,
    before: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<BTreeMap<Uuid, Vec<i64>>> {
    let rows =
        sqlx::query!("SELECT id, blob_id FROM files_garbage WHERE since < $1 ORDER BY since LIMIT $2", before, most,)
            .fetch_all(conn)
            .await?;
    let mut noted: BTreeMap<Uuid, Vec<i64>> = BTreeMap::new();
    for row in rows {
        noted.entry(row.blob_id).or_default().push(row.id);
    }
    Ok(noted)
}

/// Takes a blob, unless somebody is about to refer to it. Its own statement: the next one has a snapshot of after it, and sees what was committed until
/// the lock was taken.
pub(crate) async fn take(conn: &mut PgConnection, blob: Uuid) -> sqlx::Result<bool> {
    let taken = sqlx::query_scalar!("SELECT 1 FROM files_blobs WHERE id = $1 FOR UPDATE SKIP LOCKED", blob)
        .fetch_optional(conn)
        .await?;
    Ok(taken.is_some())
}

/// Marks a taken blob as gone if nothing refers to it, and forgets these notes. True: it is gone.
pub(crate) async fn settle(
    conn: &mut PgConnection,
    blob: Uuid,
    notes: &[i64],
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE files_blobs SET gone_at = $2 WHERE id = $1 AND gone_at IS NULL
           AND NOT EXISTS (SELECT FROM files_objects o WHERE o.blob_id = $1)
           AND NOT EXISTS (SELECT FROM files_extents e WHERE e.blob_id = $1)
           AND NOT EXISTS (SELECT FROM files_parts p WHERE p.blob_id = $1)",
        blob,
        now,
    )
    .execute(&mut *conn)
    .await?;
    sqlx::query!("DELETE FROM files_garbage WHERE id = ANY ($1)", notes).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Blobs that are gone, and whose files are to be deleted.
pub(crate) async fn gone(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<(OrgId, BlobId)>> {
    let rows = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: BlobId" FROM files_blobs WHERE gone_at IS NOT NULL ORDER BY gone_at LIMIT $1"#,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.id)).collect())
}

/// Forgets blobs whose files are deleted.
pub(crate) async fn forget(conn: &mut PgConnection, blobs: &[Uuid]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_blobs WHERE id = ANY ($1) AND gone_at IS NOT NULL", blobs)
        .execute(conn)
        .await
        .map(drop)
}

/// Blobs behind this one, in the order of their places.
pub(crate) async fn blobs_after(
    conn: &mut PgConnection,
    (org, blob): (Uuid, Uuid),
    most: i64,
) -> sqlx::Result<Vec<Stored>> {
    sqlx::query_as!(
        Stored,
        r#"SELECT org_id AS "org: OrgId", id AS "id: BlobId", size, sha256 FROM files_blobs
           WHERE (org_id, id) > ($1, $2) AND gone_at IS NULL ORDER BY org_id, id LIMIT $3"#,
        org,
        blob,
        most,
    )
    .fetch_all(conn)
    .await
}

/// A blob that is expected in the store.
pub(crate) struct Stored {
    pub org: OrgId,
    pub id: BlobId,
    pub size: i64,
    pub sha256: Vec<u8>,
}

/// Which of these blobs have a row.
pub(crate) async fn known(conn: &mut PgConnection, blobs: &[Uuid]) -> sqlx::Result<Vec<(OrgId, BlobId)>> {
    let rows = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: BlobId" FROM files_blobs WHERE id = ANY ($1)"#,
        blobs,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.id)).collect())
}

/// Marks a blob as damaged, or (`None`) as whole.
pub(crate) async fn set_damaged(
    conn: &mut PgConnection,
    blob: BlobId,
    damaged_at: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_blobs SET damaged_at = CASE WHEN $2::timestamptz IS NULL THEN NULL ELSE coalesce(damaged_at, $2) END WHERE id = $1",
        blob.0,
        damaged_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Forgets tokens that were used and have expired.
pub(crate) async fn forget_spent(conn: &mut PgConnection, now: DateTime<Utc>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM files_spent WHERE nonce IN (SELECT nonce FROM files_spent WHERE expires_at < $1 LIMIT $2)",
        now,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
