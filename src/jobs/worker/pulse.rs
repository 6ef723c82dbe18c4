//! Does the worker get on? Judged by what it has done, not by whether it is alive: a worker that polls happily and takes
//! nothing while jobs wait is as broken as a dead one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

use crate::platform::health::CheckResult;

/// What the worker did last.
#[derive(Debug)]
pub(in crate::jobs) struct Pulse(Mutex<Beats>);

#[derive(Debug)]
struct Beats {
    /// Asked the database for jobs and got an answer, or all slots were taken and their leases extended.
    alive: Instant,
    /// Took or finished a job.
    worked: Instant,
    /// Since when there have been due jobs that nothing keeps from being taken.
    waiting_since: Option<Instant>,
}

impl Pulse {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self(Mutex::new(Beats { alive: now, worked: now, waiting_since: None }))
    }

    fn beats(&self) -> MutexGuard<'_, Beats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A lease request was answered with this many jobs.
    pub(super) fn polled(&self, taken: usize) {
        let mut beats = self.beats();
        beats.alive = Instant::now();
        if taken > 0 {
            beats.worked = beats.alive;
        }
    }

    /// Leases were extended.
    pub(super) fn beaten(&self) {
        self.beats().alive = Instant::now();
    }

    /// Whether the queue was reached within `patience`.
    pub(super) fn is_alive(&self, patience: Duration) -> bool {
        self.beats().alive.elapsed() <= patience
    }

    /// A job ended.
    pub(super) fn finished(&self) {
        self.beats().worked = Instant::now();
    }

    /// Whether due jobs wait although this worker has room for them.
    pub(super) fn due(&self, waiting: bool) {
        let mut beats = self.beats();
        beats.waiting_since = waiting.then(|| beats.waiting_since.unwrap_or_else(Instant::now));
    }

    /// Fails when nothing has moved for `patience` although something should have.
    pub(in crate::jobs) fn judge(&self, patience: Duration) -> CheckResult {
        let beats = self.beats();
        let remedy = "look for the worker's errors in the logs; restart the process";
        if beats.alive.elapsed() > patience {
            return CheckResult::fail(
                format!("the worker has not reached the queue for {:.0} s", beats.alive.elapsed().as_secs_f64()),
                remedy,
            );
        }
        match beats.waiting_since {
            Some(since) if since.elapsed() > patience && beats.worked.elapsed() > patience => CheckResult::fail(
                format!("due jobs have waited for {:.0} s and the worker takes none", since.elapsed().as_secs_f64()),
                remedy,
            ),
            _ => CheckResult::pass("the worker gets on"),
        }
    }
}
