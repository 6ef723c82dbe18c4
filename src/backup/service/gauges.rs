//! The figures that dashboards and alerts read.

use std::{sync::PoisonError, time::Duration};

use chrono::TimeDelta;

use super::{Backups, LOOK, drill::scratch_bytes};
use crate::{
    backup::{
        Backup, BackupError,
        metrics::DestinationLabels,
        model::{CopyStatus, Status},
        store,
    },
    platform::data_dir::free_bytes,
};

impl Backups {
    /// Keeps the gauges fresh until shutdown.
    pub fn start_gauges(&self) {
        let (backups, soft) = (self.clone(), self.inner.lifecycle.soft().clone());
        self.inner.lifecycle.spawn("backup.gauges", async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(30));
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                tokio::select! {
                    () = soft.cancelled() => return,
                    _ = ticks.tick() => {}
                }
                if let Err(error) = backups.refresh_gauges().await {
                    tracing::debug!(error = &error as &dyn std::error::Error, "gauges of backup could not be read");
                }
            }
        });
    }

    /// Reads the tables into the gauges.
    pub async fn refresh_gauges(&self) -> Result<(), BackupError> {
        let metrics = &self.inner.metrics;
        let (config, now) = (&self.inner.config, self.inner.clock.now());
        let seconds = |gap: Option<TimeDelta>| gap.map_or(0.0, |gap| gap.num_milliseconds() as f64 / 1e3);
        metrics.enabled.set(i64::from(config.is_on()));
        metrics.interval.set(seconds(config.interval(now)));
        metrics.drill_interval.set(seconds(config.drill_interval(now)));
        metrics.key_missing.set(i64::from(config.is_on() && self.key_problem().is_some()));
        metrics.drill_space_free.set(free_bytes(&self.work_dir()).map_or(0, signed));
        let mut tx = self.inner.db.system().await?;
        let backups = store::backups(&mut tx, None, 200).await?;
        let proven = store::last_proven(&mut tx).await?;
        let drills = store::drills(&mut tx, 200).await?;
        tx.commit().await?;
        metrics.recent(&backups, &drills, now);
        // One of a clock that was ahead would look fresh until the time that it bears.
        let mut whole = backups.iter().filter(|backup| backup.status == Status::Verified && !backup.is_ahead(now));
        if let Some(newest) = whole.next() {
            metrics.last_verified.set(newest.started_at.timestamp_millis() as f64 / 1e3);
            metrics.total_size.set(newest.total_bytes);
            let dump = u64::try_from(newest.database_bytes).unwrap_or_default();
            let participants = self.participant_bytes(newest).await;
            metrics.drill_space_needed.set(signed(scratch_bytes(dump, participants)));
        }
        let mut made = backups.iter().filter(|backup| backup.database_bytes > 0);
        metrics.database_size.set(made.next().map_or(0, |backup| backup.database_bytes));
        let mut earlier = made.filter(|backup| backup.status == Status::Verified);
        metrics.previous_database_size.set(earlier.next().map_or(0, |backup| backup.database_bytes));
        if let Some((at, seconds)) = proven {
            metrics.last_proven.set(at.timestamp_millis() as f64 / 1e3);
            metrics.restore_duration.set(seconds);
        }
        let ended = backups.iter().find(|backup| backup.status != Status::Running);
        for name in self.inner.config.destinations.keys() {
            let labels = DestinationLabels { destination: name.clone() };
            let has = |backup: &&Backup| {
                backup.copies.iter().any(|copy| copy.destination == *name && copy.status == CopyStatus::Verified)
            };
            let count = backups.iter().filter(has).count();
            metrics.destination_backups.get_or_create(&labels).set(i64::try_from(count).unwrap_or(i64::MAX));
            metrics.destination_failing.get_or_create(&labels).set(i64::from(ended.is_some_and(|b| !has(&b))));
        }
        Ok(())
    }
}

impl Backups {
    /// What takes part in a backup beside database and objects, bytes: read once from a manifest, which alone says it. The last that is known
    /// where no destination says it now.
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
