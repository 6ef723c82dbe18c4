//! `files_buckets`

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::{PgConnection, types::Json};

use crate::{Bucket, BucketId, FilesError, NewBucket, Tags, TrashedBucket};
use platform::{db::contains, http::Slice, ids::OrgId};

struct Row {
    id: BucketId,
    org_id: OrgId,
    name: String,
    public: bool,
    versioning: String,
    object_lock: bool,
    lock_mode: Option<String>,
    lock_days: Option<i32>,
    trash_days: i32,
    max_object_bytes: Option<i64>,
    quota_bytes: Option<i64>,
    allowed_types: Vec<String>,
    cache_control: String,
    image_options: String,
    image_presets: Value,
    scan: String,
    cors: Value,
    lifecycle: Value,
    tags: Json<Tags>,
    purge_url: Option<String>,
    revision: i64,
    created_by: String,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

fn bucket(row: Row) -> Result<Bucket, FilesError> {
    Ok(Bucket {
        id: row.id,
        org: row.org_id,
        name: row.name,
        public: row.public,
        versioning: row.versioning.parse().map_err(FilesError::Row)?,
        object_lock: row.object_lock,
        lock_mode: row.lock_mode.map(|mode| mode.parse().map_err(FilesError::Row)).transpose()?,
        lock_days: row.lock_days,
        trash_days: row.trash_days,
        max_object_bytes: row.max_object_bytes,
        quota_bytes: row.quota_bytes,
        allowed_types: row.allowed_types,
        cache_control: row.cache_control,
        image_options: row.image_options.parse().map_err(FilesError::Row)?,
        image_presets: row.image_presets,
        scan: row.scan.parse().map_err(FilesError::Row)?,
        cors: row.cors,
        lifecycle: row.lifecycle,
        tags: row.tags.0,
        purge_url: row.purge_url,
        revision: row.revision,
        created_by: row.created_by,
        created_at: row.created_at,
        updated_at: row.updated_at,
    })
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: BucketId) -> Result<Option<Bucket>, FilesError> {
    Ok(by_ids(conn, &[id]).await?.pop())
}

pub(crate) async fn by_name(conn: &mut PgConnection, org: OrgId, name: &str) -> Result<Option<Bucket>, FilesError> {
    let id = sqlx::query_scalar!(
        r#"SELECT id AS "id: BucketId" FROM files_buckets WHERE org_id = $1 AND name = $2 AND trashed_at IS NULL"#,
        org.0,
        name,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => by_id(conn, id).await,
        None => Ok(None),
    }
}

/// Those of them that are there, the newest first.
async fn by_ids(conn: &mut PgConnection, ids: &[BucketId]) -> Result<Vec<Bucket>, FilesError> {
    let ids: Vec<_> = ids.iter().map(|id| id.0).collect();
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: BucketId", org_id AS "org_id: OrgId", name, public, versioning, object_lock, lock_mode, lock_days, trash_days,
             max_object_bytes, quota_bytes, allowed_types, cache_control, image_options, image_presets, scan, cors, lifecycle,
             tags AS "tags: Json<Tags>", purge_url, revision, created_by, created_at, updated_at
           FROM files_buckets WHERE id = ANY ($1) AND trashed_at IS NULL ORDER BY id DESC"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(bucket).collect()
}

/// Newest first; `search` matches a part of the name.
pub(crate) async fn list(
    conn: &mut PgConnection,
    search: Option<&str>,
    slice: &Slice,
) -> Result<Vec<Bucket>, FilesError> {
    let found = sqlx::query_scalar!(
        r#"SELECT id AS "id!: BucketId" FROM files_buckets_found($1, $2, $3) AS id"#,
        search.map(contains),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(&mut *conn)
    .await?;
    by_ids(conn, &found).await
}

/// How many an organisation has; those in the trash count.
pub(crate) async fn count(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM files_buckets WHERE org_id = $1"#, org.0)
        .fetch_one(conn)
        .await
}

pub(crate) async fn insert(
    conn: &mut PgConnection,
    (id, org): (BucketId, OrgId),
    new: &NewBucket,
    trash_days: i32,
    created_by: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_buckets (id, org_id, name, public, versioning, object_lock, trash_days, created_by, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
        id.0,
        org.0,
        new.name,
        new.public,
        new.versioning.as_str(),
        new.object_lock,
        trash_days,
        created_by,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Whether anything is in it that is not in the trash; and whether anything is.
pub(crate) async fn content(conn: &mut PgConnection, id: BucketId) -> sqlx::Result<(bool, bool)> {
    let row = sqlx::query!(
        r#"SELECT EXISTS (SELECT FROM files_objects WHERE bucket_id = $1 AND trashed_at IS NULL)
               OR EXISTS (SELECT FROM files_uploads WHERE bucket_id = $1 AND ended_at IS NULL) AS "live!",
             EXISTS (SELECT FROM files_objects WHERE bucket_id = $1) AS "any!""#,
        id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok((row.live, row.any))
}

/// Takes the bucket's row, so that nothing is written into it meanwhile; false where there is none.
pub(crate) async fn lock(conn: &mut PgConnection, id: BucketId) -> sqlx::Result<bool> {
    let found =
        sqlx::query_scalar!("SELECT 1 FROM files_buckets WHERE id = $1 AND trashed_at IS NULL FOR UPDATE", id.0)
            .fetch_optional(conn)
            .await?;
    Ok(found.is_some())
}

/// Takes the bucket's settings: others write into it meanwhile, and nobody changes them. As they are now; `None` where it is gone.
pub(crate) async fn lock_settings(conn: &mut PgConnection, id: BucketId) -> Result<Option<Bucket>, FilesError> {
    let found =
        sqlx::query_scalar!("SELECT 1 FROM files_buckets WHERE id = $1 AND trashed_at IS NULL FOR NO KEY UPDATE", id.0)
            .fetch_optional(&mut *conn)
            .await?;
    if found.is_some() { by_id(conn, id).await } else { Ok(None) }
}

/// As [`lock`], beside others who write into it: it cannot be deleted meanwhile. The bucket as it is now; `None` where it is gone.
pub(crate) async fn share(conn: &mut PgConnection, bucket: &Bucket) -> Result<Option<Bucket>, FilesError> {
    let row = sqlx::query!(
        "SELECT versioning, object_lock, lock_mode, lock_days, trash_days, max_object_bytes, quota_bytes FROM files_buckets
         WHERE id = $1 AND trashed_at IS NULL FOR KEY SHARE",
        bucket.id.0,
    )
    .fetch_optional(conn)
    .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(Bucket {
        versioning: row.versioning.parse().map_err(FilesError::Row)?,
        object_lock: row.object_lock,
        lock_mode: row.lock_mode.map(|mode| mode.parse().map_err(FilesError::Row)).transpose()?,
        lock_days: row.lock_days,
        trash_days: row.trash_days,
        max_object_bytes: row.max_object_bytes,
        quota_bytes: row.quota_bytes,
        ..bucket.clone()
    }))
}

/// Writes the settings of a bucket that [`lock`] took, and counts its revision.
pub(crate) async fn update(conn: &mut PgConnection, bucket: &Bucket, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_buckets SET public = $2, versioning = $3, object_lock = $4, lock_mode = $5, lock_days = $6, trash_days = $7,
           max_object_bytes = $8, quota_bytes = $9, allowed_types = $10, cache_control = $11, image_options = $12, image_presets = $13,
           scan = $14, cors = $15, lifecycle = $16, tags = $17, purge_url = $18, revision = revision + 1, updated_at = $19
         WHERE id = $1",
        bucket.id.0,
        bucket.public,
        bucket.versioning.as_str(),
        bucket.object_lock,
        bucket.lock_mode.map(crate::LockMode::as_str),
        bucket.lock_days,
        bucket.trash_days,
        bucket.max_object_bytes,
        bucket.quota_bytes,
        &bucket.allowed_types,
        bucket.cache_control,
        bucket.image_options.as_str(),
        bucket.image_presets,
        bucket.scan.as_str(),
        bucket.cors,
        bucket.lifecycle,
        Json(&bucket.tags) as _,
        bucket.purge_url,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn delete(conn: &mut PgConnection, id: BucketId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_buckets WHERE id = $1", id.0).execute(conn).await.map(drop)
}

/// Puts it into the trash, where its content is: its name is free.
pub(crate) async fn trash(conn: &mut PgConnection, id: BucketId, now: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_buckets SET trashed_at = $2, updated_at = $2, revision = revision + 1 WHERE id = $1",
        id.0,
        now
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Buckets in the trash, the newest first.
pub(crate) async fn trashed(conn: &mut PgConnection, slice: &Slice) -> sqlx::Result<Vec<TrashedBucket>> {
    sqlx::query_as!(
        TrashedBucket,
        r#"SELECT id AS "id: BucketId", name, trashed_at AS "trashed_at!" FROM files_buckets
           WHERE trashed_at IS NOT NULL AND id < $1 ORDER BY id DESC LIMIT $2"#,
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}

/// Brings a bucket back under a name. False: it is not in the trash.
pub(crate) async fn revive(
    conn: &mut PgConnection,
    id: BucketId,
    name: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE files_buckets SET trashed_at = NULL, name = $2, updated_at = $3, revision = revision + 1
         WHERE id = $1 AND trashed_at IS NOT NULL",
        id.0,
        name,
        now,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes buckets in the trash that have nothing left in them. Across all organisations: needs the system role.
pub(crate) async fn drop_empty(conn: &mut PgConnection, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM files_buckets WHERE id IN (
           SELECT b.id FROM files_buckets b WHERE b.trashed_at IS NOT NULL
             AND NOT EXISTS (SELECT FROM files_objects o WHERE o.bucket_id = b.id) LIMIT $1 FOR UPDATE SKIP LOCKED)",
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
