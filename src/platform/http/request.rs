//! What surrounds every request: id, span, address limit, authentication, security headers, and one wide log line and
//! one metric observation on every way out, a client that goes away included.

use std::{
    net::{IpAddr, SocketAddr},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    Router,
    body::{Body, Bytes, HttpBody},
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse as _, Response},
};
use ipnet::IpNet;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::{
    Authenticator, Config, Metrics, Principal, RateLimiter, address_key, client_address,
    limits::Refusal,
    memory::{BodyMemory, Share},
    metrics::{LimitLabels, LimitedBy, Method, Outcome, RequestLabels, Surface, SurfaceLabels, TraceLabels},
    pace::{self, Pace},
    stall::{self, Patience},
};
use crate::platform::{
    clock::Clock,
    crypto,
    error::{ApiError, ResponseError},
    ids,
    lifecycle::Lifecycle,
};

tokio::task_local! {
    static REQUEST_ID: String;
}

/// The id of the request being answered by this task.
pub fn current_request_id() -> Option<String> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// Carries the request's id into `future`, which runs in a task of its own.
pub(super) fn in_request<F: Future>(future: F) -> impl Future<Output = F::Output> {
    REQUEST_ID.scope(current_request_id().unwrap_or_default(), future)
}

/// Cookie of the console's session on plain http; over https it carries the `__Host-` prefix.
pub const SESSION_COOKIE: &str = "holdfast_session";

/// The session cookie's name under this configuration.
pub fn session_cookie_name(https: bool) -> &'static str {
    if https { "__Host-holdfast_session" } else { SESSION_COOKIE }
}

/// Extension: the request's id, from the client's `X-Request-Id` or made here.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Extension: the client's address after trusted proxies.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);

/// What the frame around the routes needs.
#[derive(Clone)]
pub struct Frame {
    config: Arc<Config>,
    trusted_proxies: Arc<[IpNet]>,
    clock: Clock,
    metrics: Metrics,
    authenticator: Arc<dyn Authenticator>,
    by_address: RateLimiter,
    by_principal: RateLimiter,
    patience: Patience,
    memory: BodyMemory,
}

impl Frame {
    pub fn new(
        config: &Config,
        clock: Clock,
        metrics: Metrics,
        authenticator: Arc<dyn Authenticator>,
        lifecycle: Lifecycle,
    ) -> Self {
        Self {
            config: Arc::new(config.clone()),
            trusted_proxies: config.trusted_networks().into(),
            clock,
            metrics,
            authenticator,
            by_address: RateLimiter::new(config.requests_per_minute, config.request_burst),
            patience: Patience { lifecycle, idle: Duration::from_secs(config.body_idle_seconds) },
            memory: BodyMemory::new(config.max_buffered_bytes),
            by_principal: RateLimiter::new(config.principal_requests_per_minute, config.principal_request_burst),
        }
    }

    fn refuse(&self, limit: LimitedBy, refusal: Refusal) -> Response {
        self.metrics.rate_limited.get_or_create(&LimitLabels { limit }).inc();
        let mut response = ApiError::too_many(refusal.retry_after).into_response();
        refusal.allowance.tell(response.headers_mut());
        response
    }
}

/// Puts the frame around the routes. `word_errors` adds the layers that give errors the shape of their surface (a page,
/// another API's object): outside of everything that can refuse a request, so that no refusal is left in another shape.
pub fn wrap(routes: Router, frame: Frame, word_errors: impl FnOnce(Router) -> Router) -> Router {
    let framed = routes
        .layer(from_fn_with_state(frame.clone(), authenticate))
        .layer(DefaultBodyLimit::max(frame.config.max_body_bytes))
        .layer(from_fn_with_state(Pace::new(&frame.config), pace::keep))
        .layer(from_fn_with_state(frame.patience.clone(), stall::pump))
        .layer(tower_http::catch_panic::CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            ApiError::internal(anyhow::anyhow!("a handler panicked")).into_response()
        }));
    word_errors(framed)
        .layer(tower_http::compression::CompressionLayer::new())
        .layer(from_fn_with_state(frame, observe))
}

