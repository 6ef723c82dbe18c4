//! Maintenance beside running jobs: fires schedules, rescues jobs of lost workers, records that the worker is alive.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{LEASE, LogOnChange, Worker, jittered};
use crate::{
    Enqueue, JobId, JobState, Jobs, JobsError, Registry, leader,
    metrics::QueueLabels,
    model::{AttemptOutcome, Reason},
    schedule,
    store::{self, Ended, Expired, NewJob},
    wake,
};
use platform::db::Tx;

/// A tick fires at most this late, while there is a leader.
const TICK: Duration = Duration::from_secs(1);
/// A lost worker's job is found at most this long after its lease expired.
const RESCUE: Duration = Duration::from_secs(3);
/// Interval for recording that the worker is alive, checking for waiting jobs, and checking the clock.
const LOOK: Duration = Duration::from_secs(10);

pub(super) async fn run(worker: Arc<Worker>) {
    let (mut ticks, mut rescues, mut looks) = (
        LogOnChange::new("fire schedules"),
        LogOnChange::new("rescue jobs"),
        LogOnChange::new("check for waiting jobs"),
    );
    let (mut clocks, mut signs) =
        (LogOnChange::new("compare schedules with the clock"), LogOnChange::new("record that the worker is alive"));
    let (mut last_rescue, mut last_look) = (None::<Instant>, None::<Instant>);
    let is_due = |last: Option<Instant>, every: Duration| last.is_none_or(|at| at.elapsed() >= every);
    while !worker.lifecycle.soft().is_cancelled() {
        let leads = worker.jobs.schedules_leader().leads();
        if leads {
            ticks.watch(fire_schedules(&worker.jobs, &worker.registry, Duration::ZERO).await);
        }
        if is_due(last_rescue, RESCUE) {
            rescues.watch(rescue(&worker.jobs, &worker.registry).await);
            last_rescue = Some(Instant::now());
        }
        if is_due(last_look, LOOK) {
            // A process that fires schedules but takes no jobs must not count as a live worker.
            if worker.liveness.is_alive(LEASE) {
                signs.watch(worker.seen().await);
            }
            looks.watch(see_waiting(&worker).await);
            if leads {
                clocks.watch(bring_back(&worker.jobs, &worker.registry).await);
            } else {
                // The leader may be of another version or configuration, and not know a schedule that this worker knows.
                ticks.watch(fire_schedules(&worker.jobs, &worker.registry, leader::LEASE).await);
            }
            last_look = Some(Instant::now());
        }
        tokio::select! { () = worker.lifecycle.soft().cancelled() => {}, () = sleep(jittered(TICK)) => {} }
    }
}

/// Creates the rows that the worker needs.
pub(super) async fn prepare(worker: &Worker) -> Result<(), JobsError> {
    // Partitions may have to wait for a backup's locks. There is a default partition, so this need not fail.
    if let Err(error) = worker.jobs.maintain().await {
        tracing::debug!(
            error = format!("{:#}", anyhow::Error::new(error)),
            "partitions not created now; jobs.maintain will do it"
        );
    }
    let mut tx = worker.jobs.db().system().await?;
    store::ensure_queues(&mut tx, &worker.queues).await?;
    store::worker_seen(&mut tx, worker.id, &worker.queues).await?;
    let now = store::now(&mut tx).await?;
    for schedule in &worker.registry.schedules {
        // A schedule without a next tick must not stop the worker.
        match schedule.cron.next(now) {
            Ok(next) => store::upsert_schedule(&mut tx, schedule, next).await?,
            Err(error) => skipped(schedule.name, &error),
        }
    }
    let removed = store::remove_schedules_except(&mut tx, &names(&worker.registry)).await?;
    tx.commit().await?;
    for schedule in removed {
        tracing::info!(schedule, "schedule removed: this version does not have it");
    }
    Ok(())
}

/// Names of the registered schedules.
fn names(registry: &Registry) -> Vec<String> {
    registry.schedules.iter().map(|s| s.name.to_owned()).collect()
}

