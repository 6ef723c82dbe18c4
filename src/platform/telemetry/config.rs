//! `[telemetry]`

use serde::{Deserialize, Serialize};

use crate::platform::config::ConfigErrors;

/// How log lines look on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` otherwise.
    Auto,
    Json,
    Pretty,
}

/// Logs.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What is logged, as for the `RUST_LOG` of Rust programs: `info`, `debug`, `info,holdfast::jobs=debug`.
    pub log: String,
    /// `auto`, `json` or `pretty`.
    pub log_format: LogFormat,
    /// Address of a Loki to push to, e.g. `http://loki:3100`; empty pushes nowhere.
    pub loki_url: String,
    /// Label `env` on the lines in Loki.
    pub environment: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: "info".into(),
            log_format: LogFormat::Auto,
            loki_url: String::new(),
            environment: "production".into(),
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        if let Err(e) = tracing_subscriber::EnvFilter::try_new(&self.log) {
            errors.push("log", e.to_string());
        }
        if !self.loki_url.is_empty() {
            match self.loki_url.parse::<axum::http::Uri>() {
                Ok(uri) if uri.host().is_some() && uri.scheme().is_some() => {}
                _ => errors.push("loki_url", "expected an address such as http://loki:3100"),
            }
        }
    }
}
