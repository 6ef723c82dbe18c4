//! `files_uploads`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    BucketId, Claims, FilesError, Headers, Key, ListUploads, Lock, Metadata, Tags, Upload, UploadId, VersionId,
};
use platform::ids::OrgId;
use storage::DigestKind;

struct Row {
    id: UploadId,
    org_id: OrgId,
    bucket_id: BucketId,
    key: String,
    kind: String,
    length: Option<i64>,
    received: i64,
    replace: bool,
    content_type: String,
    headers: Json<Headers>,
    metadata: Json<Metadata>,
    tags: Json<Tags>,
    checksum_algorithm: Option<String>,
    checksum_type: Option<String>,
    lock_mode: Option<String>,
    lock_until: Option<DateTime<Utc>>,
    legal_hold: bool,
    claims: Option<Json<Claims>>,
    created_by: String,
    created_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    object_id: Option<VersionId>,
    ended_at: Option<DateTime<Utc>>,
}

/// What `checksum_type` says of a checksum of all bytes.
const FULL: &str = "full";
const COMPOSITE: &str = "composite";

fn upload(row: Row) -> Result<Upload, FilesError> {
    let lock = match (row.lock_mode, row.lock_until) {
        (Some(mode), Some(until)) => Some(Lock { mode: mode.parse().map_err(FilesError::Row)?, until }),
        _ => None,
    };
    let checksum =
        row.checksum_algorithm.map(|name| DigestKind::parse(&name).ok_or(FilesError::Row(name))).transpose()?;
    Ok(Upload {
        id: row.id,
        org: row.org_id,
        bucket: row.bucket_id,
        key: Key::stored(row.key),
        kind: row.kind.parse().map_err(FilesError::Row)?,
        length: row.length.map(|length| u64::try_from(length).unwrap_or_default()),
        received: u64::try_from(row.received).unwrap_or_default(),
        replace: row.replace,
        content_type: row.content_type,
        headers: row.headers.0,
        metadata: row.metadata.0,
        tags: row.tags.0,
        lock,
        legal_hold: row.legal_hold,
        checksum,
        full_checksum: row.checksum_type.as_deref() == Some(FULL),
        claims: row.claims.map(|claims| claims.0),
        created_by: row.created_by,
        created_at: row.created_at,
        expires_at: row.expires_at,
        ended_at: row.ended_at,
        object: row.object_id,
    })
}

pub(crate) async fn insert(conn: &mut PgConnection, new: &Upload) -> sqlx::Result<()> {
    let checksum_type = new.checksum.map(|_| if new.full_checksum { FULL } else { COMPOSITE });
    sqlx::query!(
        "INSERT INTO files_uploads (id, org_id, bucket_id, key, kind, length, replace, content_type, headers, metadata, tags,
           checksum_algorithm, checksum_type, lock_mode, lock_until, legal_hold, claims, created_by, created_at, expires_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20)",
        new.id.0,
        new.org.0,
        new.bucket.0,
        new.key.as_str(),
        new.kind.as_str(),
        new.length.map(|length| i64::try_from(length).unwrap_or(i64::MAX)),
        new.replace,
        new.content_type,
        Json(&new.headers) as _,
        Json(&new.metadata) as _,
        Json(&new.tags) as _,
        new.checksum.map(DigestKind::as_str),
        checksum_type,
        new.lock.map(|lock| lock.mode.as_str()),
        new.lock.map(|lock| lock.until),
        new.legal_hold,
        new.claims.as_ref().map(Json) as _,
        new.created_by,
        new.created_at,
        new.expires_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

pub(crate) async fn by_id(conn: &mut PgConnection, id: UploadId) -> Result<Option<Upload>, FilesError> {
    Ok(by_ids(conn, &[id.0]).await?.pop())
}

/// In the order of keys, and of one key in the order of ids.
async fn by_ids(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Upload>, FilesError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: UploadId", org_id AS "org_id: OrgId", bucket_id AS "bucket_id: BucketId", key, kind, length, received, replace,
             content_type, headers AS "headers: Json<Headers>", metadata AS "metadata: Json<Metadata>", tags AS "tags: Json<Tags>",
             checksum_algorithm, checksum_type, lock_mode, lock_until, legal_hold, claims AS "claims: Json<Claims>",
             created_by, created_at, expires_at, object_id AS "object_id: VersionId", ended_at
           FROM files_uploads WHERE id = ANY ($1) ORDER BY key, id"#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    rows.into_iter().map(upload).collect()
}

/// How an upload's row is held until the transaction ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hold {
    /// Beside others: it can be neither completed nor given up meanwhile.
    Shared,
    Alone,
}

