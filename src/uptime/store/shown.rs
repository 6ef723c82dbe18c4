//! What status pages read of many monitors at once.

use chrono::NaiveDate;
use sqlx::PgConnection;

use crate::model::MonitorId;

/// Days of several monitors from one to another, both included, each with its hours, by monitor and day.
pub async fn days(
    conn: &mut PgConnection,
    monitors: &[i32],
    first: NaiveDate,
    last: NaiveDate,
) -> sqlx::Result<Vec<(i32, NaiveDate, Vec<u8>)>> {
    let rows = sqlx::query!(
        "SELECT monitor, day, hours FROM uptime_days WHERE monitor = ANY ($1) AND day BETWEEN $2 AND $3 ORDER BY monitor, day",
        monitors,
        first,
        last,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.monitor, row.day, row.hours)).collect())
}

/// Monitors of all owners whose badges strangers may read, the oldest first. As role `system`.
pub async fn with_badge(conn: &mut PgConnection, most: i64) -> sqlx::Result<Vec<MonitorId>> {
    let ids = sqlx::query_scalar!(
        "SELECT id FROM uptime_monitors WHERE badge AND removed_at IS NULL ORDER BY id LIMIT $1",
        most
    )
    .fetch_all(conn)
    .await?;
    Ok(ids.into_iter().map(MonitorId).collect())
}
