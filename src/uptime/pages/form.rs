//! The form of a monitor: from texts to settings and back.

use serde::Deserialize;

use super::fields::{Fields, PASSWORD, number};
use crate::{Kind, MonitorDetail, Settings, spec::MonitorSpec};
use platform::error::{ApiError, FieldError};

/// The form of a monitor, as texts.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct MonitorForm {
    pub kind: String,
    pub name: String,
    pub description: String,
    /// Separated by commas.
    pub tags: String,
    pub group_id: String,
    pub parent_id: String,
    /// Seconds.
    pub interval: String,
    pub timeout: String,
    pub retries: String,
    pub successes: String,
    pub slow: String,
    pub certificate_days: String,
    /// Percent.
    pub target: String,
    pub badge: String,
    /// Of the password field; empty: the one that it has.
    pub password: String,
    pub installation: String,
    #[serde(flatten)]
    pub fields: Fields,
}

impl MonitorForm {
    pub fn new(kind: Kind) -> Self {
        let spec = MonitorSpec::Heartbeat(crate::spec::HeartbeatSpec::default());
        let defaults = Settings::new("", spec);
        let interval = if kind == Kind::Domain { "86400" } else { "60" };
        Self {
            kind: kind.as_str().to_owned(),
            interval: interval.to_owned(),
            timeout: (defaults.timeout_ms / 1000).to_string(),
            retries: if kind == Kind::Heartbeat { "0" } else { "2" }.to_owned(),
            successes: defaults.successes.to_string(),
            certificate_days: defaults.certificate_days.to_string(),
            fields: Fields::new(kind),
            ..Self::default()
        }
    }

    pub fn of(detail: &MonitorDetail) -> Self {
        let monitor = &detail.monitor;
        let seconds = |ms: i32| trimmed(f64::from(ms) / 1000.0);
        let has_password = detail.secrets.iter().any(|name| name == PASSWORD);
        Self {
            kind: monitor.kind.as_str().to_owned(),
            name: monitor.name.clone(),
            description: monitor.description.clone(),
            tags: monitor.tags.join(", "),
            group_id: monitor.group_id.map_or_else(String::new, |id| id.to_string()),
            parent_id: monitor.parent_id.map_or_else(String::new, |id| id.to_string()),
            interval: monitor.interval_seconds.to_string(),
            timeout: seconds(detail.timeout_ms),
            retries: detail.retries.to_string(),
            successes: detail.successes.to_string(),
            slow: detail.slow_ms.map_or_else(String::new, seconds),
            certificate_days: detail.certificate_days.to_string(),
            target: detail.target.map_or_else(String::new, |target| trimmed(target * 100.0)),
            badge: if detail.badge { "on".to_owned() } else { String::new() },
            fields: Fields::of(&detail.spec, has_password),
            ..Self::default()
        }
    }

    pub fn kind(&self) -> Kind {
        self.kind.parse().unwrap_or(Kind::Http)
    }

    pub fn is_of_installation(&self) -> bool {
        !self.installation.is_empty()
    }

    /// What it says, over `before`. `has_password`: the monitor has one already.
    pub fn settings(&self, before: Option<Settings>, has_password: bool) -> Result<Settings, ApiError> {
        let mut errors: Vec<FieldError> = Vec::new();
        let mut kept = |result: Result<i32, Vec<FieldError>>| {
            result.unwrap_or_else(|mut error| {
                errors.append(&mut error);
                0
            })
        };
        let interval_seconds = kept(number("/interval_seconds", &self.interval));
        let timeout_ms = kept(millis("/timeout_ms", &self.timeout));
        let slow = Some(self.slow.trim()).filter(|slow| !slow.is_empty());
        let slow_ms = slow.map(|slow| kept(millis("/slow_ms", slow)));
        let retries = kept(number("/retries", &self.retries));
        let successes = kept(number("/successes", &self.successes));
        let certificate_days = kept(number("/certificate_days", &self.certificate_days));
        let target = match self.target.trim().trim_end_matches('%').trim() {
            "" => None,
            text => match text.replace(',', ".").parse::<f64>() {
                // As it is written: 99.9 is 0.999 and no digit more.
                Ok(percent) => Some((percent * 1e4).round() / 1e6),
                Err(_) => {
                    errors.push(FieldError::new("/target", "invalid", "a percentage such as 99.9"));
                    None
                }
            },
        };
        let has_password = has_password || !self.password.is_empty();
        let spec = self.fields.spec(self.kind(), has_password).unwrap_or_else(|mut error| {
            errors.append(&mut error);
            MonitorSpec::Heartbeat(crate::spec::HeartbeatSpec::default())
        });
        if !errors.is_empty() {
            return Err(ApiError::validation(errors));
        }
        let small = |number: i32| i16::try_from(number).unwrap_or(i16::MAX);
        let before = before.unwrap_or_else(|| Settings::new("", spec.clone()));
        Ok(Settings {
            name: self.name.clone(),
            description: self.description.clone(),
            spec,
            group_id: self.group_id.parse().ok(),
            parent_id: self.parent_id.parse().ok(),
            tags: self.tags.split(',').map(str::to_owned).collect(),
            interval_seconds,
            timeout_ms,
            retries: small(retries),
            successes: small(successes),
            slow_ms,
            certificate_days: small(certificate_days),
            target,
            badge: !self.badge.is_empty(),
            ..before
        })
    }
}

/// Seconds, with a point or a comma, as milliseconds.
fn millis(pointer: &str, text: &str) -> Result<i32, Vec<FieldError>> {
    let seconds: f64 = number(pointer, &text.replace(',', "."))?;
    number(pointer, &format!("{:.0}", seconds * 1000.0))
}

/// Without digits that say nothing.
fn trimmed(number: f64) -> String {
    let text = format!("{number:.4}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_says_the_settings_that_made_it() {
        let form = MonitorForm {
            name: "Shop".into(),
            target: "99,9 %".into(),
            slow: "0.8".into(),
            tags: "a, b".into(),
            fields: Fields { url: "https://shop.example/".into(), ..Fields::new(Kind::Http) },
            ..MonitorForm::new(Kind::Http)
        };
        let settings = form.settings(None, false).unwrap().tidied();
        assert_eq!((settings.slow_ms, settings.timeout_ms, settings.interval_seconds), (Some(800), 10_000, 60));
        assert!((settings.target.unwrap() - 0.999).abs() < 1e-9);
        assert_eq!(settings.tags, ["a", "b"]);
    }

    #[test]
    fn what_is_no_number_is_told_at_its_field() {
        let form = MonitorForm { retries: "many".into(), timeout: "soon".into(), ..MonitorForm::new(Kind::Tcp) };
        let error = form.settings(None, false).unwrap_err();
        let pointers: Vec<&str> = error.errors.iter().map(|field| field.pointer.as_str()).collect();
        assert_eq!(pointers, ["/timeout_ms", "/retries", "/spec/port"]);
    }
}
