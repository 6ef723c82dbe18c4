//! API errors: `application/problem+json` (RFC 9457) with a stable `code`.
//!
//! A capability maps its own error enum to [`ApiError`] once, in its `error.rs`. The source chain is logged once, when the response is
//! built, and never reaches the client.

use std::{borrow::Cow, time::Duration};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::trace;

/// One invalid field of a request.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer to the field (RFC 6901), e.g. `/retrieval/limit`.
    pub pointer: String,
    /// Stable machine-readable reason, e.g. `out_of_range`.
    pub code: Cow<'static, str>,
    /// Human-readable description.
    pub detail: String,
}

impl FieldError {
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code: code.into(), detail: detail.into() }
    }
}

/// An error and its causes, outermost first, for a log line. Skips a cause whose text is already contained: some libraries repeat the
/// cause's message in the error's own.
pub fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(error.source(), |error| error.source())
        .map(ToString::to_string)
        .fold(error.to_string(), |told, cause| if told.contains(&cause) { told } else { format!("{told}: {cause}") })
}

/// Whether any cause is a full file system, quota or object store.
pub fn is_disk_full(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|cause| {
        match cause.downcast_ref::<std::io::Error>() {
            Some(io) => {
                matches!(io.kind(), std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded)
                    || io.get_ref().is_some_and(|inner| is_disk_full(inner))
            }
            // LanceDB and the S3 client keep only the text: the kernel's, MinIO's or Ceph's.
            None => {
                let text = cause.to_string();
                ["No space left on device", "Disk quota exceeded", "XMinioStorageFull", "QuotaExceeded"]
                    .iter()
                    .any(|words| text.contains(words))
            }
        }
    })
}

/// The error names of an upstream server, for surfaces whose clients know them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Upstream {
    pub code: Option<String>,
    pub param: Option<String>,
    pub kind: Option<String>,
    /// Retrying cannot help, even if the status suggests it.
    pub is_final: bool,
}

/// An error response.
#[derive(Debug)]
pub struct ApiError {
    pub status: StatusCode,
    /// Stable, `snake_case`; clients branch on it.
    pub code: Cow<'static, str>,
    /// One sentence for people: what happened and what to do.
    pub detail: String,
    pub errors: Vec<FieldError>,
    pub retry_after: Option<Duration>,
    pub upstream: Option<Box<Upstream>>,
    /// The same request may succeed later, when something else has changed: the answer is not kept for its `Idempotency-Key`.
    pub is_passing: bool,
    /// For the log only.
    pub source: Option<anyhow::Error>,
}

impl ApiError {
    /// Any status; the constructors below cover the usual ones.
    pub fn new(status: StatusCode, code: impl Into<Cow<'static, str>>, detail: impl Into<String>) -> Self {
        Self {
            status,
            code: code.into(),
            detail: detail.into(),
            errors: Vec::new(),
            retry_after: None,
            upstream: None,
            is_passing: false,
            source: None,
        }
    }

    /// 400.
    pub fn bad_request(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// 422 with the invalid fields.
    pub fn validation(errors: Vec<FieldError>) -> Self {
        let detail = match errors.as_slice() {
            [one] => format!("{}: {}", one.pointer, one.detail),
            many => format!("{} fields are invalid", many.len()),
        };
        Self { errors, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "validation_failed", detail) }
    }

