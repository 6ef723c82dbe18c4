//! Leasing jobs, extending leases, and finding jobs of lost workers. As role `system`.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::{JobId, Progress};
use platform::{db, ids::OrgId};

/// A job leased by this worker.
#[derive(Clone, Debug)]
pub(crate) struct Leased {
    pub id: JobId,
    pub org_id: Option<OrgId>,
    pub queue: String,
    pub kind: String,
    pub attempt: i32,
    pub max_attempts: i32,
    /// Fencing token.
    pub lease_no: i32,
    /// From the time it became due to the lease, seconds.
    pub waited: f64,
    /// `None` when retention has deleted it.
    pub payload: Option<serde_json::Value>,
    pub request_id: Option<String>,
    /// Trace and span in which it was queued.
    pub trace_id: Option<String>,
    pub span_id: Option<String>,
    /// Whether that trace is sampled.
    pub trace_sampled: Option<bool>,
}

pub(crate) struct LeaseRequest<'a> {
    pub worker: Uuid,
    pub queues: &'a [String],
    pub kinds: &'a [String],
    /// Kinds whose jobs give up their `unique_key` here.
    pub unique_until_start: &'a [String],
    /// At most this many jobs, and one more from each of the idle queues.
    pub slots: i64,
    /// Queues of which this worker runs nothing.
    pub idle: &'a [String],
    pub lease: Duration,
}

/// Leases due jobs within each queue's limits, at most one for each concurrency key. Organisations with fewer running
/// jobs in the queue go first, then by `order_at`: one organisation's large upload does not hold up the others. Also
/// returns nothing when other workers are leasing from the same queues at this moment.
pub(crate) async fn lease(conn: &mut PgConnection, request: &LeaseRequest<'_>) -> Result<Vec<Leased>, sqlx::Error> {
    // The queue's row is the lock for its limits: counting and leasing must not interleave with another worker, and the
    // second statement has to see what the previous holder committed. A worker that froze here would hold up its
    // queues, so the server ends its session after five seconds. Idle queues are not locked: an idle installation
    // writes nothing.
    let open = sqlx::query!(
        r#"SELECT q.name, set_config('idle_in_transaction_session_timeout', '5s', true) AS "guard!"
           FROM job_queues q
           WHERE q.name = ANY($1) AND NOT q.paused AND EXISTS (
             SELECT FROM jobs j WHERE j.queue = q.name AND j.state = 'queued'
               AND j.order_at <= now() + interval '9 minutes' AND j.run_at <= now())
           ORDER BY q.name FOR UPDATE OF q SKIP LOCKED"#,
        request.queues,
    )
    .fetch_all(&mut *conn)
    .await?;
    if open.is_empty() {
        return Ok(Vec::new());
    }
    let open: Vec<String> = open.into_iter().map(|q| q.name).collect();
    match take(conn, request, &open).await {
        // Two queues share a concurrency key and were leased from at the same moment. The loser polls again.
        Err(error) if db::constraint(&error) == Some("jobs_concurrency_key_key") => Ok(Vec::new()),
        other => other,
    }
}

