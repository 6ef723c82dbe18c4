//! Errors, as problem+json for `/api/v1` and in OpenAI's format for `/v1`.

use std::time::Duration;

use axum::{
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{embed::EmbedError, model::Outcome};
use platform::{
    db::DbError,
    error::{ApiError, FieldError, ResponseError, Upstream},
    label_enum,
    pools::WorkLost,
};

/// A call to a model failed.
#[derive(Debug, thiserror::Error)]
pub enum LlmError {
    #[error("there is no model {0:?} here; GET /v1/models lists the available ones")]
    UnknownModel(String),
    /// The same, with the available names.
    #[error("there is no model {name:?} here; {models}")]
    NoSuchModel { name: String, models: String },
    /// The request cannot be served. `param` as OpenAI writes it: `messages[0].content`.
    #[error("{message}")]
    Invalid { param: String, code: &'static str, message: String },
    #[error("there is no provider {0:?} in the configuration")]
    UnknownProvider(String),
    /// The model's provider failed; `message` contains no secrets.
    #[error("provider {provider}: {message}")]
    Provider { provider: String, failure: Failure, message: String, retry_after: Option<Duration> },
    /// The provider answered with an error.
    #[error("provider {}: {}", .0.provider, .0.message)]
    Refused(Box<Refusal>),
    /// The in-process embedding model is missing or broken.
    #[error("the embedding model cannot be used")]
    EmbeddingModel(#[from] EmbedError),
    /// The index was built with another embedding model than the configured one.
    #[error(
        "the vectors were made with {wanted}, but the configured embedding model is {configured}: rebuild the index"
    )]
    OtherEmbeddingModel { wanted: String, configured: String },
    #[error("the embedding pool failed")]
    Work(#[from] WorkLost),
    #[error("the embedding cache cannot be reached")]
    Db(#[from] DbError),
    /// From a higher backend, with its own mapping.
    #[error("{0}")]
    Api(ApiError),
}

/// A provider's error answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub provider: String,
    pub failure: Failure,
    /// The HTTP status, or the one that the error names.
    pub status: u16,
    /// For clients: contains no secrets and no internal addresses.
    pub message: String,
    /// The provider's own code.
    pub code: Option<String>,
    pub param: Option<String>,
    pub kind: Option<String>,
    pub retry_after: Option<Duration>,
}

label_enum! {
    /// How a provider failed.
    pub enum Failure {
        /// Our key was refused.
        Auth = "auth",
        /// Our account has no credit.
        Billing = "billing",
        /// Our account's quota is used up: waiting does not help.
        Quota = "quota",
        /// Our account is not allowed to use the model, the region or the organisation.
        Forbidden = "forbidden",
        /// The provider, or a filter before it, refuses the content.
        Moderated = "moderated",
        RateLimited = "rate_limited",
        /// The provider is overloaded.
        Overloaded = "overloaded",
        /// The model is still loading.
        Loading = "loading",
        /// Status 5xx, or an error in the stream.
        Server = "server",
        Unreachable = "unreachable",
        Timeout = "timeout",
        /// The stream broke off.
        Cut = "cut",
        /// The answer does not follow the protocol.
        BadResponse = "bad_response",
        /// The request was rejected as invalid.
        Rejected = "rejected",
        /// The conversation is too long for the model.
        TooLong = "too_long",
        /// The request has too many bytes, or too many tokens at once.
        TooLarge = "too_large",
        ModelNotFound = "model_not_found",
    }
}

impl Failure {
    /// Status and stable code for our client.
    pub fn status(self) -> (StatusCode, &'static str) {
        match self {
            Self::Auth => (StatusCode::BAD_GATEWAY, "provider_auth"),
            Self::Billing => (StatusCode::PAYMENT_REQUIRED, "provider_billing"),
            Self::Quota => (StatusCode::TOO_MANY_REQUESTS, "provider_quota"),
            Self::Forbidden => (StatusCode::FORBIDDEN, "provider_forbidden"),
            Self::Moderated => (StatusCode::FORBIDDEN, "provider_moderation"),
            Self::RateLimited => (StatusCode::TOO_MANY_REQUESTS, "provider_rate_limited"),
            Self::Overloaded => (StatusCode::SERVICE_UNAVAILABLE, "provider_overloaded"),
            Self::Loading => (StatusCode::SERVICE_UNAVAILABLE, "provider_loading"),
            Self::Server => (StatusCode::BAD_GATEWAY, "provider_error"),
            Self::Unreachable => (StatusCode::BAD_GATEWAY, "provider_unreachable"),
            Self::Timeout => (StatusCode::GATEWAY_TIMEOUT, "provider_timeout"),
            Self::Cut => (StatusCode::BAD_GATEWAY, "provider_stream_cut"),
            Self::BadResponse => (StatusCode::BAD_GATEWAY, "provider_bad_response"),
            Self::Rejected => (StatusCode::BAD_REQUEST, "provider_rejected"),
            Self::TooLong => (StatusCode::BAD_REQUEST, "context_length_exceeded"),
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "provider_too_large"),
            Self::ModelNotFound => (StatusCode::NOT_FOUND, "model_not_found"),
        }
    }

    /// Advice for the operator.
    pub fn advice(self) -> &'static str {
        match self {
            Self::Auth => "check the provider's api_key_file: the key is wrong, has expired or may not use this model",
            Self::Billing => "add credit to the account at the provider",
            Self::Quota => "raise the quota or the budget of the account at the provider, or use another provider",
            Self::Forbidden => {
                "the key is valid but not allowed to do this: check the account's models, regions and projects at the provider"
            }
            Self::Moderated => "the provider's filter refuses the content: change the text, or use another model",
            Self::RateLimited => "wait, or raise the limit of the account at the provider",
            Self::Overloaded => "wait, or use another model: the provider has more requests than it can answer",
            Self::Loading => "wait until the server has loaded its model; timeout_seconds says how long requests wait",
            Self::Server => "the provider has a fault: check its log or its status page",
            Self::Unreachable => "check base_url, that the server is running, and the network and firewall between",
            Self::Timeout => {
                "check whether the server is overloaded or still loading its model; timeout_seconds can be raised"
            }
            Self::Cut => "the server ended its answer early: check its log, and proxies between",
            Self::BadResponse => "base_url must be that of an OpenAI-compatible API, usually ending in /v1",
            Self::Rejected => "the server refuses the request: see its reason above",
            Self::TooLong => {
                "shorten the conversation or reduce the sources, or give the model a larger context window"
            }
            Self::TooLarge => "send less at once; a proxy in front of the provider may also limit the size",
            Self::ModelNotFound => {
                "check the model's name and that base_url ends with the API's base path, usually /v1"
            }
        }
    }

    /// Whether an immediate retry cannot succeed, although the status suggests it.
    fn is_final(self) -> bool {
        matches!(self, Self::Auth | Self::Billing | Self::Quota | Self::BadResponse)
    }

    fn outcome(self) -> Outcome {
        match self {
            Self::RateLimited => Outcome::RateLimited,
            Self::Timeout => Outcome::Timeout,
            Self::Rejected | Self::ModelNotFound | Self::TooLong | Self::TooLarge | Self::Moderated => {
                Outcome::ClientError
            }
            _ => Outcome::ProviderError,
        }
    }
}

