//! `[jobs]`

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::platform::config::ConfigErrors;

/// Background work of this process.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Jobs that this process runs at once; 0 takes twice the number of cores, at least 4. A queue of which none runs may begin one
    /// more, so that no queue waits for another's long jobs.
    pub concurrency: usize,
    /// How often an idle worker looks for due jobs, milliseconds. Jobs of this process wake it earlier.
    pub poll_interval_ms: u64,
    /// A shutdown lets running jobs work on for this long, then gives them back to the queue, seconds. Five seconds
    /// longer must fit into `server.grace_seconds`.
    pub drain_seconds: u64,
    /// History, attempts and payloads of finished jobs are kept for this long, days (whole weeks are dropped).
    pub retention_days: i32,
    /// A worker that has due jobs and neither takes nor finishes any for this long is reported as not ready, seconds.
    pub stalled_seconds: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self { concurrency: 0, poll_interval_ms: 1000, drain_seconds: 15, retention_days: 30, stalled_seconds: 60 }
    }
}

impl Config {
    /// Reports values that cannot work.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("concurrency", self.concurrency, 0, 1024);
        errors.range("poll_interval_ms", self.poll_interval_ms, 10, 60_000);
        errors.range("drain_seconds", self.drain_seconds, 0, 600);
        errors.range("retention_days", self.retention_days, 1, 3650);
        errors.range("stalled_seconds", self.stalled_seconds, 10, 3600);
    }

    /// Jobs at once, with the default worked out.
    pub fn slots(&self) -> usize {
        match self.concurrency {
            0 => std::thread::available_parallelism().map_or(4, |n| (n.get() * 2).max(4)),
            n => n,
        }
    }

    pub(super) fn poll_interval(&self) -> Duration {
        Duration::from_millis(self.poll_interval_ms)
    }
}
