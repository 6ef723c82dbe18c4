//! `[notices]`

use serde::{Deserialize, Serialize};

use console::Lang;
use jobs::Cron;
use mail::Address;
use platform::config::ConfigErrors;

/// Notices by mail: whether, to whom and when.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Whether events become mail at all. While no mail server is configured, only welcomes do.
    pub enabled: bool,
    /// Who is told about the installation: alerts, backups, the weekly report. Empty: its operators.
    pub to: Vec<String>,
    /// Language of notices to those whose own is not known: `en` or `ru`.
    pub language: String,
    /// When alerts that are not critical are mailed together (cron); "off": not at all.
    pub digest_schedule: String,
    /// When the weekly report is mailed (cron); "off": not at all.
    pub report_schedule: String,
    /// Time zone of the schedules, and of the times in notices.
    pub time_zone: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            enabled: true,
            to: Vec::new(),
            language: "en".into(),
            digest_schedule: "0 * * * *".into(),
            report_schedule: "0 7 * * 1".into(),
            time_zone: "UTC".into(),
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        for to in &self.to {
            if let Err(error) = Address::parse(to) {
                errors.push("to", format!("{to:?}: {error}"));
            }
        }
        if Lang::from_code(&self.language).is_none() {
            errors.push("language", format!("{:?} is neither en nor ru", self.language));
        }
        // Reported once instead of for every schedule.
        let zone = if Cron::is_zone(&self.time_zone) { &self.time_zone } else { "UTC" };
        if zone != self.time_zone {
            let text = "is not a time zone: use one such as Europe/Moscow, or Etc/GMT-3 for three hours ahead of UTC";
            errors.push("time_zone", format!("{:?} {text}", self.time_zone));
        }
        for (setting, pattern) in
            [("digest_schedule", &self.digest_schedule), ("report_schedule", &self.report_schedule)]
        {
            if let Err(error) = Cron::parse_or_off(pattern, zone) {
                errors.push(setting, error.to_string());
            }
        }
    }

    pub(super) fn lang(&self) -> Lang {
        Lang::from_code(&self.language).unwrap_or(Lang::En)
    }

    /// Whether alerts that are not critical are mailed.
    pub(super) fn has_digest(&self) -> bool {
        Cron::parse_or_off(&self.digest_schedule, &self.time_zone).is_ok_and(|cron| cron.is_some())
    }
}