impl Refusal {
    /// The error for our client: our classification, with the provider's own names beside it.
    fn into_api_error(self, text: String) -> ApiError {
        let (mut status, code) = self.failure.status();
        // For these the provider's code is more precise than ours.
        if matches!(self.failure, Failure::Rejected | Failure::Moderated)
            && matches!(self.status, 400 | 403 | 409 | 413 | 415 | 422)
        {
            status = StatusCode::from_u16(self.status).unwrap_or(status);
        }
        let ours = self.failure == Failure::Auth;
        let upstream = Upstream {
            // A wrong key is the operator's: the client must not look for the fault in its own.
            code: self
                .code
                .filter(|_| !ours)
                .or_else(|| (self.failure == Failure::Quota).then(|| "insufficient_quota".to_owned())),
            kind: self.kind.filter(|_| !ours),
            param: self.param.or_else(|| (self.failure == Failure::TooLong).then(|| "messages".to_owned())),
            is_final: self.failure.is_final(),
        };
        ApiError {
            retry_after: self.retry_after,
            upstream: Some(Box::new(upstream)),
            ..ApiError::new(status, code, text)
        }
    }
}

impl LlmError {
    pub fn invalid(param: impl Into<String>, code: &'static str, message: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), code, message: message.into() }
    }

    /// How a provider failed; `None` for other errors.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Provider { failure, .. } => Some(*failure),
            Self::Refused(refusal) => Some(refusal.failure),
            _ => None,
        }
    }

    /// Outcome for the usage row and the metrics.
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::UnknownModel(_)
            | Self::NoSuchModel { .. }
            | Self::Invalid { .. }
            | Self::UnknownProvider(_)
            | Self::OtherEmbeddingModel { .. } => Outcome::ClientError,
            Self::Provider { failure, .. } => failure.outcome(),
            Self::Refused(refusal) => refusal.failure.outcome(),
            // An agent's model returned no valid answer.
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
            LlmError::UnknownModel(_) | LlmError::NoSuchModel { .. } => {
                Self { errors: vec![FieldError::new("/model", "model_not_found", text.clone())], ..Self::new(StatusCode::NOT_FOUND, "model_not_found", text) }
            }
            LlmError::UnknownProvider(_) => Self::new(StatusCode::NOT_FOUND, "provider_not_found", text),
            LlmError::Invalid { param, code, .. } => {
                Self { errors: vec![FieldError::new(pointer(&param), code, text.clone())], ..Self::bad_request(code, text) }
            }
            LlmError::Provider { failure, retry_after, .. } => {
                let (status, code) = failure.status();
                let upstream = failure.is_final().then(|| Box::new(Upstream { is_final: true, ..Upstream::default() }));
                Self { retry_after, upstream, ..Self::new(status, code, text) }
            }
            LlmError::Refused(refusal) => refusal.into_api_error(text),
            LlmError::OtherEmbeddingModel { .. } => Self::conflict("embedding_model_changed", text),
            LlmError::EmbeddingModel(source) => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "embedding_model_unavailable",
                "the embedding model cannot be used on this server; its operator can find the reason with `holdfast doctor`",
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

