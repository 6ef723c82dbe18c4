//! Checks of the queue, read from the database: they hold for whichever process runs the workers.

use async_trait::async_trait;

use super::{Jobs, JobsError, Registry, jobs, store};
use crate::platform::{
    db::DbError,
    error::chain,
    health::{Check, CheckResult},
};

/// A job that has been due for this long while nothing runs means that no worker is running. Seconds.
const ABANDONED: f64 = 120.0;

/// The checks of this capability. `registry`: the kinds that this build can run.
pub fn checks(jobs: &Jobs, registry: &Registry) -> Vec<Box<dyn Check>> {
    vec![
        Box::new(ProgressCheck(jobs.clone(), registry.clone())),
        Box::new(UnknownKinds(jobs.clone(), registry.clone())),
        Box::new(DeadLetters(jobs.clone())),
    ]
}

/// Due jobs: those that this build can run, and those of kinds it does not know.
async fn due(jobs: &Jobs, registry: &Registry) -> Result<(Vec<store::Due>, Vec<store::Due>), JobsError> {
    let mut registry = registry.clone();
    jobs::register(jobs, &mut registry)?;
    let mut tx = jobs.db().system().await?;
    let due = store::due(&mut tx).await?;
    tx.commit().await?;
    Ok(due.into_iter().partition(|d| registry.runs(&d.queue, &d.kind)))
}

/// Are due jobs being taken?
struct ProgressCheck(Jobs, Registry);

#[async_trait]
impl Check for ProgressCheck {
    fn name(&self) -> &'static str {
        "jobs.progress"
    }

    async fn run(&self) -> CheckResult {
        match progress(&self.0, &self.1).await {
            Ok(result) => result,
            Err(error) => {
                CheckResult::fail(format!("cannot read the queue: {}", chain(&error)), "see the database check")
            }
        }
    }
}

async fn progress(jobs: &Jobs, registry: &Registry) -> Result<CheckResult, JobsError> {
    let (ours, _) = due(jobs, registry).await?;
    let mut tx = jobs.db().system().await?;
    let queues = store::queues(&mut tx).await?;
    let live = store::live_leases(&mut tx).await?;
    tx.commit().await?;
    let due: i64 = ours.iter().map(|d| d.count).sum();
    let oldest = ours.iter().map(|d| d.oldest_seconds).fold(0.0, f64::max);
    if live == 0 && oldest > ABANDONED {
        return Ok(CheckResult::fail(
            format!("{due} jobs are due, the oldest for {oldest:.0} s, and none is running"),
            "start a worker: `holdfast serve` with role `all` or `worker`; if one is running, look for its errors in the logs",
        ));
    }
    let summary = format!("{due} due, {live} running");
    let paused: Vec<_> = queues.iter().filter(|q| q.paused && q.depth > 0).map(|q| q.name.as_str()).collect();
    if !paused.is_empty() {
        return Ok(CheckResult::warn(
            format!("{summary}; paused with waiting jobs: {}", paused.join(", ")),
            "resume them on the jobs page",
        ));
    }
    Ok(CheckResult::pass(summary))
}

/// Are jobs due that only another version of Holdfast can run?
struct UnknownKinds(Jobs, Registry);

#[async_trait]
impl Check for UnknownKinds {
    fn name(&self) -> &'static str {
        "jobs.unknown_kinds"
    }

    async fn run(&self) -> CheckResult {
        match due(&self.0, &self.1).await {
            Ok((_, unknown)) if unknown.is_empty() => CheckResult::pass("none"),
            Ok((_, unknown)) => {
                let kinds: Vec<_> = unknown.iter().map(|d| format!("{} ({} due)", d.kind, d.count)).collect();
                CheckResult::warn(
                    format!("this version cannot run {}", kinds.join(", ")),
                    "start a worker of the version that queued them; after a downgrade, cancel them on the jobs page",
                )
            }
            Err(error) => {
                CheckResult::fail(format!("cannot read the queue: {}", chain(&error)), "see the database check")
            }
        }
    }
}

/// Are there dead letters?
struct DeadLetters(Jobs);

#[async_trait]
impl Check for DeadLetters {
    fn name(&self) -> &'static str {
        "jobs.dead_letters"
    }

    async fn run(&self) -> CheckResult {
        let counted: Result<_, DbError> = async {
            let mut tx = self.0.db().system().await?;
            let counted = store::dead_letters(&mut tx).await?;
            tx.commit().await?;
            Ok(counted)
        }
        .await;
        match counted {
            Ok((0, _)) => CheckResult::pass("none"),
            Ok((count, latest)) => CheckResult::warn(
                format!("{count}, the last {:.0} min ago", latest.unwrap_or_default() / 60.0),
                "read their errors on the jobs page (state: dead); run them again once the cause is gone, or delete them",
            ),
            Err(error) => {
                CheckResult::fail(format!("cannot read the queue: {}", chain(&error)), "see the database check")
            }
        }
    }
}