/// Outermost: names the request and reports how it went.
async fn observe(State(frame): State<Frame>, mut request: Request, next: Next) -> Response {
    let peer = request.extensions().get::<SocketAddr>().map_or(IpAddr::from([127, 0, 0, 1]), SocketAddr::ip);
    let client = client_address(peer, request.headers(), &frame.trusted_proxies);
    let request_id = accepted_request_id(request.headers()).unwrap_or_else(|| ids::new_uuid(&frame.clock).to_string());
    let trace_id = trace_id(request.headers());
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    request.extensions_mut().insert(RequestId(request_id.clone()));
    request.extensions_mut().insert(ClientAddress(client));
    let share = frame.memory.share();
    request.extensions_mut().insert(share.clone());
    let span = tracing::info_span!("http.request", %request_id, %trace_id, route, method = %request.method());
    let mut report = Report::new(&frame, &request, client, request_id.clone(), trace_id, route);

    let mut response = REQUEST_ID.scope(request_id.clone(), next.run(request)).instrument(span.clone()).await;

    report.take(&mut response);
    secure(response.headers_mut());
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    let (parts, body) = response.into_parts();
    Response::from_parts(parts, Body::new(Observed { body, report, span, _share: share }))
}

/// Limits by address, finds out who asks, limits by that. No credentials is not an error here: the route decides.
async fn authenticate(State(frame): State<Frame>, mut request: Request, next: Next) -> Response {
    let address = request.extensions().get::<ClientAddress>().map(|a| a.0);
    let surface = Surface::of(request.uri().path());
    if surface != Surface::Assets
        && let Some(Err(refusal)) = address.map(|a| frame.by_address.take(&address_key(a)))
    {
        return frame.refuse(LimitedBy::Address, refusal);
    }
    let principal = match frame.principal(request.headers()).await {
        Ok(Some(principal)) => principal,
        Ok(None) => return next.run(request).await,
        Err(error) => return error.into_response(),
    };
    let who = Who { org_id: principal.org_id.to_string(), subject: principal.subject() };
    let limited = matches!(surface, Surface::Api | Surface::Openai);
    let allowance = limited.then(|| frame.by_principal.take(&who.subject)).transpose();
    let mut response = match allowance {
        Err(refusal) => frame.refuse(LimitedBy::Principal, refusal),
        Ok(allowance) => {
            request.extensions_mut().insert(principal);
            let mut response = next.run(request).await;
            if let Some(allowance) = allowance {
                allowance.tell(response.headers_mut());
            }
            response
        }
    };
    response.extensions_mut().insert(who);
    response
}

impl Frame {
    /// Who asks; `None` without credentials, and with a session that has ended.
    async fn principal(&self, headers: &HeaderMap) -> Result<Option<Principal>, ApiError> {
        match credentials(headers, self.config.is_https()) {
            Credentials::None => Ok(None),
            Credentials::Session(token) => self.authenticator.session(token).await,
            Credentials::ApiKey(key) => self.authenticator.api_key(key).await?.map(Some).ok_or_else(|| {
                let why = "this API key is unknown, revoked or expired";
                ApiError::new(StatusCode::UNAUTHORIZED, "invalid_api_key", why)
            }),
        }
    }
}

/// Who asked, on the response, for the log line.
#[derive(Clone, Debug)]
struct Who {
    org_id: String,
    subject: String,
}

enum Credentials<'a> {
    None,
    ApiKey(&'a str),
    Session(&'a str),
}

fn credentials(headers: &HeaderMap, https: bool) -> Credentials<'_> {
    if let Some(value) = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()) {
        return match value.split_once(' ') {
            Some((scheme, key)) if scheme.eq_ignore_ascii_case("bearer") => Credentials::ApiKey(key.trim()),
            _ => Credentials::ApiKey(""),
        };
    }
    let name = session_cookie_name(https);
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(';'))
        .find_map(|pair| pair.trim().split_once('=').filter(|(key, _)| *key == name))
        .map_or(Credentials::None, |(_, token)| Credentials::Session(token))
}

fn accepted_request_id(headers: &HeaderMap) -> Option<String> {
    let id = headers.get("x-request-id")?.to_str().ok()?;
    let fine = (8..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    fine.then(|| id.to_owned())
}

/// The trace that the caller is in (W3C Trace Context, `traceparent`), or a new one.
fn trace_id(headers: &HeaderMap) -> String {
    let parent = headers.get("traceparent").and_then(|v| v.to_str().ok()).and_then(|v| v.split('-').nth(1));
    match parent {
        Some(id)
            if id.len() == 32 && id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) && id != "0".repeat(32) =>
        {
            id.to_owned()
        }
        _ => crypto::hex(&crypto::random_bytes::<16>()),
    }
}

