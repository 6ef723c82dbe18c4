//! `files_objects.scan`

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{BucketId, ScanState, VersionId};
use platform::ids::OrgId;

/// Objects that wait for the scanner, of all organisations: those first that wait for longest.
pub(crate) async fn waiting(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<Uuid>> {
    sqlx::query_scalar!("SELECT id FROM files_objects WHERE scan = 'pending' ORDER BY created_at LIMIT $1", most)
        .fetch_all(conn)
        .await
}

/// What was found lately in the same content of the organisation: state and note.
pub(crate) async fn known(
    conn: &mut PgConnection,
    version: VersionId,
    since: DateTime<Utc>,
) -> sqlx::Result<Option<(String, String)>> {
    let row = sqlx::query!(
        "SELECT k.scan, k.scan_note FROM files_objects o JOIN files_objects k ON k.blob_id = o.blob_id AND k.id <> o.id AND k.org_id = o.org_id
         WHERE o.id = $1 AND k.scan IN ('clean', 'infected') AND k.created_at > $2 ORDER BY k.created_at DESC LIMIT 1",
        version.0,
        since,
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|row| (row.scan, row.scan_note)))
}

/// Notes what was found in a version that still waits; false: it waits no more.
pub(crate) async fn note(
    conn: &mut PgConnection,
    version: VersionId,
    state: ScanState,
    note: &str,
) -> sqlx::Result<bool> {
    let done = sqlx::query!(
        "UPDATE files_objects SET scan = $2, scan_note = $3 WHERE id = $1 AND scan = 'pending'",
        version.0,
        state.as_str(),
        note,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A version that was put into quarantine.
pub(crate) struct Quarantined {
    pub id: VersionId,
    pub bucket: BucketId,
}

/// Puts a version into quarantine, and all others of its organisation with the same content; those that are there already are not returned.
pub(crate) async fn quarantine(
    conn: &mut PgConnection,
    org: OrgId,
    version: VersionId,
    found: &str,
) -> sqlx::Result<Vec<Quarantined>> {
    sqlx::query_as!(
        Quarantined,
        r#"UPDATE files_objects SET scan = 'infected', scan_note = $3
           WHERE org_id = $1 AND scan <> 'infected'
             AND (id = $2 OR blob_id = (SELECT o.blob_id FROM files_objects o WHERE o.id = $2))
           RETURNING id AS "id: VersionId", bucket_id AS "bucket: BucketId""#,
        org.0,
        version.0,
        found,
    )
    .fetch_all(conn)
    .await
}
