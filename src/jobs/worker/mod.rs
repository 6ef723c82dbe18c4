//! The worker of this process: leases jobs, runs them, extends their leases, and maintains the queue.
//!
//! Three loops and one task per running job, all tracked by the lifecycle: [`lease_loop`] takes jobs and drains at
//! shutdown; [`heartbeat`] extends leases in one batch and learns of cancellations and lost leases; [`upkeep`] fires
//! schedules, rescues jobs of lost workers, and records that the worker is alive. An unreachable database stops none of
//! them: each retries.

mod heartbeat;
mod liveness;
mod run;
mod upkeep;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub(super) use liveness::Liveness;
#[cfg(test)]
pub(super) use run::delay;

use super::{
    JobId, Jobs, JobsError, Progress, Registry,
    store::{self, LeaseRequest, Leased},
    wake,
};
use platform::{crypto, db::DbError, lifecycle::Lifecycle};

/// How long a lease lasts without a heartbeat. A lost worker's job runs again this much later, plus one rescue round.
pub(super) const LEASE: Duration = Duration::from_secs(30);
/// Six tries within one lease; also how long a cancellation takes to reach the handler.
const HEARTBEAT: Duration = Duration::from_secs(5);
/// How long an attempt may take to stop when asked to.
const CANCEL_GRACE: Duration = Duration::from_secs(5);
/// The commit follows its hint after a moment: poll at these intervals, then at the configured one.
const EAGER: [Duration; 4] =
    [Duration::from_millis(5), Duration::from_millis(25), Duration::from_millis(100), Duration::from_millis(300)];

/// Why an attempt is told to stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    /// The job was cancelled.
    Cancelled,
    /// The process shuts down.
    Cut,
    /// The lease is no longer ours.
    Lost,
}

/// A job running in this process.
#[derive(Debug)]
struct Running {
    queue: String,
    lease_no: i32,
    /// Passed to the handler.
    cancel: CancellationToken,
    stop: watch::Sender<Option<Stop>>,
    progress: Arc<Mutex<Progress>>,
    /// When the lease was last known to hold: the start of the request that confirmed it.
    confirmed: Mutex<Instant>,
}

impl Running {
    fn new(queue: &str, lease_no: i32, confirmed: Instant) -> Self {
        let stop = watch::Sender::new(None);
        Self {
            queue: queue.to_owned(),
            lease_no,
            cancel: CancellationToken::new(),
            stop,
            progress: Arc::default(),
            confirmed: Mutex::new(confirmed),
        }
    }

    /// Tells the attempt to stop; a lost lease takes precedence over other reasons.
    fn stop(&self, why: Stop) {
        self.stop.send_if_modified(|stop| {
            let change = stop.is_none() || (why == Stop::Lost && *stop != Some(why));
            if change {
                *stop = Some(why);
            }
            change
        });
        self.cancel.cancel();
    }
}

/// Shared by the loops.
struct Worker {
    jobs: Jobs,
    registry: Registry,
    /// Random for each start, so that a restarted process is not taken for the lost one.
    id: Uuid,
    queues: Vec<String>,
    kinds: Vec<String>,
    /// Of these, those of [`super::Job::UNIQUE_UNTIL_START`].
    unique_until_start: Vec<String>,
    lifecycle: Lifecycle,
    running: Mutex<HashMap<JobId, Arc<Running>>>,
    /// Signals that a job ended here.
    freed: watch::Sender<()>,
    liveness: Arc<Liveness>,
}

/// Starts the loops.
pub(super) fn start(jobs: Jobs, registry: Registry, lifecycle: &Lifecycle) -> Arc<Liveness> {
    let liveness = Arc::new(Liveness::new());
    let worker = Arc::new(Worker {
        id: Uuid::from_bytes(crypto::random_bytes()),
        queues: registry.queues().into_iter().map(str::to_owned).collect(),
        kinds: registry.kinds.keys().map(|k| (*k).to_owned()).collect(),
        unique_until_start: registry
            .kinds
            .iter()
            .filter(|(_, k)| k.unique_until_start)
            .map(|(k, _)| (*k).to_owned())
            .collect(),
        lifecycle: lifecycle.clone(),
        running: Mutex::default(),
        freed: watch::Sender::new(()),
        liveness: liveness.clone(),
        registry,
        jobs,
    });
    tracing::info!(worker_id = %worker.id, queues = worker.queues.join(","), slots = worker.jobs.config().slots(), "worker started");
    lifecycle.spawn_vital("jobs.worker", async move {
        if worker.prepare().await {
            worker.lifecycle.spawn_vital("jobs.heartbeat", heartbeat::run(worker.clone()));
            worker.lifecycle.spawn_vital("jobs.upkeep", upkeep::run(worker.clone()));
            lease_loop(&worker).await;
            drain(&worker).await;
            worker.leave().await;
        }
    });
    liveness
}

impl Worker {
    fn running(&self) -> MutexGuard<'_, HashMap<JobId, Arc<Running>>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Creates the rows of queues and schedules and this week's partitions. Waits for the database; false when the
    /// shutdown begins meanwhile.
    async fn prepare(&self) -> bool {
        let mut errors = LogOnChange::new("prepare the queue");
        loop {
            if errors.watch(upkeep::prepare(self).await).is_some() {
                return true;
            }
            tokio::select! {
                () = self.lifecycle.soft().cancelled() => return false,
                () = sleep(Duration::from_secs(1)) => {}
            }
        }
    }

