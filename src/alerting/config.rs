//! `[alerting]`

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};

use super::model::Severity;
use platform::config::{ConfigErrors, secret};
use webhooks::{Configured, SigningKey};

/// Older alerts are of no use to people on call. The version before webhooks made ten attempts in this time.
const GIVE_UP_HOURS: u32 = 2;
/// Shorter tokens can be guessed.
const SHORTEST_TOKEN: usize = 16;

/// Alerts: who may send them, how long they are kept, where they are forwarded.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Alertmanager's token (`Authorization: Bearer`), at least 16 characters; without it no alerts are accepted.
    #[serde(serialize_with = "secret::masked")]
    pub token: Option<SecretString>,
    /// File that holds the token.
    pub token_file: Option<PathBuf>,
    /// Alertmanager's address, e.g. `http://alertmanager:9093`: for silences, and to find alerts that ended without a
    /// notification.
    #[serde(serialize_with = "secret::masked_url")]
    pub alertmanager_url: String,
    /// Address of an outside service to call at each Watchdog; it should alert when the calls stop.
    #[serde(serialize_with = "secret::masked")]
    pub heartbeat_url: Option<SecretString>,
    /// File that holds that address.
    pub heartbeat_url_file: Option<PathBuf>,
    /// HTTP method of the call.
    pub heartbeat_method: HeartbeatMethod,
    /// How long resolved alerts are kept, days.
    pub retention_days: u32,
    /// An alert that was not repeated for this long counts as ended, hours; must exceed Alertmanager's
    /// `repeat_interval`.
    pub stale_hours: u32,
    /// Further receivers of alerts, by name: `[alerting.webhooks.oncall]`.
    pub webhooks: BTreeMap<String, Webhook>,
}

/// HTTP method of the heartbeat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HeartbeatMethod {
    #[default]
    Get,
    Post,
}

/// A receiver of signed webhooks.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Webhook {
    /// New and resolved alerts are posted here.
    #[serde(serialize_with = "secret::hidden_url")]
    pub url: String,
    /// Signing secret: `whsec_` and 24 to 64 bytes in base64.
    #[serde(serialize_with = "secret::masked")]
    pub secret: Option<SecretString>,
    /// File that holds the secret.
    pub secret_file: Option<PathBuf>,
    /// `critical`, `warning`, `info`, `none`; empty: all of them.
    pub severities: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            token: None,
            token_file: None,
            alertmanager_url: String::new(),
            heartbeat_url: None,
            heartbeat_url_file: None,
            heartbeat_method: HeartbeatMethod::Get,
            retention_days: 400,
            stale_hours: 24,
            webhooks: BTreeMap::new(),
        }
    }
}

impl Config {
    /// The receivers, as `webhooks` takes them.
    pub fn receivers(&self) -> BTreeMap<String, Configured> {
        let receiver = |webhook: &Webhook| Configured {
            url: webhook.url.clone(),
            secret: webhook.secret.clone(),
            give_up_hours: GIVE_UP_HOURS,
        };
        self.webhooks.iter().map(|(name, webhook)| (name.clone(), receiver(webhook))).collect()
    }

    /// Validates the settings and reads the secrets from their files.
    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        secret::resolve(&mut self.token, self.token_file.as_deref(), "token_file", errors);
        secret::resolve(&mut self.heartbeat_url, self.heartbeat_url_file.as_deref(), "heartbeat_url_file", errors);
        if self.token.as_ref().is_some_and(|token| token.expose_secret().len() < SHORTEST_TOKEN) {
            let setting = at("token", self.token_file.as_deref());
            errors.push(
                setting,
                format!("needs at least {SHORTEST_TOKEN} characters: create one with openssl rand -hex 32"),
            );
        }
        if !self.alertmanager_url.is_empty() && !is_http(&self.alertmanager_url) {
            errors.push("alertmanager_url", "expected an address such as http://alertmanager:9093");
        }
        if self.heartbeat_url.as_ref().is_some_and(|url| !is_http(url.expose_secret())) {
            errors.push(at("heartbeat_url", self.heartbeat_url_file.as_deref()), "expected an http or https address");
        }
        errors.range("retention_days", self.retention_days, 1, 36_500);
        errors.range("stale_hours", self.stale_hours, 1, 24 * 365);
        for (name, webhook) in &mut self.webhooks {
            errors.enter(&format!("alerting.webhooks.{name}"));
            webhook.validate(name, errors);
        }
        errors.enter("alerting");
    }
}

impl Webhook {
    fn validate(&mut self, name: &str, errors: &mut ConfigErrors) {
        let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        if name.is_empty() || name.len() > 40 || !name.chars().all(fits) {
            errors.push("", "a name has 1 to 40 lower-case letters, digits and underscores");
        }
        if !is_http(&self.url) {
            errors.push("url", "expected an http or https address");
        }
        secret::resolve(&mut self.secret, self.secret_file.as_deref(), "secret_file", errors);
        let setting = at("secret", self.secret_file.as_deref());
        match &self.secret {
            None if self.secret_file.is_none() => {
                errors.push("secret_file", "alerts are sent only with a signature: set a secret");
            }
            None => {}
            Some(secret) => {
                if let Err(error) = SigningKey::parse(secret) {
                    errors.push(setting, error.to_string());
                }
            }
        }
        for severity in self.severities.iter().filter(|severity| Severity::parse(severity).is_none()) {
            errors.push("severities", format!("{severity:?} is not one of critical, warning, info, none"));
        }
    }

    /// Whether alerts of this severity are sent to this webhook.
    pub fn takes(&self, severity: Severity) -> bool {
        self.severities.is_empty() || self.severities.iter().any(|wanted| wanted == severity.as_str())
    }
}

/// The setting that the value came from.
fn at<'a>(setting: &'a str, file: Option<&Path>) -> &'a str {
    match (setting, file) {
        ("token", Some(_)) => "token_file",
        ("secret", Some(_)) => "secret_file",
        ("heartbeat_url", Some(_)) => "heartbeat_url_file",
        (setting, _) => setting,
    }
}

fn is_http(url: &str) -> bool {
    url.parse::<reqwest::Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}
