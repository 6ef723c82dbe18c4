//! `[backup]`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{destination::Timeouts, seal::Recipients};
use jobs::Cron;
use platform::config::ConfigErrors;

/// Backups: schedule, recipients, destinations and drills.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Public keys (`age1...`) to encrypt backups for; empty: the newest key in `key_file`. Without either, no backups are made.
    pub recipients: Vec<String>,
    /// Whether backups include the embedding model's files, so that a restore needs no internet access.
    pub embedding_model: bool,
    /// Schedule of backups (cron); "off": on request only.
    pub schedule: String,
    /// Whether to back up before a new version migrates the database; if that backup fails, the database is not migrated.
    pub before_migration: bool,
    /// Schedule of restoring the newest backup on trial (cron); "off": on request only.
    pub drill_schedule: String,
    /// Schedule of restoring an older backup on trial and re-reading every copy (cron); "off": on request only.
    pub old_drill_schedule: String,
    /// Time zone of the schedules.
    pub time_zone: String,
    /// File with the secret key, for drills; must be outside the data directory.
    pub key_file: Option<PathBuf>,
    /// Days of which the newest backup is kept.
    pub keep_daily: usize,
    /// Weeks of which the newest backup is kept.
    pub keep_weekly: usize,
    /// Months of which the newest backup is kept.
    pub keep_monthly: usize,
    /// Years of which the newest backup is kept.
    pub keep_yearly: usize,
    /// Older backups are removed when a destination holds more than this, bytes; 0: no limit.
    pub max_total_bytes: u64,
    /// Timeout of a destination's response, seconds; for a file in addition to `min_bytes_per_second`.
    pub timeout_seconds: u64,
    /// Minimum transfer rate of a destination, bytes per second.
    pub min_bytes_per_second: u64,
    /// Folder of `pg_dump` and `pg_restore`; empty: look in the usual places.
    pub tools_dir: Option<PathBuf>,
    /// Folder for work in progress, file lists and drills; empty: `backup` in the data directory. Not shared between hosts.
    pub work_dir: Option<PathBuf>,
    /// Destinations by name: `[backup.destinations.nas]`. Each holds a full copy.
    pub destinations: BTreeMap<String, storage::Config>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            recipients: Vec::new(),
            embedding_model: true,
            schedule: "30 2 * * *".into(),
            before_migration: true,
            drill_schedule: "30 4 * * *".into(),
            old_drill_schedule: "30 5 * * 0".into(),
            time_zone: "UTC".into(),
            key_file: None,
            keep_daily: 7,
            keep_weekly: 4,
            keep_monthly: 12,
            keep_yearly: 0,
            max_total_bytes: 0,
            timeout_seconds: 60,
            min_bytes_per_second: 100_000,
            tools_dir: None,
            work_dir: None,
            destinations: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The work folder.
    pub fn work_dir(&self, data_dir: &Path) -> PathBuf {
        self.work_dir.clone().unwrap_or_else(|| data_dir.join("backup"))
    }

    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        // The compose file declares one whose URL is empty unless a line of compose/.env sets it.
        self.destinations.retain(|_, destination| !destination.is_unset());
        if let Err(error) = Recipients::parse(&self.recipients) {
            errors.push("recipients", error.to_string());
        }
        // Reported once instead of for every schedule.
        let zone = if Cron::is_zone(&self.time_zone) { &self.time_zone } else { "UTC" };
        if zone != self.time_zone {
            let text = "is not a time zone: use one such as Europe/Moscow, or Etc/GMT-3 for three hours ahead of UTC";
            errors.push("time_zone", format!("{:?} {text}", self.time_zone));
        }
        for (setting, pattern) in [
            ("schedule", &self.schedule),
            ("drill_schedule", &self.drill_schedule),
            ("old_drill_schedule", &self.old_drill_schedule),
        ] {
            if let Err(error) = Cron::parse_or_off(pattern, zone) {
                errors.push(setting, error.to_string());
            }
        }
        errors.range("keep_daily", self.keep_daily, 1, 1000);
        errors.range("keep_weekly", self.keep_weekly, 0, 1000);
        errors.range("keep_monthly", self.keep_monthly, 0, 1000);
        errors.range("keep_yearly", self.keep_yearly, 0, 1000);
        errors.range("timeout_seconds", self.timeout_seconds, 1, 3600);
        errors.range("min_bytes_per_second", self.min_bytes_per_second, 1000, 1 << 40);
        if self.is_on() && self.destinations.is_empty() {
            errors
                .push("destinations", "name at least one: [backup.destinations.nas] with url = \"/mnt/nas/holdfast\"");
        }
        for (name, destination) in &mut self.destinations {
            let named =
                !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
            errors.enter(&format!("backup.destinations.{name}"));
            if !named || name.len() > 40 {
                errors.push("", "a name has 1 to 40 lower-case letters, digits and underscores");
            }
            let is_place = match destination.url.strip_prefix("s3://") {
                Some(bucket) => !bucket.is_empty() && !bucket.starts_with('/'),
                None => Path::new(&destination.url).is_absolute(),
            };
            if !is_place {
                errors.push("url", "must be s3://bucket/prefix or the absolute path of a folder");
            }
            destination.validate_account(errors);
        }
        errors.enter("backup");
    }

    /// Longest time between two runs of a schedule within a year from `now`; `None` if nothing is scheduled.
    fn longest_gap(&self, schedule: &str, now: DateTime<Utc>) -> Option<TimeDelta> {
        let cron = Cron::parse_or_off(schedule, &self.time_zone).ok()??;
        let (mut at, mut longest) = (cron.next(now).ok()?, None);
        for _ in 0..400 {
            let next = cron.next(at).ok()?;
            longest = longest.max(Some(next - at));
            if next - now > TimeDelta::days(366) {
                break;
            }
            at = next;
        }
        longest
    }

    /// Longest time between two backups; a day if the schedule is off, because whatever makes them then may also stop.
    pub fn interval(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.is_on().then(|| self.longest_gap(&self.schedule, now).unwrap_or(TimeDelta::days(1)))
    }

    /// Whether the schedule makes backups.
    pub fn is_scheduled(&self) -> bool {
        Cron::parse_or_off(&self.schedule, &self.time_zone).is_ok_and(|cron| cron.is_some())
    }

    /// Longest time between two drills; `None` without a key file.
    pub fn drill_interval(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.longest_gap(&self.drill_schedule, now).filter(|_| self.is_on() && self.key_file.is_some())
    }

    /// Timeouts of the destinations.
    pub fn timeouts(&self) -> Timeouts {
        Timeouts { answer: Duration::from_secs(self.timeout_seconds), bytes_per_second: self.min_bytes_per_second }
    }

    /// Whether backups are enabled.
    pub fn is_on(&self) -> bool {
        !self.recipients.is_empty() || self.key_file.is_some()
    }
}
