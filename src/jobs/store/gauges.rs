//! State of the queues.

use sqlx::PgConnection;

use crate::model::QueueStatus;

/// Every queue. A job that waits for an earlier one of its order is not due. Counts what the transaction may see: an organisation's jobs, or
/// (as `system`) all.
pub(crate) async fn queues(conn: &mut PgConnection) -> Result<Vec<QueueStatus>, sqlx::Error> {
    sqlx::query_as!(
        QueueStatus,
        r#"SELECT q.name, q.paused, q.concurrency, q.rate_per_minute,
             coalesce(j.depth, 0) AS "depth!", coalesce(j.due, 0) AS "due!", coalesce(j.running, 0) AS "running!",
             coalesce(j.oldest, 0)::float8 AS "oldest_seconds!", coalesce(h.failed, 0) AS "failed_24h!",
             coalesce(d.letters, 0) AS "dead_letters!"
           FROM job_queues q
           LEFT JOIN (
             SELECT queue, count(*) FILTER (WHERE state = 'queued') AS depth,
               count(*) FILTER (WHERE state = 'queued' AND run_at <= now() AND NOT held) AS due,
               count(*) FILTER (WHERE state = 'running') AS running,
               max(extract(epoch FROM now() - run_at)) FILTER (WHERE state = 'queued' AND run_at <= now() AND NOT held) AS oldest
             FROM (SELECT w.*, EXISTS (
                 SELECT FROM jobs e WHERE e.concurrency_key = w.concurrency_key AND e.ordinal < w.ordinal) AS held
               FROM jobs w) w GROUP BY queue
           ) j ON j.queue = q.name
           LEFT JOIN (
             SELECT queue, count(*) AS failed FROM job_history
             WHERE state = 'dead' AND finished_at > now() - interval '24 hours' GROUP BY queue
           ) h ON h.queue = q.name
           LEFT JOIN (SELECT queue, count(*) AS letters FROM job_dead_letters GROUP BY queue) d ON d.queue = q.name
           ORDER BY q.name"#
    )
    .fetch_all(conn)
    .await
}

/// `(waiting or running, dead letters)`, of any queue.
pub(crate) async fn counts(conn: &mut PgConnection) -> Result<(i64, i64), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT (SELECT count(*) FROM jobs) AS "unfinished!", (SELECT count(*) FROM job_dead_letters) AS "dead!""#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.unfinished, row.dead))
}

/// Due jobs of one kind in a queue that is not paused.
pub(crate) struct Due {
    pub queue: String,
    pub kind: String,
    /// Whether the queue's rate limit holds jobs back.
    pub rated: bool,
    pub count: i64,
    /// How long the oldest one has waited, seconds.
    pub oldest_seconds: f64,
}

/// Due jobs by kind: the caller knows which kinds it can run. Queues without a row yet count as not paused.
pub(crate) async fn due(conn: &mut PgConnection) -> Result<Vec<Due>, sqlx::Error> {
    sqlx::query_as!(
        Due,
        r#"SELECT j.queue, j.kind, coalesce(bool_or(q.rate_per_minute IS NOT NULL), false) AS "rated!", count(*) AS "count!",
             max(extract(epoch FROM now() - j.run_at))::float8 AS "oldest_seconds!"
           FROM jobs j LEFT JOIN job_queues q ON q.name = j.queue
           WHERE j.state = 'queued' AND j.run_at <= now() AND q.paused IS NOT TRUE
             AND NOT EXISTS (SELECT FROM jobs e WHERE e.concurrency_key = j.concurrency_key AND e.ordinal < j.ordinal)
           GROUP BY j.queue, j.kind ORDER BY j.queue, j.kind"#
    )
    .fetch_all(conn)
    .await
}

/// Pauses or resumes. False when there is no such queue.
pub(crate) async fn set_paused(conn: &mut PgConnection, queue: &str, paused: bool) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE job_queues SET paused = $2, updated_at = now() WHERE name = $1", queue, paused)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Sets or lifts a queue's limits. False when there is no such queue.
pub(crate) async fn set_limits(
    conn: &mut PgConnection,
    queue: &str,
    concurrency: Option<i32>,
    rate_per_minute: Option<i32>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE job_queues SET concurrency = $2, rate_per_minute = $3, updated_at = now() WHERE name = $1",
        queue,
        concurrency,
        rate_per_minute,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Number of dead letters, and the age of the latest, seconds.
pub(crate) async fn dead_letters(conn: &mut PgConnection) -> Result<(i64, Option<f64>), sqlx::Error> {
    let row = sqlx::query!(
        r#"SELECT count(*) AS "count!", extract(epoch FROM now() - max(died_at))::float8 AS latest FROM job_dead_letters"#
    )
    .fetch_one(conn)
    .await?;
    Ok((row.count, row.latest))
}

/// Running jobs with a valid lease, over all workers.
pub(crate) async fn live_leases(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT count(*) AS "count!" FROM jobs WHERE state = 'running' AND leased_until > now()"#)
        .fetch_one(conn)
        .await
}

/// Records that a worker is alive and reaches the queue.
pub(crate) async fn worker_seen(conn: &mut PgConnection, id: uuid::Uuid, queues: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO job_workers (id, queues) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_at = now()",
        id,
        queues,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Records that a worker has drained.
pub(crate) async fn worker_gone(conn: &mut PgConnection, id: uuid::Uuid) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM job_workers WHERE id = $1", id).execute(conn).await?;
    Ok(())
}

/// Deletes the rows of workers that were killed.
pub(crate) async fn forget_lost_workers(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("DELETE FROM job_workers WHERE seen_at < now() - interval '1 day'").execute(conn).await?;
    Ok(())
}

/// Worker processes per queue seen within `seconds`. Queues without one are left out.
pub(crate) async fn live_workers(conn: &mut PgConnection, seconds: f64) -> Result<Vec<(String, i64)>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"SELECT queue AS "queue!", count(*) AS "workers!" FROM job_workers w, unnest(w.queues) AS queue
           WHERE w.seen_at > now() - make_interval(secs => $1) GROUP BY queue"#,
        seconds,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|row| (row.queue, row.workers)).collect())
}
