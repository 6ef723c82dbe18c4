//! The rules: who may see and change which job, and the start of the worker.

use std::sync::{Arc, Mutex, PoisonError};

use super::{
    Config, JobId, JobState, JobSummary, JobsError, Metrics, Registry, figures, jobs,
    model::{JobDetail, QueueStatus},
    store::{self, Filter},
    wake,
    worker::{self, Pulse},
};
use crate::platform::{
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
    /// Of this process's worker, once it has been started.
    pulse: Mutex<Option<Arc<Pulse>>>,
}

/// Whose jobs somebody looks at.
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

/// Operators see errors whole, others a reason.
fn as_seen_by(who: &Principal, job: JobSummary) -> JobSummary {
    if who.is_operator() { job } else { job.for_members() }
}

impl Jobs {
    pub fn new(db: Db, clock: Clock, config: Config, metrics: Metrics) -> Self {
        Self(Arc::new(Inner { db, clock, config, metrics, pulse: Mutex::default() }))
    }

    /// Starts this process's worker: it leases jobs of the registered kinds, fires the registered schedules and rescues
    /// jobs of lost workers until `lifecycle` ends. Call once. Errs when a schedule is wrong; a database that is away is
    /// waited for.
    pub fn start_worker(&self, mut registry: Registry, lifecycle: &Lifecycle) -> Result<(), JobsError> {
        jobs::register(self, &mut registry)?;
        self.0.metrics.create(&registry.queues(), &registry.schedule_names());
        let pulse = worker::start(self.clone(), registry, lifecycle);
        *self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner) = Some(pulse);
        Ok(())
    }

    /// Exports the state of the queues, schedules and workers of `registry`, whatever this process does itself, until `lifecycle`
    /// ends.
    pub fn start_figures(&self, mut registry: Registry, lifecycle: &Lifecycle) -> Result<(), JobsError> {
        jobs::register(self, &mut registry)?;
        self.0.metrics.create_figures(&registry.queues(), &registry.schedule_names());
        lifecycle.spawn("jobs.figures", figures::run(self.clone(), registry, lifecycle.soft().clone()));
        Ok(())
    }

    /// Looks for due jobs now: call after a commit where a second matters. [`super::enqueue`] hints by itself.
    pub fn wake(&self) {
        wake::hint();
    }

    /// Whether this process's worker gets on; a worker without work, or no worker at all, does. For readiness: answers
    /// from memory.
    pub fn progress(&self) -> CheckResult {
        match &*self.0.pulse.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(pulse) => pulse.judge(std::time::Duration::from_secs(self.0.config.stalled_seconds)),
            None => CheckResult::pass("no worker in this process"),
        }
    }

    /// `(waiting or running, dead letters)` of an organisation.
    pub async fn counts(&self, org: OrgId) -> Result<(i64, i64), JobsError> {
        let mut tx = self.begin(Owner::Org(org)).await?;
        let queues = store::queues(&mut tx).await?;
        tx.commit().await?;
        Ok((queues.iter().map(|q| q.depth + q.running).sum(), queues.iter().map(|q| q.dead_letters).sum()))
    }

    /// Jobs of all organisations that are due or running: nothing is left to wait for at 0.
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

    /// Partitions made and dropped.
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

    /// One job with all that is known of it.
    pub(super) async fn get(&self, who: &Principal, id: JobId) -> Result<JobDetail, JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        let history = store::attempts(&mut tx, id).await?;
        let (payload, request_id) = store::payload(&mut tx, id, job.created_at).await?.unzip();
        let replayable = job.state == JobState::Dead && store::is_dead_letter(&mut tx, id).await?;
        tx.commit().await?;
        let detail = JobDetail { job, history, payload, request_id: request_id.flatten(), replayable };
        Ok(if who.is_operator() { detail } else { detail.for_members() })
    }

    /// Cancels a job: at once when it waits, with the next heartbeat of its worker when it runs.
    pub(super) async fn cancel(&self, who: &Principal, id: JobId) -> Result<JobSummary, JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        if !(store::cancel_queued(&mut tx, id).await? || store::request_cancel(&mut tx, id).await?) {
            return Err(JobsError::Conflict("this job has ended"));
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
                    return Err(JobsError::Conflict("this job has been run again or deleted already"));
                }
                new_id
            }
            _ => return Err(JobsError::Conflict("only a waiting or a dead job can be run again")),
        };
        let job = store::get(&mut tx, job.org_id, id).await?.ok_or(JobsError::NotFound)?;
        tx.commit().await?;
        wake::hint();
        tracing::info!(job_id = %id, kind = job.kind, by = who.subject(), "job run again");
        Ok(as_seen_by(who, job))
    }

    /// Deletes a dead letter.
    pub(super) async fn delete_dead_letter(&self, who: &Principal, id: JobId) -> Result<(), JobsError> {
        let (mut tx, job) = self.find(who, id).await?;
        if !store::delete_dead_letter(&mut tx, id).await? {
            return Err(JobsError::Conflict("this job is not among the dead letters"));
        }
        tx.commit().await?;
        tracing::info!(job_id = %id, kind = job.kind, by = who.subject(), "dead letter deleted");
        Ok(())
    }

    /// Every queue, counting what `who` may see: an operator everything, others their organisation's jobs.
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

    /// Sets a queue's limits for the whole installation; `None` lifts one. For capabilities (a limit that the work
    /// itself needs) and operators.
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

    /// The job in the caller's organisation or, for operators, among the system's; with the transaction that sees it.
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
