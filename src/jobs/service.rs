//! Rules: who may see and change which job; starts the worker.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Config, JobId, JobState, JobSummary, JobsError, Loops, Metrics, Registry, figures, jobs,
    leader::{Leader, Lease},
    model::{JobDetail, QueueStatus},
    store::{self, Filter},
    wake,
    worker::{self, Liveness},
};
use platform::{
    clock::Clock,
    db::{Db, Tx},
    health::CheckResult,
    http::{Principal, Slice},
    ids::OrgId,
    lifecycle::Lifecycle,
};

/// The queue. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Jobs(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    db: Db,
    clock: Clock,
    config: Config,
    metrics: Metrics,
    upkeep: Leader,
    schedules: Leader,
    prober: Leader,
    /// Liveness of this process's worker, once started.
    liveness: Mutex<Option<Arc<Liveness>>>,
}

/// Whose jobs to list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owner {
    Org(OrgId),
    /// The installation's own; operators only.
    System,
}

impl Owner {
    fn org(self) -> Option<OrgId> {
        match self {
            Self::Org(org) => Some(org),
            Self::System => None,
        }
    }
}

/// Operators see whole errors, others only the reason.
fn as_seen_by(who: &Principal, job: JobSummary) -> JobSummary {
    if who.is_operator() { job } else { job.for_members() }
}

impl Jobs {
    pub fn new(db: Db, clock: Clock, config: Config, metrics: Metrics) -> Self {
        let [upkeep, schedules, prober] = [Lease::Upkeep, Lease::Schedules, Lease::Prober].map(Leader::new);
        Self(Arc::new(Inner { db, clock, config, metrics, upkeep, schedules, prober, liveness: Mutex::default() }))
    }

    /// Starts this process's worker: it leases jobs of the registered kinds, fires the registered schedules and rescues
    /// jobs of lost workers until `lifecycle` ends. Call once. `Err` when a schedule is invalid; an unreachable
    /// database is waited for.
    pub fn start_worker(&self, mut registry: Registry, lifecycle: &Lifecycle) -> Result<(), JobsError> {
        jobs::register(self, &mut registry)?;
        self.0.metrics.create(&registry.queues(), &registry.schedule_names());
        let schedules = self.0.schedules.clone().run(self.clone(), lifecycle.soft().clone());
        lifecycle.spawn("jobs.schedules_leader", schedules);
        let prober = self.0.prober.clone().run(self.clone(), lifecycle.soft().clone());
        lifecycle.spawn("jobs.prober_leader", prober);
        let liveness = worker::start(self.clone(), registry, lifecycle);
        *self.0.liveness.lock().unwrap_or_else(PoisonError::into_inner) = Some(liveness);
        Ok(())
    }

    /// Exports the state of the queues, schedules and workers of `registry`. Independent of the worker.
    pub fn start_figures(&self, mut registry: Registry, loops: &Loops) -> Result<(), JobsError> {
        jobs::register(self, &mut registry)?;
        self.0.metrics.create_figures(&registry.queues(), &registry.schedule_names());
        figures::start(self, registry, loops);
        Ok(())
    }

    /// Polls for due jobs now: call after a commit where a second matters. [`super::enqueue`] does it by itself.
    pub fn wake(&self) {
        wake::hint();
    }

