//! Requests to `/v1`: authentication, bodies, and errors in OpenAI's format.

use axum::{
    extract::{DefaultBodyLimit, FromRequest, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    middleware::Next,
    response::Response,
};

use crate::{
    INFERENCE,
    error::OpenAiError,
    openai::{
        exact::kept,
        surrogates::{has_lone_surrogate, without_lone_surrogates},
    },
    service::Llm,
};
use platform::{
    error::{ApiError, ResponseError},
    http::{self, Auth, Principal, metrics::Surface},
};

/// The addresses of this API, for messages.
const ADDRESSES: &str = "GET /v1/models, POST /v1/chat/completions and POST /v1/embeddings";
/// Longest quoted address, characters.
const LONGEST_NAMED: usize = 200;

/// Layer around the whole server: below `/v1`, errors raised before a route (a key, a limit, an unknown path, a
/// timeout) also get OpenAI's format.
pub async fn map_errors(request: Request, next: Next) -> Response {
    let ours = Surface::of(request.uri().path()) == Surface::Openai;
    let asked = if ours { format!("{} {}", request.method(), request.uri().path()) } else { String::new() };
    let response = next.run(request).await;
    let problem = response.headers().get(header::CONTENT_TYPE).is_some_and(|v| v == "application/problem+json");
    let Some(error) = response.extensions().get::<ResponseError>().filter(|_| ours && problem) else { return response };
    let detail = match error.code.as_ref() {
        "not_found" => {
            let asked: String = asked.chars().take(LONGEST_NAMED).collect();
            format!("there is no {asked} here: this API has {ADDRESSES}")
        }
        _ => error.detail.clone(),
    };
    let error = OpenAiError(ApiError::new(response.status(), error.code.clone(), detail));
    let (mut head, _) = response.into_parts();
    head.headers.remove(header::CONTENT_LENGTH);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(head, error.body().to_string().into())
}

/// Content encoding of a request body.
#[derive(Clone, Copy)]
struct Coding(&'static str);

/// Records the body's encoding before the next layer removes it; that layer accepts only one spelling of each.
pub(super) async fn note_coding(mut request: Request, next: Next) -> Response {
    let coding = request.headers().get(header::CONTENT_ENCODING).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let coding = coding.trim().to_ascii_lowercase();
    if let Some(spelt) = ["gzip", "br"].into_iter().find(|spelt| coding.trim_start_matches("x-") == *spelt) {
        request.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static(spelt));
        request.extensions_mut().insert(Coding(spelt));
    }
    next.run(request).await
}

/// The caller, allowed to use models; errors in OpenAI's format.
pub(super) struct Caller(pub Principal);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = OpenAiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, OpenAiError> {
        let Auth(who) = Auth::from_request_parts(parts, state).await.map_err(OpenAiError)?;
        who.require(INFERENCE)?;
        Ok(Self(who))
    }
}

/// A JSON body within `llm.max_body_bytes`; errors name the parameter.
pub(super) struct Body<T>(pub T);

impl<T: serde::de::DeserializeOwned> FromRequest<Llm> for Body<T> {
    type Rejection = OpenAiError;

    async fn from_request(mut request: Request, llm: &Llm) -> Result<Self, OpenAiError> {
        let most = llm.inner.config.max_body_bytes;
        DefaultBodyLimit::max(most).apply(&mut request);
        http::require_json(request.headers())?;
        let coding = request.extensions().get::<Coding>().copied();
        let bytes = match (http::body_bytes(request).await, coding) {
            (Err(error), _) if error.status == StatusCode::PAYLOAD_TOO_LARGE => {
                let text = format!("the request is larger than {most} bytes (llm.max_body_bytes of this server)");
                return Err(OpenAiError(ApiError::payload_too_large(text)));
            }
            (Err(error), Some(Coding(coding))) if error.status == StatusCode::BAD_REQUEST => {
                let text = format!(
                    "the body cannot be decompressed: it is not valid {coding}, which its Content-Encoding declares"
                );
                return Err(OpenAiError(ApiError::bad_request("invalid_encoding", text)));
            }
            (bytes, _) => bytes?,
        };
        match std::str::from_utf8(&bytes) {
            // Python silently writes lone surrogates as JSON.
            Ok(text) if has_lone_surrogate(text) => {
                Ok(Self(http::decode(kept(&without_lone_surrogates(text)).as_bytes())?))
            }
            Ok(text) => Ok(Self(http::decode(kept(text).as_bytes())?)),
            Err(_) => Ok(Self(http::decode(&bytes)?)),
        }
    }
}
