//! `[database]`

use std::path::PathBuf;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::config::{ConfigErrors, secret};

/// Database connection.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `postgres://user:password@host/database` of an external server (15 to 18); empty: run a private cluster.
    #[serde(serialize_with = "secret::masked")]
    pub url: Option<SecretString>,
    /// File with the URL.
    pub url_file: Option<PathBuf>,
    /// Prefix of the role names on that server: one per installation.
    pub role_prefix: String,
    /// Connections for requests and jobs; locks that outlive a transaction take at most as many again.
    pub max_connections: u32,
    /// Connections for leasing, sign-in and gauges.
    pub max_system_connections: u32,
    /// How long a request waits for a connection before it gets 503, seconds.
    pub acquire_timeout_seconds: u64,
    /// Folder of the server binaries for the private cluster; empty: look in the usual places.
    pub bin_dir: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            url: None,
            url_file: None,
            role_prefix: "holdfast".into(),
            max_connections: 24,
            max_system_connections: 8,
            acquire_timeout_seconds: 5,
            bin_dir: None,
        }
    }
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        let prefix = &self.role_prefix;
        if prefix.is_empty()
            || prefix.len() > 40
            || !prefix.starts_with(|c: char| c.is_ascii_lowercase())
            || !prefix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
        {
            errors.push("role_prefix", "1 to 40 lower-case letters, digits and underscores, starting with a letter");
        }
        errors.range("max_connections", self.max_connections, 2, 500);
        errors.range("max_system_connections", self.max_system_connections, 2, 100);
        errors.range("acquire_timeout_seconds", self.acquire_timeout_seconds, 1, 60);
        if let Some(url) = &self.url {
            use secrecy::ExposeSecret as _;
            use std::str::FromStr as _;
            let url = url.expose_secret();
            // The parser accepts any scheme.
            let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
            if !is_postgres || sqlx::postgres::PgConnectOptions::from_str(url).is_err() {
                errors.push(
                    "url",
                    "not a PostgreSQL URL; expected postgres://user:password@host:5432/database, with characters of the password such as / # ? % \
                     and @ written as %2F %23 %3F %25 and %40",
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_postgresql_is_a_database_for_us() {
        let says = |url: &str| {
            let mut errors = ConfigErrors::default();
            Config { url: Some(url.into()), ..Config::default() }.validate(&mut errors);
            errors.is_empty()
        };
        assert!(says("postgres://u:p@db:5432/holdfast") && says("postgresql:///holdfast?host=/run/postgresql"));
        for wrong in ["mysql://u:p@db/holdfast", "sqlite:///var/lib/x.db", "db:5432", ""] {
            assert!(!says(wrong), "{wrong}");
        }
    }
}