/// Enqueues the jobs of schedules whose tick came at least `late` ago; of all workers that see the same tick, only one does. Returns how
/// many this one enqueued.
async fn fire_schedules(jobs: &Jobs, registry: &Registry, late: Duration) -> Result<usize, JobsError> {
    if registry.schedules.is_empty() {
        return Ok(0);
    }
    let mut tx = jobs.db().system().await?;
    let due = store::due_schedules(&mut tx, &names(registry), late).await?;
    tx.commit().await?;
    let mut fired = 0;
    for due in due {
        let Some(schedule) = registry.schedules.iter().find(|s| s.name == due.name) else { continue };
        let next = match schedule.cron.next(due.now) {
            Ok(next) => next,
            Err(error) => {
                skipped(schedule.name, &error);
                continue;
            }
        };
        // The tick's job and the step to the next tick commit together, and only one transaction can make the step.
        let mut tx = jobs.db().system().await?;
        let id = schedule::fires(due.tick, due.now, schedule.catch_up).then(|| JobId::generate(jobs.clock()));
        if !store::advance_schedule(&mut tx, schedule.name, due.tick, next, id).await? {
            continue;
        }
        if let Some(id) = id {
            let (kind, queue, max_attempts) = (schedule.kind, schedule.queue, schedule.max_attempts);
            let job = NewJob { id, org: None, queue, kind, max_attempts, payload: schedule.payload.clone() };
            store::insert(&mut tx, &job, &Enqueue::default()).await?;
            fired += 1;
        }
        tx.commit().await?;
        if id.is_some() {
            crate::metrics::enqueued(schedule.queue);
            wake::hint();
        }
        let missed = schedule::missed(&schedule.cron, due.tick, due.now)?;
        if missed > 0 {
            jobs.metrics().missed(schedule.name, missed);
        }
    }
    Ok(fired)
}

/// Corrects schedules whose next tick is too late: the clock was ahead when they last fired and has been set right.
/// Otherwise they would pause for as long as the clock was ahead.
async fn bring_back(jobs: &Jobs, registry: &Registry) -> Result<(), JobsError> {
    let mut tx = jobs.db().system().await?;
    let (now, ticks) = (store::clock(&mut tx).await?, store::next_ticks(&mut tx, &names(registry)).await?);
    tx.commit().await?;
    for (name, tick) in ticks {
        let Some(schedule) = registry.schedules.iter().find(|s| s.name == name) else { continue };
        if schedule.cron.next(now).is_ok_and(|due| tick <= due) {
            continue;
        }
        // It may have fired since the first look. Its row's lock keeps it in place, so the clock is read after locking.
        let mut tx = jobs.db().system().await?;
        let Some(tick) = store::lock_next_tick(&mut tx, &name).await? else { continue };
        let Ok(due) = schedule.cron.next(store::clock(&mut tx).await?) else { continue };
        if tick > due && store::advance_schedule(&mut tx, &name, tick, due, None).await? {
            tx.commit().await?;
            tracing::warn!(schedule = name, was = %tick, next = %due, "schedule {name} moved to an earlier time: the clock was ahead");
        }
    }
    Ok(())
}

fn skipped(schedule: &str, error: &JobsError) {
    tracing::error!(schedule, %error, "schedule {schedule} skipped: it has no next tick");
}

/// Takes over jobs with expired leases: they run again, or end if no attempt is left. Returns how many.
async fn rescue(jobs: &Jobs, registry: &Registry) -> Result<usize, JobsError> {
    let mut tx = jobs.db().system().await?;
    let expired = store::lock_expired(&mut tx).await?;
    for job in &expired {
        settle_expired(&mut tx, job).await?;
    }
    tx.commit().await?;
    for job in &expired {
        if let Some(queue) = registry.queues().into_iter().find(|q| *q == job.queue) {
            jobs.metrics().leases_expired.get_or_create(&QueueLabels { queue }).inc();
        }
        tracing::warn!(
            job_id = %job.id, kind = job.kind, org_id = job.org_id.map(tracing::field::display), attempt = job.attempt,
            lost_worker_id = %job.worker_id, "lease expired: the worker is lost"
        );
    }
    if !expired.is_empty() {
        wake::hint();
    }
    Ok(expired.len())
}

async fn settle_expired(tx: &mut Tx, job: &Expired) -> Result<bool, sqlx::Error> {
    let error = Some(Reason::WorkerLost.text());
    let ended = Ended { id: job.id, lease_no: job.lease_no, outcome: AttemptOutcome::Lost, error };
    if job.cancel_requested {
        store::finish(tx, ended, JobState::Cancelled).await
    } else if job.attempt >= job.max_attempts {
        // A job that kills its process must not do so for ever.
        store::finish(tx, ended, JobState::Dead).await
    } else {
        store::retry(tx, ended, Duration::ZERO).await
    }
}

/// Tells the liveness check whether due jobs wait that this worker could take.
async fn see_waiting(worker: &Worker) -> Result<(), JobsError> {
    let mut tx = worker.jobs.db().system().await?;
    let due = store::due(&mut tx).await?;
    let running = store::live_leases(&mut tx).await?;
    tx.commit().await?;
    // While anything runs, a limit or a concurrency key may rightly hold the rest back.
    let waiting = due.iter().any(|d| !d.rated && worker.registry.runs(&d.queue, &d.kind));
    worker.liveness.due(running == 0 && waiting);
    Ok(())
}
