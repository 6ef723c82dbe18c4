//! The jobs of backup and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    BackupError, BackupId, Backups,
    model::{DrillStatus, Kind, Status},
    service::Choice,
    watcher::Watcher,
};
use crate::jobs::{self, CatchUp, Cron, Enqueue, Job, JobContext, JobError, JobsError, Registry};

const QUEUE: &str = "backup";
/// One at a time, of whatever kind: each holds the same lock.
const KEY: &str = "backup";
/// A large database over a slow line.
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

/// Removes what retention does not keep: after each backup, and apart from it, so that whoever asks for another meanwhile gets one.
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

/// Restores an older backup on trial, and reads every copy of the newest again.
#[derive(Debug, Serialize, Deserialize)]
pub struct DrillOld {}

impl Job for DrillOld {
    const KIND: &'static str = "backup.drill_old";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 2;
    const TIMEOUT: Duration = TIMEOUT;
    const BACKOFF: Duration = Duration::from_secs(60);
}

/// Reads every copy of a backup again; with a key at hand, opens everything in it.
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

/// How a job of backup is queued: one that waits or runs is not joined by a second of its kind for the same `subject`, a backup or
/// nothing.
pub fn options(subject: Option<BackupId>) -> Enqueue {
    let unique = subject.map_or_else(|| KEY.to_owned(), |id| id.to_string());
    Enqueue { unique_key: Some(unique), concurrency_key: Some(KEY.to_owned()), ..Enqueue::default() }
}

/// Registers what runs these jobs, and their schedules where backups are configured.
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
            // One tells nothing of the other.
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

/// Another run is not a failure: wait for it.
fn or_snooze(error: BackupError) -> JobError {
    match error {
        BackupError::Busy => JobError::snooze(Duration::from_secs(60)),
        BackupError::Off | BackupError::NoKey | BackupError::Key(_) => JobError::permanent(error),
        error => JobError::retry(error),
    }
}

/// Shows in the job how far it is, and ends with it.
fn watcher(context: &JobContext) -> Watcher {
    let progress = context.clone();
    Watcher::new(context.cancel.clone(), move |percent, step| progress.progress(percent, step))
}

impl Backups {
    async fn run_job(&self, context: &JobContext, kind: Kind) -> Result<(), JobError> {
        let backup = self.run(kind, &watcher(context)).await.map_err(or_snooze)?;
        if backup.status == Status::Failed {
            return Err(JobError::retry(anyhow::anyhow!("{}", backup.error.unwrap_or_default())));
        }
        // One that is not whole everywhere is tried again by the next schedule: a copy is there, and the alert is out.
        let mut tx = self.inner.db.system().await.map_err(JobError::retry)?;
        jobs::enqueue(&mut tx, &self.inner.clock, None, &Prune {}, &options(None)).await.map_err(JobError::retry)?;
        tx.commit().await.map_err(JobError::retry)
    }

    async fn prune_job(&self) -> Result<(), JobError> {
        let mut damaged = Vec::new();
        for pruned in self.prune(false).await.map_err(or_snooze)? {
            let Some(error) = pruned.error else { continue };
            // After the next backup it is tried again; that a destination is away is told elsewhere.
            tracing::warn!(destination = pruned.destination, error, "old backups could not be removed");
            damaged.extend(pruned.damaged.then_some(error));
        }
        if damaged.is_empty() { Ok(()) } else { Err(JobError::permanent(anyhow::anyhow!("{}", damaged.join("; ")))) }
    }

    async fn drill_job(&self, context: &JobContext, choice: Choice) -> Result<(), JobError> {
        match self.drill(choice, None, None, &watcher(context)).await {
            // Nothing to try yet.
            Err(BackupError::None) => Ok(()),
            Err(error) => Err(or_snooze(error)),
            // Without room another attempt ends likewise; that it is overdue is told, and why.
            Ok(drill) if matches!(drill.status, DrillStatus::Passed | DrillStatus::NoRoom) => Ok(()),
            Ok(drill) => Err(JobError::retry(anyhow::anyhow!("{}", drill.error.unwrap_or_default()))),
        }
    }

    /// The newest whole one where none is named.
    async fn verify_job(&self, context: &JobContext, id: Option<BackupId>) -> Result<(), JobError> {
        let id = match id {
            Some(id) => id,
            None => match self.newest_whole().await {
                Err(BackupError::None) => return Ok(()),
                newest => newest.map_err(or_snooze)?.id,
            },
        };
        let keys = self.key_file(None).ok();
        // What is wrong is written down, counted and logged.
        self.verify(id, None, keys.as_ref(), &watcher(context)).await.map(drop).map_err(or_snooze)
    }
}
