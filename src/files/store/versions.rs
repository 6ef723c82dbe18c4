//! `files_objects`: which version of a key is the latest, and what becomes of one that is overwritten, deleted or brought back.

use chrono::{DateTime, TimeDelta, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::objects::by_ids;
use crate::{BucketId, FilesError, Key, ListVersions, Lock, Object, VersionId, VersionRef};

/// The latest version of a key, which may be a marker; the trash does not count.
pub(crate) async fn latest(conn: &mut PgConnection, bucket: BucketId, key: &Key) -> Result<Option<Object>, FilesError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM files_objects WHERE bucket_id = $1 AND key = $2 AND trashed_at IS NULL ORDER BY seq DESC LIMIT 1",
        bucket.0,
        key.as_str(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => Ok(by_ids(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// A later version takes its place.
pub(crate) async fn supersede(conn: &mut PgConnection, id: VersionId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!("UPDATE files_objects SET current = false, noncurrent_at = $2 WHERE id = $1", id.0, now)
        .execute(conn)
        .await
        .map(drop)
}

/// Takes a version away: into the trash for so many days; a marker, or with 0 days, for good.
pub(crate) async fn remove(
    conn: &mut PgConnection,
    version: &Object,
    by: &str,
    days: i32,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    if days == 0 || version.marker {
        return sqlx::query!("DELETE FROM files_objects WHERE id = $1", version.id.0).execute(conn).await.map(drop);
    }
    sqlx::query!(
        "UPDATE files_objects SET current = false, noncurrent_at = coalesce(noncurrent_at, $2), trashed_at = $2, trashed_by = $3,
           purge_at = $4 WHERE id = $1",
        version.id.0,
        now,
        by,
        now + TimeDelta::days(days.into()),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// After a version was taken away: the one below it is the latest again, and is what a reader gets unless it is a marker.
pub(crate) async fn promote(conn: &mut PgConnection, bucket: BucketId, key: &Key) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_objects SET noncurrent_at = NULL, current = NOT marker
         WHERE id = (SELECT id FROM files_objects WHERE bucket_id = $1 AND key = $2 AND trashed_at IS NULL ORDER BY seq DESC LIMIT 1)
           AND noncurrent_at IS NOT NULL",
        bucket.0,
        key.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Brings a version back out of the trash, as the latest of its key.
pub(crate) async fn revive(conn: &mut PgConnection, id: VersionId, unversioned: bool) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_objects SET current = true, noncurrent_at = NULL, trashed_at = NULL, trashed_by = NULL, purge_at = NULL,
           unversioned = $2, seq = nextval('files_objects_seq') WHERE id = $1",
        id.0,
        unversioned,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Gives a current object another key, in the same or another bucket.
pub(crate) async fn move_to(conn: &mut PgConnection, id: VersionId, bucket: BucketId, key: &Key) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_objects SET bucket_id = $2, key = $3, seq = nextval('files_objects_seq') WHERE id = $1",
        id.0,
        bucket.0,
        key.as_str(),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Holds a version's row until the transaction ends, so that neither it nor its blobs are deleted meanwhile. False: it is gone.
pub(crate) async fn hold(conn: &mut PgConnection, id: VersionId) -> sqlx::Result<bool> {
    let found = sqlx::query_scalar!("SELECT 1 FROM files_objects WHERE id = $1 FOR KEY SHARE", id.0)
        .fetch_optional(conn)
        .await?;
    Ok(found.is_some())
}

/// Holds it alone, to change it. False: it is gone, or in the trash.
pub(crate) async fn hold_alone(conn: &mut PgConnection, id: VersionId) -> sqlx::Result<bool> {
    let found =
        sqlx::query_scalar!("SELECT 1 FROM files_objects WHERE id = $1 AND trashed_at IS NULL FOR NO KEY UPDATE", id.0)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

pub(crate) async fn set_lock(conn: &mut PgConnection, id: VersionId, lock: Option<Lock>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_objects SET lock_mode = $2, lock_until = $3 WHERE id = $1",
        id.0,
        lock.map(|lock| lock.mode.as_str()),
        lock.map(|lock| lock.until),
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn set_hold(conn: &mut PgConnection, id: VersionId, hold: bool) -> sqlx::Result<()> {
    sqlx::query!("UPDATE files_objects SET legal_hold = $2 WHERE id = $1", id.0, hold).execute(conn).await.map(drop)
}

/// Content type, headers, metadata and tags as `object` has them.
pub(crate) async fn set_description(conn: &mut PgConnection, object: &Object) -> sqlx::Result<()> {
    use sqlx::types::Json;
    sqlx::query!(
        "UPDATE files_objects SET content_type = $2, headers = $3, metadata = $4, tags = $5 WHERE id = $1",
        object.id.0,
        object.content_type,
        Json(&object.headers) as _,
        Json(&object.metadata) as _,
        Json(&object.tags) as _,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// An entry of a list of versions: without an id it is a prefix.
pub(crate) struct Entry {
    pub id: Option<Uuid>,
    pub key: String,
    pub latest: bool,
}

/// A page of versions, and one entry more.
pub(crate) async fn list(conn: &mut PgConnection, bucket: BucketId, query: &ListVersions) -> sqlx::Result<Vec<Entry>> {
    let below = match query.behind {
        Some(version) => place_of(&mut *conn, bucket, &query.start, version).await?,
        None => 0,
    };
    let rows = sqlx::query!(
        r#"SELECT l.id, l.key AS "key!", l.latest FROM files_list_versions($1, $2, $3, $4, $5, $6) AS l"#,
        bucket.0,
        query.prefix,
        query.delimiter,
        query.start,
        below,
        query.most + 1,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Entry { id: row.id, key: row.key, latest: row.latest.unwrap_or(false) }).collect())
}

/// Where a version stands among those of its key, also while it is in the trash. 0 where it is gone for good: versions of the key may then be shown
/// a second time, and none is left out.
async fn place_of(conn: &mut PgConnection, bucket: BucketId, key: &str, version: VersionRef) -> sqlx::Result<i64> {
    let found = match version {
        VersionRef::Id(id) => {
            sqlx::query_scalar!("SELECT seq FROM files_objects WHERE id = $1 AND bucket_id = $2", id.0, bucket.0)
                .fetch_optional(conn)
                .await?
        }
        VersionRef::Unversioned => sqlx::query_scalar!(
            "SELECT seq FROM files_objects WHERE bucket_id = $1 AND key = $2 AND unversioned AND trashed_at IS NULL",
            bucket.0,
            key,
        )
        .fetch_optional(conn)
        .await?,
    };
    Ok(found.unwrap_or(0))
}

/// The server's clock: locks end by it, whatever the clock of this host says.
pub(crate) async fn server_time(conn: &mut PgConnection) -> sqlx::Result<DateTime<Utc>> {
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await
}
