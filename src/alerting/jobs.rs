//! The jobs of alerting and their schedules.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use uuid::Uuid;

use super::Alerting;
use jobs::{CatchUp, Cron, Job, JobsError, Registry};

const QUEUE: &str = "alerting";

/// Job of the version before webhooks, which may still run beside this one: sends one alert to one webhook.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Deliver {
    pub delivery_id: Uuid,
}

impl Job for Deliver {
    const KIND: &'static str = "alerting.deliver";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_secs(30);
}

/// Sends the heartbeat to the outside service.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Heartbeat {}

impl Job for Heartbeat {
    const KIND: &'static str = "alerting.heartbeat";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 3;
    const BACKOFF: Duration = Duration::from_secs(5);
    const TIMEOUT: Duration = Duration::from_secs(30);
}

/// Ends alerts that fire here but not in Alertmanager.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Compare {}

impl Job for Compare {
    const KIND: &'static str = "alerting.compare";
    const QUEUE: &'static str = QUEUE;
    const MAX_ATTEMPTS: i32 = 1;
    const TIMEOUT: Duration = Duration::from_mins(1);
}

/// Ends alerts that are no longer repeated, removes old ones.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Maintain {}

impl Job for Maintain {
    const KIND: &'static str = "alerting.maintain";
    const QUEUE: &'static str = QUEUE;
    const TIMEOUT: Duration = Duration::from_mins(5);
}

/// Registers the handlers and schedules.
pub fn register(registry: &mut Registry, alerting: &Alerting) -> Result<(), JobsError> {
    let this = alerting.clone();
    registry.register::<Deliver, _, _>(move |_, job| {
        let this = this.clone();
        async move { Ok(this.hand_over(job.delivery_id).await?) }
    });
    let this = alerting.clone();
    registry.register::<Heartbeat, _, _>(move |context, _| {
        let this = this.clone();
        async move { this.heartbeat(&context).await }
    });
    let this = alerting.clone();
    registry.register::<Compare, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            // An unreachable Alertmanager has its own alerts and check: it should not fill the dead letters.
            match this.compare().await {
                Ok(0) => {}
                Ok(ended) => tracing::info!(ended, "alerts ended that Alertmanager no longer holds"),
                Err(error) => {
                    tracing::warn!(error = platform::error::chain(&error), "cannot compare with Alertmanager");
                }
            }
            Ok(())
        }
    });
    let this = alerting.clone();
    registry.register::<Maintain, _, _>(move |_, _| {
        let this = this.clone();
        async move {
            let (ended, removed) = this.maintain().await?;
            if ended > 0 || removed > 0 {
                tracing::info!(ended, removed, "ended stale alerts and removed old ones");
            }
            Ok(())
        }
    });
    if alerting.inner.alertmanager.is_on() {
        registry.schedule(Compare::KIND, Cron::parse("*/5 * * * *", "UTC")?, CatchUp::Skip, &Compare {})?;
    }
    registry.schedule(Maintain::KIND, Cron::parse("23 * * * *", "UTC")?, CatchUp::One, &Maintain {})
}
