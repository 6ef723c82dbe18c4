//! `files_objects` and `files_extents`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{
    BlobId, BucketId, Checksums, FilesError, Headers, Key, ListObjects, Lock, Metadata, Object, Piece, Tags, VersionId,
    VersionRef,
};
use platform::ids::OrgId;

#[expect(clippy::struct_excessive_bools, reason = "independent facts of a version, as its row has them")]
struct Row {
    id: VersionId,
    org_id: OrgId,
    bucket_id: BucketId,
    key: String,
    current: bool,
    marker: bool,
    unversioned: bool,
    size: i64,
    blob_id: Option<BlobId>,
    etag: String,
    sha256: Option<Vec<u8>>,
    checksums: Json<Checksums>,
    parts: Option<Vec<i64>>,
    content_type: String,
    sniffed: String,
    headers: Json<Headers>,
    metadata: Json<Metadata>,
    tags: Json<Tags>,
    lock_mode: Option<String>,
    lock_until: Option<DateTime<Utc>>,
    legal_hold: bool,
    scan: String,
    created_by: String,
    created_at: DateTime<Utc>,
}

fn object(row: Row, extents: Vec<Piece>) -> Result<Object, FilesError> {
    let size = bytes(row.size);
    let pieces = row.blob_id.map_or(extents, |blob| vec![Piece { blob, offset: 0, size }]);
    let lock = match (row.lock_mode, row.lock_until) {
        (Some(mode), Some(until)) => Some(Lock { mode: mode.parse().map_err(FilesError::Row)?, until }),
        _ => None,
    };
    Ok(Object {
        id: row.id,
        org: row.org_id,
        bucket: row.bucket_id,
        key: Key::stored(row.key),
        current: row.current,
        marker: row.marker,
        unversioned: row.unversioned,
        size,
        pieces,
        etag: row.etag,
        sha256: row.sha256.and_then(|hash| hash.try_into().ok()),
        checksums: row.checksums.0,
        parts: row.parts.unwrap_or_default(),
        content_type: row.content_type,
        sniffed: row.sniffed,
        headers: row.headers.0,
        metadata: row.metadata.0,
        tags: row.tags.0,
        lock,
        legal_hold: row.legal_hold,
        scan: row.scan.parse().map_err(FilesError::Row)?,
        created_by: row.created_by,
        created_at: row.created_at,
    })
}

fn bytes(size: i64) -> u64 {
    u64::try_from(size).unwrap_or_default()
}

/// The objects with these ids, in no order; those in the trash too.
pub(crate) async fn by_ids(conn: &mut PgConnection, ids: &[Uuid]) -> Result<Vec<Object>, FilesError> {
    let rows = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id: VersionId", org_id AS "org_id: OrgId", bucket_id AS "bucket_id: BucketId", key, current, marker, unversioned, size,
             blob_id AS "blob_id: BlobId", etag, sha256, checksums AS "checksums: Json<Checksums>", parts, content_type, sniffed,
             headers AS "headers: Json<Headers>", metadata AS "metadata: Json<Metadata>", tags AS "tags: Json<Tags>",
             lock_mode, lock_until, legal_hold, scan, created_by, created_at
           FROM files_objects WHERE id = ANY ($1)"#,
        ids,
    )
    .fetch_all(&mut *conn)
    .await?;
    let in_extents: Vec<Uuid> =
        rows.iter().filter(|row| row.blob_id.is_none() && row.size > 0).map(|row| row.id.0).collect();
    let mut extents = if in_extents.is_empty() { HashMap::new() } else { extents(conn, &in_extents).await? };
    rows.into_iter()
        .map(|row| {
            let pieces = extents.remove(&row.id).unwrap_or_default();
            object(row, pieces)
        })
        .collect()
}

