//! `[llm]`

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    time::Duration,
};

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::{adaptation::Adaptation, prices::Price};
use platform::config::{ConfigErrors, secret};

/// Prefixes that a provider cannot have: they belong to other backends.
const RESERVED: [&str; 4] = ["agent", "builtin", "holdfast", "local"];

/// Language models and embeddings.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// A streamed answer without a limit in its request is ended after this many tokens, as estimated here. The limit
    /// is not sent to the server.
    pub max_output_tokens: u32,
    /// Largest accepted conversation, tokens as estimated here.
    pub max_request_tokens: u64,
    /// Largest request body of `/v1`, bytes; includes images in a conversation.
    pub max_body_bytes: usize,
    /// How often a comment is sent on a silent answer stream so that proxies keep it open, seconds.
    pub heartbeat_seconds: u64,
    /// How long usage rows are kept, days.
    pub usage_retention_days: u32,
    pub aliases: Aliases,
    pub embedding: Embedding,
    /// Model servers; the name is the prefix of their models' names: `[llm.providers.openrouter]`.
    pub providers: BTreeMap<String, Provider>,
}

/// Names for agents and clients that do not depend on the provider.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Aliases {
    /// Model of `fast`, as `provider/model`; empty: that of `quality`.
    pub fast: String,
    /// Model of `quality`, as `provider/model`; empty: that of `fast`.
    pub quality: String,
}

/// Model of `embed`, with which knowledge bases are indexed.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Embedding {
    /// `local` (in this process, from `model_dir`) or `provider/model`.
    pub model: String,
    /// Folder with `config.json`, `tokenizer.json` and `model.safetensors`; empty: `models/all-MiniLM-L6-v2` in the data directory.
    pub model_dir: PathBuf,
    /// Prefix of search queries; unset: from the local model's folder.
    pub query_prefix: Option<String>,
    /// Prefix of chunks; unset: from the local model's folder.
    pub passage_prefix: Option<String>,
    /// Dimensions of a provider's vectors; a local model's are read from its files.
    pub dimensions: usize,
    /// Longest text for a provider's model, tokens; a local model's is read from its files.
    pub max_tokens: usize,
    /// Threads of the local model, once for documents and once for queries, which take precedence; 0: the number of
    /// processors.
    pub threads: usize,
    /// How long a chunk's vector is cached after its last use, days.
    pub cache_retention_days: u32,
}

/// One model server.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    #[serde(default)]
    pub kind: ProviderKind,
    /// Up to and including `/v1`: `https://openrouter.ai/api/v1`, `http://localhost:11434/v1`.
    #[serde(serialize_with = "secret::masked_url")]
    pub base_url: String,
    /// Prefer `api_key_file`.
    #[serde(default, serialize_with = "secret::masked")]
    pub api_key: Option<SecretString>,
    /// File that holds the key.
    #[serde(default)]
    pub api_key_file: Option<PathBuf>,
    /// Longest wait for the first byte of an answer, seconds; without streaming, for the whole answer.
    #[serde(default = "default_timeout")]
    pub timeout_seconds: u64,
    /// Longest pause within a streamed answer, seconds.
    #[serde(default = "default_idle_timeout")]
    pub idle_timeout_seconds: u64,
    /// The models to offer; empty: all that the server lists.
    #[serde(default)]
    pub models: Vec<String>,
    /// Known adaptations of requests to this server; others are found when it refuses a request.
    #[serde(default)]
    pub adaptations: Vec<Adaptation>,
    /// Cost of a million tokens by model, for `holdfast_llm_model_cost_total`; without one the provider's own figure
    /// counts.
    #[serde(default)]
    pub prices: BTreeMap<String, Price>,
}

/// Protocol of a model server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// OpenAI's HTTP API: OpenAI, OpenRouter, vLLM, llama.cpp, Ollama, LM Studio, ...
    #[default]
    Openai,
}

fn default_timeout() -> u64 {
    240
}

fn default_idle_timeout() -> u64 {
    60
}

impl Default for Config {
    fn default() -> Self {
        Self {
            max_output_tokens: 32_768,
            max_request_tokens: 200_000,
            max_body_bytes: 20 * 1024 * 1024,
            heartbeat_seconds: 15,
            // More than the 366 days that the usage report covers.
            usage_retention_days: 400,
            aliases: Aliases::default(),
            embedding: Embedding::default(),
            providers: BTreeMap::new(),
        }
    }
}

impl Default for Embedding {
    fn default() -> Self {
        Self {
            model: "local".into(),
            model_dir: PathBuf::new(),
            query_prefix: None,
            passage_prefix: None,
            dimensions: 0,
            max_tokens: 512,
            threads: 0,
            cache_retention_days: 90,
        }
    }
}

impl Embedding {
    pub fn is_local(&self) -> bool {
        self.model == "local"
    }

    /// `threads`, or their default.
    pub fn threads(&self) -> usize {
        if self.threads > 0 { self.threads } else { std::thread::available_parallelism().map_or(2, usize::from) }
    }

