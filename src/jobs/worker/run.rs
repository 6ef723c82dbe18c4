//! One attempt: runs the handler and settles the job, always with one log line and one observation.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures::FutureExt as _;
use tokio::time::{Instant, sleep, timeout};
use tracing::Instrument as _;

use super::{CANCEL_GRACE, Running, Stop, Worker};
use crate::{
    JobContext, JobError, JobState, JobsError,
    metrics::{FinishedLabels, Outcome, QueueLabels},
    model::{AttemptOutcome, Reason},
    registry::Kind as JobKind,
    store::{self, Ended, Leased},
};
use platform::{
    crypto,
    telemetry::{Span, otlp::wire::Kind},
    trace::{self, Context, Queued},
};

/// The longest wait between attempts.
const MAX_BACKOFF: Duration = Duration::from_hours(1);

/// Runs a leased job as a task of its own.
pub(super) fn spawn(worker: &Arc<Worker>, job: Leased, leased: Instant) {
    let running = Arc::new(Running::new(&job.queue, job.lease_no, leased));
    // An older attempt of the same job that is still here has lost its lease, or this one could not have been leased.
    if let Some(stale) = worker.running().insert(job.id, running.clone()) {
        stale.stop(Stop::Lost);
    }
    let span = tracing::info_span!(
        "job", kind = job.kind, job_id = %job.id, org_id = job.org_id.map(tracing::field::display), attempt = job.attempt,
    );
    let queued = Queued {
        trace_id: job.trace_id.as_deref(),
        span_id: job.span_id.as_deref(),
        sampled: job.trace_sampled,
        request_id: job.request_id.as_deref(),
    };
    let context = Context::of_job(job.id.0, queued);
    let recorded = begin(&job, &context);
    let owner = worker.clone();
    let task = async move { attempt(&owner, &job, &running, recorded).await };
    worker.lifecycle.spawn("job", context.scope(task.instrument(span)));
}

/// The attempt's span, a child of the span that queued the job.
fn begin(job: &Leased, context: &Context) -> Span {
    let mut span = Span::whole(context, Kind::Consumer, || format!("job.{}", job.kind));
    if span.is_recorded() {
        span.set("holdfast.job.id", &*job.id.to_string());
        span.set("holdfast.job.kind", &*job.kind);
        span.set("holdfast.job.queue", &*job.queue);
        span.set("holdfast.job.attempt", u64::try_from(job.attempt).unwrap_or_default());
        span.set("holdfast.job.wait_ms", job.waited * 1e3);
        if let Some(org) = job.org_id {
            span.set("holdfast.org_id", &*org.to_string());
        }
    }
    span
}

/// Without the error: its text may contain user data.
fn end(mut span: Span, outcome: Outcome) {
    span.set("holdfast.job.outcome", outcome.as_str());
    if let Some((took, transactions)) = trace::current().filter(|_| span.is_recorded()).map(|work| work.database()) {
        span.set("holdfast.database_ms", took.as_secs_f64() * 1e3);
        span.set("holdfast.transactions", u64::from(transactions));
    }
    if matches!(outcome, Outcome::Dead | Outcome::Retried | Outcome::Lost) {
        span.failed(outcome.as_str());
    }
    drop(span);
}

async fn attempt(worker: &Worker, job: &Leased, running: &Arc<Running>, span: Span) {
    let Some((queue, kind)) = worker.registry.kinds.get(job.kind.as_str()).map(|kind| (kind.queue, kind)) else {
        // Unreachable: leases ask for registered kinds only.
        return;
    };
    let metrics = worker.jobs.metrics();
    metrics.started.get_or_create(&QueueLabels { queue }).inc();
    metrics.wait.get_or_create(&QueueLabels { queue }).observe(job.waited.max(0.0));
    let begun = Instant::now();
    let lost = if job.attempt > 1 { lost_before(worker, job).await.unwrap_or_default() } else { 0 };
    let (ending, error) = run(kind, job, running, lost).await;
    let took = begun.elapsed();
    let outcome = settle(worker, job, running, ending, error.as_deref()).await;

    // A newer lease of the same job may have started here meanwhile: keep that one.
    let mut map = worker.running();
    if map.get(&job.id).is_some_and(|r| Arc::ptr_eq(r, running)) {
        map.remove(&job.id);
    }
    drop(map);
    worker.liveness.finished();
    worker.freed.send_replace(());
    metrics.finished.get_or_create(&FinishedLabels { queue, outcome }).inc();
    metrics.duration.get_or_create(&QueueLabels { queue }).observe(took.as_secs_f64());
    report(worker, job, outcome, took, error.as_deref().unwrap_or_default());
    end(span, outcome);
}

