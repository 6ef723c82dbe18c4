//! Cross-site request forgery (CSRF) protection: a middleware inside `authenticate`, outside the routes, for JSON and
//! forms alike.
//!
//! An unsafe method with a session cookie must come from our own pages: it carries the session's token in
//! `X-CSRF-Token`, or the browser vouches for it (`Sec-Fetch-Site: same-origin`; over plain http browsers send only
//! `Origin`, which must be ours). A request that names another site is refused even without a session: sign-in can be
//! forged too. Browsers do not send API keys on their own, so requests with one pass. On `/v1` and the surfaces of files, requests with neither
//! session nor key pass: nothing is done for them unless a signature or a token allows it, and the 401 is a better answer for pages of allowed
//! origins. Below addresses that are served
//! without authentication requests of other sites pass: no session counts there, and what protects those that change anything is a secret in the
//! address or a signature. Mail programs on the web use links to unsubscribe so (RFC 8058).

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use platform::{
    crypto,
    error::ApiError,
    http::{self, Principal, metrics::Surface},
};

/// Our configured origin; requests may also name the host they were sent to.
#[derive(Clone, Debug)]
pub struct Origins {
    public: Arc<str>,
    /// Addresses that are served without authentication.
    open: Arc<[&'static str]>,
}

impl Origins {
    pub fn new(server: &http::Config) -> Self {
        let base = server.base_url();
        let end = base.find("://").and_then(|i| base[i + 3..].find('/').map(|j| i + 3 + j)).unwrap_or(base.len());
        Self { public: base[..end].to_ascii_lowercase().into(), open: Arc::new([]) }
    }

    /// Addresses (and what is below them) that are served without authentication.
    #[must_use]
    pub fn with_open(mut self, paths: &[&'static str]) -> Self {
        self.open = paths.into();
        self
    }

    fn is_open(&self, path: &str) -> bool {
        let below = |open: &&str| path.strip_prefix(*open).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.open.iter().any(below)
    }
}

/// Wire with `routes.layer(from_fn_with_state(Origins::new(&config.server), auth::csrf_guard))` before `http::wrap`.
pub async fn guard(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    let csrf = request.extensions().get::<Principal>().and_then(Principal::user).map(|user| user.csrf.as_str());
    let path = request.uri().path();
    let unsigned = matches!(Surface::of_request(&request), Surface::Openai | Surface::Files);
    let harmless = csrf.is_none() && (unsigned || origins.is_open(path));
    if harmless || is_allowed(request.method(), request.headers(), csrf, &origins) {
        return next.run(request).await;
    }
    tracing::warn!(
        origin = request.headers().get(header::ORIGIN).and_then(|v| v.to_str().ok()).unwrap_or_default(),
        "refused a request that another site may have caused"
    );
    ApiError::new(
        StatusCode::FORBIDDEN,
        "csrf_refused",
        "the request does not come from one of our pages: send the header X-CSRF-Token (see GET /api/v1/auth/me), or use an API key",
    )
    .into_response()
}

/// `csrf`: the token of the request's session, if it has one.
pub(super) fn is_allowed(method: &Method, headers: &HeaderMap, csrf: Option<&str>, origins: &Origins) -> bool {
    if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) || headers.contains_key(header::AUTHORIZATION) {
        return true;
    }
    let text = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    if let (Some(expected), Some(sent)) = (csrf, text("x-csrf-token"))
        && crypto::constant_time_eq(expected.as_bytes(), sent.as_bytes())
    {
        return true;
    }
    let ours = match (text("sec-fetch-site"), text("origin")) {
        (Some(site), _) => Some(site == "same-origin"),
        (None, Some(origin)) => Some(is_our_origin(origin, text("host"), origins)),
        (None, None) => None,
    };
    // Without origin headers it is not a browser: harmless, unless it has a session cookie.
    ours.unwrap_or(csrf.is_none())
}

fn is_our_origin(origin: &str, host: Option<&str>, origins: &Origins) -> bool {
    let origin = origin.to_ascii_lowercase();
    let authority = origin.split_once("://").map_or("", |(_, rest)| rest);
    *origins.public == origin || host.is_some_and(|host| !authority.is_empty() && host.eq_ignore_ascii_case(authority))
}
