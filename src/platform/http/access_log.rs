//! Access log: one log line and one metric observation per request, however it ends.

use std::{
    borrow::Cow,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use axum::{
    body::{Body, Bytes, HttpBody},
    extract::{MatchedPath, Request},
    http::{self, HeaderValue, StatusCode, header},
    response::Response,
};
use http_body_util::BodyExt as _;
use tokio::time::Instant;

use super::{
    Metrics,
    buffer_budget::BufferReservation,
    metrics::{Method, Outcome, Surface},
};
use crate::{
    error::ResponseError,
    telemetry::Span,
    trace::{self, Context},
};

/// The caller, passed to the log line as an extension of the response.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    pub org_id: String,
    pub subject: String,
}

/// Route in the log line when no route matches.
pub(super) const UNMATCHED: &str = "unmatched";
/// Of answers for status pages that were found, one in so many is logged: other monitors ask each second.
const SAMPLED: u64 = 100;
/// Logged length of a user agent, characters.
const MOST_OF_AGENT: usize = 200;

/// The path as it is logged: what follows one of these is a secret of whoever has the link.
fn shown(surface: Surface, path: &str) -> Cow<'_, str> {
    const SECRETS: [&str; 3] = ["/confirm/", "/manage/", "/api/push/"];
    const BEGINNINGS: [&str; 2] = ["/acknowledge/", "/api/v1/uptime/beats/"];
    if let Some(beginning) = BEGINNINGS.iter().find(|beginning| path.starts_with(**beginning)) {
        return format!("{beginning}***").into();
    }
    match SECRETS.iter().find_map(|mark| path.find(mark).map(|at| at + mark.len())) {
        Some(begin) if surface == Surface::Status => format!("{}***", &path[..begin]).into(),
        _ => path.into(),
    }
}

/// The user agent, invalid UTF-8 replaced.
fn readable(agent: &HeaderValue) -> Cow<'_, str> {
    let text = String::from_utf8_lossy(agent.as_bytes());
    match text.char_indices().nth(MOST_OF_AGENT) {
        Some((end, _)) => text[..end].to_owned().into(),
        None => text,
    }
}

/// Collects the fields of the log line and the metrics; writes both once, when the body ends or is dropped.
pub(super) struct AccessLog {
    metrics: Metrics,
    started: Instant,
    surface: Surface,
    method: Method,
    verb: http::Method,
    /// `None` when no route matched.
    route: Option<MatchedPath>,
    uri: http::Uri,
    user_agent: Option<HeaderValue>,
    client: IpAddr,
    context: Context,
    span: Span,
    status: Option<StatusCode>,
    first_byte: Option<Duration>,
    caller: Option<Caller>,
    error: Option<ResponseError>,
    /// Bytes of the request body.
    received: Arc<AtomicU64>,
    bytes: u64,
    complete: bool,
}

impl AccessLog {
    pub fn new(metrics: &Metrics, request: &Request, client: IpAddr, context: Context, span: Span) -> Self {
        metrics.in_flight.inc();
        metrics.traffic.came();
        Self {
            metrics: metrics.clone(),
            started: Instant::now(),
            surface: Surface::of(request.uri().path()),
            method: request.method().into(),
            verb: request.method().clone(),
            route: request.extensions().get().cloned(),
            uri: request.uri().clone(),
            user_agent: request.headers().get(header::USER_AGENT).cloned(),
            client,
            context,
            span,
            status: None,
            first_byte: None,
            caller: None,
            error: None,
            received: Arc::default(),
            bytes: 0,
            complete: false,
        }
    }

    /// Counts the bytes of the request body.
    pub fn count(&self, request: Request) -> Request {
        let received = self.received.clone();
        request.map(|body| {
            Body::new(body.map_frame(move |frame| {
                received.fetch_add(frame.data_ref().map_or(0, |data| data.len() as u64), Ordering::Relaxed);
                frame
            }))
        })
    }

    /// Reads status, caller and error from the response.
    pub fn take(&mut self, response: &mut Response) {
        self.status = Some(response.status());
        self.first_byte = Some(self.started.elapsed());
        self.caller = response.extensions_mut().remove();
        self.error = response.extensions_mut().remove();
    }