/// Earlier attempts at the job whose worker was lost.
async fn lost_before(worker: &Worker, job: &Leased) -> Result<i32, JobsError> {
    let mut tx = worker.jobs.db().system().await?;
    let attempts = store::attempts(&mut tx, job.id).await?;
    tx.commit().await?;
    let lost = attempts.iter().filter(|attempt| attempt.outcome == AttemptOutcome::Lost);
    Ok(i32::try_from(lost.count()).unwrap_or(i32::MAX))
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    Succeeded,
    Retry(Duration),
    Dead,
    Cancelled,
    Snoozed(Duration),
    Released,
    Lost,
}

/// Runs the handler until it returns, times out or is told to stop.
async fn run(kind: &JobKind, job: &Leased, running: &Running, lost: i32) -> (Ending, Option<String>) {
    let Some(payload) = job.payload.clone() else {
        return (Ending::Dead, Some(Reason::PayloadGone.text().to_owned()));
    };
    let context = JobContext {
        job_id: job.id,
        org_id: job.org_id,
        attempt: job.attempt,
        max_attempts: job.max_attempts,
        lost,
        cancel: running.cancel.clone(),
        progress: running.progress.clone(),
    };
    let work = timeout(kind.timeout, AssertUnwindSafe(async { (kind.run)(context, payload).await }).catch_unwind());
    tokio::pin!(work);
    let mut stops = running.stop.subscribe();
    let result = tokio::select! {
        biased;
        result = &mut work => Some(result),
        _ = stops.wait_for(Option::is_some) => None,
    };
    let result = match result {
        Some(result) => Some(result),
        // Another worker may have the lost job already: with every further moment two of them work on the same thing.
        None if *running.stop.borrow() == Some(Stop::Lost) => None,
        None => tokio::select! {
            result = &mut work => Some(result),
            () = sleep(CANCEL_GRACE) => None,
            _ = stops.wait_for(|stop| *stop == Some(Stop::Lost)) => None,
        },
    };
    // Tasks spawned by the handler wait for the token: they must learn of a timeout as well.
    running.cancel.cancel();
    let result = match result {
        None => None,
        Some(Err(_)) => {
            let (reason, seconds) = (Reason::TimedOut.text(), kind.timeout.as_secs_f64());
            Some(Err(JobError::Retry(anyhow::anyhow!("{reason}: more than {seconds} s"))))
        }
        Some(Ok(Err(panic))) => Some(Err(JobError::Retry(anyhow::anyhow!("panicked: {}", panic_text(&*panic))))),
        Some(Ok(Ok(result))) => Some(result),
    };
    judge(result, *running.stop.borrow(), job, kind.backoff)
}

/// How to settle an attempt with this result, given why it was told to stop (if it was).
fn judge(
    result: Option<Result<(), JobError>>,
    stop: Option<Stop>,
    job: &Leased,
    backoff: Duration,
) -> (Ending, Option<String>) {
    match (stop, result) {
        (Some(Stop::Lost), _) => (Ending::Lost, Some("the lease was lost".to_owned())),
        (_, Some(Ok(()))) => (Ending::Succeeded, None),
        (Some(Stop::Cancelled), _) => (Ending::Cancelled, None),
        (_, Some(Err(JobError::Permanent(error)))) => (Ending::Dead, Some(chain(&error))),
        (Some(Stop::Cut), _) | (None, None) => (Ending::Released, None),
        (None, Some(Err(JobError::Snooze(wait)))) => (Ending::Snoozed(wait), None),
        (None, Some(Err(JobError::Retry(error)))) if job.attempt >= job.max_attempts => {
            (Ending::Dead, Some(chain(&error)))
        }
        (None, Some(Err(JobError::Retry(error)))) => (Ending::Retry(delay(backoff, job.attempt)), Some(chain(&error))),
    }
}

/// The chain of causes on one line, without NUL (PostgreSQL's `text` rejects it), at most 8 000 characters.
fn chain(error: &anyhow::Error) -> String {
    format!("{error:#}").chars().filter(|c| *c != '\0').take(8000).collect()
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("without a message")
}

