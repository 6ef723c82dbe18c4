//! `files_objects` in the trash.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::objects::by_ids;
use crate::{BucketId, FilesError, TrashEntry, VersionId};
use platform::{db::contains, http::Slice};

/// A page of the trash of a bucket, or (`None`) of all: what was written last comes first. `search` matches a part of the key.
pub(crate) async fn list(
    conn: &mut PgConnection,
    bucket: Option<BucketId>,
    search: Option<&str>,
    slice: &Slice,
) -> Result<Vec<TrashEntry>, FilesError> {
    let ids = sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM files_trash_found($1, $2, $3, $4) AS id"#,
        bucket.map(|bucket| bucket.0),
        search.map(contains),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(&mut *conn)
    .await?;
    entries(conn, &ids).await
}

/// Versions with these ids that are in the trash, the newest first.
pub(crate) async fn entries(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<TrashEntry>, FilesError> {
    let rows = sqlx::query!(
        r#"SELECT id, trashed_at AS "trashed_at!", coalesce(trashed_by, '') AS "trashed_by!", purge_at AS "purge_at!"
           FROM files_objects WHERE id = ANY ($1) AND trashed_at IS NOT NULL"#,
        ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let mut found = Vec::with_capacity(rows.len());
    for object in by_ids(conn, ids).await? {
        if let Some(row) = rows.iter().find(|row| row.id == object.id.0) {
            let (trashed_at, trashed_by, purge_at) = (row.trashed_at, row.trashed_by.clone(), row.purge_at);
            found.push(TrashEntry { object, trashed_at, trashed_by, purge_at });
        }
    }
    found.sort_by_key(|entry| std::cmp::Reverse(entry.object.id));
    Ok(found)
}

/// Deletes a version out of the trash for good. False: it is not there.
pub(crate) async fn delete(conn: &mut PgConnection, id: VersionId) -> sqlx::Result<bool> {
    let done =
        sqlx::query!("DELETE FROM files_objects WHERE id = $1 AND trashed_at IS NOT NULL", id.0).execute(conn).await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes some of the trash of a bucket for good; returns how many.
pub(crate) async fn empty(conn: &mut PgConnection, bucket: BucketId, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM files_objects WHERE id IN (
           SELECT id FROM files_objects WHERE bucket_id = $1 AND trashed_at IS NOT NULL ORDER BY id LIMIT $2 FOR UPDATE SKIP LOCKED)",
        bucket.0,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes what the trash lets go of. Across all organisations: needs the system role.
pub(crate) async fn purge(conn: &mut PgConnection, now: DateTime<Utc>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM files_objects WHERE id IN (
           SELECT id FROM files_objects WHERE purge_at < $1 AND NOT legal_hold
             AND (lock_mode IS DISTINCT FROM 'compliance' OR lock_until < clock_timestamp())
           ORDER BY purge_at LIMIT $2 FOR UPDATE SKIP LOCKED)",
        now,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
