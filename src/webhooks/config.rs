//! `[webhooks]`

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::platform::config::ConfigErrors;

/// Webhooks: how long they are tried and kept, and which private networks they may reach.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What could not be delivered for this long is given up, hours.
    pub give_up_hours: u32,
    /// An endpoint at which every attempt failed for this long is disabled, hours.
    pub disable_after_hours: u32,
    /// Deliveries with their bodies are kept for this long, days (whole weeks are dropped).
    pub retention_days: i32,
    /// Networks inside that endpoints of organisations may reach as well, such as `10.20.0.0/16`; otherwise only the public internet.
    pub private_networks: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self { give_up_hours: 72, disable_after_hours: 120, retention_days: 30, private_networks: Vec::new() }
    }
}

impl Config {
    /// Reports values that cannot work.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("give_up_hours", self.give_up_hours, 1, 24 * 30);
        errors.range("disable_after_hours", self.disable_after_hours, 1, 24 * 90);
        errors.range("retention_days", self.retention_days, 2, 3650);
        for network in self.private_networks.iter().filter(|network| network.parse::<IpNet>().is_err()) {
            errors.push("private_networks", format!("{network:?} is not a network such as 10.20.0.0/16"));
        }
    }

    /// `private_networks`, read; what validation reported is left out.
    pub fn networks(&self) -> Vec<IpNet> {
        self.private_networks.iter().filter_map(|network| network.parse().ok()).collect()
    }
}