    /// `model_dir`, or its default below the data directory.
    pub fn dir(&self, data_dir: &Path) -> PathBuf {
        if self.model_dir.as_os_str().is_empty() {
            data_dir.join("models/all-MiniLM-L6-v2")
        } else {
            data_dir.join(&self.model_dir)
        }
    }
}

impl Provider {
    pub fn timeout(&self) -> Duration {
        Duration::from_secs(self.timeout_seconds)
    }

    pub fn idle_timeout(&self) -> Duration {
        Duration::from_secs(self.idle_timeout_seconds)
    }
}

impl Config {
    /// Reads the keys from their files.
    fn resolve_secrets(&mut self, errors: &mut ConfigErrors) {
        for (name, provider) in &mut self.providers {
            let setting = format!("providers.{name}.api_key_file");
            secret::resolve(&mut provider.api_key, provider.api_key_file.as_deref(), &setting, errors);
        }
    }

    /// Validates the settings and reads the keys from their files.
    pub fn validate(&mut self, errors: &mut ConfigErrors) {
        self.resolve_secrets(errors);
        errors.range("max_output_tokens", self.max_output_tokens, 1, 1_000_000);
        errors.range("max_request_tokens", self.max_request_tokens, 100, 100_000_000);
        errors.range("max_body_bytes", self.max_body_bytes, 1024, 1 << 30);
        errors.range("heartbeat_seconds", self.heartbeat_seconds, 1, 60);
        errors.range("usage_retention_days", self.usage_retention_days, 1, 36_500);
        for (name, provider) in &self.providers {
            provider.validate(name, errors);
        }
        for (setting, target) in [("aliases.fast", &self.aliases.fast), ("aliases.quality", &self.aliases.quality)] {
            if target.is_empty() || target == super::EXTRACTIVE_MODEL {
                continue;
            }
            self.validate_target(setting, target, errors);
            if self.is_embedding_model(target) {
                errors.push(setting, format!("{target} is an embedding model: it returns vectors, not answers"));
            }
        }
        let embedding = &self.embedding;
        errors.range("embedding.threads", embedding.threads, 0, 64);
        errors.range("embedding.cache_retention_days", embedding.cache_retention_days, 1, 36_500);
        if embedding.is_local() {
            if embedding.dimensions != 0 {
                errors.push(
                    "embedding.dimensions",
                    "only for a provider's model: a local model's are read from its files",
                );
            }
        } else {
            self.validate_target("embedding.model", &embedding.model, errors);
            errors.range("embedding.dimensions", embedding.dimensions, 1, 16_000);
            errors.range("embedding.max_tokens", embedding.max_tokens, 16, 1_000_000);
        }
    }

    /// The model of `fast` or `quality`; each falls back to the other.
    pub(super) fn alias(&self, name: &str) -> Option<&str> {
        let (first, second) = match name {
            "fast" => (&self.aliases.fast, &self.aliases.quality),
            "quality" => (&self.aliases.quality, &self.aliases.fast),
            _ => return None,
        };
        [first, second].into_iter().map(String::as_str).find(|target| !target.is_empty())
    }

    /// Models named in the configuration: `(embeds, provider, model)`. Every provider is included, at least with
    /// `other`.
    pub(super) fn named_models(&self) -> Vec<(bool, &str, &str)> {
        let whole = [&self.aliases.fast, &self.aliases.quality, &self.embedding.model];
        let targets = whole.into_iter().filter_map(|target| target.split_once('/'));
        let listed = self.providers.iter().flat_map(|(name, provider)| {
            let models = provider.models.iter().chain(provider.prices.keys()).map(String::as_str);
            models.chain(["other"]).map(move |model| (name.as_str(), model))
        });
        let known = targets.filter(|(provider, _)| self.providers.contains_key(*provider)).chain(listed);
        known
            .map(|(provider, model)| (self.is_embedding_model(&format!("{provider}/{model}")), provider, model))
            .collect()
    }

    /// The configured embedding model, its alias, or a model whose name suggests embeddings (`text-embedding-3-small`,
    /// `nomic-embed-text`): servers list them among the others without telling them apart.
    pub(super) fn is_embedding_model(&self, name: &str) -> bool {
        let own = name.rsplit('/').next().unwrap_or_default().to_lowercase();
        name == super::embeddings::ALIAS || name == self.embedding.model || own.contains("embed")
    }

    /// Whether `name` can answer, as far as the configuration tells: a configured alias, a model of a configured
    /// provider (from its `models`, if set), or `builtin/extractive`.
    pub fn check_chat_model(&self, name: &str) -> Result<(), RefusedModel> {
        let refuse = |code, message: String| Err(RefusedModel { code, message });
        let unknown = |message: String| refuse("model_not_found", format!("{message}; {}", self.known_models()));
        if name == super::EXTRACTIVE_MODEL || self.alias(name).is_some() {
            return Ok(());
        }
        if self.is_embedding_model(name) {
            let text =
                format!("{name} is an embedding model: it returns vectors, not answers; {}", self.known_models());
            return refuse("embedding_model", text);
        }
        match name.split_once('/') {
            Some(("agent", _)) => {
                refuse("agent_calls_agent", "an agent cannot use another agent as its model".to_owned())
            }
            Some((prefix, model)) => match self.providers.get(prefix) {
                None => unknown(format!("there is no provider {prefix:?}")),
                Some(provider) if provider.models.is_empty() || lists(&provider.models, model) => Ok(()),
                Some(_) => unknown(format!("{prefix} offers no model {model:?}")),
            },
            None if matches!(name, "fast" | "quality") => {
                unknown(format!("the alias `{name}` has no model: set llm.aliases.{name}"))
            }
            None => unknown(format!("there is no model {name:?}")),
        }
    }

