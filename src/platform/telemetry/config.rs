//! `[telemetry]`

use std::{io::IsTerminal as _, path::PathBuf};

use reqwest::{RequestBuilder, header::HeaderMap};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{levels, loki, otlp};
use crate::config::{ConfigErrors, secret};

/// Format of log lines on standard output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// `pretty` on a terminal, `json` otherwise.
    Auto,
    Json,
    Pretty,
}

/// Logs, Loki and traces.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Log filter: a level, optionally levels per module (`info`, `debug`, `info,holdfast::jobs=debug`).
    pub log: String,
    /// `auto`, `json` or `pretty`.
    pub log_format: LogFormat,
    /// Label `env` in Loki, and `deployment.environment.name` of spans.
    pub environment: String,
    /// Recent lines kept in memory for the logs page; 0: none.
    pub recent_lines: usize,
    /// Memory limit of these lines, bytes.
    pub recent_bytes: usize,
    /// Base URL of the Loki to push to, e.g. `http://loki:3100`; empty: off.
    #[serde(serialize_with = "secret::masked_url")]
    pub loki_url: String,
    /// Whether `trace_id`, `request_id` and `org_id` are also sent as structured metadata; Loki before 3.0 rejects it.
    pub loki_metadata: bool,
    /// Memory for lines that Loki has not accepted yet, bytes; when full, the oldest are dropped and counted.
    pub loki_buffer_bytes: usize,
    /// User name for basic authentication at Loki.
    pub loki_user: String,
    /// Prefer `loki_password_file`.
    #[serde(serialize_with = "secret::masked")]
    pub loki_password: Option<SecretString>,
    /// File with the password.
    pub loki_password_file: Option<PathBuf>,
    /// Prefer `loki_token_file`.
    #[serde(serialize_with = "secret::masked")]
    pub loki_token: Option<SecretString>,
    /// File with a bearer token, instead of user and password.
    pub loki_token_file: Option<PathBuf>,
    /// Tenant (`X-Scope-OrgID`) of a multi-tenant Loki.
    pub loki_tenant: String,
    /// Base URL of the collector for traces (OTLP over HTTP), e.g. `http://collector:4318`; empty: off.
    #[serde(serialize_with = "secret::masked_url")]
    pub otlp_url: String,
    /// Prefer `otlp_headers_file`. `name=value,name=value`.
    #[serde(serialize_with = "secret::masked")]
    pub otlp_headers: Option<SecretString>,
    /// File with headers for the collector.
    pub otlp_headers_file: Option<PathBuf>,
    /// Share of locally started traces that is recorded, 0 to 1.
    pub otlp_sample_ratio: f64,
    /// Memory for spans that the collector has not accepted yet, bytes; when full, the oldest are dropped and counted.
    pub otlp_buffer_bytes: usize,
}

impl LogFormat {
    /// Whether standard output contains JSON lines only.
    pub fn is_json(self) -> bool {
        match self {
            Self::Json => true,
            Self::Pretty => false,
            Self::Auto => !std::io::stdout().is_terminal(),
        }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            log: "info".into(),
            log_format: LogFormat::Auto,
            environment: "production".into(),
            recent_lines: 5000,
            recent_bytes: 8 * 1024 * 1024,
            loki_url: String::new(),
            loki_metadata: true,
            loki_buffer_bytes: 64 * 1024 * 1024,
            loki_user: String::new(),
            loki_password: None,
            loki_password_file: None,
            loki_token: None,
            loki_token_file: None,
            loki_tenant: String::new(),
            otlp_url: String::new(),
            otlp_headers: None,
            otlp_headers_file: None,
            otlp_sample_ratio: 1.0,
            otlp_buffer_bytes: 16 * 1024 * 1024,
        }
    }
}

/// Authentication and tenant for Loki.
#[derive(Clone, Debug, Default)]
pub struct LokiAccess {
    user: String,
    password: Option<SecretString>,
    token: Option<SecretString>,
    tenant: String,
}

