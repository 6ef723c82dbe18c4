//! [`Llm`]: resolves a model's name, validates the request, calls the backend and meters the answer.

mod console;
mod models;
mod providers;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use tracing::Instrument as _;

use super::{
    backend::{ChatStream, ModelBackend},
    config::Config,
    embed::LocalEmbedder,
    embeddings::QueryCache,
    error::LlmError,
    extractive::{self, Extractive},
    metrics::Metrics,
    model::{BackendKind, CallContext, EmbedModel, Operation, estimate_tokens},
    openai::Provider,
    prices::Prices,
    runaway,
    scheduler::EmbedScheduler,
    store::{self, UsageByDay, UsageByModel},
    usage::{Meter, Recorder},
    wire::{ChatRequest, Completion, Message},
};
use models::Route;
pub use providers::{ChatTest, ProviderInfo, ProviderTest, TestError};

use platform::{
    clock::Clock,
    db::{Db, DbError},
    http_client::HttpClients,
    ids::OrgId,
    lifecycle::Lifecycle,
    trace,
};

/// What the gateway is built from.
#[derive(Debug)]
pub struct Deps {
    pub config: Config,
    pub data_dir: PathBuf,
    pub clock: Clock,
    pub db: Db,
    pub http: HttpClients,
    pub metrics: Metrics,
    pub lifecycle: Lifecycle,
}

/// The LLM gateway. Cheap to clone.
#[derive(Clone)]
pub struct Llm {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub config: Config,
    pub embedding_dir: PathBuf,
    pub clock: Clock,
    pub db: Db,
    pub metrics: Metrics,
    pub recorder: Recorder,
    /// By prefix of the model's name.
    backends: RwLock<BTreeMap<String, Arc<dyn ModelBackend>>>,
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// Loaded on first use: an installation that embeds elsewhere does not pay for its memory.
    pub local_model: OnceCell<EmbedModel>,
    pub local: OnceCell<Arc<LocalEmbedder>>,
    pub scheduler: EmbedScheduler,
    pub query_cache: QueryCache,
}

/// Creates the metric series of the configured models.
fn create_models(config: &Config, local: &Path, metrics: &Metrics) {
    metrics.create_model(Operation::Chat, extractive::PREFIX, "extractive");
    if config.embedding.is_local() {
        let name = local.file_name().map_or_else(|| "model".into(), std::ffi::OsStr::to_string_lossy);
        metrics.create_model(Operation::Embedding, "local", &name);
    }
    for (embeds, provider, model) in config.named_models() {
        metrics.create_model(if embeds { Operation::Embedding } else { Operation::Chat }, provider, model);
    }
}

impl std::fmt::Debug for Llm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llm").finish_non_exhaustive()
    }
}

impl Llm {
    /// Starts the gateway: opens no connections yet, and starts the task that writes usage rows.
    pub fn new(deps: Deps) -> Self {
        let Deps { config, data_dir, clock, db, http, metrics, lifecycle } = deps;
        let providers: BTreeMap<String, Arc<Provider>> = config
            .providers
            .iter()
            .map(|(name, provider)| {
                let (config, http) = (provider.clone(), http.patient().clone());
                metrics.create_provider(name);
                (name.clone(), Arc::new(Provider::new(name, config, http, metrics.clone())))
            })
            .collect();
        let mut backends: BTreeMap<String, Arc<dyn ModelBackend>> = BTreeMap::new();
        backends.insert(extractive::PREFIX.to_owned(), Arc::new(Extractive::new(clock.clone())));
        for (name, provider) in &providers {
            backends.insert(name.clone(), provider.clone());
        }
        create_models(&config, &config.embedding.dir(&data_dir), &metrics);
        let prices = Prices::new(&config);
        let recorder = Recorder::start(db.clone(), clock.clone(), metrics.clone(), prices, &lifecycle);
        let inner = Inner {
            embedding_dir: config.embedding.dir(&data_dir),
            scheduler: EmbedScheduler::new(config.embedding.threads()),
            query_cache: QueryCache::default(),
            local_model: OnceCell::new(),
            local: OnceCell::new(),
            backends: RwLock::new(backends),
            config,
            clock,
            db,
            metrics,
            recorder,
            providers,
        };
        Self { inner: Arc::new(inner) }
    }

    /// Registers `backend` for `<prefix>/...`.
    pub fn register(&self, prefix: &str, backend: Arc<dyn ModelBackend>) {
        self.inner.backends.write().unwrap_or_else(PoisonError::into_inner).insert(prefix.to_owned(), backend);
    }

    /// The model of agents without one of their own: that of `quality` or `fast`, else the first in a provider's
    /// `models`, else `builtin/extractive`.
    pub fn default_model(&self) -> String {
        let config = &self.inner.config;
        let listed = config.providers.iter().find_map(|(name, provider)| {
            Some(format!("{name}/{}", provider.models.iter().find(|m| !config.is_embedding_model(m))?))
        });
        self.alias("quality").map(str::to_owned).or(listed).unwrap_or_else(|| extractive::MODEL.to_owned())
    }

