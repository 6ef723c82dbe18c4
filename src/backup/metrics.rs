//! `holdfast_backup_*`

use std::{sync::atomic::AtomicU64, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::{
    Verified,
    model::{Backup, Drill, DrillStatus, Status},
};
use platform::label_enum;

/// 1 s (an empty installation) to 6 h.
const BUCKETS: [f64; 10] = [1.0, 5.0, 15.0, 60.0, 180.0, 600.0, 1800.0, 3600.0, 10_800.0, 21_600.0];

label_enum! {
    /// Outcome of a run.
    pub enum RunOutcome { Verified = "verified", Unverified = "unverified", Failed = "failed" }
}

label_enum! {
    /// Outcome of a drill; `no_room` says nothing about the backup.
    pub enum DrillOutcome { Passed = "passed", Failed = "failed", NoRoom = "no_room" }
}

impl RunOutcome {
    fn of(status: Status) -> Self {
        match status {
            Status::Verified => Self::Verified,
            Status::Unverified => Self::Unverified,
            Status::Failed | Status::Running => Self::Failed,
        }
    }
}

impl DrillOutcome {
    fn of(status: DrillStatus) -> Self {
        match status {
            DrillStatus::Passed => Self::Passed,
            DrillStatus::NoRoom => Self::NoRoom,
            DrillStatus::Failed | DrillStatus::Running => Self::Failed,
        }
    }
}

label_enum! {
    /// Outcome of a check.
    pub enum Outcome { Passed = "passed", Failed = "failed" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabels {
    outcome: RunOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DrillLabels {
    outcome: DrillOutcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OutcomeLabels {
    outcome: Outcome,
}

/// Names from the configuration: few, and constant while the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct DestinationLabels {
    pub destination: String,
}

type Float = Gauge<f64, AtomicU64>;

#[derive(Clone, Debug)]
pub struct Metrics {
    run_duration: Histogram,
    checks: Family<OutcomeLabels, Counter>,
    pub last_verified: Float,
    pub last_proven: Float,
    pub restore_duration: Float,
    pub database_size: Float,
    pub previous_database_size: Float,
    pub total_size: Float,
    pub enabled: Gauge,
    pub interval: Float,
    pub drill_interval: Float,
    pub key_missing: Gauge,
    pub drill_space_needed: Float,
    pub drill_space_free: Gauge,
    pub destination_backups: Family<DestinationLabels, Float>,
    pub destination_failing: Family<DestinationLabels, Float>,
    recent_runs: Family<RunLabels, Float>,
    recent_drills: Family<DrillLabels, Float>,
}

/// How long a run or a drill counts as recent, for alerts about failures.
const RECENT_RUN: TimeDelta = TimeDelta::hours(6);
const RECENT_DRILL: TimeDelta = TimeDelta::days(1);

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            run_duration: Histogram::new(BUCKETS),
            checks: Family::default(),
            last_verified: Gauge::default(),
            last_proven: Gauge::default(),
            restore_duration: Gauge::default(),
            database_size: Gauge::default(),
            previous_database_size: Gauge::default(),
            total_size: Gauge::default(),
            enabled: Gauge::default(),
            interval: Gauge::default(),
            drill_interval: Gauge::default(),
            key_missing: Gauge::default(),
            drill_space_needed: Gauge::default(),
            drill_space_free: Gauge::default(),
            destination_backups: Family::default(),
            destination_failing: Family::default(),
            recent_runs: Family::default(),
            recent_drills: Family::default(),
        };
        for &outcome in RunOutcome::ALL {
            let _ = metrics.recent_runs.get_or_create(&RunLabels { outcome });
        }
        for &outcome in DrillOutcome::ALL {
            let _ = metrics.recent_drills.get_or_create(&DrillLabels { outcome });
        }
        for &outcome in Outcome::ALL {
            let _ = metrics.checks.get_or_create(&OutcomeLabels { outcome });
        }
        metrics.register_gauges(registry);
        let m = &metrics;
        registry.register(
            "recent_runs",
            "Backup runs that ended within six hours, by outcome, by any process or command",
            m.recent_runs.clone(),
        );
        registry.register(
            "recent_drills",
            "Restore drills that ended within a day, by outcome, by any process or command",
            m.recent_drills.clone(),
        );
        registry.register_with_unit("run_duration", "Duration of a backup run", Unit::Seconds, m.run_duration.clone());
        registry.register("verifications", "Copies read again byte for byte, by outcome", m.checks.clone());
        registry.register("destination_backups", "Complete backups at a destination", m.destination_backups.clone());
        registry.register(
            "destination_failing",
            "1 if the last backup has no complete copy at the destination",
            m.destination_failing.clone(),
        );
        metrics
    }

    fn register_gauges(&self, registry: &mut Registry) {
        let seconds = [
            (
                "interval",
                "Longest time between two scheduled backups; a day if something else requests them; 0 if none are made",
                &self.interval,
            ),
            ("drill_interval", "Longest time between two scheduled drills; 0 without a key file", &self.drill_interval),
            ("last_verified_timestamp", "Time of the newest complete backup, Unix time; 0: never", &self.last_verified),
            (
                "last_proven_timestamp",
                "Time of the last successful restore drill, Unix time; 0: never",
                &self.last_proven,
            ),
            ("restore_duration", "Duration of the last successful drill", &self.restore_duration),
        ];
        for (name, help, gauge) in seconds {
            registry.register_with_unit(name, help, Unit::Seconds, gauge.clone());
        }
        let bytes = [
            ("database_size", "Size of the newest backup's dump before compression", &self.database_size),
            (
                "previous_database_size",
                "Size of the previous complete backup's dump before compression",
                &self.previous_database_size,
            ),
            ("total_size", "Data that a restore of the newest backup reads", &self.total_size),
            (
                "drill_space_needed",
                "Space that a drill of the newest backup needs in the work folder",
                &self.drill_space_needed,
            ),
        ];
        for (name, help, gauge) in bytes {
            registry.register_with_unit(name, help, Unit::Bytes, gauge.clone());
        }
        let free = self.drill_space_free.clone();
        registry.register_with_unit("drill_space_free", "Free space in the work folder", Unit::Bytes, free);
        registry.register("enabled", "1 if backups are configured", self.enabled.clone());
        registry.register(
            "key_missing",
            "1 if backup.key_file cannot be read, does not decrypt new backups, or is for another installation",
            self.key_missing.clone(),
        );
    }

    /// Creates the series of a destination, at zero.
    pub fn create_destination(&self, destination: &str) {
        let labels = DestinationLabels { destination: destination.to_owned() };
        let _ = (self.destination_backups.get_or_create(&labels), self.destination_failing.get_or_create(&labels));
    }

    /// Makes the gauges of whole tables unknown: another process exports them, or they were not read yet.
    pub fn forget_figures(&self, destinations: &[String]) {
        let told = [&self.last_verified, &self.last_proven, &self.restore_duration, &self.drill_space_needed];
        let sizes = [&self.database_size, &self.previous_database_size, &self.total_size];
        told.into_iter().chain(sizes).for_each(|figure| {
            figure.set(f64::NAN);
        });
        for &outcome in RunOutcome::ALL {
            self.recent_runs.get_or_create(&RunLabels { outcome }).set(f64::NAN);
        }
        for &outcome in DrillOutcome::ALL {
            self.recent_drills.get_or_create(&DrillLabels { outcome }).set(f64::NAN);
        }
        for destination in destinations {
            let labels = DestinationLabels { destination: destination.clone() };
            self.destination_backups.get_or_create(&labels).set(f64::NAN);
            self.destination_failing.get_or_create(&labels).set(f64::NAN);
        }
    }

    /// Counts recent runs and drills from the tables, whoever made them: a command's own counters end with it.
    pub fn recent(&self, backups: &[Backup], drills: &[Drill], now: DateTime<Utc>) {
        let is_recent = |ended: Option<DateTime<Utc>>, span| ended.is_some_and(|ended| now - ended < span);
        for &outcome in RunOutcome::ALL {
            let ran = |b: &&Backup| is_recent(b.finished_at, RECENT_RUN) && RunOutcome::of(b.status) == outcome;
            self.recent_runs.get_or_create(&RunLabels { outcome }).set(backups.iter().filter(ran).count() as f64);
        }
        for &outcome in DrillOutcome::ALL {
            let tried = |d: &&Drill| is_recent(d.finished_at, RECENT_DRILL) && DrillOutcome::of(d.status) == outcome;
            self.recent_drills.get_or_create(&DrillLabels { outcome }).set(drills.iter().filter(tried).count() as f64);
        }
    }

    /// Records the end of a run.
    pub fn ran(&self, backup: &Backup, took: Duration) {
        let outcome = RunOutcome::of(backup.status);
        self.run_duration.observe(took.as_secs_f64());
        let (id, seconds) = (backup.id, took.as_secs_f64());
        let (bytes, added) = (backup.total_bytes, backup.added_bytes);
        match &backup.error {
            None => tracing::info!(backup_id = %id, seconds, bytes, added, "backup made and read back"),
            Some(error) if outcome == RunOutcome::Unverified => {
                tracing::error!(backup_id = %id, seconds, bytes, added, error, "backup made, but not verified");
            }
            Some(error) => tracing::error!(backup_id = %id, seconds, step = backup.step, error, "backup failed"),
        }
    }

    /// Records the end of a drill.
    pub fn drilled(&self, drill: &Drill) {
        let outcome = DrillOutcome::of(drill.status);
        let (id, backup, destination) = (drill.id, drill.backup_id, drill.destination.as_str());
        if outcome == DrillOutcome::NoRoom {
            tracing::warn!(drill_id = %id, backup_id = %backup, destination, error = drill.error, "not enough disk space for a restore drill");
        } else if outcome == DrillOutcome::Passed {
            tracing::info!(drill_id = %id, backup_id = %backup, destination, seconds = drill.seconds, rows = drill.report.rows, "restore proven");
        } else {
            tracing::error!(drill_id = %id, backup_id = %backup, destination, error = drill.error, "restore drill failed");
        }
    }

    /// Records that a copy was read again.
    pub fn verified(&self, verified: &Verified) {
        let outcome = if verified.problems.is_empty() { Outcome::Passed } else { Outcome::Failed };
        self.checks.get_or_create(&OutcomeLabels { outcome }).inc();
        let (id, destination) = (verified.backup_id, verified.destination.as_str());
        if outcome == Outcome::Passed {
            tracing::info!(backup_id = %id, destination, blobs = verified.blobs, opened = verified.opened, "copy verified");
        } else {
            tracing::error!(backup_id = %id, destination, problems = verified.problems.join("; "), "copy damaged");
        }
    }
}