/// Exponential backoff after attempt number `attempt`, half of it random: jobs that failed together (a provider was
/// down) must not all come back together.
pub(crate) fn delay(backoff: Duration, attempt: i32) -> Duration {
    let doublings = u32::try_from(attempt - 1).unwrap_or_default().min(20);
    let full = backoff.saturating_mul(1 << doublings).min(MAX_BACKOFF);
    full.mul_f64(0.5 + crypto::random_unit() / 2.0)
}

/// Writes the outcome to the queue. Retries while the database is unreachable: the work is done, and giving up would do
/// it twice. The heartbeat extends or gives up the lease meanwhile.
async fn settle(worker: &Worker, job: &Leased, running: &Running, ending: Ending, error: Option<&str>) -> Outcome {
    let mut wait = Duration::from_millis(100);
    for tries in 1.. {
        if *running.stop.borrow() == Some(Stop::Lost) {
            break;
        }
        let failure = match write(worker, job, ending, error).await {
            Ok(Some(outcome)) => return outcome,
            // Fenced off: another worker has the job.
            Ok(None) => break,
            Err(failure) => failure,
        };
        let unavailable = matches!(&failure, JobsError::Db(e) if e.is_unavailable());
        let failure = anyhow::Error::new(failure);
        if unavailable {
            tracing::warn!(error = format!("{failure:#}"), "cannot store the outcome of the job: trying again");
        } else if tries >= 5 {
            // Waiting would not help. The lease expires and the job is rescued.
            tracing::error!(error = format!("{failure:#}"), "cannot store the outcome of the job: giving up");
            break;
        }
        sleep(wait).await;
        wait = (wait * 2).min(Duration::from_secs(2));
    }
    Outcome::Lost
}

/// `None` when the lease no longer held.
async fn write(
    worker: &Worker,
    job: &Leased,
    ending: Ending,
    error: Option<&str>,
) -> Result<Option<Outcome>, JobsError> {
    let ended = |outcome| Ended { id: job.id, lease_no: job.lease_no, outcome, error };
    let mut tx = worker.jobs.db().system().await?;
    let (held, outcome) = match ending {
        Ending::Succeeded => {
            let held = store::finish(&mut tx, ended(AttemptOutcome::Succeeded), JobState::Succeeded).await?;
            if held && job.org_id.is_none() && worker.registry.schedules.iter().any(|s| s.kind == job.kind) {
                store::schedule_succeeded(&mut tx, &job.kind).await?;
            }
            (held, Outcome::Succeeded)
        }
        Ending::Cancelled => {
            (store::finish(&mut tx, ended(AttemptOutcome::Cancelled), JobState::Cancelled).await?, Outcome::Cancelled)
        }
        Ending::Dead => (store::finish(&mut tx, ended(AttemptOutcome::Failed), JobState::Dead).await?, Outcome::Dead),
        Ending::Retry(wait) => (store::retry(&mut tx, ended(AttemptOutcome::Failed), wait).await?, Outcome::Retried),
        Ending::Snoozed(wait) => (store::release(&mut tx, job.id, job.lease_no, wait).await?, Outcome::Snoozed),
        Ending::Released => (store::release(&mut tx, job.id, job.lease_no, Duration::ZERO).await?, Outcome::Released),
        Ending::Lost => return Ok(None),
    };
    tx.commit().await?;
    Ok(held.then_some(outcome))
}

/// The attempt's wide log line.
fn report(worker: &Worker, job: &Leased, outcome: Outcome, took: Duration, error: &str) {
    macro_rules! line {
        ($level:ident) => {
            tracing::$level!(
                target: "holdfast::job", job_id = %job.id, kind = job.kind, queue = job.queue,
                org_id = job.org_id.map(tracing::field::display), worker_id = %worker.id,
                attempt = job.attempt, max_attempts = job.max_attempts, lease_no = job.lease_no, outcome = outcome.as_str(),
                duration_ms = took.as_secs_f64() * 1e3, wait_ms = job.waited * 1e3, error, "job"
            )
        };
    }
    match outcome {
        Outcome::Dead => line!(error),
        Outcome::Retried | Outcome::Lost => line!(warn),
        _ => line!(info),
    }
}
