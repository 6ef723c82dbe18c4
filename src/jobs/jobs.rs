//! The queue's own job: partitions and retention.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{CatchUp, Cron, Job, Jobs, JobsError, Registry};

/// Creates the partitions of the coming weeks and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "jobs.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers the job, hourly.
pub(super) fn register(jobs: &Jobs, registry: &mut Registry) -> Result<(), JobsError> {
    let jobs = jobs.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let jobs = jobs.clone();
        async move {
            let (created, dropped) = jobs.maintain().await?;
            if created + dropped > 0 {
                tracing::info!(created, dropped, "created and dropped weekly partitions of the job history");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("17 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