    /// Readiness of this process's worker, from memory. Passes when there is no worker or nothing to do.
    pub fn progress(&self) -> CheckResult {
        match &*self.0.liveness.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(liveness) => liveness.judge(std::time::Duration::from_secs(self.0.config.stalled_seconds)),
            None => CheckResult::pass("no worker in this process"),
        }
    }

    /// `(waiting or running, dead letters)` of an organisation.
    pub async fn counts(&self, org: OrgId) -> Result<(i64, i64), JobsError> {
        let mut tx = self.begin(Owner::Org(org)).await?;
        let counts = store::counts(&mut tx).await?;
        tx.commit().await?;
        Ok(counts)
    }

    /// Due and running jobs of all organisations; 0 when the queue is idle.
    pub async fn unfinished(&self) -> Result<i64, JobsError> {
        let mut tx = self.begin(Owner::System).await?;
        let queues = store::queues(&mut tx).await?;
        tx.commit().await?;
        Ok(queues.iter().map(|q| q.due + q.running).sum())
    }

    pub(super) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.clock
    }

    pub(super) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// This process's candidacy for the lease of figures and sweeps.
    pub(super) fn upkeep_leader(&self) -> &Leader {
        &self.0.upkeep
    }

    /// This process's candidacy for the lease of the prober.
    pub(super) fn prober_leader(&self) -> &Leader {
        &self.0.prober
    }

    /// This process's candidacy for the lease of schedules.
    pub(super) fn schedules_leader(&self) -> &Leader {
        &self.0.schedules
    }

    /// Returns how many partitions were created and dropped.
    pub(super) async fn maintain(&self) -> Result<(i32, i32), JobsError> {
        let mut tx = self.0.db.system().await?;
        let done = store::maintain(&mut tx, self.0.config.retention_days).await?;
        store::forget_lost_workers(&mut tx).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Jobs, newest first.
    pub(super) async fn list(
        &self,
        who: &Principal,
        owner: Owner,
        mut filter: Filter,
        slice: &Slice,
    ) -> Result<Vec<JobSummary>, JobsError> {
        filter.org = owner.org();
        filter.search_errors = who.is_operator();
        let mut tx = self.begin(owner).await?;
        let rows = store::list(&mut tx, &filter, slice).await?;
        tx.commit().await?;
        Ok(rows.into_iter().map(|job| as_seen_by(who, job)).collect())
    }

    /// One job with its attempts and payload.
    pub(super) async fn get(&self, who: &Principal, id: JobId) -> Result<JobDetail, JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        let history = store::attempts(&mut tx, id).await?;
        let (payload, request_id) = store::payload(&mut tx, id, job.created_at).await?.unzip();
        let replayable = job.state == JobState::Dead && store::is_dead_letter(&mut tx, id).await?;
        tx.commit().await?;
        let detail = JobDetail { job, history, payload, request_id: request_id.flatten(), replayable };
        Ok(if who.is_operator() { detail } else { detail.for_members() })
    }

    /// Cancels a job: a waiting one at once, a running one with its worker's next heartbeat.
    pub(super) async fn cancel(&self, who: &Principal, id: JobId) -> Result<JobSummary, JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        if !(store::cancel_queued(&mut tx, id).await? || store::request_cancel(&mut tx, id).await?) {
            return Err(JobsError::Conflict("the job has already ended"));
        }
        let job = store::get(&mut tx, job.org_id, id).await?.ok_or(JobsError::NotFound)?;
        tx.commit().await?;
        tracing::info!(job_id = %id, kind = job.kind, by = who.subject(), "job cancelled");
        Ok(as_seen_by(who, job))
    }

    /// Runs a waiting job now, or a dead one again (as a new job, whose summary is returned).
    pub(super) async fn retry(&self, who: &Principal, id: JobId) -> Result<JobSummary, JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        let id = match job.state {
            JobState::Queued if store::run_now(&mut tx, id).await? => id,
            JobState::Dead => {
                let new_id = JobId::generate(&self.0.clock);
                if !store::replay(&mut tx, id, new_id).await? {
                    return Err(JobsError::Conflict("the job was already run again or deleted"));
                }
                new_id
            }
            _ => return Err(JobsError::Conflict("only a waiting or dead job can be run again")),
        };
        let job = store::get(&mut tx, job.org_id, id).await?.ok_or(JobsError::NotFound)?;
        tx.commit().await?;
        wake::hint();
        tracing::info!(job_id = %id, kind = job.kind, by = who.subject(), "job queued again");
        Ok(as_seen_by(who, job))
    }

    /// Deletes a dead letter.
    pub(super) async fn delete_dead_letter(&self, who: &Principal, id: JobId) -> Result<(), JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        if !store::delete_dead_letter(&mut tx, id).await? {
            return Err(JobsError::Conflict("the job is not among the dead letters"));
        }
        tx.commit().await?;
        tracing::info!(job_id = %id, kind = job.kind, by = who.subject(), "dead letter deleted");
        Ok(())
    }

    /// All queues, counting the jobs that `who` may see: an operator everything, others their organisation's.
    pub(super) async fn queues(&self, who: &Principal) -> Result<Vec<QueueStatus>, JobsError> {
        let mut tx = self.begin(if who.is_operator() { Owner::System } else { Owner::Org(who.org_id) }).await?;
        let queues = store::queues(&mut tx).await?;
        tx.commit().await?;
        Ok(queues)
    }

    /// Pauses or resumes a queue for the whole installation. The caller has checked that `who` is an operator.
    pub(super) async fn set_paused(&self, who: &Principal, queue: &str, paused: bool) -> Result<(), JobsError> {
        let mut tx = self.0.db.system().await?;
        if !store::set_paused(&mut tx, queue, paused).await? {
            return Err(JobsError::QueueNotFound);
        }
        tx.commit().await?;
        wake::hint();
        tracing::info!(queue, paused, by = who.subject(), "queue paused or resumed");
        Ok(())
    }

    /// Sets a queue's limits for the whole installation; `None` lifts one. For operators, and for capabilities whose
    /// work needs a limit.
    pub async fn set_limits(
        &self,
        queue: &str,
        concurrency: Option<i32>,
        rate_per_minute: Option<i32>,
    ) -> Result<(), JobsError> {
        let mut tx = self.0.db.system().await?;
        if !store::set_limits(&mut tx, queue, concurrency, rate_per_minute).await? {
            return Err(JobsError::QueueNotFound);
        }
        tx.commit().await?;
        Ok(())
    }

    async fn begin(&self, owner: Owner) -> Result<Tx, JobsError> {
        Ok(match owner {
            Owner::Org(org) => self.0.db.tenant(org).await?,
            Owner::System => self.0.db.system().await?,
        })
    }

    /// The job in the caller's organisation (for operators also among the system's), with the transaction that sees it.
    async fn find(&self, who: &Principal, id: JobId) -> Result<(Tx, JobSummary), JobsError> {
        let owners = [Some(Owner::Org(who.org_id)), who.is_operator().then_some(Owner::System)];
        for owner in owners.into_iter().flatten() {
            let mut tx = self.begin(owner).await?;
            if let Some(job) = store::get(&mut tx, owner.org(), id).await? {
                return Ok((tx, job));
            }
        }
        Err(JobsError::NotFound)
    }
}
