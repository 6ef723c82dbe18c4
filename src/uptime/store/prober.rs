//! The prober's sign of life. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// When it was, and its figures; `None`: there was none yet.
pub async fn last(conn: &mut PgConnection) -> sqlx::Result<Option<(DateTime<Utc>, serde_json::Value)>> {
    let row = sqlx::query!("SELECT alive_at, figures FROM uptime_prober").fetch_optional(conn).await?;
    Ok(row.map(|row| (row.alive_at, row.figures)))
}
