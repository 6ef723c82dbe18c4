//! What can go wrong, as problem+json for `/api/v1` and in OpenAI's shape for `/v1`.

use std::time::Duration;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{embed::EmbedError, model::Outcome};
use crate::platform::{
    db::DbError,
    error::{ApiError, FieldError, ResponseError},
    pools::WorkLost,
};

/// A call to a model failed.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    #[error("there is no model {0:?} here; GET /v1/models lists what there is")]
    UnknownModel(String),
    /// The request cannot be served as it is. `param` as OpenAI writes it: `messages[0].content`.
    #[error("{message}")]
    Invalid { param: String, code: &'static str, message: String },
    #[error("there is no provider {0:?} in the configuration")]
    UnknownProvider(String),
    /// The provider of the model failed; `message` holds no secret.
    #[error("provider {provider}: {message}")]
    Provider { provider: String, failure: Failure, message: String, retry_after: Option<Duration> },
    /// The in-process embedding model is missing or broken.
    #[error("the embedding model cannot be used")]
    EmbeddingModel(#[from] EmbedError),
    /// The index was built with another embedding model than the one configured now.
    #[error(
        "the vectors were made by {wanted}, but the configured embedding model is {configured}: build the index again"
    )]
    OtherEmbeddingModel { wanted: String, configured: String },
    #[error("the embedding pool failed")]
    Work(#[from] WorkLost),
    #[error("the embedding cache cannot be reached")]
    Db(#[from] DbError),
    /// From a backend above, with a mapping of its own.
    #[error("{0}")]
    Api(ApiError),
}

/// How a provider failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It refused our key.
    Auth,
    /// Our account there has no credit.
    Billing,
    RateLimited,
    /// It answered 5xx, or reported an error in the stream.
    Server,
    Unreachable,
    Timeout,
    /// The stream broke off before its end.
    Cut,
    /// Its answer is not what the protocol says.
    BadResponse,
    /// It found fault with the request.
    Rejected,
    ModelNotFound,
}

impl Failure {
    /// Status and stable code for our client.
    pub fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::Auth => (StatusCode::BAD_GATEWAY, "provider_auth"),
            Self::Billing => (StatusCode::BAD_GATEWAY, "provider_billing"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "provider_rate_limited"),
            Self::Server => (StatusCode::BAD_GATEWAY, "provider_error"),
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "provider_unreachable"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "provider_timeout"),
            Self::Cut => (StatusCode::BAD_GATEWAY, "provider_stream_cut"),
            Self::BadResponse => (StatusCode::BAD_GATEWAY, "provider_bad_response"),
            Self::Rejected => (StatusCode::BAD_REQUEST, "provider_rejected"),
            Self::ModelNotFound => (StatusCode::NOT_FOUND, "model_not_found"),
        }
    }
}

impl Failure {
    /// What the operator can do about it.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Auth => "check the provider's api_key_file: the key is wrong, has ended or may not use this model",
            Self::Billing => "add credit to the account at the provider",
            Self::RateLimited => "wait, or raise the limit of the account at the provider",
            Self::Server => "the fault is at the provider: look at its log or its status page",
            Self::Unreachable => "check base_url, that the server runs, and the network and firewall between",
            Self::Timeout => {
                "see whether the server is overloaded or still loads its model; timeout_seconds can be raised"
            }
            Self::Cut => "the server ended its answer early: look at its log, and at proxies between",
            Self::BadResponse => "base_url must be that of an OpenAI-compatible API, usually ending in /v1",
            Self::Rejected => "the server refuses the request: its reason stands above",
            Self::ModelNotFound => "check the model's name and that base_url ends where the API begins, usually /v1",
        }
    }
}

