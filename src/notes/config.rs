//! `[notes]`

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Notes: how long they are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Retention of notes, days.
    pub retention_days: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { retention_days: 400 }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("retention_days", self.retention_days, 1, 36_500);
    }
}
