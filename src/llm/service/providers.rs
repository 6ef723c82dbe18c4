//! The configured providers, and their test with advice on failures.

use std::time::Duration;

use futures::StreamExt as _;
use serde::Serialize;
use tokio::time::Instant;
use utoipa::ToSchema;

use super::Llm;
use crate::{
    adaptation::{Adaptation, AdaptedModel},
    config::ProviderKind,
    error::{Failure, LlmError},
    model::CallContext,
    wire::{ChatRequest, Message},
};
use platform::{config::secret, error::ApiError, ids::OrgId};

/// Timeout of a test's answer: a server may have to load the model first.
const TEST_TIMEOUT: Duration = Duration::from_mins(1);

/// A provider as configured, without its key.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderInfo {
    pub name: String,
    pub kind: ProviderKind,
    /// Without credentials.
    pub base_url: String,
    pub has_api_key: bool,
    /// Empty: all that the server lists are offered.
    pub models: Vec<String>,
    pub timeout_seconds: u64,
    pub idle_timeout_seconds: u64,
    /// Configured adaptations.
    pub adaptations: Vec<Adaptation>,
    /// Models with learned adaptations, since this process started.
    pub adapted: Vec<AdaptedModel>,
}

/// Result of a provider's test.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProviderTest {
    /// The server lists its models, and one of them answered.
    pub ok: bool,
    /// The models listed by the server.
    pub models: Vec<String>,
    /// Time to list them, milliseconds.
    pub latency_ms: u64,
    /// Why they cannot be listed.
    pub error: Option<TestError>,
    /// The one-token answer; null when no model to ask is known.
    pub chat: Option<ChatTest>,
}

/// A one-token answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ChatTest {
    pub ok: bool,
    /// The requested model.
    pub model: String,
    /// The model named in the answer; empty if the server names none.
    pub answered_by: String,
    /// Time of the whole answer, milliseconds.
    pub latency_ms: u64,
    /// Time to the first token, milliseconds.
    pub first_token_ms: Option<u64>,
    pub error: Option<TestError>,
}

/// What went wrong, with advice for the operator.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct TestError {
    /// The code for clients of `/v1`.
    pub code: String,
    pub detail: String,
    pub advice: &'static str,
}

impl TestError {
    fn new(error: LlmError) -> Self {
        let failure = error.failure();
        let ApiError { code, detail, .. } = error.into();
        Self { code: code.into_owned(), detail, advice: failure.map_or("see the server's log", Failure::advice) }
    }
}

impl Llm {
    /// The configured providers, without their secrets.
    pub fn providers(&self) -> Vec<ProviderInfo> {
        let describe = |(name, provider): (&String, &crate::config::Provider)| ProviderInfo {
            name: name.clone(),
            kind: provider.kind,
            base_url: secret::safe_url(&provider.base_url),
            has_api_key: provider.api_key.is_some(),
            models: provider.models.clone(),
            timeout_seconds: provider.timeout_seconds,
            idle_timeout_seconds: provider.idle_timeout_seconds,
            adaptations: provider.adaptations.clone(),
            adapted: self.inner.providers.get(name).map(|p| p.adapted()).unwrap_or_default(),
        };
        self.inner.config.providers.iter().map(describe).collect()
    }

    /// Asks a provider for its list of models: whether it can be used, without a request that costs.
    pub async fn reach_provider(&self, name: &str) -> Result<(), LlmError> {
        let provider = self.inner.providers.get(name).ok_or_else(|| LlmError::UnknownProvider(name.to_owned()))?;
        provider.discover().await.map(drop)
    }

    /// Requests a provider's list of models, and one token from one of them (`model` without the provider's prefix, or
    /// the one most likely used). Failures are in the result.
    pub async fn test_provider(
        &self,
        org: OrgId,
        actor: &str,
        name: &str,
        model: Option<&str>,
    ) -> Result<ProviderTest, LlmError> {
        let provider = self.inner.providers.get(name).ok_or_else(|| LlmError::UnknownProvider(name.to_owned()))?;
        let started = Instant::now();
        let listed = provider.discover().await;
        let latency_ms = millis(started);
        let (models, error) = match listed {
            Ok(models) => (models, None),
            Err(error) => (Vec::new(), Some(TestError::new(error))),
        };
        let model = model.map(str::to_owned).or_else(|| self.model_to_test(name, &models));
        let chat = match model {
            Some(model) => Some(self.test_chat(org, actor, name, model).await),
            None => None,
        };
        let ok = error.is_none() && chat.as_ref().is_none_or(|chat| chat.ok);
        Ok(ProviderTest { ok, models, latency_ms, error, chat })
    }

    /// The model of `fast` or `quality`, else the first configured or listed one.
    fn model_to_test(&self, provider: &str, listed: &[String]) -> Option<String> {
        let config = &self.inner.config;
        let behind = |alias| config.alias(alias)?.strip_prefix(provider)?.strip_prefix('/').map(str::to_owned);
        let named = config.providers.get(provider).map(|p| p.models.as_slice()).unwrap_or_default();
        let first = named.iter().chain(listed).find(|model| !config.is_embedding_model(model));
        behind("fast").or_else(|| behind("quality")).or_else(|| first.cloned())
    }

    async fn test_chat(&self, org: OrgId, actor: &str, provider: &str, model: String) -> ChatTest {
        let call = CallContext { actor: actor.to_owned(), ..CallContext::job(org, "test") };
        let name = format!("{provider}/{model}");
        let request = ChatRequest { max_tokens: Some(1), ..ChatRequest::new(name, vec![Message::user("Hi")]) };
        let started = Instant::now();
        let mut test =
            ChatTest { ok: false, model, answered_by: String::new(), latency_ms: 0, first_token_ms: None, error: None };
        let answer = tokio::time::timeout(TEST_TIMEOUT, async {
            let mut stream = self.chat(call, request).await?;
            while let Some(chunk) = stream.next().await {
                let chunk = chunk?;
                let body = chunk.body();
                if test.answered_by.is_empty() {
                    test.answered_by.clone_from(&body.model);
                }
                if body.choices.iter().any(|choice| choice.delta.says_something()) {
                    test.first_token_ms.get_or_insert_with(|| millis(started));
                }
            }
            Ok::<_, LlmError>(())
        });
        let error = match answer.await {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error),
            Err(_) => Some(LlmError::Provider {
                provider: provider.to_owned(),
                failure: Failure::Timeout,
                message: format!("it did not answer within {} s", TEST_TIMEOUT.as_secs()),
                retry_after: None,
            }),
        };
        ChatTest { ok: error.is_none(), latency_ms: millis(started), error: error.map(TestError::new), ..test }
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}
