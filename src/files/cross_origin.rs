//! CORS: which pages of other sites may read what is served here. Credentials are never allowed, so browsers send no cookie: such a page has a key,
//! a token or a link, or asks for what is public.

use axum::{
    Router,
    extract::Request,
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::{Next, from_fn},
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::Bucket;
use platform::error::FieldError;

/// Headers of answers that scripts may read.
const EXPOSED: &str = "content-length, content-range, content-disposition, etag, last-modified, location, retry-after, x-request-id, \
    upload-offset, upload-length, upload-expires, upload-defer-length, upload-metadata, upload-concat, tus-resumable, tus-version, \
    tus-extension, tus-max-size, tus-checksum-algorithm";
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";
/// Names of headers that a page asks for are permitted up to this length, bytes.
const LONGEST_ASKED: usize = 2000;

/// Most rules of a bucket, as S3 has it.
const MOST_RULES: usize = 100;

/// Which pages of other sites may read and write a bucket that is not public, and what they may send and see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CorsRule {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `https://app.example.com`; one `*` in it stands for any text.
    #[schema(min_items = 1)]
    pub origins: Vec<String>,
    /// GET, HEAD, PUT, POST, DELETE.
    #[schema(min_items = 1)]
    pub methods: Vec<String>,
    /// Headers that a page may send; one `*` stands for any text.
    #[serde(default)]
    pub headers: Vec<String>,
    /// Headers that a page may see.
    #[serde(default)]
    pub expose: Vec<String>,
    /// How long browsers remember the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u32>,
}

/// What is wrong with the rules of a bucket.
pub(crate) fn problems(rules: &[CorsRule]) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if rules.len() > MOST_RULES {
        errors.push(FieldError::new("/cors", "too_many", format!("at most {MOST_RULES} rules")));
    }
    for (n, rule) in rules.iter().enumerate() {
        let mut wrong =
            |field: &str, text: &str| errors.push(FieldError::new(format!("/cors/{n}/{field}"), "invalid", text));
        let stars = |text: &String| text.matches('*').count();
        if rule.origins.is_empty() || rule.origins.iter().any(|one| one.is_empty() || stars(one) > 1) {
            wrong("origins", "at least one, each with at most one *");
        }
        let known = ["GET", "HEAD", "PUT", "POST", "DELETE"];
        if rule.methods.is_empty() || rule.methods.iter().any(|one| !known.contains(&one.as_str())) {
            wrong("methods", "at least one of GET, HEAD, PUT, POST, DELETE");
        }
        if rule.headers.iter().any(|one| stars(one) > 1) {
            wrong("headers", "names of headers, each with at most one *");
        }
        if rule.expose.iter().any(|one| HeaderName::try_from(one).is_err()) {
            wrong("expose", "names of headers");
        }
        if rule.max_age.is_some_and(|seconds| seconds > 86_400) {
            wrong("max_age", "0 to 86400");
        }
    }
    errors
}

/// These routes answer pages of every site.
pub(crate) fn open<S: Clone + Send + Sync + 'static>(routes: Router<S>) -> Router<S> {
    routes.layer(from_fn(answer))
}

async fn answer(request: Request, next: Next) -> Response {
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).is_some();
    let mut response = match *request.method() {
        Method::OPTIONS if asked => preflight(request.headers()),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    headers.entry(header::ACCESS_CONTROL_ALLOW_ORIGIN).or_insert(HeaderValue::from_static("*"));
    headers.entry(header::ACCESS_CONTROL_EXPOSE_HEADERS).or_insert(HeaderValue::from_static(EXPOSED));
    response
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
    let names = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|names| names.to_str().ok());
    let fine = names.filter(|names| {
        names.len() <= LONGEST_ASKED && names.split(',').all(|name| HeaderName::try_from(name.trim()).is_ok())
    });
    let allowed = fine.and_then(|names| HeaderValue::from_str(names).ok());
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        allowed.unwrap_or(HeaderValue::from_static("authorization, content-type")),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(header::VARY, HeaderValue::from_static("access-control-request-headers"));
    response
}

/// Whether a page of the request's origin may read this object: of a public bucket every one, of others those that the bucket's rules name.
pub(crate) fn tell(headers: &mut HeaderMap, bucket: &Bucket, request: &HeaderMap) {
    if bucket.public {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        return;
    }
    let rules = bucket.cors.as_array().map(Vec::as_slice).unwrap_or_default();
    if rules.is_empty() {
        return;
    }
    // Caches must not give one origin's answer to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    let Some(origin) = request.get(header::ORIGIN) else { return };
    let named = |rule: &&Value| origin.to_str().is_ok_and(|origin| permits(rule, origin));
    let Some(rule) = rules.iter().find(named) else { return };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
    let exposed: Vec<&str> = texts(rule, "expose").collect();
    if let Some(exposed) = HeaderValue::try_from(exposed.join(", ")).ok().filter(|exposed| !exposed.is_empty()) {
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
}

/// Whether a rule lets pages of this origin read.
fn permits(rule: &Value, origin: &str) -> bool {
    texts(rule, "methods").any(|method| method == "GET")
        && texts(rule, "origins").any(|pattern| matches(pattern, origin))
}

fn texts<'a>(rule: &'a Value, field: &str) -> impl Iterator<Item = &'a str> {
    rule[field].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// At most one `*` in a pattern stands for any text, as S3 has it.
fn matches(pattern: &str, origin: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern.eq_ignore_ascii_case(origin),
        Some((start, end)) => {
            let (origin, start, end) =
                (origin.to_ascii_lowercase(), start.to_ascii_lowercase(), end.to_ascii_lowercase());
            origin.len() >= start.len() + end.len() && origin.starts_with(&start) && origin.ends_with(&end)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_rule_names_origins_and_methods() {
        let rule = json!({"origins": ["https://*.example.com", "https://one.test"], "methods": ["GET"]});
        for (origin, expected) in [
            ("https://a.example.com", true),
            ("https://A.Example.com", true),
            ("https://one.test", true),
            ("http://a.example.com", false),
            ("https://example.com.evil.test", false),
            ("https://.com", false),
            ("null", false),
        ] {
            assert_eq!(permits(&rule, origin), expected, "{origin}");
        }
        assert!(!permits(&json!({"origins": ["*"], "methods": ["PUT"]}), "https://one.test"));
        assert!(permits(&json!({"origins": ["*"], "methods": ["PUT", "GET"]}), "null"));
    }
}
