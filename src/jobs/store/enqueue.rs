//! Enqueueing.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;

use crate::{Enqueue, Job, JobId, JobsError, metrics, wake};
use platform::{
    clock::Clock,
    ids::OrgId,
    trace::{self, Context},
};

/// Queues `job` in the caller's transaction: it exists if and when that commits. `org` is the transaction's
/// organisation; `None` (a job of the system) needs `db.system()`. Returns the new id, or that of the waiting or
/// running job with the same `unique_key`.
pub async fn enqueue<J: Job>(
    conn: &mut PgConnection,
    clock: &Clock,
    org: Option<OrgId>,
    job: &J,
    options: &Enqueue,
) -> Result<JobId, JobsError> {
    let new = NewJob {
        id: JobId::generate(clock),
        org,
        queue: J::QUEUE,
        kind: J::KIND,
        max_attempts: J::MAX_ATTEMPTS,
        payload: serde_json::to_value(job).map_err(JobsError::Payload)?,
    };
    let (id, inserted) = loop {
        let (id, inserted) = insert(conn, &new, options).await?;
        // One that starts before the caller commits would not see the caller's rows.
        if inserted || !J::UNIQUE_UNTIL_START || platform::mutant(17) || keep_waiting(conn, id).await? {
            break (id, inserted);
        }
    };
    if inserted {
        metrics::enqueued(J::QUEUE);
        wake::hint();
    }
    Ok(id)
}

/// Keeps a waiting job from starting until the transaction ends. False if it has started or ended, and its key is free.
async fn keep_waiting(conn: &mut PgConnection, id: JobId) -> sqlx::Result<bool> {
    // Not one that runs: its heartbeat would wait for this transaction.
    let waiting = sqlx::query_scalar!("SELECT id FROM jobs WHERE id = $1 AND unique_key IS NOT NULL FOR SHARE", id.0);
    Ok(waiting.fetch_optional(conn).await?.is_some())
}

/// A job to insert.
pub(crate) struct NewJob<'a> {
    pub id: JobId,
    pub org: Option<OrgId>,
    pub queue: &'a str,
    pub kind: &'a str,
    pub max_attempts: i32,
    pub payload: serde_json::Value,
}

/// Returns the job's id and whether it is new.
pub(crate) async fn insert(
    conn: &mut PgConnection,
    new: &NewJob<'_>,
    options: &Enqueue,
) -> Result<(JobId, bool), JobsError> {
    let context = trace::current();
    // The job that holds the key may end between the two statements: then insert again.
    loop {
        let inserted = sqlx::query_scalar!(
            r#"WITH job AS (
                 INSERT INTO jobs (id, org_id, queue, kind, max_attempts, priority, run_at, order_at, unique_key, concurrency_key, ordinal)
                 SELECT $1, $2, $3, $4, $5, $6::smallint, t.run_at, t.run_at - $6::smallint * interval '1 minute', $8, $9,
                   CASE WHEN $15 THEN nextval('jobs_ordinal_seq') END
                 FROM (SELECT coalesce($7, now()) AS run_at) t
                 ON CONFLICT (org_id, kind, unique_key) WHERE unique_key IS NOT NULL DO NOTHING
                 RETURNING id, org_id, created_at
               )
               INSERT INTO job_payloads (job_id, org_id, created_at, payload, request_id, trace_id, span_id, trace_sampled)
               SELECT id, org_id, created_at, $10, $11, $12, $13, $14 FROM job
               RETURNING job_id"#,
            new.id.0,
            new.org.map(|o| o.0),
            new.queue,
            new.kind,
            new.max_attempts,
            options.priority,
            options.run_at as Option<DateTime<Utc>>,
            options.unique_key,
            options.concurrency_key,
            new.payload,
            context.as_ref().and_then(Context::request_id),
            context.as_ref().map(Context::trace_id),
            context.as_ref().map(Context::span_id),
            context.as_ref().map(Context::is_sampled),
            options.ordered,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(id) = inserted {
            return Ok((JobId(id), true));
        }
        let existing = sqlx::query_scalar!(
            "SELECT id FROM jobs WHERE org_id IS NOT DISTINCT FROM $1 AND kind = $2 AND unique_key = $3",
            new.org.map(|o| o.0),
            new.kind,
            options.unique_key,
        )
        .fetch_optional(&mut *conn)
        .await?;
        if let Some(id) = existing {
            return Ok((JobId(id), false));
        }
    }
}

/// Whether a job of this kind holds this `unique_key`: it waits or, without [`Job::UNIQUE_UNTIL_START`], runs. Takes the caller's
/// transaction, so that it can be called for a row which the caller has locked.
pub async fn is_live<J: Job>(conn: &mut PgConnection, org: OrgId, unique_key: &str) -> Result<bool, JobsError> {
    Ok(sqlx::query_scalar!(
        "SELECT EXISTS (SELECT FROM jobs WHERE org_id = $1 AND kind = $2 AND unique_key = $3) AS \"live!\"",
        org.0,
        J::KIND,
        unique_key
    )
    .fetch_one(conn)
    .await?)
}
