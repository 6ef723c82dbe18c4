//! Periodic work: comparing with Alertmanager, retention, gauges.

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;

use super::Alerting;
use crate::alerting::{
    AlertingError,
    model::{AlertId, Severity},
    store,
};

/// After its start Alertmanager knows nothing until Prometheus has notified it again, which takes a minute or two.
const WARM_UP: TimeDelta = TimeDelta::minutes(10);
/// Alerts notified more recently than this are not compared.
const SETTLED: TimeDelta = TimeDelta::minutes(2);

impl Alerting {
    /// Ends alerts that fire here but not in Alertmanager: it sends nothing when an alert ends while silenced or
    /// inhibited, so the alert would fire here for ever. Returns how many were ended.
    pub async fn compare(&self) -> Result<usize, AlertingError> {
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.system().await?;
        let ours = store::firing_fingerprints(&mut tx, now - SETTLED).await?;
        tx.commit().await?;
        if ours.is_empty() || now - self.inner.alertmanager.running_since().await? < WARM_UP {
            return Ok(0);
        }
        let theirs = self.inner.alertmanager.fingerprints().await?;
        let gone: Vec<AlertId> =
            ours.into_iter().filter(|(_, fingerprint)| !theirs.contains(fingerprint)).map(|(id, _)| id).collect();
        self.end(&gone).await
    }

    async fn end(&self, ids: &[AlertId]) -> Result<usize, AlertingError> {
        if ids.is_empty() {
            return Ok(0);
        }
        let mut tx = self.inner.db.system().await?;
        store::lock(&mut tx).await?;
        let ended = store::close(&mut tx, ids, self.inner.clock.now()).await?;
        self.pass_on(&mut tx, &ended).await?;
        tx.commit().await?;
        self.tell(&ended).await;
        Ok(ended.len())
    }

    /// Ends alerts that were not repeated for `stale_hours`, and removes those that ended `retention_days` ago. Returns
    /// how many of each.
    pub async fn maintain(&self) -> Result<(usize, u64), AlertingError> {
        let (config, now) = (&self.inner.config, self.inner.clock.now());
        let mut tx = self.inner.db.system().await?;
        let stale = store::unheard(&mut tx, now - TimeDelta::hours(config.stale_hours.into())).await?;
        let removed = store::maintain(&mut tx, now - TimeDelta::days(config.retention_days.into())).await?;
        tx.commit().await?;
        Ok((self.end(&stale).await?, removed))
    }

    /// Updates the gauges until shutdown.
    pub fn start_gauges(&self) {
        let (alerting, soft) = (self.clone(), self.inner.lifecycle.soft().clone());
        self.inner.lifecycle.spawn("alerting.gauges", async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(15));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = soft.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(error) = alerting.refresh_gauges().await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "alerting gauges could not be read");
                }
            }
        });
    }

    /// Sets the gauges from the tables.
    pub async fn refresh_gauges(&self) -> Result<(), AlertingError> {
        let mut tx = self.inner.db.system().await?;
        let counts: HashMap<Severity, i64> = store::firing_counts(&mut tx).await?.into_iter().collect();
        let watchdog = store::watchdog(&mut tx).await?;
        tx.commit().await?;
        self.inner.metrics.set(|severity| counts.get(&severity).copied().unwrap_or_default(), watchdog);
        Ok(())
    }
}
