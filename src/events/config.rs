//! `[events]`

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Events between rooms.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Events are kept for this long, days (whole weeks are dropped).
    pub retention_days: i32,
}

impl Default for Config {
    fn default() -> Self {
        Self { retention_days: 14 }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("retention_days", self.retention_days, 2, 3650);
    }
}
