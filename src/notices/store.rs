//! The only SQL on what waits for the next digest, and on how many notices were made. As role `system`.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use super::model::{Counted, Group, Item};
use alerting::AlertId;

/// Keeps an item; the same event is kept once.
pub async fn keep(conn: &mut PgConnection, item: &Item) -> sqlx::Result<()> {
    sqlx::query!(
        "INSERT INTO notice_items (event_id, alert_id, state, name, severity, summary, at, urgent, created_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (event_id) DO NOTHING",
        item.event_id.0,
        item.alert_id.0,
        item.state,
        item.name,
        item.severity,
        item.summary,
        item.at,
        item.urgent,
        item.created_at
    )
    .execute(conn)
    .await
    .map(drop)
}

/// Removes all items, or the urgent ones, and returns the `most` important groups of them: those of one rule that began, or that ended, are one.
pub async fn take(conn: &mut PgConnection, only_urgent: bool, most: i64) -> sqlx::Result<Vec<Group>> {
    sqlx::query_as!(
        Group,
        r#"WITH gone AS (
             DELETE FROM notice_items WHERE urgent OR NOT $1
             RETURNING event_id, alert_id, state, name, severity, summary, at, created_at
           )
           SELECT state AS "state!", name AS "name!", severity AS "severity!", count(*) AS "count!", min(at) AS "at!",
             (array_agg(summary ORDER BY created_at, event_id))[1] AS "summary!",
             (array_agg(alert_id ORDER BY created_at, event_id))[1] AS "alert_id!: AlertId",
             min(min(created_at)) OVER () AS "since!", (sum(count(*)) OVER ())::bigint AS "of_all!"
           FROM gone GROUP BY state, name, severity
           ORDER BY CASE severity WHEN 'critical' THEN 0 WHEN 'warning' THEN 1 WHEN 'info' THEN 2 ELSE 3 END, min(at), name, state LIMIT $2"#,
        only_urgent,
        most
    )
    .fetch_all(conn)
    .await
}

/// Removes items from before `before`; returns how many.
pub async fn forget(conn: &mut PgConnection, before: DateTime<Utc>) -> sqlx::Result<u64> {
    let done = sqlx::query!("DELETE FROM notice_items WHERE created_at < $1", before).execute(conn).await?;
    Ok(done.rows_affected())
}

/// Counts one more notice of this name. If counting began before `again`, it begins anew. Others who count the same wait until the transaction ends.
pub async fn count(
    conn: &mut PgConnection,
    name: &str,
    now: DateTime<Utc>,
    again: DateTime<Utc>,
) -> sqlx::Result<Counted> {
    sqlx::query_as!(
        Counted,
        "INSERT INTO notice_counts AS n (name, since, count) VALUES ($1, $2, 1)
         ON CONFLICT (name) DO UPDATE SET since = CASE WHEN n.since < $3 THEN $2 ELSE n.since END,
           count = CASE WHEN n.since < $3 THEN 1 ELSE n.count + 1 END
         RETURNING since, count",
        name,
        now,
        again
    )
    .fetch_one(conn)
    .await
}

/// The next notice of this name is the first.
pub async fn count_anew(conn: &mut PgConnection, name: &str) -> sqlx::Result<()> {
    sqlx::query!("DELETE FROM notice_counts WHERE name = $1", name).execute(conn).await.map(drop)
}
