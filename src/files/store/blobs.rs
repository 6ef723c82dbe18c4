//! `files_blobs`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::BlobId;
use platform::ids::OrgId;

/// A blob that was written.
pub(crate) struct NewBlob<'a> {
    pub id: BlobId,
    pub org: OrgId,
    pub size: u64,
    pub sha256: &'a [u8; 32],
    pub now: DateTime<Utc>,
}

/// Makes its row, or takes the one of the same content; either is held until the transaction ends. `None`: the one that was there is being deleted.
pub(crate) async fn take(conn: &mut PgConnection, new: &NewBlob<'_>) -> sqlx::Result<Option<BlobId>> {
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
    if made.is_some() {
        return Ok(made);
    }
    // Its own statement: it sees what was committed meanwhile. The lock keeps the collector away.
    sqlx::query_scalar!(
        r#"SELECT id AS "id: BlobId" FROM files_blobs WHERE org_id = $1 AND sha256 = $2 AND size = $3 AND gone_at IS NULL FOR KEY SHARE"#,
        new.org.0,
        new.sha256.as_slice(),
        size,
    )
    .fetch_optional(conn)
    .await
}
