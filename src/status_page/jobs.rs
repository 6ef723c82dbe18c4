//! The jobs of status pages and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::StatusPages;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Forgets those who asked for updates and never confirmed it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "status_page.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, pages: &StatusPages) -> Result<(), JobsError> {
    let this = pages.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let forgotten = this.maintain().await?;
            if forgotten > 0 {
                tracing::info!(forgotten, "subscriptions of status pages that nobody confirmed");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("53 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
