//! Cost of calls by the configured prices.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{config::Config, usage::UsageRow, wire::Usage};

/// Price of a model.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// For a million input tokens.
    pub input: f64,
    /// For a million output tokens; embeddings have none.
    #[serde(default)]
    pub output: f64,
}

impl Price {
    fn of(self, row: &UsageRow) -> f64 {
        (row.prompt_tokens as f64 * self.input + row.completion_tokens as f64 * self.output) / 1e6
    }
}

/// By provider, then by model. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Prices(Arc<BTreeMap<String, BTreeMap<String, Price>>>);

impl Prices {
    pub(super) fn new(config: &Config) -> Self {
        let of = |(name, provider): (&String, &super::config::Provider)| (name.clone(), provider.prices.clone());
        Self(Arc::new(config.providers.iter().map(of).collect()))
    }

    /// Cost of a call: by the model's price, else as reported by the provider (`usage.cost`, as `OpenRouter` documents
    /// it), else 0.
    pub(super) fn cost(&self, row: &UsageRow, usage: Option<&Usage>) -> f64 {
        let price = self.0.get(&row.provider).and_then(|models| {
            let base = row.model.rsplit_once(':').map_or(row.model.as_str(), |(base, _)| base);
            models.get(&row.model).or_else(|| models.get(base))
        });
        let said = || usage?.extra.get("cost").and_then(Value::as_f64).filter(|cost| cost.is_finite() && *cost > 0.0);
        price.map_or_else(|| said().unwrap_or_default(), |price| price.of(row))
    }
}