    /// 401.
    pub fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// 403.
    pub fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// 404 `<thing>_not_found`; also for objects of another organisation, so that ids reveal nothing.
    pub fn not_found(thing: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, format!("{thing}_not_found"), format!("no such {}", thing.replace('_', " ")))
    }

    /// 409.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 413.
    pub fn payload_too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "payload_too_large", detail)
    }

    /// 415.
    pub fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    }

    /// 429 with `Retry-After`.
    pub fn too_many(retry_after: Duration) -> Self {
        Self {
            retry_after: Some(retry_after),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "rate_limited", "too many requests: wait and try again")
        }
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(retry_after: Duration, detail: impl Into<String>) -> Self {
        Self { retry_after: Some(retry_after), ..Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail) }
    }

    /// 507: nothing can be written until space is freed.
    pub fn disk_full(whose: &str) -> Self {
        let detail =
            format!("the disk is full: {whose} cannot be written; the operator of this installation must free space");
        Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk_full", detail)
    }

    /// 500; the source is logged, the client only gets the request id.
    pub fn internal(source: impl Into<anyhow::Error>) -> Self {
        Self {
            source: Some(source.into()),
            ..Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "something went wrong here; it has been logged")
        }
    }

    /// Attaches the source for the log.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<anyhow::Error>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.code, self.detail)
    }
}

impl std::error::Error for ApiError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(AsRef::as_ref)
    }
}

/// Body of `application/problem+json`, RFC 9457 section 3.
#[derive(Debug, Serialize, ToSchema)]
pub struct Problem {
    /// `about:blank`: the `code` identifies the problem.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    pub kind: &'static str,
    #[schema(example = "Not Found")]
    pub title: String,
    #[schema(example = 404)]
    pub status: u16,
    pub detail: String,
    /// Stable; branch on this.
    #[schema(value_type = String, example = "knowledge_base_not_found")]
    pub code: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
}

impl ApiError {
    /// The response body.
    pub fn problem(&self, request_id: Option<String>) -> Problem {
        Problem {
            kind: "about:blank",
            title: self.status.canonical_reason().unwrap_or("Error").to_owned(),
            status: self.status.as_u16(),
            detail: self.detail.clone(),
            code: self.code.clone(),
            request_id,
            errors: self.errors.clone(),
        }
    }
}

/// Attached to the response to an error with [`ApiError::is_passing`].
#[derive(Clone, Copy, Debug)]
pub struct Passing;

/// Attached to the response so that the middleware can log the error, add the request id, or render it as a page.
#[derive(Clone, Debug)]
pub struct ResponseError {
    pub code: Cow<'static, str>,
    pub detail: String,
    /// Source chain, outermost first, for the log.
    pub chain: Option<String>,
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let chain = self.source.as_ref().map(|s| format!("{s:#}"));
        let request_id = trace::current_request_id();
        let problem = self.problem(request_id);
        let mut response = (self.status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.is_passing {
            response.extensions_mut().insert(Passing);
        }
        response.extensions_mut().insert(ResponseError { code: self.code, detail: self.detail, chain });
        response
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the store failed")]
    struct Wrapped(#[source] Box<dyn std::error::Error + Send + Sync>);

    /// Its message contains that of its cause.
    #[derive(Debug, thiserror::Error)]
    #[error("performing a request - {0}")]
    struct Repeats(#[source] Box<dyn std::error::Error + Send + Sync>);

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let refused = || io::Error::other("connection refused");
        let twice = Repeats(Box::new(Repeats(Box::new(refused()))));
        assert_eq!(chain(&twice), "performing a request - performing a request - connection refused");
        assert_eq!(chain(&Wrapped(Box::new(refused()))), "the store failed: connection refused");
    }

    #[test]
    fn a_full_disk_is_seen_through_what_is_wrapped_around_it() {
        let enospc = || io::Error::from_raw_os_error(rustix::io::Errno::NOSPC.raw_os_error());
        assert!(is_disk_full(&enospc()));
        assert!(is_disk_full(&Wrapped(Box::new(enospc()))));
        assert!(is_disk_full(&Wrapped(Box::new(io::Error::other(Wrapped(Box::new(enospc())))))));
        assert!(is_disk_full(&Wrapped(
            "LanceError(IO): Generic LocalFileSystem error: No space left on device (os error 28)".into()
        )));
        let away = io::Error::from(io::ErrorKind::ConnectionRefused);
        assert!(!is_disk_full(&away) && !is_disk_full(&Wrapped(Box::new(away))));
    }
}
