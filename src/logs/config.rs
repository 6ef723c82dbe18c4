//! `[logs]`

use serde::{Deserialize, Serialize};

use platform::{
    config::{ConfigErrors, secret},
    telemetry::config::is_base_url,
};

/// Log search.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address of the Loki to search; empty means `telemetry.loki_url`. Without either, search covers the recent lines
    /// in memory.
    #[serde(serialize_with = "secret::masked_url")]
    pub loki_query_url: String,
}

impl Config {
    pub fn validate(&self, errors: &mut ConfigErrors) {
        if !self.loki_query_url.is_empty() && !is_base_url(&self.loki_query_url) {
            errors.push(
                "loki_query_url",
                "expected an address such as http://loki:3100; put the user into telemetry.loki_user",
            );
        }
    }
}
