//! `files_image_reports`, and which images a bucket has

use chrono::{DateTime, Utc};
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::BucketId;
use platform::ids::OrgId;

/// Media types, as they are found in the content, of images that can be read.
pub(crate) const IMAGES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// A report begins: the one before stays until it has ended.
pub(crate) async fn begin(
    conn: &mut PgConnection,
    org: OrgId,
    bucket: BucketId,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO files_image_reports (bucket_id, org_id, started_at) VALUES ($1, $2, $3)
         ON CONFLICT (bucket_id) DO UPDATE SET started_at = excluded.started_at, ended_at = NULL",
        bucket.0,
        org.0,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

pub(crate) async fn end(
    conn: &mut PgConnection,
    bucket: BucketId,
    report: &Value,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_image_reports SET report = $2, ended_at = $3 WHERE bucket_id = $1",
        bucket.0,
        report,
        now,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Begin and end of the last one, and what it found.
pub(crate) type Last = (DateTime<Utc>, Option<DateTime<Utc>>, Option<Value>);

pub(crate) async fn last(conn: &mut PgConnection, bucket: BucketId) -> sqlx::Result<Option<Last>> {
    let row =
        sqlx::query!("SELECT started_at, ended_at, report FROM files_image_reports WHERE bucket_id = $1", bucket.0)
            .fetch_optional(conn)
            .await?;
    Ok(row.map(|row| (row.started_at, row.ended_at, row.report)))
}

/// Images of one media type.
#[derive(Debug)]
pub(crate) struct OfType {
    pub media_type: String,
    pub images: i64,
    pub bytes: i64,
}

/// How many current images the bucket has, by type. Those above `most` bytes are not read, and not counted.
pub(crate) async fn count(conn: &mut PgConnection, bucket: BucketId, most: i64) -> sqlx::Result<Vec<OfType>> {
    let types = IMAGES.map(str::to_owned);
    sqlx::query_as!(
        OfType,
        r#"SELECT sniffed AS media_type, count(*) AS "images!", coalesce(sum(size), 0)::bigint AS "bytes!"
           FROM files_objects WHERE bucket_id = $1 AND current AND sniffed = ANY ($2) AND size BETWEEN 1 AND $3
           GROUP BY sniffed ORDER BY sniffed"#,
        bucket.0,
        &types,
        most,
    )
    .fetch_all(conn)
    .await
}

/// The largest of them, then others as if by lot: of an id's hash.
pub(crate) async fn sample(
    conn: &mut PgConnection,
    bucket: BucketId,
    most: i64,
    (largest, others): (i64, i64),
) -> sqlx::Result<(Vec<Uuid>, Vec<Uuid>)> {
    let types = IMAGES.map(str::to_owned);
    let first = sqlx::query_scalar!(
        "SELECT id FROM files_objects WHERE bucket_id = $1 AND current AND sniffed = ANY ($2) AND size BETWEEN 1 AND $3
         ORDER BY size DESC, id LIMIT $4",
        bucket.0,
        &types,
        most,
        largest,
    )
    .fetch_all(&mut *conn)
    .await?;
    let rest = sqlx::query_scalar!(
        "SELECT id FROM files_objects WHERE bucket_id = $1 AND current AND sniffed = ANY ($2) AND size BETWEEN 1 AND $3 AND NOT id = ANY ($4)
         ORDER BY md5(id::text) LIMIT $5",
        bucket.0,
        &types,
        most,
        &first,
        others,
    )
    .fetch_all(conn)
    .await?;
    Ok((first, rest))
}
