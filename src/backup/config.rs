//! `[backup]`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::{destination::Patience, seal::Recipients};
use crate::{jobs::Cron, platform::config::ConfigErrors, storage};

/// Backups: when, for whom, where to, and how they are proven.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Public keys (`age1...`) that backups are sealed for; empty: the newest key in `key_file`. Without either no backup is made.
    pub recipients: Vec<String>,
    /// Whether the files of the embedding model travel with a backup: a restore needs no internet then.
    pub embedding_model: bool,
    /// When a backup is made, as cron; "off": only when somebody asks for one.
    pub schedule: String,
    /// Whether a backup is made before a new version changes the database; without one it is not changed.
    pub before_migration: bool,
    /// When the newest backup is restored on trial, as cron; "off": only when somebody asks for it.
    pub drill_schedule: String,
    /// When an old backup is restored on trial and every copy is read again, as cron; "off": only when somebody asks for it.
    pub old_drill_schedule: String,
    /// Time zone of the schedules.
    pub time_zone: String,
    /// File with the secret key, for drills; it must not lie in the data directory.
    pub key_file: Option<PathBuf>,
    /// Newest backups of so many days that are kept.
    pub keep_daily: usize,
    /// Newest backups of so many weeks that are kept.
    pub keep_weekly: usize,
    /// Newest backups of so many months that are kept.
    pub keep_monthly: usize,
    /// Newest backups of so many years that are kept.
    pub keep_yearly: usize,
    /// Older backups are removed where a destination holds more, bytes; 0: no limit.
    pub max_total_bytes: u64,
    /// Time that a destination has for an answer, seconds; for a file in addition to `min_bytes_per_second`.
    pub timeout_seconds: u64,
    /// Slowest destination that is waited for, bytes a second.
    pub min_bytes_per_second: u64,
    /// Folder of `pg_dump` and `pg_restore`; empty looks in the usual places.
    pub tools_dir: Option<PathBuf>,
    /// Folder for what is being made, for lists of files and for drills; empty: `backup` in the data directory. Of this host alone.
    pub work_dir: Option<PathBuf>,
    /// Where backups go, by name: `[backup.destinations.nas]`. Each is a whole copy.
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
    /// Where files wait on their way.
    pub fn work_dir(&self, data_dir: &Path) -> PathBuf {
        self.work_dir.clone().unwrap_or_else(|| data_dir.join("backup"))
    }

    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        // In Docker one is named by a line of compose/.env, and has no address where that line is not there.
        self.destinations.retain(|_, destination| !destination.is_unset());
        if let Err(error) = Recipients::parse(&self.recipients) {
            errors.push("recipients", error.to_string());
        }
        // Once, and not with each of the schedules.
        let zone = if Cron::is_zone(&self.time_zone) { &self.time_zone } else { "UTC" };
        if zone != self.time_zone {
            let text = "is no time zone: write one such as Europe/Moscow, or Etc/GMT-3 for three hours ahead of UTC";
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

    /// Longest time between two runs of a schedule, looking a year ahead from `now`; `None` where nothing is scheduled.
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

    /// How far apart backups are at most; a day where something else than the schedule asks for them: that it stopped asking must be told, too.
    pub fn interval(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.is_on().then(|| self.longest_gap(&self.schedule, now).unwrap_or(TimeDelta::days(1)))
    }

    /// Whether backups are made by themselves.
    pub fn is_scheduled(&self) -> bool {
        Cron::parse_or_off(&self.schedule, &self.time_zone).is_ok_and(|cron| cron.is_some())
    }

    /// How far apart drills are at most; `None` without a key at hand.
    pub fn drill_interval(&self, now: DateTime<Utc>) -> Option<TimeDelta> {
        self.longest_gap(&self.drill_schedule, now).filter(|_| self.is_on() && self.key_file.is_some())
    }

    /// How long destinations are waited for.
    pub fn patience(&self) -> Patience {
        Patience { answer: Duration::from_secs(self.timeout_seconds), bytes_per_second: self.min_bytes_per_second }
    }

    /// Whether backups are made at all.
    pub fn is_on(&self) -> bool {
        !self.recipients.is_empty() || self.key_file.is_some()
    }
}
