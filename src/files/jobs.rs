//! The jobs of files and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{BucketId, Files, FilesError, service::report};
use jobs::{CatchUp, Cron, Job, JobContext, JobError, JobsError, Registry};
use platform::ids::OrgId;
use storage::StorageError;

/// Where their jobs run.
pub(crate) const QUEUE: &str = "files";
/// Each schedule, sorted.
pub(crate) const SCHEDULES: &[&str] =
    &["files.collect", "files.compact", "files.lifecycle", "files.purge", "files.scrub", "files.sweep"];

/// While a backup runs, nothing is deleted.
const HELD: Duration = Duration::from_mins(10);
/// For so long a turn of a long job runs: a kill loses no more.
const TURN: Duration = Duration::from_mins(1);

/// Deletes blobs to which nothing refers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Collect {}

impl Job for Collect {
    const KIND: &'static str = "files.collect";
    const QUEUE: &'static str = QUEUE;
}

/// Deletes what the trash lets go of, and what else has had its time.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Purge {}

impl Job for Purge {
    const KIND: &'static str = "files.purge";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_hours(1);
}

/// Compares the next part of the store with the rows.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Sweep {}

impl Job for Sweep {
    const KIND: &'static str = "files.sweep";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_hours(1);
}

/// Reads all that is stored and compares it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ScrubAll {}

impl Job for ScrubAll {
    const KIND: &'static str = "files.scrub";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 20;
    const BACKOFF: Duration = Duration::from_mins(1);
}

/// Looks at one object, and brings it back if it is damaged.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RepairOne {
    pub room: String,
    pub key: String,
}

impl Job for RepairOne {
    const KIND: &'static str = "files.repair";
    const QUEUE: &'static str = QUEUE;
    const BACKOFF: Duration = Duration::from_mins(1);
    const TIMEOUT: Duration = Duration::from_hours(2);
}

/// Carries out the rules of all buckets, a bucket each day.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Lifecycle {}

impl Job for Lifecycle {
    const KIND: &'static str = "files.lifecycle";
    const QUEUE: &'static str = QUEUE;
    /// A bucket is not left in the middle.
    const TIMEOUT: Duration = Duration::from_hours(6);
    const BACKOFF: Duration = Duration::from_mins(1);
}

/// Joins the pieces of objects that have many small ones.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Compact {}

impl Job for Compact {
    const KIND: &'static str = "files.compact";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_hours(1);
}

/// Deletes everything in a bucket.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EmptyBucket {
    pub bucket: BucketId,
    /// For the column `trashed_by`.
    pub by: String,
}

impl Job for EmptyBucket {
    const KIND: &'static str = "files.empty_bucket";
    const QUEUE: &'static str = QUEUE;
    const BACKOFF: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub(crate) fn register(registry: &mut Registry, files: &Files) -> Result<(), JobsError> {
    let this = files.clone();
    registry.register::<Collect, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let deleted = this.collect().await.map_err(or_snooze)?;
            if deleted > 0 {
                tracing::info!(deleted, "blobs deleted to which nothing referred");
            }
            Ok(())
        }
    });
    let this = files.clone();
    registry.register::<Purge, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let purged = this.purge_due().await?;
            if purged != crate::collect::Purged::default() {
                let (versions, uploads, buckets) = (purged.versions, purged.uploads, purged.buckets);
                tracing::info!(versions, uploads, buckets, "purged");
            }
            Ok(())
        }
    });
    let this = files.clone();
    registry.register::<Sweep, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            for (room, found) in this.sweep().await.map_err(or_snooze)? {
                if found.deleted + found.missing > 0 || found.unfinished > 0 {
                    let (deleted, missing, unfinished) = (found.deleted, found.missing, found.unfinished);
                    tracing::warn!(room, deleted, missing, unfinished, "the store and the rows differed");
                }
            }
            Ok(())
        }
    });
    let this = files.clone();
    registry.register::<ScrubAll, _, _>(move |context, _| {
        let this = this.clone();
        async move { this.run_scrub(&context).await }
    });
    let this = files.clone();
    registry.register::<RepairOne, _, _>(move |_, job| {
        let this = this.clone();
        async move {
            this.repair(&job.room, &job.key, None).await?;
            Ok(())
        }
    });
    register_of_buckets(registry, files);
    report::register(registry, files);
    registry.schedule(Collect::KIND, Cron::parse("*/10 * * * *", "UTC")?, CatchUp::One, &Collect {})?;
    registry.schedule(Compact::KIND, Cron::parse("40 1 * * *", "UTC")?, CatchUp::One, &Compact {})?;
    registry.schedule(Lifecycle::KIND, Cron::parse("30 0 * * *", "UTC")?, CatchUp::One, &Lifecycle {})?;
    registry.schedule(Purge::KIND, Cron::parse("17 * * * *", "UTC")?, CatchUp::One, &Purge {})?;
    registry.schedule(ScrubAll::KIND, Cron::parse("0 2 * * 0", "UTC")?, CatchUp::One, &ScrubAll {})?;
    registry.schedule(Sweep::KIND, Cron::parse("*/5 * * * *", "UTC")?, CatchUp::One, &Sweep {})
}

fn register_of_buckets(registry: &mut Registry, files: &Files) {
    let this = files.clone();
    registry.register::<Lifecycle, _, _>(move |context, _| {
        let this = this.clone();
        async move {
            let cancelled = context.cancel.clone();
            if this.carry_out_rules(TURN, || cancelled.is_cancelled()).await? {
                return Ok(());
            }
            Err(JobError::snooze(Duration::from_secs(1)))
        }
    });
    let this = files.clone();
    registry.register::<Compact, _, _>(move |context, _| {
        let this = this.clone();
        async move {
            let cancelled = context.cancel.clone();
            let joined = this.compact(|| cancelled.is_cancelled()).await?;
            if joined > 0 {
                tracing::info!(joined, "objects of many pieces stored anew");
            }
            Ok(())
        }
    });
    let this = files.clone();
    registry.register::<EmptyBucket, _, _>(move |context, job| {
        let this = this.clone();
        async move {
            let (org, cancelled) = (org(context.org_id)?, context.cancel.clone());
            if this.empty_some(org, job.bucket, &job.by, TURN, || cancelled.is_cancelled()).await? {
                return Ok(());
            }
            Err(JobError::snooze(Duration::from_secs(1)))
        }
    });
}

impl Files {
    async fn run_scrub(&self, context: &JobContext) -> Result<(), JobError> {
        let cancelled = context.cancel.clone();
        if self.scrub_for(TURN, || cancelled.is_cancelled()).await? {
            return Ok(());
        }
        Err(JobError::snooze(Duration::from_secs(1)))
    }
}

fn org(org: Option<OrgId>) -> Result<OrgId, JobError> {
    org.ok_or_else(|| JobError::permanent(anyhow::anyhow!("this job belongs to an organisation")))
}

/// A backup may hold deletions for a long time.
fn or_snooze(error: FilesError) -> JobError {
    match error {
        FilesError::Storage(StorageError::Held) => JobError::snooze(HELD),
        error => error.into(),
    }
}
