//! A provider that speaks OpenAI's HTTP API: OpenAI, OpenRouter, vLLM, llama.cpp, Ollama, LM Studio and many more.

mod failure;
mod stream;

use std::time::Duration;

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{Bytes, BytesMut};
use reqwest::{Method, Response};
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    backend::{ChatStream, ModelBackend},
    config,
    error::{Failure, LlmError},
    model::{BackendKind, CallContext, Embeddings, ModelInfo},
    wire::{ChatRequest, Completion, Original, StreamOptions, Usage},
};
use crate::platform::{http_client::Traced as _, ids::OrgId};

/// Largest whole answer; 2 048 vectors of 3 072 numbers as text are 70 MB, but our batches are smaller.
const MAX_BODY_BYTES: usize = 32 * 1024 * 1024;
/// How long a server's list of models is believed.
const MODELS_LIVE: Duration = Duration::from_mins(1);
/// A list of models that takes longer is not worth the wait.
const MODELS_TIMEOUT: Duration = Duration::from_secs(5);

/// One configured model server.
pub(super) struct Provider {
    name: String,
    config: config::Provider,
    base_url: String,
    http: reqwest::Client,
    /// What the server lists, or the error of the last try: a server that is down is not asked for every request.
    listed: moka::future::Cache<(), Result<Vec<String>, String>>,
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}

/// `GET /models`, as leniently as it comes.
#[derive(Deserialize)]
struct ModelList {
    #[serde(default, alias = "models")]
    data: Vec<Value>,
}

#[derive(Deserialize)]
struct EmbeddingList {
    data: Vec<EmbeddingItem>,
    #[serde(default)]
    usage: Option<Usage>,
}

#[derive(Deserialize)]
struct EmbeddingItem {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Vector {
    Numbers(Vec<f32>),
    Base64(String),
}

impl Provider {
    pub(super) fn new(name: &str, config: config::Provider, http: reqwest::Client) -> Self {
        Self {
            name: name.to_owned(),
            base_url: config.base_url.trim_end_matches('/').to_owned(),
            config,
            http,
            listed: moka::future::Cache::builder().max_capacity(1).time_to_live(MODELS_LIVE).build(),
        }
    }

    /// Asks the server for its models, now.
    pub(super) async fn discover(&self) -> Result<Vec<String>, LlmError> {
        let response = self.send(Method::GET, "/models", None, MODELS_TIMEOUT.min(self.config.timeout())).await?;
        let body = self.read(response, MODELS_TIMEOUT).await?;
        let list: ModelList = serde_json::from_slice(&body)
            .map_err(|e| self.fail(Failure::BadResponse, format!("its list of models is not one: {e}")))?;
        let id =
            |model: &Value| model.get("id").or_else(|| model.get("name")).and_then(Value::as_str).map(str::to_owned);
        Ok(list.data.iter().filter_map(id).collect())
    }

    /// The models to offer: as configured, else as the server lists them.
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

    /// Whether this provider can have the model: false only where it lists models and this one is not among them.
    pub(super) async fn may_have(&self, model: &str) -> bool {
        self.names().await.map_or(true, |names| names.is_empty() || config::lists(&names, model))
    }

    fn is_host(&self, host: &str) -> bool {
        let authority = self.base_url.split("://").nth(1).unwrap_or_default().split('/').next().unwrap_or_default();
        authority == host || authority.ends_with(&format!(".{host}"))
    }

    /// The request as this server wants it.
    fn prepare(&self, model: &str, mut request: ChatRequest) -> Result<Bytes, LlmError> {
        model.clone_into(&mut request.model);
        if self.is_host("openrouter.ai") {
            // Always reports usage; the option is deprecated there and has no effect.
            request.stream_options = None;
        } else if request.stream == Some(true) {
            request.stream_options.get_or_insert_with(StreamOptions::default).include_usage = Some(true);
        }
        // One limit under one name, the newer where a client sends both. OpenAI's reasoning models refuse the older name;
        // elsewhere that is the one that every server knows: Ollama ignores the newer and writes on, Mistral refuses it.
        let most = request.max_completion_tokens.take().or(request.max_tokens.take());
        if self.is_host("api.openai.com") || self.is_host("openai.azure.com") {
            request.max_completion_tokens = most;
        } else {
            request.max_tokens = most;
        }
        serde_json::to_vec(&request)
            .map(Bytes::from)
            .map_err(|e| LlmError::invalid("messages", "invalid_value", e.to_string()))
    }

    /// Sends a request and waits for the head of a good answer.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
        timeout: Duration,
    ) -> Result<Response, LlmError> {
        let mut request = self.http.request(method, format!("{}{path}", self.base_url)).traced();
        if let Some(key) = &self.config.api_key {
            request = request.bearer_auth(key.expose_secret());
        }
        if self.is_host("openrouter.ai") {
            request = request.header("X-OpenRouter-Title", "Holdfast");
        }
        if let Some(body) = body {
            request = request.header(reqwest::header::CONTENT_TYPE, "application/json").body(body);
        }
        let response = match tokio::time::timeout(timeout, request.send()).await {
            Err(_) => {
                return Err(self.fail(Failure::Timeout, format!("it did not answer within {} s", timeout.as_secs())));
            }
            Ok(Err(error)) => return Err(self.broken(&error)),
            Ok(Ok(response)) => response,
        };
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = self.read(response, Duration::from_secs(10)).await.unwrap_or_default();
        Err(failure::refused(&self.name, self.config.api_key.as_ref(), status, &headers, &body))
    }