/// Takes an upload's row. `None`: there is none.
pub(crate) async fn hold(conn: &mut PgConnection, id: UploadId, hold: Hold) -> Result<Option<Upload>, FilesError> {
    let found = match hold {
        Hold::Shared => {
            sqlx::query_scalar!("SELECT 1 FROM files_uploads WHERE id = $1 FOR SHARE", id.0)
                .fetch_optional(&mut *conn)
                .await?
        }
        Hold::Alone => {
            sqlx::query_scalar!("SELECT 1 FROM files_uploads WHERE id = $1 FOR UPDATE", id.0)
                .fetch_optional(&mut *conn)
                .await?
        }
    };
    if found.is_some() { by_id(conn, id).await } else { Ok(None) }
}

/// Uploads of a bucket that have not ended, in the order of keys: at most so many, behind `query.after`.
pub(crate) async fn list(
    conn: &mut PgConnection,
    bucket: BucketId,
    query: &ListUploads,
    most: i64,
) -> Result<Vec<Upload>, FilesError> {
    let (key, id) = match &query.after {
        Some((key, id)) => (key.as_str(), id.0),
        None => ("", Uuid::nil()),
    };
    let ids = sqlx::query_scalar!(
        r#"SELECT id FROM files_uploads WHERE bucket_id = $1 AND ended_at IS NULL AND (key, id) > ($2 COLLATE "C", $3)
             AND key >= $4 COLLATE "C" AND starts_with(key, $4)
           ORDER BY key, id LIMIT $5"#,
        bucket.0,
        key,
        id,
        query.prefix,
        most,
    )
    .fetch_all(&mut *conn)
    .await?;
    by_ids(conn, &ids).await
}

/// From now on `holder` writes: whoever wrote before notices when it commits.
pub(crate) async fn take_over(conn: &mut PgConnection, id: UploadId, holder: Uuid) -> sqlx::Result<()> {
    sqlx::query!("UPDATE files_uploads SET holder = $2 WHERE id = $1", id.0, holder).execute(conn).await.map(drop)
}

/// Counts bytes that `holder` added behind `at`. False: another has taken over, or it has ended.
pub(crate) async fn received(
    conn: &mut PgConnection,
    id: UploadId,
    holder: Uuid,
    (at, bytes): (u64, u64),
    expires_at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let done = sqlx::query!(
        "UPDATE files_uploads SET received = received + $4, expires_at = $5
         WHERE id = $1 AND holder = $2 AND received = $3 AND ended_at IS NULL",
        id.0,
        holder,
        number(at),
        number(bytes),
        expires_at,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Sets the length of an upload that had none.
pub(crate) async fn set_length(conn: &mut PgConnection, id: UploadId, length: u64) -> sqlx::Result<()> {
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    sqlx::query!("UPDATE files_uploads SET length = $2 WHERE id = $1", id.0, length).execute(conn).await.map(drop)
}

/// Notes what has come where parts are not appended but joined.
pub(crate) async fn set_received(conn: &mut PgConnection, id: UploadId, received: u64) -> sqlx::Result<()> {
    let received = i64::try_from(received).unwrap_or(i64::MAX);
    sqlx::query!("UPDATE files_uploads SET received = $2 WHERE id = $1", id.0, received).execute(conn).await.map(drop)
}

/// Ends an upload: with what it became, or given up.
pub(crate) async fn end(
    conn: &mut PgConnection,
    id: UploadId,
    object: Option<VersionId>,
    now: DateTime<Utc>,
) -> sqlx::Result<()> {
    sqlx::query!(
        "UPDATE files_uploads SET ended_at = $2, object_id = $3 WHERE id = $1",
        id.0,
        now,
        object.map(|object| object.0),
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Deletes uploads that ended a day ago, and those that expired, with their parts. Across all organisations: needs the system role.
pub(crate) async fn purge(
    conn: &mut PgConnection,
    now: DateTime<Utc>,
    ended_before: DateTime<Utc>,
    most: i64,
) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM files_uploads WHERE id IN (
           SELECT id FROM files_uploads WHERE expires_at < $1 OR ended_at < $2 LIMIT $3 FOR UPDATE SKIP LOCKED)",
        now,
        ended_before,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
