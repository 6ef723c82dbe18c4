//! `files_blobs`

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{BlobId, Piece};
use platform::ids::OrgId;

/// A blob that was written.
pub(crate) struct NewBlob<'a> {
    pub id: BlobId,
    pub org: OrgId,
    pub size: u64,
    pub sha256: &'a [u8; 32],
    pub now: DateTime<Utc>,
}

/// A blob that a writer may refer to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub id: BlobId,
    /// Its file is missing or has other bytes.
    pub is_damaged: bool,
}

/// Makes its row, or takes the one of the same content; either is held until the transaction ends. `None`: the one that was there is being deleted.
pub(crate) async fn take(conn: &mut PgConnection, new: &NewBlob<'_>) -> sqlx::Result<Option<Taken>> {
    let size = i64::try_from(new.size).unwrap_or(i64::MAX);
    let made = sqlx::query_scalar!(
        r#"INSERT INTO files_blobs (id, org_id, size, sha256, created_at) VALUES ($1, $2, $3, $4, $5)
           ON CONFLICT (org_id, sha256, size) WHERE gone_at IS NULL DO NOTHING RETURNING id AS "id: BlobId""#,
        new.id.0,
        new.org.0,
        size,
        new.sha256.as_slice(),
        new.now,
    )
    .fetch_optional(&mut *conn)
    .await?;
    if let Some(id) = made {
        return Ok(Some(Taken { id, is_damaged: false }));
    }
    // Its own statement: it sees what was committed meanwhile. The lock keeps the collector away.
    sqlx::query_as!(
        Taken,
        r#"SELECT id AS "id: BlobId", damaged_at IS NOT NULL AS "is_damaged!" FROM files_blobs
           WHERE org_id = $1 AND sha256 = $2 AND size = $3 AND gone_at IS NULL FOR KEY SHARE"#,
        new.org.0,
        new.sha256.as_slice(),
        size,
    )
    .fetch_optional(conn)
    .await
}

/// Whether these pieces are one, which is all of its blob.
pub(crate) async fn is_whole(conn: &mut PgConnection, pieces: &[Piece]) -> sqlx::Result<bool> {
    let [Piece { blob, offset: 0, size }] = pieces else { return Ok(false) };
    let all = sqlx::query_scalar!("SELECT size FROM files_blobs WHERE id = $1", blob.0).fetch_optional(conn).await?;
    Ok(all.is_some_and(|all| u64::try_from(all) == Ok(*size)))
}

/// The SHA-256 of blobs, by their ids.
pub(crate) async fn hashes(conn: &mut PgConnection, ids: &[Uuid]) -> sqlx::Result<HashMap<BlobId, Vec<u8>>> {
    let rows = sqlx::query!(r#"SELECT id AS "id: BlobId", sha256 FROM files_blobs WHERE id = ANY ($1)"#, ids)
        .fetch_all(conn)
        .await?;
    Ok(rows.into_iter().map(|row| (row.id, row.sha256)).collect())
}
