//! Retention and partitions, figures, and the monitors of the appliance itself.

use std::time::Duration;

use super::{NewMonitor, Uptime};
use crate::{
    UptimeError,
    metrics::Figures,
    model::{ManagedBy, Owner},
    settings::Settings,
    spec::{InternalSpec, MonitorSpec},
    store::{file, monitors, upkeep},
};
use console::Lang;
use jobs::{By, Loops};

const FIGURES_EVERY: Duration = Duration::from_secs(30);
/// The built-in monitors: made at the first start, and again if one is missing.
const BUILT_IN_EVERY: Duration = Duration::from_mins(1);
/// How often a part of the appliance is asked, seconds.
const BUILT_IN_INTERVAL: i32 = 30;
/// Who made them.
const BY: &str = "holdfast";

impl Uptime {
    /// Starts what runs beside the listeners.
    pub(crate) fn start_loops(&self, loops: &Loops) {
        let this = self.clone();
        loops.every("uptime.built_in", BUILT_IN_EVERY, By::Leader, move || {
            let this = this.clone();
            async move { Ok(this.make_built_in().await?) }
        });
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let this = this.clone();
            async move { Ok(this.refresh_figures().await?) }
        };
        loops.figures("uptime.figures", FIGURES_EVERY, read, move || forget.forget_figures());
        self.watch_file(loops);
    }

    /// Makes the partitions of the coming days and drops those past retention. Returns how many were created and dropped.
    pub(crate) async fn maintain(&self) -> Result<(i32, i32), UptimeError> {
        let config = &self.inner.config;
        let mut tx = self.system().await?;
        let done = upkeep::maintain(&mut tx, config.keep_checks_days, config.keep_minutes_days).await?;
        tx.commit().await?;
        Ok(done)
    }

    /// Makes a monitor for each part of the appliance that has none. Whatever people changed of them stays.
    async fn make_built_in(&self) -> Result<(), UptimeError> {
        let owner = Owner::Installation;
        let mut tx = self.system().await?;
        let mut made = Vec::new();
        let (needy, others): (Vec<_>, Vec<_>) =
            self.inner.self_checks.iter().partition(|check| check.parent().is_some());
        for check in others.into_iter().chain(needy) {
            let key = check.key();
            if monitors::find(&mut tx, None, key).await?.is_some() {
                continue;
            }
            let spec = MonitorSpec::Internal(InternalSpec { check: key.to_owned() });
            let parent_id = match check.parent() {
                Some(parent) => monitors::find(&mut tx, None, parent).await?,
                None => None,
            };
            let settings = Settings {
                parent_id,
                interval_seconds: BUILT_IN_INTERVAL,
                timeout_ms: 5000,
                retries: 2,
                ..Settings::new(check.name(Lang::En), spec)
            };
            let new = NewMonitor { key: Some(key.to_owned()), ..NewMonitor::new(settings) };
            self.insert_monitor(&mut tx, owner, new, Some(ManagedBy::Builtin), BY).await?;
            made.push(key);
        }
        tx.commit().await?;
        if !made.is_empty() {
            tracing::info!(monitors = made.join(", "), "monitors of the appliance itself made");
        }
        Ok(())
    }

    async fn refresh_figures(&self) -> Result<(), UptimeError> {
        let mut tx = self.system().await?;
        let file = file::get(&mut tx).await?.filter(|_| self.monitors_file().is_some());
        drop(tx);
        let file_applied = file.map(|file| file.is_applied());
        self.inner.metrics.set(&Figures { file_applied, rollup_waiting: self.waiting_hours().await? });
        Ok(())
    }
}
