//! Retention. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

/// Returns how many weeks were created and dropped.
pub async fn maintain(conn: &mut PgConnection, days: i32) -> sqlx::Result<(i32, i32)> {
    let done = sqlx::query!(
        r#"SELECT created AS "created!", dropped AS "dropped!" FROM holdfast_incidents_maintain(make_interval(days => $1))"#,
        days,
    )
    .fetch_one(conn)
    .await?;
    Ok((done.created, done.dropped))
}

/// Deletes some of the incidents that were over before then, the oldest first, with all that was merged into them: a part whose whole is gone would be open
/// again. Returns how many.
pub async fn delete_incidents(conn: &mut PgConnection, before: DateTime<Utc>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "WITH RECURSIVE old AS (
           SELECT id FROM (SELECT id FROM incidents WHERE resolved_at < $1 AND merged_into IS NULL ORDER BY resolved_at LIMIT $2) ended
           UNION
           SELECT part.id FROM incidents part JOIN old ON part.merged_into = old.id)
         DELETE FROM incidents WHERE id IN (SELECT id FROM old)",
        before,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}

/// Deletes some of what components showed before then. The last of each stays: that is what was shown from then on. Returns how many.
pub async fn delete_changes(conn: &mut PgConnection, before: DateTime<Utc>, most: i64) -> sqlx::Result<u64> {
    let done = sqlx::query!(
        "DELETE FROM incident_component_changes WHERE id IN (
           SELECT c.id FROM incident_component_changes c
           WHERE c.at < $1 AND EXISTS (
             SELECT FROM incident_component_changes later WHERE later.component_id = c.component_id AND later.at > c.at AND later.at < $1)
           LIMIT $2)",
        before,
        most,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected())
}
