//! Rows of schedules and queues, and the partitions. As role `system`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{JobId, registry::Schedule};

/// The database's clock: hosts' clocks differ, and all workers must agree on a tick.
pub(crate) async fn now(conn: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT now() AS "now!""#).fetch_one(conn).await
}

/// Creates missing rows of queues.
pub(crate) async fn ensure_queues(conn: &mut PgConnection, queues: &[String]) -> Result<(), sqlx::Error> {
    sqlx::query!("INSERT INTO job_queues (name) SELECT unnest($1::text[]) ON CONFLICT (name) DO NOTHING", queues)
        .execute(conn)
        .await?;
    Ok(())
}

/// Creates or updates a schedule's row; an unchanged one keeps its next tick.
pub(crate) async fn upsert_schedule(
    conn: &mut PgConnection,
    schedule: &Schedule,
    next_at: DateTime<Utc>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "INSERT INTO job_schedules AS s (name, kind, cron, time_zone, catch_up, next_at) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (name) DO UPDATE SET kind = $2, cron = $3, time_zone = $4, catch_up = $5, updated_at = now(),
           next_at = CASE WHEN (s.cron, s.time_zone) = ($3, $4) THEN s.next_at ELSE $6 END
         WHERE (s.kind, s.cron, s.time_zone, s.catch_up) <> ($2, $3, $4, $5)",
        schedule.name,
        schedule.kind,
        schedule.cron.pattern(),
        schedule.cron.zone(),
        schedule.catch_up.as_str(),
        next_at,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Deletes the rows of schedules that the code no longer has, and returns their names. A row is kept until its tick is
/// a day late: a newer version that runs beside this one during an upgrade may know it.
pub(crate) async fn remove_schedules_except(
    conn: &mut PgConnection,
    names: &[String],
) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(
        "DELETE FROM job_schedules WHERE name <> ALL($1) AND next_at < now() - interval '1 day' RETURNING name",
        names
    )
    .fetch_all(conn)
    .await
}

/// A schedule whose tick is due.
pub(crate) struct DueSchedule {
    pub name: String,
    pub tick: DateTime<Utc>,
    pub now: DateTime<Utc>,
}

/// Schedules among `names` whose tick came at least `late` ago.
pub(crate) async fn due_schedules(
    conn: &mut PgConnection,
    names: &[String],
    late: Duration,
) -> Result<Vec<DueSchedule>, sqlx::Error> {
    sqlx::query_as!(
        DueSchedule,
        r#"SELECT name, next_at AS tick, now() AS "now!" FROM job_schedules
           WHERE name = ANY($1) AND next_at <= now() - make_interval(secs => $2) ORDER BY name"#,
        names,
        late.as_secs_f64(),
    )
    .fetch_all(conn)
    .await
}

/// Moves a schedule from `tick` to `next` and stores the id of the job it made, if any. True for exactly one caller.
pub(crate) async fn advance_schedule(
    conn: &mut PgConnection,
    name: &str,
    tick: DateTime<Utc>,
    next: DateTime<Utc>,
    job: Option<JobId>,
) -> Result<bool, sqlx::Error> {
    let moved = sqlx::query!(
        "UPDATE job_schedules SET next_at = $3, last_at = CASE WHEN $4::uuid IS NULL THEN last_at ELSE $2 END,
           last_job_id = coalesce($4, last_job_id)
         WHERE name = $1 AND next_at = $2",
        name,
        tick,
        next,
        job.map(|j| j.0),
    )
    .execute(conn)
    .await?;
    Ok(moved.rows_affected() > 0)
}

/// The next ticks of the schedules among `names`.
pub(crate) async fn next_ticks(
    conn: &mut PgConnection,
    names: &[String],
) -> Result<Vec<(String, DateTime<Utc>)>, sqlx::Error> {
    let rows =
        sqlx::query!("SELECT name, next_at FROM job_schedules WHERE name = ANY($1)", names).fetch_all(conn).await?;
    Ok(rows.into_iter().map(|r| (r.name, r.next_at)).collect())
}

/// A schedule's next tick; its row stays locked until the transaction ends.
pub(crate) async fn lock_next_tick(conn: &mut PgConnection, name: &str) -> Result<Option<DateTime<Utc>>, sqlx::Error> {
    sqlx::query_scalar!("SELECT next_at FROM job_schedules WHERE name = $1 FOR UPDATE", name).fetch_optional(conn).await
}

/// The database's clock now, not at the start of the transaction.
pub(crate) async fn clock(conn: &mut PgConnection) -> Result<DateTime<Utc>, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT clock_timestamp() AS "now!""#).fetch_one(conn).await
}

/// State of a schedule, for the metrics.
pub(crate) struct ScheduleState {
    pub name: String,
    /// Last success of a job of its kind, Unix seconds.
    pub last_success: Option<f64>,
    /// Since a tick was due that has made no job, or whose job has not started; 0 otherwise.
    pub overdue_seconds: f64,
}

/// States of the schedules among `names`.
pub(crate) async fn schedule_states(
    conn: &mut PgConnection,
    names: &[String],
) -> Result<Vec<ScheduleState>, sqlx::Error> {
    sqlx::query_as!(
        ScheduleState,
        r#"SELECT s.name, extract(epoch FROM s.last_success_at)::float8 AS last_success,
             greatest(extract(epoch FROM now() - s.next_at), extract(epoch FROM now() - CASE WHEN j.id IS NOT NULL THEN s.last_at END), 0)::float8
               AS "overdue_seconds!"
           FROM job_schedules s LEFT JOIN jobs j ON j.id = s.last_job_id AND j.state = 'queued' AND j.attempt = 0
           WHERE s.name = ANY($1) ORDER BY s.name"#,
        names,
    )
    .fetch_all(conn)
    .await
}

/// Records the success of a system job for the schedules of its kind.
pub(crate) async fn schedule_succeeded(conn: &mut PgConnection, kind: &str) -> Result<(), sqlx::Error> {
    sqlx::query!("UPDATE job_schedules SET last_success_at = now() WHERE kind = $1", kind).execute(conn).await?;
    Ok(())
}

/// Creates coming partitions and drops those older than `days`; returns how many of each.
pub(crate) async fn maintain(conn: &mut PgConnection, days: i32) -> Result<(i32, i32), sqlx::Error> {
    let done = sqlx::query!(
        r#"SELECT created AS "created!", dropped AS "dropped!" FROM holdfast_jobs_maintain(make_interval(days => $1))"#,
        days,
    )
    .fetch_one(conn)
    .await?;
    Ok((done.created, done.dropped))
}
