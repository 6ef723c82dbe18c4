//! Jobs of backups, and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BackupError, BackupId, Backups,
    model::{DrillStatus, Kind, Status},
    progress::ProgressReporter,
    service::Choice,
};
use jobs::{CatchUp, Cron, Enqueue, Job, JobContext, JobError, JobsError, Registry};

const QUEUE: &str = "backup";
/// Concurrency key: all kinds share one lock, so one runs at a time.
const KEY: &str = "backup";
/// Enough for a large database over a slow line.
const TIMEOUT: Duration = Duration::from_secs(12 * 3600);

/// Makes a backup.
#[derive(Debug, Serialize, Deserialize)]
pub struct Run {
    pub kind: Kind,
}

impl Job for Run {
    const KIND: &'static str = "backup.run";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// Applies retention. Separate from the backup job, so that another backup can be requested meanwhile.
#[derive(Debug, Serialize, Deserialize)]
pub struct Prune {}

impl Job for Prune {
    const KIND: &'static str = "backup.prune";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// Restores the newest backup on trial.
#[derive(Debug, Serialize, Deserialize)]
pub struct DrillNewest {}

impl Job for DrillNewest {
    const KIND: &'static str = "backup.drill";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// Restores an older backup on trial, and re-reads every copy of the newest.
#[derive(Debug, Serialize, Deserialize)]
pub struct DrillOld {}

impl Job for DrillOld {
    const KIND: &'static str = "backup.drill_old";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// Re-reads every copy of a backup; with a key file, also decrypts everything in it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Verify {
    pub backup_id: BackupId,
}

impl Job for Verify {
    const KIND: &'static str = "backup.verify";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// How backup jobs are enqueued: at most one queued or running job per kind and `subject` (a backup or none).
pub fn options(subject: Option<BackupId>) -> Enqueue {
    let unique = subject.map_or_else(|| KEY.to_owned(), |id| id.to_string());
    Enqueue { unique_key: Some(unique), concurrency_key: Some(KEY.to_owned()), ..Enqueue::default() }
}

/// Registers the job handlers, and their schedules if backups are configured.
pub fn register(registry: &mut Registry, backups: &Backups) -> Result<(), JobsError> {
    let this = backups.clone();
    registry.register::<Run, _, _>(move |context, job| {
        let this = this.clone();
        async move { this.run_job(&context, job.kind).await }
    });
    let this = backups.clone();
    registry.register::<Prune, _, _>(move |_, _| {
        let this = this.clone();
        async move { this.prune_job().await }
    });
    let this = backups.clone();
    registry.register::<DrillNewest, _, _>(move |context, _| {
        let this = this.clone();
        async move { this.drill_job(&context, Choice::Newest).await }
    });
    let this = backups.clone();
    registry.register::<DrillOld, _, _>(move |context, _| {
        let this = this.clone();
        async move {
            // The two results are independent.
            let drilled = Box::pin(this.drill_job(&context, Choice::Old)).await;
            Box::pin(this.verify_job(&context, None)).await?;
            drilled
        }
    });
    let this = backups.clone();
    registry.register::<Verify, _, _>(move |context, job| {
        let this = this.clone();
        async move { this.verify_job(&context, Some(job.backup_id)).await }
    });
    let config = backups.config();
    if config.is_on() {
        let cron = |pattern: &str| Cron::parse_or_off(pattern, &config.time_zone);
        if let Some(cron) = cron(&config.schedule)? {
            registry.schedule("backup.run", cron, CatchUp::One, &Run { kind: Kind::Scheduled })?;
        }
        if let Some(cron) = cron(&config.drill_schedule)?.filter(|_| config.key_file.is_some()) {
            registry.schedule("backup.drill", cron, CatchUp::One, &DrillNewest {})?;
        }
        if let Some(cron) = cron(&config.old_drill_schedule)?.filter(|_| config.key_file.is_some()) {
            registry.schedule("backup.drill_old", cron, CatchUp::One, &DrillOld {})?;
        }
    }
    Ok(())
}

/// Another run is in progress: wait for it instead of failing.
fn or_snooze(error: BackupError) -> JobError {
    match error {
        BackupError::Busy => JobError::snooze(Duration::from_secs(60)),
        BackupError::Off | BackupError::NoKey | BackupError::Key(_) => JobError::permanent(error),
        error => JobError::retry(error),
    }
}

/// Reports progress in the job, and cancels with it.
fn progress(context: &JobContext) -> ProgressReporter {
    let job = context.clone();
    ProgressReporter::new(context.cancel.clone(), move |percent, step| job.progress(percent, step))
}

impl Backups {
    async fn run_job(&self, context: &JobContext, kind: Kind) -> Result<(), JobError> {
        let backup = self.run(kind, &progress(context)).await.map_err(or_snooze)?;
        if backup.status == Status::Failed {
            return Err(JobError::retry(anyhow::anyhow!("{}", backup.error.unwrap_or_default())));
        }
        // A partial backup is repeated by the next schedule: a copy exists, and the alert fires.
        let mut tx = self.inner.db.system().await.map_err(JobError::retry)?;
        jobs::enqueue(&mut tx, &self.inner.clock, None, &Prune {}, &options(None)).await.map_err(JobError::retry)?;
        tx.commit().await.map_err(JobError::retry)
    }

    async fn prune_job(&self) -> Result<(), JobError> {
        let mut damaged = Vec::new();
        for pruned in self.prune(false).await.map_err(or_snooze)? {
            let Some(error) = pruned.error else { continue };
            // Repeated after the next backup; other checks report an unreachable destination.
            tracing::warn!(destination = pruned.destination, error, "old backups could not be removed");
            damaged.extend(pruned.damaged.then_some(error));
        }
        if damaged.is_empty() { Ok(()) } else { Err(JobError::permanent(anyhow::anyhow!("{}", damaged.join("; ")))) }
    }

    async fn drill_job(&self, context: &JobContext, choice: Choice) -> Result<(), JobError> {
        match self.drill(choice, None, None, &progress(context)).await {
            // Nothing to test yet.
            Err(BackupError::None) => Ok(()),
            Err(error) => Err(or_snooze(error)),
            // Without disk space a retry would fail too; an alert reports the overdue drill and the reason.
            Ok(drill) if matches!(drill.status, DrillStatus::Passed | DrillStatus::NoRoom) => Ok(()),
            Ok(drill) => Err(JobError::retry(anyhow::anyhow!("{}", drill.error.unwrap_or_default()))),
        }
    }

    /// Without an id, the newest complete backup.
    async fn verify_job(&self, context: &JobContext, id: Option<BackupId>) -> Result<(), JobError> {
        let id = match id {
            Some(id) => id,
            None => match self.newest_whole().await {
                Err(BackupError::None) => return Ok(()),
                newest => newest.map_err(or_snooze)?.id,
            },
        };
        let keys = self.key_file(None).ok();
        // Findings are stored, counted and logged.
        self.verify(id, None, keys.as_ref(), &progress(context)).await.map(drop).map_err(or_snooze)
    }
}