    /// The names that the configuration knows, for messages.
    fn known_models(&self) -> String {
        let aliases = ["fast", "quality"].into_iter().filter(|a| self.alias(a).is_some()).map(str::to_owned);
        let listed = self.providers.iter().flat_map(|(name, provider)| match provider.models.as_slice() {
            [] => vec![format!("{name}/...")],
            models => models.iter().filter(|m| !self.is_embedding_model(m)).map(|m| format!("{name}/{m}")).collect(),
        });
        there_are(aliases.chain(listed).chain([super::EXTRACTIVE_MODEL.to_owned()]))
    }

    fn validate_target(&self, setting: &str, target: &str, errors: &mut ConfigErrors) {
        match target.split_once('/') {
            Some((provider, model)) if self.providers.contains_key(provider) && !model.is_empty() => {}
            Some((provider, model)) if !model.is_empty() => {
                errors.push(setting, format!("there is no [llm.providers.{provider}]"));
            }
            _ => errors.push(setting, format!("{target:?} is not `provider/model`")),
        }
    }
}

/// Why a model cannot answer for an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedModel {
    pub code: &'static str,
    /// The reason, and the available models.
    pub message: String,
}

/// "there are: a, b and 7 more".
pub(super) fn there_are(names: impl Iterator<Item = String>) -> String {
    const MOST: usize = 12;
    let names: Vec<String> = names.collect();
    let more = match names.len().saturating_sub(MOST) {
        0 => String::new(),
        more => format!(" and {more} more, see GET /v1/models"),
    };
    format!("there are: {}{more}", names[..names.len().min(MOST)].join(", "))
}

/// Whether a list of models contains this one. Ollama's `qwen3` is `qwen3:latest`; `OpenRouter` lists `x` and accepts
/// `x:nitro`, too.
pub(super) fn lists(models: &[String], model: &str) -> bool {
    let base = model.rsplit_once(':').map_or(model, |(base, _)| base);
    models.iter().any(|m| m == model || m == base || m.strip_suffix(":latest") == Some(model))
}

impl Provider {
    fn validate(&self, name: &str, errors: &mut ConfigErrors) {
        let setting = |key: &str| format!("providers.{name}.{key}");
        let plain = !name.is_empty()
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b));
        let at = format!("providers.{name}");
        if !plain {
            errors.push(&at, "a provider's name consists of lower-case letters, digits, - and _");
        } else if RESERVED.contains(&name) {
            let taken = RESERVED.join(", ");
            errors.push(&at, format!("{name:?} is reserved, like all of {taken}: choose another name for the provider, such as \"ollama\""));
        }
        for adaptation in &self.adaptations {
            if adaptation.opposite().is_some_and(|opposite| self.adaptations.contains(&opposite)) {
                errors.push(&setting("adaptations"), "only one of max_tokens and max_completion_tokens is possible");
                break;
            }
        }
        match self.base_url.parse::<axum::http::Uri>() {
            Ok(uri)
                if uri.host().is_some()
                    && matches!(uri.scheme_str(), Some("http" | "https"))
                    && uri.query().is_none() =>
            {
                if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
                    errors.push(&setting("base_url"), "must not hold a password: use api_key_file");
                }
                let ends = ["/chat/completions", "/completions", "/embeddings", "/models", "/responses"];
                let path = uri.path().trim_end_matches('/');
                if let Some(end) = ends.into_iter().find(|end| path.ends_with(end)) {
                    let text = format!("must end with the API's base path, usually /v1: {end} is appended to it");
                    errors.push(&setting("base_url"), text);
                }
            }
            _ => errors.push(&setting("base_url"), "expected an address such as http://localhost:11434/v1"),
        }
        errors.range(&setting("timeout_seconds"), self.timeout_seconds, 1, 3600);
        errors.range(&setting("idle_timeout_seconds"), self.idle_timeout_seconds, 1, 3600);
        for (model, price) in &self.prices {
            if ![price.input, price.output].iter().all(|cost| (0.0..=1e6).contains(cost)) {
                errors.push(
                    &setting("prices"),
                    format!("the price of {model:?} must be between 0 and 1000000 for a million tokens"),
                );
            }
        }
        let mut seen = BTreeSet::new();
        for model in &self.models {
            if model.trim().is_empty() || !seen.insert(model) {
                errors.push(&setting("models"), format!("{model:?} is empty or listed twice"));
            }
        }
    }
}
