//! The jobs of mail and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Mail;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Sends what is due in a lane.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Deliver {
    pub lane: String,
}

impl Job for Deliver {
    const KIND: &'static str = "mail.deliver";
    const QUEUE: &'static str = "mail";
    /// A mail's attempts are counted in its row; these attempts are for database outages.
    const MAX_ATTEMPTS: i32 = 20;
    /// A server may take all of the time that the settings permit, for each step of the last mail of a turn, on a kept connection and a new one.
    const TIMEOUT: Duration = Duration::from_hours(1);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Makes the tables of the coming weeks, and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "mail.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Deletes the attachments of weeks that were dropped.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Purge {}

impl Job for Purge {
    const KIND: &'static str = "mail.purge";
    const QUEUE: &'static str = "system";
    /// While a backup runs, nothing is deleted.
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_mins(1);
}

/// Looks for the records of verified domains again.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct CheckDomains {}

impl Job for CheckDomains {
    const KIND: &'static str = "mail.check_domains";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(20);
}

/// Deletes files that no mail was made of.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct DropFiles {}

impl Job for DropFiles {
    const KIND: &'static str = "mail.drop_files";
    const QUEUE: &'static str = "system";
    /// While a backup runs, nothing is deleted.
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, mail: &Mail) -> Result<(), JobsError> {
    let this = mail.clone();
    registry.register::<Deliver, _, _>(move |context, job| {
        let this = this.clone();
        async move { this.deliver(&context, &job.lane).await }
    });
    let this = mail.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let done = this.maintain().await?;
            if done.created + done.dropped > 0 {
                let (created, dropped, kept) = (done.created, done.dropped, done.kept);
                tracing::info!(created, dropped, kept, "weekly partitions of mail");
            }
            Ok(())
        }
    });
    let this = mail.clone();
    registry.register::<Purge, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let deleted = this.purge().await?;
            if deleted > 0 {
                tracing::info!(deleted, "attachments of old mail deleted");
            }
            Ok(())
        }
    });
    let this = mail.clone();
    registry.register::<CheckDomains, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let checked = this.check_domains().await?;
            if checked > 0 {
                tracing::info!(checked, "records of mail domains checked");
            }
            Ok(())
        }
    });
    let this = mail.clone();
    registry.register::<DropFiles, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let dropped = this.drop_unused().await?;
            if dropped > 0 {
                tracing::info!(dropped, "files deleted that no mail was made of");
            }
            Ok(())
        }
    });
    registry.schedule(DropFiles::KIND, Cron::parse("53 * * * *", "UTC")?, CatchUp::One, &DropFiles {})?;
    registry.schedule(CheckDomains::KIND, Cron::parse("11 * * * *", "UTC")?, CatchUp::One, &CheckDomains {})?;
    registry.schedule(Maintain::KIND, Cron::parse("47 * * * *", "UTC")?, CatchUp::One, &Maintain {})?;
    registry.schedule(Purge::KIND, Cron::parse("23 3 * * *", "UTC")?, CatchUp::One, &Purge {})
}
