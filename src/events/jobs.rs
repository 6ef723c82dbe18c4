//! The jobs of events: partitions and retention.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Events;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Creates the partitions of the coming weeks and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "events.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers the job, hourly.
pub fn register(registry: &mut Registry, events: &Events) -> Result<(), JobsError> {
    let events = events.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let events = events.clone();
        async move {
            let (created, dropped) = events.maintain().await?;
            if created + dropped > 0 {
                tracing::info!(created, dropped, "weekly partitions of the events");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("27 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
