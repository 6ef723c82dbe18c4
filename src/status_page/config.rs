//! `[status_page]`

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Status pages: the appliance's own, and how often strangers may ask.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The appliance's own page at `/status/appliance`: `public`, `private` (for signed-in operators) or `off`.
    pub appliance: Appliance,
    /// Requests of an address for pages, feeds and badges in a minute.
    pub requests_per_minute: u32,
}

/// Who sees the appliance's own page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Appliance {
    /// Everybody. It shows names of parts, whether they work and since when; no version, host, address or error.
    #[default]
    Public,
    /// Operators who are signed in.
    Private,
    /// There is no such page.
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self { appliance: Appliance::Public, requests_per_minute: 6000 }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("requests_per_minute", self.requests_per_minute, 10, 1_000_000);
    }
}
