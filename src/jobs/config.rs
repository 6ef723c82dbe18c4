//! `[jobs]`

use std::time::Duration;

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Background jobs of this process.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Jobs this process runs at once; 0 means twice the number of cores, at least 4. A queue with nothing running may
    /// start one more job than that, so that no queue waits behind another's long jobs.
    pub concurrency: usize,
    /// How often an idle worker polls for due jobs, milliseconds. Jobs queued by this process wake it at once.
    pub poll_interval_ms: u64,
    /// How long a shutdown lets running jobs go on before it gives them back to the queue, seconds.
    /// `server.grace_seconds` must be at least five seconds longer.
    pub drain_seconds: u64,
    /// How long history, attempts and payloads of finished jobs are kept, days (dropped in whole weeks).
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
    /// Reports values out of range.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("concurrency", self.concurrency, 0, 1024);
        errors.range("poll_interval_ms", self.poll_interval_ms, 10, 60_000);
        errors.range("drain_seconds", self.drain_seconds, 0, 600);
        errors.range("retention_days", self.retention_days, 1, 3650);
        errors.range("stalled_seconds", self.stalled_seconds, 10, 3600);
    }

    /// `concurrency`, with 0 resolved to the default.
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
