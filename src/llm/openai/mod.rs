//! Providers with OpenAI's HTTP API: OpenAI, OpenRouter, vLLM, llama.cpp, Ollama, LM Studio and many more.

mod adapt;
mod answer;
mod calls;
mod connection;
pub(super) mod exact;
mod failure;
mod mend;
mod prepare;
mod reshape;
mod secrets;
mod stream;
pub(super) mod surrogates;
mod vectors;
mod words;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::{Method, Response};
use serde_json::{Map, Value, json};

use self::{
    adapt::{Adaptations, Learned},
    answer::Shape,
    prepare::Habits,
    secrets::{Secrets, host_of},
};
use super::{
    adaptation::{Adaptation, AdaptedModel},
    backend::{ChatStream, ModelBackend},
    config,
    error::{Failure, LlmError},
    metrics::Metrics,
    model::{BackendKind, CallContext, Embeddings, ModelInfo},
    wire::{ChatRequest, Completion},
};
use platform::ids::OrgId;

/// How long a server's list of models is cached.
const MODELS_LIVE: Duration = Duration::from_mins(1);
/// Timeout of listing models.
const MODELS_TIMEOUT: Duration = Duration::from_secs(5);

/// Most adaptations tried for one request.
const MOST_TRIES: usize = 6;

/// One configured model server.
pub(super) struct Provider {
    name: String,
    config: config::Provider,
    base_url: String,
    host: String,
    secrets: Arc<Secrets>,
    http: reqwest::Client,
    /// The server's list, or the error of the last try: a server that is down is not asked on every request.
    listed: moka::future::Cache<(), Result<Vec<String>, String>>,
    learned: Learned,
    metrics: Metrics,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The names in an answer to `GET /models`, in its variants: OpenAI's `data`; a bare list (Together); llama.cpp sends
/// `data` and, for Ollama's clients, `models`.
fn names_in(list: &Value) -> Option<Vec<String>> {
    let named = |key| list.get(key).and_then(Value::as_array);
    let filled = ["data", "models"].into_iter().filter_map(named).find(|found| !found.is_empty());
    let models = list.as_array().or(filled).or_else(|| named("data")).or_else(|| named("models"))?;
    let name =
        |model: &Value| ["id", "name", "model"].into_iter().find_map(|key| model.get(key)?.as_str().map(str::to_owned));
    Some(models.iter().filter_map(|model| model.as_str().map(str::to_owned).or_else(|| name(model))).collect())
}

impl Provider {
    pub(super) fn new(name: &str, config: config::Provider, http: reqwest::Client, metrics: Metrics) -> Self {
        Self {
            name: name.to_owned(),
            host: host_of(&config.base_url),
            secrets: Arc::new(Secrets::new(config.api_key.clone(), &config.base_url)),
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            config,
            http,
            listed: moka::future::Cache::builder().max_capacity(1).time_to_live(MODELS_LIVE).build(),
            learned: Learned::default(),
            metrics,
        }
    }

    /// Requests the list of models now.
    pub(super) async fn discover(&self) -> Result<Vec<String>, LlmError> {
        let response = self.send(Method::GET, "/models", None, MODELS_TIMEOUT.min(self.config.timeout())).await?;
        let body = self.read(response, MODELS_TIMEOUT).await?;
        let text = String::from_utf8_lossy(&body);
        failure::in_body(&self.name, &self.secrets, &text)?;
        let no_list = || self.fail(Failure::BadResponse, "its list of models cannot be read");
        let list: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).map_err(|_| no_list())?;
        names_in(&list).ok_or_else(no_list)
    }

    /// The models to offer: as configured, else as listed by the server.
    pub(super) async fn names(&self) -> Result<Vec<String>, String> {
        if !self.config.models.is_empty() {
            return Ok(self.config.models.clone());
        }
        self.listed.get_with((), async { self.discover().await.map_err(|e| e.to_string()) }).await
    }

    /// Whether this provider lists the model.
    pub(super) async fn offers(&self, model: &str) -> bool {
        self.names().await.is_ok_and(|names| names.iter().any(|name| name == model))
    }

