//! How attempts and jobs end. Functions that take a lease return whether it still held; if not, they have changed
//! nothing.

use std::time::Duration;

use sqlx::PgConnection;

use crate::{JobId, JobState, model::AttemptOutcome};
use platform::trace::{self, Context};

/// The attempt of lease `lease_no` has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ended<'a> {
    pub id: JobId,
    pub lease_no: i32,
    pub outcome: AttemptOutcome,
    /// The chain of causes.
    pub error: Option<&'a str>,
}

/// Ends the job: moves it to the history, and to the dead letters when `state` is `Dead`.
pub(crate) async fn finish(conn: &mut PgConnection, ended: Ended<'_>, state: JobState) -> Result<bool, sqlx::Error> {
    let mut ended = ended;
    if platform::mutant(21) {
        let current: Option<i32> = sqlx::query_scalar("SELECT lease_no FROM jobs WHERE id = $1")
            .bind(ended.id.0)
            .fetch_optional(&mut *conn)
            .await?;
        ended.lease_no = current.unwrap_or(ended.lease_no);
    }
    let held = sqlx::query_scalar!(
        r#"WITH done AS (
             DELETE FROM jobs WHERE id = $1 AND lease_no = $2 AND state = 'running' RETURNING *
           ), past AS (
             INSERT INTO job_history (id, org_id, queue, kind, state, priority, attempts, max_attempts, created_at, run_at, started_at, finished_at, last_error)
             SELECT id, org_id, queue, kind, $3, priority, attempt, max_attempts, created_at, run_at, started_at, now(), coalesce(left($5, 500), last_error) FROM done
           ), tried AS (
             INSERT INTO job_attempts (job_id, org_id, lease_no, attempt, worker_id, outcome, started_at, finished_at, error)
             SELECT id, org_id, lease_no, attempt, worker_id, $4, started_at, now(), $5 FROM done
           ), dead AS (
             INSERT INTO job_dead_letters (job_id, org_id, queue, kind, priority, max_attempts, concurrency_key, payload, attempts, error, died_at)
             SELECT d.id, d.org_id, d.queue, d.kind, d.priority, d.max_attempts, d.concurrency_key, p.payload, d.attempt, coalesce($5, ''), now()
             FROM done d JOIN job_payloads p ON p.job_id = d.id AND p.created_at = d.created_at WHERE $3 = 'dead'
           )
           SELECT count(*) > 0 AS "held!" FROM done"#,
        ended.id.0,
        ended.lease_no,
        state.as_str(),
        ended.outcome.as_str(),
        ended.error,
    )
    .fetch_one(conn)
    .await?;
    Ok(held)
}

/// Records a failed attempt; the next one starts after `wait`.
pub(crate) async fn retry(conn: &mut PgConnection, ended: Ended<'_>, wait: Duration) -> Result<bool, sqlx::Error> {
    let held = sqlx::query_scalar!(
        r#"WITH over AS (
             SELECT id, org_id, lease_no, attempt, worker_id, started_at FROM jobs
             WHERE id = $1 AND lease_no = $2 AND state = 'running' FOR UPDATE
           ), again AS (
             UPDATE jobs j SET state = 'queued', leased_until = NULL, worker_id = NULL, started_at = NULL,
               run_at = now() + make_interval(secs => $5), order_at = now() + make_interval(secs => $5) - j.priority * interval '1 minute',
               last_error = left($4, 500)
             FROM over WHERE j.id = over.id
           ), tried AS (
             INSERT INTO job_attempts (job_id, org_id, lease_no, attempt, worker_id, outcome, started_at, finished_at, error)
             SELECT id, org_id, lease_no, attempt, worker_id, $3, started_at, now(), $4 FROM over
           )
           SELECT count(*) > 0 AS "held!" FROM over"#,
        ended.id.0,
        ended.lease_no,
        ended.outcome.as_str(),
        ended.error,
        wait.as_secs_f64(),
    )
    .fetch_one(conn)
    .await?;
    Ok(held)
}

/// Gives a job back after `wait` without counting the attempt: snoozed, or stopped by a shutdown.
pub(crate) async fn release(
    conn: &mut PgConnection,
    id: JobId,
    lease_no: i32,
    wait: Duration,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE jobs SET state = 'queued', leased_until = NULL, worker_id = NULL, started_at = NULL, attempt = attempt - 1,
           run_at = now() + make_interval(secs => $3), order_at = now() + make_interval(secs => $3) - priority * interval '1 minute'
         WHERE id = $1 AND lease_no = $2 AND state = 'running'",
        id.0,
        lease_no,
        wait.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Cancels a waiting job. False when it is not waiting.
pub(crate) async fn cancel_queued(conn: &mut PgConnection, id: JobId) -> Result<bool, sqlx::Error> {
    let cancelled = sqlx::query_scalar!(
        r#"WITH done AS (
             DELETE FROM jobs WHERE id = $1 AND state = 'queued' RETURNING *
           ), past AS (
             INSERT INTO job_history (id, org_id, queue, kind, state, priority, attempts, max_attempts, created_at, run_at, started_at, finished_at, last_error)
             SELECT id, org_id, queue, kind, 'cancelled', priority, attempt, max_attempts, created_at, run_at, started_at, now(), last_error FROM done
           )
           SELECT count(*) > 0 AS "cancelled!" FROM done"#,
        id.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(cancelled)
}

/// Asks a running job to stop; its worker learns of it with the next heartbeat. False when it is not running.
pub(crate) async fn request_cancel(conn: &mut PgConnection, id: JobId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!("UPDATE jobs SET cancel_requested = true WHERE id = $1 AND state = 'running'", id.0)
        .execute(conn)
        .await?;
    Ok(done.rows_affected() > 0)
}

/// Makes a waiting job due now. False when it is not waiting.
pub(crate) async fn run_now(conn: &mut PgConnection, id: JobId) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "UPDATE jobs SET run_at = now(), order_at = now() - priority * interval '1 minute' WHERE id = $1 AND state = 'queued'",
        id.0,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Replaces a dead letter by a new job `new_id` with all attempts left. False when there is none.
pub(crate) async fn replay(conn: &mut PgConnection, id: JobId, new_id: JobId) -> Result<bool, sqlx::Error> {
    let context = trace::current();
    let done = sqlx::query!(
        "WITH letter AS (
           DELETE FROM job_dead_letters WHERE job_id = $1 RETURNING *
         ), job AS (
           INSERT INTO jobs (id, org_id, queue, kind, max_attempts, priority, run_at, order_at, concurrency_key)
           SELECT $2, org_id, queue, kind, max_attempts, priority, now(), now() - priority * interval '1 minute', concurrency_key FROM letter
         )
         INSERT INTO job_payloads (job_id, org_id, created_at, payload, request_id, trace_id, span_id, trace_sampled)
         SELECT $2, org_id, now(), payload, $3, $4, $5, $6 FROM letter",
        id.0,
        new_id.0,
        context.as_ref().and_then(Context::request_id),
        context.as_ref().map(Context::trace_id),
        context.as_ref().map(Context::span_id),
        context.as_ref().map(Context::is_sampled),
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Deletes a dead letter; the job's history stays. False when there is none.
pub(crate) async fn delete_dead_letter(conn: &mut PgConnection, id: JobId) -> Result<bool, sqlx::Error> {
    Ok(sqlx::query!("DELETE FROM job_dead_letters WHERE job_id = $1", id.0).execute(conn).await?.rows_affected() > 0)
}
