//! `files_lifecycle_runs`, and what is due by a rule.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{BucketId, Key, LifecycleRule, LifecycleRun, UploadId, VersionId};
use platform::ids::OrgId;

/// Entries of one look.
pub(crate) const AT_ONCE: i64 = 100;

/// A version that is due.
pub(crate) struct Due {
    pub id: VersionId,
    pub key: Key,
    /// By which the next look begins.
    pub at: DateTime<Utc>,
}

/// Where the next look begins.
pub(crate) type After = (DateTime<Utc>, Uuid);

/// Buckets whose rules were not carried out since `since`; across all organisations: needs the system role.
pub(crate) async fn next_bucket(
    conn: &mut PgConnection,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<(OrgId, BucketId)>> {
    let row = sqlx::query!(
        r#"SELECT b.org_id AS "org_id: OrgId", b.id AS "id: BucketId" FROM files_buckets b
           LEFT JOIN files_lifecycle_runs r ON r.bucket_id = b.id
           WHERE b.lifecycle <> '[]' AND b.trashed_at IS NULL AND (r.ran_at IS NULL OR r.ran_at < $1) ORDER BY b.id LIMIT 1"#,
        since,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.org_id, row.id)))
}

pub(crate) async fn save(
    conn: &mut PgConnection,
    (org, bucket): (OrgId, BucketId),
    run: &LifecycleRun,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_lifecycle_runs (bucket_id, org_id, ran_at, expired, moved, aborted, problem) VALUES ($1, $2, $3, $4, $5, $6, $7)
         ON CONFLICT (bucket_id) DO UPDATE SET ran_at = excluded.ran_at, expired = excluded.expired, moved = excluded.moved,
           aborted = excluded.aborted, problem = excluded.problem",
        bucket.0,
        org.0,
        run.ran_at,
        run.expired,
        run.moved,
        run.aborted,
        run.problem,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// What the rules of a bucket did last.
pub(crate) async fn last(conn: &mut PgConnection, bucket: BucketId) -> sqlx::Result<Option<LifecycleRun>> {
    sqlx::query_as!(
        LifecycleRun,
        "SELECT ran_at, expired, moved, aborted, problem FROM files_lifecycle_runs WHERE bucket_id = $1",
        bucket.0,
    )
    .fetch_optional(conn)
    .await
}

/// Current objects that fit a rule and were written until `until`, the oldest first.
pub(crate) async fn current(
    conn: &mut PgConnection,
    bucket: BucketId,
    rule: &LifecycleRule,
    until: DateTime<Utc>,
    after: After,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: VersionId", key, created_at FROM files_objects
           WHERE bucket_id = $1 AND current AND created_at <= $2 AND created_at >= $3 AND (created_at, id) > ($3, $4)
             AND starts_with(key, $5) AND tags @> $6 AND size > coalesce($7::bigint, -1) AND size < coalesce($8::bigint, 9223372036854775807)
           ORDER BY created_at, id LIMIT $9"#,
        bucket.0,
        until,
        after.0,
        after.1,
        rule.prefix,
        Json(&rule.tags) as _,
        rule.larger_than,
        rule.smaller_than,
        AT_ONCE,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Due { id: row.id, key: Key::stored(row.key), at: row.created_at }).collect())
}

/// Versions that fit a rule and that others took the place of until `until`, without the newest `keep` of their keys.
pub(crate) async fn noncurrent(
    conn: &mut PgConnection,
    bucket: BucketId,
    rule: &LifecycleRule,
    (until, keep): (DateTime<Utc>, i64),
    after: After,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"SELECT o.id AS "id: VersionId", o.key, o.noncurrent_at AS "noncurrent_at!" FROM files_objects o
           WHERE o.bucket_id = $1 AND o.trashed_at IS NULL AND o.noncurrent_at IS NOT NULL AND o.noncurrent_at <= $2 AND o.noncurrent_at >= $3
             AND (o.noncurrent_at, o.id) > ($3, $4)
             AND starts_with(o.key, $5) AND o.tags @> $6 AND o.size > coalesce($7::bigint, -1) AND o.size < coalesce($8::bigint, 9223372036854775807)
             AND ($10::bigint = 0 OR $10 <= (SELECT count(*) FROM (
               SELECT FROM files_objects n WHERE n.bucket_id = $1 AND n.key = o.key AND n.trashed_at IS NULL AND n.noncurrent_at IS NOT NULL
                 AND n.seq > o.seq LIMIT $10) AS newer))
           ORDER BY o.noncurrent_at, o.id LIMIT $9"#,
        bucket.0,
        until,
        after.0,
        after.1,
        rule.prefix,
        Json(&rule.tags) as _,
        rule.larger_than,
        rule.smaller_than,
        AT_ONCE,
        keep,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Due { id: row.id, key: Key::stored(row.key), at: row.noncurrent_at }).collect())
}

/// Delete markers under which no version is left, behind a key.
pub(crate) async fn bare_markers(
    conn: &mut PgConnection,
    bucket: BucketId,
    prefix: &str,
    after: &str,
) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"SELECT m.id AS "id: VersionId", m.key, m.created_at FROM files_objects m
           WHERE m.bucket_id = $1 AND m.marker AND m.noncurrent_at IS NULL AND m.trashed_at IS NULL AND m.key > $3 COLLATE "C"
             AND m.key >= $2 COLLATE "C" AND starts_with(m.key, $2)
             AND NOT EXISTS (SELECT FROM files_objects o WHERE o.bucket_id = $1 AND o.key = m.key AND o.trashed_at IS NULL AND o.id <> m.id)
           ORDER BY m.key LIMIT $4"#,
        bucket.0,
        prefix,
        after,
        AT_ONCE,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Due { id: row.id, key: Key::stored(row.key), at: row.created_at }).collect())
}

/// Unfinished uploads below a prefix that were begun until `until`.
pub(crate) async fn uploads(
    conn: &mut PgConnection,
    bucket: BucketId,
    prefix: &str,
    until: DateTime<Utc>,
) -> sqlx::Result<Vec<UploadId>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id: UploadId" FROM files_uploads
           WHERE bucket_id = $1 AND ended_at IS NULL AND created_at <= $2 AND starts_with(key, $3) ORDER BY key, id LIMIT $4"#,
        bucket.0,
        until,
        prefix,
        AT_ONCE,
    )
    .fetch_all(conn)
    .await
}

/// Versions of a bucket that are not in the trash, of one key after the other: what emptying it deletes.
pub(crate) async fn everything(conn: &mut PgConnection, bucket: BucketId, after: &str) -> sqlx::Result<Vec<Due>> {
    let rows = sqlx::query!(
        r#"SELECT id AS "id: VersionId", key, created_at FROM files_objects
           WHERE bucket_id = $1 AND trashed_at IS NULL AND key > $2 COLLATE "C" ORDER BY key, seq DESC LIMIT $3"#,
        bucket.0,
        after,
        AT_ONCE,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| Due { id: row.id, key: Key::stored(row.key), at: row.created_at }).collect())
}