#[expect(clippy::too_many_lines, reason = "one statement: which jobs are due, whose turn it is, and taking them")]
async fn take(
    conn: &mut PgConnection,
    request: &LeaseRequest<'_>,
    open: &[String],
) -> Result<Vec<Leased>, sqlx::Error> {
    // room: what each queue's limits leave (rate: GCRA with 6 s of burst, at least one job), and one for an idle queue.
    // oldest: candidates in order; of the jobs with one concurrency key only the first, and none while another runs;
    // a job with an ordinal waits for the end of all with a lower one.
    // fair: candidates among the two hundred oldest jobs of each organisation that has any (up to a hundred; NULL is
    // the system), by id, which grows with time: one index lookup each. Beyond that, `oldest` finds them.
    // ranked: turn is how many of the queue's jobs the organisation would then run.
    // own: locked before they are taken, as many as the queue has room for. One that a transaction holds (see `enqueue`) is passed over, and the
    // next has its place: waiting for it here would hold up every worker, which the queue's row excludes meanwhile.
    if platform::mutant(18) || platform::mutant(19) {
        return take_wrongly(conn, request, open).await;
    }
    let rows = sqlx::query!(
        r#"WITH RECURSIVE room AS MATERIALIZED (
             SELECT q.name, greatest(0, least(greatest($4::bigint, (q.name = ANY($6))::integer),
               coalesce(q.concurrency - (SELECT count(*) FROM jobs r WHERE r.queue = q.name AND r.state = 'running'), $4 + 1),
               coalesce(floor((greatest(60.0 / q.rate_per_minute, 6.0) - extract(epoch FROM greatest(q.rate_next_at, now()) - now()))
                 * q.rate_per_minute / 60.0)::bigint, $4 + 1))) AS free
             FROM job_queues q WHERE q.name = ANY($2)
           ), orgs AS (
             SELECT NULL::uuid AS org_id, 0 AS nth
             UNION ALL
             SELECT (SELECT j.org_id FROM jobs j WHERE j.org_id > coalesce(o.org_id, '00000000-0000-0000-0000-000000000000')
               ORDER BY j.org_id LIMIT 1), o.nth + 1
             FROM orgs o WHERE o.nth < 100 AND (o.nth = 0 OR o.org_id IS NOT NULL)
           ), oldest AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN LATERAL (
               SELECT j.id, j.queue, j.org_id, j.order_at, j.concurrency_key FROM jobs j
               WHERE j.queue = room.name AND j.state = 'queued' AND j.run_at <= now()
                 AND j.order_at <= now() + interval '9 minutes' AND j.kind = ANY($3)
                 AND NOT EXISTS (SELECT FROM jobs r WHERE r.concurrency_key = j.concurrency_key AND r.state = 'running')
                 AND NOT EXISTS (
                   SELECT FROM jobs f WHERE f.concurrency_key = j.concurrency_key AND f.state = 'queued' AND f.queue = j.queue
                     AND f.run_at <= now() AND f.kind = ANY($3) AND f.ordinal IS NULL AND (f.order_at, f.id) < (j.order_at, j.id))
                 AND NOT EXISTS (SELECT FROM jobs e WHERE e.concurrency_key = j.concurrency_key AND e.ordinal < j.ordinal)
               ORDER BY j.order_at, j.id LIMIT room.free FOR UPDATE OF j SKIP LOCKED
             ) c
           ), fair AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN orgs o CROSS JOIN LATERAL (
               SELECT j.id, j.queue, j.org_id, j.order_at, j.concurrency_key FROM (
                 (SELECT * FROM jobs j WHERE j.org_id = o.org_id ORDER BY j.id LIMIT 200)
                 UNION ALL
                 (SELECT * FROM jobs j WHERE o.nth = 0 AND j.org_id IS NULL ORDER BY j.id LIMIT 200)
               ) j
               WHERE j.queue = room.name AND j.state = 'queued' AND j.run_at <= now()
                 AND j.order_at <= now() + interval '9 minutes' AND j.kind = ANY($3)
                 AND NOT EXISTS (SELECT FROM jobs r WHERE r.concurrency_key = j.concurrency_key AND r.state = 'running')
                 AND NOT EXISTS (
                   SELECT FROM jobs f WHERE f.concurrency_key = j.concurrency_key AND f.state = 'queued' AND f.queue = j.queue
                     AND f.run_at <= now() AND f.kind = ANY($3) AND f.ordinal IS NULL AND (f.order_at, f.id) < (j.order_at, j.id))
                 AND NOT EXISTS (SELECT FROM jobs e WHERE e.concurrency_key = j.concurrency_key AND e.ordinal < j.ordinal)
               ORDER BY j.order_at, j.id LIMIT room.free
             ) c
             WHERE room.free > 0
           ), due AS MATERIALIZED (
             SELECT c.*, row_number() OVER (PARTITION BY coalesce(c.concurrency_key, c.id::text) ORDER BY c.order_at, c.id) AS nth
             FROM (SELECT * FROM oldest UNION SELECT * FROM fair) c
           ), busy AS MATERIALIZED (
             SELECT r.queue, r.org_id, count(*) AS running FROM jobs r WHERE r.queue = ANY($2) AND r.state = 'running' GROUP BY r.queue, r.org_id
           ), ranked AS MATERIALIZED (
             SELECT d.id, d.queue, d.order_at,
               coalesce(b.running, 0) + row_number() OVER (PARTITION BY d.queue, d.org_id ORDER BY d.order_at, d.id) AS turn
             FROM due d LEFT JOIN busy b ON b.queue = d.queue AND b.org_id IS NOT DISTINCT FROM d.org_id
             WHERE d.nth = 1
           ), own AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN LATERAL (
               SELECT r.id, r.queue, r.order_at, r.turn FROM ranked r JOIN jobs j ON j.id = r.id
               WHERE r.queue = room.name AND j.state = 'queued'
               ORDER BY r.turn, r.order_at, r.id LIMIT room.free FOR UPDATE OF j SKIP LOCKED
             ) c
           ), chosen AS MATERIALIZED (
             SELECT id FROM (
               SELECT o.id, o.queue, row_number() OVER (PARTITION BY o.queue ORDER BY o.turn, o.order_at, o.id) AS in_queue,
                 row_number() OVER (ORDER BY o.turn, o.order_at, o.id) AS place
               FROM own o
             ) c WHERE c.place <= $4 OR (c.in_queue = 1 AND c.queue = ANY($6))
           ), leased AS (
             UPDATE jobs j SET state = 'running', attempt = j.attempt + 1, lease_no = j.lease_no + 1, worker_id = $1,
               leased_until = now() + make_interval(secs => $5), started_at = now(), progress = 0, progress_note = '',
               unique_key = CASE WHEN j.kind = ANY($7) THEN NULL ELSE j.unique_key END
             FROM chosen WHERE j.id = chosen.id AND j.state = 'queued'
             RETURNING j.id, j.org_id, j.queue, j.kind, j.attempt, j.max_attempts, j.lease_no, j.run_at, j.created_at, j.order_at
           ), spent AS (
             UPDATE job_queues q SET rate_next_at = greatest(q.rate_next_at, now()) + n.started * make_interval(secs => 60.0 / q.rate_per_minute)
             FROM (SELECT queue, count(*) AS started FROM leased GROUP BY queue) n
             WHERE q.name = n.queue AND q.rate_per_minute IS NOT NULL
           )
           SELECT l.id AS "id!", l.org_id, l.queue AS "queue!", l.kind AS "kind!", l.attempt AS "attempt!",
             l.max_attempts AS "max_attempts!", l.lease_no AS "lease_no!",
             extract(epoch FROM now() - l.run_at)::float8 AS "waited!", p.payload AS "payload?", p.request_id, p.trace_id, p.span_id,
             p.trace_sampled
           FROM leased l LEFT JOIN job_payloads p ON p.job_id = l.id AND p.created_at = l.created_at
           ORDER BY l.order_at, l.id"#,
        request.worker,
        open,
        request.kinds,
        request.slots,
        request.lease.as_secs_f64(),
        request.idle,
        request.unique_until_start,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows
        .into_iter()
        .map(|r| Leased {
            id: JobId(r.id),
            org_id: r.org_id.map(OrgId),
            queue: r.queue,
            kind: r.kind,
            attempt: r.attempt,
            max_attempts: r.max_attempts,
            lease_no: r.lease_no,
            waited: r.waited,
            payload: r.payload,
            request_id: r.request_id,
            trace_id: r.trace_id,
            span_id: r.span_id,
            trace_sampled: r.trace_sampled,
        })
        .collect())
}

