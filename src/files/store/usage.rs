//! `files_usage` and `files_quotas`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{BucketId, BucketUsage};
use platform::ids::OrgId;

/// What a bucket has.
pub(crate) async fn of_bucket(conn: &mut PgConnection, bucket: BucketId) -> sqlx::Result<BucketUsage> {
    sqlx::query_as!(
        BucketUsage,
        r#"SELECT coalesce(sum(objects), 0)::bigint AS "objects!", coalesce(sum(bytes), 0)::bigint AS "bytes!",
             coalesce(sum(versions), 0)::bigint AS "versions!", coalesce(sum(version_bytes), 0)::bigint AS "version_bytes!",
             coalesce(sum(trashed), 0)::bigint AS "trashed!", coalesce(sum(trashed_bytes), 0)::bigint AS "trashed_bytes!"
           FROM files_usage WHERE bucket_id = $1"#,
        bucket.0,
    )
    .fetch_one(conn)
    .await
}

/// What all buckets of an organisation have.
pub(crate) async fn of_org(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<BucketUsage> {
    sqlx::query_as!(
        BucketUsage,
        r#"SELECT coalesce(sum(objects), 0)::bigint AS "objects!", coalesce(sum(bytes), 0)::bigint AS "bytes!",
             coalesce(sum(versions), 0)::bigint AS "versions!", coalesce(sum(version_bytes), 0)::bigint AS "version_bytes!",
             coalesce(sum(trashed), 0)::bigint AS "trashed!", coalesce(sum(trashed_bytes), 0)::bigint AS "trashed_bytes!"
           FROM files_usage WHERE org_id = $1"#,
        org.0,
    )
    .fetch_one(conn)
    .await
}

/// Bytes and objects that an operator gave the organisation; `None`: those of the settings.
pub(crate) async fn quota(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<(Option<i64>, Option<i64>)> {
    let row =
        sqlx::query!("SELECT bytes, objects FROM files_quotas WHERE org_id = $1", org.0).fetch_optional(conn).await?;
    Ok(row.map_or((None, None), |row| (row.bytes, row.objects)))
}

struct Usage {
    bucket_id: BucketId,
    objects: i64,
    bytes: i64,
    versions: i64,
    version_bytes: i64,
    trashed: i64,
    trashed_bytes: i64,
}

/// What buckets have, by their ids.
pub(crate) async fn of_buckets(
    conn: &mut PgConnection,
    buckets: &[BucketId],
) -> sqlx::Result<HashMap<BucketId, BucketUsage>> {
    let ids: Vec<Uuid> = buckets.iter().map(|bucket| bucket.0).collect();
    let rows = sqlx::query_as!(
        Usage,
        r#"SELECT bucket_id AS "bucket_id: BucketId", sum(objects)::bigint AS "objects!", sum(bytes)::bigint AS "bytes!",
             sum(versions)::bigint AS "versions!", sum(version_bytes)::bigint AS "version_bytes!",
             sum(trashed)::bigint AS "trashed!", sum(trashed_bytes)::bigint AS "trashed_bytes!"
           FROM files_usage WHERE bucket_id = ANY ($1) GROUP BY bucket_id"#,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    let usage = |row: Usage| {
        let Usage { bucket_id, objects, bytes, versions, version_bytes, trashed, trashed_bytes } = row;
        (bucket_id, BucketUsage { objects, bytes, versions, version_bytes, trashed, trashed_bytes })
    };
    Ok(rows.into_iter().map(usage).collect())
}

/// Sets what an operator gives the organisation.
pub(crate) async fn set_quota(
    conn: &mut PgConnection,
    org: OrgId,
    (bytes, objects): (Option<i64>, Option<i64>),
    by: &str,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_quotas (org_id, bytes, objects, updated_by, updated_at) VALUES ($1, $2, $3, $4, $5)
         ON CONFLICT (org_id) DO UPDATE SET bytes = excluded.bytes, objects = excluded.objects, updated_by = excluded.updated_by,
           updated_at = excluded.updated_at",
        org.0,
        bytes,
        objects,
        by,
        now,
    )
    .execute(conn)
    .await
    .map(drop)
}
