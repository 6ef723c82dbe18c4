//! The jobs of webhooks and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Webhooks;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

/// Sends a receiver's queued messages.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Deliver {
    pub receiver: String,
}

impl Job for Deliver {
    const KIND: &'static str = "webhooks.deliver";
    const QUEUE: &'static str = "webhooks";
    /// A message's attempts are counted in its row; these attempts are for database outages.
    const MAX_ATTEMPTS: i32 = 20;
    const TIMEOUT: Duration = Duration::from_mins(10);
    const UNIQUE_UNTIL_START: bool = true;
}

/// Creates the partitions of the coming weeks and drops those past retention.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "webhooks.maintain";
    const QUEUE: &'static str = "system";
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Registers what runs these jobs, and their schedules.
pub fn register(registry: &mut Registry, webhooks: &Webhooks) -> Result<(), JobsError> {
    let this = webhooks.clone();
    registry.register::<Deliver, _, _>(move |context, job| {
        let this = this.clone();
        async move { this.deliver(&context, context.org_id, &job.receiver).await }
    });
    let this = webhooks.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let (created, dropped) = this.maintain().await?;
            if created + dropped > 0 {
                tracing::info!(created, dropped, "weekly partitions of the webhook deliveries");
            }
            Ok(())
        }
    });
    registry.schedule(Maintain::KIND, Cron::parse("37 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
