//! `holdfast_llm_*`

use std::time::Duration;

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
use crate::{label_enum, platform::telemetry::Latency};

/// 10 ms to 2 min: a query's embedding is about 10 ms, a long answer takes minutes.
const DURATION_BUCKETS: [f64; 12] = [0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0, 120.0];

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
    /// Whose tokens.
    pub enum Direction { Input = "input", Output = "output" }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CacheLabels {
    pub cache: Cache,
    pub result: CacheResult,
}

label_enum! {
    /// Which cache of vectors was asked.
    pub enum Cache { Query = "query", Passage = "passage" }
}

label_enum! {
    /// Whether it was there.
    pub enum CacheResult { Hit = "hit", Miss = "miss" }
}

label_enum! {
    /// What retention removes.
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

/// The provider is a name out of the configuration: few, and the same for as long as the process runs.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct FailureLabels {
    pub provider: String,
    pub failure: Failure,
}

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
        };
        metrics.at_zero();
        registry.register("requests", "Calls to models, by how they ended", metrics.requests.clone());
        registry.register_with_unit(
            "request_duration",
            "From the call to the end of the answer",
            Unit::Seconds,
            metrics.duration.clone(),
        );
        registry.register_with_unit(
            "first_token",
            "From the call to the first token of a streamed answer",
            Unit::Seconds,
            metrics.first_token.clone(),
        );
        registry.register("tokens", "Tokens sent to models and received from them", metrics.tokens.clone());
        registry.register("embedded_texts", "Texts that a model embedded", metrics.embedded_texts.clone());
        registry.register("embedding_cache", "Look-ups of vectors in the caches", metrics.embedding_cache.clone());
        registry.register(
            "usage_rows_written",
            "Usage rows written to the database",
            metrics.usage_rows_written.clone(),
        );
        registry.register(
            "usage_rows_lost",
            "Usage rows that the database did not take",
            metrics.usage_rows_lost.clone(),
        );
        registry.register("expired_rows", "Rows that retention removed", metrics.expired.clone());
        registry.register(
            "adaptations",
            "Ways of a model server that were found out from a refusal, once for each model",
            metrics.adaptations.clone(),
        );
        registry.register(
            "provider_failures",
            "Calls that a provider did not answer, by what was wrong",
            metrics.provider_failures.clone(),
        );
        metrics
    }

    /// Makes a provider's series, at zero.
    pub fn create_provider(&self, provider: &str) {
        for &failure in Failure::ALL {
            let _ = self.provider_failures.get_or_create(&FailureLabels { provider: provider.to_owned(), failure });
        }
    }

    /// A provider failed. What it said is in the log line of the call.
    pub(super) fn provider_failed(&self, provider: &str, failure: Failure) {
        self.provider_failures.get_or_create(&FailureLabels { provider: provider.to_owned(), failure }).inc();
    }

    /// Series exist before their first event.
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

    /// A model needs its requests in another form.
    pub(super) fn adapted(&self, adaptation: Adaptation) {
        self.adaptations.get_or_create(&AdaptationLabels { adaptation }).inc();
    }

    /// A call ended.
    pub(super) fn called(
        &self,
        target: &Target,
        outcome: Outcome,
        took: Duration,
        first_token: Option<Duration>,
        row: &UsageRow,
    ) {
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

    /// Retention removed rows that were older than `days`.
    pub(super) fn expired(&self, kept: Kept, days: u32, rows: u64) {
        self.expired.get_or_create(&KeptLabels { kept }).inc_by(rows);
        if rows > 0 {
            tracing::info!(target: "holdfast::llm", kept = kept.as_str(), days, rows, "expired rows removed");
        }
    }

    /// Vectors were looked up.
    pub(super) fn looked_up(&self, cache: Cache, hits: usize, misses: usize) {
        self.embedding_cache.get_or_create(&CacheLabels { cache, result: CacheResult::Hit }).inc_by(hits as u64);
        self.embedding_cache.get_or_create(&CacheLabels { cache, result: CacheResult::Miss }).inc_by(misses as u64);
    }
}