/// Headers that every response has; a page may have set a stricter policy already.
fn secure(headers: &mut HeaderMap) {
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// Collects what the log line and the metrics need; reports once, when the body has ended or was given up.
struct Report {
    frame: Frame,
    started: Instant,
    surface: Surface,
    method: Method,
    verb: String,
    route: String,
    path: String,
    client: IpAddr,
    request_id: String,
    trace_id: String,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    who: Option<Who>,
    error: Option<ResponseError>,
    bytes: u64,
    complete: bool,
}

impl Report {
    fn new(
        frame: &Frame,
        request: &Request,
        client: IpAddr,
        request_id: String,
        trace_id: String,
        route: String,
    ) -> Self {
        frame.metrics.in_flight.inc();
        Self {
            frame: frame.clone(),
            started: Instant::now(),
            surface: Surface::of(request.uri().path()),
            method: request.method().into(),
            verb: request.method().to_string(),
            route,
            path: request.uri().path().to_owned(),
            client,
            request_id,
            trace_id,
            status: None,
            first_byte: None,
            who: None,
            error: None,
            bytes: 0,
            complete: false,
        }
    }

    fn take(&mut self, response: &mut Response) {
        self.status = Some(response.status());
        self.first_byte = Some(self.started.elapsed());
        self.who = response.extensions_mut().remove();
        self.error = response.extensions_mut().remove();
    }

    fn outcome(&self) -> Outcome {
        match self.status {
            _ if !self.complete => Outcome::Aborted,
            None => Outcome::Aborted,
            Some(StatusCode::TOO_MANY_REQUESTS) => Outcome::RateLimited,
            Some(StatusCode::SERVICE_UNAVAILABLE) => Outcome::Unavailable,
            Some(s) if s.is_server_error() => Outcome::ServerError,
            Some(s) if s.is_client_error() => Outcome::ClientError,
            Some(s) if s.is_redirection() => Outcome::Redirect,
            Some(_) => Outcome::Ok,
        }
    }
}

impl Drop for Report {
    fn drop(&mut self) {
        let (outcome, took) = (self.outcome(), self.started.elapsed());
        let metrics = &self.frame.metrics;
        metrics.in_flight.dec();
        metrics.requests.get_or_create(&RequestLabels { surface: self.surface, method: self.method, outcome }).inc();
        let exemplar = TraceLabels { trace_id: self.trace_id.clone() };
        metrics.latency.get_or_create(&SurfaceLabels { surface: self.surface }).observe(
            took.as_secs_f64(),
            Some(exemplar),
            None,
        );
        if matches!(self.surface, Surface::Health | Surface::Assets) && outcome == Outcome::Ok {
            return;
        }
        let (org_id, subject) = self.who.as_ref().map_or(("", ""), |w| (&w.org_id, &w.subject));
        let (code, chain) = self.error.as_ref().map_or(("", ""), |e| (&e.code, e.chain.as_deref().unwrap_or_default()));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdfast::request", request_id = self.request_id, trace_id = self.trace_id, method = self.verb,
                    route = self.route, path = self.path, status = self.status.map(|s| s.as_u16()), outcome = outcome.as_str(),
                    duration_ms = took.as_secs_f64() * 1e3, first_byte_ms = self.first_byte.map(|d| d.as_secs_f64() * 1e3),
                    bytes = self.bytes, client = %self.client, org_id, subject, code, error = chain, "request"
                )
            };
        }
        match outcome {
            Outcome::ServerError => line!(error),
            Outcome::Unavailable => line!(warn),
            _ => line!(info),
        }
    }
}

/// The response's body, which tells the report when it has ended.
struct Observed {
    body: Body,
    report: Report,
    span: tracing::Span,
    /// What the request's body took of the memory, until here.
    _share: Share,
}

impl HttpBody for Observed {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        let polled = Pin::new(&mut this.body).poll_frame(cx);
        match &polled {
            Poll::Ready(Some(Ok(frame))) => this.report.bytes += frame.data_ref().map_or(0, |d| d.len() as u64),
            Poll::Ready(None) => this.report.complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        if this.body.is_end_stream() {
            this.report.complete = true;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> http_body::SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Observed {
    fn drop(&mut self) {
        // A body of known, empty size (204, HEAD, 304) is never polled.
        if self.body.is_end_stream() {
            self.report.complete = true;
        }
    }
}
