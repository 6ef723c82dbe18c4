//! `[incidents]`

use serde::{Deserialize, Serialize};

use platform::config::ConfigErrors;

/// Incidents: what alerts become, when they are over, how long messages about them are kept.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What an alert from Alertmanager becomes: `draft`, an incident that only insiders see until it is published, or `off`.
    pub alerts: Alerts,
    /// An incident is resolved when its causes have been over for this long, seconds.
    pub settle_seconds: u32,
    /// Retention of the log of messages, days (whole weeks are dropped).
    pub keep_told_days: i32,
    /// Retention of incidents and maintenances that are over, days.
    pub keep_days: i32,
    /// Address of Telegram's Bot API; another for a server of one's own.
    pub telegram_url: String,
}

/// What an alert becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Alerts {
    /// An incident that only insiders see until it is published.
    #[default]
    Draft,
    Off,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            alerts: Alerts::Draft,
            settle_seconds: 120,
            keep_told_days: 90,
            keep_days: 1825,
            telegram_url: "https://api.telegram.org".into(),
        }
    }
}

impl Config {
    /// Validates the settings.
    pub fn validate(&self, errors: &mut ConfigErrors) {
        errors.range("settle_seconds", self.settle_seconds, 0, 3600);
        errors.range("keep_told_days", self.keep_told_days, 7, 3650);
        errors.range("keep_days", self.keep_days, 91, 36_500);
        let url = self.telegram_url.parse::<reqwest::Url>();
        if !url.is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
            errors.push("telegram_url", "expected an address such as https://api.telegram.org");
        }
    }
}
