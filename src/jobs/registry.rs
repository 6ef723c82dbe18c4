//! Handlers by kind of job, and schedules.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use futures::future::BoxFuture;

use super::{CatchUp, Cron, Job, JobContext, JobError, JobsError};

type Run = Arc<dyn Fn(JobContext, serde_json::Value) -> BoxFuture<'static, Result<(), JobError>> + Send + Sync>;

/// A registered kind of job.
#[derive(Clone)]
pub(super) struct Kind {
    pub(super) queue: &'static str,
    pub(super) timeout: Duration,
    pub(super) backoff: Duration,
    pub(super) unique_until_start: bool,
    pub(super) run: Run,
}

/// A job enqueued by the clock. It belongs to the system, not to an organisation.
#[derive(Clone)]
pub(super) struct Schedule {
    pub(super) name: &'static str,
    pub(super) kind: &'static str,
    pub(super) queue: &'static str,
    pub(super) max_attempts: i32,
    pub(super) cron: Cron,
    pub(super) catch_up: CatchUp,
    pub(super) payload: serde_json::Value,
}

/// Filled by the capabilities before the worker starts.
#[derive(Clone, Default)]
pub struct Registry {
    pub(super) kinds: BTreeMap<&'static str, Kind>,
    pub(super) schedules: Vec<Schedule>,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.kinds.keys()).finish()
    }
}

impl Registry {
    /// Registers `handler` for jobs of kind `J`. A payload that does not decode is a permanent error.
    ///
    /// # Panics
    /// When the kind is registered already: two capabilities would compete for its jobs.
    pub fn register<J, F, Fut>(&mut self, handler: F)
    where
        J: Job,
        F: Fn(JobContext, J) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), JobError>> + Send + 'static,
    {
        let handler = Arc::new(handler);
        let run: Run = Arc::new(move |context, payload| {
            let handler = handler.clone();
            Box::pin(async move {
                let job = serde_json::from_value::<J>(payload)
                    .map_err(|e| JobError::permanent(anyhow::Error::new(e).context("the payload does not decode")))?;
                handler(context, job).await
            })
        });
        let (queue, timeout, backoff, unique_until_start) = (J::QUEUE, J::TIMEOUT, J::BACKOFF, J::UNIQUE_UNTIL_START);
        let kind = Kind { queue, timeout, backoff, unique_until_start, run };
        assert!(self.kinds.insert(J::KIND, kind).is_none(), "job kind {} is registered twice", J::KIND);
    }

    /// Enqueues `job` at each tick of `cron`; `name` is stable and unique, usually the kind.
    pub fn schedule<J: Job>(
        &mut self,
        name: &'static str,
        cron: Cron,
        catch_up: CatchUp,
        job: &J,
    ) -> Result<(), JobsError> {
        let payload = serde_json::to_value(job).map_err(JobsError::Payload)?;
        let (kind, queue, max_attempts) = (J::KIND, J::QUEUE, J::MAX_ATTEMPTS);
        self.schedules.push(Schedule { name, kind, queue, max_attempts, cron, catch_up, payload });
        Ok(())
    }

    /// Whether this build runs jobs of this kind from this queue. Those of a newer version running beside it are left
    /// alone.
    pub(super) fn runs(&self, queue: &str, kind: &str) -> bool {
        self.kinds.contains_key(kind) && self.kinds.values().any(|k| k.queue == queue)
    }

    /// The names of all schedules.
    pub fn schedule_names(&self) -> Vec<&'static str> {
        self.schedules.iter().map(|s| s.name).collect()
    }

    /// The queues of all kinds, sorted.
    pub fn queues(&self) -> Vec<&'static str> {
        let mut queues: Vec<_> = self.kinds.values().map(|k| k.queue).collect();
        queues.sort_unstable();
        queues.dedup();
        queues
    }
}
