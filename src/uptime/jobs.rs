//! The jobs of monitors and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Uptime;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Makes the partitions of the coming days and drops those past retention; deletes what else is past it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "uptime.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(5);
}

/// Rolls up the hours that are over.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Rollup {}

impl Job for Rollup {
    const KIND: &'static str = "uptime.rollup";
    const QUEUE: &'static str = "system";
    /// A week of hours, after a long pause.
    const TIMEOUT: Duration = Duration::from_mins(30);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, uptime: &Uptime) -> Result<(), JobsError> {
    let this = uptime.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let (created, dropped) = this.maintain().await?;
            let deleted = this.forget().await?;
            if created + dropped > 0 || deleted > 0 {
                tracing::info!(created, dropped, deleted, "partitions and rows of the history of monitors");
            }
            Ok(())
        }
    });
    let this = uptime.clone();
    registry.register::<Rollup, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let hours = this.roll_up().await?;
            if hours > 0 {
                tracing::info!(hours, "checks of monitors rolled up");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("23 * * * *", "UTC")?, CatchUp::One, &Maintain {})?;
    registry.schedule(Rollup::KIND, Cron::parse("2-59/5 * * * *", "UTC")?, CatchUp::One, &Rollup {})
}
