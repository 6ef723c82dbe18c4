//! Retention and partitions. As role `system`.

use sqlx::PgConnection;

/// Makes the partitions of the coming days and months, and drops those past retention. Returns how many.
pub async fn maintain(conn: &mut PgConnection, checks_days: i32, minutes_days: i32) -> sqlx::Result<(i32, i32)> {
    let done = sqlx::query!(
        r#"SELECT created AS "created!", dropped AS "dropped!"
           FROM holdfast_uptime_maintain(make_interval(days => $1), make_interval(days => $2))"#,
        checks_days,
        minutes_days,
    )
    .fetch_one(conn)
    .await?;
    Ok((done.created, done.dropped))
}
