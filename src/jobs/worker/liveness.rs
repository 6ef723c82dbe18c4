//! Liveness of the worker, judged by its work: a worker that polls and takes nothing while jobs wait is as broken as a
//! dead one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use platform::health::CheckResult;

/// Latest activity of the worker.
#[derive(Debug)]
pub(crate) struct Liveness(Mutex<Activity>);

#[derive(Debug)]
struct Activity {
    /// Last answered lease request, or heartbeat while all slots are taken.
    alive: Instant,
    /// Last time a job was taken or finished.
    worked: Instant,
    /// Since when there have been due jobs that nothing holds back.
    waiting_since: Option<Instant>,
}

impl Liveness {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Activity { alive: now, worked: now, waiting_since: None }))
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease request was answered with this many jobs.
    pub(super) fn polled(&self, taken: usize) {
        let mut activity = self.activity();
        activity.alive = Instant::now();
        if taken > 0 {
            activity.worked = activity.alive;
        }
    }

    /// Leases were extended.
    pub(super) fn extended(&self) {
        self.activity().alive = Instant::now();
    }

    /// Whether the queue was reached within `patience`.
    pub(super) fn is_alive(&self, patience: Duration) -> bool {
        self.activity().alive.elapsed() <= patience
    }

    /// A job ended.
    pub(super) fn finished(&self) {
        self.activity().worked = Instant::now();
    }

    /// Whether due jobs wait although this worker has free slots.
    pub(super) fn due(&self, waiting: bool) {
        let mut activity = self.activity();
        activity.waiting_since = waiting.then(|| activity.waiting_since.unwrap_or_else(Instant::now));
    }

    /// Fails when nothing has moved for `patience` although something should have.
    pub(crate) fn judge(&self, patience: Duration) -> CheckResult {
        let activity = self.activity();
        let remedy = "look for the worker's errors in the logs; restart the process";
        if activity.alive.elapsed() > patience {
            return CheckResult::fail(
                format!("the worker has not reached the queue for {:.0} s", activity.alive.elapsed().as_secs_f64()),
                remedy,
            );
        }
        match activity.waiting_since {
            Some(since) if since.elapsed() > patience && activity.worked.elapsed() > patience => CheckResult::fail(
                format!("due jobs have waited for {:.0} s and the worker takes none", since.elapsed().as_secs_f64()),
                remedy,
            ),
            _ => CheckResult::pass("the worker is making progress"),
        }
    }
}
