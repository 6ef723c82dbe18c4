//! CORS for `/v1`: pages of the origins in `server.cors_origins` may call it.
//!
//! Other origins get no CORS headers. Credentials are never allowed, so browsers send no cookie and such pages need an API key. A
//! preflight, which browsers send without the key, is answered before authentication.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{Config, metrics::Surface};

/// Response headers that scripts may read beyond the safelisted ones.
const EXPOSED: &str = "x-request-id, retry-after, retry-after-ms, x-should-retry, ratelimit-limit, ratelimit-remaining, ratelimit-reset, \
    x-ratelimit-limit-requests, x-ratelimit-remaining-requests, x-ratelimit-reset-requests";
/// Requested headers are allowed up to this total length, bytes: the names reveal nothing, and client libraries send many of their own.
const LONGEST_ASKED: usize = 2000;

/// Middleware state: the allowed origins, in lower case.
#[derive(Clone, Debug)]
pub(super) struct Allowed(Arc<[String]>);

impl Allowed {
    pub(super) fn new(config: &Config) -> Self {
        Self(config.cors_origins.iter().map(|origin| origin.to_ascii_lowercase()).collect())
    }

    fn origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = headers.get(header::ORIGIN)?;
        let asked = origin.to_str().ok()?.to_ascii_lowercase();
        self.0.contains(&asked).then(|| origin.clone())
    }
}

/// Middleware.
pub(super) async fn answer(State(allowed): State<Allowed>, request: Request, next: Next) -> Response {
    if allowed.0.is_empty() || Surface::of_request(&request) != Surface::Openai {
        return next.run(request).await;
    }
    let origin = allowed.origin(request.headers());
    let asked = request.headers().get(header::ACCESS_CONTROL_REQUEST_METHOD).is_some();
    let mut response = match &origin {
        Some(_) if request.method() == Method::OPTIONS && asked => preflight(request.headers()),
        _ => next.run(request).await,
    };
    let headers = response.headers_mut();
    // Caches must not serve one origin's response to another.
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
    response
}

fn preflight(asked: &HeaderMap) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    let headers = response.headers_mut();
    headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, OPTIONS"));
    let names = asked.get(header::ACCESS_CONTROL_REQUEST_HEADERS).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let fine = names.len() <= LONGEST_ASKED
        && names.split(',').all(|name| name.trim().is_empty() || HeaderName::try_from(name.trim()).is_ok());
    let allow = if fine && !names.is_empty() { HeaderValue::from_str(names).ok() } else { None };
    headers.insert(
        header::ACCESS_CONTROL_ALLOW_HEADERS,
        allow.unwrap_or(HeaderValue::from_static("authorization, content-type")),
    );
    headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("600"));
    headers.append(header::VARY, HeaderValue::from_static("access-control-request-headers"));
    response
}

/// Whether `text` is an origin as browsers write it: scheme, host, and a port unless it is the scheme's default.
pub(super) fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return false };
    let known =
        matches!(scheme, "http" | "https" | "chrome-extension" | "moz-extension" | "app" | "tauri" | "capacitor");
    let usual = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "\0",
    };
    let host = rest.parse::<axum::http::uri::Authority>().is_ok_and(|a| {
        // `Uri` accepts an invalid port, which would match no browser's origin.
        let port = a.as_str().strip_prefix(a.host()).unwrap_or_default();
        a.as_str() == rest && !rest.contains('@') && (port.is_empty() || a.port_u16().is_some())
    });
    known && host && !rest.ends_with(usual) && !rest.contains('*')
}

#[cfg(test)]
mod tests {
    use super::is_origin;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in [
            "https://app.example.com",
            "http://localhost:3000",
            "https://[::1]:3000",
            "https://a.example:8443",
            "chrome-extension://abcdefghijklmnop",
        ] {
            assert!(is_origin(good), "{good}");
        }
        for bad in [
            "null",
            "*",
            "https://*.example.com",
            "https://a.example/",
            "https://a.example:443",
            "http://a.example:80",
            "https://a.example:99999",
            "https://a.example:",
            "https://user@a.example",
            "https://",
            "ftp://a.example",
            "a.example",
        ] {
            assert!(!is_origin(bad), "{bad}");
        }
    }
}
