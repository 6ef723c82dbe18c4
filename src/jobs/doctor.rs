//! Checks of the queue, read from the database: they hold for whichever process runs the workers.

use async_trait::async_trait;

use super::{
    Jobs, JobsError, Registry, jobs,
    leader::{LEASE, Lease},
    store,
};
use platform::{
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
        Box::new(LeaderCheck(jobs.clone())),
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

/// Does one process have each duty, while there are any?
struct LeaderCheck(Jobs);

#[async_trait]
impl Check for LeaderCheck {
    fn name(&self) -> &'static str {
        "jobs.leader"
    }

    async fn run(&self) -> CheckResult {
        let found: Result<_, DbError> = async {
            let mut tx = self.0.db().system().await?;
            let leases = store::leases(&mut tx).await?;
            let workers = store::live_workers(&mut tx, LEASE.as_secs_f64()).await?;
            tx.commit().await?;
            Ok((leases, !workers.is_empty()))
        }
        .await;
        match found {
            Ok((leases, works)) => judge_leases(&leases, works),
            Err(error) => CheckResult::fail(format!("cannot look: {}", chain(&error)), "see the check of the database"),
        }
    }
}

/// `works`: a worker sent a heartbeat recently; without workers no leader is needed.
fn judge_leases(leases: &[store::LeaseRow], works: bool) -> CheckResult {
    let held = |lease: &Lease| leases.iter().find(|row| row.name == lease.as_str() && row.left_seconds > 0.0);
    let vacant: Vec<&str> =
        Lease::ALL.iter().filter(|lease| held(lease).is_none()).map(|lease| lease.as_str()).collect();
    let said: Vec<String> = Lease::ALL
        .iter()
        .filter_map(held)
        .map(|row| format!("{}: process {} for {:.0} s", row.name, row.holder, row.held_seconds))
        .collect();
    match (vacant.is_empty(), works) {
        (true, _) => CheckResult::pass(said.join("; ")),
        (false, false) => CheckResult::pass("no worker is running, so no leader is needed"),
        (false, true) => CheckResult::warn(
            format!("no leader for {}", vacant.join(", ")),
            "wait a minute: a process takes over by itself; if none does, look for \"stand for election\" in the logs",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::health::Status;

    #[test]
    fn a_duty_that_nobody_has_is_a_warning_while_workers_live() {
        let row = |name: &str, left_seconds| store::LeaseRow {
            name: name.into(),
            holder: uuid::Uuid::nil(),
            held_seconds: 60.0,
            left_seconds,
        };
        let held = [row("prober", 9.0), row("schedules", 9.0), row("upkeep", 9.0)];
        assert_eq!(judge_leases(&held, true).status, Status::Pass);
        let ended = [row("prober", 9.0), row("schedules", 9.0), row("upkeep", -1.0)];
        let found = judge_leases(&ended, true);
        assert!(found.status == Status::Warn && found.summary.contains("upkeep"), "{found:?}");
        assert_eq!(judge_leases(&ended, false).status, Status::Pass);
        assert_eq!(judge_leases(&[], true).status, Status::Warn);
    }
}
