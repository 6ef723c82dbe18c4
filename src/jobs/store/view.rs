//! Waiting, running and ended jobs as one list.

use chrono::{DateTime, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    JobId, JobState, JobSummary, Progress,
    model::{Attempt, AttemptOutcome},
};
use platform::{db::contains, http::Slice, ids::OrgId};

/// Filters of the list; `None` does not filter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    /// Whose jobs: `None` is the system's own.
    pub org: Option<OrgId>,
    pub state: Option<JobState>,
    pub queue: Option<String>,
    pub kind: Option<String>,
    /// A part of the kind, or the beginning of the id.
    pub search: Option<String>,
    /// Whether to search errors too: not for readers who may not see them, or they could probe for their text.
    pub search_errors: bool,
}

/// The range of ids that begin with `text`.
fn ids_from(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let padded =
        |with: &str| Uuid::try_parse(&format!("{digits}{}", with.repeat(32_usize.saturating_sub(digits.len())))).ok();
    (!digits.is_empty()).then(|| padded("0").zip(padded("f"))).flatten()
}

struct Row {
    id: Uuid,
    org_id: Option<Uuid>,
    queue: String,
    kind: String,
    state: String,
    priority: i16,
    attempts: i32,
    max_attempts: i32,
    percent: i16,
    note: String,
    cancel_requested: bool,
    created_at: DateTime<Utc>,
    run_at: DateTime<Utc>,
    started_at: Option<DateTime<Utc>>,
    finished_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

impl From<Row> for JobSummary {
    fn from(r: Row) -> Self {
        Self {
            id: JobId(r.id),
            org_id: r.org_id.map(OrgId),
            queue: r.queue,
            kind: r.kind,
            // The check constraints of both tables allow nothing else.
            state: r.state.parse().unwrap_or(JobState::Queued),
            priority: r.priority,
            attempts: r.attempts,
            max_attempts: r.max_attempts,
            progress: Progress { percent: u8::try_from(r.percent).unwrap_or_default(), note: r.note },
            cancel_requested: r.cancel_requested,
            created_at: r.created_at,
            run_at: r.run_at,
            started_at: r.started_at,
            finished_at: r.finished_at,
            last_error: r.last_error,
        }
    }
}

/// Newest first.
pub(crate) async fn list(
    conn: &mut PgConnection,
    filter: &Filter,
    slice: &Slice,
) -> Result<Vec<JobSummary>, sqlx::Error> {
    let ids = filter.search.as_deref().and_then(ids_from);
    let rows = sqlx::query_as!(
        Row,
        r#"WITH page AS MATERIALIZED (
             SELECT ARRAY(SELECT jobs_found($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)) AS ids
           )
           SELECT id AS "id!", org_id, queue AS "queue!", kind AS "kind!", state AS "state!", priority AS "priority!",
              attempt AS "attempts!", max_attempts AS "max_attempts!", progress AS "percent!", progress_note AS "note!",
              cancel_requested AS "cancel_requested!", created_at AS "created_at!", run_at AS "run_at!", started_at,
              NULL::timestamptz AS finished_at, last_error
           FROM jobs WHERE id = ANY ((SELECT ids FROM page)::uuid[])
           UNION ALL
           SELECT id, org_id, queue, kind, state, priority, attempts, max_attempts,
              CASE state WHEN 'succeeded' THEN 100::smallint ELSE 0::smallint END, '', false, created_at, run_at, started_at, finished_at, last_error
           FROM job_history WHERE id = ANY ((SELECT ids FROM page)::uuid[])
           ORDER BY 1 DESC"#,
        filter.org.is_none(),
        filter.state.map(JobState::as_str),
        filter.queue,
        filter.kind,
        filter.search.as_deref().map(contains),
        filter.search_errors,
        ids.map(|(first, _)| first),
        ids.map(|(_, last)| last),
        slice.beyond(),
        slice.rows(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(Into::into).collect())
}

/// One job of `org` (`None`: the system's).
pub(crate) async fn get(
    conn: &mut PgConnection,
    org: Option<OrgId>,
    id: JobId,
) -> Result<Option<JobSummary>, sqlx::Error> {
    let row = sqlx::query_as!(
        Row,
        r#"SELECT id AS "id!", org_id, queue AS "queue!", kind AS "kind!", state AS "state!", priority AS "priority!",
             attempt AS "attempts!", max_attempts AS "max_attempts!", progress AS "percent!", progress_note AS "note!",
             cancel_requested AS "cancel_requested!", created_at AS "created_at!", run_at AS "run_at!", started_at,
             NULL::timestamptz AS finished_at, last_error
           FROM jobs WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2
           UNION ALL
           SELECT id, org_id, queue, kind, state, priority, attempts, max_attempts,
             CASE state WHEN 'succeeded' THEN 100::smallint ELSE 0::smallint END, '', false, created_at, run_at, started_at, finished_at, last_error
           FROM job_history WHERE id = $1 AND org_id IS NOT DISTINCT FROM $2"#,
        id.0,
        org.map(|o| o.0),
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(Into::into))
}

/// A job's ended attempts, oldest first.
pub(crate) async fn attempts(conn: &mut PgConnection, id: JobId) -> Result<Vec<Attempt>, sqlx::Error> {
    let rows = sqlx::query!(
        "SELECT attempt, outcome, started_at, finished_at, worker_id, error FROM job_attempts WHERE job_id = $1 ORDER BY lease_no",
        id.0,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Attempt {
            number: r.attempt,
            outcome: r.outcome.parse().unwrap_or(AttemptOutcome::Failed),
            started_at: r.started_at,
            finished_at: r.finished_at,
            worker_id: r.worker_id,
            error: r.error,
        })
        .collect())
}

/// A job's payload and the id of the request that queued it, while its partition is kept.
pub(crate) async fn payload(
    conn: &mut PgConnection,
    id: JobId,
    created_at: DateTime<Utc>,
) -> Result<Option<(serde_json::Value, Option<String>)>, sqlx::Error> {
    let row = sqlx::query!(
        "SELECT payload, request_id FROM job_payloads WHERE job_id = $1 AND created_at = $2",
        id.0,
        created_at
    )
    .fetch_optional(conn)
    .await?;
    Ok(row.map(|r| (r.payload, r.request_id)))
}

/// Whether the job is among the dead letters.
pub(crate) async fn is_dead_letter(conn: &mut PgConnection, id: JobId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar!(r#"SELECT EXISTS (SELECT FROM job_dead_letters WHERE job_id = $1) AS "exists!""#, id.0)
        .fetch_one(conn)
        .await
}
