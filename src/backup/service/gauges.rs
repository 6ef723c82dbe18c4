//! Gauges for dashboards and alerts.

use std::{sync::PoisonError, time::Duration};

use chrono::TimeDelta;

use super::{Backups, LOOK, drill::scratch_bytes};
use crate::{
    Backup, BackupError,
    metrics::DestinationLabels,
    model::{CopyStatus, Status},
    store,
};
use jobs::{By, Loops};
use platform::{data_dir::free_bytes, http::Slice};

const GAUGES_EVERY: Duration = Duration::from_secs(30);

impl Backups {
    /// Starts refreshing the gauges.
    pub fn start_loops(&self, loops: &Loops) {
        let (this, forget) = (self.clone(), self.inner.metrics.clone());
        let read = move || {
            let backups = this.clone();
            async move { Ok(backups.refresh_gauges().await?) }
        };
        let destinations: Vec<String> = self.inner.config.destinations.keys().cloned().collect();
        loops.figures("backup.gauges", GAUGES_EVERY, read, move || forget.forget_figures(&destinations));
        let this = self.clone();
        loops.every("backup.settings", GAUGES_EVERY, By::EveryProcess, move || {
            this.refresh_settings();
            std::future::ready(Ok(()))
        });
    }

    /// Sets the gauges of this process: its configuration and its free space.
    pub fn refresh_settings(&self) {
        let (metrics, config, now) = (&self.inner.metrics, &self.inner.config, self.inner.clock.now());
        let seconds = |gap: Option<TimeDelta>| gap.map_or(0.0, |gap| gap.num_milliseconds() as f64 / 1e3);
        metrics.enabled.set(i64::from(config.is_on()));
        metrics.interval.set(seconds(config.interval(now)));
        metrics.drill_interval.set(seconds(config.drill_interval(now)));
        metrics.key_missing.set(i64::from(config.is_on() && self.key_problem().is_some()));
        metrics.drill_space_free.set(free_bytes(&self.work_dir()).map_or(0, signed));
    }

    /// Reads the tables into the gauges.
    pub async fn refresh_gauges(&self) -> Result<(), BackupError> {
        let (metrics, now) = (&self.inner.metrics, self.inner.clock.now());
        let mut tx = self.inner.db.system().await?;
        let backups = store::backups(&mut tx, &Slice::first(200)).await?;
        let proven = store::last_proven(&mut tx).await?;
        let drills = store::drills(&mut tx, 200).await?;
        tx.commit().await?;
        metrics.recent(&backups, &drills, now);
        // A backup dated in the future would look fresh until then.
        let mut whole = backups.iter().filter(|backup| backup.status == Status::Verified && !backup.is_ahead(now));
        let newest = whole.next();
        metrics.last_verified.set(newest.map_or(0.0, |newest| newest.started_at.timestamp_millis() as f64 / 1e3));
        metrics.total_size.set(newest.map_or(0.0, |newest| newest.total_bytes as f64));
        let needed = match newest {
            None => 0,
            Some(newest) => {
                let dump = u64::try_from(newest.database_bytes).unwrap_or_default();
                scratch_bytes(dump, self.participant_bytes(newest).await)
            }
        };
        metrics.drill_space_needed.set(needed as f64);
        let mut made = backups.iter().filter(|backup| backup.database_bytes > 0);
        metrics.database_size.set(made.next().map_or(0.0, |backup| backup.database_bytes as f64));
        let mut earlier = made.filter(|backup| backup.status == Status::Verified);
        metrics.previous_database_size.set(earlier.next().map_or(0.0, |backup| backup.database_bytes as f64));
        metrics.last_proven.set(proven.map_or(0.0, |(at, _)| at.timestamp_millis() as f64 / 1e3));
        metrics.restore_duration.set(proven.map_or(0.0, |(_, seconds)| seconds));
        let ended = backups.iter().find(|backup| backup.status != Status::Running);
        for name in self.inner.config.destinations.keys() {
            let labels = DestinationLabels { destination: name.clone() };
            let has = |backup: &&Backup| {
                backup.copies.iter().any(|copy| copy.destination == *name && copy.status == CopyStatus::Verified)
            };
            let count = backups.iter().filter(has).count();
            metrics.destination_backups.get_or_create(&labels).set(count as f64);
            metrics.destination_failing.get_or_create(&labels).set(if ended.is_some_and(|b| !has(&b)) {
                1.0
            } else {
                0.0
            });
        }
        Ok(())
    }
}

impl Backups {
    /// Bytes of the participants in a backup, read once from its manifest. The last known value if no destination can be read now.
    async fn participant_bytes(&self, backup: &Backup) -> u64 {
        let known = || *self.inner.participant_bytes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = known().filter(|(id, _)| *id == backup.id) {
            return bytes;
        }
        for name in self.inner.config.destinations.keys().filter(|name| backup.is_whole_at(name)) {
            let read = async { self.manifest(&self.open_destination(name).await?, backup.id).await };
            if let Ok(Ok(manifest)) = tokio::time::timeout(LOOK, read).await {
                let found = (backup.id, manifest.participant_bytes());
                *self.inner.participant_bytes.lock().unwrap_or_else(PoisonError::into_inner) = Some(found);
                return found.1;
            }
        }
        known().map_or(0, |(_, bytes)| bytes)
    }
}

fn signed(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
