//! The jobs of backup and their schedules.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    BackupError, BackupId, Backups,
    model::{DrillStatus, Kind, Status},
    service::{Choice, OnStep},
};
use crate::jobs::{CatchUp, Cron, Enqueue, Job, JobContext, JobError, JobsError, Registry};

const QUEUE: &str = "backup";
/// One at a time: each holds the same lock.
const KEY: &str = "backup";
/// A large database over a slow line.
const TIMEOUT: Duration = Duration::from_secs(12 * 3600);

/// Makes a backup, then removes what retention does not keep.
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

/// How every job of backup is queued.
pub fn options() -> Enqueue {
    Enqueue { unique_key: Some(KEY.to_owned()), concurrency_key: Some(KEY.to_owned()), ..Enqueue::default() }
}

/// Registers what runs these jobs, and their schedules where backups are configured.
pub fn register(registry: &mut Registry, backups: &Backups) -> Result<(), JobsError> {
    let this = backups.clone();
    registry.register::<Run, _, _>(move |context, job| {
        let this = this.clone();
        async move { this.run_job(&context, job.kind).await }
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
            this.drill_job(&context, Choice::Old).await?;
            this.verify_job(None).await
        }
    });
    let this = backups.clone();
    registry.register::<Verify, _, _>(move |_, job| {
        let this = this.clone();
        async move { this.verify_job(Some(job.backup_id)).await }
    });
    let config = backups.config();
    if config.is_on() {
        let cron = |pattern: &str| Cron::parse(pattern, &config.time_zone);
        registry.schedule("backup.run", cron(&config.schedule)?, CatchUp::One, &Run { kind: Kind::Scheduled })?;
        if config.key_file.is_some() {
            registry.schedule("backup.drill", cron(&config.drill_schedule)?, CatchUp::One, &DrillNewest {})?;
            registry.schedule("backup.drill_old", cron(&config.old_drill_schedule)?, CatchUp::One, &DrillOld {})?;
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

impl Backups {
    async fn run_job(&self, context: &JobContext, kind: Kind) -> Result<(), JobError> {
        let progress = context.clone();
        let on_step: OnStep = Arc::new(move |step| progress.progress(0, step));
        let backup = self.run(kind, on_step, &context.cancel).await.map_err(or_snooze)?;
        match backup.status {
            Status::Failed => return Err(JobError::retry(anyhow::anyhow!("{}", backup.error.unwrap_or_default()))),
            // Tried again by the next schedule: a copy is there, and the alert is out.
            _ => context.progress(90, "removing old backups"),
        }
        for pruned in self.prune(false).await.map_err(or_snooze)? {
            if let Some(error) = pruned.error {
                tracing::warn!(destination = pruned.destination, error, "old backups could not be removed");
            }
        }
        Ok(())
    }

    async fn drill_job(&self, context: &JobContext, choice: Choice) -> Result<(), JobError> {
        let progress = context.clone();
        let on_step: OnStep = Arc::new(move |step| progress.progress(0, step));
        let drill = self.drill(choice, None, None, &on_step, &context.cancel).await;
        match drill {
            // Nothing to try yet.
            Err(BackupError::None) => Ok(()),
            Err(error) => Err(or_snooze(error)),
            Ok(drill) if drill.status == DrillStatus::Passed => Ok(()),
            Ok(drill) => Err(JobError::retry(anyhow::anyhow!("{}", drill.error.unwrap_or_default()))),
        }
    }

    /// The newest whole one where none is named.
    async fn verify_job(&self, id: Option<BackupId>) -> Result<(), JobError> {
        let id = match id {
            Some(id) => id,
            None => match self.newest_whole(None).await {
                Err(BackupError::None) => return Ok(()),
                newest => newest.map_err(or_snooze)?.0.id,
            },
        };
        let keys = self.key_file(None).ok();
        // What is wrong is written down, counted and logged.
        self.verify(id, None, keys.as_ref()).await.map(drop).map_err(or_snooze)
    }
}