/// The statement of [`take`] with a fault.
#[allow(clippy::too_many_lines)]
async fn take_wrongly(
    conn: &mut PgConnection,
    request: &LeaseRequest<'_>,
    open: &[String],
) -> Result<Vec<Leased>, sqlx::Error> {
    use sqlx::Row as _;
    let mut text = r#"WITH RECURSIVE room AS MATERIALIZED (
             SELECT q.name, greatest(0, least(greatest($4::bigint, (q.name = ANY($6))::integer),
               coalesce(q.concurrency - (SELECT count(*) FROM jobs r WHERE r.queue = q.name AND r.state = 'running'), $4 + 1),
               coalesce(floor((greatest(60.0 / q.rate_per_minute, 6.0) - extract(epoch FROM greatest(q.rate_next_at, now()) - now()))
                 * q.rate_per_minute / 60.0)::bigint, $4 + 1))) AS free
             FROM job_queues q WHERE q.name = ANY($2)
           ), orgs AS (
             SELECT NULL::uuid AS org_id, 0 AS nth
             UNION ALL
             SELECT (SELECT j.org_id FROM jobs j WHERE j.org_id > coalesce(o.org_id, '00000000-0000-0000-0000-000000000000')
               ORDER BY j.org_id LIMIT 1), o.nth + 1
             FROM orgs o WHERE o.nth < 100 AND (o.nth = 0 OR o.org_id IS NOT NULL)
           ), oldest AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN LATERAL (
               SELECT j.id, j.queue, j.org_id, j.order_at, j.concurrency_key FROM jobs j
               WHERE j.queue = room.name AND j.state = 'queued' AND j.run_at <= now()
                 AND j.order_at <= now() + interval '9 minutes' AND j.kind = ANY($3)
                 AND NOT EXISTS (SELECT FROM jobs r WHERE r.concurrency_key = j.concurrency_key AND r.state = 'running')
                 AND NOT EXISTS (
                   SELECT FROM jobs f WHERE f.concurrency_key = j.concurrency_key AND f.state = 'queued' AND f.queue = j.queue
                     AND f.run_at <= now() AND f.kind = ANY($3) AND f.ordinal IS NULL AND (f.order_at, f.id) < (j.order_at, j.id))
                 AND NOT EXISTS (SELECT FROM jobs e WHERE e.concurrency_key = j.concurrency_key AND e.ordinal < j.ordinal)
               ORDER BY j.order_at, j.id LIMIT room.free FOR UPDATE OF j SKIP LOCKED
             ) c
           ), fair AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN orgs o CROSS JOIN LATERAL (
               SELECT j.id, j.queue, j.org_id, j.order_at, j.concurrency_key FROM (
                 (SELECT * FROM jobs j WHERE j.org_id = o.org_id ORDER BY j.id LIMIT 200)
                 UNION ALL
                 (SELECT * FROM jobs j WHERE o.nth = 0 AND j.org_id IS NULL ORDER BY j.id LIMIT 200)
               ) j
               WHERE j.queue = room.name AND j.state = 'queued' AND j.run_at <= now()
                 AND j.order_at <= now() + interval '9 minutes' AND j.kind = ANY($3)
                 AND NOT EXISTS (SELECT FROM jobs r WHERE r.concurrency_key = j.concurrency_key AND r.state = 'running')
                 AND NOT EXISTS (
                   SELECT FROM jobs f WHERE f.concurrency_key = j.concurrency_key AND f.state = 'queued' AND f.queue = j.queue
                     AND f.run_at <= now() AND f.kind = ANY($3) AND f.ordinal IS NULL AND (f.order_at, f.id) < (j.order_at, j.id))
                 AND NOT EXISTS (SELECT FROM jobs e WHERE e.concurrency_key = j.concurrency_key AND e.ordinal < j.ordinal)
               ORDER BY j.order_at, j.id LIMIT room.free
             ) c
             WHERE room.free > 0
           ), due AS MATERIALIZED (
             SELECT c.*, row_number() OVER (PARTITION BY coalesce(c.concurrency_key, c.id::text) ORDER BY c.order_at, c.id) AS nth
             FROM (SELECT * FROM oldest UNION SELECT * FROM fair) c
           ), busy AS MATERIALIZED (
             SELECT r.queue, r.org_id, count(*) AS running FROM jobs r WHERE r.queue = ANY($2) AND r.state = 'running' GROUP BY r.queue, r.org_id
           ), ranked AS MATERIALIZED (
             SELECT d.id, d.queue, d.order_at,
               coalesce(b.running, 0) + row_number() OVER (PARTITION BY d.queue, d.org_id ORDER BY d.order_at, d.id) AS turn
             FROM due d LEFT JOIN busy b ON b.queue = d.queue AND b.org_id IS NOT DISTINCT FROM d.org_id
             WHERE d.nth = 1
           ), own AS MATERIALIZED (
             SELECT c.* FROM room CROSS JOIN LATERAL (
               SELECT r.id, r.queue, r.order_at, r.turn FROM ranked r JOIN jobs j ON j.id = r.id
               WHERE r.queue = room.name AND j.state = 'queued'
               ORDER BY r.turn, r.order_at, r.id LIMIT room.free FOR UPDATE OF j SKIP LOCKED
             ) c
           ), chosen AS MATERIALIZED (
             SELECT id FROM (
               SELECT o.id, o.queue, row_number() OVER (PARTITION BY o.queue ORDER BY o.turn, o.order_at, o.id) AS in_queue,
                 row_number() OVER (ORDER BY o.turn, o.order_at, o.id) AS place
               FROM own o
             ) c WHERE c.place <= $4 OR (c.in_queue = 1 AND c.queue = ANY($6))
           ), leased AS (
             UPDATE jobs j SET state = 'running', attempt = j.attempt + 1, lease_no = j.lease_no + 1, worker_id = $1,
               leased_until = now() + make_interval(secs => $5), started_at = now(), progress = 0, progress_note = '',
               unique_key = CASE WHEN j.kind = ANY($7) THEN NULL ELSE j.unique_key END
             FROM chosen WHERE j.id = chosen.id AND j.state = 'queued'
             RETURNING j.id, j.org_id, j.queue, j.kind, j.attempt, j.max_attempts, j.lease_no, j.run_at, j.created_at, j.order_at
           ), spent AS (
             UPDATE job_queues q SET rate_next_at = greatest(q.rate_next_at, now()) + n.started * make_interval(secs => 60.0 / q.rate_per_minute)
             FROM (SELECT queue, count(*) AS started FROM leased GROUP BY queue) n
             WHERE q.name = n.queue AND q.rate_per_minute IS NOT NULL
           )
           SELECT l.id, l.org_id, l.queue, l.kind, l.attempt,
             l.max_attempts, l.lease_no,
             extract(epoch FROM now() - l.run_at)::float8, p.payload, p.request_id, p.trace_id, p.span_id,
             p.trace_sampled
           FROM leased l LEFT JOIN job_payloads p ON p.job_id = l.id AND p.created_at = l.created_at
           ORDER BY l.order_at, l.id"#
    .to_owned();
    if platform::mutant(18) {
        text = text.replace("FOR UPDATE OF j SKIP LOCKED", "FOR UPDATE OF j");
    } else {
        text = text
            .replace("r.turn, r.order_at, r.id", "r.order_at, r.id")
            .replace("o.turn, o.order_at, o.id", "o.order_at, o.id");
    }
    let rows = sqlx::query(sqlx::AssertSqlSafe(text))
        .bind(request.worker)
        .bind(open.to_vec())
        .bind(request.kinds.to_vec())
        .bind(request.slots)
        .bind(request.lease.as_secs_f64())
        .bind(request.idle.to_vec())
        .bind(request.unique_until_start.to_vec())
        .fetch_all(conn)
        .await?;
    Ok(rows
        .into_iter()
        .map(|row| Leased {
            id: JobId(row.get::<Uuid, _>(0)),
            org_id: row.get::<Option<Uuid>, _>(1).map(OrgId),
            queue: row.get(2),
            kind: row.get(3),
            attempt: row.get(4),
            max_attempts: row.get(5),
            lease_no: row.get(6),
            waited: row.get(7),
            payload: row.get(8),
            request_id: row.get(9),
            trace_id: row.get(10),
            span_id: row.get(11),
            trace_sampled: row.get(12),
        })
        .collect())
}