    /// Reads a whole body.
    async fn read(&self, mut response: Response, timeout: Duration) -> Result<Bytes, LlmError> {
        let mut body = BytesMut::new();
        loop {
            match tokio::time::timeout(timeout, response.chunk()).await {
                Err(_) => {
                    return Err(self.fail(Failure::Timeout, format!("its answer stopped for {} s", timeout.as_secs())));
                }
                Ok(Err(error)) => return Err(self.broken(&error)),
                Ok(Ok(None)) => return Ok(body.freeze()),
                Ok(Ok(Some(part))) if body.len() + part.len() > MAX_BODY_BYTES => {
                    return Err(
                        self.fail(Failure::BadResponse, format!("its answer is larger than {MAX_BODY_BYTES} bytes"))
                    );
                }
                Ok(Ok(Some(part))) => body.extend_from_slice(&part),
            }
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
        let body = self.prepare(model, request)?;
        let response = self.send(Method::POST, "/chat/completions", Some(body), self.config.timeout()).await?;
        let is_json = response
            .headers()
            .get(reqwest::header::CONTENT_TYPE)
            .is_some_and(|v| v.as_bytes().starts_with(b"application/json"));
        if is_json {
            // Some servers answer an error, or everything at once, whatever was asked.
            let body = self.read(response, self.config.idle_timeout()).await?;
            failure::in_body(&self.name, self.config.api_key.as_ref(), &String::from_utf8_lossy(&body))?;
            return Err(self.fail(Failure::BadResponse, "it answered a streaming request with one JSON document"));
        }
        let reader = stream::Reader::new(
            self.name.clone(),
            self.config.api_key.clone(),
            self.config.timeout(),
            self.config.idle_timeout(),
            response,
        );
        Ok(ChatStream::new(reader.chunks()))
    }

    async fn complete(&self, _: &CallContext, model: &str, request: ChatRequest) -> Result<Completion, LlmError> {
        let body = self.prepare(model, request)?;
        let response = self.send(Method::POST, "/chat/completions", Some(body), self.config.timeout()).await?;
        let body = self.read(response, self.config.timeout()).await?;
        let text = String::from_utf8_lossy(&body);
        failure::in_body(&self.name, self.config.api_key.as_ref(), &text)?;
        Original::parse(text.as_ref())
            .map_err(|e| self.fail(Failure::BadResponse, format!("its answer is not a chat completion: {e}")))
    }

    async fn embed(&self, model: &str, texts: &[String], dimensions: Option<usize>) -> Result<Embeddings, LlmError> {
        let mut body = json!({"model": model, "input": texts, "encoding_format": "float"});
        if let Some(dimensions) = dimensions {
            body["dimensions"] = json!(dimensions);
        }
        let response =
            self.send(Method::POST, "/embeddings", Some(body.to_string().into()), self.config.timeout()).await?;
        let body = self.read(response, self.config.timeout()).await?;
        failure::in_body(&self.name, self.config.api_key.as_ref(), &String::from_utf8_lossy(&body))?;
        let list: EmbeddingList = serde_json::from_slice(&body)
            .map_err(|e| self.fail(Failure::BadResponse, format!("its answer is not a list of embeddings: {e}")))?;
        self.in_order(list)
    }
}

impl Provider {
    /// The vectors by their `index`, which some servers do not send in order.
    fn in_order(&self, list: EmbeddingList) -> Result<Embeddings, LlmError> {
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; list.data.len()];
        for (at, item) in list.data.into_iter().enumerate() {
            let vector = match item.embedding {
                Vector::Numbers(numbers) => numbers,
                Vector::Base64(text) => {
                    let bytes = STANDARD
                        .decode(text)
                        .map_err(|e| self.fail(Failure::BadResponse, format!("an embedding is not base64: {e}")))?;
                    super::embeddings::from_bytes(&bytes)
                }
            };
            match vectors.get_mut(item.index.unwrap_or(at)) {
                Some(place @ None) => *place = Some(vector),
                _ => return Err(self.fail(Failure::BadResponse, "the indexes of its embeddings are wrong")),
            }
        }
        Ok(Embeddings { vectors: vectors.into_iter().flatten().collect(), usage: list.usage })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::http_client::HttpClients;

    #[test]
    fn openai_gets_the_newer_name_of_the_limit() {
        let prepared = |base_url: &str| {
            let config = toml::from_str(&format!("base_url = '{base_url}'")).unwrap();
            let provider = Provider::new("p", config, HttpClients::new().unwrap().operator().clone());
            let request = ChatRequest { max_tokens: Some(7), stream: Some(true), ..ChatRequest::default() };
            serde_json::from_slice::<Value>(&provider.prepare("m", request).unwrap()).unwrap()
        };
        let openai = prepared("https://api.openai.com/v1");
        assert_eq!((&openai["max_completion_tokens"], openai.get("max_tokens")), (&json!(7), None));
        let azure = prepared("https://mine.openai.azure.com/openai/v1");
        assert_eq!((&azure["max_completion_tokens"], azure.get("max_tokens")), (&json!(7), None));
        let openrouter = prepared("https://openrouter.ai/api/v1");
        assert_eq!((&openrouter["max_tokens"], openrouter.get("stream_options")), (&json!(7), None));
        assert_eq!(prepared("http://openai.com.example.org/v1")["max_tokens"], 7);
    }
}
