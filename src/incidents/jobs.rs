//! The jobs of incidents and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Incidents;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Creates the partitions of the coming weeks and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "incidents.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, incidents: &Incidents) -> Result<(), JobsError> {
    let this = incidents.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let (created, dropped) = this.maintain().await?;
            if created + dropped > 0 {
                tracing::info!(created, dropped, "weekly partitions of the log of messages about incidents");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("47 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
