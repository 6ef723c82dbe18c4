//! What the console and the command line show beside objects: usage by bucket, upkeep, damage, quarantine.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{BucketId, BucketUsage, VersionId};
use platform::{db::contains, http::Slice, ids::OrgId};

/// A bucket and what it has.
#[derive(Clone, Debug)]
pub struct StoredInBucket {
    pub id: BucketId,
    pub name: String,
    pub usage: BucketUsage,
}

/// The buckets of an organisation that have most, those in the trash too.
pub(crate) async fn largest(conn: &mut PgConnection, org: OrgId, most: i64) -> sqlx::Result<Vec<StoredInBucket>> {
    let rows = sqlx::query!(
        r#"SELECT b.id AS "id: BucketId", b.name, u.objects AS "objects!", u.bytes AS "bytes!", u.versions AS "versions!",
             u.version_bytes AS "version_bytes!", u.trashed AS "trashed!", u.trashed_bytes AS "trashed_bytes!"
           FROM (SELECT bucket_id, sum(objects)::bigint AS objects, sum(bytes)::bigint AS bytes, sum(versions)::bigint AS versions,
                   sum(version_bytes)::bigint AS version_bytes, sum(trashed)::bigint AS trashed, sum(trashed_bytes)::bigint AS trashed_bytes
                 FROM files_usage WHERE org_id = $1 GROUP BY bucket_id) u
           JOIN files_buckets b ON b.id = u.bucket_id
           ORDER BY u.bytes + u.version_bytes + u.trashed_bytes DESC, b.id LIMIT $2"#,
        org.0,
        most,
    )
    .fetch_all(conn)
    .await?;
    let bucket = rows.into_iter().map(|row| StoredInBucket {
        id: row.id,
        name: row.name,
        usage: BucketUsage {
            objects: row.objects,
            bytes: row.bytes,
            versions: row.versions,
            version_bytes: row.version_bytes,
            trashed: row.trashed,
            trashed_bytes: row.trashed_bytes,
        },
    });
    Ok(bucket.collect())
}

/// Objects of an organisation that are damaged or missing.
pub(crate) async fn count_damage(conn: &mut PgConnection, org: OrgId) -> sqlx::Result<i64> {
    sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM files_damage WHERE org_id = $1 AND repaired_at IS NULL"#,
        org.0
    )
    .fetch_one(conn)
    .await
}

/// An object in quarantine.
#[derive(Clone, Debug)]
pub struct QuarantinedObject {
    pub id: VersionId,
    pub bucket: String,
    pub key: String,
    pub found: String,
    pub created_at: DateTime<Utc>,
}

/// Those of a page of objects in which the scanner found something. (There is no index of all: they are few, and an event tells of each.)
pub(crate) async fn quarantined(
    conn: &mut PgConnection,
    org: OrgId,
    most: i64,
) -> sqlx::Result<Vec<QuarantinedObject>> {
    sqlx::query_as!(
        QuarantinedObject,
        r#"SELECT o.id AS "id: VersionId", b.name AS bucket, o.key, o.scan_note AS found, o.created_at
           FROM files_objects o JOIN files_buckets b ON b.id = o.bucket_id
           WHERE o.org_id = $1 AND o.scan = 'infected' ORDER BY o.id DESC LIMIT $2"#,
        org.0,
        most,
    )
    .fetch_all(conn)
    .await
}

/// Ids of current objects below `under` whose key has this text: those first that were written last.
pub(crate) async fn search(
    conn: &mut PgConnection,
    bucket: BucketId,
    under: &str,
    text: &str,
    slice: &Slice,
) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!(
        r#"SELECT id AS "id!" FROM files_objects_found($1, $2, $3, $4, $5) AS id"#,
        bucket.0,
        under,
        contains(text),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await
}
