//! The jobs of notices and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Notices, NoticesError};
use ::jobs::{CatchUp, Cron, Job, JobError, JobsError, Registry};
use alerting::{AlertFiring, AlertResolved};
use auth::{DeviceAdded, MemberAdded};
use backup::{BackupFailed, BackupFinished};
use events::{Event, Occurred, Subscriber};
use webhooks::EndpointDisabled;

/// Makes the mail about an event.
#[derive(Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tell(Occurred);

impl Job for Tell {
    const KIND: &'static str = "notices.tell";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_mins(1);
}

impl From<Occurred> for Tell {
    fn from(event: Occurred) -> Self {
        Self(event)
    }
}

impl Subscriber for Tell {
    const TOPICS: &'static [&'static str] = &[
        MemberAdded::TOPIC,
        DeviceAdded::TOPIC,
        BackupFinished::TOPIC,
        BackupFailed::TOPIC,
        AlertFiring::TOPIC,
        AlertResolved::TOPIC,
        EndpointDisabled::TOPIC,
    ];
}

/// Mails what was collected.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Digest {}

impl Job for Digest {
    const KIND: &'static str = "notices.digest";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(2);
}

/// Mails the critical alerts that were too many for a mail each.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Together {}

impl Job for Together {
    const KIND: &'static str = "notices.together";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_mins(2);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Mails the weekly report.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Report {}

impl Job for Report {
    const KIND: &'static str = "notices.report";
    const QUEUE: &'static str = "system";
    const MAX_ATTEMPTS: i32 = 10;
    const BACKOFF: Duration = Duration::from_secs(30);
}

/// Registers what runs these jobs, and the schedules that are on.
pub fn register(registry: &mut Registry, notices: &Notices) -> Result<(), JobsError> {
    let this = notices.clone();
    registry.register::<Tell, _, _>(move |_, job| {
        let this = this.clone();
        async move { this.tell(&job.0).await.map_err(ended) }
    });
    let this = notices.clone();
    registry.register::<Digest, _, _>(move |_, _| {
        let this = this.clone();
        async move { this.digest().await.map_err(ended) }
    });
    let this = notices.clone();
    registry.register::<Together, _, _>(move |_, _| {
        let this = this.clone();
        async move { this.together().await.map_err(ended) }
    });
    let this = notices.clone();
    registry.register::<Report, _, _>(move |context, _| {
        let this = this.clone();
        async move { this.report(context.job_id).await.map_err(ended) }
    });
    let config = notices.config();
    if config.enabled {
        if let Some(cron) = Cron::parse_or_off(&config.digest_schedule, &config.time_zone)? {
            registry.schedule(Digest::KIND, cron, CatchUp::One, &Digest {})?;
        }
        if let Some(cron) = Cron::parse_or_off(&config.report_schedule, &config.time_zone)? {
            registry.schedule(Report::KIND, cron, CatchUp::One, &Report {})?;
        }
    }
    Ok(())
}

/// An event that cannot be read is a dead letter at once.
fn ended(error: NoticesError) -> JobError {
    match error {
        NoticesError::Unreadable(..) => JobError::permanent(error),
        error => JobError::retry(error),
    }
}
