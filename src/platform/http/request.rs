//! Middleware around every request: id, span, address limit, authentication, security headers, and the access log, also when the client
//! disconnects.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::{
    Router,
    body::{Body, HttpBody as _},
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Version, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use ipnet::IpNet;
use tower_http::compression::{CompressionLayer, Predicate as _, predicate::DefaultPredicate};
use tracing::Instrument as _;

use super::{
    Authenticator, Config, Metrics, Principal, RateLimiter,
    access_log::{AccessLog, Caller, LoggedBody, UNMATCHED},
    address_key,
    buffer_budget::BufferBudget,
    client_address,
    cors::{self, Allowed},
    hosts,
    limits::Refusal,
    metrics::{LimitLabels, LimitedBy, Surface},
    request_timeout::{self, RequestTimeouts},
    revocation::{Credential, RevocationCheck},
    spans,
    status::{self, Finished, HostSurface},
    write_timeout::{self, WriteTimeout},
};
use crate::{clock::Clock, error::ApiError, ids, lifecycle::Lifecycle, trace};

/// Request extension: the id, from the client's `X-Request-Id` or generated.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Request extension: the client's address, resolved through trusted proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// State of the middleware around the routes.
#[derive(Clone)]
pub struct MiddlewareStack {
    config: Arc<Config>,
    session_cookie: Arc<str>,
    trusted_proxies: Arc<[IpNet]>,
    clock: Clock,
    metrics: Metrics,
    authenticator: Arc<dyn Authenticator>,
    by_address: RateLimiter,
    by_principal: RateLimiter,
    /// Requests of an address for status pages; `None`: as others.
    for_status: Option<RateLimiter>,
    /// Names of hosts that belong to status pages.
    status_hosts: Option<Arc<dyn HostSurface>>,
    write_timeout: WriteTimeout,
    buffers: BufferBudget,
    /// Routes that check `Authorization` themselves.
    own_tokens: Arc<[(Method, &'static str)]>,
    /// Pages without authentication, subpaths included.
    public: Arc<[&'static str]>,
    /// `Strict-Transport-Security`
    hsts: Option<HeaderValue>,
}

impl MiddlewareStack {
    pub fn new(
        config: &Config,
        clock: Clock,
        metrics: Metrics,
        authenticator: Arc<dyn Authenticator>,
        lifecycle: Lifecycle,
    ) -> Self {
        Self {
            config: Arc::new(config.clone()),
            session_cookie: config.session_cookie().into(),
            trusted_proxies: config.trusted_networks().into(),
            clock,
            metrics,
            authenticator,
            by_address: RateLimiter::new(config.requests_per_minute, config.request_burst),
            write_timeout: WriteTimeout { lifecycle, idle: Duration::from_secs(config.body_idle_seconds) },
            buffers: BufferBudget::new(config.max_buffered_bytes),
            by_principal: RateLimiter::new(config.principal_requests_per_minute, config.principal_request_burst),
            for_status: None,
            status_hosts: None,
            own_tokens: Arc::new([]),
            public: Arc::new([]),
            hsts: hsts(config),
        }
    }

    /// Routes whose bearer token is not an API key: they check it themselves, without a database look-up here.
    #[must_use]
    pub fn with_own_tokens(mut self, routes: &[(Method, &'static str)]) -> Self {
        self.own_tokens = routes.into();
        self
    }

    /// Pages (and their subpaths) served without authentication, so that they work while the database is down.
    #[must_use]
    pub fn with_public(mut self, pages: &[&'static str]) -> Self {
        self.public = pages.into();
        self
    }

    /// Status pages: how often an address may ask for them in a minute, and which hosts are theirs.
    #[must_use]
    pub fn with_status_pages(mut self, requests_per_minute: u32, hosts: Arc<dyn HostSurface>) -> Self {
        self.for_status = Some(RateLimiter::new(requests_per_minute, requests_per_minute));
        self.status_hosts = Some(hosts);
        self
    }

    /// The limit of an address on a surface.
    fn limiter(&self, surface: Surface) -> &RateLimiter {
        match (&self.for_status, surface) {
            (Some(limiter), Surface::Status) => limiter,
            _ => &self.by_address,
        }
    }

    /// Whether the path is served without authentication.
    fn is_public(&self, surface: Surface, path: &str) -> bool {
        let below = |page: &&str| path.strip_prefix(*page).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        matches!(surface, Surface::Assets | Surface::Health | Surface::Status) || self.public.iter().any(below)
    }

    fn refuse(&self, limit: LimitedBy, refusal: Refusal) -> Response {
        self.metrics.rate_limited.get_or_create(&LimitLabels { limit }).inc();
        let mut response = ApiError::too_many(refusal.retry_after).into_response();
        refusal.allowance.tell(response.headers_mut());
        response
    }
}

/// Wraps the routes in the middleware. `map_errors` adds the layers that give errors the shape of their surface (a page, another API's
/// object): outside of everything that can refuse a request, so that every refusal gets it.
pub fn wrap(routes: Router, stack: MiddlewareStack, map_errors: impl FnOnce(Router) -> Router) -> Router {
    let panics = stack.metrics.panics.clone();
    let hosts = stack.status_hosts.clone();
    let wrapped = routes
        .layer(from_fn_with_state(stack.clone(), authenticate))
        .layer(from_fn(hosts::one_host))
        .layer(DefaultBodyLimit::max(stack.config.max_body_bytes))
        .layer(from_fn_with_state(RequestTimeouts::new(&stack.config), request_timeout::enforce))
        .layer(from_fn_with_state(stack.write_timeout.clone(), write_timeout::enforce))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(move |_: Box<dyn std::any::Any + Send>| {
            panics.inc();
            ApiError::internal(anyhow::anyhow!("a handler panicked")).into_response()
        }));
    let observed = map_errors(wrapped)
        .layer(from_fn_with_state(Allowed::new(&stack.config), cors::answer))
        .layer(CompressionLayer::new().compress_when(DefaultPredicate::new().and(is_unfinished)))
        .layer(from_fn_with_state(stack, observe));
    match hosts {
        Some(hosts) => status::lead(observed, hosts),
        None => observed,
    }
}

/// Whether an answer is still to be compressed.
fn is_unfinished(_: StatusCode, _: Version, _: &HeaderMap, extensions: &Extensions) -> bool {
    extensions.get::<Finished>().is_none()
}

/// Outermost: assigns the request id and writes the access log.
async fn observe(State(stack): State<MiddlewareStack>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<SocketAddr>().map_or(IpAddr::from([127, 0, 0, 1]), SocketAddr::ip);
    let client = client_address(peer, request.headers(), &stack.trusted_proxies);
    let by_proxy = stack.trusted_proxies.iter().any(|net| net.contains(&peer.to_canonical()));
    let request_id =
        accepted_request_id(request.headers(), by_proxy).unwrap_or_else(|| ids::new_uuid(&stack.clock).to_string());
    let traceparent = request.headers().get("traceparent").and_then(|v| v.to_str().ok());
    let context = trace::Context::of_request(traceparent, request_id.clone());
    request.extensions_mut().insert(RequestId(request_id.clone()));
    request.extensions_mut().insert(ClientAddress(client));
    let reservation = stack.buffers.reservation();
    request.extensions_mut().insert(reservation.clone());
    let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
    let span = tracing::info_span!("http.request", route, method = %request.method());
    let recorded = spans::begin(&stack.config, &request, &context);
    let mut log = AccessLog::new(&stack.metrics, &request, client, context.clone(), recorded);

    let mut response = context.clone().scope(next.run(log.count(request)).instrument(span.clone())).await;

    log.take(&mut response);
    secure(response.headers_mut(), stack.hsts.as_ref());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(LoggedBody::new(body, log, context, span, reservation)))
}

/// Rate limit per address, authentication, rate limit per principal. Missing credentials are no error here: the route decides.
async fn authenticate(State(stack): State<MiddlewareStack>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ClientAddress>().map(|a| a.0);
    let surface = Surface::of(request.uri().path());
    if surface != Surface::Assets
        && let Some(Err(refusal)) = address.map(|a| stack.limiter(surface).take(&address_key(a)))
    {
        return stack.refuse(LimitedBy::Address, refusal);
    }
    if stack.own_tokens.iter().any(|(method, path)| request.method() == method && request.uri().path() == *path) {
        return next.run(request).await;
    }
    if stack.is_public(surface, request.uri().path()) {
        return next.run(request).await;
    }
    let (principal, credential) = match stack.principal(request.headers()).await {
        Ok(Some(found)) => found,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let caller = Caller { org_id: principal.org_id.to_string(), subject: principal.subject() };
    let limited = matches!(surface, Surface::Api | Surface::Openai);
    let allowance = limited.then(|| stack.by_principal.take(&caller.subject)).transpose();
    let mut response = match allowance {
        Err(refusal) => stack.refuse(LimitedBy::Principal, refusal),
        Ok(allowance) => {
            let revocation = RevocationCheck::new(stack.authenticator.clone(), credential, &principal);
            request.extensions_mut().insert(principal);
            let mut response = next.run(request).await;
            // A complete body is already being sent.
            if response.body().size_hint().exact().is_none() {
                response = response.map(|body| revocation.watch(body));
            }
            if let Some(allowance) = allowance {
                allowance.tell(response.headers_mut());
                if surface == Surface::Openai {
                    allowance.tell_openai(response.headers_mut());
                }
            }
            response
        }
    };
    response.extensions_mut().insert(caller);
    response
}

impl MiddlewareStack {
    /// The caller and its credential; `None` without credentials or when the session has ended.
    async fn principal(&self, headers: &HeaderMap) -> Result<Option<(Principal, Credential)>, ApiError> {
        let Some(credential) = credential(headers, &self.session_cookie) else { return Ok(None) };
        let found = match &credential {
            Credential::Session(token) => self.authenticator.session(token).await?,
            Credential::ApiKey(key) => Some(self.authenticator.api_key(key).await?.ok_or_else(|| {
                let why = "this API key is unknown, revoked or expired";
                ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", why)
            })?),
        };
        Ok(found.map(|principal| (principal, credential)))
    }
}

fn credential(headers: &HeaderMap, cookie: &str) -> Option<Credential> {
    if let Some(value) = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()) {
        return Some(Credential::ApiKey(match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => key.trim().to_owned(),
            _ => String::new(),
        }));
    }
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == cookie))
        .map(|(_, token)| Credential::Session(token.to_owned()))
}

/// The client's request id: from a trusted proxy almost any (`HAProxy` writes colons), otherwise only one that looks like an id.
fn accepted_request_id(headers: &HeaderMap, by_proxy: bool) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let (lengths, marks) = if by_proxy { (1..=128, "-_.:=+/@") } else { (8..=64, "-_") };
    let fine = lengths.contains(&id.len()) && id.chars().all(|c| c.is_ascii_alphanumeric() || marks.contains(c));
    fine.then(|| id.to_owned())
}

fn hsts(config: &Config) -> Option<HeaderValue> {
    let wanted = config.is_https() && config.hsts_seconds > 0;
    // No `includeSubDomains`: other hosts of the domain are not ours.
    wanted.then(|| HeaderValue::from_str(&format!("max-age={}", config.hsts_seconds)).ok()).flatten()
}

/// Headers of every response; a page may have set a stricter policy already. Responses without a cache policy are not cached: they belong
/// to a member or an operator, or hold a secret that is shown once.
fn secure(headers: &mut HeaderMap, hsts: Option<&HeaderValue>) {
    if let Some(hsts) = hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, hsts.clone());
    }
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