impl LokiAccess {
    /// Adds them to a request.
    pub fn apply(&self, mut request: RequestBuilder) -> RequestBuilder {
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        } else if !self.user.is_empty() {
            request = request.basic_auth(&self.user, self.password.as_ref().map(ExposeSecret::expose_secret));
        }
        if !self.tenant.is_empty() {
            request = request.header("X-Scope-OrgID", &self.tenant);
        }
        request
    }
}

/// Whether `text` is a server's base URL without a user: URLs are logged.
pub fn is_base_url(text: &str) -> bool {
    let url = text.parse::<reqwest::Url>().ok();
    url.is_some_and(|url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
    })
}

impl Config {
    /// Reads the secrets from their files and validates everything.
    pub fn resolve(&mut self, errors: &mut ConfigErrors) {
        secret::resolve(&mut self.loki_password, self.loki_password_file.as_deref(), "loki_password_file", errors);
        secret::resolve(&mut self.loki_token, self.loki_token_file.as_deref(), "loki_token_file", errors);
        if let Err(bad) = levels::parse(&self.log) {
            errors.push("log", bad.to_string());
        }
        errors.range("recent_lines", self.recent_lines, 0, 1_000_000);
        errors.range("recent_bytes", self.recent_bytes, 0, 1 << 30);
        errors.range("loki_buffer_bytes", self.loki_buffer_bytes, loki::LEAST_BUFFER, 1 << 34);
        if !self.loki_url.is_empty() && !is_base_url(&self.loki_url) {
            errors.push("loki_url", "expected an address such as http://loki:3100; a user goes into loki_user");
        }
        if self.environment.is_empty() {
            errors.push("environment", "must not be empty: it is a label");
        }
        if self.loki_token.is_some() && !self.loki_user.is_empty() {
            errors.push("loki_token", "give a token, or a user with a password, not both");
        }
        if self.loki_tenant.chars().any(|c| !c.is_ascii_graphic()) {
            errors.push("loki_tenant", "must be plain letters, digits and signs");
        }
        self.resolve_otlp(errors);
    }

    fn resolve_otlp(&mut self, errors: &mut ConfigErrors) {
        secret::resolve(&mut self.otlp_headers, self.otlp_headers_file.as_deref(), "otlp_headers_file", errors);
        errors.range("otlp_buffer_bytes", self.otlp_buffer_bytes, otlp::LEAST_BUFFER, 1 << 34);
        if !self.otlp_url.is_empty() && !is_base_url(&self.otlp_url) {
            let why = "expected an address such as http://collector:4318; credentials go into otlp_headers_file";
            errors.push("otlp_url", why);
        }
        if !(0.0..=1.0).contains(&self.otlp_sample_ratio) {
            errors.push("otlp_sample_ratio", format!("{} is outside 0 to 1", self.otlp_sample_ratio));
        }
        if let Err(why) = self.headers() {
            errors.push("otlp_headers", why);
        }
    }

    fn headers(&self) -> Result<HeaderMap, String> {
        otlp::headers(self.otlp_headers.as_ref().map_or("", ExposeSecret::expose_secret))
    }

    /// Trace export, if configured. `instance` identifies this process.
    pub fn otlp(&self, instance: Uuid) -> Option<otlp::Config> {
        (!self.otlp_url.is_empty()).then(|| otlp::Config {
            url: self.otlp_url.clone(),
            // Validated before.
            headers: self.headers().unwrap_or_default(),
            environment: self.environment.clone(),
            instance,
            sample_ratio: self.otlp_sample_ratio,
            buffer_bytes: self.otlp_buffer_bytes,
        })
    }

    /// Authentication for Loki.
    pub fn loki_access(&self) -> LokiAccess {
        LokiAccess {
            user: self.loki_user.clone(),
            password: self.loki_password.clone(),
            token: self.loki_token.clone(),
            tenant: self.loki_tenant.clone(),
        }
    }
}
