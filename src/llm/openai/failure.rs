//! What a provider says when it fails, in words that our clients may see. Its key never appears in them, and what it says
//! about its own insides (5xx, authentication) is logged instead of passed on.

use std::time::Duration;

use chrono::DateTime;
use reqwest::{
    StatusCode,
    header::{DATE, HeaderMap, RETRY_AFTER},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::super::error::{Failure, LlmError};
use crate::platform::error::chain;

/// Longest message that is passed on, characters.
const MAX_MESSAGE: usize = 1000;

/// The error for an answer with a status of 4xx or 5xx.
pub(super) fn refused(
    provider: &str,
    key: Option<&SecretString>,
    status: StatusCode,
    headers: &HeaderMap,
    body: &[u8],
) -> LlmError {
    let text = String::from_utf8_lossy(body);
    let said = redact(&message_of(&text), key);
    let retry_after = retry_after(headers);
    let failure = match classify(status.as_u16()) {
        // OpenRouter's limit on what runs at a time; without the header the account is empty.
        Failure::Billing if retry_after.is_some() => Failure::RateLimited,
        failure => failure,
    };
    if !matches!(failure, Failure::Rejected | Failure::ModelNotFound) {
        tracing::warn!(provider, status = status.as_u16(), said, "a provider refused a request");
    }
    LlmError::Provider {
        provider: provider.to_owned(),
        failure,
        message: wording(failure, status.as_u16(), &said),
        retry_after,
    }
}

/// `Err` when a body of status 200, or an event of a stream, is an error in one of the shapes that are in use:
/// `{"error": {...}}` (OpenAI, OpenRouter, `SGLang`), `{"error": "..."}` (Ollama), `{"object": "error", "message"}` (vLLM).
pub(super) fn in_body(provider: &str, key: Option<&SecretString>, text: &str) -> Result<(), LlmError> {
    // Nearly every chunk ends here, without being parsed twice.
    if !text.contains("\"error\"") {
        return Ok(());
    }
    let Ok(value) = serde_json::from_str::<Value>(text) else { return Ok(()) };
    let named = value
        .get("error")
        .filter(|e| e.as_object().is_some_and(|o| !o.is_empty()) || e.as_str().is_some_and(|s| !s.is_empty()));
    let plain = value.get("object").and_then(Value::as_str) == Some("error");
    let Some(error) = named.or(plain.then_some(&value)) else { return Ok(()) };
    let said = redact(&message_of(text), key);
    let code = error
        .get("code")
        .and_then(|c| c.as_u64().or_else(|| c.as_str()?.parse().ok()))
        .and_then(|c| u16::try_from(c).ok());
    let code = code.filter(|c| (400..600).contains(c)).unwrap_or(500);
    let failure = classify(code);
    tracing::warn!(provider, code, said, "a provider reported an error inside its answer");
    Err(LlmError::Provider {
        provider: provider.to_owned(),
        failure,
        message: wording(failure, code, &said),
        retry_after: None,
    })
}

/// The error for a connection that failed.
pub(super) fn transport(provider: &str, error: &reqwest::Error) -> LlmError {
    let failure = if error.is_timeout() { Failure::Timeout } else { Failure::Unreachable };
    LlmError::Provider { provider: provider.to_owned(), failure, message: describe(error), retry_after: None }
}

/// What went wrong with a connection, without its address: that is the operator's business.
pub(super) fn describe(error: &reqwest::Error) -> String {
    tracing::warn!(error = chain(error), "a connection to a provider failed");
    let text = if error.is_timeout() {
        "it did not answer in time"
    } else if error.is_connect() {
        "it cannot be reached"
    } else {
        "the connection to it broke"
    };
    text.to_owned()
}

fn classify(status: u16) -> Failure {
    match status {
        401 | 403 => Failure::Auth,
        402 => Failure::Billing,
        404 => Failure::ModelNotFound,
        408 | 504 | 524 => Failure::Timeout,
        429 => Failure::RateLimited,
        400..500 => Failure::Rejected,
        _ => Failure::Server,
    }
}

fn wording(failure: Failure, status: u16, said: &str) -> String {
    let own = match failure {
        Failure::Auth => "it does not accept the configured API key",
        Failure::Billing => "its account has no credit left",
        Failure::RateLimited => "it limits the rate of requests, try again later",
        Failure::Timeout => "it did not answer in time",
        Failure::Server => return format!("it failed ({status})"),
        _ if said.is_empty() => return format!("it refused the request ({status})"),
        _ => return said.to_owned(),
    };
    own.to_owned()
}

/// The message inside an error's body, or the body.
fn message_of(text: &str) -> String {
    let value: Value = serde_json::from_str(text).unwrap_or_default();
    let message = [value.pointer("/error/message"), value.get("error"), value.get("message"), value.get("detail")]
        .into_iter()
        .flatten()
        .find_map(Value::as_str);
    let message = message.map_or_else(|| if value.is_null() { text.to_owned() } else { String::new() }, str::to_owned);
    message.chars().filter(|c| !c.is_control() || *c == '\n').take(MAX_MESSAGE).collect()
}

/// Takes our key out, should the provider repeat it.
fn redact(text: &str, key: Option<&SecretString>) -> String {
    match key.map(SecretString::expose_secret) {
        Some(key) if key.len() >= 4 => text.replace(key, "***"),
        _ => text.to_owned(),
    }
}

/// `Retry-After` (RFC 9110 section 10.2.3): seconds, or a date, which is compared with the server's own `Date`.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |name| DateTime::parse_from_rfc2822(text(name)?).ok();
    let until = || Some((date(RETRY_AFTER)? - date(DATE)?).as_seconds_f64());
    let seconds: f64 = text(RETRY_AFTER)?.parse().ok().or_else(until)?;
    (seconds.is_finite() && seconds >= 0.0).then(|| Duration::from_secs_f64(seconds.min(3600.0).ceil()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(
        status: u16,
        headers: &[(&'static str, &'static str)],
        body: &str,
    ) -> (Failure, String, Option<Duration>) {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        match refused(
            "p",
            Some(&"sk-secret".to_owned().into()),
            StatusCode::from_u16(status).unwrap(),
            &map,
            body.as_bytes(),
        ) {
            LlmError::Provider { failure, message, retry_after, .. } => (failure, message, retry_after),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn statuses_become_failures_and_nothing_internal_is_passed_on() {
        let (failure, message, _) =
            refuse(401, &[], r#"{"error":{"message":"Incorrect API key provided: sk-secret"}}"#);
        assert_eq!(failure, Failure::Auth);
        assert!(!message.contains("sk-"), "{message}");
        assert_eq!(refuse(403, &[], "").0.status(), (StatusCode::BAD_GATEWAY, "provider_auth"));
        let (failure, _, retry) = refuse(429, &[("retry-after", "7")], "");
        assert_eq!((failure.status().0.as_u16(), retry), (429, Some(Duration::from_secs(7))));
        let date = "Wed, 21 Oct 2026 07:28:00 GMT";
        let (_, _, retry) = refuse(429, &[("date", date), ("retry-after", "Wed, 21 Oct 2026 07:28:30 GMT")], "");
        assert_eq!(retry, Some(Duration::from_secs(30)));
        assert_eq!(refuse(402, &[], "").0, Failure::Billing);
        assert_eq!(refuse(402, &[("retry-after", "3")], "").0, Failure::RateLimited);
        let (failure, message, _) = refuse(500, &[], "Traceback: /srv/model.py");
        assert_eq!((failure, message.as_str()), (Failure::Server, "it failed (500)"));
        let (failure, message, _) = refuse(400, &[], r#"{"error":{"message":"bad tools for sk-secret"}}"#);
        assert_eq!((failure, message.as_str()), (Failure::Rejected, "bad tools for ***"));
        assert_eq!(refuse(404, &[], "{}").0, Failure::ModelNotFound);
    }

    #[test]
    fn errors_inside_an_answer_are_seen_in_every_shape() {
        let ask = |text: &str| {
            in_body("p", None, text).err().map(|e| match e {
                LlmError::Provider { failure, .. } => failure,
                other => panic!("{other:?}"),
            })
        };
        assert_eq!(ask(r#"{"error":{"message":"no","code":429}}"#), Some(Failure::RateLimited));
        assert_eq!(ask(r#"{"error":{"message":"no","code":"server_error"},"choices":[]}"#), Some(Failure::Server));
        assert_eq!(ask(r#"{"error":"model is loading"}"#), Some(Failure::Server));
        assert_eq!(ask(r#"{"object":"error","message":"too long","code":400}"#), Some(Failure::Rejected));
        assert_eq!(ask(r#"{"choices":[{"delta":{"content":"an \"error\" is quoted"}}],"error":null}"#), None);
        assert_eq!(ask(r#"{"choices":[{"delta":{"content":"\"error\""}}]}"#), None);
    }
}
