//! What rooms do on a clock and without a queue: each loop of theirs goes through [`Loops::every`].

use std::time::Duration;

use tokio::time::sleep;

use super::{Jobs, leader::Leader, worker::jittered};
use crate::platform::lifecycle::Lifecycle;

/// Where a loop runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// In each process: what is about the process or its host.
    EveryProcess,
    /// In the leader alone: what reads or sweeps whole tables. It must be harmless when two do it at once: see [`super::leader`].
    Leader,
}

/// Starts loops. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Loops {
    leader: Leader,
    lifecycle: Lifecycle,
}

impl Loops {
    pub(super) fn new(leader: Leader, lifecycle: &Lifecycle) -> Self {
        Self { leader, lifecycle: lifecycle.clone() }
    }

    /// Runs `task` at once and then, `interval` (75 to 125 % of it) after its end, again, until the shutdown begins, which cuts it off. Says when it begins to
    /// fail, and when it works again.
    pub fn every<F, Fut>(&self, name: &'static str, interval: Duration, by: By, task: F)
    where
        F: FnMut() -> Fut + Send + 'static,
        Fut: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        self.start(name, interval, by, task, || {});
    }

    /// As [`Self::every`] by the leader, for figures of whole tables. `forget` runs before the first reading and when this process no
    /// longer leads: it makes them NaN, which no alert and no panel takes for a figure, so that nobody shows what was true once.
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
    /// What starts the loops of this process, which stands for election as leader from now on. Call once.
    pub fn start_loops(&self, lifecycle: &Lifecycle) -> Loops {
        let leader = self.upkeep_leader().clone();
        lifecycle.spawn("jobs.leader", leader.clone().run(self.clone(), lifecycle.soft().clone()));
        Loops::new(leader, lifecycle)
    }
}

/// Until it is dropped.
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

/// Says once that a loop fails and once that it works again.
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
