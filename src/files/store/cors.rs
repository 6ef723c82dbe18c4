//! CORS rules of `files_buckets`, whosever they are.

use serde_json::Value;
use sqlx::PgConnection;

/// Rules of the buckets of this name that have any. As role `system`: a browser asks before it sends a key.
pub(crate) async fn of_name(conn: &mut PgConnection, name: &str) -> sqlx::Result<Vec<Value>> {
    sqlx::query_scalar!(
        "SELECT cors FROM files_buckets WHERE name = $1 AND trashed_at IS NULL AND cors <> '[]' ORDER BY id LIMIT 100",
        name,
    )
    .fetch_all(conn)
    .await
}
