//! Cost of calls by the configured prices.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{config::Config, store::ModelTokens, wire::Usage};

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
    fn of_tokens(self, prompt: f64, completion: f64) -> f64 {
        (prompt * self.input + completion * self.output) / 1e6
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

    /// Whether any model has a price.
    pub(super) fn is_empty(&self) -> bool {
        self.0.values().all(BTreeMap::is_empty)
    }

    fn price(&self, provider: &str, model: &str) -> Option<&Price> {
        let models = self.0.get(provider)?;
        let base = model.rsplit_once(':').map_or(model, |(base, _)| base);
        models.get(model).or_else(|| models.get(base))
    }

    /// Cost of so many tokens by the configured price; 0 without one.
    pub(super) fn cost_of_tokens(&self, (provider, model, prompt, completion): &ModelTokens) -> f64 {
        self.price(provider, model).map_or(0.0, |price| price.of_tokens(*prompt as f64, *completion as f64))
    }

    /// Cost of a call: by the model's price, else as reported by the provider (`usage.cost`, as `OpenRouter` documents
    /// it); `None` if neither is known. `tokens`: of the prompt and of the answer.
    pub(super) fn known(&self, provider: &str, model: &str, tokens: (u64, u64), usage: Option<&Usage>) -> Option<f64> {
        let said = || usage?.extra.get("cost").and_then(Value::as_f64).filter(|cost| cost.is_finite() && *cost > 0.0);
        match self.price(provider, model) {
            Some(price) => Some(price.of_tokens(tokens.0 as f64, tokens.1 as f64)),
            None => said(),
        }
    }
}
