//! Provider failures, with messages that our clients may see: the provider's reason without our key, internal addresses
//! or paths. The kind of failure decides the status, and whether to retry.

#[cfg(test)]
mod tests;

use std::time::Duration;

use reqwest::{StatusCode, header::HeaderMap};
use serde_json::Value;

use super::{
    super::error::{Failure, LlmError, Refusal},
    connection::Packed,
    secrets::Secrets,
    words::{self, ErrorText},
};
use platform::{error::chain, http_client};

/// The error for a 4xx or 5xx answer.
pub(super) fn refused(
    provider: &str,
    secrets: &Secrets,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> Refusal {
    let mut said = words::read(&String::from_utf8_lossy(body));
    said.words = secrets.scrub(&said.words);
    let retry_after = retry_after(headers);
    let failure = match classify(status.as_u16(), &said) {
        // OpenRouter's limit on concurrent requests; without the header the account is empty.
        Failure::Billing if status.as_u16() == 402 && retry_after.is_some() => Failure::RateLimited,
        // The same text is used for per-minute limits, then with a retry time.
        Failure::Quota if retry_after.is_some() && !is_quota_code(&said) => Failure::RateLimited,
        failure => failure,
    };
    report(provider, failure, status.as_u16(), &said, retry_after)
}

/// `Err` when a body of status 200, or a stream event, is an error in one of the known forms: `{"error": {...}}`
/// (OpenAI, OpenRouter, `SGLang`), `{"error": "..."}` (Ollama), `{"object": "error", "message"}` (vLLM),
/// `{"detail": ...}` (`FastAPI`), `{"errors": [...]}`, `{"message": "...", "code": 500}`.
pub(super) fn in_body(provider: &str, secrets: &Secrets, text: &str) -> Result<(), LlmError> {
    // Fast path for nearly every chunk: avoids parsing it twice.
    let is_answer = text.contains("\"choices\"") || text.contains("\"embedding\"");
    if is_answer && !text.contains("\"error\"") {
        return Ok(());
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Ok(()) };
    let is_something = |e: &Value| match e {
        Value::Object(object) => !object.is_empty(),
        Value::String(text) => !text.is_empty(),
        _ => false,
    };
    let named = value.get("error").is_some_and(is_something);
    let plain = value.get("object").and_then(Value::as_str) == Some("error");
    let bare = value.get("choices").is_none() && value.get("data").is_none();
    let list = value.get("errors").and_then(Value::as_array).is_some_and(|list| !list.is_empty());
    let message = value.get("message").is_some_and(Value::is_string);
    let unnamed = bare && (value.get("detail").is_some() || list || message);
    if !named && !plain && !unnamed {
        return Ok(());
    }
    Err(said(provider, secrets, text))
}

/// The error that a server reports in the middle of an answer, in whatever form.
pub(super) fn said(provider: &str, secrets: &Secrets, error: &str) -> LlmError {
    let mut said = words::read(error);
    said.words = secrets.scrub(&said.words);
    let status = said.status.unwrap_or_else(|| status_of(&said));
    report(provider, classify(status, &said), status, &said, None).into()
}

/// The error in place of a choice or an event.
pub(super) fn in_place(provider: &str, secrets: &Secrets, error: &Value) -> LlmError {
    said(provider, secrets, &serde_json::json!({ "error": error }).to_string())
}

impl From<Refusal> for LlmError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(Box::new(refusal))
    }
}

fn report(provider: &str, failure: Failure, status: u16, said: &ErrorText, retry_after: Option<Duration>) -> Refusal {
    let ours = matches!(
        failure,
        Failure::Rejected | Failure::ModelNotFound | Failure::TooLong | Failure::TooLarge | Failure::Moderated
    );
    if !ours {
        let (said, code) = (&said.words, said.code.as_deref().unwrap_or_default());
        tracing::warn!(provider, status, said, code, "a provider refused a request");
    }
    Refusal {
        provider: provider.to_owned(),
        failure,
        status,
        message: wording(failure, status, said),
        code: said.code.clone(),
        param: said.param.clone(),
        kind: said.kind.clone(),
        retry_after,
    }
}

/// The error for a failed connection.
pub(super) fn transport(provider: &str, error: &reqwest::Error) -> LlmError {
    let failure = match Packed::within(error) {
        Some(_) => Failure::BadResponse,
        None if error.is_timeout() => Failure::Timeout,
        None => Failure::Unreachable,
    };
    LlmError::Provider { provider: provider.to_owned(), failure, message: describe(error), retry_after: None }
}

/// What went wrong with a connection, without its address, which is internal.
pub(super) fn describe(error: &reqwest::Error) -> String {
    tracing::warn!(error = chain(error), "a connection to a provider failed");
    if let Some(packed) = Packed::within(error) {
        return packed.to_string();
    }
    let text = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection to it broke"
    };
    text.to_owned()
}

/// Error names and phrases by meaning. Lower case.
const QUOTA: [&str; 4] =
    ["insufficient_quota", "exceeded your current quota", "quota_exceeded", "budget has been exceeded"];
