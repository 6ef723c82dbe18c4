//! `holdfast_llm_*`

mod labels;
mod models;
#[cfg(test)]
mod tests;

use std::{
    sync::{Arc, RwLock, atomic::AtomicU64},
    time::Duration,
};

use prometheus_client::{
    metrics::{counter::Counter, family::Family},
    registry::{Registry, Unit},
};

pub use labels::*;

use super::{
    adaptation::{Adaptation, AdaptationLabels},
    error::Failure,
    model::{BackendKind, Operation, Outcome},
    usage::{Target, UsageRow},
};
use models::Models;
use platform::telemetry::Latency;

/// 10 ms to 10 min: a query's embedding takes about 10 ms, a long answer minutes; 240 s is the usual `timeout_seconds`.
const DURATION_BUCKETS: [f64; 16] =
    [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 240.0, 600.0];

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