    /// Streams an answer. The call is metered until the stream has ended or is dropped.
    pub async fn chat(&self, call: CallContext, mut request: ChatRequest) -> Result<ChatStream, LlmError> {
        let (route, mut meter) = self.begin(&call, &mut request, true).await?;
        request.stream = Some(true);
        let span = meter.span().clone();
        let asked = request.max_completion_tokens.or(request.max_tokens);
        let most = (route.backend.kind() == BackendKind::Openai)
            .then(|| runaway::most(asked, self.inner.config.max_output_tokens));
        let started = route.backend.stream(&call, &route.model, request).instrument(span);
        match trace::inside(meter.context(), started).await {
            Ok(stream) => match most {
                Some(most) => Ok(ChatStream::new(runaway::cap(stream, most)).metered(meter)),
                None => Ok(stream.metered(meter)),
            },
            Err(error) => {
                meter.failed(&error);
                Err(error)
            }
        }
    }

    /// Answers whole.
    pub async fn complete(&self, call: CallContext, mut request: ChatRequest) -> Result<Completion, LlmError> {
        let (route, mut meter) = self.begin(&call, &mut request, false).await?;
        request.stream = None;
        request.stream_options = None;
        let span = meter.span().clone();
        let answer = route.backend.complete(&call, &route.model, request).instrument(span);
        let result = trace::inside(meter.context(), answer).await;
        match &result {
            Ok(completion) => {
                meter.see_whole(completion.body());
                meter.succeeded();
            }
            Err(error) => meter.failed(error),
        }
        result
    }

    /// Resolves the model and validates the request; from here on the call is metered.
    async fn begin(
        &self,
        call: &CallContext,
        request: &mut ChatRequest,
        streamed: bool,
    ) -> Result<(Route, Meter), LlmError> {
        if request.model == super::embeddings::ALIAS {
            let text = "`embed` returns vectors, not answers: use it with POST /v1/embeddings";
            return Err(LlmError::invalid("model", "model_not_supported", text));
        }
        let route = self.route_of(call.org_id, &request.model).await?;
        let mut meter = Meter::new(&self.inner.recorder, call, route.target(Operation::Chat), streamed);
        if let Err(error) = self.check(call, request, route.backend.kind()) {
            meter.failed(&error);
            return Err(error);
        }
        meter.prompt(request);
        Ok((route, meter))
    }

    fn check(&self, call: &CallContext, request: &ChatRequest, kind: BackendKind) -> Result<(), LlmError> {
        if request.messages.is_empty() {
            return Err(LlmError::invalid("messages", "messages_empty", "a conversation needs at least one message"));
        }
        if let Some(at) = request.messages.iter().position(|m| m.role.is_empty()) {
            return Err(LlmError::invalid(
                format!("messages[{at}].role"),
                "role_missing",
                "a message needs a role: system, user, assistant or tool",
            ));
        }
        if kind == BackendKind::Agent && call.agent_id.is_some() {
            return Err(LlmError::invalid(
                "model",
                "agent_calls_agent",
                "an agent cannot use another agent as its model",
            ));
        }
        let texts: Vec<_> = request.messages.iter().map(Message::text).collect();
        self.check_length("messages", &texts)
    }

    /// Refuses requests longer than `llm.max_request_tokens`, as estimated.
    pub(super) fn check_length(&self, param: &str, texts: &[impl AsRef<str>]) -> Result<(), LlmError> {
        let tokens: u64 = texts.iter().map(|text| estimate_tokens(text.as_ref())).sum();
        let most = self.inner.config.max_request_tokens;
        if tokens > most {
            let text = format!("the request has about {tokens} tokens; the limit is {most}");
            return Err(LlmError::invalid(param, "context_length_exceeded", text));
        }
        Ok(())
    }

    /// The model of a chat alias; each falls back to the other.
    pub(super) fn alias(&self, name: &str) -> Option<&str> {
        self.inner.config.alias(name)
    }

    /// How often a comment is sent on a silent stream.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.inner.config.heartbeat_seconds)
    }

    /// Days since `from` on which models were used, oldest first.
    pub async fn usage_by_day(&self, org: OrgId, from: DateTime<Utc>) -> Result<Vec<UsageByDay>, DbError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let by_day = store::usage_by_day(&mut tx, from).await?;
        tx.commit().await?;
        Ok(by_day)
    }

    /// Use of models by day and by model since `from`.
    pub async fn usage(
        &self,
        org: OrgId,
        from: DateTime<Utc>,
    ) -> Result<(Vec<UsageByDay>, Vec<UsageByModel>), DbError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let by_day = store::usage_by_day(&mut tx, from).await?;
        let by_model = store::usage_by_model(&mut tx, from).await?;
        tx.commit().await?;
        Ok((by_day, by_model))
    }

    /// Cost of all organisations' calls in `[from, until)` by the configured prices, in their currency; `None` if no model has a price.
    pub async fn cost_between(&self, from: DateTime<Utc>, until: DateTime<Utc>) -> Result<Option<f64>, DbError> {
        let prices = Prices::new(&self.inner.config);
        if prices.is_empty() {
            return Ok(None);
        }
        let mut tx = self.inner.db.system().await?;
        let used = store::tokens_by_model(&mut tx, from, until).await?;
        tx.commit().await?;
        Ok(Some(used.iter().map(|tokens| prices.cost_of_tokens(tokens)).sum()))
    }

    /// Tokens used by jobs of one kind since `from`, for budgets.
    pub async fn tokens_of_job(&self, org: OrgId, kind: &str, from: DateTime<Utc>) -> Result<u64, DbError> {
        let mut tx = self.inner.db.tenant(org).await?;
        let tokens = store::tokens_of(&mut tx, &CallContext::job(org, kind).actor, from).await?;
        tx.commit().await?;
        Ok(u64::try_from(tokens).unwrap_or_default())
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.inner.clock
    }
}
