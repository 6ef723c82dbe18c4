//! The jobs of monitors and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Uptime;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Makes the partitions of the coming days and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "uptime.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(2);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, uptime: &Uptime) -> Result<(), JobsError> {
    let this = uptime.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let (created, dropped) = this.maintain().await?;
            if created + dropped > 0 {
                tracing::info!(created, dropped, "partitions of the history of monitors");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("23 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
