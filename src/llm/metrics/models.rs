//! Series of each model. Their labels are names from the configuration.

use std::{
    collections::BTreeMap,
    sync::{PoisonError, atomic::AtomicU64},
};

use prometheus_client::metrics::counter::Counter;

use super::{Direction, Metrics, ModelCallLabels, ModelLabels, ModelTokenLabels};
use crate::{
    model::{BackendKind, Operation, Outcome},
    usage::{Target, UsageRow},
};

/// A model that the configuration does not list.
const OTHER: &str = "other";

/// The metric handles of a model, created once.
#[derive(Debug)]
pub(super) struct OfModel {
    /// In the order of [`Outcome::ALL`].
    chats: Vec<Counter>,
    embeddings: Vec<Counter>,
    input: Counter,
    output: Counter,
    cost: Counter<f64, AtomicU64>,
}

/// By provider, then by model.
pub(super) type Models = BTreeMap<String, BTreeMap<String, OfModel>>;

impl Metrics {
    /// Creates a model's series at zero, and the `other` series of its provider.
    pub fn create_model(&self, operation: Operation, provider: &str, model: &str) {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let of_provider = models.entry(provider.to_owned()).or_default();
        for model in [model, OTHER] {
            let entry = of_provider.entry(model.to_owned()).or_insert_with(|| self.of_model(provider, model));
            // A provider without listed models may get both kinds of calls.
            let counters = self.calls(operation, provider, model);
            match operation {
                Operation::Chat => entry.chats = counters,
                Operation::Embedding => entry.embeddings = counters,
            }
        }
    }

    fn of_model(&self, provider: &str, model: &str) -> OfModel {
        let labels = ModelLabels { provider: provider.to_owned(), model: model.to_owned() };
        let tokens = |direction| {
            let ModelLabels { provider, model } = labels.clone();
            self.model_tokens.get_or_create_owned(&ModelTokenLabels { provider, model, direction })
        };
        OfModel {
            chats: Vec::new(),
            embeddings: Vec::new(),
            input: tokens(Direction::Input),
            output: tokens(Direction::Output),
            cost: self.model_cost.get_or_create_owned(&labels),
        }
    }

    /// In the order of [`Outcome::ALL`].
    fn calls(&self, operation: Operation, provider: &str, model: &str) -> Vec<Counter> {
        let labels =
            |outcome| ModelCallLabels { operation, provider: provider.to_owned(), model: model.to_owned(), outcome };
        Outcome::ALL.iter().map(|&outcome| self.model_requests.get_or_create_owned(&labels(outcome))).collect()
    }

    /// Counts an ended call to a model. Calls to agents are not counted: they make calls of their own.
    pub(super) fn called_model(&self, target: &Target, outcome: Outcome, row: &UsageRow, cost: f64) {
        let models = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let Some(of_provider) = models.get(&target.provider) else { return };
        let name = target.model.as_str();
        // Ollama's `qwen3` is `qwen3:latest`, OpenRouter's `x:nitro` is `x`, and a local model's name ends with a hash
        // of its files.
        let end = if target.kind == BackendKind::Local { '-' } else { ':' };
        let known = [name, name.rsplit_once(end).map_or(name, |(base, _)| base), OTHER];
        let Some(model) = known.iter().find_map(|name| of_provider.get(*name)) else { return };
        let calls = match target.operation {
            Operation::Chat => &model.chats,
            Operation::Embedding => &model.embeddings,
        };
        match calls.get(outcome as usize) {
            Some(counter) => {
                counter.inc();
            }
            // A model used for the other operation than expected.
            None => {
                let model = known.iter().find(|name| of_provider.contains_key(**name)).copied().unwrap_or(OTHER);
                let (operation, provider) = (target.operation, target.provider.clone());
                let labels = ModelCallLabels { operation, provider, model: model.to_owned(), outcome };
                self.model_requests.get_or_create(&labels).inc();
            }
        }
        model.input.inc_by(row.prompt_tokens);
        model.output.inc_by(row.completion_tokens);
        if cost > 0.0 {
            model.cost.inc_by(cost);
        }
    }
}