const CREDIT: [&str; 6] = [
    "billing_hard_limit_reached",
    "billing_not_active",
    "insufficient_balance",
    "insufficient balance",
    "credit balance is too low",
    "insufficient credits",
];
const TOO_LONG: [&str; 15] = [
    "context_length_exceeded",
    "exceed_context_size",
    "string_above_max_length",
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "context_length",
    "max_model_len",
    "maximum model length",
    "prompt is too long",
    "prompt too long",
    "input is too long",
    "too many input tokens",
    "reduce the length of the messages",
];
const MODERATED: [&str; 9] = [
    "content_filter",
    "content_policy",
    "content management policy",
    "content policy",
    "moderation",
    "flagged",
    "usage policies",
    "safety system",
    "responsibleaipolicyviolation",
];
const WRONG_KEY: [&str; 6] = [
    "invalid_api_key",
    "invalid api key",
    "incorrect api key",
    "api key not valid",
    "api key expired",
    "authentication_error",
];
const LOADING: [&str; 6] =
    ["loading model", "model is loading", "currently loading", "still loading", "model is not ready", "warming up"];

fn says(said: &ErrorText, any: &[&str]) -> bool {
    let texts = [Some(&said.words), said.code.as_ref(), said.kind.as_ref()];
    texts.into_iter().flatten().any(|text| {
        let text = text.to_lowercase();
        any.iter().any(|what| text.contains(what))
    })
}

fn is_quota_code(said: &ErrorText) -> bool {
    [&said.code, &said.kind].into_iter().flatten().any(|name| name == "insufficient_quota")
}

#[expect(clippy::match_same_arms, reason = "in the order of the statuses")]
fn classify(status: u16, said: &ErrorText) -> Failure {
    match status {
        // Not followed: the key would be sent along.
        300..400 => Failure::BadResponse,
        401 => Failure::Auth,
        402 => Failure::Billing,
        403 if says(said, &WRONG_KEY) => Failure::Auth,
        403 if says(said, &MODERATED) => Failure::Moderated,
        403 if says(said, &QUOTA) => Failure::Quota,
        403 if says(said, &CREDIT) => Failure::Billing,
        403 => Failure::Forbidden,
        // A page or plain text: there is no API at this address.
        404 if !said.structured && !said.words.to_lowercase().contains("model") && !said.words.is_empty() => {
            Failure::BadResponse
        }
        404 => Failure::ModelNotFound,
        408 | 504 | 524 => Failure::Timeout,
        413 => Failure::TooLarge,
        429 if says(said, &CREDIT) => Failure::Billing,
        429 if says(said, &QUOTA) => Failure::Quota,
        429 => Failure::RateLimited,
        400..500 if says(said, &TOO_LONG) => Failure::TooLong,
        400..500 if says(said, &MODERATED) => Failure::Moderated,
        400..500 if says(said, &WRONG_KEY) => Failure::Auth,
        400..500 if says(said, &QUOTA) => Failure::Quota,
        400..500 if says(said, &CREDIT) => Failure::Billing,
        400..500 if says(said, &["model_not_found", "does not exist or you do not have access"]) => {
            Failure::ModelNotFound
        }
        400..500 => Failure::Rejected,
        _ if says(said, &LOADING) => Failure::Loading,
        503 | 529 => Failure::Overloaded,
        _ if says(said, &["overloaded_error", "overloaded"]) => Failure::Overloaded,
        _ if said.structured && says(said, &["exceed_context_size", "maximum context length", "context size"]) => {
            Failure::TooLong
        }
        _ => Failure::Server,
    }
}

/// The status that an error's name stands for, for errors without one.
fn status_of(said: &ErrorText) -> u16 {
    match () {
        () if says(said, &["rate_limit"]) || says(said, &QUOTA) => 429,
        () if says(said, &["overloaded"]) || says(said, &LOADING) => 503,
        () if says(said, &WRONG_KEY) => 401,
        () if says(said, &["permission"]) => 403,
        () if says(said, &["invalid_request", "badrequest", "invalid_prompt"])
            || says(said, &TOO_LONG)
            || says(said, &MODERATED) =>
        {
            400
        }
        () => 500,
    }
}

fn wording(failure: Failure, status: u16, said: &ErrorText) -> String {
    let said = &said.words;
    let own = match failure {
        // The message would reveal parts of the operator's key.
        Failure::Auth => return "it does not accept the configured API key".to_owned(),
        Failure::Billing => "its account has no credit left".to_owned(),
        Failure::Quota => "the quota of its account is used up; waiting does not help".to_owned(),
        Failure::RateLimited => "it limits the rate of requests, try again later".to_owned(),
        Failure::Overloaded => format!("it is overloaded ({status}), try again later"),
        Failure::Loading => "it is still loading its model, try again later".to_owned(),
        Failure::Timeout => "it did not answer in time".to_owned(),
        Failure::Server => format!("it failed ({status})"),
        Failure::BadResponse if (300..400).contains(&status) => {
            return format!("it redirects to another address ({status}): base_url must be the final address");
        }
        Failure::BadResponse => format!("there is no such API at its address ({status})"),
        Failure::Forbidden if said.is_empty() => format!("its account is not allowed to do this ({status})"),
        _ if said.is_empty() => return format!("it refused the request ({status})"),
        _ => return said.clone(),
    };
    if said.is_empty() || own.contains(said.as_str()) { own } else { format!("{own}: {said}") }
}

/// `retry-after-ms` (OpenAI, Azure) or `Retry-After`; at most an hour.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let millis = headers.get("retry-after-ms").and_then(|value| value.to_str().ok()?.trim().parse::<f64>().ok());
    let wait = match millis {
        Some(millis) => Duration::try_from_secs_f64(millis / 1000.0).ok(),
        None => http_client::retry_after(headers),
    };
    wait.map(|wait| wait.min(Duration::from_hours(1)))
}
