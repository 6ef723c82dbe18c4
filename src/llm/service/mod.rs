//! [`Llm`]: resolves a model's name, checks the request, calls the backend and meters the answer.

mod providers;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, Utc};
use tokio::sync::OnceCell;
use tracing::Instrument as _;

use super::{
    backend::{ChatStream, ModelBackend},
    config::{Config, RefusedModel, there_are},
    embed::LocalEmbedder,
    embeddings::QueryCache,
    error::LlmError,
    extractive::{self, Extractive},
    lanes::Lanes,
    metrics::Metrics,
    model::{BackendKind, CallContext, EmbedModel, ModelInfo, Operation, estimate_tokens},
    openai::Provider,
    runaway,
    store::{self, UsageByDay, UsageByModel},
    usage::{Meter, Recorder, Target},
    wire::{ChatRequest, Completion, Message},
};
pub use providers::{ChatTest, ProviderInfo, ProviderTest, TestError};

use crate::platform::{
    clock::Clock,
    db::{Db, DbError},
    http_client::HttpClients,
    ids::OrgId,
    lifecycle::Lifecycle,
};

/// Characters; it stands in usage rows and log lines.
const LONGEST_MODEL_NAME: usize = 200;

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
    /// By the part of a model's name before the slash.
    backends: RwLock<BTreeMap<String, Arc<dyn ModelBackend>>>,
    pub providers: BTreeMap<String, Arc<Provider>>,
    /// Loaded when first used: an installation that embeds elsewhere does not pay its memory.
    pub local_model: OnceCell<EmbedModel>,
    pub local: OnceCell<Arc<LocalEmbedder>>,
    pub lanes: Lanes,
    pub query_cache: QueryCache,
}

impl std::fmt::Debug for Llm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Llm").finish_non_exhaustive()
    }
}

/// Where a model's name leads.
pub(super) struct Route {
    backend: Arc<dyn ModelBackend>,
    prefix: String,
    model: String,
    alias: Option<String>,
}

impl Route {
    /// Vectors as the backend gives them.
    pub(super) async fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, LlmError> {
        Ok(self.backend.embed(&self.model, texts, None).await?.vectors)
    }

    fn target(&self, operation: Operation) -> Target {
        Target {
            operation,
            kind: self.backend.kind(),
            provider: self.prefix.clone(),
            model: self.model.clone(),
            alias: self.alias.clone(),
        }
    }
}