/// An error of the `/v1` API: `{"error": {"message", "type", "param", "code"}}`.
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
        let upstream = error.upstream.as_deref();
        let named = |get: fn(&Upstream) -> &Option<String>| upstream.and_then(|u| get(u).as_deref());
        let (kind, code) = (named(|u| &u.kind).unwrap_or(kind), named(|u| &u.code).unwrap_or(&error.code));
        let param = named(|u| &u.param).map(str::to_owned).or(param);
        json!({"error": {"message": error.detail, "type": kind, "param": param, "code": code}})
    }
}

impl IntoResponse for OpenAiError {
    fn into_response(self) -> Response {
        let mut response = (self.0.status, axum::Json(self.body())).into_response();
        if let Some(after) = self.0.retry_after {
            let headers = response.headers_mut();
            let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds.max(1)));
            let millis = u64::try_from(after.as_millis()).unwrap_or(u64::MAX);
            headers.insert(HeaderName::from_static("retry-after-ms"), HeaderValue::from(millis.max(1)));
        }
        if self.0.upstream.as_ref().is_some_and(|u| u.is_final) {
            // OpenAI's libraries would retry this status otherwise.
            response.headers_mut().insert(HeaderName::from_static("x-should-retry"), HeaderValue::from_static("false"));
        }
        if self.0.status == StatusCode::UNAUTHORIZED {
            response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let chain = self.0.source.as_ref().map(|s| format!("{s:#}"));
        response.extensions_mut().insert(ResponseError { code: self.0.code, detail: self.0.detail, chain });
        response
    }
}
