//! Periodic work: comparing with Alertmanager, retention, gauges.

use std::{collections::HashMap, time::Duration};

use chrono::TimeDelta;

use super::Alerting;
use crate::{
    AlertingError,
    model::{AlertId, Severity},
    store,
};
use jobs::Loops;

/// Prometheus usually asks as often.
const GAUGES_EVERY: Duration = Duration::from_secs(15);

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
        self.tell(&ended);
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

    /// Starts refreshing the gauges.
    pub fn start_loops(&self, loops: &Loops) {
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let alerting = this.clone();
            async move { Ok(alerting.refresh_gauges().await?) }
        };
        loops.figures("alerting.gauges", GAUGES_EVERY, read, move || forget.forget_figures());
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
