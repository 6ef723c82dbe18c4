//! `status_page_subscribers`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Deletes those who asked before this time and have not confirmed. As role `system`. Returns how many.
pub async fn forget_unconfirmed(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let done =
        sqlx::query!("DELETE FROM status_page_subscribers WHERE confirmed_at IS NULL AND asked_at < $1", before,)
            .execute(conn)
            .await?;
    Ok(done.rows_affected())
}