    /// Whether this provider may have the model: false only if it lists models without this one.
    pub(super) async fn may_have(&self, model: &str) -> bool {
        self.names().await.map_or(true, |names| names.is_empty() || config::lists(&names, model))
    }

    fn is_host(&self, host: &str) -> bool {
        self.host == host || self.host.strip_suffix(host).is_some_and(|before| before.ends_with('.'))
    }

    fn habits(&self) -> Habits {
        Habits {
            // The option is deprecated there and has no effect.
            always_reports_usage: self.is_host("openrouter.ai"),
            newer_limit: self.is_host("api.openai.com") || self.is_host("openai.azure.com"),
        }
    }

    /// Adaptations from the configuration, and those learned for the model.
    fn known(&self, model: &str) -> Adaptations {
        let mut known = self.learned.of(model);
        let fits = |a: &&Adaptation| a.opposite().is_none_or(|opposite| !known.contains(&opposite));
        let configured: Vec<Adaptation> = self.config.adaptations.iter().filter(fits).copied().collect();
        known.extend(configured);
        known
    }

    /// Models with learned adaptations.
    pub(super) fn adapted(&self) -> Vec<AdaptedModel> {
        self.learned.list()
    }

    fn remember(&self, model: &str, adaptation: Adaptation) {
        if self.learned.add(model, adaptation) {
            self.metrics.adapted(adaptation);
            tracing::info!(
                target: "holdfast::llm", provider = self.name, model, adaptation = adaptation.as_str(),
                "learned an adaptation from a provider's refusal; further requests use it"
            );
        }
    }

    /// The request in this server's form.
    fn prepare(&self, model: &str, mut request: ChatRequest, known: &Adaptations) -> Result<Bytes, LlmError> {
        model.clone_into(&mut request.model);
        prepare::prepare(&mut request, self.habits(), known);
        serde_json::to_string(&request)
            .map(|json| Bytes::from(exact::written(json)))
            .map_err(|e| LlmError::invalid("messages", "invalid_value", e.to_string()))
    }

    /// Requests an answer; when the server's refusal calls for an adaptation, retries with it. Adaptations are
    /// remembered once they have worked.
    async fn ask(&self, model: &str, request: &ChatRequest) -> Result<Response, LlmError> {
        let (mut known, mut learned) = (self.known(model), Vec::new());
        loop {
            let body = self.prepare(model, request.clone(), &known)?;
            let error = match self.send(Method::POST, "/chat/completions", Some(body), self.config.timeout()).await {
                Ok(response) => {
                    for adaptation in learned {
                        self.remember(model, adaptation);
                    }
                    return Ok(response);
                }
                Err(error) => error,
            };
            let LlmError::Refused(refusal) = &error else { return Err(error) };
            let remedy = adapt::remedy(refusal, request, &known, self.habits().newer_limit);
            let Some(remedy) = remedy.filter(|r| learned.len() < MOST_TRIES && !learned.contains(r)) else {
                return Err(error);
            };
            known.extend([remedy]);
            if let Some(opposite) = remedy.opposite() {
                known.remove(&opposite);
            }
            learned.push(remedy);
        }
    }

    fn fail(&self, failure: Failure, message: impl Into<String>) -> LlmError {
        LlmError::Provider { provider: self.name.clone(), failure, message: message.into(), retry_after: None }
    }

    fn broken(&self, error: &reqwest::Error) -> LlmError {
        failure::transport(&self.name, error)
    }
}

#[async_trait]
impl ModelBackend for Provider {
    fn kind(&self) -> BackendKind {
        BackendKind::Openai
    }

    async fn models(&self, _: OrgId) -> Result<Vec<ModelInfo>, LlmError> {
        let names = self.names().await.map_err(|e| self.fail(Failure::Unreachable, e))?;
        Ok(names
            .iter()
            .map(|name| ModelInfo { id: format!("{}/{name}", self.name), owned_by: self.name.clone() })
            .collect())
    }

    async fn stream(&self, _: &CallContext, model: &str, request: ChatRequest) -> Result<ChatStream, LlmError> {
        let response = self.ask(model, &request).await?;
        match self.look(response).await? {
            Shape::Events(response) => Ok(self.events(response)),
            Shape::Document(body) => {
                let whole = self.completion(&body)?;
                let chunks = reshape::unroll(whole.body().clone());
                Ok(ChatStream::new(futures::stream::iter(chunks.into_iter().map(Ok))))
            }
        }
    }

