//! Checks of the queue, from the database: they hold whichever process runs the workers.

use async_trait::async_trait;

use super::{Jobs, store};
use crate::platform::{
    db::DbError,
    health::{Check, CheckResult},
};

/// A due job that nobody has taken for this long, while nothing runs, means that no worker works. Seconds.
const ABANDONED: f64 = 120.0;

/// The checks of this capability.
pub fn checks(jobs: &Jobs) -> Vec<Box<dyn Check>> {
    vec![Box::new(ProgressCheck(jobs.clone())), Box::new(DeadLetters(jobs.clone()))]
}

/// Are jobs taken?
struct ProgressCheck(Jobs);

#[async_trait]
impl Check for ProgressCheck {
    fn name(&self) -> &'static str {
        "jobs.progress"
    }

    async fn run(&self) -> CheckResult {
        match progress(&self.0).await {
            Ok(result) => result,
            Err(error) => CheckResult::fail(format!("cannot look: {error}"), "see the check of the database"),
        }
    }
}

async fn progress(jobs: &Jobs) -> Result<CheckResult, DbError> {
    let mut tx = jobs.db().system().await?;
    let queues = store::queues(&mut tx).await?;
    let live = store::live_leases(&mut tx).await?;
    tx.commit().await?;
    let (paused, open): (Vec<_>, Vec<_>) = queues.into_iter().partition(|q| q.paused);
    let due: i64 = open.iter().map(|q| q.due).sum();
    let oldest = open.iter().map(|q| q.oldest_seconds).fold(0.0, f64::max);
    if live == 0 && oldest > ABANDONED {
        return Ok(CheckResult::fail(
            format!("{due} jobs are due, the oldest for {oldest:.0} s, and none runs"),
            "start a worker: `holdfast serve` with the role all or worker; if one runs, look for its errors in the logs",
        ));
    }
    let summary = format!("{due} due, {live} running");
    if paused.iter().any(|q| q.depth > 0) {
        let names: Vec<_> = paused.iter().map(|q| q.name.as_str()).collect();
        return Ok(CheckResult::warn(
            format!("{summary}; paused with waiting jobs: {}", names.join(", ")),
            "resume them on the jobs page",
        ));
    }
    Ok(CheckResult::pass(summary))
}

/// Has something been given up?
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
            Err(error) => CheckResult::fail(format!("cannot look: {error}"), "see the check of the database"),
        }
    }
}
