//! Periodic work: creating deliveries from events, waking receivers whose job was lost, gauges, partitions.

use std::time::Duration;

use super::{Webhooks, fan_out::BATCH};
use crate::{
    WebhooksError,
    store::{deliveries, endpoints},
};
use jobs::{By, Loops};

/// Longest delay until an event becomes deliveries, while there is a leader.
const FAN_OUT_EVERY: Duration = Duration::from_secs(1);
const WAKE_EVERY: Duration = Duration::from_secs(30);
const GAUGES_EVERY: Duration = Duration::from_secs(15);

impl Webhooks {
    /// Starts the loops.
    pub fn start_loops(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("webhooks.fan_out", FAN_OUT_EVERY, By::Leader, move || {
            let this = this.clone();
            async move {
                while this.fan_out().await? == BATCH {}
                Ok(())
            }
        });
        let this = self.clone();
        loops.every("webhooks.wake", WAKE_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.wake_waiting().await?) }
        });
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_gauges().await?) }
        };
        loops.figures("webhooks.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
    }

    /// Enqueues a job for each receiver with a message that is due but has no job: an operator cancelled the job, or it became a dead letter.
    pub async fn wake_waiting(&self) -> Result<(), WebhooksError> {
        let mut tx = self.inner.db.system().await?;
        let waiting = deliveries::waiting(&mut tx).await?;
        tx.commit().await?;
        for (org, receiver) in waiting {
            // Each in its own transaction: with the jobs of several in one, this and fan-out could wait for each other.
            let mut tx = self.inner.db.system().await?;
            self.wake(&mut tx, org, &receiver).await?;
            tx.commit().await?;
        }
        Ok(())
    }

    /// Reads the tables into the gauges.
    pub async fn refresh_gauges(&self) -> Result<(), WebhooksError> {
        let mut tx = self.inner.db.system().await?;
        let counts = endpoints::counts(&mut tx).await?;
        let backlog = deliveries::backlog(&mut tx).await?;
        tx.commit().await?;
        self.inner.metrics.set(counts, backlog);
        Ok(())
    }

    /// Returns how many partitions were created and dropped.
    pub(crate) async fn maintain(&self) -> Result<(i32, i32), WebhooksError> {
        let config = &self.inner.config;
        // What is still tried is kept, however short the retention.
        let days = config.retention_days.max(i32::try_from(config.give_up_hours.div_ceil(24)).unwrap_or(i32::MAX));
        let mut tx = self.inner.db.system().await?;
        let done = deliveries::maintain(&mut tx, days).await?;
        tx.commit().await?;
        Ok(done)
    }
}
