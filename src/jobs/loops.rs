//! Periodic work of rooms without a queue: each of their loops is started by [`Loops::every`] or [`Loops::figures`].

use std::time::Duration;

use tokio::time::sleep;

use super::{
    Jobs,
    leader::{Duty, Leader},
    worker::jittered,
};
use platform::lifecycle::Lifecycle;

/// Where a loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// In each process: work about the process or its host.
    EveryProcess,
    /// Only in the leader: work that reads or sweeps whole tables. It must be harmless if two processes do it at once: see [`super::leader`].
    Leader,
}

/// Starts loops. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loops {
    leader: Leader,
    prober: Leader,
    lifecycle: Lifecycle,
}

impl Loops {
    pub(super) fn new(leader: Leader, prober: Leader, lifecycle: &Lifecycle) -> Self {
        Self { leader, prober, lifecycle: lifecycle.clone() }
    }

    /// How this process stands with checking monitors. Without a worker it never has that duty.
    pub fn prober(&self) -> Duty {
        Duty(self.prober.clone())
    }

    /// Runs `task` immediately, and again `interval` (75 to 125 % of it) after each end, until the shutdown begins, which cancels it. Logs when it
    /// starts to fail and when it works again.
    pub fn every<F, Fut>(&self, name: &'static str, interval: Duration, by: By, task: F)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(name, interval, by, task, || {});
    }

    /// As [`Self::every`] in the leader, for gauges of whole tables. `forget` runs before the first reading and when this process no longer leads:
    /// it sets them to NaN, which alerts and panels ignore, so that no process exports outdated values.
    pub fn figures<F, Fut>(
        &self,
        name: &'static str,
        interval: Duration,
        read: F,
        forget: impl Fn() + Send + Sync + 'static,
    ) where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        forget();
        self.start(name, interval, By::Leader, read, forget);
    }

    fn start<F, Fut>(
        &self,
        name: &'static str,
        interval: Duration,
        by: By,
        mut task: F,
        ended: impl Fn() + Send + Sync + 'static,
    ) where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (leader, soft) = (self.leader.clone(), self.lifecycle.soft().clone());
        self.lifecycle.spawn(name, async move {
            let mut errors = Failures { name, failing: false };
            let repeat = async {
                loop {
                    if by == By::Leader {
                        leader.elected().await;
                    }
                    let turns = take_turns(&mut task, &mut errors, interval);
                    match by {
                        By::EveryProcess => turns.await,
                        By::Leader => {
                            leader.while_leading(turns).await;
                        }
                    }
                    ended();
                }
            };
            tokio::select! { biased; () = soft.cancelled() => {}, () = repeat => {} }
        });
    }
}

impl Jobs {
    /// Starts this process's candidacy as leader, and returns what starts its loops. Call once.
    pub fn start_loops(&self, lifecycle: &Lifecycle) -> Loops {
        let leader = self.upkeep_leader().clone();
        lifecycle.spawn("jobs.leader", leader.clone().run(self.clone(), lifecycle.soft().clone()));
        Loops::new(leader, self.prober_leader().clone(), lifecycle)
    }
}

/// Runs until dropped.
async fn take_turns<F, Fut>(task: &mut F, errors: &mut Failures, interval: Duration)
where
    F: FnMut() -> Fut,
    Fut: Future<Output = anyhow::Result<()>>,
{
    loop {
        errors.watch(task().await);
        sleep(jittered(interval)).await;
    }
}

/// Logs once that a loop fails and once that it works again.
struct Failures {
    name: &'static str,
    failing: bool,
}

impl Failures {
    fn watch(&mut self, result: anyhow::Result<()>) {
        let (name, failed) = (self.name, self.failing);
        self.failing = result.is_err();
        match result {
            Ok(()) if failed => tracing::info!("{name} works again"),
            Ok(()) => {}
            Err(error) if failed => tracing::debug!(error = format!("{error:#}"), "{name} fails still"),
            Err(error) => tracing::warn!(error = format!("{error:#}"), "{name} fails: trying again"),
        }
    }
}