    async fn complete(&self, _: &CallContext, model: &str, request: ChatRequest) -> Result<Completion, LlmError> {
        let response = self.ask(model, &request).await?;
        match self.look(response).await? {
            Shape::Events(response) => self.events(response).collect().await,
            Shape::Document(body) => self.completion(&body),
        }
    }

    async fn embed(&self, model: &str, texts: &[String], more: &Map<String, Value>) -> Result<Embeddings, LlmError> {
        self.embed_input(model, json!(texts), more).await
    }

    async fn embed_tokens(
        &self,
        model: &str,
        tokens: &[Vec<u32>],
        more: &Map<String, Value>,
    ) -> Result<Embeddings, LlmError> {
        self.embed_input(model, json!(tokens), more).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use platform::http_client::HttpClients;

    fn provider(base_url: &str) -> Provider {
        let config = toml::from_str(&format!("base_url = '{base_url}'")).unwrap();
        let metrics = Metrics::register(&mut prometheus_client::registry::Registry::default());
        Provider::new("p", config, HttpClients::new().unwrap().operator().clone(), metrics)
    }

    #[test]
    fn a_number_beyond_64_bits_is_sent_as_it_came() {
        let request =
            r#"{"model":"x","messages":[],"seed":18446744073709551617,"metadata":{"id":-9223372036854775809}}"#;
        let request: ChatRequest = serde_json::from_str(&exact::kept(request)).unwrap();
        let sent = provider("http://localhost/v1").prepare("m", request, &Adaptations::new()).unwrap();
        let sent = std::str::from_utf8(&sent).unwrap();
        assert!(sent.contains(r#""seed":18446744073709551617,"metadata":{"id":-9223372036854775809}"#), "{sent}");
    }

    #[test]
    fn openai_gets_the_newer_name_of_the_limit() {
        let prepared = |base_url: &str| {
            let provider = provider(base_url);
            let request = ChatRequest { max_tokens: Some(7), stream: Some(true), ..ChatRequest::default() };
            serde_json::from_slice::<Value>(&provider.prepare("m", request, &provider.known("m")).unwrap()).unwrap()
        };
        let openai = prepared("https://api.openai.com/v1");
        assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&json!(7), None));
        let azure = prepared("https://mine.openai.azure.com/openai/v1");
        assert_eq!((&azure["max_completion_tokens"], azure.get("max_tokens")), (&json!(7), None));
        for unusual in ["https://API.OPENAI.COM/v1", "https://api.openai.com:443/v1/"] {
            assert_eq!(prepared(unusual)["max_completion_tokens"], 7, "{unusual}");
        }
        let openrouter = prepared("https://openrouter.ai:443/api/v1");
        assert_eq!((&openrouter["max_tokens"], openrouter.get("stream_options")), (&json!(7), None));
        assert_eq!(prepared("http://openai.com.example.org/v1")["max_tokens"], 7);
        assert_eq!(prepared("http://notapi.openai.com/v1")["max_tokens"], 7);
    }

    #[test]
    fn models_are_found_in_every_shape_of_their_list() {
        for (list, expected) in [
            (json!({"object": "list", "data": [{"id": "a"}, {"id": "b/c"}]}), Some(vec!["a", "b/c"])),
            (
                json!({"models": [{"name": "a", "model": "a"}], "object": "list", "data": [{"id": "a"}]}),
                Some(vec!["a"]),
            ),
            (json!([{"id": "a", "type": "chat"}]), Some(vec!["a"])),
            (json!({"models": [{"name": "a"}, {"model": "b"}]}), Some(vec!["a", "b"])),
            (json!({"data": ["a"]}), Some(vec!["a"])),
            (json!({"data": null, "models": []}), Some(vec![])),
            (json!({"object": "list", "data": []}), Some(vec![])),
            (json!({"detail": "x"}), None),
            (json!("x"), None),
        ] {
            let found = names_in(&list);
            assert_eq!(found, expected.map(|names| names.into_iter().map(str::to_owned).collect()), "{list}");
        }
    }
}