impl LlmError {
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), code, message: message.into() }
    }

    /// How the usage row and the metrics call it.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownModel(_)
            | Self::Invalid { .. }
            | Self::UnknownProvider(_)
            | Self::OtherEmbeddingModel { .. } => Outcome::ClientError,
            Self::Provider { failure, .. } => match failure {
                Failure::RateLimited => Outcome::RateLimited,
                Failure::Timeout => Outcome::Timeout,
                Failure::Rejected | Failure::ModelNotFound => Outcome::ClientError,
                _ => Outcome::ProviderError,
            },
            // An agent's model that answered with no answer.
            Self::Api(e) if e.code.starts_with("answer_") => Outcome::ProviderError,
            Self::Api(e) if e.status == StatusCode::TOO_MANY_REQUESTS => Outcome::RateLimited,
            Self::Api(e) if e.status.is_client_error() => Outcome::ClientError,
            Self::Api(e) if matches!(e.code.as_ref(), "provider_timeout") => Outcome::Timeout,
            Self::EmbeddingModel(_) | Self::Work(_) | Self::Db(_) | Self::Api(_) => Outcome::InternalError,
        }
    }
}

impl From<ApiError> for LlmError {
    fn from(error: ApiError) -> Self {
        Self::Api(error)
    }
}

impl From<LlmError> for ApiError {
    fn from(error: LlmError) -> Self {
        let text = error.to_string();
        match error {
            LlmError::UnknownModel(_) => {
                Self { errors: vec![FieldError::new("/model", "model_not_found", text.clone())], ..Self::new(StatusCode::NOT_FOUND, "model_not_found", text) }
            }
            LlmError::UnknownProvider(_) => Self::new(StatusCode::NOT_FOUND, "provider_not_found", text),
            LlmError::Invalid { param, code, .. } => {
                Self { errors: vec![FieldError::new(pointer(&param), code, text.clone())], ..Self::bad_request(code, text) }
            }
            LlmError::Provider { failure, retry_after, .. } => {
                let (status, code) = failure.status();
                Self { retry_after, ..Self::new(status, code, text) }
            }
            LlmError::OtherEmbeddingModel { .. } => Self::conflict("embedding_model_changed", text),
            LlmError::EmbeddingModel(source) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "embedding_model_unavailable",
                "the embedding model cannot be used on this server; its operator finds the reason with `holdfast doctor`",
            )
            .with_source(source),
            LlmError::Work(source) => Self::internal(source),
            LlmError::Db(source) => source.into(),
            LlmError::Api(error) => error,
        }
    }
}

/// `messages[0].content` -> `/messages/0/content`.
fn pointer(param: &str) -> String {
    format!("/{}", param.replace('[', "/").replace(']', "").replace('.', "/"))
}

/// `/messages/0/content` -> `messages[0].content`.
fn param(pointer: &str) -> Option<String> {
    let mut out = String::new();
    for part in pointer.split('/').filter(|p| !p.is_empty() && *p != "?") {
        if part.parse::<usize>().is_ok() {
            out.extend(["[", part, "]"]);
        } else {
            out.extend([if out.is_empty() { "" } else { "." }, part]);
        }
    }
    (!out.is_empty()).then_some(out)
}

/// An error on the `/v1` surface: `{"error": {"message", "type", "param", "code"}}`.
#[derive(Debug)]
pub struct OpenAiError(pub ApiError);

impl<E: Into<ApiError>> From<E> for OpenAiError {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl OpenAiError {
    /// The body; also sent as an event when a stream fails.
    pub fn body(&self) -> Value {
        let error = &self.0;
        let kind = match error.status {
            StatusCode::UNAUTHORIZED => "authentication_error",
            StatusCode::FORBIDDEN => "permission_error",
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            s if s.is_client_error() => "invalid_request_error",
            _ => "server_error",
        };
        let param = error.errors.first().and_then(|field| param(&field.pointer));
        json!({"error": {"message": error.detail, "type": kind, "param": param, "code": error.code}})
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, axum::Json(self.body())).into_response();
        if let Some(after) = self.0.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let chain = self.0.source.as_ref().map(|s| format!("{s:#}"));
        response.extensions_mut().insert(ResponseError { code: self.0.code, detail: self.0.detail, chain });
        response
    }
}
