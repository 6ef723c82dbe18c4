//! `[uptime]`

use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// The name of the file of monitors beside `holdfast.toml`.
const BESIDE: &str = "uptime.toml";

/// Monitors: the file that describes them, what they may reach, how many checks run at once, how long their history is kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// File that describes monitors, windows, components, channels and status pages. Not set: `uptime.toml` in the folder of this file, if there is
    /// one.
    pub monitors_file: Option<PathBuf>,
    /// Private networks that monitors may also reach, such as `10.20.0.0/16`; otherwise only the public internet. For monitors of the installation,
    /// too.
    pub private_networks: Vec<String>,
    /// Whether monitors of organisations may reach these networks, too, or only those of the installation.
    pub private_networks_for_organisations: bool,
    /// Checks at once.
    pub in_flight: usize,
    /// Checks that are kept in memory while the database is away, MiB: 64 are 80 minutes of 10 000 monitors.
    pub memory_mb: u64,
    /// Shortest interval that organisations may ask for, seconds.
    pub shortest_interval_seconds: i32,
    /// Monitors of an organisation.
    pub most_monitors: i64,
    /// Retention of single checks, days.
    pub keep_checks_days: i32,
    /// Retention of minutes, days: a year of 10 000 monitors needs 16 GB.
    pub keep_minutes_days: i32,
    /// Retention of hours and days and of outages, days.
    pub keep_days: i32,
    /// How long a monitor that was taken out of the file is kept with its history, days.
    pub keep_removed_days: i32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            monitors_file: None,
            private_networks: Vec::new(),
            private_networks_for_organisations: true,
            in_flight: 1500,
            memory_mb: 64,
            shortest_interval_seconds: 10,
            most_monitors: 500,
            keep_checks_days: 7,
            keep_minutes_days: 400,
            keep_days: 3650,
            keep_removed_days: 30,
        }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        if let Some(file) = &self.monitors_file
            && let Err(error) = std::fs::metadata(file)
        {
            errors.push("monitors_file", format!("{} cannot be read: {error}", file.display()));
        }
        for network in self.private_networks.iter().filter(|network| network.parse::<IpNet>().is_err()) {
            errors.push("private_networks", format!("{network:?} is not a network such as 10.20.0.0/16"));
        }
        errors.range("in_flight", self.in_flight, 10, 20_000);
        errors.range("memory_mb", self.memory_mb, 1, 4096);
        errors.range("shortest_interval_seconds", self.shortest_interval_seconds, 10, 86_400);
        errors.range("most_monitors", self.most_monitors, 1, 100_000);
        errors.range("keep_checks_days", self.keep_checks_days, 1, 90);
        errors.range("keep_minutes_days", self.keep_minutes_days, 2, 3650);
        errors.range("keep_days", self.keep_days, 31, 3650);
        errors.range("keep_removed_days", self.keep_removed_days, 1, 3650);
    }

    /// `private_networks`, parsed; invalid ones are left out, because validation reports them.
    pub fn networks(&self) -> Vec<IpNet> {
        self.private_networks.iter().filter_map(|network| network.parse().ok()).collect()
    }

    /// The file of monitors: the one that is set, or the one beside `settings`, the file that the configuration was read from. It need not be there yet.
    /// `None`: there is no place for one.
    pub fn monitors_file(&self, settings: Option<&Path>) -> Option<PathBuf> {
        let beside = || Some(settings?.parent()?.join(BESIDE));
        self.monitors_file.clone().or_else(beside)
    }
}
