//! `files_extents`: objects of several pieces, and their being stored anew.

use sqlx::PgConnection;
use uuid::Uuid;

use super::objects::insert_extents;
use crate::{Object, Piece, VersionId};
use platform::ids::OrgId;

/// Objects of more than 64 pieces of less than a mebibyte on average, behind an id; across all organisations: needs the system role.
pub(crate) async fn scattered(
    conn: &mut PgConnection,
    after: Uuid,
    most: i64,
) -> sqlx::Result<Vec<(OrgId, VersionId)>> {
    let rows = sqlx::query!(
        r#"SELECT org_id AS "org_id: OrgId", id AS "id: VersionId" FROM files_objects
           WHERE extents > 64 AND size < extents::bigint * 1048576 AND id > $1 ORDER BY id LIMIT $2"#,
        after,
        most,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.org_id, row.id)).collect())
}

/// Holds an object's row alone: a copy of it waits, and sees the new pieces. False: it is gone.
pub(crate) async fn hold(conn: &mut PgConnection, id: VersionId) -> sqlx::Result<bool> {
    let found =
        sqlx::query_scalar!("SELECT 1 FROM files_objects WHERE id = $1 FOR UPDATE", id.0).fetch_optional(conn).await?;
    Ok(found.is_some())
}

/// Gives an object other pieces of the same content.
pub(crate) async fn swap(conn: &mut PgConnection, object: &Object, pieces: &[Piece]) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM files_extents WHERE object_id = $1", object.id.0).execute(&mut *conn).await?;
    let (blob, extents) = match pieces {
        [only] => (Some(only.blob.0), &[][..]),
        pieces => (None, pieces),
    };
    sqlx::query!(
        "UPDATE files_objects SET blob_id = $2, extents = $3 WHERE id = $1",
        object.id.0,
        blob,
        i32::try_from(extents.len()).unwrap_or(i32::MAX),
    )
    .execute(&mut *conn)
    .await?;
    insert_extents(conn, object, extents).await
}