impl Llm {
    /// Starts the gateway: connects to nobody yet, and starts the task that writes usage rows.
    pub fn new(deps: Deps) -> Self {
        let Deps { config, data_dir, clock, db, http, metrics, lifecycle } = deps;
        let providers: BTreeMap<String, Arc<Provider>> = config
            .providers
            .iter()
            .map(|(name, provider)| {
                let (config, http) = (provider.clone(), http.operator().clone());
                (name.clone(), Arc::new(Provider::new(name, config, http, metrics.clone())))
            })
            .collect();
        let mut backends: BTreeMap<String, Arc<dyn ModelBackend>> = BTreeMap::new();
        backends.insert(extractive::PREFIX.to_owned(), Arc::new(Extractive::new(clock.clone())));
        for (name, provider) in &providers {
            backends.insert(name.clone(), provider.clone());
        }
        let recorder = Recorder::start(db.clone(), clock.clone(), metrics.clone(), &lifecycle);
        let inner = Inner {
            embedding_dir: config.embedding.dir(&data_dir),
            lanes: Lanes::new(config.embedding.threads()),
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

    /// Lets `backend` answer for `<prefix>/...`.
    pub fn register(&self, prefix: &str, backend: Arc<dyn ModelBackend>) {
        self.inner.backends.write().unwrap_or_else(PoisonError::into_inner).insert(prefix.to_owned(), backend);
    }

    /// The model for agents that name none: behind `quality` or `fast`, else the first that a provider's configuration
    /// lists, else `builtin/extractive`.
    pub fn default_model(&self) -> String {
        let config = &self.inner.config;
        let listed = config.providers.iter().find_map(|(name, provider)| {
            Some(format!("{name}/{}", provider.models.iter().find(|m| !config.is_embedding_model(m))?))
        });
        self.alias("quality").map(str::to_owned).or(listed).unwrap_or_else(|| extractive::MODEL.to_owned())
    }

    /// Answers in chunks. The call is metered until the stream has ended or is dropped.
    pub async fn chat(&self, call: CallContext, mut request: ChatRequest) -> Result<ChatStream, LlmError> {
        let (route, mut meter) = self.begin(&call, &mut request, true).await?;
        request.stream = Some(true);
        let span = meter.span().clone();
        let unlimited = request.max_tokens.is_none() && request.max_completion_tokens.is_none();
        let most = (unlimited && route.backend.kind() == BackendKind::Openai)
            .then(|| u64::from(self.inner.config.max_output_tokens));
        match route.backend.stream(&call, &route.model, request).instrument(span).await {
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
        let result = route.backend.complete(&call, &route.model, request).instrument(span).await;
        match &result {
            Ok(completion) => {
                meter.see_whole(completion.body());
                meter.succeeded();
            }
            Err(error) => meter.failed(error),
        }
        result
    }

    /// Resolves the model and checks the request; from here on the call is metered.
    async fn begin(
        &self,
        call: &CallContext,
        request: &mut ChatRequest,
        streamed: bool,
    ) -> Result<(Route, Meter), LlmError> {
        if request.model == super::embeddings::ALIAS {
            let text = "`embed` makes vectors, not answers: it is for POST /v1/embeddings";
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
            return Err(LlmError::invalid("messages", "messages_empty", "a conversation has at least one message"));
        }
        if let Some(at) = request.messages.iter().position(|m| m.role.is_empty()) {
            return Err(LlmError::invalid(
                format!("messages[{at}].role"),
                "role_missing",
                "a message has a role: system, user, assistant or tool",
            ));
        }
        if kind == BackendKind::Agent && call.agent_id.is_some() {
            return Err(LlmError::invalid("model", "agent_calls_agent", "an agent's model cannot be another agent"));
        }
        let texts: Vec<_> = request.messages.iter().map(Message::text).collect();
        self.check_length("messages", &texts)
    }

    /// Refuses what is longer than `llm.max_request_tokens`, as estimated.
    pub(super) fn check_length(&self, param: &str, texts: &[impl AsRef<str>]) -> Result<(), LlmError> {
        let tokens: u64 = texts.iter().map(|text| estimate_tokens(text.as_ref())).sum();
        let most = self.inner.config.max_request_tokens;
        if tokens > most {
            let text = format!("the request has about {tokens} tokens, at most {most} are accepted");
            return Err(LlmError::invalid(param, "context_length_exceeded", text));
        }
        Ok(())
    }

    /// What a chat alias stands for; either stands in for the other.
    pub(super) fn alias(&self, name: &str) -> Option<&str> {
        self.inner.config.alias(name)
    }

    fn backend(&self, prefix: &str) -> Option<Arc<dyn ModelBackend>> {
        self.inner.backends.read().unwrap_or_else(PoisonError::into_inner).get(prefix).cloned()
    }

    /// As [`Self::route`]; an unknown name is answered with those that there are.
    async fn route_of(&self, org: OrgId, requested: &str) -> Result<Route, LlmError> {
        match self.route(requested).await {
            Err(LlmError::UnknownModel(name)) => Err(self.no_such_model(org, name).await),
            found => found,
        }
    }

    /// The error for a name that nobody has.
    pub(super) async fn no_such_model(&self, org: OrgId, name: String) -> LlmError {
        let models = self.models(org).await;
        LlmError::NoSuchModel { name, models: there_are(models.into_iter().map(|model| model.id)) }
    }

    /// Resolves an alias, `prefix/model`, or a bare name that exactly one provider offers.
    pub(super) async fn route(&self, requested: &str) -> Result<Route, LlmError> {
        if requested.chars().count() > LONGEST_MODEL_NAME || requested.contains(char::is_control) {
            let text =
                format!("a model's name has at most {LONGEST_MODEL_NAME} characters, none of them a control character");
            return Err(LlmError::invalid("model", "model_not_found", text));
        }
        let alias = matches!(requested, "fast" | "quality").then(|| requested.to_owned());
        let name = match &alias {
            Some(alias) => self.alias(alias).ok_or_else(|| {
                LlmError::invalid(
                    "model",
                    "alias_not_configured",
                    format!("no model stands behind `{alias}` yet: set llm.aliases.{alias}"),
                )
            })?,
            None => requested,
        };
        if let Some((prefix, model)) = name.split_once('/')
            && let Some(backend) = self.backend(prefix)
        {
            return Ok(Route { backend, prefix: prefix.to_owned(), model: model.to_owned(), alias });
        }
        let mut offering = Vec::new();
        for (prefix, provider) in &self.inner.providers {
            if provider.offers(name).await {
                offering.push((prefix, provider));
            }
        }
        match offering.as_slice() {
            [(prefix, provider)] => {
                let backend: Arc<dyn ModelBackend> = (*provider).clone();
                Ok(Route { backend, prefix: (*prefix).clone(), model: name.to_owned(), alias })
            }
            [] => Err(LlmError::UnknownModel(requested.to_owned())),
            many => {
                let names: Vec<String> = many.iter().map(|(prefix, _)| format!("{prefix}/{name}")).collect();
                Err(LlmError::invalid(
                    "model",
                    "model_ambiguous",
                    format!("several providers offer {name}; say which: {}", names.join(", ")),
                ))
            }
        }
    }

    /// A route for embeddings through a provider, with its meter.
    pub(super) async fn begin_embedding(
        &self,
        call: &CallContext,
        model: &str,
        alias: Option<&str>,
    ) -> Result<(Arc<dyn ModelBackend>, String, Meter), LlmError> {
        let mut route = self.route_of(call.org_id, model).await?;
        route.alias = alias.map(str::to_owned);
        let meter = Meter::new(&self.inner.recorder, call, route.target(Operation::Embedding), false);
        Ok((route.backend, route.model, meter))
    }

    /// Every model that this organisation may ask for. A provider that does not answer is left out, and logged.
    pub async fn models(&self, org: OrgId) -> Vec<ModelInfo> {
        let own = |id: &str| ModelInfo { id: id.to_owned(), owned_by: "holdfast".to_owned() };
        let mut models: Vec<ModelInfo> =
            ["fast", "quality"].into_iter().filter(|a| self.alias(a).is_some()).map(own).collect();
        models.push(own("embed"));
        let backends: Vec<_> = {
            let backends = self.inner.backends.read().unwrap_or_else(PoisonError::into_inner);
            backends.iter().map(|(prefix, backend)| (prefix.clone(), backend.clone())).collect()
        };
        let lists = futures::future::join_all(backends.iter().map(|(_, backend)| backend.models(org))).await;
        for ((prefix, _), list) in backends.iter().zip(lists) {
            match list {
                Ok(list) => models.extend(list),
                Err(error) => {
                    tracing::warn!(provider = prefix, error = %anyhow::Error::from(error), "models cannot be listed");
                }
            }
        }
        models
    }

    /// The models that an agent may use: no agents, and nothing that only embeds. A provider that is away is left out.
    pub async fn chat_models(&self) -> Vec<String> {
        let inner = &self.inner;
        let lists = inner.providers.iter().map(|(name, provider)| async move {
            let names = provider.names().await.unwrap_or_default();
            names.iter().map(|model| format!("{name}/{model}")).collect::<Vec<_>>()
        });
        let listed = futures::future::join_all(lists).await.into_iter().flatten();
        let aliases = ["fast", "quality"].into_iter().filter(|a| self.alias(a).is_some()).map(str::to_owned);
        let own = [extractive::MODEL.to_owned()];
        aliases.chain(listed.filter(|id| !inner.config.is_embedding_model(id))).chain(own).collect()
    }

    /// Whether an agent can use the model: as the configuration says, and as its provider lists. A provider that cannot be
    /// asked is believed to have it.
    pub async fn check_chat_model(&self, name: &str) -> Result<(), RefusedModel> {
        let config = &self.inner.config;
        let known = match config.check_chat_model(name) {
            Ok(()) => self.is_listed(config.alias(name).unwrap_or(name)).await,
            Err(refused) if refused.code == "model_not_found" => false,
            Err(refused) => return Err(refused),
        };
        if known {
            return Ok(());
        }
        let models = there_are(self.chat_models().await.into_iter());
        Err(RefusedModel { code: "model_not_found", message: format!("there is no model {name:?}; {models}") })
    }

    async fn is_listed(&self, name: &str) -> bool {
        match name.split_once('/').and_then(|(prefix, model)| Some((self.inner.providers.get(prefix)?, model))) {
            Some((provider, model)) => provider.may_have(model).await,
            None => true,
        }
    }

    /// How often a comment is sent on a quiet stream.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_secs(self.inner.config.heartbeat_seconds)
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

    /// Tokens that jobs of one kind have taken since `from`: what a budget is held against.
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