    /// 200 or 304, and sent.
    fn is_found(&self) -> bool {
        self.complete && matches!(self.status, Some(StatusCode::OK | StatusCode::NOT_MODIFIED))
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

impl AccessLog {
    /// Span attributes: the fields of the log line without user-supplied text (path, address, query).
    fn end_span(&self, span: &mut Span, outcome: Outcome, received: u64) {
        if !span.is_recorded() {
            return;
        }
        let (in_database, transactions) = self.context.database();
        span.set("holdfast.outcome", outcome.as_str());
        span.set("holdfast.database_ms", in_database.as_secs_f64() * 1e3);
        span.set("holdfast.transactions", u64::from(transactions));
        span.set("http.request.body.size", received);
        span.set("http.response.body.size", self.bytes);
        if let Some(first) = self.first_byte {
            span.set("holdfast.first_byte_ms", first.as_secs_f64() * 1e3);
        }
        if let Some(caller) = &self.caller {
            span.set("holdfast.org_id", &*caller.org_id);
        }
        if let Some(error) = &self.error {
            span.set("holdfast.code", &*error.code);
        }
        if let Some(status) = self.status {
            span.set("http.response.status_code", u64::from(status.as_u16()));
            // Client errors do not fail a server span (OpenTelemetry semantic conventions, HTTP spans).
            if status.is_server_error() {
                span.failed(status.as_str());
            }
        }
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        let (outcome, took) = (self.outcome(), self.started.elapsed());
        let mut span = std::mem::take(&mut self.span);
        let metrics = &self.metrics;
        metrics.in_flight.dec();
        let observed = metrics.of(self.surface);
        observed.requests(self.method, outcome).inc();
        observed.latency.observe_in(Some(&self.context), took.as_secs_f64());
        // A client that gave up before the first byte counts with the time that it waited; otherwise slow responses that nobody waited for
        // would be missing.
        let first_byte = self.first_byte.unwrap_or(took);
        observed.first_byte(self.method).observe_in(Some(&self.context), first_byte.as_secs_f64());
        let route = self.route.as_ref().map(MatchedPath::as_str);
        metrics.of_route((self.surface, route, self.method), outcome, first_byte.as_secs_f64(), &self.context);
        let received = self.received.load(Ordering::Relaxed);
        observed.received.observe(received as f64);
        observed.sent.observe(self.bytes as f64);
        if matches!(self.surface, Surface::Health | Surface::Assets) && outcome == Outcome::Ok {
            return span.discard();
        }
        if self.surface == Surface::Status && self.is_found() && !metrics.sampled().is_multiple_of(SAMPLED) {
            return span.discard();
        }
        self.end_span(&mut span, outcome, received);
        drop(span);
        let (in_database, transactions) = self.context.database();
        let user_agent = self.user_agent.as_ref().map(readable).unwrap_or_default();
        let path = shown(self.surface, self.uri.path());
        let (org_id, subject) = self.caller.as_ref().map_or(("", ""), |w| (&w.org_id, &w.subject));
        let (code, chain) = self.error.as_ref().map_or(("", ""), |e| (&e.code, e.chain.as_deref().unwrap_or_default()));
        macro_rules! line {
            ($level:ident) => {
                tracing::$level!(
                    target: "holdfast::request", method = self.verb.as_str(),
                    route = route.unwrap_or(UNMATCHED), path = &*path, status = self.status.map(|s| s.as_u16()), outcome = outcome.as_str(),
                    duration_ms = took.as_secs_f64() * 1e3, first_byte_ms = self.first_byte.map(|d| d.as_secs_f64() * 1e3),
                    database_ms = in_database.as_secs_f64() * 1e3, transactions, bytes = self.bytes, bytes_received = received,
                    client = %self.client, user_agent = &*user_agent, org_id, subject, code, error = chain, "request"
                )
            };
        }
        // Often dropped outside of the request's task: the context has to be set again.
        trace::within(Some(self.context.clone()), || match outcome {
            Outcome::ServerError => line!(error),
            Outcome::Unavailable => line!(warn),
            _ => line!(info),
        });
    }
}

/// The response's body; completes the log entry when it ends.
pub(super) struct LoggedBody {
    body: Body,
    log: AccessLog,
    context: Context,
    span: tracing::Span,
    /// Keeps the request's buffer budget until the response ends.
    _reservation: BufferReservation,
}

impl LoggedBody {
    pub fn new(
        body: Body,
        log: AccessLog,
        context: Context,
        span: tracing::Span,
        reservation: BufferReservation,
    ) -> Self {
        Self { body, log, context, span, _reservation: reservation }
    }
}

impl HttpBody for LoggedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut std::task::Context<'_>,
    ) -> Poll<Option<Result<http_body::Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let _entered = this.span.enter();
        let polled = trace::within(Some(this.context.clone()), || Pin::new(&mut this.body).poll_frame(cx));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => this.log.bytes += frame.data_ref().map_or(0, |d| d.len() as u64),
            Poll::Ready(None) => this.log.complete = true,
            Poll::Ready(Some(Err(_))) | Poll::Pending => {}
        }
        if this.body.is_end_stream() {
            this.log.complete = true;
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

impl Drop for LoggedBody {
    fn drop(&mut self) {
        // An empty body of known size (204, HEAD, 304) is never polled.
        if self.body.is_end_stream() {
            self.log.complete = true;
        }
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::{encoding::text::encode, registry::Registry};

    use super::*;

    #[test]
    fn links_of_subscribers_and_pushes_are_not_logged() {
        for (path, logged) in [
            ("/status/shop/manage/0190.abc", "/status/shop/manage/***"),
            ("/status-domain/confirm/0190.abc", "/status-domain/confirm/***"),
            ("/api/push/Ab3dEf6hIj", "/api/push/***"),
            ("/acknowledge/0190.abc", "/acknowledge/***"),
            ("/api/v1/uptime/beats/Ab3dEf6hIj/start", "/api/v1/uptime/beats/***"),
            ("/status/shop/history", "/status/shop/history"),
        ] {
            assert_eq!(shown(Surface::of(path), path), logged);
        }
        assert_eq!(shown(Surface::Api, "/api/v1/x/manage/y"), "/api/v1/x/manage/y");
    }

    #[test]
    fn a_slow_body_is_no_slow_answer_and_who_gives_up_has_waited_for_one() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let begin = |method: &str| {
            let request = Request::builder().method(method).uri("/api/v1/agents").body(Body::empty()).unwrap();
            let context = Context::of_request(None, "id".to_owned());
            AccessLog::new(&metrics, &request, [127, 0, 0, 1].into(), context, Span::default())
        };
        let pause = || std::thread::sleep(Duration::from_millis(200));
        let mut streamed = begin("GET");
        streamed.take(&mut Response::new(Body::empty()));
        pause();
        drop(streamed);
        let given_up = begin("PUT");
        pause();
        drop(given_up);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let seconds = |method: &str| -> f64 {
            let series = format!("first_byte_seconds_sum{{surface=\"api\",method=\"{method}\"}} ");
            let line = text.lines().find_map(|line| line.strip_prefix(&series));
            line.unwrap_or_else(|| panic!("{series} in {text}")).parse().unwrap()
        };
        assert!(seconds("get") < 0.1, "{text}");
        assert!(seconds("put") >= 0.2, "{text}");
    }
}