async fn extents(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<HashMap<VersionId, Vec<Piece>>> {
    let rows = sqlx::query!(
        r#"SELECT object_id AS "object_id: VersionId", blob_id AS "blob_id: BlobId", blob_offset, size
           FROM files_extents WHERE object_id = ANY ($1) ORDER BY object_id, n"#,
        ids,
    )
    .fetch_all(conn)
    .await?;
    let mut found: HashMap<VersionId, Vec<Piece>> = HashMap::new();
    for row in rows {
        let piece = Piece { blob: row.blob_id, offset: bytes(row.blob_offset), size: bytes(row.size) };
        found.entry(row.object_id).or_default().push(piece);
    }
    Ok(found)
}

/// What a reader of the key gets.
pub(crate) async fn current(
    conn: &mut PgConnection,
    bucket: BucketId,
    key: &Key,
) -> Result<Option<Object>, FilesError> {
    let id = sqlx::query_scalar!(
        "SELECT id FROM files_objects WHERE bucket_id = $1 AND key = $2 AND current",
        bucket.0,
        key.as_str()
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => Ok(by_ids(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// A version of the key that is not in the trash.
pub(crate) async fn version(
    conn: &mut PgConnection,
    bucket: BucketId,
    key: &Key,
    version: VersionRef,
) -> Result<Option<Object>, FilesError> {
    let (wanted, unversioned) = match version {
        VersionRef::Id(id) => (Some(id.0), false),
        VersionRef::Unversioned => (None, true),
    };
    let id = sqlx::query_scalar!(
        "SELECT id FROM files_objects WHERE bucket_id = $1 AND key = $2 AND trashed_at IS NULL
           AND CASE WHEN $4 THEN unversioned ELSE id = $3 END",
        bucket.0,
        key.as_str(),
        wanted,
        unversioned,
    )
    .fetch_optional(&mut *conn)
    .await?;
    match id {
        Some(id) => Ok(by_ids(conn, &[id]).await?.pop()),
        None => Ok(None),
    }
}

/// A page, and one entry more: ids, and prefixes without one, in the order of keys.
pub(crate) async fn list(
    conn: &mut PgConnection,
    bucket: BucketId,
    query: &ListObjects,
) -> sqlx::Result<Vec<(Option<Uuid>, String)>> {
    let rows = sqlx::query!(
        r#"SELECT l.id, l.key AS "key!" FROM files_list($1, $2, $3, $4, $5) AS l"#,
        bucket.0,
        query.prefix,
        query.delimiter,
        query.start,
        query.most + 1,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.key)).collect())
}

/// Makes a version the latest of its key, which has none now: what a reader gets, or a marker. `whole`: its only piece is all of a blob.
pub(crate) async fn insert(conn: &mut PgConnection, new: &Object, whole: bool) -> sqlx::Result<()> {
    let (blob, extents) = match new.pieces.as_slice() {
        [Piece { blob, .. }] if whole => (Some(blob.0), &[][..]),
        pieces => (None, pieces),
    };
    let parts: Option<&[i64]> = Some(new.parts.as_slice()).filter(|parts| !parts.is_empty());
    sqlx::query!(
        "INSERT INTO files_objects (id, org_id, bucket_id, key, current, marker, unversioned, size, blob_id, extents, etag, sha256, checksums,
           parts, content_type, sniffed, headers, metadata, tags, lock_mode, lock_until, legal_hold, scan, created_by, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22, $23, $24, $25)",
        new.id.0,
        new.org.0,
        new.bucket.0,
        new.key.as_str(),
        new.current,
        new.marker,
        new.unversioned,
        i64::try_from(new.size).unwrap_or(i64::MAX),
        blob,
        i32::try_from(extents.len()).unwrap_or(i32::MAX),
        new.etag,
        new.sha256.as_ref().map(<[u8; 32]>::as_slice),
        Json(&new.checksums) as _,
        parts as _,
        new.content_type,
        new.sniffed,
        Json(&new.headers) as _,
        Json(&new.metadata) as _,
        Json(&new.tags) as _,
        new.lock.map(|lock| lock.mode.as_str()),
        new.lock.map(|lock| lock.until),
        new.legal_hold,
        new.scan.as_str(),
        new.created_by,
        new.created_at,
    )
    .execute(&mut *conn)
    .await?;
    insert_extents(conn, new, extents).await
}

pub(super) async fn insert_extents(conn: &mut PgConnection, object: &Object, extents: &[Piece]) -> sqlx::Result<()> {
    if extents.is_empty() {
        return Ok(());
    }
    let number = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let blobs: Vec<Uuid> = extents.iter().map(|piece| piece.blob.0).collect();
    let offsets: Vec<i64> = extents.iter().map(|piece| number(piece.offset)).collect();
    let sizes: Vec<i64> = extents.iter().map(|piece| number(piece.size)).collect();
    sqlx::query!(
        "INSERT INTO files_extents (object_id, n, org_id, blob_id, blob_offset, size, object_offset)
         SELECT $1, e.n, $2, e.blob, e.from_byte, e.size, sum(e.size) OVER (ORDER BY e.n) - e.size
         FROM unnest($3::uuid[], $4::bigint[], $5::bigint[]) WITH ORDINALITY AS e (blob, from_byte, size, n)",
        object.id.0,
        object.org.0,
        &blobs,
        &offsets,
        &sizes,
    )
    .execute(conn)
    .await
    .map(drop)
}
