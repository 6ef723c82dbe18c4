//! Retention. As role `system`.

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
