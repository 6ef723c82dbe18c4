//! `files_parts`

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, types::Json};
use uuid::Uuid;

use crate::{BlobId, Checksums, Piece, Upload, UploadId};

/// A part with the pieces that it is made of.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub number: i32,
    pub pieces: Vec<Piece>,
    pub md5: Option<Vec<u8>>,
    pub checksums: Checksums,
    pub created_at: DateTime<Utc>,
}

impl Part {
    pub fn size(&self) -> u64 {
        self.pieces.iter().map(|piece| piece.size).sum()
    }
}

/// The parts of an upload behind `after`, in order, at most so many.
pub(crate) async fn list(conn: &mut PgConnection, upload: UploadId, after: i32, most: i32) -> sqlx::Result<Vec<Part>> {
    let rows = sqlx::query!(
        r#"SELECT number, blob_id AS "blob_id: BlobId", blob_offset, size, md5, checksums AS "checksums: Json<Checksums>", created_at
           FROM files_parts WHERE upload_id = $1 AND number > $2
             AND number <= coalesce((SELECT p.number FROM files_parts p WHERE p.upload_id = $1 AND p.number > $2 AND p.piece = 1
                                     ORDER BY p.number OFFSET greatest($3::integer - 1, 0) LIMIT 1), 2147483647)
           ORDER BY number, piece"#,
        upload.0,
        after,
        most,
    )
    .fetch_all(conn)
    .await?;
    let bytes = |n: i64| u64::try_from(n).unwrap_or_default();
    let mut parts: Vec<Part> = Vec::new();
    for row in rows {
        let piece = Piece { blob: row.blob_id, offset: bytes(row.blob_offset), size: bytes(row.size) };
        match parts.last_mut() {
            Some(part) if part.number == row.number => part.pieces.push(piece),
            _ => parts.push(Part {
                number: row.number,
                pieces: vec![piece],
                md5: row.md5,
                checksums: row.checksums.0,
                created_at: row.created_at,
            }),
        }
    }
    Ok(parts)
}

/// Writes a part in the place of the one of its number. A part of no bytes has no rows.
pub(crate) async fn put(conn: &mut PgConnection, upload: &Upload, part: &Part) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_parts WHERE upload_id = $1 AND number = $2", upload.id.0, part.number)
        .execute(&mut *conn)
        .await?;
    let number = |size: u64| i64::try_from(size).unwrap_or(i64::MAX);
    let blobs: Vec<Uuid> = part.pieces.iter().map(|piece| piece.blob.0).collect();
    let offsets: Vec<i64> = part.pieces.iter().map(|piece| number(piece.offset)).collect();
    let sizes: Vec<i64> = part.pieces.iter().map(|piece| number(piece.size)).collect();
    sqlx::query!(
        "INSERT INTO files_parts (upload_id, number, piece, org_id, blob_id, blob_offset, size, md5, checksums, created_at)
         SELECT $1, $2, p.n::integer, $3, p.blob, p.from_byte, p.size,
           CASE WHEN p.n = 1 THEN $7::bytea END, CASE WHEN p.n = 1 THEN $8::jsonb ELSE '{}' END, $9
         FROM unnest($4::uuid[], $5::bigint[], $6::bigint[]) WITH ORDINALITY AS p (blob, from_byte, size, n)",
        upload.id.0,
        part.number,
        upload.org.0,
        &blobs,
        &offsets,
        &sizes,
        part.md5.as_deref(),
        Json(&part.checksums) as _,
        part.created_at,
    )
    .execute(conn)
    .await
    .map(drop)
}

/// The highest number of an upload's parts; 0: it has none.
pub(crate) async fn last(conn: &mut PgConnection, upload: UploadId) -> sqlx::Result<i32> {
    let last = sqlx::query_scalar!("SELECT max(number) FROM files_parts WHERE upload_id = $1", upload.0)
        .fetch_one(conn)
        .await?;
    Ok(last.unwrap_or(0))
}

pub(crate) async fn delete_all(conn: &mut PgConnection, upload: UploadId) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_parts WHERE upload_id = $1", upload.0).execute(conn).await.map(drop)
}
