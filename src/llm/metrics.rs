//! `holdfast_llm_*`

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

use super::{
    adaptation::{Adaptation, AdaptationLabels},
    error::Failure,
    model::{BackendKind, Operation, Outcome},
    usage::{Target, UsageRow},
};
use platform::{label_enum, telemetry::Latency};

/// 10 ms to 10 min: a query's embedding takes about 10 ms, a long answer minutes; 240 s is the usual `timeout_seconds`.
const DURATION_BUCKETS: [f64; 16] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 600.0];

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    pub operation: Operation,
    pub backend: BackendKind,
    pub outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct BackendLabels {
    pub operation: Operation,
    pub backend: BackendKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct TokenLabels {
    pub backend: BackendKind,
    pub direction: Direction,
}

label_enum! {
    /// Direction of tokens.
    pub enum Direction { Input = "input", Output = "output" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    pub cache: Cache,
    pub result: CacheResult,
}

label_enum! {
    /// Cache of vectors.
    pub enum Cache { Query = "query", Passage = "passage" }
}

label_enum! {
    /// Result of a look-up.
    pub enum CacheResult { Hit = "hit", Miss = "miss" }
}

label_enum! {
    /// What retention deletes.
    pub enum Kept {
        /// Rows of `llm_usage`.
        Usage = "usage",
        /// Rows of `embedding_cache`.
        Vectors = "vectors",
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct KeptLabels {
    pub kept: Kept,
}

/// The provider's name comes from the configuration: few values, constant while the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub provider: String,
    pub failure: Failure,
}

/// Names of provider and model from the configuration; `other` for unlisted models.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelCallLabels {
    pub operation: Operation,
    pub provider: String,
    pub model: String,
    pub outcome: Outcome,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelTokenLabels {
    pub provider: String,
    pub model: String,
    pub direction: Direction,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct ModelLabels {
    pub provider: String,
    pub model: String,
}

/// A model that the configuration does not list.
const OTHER: &str = "other";

/// The metric handles of a model, created once.
#[derive(Debug)]
struct OfModel {
    /// In the order of [`Outcome::ALL`].
    chats: Vec<Counter>,
    embeddings: Vec<Counter>,
    input: Counter,
    output: Counter,
    cost: Counter<f64, AtomicU64>,
}

/// By provider, then by model.
type Models = BTreeMap<String, BTreeMap<String, OfModel>>;

type Durations = Family<BackendLabels, Latency, fn() -> Latency>;

#[derive(Clone, Debug)]
pub struct Metrics {
    pub requests: Family<CallLabels, Counter>,
    pub duration: Durations,
    pub first_token: Durations,
    pub tokens: Family<TokenLabels, Counter>,
    pub embedded_texts: Family<BackendLabels, Counter>,
    pub embedding_cache: Family<CacheLabels, Counter>,
    pub usage_rows_written: Counter,
    pub usage_rows_lost: Counter,
    expired: Family<KeptLabels, Counter>,
    adaptations: Family<AdaptationLabels, Counter>,
    provider_failures: Family<FailureLabels, Counter>,
    model_requests: Family<ModelCallLabels, Counter>,
    model_tokens: Family<ModelTokenLabels, Counter>,
    model_cost: Family<ModelLabels, Counter<f64, AtomicU64>>,
    /// Shared by clones.
    models: Arc<RwLock<Models>>,
}

impl Metrics {
    pub fn register(registry: &mut Registry) -> Self {
        let histogram: fn() -> Latency = || Latency::new(DURATION_BUCKETS);
        let metrics = Self {
            requests: Family::default(),
            duration: Family::new_with_constructor(histogram),
            first_token: Family::new_with_constructor(histogram),
            tokens: Family::default(),
            embedded_texts: Family::default(),
            embedding_cache: Family::default(),
            usage_rows_written: Counter::default(),
            usage_rows_lost: Counter::default(),
            expired: Family::default(),
            adaptations: Family::default(),
            provider_failures: Family::default(),
            model_requests: Family::default(),
            model_tokens: Family::default(),
            model_cost: Family::default(),
            models: Arc::default(),
        };
        metrics.at_zero();
        registry.register("requests", "Calls to models by outcome", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "Time from the call to the end of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "Time from the call to the first token of a streamed answer",
            Unit::Seconds,
            metrics.first_token.clone(),
        );
        registry.register("tokens", "Tokens sent to and received from models", metrics.tokens.clone());
        registry.register("embedded_texts", "Texts embedded", metrics.embedded_texts.clone());
        registry.register(
            "embedding_cache",
            "Look-ups of vectors in the caches by result",
            metrics.embedding_cache.clone(),
        );
        registry.register(
            "usage_rows_written",
            "Usage rows written to the database",
            metrics.usage_rows_written.clone(),
        );
        registry.register(
            "usage_rows_lost",
            "Usage rows lost because they could not be written",
            metrics.usage_rows_lost.clone(),
        );
        registry.register("expired_rows", "Rows deleted by retention", metrics.expired.clone());
        registry.register(
            "adaptations",
            "Adaptations learned from a model server's refusal, once for each model",
            metrics.adaptations.clone(),
        );
        registry.register(
            "provider_failures",
            "Calls that failed at a provider, by kind of failure",
            metrics.provider_failures.clone(),
        );
        registry.register(
            "model_requests",
            "Calls to models by provider and model; models that the configuration does not list are `other`",
            metrics.model_requests.clone(),
        );
        registry.register(
            "model_tokens",
            "Tokens sent to and received from models by provider and model",
            metrics.model_tokens.clone(),
        );
        registry.register(
            "model_cost",
            "Cost of calls: by the configured prices, in their currency; without a price as reported by the provider (OpenRouter: US dollars)",
            metrics.model_cost.clone(),
        );
        metrics
    }

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
    fn called_model(&self, target: &Target, outcome: Outcome, row: &UsageRow, cost: f64) {
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

    /// Creates a provider's series at zero.
    pub fn create_provider(&self, provider: &str) {
        for &failure in Failure::ALL {
            let _ = self.provider_failures.get_or_create(&FailureLabels { provider: provider.to_owned(), failure });
        }
    }

    /// Counts a provider's failure. Its message is in the call's log line.
    pub(super) fn provider_failed(&self, provider: &str, failure: Failure) {
        self.provider_failures.get_or_create(&FailureLabels { provider: provider.to_owned(), failure }).inc();
    }

    /// Creates series before their first event.
    fn at_zero(&self) {
        let kinds = [
            (Operation::Chat, BackendKind::Openai),
            (Operation::Chat, BackendKind::Builtin),
            (Operation::Chat, BackendKind::Agent),
            (Operation::Embedding, BackendKind::Openai),
            (Operation::Embedding, BackendKind::Local),
        ];
        for (operation, backend) in kinds {
            let labels = BackendLabels { operation, backend };
            let _ = self.duration.get_or_create(&labels);
            for &outcome in Outcome::ALL {
                let _ = self.requests.get_or_create(&CallLabels { operation, backend, outcome });
            }
            for &direction in Direction::ALL {
                let _ = self.tokens.get_or_create(&TokenLabels { backend, direction });
            }
            match operation {
                Operation::Chat => drop(self.first_token.get_or_create(&labels)),
                Operation::Embedding => drop(self.embedded_texts.get_or_create(&labels)),
            }
        }
        for &cache in Cache::ALL {
            for &result in CacheResult::ALL {
                let _ = self.embedding_cache.get_or_create(&CacheLabels { cache, result });
            }
        }
        for &kept in Kept::ALL {
            let _ = self.expired.get_or_create(&KeptLabels { kept });
        }
        for &adaptation in Adaptation::ALL {
            let _ = self.adaptations.get_or_create(&AdaptationLabels { adaptation });
        }
    }

    /// Counts an adaptation that was learned for a model.
    pub(super) fn adapted(&self, adaptation: Adaptation) {
        self.adaptations.get_or_create(&AdaptationLabels { adaptation }).inc();
    }

    /// Counts an ended call.
    pub(super) fn called(
        &self,
        target: &Target,
        outcome: Outcome,
        took: Duration,
        first_token: Option<Duration>,
        (row, cost): (&UsageRow, f64),
    ) {
        self.called_model(target, outcome, row, cost);
        let (operation, backend) = (target.operation, target.kind);
        self.requests.get_or_create(&CallLabels { operation, backend, outcome }).inc();
        let labels = BackendLabels { operation, backend };
        self.duration.get_or_create(&labels).observe(took.as_secs_f64());
        if let Some(first) = first_token {
            self.first_token.get_or_create(&labels).observe(first.as_secs_f64());
        }
        self.tokens.get_or_create(&TokenLabels { backend, direction: Direction::Input }).inc_by(row.prompt_tokens);
        self.tokens.get_or_create(&TokenLabels { backend, direction: Direction::Output }).inc_by(row.completion_tokens);
    }

    /// Counts rows that retention deleted because they were older than `days`.
    pub(super) fn expired(&self, kept: Kept, days: u32, rows: u64) {
        self.expired.get_or_create(&KeptLabels { kept }).inc_by(rows);
        if rows > 0 {
            tracing::info!(target: "holdfast::llm", kept = kept.as_str(), days, rows, "expired rows removed");
        }
    }

    /// Counts look-ups of vectors.
    pub(super) fn looked_up(&self, cache: Cache, hits: usize, misses: usize) {
        self.embedding_cache.get_or_create(&CacheLabels { cache, result: CacheResult::Hit }).inc_by(hits as u64);
        self.embedding_cache.get_or_create(&CacheLabels { cache, result: CacheResult::Miss }).inc_by(misses as u64);
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::encoding::text::encode;

    use super::*;
    use crate::{config::Config, prices::Prices, wire::Usage};
    use platform::ids::OrgId;

    fn row(provider: &str, model: &str) -> UsageRow {
        UsageRow {
            id: uuid::Uuid::nil(),
            org_id: OrgId(uuid::Uuid::nil()),
            actor: String::new(),
            agent_id: None,
            operation: Operation::Chat,
            provider: provider.into(),
            model: model.into(),
            alias: None,
            prompt_tokens: 2000,
            completion_tokens: 1000,
            estimated: false,
            duration_ms: 1,
            first_token_ms: None,
            outcome: Outcome::Ok,
            streamed: false,
            created_at: chrono::DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn calls_are_counted_by_the_models_that_the_configuration_names_with_what_they_cost() {
        let config: Config = toml::from_str(
            "[providers.openrouter]\nbase_url = 'https://openrouter.ai/api/v1'\nmodels = ['openai/gpt-4o-mini']\n\
             prices = { 'openai/gpt-4o-mini' = { input = 0.5, output = 1.5 } }\n",
        )
        .unwrap();
        let mut registry = Registry::default();
        let (metrics, prices) = (Metrics::register(&mut registry), Prices::new(&config));
        for (embeds, provider, model) in config.named_models() {
            assert!(!embeds);
            metrics.create_model(Operation::Chat, provider, model);
        }
        let text = || {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            text
        };
        let series = |text: &str| text.lines().filter(|line| line.starts_with("model_")).count();
        let before = series(&text());
        // The end of an OpenRouter answer: usage with its cost in US dollars.
        let said: Usage = serde_json::from_str(
            r#"{"prompt_tokens": 2000, "completion_tokens": 1000, "total_tokens": 3000, "cost": 0.25}"#,
        )
        .unwrap();
        for model in ["openai/gpt-4o-mini", "openai/gpt-4o-mini:nitro", "made/up-1", "made/up-2"] {
            let row = row("openrouter", model);
            let target = Target {
                operation: Operation::Chat,
                kind: BackendKind::Openai,
                provider: row.provider.clone(),
                model: row.model.clone(),
                alias: None,
            };
            let cost = prices.cost(&row, Some(&said));
            metrics.called(&target, Outcome::Ok, Duration::from_secs(1), None, (&row, cost));
        }
        let text = text();
        assert_eq!(series(&text), before, "no name that a client makes up is a label: {text}");
        for line in [
            r#"model_requests_total{operation="chat",provider="openrouter",model="openai/gpt-4o-mini",outcome="ok"} 2"#,
            r#"model_requests_total{operation="chat",provider="openrouter",model="other",outcome="ok"} 2"#,
            r#"model_tokens_total{provider="openrouter",model="openai/gpt-4o-mini",direction="input"} 4000"#,
            // The configured price: 2 x (2000 x 0.5 + 1000 x 1.5) / 1e6.
            r#"model_cost_total{provider="openrouter",model="openai/gpt-4o-mini"} 0.005"#,
            // The provider's figure.
            r#"model_cost_total{provider="openrouter",model="other"} 0.5"#,
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in {text}");
        }
    }
}