/// A worker's heartbeat for one of its jobs.
pub(crate) struct Beat {
    pub id: JobId,
    pub lease_no: i32,
    pub progress: Progress,
}

/// A job whose lease was extended.
pub(crate) struct Held {
    pub id: JobId,
    pub cancel_requested: bool,
}

/// Extends leases; jobs missing from the result are no longer this worker's.
pub(crate) async fn heartbeat(
    conn: &mut PgConnection,
    beats: &[Beat],
    lease: Duration,
) -> Result<Vec<Held>, sqlx::Error> {
    let ids: Vec<Uuid> = beats.iter().map(|b| b.id.0).collect();
    let leases: Vec<i32> = beats.iter().map(|b| b.lease_no).collect();
    let percents: Vec<i16> = beats.iter().map(|b| i16::from(b.progress.percent)).collect();
    let notes: Vec<String> = beats.iter().map(|b| b.progress.note.clone()).collect();
    let rows = sqlx::query!(
        "UPDATE jobs j SET leased_until = now() + make_interval(secs => $5), progress = b.percent, progress_note = b.note
         FROM unnest($1::uuid[], $2::integer[], $3::smallint[], $4::text[]) AS b (id, lease_no, percent, note)
         WHERE j.id = b.id AND j.lease_no = b.lease_no AND j.state = 'running'
         RETURNING j.id, j.cancel_requested",
        &ids,
        &leases,
        &percents,
        &notes,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|r| Held { id: JobId(r.id), cancel_requested: r.cancel_requested }).collect())
}

/// A running job whose lease has expired.
pub(crate) struct Expired {
    pub id: JobId,
    pub org_id: Option<OrgId>,
    pub queue: String,
    pub kind: String,
    pub lease_no: i32,
    pub attempt: i32,
    pub max_attempts: i32,
    pub worker_id: Uuid,
    pub cancel_requested: bool,
}

/// Locks up to 100 jobs with expired leases until the transaction ends.
pub(crate) async fn lock_expired(conn: &mut PgConnection) -> Result<Vec<Expired>, sqlx::Error> {
    sqlx::query_as!(
        Expired,
        r#"SELECT id, org_id AS "org_id: OrgId", queue, kind, lease_no, attempt, max_attempts, worker_id AS "worker_id!", cancel_requested
           FROM jobs WHERE state = 'running' AND leased_until < now()
           ORDER BY leased_until LIMIT 100 FOR UPDATE SKIP LOCKED"#
    )
    .fetch_all(conn)
    .await
}
