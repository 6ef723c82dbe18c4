//! `files_usage` and `files_quotas`

use sqlx::PgConnection;

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
