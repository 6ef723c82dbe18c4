//! `[webhooks]`

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Webhooks: retries, retention, and private networks that they may reach.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Messages are given up after this long, hours.
    pub give_up_hours: u32,
    /// An endpoint is disabled after every attempt failed for this long, hours.
    pub disable_after_hours: u32,
    /// Retention of deliveries with their bodies, days (whole weeks are dropped).
    pub retention_days: i32,
    /// Private networks that endpoints of organisations may also reach, such as `10.20.0.0/16`; otherwise only the public internet.
    pub private_networks: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { give_up_hours: 72, disable_after_hours: 120, retention_days: 30, private_networks: Vec::new() }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("give_up_hours", self.give_up_hours, 1, 24 * 30);
        errors.range("disable_after_hours", self.disable_after_hours, 1, 24 * 90);
        errors.range("retention_days", self.retention_days, 2, 3650);
        for network in self.private_networks.iter().filter(|network| network.parse::<IpNet>().is_err()) {
            errors.push("private_networks", format!("{network:?} is not a network such as 10.20.0.0/16"));
        }
    }

    /// `private_networks`, parsed; invalid ones are left out, because validation reports them.
    pub fn networks(&self) -> Vec<IpNet> {
        self.private_networks.iter().filter_map(|network| network.parse().ok()).collect()
    }
}
