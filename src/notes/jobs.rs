//! The job of notes and its schedule.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Notes, service::BATCH};
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Deletes notes that are past retention.
#[derive(Debug, Serialize, Deserialize)]
struct Retention {}

impl Job for Retention {
    const KIND: &'static str = "notes.retention";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(30);
}

/// Registers what runs this job, and its schedule.
pub fn register(registry: &mut Registry, notes: &Notes) -> Result<(), JobsError> {
    let notes = notes.clone();
    registry.register::<Retention, _, _>(move |context, _| {
        let notes = notes.clone();
        async move {
            // What is left when the job is stopped, its next run deletes.
            while !context.cancel.is_cancelled() && notes.expire().await? == u64::from(BATCH) {}
            Ok(())
        }
    });
    registry.schedule(Retention::KIND, Cron::parse("53 3 * * *", "UTC")?, CatchUp::One, &Retention {})
}