    /// Records in the database that this worker is alive.
    async fn seen(&self) -> Result<(), JobsError> {
        let mut tx = self.jobs.db().system().await?;
        store::worker_seen(&mut tx, self.id, &self.queues).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Removes that record, so that a stop is visible at once. Without the database it expires by itself.
    async fn leave(&self) {
        let gone = async {
            let mut tx = self.jobs.db().system().await?;
            store::worker_gone(&mut tx, self.id).await?;
            tx.commit().await?;
            Ok::<_, JobsError>(())
        };
        match timeout(HEARTBEAT, gone).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "the row of this worker could not be deleted and will expire"),
            Err(_) => tracing::debug!(
                "the row of this worker could not be deleted and will expire: the database does not answer"
            ),
        }
    }

    /// Free slots, and the queues of which nothing runs here. Each of those may start one job beyond the slots: a
    /// backup of an hour or a dozen scanned books must not keep alerts from going out.
    fn room(&self) -> (usize, Vec<String>) {
        let running = self.running();
        let busy: HashSet<&str> = running.values().map(|job| job.queue.as_str()).collect();
        let idle = self.queues.iter().filter(|queue| !busy.contains(queue.as_str())).cloned().collect();
        (self.jobs.config().slots().saturating_sub(running.len()), idle)
    }

    async fn lease(&self, slots: usize, idle: &[String]) -> Result<Vec<Leased>, JobsError> {
        let mut tx = self.jobs.db().system().await?;
        let request = LeaseRequest {
            worker: self.id,
            queues: if slots == 0 { idle } else { &self.queues },
            kinds: &self.kinds,
            unique_until_start: if platform::mutant(16) { &[] } else { self.unique_until_start.as_slice() },
            slots: i64::try_from(slots).unwrap_or(i64::MAX),
            idle,
            lease: LEASE,
        };
        let leased = store::lease(&mut tx, &request).await?;
        tx.commit().await?;
        Ok(leased)
    }
}

/// Leases jobs while there are free slots, until the shutdown begins.
async fn lease_loop(worker: &Arc<Worker>) {
    let soft = worker.lifecycle.soft().clone();
    let (mut hints, mut freed) = (wake::listen(), worker.freed.subscribe());
    let mut errors = LogOnChange::new("lease jobs");
    let mut eager = EAGER.iter();
    while !soft.is_cancelled() {
        let (room, idle) = worker.room();
        if room == 0 && idle.is_empty() {
            tokio::select! { () = soft.cancelled() => break, _ = freed.changed() => {} }
            continue;
        }
        let asked = Instant::now();
        // Not aborted at shutdown: a lease that is committed but not run would have to wait for its rescue.
        let found = errors.watch(worker.lease(room, &idle).await);
        let taken = found.as_ref().map_or(0, Vec::len);
        if found.is_some() {
            worker.liveness.polled(taken);
        }
        for job in found.into_iter().flatten() {
            run::spawn(worker, job, asked);
        }
        let wait = if taken > 0 && taken >= room {
            Duration::ZERO
        } else if taken > 0 {
            // There may be more behind what a concurrency key or another worker's lock held back.
            EAGER[1]
        } else {
            eager.next().copied().unwrap_or_else(|| jittered(worker.jobs.config().poll_interval()))
        };
        tokio::select! {
            () = soft.cancelled() => break,
            () = sleep(wait) => {}
            _ = hints.changed() => { eager = EAGER.iter(); sleep(EAGER[0]).await; }
            // A job may have waited for a limit or a key. Several endings in a row cause one poll.
            _ = freed.changed() => sleep(EAGER[0]).await,
        }
    }
}

/// 75 to 125 % of `interval`: workers that were started together, or stopped by the same outage, would otherwise query
/// the database at the same instants for ever.
pub(super) fn jittered(interval: Duration) -> Duration {
    interval.mul_f64(0.75 + crypto::random_unit() / 2.0)
}

/// Lets running jobs finish; those that take too long are told to stop and go back to the queue for another worker.
async fn drain(worker: &Worker) {
    // Subscribes before it looks, so that an ending in between is not missed.
    let mut freed = worker.freed.subscribe();
    let all_ended = async {
        while !worker.running().is_empty() {
            let _ = freed.changed().await;
        }
    };
    tokio::pin!(all_ended);
    let patience = Duration::from_secs(worker.jobs.config().drain_seconds);
    if timeout(patience, &mut all_ended).await.is_err() {
        let left: Vec<_> = worker.running().values().cloned().collect();
        tracing::warn!(jobs = left.len(), "giving running jobs back to the queue");
        for job in left {
            job.stop(Stop::Cut);
        }
        all_ended.await;
    }
    tracing::info!(worker_id = %worker.id, "worker drained");
}

/// Logs the first failure of a repeated operation and its recovery, not every try.
pub(super) struct LogOnChange {
    what: &'static str,
    failing: bool,
}

impl LogOnChange {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, failing: false }
    }

    pub(super) fn watch<T>(&mut self, result: Result<T, JobsError>) -> Option<T> {
        match result {
            Ok(value) => {
                if self.failing {
                    tracing::info!("can {} again", self.what);
                }
                self.failing = false;
                Some(value)
            }
            Err(error) => {
                if !self.failing {
                    let unavailable = matches!(&error, JobsError::Db(e) if DbError::is_unavailable(e));
                    let error = anyhow::Error::new(error);
                    if unavailable {
                        tracing::warn!(error = format!("{error:#}"), "cannot {}: trying again", self.what);
                    } else {
                        tracing::error!(error = format!("{error:#}"), "cannot {}: trying again", self.what);
                    }
                }
                self.failing = true;
                None
            }
        }
    }
}
